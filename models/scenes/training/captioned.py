"""Batches of captions with the answers that `CaptionReader` asks for."""
import pickle

import numpy as np
import torch

from captions import caption
from model import TEXT_LENGTH
from scenes import BACKGROUNDS, COLOURS, SHAPES, SIZES, sample_scene
from tokenizer import Tokenizer

COLOUR_NAMES, SIZE_NAMES = tuple(COLOURS), tuple(SIZES)


def all_scenes(count, path):
    """The training scenes 0..count-1, cached in `path`."""
    if path.exists():
        with open(path, "rb") as file:
            return pickle.load(file)
    scenes = [sample_scene(i) for i in range(count)]
    with open(path, "wb") as file:
        pickle.dump(scenes, file)
    return scenes


def learn_tokenizer(folder, count=20_000):
    if not (folder / "vocab.json").exists():
        rng = np.random.default_rng(7)
        texts = [caption(rng, sample_scene(i))[0] for i in range(count)]
        Tokenizer.learn(texts).save(folder)
    return Tokenizer.load(folder)


def caption_batch(rng, scenes, tokenizer, dropped=0.0, places=None):
    """(ids [b, l], labels) of one caption for each scene; a share `dropped` of the captions is the empty prompt.
    `places`: for each scene, what its caption has to say about places (see `captions.caption`)."""
    rows, nouns, told = [], [], []
    for row, scene in enumerate(scenes):
        if rng.random() < dropped:
            rows.append([])
            continue
        told.append(row)
        text, named = caption(rng, scene, places[row] if places else "any")
        for index, end in named:
            # The start token comes first, so the number of tokens up to the noun's end is the last one's position.
            nouns.append((row, len(tokenizer.encode(text[:end])), scene.things[index]))
        rows.append(tokenizer.encode(text))
    # Few different lengths: buffers of many sizes scatter over the heap, and a training step takes longer.
    length = min(-(-(max(map(len, rows)) + 2) // 16) * 16, TEXT_LENGTH)
    ids = torch.full((len(rows), length), tokenizer.end)
    for row, tokens in enumerate(rows):
        ids[row, :len(tokens) + 1] = torch.tensor([tokenizer.start] + tokens)
    things = [t for _, _, t in nouns]
    labels = {
        "told": torch.tensor(told),
        "background": torch.tensor([BACKGROUNDS.index(s.background) for s in scenes]),
        "count": torch.tensor([len(s.things) for s in scenes]),
        "nouns": (torch.tensor([r for r, _, _ in nouns]), torch.tensor([c for _, c, _ in nouns]),
                  torch.tensor([SHAPES.index(t.shape) for t in things]),
                  torch.tensor([COLOUR_NAMES.index(t.colour) for t in things]),
                  torch.tensor([SIZE_NAMES.index(t.size) for t in things]),
                  torch.tensor([[2 * t.x - 1, 2 * t.y - 1] for t in things]))}
    return ids, labels


def to_device(labels, device):
    return {k: tuple(x.to(device) for x in v) if isinstance(v, tuple) else v.to(device) for k, v in labels.items()}
