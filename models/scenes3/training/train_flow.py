"""Trains the denoiser by rectified flow (Liu et al. 2022, https://arxiv.org/abs/2209.03003), on latents and freshly worded captions."""
import numpy as np
import torch
from torch.nn import functional as F

import paths  # noqa: F401  (makes the next lines' modules importable)
import budget as clock
from captioned import COLOUR_NAMES, SIZE_NAMES, caption_batch
from mmdit import SECOND_WIDTH, Denoiser, PlanReader, TextEncoders
from model import TEXT_WIDTH, CaptionReader
from muon import Muon
from scenes import BACKGROUNDS, COLOURS, SHAPES
from train_denoiser import Rounds

BATCH, PEAK, PEAK_MUON, DROPPED, TOGETHER = 24, 1.5e-3, 5e-3, 0.1, 4
ASKED, ON_THINGS, READ = 0.2, 1, 0.05      # weights beside the velocity's error: questions about the image, things alone, captions
NOISY, NOISY_SPREAD = 1.9, 1.2             # the log-odds of sigma: their mean and spread. The median is 0.87
MIXED, CLEAR = 0.2, 0.58                   # share of examples that lie between two images; below this sigma none does
HOW_MANY = (0.03, 0.3, 0.55, 0.12)         # shares of scenes with none, one, two and three things


class Learner(torch.nn.Module):
    """What trains: the denoiser, the text encoders, and the readers that are not shipped."""

    def __init__(self, vocabulary, end, spread=None):
        super().__init__()
        self.text, self.denoiser = TextEncoders(vocabulary, end), Denoiser(spread)
        self.plan = PlanReader(len(SHAPES), len(COLOURS))
        self.widen = torch.nn.Linear(SECOND_WIDTH, TEXT_WIDTH)
        self.captions = CaptionReader(len(SHAPES), len(COLOUR_NAMES), len(SIZE_NAMES), len(BACKGROUNDS))
        # The first encoder reads captions already.
        first = self.text.first
        for part in (first.tokens, first.positions, first.norm_before, *first.layers[:-1]):
            part.requires_grad_(False)

    def optimizers(self):
        blocks = self.denoiser.blocks.named_parameters()
        inside = [p for name, p in blocks if p.ndim == 2 and "modulate" not in name]
        ids = {id(p) for p in inside}
        rest = [p for p in self.parameters() if p.requires_grad and id(p) not in ids]
        return Muon(inside, PEAK_MUON), torch.optim.AdamW(rest, lr=PEAK, betas=(0.9, 0.98), weight_decay=0.01)


def sigmas(count):
    """[count] noise levels, one from each of `count` slices of a logit-normal density."""
    u = (torch.arange(count) + torch.rand(count)) / count
    return torch.sigmoid(NOISY + NOISY_SPREAD * torch.erfinv((2 * u - 1).clamp(-0.999, 0.999)) * 2 ** 0.5)


def between(latents, others, sigma):
    """Latents, a share of which are up to half way to `others` (see `train_denoiser.between` of `scenes`)."""
    mixed = (torch.rand_like(sigma) < MIXED) & (sigma >= CLEAR)
    way = 0.5 * torch.rand_like(sigma) * mixed
    return latents + way[:, None, None, None] * (others - latents)


def colour_maps(scenes, shapes):
    """int64 [n, h, w]: the colour of what `shapes` (see `scenes.shape_map`) says is there, 0 for the background; where two things of
    a scene have the same shape and different colours, -100, which is not asked."""
    table = np.zeros((len(scenes), 1 + len(SHAPES)), np.int64)
    for row, scene in zip(table, scenes):
        for thing in scene.things:
            at, colour = 1 + SHAPES.index(thing.shape), 1 + COLOUR_NAMES.index(thing.colour)
            row[at] = colour if row[at] in (0, colour) else -100
    return torch.from_numpy(table[np.arange(len(scenes))[:, None, None], shapes])


def losses(learner, clean, others, shapes, colours, ids, labels):
    """(all errors weighed together, [velocity's error, error about shapes and colours, share of things' cells told right])."""
    sigma = sigmas(len(clean))
    s = sigma[:, None, None, None]
    begun = between(clean, others, sigma)
    seen = (1 - s) * begun + s * torch.randn_like(clean)
    states, pooled = learner.text(ids)
    velocity, plan = learner.denoiser.with_plan(seen, states, pooled, sigma * 1000)

    def weighed(error):
        """The mean over an image, and over its things and what is to be removed, which weigh the same however small they are. The error of
        a velocity counts a clean image's error 1/sigma² times; the weight caps that."""
        error = error.pow(2).mean(1, keepdim=True)
        on_things = (error * touched).sum((1, 2, 3)) / touched.sum((1, 2, 3)).clamp(min=1)
        return ((error.mean((1, 2, 3)) + ON_THINGS * on_things) * (5 * sigma ** 2).clamp(max=1)).mean()

    to_remove = ((begun - clean).abs().mean(1, keepdim=True) > 0.05).float()
    touched = torch.maximum(F.max_pool2d((shapes > 0).float()[:, None], 2), to_remove)
    of_velocity = weighed(velocity - (seen - clean) / s)
    about_plan, right = learner.plan(plan, shapes, colours)
    hidden = learner.widen(states[:, :, TEXT_WIDTH:TEXT_WIDTH + SECOND_WIDTH])
    of_captions, _ = learner.captions(hidden, pooled, labels)
    return of_velocity + ASKED * about_plan + READ * of_captions, [of_velocity.item(), about_plan.item(), right, of_captions.item()]


def train(latents, shapes, scenes, places, tokenizer, spread, start, path, hours, team, seed=4):
    """Trains from `start` (the text encoder of `scenes`), or goes on from `path` if it exists.

    latents: float16 [2n, 16, h, w]; shapes: uint8 [2n, 2h, 2w]; of `scenes`, whose second half has the things of the first in other
    places. `places`: what their captions have to say about places (see `captions.caption`)."""
    torch.manual_seed(seed)
    learner = Learner(len(tokenizer.vocab), tokenizer.end, spread)
    learner.text.start_from(start)
    muon, adam = learner.optimizers()
    parameters = [p for p in learner.parameters() if p.requires_grad]
    average, state, step, spent = clock.Average(learner), clock.load(path), 0, 0.0
    if state:
        learner.load_state_dict(state["learner"], strict="optimizers" in state)
        if "optimizers" in state:      # not in one that was made from the shipped files
            for optimizer, old in zip((muon, adam), state["optimizers"]):
                optimizer.load_state_dict(old)
            average.weights = state["average"]
        else:
            average = clock.Average(learner)
        step, spent = state["step"], state["spent"]
    torch.manual_seed(seed + step + 1_000_003 * team.rank)
    rng = np.random.default_rng([seed, step, team.rank])
    count = np.array([len(scene.things) for scene in scenes])
    chances = (np.array(HOW_MANY) / np.bincount(count, minlength=len(HOW_MANY)))[count]
    chances /= chances.sum()
    time, seen, finished = clock.Budget(hours, spent), [], False

    def checkpoint():
        clock.save(path, learner=learner.state_dict(), optimizers=[muon.state_dict(), adam.state_dict()],
                   average=average.weights, step=step, spent=time.spent)

    rounds = Rounds(team, learner, parameters, average, time, TOGETHER, 5, seen,
                    lambda mean: f"v {mean[0]:.4f}  plan {mean[1]:.4f}, shapes right {mean[2]:.1%}  captions {mean[3]:.3f}", checkpoint)
    while not finished:
        clock.set_rate(muon, clock.learning_rate(time.progress, step, PEAK_MUON, warmup=20))
        clock.set_rate(adam, clock.learning_rate(time.progress, step, PEAK, warmup=20))
        picked = rng.choice(len(scenes), BATCH, p=chances)
        ids, labels = caption_batch(rng, [scenes[i] for i in picked], tokenizer, DROPPED, [places[i] for i in picked])
        elsewhere = (picked + len(scenes) // 2) % len(scenes)
        clean, other = (latents[torch.from_numpy(of)].float() for of in (picked, elsewhere))
        colours = colour_maps([scenes[i] for i in picked], shapes[picked])
        loss, told = losses(learner, clean, other, torch.from_numpy(shapes[picked]).long(), colours, ids, labels)
        for optimizer in (muon, adam):
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        muon.step()
        adam.step()
        step += 1
        seen.append(told)
        finished = step % TOGETHER == 0 and rounds.end(step)


def load_averaged(path, vocabulary, end):
    """(text encoders, denoiser) with the averaged weights of a checkpoint, ready to paint."""
    learner = Learner(vocabulary, end)
    learner.load_state_dict(clock.load(path)["average"])
    return learner.text.eval(), learner.denoiser.eval()
