"""Trains the denoiser on latents and freshly worded captions.

v-prediction (Salimans & Ho 2022, https://arxiv.org/abs/2202.00512) on the linear schedule of DDPM: its last step
has a signal-to-noise ratio of 4e-5, so that sampling from pure noise finds nothing in it and plain backgrounds come
out plain.
"""
import subprocess
import sys

import numpy as np
import torch
from torch import distributed
from torch.nn import functional as F

import budget as clock
from captioned import caption_batch
from model import Denoiser, ShapeReader, TextEncoder
from scenes import SHAPES

BATCH, PEAK, DROPPED, TOGETHER = 32, 1e-3, 0.1, 8
ASKED, ON_THINGS = 0.2, 1      # weights beside v's error: of the questions about shapes; of v's error on things alone
MIXED, CLEAR = 0.4, 200         # share of examples that lie between two images; below this timestep none does
HOW_MANY = (0.03, 0.3, 0.55, 0.12)      # shares of scenes with none, one, two and three things: two are the hard ones
STEPS, BETA_START, BETA_END = 1000, 1e-4, 0.02


def alphas_cumprod():
    """float [1000]: the share of the signal's variance that is left at each timestep."""
    return torch.cumprod(1 - torch.linspace(BETA_START, BETA_END, STEPS, dtype=torch.float64), 0).float()


def between(latents, others, timestep):
    """Latents, a share of which are up to half way to `others`, which show the same things in other places.

    While an image is made, its state is an average over all images that it may still become: where a prompt gives
    no place, faint twins of a thing. Noised drawings never look like that, so a denoiser that saw nothing else keeps
    both. Here it learns to finish the clearer one and to remove the other."""
    mixed = (torch.rand_like(latents[:, 0, 0, 0]) < MIXED) & (timestep >= CLEAR)
    way = 0.5 * torch.rand_like(latents[:, 0, 0, 0]) * mixed
    return latents + way[:, None, None, None] * (others - latents)


def losses(denoiser, reader, latents, others, shapes, text, timestep, signal):
    """(squared error of v, error about shapes, share of things' cells told right). Where there is little noise, v's
    error counts a clean image's error many times over; the weight caps that at five, so that such steps don't drown
    those that decide what is painted. A small thing covers few cells, so the mean over things' cells, and over those of
    twins to be removed, counts once more: however small they are, they weigh the same."""
    noise = torch.randn_like(latents)
    a, s = signal.sqrt()[:, None, None, None], (1 - signal).sqrt()[:, None, None, None]
    begun = between(latents, others, timestep)
    seen = a * begun + s * noise
    v, cells = denoiser.with_cells(seen, timestep, text)
    to_remove = ((begun - latents).abs().mean(1, keepdim=True) > 0.05).float()
    touched = torch.maximum(F.max_pool2d((shapes > 0).float()[:, None], 2), to_remove)
    error = (v - (a * seen - latents) / s).pow(2).mean(1, keepdim=True)      # from seen to the clean image
    on_things = (error * touched).sum((1, 2, 3)) / touched.sum((1, 2, 3)).clamp(min=1)
    error = error.mean((1, 2, 3)) + ON_THINGS * on_things
    about_shapes, right = reader(cells, shapes)
    return (error * (5 * (1 - signal)).clamp(max=1)).mean(), about_shapes, right


def timesteps(count):
    """[count] timesteps, one from each of `count` slices of a density that is high from 350 to 800. There it is decided
    what lies where: below, the plan can be seen, above, there is almost only noise and the loss is mostly chance."""
    u = (np.arange(count) + torch.rand(count).numpy()) / count
    return torch.from_numpy(np.interp(u, (0, 0.25, 0.85, 1), (0, 350, 800, STEPS))).long().clamp(0, STEPS - 1)


class Team:
    """One process for each worker, each training on its own examples; every few steps their weights are averaged
    ("local SGD", Stich 2018, https://arxiv.org/abs/1805.09767). Waits far less than threads that share one step."""

    def __init__(self, rank, size, meeting):
        self.rank, self.size = rank, size
        if size > 1:
            distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size)

    @torch.no_grad()
    def average(self, parameters, finished):
        """Averages the weights in place; true as soon as one worker has finished."""
        if self.size == 1:
            return finished
        flat = torch.cat([p.reshape(-1) for p in parameters] + [torch.tensor([float(finished)])])
        distributed.all_reduce(flat)
        flat, start = flat / self.size, 0
        for p in parameters:
            p.copy_(flat[start:start + p.numel()].reshape(p.shape))
            start += p.numel()
        return bool(flat[-1] > 0)


def gather_team(o, command):
    """Starts the other workers: the same command, with a rank. `o`: its options."""
    meeting = o.runs / "meeting"
    if o.workers > 1:
        torch.set_num_threads(1)
        if o.rank == 0:
            meeting.unlink(missing_ok=True)
            for rank in range(1, o.workers):
                subprocess.Popen([sys.executable, command, "denoiser", "--runs", str(o.runs), "--pictures", str(o.pictures),
                                  "--hours", str(o.hours), "--workers", str(o.workers), "--rank", str(rank)])
    return Team(o.rank, o.workers, meeting.resolve())


class Rounds:
    """What follows every few steps: the workers' weights are averaged, and the first worker reports and saves.

    module: what the moving `average` is of; checkpoint: saves; report: a sentence from the mean of what `seen` has; every: rounds
    between two reports."""

    SAVED_EVERY = 150      # seconds

    def __init__(self, team, module, parameters, average, time, steps, every, seen, report, checkpoint):
        self.team, self.module, self.parameters, self.average, self.time = team, module, parameters, average, time
        self.steps, self.every, self.seen, self.report, self.checkpoint = steps, every, seen, report, checkpoint
        self.saved = time.spent

    def end(self, step):
        """True when the time is up."""
        finished = self.team.average(self.parameters, self.time.progress >= 1)
        if self.team.rank:
            return finished
        self.average.update(self.module, step, self.steps)
        if step % (self.every * self.steps) == 0:
            told = self.report(np.mean(self.seen, 0))
            print(f"denoiser {step:6d}  {self.time.progress:5.1%}  {self.time.spent / 60:5.1f} min  {told}", flush=True)
            self.seen.clear()
        if finished or self.time.spent - self.saved > self.SAVED_EVERY:
            self.checkpoint()
            self.saved = self.time.spent
        return finished


def train(latents, others, shapes, scenes, tokenizer, text, path, hours, device, team, seed=2):
    """Trains the denoiser; continues from `path` if it exists.

    latents: float16 [n, 4, h, w]; others: the same things in other places; shapes: uint8 [n, 2h, 2w]. `text` is the trained text encoder,
    which does not change.
    """
    torch.manual_seed(seed)
    denoiser = Denoiser().to(device, memory_format=torch.channels_last)
    reader = ShapeReader(len(SHAPES)).to(device)
    parameters = [*denoiser.parameters(), *reader.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=PEAK, betas=(0.9, 0.99), weight_decay=0.01)
    average, state, step, spent = clock.Average(denoiser), clock.load(path), 0, 0.0
    if state:
        text.load_state_dict(state["text"])
        denoiser.load_state_dict(state["denoiser"])
        if "optimizer" in state:      # not in one that was made from the shipped files
            reader.load_state_dict(state["reader"])
            optimizer.load_state_dict(state["optimizer"])
        average.weights, step, spent = state["average"], state["step"], state["spent"]
    torch.manual_seed(seed + step + 1_000_003 * team.rank)
    rng = np.random.default_rng([seed, step, team.rank])
    count = np.array([len(scene.things) for scene in scenes])
    chances = (np.array(HOW_MANY) / np.bincount(count, minlength=len(HOW_MANY)))[count]
    signal_at, time, seen = alphas_cumprod().to(device), clock.Budget(hours, spent), []

    def checkpoint():
        clock.save(path, text=text.state_dict(), denoiser=denoiser.state_dict(), reader=reader.state_dict(),
                   optimizer=optimizer.state_dict(), average=average.weights, step=step, spent=time.spent)

    rounds = Rounds(team, denoiser, parameters, average, time, TOGETHER, 10, seen,
                    lambda mean: f"v {mean[0]:.4f}  shapes {mean[1]:.4f}, told right {mean[2]:.1%}", checkpoint)
    finished = False
    while not finished:
        clock.set_rate(optimizer, clock.learning_rate(time.progress, step, PEAK))
        picked = rng.choice(len(scenes), BATCH, p=chances)
        ids, _ = caption_batch(rng, [scenes[i] for i in picked], tokenizer, DROPPED)
        with torch.no_grad():
            hidden, _ = text(ids.to(device))
        timestep = timesteps(BATCH).to(device)
        clean, other = (of[torch.from_numpy(picked)].to(device).float().contiguous(memory_format=torch.channels_last)
                        for of in (latents, others))
        answers = torch.from_numpy(shapes[picked]).long().to(device)
        of_v, of_shapes, right = losses(denoiser, reader, clean, other, answers, hidden, timestep, signal_at[timestep])
        optimizer.zero_grad(set_to_none=True)
        (of_v + ASKED * of_shapes).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        seen.append([of_v.item(), of_shapes.item(), right])
        finished = step % TOGETHER == 0 and rounds.end(step)


def load_averaged(path, vocabulary, end):
    """(text encoder, denoiser) with the averaged weights of a checkpoint, ready to paint."""
    state = clock.load(path)
    text, denoiser = TextEncoder(vocabulary, end), Denoiser()
    text.load_state_dict(state["text"])
    denoiser.load_state_dict(state["average"])
    return text.eval(), denoiser.eval().to(memory_format=torch.channels_last)
