"""The denoiser of `scenes`, asked what it sees in the same noise. It reads the first four channels, which are its own.

In the first part of the training the new denoiser learns from it: what it predicts is the mean over all images that may still
come, and what its cells hold is a plan of the image, where a drawing is only one sample.
"""
import torch
from torch.nn import functional as F

import paths  # noqa: F401  (makes the next lines' modules importable)
from model import COARSE, Denoiser
from train_denoiser import alphas_cumprod

WIDTH, CHANNELS = COARSE, 4


class Teacher:
    def __init__(self, state, scale, shift):
        self.denoiser = Denoiser()
        self.denoiser.load_state_dict(state)
        self.denoiser.eval().to(memory_format=torch.channels_last)
        self.scale, self.shift = scale, shift
        self.shares = alphas_cumprod().flip(0)      # rising, for the search

    @torch.no_grad()
    def __call__(self, seen, text, sigma):
        """(clean image [b, 4, h, w] in the new latents' units, cells [b, n, WIDTH], normalised). seen [b, 16, h, w] is (1 - sigma) x
        image + sigma x noise; text [b, l, .] holds the states of `scenes`' text encoder first."""
        s = sigma[:, None, None, None]
        # In the units of `scenes`: the image times a, the noise times n; its schedule wants a² + n² = 1.
        x = seen[:, :CHANNELS] + (1 - s) * self.shift * self.scale
        a, n = (1 - s) * self.scale, s
        size = (a ** 2 + n ** 2).sqrt()
        share = ((a / size) ** 2).flatten()
        timestep = (len(self.shares) - 1 - torch.searchsorted(self.shares, share)).clamp(0, len(self.shares) - 1)
        v, cells = self.denoiser.with_cells((x / size).contiguous(memory_format=torch.channels_last), timestep, text)
        clean = a / size * (x / size) - n / size * v
        cells = cells.flatten(2).transpose(1, 2)
        return (clean - self.shift) * self.scale, F.layer_norm(cells, cells.shape[-1:])
