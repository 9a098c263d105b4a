"""Trains the denoiser, and the text encoder with it, on latents and freshly worded captions.

v-prediction (Salimans & Ho 2022, https://arxiv.org/abs/2202.00512) on the linear schedule of DDPM: its last step
has a signal-to-noise ratio of 4e-5, so that sampling from pure noise finds nothing in it and plain backgrounds come
out plain.
"""
import numpy as np
import torch

import budget as clock
from captioned import caption_batch, to_device
from model import Denoiser, TextEncoder

BATCH, PEAK, DROPPED, READING = 32, 1e-3, 0.1, 0.05
STEPS, BETA_START, BETA_END = 1000, 1e-4, 0.02


def alphas_cumprod():
    """float [1000]: the share of the signal's variance that is left at each timestep."""
    return torch.cumprod(1 - torch.linspace(BETA_START, BETA_END, STEPS, dtype=torch.float64), 0).float()


def denoising_loss(denoiser, latents, text, timestep, signal):
    """Squared error of v. Where there is little noise, v's error counts a clean picture's error many times over; the
    weight caps that at five, so that such steps don't drown those that decide what is painted."""
    noise = torch.randn_like(latents)
    a, s = signal.sqrt()[:, None, None, None], (1 - signal).sqrt()[:, None, None, None]
    v = denoiser(a * latents + s * noise, timestep, text)
    error = (v - (a * noise - s * latents)).pow(2).mean((1, 2, 3))
    return (error * (5 * (1 - signal)).clamp(max=1)).mean()


def train(latents, scenes, tokenizer, start, path, hours, device, seed=2):
    """`start` is (text encoder, caption reader) with their head start. Goes on from `path` where it exists."""
    torch.manual_seed(seed)
    text, asks = start
    denoiser = Denoiser().to(device, memory_format=torch.channels_last)
    parts = torch.nn.ModuleDict({"text": text, "denoiser": denoiser, "asks": asks})
    optimizer = torch.optim.AdamW([{"params": denoiser.parameters(), "share": 1.0},
                                   {"params": [*text.parameters(), *asks.parameters()], "share": 0.25}],
                                  betas=(0.9, 0.99), weight_decay=0.01)
    average, state, step, spent = clock.Average(parts, 0.999), clock.load(path), 0, 0.0
    if state:
        parts.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        average.weights, step, spent = state["average"], state["step"], state["spent"]
        torch.manual_seed(seed + step)
    signal_at, time, seen, saved = alphas_cumprod().to(device), clock.Budget(hours, spent), [], spent
    rng = np.random.default_rng(seed + step)

    def checkpoint():
        clock.save(path, model=parts.state_dict(), optimizer=optimizer.state_dict(), average=average.weights,
                   step=step, spent=time.spent)

    while time.progress < 1:
        rate = clock.learning_rate(time.progress, step, PEAK)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        picked = rng.integers(0, len(scenes), BATCH)
        ids, labels = caption_batch(rng, [scenes[i] for i in picked], tokenizer, DROPPED)
        hidden, pooled = text(ids.to(device))
        # One timestep from each of BATCH equal slices: every step sees all levels of noise.
        timestep = ((torch.arange(BATCH) + torch.rand(BATCH)) * (STEPS / BATCH)).long().to(device)
        clean = latents[torch.from_numpy(picked)].to(device).float().contiguous(memory_format=torch.channels_last)
        loss = denoising_loss(denoiser, clean, hidden, timestep, signal_at[timestep])
        reading, _ = asks(hidden, pooled, to_device(labels, device))
        optimizer.zero_grad(set_to_none=True)
        (loss + READING * reading).backward()
        torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimizer.step()
        average.update(parts, step)
        step += 1
        seen.append((loss.item(), reading.item()))
        if step % 50 == 0:
            mean = np.mean(seen[-50:], 0)
            print(f"denoiser {step:6d}  {time.progress:5.1%}  {time.spent / 60:5.1f} min  loss {mean[0]:.4f}"
                  f"  reading {mean[1]:.3f}", flush=True)
        if time.spent - saved > 150:
            checkpoint()
            saved = time.spent
    checkpoint()


def load_averaged(path, vocabulary, end):
    """(text encoder, denoiser) with the averaged weights of a checkpoint, ready to paint."""
    weights = clock.load(path)["average"]
    text, denoiser = TextEncoder(vocabulary, end), Denoiser()
    for name, part in (("text.", text), ("denoiser.", denoiser)):
        part.load_state_dict({k[len(name):]: v for k, v in weights.items() if k.startswith(name)})
        part.eval()
    return text, denoiser.to(memory_format=torch.channels_last)
