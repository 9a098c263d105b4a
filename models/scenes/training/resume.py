"""Turns the shipped ONNX files back into PyTorch checkpoints.

The exporter keeps the names of most weights, but transposes and renames the matrices of linear layers and takes group
norms apart. A linear layer is found by its bias, which keeps its name; group norms come in the order of their use.
"""
import onnx
import torch
from onnx import numpy_helper

import budget as clock
from autoencoder import Autoencoder
from model import Denoiser, TextEncoder
from tokenizer import Tokenizer


def weights_of(path, module):
    """The state dict of `module` from its exported file."""
    graph = onnx.load(str(path)).graph
    tensors = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in graph.initializer}
    state = {k: tensors[k] for k in module.state_dict() if k in tensors}
    # A linear layer's bias keeps its name: the product that feeds its addition carries the transposed matrix.
    made_by = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        for bias, product in (node.input, reversed(node.input)):
            source = made_by.get(product)
            name = bias.removesuffix(".bias") + ".weight"
            if bias.endswith(".bias") and source is not None and source.op_type == "MatMul" and source.input[1] in tensors:
                state[name] = tensors[source.input[1]].T.contiguous()
    names = [n for n, m in module.named_modules() if isinstance(m, torch.nn.GroupNorm)]
    norms = [node for node in graph.node if node.op_type == "InstanceNormalization"]
    for name, norm in zip(names, norms):
        value = norm.output[0]
        for op, part in (("Reshape", None), ("Mul", "weight"), ("Add", "bias")):
            node = next(n for n in graph.node if n.op_type == op and value in n.input)
            if part:
                state[f"{name}.{part}"] = next(tensors[i] for i in node.input if i in tensors).flatten()
            value = node.output[0]
    missing = set(module.state_dict()) - set(state)
    if missing:
        raise ValueError(f"{path} lacks {sorted(missing)}")
    return state


def resume(folder, runs):
    tokenizer = Tokenizer.load(folder / "tokenizer")
    tokenizer.save(runs / "tokenizer")
    text, denoiser, autoencoder = TextEncoder(len(tokenizer.vocab), tokenizer.end), Denoiser(), Autoencoder()
    text_state = weights_of(folder / "text_encoder/model.onnx", text)
    denoiser_state = weights_of(folder / "unet/model.onnx", denoiser)
    for half, part in (("encoder", autoencoder.encoder), ("decoder", autoencoder.decoder)):
        part.load_state_dict(weights_of(folder / f"vae_{half}/model.onnx", part))
    clock.save(runs / "autoencoder.pt", model=autoencoder.state_dict(), step=0, spent=0.0, finished=True)
    clock.save(runs / "denoiser.pt", text=text_state, denoiser=denoiser_state, average=denoiser_state, step=0, spent=0.0)
