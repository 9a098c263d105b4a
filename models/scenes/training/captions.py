"""Says in words what a scene shows, in many ways: synonyms, articles, word order, more detail or less.

A caption is made anew each time a scene is used, so the model rarely reads the same words twice. What a caption leaves
out is left to chance in the image, and the model learns that too: "a tree" is mostly green, "a star" is anywhere.
"""
import re

from scenes import COLUMNS, PLAIN, ROWS

SHAPE_WORDS = {
    "circle": ("circle", "circle", "disc", "disk", "ball", "dot"), "square": ("square", "square", "box"),
    "triangle": ("triangle",), "star": ("star",), "heart": ("heart",), "diamond": ("diamond", "diamond", "rhombus"),
    "house": ("house", "house", "home", "cottage", "hut"), "tree": ("tree",),
    "boat": ("boat", "boat", "sailboat", "ship"), "moon": ("moon", "moon", "crescent moon", "crescent"),
    "sun": ("sun",), "cloud": ("cloud",), "fish": ("fish",), "flower": ("flower", "flower", "blossom", "daisy"),
    "mushroom": ("mushroom", "mushroom", "toadstool"),
}
COLOUR_WORDS = {
    "red": ("red", "red", "red", "scarlet", "crimson"), "orange": ("orange",),
    "yellow": ("yellow", "yellow", "yellow", "golden"), "green": ("green",), "blue": ("blue",),
    "purple": ("purple", "purple", "violet"), "pink": ("pink",), "brown": ("brown",), "white": ("white",),
    "black": ("black",), "gray": ("gray", "grey"), "turquoise": ("turquoise", "cyan", "teal"),
}
SIZE_WORDS = {"small": ("small", "small", "little", "tiny"), "medium": ("medium", "medium-sized"),
              "large": ("large", "large", "big", "huge")}
SIZE_SAID = {"small": 0.65, "medium": 0.2, "large": 0.75}

TIME_WORDS = {"day": ("by day", "during the day", "in daylight", "on a sunny day", "in the daytime"),
              "sunset": ("at sunset", "at sunset", "at dusk", "in the evening", "at sundown"),
              "night": ("at night", "at night", "by night", "in the night", "under the stars")}
LAND_WORDS = {"sky": ("in the sky", "in the open sky"),
              "hills": ("in the hills", "on the hills", "over the hills", "on a hill", "in front of hills", "with hills"),
              "sea": ("by the sea", "at sea", "over the sea", "on the sea", "on the ocean", "on the water"),
              "snow": ("in the snow", "on snow", "in a snowy field", "in a snowy landscape", "in winter")}
PLACE_WORDS = {("left", "middle"): ("on the left", "on the left side", "at the left", "to the left"),
               ("right", "middle"): ("on the right", "on the right side", "at the right", "to the right"),
               ("middle", "top"): ("at the top", "at the top", "in the upper part", "near the top"),
               ("middle", "bottom"): ("at the bottom", "at the bottom", "in the lower part", "near the bottom"),
               ("middle", "middle"): ("in the middle", "in the center", "in the centre", "in the middle")}
for _column in ("left", "right"):
    for _row, _other in (("top", "upper"), ("bottom", "lower")):
        PLACE_WORDS[_column, _row] = (f"in the {_row} {_column} corner", f"in the {_row} {_column}",
                                      f"at the {_row} {_column}", f"in the {_other} {_column} corner",
                                      f"in the {_other} {_column}")
OPENINGS = ("a picture of", "an image of", "a drawing of", "an illustration of", "a painting of", "there is")
NUMBERS = {2: "two", 3: "three"}
MARK = re.compile("⟦(\\d)⟧")


def _pick(rng, options):
    return options[int(rng.integers(len(options)))]


def _noun(rng, index, shape, plural=False):
    """A noun followed by a mark that says which thing it names; `caption` turns marks into positions."""
    word = _pick(rng, SHAPE_WORDS[shape])
    if plural and word != "fish":
        word += "es" if word.endswith(("x", "s")) else "s"
        word = "daisies" if word == "daisys" else word
    return f"{word}⟦{index}⟧"


def _adjectives(rng, thing, full):
    natural = {"tree": "green", "moon": "yellow", "sun": "yellow", "cloud": "white"}.get(thing.shape) == thing.colour
    words = []
    if rng.random() < SIZE_SAID[thing.size]:
        words.append(_pick(rng, SIZE_WORDS[thing.size]))
    if full or rng.random() < (0.5 if natural else 0.95):
        words.append(_pick(rng, COLOUR_WORDS[thing.colour]))
    return words


def _phrase(rng, index, thing, full=False):
    """"a small red house", "the red house", "red house", rarely "a house that is red"."""
    words = _adjectives(rng, thing, full)
    noun = _noun(rng, index, thing.shape)
    roll = rng.random()
    if words and roll < 0.04:
        return f"a {noun} that is {' and '.join(words)}"
    body = " ".join(words + [noun])
    if roll < 0.16:
        return body
    if roll < 0.24 or (thing.shape in ("moon", "sun") and roll < 0.6):
        return f"the {body}"
    return f"{'an' if body[0] in 'aeiou' else 'a'} {body}"


def _background(rng, background):
    """Words for the background; may be empty where the image says it anyway."""
    if background in PLAIN:
        colour = _pick(rng, COLOUR_WORDS[background][:3] if background in ("red", "yellow") else COLOUR_WORDS[background])
        return _pick(rng, (f"on a {colour} background", f"on a {colour} background", f"on {colour}",
                           f"against a {colour} background", f"on a plain {colour} background", f"{colour} background"))
    land, time = background.split()
    where, when = _pick(rng, LAND_WORDS[land]), _pick(rng, TIME_WORDS[time])
    if land == "sky":
        roll = rng.random()
        if time == "day":
            return where if roll < 0.4 else when if roll < 0.7 else f"{where} {when}"
        return when if roll < 0.75 else f"{where} {when}"
    if time == "day" and rng.random() < 0.75:
        return where
    return f"{where} {when}" if rng.random() < 0.8 else f"{when} {where}"


def _relation(rng, a, b, directions_only=False):
    """A true relation of a to b, or None."""
    options = []
    if b.y - a.y > 0.22:
        options += ["above", "above", "over"]
    if a.y - b.y > 0.22:
        options += ["below", "under", "beneath"]
    if b.x - a.x > 0.22:
        options += ["to the left of", "left of"]
    if a.x - b.x > 0.22:
        options += ["to the right of", "right of"]
    if abs(a.y - b.y) < 0.15 and not directions_only:
        options += ["next to", "beside"]
    return _pick(rng, options) if options else None


def _place(rng, thing):
    return _pick(rng, PLACE_WORDS[thing.place])


def _one(rng, i, thing, places):
    phrase = _phrase(rng, i, thing)
    roll = rng.random() * (1 if places == "any" else 0.68)
    if roll < 0.55:
        return f"{phrase} {_place(rng, thing)}"
    if roll < 0.68:
        return f"{_place(rng, thing)}{_pick(rng, (',', '', ' there is', ' is'))} {phrase}"
    return phrase


def _several(rng, named, places):
    things = [t for _, t in named]
    same = places == "any" and len(named) > 1 and len({(t.shape, t.colour) for t in things}) == 1
    if same and rng.random() < 0.8:
        words = _adjectives(rng, things[0], full=False)
        return " ".join([NUMBERS[len(named)], *words, _noun(rng, named[0][0], things[0].shape, plural=True)])
    phrases = [_phrase(rng, i, t) for i, t in named]
    roll = rng.random()
    if places == "said" or (places == "any" and (roll < 0.2 or (len(named) == 3 and roll < 0.5))):
        phrases = [f"{p} {_place(rng, t)}" for p, t in zip(phrases, things)]
    elif roll < 0.75 or places == "related":
        relation = _relation(rng, things[0], things[1], directions_only=places == "related")
        if relation:
            rest = f" and {phrases[2]}" if len(named) == 3 else ""
            return f"{phrases[0]} {relation} {phrases[1]}{rest}"
    if len(named) == 2:
        return f"{phrases[0]}{_pick(rng, (' and ', ' and ', ' with ', ', '))}{phrases[1]}"
    return f"{phrases[0]}, {phrases[1]}{_pick(rng, (' and ', ', and ', ', '))}{phrases[2]}"


def _tags(rng, named, background, places):
    """"red star, small, top left, night", as people who tag write it."""
    parts = []
    for i, thing in named:
        parts.append(" ".join(_adjectives(rng, thing, full=True) + [_noun(rng, i, thing.shape)]))
        if places != "any" or rng.random() < 0.5:
            parts.append(" ".join(w for w in (thing.place[1], thing.place[0]) if w != "middle") or "middle")
    if background in PLAIN:
        parts.append(f"{background} background")
    else:
        land, time = background.split()
        parts += [w for w in (land if land != "sky" else "", time) if w]
    return ", ".join(parts)


def marked_caption(rng, scene, places):
    named = [(i, t) for i, t in enumerate(scene.things) if i != scene.extra or rng.random() < 0.5]
    setting = _background(rng, scene.background) if rng.random() < 0.9 or not named else ""
    if not named:
        bare = setting.split(" ", 1)[1] if setting.startswith(("in ", "at ", "on ", "by ", "with ")) else setting
        return _pick(rng, (setting, bare))
    if rng.random() < 0.1:
        return _tags(rng, named, scene.background, places)
    body = _one(rng, *named[0], places) if len(named) == 1 else _several(rng, named, places)
    if rng.random() < 0.15:
        body = f"{_pick(rng, OPENINGS)} {body}"
    if not setting:
        return body
    if rng.random() < 0.12:
        return f"{setting}, {body}"
    return f"{body}{', ' if rng.random() < 0.15 else ' '}{setting}"


def caption(rng, scene, places="any"):
    """(text, nouns): nouns lists (thing's index, position in the text just after the noun that names it).

    `places` is what the text has to say about them: "said": the place of each thing that it names, "related": those or the direction
    from the first to the second of two things, "any": what chance decides."""
    marked = marked_caption(rng, scene, places)
    text, nouns, start = "", [], 0
    for match in MARK.finditer(marked):
        text += marked[start:match.start()]
        nouns.append((int(match.group(1)), len(text)))
        start = match.end()
    return text + marked[start:], nouns


# The plain sentences that evaluation asks for.

def test_prompt(rng, scene, placed=None):
    """(prompt, relation). Every attribute that is judged is named: colour, shape, place and background, and the size
    unless medium. `relation` is how the first of two things lies to the second, or None. `placed`: whether
    each thing's place is said; where it is None, that of one thing alone."""
    def phrase(t):
        size = "" if t.size == "medium" else f"{_pick(rng, SIZE_WORDS[t.size])} "
        return f"{size}{_pick(rng, COLOUR_WORDS[t.colour])} {_pick(rng, SHAPE_WORDS[t.shape])}"

    def article(words):
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"

    setting = _background(rng, scene.background)
    if scene.background not in PLAIN and "sky" not in scene.background:
        land, time = scene.background.split()
        setting = f"{_pick(rng, LAND_WORDS[land])} {_pick(rng, TIME_WORDS[time])}"
    elif scene.background == "sky day":
        setting = f"{_pick(rng, LAND_WORDS['sky'])} {_pick(rng, TIME_WORDS['day'])}"
    first = article(phrase(scene.things[0]))
    if len(scene.things) == 1:
        return f"{first} {setting}" if placed is False else f"{first} {_place(rng, scene.things[0])} {setting}", None
    second = article(phrase(scene.things[1]))
    if placed:
        return f"{first} {_place(rng, scene.things[0])} and {second} {_place(rng, scene.things[1])} {setting}", None
    relation = _relation(rng, *scene.things[:2])
    return f"{first} {relation or 'and'} {second} {setting}", relation
