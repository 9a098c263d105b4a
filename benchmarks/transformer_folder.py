"""Writes a model folder with the shapes of FLUX.1-dev, FLUX.1-schnell or Stable Diffusion 3.5 medium and random weights.

Widths, heads and vocabularies are those of the published configurations; the depth is cut, so that the folder fits into a small machine.
Graphs have the inputs and outputs of Optimum's exports. The tokenizer of CLIP is the built-in model's; that of T5 knows letters only,
unless a file is given. Images are noise. Needs PyTorch, onnx and NumPy.

    python3 benchmarks/transformer_folder.py FOLDER {flux-dev,flux-schnell,sd3.5-medium} [--blocks 1] [--text-layers 2] [--half]
"""
import argparse
import io
import json
import pathlib
import shutil

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper
from torch import nn
from torch.nn import functional as F

from full_size_folder import DECODER_CHANNELS, SCENES, Decoder, Text, quick_gelu

CLIP_WORDS, CLIP_L, CLIP_G = 49408, (768, 12), (1280, 32)
T5_WORDS, T5_WIDTH, T5_FEED, T5_HEADS, T5_LAYERS = 32128, 4096, 10240, 64, 24
FLUX_WIDTH, FLUX_HEADS, FLUX_AXES = 3072, 24, (16, 56, 56)
SD3_WIDTH, SD3_HEADS, SD3_BLOCKS, SD3_DUAL_BLOCKS, SD3_POSITIONS = 1536, 24, 24, 13, 384
LATENTS, PATCH = 16, 2
# What an ONNX file can hold itself.
INLINE_LIMIT, EXTERNAL = 2**31 - 2**20, "model.onnx_data"


def gelu(x):
    return F.gelu(x, approximate="tanh")


def sinusoids(values):
    frequencies = torch.exp(torch.arange(128, dtype=torch.float32) * (-np.log(10000) / 128))
    angles = values[:, None] * frequencies.detach()
    return torch.cat([angles.cos(), angles.sin()], -1)


def modulate(x, shift, scale):
    width = int(x.shape[-1])
    # PyTorch 2 writes both where the network has neither; 1.13 leaves the second an input of no name.
    return F.layer_norm(x, [width], torch.ones(width), torch.zeros(width), eps=1e-6) * (1 + scale) + shift


def heads(x, number):
    return x.reshape(*x.shape[:2], number, x.shape[2] // number).transpose(1, 2)


def attend(q, k, v, mask=None):
    """Attention of heads; the result's heads are side by side."""
    scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5 if mask is None else 1)
    x = (scores if mask is None else scores + mask).softmax(-1) @ v
    return x.transpose(1, 2).flatten(2)


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class Embedding(nn.Sequential):
    def __init__(self, width, after):
        super().__init__(nn.Linear(width, after), nn.SiLU(), nn.Linear(after, after))


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.rise, self.fall = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fall(gelu(self.rise(x)))


class Projections(nn.Module):
    """Queries, keys and values by heads; queries and keys normalised."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.norm_query, self.norm_key = RmsNorm(width // heads), RmsNorm(width // heads)

    def forward(self, x):
        q, k, v = (heads(p(x), self.heads) for p in (self.query, self.key, self.value))
        return self.norm_query(q), self.norm_key(k), v


class Stream(nn.Module):
    """What a block has for the tokens of the image, or for those of the text."""

    def __init__(self, width, heads, modulations):
        super().__init__()
        self.modulations = modulations
        self.modulation, self.projections = nn.Linear(width, modulations * width), Projections(width, heads)
        # The text's last states are not needed.
        self.out, self.feed = (None, None) if modulations == 2 else (nn.Linear(width, width), FeedForward(width))

    def modulated(self, time):
        return self.modulation(F.silu(time))[:, None].chunk(self.modulations, -1)

    def finish(self, x, attention, modulations):
        gate, shift, scale, gate_feed = modulations
        x = x + gate * self.out(attention)
        return x + gate_feed * self.feed(modulate(x, shift, scale))


class JointBlock(nn.Module):
    def __init__(self, width, heads, dual=False, last=False):
        super().__init__()
        self.image, self.text = Stream(width, heads, 9 if dual else 6), Stream(width, heads, 2 if last else 6)
        self.own, self.own_out = (Projections(width, heads), nn.Linear(width, width)) if dual else (None, None)

    def forward(self, image, text, time, rotate=None):
        of_image, of_text = self.image.modulated(time), self.text.modulated(time)
        projected = zip(
            self.text.projections(modulate(text, *of_text[:2])),
            self.image.projections(modulate(image, *of_image[:2])),
        )
        q, k, v = (torch.cat(both, 2) for both in projected)
        x = attend(rotate(q), rotate(k), v) if rotate else attend(q, k, v)
        tokens = text.shape[1]
        if self.own is not None:
            y = self.own_out(attend(*self.own(modulate(image, *of_image[6:8]))))
            image = image + of_image[8] * y
        image = self.image.finish(image, x[:, tokens:], of_image[2:6])
        return image, text if self.text.out is None else self.text.finish(text, x[:, :tokens], of_text[2:6])


class SingleBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.modulation, self.projections = nn.Linear(width, 3 * width), Projections(width, heads)
        self.rise, self.fall = nn.Linear(width, 4 * width), nn.Linear(5 * width, width)

    def forward(self, x, time, rotate):
        shift, scale, gate = self.modulation(F.silu(time))[:, None].chunk(3, -1)
        y = modulate(x, shift, scale)
        q, k, v = self.projections(y)
        return x + gate * self.fall(torch.cat([attend(rotate(q), rotate(k), v), gelu(self.rise(y))], -1))


class Leave(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.modulation, self.out = nn.Linear(width, 2 * width), nn.Linear(width, LATENTS * PATCH * PATCH)

    def forward(self, x, time):
        return self.out(modulate(x, *self.modulation(F.silu(time))[:, None].chunk(2, -1)))


class Flux(nn.Module):
    def __init__(self, blocks, guided):
        super().__init__()
        width = FLUX_WIDTH
        self.enter, self.enter_text = nn.Linear(LATENTS * PATCH * PATCH, width), nn.Linear(T5_WIDTH, width)
        self.time, self.pooled = Embedding(256, width), Embedding(CLIP_L[0], width)
        self.guidance = Embedding(256, width) if guided else None
        self.joint = nn.ModuleList(JointBlock(width, FLUX_HEADS) for _ in range(blocks))
        self.single = nn.ModuleList(SingleBlock(width, FLUX_HEADS) for _ in range(2 * blocks))
        self.leave = Leave(width)
        self.frequencies = [torch.tensor(10000.0 ** (-np.arange(0, axis, 2) / axis), dtype=torch.float32) for axis in FLUX_AXES]

    def forward(self, hidden_states, encoder_hidden_states, pooled_projections, timestep, txt_ids, img_ids, guidance=None):
        time = self.time(sinusoids(timestep * 1000)) + self.pooled(pooled_projections)
        if guidance is not None:
            time = time + self.guidance(sinusoids(guidance * 1000))
        positions = torch.cat([txt_ids, img_ids]).to(torch.float32)
        angles = torch.cat([positions[:, i, None] * frequencies for i, frequencies in enumerate(self.frequencies)], -1)
        cos, sin = (t[:, :, None].expand(-1, -1, 2).flatten(1) for t in (angles.cos(), angles.sin()))

        def rotate(x):
            a, b = x.reshape(*x.shape[:3], x.shape[3] // 2, 2).unbind(-1)
            return x * cos + torch.stack([-b, a], -1).flatten(3) * sin

        x, text = self.enter(hidden_states), self.enter_text(encoder_hidden_states)
        for block in self.joint:
            x, text = block(x, text, time, rotate)
        tokens = text.shape[1]
        x = torch.cat([text, x], 1)
        for block in self.single:
            x = block(x, time, rotate)
        return self.leave(x[:, tokens:], time)


class StableDiffusion3(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        width = SD3_WIDTH
        self.enter, self.enter_text = nn.Conv2d(LATENTS, width, PATCH, PATCH), nn.Linear(T5_WIDTH, width)
        self.time, self.pooled = Embedding(256, width), Embedding(CLIP_L[0] + CLIP_G[0], width)
        self.positions = nn.Parameter(torch.empty(1, SD3_POSITIONS, SD3_POSITIONS, width))
        dual = -(-blocks * SD3_DUAL_BLOCKS // SD3_BLOCKS)
        self.blocks = nn.ModuleList(JointBlock(width, SD3_HEADS, i < dual, i == blocks - 1) for i in range(blocks))
        self.leave = Leave(width)

    def forward(self, hidden_states, encoder_hidden_states, pooled_projections, timestep):
        high, wide = hidden_states.shape[2] // PATCH, hidden_states.shape[3] // PATCH
        top, left = (SD3_POSITIONS - high) // 2, (SD3_POSITIONS - wide) // 2
        positions = self.positions[:, top:top + high, left:left + wide].flatten(1, 2)
        x = self.enter(hidden_states).flatten(2).transpose(1, 2) + positions
        text = self.enter_text(encoder_hidden_states)
        time = self.time(sinusoids(timestep)) + self.pooled(pooled_projections)
        for block in self.blocks:
            x, text = block(x, text, time)
        x = self.leave(x, time).reshape(-1, high, wide, PATCH, PATCH, LATENTS)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(-1, LATENTS, high * PATCH, wide * PATCH)


class Clip(Text):
    def __init__(self, width, layers, projects, activation):
        super().__init__(width, layers, CLIP_WORDS, activation)
        self.projection = nn.Linear(width, width, False) if projects else None

    def forward(self, input_ids):
        states = self.states(input_ids)
        last = self.last(states[-1])
        # The state at the end token, whose id is the largest.
        pooled = last[torch.arange(input_ids.shape[0]), input_ids.argmax(-1)]
        return (last, pooled) if self.projection is None else (self.projection(pooled), last, *states)


class T5Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm_attention, self.norm_feed = RmsNorm(T5_WIDTH), RmsNorm(T5_WIDTH)
        self.query, self.key, self.value, self.out = (nn.Linear(T5_WIDTH, T5_WIDTH, False) for _ in range(4))
        self.gate, self.rise = (nn.Linear(T5_WIDTH, T5_FEED, False) for _ in range(2))
        self.fall = nn.Linear(T5_FEED, T5_WIDTH, False)

    def forward(self, x, bias):
        y = self.norm_attention(x)
        q, k, v = (heads(p(y), T5_HEADS) for p in (self.query, self.key, self.value))
        x = x + self.out(attend(q, k, v, bias))
        y = self.norm_feed(x)
        return x + self.fall(gelu(self.gate(y)) * self.rise(y))


class T5(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.words, self.bias = nn.Embedding(T5_WORDS, T5_WIDTH), nn.Embedding(32, T5_HEADS)
        self.layers, self.last = nn.ModuleList(T5Layer() for _ in range(layers)), RmsNorm(T5_WIDTH)

    def forward(self, input_ids):
        places = torch.arange(input_ids.shape[1])
        distance = places[None] - places[:, None]
        far = distance.abs()
        # Beyond 8 tokens in either direction buckets grow with the distance, up to 128.
        large = (8 + (far.clamp(min=1).to(torch.float32) / 8).log() * (8 / np.log(16))).to(torch.int64).clamp(max=15)
        bucket = (distance > 0).to(torch.int64) * 16 + torch.where(far < 8, far, large)
        x, bias = self.words(input_ids), self.bias(bucket).permute(2, 0, 1)[None]
        for layer in self.layers:
            x = layer(x, bias)
        return self.last(x)


def as_half(graph):
    """Makes a graph of single precision one of half precision."""
    # The scales of an enlargement are always in single precision, and so is what they are made of.
    kept = {node.input[2] for node in graph.node if node.op_type == "Resize"}
    for node in reversed(graph.node):
        if node.output[0] in kept:
            kept.update(node.input)
    for port in [*graph.input, *graph.output]:
        if port.type.tensor_type.elem_type == TensorProto.FLOAT:
            port.type.tensor_type.elem_type = TensorProto.FLOAT16
    del graph.value_info[:]
    for node in graph.node:
        if node.output[0] in kept:
            continue
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
            if attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT:
                attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype(np.float16)))


def weights(name, shape, generator):
    """Random weights that keep the size of what they multiply."""
    if name.endswith("bias") and len(shape) == 1:
        return np.zeros(shape, np.float32)
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    width = np.prod(shape[1:]) if len(shape) == 4 and "positions" not in name else shape[-1]
    values = generator.random(shape, np.float32)
    values -= 0.5
    values *= np.float32((12 / width) ** 0.5)
    return values


def write(network, folder, inputs, outputs, dynamic, config, half):
    """Writes a network's graph, with its weights in a second file where an ONNX file can't hold them."""
    folder.mkdir(parents=True, exist_ok=True)
    network = network.eval().requires_grad_(False)
    tensors = dict(network.named_parameters()) | dict(network.named_buffers())
    # The exporter merges weights that are equal.
    for number, weight in enumerate(network.parameters()):
        weight.view(-1)[0] = number
    traced = io.BytesIO()
    tracing = {"dynamo": False} if int(torch.__version__.split(".")[0]) >= 2 else {}
    torch.onnx.export(
        network, tuple(inputs.values()), traced, export_params=False, do_constant_folding=False,
        input_names=list(inputs), output_names=outputs, dynamic_axes=dynamic, opset_version=17, **tracing,
    )
    model = onnx.load_from_string(traced.getvalue())
    graph = model.graph
    if half:
        as_half(graph)
    ports = [port for port in graph.input if port.name in tensors]
    # An export holds transposed weights transposed.
    turned = {node.input[0]: node for node in graph.node if node.op_type == "Transpose" and node.input[0] in tensors}
    for node in turned.values():
        graph.node.remove(node)
    size = sum(tensor.numel() for tensor in tensors.values()) * (2 if half else 4)
    external, generator, offset = size > INLINE_LIMIT, np.random.default_rng(0), 0
    (folder / EXTERNAL).unlink(missing_ok=True)
    with open(folder / EXTERNAL if external else "/dev/null", "wb") as file:
        for port in ports:
            graph.input.remove(port)
            tensor, shape = tensors[port.name], list(tensors[port.name].shape)
            values = tensor.numpy() if port.name.endswith("mask") else weights(port.name, shape, generator)
            values = values.astype(np.float16 if half else np.float32)
            proto = graph.initializer.add(name=port.name, data_type=TensorProto.FLOAT16 if half else TensorProto.FLOAT)
            if port.name in turned:
                proto.name, values = turned[port.name].output[0], values.reshape(shape[::-1])
            proto.dims.extend(values.shape)
            if not external or values.nbytes < 1024:
                proto.raw_data = values.tobytes()
                continue
            offset = -(-offset // 4096) * 4096
            file.seek(offset)
            values.tofile(file)
            proto.data_location = TensorProto.EXTERNAL
            for key, value in {"location": EXTERNAL, "offset": offset, "length": values.nbytes}.items():
                proto.external_data.add(key=key, value=str(value))
            offset += values.nbytes
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    print(f"{folder.name}: {size / (2 if half else 4) / 1e6:.1f} million parameters, {size / 2**20:.0f} MiB", flush=True)


def letters():
    """A tokenizer.json of T5's kind with a token for each letter."""
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    words = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    single, second = ([{"Sequence": {"id": name, "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}] for name in "AB")
    return {
        "version": "1.0",
        "added_tokens": [{"id": i, "content": content} | special for i, content in enumerate(("<pad>", "</s>", "<unk>"))],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, words]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": single + second,
            "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}},
        },
        "decoder": words,
        "model": {
            "type": "Unigram",
            "unk_id": 2,
            "vocab": [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁", -1.0]] + [[chr(97 + i), -1.0] for i in range(26)],
            "byte_fallback": False,
        },
    }


def write_text_encoders(folder, is_flux, has_t5, options):
    sizes = [CLIP_L] if is_flux else [CLIP_L, CLIP_G]
    for number, (width, layers) in enumerate(sizes):
        part = "text_encoder" if number == 0 else "text_encoder_2"
        layers = layers if number == 0 else min(options.text_layers, layers)
        if is_flux:
            outputs = ["last_hidden_state", "pooler_output"]
        else:
            outputs = ["text_embeds", "last_hidden_state", *(f"hidden_states.{i}" for i in range(layers + 1))]
        shutil.copytree(SCENES / "tokenizer", folder / part.replace("text_encoder", "tokenizer"), dirs_exist_ok=True)
        write(
            Clip(width, layers, not is_flux, quick_gelu if number == 0 else F.gelu), folder / part,
            {"input_ids": torch.zeros(1, 77, dtype=torch.int64)}, outputs,
            {name: {0: "batch"} for name in ["input_ids", *outputs]},
            {"hidden_size": width, "vocab_size": CLIP_WORDS, "num_hidden_layers": layers}, options.half,
        )
    if not has_t5:
        return
    part = "text_encoder_2" if is_flux else "text_encoder_3"
    tokenizer = folder / part.replace("text_encoder", "tokenizer")
    tokenizer.mkdir(exist_ok=True)
    if options.t5_tokenizer:
        shutil.copy(options.t5_tokenizer, tokenizer / "tokenizer.json")
    else:
        (tokenizer / "tokenizer.json").write_text(json.dumps(letters()))
    layers = min(options.text_layers, T5_LAYERS)
    write(
        T5(layers), folder / part,
        {"input_ids": torch.zeros(1, 16, dtype=torch.int64)}, ["last_hidden_state"],
        {name: {0: "batch", 1: "tokens"} for name in ("input_ids", "last_hidden_state")},
        {"model_type": "t5", "d_model": T5_WIDTH, "vocab_size": T5_WORDS, "num_layers": layers}, options.half,
    )


def write_transformer(folder, is_flux, is_guided, options):
    text = {0: "batch", 1: "tokens"}
    inputs = {
        "encoder_hidden_states": torch.zeros(2, 93, T5_WIDTH),
        "pooled_projections": torch.zeros(2, CLIP_L[0] + (0 if is_flux else CLIP_G[0])),
        "timestep": torch.tensor([1.0, 0.5]),
    }
    dynamic = {"encoder_hidden_states": text, "pooled_projections": {0: "batch"}, "timestep": {0: "batch"}}
    config = {"sample_size": 128, "joint_attention_dim": T5_WIDTH}
    if is_flux:
        inputs = {"hidden_states": torch.zeros(2, 16, LATENTS * PATCH * PATCH)} | inputs
        inputs |= {"txt_ids": torch.zeros(93, 3, dtype=torch.int64), "img_ids": torch.zeros(16, 3, dtype=torch.int64)}
        dynamic |= {"txt_ids": {0: "tokens"}, "img_ids": {0: "patches"}}
        patches = {0: "batch", 1: "patches"}
        dynamic |= {"hidden_states": patches, "out_hidden_states": patches}
        if is_guided:
            inputs["guidance"], dynamic["guidance"] = torch.full([2], 3.5), {0: "batch"}
        config |= {"guidance_embeds": is_guided, "num_layers": options.blocks, "num_single_layers": 2 * options.blocks}
        network = Flux(options.blocks, is_guided)
    else:
        inputs = {"hidden_states": torch.zeros(2, LATENTS, 8, 8)} | inputs
        image = {0: "batch", 2: "height", 3: "width"}
        dynamic |= {"hidden_states": image, "out_hidden_states": image}
        config |= {"in_channels": LATENTS, "num_layers": options.blocks}
        network = StableDiffusion3(options.blocks)
    write(network, folder / "transformer", inputs, ["out_hidden_states"], dynamic, config, options.half)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("model", choices=["flux-dev", "flux-schnell", "sd3.5-medium"])
    parser.add_argument("--blocks", type=int, default=1, help="joint blocks; FLUX has twice as many single ones behind them")
    parser.add_argument("--text-layers", type=int, default=2, help="layers of CLIP-G and of T5")
    parser.add_argument("--without-t5", action="store_true", help="leave T5 out (Stable Diffusion 3.5)")
    parser.add_argument("--t5-tokenizer", type=pathlib.Path, help="a tokenizer.json for T5")
    parser.add_argument("--half", action="store_true", help="half precision")
    options = parser.parse_args()
    folder, is_flux, is_guided = options.folder, options.model.startswith("flux"), options.model == "flux-dev"
    if is_flux and options.without_t5:
        parser.error("FLUX does not do without T5")
    # Weights are drawn when they are written. Until then their memory is not touched.
    for kind in (nn.Linear, nn.Conv2d, nn.Embedding, nn.GroupNorm, nn.LayerNorm):
        kind.reset_parameters = lambda self: None
    folder.mkdir(parents=True, exist_ok=True)
    pipeline = "FluxPipeline" if is_flux else "StableDiffusion3Pipeline"
    clip = "CLIPTextModel" if is_flux else "CLIPTextModelWithProjection"
    encoders = [clip, "T5EncoderModel"] if is_flux else [clip, clip, None if options.without_t5 else "T5EncoderModel"]
    index = {"_class_name": pipeline, "_diffusers_version": "0.35.0"}
    for number, encoder in enumerate(encoders, 1):
        index["text_encoder" if number == 1 else f"text_encoder_{number}"] = ["transformers", encoder] if encoder else [None, None]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    scheduler = {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "shift": 1.0 if options.model == "flux-schnell" else 3.0,
    }
    if is_flux:
        scheduler |= {"base_image_seq_len": 256, "max_image_seq_len": 4096, "base_shift": 0.5, "max_shift": 1.15}
        scheduler["use_dynamic_shifting"] = is_guided
    (folder / "scheduler").mkdir(exist_ok=True)
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler, indent=2) + "\n")
    write_text_encoders(folder, is_flux, not options.without_t5, options)
    write_transformer(folder, is_flux, is_guided, options)
    image = {0: "batch", 2: "height", 3: "width"}
    write(
        Decoder(DECODER_CHANNELS, LATENTS), folder / "vae_decoder",
        {"latent_sample": torch.zeros(1, LATENTS, 8, 8)}, ["sample"], {"latent_sample": image, "sample": image},
        {
            "latent_channels": LATENTS,
            "sample_size": 1024,
            "scaling_factor": 0.3611 if is_flux else 1.5305,
            "shift_factor": 0.1159 if is_flux else 0.0609,
            "block_out_channels": list(reversed(DECODER_CHANNELS)),
            "force_upcast": True,
        },
        options.half,
    )


main()
