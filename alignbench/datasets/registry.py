"""From a data set's name to its columns."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

from alignbench import plugins
from alignbench.datasets.base import Dataset, DatasetSource, Progress, ignore_progress
from alignbench.datasets.checks import checked
from alignbench.errors import InputError, unknown

ENVIRONMENT = "ALIGNBENCH_DATA"


class DataNotFoundError(InputError):
    """A data set is nowhere where it is looked for."""


def dataset_names() -> list[str]:
    """Names of all registered data sets."""
    return list(plugins.registered(plugins.DATASETS))


def source(name: str) -> DatasetSource:
    """The registered data set of this name; raises InputError with near matches."""
    found: DatasetSource = plugins.load(plugins.DATASETS, name)
    return found


def load_dataset(
    name: str, root: str | Path | None = None, split: str = "test", progress: Progress | None = None
) -> Dataset:
    """Read a split of a data set.

    Parameters
    ----------
    name
        Registered name, such as ``wflw``.
    root
        Folder that holds one folder a data set, or is the data set's own folder. Without it, the
        environment variable ``ALIGNBENCH_DATA`` and then the user's data folder are looked in.
    split
        Split; each data set has ``test``.
    progress
        Called with (faces drawn, faces in all) while a data set that draws itself is drawn.

    Raises
    ------
    InputError
        If name or split is unknown, the files are not there or something in them is wrong.
    """
    of = source(name)
    if split not in of.splits:
        raise unknown(f"split of {name}", split, of.splits)
    return checked(of.read(_folder(of, root, split, progress or ignore_progress), split))


def data_roots(root: str | Path | None) -> list[Path]:
    """Where data sets are looked for, first match first: only ``root`` where it is given."""
    if root is not None:
        return [Path(root)]
    given = os.environ.get(ENVIRONMENT)
    return [*([Path(given)] if given else []), user_data_path("alignbench", appauthor=False)]


def _folder(of: DatasetSource, root: str | Path | None, split: str, progress: Progress) -> Path:
    # What draws itself is looked for only where a user says that it is.
    if of.locate is not None and (root is None or not of.markers):
        return of.locate(split, progress)
    roots = data_roots(root)
    for base in roots:
        for folder in (base / of.name, base):
            if any((folder / marker).exists() for marker in of.markers):
                return folder.absolute()  # a user's model may change the working directory
    layout = "\n".join("  " + line for line in of.layout.splitlines())
    raise DataNotFoundError(
        f"data set {of.name!r}",
        "not found in " + ", ".join(str(base) for base in roots),
        f"a folder with\n{layout}\n  as published at {of.homepage}",
        f"Name the folder above {of.name}/ with --data-root or {ENVIRONMENT}.",
    )
