"""What a data set is: columns, not objects, with images read lazily."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from alignbench import arrays
from alignbench.arrays import Bools, Bytes, Floats, Ints
from alignbench.markups import Markup

Progress = Callable[[int, int], object]
"""Called with (things done, things in all)."""


def ignore_progress(done: int, total: int) -> None:
    """The progress function of a caller who shows none."""


FULL = "full"
"""The subset of all faces; every data set has it."""


class Images(Protocol):
    """The images of a data set's faces, one a face, read when asked for."""

    def available(self) -> Bools:
        """(N,) whether each face's image is there (not whether it can be decoded)."""
        ...

    def read(self, index: int) -> Bytes:
        """Image (H, W, 3), RGB, of one face; raises InputError if it cannot be read."""
        ...

    def location(self, index: int) -> str:
        """Where one face's image is, or should be."""
        ...

    def sources(self) -> list[str]:
        """N names: faces of one image share one."""
        ...

    def digest(self) -> str:
        """sha256 over the bytes of all images, in order."""
        ...

    def take(self, indices: Ints) -> Images:
        """The images of these faces."""
        ...


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of a data set as columns over its N faces.

    Attributes
    ----------
    name, split
        Registered name and split.
    markup
        The mark-up of ``points``, with L landmarks.
    ids
        N unique names that do not depend on the order of the list.
    points
        (N, L, 2) true landmarks in 0-based pixel-centre coordinates.
    visible
        (N, L) whether a landmark is visible, or None where the set does not say.
    boxes
        (N, 4) the annotated boxes x_min, y_min, x_max, y_max, or None where there are none.
    subsets
        Name to (N,) membership; ``full`` holds every face.
    images
        The images, lazily.
    official
        Faces of each subset in the official split; empty where no official numbers exist.
    normalisers
        The normalisers its papers use, the usual one first.
    threshold
        The threshold its papers use for FR and AUC, as a fraction.
    """

    name: str
    split: str
    markup: Markup
    ids: tuple[str, ...]
    points: Floats
    visible: Bools | None
    boxes: Floats | None
    subsets: Mapping[str, Bools]
    images: Images
    official: Mapping[str, int]
    normalisers: tuple[str, ...]
    threshold: float

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Ints) -> Dataset:
        """The data set of these faces only, still measured against the official numbers."""
        return replace(
            self,
            ids=tuple(self.ids[i] for i in indices),
            points=arrays.take(self.points, indices),
            visible=None if self.visible is None else self.visible[indices],
            boxes=None if self.boxes is None else self.boxes[indices],
            subsets={name: member[indices] for name, member in self.subsets.items()},
            images=self.images.take(indices),
        )

    def shortfall(self) -> dict[str, tuple[int, int]]:
        """Subsets whose number of faces is not the official one: name to (here, official)."""
        here = {name: int(self.subsets[name].sum()) for name in self.official}
        return {n: (here[n], count) for n, count in self.official.items() if here[n] != count}

    def fingerprint(self) -> str:
        """sha256 of the annotation: ids, points, visibility, boxes and subsets."""
        digest = hashlib.sha256(f"{self.name} {self.split} {self.markup.name}\n".encode())
        digest.update("\n".join(self.ids).encode())
        parts = {"points": self.points, "visible": self.visible, "boxes": self.boxes}
        for name, column in (parts | dict(sorted(self.subsets.items()))).items():
            digest.update(name.encode())
            digest.update(b"none" if column is None else np.ascontiguousarray(column).data)
        return digest.hexdigest()


@dataclass(frozen=True)
class DatasetSource:
    """How to find and read a data set: what a package registers under ``alignbench.datasets``.

    Attributes
    ----------
    name, title
        Registered name, and a line that says what it is.
    markup
        Its mark-up.
    splits
        Split to official number of faces by subset (``full`` included).
    markers
        Paths, one of which exists in a folder that holds the data set.
    layout
        The files that are wanted, as text for a user who does not have them.
    homepage
        Where they are officially published.
    read
        Reads one split from the folder.
    locate
        Finds the folder of a split that the data set makes itself, and calls the progress function
        while it does; None for files the user brings.
    """

    name: str
    title: str
    markup: Markup
    splits: Mapping[str, Mapping[str, int]]
    markers: tuple[str, ...]
    layout: str
    homepage: str
    read: Callable[[Path, str], Dataset]
    locate: Callable[[str, Progress], Path] | None = None
