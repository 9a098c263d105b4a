"""A contact sheet of images, six to a row, painted by PyTorch or by a running Muse."""
import base64
import io
import json
import urllib.request

import numpy as np
from PIL import Image


def save_sheet(path, images, columns=6, gap=4):
    """Writes uint8 [n, h, w, 3] as one PNG."""
    n, h, w, _ = images.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 255, np.uint8)
    for i, image in enumerate(images):
        y, x = i // columns * (h + gap), i % columns * (w + gap)
        sheet[y:y + h, x:x + w] = image
    Image.fromarray(sheet).save(path)


def paint_sheet(painter, prompts, path, seed=1, **options):
    save_sheet(path, painter.paint(prompts, seed=seed, **options))
    print(f"wrote {path}", flush=True)


def paint_by_server(url, prompts, path, seed=1):
    """The same sheet, painted by the Muse at `url` with its own defaults."""
    images = []
    for i, prompt in enumerate(prompts):
        body = json.dumps({"prompt": prompt, "seed": seed + i, "response_format": "b64_json"}).encode()
        request = urllib.request.Request(f"{url}/v1/images/generations", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            png = base64.b64decode(json.load(answer)["data"][0]["b64_json"])
        images.append(np.asarray(Image.open(io.BytesIO(png)).convert("RGB")))
    save_sheet(path, np.stack(images))
    print(f"wrote {path}", flush=True)
