"""Training against the clock: how far a run is, the learning rate there, and checkpoints that let it go on.

A run is given hours, not steps, so that the same command makes the best of a fast machine and of a slow one.
"""
import math
import time

import torch


class Budget:
    """Time this process has spent computing, kept across restarts; other work on the machine, or a pause, doesn't use it
    up. `progress` runs from 0 to 1."""

    def __init__(self, hours, spent=0.0):
        self.seconds = hours * 3600
        self.spent_before = spent
        self.started = time.process_time()

    @property
    def spent(self):
        return self.spent_before + time.process_time() - self.started

    @property
    def progress(self):
        return min(1.0, self.spent / self.seconds)


def learning_rate(progress, step, peak, warmup=200):
    """Linear warm-up over `warmup` steps, then flat, then down along a cosine over the last 60 % of the time."""
    decay = 1.0 if progress < 0.4 else 0.5 + 0.5 * math.cos(math.pi * (progress - 0.4) / 0.6)
    return peak * min(1.0, (step + 1) / warmup) * max(decay, 0.01)


def set_rate(optimizer, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate


class Average:
    """An exponential moving average of a module's weights; short at first, so that early exports are usable."""

    def __init__(self, module, longest=0.997):
        self.longest = longest
        self.weights = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module, step, steps=1):
        """`steps`: how many training steps have gone by since the last call."""
        decay = min(self.longest, (1 + step) / (10 + step)) ** steps
        for k, v in module.state_dict().items():
            if v.is_floating_point():
                self.weights[k].lerp_(v, 1 - decay)


def save(path, **state):
    """Writes to a side file first, so that an interrupted save cannot destroy the last checkpoint."""
    side = path.with_suffix(".part")
    torch.save(state, side)
    side.replace(path)


def load(path):
    return torch.load(path, map_location="cpu") if path.exists() else None
