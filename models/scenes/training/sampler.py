"""Paints images with PyTorch: enough samplers to check the model by, written as diffusers defines them.

All walk the same timesteps: "trailing" spacing, from 999 down in equal strides.
"""
import numpy as np
import torch

from train_denoiser import STEPS, alphas_cumprod

STEPS_BY_DEFAULT, GUIDANCE_BY_DEFAULT = 20, 3.0
# Above it the prompt alone decides. There guidance would want a thing wherever one could be, and several would be painted.
GUIDANCE_MAX_TIMESTEP = 500


def trailing(steps):
    """[steps] timesteps, highest first."""
    return torch.from_numpy(np.round(np.arange(STEPS, 0, -STEPS / steps)) - 1).long()


def signal_noise(timestep):
    """(alpha, sigma) of a variance-preserving step; a timestep below zero means clean."""
    if timestep < 0:
        return 1.0, 0.0
    signal = alphas_cumprod()[timestep].item()
    return signal ** 0.5, (1 - signal) ** 0.5


class Painter:
    """A text encoder, a denoiser and a decoder: callables on tensors, whether PyTorch modules or exported files."""

    def __init__(self, tokenizer, text, denoise, decode):
        self.tokenizer, self.text, self.denoise, self.decode = tokenizer, text, denoise, decode

    def read(self, prompts):
        """Hidden states [b, l, D], with the padding that all of the prompts share cut off."""
        ids = torch.tensor([self.tokenizer.padded(p) for p in prompts])
        length = int((ids != self.tokenizer.end).sum(1).max()) + 1
        return self.text(ids[:, :length])[0]

    @torch.no_grad()
    def paint(self, prompts, seed=0, steps=STEPS_BY_DEFAULT, guidance=GUIDANCE_BY_DEFAULT, negative="",
              sampler="dpm++", size=128, block=32):
        """uint8 [n, size, size, 3]; each image's noise depends on `seed` and its place in the list."""
        parts = [self._paint_block(prompts[i:i + block], [seed + k for k in range(i, min(i + block, len(prompts)))],
                                   steps, guidance, negative, sampler, size) for i in range(0, len(prompts), block)]
        return np.concatenate(parts)

    def _paint_block(self, prompts, seeds, steps, guidance, negative, sampler, size):
        text = self.read([negative] * len(prompts) + list(prompts))
        draws = [torch.Generator().manual_seed(s) for s in seeds]

        def fresh():
            return torch.stack([torch.randn(4, size // 8, size // 8, generator=g) for g in draws])

        def predict(x, timestep):
            """(image, noise) predicted from x at a timestep, guided up to `GUIDANCE_MAX_TIMESTEP`; what a negative
            prompt forbids must not be planned in the first place, so with one at every timestep."""
            if negative or timestep <= GUIDANCE_MAX_TIMESTEP:
                v = self.denoise(torch.cat([x, x]), torch.full((2 * len(x),), float(timestep)), text)
                without, having = v.chunk(2)
                v = without + guidance * (having - without)
            else:
                v = self.denoise(x, torch.full((len(x),), float(timestep)), text[len(x):])
            alpha, sigma = signal_noise(timestep)
            return alpha * x - sigma * v, alpha * v + sigma * x

        latents = SAMPLERS[sampler](fresh(), trailing(steps).tolist(), predict, fresh)
        images = self.decode(latents).clamp(-1, 1)
        return (images.permute(0, 2, 3, 1).numpy() * 127.5 + 128).clip(0, 255).astype(np.uint8)


def ddim(x, timesteps, predict, fresh):
    """Song et al. 2020, https://arxiv.org/abs/2010.02502. Euler's method on sigma takes the same steps."""
    for t, after in zip(timesteps, timesteps[1:] + [-1]):
        image, noise = predict(x, t)
        alpha, sigma = signal_noise(after)
        x = alpha * image + sigma * noise
    return x


def ancestral(x, timesteps, predict, fresh):
    """Euler's method with fresh noise at every step (k-diffusion's `sample_euler_ancestral`)."""
    for t, after in zip(timesteps, timesteps[1:] + [-1]):
        image, noise = predict(x, t)
        alpha, sigma = signal_noise(after)
        alpha_now, sigma_now = signal_noise(t)
        here, there = sigma_now / alpha_now, sigma / alpha
        up = min(there, there * (here ** 2 - there ** 2) ** 0.5 / here)
        down = (there ** 2 - up ** 2) ** 0.5
        x = alpha * (image + down * noise + (up * fresh() if up else 0))
    return x


def dpm_plus_plus(x, timesteps, predict, fresh):
    """DPM-Solver++(2M), Lu et al. 2022, https://arxiv.org/abs/2211.01095; first order for the last step."""
    last, last_gap = None, None
    for t, after in zip(timesteps, timesteps[1:] + [-1]):
        image, _ = predict(x, t)
        alpha, sigma = signal_noise(after)
        if after < 0:
            return image
        alpha_now, sigma_now = signal_noise(t)
        gap = np.log(alpha / sigma) - np.log(alpha_now / sigma_now)
        slope = image if last is None else image + 0.5 * gap / last_gap * (image - last)
        x = sigma / sigma_now * x - alpha * np.expm1(-gap) * slope
        last, last_gap = image, gap
    return x


SAMPLERS = {"ddim": ddim, "euler_ancestral": ancestral, "dpm++": dpm_plus_plus}
