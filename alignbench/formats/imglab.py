"""XML files of dlib's imglab: images with boxes, and parts of each box."""

from __future__ import annotations

import re
from pathlib import Path
from xml.parsers import expat

import numpy as np

from alignbench.arrays import Floats
from alignbench.exceptions import InputError
from alignbench.formats import Format, StoredFaces
from alignbench.io.files import reading
from alignbench.io.text import list_some, start_of

_LARGEST = 2**30
"""Most bytes of a file; dlib's own file for iBUG's 300-W has 20 MB."""
_NUMBER = re.compile("[0-9]{1,9}")
"""The name of a part, which gives its place."""


class _Reader:
    """What is read while the parser goes through a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.image = ""
        self.names: list[str] = []
        self.boxes: list[tuple[float, float, float, float]] = []
        self.parts: list[dict[str, tuple[float, float]]] = []
        self.ignored = 0
        self._is_ignored = False

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "image":
            self.image = self._text(tag, attributes, "file")
        elif tag == "box":
            self._is_ignored = attributes.get("ignore") == "1"
            self.ignored += self._is_ignored
            if not self._is_ignored:
                left, top, width, height = (
                    self._number(tag, attributes, name)
                    for name in ("left", "top", "width", "height")
                )
                # dlib's rectangles hold their last pixel.
                self.boxes.append((left, top, left + width - 1, top + height - 1))
                self.names.append(self.image)
                self.parts.append({})
        elif tag == "part" and not self._is_ignored:
            if not self.parts:
                raise self._error("a part outside a box", "parts in boxes in images")
            name = self._text(tag, attributes, "name")
            if name in self.parts[-1]:
                raise self._error(f"part {name!r} twice in a box", "each once")
            self.parts[-1][name] = (
                self._number(tag, attributes, "x"), self._number(tag, attributes, "y")
            )  # fmt: skip

    def _text(self, tag: str, attributes: dict[str, str], name: str) -> str:
        if not attributes.get(name):
            raise self._error(f"a {tag} without {name!r}", f"<{tag} {name}='...'>")
        return attributes[name]

    def _number(self, tag: str, attributes: dict[str, str], name: str) -> float:
        text = self._text(tag, attributes, name)
        try:
            if text.isascii() and "_" not in text and np.isfinite(float(text)):
                return float(text)
        except ValueError:
            pass
        raise self._error(f"{tag} with {name}={text[:20]!r}", "a number")

    def _refuse_doctype(self, *_: object) -> None:
        raise self._error("a document type declaration", "a file as imglab writes it")

    def _error(self, found: str, accepted: str) -> InputError:
        line = self.parser.CurrentLineNumber
        return InputError(f"{self.path}, line {line}", found, accepted, "Correct the line.")


def _read(path: Path) -> StoredFaces:
    if path.stat().st_size > _LARGEST:
        raise InputError(path, "a file of more than a gigabyte", "a file of imglab")
    reader = _Reader(path)
    try:
        with reading(path), path.open("rb") as stream:
            reader.parser.ParseFile(stream)
    except expat.ExpatError as error:
        raise InputError(path, f"not XML ({error})", remedy="Copy the file again.") from error
    with_parts = [k for k, parts in enumerate(reader.parts) if parts]
    notes = []
    if reader.ignored:
        notes.append(f"{reader.ignored:,} boxes are marked 'ignore' and were left out.")
    if without := len(reader.parts) - len(with_parts):
        notes.append(f"{without:,} boxes have no parts and were left out.")
    return StoredFaces(
        [reader.names[k] for k in with_parts],
        _points(path, [reader.parts[k] for k in with_parts]),
        np.array([reader.boxes[k] for k in with_parts]) if with_parts else None,
        notes=tuple(notes),
    )


def _points(path: Path, faces: list[dict[str, tuple[float, float]]]) -> Floats:
    """Landmarks (N, L, 2) in the order of the parts' numbers; NaN for a part that a face lacks."""
    names = {name for parts in faces for name in parts}
    if odd := sorted(name for name in names if not _NUMBER.fullmatch(name)):
        raise InputError(
            path, f"parts whose names are no numbers: {list_some(map(repr, odd))}", "0, 1, 2, ...",
            "Name each part by its number in the mark-up: names alone give no order.",
        )  # fmt: skip
    numbers = sorted({int(name) for name in names})
    if len(numbers) < len(names):
        raise InputError(path, "parts of one number in two spellings, such as '1' and '01'", "one")
    column = {number: k for k, number in enumerate(numbers)}
    points = np.full((len(faces), len(numbers), 2), np.nan)
    for row, parts in zip(points, faces, strict=True):
        row[[column[int(name)] for name in parts]] = list(parts.values())
    return points


IMGLAB = Format(
    "imglab",
    ".xml: images, boxes and parts as dlib's imglab writes them, counted from 0",
    lambda path: path.suffix.lower() == ".xml" and "<image" in start_of(path),
    _read,
)
