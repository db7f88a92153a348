"""Reading images: from files, or from arrays in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from alignbench.arrays import Bools, Bytes, Ints
from alignbench.exceptions import InputError
from alignbench.io.files import reading, sha256
from alignbench.io.image_headers import (
    KINDS,
    Kind,
    image_kind,
    is_whole_png,
    jpeg_scans,
    plain_tiff,
    unreadable_kind,
    unsupported,
)

ENDINGS = (
    ".jpg", ".png", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
    ".gif", ".jpe", ".jfif",
)  # fmt: skip
"""Endings of image files in lower case. If an image exists with several, the first one is taken."""

_LONGEST = 32_766
"""Longest side of an image that OpenCV's warp accepts."""
MOST_PIXELS = 100_000_000
"""Most pixels of a photograph of a face; decoded, they take 0.3 GB."""
_MOST_BYTES = 2**30
_MOST_SCANS = 100
"""Most passes of a progressive JPEG over the whole image; usual files have ten."""

# Each decoder prints its own words on a damaged file, and on unknown tags of a good one.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class ImageFiles:
    """Images in files, one for each face.

    Pixels are taken as stored: an EXIF rotation is ignored, because annotations are in stored
    pixels.

    Parameters
    ----------
    root
        The folder of the images.
    names
        Path of each face's image under the folder.
    """

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self._root = root
        self._names = tuple(names)  # texts: a million Path objects would take a gigabyte

    def available(self) -> Bools:
        return np.array([(self._root / name).is_file() for name in self._names], dtype=np.bool_)

    def read(self, index: int) -> Bytes:
        return read_image(self._root / self._names[index])

    def location(self, index: int) -> str:
        return str(self._root / self._names[index])

    def sources(self) -> list[str]:
        return list(self._names)

    def digest(self) -> str:
        digest = hashlib.sha256()
        for name in self._names:
            path = self._root / name
            with reading(path, "image "):
                digest.update(bytes.fromhex(sha256(path)))
        return digest.hexdigest()

    def take(self, indices: Ints) -> ImageFiles:
        return ImageFiles(self._root, [self._names[i] for i in indices])

    def rotated(self) -> list[str]:
        """Names of the images that can be read and have an EXIF rotation, each once."""
        names = dict.fromkeys(self._names)
        return [name for name in names if _is_rotated(self._root / name)]


class ArrayImages:
    """Images in memory, one for each face.

    Parameters
    ----------
    images
        (H, W, 3) each, uint8, RGB; None for one that is missing.
    names
        What each is called; faces of one image have the same name. Numbers from 0 by default.
    """

    def __init__(self, images: Sequence[Bytes | None], names: Sequence[str] | None = None) -> None:
        self._images = tuple(images)
        self._names = tuple(map(str, range(len(images)))) if names is None else tuple(names)

    def available(self) -> Bools:
        return np.array([image is not None for image in self._images], dtype=np.bool_)

    def read(self, index: int) -> Bytes:
        image = self._images[index]
        if image is None:
            raise InputError(self.location(index), "is missing", "an array (H, W, 3)")
        return image

    def location(self, index: int) -> str:
        return f"image {self._names[index]}"

    def sources(self) -> list[str]:
        return list(self._names)

    def digest(self) -> str:
        digest = hashlib.sha256()
        for image in self._images:
            if image is not None:
                digest.update(f"{image.shape}".encode())
                digest.update(np.ascontiguousarray(image).data)
        return digest.hexdigest()

    def take(self, indices: Ints) -> ArrayImages:
        return ArrayImages([self._images[i] for i in indices], [self._names[i] for i in indices])


def rotated_images(images: object) -> list[str]:
    """Names of a data set's images that have an EXIF rotation: only those in files can have one."""
    return images.rotated() if isinstance(images, ImageFiles) else []


def read_image(path: Path) -> Bytes:
    """Image file as (H, W, 3) RGB, of a JPEG, PNG, BMP, WebP, GIF, TIFF or PNM (PBM, PGM, PPM).

    The kind is known by the file's first bytes, whatever its name. Of a film the first image is
    taken; data behind the end of an image are ignored; 16-bit values become 8-bit ones, and
    transparency is dropped.

    Raises InputError if the file is missing, empty, cut short, or of another kind. An absurdly
    large image is refused by its header, before anything is decoded. OpenCV would fill the lower
    part of a JPEG that was cut short with grey.
    """
    data = _read_bytes(path)
    if not data:
        raise InputError(path, "image file is empty", remedy="Copy the file again.")
    kind = image_kind(data)
    if kind is None:
        raise _unreadable(path, data)
    size = kind.size(data)
    image = None
    if size is not None:
        _check_size(path, *size)
        if reason := unsupported(data):
            raise InputError(path, f"is {reason}", _names(KINDS), _CONVERT)
        image = None if _is_cut_short(path, kind, data) else _decode(data, kind)
    if image is None:
        raise _undecodable(path, kind)
    return image


_CONVERT = "Convert it, for example to PNG."


def _read_bytes(path: Path) -> bytes:
    with reading(path, "image "):
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(path, "image file of more than 1 GiB", "a photograph")
        return path.read_bytes()


def _names(kinds: Iterable[Kind]) -> str:
    *names, last = (kind.name for kind in kinds)
    return f"{', '.join(names)}, {last} (PBM, PGM, PPM)"


def _unreadable(path: Path, data: bytes) -> InputError:
    """The error for a file that is no image of a kind that can be read."""
    what = unreadable_kind(data)
    if what is None:
        found = f"image is broken or of an unknown kind: it begins with {data[:8]!r}"
        return InputError(path, found, _names(KINDS), "Copy the file again, or convert it.")
    remedy = _CONVERT if "image" in what else "Put the image itself there."
    return InputError(path, f"is {what}, which cannot be read", _names(KINDS), remedy)


def _undecodable(path: Path, kind: Kind) -> InputError:
    """The error for an image that is damaged, or whose decoder this OpenCV lacks."""
    if kind.name in ("GIF", "WebP", "TIFF") and not cv2.haveImageWriter(f".{kind.name.lower()}"):
        found = f"is a {kind.name} image, which OpenCV {cv2.__version__} cannot read here"
        return InputError(path, found, remedy="pip install -U 'opencv-python-headless<5'")
    remedy = "Copy the file again."
    if kind.name == "TIFF":
        remedy += " If other programs show it, convert it to PNG."
    return InputError(path, "image is broken or cut short", f"a complete {kind.name}", remedy)


def _check_size(path: Path, height: int, width: int) -> None:
    if max(height, width) > _LONGEST or height * width > MOST_PIXELS:
        limits = f"at most {MOST_PIXELS:,}, and sides of at most {_LONGEST:,}"
        raise InputError(path, f"image of {width:,} x {height:,} pixels", limits)


def _is_cut_short(path: Path, kind: Kind, data: bytes) -> bool:
    """Whether a JPEG or PNG ends before its end mark; OpenCV itself refuses the other kinds."""
    if kind.name == "JPEG":
        scans = jpeg_scans(data)
        if scans is not None and scans > _MOST_SCANS:
            raise InputError(path, f"a JPEG of {scans:,} scans", f"at most {_MOST_SCANS}")
        return scans is None
    if kind.name == "PNG":
        return not is_whole_png(data)
    return False


def _decode(data: bytes, kind: Kind) -> Bytes | None:
    """The image, or None if OpenCV cannot read it."""
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    if kind.name == "TIFF":
        data = plain_tiff(data)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, dtype=np.uint8)


def _is_rotated(path: Path) -> bool:
    try:
        data = _read_bytes(path)
    except InputError:
        return False  # reading its pixels gives the message
    kind = image_kind(data)
    return kind is not None and kind.orientation(data) != 1


def images_beside(files: Sequence[Path]) -> list[Path]:
    """The image beside each file: of the same name but another ending, ``.jpg`` if there is none.

    Of several images, the one whose ending comes first in :data:`ENDINGS` is taken. If no file has
    the ending of an image, one whose first bytes are those of an image is taken: reading it gives a
    message that names its kind.
    """
    beside: dict[Path, dict[str, Path]] = {}
    for folder in {file.parent for file in files}:
        images = [image for image in folder.iterdir() if image.suffix.lower() in ENDINGS]
        images.sort(key=lambda image: (ENDINGS.index(image.suffix.lower()), image), reverse=True)
        beside[folder] = {image.stem: image for image in images}
    unmatched = {file for file in files if file.stem not in beside[file.parent]}
    for folder in {file.parent for file in unmatched}:
        stems = {file.stem for file in unmatched if file.parent == folder}
        for other in sorted(folder.iterdir(), reverse=True):
            if other.stem in stems and _begins_as_image(other):
                beside[folder][other.stem] = other
    return [beside[file.parent].get(file.stem, file.with_suffix(".jpg")) for file in files]


def _begins_as_image(path: Path) -> bool:
    """Whether a file begins as an image does, of a kind that can be read or not."""
    if not path.is_file():
        return False
    with reading(path, "image "), path.open("rb") as stream:
        head = stream.read(64)
    return image_kind(head) is not None or "image" in (unreadable_kind(head) or "")
