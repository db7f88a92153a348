"""What makes one face: who, with which expression, seen how, in which light, through which lens.

Each is drawn on its own random stream, so that a change in one leaves the others as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Pair = tuple[float, float]
Colour = tuple[float, float, float]
Random = np.random.Generator


@dataclass(frozen=True)
class Identity:
    """A person. Lengths are in half-widths of a face, colours RGB from 0 to 255."""

    width: float
    jaw: float
    chin: float
    cheeks: float
    eye_x: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    brow_y: float
    brow_length: float
    brow_arch: float
    brow_thickness: float
    nose_y: float
    nose_width: float
    nose_height: float
    mouth_y: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    ears: float
    ears_covered: bool
    hairline: float
    hair_volume: float
    long_hair: bool
    skin: Colour
    hair: Colour
    iris: Colour
    beard: float
    brow_strength: float


def draw_identity(rng: Random) -> Identity:
    """A person drawn at random.

    The means are those with which the mean of near-frontal faces is WFLW's, of landmarks alone.
    """

    def around(mean: float, spread: float) -> float:
        return float(mean + spread * np.clip(rng.normal(), -2.2, 2.2))

    tone = rng.uniform(0, 1)
    skin = _between((236, 200, 178), (84.0, 54.0, 40.0), tone**1.2, rng, 4)
    grey = rng.random() < 0.15
    dark = float(np.clip(rng.beta(1.2, 2.2) * (1 - 0.6 * tone), 0, 1))
    if grey:
        hair = _between((150, 150, 152), (214, 210, 208), rng.random(), rng, 2)
    else:
        hair = _between((22.0, 17.0, 15.0), (188, 142, 88), dark, rng, 4)
    pale = rng.random() ** 2 * (1 - 0.7 * tone)
    iris = _between((58.0, 38.0, 24.0), (110, 140, 160), pale, rng, 8)
    long_hair = bool(rng.random() < 0.4)
    bald = not long_hair and rng.random() < 0.12
    return Identity(
        width=around(1.088, 0.038),
        jaw=around(1.0, 0.05),
        chin=around(1.039, 0.04),
        cheeks=around(0.04, 0.02),
        eye_x=around(0.446, 0.022),
        eye_width=around(0.187, 0.014),
        eye_height=around(0.085, 0.012),
        eye_tilt=around(-0.008, 0.06),
        brow_y=around(-0.232, 0.035),
        brow_length=around(0.591, 0.035),
        brow_arch=around(0.045, 0.02),
        brow_thickness=max(0.022, around(0.054, 0.012)),
        nose_y=around(0.601, 0.04),
        nose_width=around(0.216, 0.025),
        nose_height=around(0.36, 0.05),
        mouth_y=around(0.927, 0.035),
        mouth_width=around(0.387, 0.03),
        upper_lip=max(0.03, around(0.102, 0.022)),
        lower_lip=max(0.05, around(0.125, 0.022)),
        ears=around(1.0, 0.08),
        ears_covered=long_hair and bool(rng.random() < 0.75),
        hairline=around(-0.92, 0.09),
        hair_volume=0.0 if bald else float(rng.uniform(0.05, 0.24)),
        long_hair=long_hair,
        skin=skin,
        hair=hair,
        iris=iris,
        beard=0.0 if long_hair or rng.random() < 0.6 else float(rng.uniform(0.1, 0.75)),
        brow_strength=float(rng.uniform(0.55, 0.95)),
    )


@dataclass(frozen=True)
class Expression:
    """What the face does. 0 is rest for each but the eyes.

    ``jaw`` is 0 closed to 1 wide open; ``smile`` -1 corners down to 1 broad; ``pucker`` 0 to 1;
    ``skew`` one corner up, the other down, as slope. ``eyes`` (0 closed, 1 open) and ``brows``
    (lift, -1 to 1) are left and right in the image; ``gaze`` is -1 to 1 across and down.
    """

    jaw: float
    smile: float
    pucker: float
    skew: float
    eyes: Pair
    brows: Pair
    gaze: Pair


def draw_expression(rng: Random) -> Expression:
    """An expression drawn at random: most are mild, some strong."""
    strong = rng.random() < 0.14
    jaw = rng.beta(1.6, 1.6) if strong and rng.random() < 0.65 else max(0.0, rng.normal(0.02, 0.07))
    parted = rng.uniform(0.0, 0.4) if rng.random() < 0.45 else 0.0
    smile = rng.normal(0.3, 0.55) if strong else rng.normal(0.25, 0.3)
    lid = rng.normal(0.95, 0.17)
    if rng.random() < 0.035:
        lid = rng.uniform(0.0, 0.25)
    lids = np.clip(lid + rng.normal(0, 0.05, 2), 0.1, 1.35)
    lift = rng.normal(0.05, 0.6 if strong else 0.25)
    brows = np.clip(lift + rng.normal(0, 0.1, 2), -1, 1.2)
    gaze = np.clip(rng.normal(0, 0.4, 2), -1, 1)
    puckered = strong and rng.random() < 0.15
    return Expression(
        jaw=float(np.clip(max(jaw, parted), 0, 1)),
        smile=float(np.clip(smile, -0.9, 1.1)),
        pucker=float(np.clip(rng.normal(0.6, 0.2), 0, 1)) if puckered else 0.0,
        skew=float(rng.normal(0, 0.03)),
        eyes=(float(lids[0]), float(lids[1])),
        brows=(float(brows[0]), float(brows[1])),
        gaze=(float(gaze[0]), float(gaze[1])),
    )


@dataclass(frozen=True)
class View:
    """Where the camera stands.

    Angles are in degrees: ``yaw`` turns the face to the image's right, ``pitch`` down, ``roll``
    clockwise. ``distance`` is the camera's from the head, in half-widths of a face; ``size`` is
    the image's share that two half-widths fill; ``shift`` moves the head's middle, as a share of
    the image.
    """

    yaw: float
    pitch: float
    roll: float
    distance: float
    size: float
    shift: Pair


def draw_view(rng: Random) -> View:
    """A camera drawn at random: near frontal most of the time, with a long tail."""
    tail = rng.random() < 0.15
    yaw = rng.choice([-1, 1]) * rng.uniform(25, 75) if tail else rng.normal(0, 15)
    return View(
        yaw=float(np.clip(yaw, -75, 75)),
        pitch=float(np.clip(rng.normal(2, 9), -32, 32)),
        roll=float(np.clip(rng.normal(0, 9), -40, 40)),
        distance=float(rng.uniform(7, 22)),
        size=float(rng.uniform(0.42, 0.54)),
        shift=(float(rng.normal(0, 0.025)), float(rng.normal(0, 0.025))),
    )


@dataclass(frozen=True)
class Light:
    """Light on the face.

    ``key`` comes from ``direction`` (unit vector), ``ambient`` from everywhere; ``exposure``
    scales the whole picture, 1 being well exposed.
    """

    direction: tuple[float, float, float]
    key: float
    ambient: float
    colour: Colour
    exposure: float


def draw_light(rng: Random) -> Light:
    """Light drawn at random: soft or hard, from anywhere above, well exposed or not."""
    hard = rng.beta(1.5, 1.8)
    side = np.radians(np.clip(rng.normal(0, 38), -100, 100))
    above = np.radians(rng.uniform(-10, 60))
    exposure = np.exp(np.clip(rng.normal(-0.03, 0.33), -1.0, 0.6))
    warm = rng.normal(0, 0.03)
    x, y, z = np.sin(side) * np.cos(above), -np.sin(above), np.cos(side) * np.cos(above)
    return Light(
        direction=(float(x), float(y), float(z)),
        key=float(0.32 + 0.78 * hard),
        ambient=float(0.75 - 0.58 * hard),
        colour=(float(1 + warm), 1.0, float(1 - warm)),
        exposure=float(exposure),
    )


@dataclass(frozen=True)
class MakeUp:
    """Paint on lips, lids and cheeks: ``strength`` 0 none to 1 heavy, and its colours."""

    strength: float
    lips: Colour
    lids: Colour


def draw_make_up(rng: Random) -> MakeUp:
    """Make-up drawn at random; most faces have none."""
    lipsticks = ((176, 24, 44), (200, 50, 90), (140, 30, 60), (205, 90, 80))
    shadows = ((70.0, 60, 90), (90.0, 60, 50), (60, 90, 120), (120, 70, 100), (40.0, 36, 40))
    strength = rng.uniform(0.3, 1.0) if rng.random() < 0.12 else 0.0
    lips, lids = (colours[rng.integers(len(colours))] for colours in (lipsticks, shadows))
    return MakeUp(float(strength), lips, lids)


@dataclass(frozen=True)
class Lens:
    """What the camera does to the picture.

    ``defocus`` is the standard deviation of a Gaussian and ``motion`` the length of a straight
    smear, in shares of the distance of the outer eye corners; ``motion_angle`` in degrees;
    ``noise`` the standard deviation in grey values; ``quality`` JPEG's.
    """

    defocus: float
    motion: float
    motion_angle: float
    noise: float
    quality: int


def draw_lens(rng: Random) -> Lens:
    """A camera's faults drawn at random."""
    blurred = rng.random() < 0.38
    motion = blurred and rng.random() < 0.3
    return Lens(
        defocus=float(rng.uniform(0.01, 0.06) if blurred and not motion else 0.0),
        motion=float(rng.uniform(0.04, 0.16) if motion else 0.0),
        motion_angle=float(rng.uniform(0, 180)),
        noise=float(rng.gamma(2.0, 2.2)),
        quality=int(rng.integers(45, 97)),
    )


def _between(one: Colour, other: Colour, share: float, rng: Random, spread: float) -> Colour:
    """A colour between two, varied a little."""
    mixed = np.array(one) * (1 - share) + np.array(other) * share + rng.normal(0, spread, 3)
    red, green, blue = np.clip(mixed, 5, 250)
    return float(red), float(green), float(blue)
