"""Several data sets as one, such as to train on all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alignbench.arrays import Bools, Bytes, Ints
from alignbench.datasets.base import Dataset, Images
from alignbench.exceptions import InputError


@dataclass(frozen=True)
class _JoinedImages:
    """Images of several data sets; ``part`` and ``place`` (N,) say where each face's image is."""

    names: tuple[str, ...]
    parts: tuple[Images, ...]
    part: Ints
    place: Ints

    def available(self) -> Bools:
        columns = [images.available() for images in self.parts]
        return np.array([columns[k][i] for k, i in self._places()], dtype=np.bool_)

    def read(self, index: int) -> Bytes:
        return self.parts[int(self.part[index])].read(int(self.place[index]))

    def location(self, index: int) -> str:
        return self.parts[int(self.part[index])].location(int(self.place[index]))

    def sources(self) -> list[str]:
        columns = [images.sources() for images in self.parts]
        return [f"{self.names[k]}/{columns[k][i]}" for k, i in self._places()]

    def digest(self) -> str:
        digest = hashlib.sha256()
        for k, images in enumerate(self.parts):
            digest.update(images.take(self.place[self.part == k]).digest().encode())
        return digest.hexdigest()

    def take(self, indices: Ints) -> _JoinedImages:
        return _JoinedImages(self.names, self.parts, self.part[indices], self.place[indices])

    def _places(self) -> list[tuple[int, int]]:
        return list(zip(self.part.tolist(), self.place.tolist(), strict=True))


def join_datasets(datasets: Mapping[str, Dataset]) -> Dataset:
    """Join data sets of one mark-up into one; a single data set is returned unchanged.

    Ids and clusters begin with the name of their data set. A column that one of them lacks is
    left out: visibility, boxes, a subset, a normaliser. The threshold is the first one's, and so
    is the order of the normalisers. There are no official numbers.

    Parameters
    ----------
    datasets
        Name to data set.

    Raises
    ------
    InputError
        If their mark-ups differ, or they have no normaliser in common.
    """
    parts = list(datasets.values())
    first = parts[0]
    if len(parts) == 1:
        return first
    where = f"data sets {', '.join(datasets)}"
    markups = [part.markup.name for part in parts]
    if any(part.markup != first.markup for part in parts):
        raise InputError(where, f"mark-ups {', '.join(markups)}", "one mark-up")
    normalisers = tuple(n for n in first.normalisers if all(n in d.normalisers for d in parts))
    if not normalisers:
        raise InputError(where, "have no normaliser in common", "one normaliser or more")
    sizes = [len(part) for part in parts]
    boxes = [part.boxes for part in parts if part.boxes is not None]
    visible = [part.visible for part in parts if part.visible is not None]
    names = list(zip(datasets, parts, strict=True))
    return Dataset(
        name=" + ".join(datasets),
        split=" + ".join(dict.fromkeys(part.split for part in parts)),
        markup=first.markup,
        ids=tuple(f"{name}/{face}" for name, part in names for face in part.ids),
        points=np.concatenate([part.points for part in parts]),
        visible=np.concatenate(visible) if len(visible) == len(parts) else None,
        boxes=np.concatenate(boxes) if len(boxes) == len(parts) else None,
        subsets={
            subset: np.concatenate([part.subsets[subset] for part in parts])
            for subset in _common([part.subsets for part in parts])
        },
        images=_JoinedImages(
            tuple(datasets),
            tuple(part.images for part in parts),
            np.repeat(np.arange(len(parts)), sizes),
            np.concatenate([np.arange(size) for size in sizes]),
        ),
        official={},
        normalisers=normalisers,
        threshold=first.threshold,
        scales={
            scale: np.concatenate([part.scales[scale] for part in parts])
            for scale in _common([part.scales for part in parts])
        },
        clusters=tuple(f"{name}/{one}" for name, part in names for one in part.cluster_names()),
    )


def _common(columns: Sequence[Mapping[str, object]]) -> list[str]:
    """Names that all have, in the first one's order."""
    return [name for name in columns[0] if all(name in others for others in columns)]
