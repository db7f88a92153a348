"""A model's landmarks under conditions: each image is decoded once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256

import cv2
import numpy as np

from alignbench import Dataset, Predictor, threads
from alignbench.arrays import Bytes, Floats, blocks
from alignbench.boxes import Boxes
from alignbench.geometry import transform
from alignbench.io.images import ArrayImages
from alignbench.runs.predict import predict_points
from reports.robustness.corruptions import LARGEST, Corruption, Place

TOGETHER = 64
"""Faces that are in memory at a time: at most 190 MB, with those of one condition."""
_FACE = 208
"""Longer side of the tight box of every face, in pixels: a window of 256 pixels shows no more."""
_SURROUNDINGS = 3.0
"""Side of the surroundings in longer sides of that box: windows of most models show less."""


@dataclass(frozen=True)
class Condition:
    """A corruption in one strength; without corruption the image and the box as they are."""

    corruption: Corruption | None = None
    level: int = 0

    @property
    def name(self) -> str:
        """The corruption's name."""
        return "none" if self.corruption is None else self.corruption.name

    @property
    def strength(self) -> float:
        """What the corruption's functions are given."""
        return 0.0 if self.corruption is None else self.corruption.strengths[self.level - 1]


CLEAN = Condition()


def all_conditions(corruptions: Sequence[Corruption]) -> list[Condition]:
    """Every strength of some corruptions, after the condition without any."""
    levels = (
        Condition(corruption, level + 1)
        for corruption in corruptions
        for level in range(len(corruption.strengths))
    )
    return [CLEAN, *levels]


def predict_conditions(
    predictor: Predictor, faces: Dataset, boxes: Boxes, conditions: Sequence[Condition], seed: int
) -> Iterator[tuple[int, slice, Floats]]:
    """The landmarks that a model finds under each condition.

    Parameters
    ----------
    boxes
        The boxes (N, 4) of the faces without corruption.
    seed
        With a face's id and a corruption's name it gives what is drawn at random, so that a face
        is corrupted in the same way in any data set, order and selection.

    Yields
    ------
    Number of the condition, faces of the block, and their landmarks (n, L, 2) in pixels of the
    image as it is on disk; NaN where the model found none.

    Raises
    ------
    InputError
        If an image is broken, or the model raises an error or gives no landmarks.
    """
    for rows in blocks(len(faces), TOGETHER):
        some = faces.take(np.arange(rows.start, rows.stop))
        frames = boxes.boxes[rows] if boxes.frames is None else boxes.frames[rows]
        scenes = cut_scenes(some, np.stack([boxes.boxes[rows], frames], axis=1))
        for number, condition in enumerate(conditions):
            changed = change_scenes(scenes, some.ids, condition, seed)
            yield number, rows, _predict(predictor, some, boxes, changed)


@dataclass(frozen=True)
class Scene:
    """A face in its surroundings.

    Attributes
    ----------
    image
        (H, W, 3).
    matrix
        (2, 3): from pixels of the image on disk to those of ``image``.
    face
        (4,): the tight box of the true landmarks, in pixels of ``image``.
    boxes
        (2, 4): the box that the model is shown, and its frame, in pixels of ``image``.
    """

    image: Bytes
    matrix: Floats
    face: Floats
    boxes: Floats


def cut_scenes(faces: Dataset, boxes: Floats) -> list[Scene]:
    """The surroundings of n faces with their boxes (n, 2, 4).

    All have one scale, so that noise has the same grain on every face.
    """
    tight = faces.tight_boxes()

    def cut(face: int) -> Scene:
        image, matrix = _cut(faces.images.read(face), tight[face])
        moved = _move_boxes(np.concatenate([tight[face, None], boxes[face]]), matrix)
        return Scene(image, matrix, moved[0], moved[1:])

    return _each(cut, range(len(faces)))


def _each(function: Callable[[int], Scene], faces: range) -> list[Scene]:
    with ThreadPoolExecutor(threads.count()) as pool:
        return list(pool.map(function, faces))


def _cut(image: Bytes, box: Floats) -> tuple[Bytes, Floats]:
    """The part of an image around a box, and the map (2, 3) to its pixels."""
    ends = np.array(image.shape[1::-1])
    longer = float((box[2:] - box[:2]).max())
    centre, half = (box[:2] + box[2:]) / 2, _SURROUNDINGS * longer / 2
    low = np.clip(np.floor(centre - half), 0, ends - 1).astype(int)
    high = np.clip(np.ceil(centre + half) + 1, low + 1, ends).astype(int)
    part = image[low[1] : high[1], low[0] : high[0]]
    size = np.minimum(np.ceil(_FACE / longer * (high - low)).astype(int), LARGEST)
    how = cv2.INTER_AREA if longer > _FACE else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(part, size.tolist(), interpolation=how), np.uint8)
    # Between pixel centres: the first pixel covers the image from low - 0.5 on.
    scale = size / (high - low)
    return scaled, np.column_stack([np.diag(scale), (0.5 - low) * scale - 0.5])


def _move_boxes(boxes: Floats, matrix: Floats) -> Floats:
    """Boxes (K, 4): their centres under a map (2, 3), their sides as the map scales lengths."""
    centres = transform((boxes[None, :, :2] + boxes[None, :, 2:]) / 2, matrix[None])[0]
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * np.hypot(matrix[0, :2], matrix[1, :2])
    return np.concatenate([centres - half, centres + half], axis=1)


def generator(seed: int, corruption: str, face: str) -> np.random.Generator:
    """The generator of a corruption for a face, the same for all its strengths."""
    digest = sha256(f"{seed}\n{corruption}\n{face}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def change_scenes(
    scenes: Sequence[Scene], ids: Sequence[str], condition: Condition, seed: int
) -> Sequence[Scene]:
    """Scenes under a condition; the images given are not changed."""
    corruption, strength = condition.corruption, condition.strength
    if corruption is None:
        return scenes

    def change(face: int) -> Scene:
        scene, rng = scenes[face], generator(seed, corruption.name, ids[face])
        if corruption.picture is not None:
            image = corruption.picture(scene.image, scene.face, strength, rng)
            return replace(scene, image=image)
        if corruption.move is not None:
            return replace(scene, boxes=corruption.move(scene.boxes, strength, rng))
        return scene if corruption.place is None else _move(scene, corruption.place, strength, rng)

    return _each(change, range(len(scenes)))


def _move(scene: Scene, place: Place, strength: float, rng: np.random.Generator) -> Scene:
    height, width = scene.image.shape[:2]
    matrix, size = place(scene.face, (width, height), strength, rng)
    image = np.asarray(cv2.warpAffine(scene.image, matrix, size), np.uint8)
    both = matrix[:, :2] @ scene.matrix
    both[:, 2] += matrix[:, 2]
    return Scene(image, both, scene.face, _move_boxes(scene.boxes, matrix))


def _predict(predictor: Predictor, faces: Dataset, boxes: Boxes, scenes: Sequence[Scene]) -> Floats:
    """Landmarks (n, L, 2) of faces in pixels of the image on disk."""
    images = ArrayImages([scene.image for scene in scenes])
    shown = np.stack([scene.boxes for scene in scenes])
    frames = None if boxes.frames is None else shown[:, 1]
    here = replace(boxes, boxes=shown[:, 0], frames=frames)
    points = predict_points(predictor, replace(faces, images=images), here).points
    matrices = np.stack([scene.matrix for scene in scenes])
    inverse = np.linalg.inv(matrices[:, :, :2])
    back = (points - matrices[:, None, :, 2]) @ inverse.transpose(0, 2, 1)
    mirrored = np.linalg.det(inverse) < 0
    back[mirrored] = back[mirrored][:, faces.markup.flip_order]
    return np.asarray(back)
