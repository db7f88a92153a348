"""What is worn over the skin: hair, hats, scarves, masks.

Each layer is a mesh of its own, near enough to the head to be hung on its vertices.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from alignbench.arrays import Bools, Bytes, Floats, Ints
from alignbench.markups import WFLW98
from alignbench.synthetic.brush import limit
from alignbench.synthetic.heads import anatomy
from alignbench.synthetic.heads.canvas import Style, hair_height, strands, tint_hair
from alignbench.synthetic.heads.person import Person
from alignbench.synthetic.parameters import Random


@dataclass(frozen=True)
class Layer:
    """A mesh with its own picture.

    ``points`` (V, 3), ``triangles`` (T, 3), ``texture`` (h, w, 3) and where on it each vertex
    lies, ``at`` (V, 2) in its pixels. ``hides`` is whether it is an occluder: hair that lies
    where hair usually does is not.
    """

    points: Floats
    triangles: Ints
    texture: Bytes
    at: Floats
    hides: bool


@dataclass(frozen=True)
class Bare:
    """A posed head before it is dressed.

    ``points`` and ``normals`` (V, 3); ``azimuth``, ``height`` (V,) are of the base head.
    """

    points: Floats
    normals: Floats
    azimuth: Floats
    height: Floats

    def triangles(self, inside: Bools) -> Ints:
        """Triangles of the skin all of whose vertices are inside (V,)."""
        skin = anatomy.load().parts["skin"]
        return skin[inside[skin].all(axis=1)]


def bare(points: Floats, normals: Floats) -> Bare:
    """A posed head with the places of its vertices on the base head."""
    rest = anatomy.load().rest
    return Bare(points, normals, np.arctan2(rest[:, 0], rest[:, 2]), rest[:, 1])


def raise_hair(head: Bare, style: Style, volume: float, rng: Random) -> Floats:
    """Vertices (V, 3) of the head with its short hair standing out by ``volume``."""
    if style.bald or not volume:
        return head.points
    above = hair_height(head.azimuth, style.hairline) - head.height
    share = np.clip(above / 0.35, 0, 1) * (np.abs(head.height) < 1.2 + volume)
    waves = 1 + 0.25 * np.sin(head.azimuth * rng.uniform(3, 9) + rng.uniform(0, 6)) * np.sin(
        head.height * rng.uniform(4, 9)
    )
    out = head.points - [0, 0.1, 0]
    out = out / np.linalg.norm(out, axis=1, keepdims=True)
    top = np.clip(-head.height, 0.3, 1.4)
    return np.asarray(head.points + out * (volume * share * waves * top)[:, None])


def dress(head: Bare, person: Person, style: Style, rng: Random) -> list[Layer]:
    """Layers drawn at random for a person."""
    layers = []
    long_chance = 0.6 - 0.5 * person.male
    covered = rng.random()
    if covered < 0.05:
        layers.append(_scarf(head, rng))
    elif covered < 0.2:
        layers += _hat(head, rng)
    if not style.bald and rng.random() < long_chance:
        layers.append(_long_hair(head, person, rng))
    if not style.bald and rng.random() < 0.1 + 0.3 * (1 - person.male):
        layers.append(_fringe(head, person, rng))
    if rng.random() < 0.035:
        layers.append(_mask(head, rng))
    if rng.random() < 0.14:
        layers += _glasses(head, rng)
    # A band that is so narrow that it lies between the vertices has no triangles.
    return [layer for layer in layers if len(layer.triangles)]


def _grid(rows: int, columns: int) -> Ints:
    """Triangles of a sheet of vertices (rows, columns), seen from both sides."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    one = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (b, d, c))])
    return np.concatenate([one, one[:, ::-1]])


_TEXTURE = 256


def _hairs(person: Person, rng: Random) -> Bytes:
    """Strands (256, 256, 3) that run down."""
    fine = rng.integers(60, 255, (6, 128), np.uint8)
    wide = rng.integers(90, 230, (3, 22), np.uint8)  # not landmarks
    return tint_hair(person.hair, strands(fine, wide, (_TEXTURE, _TEXTURE)), 170)


def _cloth(rng: Random) -> Bytes:
    """A cloth (256, 256, 3) of one colour, striped, chequered or printed."""
    picture = np.empty((_TEXTURE, _TEXTURE, 3), np.uint8)
    loud = rng.random() < 0.6
    picture[:] = np.round(rng.uniform(5, 250, 3 if loud else 1))
    other = np.round(limit(rng.uniform(5, 250, 3)))
    kind = rng.random()
    step = int(rng.integers(6, 50))
    if kind < 0.15:
        picture[(np.arange(_TEXTURE) // step) % 2 == 0] = other
    elif kind < 0.25:
        odd = (np.arange(_TEXTURE) // step) % 2
        picture[odd[:, None] ^ odd[None] == 1] = other
    elif kind < 0.4:
        for _ in range(rng.integers(3, 30)):
            x, y = rng.integers(0, _TEXTURE, 2)
            cv2.circle(picture, (int(x), int(y)), int(rng.integers(3, 25)), other.tolist(), -1)
    coarse = rng.integers(-22, 22, (20, 20)).astype(np.float32)  # not landmarks
    folds = cv2.resize(coarse, (_TEXTURE, _TEXTURE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(picture + folds[..., None], 0, 255), np.uint8)


def _shell(head: Bare, inside: Bools, thickness: Floats, texture: Bytes, hides: bool) -> Layer:
    """A copy of part of the skin that stands out by ``thickness`` (V,)."""
    used = head.triangles(inside)
    kept = np.unique(used)
    place = np.zeros(len(inside), np.int64)
    place[kept] = np.arange(len(kept))
    points = head.points[kept] + head.normals[kept] * thickness[kept, None]
    at = np.stack([(head.azimuth[kept] / np.pi + 1) * 127, (head.height[kept] + 2) * 60], axis=1)
    return Layer(points, place[used], texture, np.clip(at, 0, _TEXTURE - 1), hides)


def _hat(head: Bare, rng: Random) -> list[Layer]:
    """A cap, a woollen hat, a helmet or a hat with a brim."""
    kind = rng.choice(["cap", "wool", "helmet", "brim", "band"], p=[0.35, 0.2, 0.15, 0.15, 0.15])
    line = rng.uniform(-0.85, -0.45)
    back = rng.uniform(-0.6, 0.2)
    edge = line + (back - line) * (np.abs(head.azimuth) / np.pi)
    texture = _cloth(rng)
    inside = head.height < edge
    if kind == "band":
        inside &= head.height > edge - rng.uniform(0.12, 0.3)
    if kind == "helmet":
        sides = (np.abs(head.azimuth) > rng.uniform(0.8, 1.15)) & (head.height < 1.5)
        inside |= sides
    thick = {"cap": 0.12, "wool": 0.16, "helmet": 0.3, "brim": 0.12, "band": 0.1}[str(kind)]
    thickness = np.full(len(edge), thick * rng.uniform(0.8, 1.3))
    layers = [_shell(head, inside, thickness, texture, False)]
    if kind in ("cap", "brim"):
        front = 1.1 if kind == "cap" else np.pi
        azimuth = np.linspace(-front, front, 25) + (np.pi if rng.random() < 0.1 else 0)
        reach = rng.uniform(0.45, 0.8)
        out = np.linspace(0, 1, 6)[:, None]
        fade = np.cos(np.linspace(-1, 1, 25) * np.pi / 2).clip(0) ** 0.5
        radius = 1 + out * reach * (fade if kind == "cap" else 1)
        x = 1.12 * radius * np.sin(azimuth)
        z = 1.32 * radius * np.cos(azimuth)
        y = line + 0.02 + out * rng.uniform(-0.1, 0.3) + 0 * azimuth
        points = np.stack([x, y, z], axis=-1).reshape(-1, 3)
        at = np.stack(np.broadcast_arrays(azimuth * 20 + 128, 100 + 30 * out), -1).reshape(-1, 2)
        layers.append(Layer(points, _grid(6, 25), texture, np.clip(at, 0, 255), True))
    return layers


def _scarf(head: Bare, rng: Random) -> Layer:
    """A headscarf or a hood: all but the face."""
    wide, high, low = rng.uniform(0.85, 1.15), rng.uniform(-1.0, -0.6), rng.uniform(1.45, 1.75)
    middle, half = (high + low) / 2, (low - high) / 2
    inside = (head.azimuth / wide) ** 2 + ((head.height - middle) / half) ** 2 > 1
    inside &= head.height < 3.2
    return _shell(head, inside, np.full(len(inside), rng.uniform(0.08, 0.2)), _cloth(rng), False)


def _mask(head: Bare, rng: Random) -> Layer:
    """A medical mask or a scarf before mouth and nose."""
    top, low, wide = rng.uniform(0.15, 0.5), rng.uniform(1.6, 1.9), rng.uniform(0.8, 1.3)
    rising = 0.25 * np.abs(head.azimuth)
    inside = (head.height > top + rising * 0.5) & (head.height < low - rising)
    inside &= np.abs(head.azimuth) < wide
    thickness = 0.06 + 0.12 * np.exp(
        -((head.azimuth / 0.4) ** 2) - ((head.height - 0.95) / 0.4) ** 2
    )
    return _shell(head, inside, thickness, _cloth(rng), True)


def _glasses(head: Bare, rng: Random) -> list[Layer]:
    """Spectacles, one time in four dark ones, whose lenses hide the eyes."""
    body = anatomy.load()
    lids = [*WFLW98.regions["left_eye"], *WFLW98.regions["right_eye"]]
    front = body.landmarks(head.points)[lids, 2].max() + rng.uniform(0.05, 0.14)
    size = rng.uniform((0.27, 0.2), (0.38, 0.32))
    thick, bulge = rng.uniform(0.02, 0.07), 2 / rng.choice([2.0, 2.6, 4.0])
    angle = np.linspace(0, 2 * np.pi, 29)  # not landmarks
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rim = np.sign(circle) * np.abs(circle) ** bulge * size
    drop = np.array([0, rng.uniform(-0.02, 0.12)])
    half = np.array([0, thick / 2, 0])

    def bend(flat: Floats) -> Floats:
        """Points (..., 3) of places (..., 2): the front follows the face."""
        back = 0.25 * np.clip(np.abs(flat[..., :1]) - 0.3, 0, None) ** 2
        return np.concatenate([flat, front - back], axis=-1)

    def bar(start: Floats, end: Floats) -> Floats:
        """A bar (2, 6, 3) between two points."""
        way = start + (end - start) * np.linspace(0, 1, 6)[:, None]
        return np.stack([way - half, way + half])

    frames, lenses, inner = [], [], []
    for side, name in zip((-1, 1), _SIDES, strict=True):
        middle = head.points[np.unique(body.parts[f"{name}_eye"])].mean(axis=0)[:2] + drop
        frames.append(bend(np.stack([middle + rim, middle + rim * (1 + thick / size[1])])))
        lenses.append(bend(np.stack([middle + rim * 0, middle + rim])))
        hinge = bend(middle + size * (side * 1.05, -0.3))
        frames.append(bar(hinge, np.array([side * 1.02, hinge[1], -0.35])))
        inner.append(bend(middle - size * (side, 0)))
    frames.append(bar(*inner))
    colour = rng.uniform(5, 60, 3) if rng.random() < 0.7 else rng.uniform(40, 230, 3)
    layers = [_plain(frame, colour, hides=False) for frame in frames]
    if rng.random() < 0.25:
        tint = rng.uniform(5, 70, 3)
        layers += [_plain(lens, tint, hides=True) for lens in lenses]
    return layers


_SIDES = ("left", "right")


def _plain(sheet: Floats, colour: Floats, *, hides: bool) -> Layer:
    """A sheet of vertices (rows, columns, 3) of one colour."""
    texture = np.empty((2, 2, 3), np.uint8)
    texture[:] = np.round(colour)
    rows, columns, _ = sheet.shape
    points = sheet.reshape(-1, 3)
    return Layer(points, _grid(rows, columns), texture, np.zeros((len(points), 2)), hides)


def _long_hair(head: Bare, person: Person, rng: Random) -> Layer:
    """Hair that hangs around sides and back."""
    columns, rows = 42, 20  # not landmarks
    opening = rng.uniform(1.15, 1.7)
    end = rng.uniform(0.9, 3.2)
    height = (-1.62 + (end + 1.62) * np.linspace(0, 1, rows) ** 1.3)[:, None]
    # It covers the crown and parts over the forehead.
    first = np.interp(height, [-1.62, -1.3, -0.9, -0.4], [0, 0.2, 0.75 * opening, opening])
    azimuth = first + np.linspace(0, 1, columns) * (2 * np.pi - 2 * first)
    volume = rng.uniform(0.04, 0.3)
    wide = np.interp(height, [-1.6, -1.2, -0.8, 0.2, 1.0, 3.0],
                     [0.55, 0.95, 1.1, 1.12, 1.02, 1.15])  # fmt: skip
    deep = np.interp(height, [-1.6, -1.2, -0.8, 0.2, 1.0, 3.0],
                     [0.65, 1.1, 1.38, 1.3, 1.0, 1.1])  # fmt: skip
    waves = np.cumsum(rng.normal(0, 0.012, (rows, columns)), axis=0)
    curl = 0.05 * rng.random() * np.sin(height * rng.uniform(4, 12) + azimuth * rng.uniform(0, 8))
    bulge = 1 + volume * np.clip((height + 1.5) / 0.8, 0.4, 1) + waves + curl
    x, z = wide * np.sin(azimuth) * bulge, deep * np.cos(azimuth) * bulge - 0.05
    points = np.stack(np.broadcast_arrays(x, height, z), axis=-1).reshape(-1, 3)
    at = np.stack(np.meshgrid(np.linspace(0, 255, columns), np.linspace(0, 255, rows)), -1)
    return Layer(points, _grid(rows, columns), _hairs(person, rng), at.reshape(-1, 2), True)


def _fringe(head: Bare, person: Person, rng: Random) -> Layer:
    """Hair that falls over forehead, brows and sometimes eyes."""
    columns, rows = 22, 9  # not landmarks
    side = rng.choice([-1, 1])
    azimuth = np.linspace(-0.95, rng.uniform(0.1, 0.95), columns) * side
    ends = rng.uniform(-0.6, -0.05) + np.cumsum(rng.normal(0, 0.05, columns))
    ends += 0.9 * rng.random() ** 3 * np.linspace(1, 0, columns) ** 2
    down = np.linspace(0, 1, rows)[:, None]
    height = -1.1 + (np.clip(ends, -0.8, 1.0) + 1.1) * down
    front = np.abs(head.azimuth) < 1.3
    tree = cKDTree(np.stack([head.azimuth[front], head.height[front]], axis=1))
    where = np.stack(np.broadcast_arrays(azimuth, height), axis=-1).reshape(-1, 2)
    _, nearest = tree.query(where, k=3)
    points = head.points[front][nearest].mean(axis=1)
    points = points + head.normals[front][nearest].mean(axis=1) * rng.uniform(0.06, 0.14)
    at = np.stack(np.meshgrid(np.linspace(0, 200, columns), np.linspace(0, 255, rows)), -1)
    return Layer(points, _grid(rows, columns), _hairs(person, rng), at.reshape(-1, 2), True)
