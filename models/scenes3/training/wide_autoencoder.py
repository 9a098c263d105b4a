"""The autoencoder with 16 channels, grown out of the one with four that the model `scenes` ships.

The first four channels stay what they are. Twelve more are learned for what is lost in four, and the decoder is trained on all
of them. What the twelve repeat of the four is taken out again: what is left is detail of a small spread. There is one scale and one
shift for all channels, as in Stable Diffusion 3.
"""
import torch

import budget as clock
from autoencoder import Autoencoder
from train_autoencoder import batches, encode, fit, report

CHANNELS, NARROW, NOISE, PEAK = 16, 4, 0.1, 1e-3


def widened(state):
    """An autoencoder of 16 channels from the weights of one with four."""
    model = Autoencoder(CHANNELS, NOISE)
    new = model.state_dict()
    for name, value in state.items():
        if name in ("encoder.to_latent.weight", "encoder.to_latent.bias"):
            new[name].mul_(0.5)
            new[name][:NARROW] = value
        elif name == "decoder.from_latent.weight":
            new[name].mul_(0.5)
            new[name][:, :NARROW] = value
        else:
            new[name] = value
    model.load_state_dict(new)
    return model


@torch.no_grad()
def separate(model, raw):
    """Takes out of the new channels what is a linear function of the first four, and turns them to their principal components, the largest
    first. Both are folded into the 1x1 convolutions around the latent. raw: latents [n, 16, h, w]."""
    cells = raw.permute(0, 2, 3, 1).reshape(-1, CHANNELS).double()
    known = torch.cat([cells[:, :NARROW], torch.ones_like(cells[:, :1])], 1)
    repeated = torch.linalg.lstsq(known, cells[:, NARROW:]).solution
    axes = torch.linalg.eigh(torch.cov((cells[:, NARROW:] - known @ repeated).T))[1].flip(1)
    # New latents are `into` times the old ones plus `shift`.
    into, shift = torch.eye(CHANNELS, dtype=torch.float64), torch.zeros(CHANNELS, dtype=torch.float64)
    into[NARROW:, :NARROW] = -(repeated[:NARROW] @ axes).T
    into[NARROW:, NARROW:] = axes.T
    shift[NARROW:] = -repeated[NARROW] @ axes
    back = into.inverse()
    out, enter = model.encoder.to_latent, model.decoder.from_latent
    out.weight.copy_((into @ out.weight[:, :, 0, 0].double()).float()[:, :, None, None])
    out.bias.copy_((into @ out.bias.double() + shift).float())
    matrix = enter.weight[:, :, 0, 0].double() @ back
    enter.weight.copy_(matrix.float()[:, :, None, None])
    enter.bias.sub_((matrix @ shift).float())


def keep_narrow(model):
    """The first four channels do not change."""
    to_latent = model.encoder.to_latent
    to_latent.weight.grad[:NARROW] = 0
    to_latent.bias.grad[:NARROW] = 0


def train(images, scenes, narrow, path, hours, seed=3):
    """Trains what is new; `narrow`: the weights of the autoencoder with four channels."""
    state = clock.load(path)
    if state and state["finished"]:
        return load(path)
    torch.manual_seed(seed)
    model = widened(narrow).to(memory_format=torch.channels_last)
    model.encoder.body.requires_grad_(False)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=PEAK, betas=(0.9, 0.99), weight_decay=0)
    step, spent = 0, 0.0
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
    average, time = clock.Average(model, 0.99), clock.Budget(hours, spent)
    step = fit(model, optimizer, batches(images, scenes, seed + step, "cpu"), path, time, average, step, PEAK, warmup=40, every=20,
               change_gradients=keep_narrow)
    model.load_state_dict(average.weights)
    separate(model, encode(model, images[:1000], "cpu"))
    raw = encode(model, images[:1000], "cpu")
    spread = raw.std((0, 2, 3))
    clock.save(path, model=model.state_dict(), step=step, spent=time.spent, finished=True, shift=round(raw.mean().item(), 4),
               scale=round(1 / raw.std().item(), 4), spread=spread)
    print("spread of the channels", [round(s, 2) for s in spread.tolist()], flush=True)
    report(model, images[-200:], "cpu")
    return load(path)


def load(path):
    """(autoencoder, scale, shift, spread of each channel of a latent as the denoiser sees it)."""
    state = clock.load(path)
    model = Autoencoder(CHANNELS, NOISE)
    model.load_state_dict(state["model"])
    return model.eval().to(memory_format=torch.channels_last), state["scale"], state["shift"], state["spread"] * state["scale"]
