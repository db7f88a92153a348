"""The faces a network is trained on: which, in what order, and what it is shown of each.

All random numbers come from ``(seed, epoch, face)`` for a face, from ``(seed, epoch)`` for the
order and from ``seed`` for the faces held out. Each is a random stream of its own, so that workers,
processes and restarts change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import get_all_start_methods
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from alignbench.arrays import Floats, Ints
from alignbench.boxes import boxes_of
from alignbench.datasets import load_dataset
from alignbench.datasets.base import Dataset
from alignbench.datasets.joined import join_datasets
from alignbench.exceptions import InputError, unknown
from alignbench.geometry import crop_transforms, square_crops, transform, warp
from alignbench.markups import Markup, convert, load_markup
from alignbench.predictors.crop import network_input
from baselines.model import Faces
from baselines.training.augmentation import change_picture, draw_map, join
from baselines.training.recipe import Recipe
from baselines.training.setup import Setup

_START = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
_PURPOSES = ("hold-out", "order", "face")
Place = tuple[int, int]
"""An epoch and a face."""


def chance(purpose: str, seed: int, *place: int) -> np.random.Generator:
    """The random stream of one purpose at one place, such as (epoch, face); no two are the same."""
    # As a key, not as part of the seed: NumPy pads seeds with zeros, so that [1, 2] is [1, 2, 0].
    key = (_PURPOSES.index(purpose), *place)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


@dataclass(frozen=True)
class Data:
    """Faces to train on and to validate on, all with image, and how many have none.

    ``parts`` are those of each data set by its name, where there are several.
    """

    train: Dataset
    validation: Dataset
    without_image: int
    parts: Mapping[str, Data] = field(default_factory=dict)


def load_data(
    recipe: Recipe, root: str | Path | None, progress: Callable[[int, int], object] | None = None
) -> Data:
    """The faces a recipe asks for, in its mark-up; those of several data sets as one.

    Raises InputError if a data set, split, subset or mark-up is unknown, no image is there,
    the data sets cannot be joined, or one side would have no faces or fewer than a batch.
    """
    if len(set(recipe.datasets)) < len(recipe.datasets):
        raise InputError("key dataset", f"names one twice: {recipe.trained_on}", "each once")
    parts = {name: _load(recipe, name, root, progress) for name in recipe.datasets}
    if (faces := sum(len(part.train) for part in parts.values())) < recipe.batch_size:
        raise InputError(
            "key batch_size", f"{recipe.batch_size}, of {faces} faces to train on",
            f"at most {faces}",
        )  # fmt: skip
    for part in parts.values():
        for dataset in (part.train, part.validation):
            if lacking := dataset.unannotated():
                raise InputError(
                    f"{dataset.name} {dataset.split}", f"{lacking:,} landmarks are not annotated",
                    "a data set with every landmark of every face", "Train on another data set.",
                )  # fmt: skip
    first = next(iter(parts.values())).train.markup
    markup = first if recipe.markup is None else load_markup(recipe.markup)
    return Data(
        join_datasets({name: _convert(part.train, markup) for name, part in parts.items()}),
        join_datasets({name: _convert(part.validation, markup) for name, part in parts.items()}),
        sum(part.without_image for part in parts.values()),
        parts if len(parts) > 1 else {},
    )


def _load(
    recipe: Recipe,
    name: str,
    root: str | Path | None,
    progress: Callable[[int, int], object] | None,
) -> Data:
    """The faces of one data set, in its own mark-up."""
    whole = load_dataset(name, root, recipe.split, progress)
    if recipe.subset not in whole.subsets:
        raise unknown(f"subset of {name}", recipe.subset, whole.subsets)
    train, without = _with_image(whole.take(np.flatnonzero(whole.subsets[recipe.subset])))
    if isinstance(recipe.validation, str):
        validation, missing = _with_image(load_dataset(name, root, recipe.validation, progress))
        return Data(train, validation, without + missing)
    return Data(*hold_out(train, recipe.validation, recipe.seed), without)


def hold_out(dataset: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """The data set without a share of its images, and the faces of these.

    Faces of one image, or one video, stay together.

    Raises InputError if one side would have no faces.
    """
    sources = np.array(dataset.cluster_names())
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
    """The faces with image, and how many have none."""
    available = dataset.images.available()
    if not available.any():
        raise InputError(
            f"{dataset.name} {dataset.split}", f"none of {len(dataset):,} faces has its image",
            remedy=f"Put the images there, such as {dataset.images.location(0)}.",
        )  # fmt: skip
    return dataset.take(np.flatnonzero(available)), int((~available).sum())


def _convert(dataset: Dataset, markup: Markup) -> Dataset:
    """The data set in another mark-up, which has no visibility."""
    if markup == dataset.markup:
        return dataset
    points = convert(dataset.points, dataset.markup, markup)
    return replace(dataset, points=points, markup=markup, visible=None)


def attributes(dataset: Dataset, names: Sequence[str]) -> Floats:
    """Membership (N, A) of a data set's faces in the subsets that a loss needs.

    Raises InputError if the data set lacks one.
    """
    if missing := [name for name in names if name not in dataset.subsets]:
        raise InputError(
            "table loss",
            f"{dataset.name} {dataset.split} has no attribute {missing[0]}, which this loss needs",
            remedy='Set loss.focal to "none".',
        )
    columns = [dataset.subsets[name].astype(np.float64) for name in names]
    return np.stack(columns, axis=1) if columns else np.zeros((len(dataset), 0))


class Samples(TorchDataset[Faces]):
    """Augmented faces of a data set, a batch at a time, as the method of a set-up wants them.

    Raises InputError if the data set lacks boxes or attributes.
    """

    def __init__(self, dataset: Dataset, setup: Setup, recipe: Recipe) -> None:
        self.dataset = dataset
        self._attributes = attributes(dataset, setup.method.attributes)
        self._settings, self._method = setup.settings, setup.method
        self._augmentation, self._seed = recipe.augmentation, recipe.seed
        self._coarse = recipe.coarse
        crop = setup.settings.crop
        boxes = boxes_of(dataset, crop.boxes)
        self._crops = square_crops(boxes, crop.scale, crop.rounding, crop.of)

    def __getitems__(self, places: Sequence[Place]) -> Faces:
        """The batch (B) of these places, all of one epoch."""
        crop, amounts = self._settings.crop, self._augmentation
        faces, size = [face for _, face in places], self._size(places[0][0])
        windows, maps, truth = [], [], []
        to_window = crop_transforms(self._crops[faces], size)
        for (epoch, face), to_middle in zip(places, to_window, strict=True):
            rng = chance("face", self._seed, epoch, face)
            change, mirrored = draw_map(rng, amounts, size, crop.scale)
            matrix = join(to_middle, change)
            window = warp(self.dataset.images.read(face), matrix, size, crop.border)
            windows.append(change_picture(rng, amounts, window))
            points = self.dataset.points[face]
            truth.append(points[self.dataset.markup.flip_order] if mirrored else points)
            maps.append(matrix)
        points = transform(np.stack(truth), np.stack(maps))
        return Faces(
            torch.tensor(faces),
            torch.from_numpy(network_input(self._settings.input, np.stack(windows))),
            torch.from_numpy(points.astype(np.float32)),
            torch.from_numpy(self._attributes[faces].astype(np.float32)),
            {k: torch.from_numpy(m) for k, m in self._method.draw(points, size).items()},
        )

    def _size(self, epoch: int) -> int:
        """Side of the window in an epoch; all faces of a batch have the same."""
        coarse = self._coarse
        return coarse.size if coarse and epoch < coarse.epochs else self._settings.crop.size


def draw_order(faces: int, size: int, seed: int, epoch: int) -> Ints:
    """The faces (steps, size) of an epoch's batches; a short last batch is left out."""
    order = chance("order", seed, epoch).permutation(faces)
    return order[: faces // size * size].reshape(-1, size)


class _Answers(TorchDataset[Faces | InputError]):
    """Samples that give an InputError instead of raising it.

    What a worker raises becomes a RuntimeError in PyTorch, with a traceback for a message.
    """

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __getitems__(self, places: Sequence[Place]) -> Faces | InputError:
        try:
            return self._samples.__getitems__(places)
        except InputError as error:
            return error


def _keep(batch: Any) -> Any:
    return batch


def _use_one_thread(worker: int) -> None:
    cv2.setNumThreads(1)


def make_batches(
    samples: Samples, batches: Sequence[list[Place]], workers: int, pin: bool = False
) -> Iterator[Faces]:
    """Batch after batch, made by this process or by ``workers`` others.

    Raises InputError if an image cannot be read, or one of the other processes dies.
    """
    loader = DataLoader(
        _Answers(samples),
        batch_sampler=batches,
        collate_fn=_keep,
        num_workers=workers,
        # Processes forked from this one would share its running threads, and crash.
        multiprocessing_context=_START if workers else None,
        worker_init_fn=_use_one_thread,
        pin_memory=pin,
    )
    try:
        for batch in loader:
            if isinstance(batch, InputError):
                raise batch
            yield batch
    except (RuntimeError, EOFError, OSError) as error:
        # PyTorch reports a process that dies. If it was sending a batch, its connection ends.
        if not workers or (type(error) is RuntimeError and "DataLoader worker" not in str(error)):
            raise
        text = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": ")
        raise InputError(
            "--workers", f"a process that makes batches died ({text})",
            remedy="It may have run out of memory: fewer workers, or 0, need less. "
            "The same command goes on from the last checkpoint.",
        ) from error  # fmt: skip


@dataclass(frozen=True)
class Loader:
    """Each process's part of every batch, on its device.

    ``batch_size`` is that of all processes together; ``workers`` are the processes that make
    batches, 0 for this one alone.
    """

    samples: Samples
    batch_size: int
    seed: int
    workers: int
    fabric: Fabric

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return len(self.samples.dataset) // self.batch_size

    def epoch(self, epoch: int, first: int) -> Iterator[Faces]:
        """The batches of an epoch from the step ``first`` on."""
        device = self.fabric.device
        order = draw_order(len(self.samples.dataset), self.batch_size, self.seed, epoch)
        parts = order.reshape(len(order), self.fabric.world_size, -1)
        part = parts[first:, self.fabric.global_rank].tolist()
        batches = [[(epoch, face) for face in faces] for faces in part]
        # A GPU does not wait for what is copied from pinned memory.
        for faces in make_batches(self.samples, batches, self.workers, device.type == "cuda"):
            yield _to_device(faces, device)


def _to_device(faces: Faces, device: torch.device) -> Faces:
    """The batch with all but its indices on a device, images with channels last."""

    def move(tensor: Tensor) -> Tensor:
        return tensor.to(device, non_blocking=True)

    images = move(faces.images).contiguous(memory_format=torch.channels_last)
    maps = {name: move(tensor) for name, tensor in faces.maps.items()}
    return Faces(faces.indices, images, move(faces.points), move(faces.attributes), maps)
