"""Gives the text encoder a head start: it learns to read captions before the denoiser learns to paint them."""
import numpy as np
import torch

import budget as clock
from captioned import COLOUR_NAMES, SIZE_NAMES, caption_batch, to_device
from model import CaptionReader, TextEncoder
from scenes import BACKGROUNDS, SHAPES

BATCH, PEAK = 96, 1.5e-3


def reader():
    return CaptionReader(len(SHAPES), len(COLOUR_NAMES), len(SIZE_NAMES), len(BACKGROUNDS))


def train(scenes, tokenizer, path, hours, device, seed=1):
    torch.manual_seed(seed)
    text, asks = TextEncoder(len(tokenizer.vocab), tokenizer.end).to(device), reader().to(device)
    state, step, spent = clock.load(path), 0, 0.0
    both = torch.nn.ModuleList([text, asks])
    optimizer = torch.optim.AdamW(both.parameters(), lr=PEAK, betas=(0.9, 0.98), weight_decay=0.01)
    if state:
        both.load_state_dict(state["model"])
        if state["finished"]:
            return text, asks
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
    time, seen = clock.Budget(hours, spent), []
    rng = np.random.default_rng(seed + step)
    while time.progress < 1:
        picked = [scenes[i] for i in rng.integers(0, len(scenes), BATCH)]
        ids, labels = caption_batch(rng, picked, tokenizer)
        clock.set_rate(optimizer, clock.learning_rate(time.progress, step, PEAK))
        loss, right = asks(*text(ids.to(device)), to_device(labels, device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        step += 1
        seen.append([loss.item(), *right])
        if step % 100 == 0:
            mean = np.mean(seen[-100:], 0)
            print(f"text {step:6d}  {time.progress:5.1%}  loss {mean[0]:.3f}  shape {mean[1]:.1%}  colour {mean[2]:.1%}"
                  f"  background {mean[3]:.1%}", flush=True)
            clock.save(path, model=both.state_dict(), optimizer=optimizer.state_dict(), step=step, spent=time.spent,
                       finished=False)
    clock.save(path, model=both.state_dict(), step=step, spent=time.spent, finished=True)
    return text, asks
