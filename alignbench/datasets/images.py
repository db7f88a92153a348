"""Reading images: from files, or from arrays in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from alignbench.arrays import Bools, Bytes, Ints
from alignbench.errors import InputError

_JPEG = b"\xff\xd8"
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
_PNG = b"\x89PNG"
_LARGEST = 32_766
"""Side beyond which OpenCV's warp refuses an image."""


class ImageFiles:
    """Images in files, one a face.

    Pixels are taken as stored: an EXIF rotation is ignored, because annotations are in stored
    pixels.

    Parameters
    ----------
    root
        The folder they are in.
    names
        Path of each face's image under it.
    """

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self._root = root
        self._names = tuple(names)  # texts, because a million paths take a gigabyte

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
            try:
                with path.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
            except OSError as error:
                raise _unreadable(path, error) from error
        return digest.hexdigest()

    def take(self, indices: Ints) -> ImageFiles:
        return ImageFiles(self._root, [self._names[i] for i in indices])


def read_image(path: Path) -> Bytes:
    """Image file as (H, W, 3) RGB.

    Raises
    ------
    InputError
        If the file is missing, empty, cut short or not an image. OpenCV fills the lower part of
        a JPEG that was cut short with grey; such a file is refused here.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    if not data:
        raise InputError(path, "image file is empty", remedy="Copy the file again.")
    image = None if _cut_short(data) else _decode(data)
    if image is not None and max(image.shape) > _LARGEST:
        raise InputError(path, f"image of shape {image.shape}", f"sides of at most {_LARGEST:,}")
    if image is None:
        raise InputError(
            path,
            "image is broken or cut short",
            "a complete JPEG, PNG or other image that OpenCV reads",
            "Copy the file again.",
        )
    return image


def _decode(data: bytes) -> Bytes | None:
    """The image, or None if OpenCV cannot read it or thinks it absurdly large."""
    try:
        image = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, dtype=np.uint8)


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        path, f"image cannot be read ({error.strerror or error})", remedy="Put the file there."
    )


def _cut_short(data: bytes) -> bool:
    """Whether a JPEG or PNG ends before its end mark."""
    if data.startswith(_JPEG):
        return data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN) or _JPEG_SCAN not in data
    if data.startswith(_PNG):
        end = data.rfind(b"IEND")
        return end < 0 or len(data) < end + len(b"IEND") + 4  # its checksum
    return False
