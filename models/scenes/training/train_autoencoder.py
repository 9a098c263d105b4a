"""Trains the autoencoder on crops, then normalises its latents and encodes every training image."""
import numpy as np
import torch

import budget as clock
from autoencoder import Autoencoder

CROP, BATCH, PEAK = 48, 48, 2e-3


def batches(images, scenes, seed, device):
    """Endless crops, float [BATCH, 3, CROP, CROP] in -1..1, on the latent grid of 8 pixels. Three in four are about a
    thing, where the outlines are; the rest are anywhere."""
    rng = np.random.default_rng(seed)
    last = images.shape[1] - CROP
    while True:
        crops = np.empty((BATCH, CROP, CROP, 3), np.uint8)
        for k in range(BATCH):
            i = rng.integers(len(images))
            corner = rng.uniform(0, last, 2)
            if scenes[i].things and rng.random() < 0.75:
                thing = scenes[i].things[rng.integers(len(scenes[i].things))]
                corner = np.array((thing.y, thing.x)) * images.shape[1] - CROP / 2 + rng.uniform(-16, 16, 2)
            y, x = (np.clip(corner, 0, last) / 8).round().astype(int) * 8
            crops[k] = images[i, y:y + CROP, x:x + CROP]
        yield to_tensor(crops, device)


def to_tensor(images, device="cpu"):
    """uint8 [b, h, w, 3] to float [b, 3, h, w] in -1..1."""
    tensor = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return tensor.contiguous(memory_format=torch.channels_last)


def fit(model, optimizer, crops, path, time, average, step, peak, warmup=200, every=100, change_gradients=lambda model: None):
    """Trains until the time is up, with a checkpoint every `every` steps. Returns the number of steps."""
    total = 0.0
    for batch in crops:
        clock.set_rate(optimizer, clock.learning_rate(time.progress, step, peak, warmup))
        loss = model.loss(batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        change_gradients(model)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(model, step)
        step, total = step + 1, total + loss.item()
        if step % every == 0:
            print(f"autoencoder {step:6d}  {time.progress:5.1%}  loss {total / every:.4f}", flush=True)
            total = 0.0
            clock.save(path, model=model.state_dict(), optimizer=optimizer.state_dict(), step=step, spent=time.spent,
                       finished=False)
        if time.progress >= 1:
            return step


@torch.no_grad()
def round_trip(autoencoder, images):
    """uint8 [n, h, w, 3] through the autoencoder and back."""
    back = autoencoder.decoder(autoencoder.encoder(to_tensor(images))).clamp(-1, 1)
    return (back.permute(0, 2, 3, 1).numpy() * 127.5 + 128).clip(0, 255).astype(np.uint8)


def train(images, scenes, path, hours, device, seed=0):
    torch.manual_seed(seed)
    model = Autoencoder().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, betas=(0.9, 0.99), weight_decay=1e-4)
    state, step, spent = clock.load(path), 0, 0.0
    if state and state["finished"]:
        model.load_state_dict(state["model"])
        return model
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
    average, time = clock.Average(model, 0.998), clock.Budget(hours, spent)
    step = fit(model, optimizer, batches(images, scenes, seed + step, device), path, time, average, step, PEAK)
    model.load_state_dict(average.weights)
    latents = encode(model, images[:1000], device)
    model.normalise(latents.mean((0, 2, 3)).to(device), latents.std((0, 2, 3)).to(device))
    clock.save(path, model=model.state_dict(), step=step, spent=time.spent, finished=True)
    report(model, images[-200:], device)
    return model


@torch.no_grad()
def encode(model, images, device, block=50):
    """uint8 [n, h, w, 3] to float [n, 4, h/8, w/8] on the CPU."""
    return torch.cat([model.encoder(to_tensor(images[i:i + block], device)).cpu()
                      for i in range(0, len(images), block)])


@torch.no_grad()
def report(model, images, device):
    """Prints the error of a round trip, in levels of 0..255."""
    original = to_tensor(images, device)
    back = model.decoder(model.encoder(original)).clamp(-1, 1)
    error = (back - original).mul(127.5)
    psnr = 10 * torch.log10(255 ** 2 / error.pow(2).mean((1, 2, 3))).mean()
    print(f"autoencoder round trip: mean error {error.abs().mean():.2f} of 255, PSNR {psnr:.1f} dB", flush=True)


def latents(model, images, path, device):
    """float16 [n, 4, h/8, w/8] of all training images, cached in `path`."""
    if path.exists():
        return torch.from_numpy(np.load(path))
    parts = []
    for i in range(0, len(images), 2000):
        parts.append(encode(model, np.asarray(images[i:i + 2000]), device).half())
        print(f"encoded {i + 2000}", flush=True)
    whole, side = torch.cat(parts), path.with_suffix(".part.npy")
    np.save(side, whole.numpy())
    side.replace(path)      # an interrupted save leaves nothing that looks whole
    return whole
