"""Makes the model: `./train.sh all`. Each stage keeps its result in `runs/` and is skipped when it is there; a training
that was interrupted goes on from its last checkpoint.

    all         draw, autoencoder, denoiser, export, evaluate
    denoiser    the long part; `--hours` more than before goes on from where it stopped
    export      writes the ONNX folder from the newest checkpoint, while training goes on
    sheet       paints a contact sheet from the newest checkpoint
    evaluate    paints held-out prompts and judges them
    resume      makes checkpoints out of the shipped ONNX files, to train on without the old `runs/`

With `--engine`, sheet and evaluate are painted by Muse from the ONNX folder instead, with the folder's own defaults.
"""
import argparse
import json
import os
from pathlib import Path

import torch

import paths
import budget as clock
import train_flow
import wide_autoencoder
from arrangement import MIDDLE, arranged, arranged_scene
from autoencoder import Autoencoder
from captioned import all_scenes
from dataset import draw_images, shape_maps
from engine import EnginePainter
from evaluate import evaluate, learned_judge, negative_prompt
from export_sd3 import export, weights_of
from flow_sampler import GUIDANCE_BY_DEFAULT, GUIDANCE_MAX_TIMESTEP, SHIFT, STEPS_BY_DEFAULT, FlowPainter
from resume import resume
from sheet import paint_sheet
from tokenizer import Tokenizer
from train_autoencoder import latents
from train_denoiser import gather_team


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    stages = ("all", "draw", "autoencoder", "denoiser", "export", "sheet", "evaluate", "resume")
    parser.add_argument("stage", choices=stages)
    parser.add_argument("--runs", type=Path, default=paths.HERE / "runs", help="where checkpoints and drawings are kept")
    parser.add_argument("--out", type=Path, default=paths.HERE.parent, help="where the ONNX folder is written")
    parser.add_argument("--pictures", type=int, default=64_000)
    parser.add_argument("--hours", type=float, default=1, help="hours for the denoiser")
    parser.add_argument("--autoencoder-hours", type=float, default=0.09)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--workers", type=int, default=1, help="processes that train the denoiser, one thread each")
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--engine", action="store_true", help="sheet, evaluate: paint by Muse's engine, from the ONNX folder")
    parser.add_argument("--prompts", type=int, default=500, help="prompts for each figure of the evaluation")
    parser.add_argument("--steps", type=int, default=STEPS_BY_DEFAULT)
    parser.add_argument("--guidance", type=float, default=GUIDANCE_BY_DEFAULT)
    parser.add_argument("--guided-below", type=float, default=GUIDANCE_MAX_TIMESTEP)
    parser.add_argument("--shift", type=float, default=SHIFT)
    return parser.parse_args()


def main():
    o = arguments()
    torch.set_num_threads(o.threads)
    prompts = (paths.SCENES / "training/sheet_prompts.txt").read_text().strip().split("\n")
    engine = EnginePainter(o.runs / "painted", o.out) if o.engine else None
    if o.stage == "sheet" and engine:
        return paint_sheet(engine, prompts, o.out / "sheet.png")
    (o.runs / "scenes1").mkdir(parents=True, exist_ok=True)
    stages = ("draw", "autoencoder", "denoiser", "export", "sheet", "evaluate") if o.stage == "all" else (o.stage,)
    tokenizer = Tokenizer.load(paths.SCENES / "tokenizer")
    if "resume" in stages:
        return resume_from_shipped(o.out, o.runs, tokenizer)
    if not (o.runs / "scenes1/denoiser.pt").exists():
        resume(paths.SCENES, o.runs / "scenes1")
    if {"draw", "autoencoder", "denoiser"} & set(stages):
        images = draw_images(o.runs / "pictures.npy", o.pictures, o.threads)
        scenes = all_scenes(o.pictures, o.runs / "scenes.pickle")[:o.pictures]
    if "autoencoder" in stages:
        narrow = clock.load(o.runs / "scenes1/autoencoder.pt")["model"]
        wide_autoencoder.train(images, scenes, narrow, o.runs / "autoencoder.pt", o.autoencoder_hours)
    if "denoiser" in stages:
        autoencoder, scale, shift, spread = wide_autoencoder.load(o.runs / "autoencoder.pt")
        others = draw_images(o.runs / "arranged.npy", o.pictures, o.threads, arranged_scene)
        clean = torch.cat([latents(autoencoder, of, o.runs / f"{name}.npy", "cpu").sub_(shift).mul_(scale)
                           for of, name in ((images, "latents"), (others, "latents_arranged"))])
        others, places = zip(*map(arranged, scenes))
        scenes, places = scenes + list(others), ["said"] * len(scenes) + list(places)
        shapes = shape_maps(scenes, o.runs / "shapes.npy")
        team = gather_team(o, __file__)
        start = clock.load(o.runs / "scenes1/denoiser.pt")["text"]
        train_flow.train(clean, shapes, scenes, places, tokenizer, spread, start, o.runs / "denoiser.pt", o.hours, team)
    if {"export", "sheet", "evaluate"} & set(stages):
        autoencoder, scale, shift, _ = wide_autoencoder.load(o.runs / "autoencoder.pt")
        text, denoiser = train_flow.load_averaged(o.runs / "denoiser.pt", len(tokenizer.vocab), tokenizer.end)
        painter = FlowPainter(tokenizer, text, denoiser, autoencoder.decoder, scale, shift)
        look = {"steps": o.steps, "guidance": o.guidance, "guided_below": o.guided_below, "shift": o.shift}
    if "sheet" in stages:
        paint_sheet(painter, prompts, o.runs / "sheet.png", **look)
    if "evaluate" in stages:
        judge = learned_judge(autoencoder, o.runs)
        if engine:
            evaluate(engine, judge, o.prompts, unsaid=MIDDLE)
        else:
            evaluate(painter, judge, o.prompts, unsaid=MIDDLE, **look)
            negative_prompt(painter, judge, **look)
    if "export" in stages:
        export(o.out, tokenizer, text, denoiser, autoencoder, scale, shift)


def resume_from_shipped(folder, runs, tokenizer):
    """Writes checkpoints from the shipped files; the readers that are not shipped begin anew."""
    runs.mkdir(parents=True, exist_ok=True)
    autoencoder, learner = Autoencoder(wide_autoencoder.CHANNELS), train_flow.Learner(len(tokenizer.vocab), tokenizer.end)
    for name, part in (("vae_encoder", autoencoder.encoder), ("vae_decoder", autoencoder.decoder), ("text_encoder", learner.text.first),
                       ("text_encoder_2", learner.text.second), ("transformer", learner.denoiser)):
        part.load_state_dict(weights_of(folder / name / "model.onnx", part))
    config = json.loads((folder / "vae_decoder/config.json").read_text())
    scale, shift = config["scaling_factor"], config["shift_factor"]
    clock.save(runs / "autoencoder.pt", model=autoencoder.state_dict(), step=0, spent=0.0, finished=True, shift=shift, scale=scale,
               spread=learner.denoiser.variance[0].sqrt() / scale)
    clock.save(runs / "denoiser.pt", learner=learner.state_dict(), average=learner.state_dict(), step=0, spent=0.0)


if __name__ == "__main__":
    main()
