"""Landmarks from heatmaps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from face_alignment.utils import get_preds_fromhm
from mmpose.codecs import MSRAHeatmap

from alignbench import heatmaps
from baselines.landmark_maps import gaussians
from peers.race import Question, Way

FACES, LANDMARKS, SIZE = 16, 98, 64
RNG = np.random.default_rng(0)
POINTS = RNG.uniform(6, SIZE - 7, (FACES, LANDMARKS, 2))
MAPS = gaussians(POINTS, SIZE, subpixel=True)
MAPS += RNG.random(MAPS.shape, dtype=np.float32) / 50
CENTRES, SCALES = RNG.uniform(200, 400, (FACES, 2)), RNG.uniform(1, 2, FACES)
SIDES = 200 * SCALES[:, None, None]
"""Of the square that face-alignment takes about a centre."""

THEIRS, UNBIASED = "face-alignment `get_preds_fromhm`", "mmpose `MSRAHeatmap(unbiased=True).decode`"

Y, X = np.mgrid[:SIZE, :SIZE]
SMOOTH = np.exp(
    -0.5 * ((X - POINTS[..., :1, None]) ** 2 + (Y - POINTS[..., 1:, None]) ** 2) / 2**2
).astype(np.float32)
"""Whole Gaussians of sigma 2 without noise: what DARK is made for."""


def questions() -> Iterator[Question]:
    title = "decoding 16 x 98 heatmaps of 64 x 64, one thread"
    yield Question(
        f"{title}: highest pixel, a quarter towards the higher neighbour",
        FACES,
        [
            Way("alignbench `quarter`", lambda: heatmaps.quarter(MAPS), goal=None),
            Way(f"{THEIRS} (Numba)", face_alignment_on_map, goal=6),
            Way("mmpose `MSRAHeatmap.decode`", lambda: mmpose(QUARTER, MAPS)),
            Way("NumPy `argmax`, map by map", loop_of_argmax, 0.25),
            Way("NumPy `argmax` of all maps, no coordinates", argmax_alone, 0, nothing, None),
        ],
        note="All look for the highest of 4,096 values first; the last row does nothing else: what "
        "ours and face-alignment's could be at best.",
    )
    yield Question(
        f"{title}, to pixels of the image",
        FACES,
        [
            Way("alignbench `quarter`, and the crop undone", ours_in_image, goal=None),
            Way(
                f"{THEIRS} with centre and scale, face by face",
                face_alignment_in_image,
                1.0,
                goal=6,
            ),
        ],
        note="What face-alignment does with every face. It inverts the crop once a landmark and "
        "cuts the result to whole pixels: up to one apart.",
    )
    yield Question(
        f"{title}: to a fraction of a pixel",
        FACES,
        [
            Way("alignbench `parabola`", lambda: heatmaps.parabola(SMOOTH), goal=None),
            Way(f"{UNBIASED} (DARK)", lambda: mmpose(DARK, SMOOTH), 0.05),
        ],
        note="DARK blurs each map first and has the mixed derivative; both find these Gaussians.",
    )


def codec(**options):
    return MSRAHeatmap((SIZE, SIZE), (SIZE, SIZE), sigma=2, **options)


QUARTER, DARK = codec(), codec(unbiased=True)


def mmpose(which, maps):
    return np.concatenate([which.decode(face)[0] for face in maps])


def face_alignment_on_map():
    # Its pixels have their centres at a half.
    return get_preds_fromhm(MAPS)[0] - 0.5


def loop_of_argmax():
    peaks = [[divmod(heatmap.argmax(), SIZE) for heatmap in face] for face in MAPS]
    return np.array(peaks, np.float64)[..., ::-1]


def argmax_alone():
    return MAPS.reshape(FACES, LANDMARKS, -1).argmax(axis=2)


def nothing(*_):
    """No landmarks: nothing to compare."""
    return 0.0


def ours_in_image():
    fractions = (heatmaps.quarter(MAPS) + 0.5) / SIZE
    return fractions * SIDES + (CENTRES[:, None] - SIDES / 2)


def face_alignment_in_image():
    faces = zip(MAPS[:, None], CENTRES, SCALES, strict=True)
    return np.concatenate([get_preds_fromhm(*face)[1] for face in faces])
