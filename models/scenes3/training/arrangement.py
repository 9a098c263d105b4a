"""Where things stand whose places a caption does not say.

If they stood anywhere, an image would have to choose among many places while it is still almost noise. A small model does not choose:
it paints the thing in two of them. So they stand where one expects them: one thing in the middle, two side by side, the first on the
left, three in a triangle. In all other arrangements captions say the places, or how two things lie to each other.
"""
from dataclasses import replace

import numpy as np

import paths  # noqa: F401  (makes the next line's module importable)
from scenes import apart, held_out, sample_scene, sample_thing

LEFT, MIDDLE, RIGHT = (("left", "middle"), ("middle", "middle"), ("right", "middle"))
TOP, BOTTOM = ("middle", "top"), ("middle", "bottom")
TOP_LEFT, TOP_RIGHT, BOTTOM_RIGHT = ("left", "top"), ("right", "top"), ("right", "bottom")

# By the number of things: where they stand if a caption says nothing. Two large ones have no room side by side.
EXPECTED = ((), (MIDDLE,), (LEFT, RIGHT), (TOP_LEFT, TOP_RIGHT, BOTTOM))
TWO_LARGE = (TOP_LEFT, BOTTOM_RIGHT)
# Of two things, where a caption says the direction.
RELATED = ((RIGHT, LEFT), (TOP, BOTTOM), (BOTTOM, TOP))
# Where a thing stands that a caption may leave out, by the number of the others.
EXTRA = (TOP_RIGHT, TOP_RIGHT, TOP)
TRIES = 4


def arranged(scene):
    """(the same things on the same background as expected, "any"), or in a direction from one to the other ("related"). Where they have
    no room, or would be a combination that is held out, the scene itself ("said"). The word tells captions what to say of the places."""
    rng = np.random.default_rng([scene.seed, 2])
    others = len(scene.things) - (scene.extra >= 0)
    places, told = EXPECTED[others], "any"
    if others == 2 and scene.extra < 0 and rng.random() < 0.5:
        places, told = RELATED[rng.integers(len(RELATED))], "related"
    elif others == 2 and all(thing.size == "large" for thing in scene.things):
        places = TWO_LARGE
    if scene.extra >= 0:
        places = (*places[:scene.extra], EXTRA[others], *places[scene.extra:])
    for _ in range(TRIES):
        moved = [sample_thing(rng, scene.background, place, thing.size, thing.shape, thing.colour)
                 for place, thing in zip(places, scene.things)]
        fits = all(apart(a, b) for i, a in enumerate(moved) for b in moved[:i])
        if fits and not any(held_out(thing, scene.background) for thing in moved):
            return replace(scene, things=tuple(moved)), told
    return scene, "said"


def arranged_scene(number):
    """Training scene `number` of `scenes`, arranged."""
    return arranged(sample_scene(number))[0]
