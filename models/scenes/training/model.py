"""The text encoder and the denoiser.

Shapes: b rows, l text tokens, h x w latent cells, n = (h/2)(w/2) cells at half resolution, D = `TEXT_WIDTH`.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

TEXT_WIDTH, TEXT_LAYERS, TEXT_HEADS, TEXT_LENGTH = 128, 3, 4, 77
LATENT_CHANNELS, FINE, COARSE, HEADS, DEPTH, FINISH, CONDITION = 4, 64, 128, 4, 6, 2, 256


class Linear(nn.Linear):
    """A linear layer on tokens [b, n, c], computed as a 1x1 convolution: PyTorch sends convolutions to oneDNN, which
    is several times faster on a CPU than the BLAS that Debian's build uses. Exported as the plain matrix product."""

    def forward(self, x):
        if torch.onnx.is_in_onnx_export() or x.is_cuda or x.ndim != 3:
            return super().forward(x)
        y = F.conv2d(x.transpose(1, 2).unsqueeze(-1), self.weight[:, :, None, None], self.bias)
        return y.squeeze(-1).transpose(1, 2)


def attend(q, k, v, heads, bias=None):
    """Attention of queries [b, n, c] over keys and values [b, m, c]; bias [b, 1, 1, m] is added to the scores.
    Written out, because PyTorch 1.13 exports its own attention only through a tangle of operators."""
    def split(x):
        return x.reshape(x.shape[0], x.shape[1], heads, x.shape[2] // heads).transpose(1, 2)

    scores = split(q) @ split(k).transpose(2, 3) * (q.shape[2] // heads) ** -0.5
    if bias is not None:
        scores = scores + bias
    mixed = (scores.softmax(-1) @ split(v)).transpose(1, 2)
    return mixed.reshape(q.shape[0], q.shape[1], q.shape[2])


def only(present):
    """Turns 1 for a token and 0 for padding ([b, l]) into a bias for `attend`."""
    return ((present - 1) * 1e4)[:, None, None, :]


# --- Text -------------------------------------------------------------------------------------------------------------

class TextLayer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = Linear(width, 3 * width), Linear(width, width)
        self.up, self.down = Linear(width, 4 * width), Linear(4 * width, width)

    def forward(self, x, bias):
        q, k, v = self.qkv(self.before_attention(x)).chunk(3, -1)
        x = x + self.out(attend(q, k, v, self.heads, bias))
        return x + self.down(F.silu(self.up(self.before_mlp(x))))


class TextEncoder(nn.Module):
    """Ids [b, l] to (hidden states [b, l, D], pooled [b, D]).

    Padding is the end token, as in CLIP. Whatever follows the first end token is ignored and comes out as exact
    zeros: so a caption means the same at any padded length, and the denoiser can see where the text stops.
    """

    def __init__(self, vocabulary, end):
        super().__init__()
        self.end = end
        self.tokens = nn.Embedding(vocabulary, TEXT_WIDTH)
        self.positions = nn.Embedding(TEXT_LENGTH, TEXT_WIDTH)
        nn.init.normal_(self.tokens.weight, std=0.05)
        nn.init.normal_(self.positions.weight, std=0.05)
        self.layers = nn.ModuleList(TextLayer(TEXT_WIDTH, TEXT_HEADS) for _ in range(TEXT_LAYERS))
        self.norm = nn.LayerNorm(TEXT_WIDTH)

    def forward(self, ids):
        ends = (ids == self.end).float()
        present = (ends.cumsum(1) - ends < 0.5).float()
        x = self.tokens(ids) + self.positions.weight[:ids.shape[1]]
        for layer in self.layers:
            x = layer(x, only(present))
        x = self.norm(x) * present[..., None]
        return x, (x * (ends * present)[..., None]).sum(1)


class CaptionReader(nn.Module):
    """What the text encoder is asked about its captions while it trains; not part of the shipped model.

    From each noun: the shape, colour, size and centre of the thing it names. From the end token: the background and
    how many things there are. A few minutes of this teach the encoder which adjective belongs to which noun, which
    the denoiser's own loss would take hours to do.
    """

    def __init__(self, shapes, colours, sizes, backgrounds, counts=4):
        super().__init__()
        self.parts = (shapes, colours, sizes, 2)
        self.noun, self.whole = Linear(TEXT_WIDTH, sum(self.parts)), Linear(TEXT_WIDTH, backgrounds + counts)
        self.backgrounds = backgrounds

    def forward(self, hidden, pooled, labels):
        """The loss, and how often colour and shape of a noun and the background are told right."""
        row, column, shape, colour, size, centre = labels["nouns"]
        of_shape, of_colour, of_size, of_centre = self.noun(hidden[row, column]).split(self.parts, -1)
        of_background, of_count = self.whole(pooled).split((self.backgrounds, self.whole.out_features - self.backgrounds), -1)
        told = labels["told"]      # rows whose caption was not dropped
        loss = (F.cross_entropy(of_shape, shape) + F.cross_entropy(of_colour, colour) + F.cross_entropy(of_size, size)
                + 4 * F.mse_loss(of_centre, centre)
                + F.cross_entropy(of_background[told], labels["background"][told])
                + F.cross_entropy(of_count[told], labels["count"][told]))
        right = [(a.argmax(-1) == b).float().mean().item() for a, b in
                 ((of_shape, shape), (of_colour, colour), (of_background[told], labels["background"][told]))]
        return loss, right


# --- Denoiser ---------------------------------------------------------------------------------------------------------

def coordinates(x):
    """[b, 2, h, w]: each cell's column and row in -1..1. Made from cumulative sums, which export for any size."""
    ones = torch.ones_like(x[:, :1])
    across, down = ones.cumsum(3), ones.cumsum(2)
    return torch.cat([(2 * across - 1) / across[..., -1:] - 1, (2 * down - 1) / down[:, :, -1:] - 1], 1)


class ResBlock(nn.Module):
    """Two convolutions; the condition [b, CONDITION] scales and shifts between them."""

    def __init__(self, channels, out):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(8, channels), nn.Conv2d(channels, out, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(8, out), nn.Conv2d(out, out, 3, padding=1)
        self.film = Linear(CONDITION, 2 * out)
        self.skip = nn.Conv2d(channels, out, 1) if channels != out else nn.Identity()
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x, condition):
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, 1)
        y = self.conv1(F.silu(self.norm1(x)))
        y = self.conv2(F.silu(self.norm2(y) * (1 + scale) + shift))
        return self.skip(x) + y


class Transformer(nn.Module):
    """Cells look at each other, then at the text, then think: tokens [b, n, COARSE] to the same."""

    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out1 = Linear(width, 3 * width), Linear(width, width)
        self.q, self.kv, self.out2 = Linear(width, width), Linear(TEXT_WIDTH, 2 * width), Linear(width, width)
        self.up, self.down = Linear(width, 4 * width), Linear(4 * width, width)
        for last in (self.out1, self.out2, self.down):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x, text, bias):
        q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        x = x + self.out1(attend(q, k, v, HEADS))
        k, v = self.kv(text).chunk(2, -1)
        x = x + self.out2(attend(self.q(self.norm2(x)), k, v, HEADS, bias))
        return x + self.down(F.silu(self.up(self.norm3(x))))


class TextPool(nn.Module):
    """The whole text as one vector: four learned questions, each answered by a weighted mean of the tokens."""

    def __init__(self, questions=4):
        super().__init__()
        self.score, self.value = Linear(TEXT_WIDTH, questions), Linear(TEXT_WIDTH, CONDITION // questions)
        self.mlp = nn.Sequential(Linear(CONDITION, CONDITION), nn.SiLU(), Linear(CONDITION, CONDITION))

    def forward(self, text, present):
        weights = (self.score(text) + ((present - 1) * 1e4)[..., None]).softmax(1)
        return self.mlp((weights.transpose(1, 2) @ self.value(text)).flatten(1))


class Denoiser(nn.Module):
    """A U-Net of two resolutions that predicts v: transformers at half resolution plan the image, convolutions on all
    cells paint it out."""

    def __init__(self):
        super().__init__()
        self.time = nn.Sequential(Linear(128, CONDITION), nn.SiLU(), Linear(CONDITION, CONDITION))
        self.pool = TextPool()
        self.enter = nn.Conv2d(LATENT_CHANNELS + 2, FINE, 3, padding=1)
        self.fine_down = ResBlock(FINE, FINE)
        self.shrink = nn.Conv2d(FINE, COARSE, 3, stride=2, padding=1)
        self.where = nn.Sequential(nn.Conv2d(2, COARSE, 1), nn.SiLU(), nn.Conv2d(COARSE, COARSE, 1))
        self.blocks = nn.ModuleList(ResBlock(COARSE, COARSE) for _ in range(DEPTH))
        self.transformers = nn.ModuleList(Transformer(COARSE) for _ in range(DEPTH))
        self.grow = nn.Conv2d(COARSE, 4 * FINE, 1)
        self.fine_up = ResBlock(2 * FINE, FINE)
        self.finish = nn.ModuleList(ResBlock(FINE, FINE) for _ in range(FINISH))
        self.leave_norm, self.leave = nn.GroupNorm(8, FINE), nn.Conv2d(FINE, LATENT_CHANNELS, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        frequencies = torch.exp(torch.arange(64) * (-math.log(10000.0) / 64))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, sample, timestep, text):
        """sample [b, 4, h, w], timestep [b] in 0..999, text [b, l, D]; h and w are even. Gives v [b, 4, h, w]."""
        return self.with_cells(sample, timestep, text)[0]

    def with_cells(self, sample, timestep, text):
        """(v, what the coarse cells hold before it is painted out [b, COARSE, h/2, w/2])."""
        present = (text.abs().sum(-1) > 0).float()
        angles = timestep.float()[:, None] * self.frequencies[None]
        condition = F.silu(self.time(torch.cat([angles.cos(), angles.sin()], 1)) + self.pool(text, present))

        x = self.enter(torch.cat([sample, coordinates(sample)], 1))
        fine = self.fine_down(x, condition)
        x = self.shrink(fine)
        x = x + self.where(coordinates(x))
        for block, transformer in zip(self.blocks, self.transformers):
            x = block(x, condition)
            b, c, h, w = x.shape
            tokens = x.permute(0, 2, 3, 1).reshape(b, h * w, c)
            x = transformer(tokens, text, only(present)).reshape(b, h, w, c).permute(0, 3, 1, 2)
        cells = x
        x = torch.cat([fine, F.pixel_shuffle(self.grow(x), 2)], 1)
        x = self.fine_up(x, condition)
        for block in self.finish:
            x = block(x, condition)
        return self.leave(F.silu(self.leave_norm(x))), cells


class ShapeReader(nn.Module):
    """What the denoiser is asked about its image while it trains; not part of the shipped model.

    From each coarse cell: which shape covers each quarter of a latent cell. The squared error of v says little about
    shapes, which are a small part of an image; asked for them directly, the denoiser learns in an hour to plan them
    from the text. The idea is that of REPA (Yu et al. 2024, https://arxiv.org/abs/2410.06940), whose answers come from
    a large vision model; here the drawing itself knows them.
    """

    FINENESS = 4      # questions per side of a coarse cell

    def __init__(self, shapes):
        super().__init__()
        self.norm, self.ask = nn.GroupNorm(8, COARSE), nn.Conv2d(COARSE, (1 + shapes) * self.FINENESS ** 2, 1)
        nn.init.zeros_(self.ask.weight)

    def forward(self, cells, answers):
        """Cross entropy with answers [b, 4h', 4w'] (see `scenes.shape_map`), and how often a thing's cells are told right.
        The mean over an image's things counts as much as the mean over the image: most of it is background."""
        told = F.pixel_shuffle(self.ask(self.norm(cells)), self.FINENESS)
        on_things = answers > 0
        loss = F.cross_entropy(told, answers, reduction="none")
        of_things = (loss * on_things).sum((1, 2)) / on_things.sum((1, 2)).clamp(min=1)
        return loss.mean() + of_things.mean(), (told.argmax(1) == answers)[on_things].float().mean().item()
