"""Makes the model from nothing: `python3 train.py all`. Each stage keeps its result in `runs/` and is skipped when it
is there; a training that was interrupted goes on from its last checkpoint.

    all         draw, autoencoder, text, denoiser, export, evaluate
    denoiser    the long part; `--hours` more than before goes on from where it stopped
    export      writes the ONNX folder from the newest checkpoint, while training goes on
    sheet       paints a contact sheet from the newest checkpoint
    resume      makes checkpoints out of the shipped ONNX files, to train on without the old `runs/`
    evaluate    paints held-out prompts and judges them
    edits       edits drawings by mask with Muse's engine and the folder as it is shipped, and judges them
"""
import argparse
import os
from pathlib import Path

import torch

import train_autoencoder
import train_denoiser
import train_text
from autoencoder import Autoencoder
from captioned import all_scenes, learn_tokenizer
from dataset import draw_images, scene_elsewhere, shape_maps
from edits import evaluate_edits
from evaluate import evaluate, learned_judge, negative_prompt
from export import export
from resume import resume
from sampler import SAMPLERS, Painter
from sheet import paint_by_server, paint_sheet

HERE = Path(__file__).resolve().parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    stages = ("all", "draw", "autoencoder", "text", "denoiser", "export", "sheet", "evaluate", "edits", "resume")
    parser.add_argument("stage", choices=stages)
    parser.add_argument("--runs", type=Path, default=HERE / "runs", help="where checkpoints and drawings are kept")
    parser.add_argument("--out", type=Path, default=HERE.parent, help="where the ONNX folder is written")
    parser.add_argument("--pictures", type=int, default=192_000)
    parser.add_argument("--hours", type=float, default=1.5, help="hours for the denoiser")
    parser.add_argument("--autoencoder-hours", type=float, default=0.24)
    parser.add_argument("--text-hours", type=float, default=0.09)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--workers", type=int, default=1, help="processes that train the denoiser, one thread each")
    parser.add_argument("--rank", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--server", help="sheet: the address of a Muse that paints it, into the model's folder")
    parser.add_argument("--prompts", type=int, default=500, help="prompts for each figure of the evaluation")
    parser.add_argument("--strength", default="-", help="edits: the strength; the model's own where it is left out")
    parser.add_argument("--sampler", choices=tuple(SAMPLERS), default="dpm++")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0)
    return parser.parse_args()


def main():
    o = arguments()
    torch.set_num_threads(o.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    o.runs.mkdir(parents=True, exist_ok=True)
    prompts = (HERE / "sheet_prompts.txt").read_text().strip().split("\n")
    if o.stage == "sheet" and o.server:
        return paint_by_server(o.server, prompts, o.out / "sheet.png")
    stages = ("draw", "autoencoder", "text", "denoiser", "export", "sheet", "evaluate") if o.stage == "all" else (o.stage,)
    files = {name: o.runs / f"{name}.pt" for name in ("autoencoder", "text", "denoiser")}

    if "resume" in stages:
        resume(o.out, o.runs)
    if "edits" in stages:
        return evaluate_edits(learned_judge(load_autoencoder(files["autoencoder"]), o.runs), o.runs / "edits", o.prompts, o.strength,
                              o.steps)
    tokenizer = learn_tokenizer(o.runs / "tokenizer")
    if {"draw", "autoencoder", "denoiser"} & set(stages):
        images = draw_images(o.runs / "pictures.npy", o.pictures, o.threads)
    if {"autoencoder", "text", "denoiser"} & set(stages):
        scenes = all_scenes(o.pictures, o.runs / "scenes.pickle")
    if "autoencoder" in stages:
        train_autoencoder.train(images, scenes, files["autoencoder"], o.autoencoder_hours, device)
    if "denoiser" in stages and files["denoiser"].exists():      # it holds the text encoder that it was trained with
        text = train_denoiser.load_averaged(files["denoiser"], len(tokenizer.vocab), tokenizer.end)[0].to(device)
    elif {"text", "denoiser"} & set(stages):
        text, _ = train_text.train(scenes, tokenizer, files["text"], o.text_hours, device)
    if "denoiser" in stages:
        autoencoder = load_autoencoder(files["autoencoder"]).to(device)
        latents = train_autoencoder.latents(autoencoder, images, o.runs / "latents.npy", device)
        others = draw_images(o.runs / "elsewhere.npy", o.pictures, o.threads, scene_elsewhere)
        others = train_autoencoder.latents(autoencoder, others, o.runs / "latents_elsewhere.npy", device)
        team = train_denoiser.gather_team(o, __file__)
        shapes = shape_maps(scenes, o.runs / "shapes.npy")
        train_denoiser.train(latents, others, shapes, scenes, tokenizer, text, files["denoiser"], o.hours, device, team)

    if {"export", "sheet", "evaluate"} & set(stages):
        autoencoder = load_autoencoder(files["autoencoder"])
        text, denoiser = train_denoiser.load_averaged(files["denoiser"], len(tokenizer.vocab), tokenizer.end)
        painter = Painter(tokenizer, text, denoiser, autoencoder.decoder)
        look = {"sampler": o.sampler, "steps": o.steps, "guidance": o.guidance}
    if "sheet" in stages:
        paint_sheet(painter, prompts, o.runs / "sheet.png", **look)
    if "evaluate" in stages:
        judge = learned_judge(autoencoder, o.runs)
        evaluate(painter, judge, o.prompts, **look)
        negative_prompt(painter, judge, **look)
    if "export" in stages:
        export(o.out, tokenizer, text, denoiser, autoencoder)


def load_autoencoder(path):
    model = Autoencoder()
    model.load_state_dict(torch.load(path, map_location="cpu")["model"])
    return model.eval().to(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
