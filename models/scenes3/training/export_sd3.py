"""Writes the model as a Stable Diffusion 3 folder exported to ONNX, and reads such a folder back into PyTorch.

Weights are stored in half precision and cast to single when a graph is loaded. They keep PyTorch's names, so that they can be
found again; a transposed matrix has `.T` behind its name.
"""
import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

import paths  # noqa: F401  (makes the next lines' modules importable)
from export import export_tokenizer, write_json, write_onnx
from flow_sampler import GUIDANCE_BY_DEFAULT, GUIDANCE_MAX_TIMESTEP, SHIFT, STEPS_BY_DEFAULT
from mmdit import CHANNELS, DEPTH, HEADS, JOINT, PATCH, POOLED, WIDTH
from model import TEXT_LENGTH

TRANSPOSED, HALF = ".T", ".half"


def name_and_halve(path, module):
    """Gives the weights in an exported file their names in `module`, and stores all but the smallest in half precision."""
    names = {}
    for name, value in module.state_dict().items():
        value = value.detach().numpy()
        names.setdefault((value.shape, value.tobytes()), []).append(name)
        if value.ndim == 2:
            names.setdefault((value.T.shape, value.T.tobytes()), []).append(name + TRANSPOSED)
    model = onnx.load(str(path))
    graph, renamed, casts = model.graph, {}, []
    for tensor in graph.initializer:
        value = numpy_helper.to_array(tensor)
        found = names.get((value.shape, value.tobytes()))
        name = renamed[tensor.name] = found.pop(0) if found else tensor.name
        if value.dtype == np.float32 and value.size >= 64:
            tensor.CopyFrom(numpy_helper.from_array(value.astype(np.float16), name + HALF))
            casts.append(helper.make_node("Cast", [name + HALF], [name], to=onnx.TensorProto.FLOAT))
        else:
            tensor.CopyFrom(numpy_helper.from_array(value, name))
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = renamed.get(name, name)
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    print(f"  {path.stat().st_size / 1e6:.2f} MB in half precision", flush=True)


def weights_of(path, module):
    """The state dict of `module` from its exported file."""
    tensors = {t.name.removesuffix(HALF): torch.from_numpy(numpy_helper.to_array(t).astype(np.float32))
               for t in onnx.load(str(path)).graph.initializer if t.data_type != onnx.TensorProto.INT64}
    state = {}
    for name in module.state_dict():
        if name in tensors:
            state[name] = tensors[name]
        elif name + TRANSPOSED in tensors:
            state[name] = tensors[name + TRANSPOSED].T.contiguous()
        else:
            raise ValueError(f"{path} lacks {name}")
    return state


class Outputs(nn.Module):
    """A text encoder with its outputs in a row, as an exported file gives them."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, ids):
        pooled, states = self.encoder(ids)
        return (pooled, states[-1], *states)


def export(folder, tokenizer, text, denoiser, autoencoder, scale, shift):
    for part in (text, denoiser, autoencoder):
        part.float().cpu().eval().to(memory_format=torch.contiguous_format)

    def write(name, module, weights, *rest):
        write_onnx(folder / name / "model.onnx", module, *rest)
        name_and_halve(folder / name / "model.onnx", weights)

    image = {0: "batch", 2: "height", 3: "width"}
    ids = torch.tensor([tokenizer.padded("a red star above a blue house"), tokenizer.padded("")])
    for name, encoder in (("text_encoder", text.first), ("text_encoder_2", text.second)):
        states = [f"hidden_states.{i}" for i in range(len(encoder.layers) + 1)]
        tokens = {0: "batch", 1: "sequence"}
        write(name, Outputs(encoder), encoder, ids, {"input_ids": tokens},
              {"text_embeds": {0: "batch"}, "last_hidden_state": tokens, **{s: tokens for s in states}})
        write_json(folder / name / "config.json", {
            "architectures": ["CLIPTextModelWithProjection"], "hidden_size": encoder.width, "projection_dim": POOLED,
            "num_hidden_layers": len(encoder.layers), "max_position_embeddings": TEXT_LENGTH, "vocab_size": len(tokenizer.vocab),
            "bos_token_id": tokenizer.start, "eos_token_id": tokenizer.end, "pad_token_id": tokenizer.end})
    export_tokenizer(folder / "tokenizer", tokenizer)
    export_tokenizer(folder / "tokenizer_2", tokenizer)

    with torch.no_grad():
        states, pooled = text(ids)
    example = (torch.randn(2, CHANNELS, 16, 16), states, pooled, torch.tensor([1000.0, 500.0]))
    write("transformer", denoiser, denoiser, example,
          {"hidden_states": image, "encoder_hidden_states": {0: "batch", 1: "sequence"}, "pooled_projections": {0: "batch"},
           "timestep": {0: "batch"}}, {"out_hidden_states": image})
    write_json(folder / "transformer/config.json", {
        "_class_name": "SD3Transformer2DModel", "in_channels": CHANNELS, "out_channels": CHANNELS, "patch_size": PATCH,
        "sample_size": 16, "num_layers": DEPTH, "num_attention_heads": HEADS, "attention_head_dim": WIDTH // HEADS,
        "joint_attention_dim": JOINT, "pooled_projection_dim": 2 * POOLED, "qk_norm": "rms_norm"})

    write("vae_decoder", autoencoder.decoder, autoencoder.decoder, torch.randn(2, CHANNELS, 16, 16), {"latent_sample": image},
          {"sample": image})
    write("vae_encoder", autoencoder.encoder, autoencoder.encoder, torch.rand(2, 3, 128, 128) * 2 - 1, {"sample": image},
          {"latent_sample": image})
    for half in ("vae_decoder", "vae_encoder"):
        write_json(folder / half / "config.json", {
            "_class_name": "AutoencoderKL", "in_channels": 3, "out_channels": 3, "latent_channels": CHANNELS, "sample_size": 128,
            "scaling_factor": scale, "shift_factor": shift + 0.0})
    write_json(folder / "scheduler/scheduler_config.json", {
        "_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": SHIFT})
    write_json(folder / "model_index.json", {
        "_class_name": "StableDiffusion3Pipeline", "_diffusers_version": "0.30.0",
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModelWithProjection"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "text_encoder_3": [None, None], "tokenizer_3": [None, None],
        "transformer": ["diffusers", "SD3Transformer2DModel"], "vae": ["diffusers", "AutoencoderKL"],
        "_muse": {"defaults": {"steps": STEPS_BY_DEFAULT, "guidance_scale": GUIDANCE_BY_DEFAULT,
                               "guidance_max_timestep": GUIDANCE_MAX_TIMESTEP, "width": 128, "height": 128},
                  "sizes": {"min": 96, "max": 192, "multiple": 16},
                  "card": "Muse Scenes 3: Stable Diffusion 3 in miniature; paints simple things in named colours and places"}})
    total = sum(f.stat().st_size for f in folder.glob("*/*") if f.parent.name not in ("training", "runs"))
    print(f"all parts: {total / 1e6:.1f} MB", flush=True)
