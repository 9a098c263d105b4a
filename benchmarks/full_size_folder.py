"""Writes a model folder with the shapes of Stable Diffusion 1.5 and random weights, to measure an engine without the real weights.

The sizes are those of the published configurations of its UNet (860 million parameters), decoder (49 million) and text encoder (12 layers
of 768). The tokenizer and the scheduler are the built-in model's. Its images are noise. Needs PyTorch and onnx; a GPU makes it faster.

    python3 benchmarks/full_size_folder.py FOLDER [--small] [--half-width] [--cells 64]

--small: narrow networks, to try the script. --half-width: the UNet's and the decoder's widths are half, which leaves a quarter of the
weights. --cells: the side of the default latent.
"""
import argparse
import json
import math
import pathlib
import shutil

import torch
from torch import nn
from torch.nn import functional as F

SCENES = pathlib.Path(__file__).resolve().parents[1] / "models" / "scenes"
TEXT_WIDTH, CHANNELS, GROUPS, HEADS = 768, (320, 640, 1280, 1280), 32, 8
DECODER_CHANNELS = (512, 512, 256, 128)


class Attention(nn.Module):
    def __init__(self, width, context, heads, bias=False):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias)
        self.key = nn.Linear(context, width, bias)
        self.value = nn.Linear(context, width, bias)
        self.out = nn.Linear(width, width)

    def forward(self, x, context, mask=None):
        projections = self.query(x), self.key(context), self.value(context)
        q, k, v = (t.reshape(t.shape[0], -1, self.heads, t.shape[-1] // self.heads).transpose(1, 2) for t in projections)
        scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5)
        if mask is not None:
            scores = scores + mask
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape))


class GatedFeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.rise, self.fall = nn.Linear(width, 8 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        value, gate = self.rise(x).chunk(2, -1)
        return self.fall(value * F.gelu(gate))


class Transformer(nn.Module):
    def __init__(self, width, context):
        super().__init__()
        self.norm, self.rise, self.fall = nn.GroupNorm(GROUPS, width, 1e-6), nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.own, self.cross, self.feed = Attention(width, width, HEADS), Attention(width, context, HEADS), GatedFeedForward(width)

    def forward(self, x, context):
        b, c, h, w = x.shape
        y = self.rise(self.norm(x)).reshape(b, c, h * w).transpose(1, 2)
        z = self.norms[0](y)
        y = y + self.own(z, z)
        y = y + self.cross(self.norms[1](y), context)
        y = y + self.feed(self.norms[2](y))
        return x + self.fall(y.transpose(1, 2).reshape(b, c, h, w))


class Residual(nn.Module):
    def __init__(self, before, after, time=None, epsilon=1e-5):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(GROUPS, before, epsilon), nn.Conv2d(before, after, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(GROUPS, after, epsilon), nn.Conv2d(after, after, 3, padding=1)
        self.time = nn.Linear(time, after) if time else None
        self.skip = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x, time=None):
        y = self.conv1(F.silu(self.norm1(x)))
        if self.time is not None:
            y = y + self.time(F.silu(time))[:, :, None, None]
        return self.skip(x) + self.conv2(F.silu(self.norm2(y)))


class Larger(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class Unet(nn.Module):
    def __init__(self, channels, context):
        super().__init__()
        self.first, time = channels[0], 4 * channels[0]
        self.time1, self.time2 = nn.Linear(channels[0], time), nn.Linear(time, time)
        self.enter = nn.Conv2d(4, channels[0], 3, padding=1)
        self.down, self.up, skips, width = nn.ModuleList(), nn.ModuleList(), [channels[0]], channels[0]
        for level, after in enumerate(channels):
            last = level == len(channels) - 1
            for _ in range(2):
                self.down.append(nn.ModuleList([Residual(width, after, time)] + ([] if last else [Transformer(after, context)])))
                width = after
                skips.append(width)
            if not last:
                self.down.append(nn.ModuleList([nn.Conv2d(width, width, 3, 2, 1)]))
                skips.append(width)
        self.middle = nn.ModuleList([Residual(width, width, time), Transformer(width, context), Residual(width, width, time)])
        for level, after in reversed(list(enumerate(channels))):
            for block in range(3):
                parts = [Residual(width + skips.pop(), after, time)]
                if level < len(channels) - 1:
                    parts.append(Transformer(after, context))
                width = after
                if block == 2 and level > 0:
                    parts.append(Larger(width))
                self.up.append(nn.ModuleList(parts))
        self.norm, self.leave = nn.GroupNorm(GROUPS, width), nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, sample, timestep, encoder_hidden_states):
        half = self.first // 2
        frequencies = torch.exp(torch.arange(half, dtype=torch.float32, device=sample.device) * (-math.log(10000) / half))
        angles = timestep.to(torch.float32)[:, None] * frequencies
        time = self.time2(F.silu(self.time1(torch.cat([angles.cos(), angles.sin()], -1).to(sample.dtype))))
        x = self.enter(sample)
        skips = [x]

        def through(parts, x):
            for part in parts:
                if isinstance(part, Residual):
                    x = part(x, time)
                elif isinstance(part, Transformer):
                    x = part(x, encoder_hidden_states)
                else:
                    x = part(x)
            return x

        for parts in self.down:
            x = through(parts, x)
            skips.append(x)
        x = through(self.middle, x)
        for parts in self.up:
            x = through(parts, torch.cat([x, skips.pop()], 1))
        return self.leave(F.silu(self.norm(x)))


class Decoder(nn.Module):
    def __init__(self, channels, latents=4):
        super().__init__()
        width = channels[0]
        # Decoders of 16 channels have no convolution before the first.
        self.before = nn.Conv2d(latents, latents, 1) if latents == 4 else nn.Identity()
        self.enter = nn.Conv2d(latents, width, 3, padding=1)
        self.residual1, self.residual2 = (Residual(width, width, epsilon=1e-6) for _ in range(2))
        self.norm = nn.GroupNorm(GROUPS, width, 1e-6)
        self.attention = Attention(width, width, 1, bias=True)
        up = []
        for level, after in enumerate(channels):
            for _ in range(3):
                up.append(Residual(width, after, epsilon=1e-6))
                width = after
            if level < len(channels) - 1:
                up.append(Larger(width))
        self.up, self.last, self.leave = nn.Sequential(*up), nn.GroupNorm(GROUPS, width, 1e-6), nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, latent_sample):
        x = self.residual1(self.enter(self.before(latent_sample)))
        b, c, h, w = x.shape
        y = self.norm(x).reshape(b, c, h * w).transpose(1, 2)
        x = self.residual2(x + self.attention(y, y).transpose(1, 2).reshape(b, c, h, w))
        return self.leave(F.silu(self.last(self.up(x))))


def quick_gelu(x):
    return x * torch.sigmoid(1.702 * x)


class Text(nn.Module):
    def __init__(self, width, layers, words, activation=quick_gelu):
        super().__init__()
        self.activation = activation
        self.words, self.places = nn.Embedding(words, width), nn.Parameter(torch.randn(77, width) * 0.01)
        self.layers = nn.ModuleList(
            nn.ModuleList([
                nn.LayerNorm(width),
                Attention(width, width, width // 64, bias=True),
                nn.LayerNorm(width),
                nn.Linear(width, 4 * width),
                nn.Linear(4 * width, width),
            ])
            for _ in range(layers)
        )
        self.last = nn.LayerNorm(width)
        self.register_buffer("mask", torch.full((77, 77), -1e4).triu(1))

    def states(self, input_ids):
        """What the first layer takes, and what each gives."""
        x = self.words(input_ids) + self.places
        states = [x]
        for norm1, attention, norm2, rise, fall in self.layers:
            y = norm1(x)
            x = x + attention(y, y, self.mask)
            x = x + fall(self.activation(rise(norm2(x))))
            states.append(x)
        return states

    def forward(self, input_ids):
        x = self.last(self.states(input_ids)[-1])
        return x, x[:, -1]


def export(network, folder, inputs, outputs, dynamic, config, device, half):
    folder.mkdir(parents=True, exist_ok=True)
    network = network.eval().requires_grad_(False).to(device)
    if half:
        network = network.half()
    arguments = tuple(
        value.to(device).half() if half and value.is_floating_point() else value.to(device) for value in inputs.values()
    )
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    # Most published folders were exported by tracing.
    tracing = {"dynamo": False} if int(torch.__version__.split(".")[0]) >= 2 else {}
    torch.onnx.export(
        network, arguments, str(folder / "model.onnx"),
        input_names=list(inputs), output_names=outputs, dynamic_axes=dynamic, opset_version=17, **tracing,
    )
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    print(f"{folder.name}: {millions:.1f} million parameters", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--half-width", action="store_true")
    parser.add_argument("--cells", type=int, default=64)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    half = device == "cuda"  # PyTorch can't trace half precision on the CPU.
    if options.small:
        channels, decoder, width, layers = (32, 64, 64, 64), (64, 64, 32, 32), 128, 2
    else:
        channels, decoder, width, layers = CHANNELS, DECODER_CHANNELS, TEXT_WIDTH, 12
    if options.half_width:
        channels, decoder = (tuple(c // 2 for c in widths) for widths in (channels, decoder))
    words = len(json.loads((SCENES / "tokenizer" / "vocab.json").read_text()))
    folder = options.folder
    for part in ("tokenizer", "scheduler"):
        shutil.copytree(SCENES / part, folder / part, dirs_exist_ok=True)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.30.0",
        "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
    }
    index |= {part: ["diffusers", "OnnxRuntimeModel"] for part in ("text_encoder", "unet", "vae_decoder")}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    torch.manual_seed(0)
    image = {0: "batch", 2: "height", 3: "width"}
    export(
        Text(width, layers, words), folder / "text_encoder",
        {"input_ids": torch.zeros(1, 77, dtype=torch.int64)},
        ["last_hidden_state", "pooler_output"],
        {"input_ids": {0: "batch"}, "last_hidden_state": {0: "batch"}, "pooler_output": {0: "batch"}},
        {"hidden_size": width, "vocab_size": words},
        device, half,
    )
    export(
        Unet(channels, width), folder / "unet",
        {
            "sample": torch.randn(2, 4, 64, 64),
            "timestep": torch.tensor([1, 500]),
            "encoder_hidden_states": torch.randn(2, 77, width),
        },
        ["out_sample"],
        {"sample": image, "timestep": {0: "batch"}, "encoder_hidden_states": {0: "batch", 1: "tokens"}, "out_sample": image},
        {"in_channels": 4, "out_channels": 4, "sample_size": options.cells, "cross_attention_dim": width, "block_out_channels": channels},
        device, half,
    )
    export(
        Decoder(decoder), folder / "vae_decoder",
        {"latent_sample": torch.randn(1, 4, 64, 64)},
        ["sample"],
        {"latent_sample": image, "sample": image},
        {
            "latent_channels": 4,
            "out_channels": 3,
            "sample_size": 8 * options.cells,
            "scaling_factor": 0.18215,
            "block_out_channels": list(reversed(decoder)),
        },
        device, half,
    )


if __name__ == "__main__":
    main()
