"""Data sets, found through the entry-point group ``alignbench.datasets``; one module each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_data_path

from alignbench import plugins
from alignbench.datasets.base import FULL, Dataset, DatasetSource, Images, Progress, ignore_progress
from alignbench.errors import InputError, unknown

__all__ = [
    "FULL", "DataNotFoundError", "Dataset", "DatasetSource", "Images", "data_roots",
    "dataset_names", "load_dataset", "source",
]  # fmt: skip

ENVIRONMENT = "ALIGNBENCH_DATA"


class DataNotFoundError(InputError):
    """A data set is in none of the folders where it may be."""


def dataset_names() -> list[str]:
    """Names of all registered data sets."""
    return list(plugins.entry_points(plugins.DATASETS))


def source(name: str) -> DatasetSource:
    """The registered data set of this name; raises InputError with near matches."""
    registered: DatasetSource = plugins.load(plugins.DATASETS, name)
    return registered


def load_dataset(
    name: str, root: str | Path | None = None, split: str = "test", progress: Progress | None = None
) -> Dataset:
    """Read a split of a data set.

    Parameters
    ----------
    name
        Registered name, such as ``wflw``.
    root
        Folder that holds one folder for each data set, or the data set's own folder. Default: the
        folder in the environment variable ``ALIGNBENCH_DATA``, then the user's data folder.
    split
        Split; each data set has ``test``.
    progress
        Called with (faces drawn, faces in all) while a data set that draws itself is drawn.

    Raises
    ------
    InputError
        If name or split is unknown, the files are not there or something in them is wrong.
    """
    origin = source(name)
    if split not in origin.splits:
        raise unknown(f"split of {name}", split, origin.splits)
    dataset = origin.read(_find(origin, root, split, progress or ignore_progress), split)
    dataset.check()
    return dataset


def data_roots(root: str | Path | None) -> list[Path]:
    """The folders in which data sets are looked for, in this order; ``root`` replaces them."""
    if root is not None:
        return [Path(root)]
    user = user_data_path("alignbench", appauthor=False)
    variable = os.environ.get(ENVIRONMENT)
    return [Path(variable), user] if variable else [user]


def _find(origin: DatasetSource, root: str | Path | None, split: str, progress: Progress) -> Path:
    # A data set that draws itself is looked for only in a folder that the user names.
    if origin.locate is not None and (root is None or not origin.markers):
        return origin.locate(split, progress)
    roots = data_roots(root)
    for base in roots:
        for folder in _places(base, origin.name):
            if any((folder / marker).exists() for marker in origin.markers):
                return folder.absolute()  # a user's model may change the working directory
    layout = "\n".join("  " + line for line in origin.layout.splitlines())
    raise DataNotFoundError(
        f"data set {origin.name!r}",
        "not found in " + ", ".join(str(base) for base in roots),
        f"a folder with\n{layout}\n  as published at {origin.homepage}",
        f"Name the folder above {origin.name}/ with --data-root or {ENVIRONMENT}.",
    )


def _places(base: Path, name: str) -> Iterator[Path]:
    """Folders that may hold a data set: NAME in any case, what is in it, the base itself."""
    folders = _folders(base)
    named = [folder for folder in folders if _plain(folder.name) == _plain(name)]
    named.sort(key=lambda folder: folder.name != name)
    yield from named
    yield base
    for folder in named:
        yield from _folders(folder)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _folders(base: Path) -> list[Path]:
    """The folders in a folder; none where it cannot be read."""
    try:
        return sorted(path for path in base.iterdir() if path.is_dir())
    except OSError:
        return []
