"""Judges images by their pixels: which colour is where, how large, what shape, and on which background.

Nothing here looks at the prompt's words or at the model. The rules are checked against drawn images, whose answers
are known, and their error on those is reported next to every figure.
"""
import numpy as np
import torch
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from scenes import BACKGROUNDS, COLOURS, SHAPES, SIZES, SIZE, draw, paint_background, sample_scene

CROP = 32
NAMES = tuple(COLOURS)
PALETTE = np.array([COLOURS[c] for c in NAMES], np.float32)


def chroma_distance(pixels, colour):
    """How far pixels [..., 3] are from a colour, after the best change of brightness within shading's range."""
    light = np.clip((pixels * colour).sum(-1) / (colour * colour).sum(), 0.68, 1.12)[..., None]
    return np.sqrt(((pixels - light * colour) ** 2).sum(-1))


def colour_mask(image, name, background, reach=46):
    """Pixels that look like a named colour, more than like any other, and unlike the background around them."""
    pixels = image.astype(np.float32)
    distances = np.stack([chroma_distance(pixels, c) for c in PALETTE])
    own = distances[NAMES.index(name)]
    return (own < reach) & (own <= distances.min(0) + 1e-3) & (np.abs(pixels - background).sum(-1) > 40)


def largest_part(mask):
    """The largest connected part of a mask, gaps of a pixel or two closed; None when there is hardly any."""
    joined = ndimage.binary_dilation(mask, iterations=2)
    labels, count = ndimage.label(joined)
    if not count:
        return None
    areas = ndimage.sum(mask, labels, range(1, count + 1))
    best = int(np.argmax(areas))
    return (labels == best + 1) & mask if areas[best] >= 40 else None


def parts_of(mask):
    """How many separate parts a mask has. Parts that are nearer than eight pixels are one (a boat's hull and sail), and small ones beside a
    large one don't count (a spot, a stem)."""
    labels, count = ndimage.label(ndimage.binary_dilation(mask, iterations=4))
    areas = ndimage.sum(mask, labels, range(1, count + 1)) if count else np.zeros(1)
    return int((areas >= max(40, 0.4 * areas.max())).sum())


class Profiles:
    """The mean colour of each of 16 rows bands of every background, seen in drawings without things."""

    BANDS = 16

    def __init__(self, samples=24):
        rng = np.random.default_rng(11)
        self.known = np.stack([np.mean([self.of(np.clip(paint_background(b, rng), 0, 255)) for _ in range(samples)], 0)
                               for b in BACKGROUNDS])
        self.images = {b: np.median([np.clip(paint_background(b, rng), 0, 255) for _ in range(9)], 0)
                         for b in BACKGROUNDS}

    def of(self, image):
        """[16, 3]: the median colour of each band of rows, over its outer columns and inner ones alike."""
        return np.median(image.reshape(self.BANDS, -1, 3), axis=1)

    def name(self, image):
        """The background whose profile is nearest; bands that a large thing covers count little (L1)."""
        return BACKGROUNDS[int(np.abs(self.known - self.of(image.astype(np.float32))).clip(0, 90).sum((1, 2)).argmin())]


def bounds(mask):
    ys, xs = np.where(mask)
    return ys.min(), ys.max() + 1, xs.min(), xs.max() + 1


def crop(image, part):
    """float [4, CROP, CROP]: the image and the part's mask, around the part with a margin, made square."""
    y0, y1, x0, x1 = bounds(part)
    half = 0.72 * max(y1 - y0, x1 - x0) + 2
    cy, cx = (y0 + y1) / 2, (x0 + x1) / 2
    where = (np.arange(CROP) + 0.5) / CROP * 2 - 1
    ys = np.clip(cy + half * where, 0, SIZE - 1).astype(int)
    xs = np.clip(cx + half * where, 0, SIZE - 1).astype(int)
    rgb = image[ys][:, xs].astype(np.float32) / 127.5 - 1
    return np.concatenate([rgb, part[ys][:, xs][..., None].astype(np.float32)], -1).transpose(2, 0, 1)


class ShapeNet(nn.Module):
    """[b, 4, 32, 32] to scores [b, shapes]."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(4, 24, 3, 2, 1), nn.BatchNorm2d(24), nn.ReLU(), nn.Conv2d(24, 48, 3, 2, 1), nn.BatchNorm2d(48),
            nn.ReLU(), nn.Conv2d(48, 64, 3, 2, 1), nn.BatchNorm2d(64), nn.ReLU(), nn.Flatten(),
            nn.Linear(64 * 16, 96), nn.ReLU(), nn.Dropout(0.2), nn.Linear(96, len(SHAPES)))

    def forward(self, x):
        return self.body(x)


class Judge:
    def __init__(self):
        self.profiles = Profiles()
        self.shapes = ShapeNet()

    def find(self, image, colour, background):
        """The thing of a colour: its largest connected part, or None."""
        return largest_part(colour_mask(image, colour, self.profiles.images[background]))

    def as_many(self, image, scene):
        """Whether each colour that a scene's things have is there in exactly as many separate parts as things have it."""
        colours = [t.colour for t in scene.things]
        behind = self.profiles.images[scene.background]
        return all(parts_of(colour_mask(image, c, behind)) == colours.count(c) for c in set(colours))

    def learn_shapes(self, path, through, count=9000, tested=1500, epochs=6):
        """Trains the shape classifier on drawn images, half of them passed `through` the autoencoder so that its
        softness is no surprise, and returns its accuracy on drawings it has not seen. Kept in `path`."""
        if path.exists():
            state = torch.load(path)
            self.shapes.load_state_dict(state["shapes"])
            self.shapes.eval()
            return state["accuracy"]
        torch.manual_seed(5)
        x, y = self._crops(count + tested, through)
        optimizer = torch.optim.AdamW(self.shapes.parameters(), 2e-3, weight_decay=1e-2)
        for epoch in range(epochs):
            for group in optimizer.param_groups:
                group["lr"] = 2e-3 * (1 - epoch / epochs)
            for picked in torch.randperm(count).split(64):
                dy, dx = torch.randint(-1, 2, (2,)).tolist()
                loss = F.cross_entropy(self.shapes(torch.roll(x[picked], (dy, dx), (2, 3))), y[picked],
                                       label_smoothing=0.05)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        self.shapes.eval()
        with torch.no_grad():
            accuracy = (self.shapes(x[count:]).argmax(1) == y[count:]).float().mean().item()
        torch.save({"shapes": self.shapes.state_dict(), "accuracy": accuracy}, path)
        return accuracy

    def _crops(self, wanted, through):
        """(crops [wanted, 4, CROP, CROP], shapes [wanted]) from scenes far from the training set's; the last ones are
        drawings as they are."""
        xs, ys, seed, blocks = [], [], 50_000_000, 0
        while len(xs) < wanted:
            scenes = [s for s in (sample_scene(seed + i, extras=False) for i in range(100)) if s.things]
            images = np.stack([draw(s) for s in scenes])
            if blocks % 2 and len(xs) < 0.85 * wanted:
                images = through(images)
            seed, blocks = seed + 100, blocks + 1
            for scene, image in zip(scenes, images):
                for thing in scene.things[:2]:
                    part = self.find(image, thing.colour, scene.background)
                    if part is not None and sum(t.colour == thing.colour for t in scene.things) == 1:
                        xs.append(crop(image, part))
                        ys.append(SHAPES.index(thing.shape))
        return torch.from_numpy(np.stack(xs[:wanted])).float(), torch.tensor(ys[:wanted])

    @torch.no_grad()
    def shape(self, image, part):
        return SHAPES[int(self.shapes(torch.from_numpy(crop(image, part))[None].float()).argmax())]


def place_is(part, place):
    """Whether a part's centre lies in the named third of the image; thirds overlap by the jitter of the drawings."""
    y0, y1, x0, x1 = bounds(part)
    ranges = {"left": (0, 0.41), "top": (0, 0.41), "middle": (0.36, 0.64), "right": (0.59, 1), "bottom": (0.59, 1)}
    (left, right), (top, bottom) = ranges[place[0]], ranges[place[1]]
    return left <= (x0 + x1) / 2 / SIZE <= right and top <= (y0 + y1) / 2 / SIZE <= bottom


# How far the coloured part of a shape reaches, in units of its half extent; 0.9 where not listed. A tree's trunk and a
# flower's stem have their own colour, so less of the shape is seen.
REACH = {"tree": 0.8, "flower": 0.71, "mushroom": 0.94, "fish": 0.92, "star": 0.95, "sun": 0.98, "boat": 0.92}


def size_is(part, shape, size):
    """Whether a part's half extent is nearest (as a ratio) to the named size's."""
    y0, y1, x0, x1 = bounds(part)
    extent = max(y1 - y0, x1 - x0) / 2 / SIZE / REACH.get(shape, 0.9)
    return size == min(SIZES, key=lambda name: abs(np.log(extent / SIZES[name])))
