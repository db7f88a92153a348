"""Heatmaps a network is trained on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from face_alignment.utils import draw_gaussian
from mmpose.codecs.utils import generate_gaussian_heatmaps, generate_udp_gaussian_heatmaps

from alignbench import heatmaps
from baselines.landmark_maps import gaussians
from peers.race import Question, Way

FACES, LANDMARKS, SIZE = 16, 98, 64
POINTS = np.random.default_rng(0).uniform(0, SIZE - 1, (FACES, LANDMARKS, 2))
VISIBLE = np.ones((1, LANDMARKS))


def questions() -> Iterator[Question]:
    title = "targets of 16 faces, 98 landmarks, 64 x 64, one thread"
    yield Question(
        f"{title}: Gaussians about pixels",
        FACES,
        [
            Way("alignbench `gaussians`", lambda: gaussians(POINTS, SIZE, 1.0), goal=None),
            theirs(generate_gaussian_heatmaps),
            Way("face-alignment `draw_gaussian`", face_alignment, 2, peaks_apart),
        ],
        note="Windows of 7 x 7 and sigma 1; face-alignment has one window only, of 13 x 13 and "
        "sigma 3.25, so its peaks alone are compared. Where the map's border cuts a window it "
        "lays it up to two pixels off.",
    )
    yield Question(
        f"{title}: about the landmark itself",
        FACES,
        [
            Way("alignbench `gaussians(subpixel=True)`", ours_subpixel, goal=None),
            theirs(generate_udp_gaussian_heatmaps),
        ],
    )


def ours_subpixel():
    return gaussians(POINTS, SIZE, 1.0, subpixel=True)


def theirs(draw):
    def call():
        return np.stack([draw((SIZE, SIZE), face[None], VISIBLE, 1)[0] for face in POINTS])

    return Way(f"mmpose `{draw.__name__}`", call, 1e-6)


def face_alignment():
    maps = np.zeros((FACES, LANDMARKS, SIZE, SIZE), np.float32)
    for face, points in zip(maps, np.floor(POINTS + 0.5), strict=True):
        for one, point in zip(face, points, strict=True):
            draw_gaussian(one, point + 1, 2)  # its pixels count from one
    return maps


def peaks_apart(ours, theirs):
    return float(np.abs(heatmaps.argmax(ours) - heatmaps.argmax(theirs)).max())
