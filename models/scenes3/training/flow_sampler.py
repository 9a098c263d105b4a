"""Paints images with PyTorch by Euler's method on the velocity, over the noise levels of diffusers'
FlowMatchEulerDiscreteScheduler as Stable Diffusion 3's pipeline takes them."""
import numpy as np
import torch

SHIFT, STEPS_BY_DEFAULT, GUIDANCE_BY_DEFAULT = 6.0, 10, 3.0
# Above it the prompt alone decides. There guidance would want a thing wherever one could be, and several would be painted.
GUIDANCE_MAX_TIMESTEP = 870


def shifted(sigma, shift):
    return shift * sigma / (1 + (shift - 1) * sigma)


def levels(steps, shift=SHIFT):
    """[steps + 1] noise levels, from 1 down to 0: evenly from the largest to the smallest of training, and shifted again."""
    return np.append(shifted(np.linspace(1, shifted(1e-3, shift), steps), shift), 0.0)


class FlowPainter:
    def __init__(self, tokenizer, text, denoise, decode, scale, shift):
        """`text`: ids to (states, pooled); `denoise`, `decode`: callables, whether PyTorch modules or exported files."""
        self.tokenizer, self.text, self.denoise, self.decode = tokenizer, text, denoise, decode
        self.scale, self.shift = scale, shift

    def read(self, prompts):
        ids = torch.tensor([self.tokenizer.padded(p) for p in prompts])
        length = int((ids != self.tokenizer.end).sum(1).max()) + 1
        return self.text(ids[:, :length])

    @torch.no_grad()
    def paint(self, prompts, seed=0, size=128, block=50, **options):
        """uint8 [n, size, size, 3]; each image's noise depends on `seed` and its place in the list."""
        return np.concatenate([self._paint_block(prompts[i:i + block], seed + i, size, **options)
                               for i in range(0, len(prompts), block)])

    def _paint_block(self, prompts, seed, size, steps=STEPS_BY_DEFAULT, guidance=GUIDANCE_BY_DEFAULT, negative="",
                     guided_below=GUIDANCE_MAX_TIMESTEP, shift=SHIFT):
        n = len(prompts)
        states, pooled = self.read([negative] * n + list(prompts))
        x = torch.stack([torch.randn(16, size // 8, size // 8, generator=torch.Generator().manual_seed(seed + k)) for k in range(n)])
        grid = levels(steps, shift)
        for sigma, after in zip(grid, grid[1:]):
            if guidance != 1 and (negative or 1000 * sigma <= guided_below):
                both = self.denoise(torch.cat([x, x]), states, pooled, torch.full((2 * n,), 1000 * float(sigma)))
                without, having = both.chunk(2)
                velocity = without + guidance * (having - without)
            else:
                velocity = self.denoise(x, states[n:], pooled[n:], torch.full((n,), 1000 * float(sigma)))
            x = x + float(after - sigma) * velocity
        images = self.decode(x / self.scale + self.shift).clamp(-1, 1)
        return (images.permute(0, 2, 3, 1).numpy() * 127.5 + 128).clip(0, 255).astype(np.uint8)
