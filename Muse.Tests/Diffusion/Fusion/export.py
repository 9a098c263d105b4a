"""Writes the graphs of GraphFusionTests: small networks of random weights, with attention as diffusers' processors compute it.

`torch.onnx.export` writes them as it writes Optimum's exports (by tracing). Made with PyTorch 2.6 and onnx 1.17:

    python3 Muse.Tests/Diffusion/Fusion/export.py
"""
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

FOLDER = pathlib.Path(__file__).parent / "graphs"
WIDTH, HEADS, TEXT, GROUPS, OPSET = 16, 2, 12, 4, 17


class OlderAttention(nn.Module):
    """As AttnProcessor: heads go into the batch axis."""

    def __init__(self, width, context=None, heads=HEADS):
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.to_q, self.to_out = nn.Linear(width, width, bias=False), nn.Linear(width, width)
        self.to_k, self.to_v = (nn.Linear(context or width, width, bias=False) for _ in range(2))

    def head_to_batch(self, x):
        b, n, width = x.shape
        x = x.reshape(b, n, self.heads, width // self.heads).permute(0, 2, 1, 3)
        return x.reshape(b * self.heads, n, width // self.heads)

    def batch_to_head(self, x):
        b, n, width = x.shape
        x = x.reshape(b // self.heads, self.heads, n, width).permute(0, 2, 1, 3)
        return x.reshape(b // self.heads, n, width * self.heads)

    def forward(self, x, context=None):
        context = x if context is None else context
        q, k, v = (self.head_to_batch(y) for y in (self.to_q(x), self.to_k(context), self.to_v(context)))
        scores = torch.empty(q.shape[0], q.shape[1], k.shape[1], dtype=q.dtype, device=q.device)
        scores = torch.baddbmm(scores, q, k.transpose(-1, -2), beta=0, alpha=self.scale)
        return self.to_out(self.batch_to_head(torch.bmm(scores.softmax(dim=-1).to(v.dtype), v)))


class NewerAttention(OlderAttention):
    """As AttnProcessor2_0: scaled_dot_product_attention."""

    def forward(self, x, context=None, mask=None):
        b, _, _ = x.shape
        context = x if context is None else context
        q, k, v = self.to_q(x), self.to_k(context), self.to_v(context)
        width = k.shape[-1] // self.heads
        q, k, v = (y.view(b, -1, self.heads, width).transpose(1, 2) for y in (q, k, v))
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=0.0, is_causal=False)
        return self.to_out(x.transpose(1, 2).reshape(b, -1, self.heads * width).to(q.dtype))


class TransformerBlock(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3))
        self.own, self.cross = attention(WIDTH), attention(WIDTH, TEXT)
        self.rise, self.fall = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x, text):
        x = self.own(self.norms[0](x)) + x
        x = self.cross(self.norms[1](x), text) + x
        value, gate = self.rise(self.norms[2](x)).chunk(2, dim=-1)
        return self.fall(value * F.gelu(gate)) + x


class Unet(nn.Module):
    """A level of Stable Diffusion's UNet with a transformer of some blocks (SDXL has up to 10)."""

    def __init__(self, attention, blocks):
        super().__init__()
        self.enter, self.leave = nn.Conv2d(4, WIDTH, 3, padding=1), nn.Conv2d(WIDTH, 4, 3, padding=1)
        self.norm, self.proj_in, self.proj_out = nn.GroupNorm(GROUPS, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.blocks = nn.ModuleList(TransformerBlock(attention) for _ in range(blocks))

    def forward(self, sample, text):
        x = self.enter(sample)
        b, c, h, w = x.shape
        y = self.proj_in(self.norm(x).permute(0, 2, 3, 1).reshape(b, h * w, c))
        for block in self.blocks:
            y = block(y, text)
        x = x + self.proj_out(y).reshape(b, h, w, c).permute(0, 3, 1, 2)
        return self.leave(F.silu(x))


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x):
        return x * torch.rsqrt(x.to(torch.float32).pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class JointAttention(nn.Module):
    """As JointAttnProcessor2_0 and FluxAttnProcessor2_0: two streams, normalised queries and keys, perhaps rotated."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.image, self.text = nn.Linear(width, 3 * width), nn.Linear(width, 3 * width)
        self.norms = nn.ModuleList(RmsNorm(width // heads) for _ in range(4))
        self.out, self.out_text = nn.Linear(width, width), nn.Linear(width, width)

    def split(self, projected, norm_q, norm_k):
        b = projected.shape[0]
        q, k, v = projected.chunk(3, dim=-1)
        width = k.shape[-1] // self.heads
        q, k, v = (y.view(b, -1, self.heads, width).transpose(1, 2) for y in (q, k, v))
        return norm_q(q), norm_k(k), v

    def forward(self, image, text, rotation=None):
        b, n = image.shape[:2]
        of_image = self.split(self.image(image), self.norms[0], self.norms[1])
        of_text = self.split(self.text(text), self.norms[2], self.norms[3])
        q, k, v = (torch.cat(both, dim=2) for both in zip(of_image, of_text))
        if rotation is not None:
            q, k = rotated(q, rotation), rotated(k, rotation)
        x = F.scaled_dot_product_attention(q, k, v, dropout_p=0.0, is_causal=False)
        x = x.transpose(1, 2).reshape(b, -1, self.heads * q.shape[-1])
        return image + self.out(x[:, :n]), text + self.out_text(x[:, n:])


def rotated(x, rotation):
    cos, sin = rotation
    a, b = x.reshape(*x.shape[:-1], -1, 2).unbind(-1)
    turned = torch.stack([-b, a], dim=-1).flatten(3)
    return (x.float() * cos + turned.float() * sin).to(x.dtype)


class StableDiffusion3(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.leave = nn.Conv2d(4, WIDTH, 2, 2), nn.Linear(WIDTH, 16)
        self.read = nn.Linear(TEXT, WIDTH)
        self.blocks = nn.ModuleList(JointAttention(WIDTH, HEADS) for _ in range(2))
        self.own = NewerAttention(WIDTH)  # The second attention of Stable Diffusion 3.5 Medium's first blocks.

    def forward(self, sample, text):
        b, _, h, w = sample.shape
        x, text = self.enter(sample).flatten(2).transpose(1, 2), self.read(text)
        for block in self.blocks:
            x, text = block(x, text)
        x = x + self.own(x)
        x = self.leave(x).reshape(b, h // 2, w // 2, 2, 2, 4)
        return torch.einsum("nhwpqc->nchpwq", x).reshape(b, 4, h, w)


class Flux(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.read, self.leave = nn.Linear(16, WIDTH), nn.Linear(TEXT, WIDTH), nn.Linear(WIDTH, 16)
        self.joint, self.single = JointAttention(WIDTH, HEADS), NewerAttention(WIDTH)
        self.register_buffer("frequencies", 10000.0 ** (-torch.arange(0, 4) / 4))

    def forward(self, sample, text):
        b, n = sample.shape[:2]
        x, text = self.enter(sample), self.read(text)
        places = torch.ones_like(torch.cat([x, text], 1)[0, :, 0]).cumsum(0)
        angles = (places[:, None] * self.frequencies).repeat_interleave(2, dim=1)
        x, text = self.joint(x, text, (angles.cos(), angles.sin()))
        x = torch.cat([text, x], dim=1)
        x = x + self.single(x)
        return self.leave(x[:, text.shape[1]:])


class Clip(nn.Module):
    """As transformers' CLIPTextModel: a causal mask."""

    def __init__(self):
        super().__init__()
        self.words, self.own = nn.Embedding(20, WIDTH), NewerAttention(WIDTH)

    def forward(self, input_ids):
        x = self.words(input_ids)
        n = x.shape[1]
        mask = torch.full((n, n), torch.finfo(x.dtype).min).triu(1)[None, None].expand(x.shape[0], 1, n, n)
        return x + self.own(x, mask=mask)


def export(name, network, inputs, dynamic):
    torch.manual_seed(0)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{name}.onnx"
    torch.onnx.export(
        network.eval(), tuple(inputs.values()), str(file), input_names=list(inputs), output_names=["result"],
        dynamic_axes=dynamic, opset_version=OPSET, dynamo=False,
    )
    print(f"{file.name}: {file.stat().st_size} bytes")


def main():
    images = {0: "batch", 2: "height", 3: "width"}
    tokens = {0: "batch", 1: "tokens"}
    inputs = {"sample": torch.randn(2, 4, 8, 8), "text": torch.randn(2, 5, TEXT)}
    dynamic = {"sample": images, "text": tokens, "result": images}
    export("older-processor", Unet(OlderAttention, 2), inputs, dynamic)
    export("newer-processor", Unet(NewerAttention, 2), inputs, dynamic)
    export("sdxl", Unet(NewerAttention, 3), inputs, dynamic)
    export("sd3", StableDiffusion3(), inputs, dynamic)
    export("flux", Flux(), inputs | {"sample": torch.randn(2, 16, 16)}, {name: tokens for name in dynamic})
    export("clip", Clip(), {"input_ids": torch.arange(14).reshape(2, 7)}, {"input_ids": tokens, "result": tokens})


main()
