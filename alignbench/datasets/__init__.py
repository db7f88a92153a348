"""Data sets, found through the entry-point group ``alignbench.datasets``; one module each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from platformdirs import user_data_path

from alignbench import plugins
from alignbench.datasets.base import FULL, Dataset, DatasetSource, Images, Progress, ignore_progress
from alignbench.datasets.description import read_described
from alignbench.datasets.files import Location, read_file
from alignbench.exceptions import InputError, unknown
from alignbench.formats import choose_format, split_format
from alignbench.io.files import require_regular

__all__ = [
    "FULL", "DataNotFoundError", "Dataset", "DatasetSource", "Images", "data_roots",
    "dataset_names", "load_dataset", "locate_file", "source",
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
    name: str,
    root: str | Path | None = None,
    split: str = "test",
    progress: Progress | None = None,
    *,
    markup: str | None = None,
    origin: float | None = None,
) -> Dataset:
    """Read a split of a data set.

    Parameters
    ----------
    name
        Registered name, such as ``wflw``; ``FORMAT:PATH``, a landmark file of any registered
        format, such as ``pts:FOLDER``; or the TOML file that describes a data set of one's own.
    root
        Folder that holds one folder for each data set, or the data set's own folder. Default: the
        folder in the environment variable ``ALIGNBENCH_DATA``, then the user's data folder. For a
        data set of one's own, the folder of its images; by default they are looked for beside the
        file.
    split
        Split; each data set has ``test``.
    progress
        Called with (faces drawn, faces in all) while a data set that draws itself is drawn.
    markup, origin
        For ``FORMAT:PATH``: the name of the mark-up, by default the one with as many landmarks;
        and the coordinate of the centre of an image's first pixel, by default the format's own.

    Returns
    -------
    Dataset
        The faces of the split: ids, true landmarks (N, L, 2) in pixels, boxes and subsets. Images
        are read when they are needed.

    Raises
    ------
    InputError
        If name or split is unknown, the files are not there or something in them is wrong.
    """
    dataset = _load_own(name, root, split, markup, origin)
    if dataset is None:
        if markup is not None or origin is not None:
            raise InputError(
                f"data set {name!r}", "defines its own mark-up and origin",
                "--markup and --origin for FORMAT:PATH", "Leave them out.",
            )  # fmt: skip
        _require_no_path(name)
        registered = source(name)
        if split not in registered.splits:
            raise unknown(f"split of {name}", split, registered.splits)
        folder = _find(registered, root, split, progress or ignore_progress)
        dataset = registered.read(folder, split)
    dataset.check()
    return dataset


def _load_own(
    name: str, root: str | Path | None, split: str, markup: str | None, origin: float | None
) -> Dataset | None:
    """A data set of the user's own, which no package registers; None for another name."""
    images = None if root is None else Path(root).absolute()
    if name.endswith(".toml") and markup is None and origin is None:
        path = _here_or_below(Path(name), images)
        return replace(read_described(path, split, images), source=name)
    location = locate_file(name, images, markup, origin)
    if location is None:
        return None
    if split != "test":
        remedy = "Describe the splits in a TOML file: `alignbench data describe`."
        raise InputError(f"data set {name!r}", f"has no split {split!r}", "test", remedy)
    dataset = read_file(location, f"{location.format}:{location.path.name}", split)
    return replace(dataset, source=name, origin=origin)


def locate_file(
    name: str, images: Path | None, markup: str | None = None, origin: float | None = None
) -> Location | None:
    """The landmark file that ``FORMAT:PATH`` names; None for a name of another form."""
    if name in plugins.entry_points(plugins.DATASETS):  # some have a colon
        return None
    parts = split_format(name)
    if parts is None:
        return None
    path = _here_or_below(parts[1], images)
    return Location(parts[0], path.absolute(), markup, origin, images)


def _require_no_path(name: str) -> None:
    """Raise InputError for a path without its format, which a user means as FORMAT:PATH."""
    require_regular(Path(name))
    if name in plugins.entry_points(plugins.DATASETS) or not Path(name).exists():
        return
    raise InputError(
        f"data set {name!r}", "is a path without its format", "a registered name, or FORMAT:PATH",
        f"Give {choose_format(Path(name)).name}:{name}.",
    )  # fmt: skip


def _here_or_below(path: Path, folder: Path | None) -> Path:
    """A path, or the same path below a folder: a run may be read in another working folder."""
    require_regular(path)
    if folder is None or path.exists() or not (folder / path).exists():
        return path
    return folder / path


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
        f"Name the folder above {origin.name}/ with --data-root or {ENVIRONMENT}."
        + _coco_remedy(origin, roots),
    )


def _coco_remedy(origin: DatasetSource, roots: list[Path]) -> str:
    """What to do with annotation in mmpose's format."""
    for folder in (place for base in roots for place in _places(base, origin.name)):
        for file in (*folder.glob("*.json"), *folder.glob("annotations/*.json")):
            return f" For COCO files such as {file}, give --dataset coco:{file}."
    return ""


def _places(base: Path, name: str) -> Iterator[Path]:
    """Folders that may hold a data set: those called NAME, the base, the folders in those NAME."""
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
