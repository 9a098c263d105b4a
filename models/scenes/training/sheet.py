"""A contact sheet of pictures, six to a row."""
import numpy as np
from PIL import Image


def save_sheet(path, pictures, columns=6, gap=4):
    """Writes uint8 [n, h, w, 3] as one PNG."""
    n, h, w, _ = pictures.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = i // columns * (h + gap), i % columns * (w + gap)
        sheet[y:y + h, x:x + w] = picture
    Image.fromarray(sheet).save(path)


def paint_sheet(painter, prompts, path, seed=1, **options):
    save_sheet(path, painter.paint(prompts, seed=seed, **options))
    print(f"wrote {path}", flush=True)
