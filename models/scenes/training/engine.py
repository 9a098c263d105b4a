"""Paints images with Muse's engine and a model's folder as it is shipped, with that folder's own defaults."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np

from scenes import SIZE

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks" / "run"


def run_cases(folder, model, *options):
    """Has the engine make what `cases.json` in `folder` asks for (see benchmarks/Engine/EditFolder.cs)."""
    # What makes PyTorch faster is not for Muse.
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    subprocess.run([BENCHMARKS, "edit", folder.resolve(), model.resolve(), *options], check=True, env=environment)


class EnginePainter:
    def __init__(self, folder, model):
        self.folder, self.model = folder, model

    def paint(self, prompts, seed=0):
        """uint8 [n, SIZE, SIZE, 3]; each image's seed is `seed` and its place in the list."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        cases = [{"name": f"{i:04}", "prompt": p, "seed": seed + i} for i, p in enumerate(prompts)]
        (self.folder / "cases.json").write_text(json.dumps(cases))
        run_cases(self.folder, self.model)
        return np.stack([np.fromfile(self.folder / f"{c['name']}.out.rgb", np.uint8).reshape(SIZE, SIZE, 3) for c in cases])
