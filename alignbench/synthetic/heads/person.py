"""Who a head is, what its face does, and how it is seen: all of it drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alignbench.arrays import Floats
from alignbench.markups import WFLW98
from alignbench.synthetic.heads.anatomy import AGES, ANCESTRIES, BUILDS, SEXES, Anatomy
from alignbench.synthetic.parameters import Colour, Random, View

_SPREAD = 0.17
"""Standard deviation of a shape's amount; 0.35 would be a caricature."""
_USUAL = {
    "eyebrows/eyebrows-trans-up": 0.11,
    "eyes/l-eye-corner1-up": -0.35, "eyes/l-eye-corner2-up": 0.13, "eyes/l-eye-trans-up": -0.17,
    "eyes/l-eye-trans-out": -0.08, "eyes/l-eye-push1-out": -0.16, "eyes/l-eye-scale-incr": -0.12,
    "mouth/mouth-trans-up": 0.34, "mouth/mouth-upperlip-width-incr": -0.22,
    "mouth/mouth-lowerlip-height-incr": -0.04, "mouth/mouth-cupidsbow-width-incr": -0.15,
    "head/head-scale-horiz-incr": 0.09, "head/head-scale-vert-incr": 0.07,
    "head/head-angle-out": 0.16, "chin/chin-height-incr": 0.11, "chin/chin-width-incr": -0.18,
    "chin/chin-jaw-drop-incr": -0.17, "nose/nose-trans-up": 0.02, "nose/nose-scale-vert-incr": 0.02,
    "nose/nose-scale-horiz-incr": -0.1, "nose/nose-width3-incr": -0.1,
}  # fmt: skip
"""Mean amounts that bring the mean of near-frontal heads to that of WFLW's annotations, found by
least squares."""
_ENDS = (
    ("decr", "incr"), ("down", "up"), ("in", "out"), ("backward", "forward"),
    ("concave", "convex"), ("compress", "uncompress"),
)  # fmt: skip
"""Endings of pairs of targets that are opposite ends of one shape."""
_OUTLINES = (
    "head/head-oval", "head/head-round", "head/head-square", "head/head-rectangular",
    "head/head-triangular", "head/head-invertedtriangular", "head/head-diamond",
)  # fmt: skip
_ANCESTRY = (0.22, 0.33, 0.5)
"""Parameters of the Dirichlet distribution of ancestries: African, Asian, Caucasian. The result is
about as in WFLW."""
_EYE_DISTANCE = 0.89
"""How far apart the eyes are after a head was shaped; their middle is the origin."""


@dataclass(frozen=True)
class Person:
    """A person: amounts of targets, and what is painted.

    ``age`` is from 0.2 (a child) over 0.5 (an adult) to 1; ``male`` and ``dark`` from 0 to 1;
    ``skin``, ``hair`` and ``iris`` are colours from 0 to 255.
    """

    shape: dict[str, float]
    age: float
    male: float
    dark: float
    skin: Colour
    hair: Colour
    iris: Colour


def draw_person(rng: Random, anatomy: Anatomy) -> Person:
    """A person drawn at random."""
    ancestry = rng.dirichlet(_ANCESTRY)
    male = float(rng.beta(0.4, 0.4))
    age = float(np.clip(rng.triangular(0.15, 0.5, 1.02), 0.2, 1.0))
    shape = _macro(rng, ancestry, male, age) | _details(rng, anatomy)
    dark = float(np.clip(ancestry @ (0.85, 0.35, 0.18) + rng.normal(0, 0.13), 0, 1))
    return Person(shape, age, male, dark, *_colours(rng, dark, age))


def _macro(rng: Random, ancestry: Floats, male: float, age: float) -> dict[str, float]:
    """Amounts of the targets of ancestry and of build, by sex and age; each kind has the sum 1."""
    anchors = np.array(list(AGES.values()))
    of_age = [float(np.interp(age, anchors, np.eye(len(anchors))[k])) for k in range(len(anchors))]
    heavy = float(np.clip(rng.normal(0.5, 0.22), 0, 1))
    of_build = [max(0.0, 1 - 2 * heavy), 1 - abs(2 * heavy - 1), max(0.0, 2 * heavy - 1)]
    amounts = {}
    for sex, by_sex in zip(SEXES, (1 - male, male), strict=True):
        for name, by_age in zip(AGES, of_age, strict=True):
            share = by_sex * by_age
            for kind, by_kind in zip(ANCESTRIES, ancestry, strict=True):
                amounts[f"{kind}-{sex}-{name}"] = float(share * by_kind)
            for build, by_build in zip(BUILDS, of_build, strict=True):
                amounts[f"universal-{sex}-{name}-averagemuscle-{build}"] = share * by_build
    return {name: amount for name, amount in amounts.items() if amount}


def _details(rng: Random, anatomy: Anatomy) -> dict[str, float]:
    """Amounts of the shapes of nose, eyes and the rest, and of differences between two sides."""
    amounts: dict[str, float] = {}
    common: dict[str, float] = {}
    for low, high in pairs(anatomy):
        base = high.replace("/r-", "/l-")
        if base not in common:
            amount = rng.normal(_USUAL.get(base, 0.0), _SPREAD)
            common[base] = float(np.clip(amount, -0.6, 0.6))
        amount = common[base] + (
            float(rng.normal(0, 0.03)) if "/l-" in high or "/r-" in high else 0
        )
        amounts[low if amount < 0 else high] = abs(amount)
    for outline in rng.choice(_OUTLINES, 2, replace=False):
        amounts[str(outline)] = float(rng.uniform(0, 0.2))
    sides = sorted(n[:-2] for n in anatomy.names if n.startswith("asym/") and n.endswith("-l"))
    for side, amount in zip(sides, rng.normal(0, 0.06, len(sides)), strict=True):
        amounts[f"{side}-{'l' if amount < 0 else 'r'}"] = float(min(abs(amount), 0.2))
    return amounts


def pairs(anatomy: Anatomy) -> list[tuple[str, str]]:
    """Targets that are two ends of one thing: decreasing, increasing."""
    found = []
    for low in anatomy.names:
        for one, other in _ENDS:
            high = f"{low.removesuffix(one)}{other}"
            if low.endswith(f"-{one}") and high in anatomy.names and not low.startswith("asym/"):
                found.append((low, high))
    return found


_SKINS = np.array(
    [
        [244.0, 206, 186],
        [232.0, 186, 158],
        [206.0, 152, 118],
        [160.0, 108, 78],
        [112.0, 72, 52],
        [70.0, 45, 35],
    ],
    np.float64,
)
_HAIRS = np.array(
    [
        [24.0, 19, 17],
        [46.0, 32, 25],
        [84.0, 56, 38],
        [132.0, 92, 58],
        [190.0, 150, 98],
        [120.0, 52, 30],
    ],
    np.float64,
)
_IRISES = np.array(
    [[46.0, 28, 18], [84.0, 54, 30], [98.0, 92, 58], [96.0, 122, 138], [110.0, 130, 120]]
)


def _colours(rng: Random, dark: float, age: float) -> tuple[Colour, Colour, Colour]:
    """Colours of skin, hair and iris."""
    at = dark * (len(_SKINS) - 1)
    skin = [np.interp(at, np.arange(len(_SKINS)), _SKINS[:, k]) for k in range(3)]
    skin = np.array(skin) * np.exp(rng.normal(0, 0.03)) + rng.normal(0, (3.0, 3, 5), 3)
    light = rng.beta(0.8, 1.2) * (1 - 0.85 * min(1.0, 1.6 * dark))
    hair = _pick(_HAIRS, light * len(_HAIRS) + rng.normal(0, 0.5)) * rng.uniform(0.75, 1.25)
    grey = np.clip((age - 0.55) * 2.2 + rng.normal(0, 0.35), 0, 1) if age > 0.5 else 0.0
    hair = hair * (1 - grey) + rng.uniform(120, 225) * np.array([1, 0.99, 0.97]) * grey
    if rng.random() < 0.03:
        hair = rng.uniform(20, 230, 3)
    pale = rng.beta(0.7, 0.9) * (1 - min(1.0, 1.5 * dark))
    iris = _pick(_IRISES, pale * len(_IRISES)) * rng.uniform(0.8, 1.25)
    return _colour(skin), _colour(hair), _colour(iris)


def _pick(colours: Floats, at: float) -> Floats:
    """The colour (3,) at a place of a table (K, 3), the first or last one beyond its ends."""
    return np.asarray(colours[int(np.clip(at, 0, len(colours) - 1))])


def _colour(values: Floats) -> Colour:
    red, green, blue = np.clip(values, 6, 250)
    return float(red), float(green), float(blue)


@dataclass(frozen=True)
class Face:
    """What a face does: amounts of ARKit's units; the lids are ``open`` (left, right) from 0 to 1.

    ``open`` beyond 1 widens an eye.
    """

    units: dict[str, float]
    open: tuple[float, float]


_BOTH = ("Left", "Right")
"""Names of the units are the person's own left and right."""


def draw_face(rng: Random) -> Face:
    """An expression drawn at random: many are mild, some strong."""
    units: dict[str, float] = {}

    def add(name: str, amount: float, skew: float = 0.06) -> None:
        names = [f"{name}{side}" for side in _BOTH] if name in _TWINS else [name]
        for one in names:
            more = amount + (rng.normal(0, skew) if len(names) > 1 else 0)
            units[one] = float(np.clip(units.get(one, 0.0) + more, 0, 1))

    kind = rng.choice(
        ["rest", "smile", "laugh", "talk", "shout", "angry", "sad", "surprised", "kiss", "mix"],
        p=[0.19, 0.25, 0.19, 0.11, 0.06, 0.04, 0.04, 0.04, 0.02, 0.06],
    )
    strength = float(rng.uniform(0.3, 1.0))
    lids = float(np.clip(rng.normal(0.92, 0.13), 0.35, 1.3))
    if kind in ("smile", "laugh"):
        add("mouthSmile", 0.75 * strength)
        add("cheekSquint", 0.6 * strength)
        add("mouthUpperUp", 0.5 * rng.uniform(0, 1) * strength)
        add("mouthLowerDown", 0.5 * rng.uniform(0, 1) * strength)
        add("mouthStretch", 0.3 * rng.uniform(0, 1))
        if rng.random() < 0.6:  # teeth are seen in most smiles of photographs
            add("mouthUpperUp", rng.uniform(0.2, 0.7) * strength)
            add("mouthLowerDown", rng.uniform(0.1, 0.5) * strength)
            add("jawOpen", rng.uniform(0.03, 0.18) * strength)
        lids -= 0.3 * strength * rng.uniform(0, 1)
    if kind in ("laugh", "talk"):
        add("jawOpen", (0.5 if kind == "laugh" else 0.35) * rng.uniform(0.1, 1))
    if kind == "talk":
        add("mouthFunnel", 0.5 * rng.uniform(0, 1))
        add("mouthLowerDown", 0.5 * rng.uniform(0, 1))
    if kind in ("shout", "surprised"):
        add("jawOpen", rng.uniform(0.45, 1.0))
    if kind == "shout":
        add("mouthStretch", 0.7 * rng.uniform(0, 1))
        add("mouthUpperUp", 0.8 * rng.uniform(0, 1))
        add("browDown" if rng.random() < 0.5 else "browOuterUp", strength)
        add("noseSneer", 0.6 * rng.uniform(0, 1))
        lids = float(rng.uniform(0.2, 1.15))
    if kind == "surprised":
        add("browInnerUp", strength)
        add("browOuterUp", strength)
        lids = float(rng.uniform(1.0, 1.5))
    if kind == "angry":
        add("browDown", strength)
        add("noseSneer", 0.8 * strength)
        add("mouthPress", 0.7 * rng.uniform(0, 1))
        add("mouthFrown", 0.6 * rng.uniform(0, 1))
        lids -= 0.2 * strength
    if kind == "sad":
        add("browInnerUp", strength)
        add("mouthFrown", 0.9 * strength)
        add("mouthShrugLower", 0.5 * rng.uniform(0, 1))
    if kind == "kiss":
        add("mouthPucker", rng.uniform(0.4, 1))
    if kind == "mix":
        for name in rng.choice(_ANY, 4, replace=False):
            add(str(name), 0.8 * rng.uniform(0, 1))
    # A little of everything, as faces have it.
    for name in rng.choice(_ANY, 3, replace=False):
        add(str(name), 0.25 * rng.uniform(0, 1))
    if rng.random() < 0.06:
        lids = float(rng.uniform(0, 0.3))
    across, down = rng.normal(0, 0.3, 2)
    add("eyeLookOutLeft" if across > 0 else "eyeLookInLeft", abs(across))
    add("eyeLookInRight" if across > 0 else "eyeLookOutRight", abs(across))
    add("eyeLookDown" if down > 0 else "eyeLookUp", abs(down), 0)
    pair = np.clip(lids + rng.normal(0, 0.04, 2), 0, 1.5)
    if rng.random() < 0.02:
        pair[rng.integers(2)] = 0
    units["mouthClose"] = min(units.get("mouthClose", 0.0), units.get("jawOpen", 0.0))
    return Face(units, (float(pair[0]), float(pair[1])))


_TWINS = {
    "mouthSmile", "mouthFrown", "mouthStretch", "mouthUpperUp", "mouthLowerDown", "mouthPress",
    "mouthDimple", "cheekSquint", "eyeSquint", "browDown", "browOuterUp", "noseSneer",
    "eyeLookDown", "eyeLookUp",
}  # fmt: skip
_ANY = (
    "mouthSmile", "mouthFrown", "mouthStretch", "mouthUpperUp", "mouthLowerDown", "mouthPress",
    "mouthDimple", "mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight", "mouthRollLower",
    "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "jawOpen", "jawLeft", "jawRight",
    "jawForward", "cheekPuff", "cheekSquint", "eyeSquint", "browDown", "browInnerUp",
    "browOuterUp", "noseSneer",
)  # fmt: skip


def pose(anatomy: Anatomy, person: Person, face: Face) -> Floats:
    """Vertices (V, 3) of a person with an expression; the eyes' middle is at the origin."""
    neutral = anatomy.shape(person.shape)
    eyes = [neutral[np.unique(anatomy.parts[f"{side}_eye"])].mean(0) for side in ("left", "right")]
    middle, apart = (eyes[0] + eyes[1]) / 2, eyes[1][0] - eyes[0][0]
    scale = _EYE_DISTANCE / apart
    units = dict(face.units)
    # Wide eyes are a unit of their own; how much of a blink shuts an eye depends on the person.
    for side, amount in zip(_BOTH[::-1], face.open, strict=True):
        if amount > 1:
            units[f"eyeWide{side}"] = min(1.0, 2 * (amount - 1))
    moved = neutral + anatomy.shape(units) - anatomy.rest
    for side, amount in zip(_BOTH[::-1], face.open, strict=True):
        if amount < 1:
            name = f"eyeBlink{side}"
            blink = anatomy.shape({name: 1.0}) - anatomy.rest
            upper, lower = _lid_landmarks("left" if side == "Right" else "right")
            points, change = anatomy.landmarks(moved), anatomy.landmarks(blink)
            gaps = points[lower, 1] - points[upper, 1]
            closing = change[upper, 1] - change[lower, 1]
            # The lids may not cross anywhere.
            shut = float((gaps / np.maximum(closing, 1e-6)).min())
            moved = moved + blink * np.clip(shut, 0, 1) * (1 - amount)
    return np.asarray((moved - middle) * scale)


def _lid_landmarks(side: str) -> tuple[list[int], list[int]]:
    """Landmarks of the upper lid between the corners, and those below them."""
    chains = WFLW98.chains
    upper, lower = chains[f"{side}_eye_upper"], chains[f"{side}_eye_lower"]
    return list(upper[1:-1]), list(lower[1:-1])


def draw_view(rng: Random) -> View:
    """A camera drawn at random: from the front most often, from the side one time in five."""
    kind = rng.random()
    if kind < 0.55:
        yaw = rng.normal(0, 13)
    elif kind < 0.83:
        yaw = rng.normal(0, 30)
    else:
        yaw = rng.choice([-1, 1]) * rng.uniform(32, 92)
    wide = rng.random() < 0.2
    pitch = rng.normal(2, 20 if wide else 8)
    roll = rng.normal(0, 20 if wide else 8)
    return View(
        yaw=float(np.clip(yaw, -92, 92)),
        pitch=float(np.clip(pitch, -45, 45)),
        roll=float(np.clip(roll, -60, 60)),
        distance=float(np.exp(rng.uniform(np.log(5.0), np.log(30.0)))),
        size=float(rng.uniform(0.42, 0.54)),
        shift=(float(rng.normal(0, 0.02)), float(rng.normal(0, 0.02))),
    )
