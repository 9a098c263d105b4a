"""Paints held-out prompts and judges the pixels with code. Prints every figure with its number of prompts."""
from dataclasses import replace

import numpy as np
import torch

from captions import test_prompt
from judge import Judge, place_is, size_is
from scenes import draw, held_out, sample_scene
from train_autoencoder import round_trip

FIRST_TEST_SEED = 80_000_000


def learned_judge(autoencoder, runs):
    """A judge of shapes that has seen what the autoencoder makes of drawings; kept in `runs`."""
    judge = Judge()
    accuracy = judge.learn_shapes(runs / "judge.pt", through=lambda p: round_trip(autoencoder, p))
    print(f"shape classifier: {accuracy:.1%} right on drawings it has not seen", flush=True)
    return judge


def test_scenes(count, things, place=None):
    """Scenes of which at least one combination of shape, colour, place and background is held out from training; for
    two things, of different colours and shapes, so that a mix-up shows. `place`: where their combinations are held out too."""
    scenes, seed = [], FIRST_TEST_SEED + 1_000_000 * things
    while len(scenes) < count:
        scene = sample_scene(seed, count=things, test=True, extras=False)
        seed += 1
        if place and not any(held_out(replace(thing, place=place), scene.background) for thing in scene.things):
            continue
        if things == 1 or (len({t.colour for t in scene.things}) == len({t.shape for t in scene.things}) == things):
            scenes.append(scene)
    return scenes


def judge_one(judge, image, scene, relation=None):
    """What is right about an image of one thing. A place or a shape counts only where the colour was found."""
    thing = scene.things[0]
    part = judge.find(image, thing.colour, scene.background)
    found = part is not None
    return {"colour": found, "background": judge.profiles.name(image) == scene.background,
            "place": found and place_is(part, thing.place),
            "shape": found and judge.shape(image, part) == thing.shape,
            "size": found and size_is(part, thing.shape, thing.size), "count": judge.as_many(image, scene)}


def judge_two(judge, image, scene, relation):
    """Binding: both named colours are there, and each one's largest part has the shape that the prompt gives it."""
    parts = [judge.find(image, t.colour, scene.background) for t in scene.things]
    found = [p is not None for p in parts]
    bound = [f and judge.shape(image, p) == t.shape for f, p, t in zip(found, parts, scene.things)]
    return {"both colours": all(found), "binding": all(bound), "arrangement": all(found) and lies(*parts, relation),
            "background": judge.profiles.name(image) == scene.background, "count": judge.as_many(image, scene)}


def lies(a, b, relation):
    """Whether part a lies to part b as the prompt says."""
    (ay, ax), (by, bx) = np.argwhere(a).mean(0), np.argwhere(b).mean(0)
    return {"above": ay < by, "over": ay < by, "below": ay > by, "under": ay > by, "beneath": ay > by,
            "to the left of": ax < bx, "left of": ax < bx, "to the right of": ax > bx, "right of": ax > bx,
            "next to": abs(ax - bx) > abs(ay - by), "beside": abs(ax - bx) > abs(ay - by), None: True}[relation]


def rates(rows):
    return {k: sum(r[k] for r in rows) / len(rows) for k in rows[0]}


def show(title, rows):
    print(f"{title}, {len(rows)} prompts: " + ", ".join(f"{k} {v:.1%}" for k, v in rates(rows).items()), flush=True)


def check_judge(judge, scenes, relations, one):
    """The judge on drawings of the very scenes that the prompts describe: what a perfect painter would score."""
    show("  the judge on drawings", [one(judge, draw(s), s, r) for s, r in zip(scenes, relations)])


def evaluate(painter, judge, count=500, seed=123, unsaid=None, **options):
    """Of one thing with and without its place, and of two without and with their places, `count` prompts each.
    `unsaid`: the place where the model puts a thing whose place is not said; None if it may be anywhere."""
    results = {}
    for things, one, placed, title in ((1, judge_one, True, "one object, place said"), (1, judge_one, False, "one object"),
                                       (2, judge_two, False, "two objects"), (2, judge_two, True, "two objects, places said")):
        scenes = test_scenes(count, things, unsaid if things == 1 and not placed else None)
        rng = np.random.default_rng(seed)
        prompts, relations = zip(*[test_prompt(rng, s, placed) for s in scenes])
        images = painter.paint(prompts, seed=seed, **options)
        rows = [one(judge, p, s, r) for p, s, r in zip(images, scenes, relations)]
        show(f"{title}, held out", rows)
        check_judge(judge, scenes, relations, one)
        results[title] = {"prompts": count, **rates(rows)}
    return results


NIGHTS = ("a house at night", "a red tree in the hills at night", "a blue boat on the sea at night",
          "a star in the snow at night", "a pink flower at night")


def negative_prompt(painter, judge, count=100, seed=321, **options):
    """How often a moon is in the image with and without the negative prompt "moon", same noise for both.

    Night scenes of the training set often have a moon that the caption doesn't mention; prompts that ask for it
    (every second one) are the harder half."""
    prompts = [NIGHTS[i % len(NIGHTS)] + (" with a moon" if i % 2 else "") for i in range(count)]
    shares = []
    for negative in ("", "moon"):
        images = painter.paint(prompts, seed=seed, negative=negative, **options)
        moons = [has_moon(judge, p) for p in images]
        shares.append((np.mean(moons[0::2]), np.mean(moons[1::2])))
    (free, asked), (free_negative, asked_negative) = shares
    print(f"negative prompt 'moon', {count} prompts: moon unasked {free:.0%} -> {free_negative:.0%}, "
          f"moon asked for {asked:.0%} -> {asked_negative:.0%}", flush=True)


def has_moon(judge, image):
    background = judge.profiles.name(image)
    for colour in ("yellow", "white"):
        part = judge.find(image, colour, background)
        if part is not None and part.sum() > 60 and judge.shape(image, part) == "moon":
            return True
    return False
