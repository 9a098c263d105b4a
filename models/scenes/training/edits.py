"""Edits of drawings by mask, as cases for Muse and judged from its results.

A case is a drawing of a held-out scene, a mask around one of its things, and a prompt in which that thing has another
colour, or is another thing, or appears where there was none. `./benchmarks/run edit FOLDER` makes the edits with Muse's engine.
"""
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from captions import test_prompt
from engine import run_cases
from evaluate import rates, test_scenes
from scenes import COLOURS, SHAPES, SIZE, clashes, draw
from sheet import save_sheet

MODEL = Path(__file__).resolve().parent.parent
SEED = 60_000_000
# A mask reaches a little beyond the thing, as a brush does: this many half extents from its centre.
REACH = 1.25
KINDS = ("colour", "replace", "add")


def other_colour(rng, scene, thing):
    taken = {t.colour for t in scene.things}
    return str(rng.choice([c for c in COLOURS if c not in taken and not clashes(c, scene.background)]))


def edited(rng, scene, kind):
    """(the scene to draw, the scene to ask for, the thing that is to be there)."""
    thing = scene.things[0]
    if kind == "colour":
        wanted = replace(thing, colour=other_colour(rng, scene, thing))
    elif kind == "replace":
        taken = {t.shape for t in scene.things}
        wanted = replace(thing, shape=str(rng.choice([s for s in SHAPES if s not in taken])), colour=other_colour(rng, scene, thing))
    else:
        wanted = thing
    before = replace(scene, things=scene.things[1:] if kind == "add" else scene.things)
    return before, replace(scene, things=(wanted, *scene.things[1:])), wanted


def mask_of(thing):
    """uint8 [SIZE, SIZE]: a disc around the thing."""
    v, u = np.meshgrid((np.arange(SIZE) + 0.5) / SIZE, (np.arange(SIZE) + 0.5) / SIZE, indexing="ij")
    return np.where(np.hypot(u - thing.x, v - thing.y) < REACH * thing.r, 255, 0).astype(np.uint8)


def cases(kind, count):
    """Scenes of one thing and of two in turns."""
    rng = np.random.default_rng([SEED, KINDS.index(kind)])
    scenes = [s for pair in zip(test_scenes(count, 1), test_scenes(count, 2)) for s in pair][:count]
    for scene in scenes:
        before, after, wanted = edited(rng, scene, kind)
        prompt, _ = test_prompt(rng, after)
        yield before, after, wanted, prompt


def write(folder, kind, count):
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for i, (before, after, wanted, prompt) in enumerate(cases(kind, count)):
        name = f"{i:03}"
        draw(before).tofile(folder / f"{name}.rgb")
        mask_of(wanted).tofile(folder / f"{name}.mask")
        listed.append({"name": name, "prompt": prompt, "seed": 1000 + i})
    (folder / "cases.json").write_text(json.dumps(listed, indent=1))


def read(path, *shape):
    return np.fromfile(path, np.uint8).reshape(shape)


def judge_edits(judge, folder, kind, count):
    """What is right about each edit: the thing's colour, its shape, the old colour gone, and every pixel outside the mask
    as it was."""
    rows = []
    for i, (before, after, wanted, _) in enumerate(cases(kind, count)):
        name = f"{i:03}"
        was, now = read(folder / f"{name}.rgb", SIZE, SIZE, 3), read(folder / f"{name}.out.rgb", SIZE, SIZE, 3)
        inside = mask_of(wanted) > 0
        rows.append(judge_one(judge, was, now, inside, before, wanted, after.background))
    return rows


def judge_one(judge, was, now, inside, before, wanted, background):
    # The rest of the image is blanked to the background, so that only what is in the mask can be found.
    clean = judge.profiles.images[background]
    seen = np.where(inside[..., None], now, clean.astype(np.uint8))
    part = judge.find(seen, wanted.colour, background)
    old = next((t.colour for t in before.things if (t.x, t.y) == (wanted.x, wanted.y)), None)
    left = judge.find(seen, old, background) if old and old != wanted.colour else None
    colour = part is not None and part.sum() > (left.sum() if left is not None else 0) * 4
    shape = part is not None and judge.shape(seen, part) == wanted.shape
    untouched = bool((was[~inside] == now[~inside]).all())
    return {"colour": bool(colour), "shape": bool(shape), "untouched": untouched, "right": bool(colour and shape and untouched),
            "recoloured": bool(colour and untouched)}


def evaluate_edits(judge, folder, count, strength="-", steps=None):
    """Makes and judges `count` edits of each kind; a sheet of some lies beside them, each drawing above its edit."""
    for kind in KINDS:
        cases_folder = folder / kind
        write(cases_folder, kind, count)
        run_cases(cases_folder, MODEL, strength, *([str(steps)] if steps else []))
        rows = judge_edits(judge, cases_folder, kind, count)
        print(f"{kind}, {len(rows)} edits: " + ", ".join(f"{k} {v:.1%}" for k, v in rates(rows).items()), flush=True)
        save_edit_sheet(cases_folder, folder / f"{kind}.png", min(count, 16))


def save_edit_sheet(folder, path, count, columns=8):
    rows = []
    for start in range(0, count, columns):
        names = [f"{i:03}" for i in range(start, min(start + columns, count))]
        rows += [read(folder / f"{n}.{end}", SIZE, SIZE, 3) for end in ("rgb", "out.rgb") for n in names]
    save_sheet(path, np.stack(rows), columns)
