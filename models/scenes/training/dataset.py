"""Draws the training images once, with as many processes as there are cores, into one memory-mapped array.

Training scenes are numbers 0, 1, 2, ...; nothing else needs to be stored about them, because `sample_scene(i)` gives
the same scene again whenever a caption is wanted.
"""
from multiprocessing import Pool

import numpy as np

from scenes import SIZE, draw, elsewhere, sample_scene, shape_map


def scene_elsewhere(seed):
    """Training scene number `seed` with its things in other places."""
    return elsewhere(sample_scene(seed))


def _draw_block(job):
    path, start, stop, scene_of = job
    images = np.load(path, mmap_mode="r+")
    for i in range(start, stop):
        images[i] = draw(scene_of(i))
    return stop


def draw_images(path, count, workers, scene_of=sample_scene, block=250):
    """Writes uint8 [count, 128, 128, 3] of `scene_of(0)` and so on to `path`; a marker beside it says that the array is complete."""
    done = path.with_suffix(".done")
    if done.exists() and done.read_text() == str(count):
        return np.load(path, mmap_mode="r")
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, SIZE, SIZE, 3)).flush()
    jobs = [(path, i, min(i + block, count), scene_of) for i in range(0, count, block)]
    with Pool(workers) as pool:
        for n, stop in enumerate(pool.imap(_draw_block, jobs)):
            if n % 20 == 19:
                print(f"drawn {stop} of {count}", flush=True)
    done.write_text(str(count))
    return np.load(path, mmap_mode="r")


def shape_maps(scenes, path, size=32):
    """uint8 [n, size, size]: `scenes.shape_map` of every scene, cached in `path`."""
    if path.exists():
        return np.load(path)
    maps = np.stack([shape_map(scene, size) for scene in scenes])
    np.save(path, maps)
    return maps
