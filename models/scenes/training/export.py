"""Writes the model as a Stable Diffusion folder exported to ONNX, so that the code that loads one loads the other."""
import json
import shutil

import onnx
import torch
from torch import nn

from model import COARSE, FINE, LATENT_CHANNELS, TEXT_HEADS, TEXT_LAYERS, TEXT_LENGTH, TEXT_WIDTH
from sampler import GUIDANCE_BY_DEFAULT, GUIDANCE_MAX_TIMESTEP, STEPS_BY_DEFAULT
from tokenizer import END, START
from train_denoiser import BETA_END, BETA_START, STEPS

OPSET = 17


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_onnx(path, module, example, inputs, outputs):
    """`inputs` and `outputs` map names to {axis: name} of their dynamic axes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(module.eval(), example, str(path), opset_version=OPSET, do_constant_folding=True,
                      input_names=list(inputs), output_names=list(outputs), dynamic_axes={**inputs, **outputs})
    onnx.checker.check_model(onnx.load(str(path)), full_check=True)
    print(f"{path.parent.name}/{path.name}: {path.stat().st_size / 1e6:.2f} MB", flush=True)


def export(folder, tokenizer, text, denoiser, autoencoder):
    for part in (text, denoiser, autoencoder):
        part.float().cpu().to(memory_format=torch.contiguous_format)
    image = {0: "batch", 2: "height", 3: "width"}

    ids = torch.tensor([tokenizer.padded("a red star above a blue house"), tokenizer.padded("")])
    hidden = text(ids)[0].detach()
    write_onnx(folder / "text_encoder/model.onnx", text, ids, {"input_ids": {0: "batch", 1: "sequence"}},
               {"last_hidden_state": {0: "batch", 1: "sequence"}, "pooler_output": {0: "batch"}})
    write_json(folder / "text_encoder/config.json", {
        "_class_name": "MuseTextEncoder", "architectures": ["MuseTextEncoder"], "hidden_size": TEXT_WIDTH,
        "num_hidden_layers": TEXT_LAYERS, "num_attention_heads": TEXT_HEADS, "max_position_embeddings": TEXT_LENGTH,
        "vocab_size": len(tokenizer.vocab), "bos_token_id": tokenizer.start, "eos_token_id": tokenizer.end,
        "pad_token_id": tokenizer.end})

    example = (torch.randn(2, LATENT_CHANNELS, 16, 16), torch.tensor([999.0, 500.0]), hidden)
    write_onnx(folder / "unet/model.onnx", denoiser, example,
               {"sample": image, "timestep": {0: "batch"}, "encoder_hidden_states": {0: "batch", 1: "sequence"}},
               {"out_sample": image})
    write_json(folder / "unet/config.json", {
        "_class_name": "MuseUNet", "in_channels": LATENT_CHANNELS, "out_channels": LATENT_CHANNELS, "sample_size": 16,
        "block_out_channels": [FINE, COARSE], "cross_attention_dim": TEXT_WIDTH})

    latent = torch.randn(2, LATENT_CHANNELS, 16, 16)
    write_onnx(folder / "vae_decoder/model.onnx", autoencoder.decoder, latent, {"latent_sample": image},
               {"sample": image})
    write_onnx(folder / "vae_encoder/model.onnx", autoencoder.encoder, torch.rand(2, 3, 128, 128) * 2 - 1,
               {"sample": image}, {"latent_sample": image})
    for half in ("vae_decoder", "vae_encoder"):
        write_json(folder / half / "config.json", {
            "_class_name": "AutoencoderKL", "in_channels": 3, "out_channels": 3, "latent_channels": LATENT_CHANNELS,
            "sample_size": 128, "scaling_factor": 1.0})

    write_json(folder / "scheduler/scheduler_config.json", {
        "_class_name": "DPMSolverMultistepScheduler", "num_train_timesteps": STEPS, "beta_schedule": "linear",
        "beta_start": BETA_START, "beta_end": BETA_END, "prediction_type": "v_prediction",
        "timestep_spacing": "trailing", "steps_offset": 1, "clip_sample": False, "set_alpha_to_one": True,
        "algorithm_type": "dpmsolver++", "solver_type": "midpoint", "solver_order": 2, "lower_order_final": True,
        "thresholding": False, "use_karras_sigmas": False})
    export_tokenizer(folder / "tokenizer", tokenizer)
    write_json(folder / "model_index.json", {
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30.0",
        "scheduler": ["diffusers", "DPMSolverMultistepScheduler"], "text_encoder": ["muse", "MuseTextEncoder"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["muse", "MuseUNet"],
        "vae_decoder": ["diffusers", "OnnxRuntimeModel"], "vae_encoder": ["diffusers", "OnnxRuntimeModel"],
        "_muse": {"defaults": {"steps": STEPS_BY_DEFAULT, "guidance_scale": GUIDANCE_BY_DEFAULT,
                               "guidance_max_timestep": GUIDANCE_MAX_TIMESTEP, "strength": 0.5, "masked_strength": 0.6,
                               "masked_sampler": "euler_a", "width": 128, "height": 128},
                  "sizes": {"min": 96, "max": 192, "multiple": 16},
                  "card": "Muse Scenes: paints simple things in named colours, sizes and places"}})
    total = sum(f.stat().st_size for name in ("text_encoder", "unet", "vae_decoder", "vae_encoder", "tokenizer")
                for f in (folder / name).iterdir())
    print(f"all parts: {total / 1e6:.1f} MB", flush=True)


def export_tokenizer(folder, tokenizer):
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer.save(folder)
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": TEXT_LENGTH, "do_lower_case": True,
        "add_prefix_space": False, "errors": "replace", "bos_token": START, "eos_token": END, "pad_token": END,
        "unk_token": END})
    write_json(folder / "special_tokens_map.json", {"bos_token": START, "eos_token": END, "pad_token": END,
                                                    "unk_token": END})
