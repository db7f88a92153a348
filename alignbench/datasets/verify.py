"""Comparing the faces on disk with the official numbers, and decoding every image."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from alignbench.datasets.base import Dataset, Progress, ignore_progress
from alignbench.exceptions import InputError
from alignbench.io.images import rotated_images


@dataclass(frozen=True)
class Verification:
    """What :func:`verify` found.

    Attributes
    ----------
    counts
        Subset to (faces here, official number of faces).
    images_missing
        Ids of faces whose image is not there.
    images_broken
        One message for each image that cannot be decoded.
    outside
        Ids of faces with a landmark more than one image side outside their image.
    rotated
        Names of images with an EXIF rotation, which is ignored.
    boxes_off
        Ids of faces whose annotated box and image share no area.
    boxes_elsewhere
        Ids of faces of which fewer than half of the landmarks lie in their annotated box.
    missing
        What else is known to be missing.
    """

    counts: dict[str, tuple[int, int]]
    images_missing: list[str]
    images_broken: list[str]
    outside: list[str]
    rotated: list[str]
    boxes_off: list[str]
    boxes_elsewhere: list[str]
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether all faces and images are there, and every image can be decoded."""
        counts_agree = all(here == official for here, official in self.counts.values())
        whole = counts_agree and not self.missing
        return whole and not self.images_missing and not self.images_broken


def verify(
    dataset: Dataset, progress: Progress = ignore_progress, threads: int = 2
) -> Verification:
    """Count faces and subsets, and decode every image; ``progress`` counts images."""
    counts = {n: (int(dataset.subsets[n].sum()), count) for n, count in dataset.official.items()}
    available = dataset.images.available()
    present = np.flatnonzero(available)
    broken: list[str] = []
    outside: list[str] = []
    off: list[str] = []

    def examine(index: int) -> str | tuple[bool, bool]:
        """An error message; or whether a landmark is far off the image, and whether its box is."""
        try:
            height, width = dataset.images.read(index).shape[:2]
        except InputError as error:
            return str(error)
        size = np.array([width, height])
        points = dataset.points[index]
        far = bool(((points < -size) | (points > 2 * size)).any())
        if dataset.boxes is None:
            return far, False
        box = dataset.boxes[index]
        return far, bool((box[2:] <= -0.5).any() or (box[:2] >= size - 0.5).any())

    with ThreadPoolExecutor(threads) as pool:
        results = zip(present, pool.map(examine, present), strict=True)
        for done, (index, result) in enumerate(results, start=1):
            if isinstance(result, str):
                broken.append(result)
            else:
                for is_so, names in zip(result, (outside, off), strict=True):
                    if is_so:
                        names.append(dataset.ids[index])
            progress(done, len(present))
    missing = [dataset.ids[index] for index in np.flatnonzero(~available)]
    return Verification(
        counts, missing, broken, outside, rotated_images(dataset.images), off,
        dataset.boxes_elsewhere(), dataset.incomplete,
    )  # fmt: skip
