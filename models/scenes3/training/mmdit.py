"""The text encoders and the denoiser: Stable Diffusion 3 in miniature (Esser et al. 2024, https://arxiv.org/abs/2403.03206).

Shapes: b rows, l text tokens, h x w latent cells, n = (h/2)(w/2) image tokens.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

import paths  # noqa: F401  (makes the next line's module importable)
from model import TEXT_LAYERS, TEXT_LENGTH, TEXT_WIDTH, TextEncoder, TextLayer, only

CHANNELS, PATCH = 16, 2
WIDTH, HEADS, DEPTH, PLANNED = 160, 5, 6, 4      # `PLANNED`: after so many blocks the image is asked what it will show
IMAGE_MLP, TEXT_MLP = 4, 2                        # how much wider than a token the layers in the middle are
CONDITION = 96                                    # width of what modulates the blocks
SECOND_WIDTH, SECOND_LAYERS = 64, 3
POOLED = 64                                       # width of each encoder's pooled embedding
JOINT = 256                                       # width of a text token; both encoders give 192 of it, the rest is zero


# --- Text -------------------------------------------------------------------------------------------------------------

class ClipText(nn.Module):
    """A text encoder in CLIP's layout: ids [b, l] to (text_embeds [b, POOLED], the states before and after each layer).

    The denoiser takes the states before the last layer. Padding is zero in all of them, so that a text means the same at
    any padded length.
    """

    def __init__(self, vocabulary, end, width, layers, heads=4):
        super().__init__()
        self.end, self.width = end, width
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(TEXT_LENGTH, width)
        nn.init.normal_(self.tokens.weight, std=0.05)
        nn.init.normal_(self.positions.weight, std=0.05)
        self.layers = nn.ModuleList(TextLayer(width, heads) for _ in range(layers))
        self.norm_before, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, POOLED, bias=False)

    def forward(self, ids):
        ends = (ids == self.end).float()
        present = (ends.cumsum(1) - ends < 0.5).float()
        x = self.tokens(ids) + self.positions.weight[:ids.shape[1]]
        states = [x * present[..., None]]
        for i, layer in enumerate(self.layers):
            if i == len(self.layers) - 1:
                x = self.norm_before(x)
                states[-1] = x * present[..., None]
            x = layer(x, only(present))
            states.append(x * present[..., None])
        states[-1] = self.norm(x) * present[..., None]
        pooled = self.project((states[-1] * (ends * present)[..., None]).sum(1))
        return pooled, states


class TextEncoders(nn.Module):
    """Both encoders side by side, as Stable Diffusion 3 reads them. The first is that of `scenes` with one more layer."""

    def __init__(self, vocabulary, end):
        super().__init__()
        self.first = ClipText(vocabulary, end, TEXT_WIDTH, TEXT_LAYERS + 1)
        self.second = ClipText(vocabulary, end, SECOND_WIDTH, SECOND_LAYERS)

    def start_from(self, scenes_state):
        """Takes over the text encoder of `scenes`: its last states are those before the last layer here."""
        for layer in (self.first.layers[-1].out, self.first.layers[-1].down):      # the new layer begins as doing nothing
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        first = self.first.state_dict()
        for name, value in scenes_state.items():
            first[name.replace("norm.", "norm_before.") if name.startswith("norm.") else name] = value
        self.first.load_state_dict(first)

    def forward(self, ids):
        """(states [b, l, JOINT], pooled [b, 2 POOLED])."""
        one, first = self.first(ids)
        two, second = self.second(ids)
        states = torch.cat([first[-2], second[-2]], 2)
        return F.pad(states, (0, JOINT - states.shape[2])), torch.cat([one, two], 1)


# --- Denoiser ---------------------------------------------------------------------------------------------------------

def normalised(x):
    """Layer norm of tokens without weights of its own. PyTorch's exporter needs a weight, and ONNX Runtime a bias."""
    return F.layer_norm(x, (WIDTH,), torch.ones(WIDTH), torch.zeros(WIDTH))


class HeadNorm(nn.Module):
    """Root mean square normalisation of queries or keys [b, heads, n, c]."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * (x.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt() * self.weight


class Stream(nn.Module):
    """One of the two streams of a block, text or image, with weights of its own."""

    def __init__(self, width, mlp, last=False):
        super().__init__()
        self.last = last      # the text of the last block is read and not written
        self.modulate = nn.Linear(CONDITION, (2 if last else 6) * width)
        self.k, self.v, self.k_norm = nn.Linear(width, width), nn.Linear(width, width), HeadNorm(width // HEADS)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)
        if not last:
            self.q, self.q_norm = nn.Linear(width, width), HeadNorm(width // HEADS)
            self.out, self.up, self.down = nn.Linear(width, width), nn.Linear(width, mlp * width), nn.Linear(mlp * width, width)
            for layer in (self.out, self.down):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

    def queries(self, x, condition):
        """(q, or None in the last block's text, k, v [b, heads, n, c], the rest of the modulation)."""
        parts = self.modulate(condition)[:, None].chunk(2 if self.last else 6, 2)
        y = normalised(x) * (1 + parts[1]) + parts[0]

        def split(z):
            return z.reshape(z.shape[0], z.shape[1], HEADS, z.shape[2] // HEADS).transpose(1, 2)

        q = None if self.last else self.q_norm(split(self.q(y)))
        return q, self.k_norm(split(self.k(y))), split(self.v(y)), parts[2:]

    def finish(self, x, mixed, parts):
        # The gates begin at one, and the layers that they gate at zero.
        gate, shift, scale, gate_mlp = parts
        x = x + (1 + gate) * self.out(mixed)
        y = normalised(x) * (1 + scale) + shift
        return x + (1 + gate_mlp) * self.down(F.silu(self.up(y)))


class Block(nn.Module):
    """Joint attention: both streams look at the tokens of both."""

    def __init__(self, last=False):
        super().__init__()
        self.image, self.text = Stream(WIDTH, IMAGE_MLP), Stream(WIDTH, TEXT_MLP, last)

    def forward(self, image, text, condition, bias):
        qi, ki, vi, of_image = self.image.queries(image, condition)
        qt, kt, vt, of_text = self.text.queries(text, condition)
        q, k, v = qi if self.text.last else torch.cat([qi, qt], 2), torch.cat([ki, kt], 2), torch.cat([vi, vt], 2)
        scores = q @ k.transpose(2, 3) * (q.shape[3] ** -0.5) + bias
        mixed = (scores.softmax(-1) @ v).transpose(1, 2)
        mixed = mixed.reshape(mixed.shape[0], mixed.shape[1], WIDTH)
        n = image.shape[1]
        image = self.image.finish(image, mixed[:, :n], of_image)
        return image, text if self.text.last else self.text.finish(text, mixed[:, n:], of_text)


def places(h, w, like):
    """[h w, 16 * 2]: sines and cosines of each token's row and column, from 0 to 1 over the image whatever its size."""
    y = (torch.ones_like(like[0, 0]).cumsum(0) - 0.5) / h
    x = (torch.ones_like(like[0, 0]).cumsum(1) - 0.5) / w
    angles = torch.stack([x, y], -1)[..., None] * (math.pi * torch.tensor([0.5, 1, 2, 3, 4, 5, 6, 8]))
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(2).flatten(0, 1)


class Denoiser(nn.Module):
    """Predicts the velocity, noise minus image, of latents on the straight way between the two.

    The network's output is scaled, and a share of its input added, such that a network that says nothing already
    gives the best guess that is linear in its input (after Karras et al. 2022, https://arxiv.org/abs/2206.00364). `spread` [CHANNELS]:
    how far a channel's values spread around zero.
    """

    def __init__(self, spread=None):
        super().__init__()
        self.register_buffer("variance", torch.ones(1, CHANNELS) if spread is None else spread.float()[None] ** 2)
        self.register_buffer("frequencies", torch.exp(torch.arange(64) * (-math.log(10000.0) / 64)), persistent=False)
        self.time = nn.Sequential(nn.Linear(128, CONDITION), nn.SiLU(), nn.Linear(CONDITION, CONDITION))
        self.pool = nn.Sequential(nn.Linear(2 * POOLED, CONDITION), nn.SiLU(), nn.Linear(CONDITION, CONDITION))
        self.enter, self.where, self.read = nn.Linear(CHANNELS * PATCH ** 2, WIDTH), nn.Linear(32, WIDTH), nn.Linear(JOINT, WIDTH)
        self.blocks = nn.ModuleList(Block(last=i == DEPTH - 1) for i in range(DEPTH))
        self.modulate, self.leave = nn.Linear(CONDITION, 2 * WIDTH), nn.Linear(WIDTH, CHANNELS * PATCH ** 2)
        for layer in (self.modulate, self.leave):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, hidden_states, encoder_hidden_states, pooled_projections, timestep):
        """hidden_states [b, 16, h, w], encoder_hidden_states [b, l, JOINT], pooled_projections [b, 2 POOLED],
        timestep [b] in 0..1000. Tokens of text that are zero are ignored."""
        return self.with_plan(hidden_states, encoder_hidden_states, pooled_projections, timestep)[0]

    def with_plan(self, latent, text, pooled, timestep):
        """(velocity [b, 16, h, w], image tokens after `PLANNED` blocks [b, n, WIDTH])."""
        present = (text.abs().sum(-1) > 0).float()
        used = torch.arange(text.shape[1])[:present.sum(1).max().long()]      # the tokens behind these are padding in all rows
        text, present = text.index_select(1, used), present.index_select(1, used)
        sigma = timestep.float() / 1000
        angles = timestep.float()[:, None] * self.frequencies[None]
        condition = F.silu(self.time(torch.cat([angles.cos(), angles.sin()], 1)) + self.pool(pooled))

        b, c, h, w = latent.shape
        x = latent.reshape(b, c, h // PATCH, PATCH, w // PATCH, PATCH).permute(0, 2, 4, 1, 3, 5)
        grid = x[..., 0, 0, 0]
        x = x.reshape(b, (h // PATCH) * (w // PATCH), c * PATCH ** 2)
        x = self.enter(x) + self.where(places(h // PATCH, w // PATCH, grid[:, None]))
        text = self.read(text)
        bias = torch.cat([torch.zeros_like(x[:, :, 0]), (present - 1) * 1e4], 1)[:, None, None, :]
        plan = x
        for i, block in enumerate(self.blocks):
            x, text = block(x, text, condition, bias)
            if i == PLANNED - 1:
                plan = x
        shift, scale = self.modulate(condition)[:, None].chunk(2, 2)
        x = self.leave(normalised(x) * (1 + scale) + shift)
        x = x.reshape(b, h // PATCH, w // PATCH, c, PATCH, PATCH).permute(0, 3, 1, 4, 2, 5).reshape(b, c, h, w)

        s, v = sigma[:, None], self.variance
        both = (1 - s) ** 2 * v + s ** 2
        of_input, of_output = (s - (1 - s) * v) / both, (v / both).sqrt()
        return of_input[..., None, None] * latent + of_output[..., None, None] * x, plan


class PlanReader(nn.Module):
    """What the denoiser is asked about its image while it trains; not part of the shipped model. From each image token:
    which shape covers each part of it (as `model.ShapeReader`), and in which colour."""

    FINENESS = 4      # questions per side of an image token

    def __init__(self, shapes, colours):
        super().__init__()
        self.parts = 1 + shapes, 1 + colours
        self.ask = nn.Linear(WIDTH, sum(self.parts) * self.FINENESS ** 2)
        nn.init.zeros_(self.ask.weight)

    def forward(self, plan, shapes, colours):
        """Cross entropy with answers [b, 4 rows, 4 columns], 0 for the background, and how often the shape of a thing's cells is
        told right. The mean over an image's things counts as much as the mean over the image: most of it is background."""
        side = shapes.shape[1] // self.FINENESS
        told = self.ask(normalised(plan)).transpose(1, 2).reshape(len(plan), -1, side, side)
        of_shape, of_colour = F.pixel_shuffle(told, self.FINENESS).split(self.parts, 1)
        on_things = shapes > 0
        loss = F.cross_entropy(of_shape, shapes, reduction="none") + F.cross_entropy(of_colour, colours, reduction="none")
        of_things = (loss * on_things).sum((1, 2)) / on_things.sum((1, 2)).clamp(min=1)
        return loss.mean() + of_things.mean(), (of_shape.argmax(1) == shapes)[on_things].float().mean().item()
