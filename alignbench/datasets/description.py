"""TOML files that give a data set of one's own a name, splits, subsets and expected numbers.

``alignbench data describe`` writes it; ``--dataset FILE.toml`` and ``data verify`` read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from os.path import relpath
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from alignbench import plugins
from alignbench.arrays import Bools
from alignbench.datasets.base import Dataset
from alignbench.datasets.files import Location, read_file
from alignbench.exceptions import InputError, unknown
from alignbench.io.files import write_atomic
from alignbench.io.models import Strict, read_model, toml_text
from alignbench.io.text import lines_of
from alignbench.markups import Markup, markup_names
from alignbench.matching import match_ids

SHOWN = "docs/how-to/own-data.md"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Subset(Strict):
    """The faces of a subset: those whose ids match a pattern, or those in a list of ids."""

    pattern: str | None = None
    """A pattern as for file names: ``*`` stands for any text."""
    ids: str | None = None
    """A text file with an id on each line."""


class Split(Strict):
    """A split: its file, its subsets and the expected number of faces of each."""

    path: str
    images: str | None = None
    subsets: Mapping[str, Subset] = {}
    faces: Mapping[str, Annotated[int, Field(ge=0)]] = {}


class Description(Strict):
    """A data set; paths are relative to the file."""

    name: str
    format: str
    markup: str | None = None
    origin: float | None = Field(default=None, ge=0, le=1)
    normalisers: tuple[str, ...] = ()
    threshold: float = Field(default=0.10, gt=0, le=1)
    splits: Mapping[str, Split]


def read_description(path: Path) -> Description:
    """The description in a TOML file; InputError names the key that is wrong."""
    description = read_model(path, Description, SHOWN)
    _check_name(description.name, f"{path}, key name")
    return description


def _check_name(name: str, where: str, remedy: str = "") -> None:
    """Refuse a name that is not a single word, and the name of a registered data set."""
    if not _NAME.fullmatch(name):
        accepted = (
            "at most 100 of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
        )
        raise InputError(where, f"found {name!r}", accepted, remedy)
    if name.lower() in plugins.entry_points(plugins.DATASETS):
        raise InputError(where, f"{name!r} is a registered data set", "another name", remedy)


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
        members = np.array([fnmatchcase(name, subset.pattern) for name in dataset.ids])
        if not members.any():
            raise InputError(
                f"{path}, key {key}", f"no id matches {subset.pattern!r}",
                f"a pattern of ids such as {dataset.ids[0]!r}",
                "`alignbench data ids` lists them.",
            )  # fmt: skip
        return members
    file = path.parent / str(subset.ids)
    listed = {text.strip(): line for line, text in lines_of(file)}
    names = list(listed)
    rows = match_ids(names, dataset.ids, file, dataset.images.sources(), "").rows
    for row in sorted(set(range(len(names))) - set(rows.tolist())):
        raise InputError(
            f"{file}, line {listed[names[row]]}", f"{names[row]!r} is no face of {dataset.name}",
            f"ids such as {dataset.ids[0]!r}", "`alignbench data ids` lists them.",
        )  # fmt: skip
    return np.asarray(rows >= 0)


def write_description(location: Location, name: str | None, split: str, out: Path) -> Dataset:
    """Describe one split of a data set in a TOML file, and read it.

    Where the file exists already, the split is added to it, or replaced; its subsets stay, and the
    faces of each are counted again.

    Parameters
    ----------
    name
        The data set's name; None for the name in the file, or the file's own name if it is new.

    Raises
    ------
    InputError
        If the data set or the name is wrong, or the file describes a data set of another name,
        format, mark-up or origin.
    """
    there = read_description(out) if out.exists() else None
    name = name or (there.name if there else out.stem)
    _check_name(name, "data set", "Give another --name.")
    dataset = read_file(location, name, split)
    dataset.check()
    description = Description(
        name=name, format=location.format, markup=location.markup or _registered(dataset.markup),
        origin=location.origin, normalisers=dataset.normalisers, threshold=dataset.threshold,
        splits={},
    )  # fmt: skip
    if there is not None:
        _require_same(there, description, out)
        description = there
    members = dict(dataset.subsets)
    before = description.splits.get(split)
    for subset, rule in before.subsets.items() if before else ():
        members[subset] = _members(dataset, rule, out, f"splits.{split}.subsets.{subset}")
    table = {
        "path": relpath(location.path, out.parent),
        "images": None if location.images is None else relpath(location.images, out.parent),
        "faces": {subset: int(member.sum()) for subset, member in members.items()},
    }
    content = before.model_copy(update=table) if before else Split.model_validate(table)
    splits = {**description.splits, split: content}
    out.parent.mkdir(parents=True, exist_ok=True)
    keys = description.model_copy(update={"splits": splits}).model_dump(
        mode="json", exclude_none=True, exclude_unset=True
    )
    text = f"# {SHOWN} explains every key; subsets are added under [splits.{split}.subsets].\n"
    write_atomic(out, (text + toml_text(keys)).encode())
    return dataset


def _require_same(there: Description, description: Description, out: Path) -> None:
    """Refuse a split that differs in a key which the file has once for all splits."""
    for key in ("name", "format", "markup", "origin"):
        old, new = (getattr(each, key) for each in (there, description))
        if old != new:
            raise InputError(
                out,
                f"describes a data set with {_entry(key, old)}",
                _entry(key, new),
                "Give the same format and options for every split, or another --out.",
            )


def _entry(key: str, value: object) -> str:
    return f"no {key}" if value is None else f"{key} {value}"


def _registered(markup: Markup) -> str | None:
    """The name of a mark-up; None for one that only stands for a number of landmarks."""
    return markup.name if markup.name in markup_names() else None
