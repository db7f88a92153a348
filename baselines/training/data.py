"""The faces a network is trained on: which, in what order, and what it is shown of each.

All chance comes from ``(seed, epoch, face)`` for a face, from ``(seed, epoch)`` for the order and
from ``seed`` for the faces held out, each a stream of its own, so that neither workers nor
processes nor a new start change anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_all_start_methods
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from alignbench.arrays import Floats
from alignbench.datasets import load_dataset
from alignbench.datasets.base import Dataset
from alignbench.datasets.wflw import ATTRIBUTES
from alignbench.errors import InputError, unknown
from alignbench.geometry import crop_transforms, square_crops, transform, warp
from alignbench.markups import Markup, convert, load_markup
from alignbench.predictors.crop import network_input
from alignbench.predictors.settings import CropSettings
from baselines.training.augmentation import change_light, draw_map, joined
from baselines.training.methods import Faces, Method
from baselines.training.recipe import Augmentation, Recipe

_START = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
_PURPOSES = ("hold-out", "order", "face")
Drawn = tuple[int, int]
"""An epoch and a face: what is asked of :class:`Samples`."""


def chance(purpose: str, seed: int, *place: int) -> np.random.Generator:
    """The random stream of one purpose at one place, such as (epoch, face); no two are the same."""
    # As a key, not as part of the seed: NumPy pads seeds with zeros, so that [1, 2] is [1, 2, 0].
    key = (_PURPOSES.index(purpose), *place)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True)
class Data:
    """Faces to train on and to validate on, all with image, and how many have none."""

    train: Dataset
    validation: Dataset
    without_image: int


def load_data(recipe: Recipe, root: str | Path | None) -> Data:
    """The faces a recipe asks for, in its mark-up.

    Raises
    ------
    InputError
        If data set, split or subset is unknown or not there, no image is, the mark-up cannot be
        had, or a share leaves no faces on one side.
    """
    whole = load_dataset(recipe.dataset, root, recipe.split)
    if recipe.subset not in whole.subsets:
        raise unknown(f"subset of {recipe.dataset}", recipe.subset, whole.subsets)
    whole = whole.take(np.flatnonzero(whole.subsets[recipe.subset]))
    seen, without = _with_image(whole)
    if isinstance(recipe.validation, str):
        train = seen
        validation, missing = _with_image(load_dataset(recipe.dataset, root, recipe.validation))
        without += missing
    else:
        train, validation = hold_out(seen, recipe.validation, recipe.seed)
    markup = _markup(recipe, whole.markup)
    return Data(_converted(train, markup), _converted(validation, markup), without)


def hold_out(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """The data set without a share of its images, and the faces of these.

    Faces of one image stay together.

    Raises
    ------
    InputError
        If one side would have no faces.
    """
    sources = np.array(dataset.images.sources())
    images = np.unique(sources)
    held = chance("hold-out", seed).permutation(images)[: round(share * len(images))]
    away = np.isin(sources, held)
    if away.all() or not away.any():
        raise InputError(
            "key validation", f"{share} of {len(images):,} images leaves a side without faces",
            "another share, or a split",
        )  # fmt: skip
    return dataset.take(np.flatnonzero(~away)), dataset.take(np.flatnonzero(away))


def _with_image(dataset: Dataset) -> tuple[Dataset, int]:
    there = dataset.images.available()
    if not there.any():
        raise InputError(
            f"{dataset.name} {dataset.split}", f"none of {len(dataset):,} faces has its image",
            remedy=f"Put the images there, such as {dataset.images.location(0)}.",
        )  # fmt: skip
    return dataset.take(np.flatnonzero(there)), int((~there).sum())


def _markup(recipe: Recipe, own: Markup) -> Markup:
    if recipe.markup is None:
        return own
    return load_markup(recipe.markup)


def _converted(dataset: Dataset, markup: Markup) -> Dataset:
    points = convert(dataset.points, dataset.markup, markup)
    visible = dataset.visible if dataset.markup is markup else None
    return replace(dataset, points=points, markup=markup, visible=visible)


def attributes(dataset: Dataset) -> Floats:
    """WFLW's six attributes (N, 6) of a data set's faces.

    Raises
    ------
    InputError
        If the data set has none.
    """
    if missing := [name for name in ATTRIBUTES if name not in dataset.subsets]:
        raise InputError(
            "key loss.focal",
            f"{dataset.name} {dataset.split} has no attribute {missing[0]}",
            "none",
            'Set loss.focal to "none".',
        )
    return np.stack([dataset.subsets[name] for name in ATTRIBUTES], axis=1).astype(np.float64)


class Samples(TorchDataset[Faces]):
    """Batches of augmented faces.

    Parameters
    ----------
    boxes
        (N, 4) of the faces.
    attributes
        (N, A) that the loss wants.
    """

    def __init__(
        self,
        dataset: Dataset,
        boxes: Floats,
        attributes: Floats,
        settings: CropSettings,
        augmentation: Augmentation,
        method: Method,
        seed: int,
    ) -> None:
        self._dataset, self._attributes = dataset, attributes
        self._settings, self._augmentation = settings, augmentation
        self._method, self._seed = method, seed
        crop = settings.crop
        crops = square_crops(boxes, crop.scale, crop.rounding, crop.of)
        self._to_window = crop_transforms(crops, crop.size)

    def __getitems__(self, drawn: Sequence[Drawn]) -> Faces:
        """The batch (B) of these epochs and faces."""
        crop, wanted = self._settings.crop, self._augmentation
        windows, maps, truth = [], [], []
        for epoch, face in drawn:
            rng = chance("face", self._seed, epoch, face)
            change, mirrored = draw_map(rng, wanted, crop.size)
            matrix = joined(self._to_window[face], change)
            window = warp(self._dataset.images.read(face), matrix, crop.size, crop.border)
            windows.append(change_light(rng, wanted, window))
            points = self._dataset.points[face]
            truth.append(points[self._dataset.markup.flip_order] if mirrored else points)
            maps.append(matrix)
        points = transform(np.stack(truth), np.stack(maps))
        faces = [face for _, face in drawn]
        return Faces(
            torch.tensor(faces),
            torch.from_numpy(network_input(self._settings.input, np.stack(windows))),
            torch.from_numpy(points.astype(np.float32)),
            torch.from_numpy(self._attributes[faces].astype(np.float32)),
            {k: torch.from_numpy(m) for k, m in self._method.draw(points, crop.size).items()},
        )


class Batches:
    """One epoch's batches of one process, each a list of (epoch, face).

    Every global batch is a piece of the epoch's order, and every process has its part of each;
    the last piece, where it is short, is left out.

    Parameters
    ----------
    faces, size
        Faces in all, and in a global batch.
    first
        Batches to leave out, because they are done.
    rank, ranks
        Which process of how many.
    """

    def __init__(
        self, faces: int, size: int, seed: int, epoch: int, first: int, rank: int, ranks: int
    ) -> None:
        order = chance("order", seed, epoch).permutation(faces)
        pieces = order[: faces // size * size].reshape(-1, ranks, size // ranks)
        self._epoch, self._pieces = epoch, pieces[first:, rank]

    def __iter__(self) -> Iterator[list[Drawn]]:
        for piece in self._pieces.tolist():
            yield [(self._epoch, face) for face in piece]

    def __len__(self) -> int:
        return len(self._pieces)


def _same(batch: Any) -> Any:
    return batch


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(1)


class _Sent(TorchDataset[Faces | InputError]):
    """Samples as a process of their own sends them: a mistake is given, not raised.

    PyTorch would make a RuntimeError of it, with a traceback for a message.
    """

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __getitems__(self, drawn: Sequence[Drawn]) -> Faces | InputError:
        try:
            return self._samples.__getitems__(drawn)
        except InputError as error:
            return error


def made(samples: Samples, batches: Batches, workers: int, pin: bool) -> Iterator[Faces]:
    """Batch after batch, made by this process or by ``workers`` others.

    Raises
    ------
    InputError
        If an image cannot be read, or one of the other processes dies.
    """
    loader = DataLoader(
        _Sent(samples),
        batch_sampler=batches,
        collate_fn=_same,
        num_workers=workers,
        # Forked from here they would share this process's running threads, and crash.
        multiprocessing_context=_START if workers else None,
        worker_init_fn=_one_thread,
        pin_memory=pin,
    )
    try:
        for batch in loader:
            if isinstance(batch, InputError):
                raise batch
            yield batch
    except (RuntimeError, EOFError, OSError) as error:
        # One that dies is noticed by PyTorch, or while it sends a batch, by a connection that ends.
        if not workers or (type(error) is RuntimeError and "DataLoader worker" not in str(error)):
            raise
        said = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": ")
        raise InputError(
            "--workers", f"a process that makes batches died ({said})",
            remedy="It may have run out of memory: fewer workers, or 0, need less. "
            "The same command goes on from the last checkpoint.",
        ) from error  # fmt: skip


def on_device(faces: Faces, device: torch.device) -> Faces:
    """The batch with all but its indices on a device, images with channels last."""

    def moved(tensor: Tensor) -> Tensor:
        return tensor.to(device, non_blocking=True)

    images = moved(faces.images).contiguous(memory_format=torch.channels_last)
    maps = {name: moved(tensor) for name, tensor in faces.maps.items()}
    return Faces(faces.indices, images, moved(faces.points), moved(faces.attributes), maps)
