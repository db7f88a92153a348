"""Comparing what is on disk with the official numbers, and trying every image."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from alignbench.datasets.base import Dataset
from alignbench.errors import InputError


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
    """

    counts: dict[str, tuple[int, int]]
    images_missing: list[str]
    images_broken: list[str]
    outside: list[str]

    @property
    def complete(self) -> bool:
        """Whether all faces and images are there and readable."""
        return not self.images_missing and not self.images_broken and self.counts_agree

    @property
    def counts_agree(self) -> bool:
        """Whether every subset has its official number of faces."""
        return all(here == official for here, official in self.counts.values())


def verify(
    dataset: Dataset,
    progress: Callable[[int, int], None] = lambda done, total: None,
    threads: int = 2,
) -> Verification:
    """Count faces and subsets, and decode every image.

    Parameters
    ----------
    progress
        Called with (images done, images in all).
    """
    counts = {
        name: (int(dataset.subsets[name].sum()), official)
        for name, official in dataset.official.items()
    }
    there = dataset.images.available()
    broken, outside = [], []
    present = np.flatnonzero(there)

    def examine(index: int) -> str | bool:
        """An error message, or whether the landmarks lie near the image."""
        try:
            height, width = dataset.images.read(index).shape[:2]
        except InputError as error:
            return str(error)
        size = np.array([width, height])
        points = dataset.points[index]
        return bool((points >= -size).all() and (points <= 2 * size).all())

    with ThreadPoolExecutor(threads) as pool:
        for done, (index, result) in enumerate(
            zip(present, pool.map(examine, present), strict=True), start=1
        ):
            if isinstance(result, str):
                broken.append(result)
            elif not result:
                outside.append(dataset.ids[index])
            progress(done, len(present))
    missing = [dataset.ids[index] for index in np.flatnonzero(~there)]
    return Verification(counts, missing, broken, outside)
