"""A data set of one's own with a name, splits, subsets and expected numbers: one TOML file.

``alignbench data describe`` writes it; ``--dataset FILE.toml`` and ``data verify`` read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from os.path import relpath
from pathlib import Path

import numpy as np
from pydantic import Field

from alignbench.arrays import Bools
from alignbench.datasets.base import Dataset
from alignbench.datasets.files import Location, read_file
from alignbench.errors import InputError, unknown
from alignbench.io.files import write_atomic
from alignbench.io.models import Strict, read_model, toml_text
from alignbench.io.text import lines_of
from alignbench.markups import Markup, markup_names

SHOWN = "docs/data.md"


class Subset(Strict):
    """Which faces are in a subset: those whose id a pattern fits, or those in a list of ids."""

    pattern: str | None = None
    """As for file names: ``*`` stands for any text."""
    ids: str | None = None
    """A text file with an id on each line."""


class Split(Strict):
    """A split: its file, its subsets and the expected number of faces of each."""

    path: str
    images: str | None = None
    subsets: Mapping[str, Subset] = {}
    faces: Mapping[str, int] = {}


class Description(Strict):
    """A data set; paths are relative to the file."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    format: str
    markup: str | None = None
    origin: float | None = Field(default=None, ge=0, le=1)
    normalisers: tuple[str, ...] = ()
    threshold: float = Field(default=0.10, gt=0, le=1)
    splits: Mapping[str, Split]


def read_description(path: Path) -> Description:
    """The description in a TOML file; InputError names the key that is wrong."""
    return read_model(path, Description, SHOWN)


def read_described(path: Path, split: str, images: Path | None = None) -> Dataset:
    """One split of the data set that a TOML file describes.

    ``images`` replaces the folder of images that the file names. Raises InputError if the file or
    something it names is wrong, or there is no such split.
    """
    path = path.absolute()
    description = read_description(path)
    if split not in description.splits:
        raise unknown(f"split of {description.name}", split, description.splits)
    content = description.splits[split]
    if images is None and content.images is not None:
        images = path.parent / content.images
    location = Location(
        description.format, path.parent / content.path, description.markup, description.origin,
        images,
    )  # fmt: skip
    dataset = read_file(location, description.name, split)
    subsets = dict(dataset.subsets)
    for name, subset in content.subsets.items():
        subsets[name] = _members(dataset, subset, path, f"splits.{split}.subsets.{name}")
    if strange := content.faces.keys() - subsets.keys():
        raise unknown(f"{path}, key splits.{split}.faces, subset", min(strange), subsets)
    known = (*dataset.markup.normalisers, "box", "diagonal")
    for normaliser in description.normalisers:
        if normaliser not in known:
            raise unknown(f"{path}, key normalisers,", normaliser, known)
    return replace(
        dataset,
        subsets=subsets,
        official=dict(content.faces),
        normalisers=description.normalisers or dataset.normalisers,
        threshold=description.threshold,
    )


def _members(dataset: Dataset, subset: Subset, path: Path, key: str) -> Bools:
    """(N,) membership of a subset."""
    if (subset.pattern is None) == (subset.ids is None):
        raise InputError(f"{path}, key {key}", "not one of pattern and ids", "one of them")
    if subset.pattern is not None:
        return np.array([fnmatchcase(name, subset.pattern) for name in dataset.ids])
    file = path.parent / str(subset.ids)
    listed = {text.strip(): line for line, text in lines_of(file)}
    for name in listed.keys() - set(dataset.ids):
        raise InputError(
            f"{file}, line {listed[name]}", f"{name!r} is no face of {dataset.name}",
            f"ids such as {dataset.ids[0]!r}", "`alignbench data ids` lists them.",
        )  # fmt: skip
    return np.array([name in listed for name in dataset.ids])


def write_description(location: Location, name: str, split: str, out: Path) -> Dataset:
    """Describe one split of a data set in a TOML file, and read it.

    Where the file exists already, the split is added to it, or replaced. Raises InputError if the
    data set is wrong, or the file describes one of another format or mark-up.
    """
    dataset = read_file(location, name, split)
    dataset.check()
    content = Split(
        path=relpath(location.path, out.parent),
        images=None if location.images is None else relpath(location.images, out.parent),
        faces={subset: int(member.sum()) for subset, member in dataset.subsets.items()},
    )
    description = Description(
        name=name, format=location.format, markup=location.markup or _registered(dataset.markup),
        origin=location.origin, normalisers=dataset.normalisers, threshold=dataset.threshold,
        splits={split: content},
    )  # fmt: skip
    if out.exists():
        there = read_description(out)
        if (there.format, there.markup) != (description.format, description.markup):
            raise InputError(
                out, f"describes a data set of format {there.format}, mark-up {there.markup}",
                f"format {description.format}, mark-up {description.markup}", "Give another --out.",
            )  # fmt: skip
        description = there.model_copy(update={"splits": {**there.splits, split: content}})
    out.parent.mkdir(parents=True, exist_ok=True)
    keys = description.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    text = f"# {SHOWN} explains every key; subsets are added under [splits.{split}.subsets].\n"
    write_atomic(out, (text + toml_text(keys)).encode())
    return dataset


def _registered(markup: Markup) -> str | None:
    """The name of a mark-up; None for one that only stands for a number of landmarks."""
    return markup.name if markup.name in markup_names() else None
