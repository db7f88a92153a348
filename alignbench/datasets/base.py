"""What a data set is: columns over its faces, and images that are read when they are needed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Protocol

import numpy as np

from alignbench import arrays
from alignbench.arrays import Bools, Bytes, Floats, Ints, plausible
from alignbench.exceptions import InputError, visible
from alignbench.geometry import tight_boxes
from alignbench.markups import Markup

Progress = Callable[[int, int], object]
"""Called with (things done, things in all)."""


def ignore_progress(done: int, total: int) -> None:
    """The progress function of a caller that shows no progress."""


FULL = "full"
"""The subset of all faces; every data set has it."""


class Images(Protocol):
    """The images of a data set's faces: one for each face, read when it is needed."""

    def available(self) -> Bools:
        """(N,) whether each face's image is there; it may still be impossible to decode."""

    def read(self, index: int) -> Bytes:
        """Image (H, W, 3), RGB, of one face; raises InputError if it cannot be read."""

    def location(self, index: int) -> str:
        """Where one face's image is, or should be."""

    def sources(self) -> list[str]:
        """N names of images; faces in the same image have the same name."""

    def digest(self) -> str:
        """sha256 of the bytes of all images, in order."""

    def take(self, indices: Ints) -> Images:
        """The images of these faces."""


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
        N unique names, which do not depend on the order of the faces.
    points
        (N, L, 2) true landmarks in 0-based pixel-centre coordinates. NaN for a landmark that is
        not annotated: it counts nowhere.
    visible
        (N, L) whether a landmark is visible, or None if the data set does not say.
    boxes
        (N, 4) the annotated boxes x_min, y_min, x_max, y_max, or None if there are none.
    subsets
        Name to (N,) membership; ``full`` holds every face.
    images
        The images, which are read when they are needed.
    official
        Faces of each subset in the official split; empty if there are no official numbers.
    normalisers
        The normalisers its papers use, the usual one first.
    threshold
        The threshold its papers use for FR and AUC, as a fraction.
    whole
        The mark-up and the boxes (N, 4) of all landmarks, where ``points`` are only some of them;
        None otherwise.
    scales
        Normalisers that the data set itself annotates: name to (N,), in pixels.
    clusters
        N names of the units that were sampled, such as the video of each frame. The bootstrap draws
        all faces of a name together. None if the units are the source images.
    sampled
        What the clusters are, in a word for notes under tables.
    incomplete
        What is known to be missing beyond the official numbers: one phrase for each reason.
    notes
        What was left out or read otherwise than it is stored: one sentence each.
    source, origin
        For a data set of a user's own, what it was loaded by (``FORMAT:PATH`` or a TOML file) and
        the origin that the user stated; else None.
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
    scales: Mapping[str, Floats] = field(default_factory=dict)
    clusters: tuple[str, ...] | None = None
    sampled: str = "source images"
    incomplete: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    whole: tuple[Markup, Floats] | None = None
    source: str | None = None
    origin: float | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return visible(
            f"Dataset({self.name} {self.split}: {len(self):,} faces, {self.markup.landmarks} "
            f"landmarks ({self.markup.name}))"
        )

    def _repr_html_(self) -> str:
        """The number of faces of every subset, for a notebook."""
        available = self.images.available()
        rows = [
            f"<tr><th>{escape(visible(name))}</th><td>{int(member.sum()):,}</td>"
            f"<td>{int((member & available).sum()):,}</td></tr>"
            for name, member in self.subsets.items()
        ]
        head = "<tr><th>subset</th><th>faces</th><th>with image</th></tr>"
        about = (
            f"{self.name} {self.split}. Mark-up: {self.markup.name}, {self.markup.landmarks} "
            f"landmarks. Normalisers: {', '.join(self.normalisers)}."
        )
        return (
            f"<p>{escape(visible(about))}</p><table><thead>{head}</thead>"
            f"<tbody>{''.join(rows)}</tbody></table>"
        )

    def take(self, indices: Ints) -> Dataset:
        """The data set of these faces only; the official numbers stay."""
        return replace(
            self,
            ids=tuple(self.ids[i] for i in indices),
            points=arrays.take(self.points, indices),
            visible=None if self.visible is None else self.visible[indices],
            boxes=None if self.boxes is None else self.boxes[indices],
            subsets={name: member[indices] for name, member in self.subsets.items()},
            images=self.images.take(indices),
            whole=None if self.whole is None else (self.whole[0], self.whole[1][indices]),
            scales={name: values[indices] for name, values in self.scales.items()},
            clusters=self.clusters and tuple(self.clusters[i] for i in indices),
        )

    def cluster_names(self) -> list[str]:
        """N names of clusters: faces of the same cluster are not independent samples."""
        return self.images.sources() if self.clusters is None else list(self.clusters)

    @property
    def annotated_markup(self) -> Markup:
        """The mark-up of the annotation, of which ``markup`` may be a part."""
        return self.markup if self.whole is None else self.whole[0]

    def tight_boxes(self) -> Floats:
        """Tight boxes (N, 4) of all landmarks of the annotation."""
        return tight_boxes(self.points) if self.whole is None else self.whole[1]

    def check(self) -> None:
        """Raise InputError for what would otherwise give wrong numbers instead of a message.

        Ids must be unique and UTF-8, columns of the right shape, landmarks finite or NaN (not in a
        whole face), boxes not empty, normalisers above 0, subsets boolean, and ``full`` must hold
        every face.
        """
        where = f"data set {self.name!r}, split {self.split!r}"
        faces = len(self.ids)
        for name in self.ids:
            try:
                name.encode()
            except UnicodeEncodeError as error:
                half = "half of a surrogate pair"
                raise InputError(
                    f"{where}, id {name!r}", f"has {half}", "whole characters"
                ) from error
        if len(set(self.ids)) < faces:
            twice, times = Counter(self.ids).most_common(1)[0]
            raise InputError(where, f"id {twice!r} occurs {times} times", "every id once")
        self._check_shapes(where)
        self._check_points(where)
        if self.boxes is not None:
            ordered = (self.boxes[:, :2] < self.boxes[:, 2:]).all(axis=1)
            for face in np.flatnonzero(~(plausible(self.boxes).all(axis=1) & ordered)).tolist():
                raise InputError(
                    f"{where}, face {self.ids[face]}", f"box {self.boxes[face].tolist()}",
                    "finite x_min < x_max and y_min < y_max",
                )  # fmt: skip
        for name, values in self.scales.items():
            for face in np.flatnonzero(~(plausible(values) & (values > 0))).tolist():
                raise InputError(
                    f"{where}, face {self.ids[face]}", f"normaliser {name} is {values[face]}",
                    "a number above 0",
                )  # fmt: skip
        for name, member in self.subsets.items():
            if member.dtype != np.bool_:
                raise InputError(f"{where}, subset {name!r}", f"{member.dtype}", "bool")
        if FULL not in self.subsets or not self.subsets[FULL].all():
            raise InputError(where, f"subset {FULL!r} lacks faces", "every face")

    def _check_shapes(self, where: str) -> None:
        faces, landmarks = len(self.ids), self.markup.landmarks
        shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
            "points": (self.points.shape, (faces, landmarks, 2)),
            "images": ((len(self.images.sources()),), (faces,)),
        }
        if self.visible is not None:
            shapes["visible"] = self.visible.shape, (faces, landmarks)
        if self.boxes is not None:
            shapes["boxes"] = self.boxes.shape, (faces, 4)
        if self.clusters is not None:
            shapes["clusters"] = (len(self.clusters),), (faces,)
        for name, values in self.scales.items():
            shapes[f"normaliser {name!r}"] = values.shape, (faces,)
        for name, member in self.subsets.items():
            shapes[f"subset {name!r}"] = member.shape, (faces,)
        for name, (shape, accepted) in shapes.items():
            if shape != accepted:
                raise InputError(f"{where}, {name}", f"shape {shape}", f"{accepted}")

    def _check_points(self, where: str) -> None:
        for rows in arrays.blocks(len(self.ids)):
            points = self.points[rows]
            absent = np.asarray(np.isnan(points).all(axis=2))
            wrong = ~np.asarray(plausible(points).all(axis=2) | absent)
            for face, landmark in np.argwhere(wrong).tolist():
                raise InputError(
                    f"{where}, face {self.ids[rows.start + face]}, landmark {landmark}",
                    f"found {points[face, landmark].tolist()}",
                    "finite coordinates, not far outside any image",
                )
            for face in np.flatnonzero(absent.all(axis=1)).tolist():
                raise InputError(
                    f"{where}, face {self.ids[rows.start + face]}", "no landmark is annotated",
                    "one or more", "Leave the face out.",
                )  # fmt: skip

    def unannotated(self) -> int:
        """Number of landmarks of all faces that have no annotation."""
        parts = (self.points[rows] for rows in arrays.blocks(len(self.ids)))
        return sum(int(np.isnan(part).all(axis=2).sum()) for part in parts)

    def boxes_elsewhere(self) -> list[str]:
        """Ids of faces of which fewer than half of the landmarks lie in the annotated box."""
        if self.boxes is None:
            return []
        faces: list[int] = []
        for rows in arrays.blocks(len(self.ids)):
            points, boxes = self.points[rows], self.boxes[rows, None]
            annotated = (~np.isnan(points).any(axis=2)).sum(axis=1)
            inside = (points >= boxes[..., :2]) & (points <= boxes[..., 2:])
            share = inside.all(axis=2).sum(axis=1) / annotated
            faces += (rows.start + np.flatnonzero(share < 0.5)).tolist()
        return [self.ids[face] for face in faces]

    def shortfall(self) -> dict[str, tuple[int, int]]:
        """Subsets whose number of faces is not the official one: name to (here, official)."""
        here = {name: int(self.subsets[name].sum()) for name in self.official}
        return {n: (here[n], count) for n, count in self.official.items() if here[n] != count}

    def fingerprint(self) -> str:
        """sha256 of the annotation: of every column but the images."""
        digest = hashlib.sha256(f"{self.name} {self.split} {self.markup.name}\n".encode())
        digest.update("\n".join(self.ids).encode())
        parts = {"points": self.points, "visible": self.visible, "boxes": self.boxes}
        parts |= dict(sorted(self.subsets.items()))
        for name, column in (parts | dict(sorted(self.scales.items()))).items():
            digest.update(name.encode())
            digest.update(b"none" if column is None else np.ascontiguousarray(column).data)
        if self.clusters is not None:
            digest.update("\n".join(self.clusters).encode())
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
        Each split's official numbers of faces by subset, ``full`` included.
    markers
        Paths, one of which exists in a folder that holds the data set.
    layout
        The files that are needed, as text for a user who does not have them.
    homepage
        Where they are officially published.
    read
        Reads one split from the folder.
    locate
        Finds the folder of a split that the data set draws itself, and calls the progress function
        meanwhile; None for files that the user brings.
    is_drawn
        Whether a split that the data set draws itself was drawn before.
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
    is_drawn: Callable[[str], bool] | None = None
