"""A dressed head to pixels: what is in front, in which colour, under which light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from alignbench.arrays import Bools, Bytes, Floats, Ints
from alignbench.markups import WFLW98
from alignbench.synthetic.camera import project, rotation
from alignbench.synthetic.heads import anatomy
from alignbench.synthetic.heads.canvas import to_canvas
from alignbench.synthetic.heads.layers import Layer
from alignbench.synthetic.heads.light import Lamps, illuminate
from alignbench.synthetic.heads.person import Person
from alignbench.synthetic.parameters import View
from alignbench.synthetic.raster import Fragments, Singles, rasterise

_IRIS, _PUPIL, _RIM = 0.43, 0.17, 0.39
"""Half angles of iris, pupil and the rim's beginning, in radians."""
_HAIRY = 127
"""From this value of the canvas's map on there is hair."""
_GLOSS = np.float32(20), np.float32(70)
"""Grey values that gloss adds to hair and to skin."""
_WHITE, _REDDER = np.array([[228.0, 222, 218], [10.0, 26, 26]], np.float32)
"""The white of an eye, and what it loses per radian towards the corners."""
_AROUND = {
    "left_eye": ("left_eye", 0.75), "right_eye": ("right_eye", 0.75),
    "lower_teeth": ("mouth", 0.8), "upper_teeth": ("mouth", 0.95), "tongue": ("mouth", 0.4),
}  # fmt: skip
"""The region of the face around a part, and which share of its light comes from there.

With only the light that falls into their holes, eyes and teeth would be darker than they are on
photographs."""


@dataclass(frozen=True)
class Scene:
    """A head, dressed, before a camera.

    ``points`` (V, 3) are the vertices with hair, ``normals`` (V, 3) theirs, in the head's axes.
    """

    person: Person
    points: Floats
    normals: Floats
    canvas: Bytes
    hair: Bytes
    layers: list[Layer]
    view: View
    lamps: Lamps


@dataclass(frozen=True)
class Seen:
    """What the camera sees.

    ``depth`` (S, S) is of skin and eyes, minus infinity beside the head; ``hidden`` (S, S) is where
    a layer that hides is in front of them.
    """

    depth: Singles
    hidden: Bools


def render(picture: Bytes, scene: Scene) -> Seen:
    """Draw the head into the picture (S, S, 3)."""
    side = len(picture)
    head, view = anatomy.load(), scene.view
    turn = rotation(view)
    at = project(scene.points, view, side)
    worn = [project(layer.points, view, side) for layer in scene.layers]
    light, gloss = _light(scene, turn)
    paper = _Paper(picture, side)

    skin = rasterise(at, head.parts["skin"], side)
    shade, shine, near, places = _blend(skin, light, gloss, at[:, 2], _canvas_places())
    colour = _look_up(scene.canvas, places).astype(np.float32) * shade
    hairy = _look_up(scene.hair, places) > _HAIRY
    paper.lay(skin, near, colour + shine * np.where(hairy, *_GLOSS)[:, None])
    on_landmarks = head.landmarks(light)
    for name in ("tongue", "lower_teeth", "upper_teeth", "left_eye", "right_eye"):
        part = rasterise(at, head.parts[name], side)
        rest, shade, near = _blend(part, head.rest, light, at[:, 2])
        region, share = _AROUND[name]
        around = on_landmarks[list(WFLW98.regions[region])].mean(axis=0)
        shade = shade * np.float32(1 - share) + (share * around).astype(np.float32)
        paper.lay(part, near, _colour_of(name, rest, scene) * shade)
    depth = paper.depth.reshape(side, side).copy()
    hidden = np.zeros(side * side, bool)
    for layer, place in zip(scene.layers, worn, strict=True):
        shown = rasterise(place, layer.triangles, side)
        places, shade, near = _blend(shown, layer.at, _layer_light(layer, scene, turn), place[:, 2])
        colours = _look_up(layer.texture, places).astype(np.float32) * shade
        hidden[paper.lay(shown, near, colours)] = layer.hides
    return Seen(depth, hidden.reshape(side, side))


def _blend(seen: Fragments, *values: Floats) -> list[Singles]:
    """Values (V, C) or (V,) of vertices at the pixels seen, each (P, C)."""
    widths = np.cumsum([value.size // len(value) for value in values])
    return np.split(seen.blend(np.column_stack(values).astype(np.float32)), widths[:-1], axis=1)


_KNEE = np.float32(170)
"""Grey value above which a camera's response to light gets weaker and weaker."""


def _expose(colour: Singles) -> Singles:
    """Colours (P, 3) as a camera takes them, from 0 to 255: bright skin keeps its form.

    Half by each channel, which makes bright colours pale, and half by the brightest one, which
    does not.
    """
    colour = np.clip(colour, 0, None)
    brightest = np.maximum(colour.max(axis=1, keepdims=True), 1)
    return np.asarray((_bend(colour) + colour / brightest * _bend(brightest)) / 2, np.float32)


def _bend(values: Singles) -> Singles:
    """Values up to the knee; what is above it is bent so that it never reaches 255."""
    room = np.float32(255) - _KNEE
    over = np.clip(values - _KNEE, 0, None) / room
    return np.asarray(np.minimum(values, _KNEE) + room * over / (1 + over), np.float32)


class _Paper:
    """Pixels with a depth: what is nearer stays."""

    def __init__(self, picture: Bytes, side: int) -> None:
        self._flat = picture.reshape(-1, 3)
        self.depth = np.full(side * side, -np.inf, np.float32)

    def lay(self, seen: Fragments, depth: Singles, colour: Singles) -> Ints:
        """Draw fragments (P,) of a depth (P, 1) and a colour (P, 3); gives the pixels drawn."""
        depth = depth[:, 0]
        near = depth > self.depth[seen.pixels]
        pixels = seen.pixels[near]
        self._flat[pixels] = (_expose(colour[near]) + np.float32(0.5)).astype(np.uint8)
        self.depth[pixels] = depth[near]
        return pixels


def _light(scene: Scene, turn: Floats) -> tuple[Floats, Floats]:
    """Light (V, 3) and gloss (V,) on the head's vertices."""
    head = anatomy.load()
    points = scene.points @ turn.T
    blockers, triangles, before = [points], [head.parts["skin"]], len(points)
    for layer in scene.layers:
        blockers.append(layer.points @ turn.T)
        triangles.append(layer.triangles + before)
        before += len(layer.points)
    casting = np.concatenate(blockers), np.concatenate(triangles)
    return illuminate(points, scene.normals @ turn.T, head.openness, scene.lamps, casting)


def _layer_light(layer: Layer, scene: Scene, turn: Floats) -> Floats:
    """Light (V, 3) on a layer's vertices: no shadows fall on it."""
    normals = anatomy.vertex_normals(layer.points, layer.triangles)
    if not normals.any():  # both sides are drawn: as if it were round
        out = layer.points - [0, -0.2, -0.1]
        normals = out / np.linalg.norm(out, axis=1, keepdims=True)
    points = layer.points @ turn.T
    clear = np.full(len(points), 0.8)
    return illuminate(points, normals @ turn.T, clear, scene.lamps, None)[0]


def _canvas_places() -> Floats:
    return to_canvas(anatomy.load().rest)


_ROW = 64
"""Number of places in a row, because OpenCV looks up at most 32,767 in one row."""


def _look_up(picture: Bytes, places: Singles) -> Bytes:
    """Colours (P, 3) of a picture, or values (P,) of a map, at places (P, 2)."""
    rows = max(1, -(-len(places) // _ROW))  # one of zeros where nothing is seen
    grid = np.zeros((rows * _ROW, 2), np.float32)
    grid[: len(places)] = places
    across, down = (np.ascontiguousarray(grid[:, k]).reshape(rows, _ROW) for k in range(2))
    found = cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.uint8).reshape(rows * _ROW, *picture.shape[2:])[: len(places)]


def _colour_of(part: str, rest: Singles, scene: Scene) -> Singles:
    """Colours (P, 3) of eye, teeth or tongue at points (P, 3) of the base head."""
    if part.endswith("eye"):
        return _eye(part, rest, scene)
    return _teeth(rest) if part.endswith("teeth") else _tongue(rest)


def _eye(part: str, rest: Singles, scene: Scene) -> Singles:
    head = anatomy.load()
    ball = head.rest[np.unique(head.parts[part])]
    centre = (ball.min(axis=0) + ball.max(axis=0)) / 2
    out = rest - centre.astype(np.float32)
    length = np.sqrt((out * out).sum(axis=1))
    angle = np.arccos(np.clip(out[:, 2] / np.maximum(length, 1e-6), -1, 1))
    white = _WHITE - angle[:, None] * _REDDER
    # The upper lid throws its shadow on the ball.
    white *= np.clip(1.0 + out[:, 1:2] * 1.5, 0.7, 1)
    iris = np.array(scene.person.iris, np.float32)
    spokes = 0.85 + 0.15 * np.sin(np.arctan2(out[:, 1], out[:, 0]) * 23)
    colour = np.where((angle < _IRIS)[:, None], iris * spokes[:, None], white)
    rim = (angle < _IRIS) & (angle > _RIM)
    colour = np.where(rim[:, None], colour * np.float32(0.5), colour)
    colour = np.where((angle < _PUPIL)[:, None], np.float32(10), colour)
    x, y, _ = scene.lamps.key.direction
    glint = (out[:, 0] - 0.07 * x) ** 2 + (out[:, 1] - 0.07 * y + 0.02) ** 2 < 0.0012
    return np.asarray(
        np.where((glint & (out[:, 2] > 0))[:, None], np.float32(245), colour), np.float32
    )


def _teeth(rest: Singles) -> Singles:
    gap = np.abs(np.sin(rest[:, 0] * 26)) < 0.14
    tone = np.where(gap, 0.6, 1.0) * np.clip(1.15 - np.abs(rest[:, 0]) * 0.9, 0.5, 1)
    return np.asarray(tone[:, None] * np.array([232.0, 224, 206], np.float32), np.float32)


def _tongue(rest: Singles) -> Singles:
    return np.broadcast_to(np.array([168.0, 84, 84], np.float32), rest.shape)
