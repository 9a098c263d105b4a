"""The world the model learns: simple things in named colours, sizes and places, on plain or painted backgrounds.

A `Scene` is pure data. `sample_scene` draws one at random, `draw` paints it. Both are functions of a seed, so the
whole data set is a function of one integer.

Images are made from signed distance functions: for every pixel, the distance to the outline of a shape, negative
inside. They give anti-aliased edges, soft shadows and rounded corners from the same number.
"""
import zlib
from dataclasses import dataclass, field, replace

import numpy as np

SIZE = 128

COLOURS = {
    "red": (218, 38, 42), "orange": (246, 138, 28), "yellow": (250, 216, 50), "green": (44, 150, 64),
    "blue": (42, 88, 218), "purple": (132, 56, 182), "pink": (250, 140, 186), "brown": (126, 76, 42),
    "white": (250, 250, 250), "black": (26, 26, 30), "gray": (140, 143, 150), "turquoise": (48, 200, 200),
}
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond", "house", "tree", "boat", "moon", "sun", "cloud",
          "fish", "flower", "mushroom")
NATURAL = {"tree": ("green",), "moon": ("yellow", "white"), "sun": ("yellow", "orange"), "cloud": ("white",),
           "heart": ("red",), "star": ("yellow",), "mushroom": ("red",)}

UPRIGHT = ("house", "tree", "boat", "mushroom", "cloud")

# Half the extent of a thing, as a fraction of the image's width.
SIZES = {"small": 0.115, "medium": 0.17, "large": 0.25}
# Three columns by three rows; a place is (column, row).
COLUMNS = {"left": 0.23, "middle": 0.5, "right": 0.77}
ROWS = {"top": 0.23, "middle": 0.5, "bottom": 0.77}
PLACES = tuple((c, r) for r in ROWS for c in COLUMNS)

PLAIN = ("white", "black", "gray", "red", "orange", "yellow", "green", "blue", "purple", "pink")
TIMES = ("day", "sunset", "night")
LANDS = ("sky", "hills", "sea", "snow")
BACKGROUNDS = PLAIN + tuple(f"{land} {time}" for time in TIMES for land in LANDS)

# Colours that would vanish into a background; no training image and no test prompt asks for them.
CLASHES = {"day": ("turquoise",), "sunset": ("orange", "pink"), "night": ("black",),
           "hills": (), "sea": ("blue", "turquoise"), "snow": ("white", "gray"), "sky": ()}


@dataclass(frozen=True)
class Thing:
    """One object. `x`, `y` are its centre and `r` its half extent, all as fractions of the image."""
    shape: str
    colour: str
    size: str
    place: tuple
    x: float
    y: float
    r: float
    flip: bool = False
    tilt: float = 0.0


@dataclass(frozen=True)
class Scene:
    background: str
    things: tuple = field(default_factory=tuple)
    extra: int = -1      # index of a thing that the caption may leave out, or -1
    seed: int = 0        # decides the details of the background


def clashes(colour, background):
    """Whether a thing of this colour would be hard to see on this background."""
    if background in PLAIN:
        return colour == background
    land, time = background.split()
    if background == "hills sunset" and colour == "brown":
        return True
    return colour in CLASHES[time] or colour in CLASHES[land]


def held_out(thing, background):
    """One combination of shape, colour, place and background in eight never appears in training."""
    key = f"{thing.shape}/{thing.colour}/{thing.place}/{background}"
    return zlib.crc32(key.encode()) % 8 == 0


# --- Choosing a scene -------------------------------------------------------------------------------------------------

def _pick(rng, options, p=None):
    return options[int(rng.choice(len(options), p=p))]


def sample_thing(rng, background, place, size, shape=None, colour=None):
    shape = shape or _pick(rng, SHAPES)
    if colour is None:
        if shape in NATURAL and rng.random() < 0.35:
            colour = _pick(rng, NATURAL[shape])
        if colour is None or clashes(colour, background):
            colour = _pick(rng, [c for c in COLOURS if not clashes(c, background)])
    r = SIZES[size] * rng.uniform(0.93, 1.07)
    x, y = (float(np.clip(centre + rng.uniform(-0.04, 0.04), r + 0.01, 0.99 - r))
            for centre in (COLUMNS[place[0]], ROWS[place[1]]))
    return Thing(shape, colour, size, place, x, y, float(r), bool(rng.random() < 0.5),
                 float(rng.uniform(-1, 1) * (0.03 if shape in UPRIGHT else 0.14)))


def apart(a, b):
    return np.hypot(a.x - b.x, a.y - b.y) > 1.12 * (a.r + b.r)


def _place_things(rng, background, count, sizes):
    """`count` things that do not touch, or None when this draw of sizes and places does not fit."""
    things = []
    twins = count > 1 and rng.random() < 0.12            # "two red stars"
    for _ in range(count):
        place = PLACES[rng.integers(9)]
        like = things[0] if twins and things else None
        thing = sample_thing(rng, background, place, like.size if like else _pick(rng, *sizes),
                             like.shape if like else None, like.colour if like else None)
        if any(t.place == place or not apart(t, thing) for t in things):
            return None
        if not twins and any((t.shape, t.colour) == (thing.shape, thing.colour) for t in things):
            return None
        things.append(thing)
    return things


def sample_scene(seed, count=None, test=False, extras=True):
    """The scene number `seed`. Training scenes avoid every held-out combination; test scenes have only such things
    (a scene with two things: at least one)."""
    rng = np.random.default_rng(seed)
    while True:
        background = _pick(rng, PLAIN) if rng.random() < 0.45 else _pick(rng, BACKGROUNDS[len(PLAIN):])
        n = count or _pick(rng, (0, 1, 2, 3), (0.03, 0.41, 0.42, 0.14))
        sizes = (("small", "medium", "large"), (0.3, 0.35, 0.35) if n < 2 else (0.42, 0.43, 0.15))
        things = _place_things(rng, background, n, sizes)
        if things is None:
            continue
        extra = -1
        if extras and n < 3 and background not in PLAIN and rng.random() < (0.3 if "night" in background else 0.12):
            things, extra = _add_sky_thing(rng, background, things)
        out = [held_out(t, background) for t in things]
        if test == any(out):
            order = rng.permutation(len(things))
            extra = int(np.where(order == extra)[0][0]) if extra >= 0 else -1
            return Scene(background, tuple(things[i] for i in order), extra, int(rng.integers(2 ** 31)))


def elsewhere(scene):
    """The same things on the same background in other places: an image that a caption without places fits as well."""
    rng = np.random.default_rng([scene.seed, 1])
    while True:
        things = []
        for i, old in enumerate(scene.things):
            place = PLACES[rng.integers(9)]
            new = old if i == scene.extra else sample_thing(rng, scene.background, place, old.size, old.shape, old.colour)
            if all(apart(t, new) for t in things) and not held_out(new, scene.background):
                things.append(new)
        if len(things) == len(scene.things):
            return replace(scene, things=tuple(things))


def _add_sky_thing(rng, background, things):
    """A moon at night, a sun or a cloud by day: what people leave unsaid, so that a negative prompt can remove it."""
    night = "night" in background
    shape = "moon" if night else _pick(rng, ("sun", "cloud"))
    place = (_pick(rng, tuple(COLUMNS)), "top")
    colour = _pick(rng, NATURAL[shape])
    if clashes(colour, background):
        colour = "yellow"
    thing = sample_thing(rng, background, place, _pick(rng, ("small", "medium")), shape, colour)
    fits = all(t.place != place and apart(t, thing) and t.shape != shape for t in things)
    return (things + [thing], len(things)) if fits else (things, -1)


# --- Signed distances, in units of a thing's half extent; y grows downwards -------------------------------------------

def disc(x, y, cx, cy, r):
    return np.hypot(x - cx, y - cy) - r


def box(x, y, cx, cy, hx, hy, corner=0.06):
    qx, qy = np.abs(x - cx) - hx + corner, np.abs(y - cy) - hy + corner
    return np.hypot(np.maximum(qx, 0), np.maximum(qy, 0)) + np.minimum(np.maximum(qx, qy), 0) - corner


def polygon(x, y, points, corner=0.04):
    """Distance to a closed polygon: nearest edge, with the sign from counting crossings."""
    best = np.full(x.shape, np.inf, np.float32)
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1]):
        ex, ey = bx - ax, by - ay
        px, py = x - ax, y - ay
        t = np.clip((px * ex + py * ey) / (ex * ex + ey * ey), 0, 1)
        best = np.minimum(best, (px - t * ex) ** 2 + (py - t * ey) ** 2)
        if ey:
            inside ^= ((ay > y) != (by > y)) & (px < ex * py / ey)
    return np.where(inside, -1, 1) * np.sqrt(best) - corner


def union(*distances):
    return np.minimum.reduce(distances)


def _star(points, outer, inner):
    angles = np.arange(2 * points) * np.pi / points - np.pi / 2
    radii = [outer, inner] * points
    return [(float(r * np.cos(a)), float(r * np.sin(a))) for r, a in zip(radii, angles)]


def _ring(count, radius, phase=-np.pi / 2):
    return [(radius * np.cos(phase + k * 2 * np.pi / count), radius * np.sin(phase + k * 2 * np.pi / count))
            for k in range(count)]


CREAM, BARK, STEM, INK = (255, 241, 205), (112, 72, 44), (70, 140, 60), (30, 30, 36)


def layers(shape, x, y):
    """The parts of a shape from back to front: (distance, paint). Paint is None for the thing's own colour, a factor
    that darkens or lightens it, or an RGB colour."""
    if shape == "circle":
        return [(disc(x, y, 0, 0, 0.88), None)]
    if shape == "square":
        return [(box(x, y, 0, 0, 0.8, 0.8), None)]
    if shape == "triangle":
        return [(polygon(x, y, [(0, -0.86), (0.92, 0.76), (-0.92, 0.76)]), None)]
    if shape == "star":
        return [(polygon(x, y, _star(5, 0.98, 0.42)), None)]
    if shape == "diamond":
        return [(polygon(x, y, [(0, -0.98), (0.66, 0), (0, 0.98), (-0.66, 0)], 0.02), None)]
    if shape == "heart":
        lobe, reach = 0.46, 0.41
        tip = polygon(x, y, [(-reach - lobe * 0.71, 0.02), (0, -0.3), (reach + lobe * 0.71, 0.02), (0, 0.88)], 0.02)
        return [(union(disc(x, y, -reach, -0.3, lobe), disc(x, y, reach, -0.3, lobe), tip), None)]
    if shape == "house":
        return [(box(x, y, 0, 0.42, 0.68, 0.46, 0.03), None),
                (polygon(x, y, [(-0.9, 0.02), (0, -0.84), (0.9, 0.02)], 0.04), 0.72),
                (box(x, y, 0.28, 0.58, 0.15, 0.3, 0.02), CREAM),
                (box(x, y, -0.28, 0.38, 0.17, 0.17, 0.02), CREAM)]
    if shape == "tree":
        crown = union(disc(x, y, 0, -0.48, 0.46), disc(x, y, -0.36, -0.08, 0.42), disc(x, y, 0.36, -0.08, 0.42))
        return [(box(x, y, 0, 0.6, 0.13, 0.38, 0.03), BARK), (crown, None)]
    if shape == "boat":
        return [(box(x, y, 0.02, -0.1, 0.045, 0.8, 0.02), BARK),
                (polygon(x, y, [(0.12, -0.82), (0.72, 0.2), (0.12, 0.2)], 0.02), CREAM),
                (polygon(x, y, [(-0.08, -0.68), (-0.08, 0.2), (-0.62, 0.2)], 0.02), None),
                (polygon(x, y, [(-0.92, 0.36), (0.92, 0.36), (0.6, 0.84), (-0.6, 0.84)], 0.04), None)]
    if shape == "moon":
        return [(np.maximum(disc(x, y, 0, 0, 0.9), -disc(x, y, 0.42, -0.16, 0.72)), None)]
    if shape == "sun":
        rays = [polygon(x, y, [(1.0 * np.cos(a), 1.0 * np.sin(a)),
                               (0.6 * np.cos(a + 0.2), 0.6 * np.sin(a + 0.2)),
                               (0.6 * np.cos(a - 0.2), 0.6 * np.sin(a - 0.2))], 0.0)
                for a in np.arange(8) * np.pi / 4]
        return [(union(*rays), None), (disc(x, y, 0, 0, 0.52), None)]
    if shape == "cloud":
        return [(union(disc(x, y, -0.5, 0.18, 0.36), disc(x, y, -0.1, -0.14, 0.46), disc(x, y, 0.42, 0.08, 0.4),
                       box(x, y, 0, 0.34, 0.8, 0.22, 0.2)), None)]
    if shape == "fish":
        body = np.hypot((x + 0.16) / 0.76, y / 0.5) - 1
        return [(polygon(x, y, [(0.42, 0), (0.92, -0.46), (0.92, 0.46)], 0.05), 0.8),
                (body * 0.56, None),
                (disc(x, y, -0.54, -0.12, 0.13), (255, 255, 255)), (disc(x, y, -0.56, -0.12, 0.07), INK)]
    if shape == "flower":
        petals = union(*[disc(x, y, cx, cy - 0.28, 0.29) for cx, cy in _ring(6, 0.42)])
        return [(box(x, y, 0, 0.6, 0.06, 0.4, 0.03), STEM), (disc(x, y, 0.2, 0.72, 0.14), STEM),
                (petals, None), (disc(x, y, 0, -0.28, 0.24), "heart of flower")]
    if shape == "mushroom":
        cap = np.maximum(np.hypot(x / 0.94, (y - 0.06) / 0.86) - 1, (y - 0.08))
        return [(box(x, y, 0, 0.44, 0.26, 0.46, 0.12), CREAM), (cap * 0.8, None),
                *[(disc(x, y, cx, cy, s), "spot") for cx, cy, s in
                  ((-0.42, -0.2, 0.13), (0.06, -0.46, 0.15), (0.46, -0.14, 0.12))]]
    raise ValueError(shape)


def _paint_of(paint, colour):
    rgb = np.asarray(COLOURS[colour], np.float32)
    if paint is None:
        return rgb
    if paint == "heart of flower":
        return np.asarray(COLOURS["orange" if colour == "yellow" else "yellow"], np.float32)
    if paint == "spot":
        return np.asarray(COLOURS["gray"] if colour == "white" else CREAM, np.float32)
    if isinstance(paint, float):
        return rgb * paint
    return np.asarray(paint, np.float32)


def window(thing, h, w):
    """(the part of an image of h x w pixels that a thing and its shadow reach, px, py, x, y): px and py are the part's
    pixels as offsets from the thing's centre in half extents, x and y the same after its tilt and flip."""
    r = thing.r * w
    x0, x1 = int(max(0, thing.x * w - 1.3 * r)), int(min(w, thing.x * w + 1.3 * r + 2))
    y0, y1 = int(max(0, thing.y * h - 1.3 * r)), int(min(h, thing.y * h + 1.3 * r + 2))
    px = (np.arange(x0, x1, dtype=np.float32)[None, :] + 0.5 - thing.x * w) / r
    py = (np.arange(y0, y1, dtype=np.float32)[:, None] + 0.5 - thing.y * h) / r
    c, s = np.cos(thing.tilt), np.sin(thing.tilt)
    x, y = c * px + s * py, c * py - s * px
    if thing.flip and thing.shape in ("fish", "boat", "moon", "house"):
        x = -x
    return np.s_[y0:y1, x0:x1], px, py, x, y


def shape_map(scene, size):
    """uint8 [size, size]: what covers the centre of each cell, 0 for the background, 1 + its place in SHAPES for a thing."""
    cells = np.zeros((size, size), np.uint8)
    for thing in scene.things:
        part, _, _, x, y = window(thing, size, size)
        cells[part][union(*[d for d, _ in layers(thing.shape, x, y)]) < 0] = 1 + SHAPES.index(thing.shape)
    return cells


def paint_thing(canvas, thing):
    """Paints a thing with a soft shadow and light from the upper left. canvas: float32 [h, w, 3], changed in place."""
    h, w = canvas.shape[:2]
    r = thing.r * w
    part, px, py, x, y = window(thing, h, w)
    parts = layers(thing.shape, x, y)
    view = canvas[part]
    # The shadow is the silhouette's own distance field moved by a few pixels and faded over a wide band.
    silhouette = union(*[d for d, _ in parts])
    shift = max(1, int(round(0.05 * w / 2.2)))
    shadow = np.pad(silhouette, ((shift, 0), (shift // 2, 0)), constant_values=9.0)[:silhouette.shape[0],
                                                                                   :silhouette.shape[1]]
    view *= 1 - 0.20 * np.clip(0.6 - shadow * r / 7, 0, 1)[..., None]
    light = (1.06 - 0.13 * np.clip((px + 2 * py) / 3 + 0.5, 0, 1))[..., None]
    for distance, paint in parts:
        alpha = np.clip(0.5 - distance * r, 0, 1)[..., None]
        view += alpha * (_paint_of(paint, thing.colour) * light - view)


# --- Backgrounds ------------------------------------------------------------------------------------------------------

SKY = {"day": ((96, 172, 236), (196, 228, 250)), "sunset": ((206, 92, 122), (255, 188, 104)),
       "night": ((12, 14, 44), (38, 42, 92))}
GROUND = {("hills", "day"): ((150, 200, 96), (118, 182, 84)), ("hills", "sunset"): ((150, 110, 66), (116, 88, 58)),
          ("hills", "night"): ((34, 62, 52), (24, 48, 42)),
          ("sea", "day"): ((52, 134, 176), (28, 104, 152)), ("sea", "sunset"): ((170, 92, 112), (112, 66, 104)),
          ("sea", "night"): ((22, 54, 92), (14, 36, 66)),
          ("snow", "day"): ((244, 248, 252), (222, 232, 244)), ("snow", "sunset"): ((250, 222, 214), (232, 190, 192)),
          ("snow", "night"): ((150, 164, 196), (116, 130, 168))}


def _blend(top, bottom, t):
    return np.asarray(top, np.float32) + (np.asarray(bottom, np.float32) - np.asarray(top, np.float32)) * t[..., None]


def paint_background(background, rng, size=SIZE):
    """float32 [size, size, 3], values 0..255."""
    v, u = np.meshgrid((np.arange(size, dtype=np.float32) + 0.5) / size, (np.arange(size, dtype=np.float32) + 0.5) / size,
                       indexing="ij")
    if background in PLAIN:
        rgb = np.asarray(COLOURS[background], np.float32) * 0.94 + 8
        vignette = 1.03 - 0.12 * ((u - 0.5) ** 2 + (v - 0.45) ** 2) / 0.5
        return rgb * vignette[..., None]
    land, time = background.split()
    canvas = _blend(*SKY[time], v if land == "sky" else np.clip(v / 0.66, 0, 1))
    if time == "night":
        _paint_stars(canvas, rng)
    if land == "sky":
        return canvas
    top, bottom = GROUND[land, time]
    horizon = 0.64 + rng.uniform(-0.02, 0.02)
    if land == "sea":
        _cover(canvas, v - horizon, _blend(top, bottom, np.clip((v - horizon) / 0.36, 0, 1)), size)
        ripple = np.sin(2 * np.pi * (v * 15 + 0.05 * np.sin(2 * np.pi * (u * 3 + rng.random()))))
        canvas *= 1 + 0.045 * (np.clip(ripple, 0, 1) * (v > horizon + 0.03))[..., None]
        return canvas
    for k, (rise, swell) in enumerate(((0.0, 0.055), (0.13, 0.05)) if land == "hills" else ((0.02, 0.025),)):
        ridge = horizon + rise + swell * np.sin(2 * np.pi * (u * rng.uniform(0.9, 1.4) + rng.random()))
        shade = _blend(top, bottom, np.clip((v - ridge) / 0.4, 0, 1)) * (1 - 0.10 * k)
        _cover(canvas, v - ridge, shade, size)
    return canvas


def _cover(canvas, distance, paint, size):
    canvas += np.clip(0.5 + distance * size, 0, 1)[..., None] * (paint - canvas)


def _paint_stars(canvas, rng):
    size = canvas.shape[0]
    for _ in range(rng.integers(7, 12)):
        cx, cy, r = rng.uniform(3, size - 3), rng.uniform(3, size * 0.6), rng.uniform(1.0, 1.6) * size / 128
        x0, y0 = int(cx) - 3, int(cy) - 3
        y, x = np.mgrid[y0:y0 + 7, x0:x0 + 7]
        alpha = np.clip(r + 0.5 - np.hypot(x + 0.5 - cx, y + 0.5 - cy), 0, 1)[..., None] * 0.8
        view = canvas[max(y0, 0):y0 + 7, max(x0, 0):x0 + 7]
        alpha = alpha[-view.shape[0] if y0 < 0 else 0:, -view.shape[1] if x0 < 0 else 0:][:view.shape[0], :view.shape[1]]
        view += alpha * (np.float32(245) - view)


def draw(scene, size=SIZE):
    """uint8 [size, size, 3]."""
    canvas = paint_background(scene.background, np.random.default_rng(scene.seed), size)
    for thing in scene.things:
        paint_thing(canvas, thing)
    return np.clip(canvas + 0.5, 0, 255).astype(np.uint8)


def draw_many(seeds, size=SIZE, **options):
    """(scenes, images): images are uint8 [n, size, size, 3]."""
    found = [sample_scene(s, **options) for s in seeds]
    return found, np.stack([draw(s, size) for s in found])
