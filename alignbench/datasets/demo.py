"""A small data set the package draws itself, so that a fresh machine has something to run on.

Schematic faces with exact 98-point truth, written once to the user's cache in WFLW's layout and
read back by the ``wflw`` reader. It shows that everything works; its numbers say nothing about
real faces.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock
from platformdirs import user_cache_path

from alignbench.arrays import Bytes, Floats
from alignbench.datasets.base import FULL, Dataset, DatasetSource
from alignbench.datasets.wflw import ATTRIBUTES, IMAGES, LIST, read_layout
from alignbench.geometry import scale_boxes, tight_boxes
from alignbench.markups import WFLW98

_FACES = {"test": 200, "train": 600}
_SPLITS = {split: {FULL: faces} for split, faces in _FACES.items()}
_SIZE = 160
_VERSION = "1"


def read(root: Path, split: str) -> Dataset:
    """One split of the demo data set from ``root``, where :func:`locate` drew it."""
    return read_layout(root, split, "demo", _SPLITS[split])


def locate(_split: str = "test") -> Path:
    """The folder with both splits of the demo data set; draws it on first use."""
    folder = user_cache_path("alignbench", appauthor=False) / f"demo-{_VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            draft = Path(tempfile.mkdtemp(prefix="demo-", dir=folder.parent))
            try:
                draw(draft)
                draft.rename(folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    return folder


def draw(folder: Path) -> None:
    """Write both splits in WFLW's layout; the same bytes every time."""
    for offset, (split, faces) in enumerate(_FACES.items()):
        lines = []
        (folder / IMAGES / split).mkdir(parents=True)
        for index in range(faces):
            image, points, attributes = draw_face(np.random.default_rng([offset, index]))
            name = f"{split}/{index:04d}.png"
            cv2.imwrite(str(folder / IMAGES / name), image[:, :, ::-1])
            box = np.round(scale_boxes(tight_boxes(points[None]), 1.1)[0])
            numbers = [f"{x:.3f}" for x in points.ravel()] + [f"{x:.0f}" for x in box]
            flags = [str(int(attributes[name])) for name in ATTRIBUTES]
            lines.append(" ".join([*numbers, *flags, name]))
        path = folder / LIST.format(split=split)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw_face(rng: np.random.Generator) -> tuple[Bytes, Floats, dict[str, bool]]:
    """One face: image (S, S, 3) RGB, landmarks (98, 2), WFLW's six attributes."""
    turn, smile = rng.normal(0, 0.2), rng.normal(0.2, 0.5)
    light = rng.uniform(0.45, 1.1)
    make_up, occlusion, blur = rng.random(3) < (0.1, 0.25, 0.25)
    parts = _parts(rng, float(np.clip(smile, -0.6, 1.4)))
    matrix = _pose(rng)
    placed = {
        name: _turned(part, turn) @ matrix[:, :2].T + matrix[:, 2]
        for name, part in (parts | _SCALP).items()
    }
    image = _paint(rng, placed, light, make_up)
    if occlusion:
        centre = rng.uniform(0.3, 0.7, 2) * _SIZE
        _fill(image, centre + _arc(0, 360, 24) * rng.uniform(14, 26, 2), rng.uniform(0, 255, 3))
    if blur:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(1, 2.5)), np.float64)
    noisy = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    attributes = {
        "pose": abs(turn) > 0.3,
        "expression": abs(smile) > 0.9,
        "illumination": light < 0.6,
        "make-up": bool(make_up),
        "occlusion": bool(occlusion),
        "blur": bool(blur),
    }
    return noisy, np.concatenate([placed[name] for name in parts]), attributes


def _pose(rng: np.random.Generator) -> Floats:
    """Map (2, 3) from face units (half a face's width) to pixels."""
    angle, scale = rng.normal(0, 0.15), rng.uniform(0.27, 0.34) * _SIZE
    spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([spin * scale, _SIZE / 2 + rng.normal(0, 5, 2)])


def _turned(part: Floats, turn: float) -> Floats:
    """A part of a head turned by about ``turn``: what is in front moves to the side."""
    x, y = part[:, 0], part[:, 1]
    return np.column_stack([x * (1 - 0.3 * abs(turn)) + turn * np.clip(1 - x**2, 0, 1) * 0.7, y])


def _arc(start: float, stop: float, count: int) -> Floats:
    """Points (count, 2) of the unit circle; 0 degrees is left, 90 up (the image's y grows down)."""
    angle = np.radians(np.linspace(start, stop, count))
    return np.column_stack([-np.cos(angle), -np.sin(angle)])


_SCALP = {
    "forehead": _arc(-20, 200, 24) * [1.0, 0.75] + [0, -0.3],
    "hair": _arc(-25, 205, 32) * [1.12, 1.0] + [0, -0.25],
}
"""What is painted but bears no landmark, in face units."""


def _parts(rng: np.random.Generator, smile: float) -> dict[str, Floats]:
    """The face in face units, part by part in the order of WFLW's mark-up."""
    vary = rng.normal
    eye_x, eye_y = vary(0.42, 0.03), vary(-0.22, 0.03)
    eye = np.array([vary(0.19, 0.015), max(0.02, vary(0.075, 0.025))])
    brow_y, arch = eye_y - vary(0.27, 0.03), vary(0.09, 0.02)
    mouth = np.array([vary(0.36, 0.03) + 0.07 * smile, vary(0.12, 0.02)])
    mouth_y, gap = vary(0.60, 0.04), max(0.0, vary(0.05 * smile, 0.03))
    nose_y, chin = vary(0.22, 0.04), vary(1.2, 0.05)
    contour = -_arc(190, -10, 33)[::-1] * [1.0, chin] + [0, -0.02]
    upper, lower = _arc(15, 165, 5) * [0.27, arch], _arc(160, 20, 4) * [0.25, arch * 0.3]
    left_brow = np.concatenate([upper, lower]) + np.array([-0.45, brow_y])
    left_eye = np.concatenate([_arc(0, 180, 5), _arc(225, 315, 3)]) * eye + np.array(
        [-eye_x, eye_y]
    )
    bridge = np.column_stack([np.zeros(4), np.linspace(eye_y + 0.03, nose_y - 0.06, 4)])
    base = -_arc(0, 180, 5)[::-1] * [0.17, 0.05] + np.array([0, nose_y])
    lips = np.concatenate([_arc(0, 180, 7), _arc(210, 330, 5)])
    inside = np.concatenate([_arc(0, 180, 5), _arc(225, 315, 3)])

    def curl(part: Floats) -> Floats:
        return part + np.column_stack([part[:, 0] * 0, -smile * 0.5 * part[:, 0] ** 2])

    return {
        "contour": contour,
        "left_brow": left_brow,
        "right_brow": _mirrored(left_brow, 5),
        "bridge": bridge,
        "base": base,
        "left_eye": left_eye,
        "right_eye": _mirrored(left_eye, 5),
        "lips": curl(lips * np.add(mouth, (0, gap))) + np.array([0, mouth_y]),
        "inside": curl(inside * [mouth[0] * 0.85, 0.01 + gap]) + np.array([0, mouth_y]),
        "pupils": np.array([[-eye_x, eye_y], [eye_x, eye_y]]),
    }


def _mirrored(part: Floats, upper: int) -> Floats:
    """An outline mirrored left to right: its upper and its lower edge each run the other way."""
    flipped = part * [-1, 1]
    return np.concatenate([flipped[:upper][::-1], flipped[upper:][::-1]])


def _fill(image: Floats, outline: Floats, colour: Floats) -> None:
    """Fill an outline (K, 2) in a float32 image, anti-aliased to a sixteenth of a pixel."""
    cv2.fillPoly(
        image, [np.round(outline * 16).astype(np.int32)], colour.tolist(), cv2.LINE_AA, shift=4
    )


def _paint(
    rng: np.random.Generator, parts: dict[str, Floats], light: float, make_up: bool
) -> Floats:
    """The picture (S, S, 3) of placed parts."""
    ramp = np.linspace(0.6, 1.0, _SIZE)[:, None, None]
    image = np.ascontiguousarray(ramp * rng.uniform(40, 220, 3) * np.ones((1, _SIZE, 1)))
    image = image.astype(np.float32)
    skin = np.array([225, 185, 160]) * rng.uniform(0.5, 1.05)
    hair = rng.uniform(10, 110) * np.array([1, 0.85, 0.7])
    lips = np.array([200, 60, 80]) if make_up else skin * [0.8, 0.6, 0.6]
    _fill(image, parts["hair"], hair)
    _fill(image, parts["contour"], skin)
    _fill(image, parts["forehead"], skin)
    for side in ("left_brow", "right_brow"):
        _fill(image, parts[side], hair * 0.8)
    for side, pupil in zip(("left_eye", "right_eye"), parts["pupils"], strict=True):
        _fill(image, parts[side], np.array([245.0, 245, 245]))
        height = np.ptp(parts[side][:, 1])
        _fill(image, pupil + _arc(0, 360, 16) * (height / 2), np.array([50.0, 40, 30]))
    _fill(image, np.concatenate([parts["bridge"][-1:], parts["base"]]), skin * 0.75)
    _fill(image, parts["lips"], lips)
    _fill(image, parts["inside"], np.array([70.0, 20, 25]))
    return np.asarray(image * light)


SOURCE = DatasetSource(
    name="demo",
    title="schematic faces the package draws itself (98 points); nothing to download",
    markup=WFLW98,
    splits=_SPLITS,
    markers=(),
    layout="",
    homepage="drawn by alignbench itself",
    read=read,
    locate=locate,
)
