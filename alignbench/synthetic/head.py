"""A parametric head: its surface, and where the 98 landmarks lie on it.

A horizontal slice of the head is a superellipse; nose, lips, sockets and cheeks are bumps on it. A
point of the face is therefore given by x and y alone, and landmarks, mesh and paint agree
exactly. Lengths are in half-widths of a face, about 69 mm; proportions follow anthropometric
means, and then the mean of WFLW's landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alignbench.arrays import Floats, Ints
from alignbench.synthetic.parameters import Expression, Identity

_ROWS = np.concatenate([np.linspace(0, 1, 37) ** 0.8, [1.06, 1.15, 1.35, 2.0]])
"""Rows of the mesh: 0 the crown, 1 the jaw line, beyond it the neck."""

_PARTS = np.linspace(-170, -112, 6), np.linspace(-104, 104, 45), np.linspace(112, 180, 7)
_COLUMNS = np.radians(np.concatenate(_PARTS))
"""Columns of the mesh by azimuth, 0 the viewer's side."""

_CROWN = -1.65
_CHIN = 1.55
_SUPER = 2.3
"""Exponent of a slice; 2 is an ellipse, more is flatter in front."""

_PLAIN = 1.15
"""Beyond this the canvas is plain skin."""

_CONTOUR_LANDMARKS = 33
_CONTOUR_END = np.radians(100.7)


def _smooth(x: Floats) -> Floats:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(x, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def _bump(x: Floats, y: Floats, at: tuple[float, float], size: tuple[float, float]) -> Floats:
    return np.asarray(np.exp(-0.5 * (((x - at[0]) / size[0]) ** 2 + ((y - at[1]) / size[1]) ** 2)))


@dataclass(frozen=True)
class Mesh:
    """Triangles with what is painted on them.

    ``points`` (V, 3) are vertices in head coordinates, ``normals`` (V, 3) unit normals, outwards;
    ``triangles`` (T, 3) vertex indices. ``canvas`` (V, 2) is where a vertex lies on the frontal
    canvas on which the face is painted; ``hair`` (V,) is 1 in the hair, 0 on skin, between at the
    hairline; ``azimuth`` (V,) is in radians: along it strands of hair differ.
    """

    points: Floats
    normals: Floats
    triangles: Ints
    canvas: Floats
    hair: Floats
    azimuth: Floats


class Head:
    """One person with one expression."""

    def __init__(self, identity: Identity, expression: Expression) -> None:
        self.identity, self.expression = identity, expression
        i = identity
        self._heights = np.array([_CROWN, -1.55, -1.3, -0.9, -0.4, 0.0, 0.5, 1.0, 1.3, 1.7, 2.2])
        jaw = np.array([0.814, 0.632, 0.45, 0.5]) * i.jaw
        self._width = np.array([0.05, 0.42, 0.80, 1.0, 1.03, 1.0, 0.95, *jaw]) * i.width
        self._front = np.array([0.05, 0.45, 0.78, 0.98, 1.04, 0.97, 0.99, 1.0, 0.95, 0.84, 0.8])
        self._back = np.array([0.05, 0.6, 1.1, 1.45, 1.55, 1.5, 1.35, 1.1, 0.95, 0.9, 0.9])
        # An opening mouth moves what lies below it; the table is exactly invertible.
        self._rest = np.linspace(-2.0, 3.0, 401)
        drop = 0.30 * expression.jaw * _smooth((self._rest - 0.8 * i.mouth_y) / 0.5)
        self._moved = self._rest + drop
        # The chin of a long face is lower, its forehead stays.
        self._chin = _CHIN * i.chin

    def surface(self, x: Floats, y: Floats) -> Floats:
        """Points (..., 3) of the face's front at x and y (each (...))."""
        rest = np.interp(y, self._moved, self._rest)
        half = np.interp(rest, self._heights, self._width)
        share = np.clip(np.abs(x) / half, 0, 1)
        depth = (1 - share**_SUPER) ** (1 / _SUPER) * np.interp(rest, self._heights, self._front)
        return np.stack([x, y, depth + self._relief(x, rest)], axis=-1)

    def _relief(self, x: Floats, y: Floats) -> Floats:
        """How far nose, lips and the rest stand out from the slices, at rest heights y."""
        i = self.identity
        tip, mouth = i.nose_y - 0.12, i.mouth_y
        along = np.clip((y - 0.02) / (tip - 0.02), 0, None)
        ridge = np.where(along <= 1, 0.09 + (i.nose_height - 0.09) * along**1.4, i.nose_height)
        ridge = ridge * _smooth((y + 0.25) / 0.3) * (1 - _smooth((y - tip - 0.02) / 0.17))
        spread = i.nose_width * (0.36 + 0.24 * _smooth((y - 0.25) / 0.3))
        nose = ridge * np.exp(-0.5 * (x / spread) ** 2)
        wing = i.nose_width * 0.8
        left, right = (_bump(x, y, (at, i.nose_y - 0.06), (0.065, 0.07)) for at in (-wing, wing))
        nose = nose + 0.11 * (left + right)
        sides = np.abs(x)
        rest = (
            -0.12 * _bump(sides, y, (i.eye_x, 0.0), (0.22, 0.13))
            + 0.05 * _bump(sides, y, (i.eye_x, 0.0), (0.13, 0.08))
            + 0.05 * _bump(sides, y, (0.4, i.brow_y), (0.35, 0.09))
            + i.cheeks * _bump(sides, y, (0.58, 0.42), (0.2, 0.2))
            + 0.08 * _bump(x, y, (0.0, mouth), (0.3, 0.14))
            - 0.05 * _bump(x, y, (0.0, mouth + 0.22), (0.25, 0.06))
            + 0.09 * _bump(x, y, (0.0, self._chin - 0.18), (0.2, 0.13))
        )
        smile = max(0.0, self.expression.smile)
        cheeks = 0.06 * smile * _bump(sides, y, (0.5, 0.6), (0.15, 0.15))
        return np.asarray(nose + rest + cheeks)

    def jaw_line(self, azimuth: Floats) -> Floats:
        """Rest height of the jaw's edge (...) by azimuth (...); at the back, of the nape."""
        at = np.radians([0, 18, 38, 58, 78, 93, 103, 125, 180])
        height = np.array([1.0, 0.97, 0.947, 0.852, 0.661, 0.284, -0.069, 0.45, 0.5]) * self._chin
        return np.asarray(np.interp(np.abs(azimuth), at, height))

    def _place(self, azimuth: Floats, rest: Floats) -> Floats:
        """Points of the head by azimuth and rest height, relief included."""
        half = np.interp(rest, self._heights, self._width)
        front = np.interp(rest, self._heights, self._front)
        back = np.interp(rest, self._heights, self._back)
        x = half * np.sin(azimuth)
        ahead = np.cos(azimuth) >= 0
        share = np.abs(np.sin(azimuth))
        depth = (1 - share**_SUPER) ** (1 / _SUPER)
        relief = self._relief(x, rest)
        z = np.where(ahead, front * depth + relief, -back * depth)
        return np.stack([x, np.interp(rest, self._rest, self._moved), z], axis=-1)

    def mesh(self) -> Mesh:
        """The head with hair, ears and neck."""
        rows, columns = np.meshgrid(_ROWS, _COLUMNS, indexing="ij")
        jaw = self.jaw_line(columns)
        on_head = np.minimum(rows, 1.0)
        rest = _CROWN + (jaw - _CROWN) * on_head
        points = self._place(columns, rest)
        hair = self._hair(columns, rest) * (rows <= 1)
        out = np.stack([points[..., 0], np.minimum(points[..., 1] + 0.3, 0), points[..., 2]], -1)
        out /= np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-6)
        points = points + (self.identity.hair_volume * hair)[..., None] * out
        beyond = np.clip(rows - 1.0, 0, None)
        x, z = 0.68 * self.identity.width * np.sin(columns), 0.60 * np.cos(columns) - 0.36
        y = np.interp(jaw, self._rest, self._moved) * 0.35 + 1.05 + 1.4 * beyond
        neck = np.stack([x, y, z], axis=-1)
        share = _smooth(beyond / 0.3)[..., None]
        points = points * (1 - share) + neck * share
        # Behind the ears there is nothing to paint: the canvas ends in plain skin.
        aside = np.where(np.cos(columns) < 0, np.sign(columns) * _PLAIN, points[..., 0])
        mesh = Mesh(
            points.reshape(-1, 3),
            _normals(points).reshape(-1, 3),
            _grid_triangles(*rows.shape),
            np.stack([aside, _onto_canvas(points[..., 1])], axis=-1).reshape(-1, 2),
            hair.ravel(),
            columns.ravel(),
        )
        return mesh if self.identity.ears_covered else _join(mesh, self._ear(-1), self._ear(1))

    def _hair(self, azimuth: Floats, rest: Floats) -> Floats:
        """How much of a place is hair, from azimuth and rest height."""
        if self.identity.hair_volume == 0:
            return np.zeros_like(rest)
        at = np.radians([0, 30, 55, 75, 90, 110, 180])
        line = np.array([0.0, 0.03, 0.12, 0.4, 0.75, 1.6, 1.75]) + self.identity.hairline
        return _smooth((np.interp(np.abs(azimuth), at, line) - rest) / 0.12)

    def _ear(self, side: int) -> Mesh:
        """An ear: a flattened ball at the side of the head."""
        around, down = np.meshgrid(np.linspace(-np.pi, np.pi, 13), np.linspace(0, np.pi, 9))
        centre = self._place(np.array(side * np.radians(112.0)), np.array(0.22))
        unit = np.stack(
            [np.sin(down) * np.sin(around), -np.cos(down), np.sin(down) * np.cos(around)], -1
        )
        size = self.identity.ears
        points = unit * np.array([0.10, 0.36, 0.17]) * size
        tilt = points[..., 2] * 0.5 * side
        points = np.stack([points[..., 0] - tilt, points[..., 1], points[..., 2]], -1) + centre
        points[..., 0] += 0.05 * side
        flat = points.reshape(-1, 3)
        normals = _normals(points).reshape(-1, 3)
        canvas = np.tile([side * _PLAIN, 0.0], (len(flat), 1))
        nothing = np.zeros(len(flat))
        return Mesh(flat, normals, _grid_triangles(*around.shape), canvas, nothing, nothing)

    def landmarks(self) -> Floats:
        """The 98 landmarks (98, 3) in WFLW's order, in head coordinates."""
        parts = self.outlines()
        flat = np.concatenate(list(parts.values()))
        return np.concatenate([self.contour(), self.surface(flat[:, 0], flat[:, 1])])

    def contour(self) -> Floats:
        """The contour's landmarks (33, 3), evenly spaced along the jaw's edge."""
        azimuth = np.linspace(-_CONTOUR_END, _CONTOUR_END, 361)
        points = self._place(azimuth, self.jaw_line(azimuth))
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        way = np.concatenate([[0.0], np.cumsum(steps)])
        even = np.linspace(0, way[-1], _CONTOUR_LANDMARKS)
        return np.stack([np.interp(even, way, points[:, k]) for k in range(3)], axis=1)

    def outlines(self, density: int = 1) -> dict[str, Floats]:
        """Parts of the face on the frontal canvas, each (K, 2), in WFLW's order.

        With ``density`` 1 they are the landmarks; with more, they have as many times the
        intervals, for painting.
        """
        i, e = self.identity, self.expression
        left, right = _eye(i, e.eyes[0], density), _eye(i, e.eyes[1], density)
        left_brow, right_brow = _brow(i, e.brows[0], density), _brow(i, e.brows[1], density)
        tip = i.nose_y - 0.12
        bridge = np.stack([np.zeros(4), np.linspace(0.02, tip, 4)], axis=1)
        at = np.linspace(-1, 1, 4 * density + 1)
        base = np.stack([at * i.nose_width, i.nose_y + 0.02 - 0.045 * np.abs(at) ** 2], axis=1)
        lips, inside = _mouth(i, e, density)
        pupils = np.array([_pupil(i, e.eyes[0], e.gaze, -1), _pupil(i, e.eyes[1], e.gaze, 1)])
        return {
            "left_brow": left_brow,
            "right_brow": _mirror(right_brow, 4 * density + 1),
            "bridge": bridge,
            "base": base,
            "left_eye": left,
            "right_eye": _mirror(right, 4 * density + 1),
            "lips": lips,
            "inside": inside,
            "pupils": pupils,
        }


def _lids(openness: float, i: Identity) -> tuple[float, float]:
    """Heights of upper and lower lid above and below the line between the corners."""
    return i.eye_height * (-0.25 + 1.25 * openness), i.eye_height * (0.32 + 0.18 * openness)


def _eye(i: Identity, openness: float, density: int) -> Floats:
    """Outline of the left eye: upper lid from the outer corner, then the lower lid back."""
    upper, lower = _lids(openness, i)
    over = np.linspace(-1, 1, 4 * density + 1)
    under = np.linspace(1, -1, 4 * density + 1)[1:-1]
    rise = np.concatenate([-upper * (1 - over**2) ** 0.8, lower * (1 - under**2) ** 0.9])
    along = np.concatenate([over, under])
    return np.stack(
        [-i.eye_x + along * i.eye_width, rise + i.eye_tilt * along * i.eye_width], axis=1
    )


def _pupil(i: Identity, openness: float, gaze: tuple[float, float], side: int) -> list[float]:
    """The pupil, between the lids wherever the eye looks."""
    upper, lower = _lids(openness, i)
    x = gaze[0] * 0.35 * i.eye_width
    bow = (1 - (x / i.eye_width) ** 2) ** 0.9
    y = np.clip(gaze[1] * 0.3 * i.eye_height - 0.15 * i.eye_height, -upper * bow, lower * bow)
    return [side * i.eye_x + x, float(y) - i.eye_tilt * x * side]


def _brow(i: Identity, lift: float, density: int) -> Floats:
    """Outline of the left brow: upper edge from the outer tip, then the lower edge back."""
    over = np.linspace(0, 1, 4 * density + 1)
    under = np.linspace(1, 0, 4 * density + 1)[:-1]
    x0, x1 = -i.eye_x - i.brow_length * 0.561, -i.eye_x + i.brow_length * 0.433

    def middle(t: Floats) -> Floats:
        arch = i.brow_arch * (1 - (2 * t - 1.12) ** 2)
        return np.asarray(i.brow_y - 0.16 * lift - arch + 0.06 * lift * t + 0.03)

    def half(t: Floats) -> Floats:
        return np.asarray(i.brow_thickness * t**0.3)

    upper = np.stack([x0 + (x1 - x0) * over, middle(over) - half(over)], axis=1)
    lower = np.stack([x0 + (x1 - x0) * under, middle(under) + half(under)], axis=1)
    return np.concatenate([upper, lower])


def _mouth(i: Identity, e: Expression, density: int) -> tuple[Floats, Floats]:
    """Outer and inner outline of the lips, each from the left corner over the top."""
    half = i.mouth_width * (1 + 0.22 * e.smile - 0.28 * e.pucker)
    lift = 0.16 * e.smile
    gap = 0.46 * e.jaw + 0.113 * max(0.0, e.smile)

    def seam(t: Floats) -> Floats:
        bow = 0.036 * (1 - t * t)
        skew = 0.5 * e.skew * t * i.mouth_width
        return np.asarray(i.mouth_y - bow - lift * (t * t - 0.35) + skew)

    def top(t: Floats) -> Floats:
        cupid = 1 - 0.22 * np.exp(-0.5 * (t / 0.13) ** 2)
        lip = (1 - t * t) ** 0.75 * (i.upper_lip * cupid * (1 + 0.3 * e.pucker))
        return seam(t) - lip - raised(t)

    def raised(t: Floats) -> Floats:
        return np.asarray(0.15 * gap * (1 - t * t))

    def bottom(t: Floats) -> Floats:
        return low(t) + (1 - t * t) ** 0.7 * i.lower_lip * (1 + 0.3 * e.pucker)

    def low(t: Floats) -> Floats:
        return np.asarray(seam(t) + gap * (1 - t * t) ** 0.8)

    # WFLW's upper edge has its points nearer to the middle, its lower edge nearer to the corners.
    over = _signed_power(np.linspace(-1, 1, 6 * density + 1), 1.27)
    under = _signed_power(np.linspace(1, -1, 6 * density + 1)[1:-1], 0.84)
    lips = np.concatenate([np.stack([over, top(over)], 1), np.stack([under, bottom(under)], 1)])
    reach = 0.88
    over = np.linspace(-reach, reach, 4 * density + 1)
    under = np.linspace(reach, -reach, 4 * density + 1)[1:-1]
    high = seam(over) - 0.1 * gap * (1 - over**2) - raised(over)
    inside = np.concatenate([np.stack([over, high], 1), np.stack([under, low(under)], 1)])
    return lips * [half, 1], inside * [half, 1]


def _signed_power(t: Floats, exponent: float) -> Floats:
    return np.asarray(np.sign(t) * np.abs(t) ** exponent)


def _mirror(part: Floats, upper: int) -> Floats:
    """An outline mirrored left to right: its upper and its lower edge each run the other way."""
    flipped = part * [-1, 1]
    return np.concatenate([flipped[:upper][::-1], flipped[upper:][::-1]])


def _onto_canvas(y: Floats) -> Floats:
    """Height on the canvas of a height on the head; the neck is compressed."""
    return np.asarray(np.where(y > _CHIN, _CHIN + (y - _CHIN) * 0.3, y))


def _grid_triangles(rows: int, columns: int) -> Ints:
    """Two triangles a cell of a grid of vertices."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    right, below = corner + 1, corner + columns
    return np.concatenate(
        [np.stack([corner, right, below], 1), np.stack([right, below + 1, below], 1)]
    )


def _normals(points: Floats) -> Floats:
    """Unit normals (R, C, 3) of a grid of points (R, C, 3)."""
    down, across = np.gradient(points, axis=0), np.gradient(points, axis=1)
    normal = np.cross(across, down)
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9))


def _join(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0, *(len(mesh.points) for mesh in meshes)])
    triangles = [mesh.triangles + start for mesh, start in zip(meshes, starts, strict=False)]
    columns = ("points", "normals", "canvas", "hair", "azimuth")
    values = {name: np.concatenate([getattr(mesh, name) for mesh in meshes]) for name in columns}
    return Mesh(triangles=np.concatenate(triangles), **values)
