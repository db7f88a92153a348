"""Reading images: from files, or from arrays in memory."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from alignbench.arrays import Bools, Bytes, Ints
from alignbench.errors import InputError
from alignbench.io.files import reading, sha256

ENDINGS = (".jpg", ".png", ".jpeg", ".bmp")
"""Endings of image files, in lower case; of several images with one stem, the first is taken."""
_JPEG = b"\xff\xd8"
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"
_PNG, _BMP = b"\x89PNG\r\n\x1a\n", b"BM"
_LONGEST = 32_766
"""Side beyond which OpenCV's warp refuses an image."""
MOST_PIXELS = 100_000_000
"""Pixels beyond which an image is no photograph of a face: decoded, it takes 0.3 GB."""
_MOST_SCANS = 100
"""Passes of a progressive JPEG over the whole image; usual ones have ten."""


class ImageFiles:
    """Images in files, one a face.

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
            with reading(path, "image "):
                digest.update(bytes.fromhex(sha256(path)))
        return digest.hexdigest()

    def take(self, indices: Ints) -> ImageFiles:
        return ImageFiles(self._root, [self._names[i] for i in indices])


def read_image(path: Path) -> Bytes:
    """Image file as (H, W, 3) RGB.

    Raises InputError if the file is missing, empty, cut short, or no JPEG, PNG or BMP. An absurdly
    large image is refused by its header, before anything is decoded. OpenCV would fill the lower
    part of a JPEG that was cut short with grey.
    """
    with reading(path, "image "):
        data = path.read_bytes()
    if not data:
        raise InputError(path, "image file is empty", remedy="Copy the file again.")
    size = _size(data)
    if size is not None:
        height, width = size
        if max(size) > _LONGEST or height * width > MOST_PIXELS:
            limits = f"at most {MOST_PIXELS:,}, and sides of at most {_LONGEST:,}"
            raise InputError(path, f"image of {width:,} x {height:,} pixels", limits)
        scans = data.count(_JPEG_SCAN) if data.startswith(_JPEG) else 1
        if scans > _MOST_SCANS:
            raise InputError(path, f"a JPEG of {scans:,} scans", f"at most {_MOST_SCANS}")
    image = None if size is None or _is_cut_short(data) else _decode(data)
    if image is None:
        found, accepted = "image is broken or cut short", "a complete JPEG, PNG or BMP"
        raise InputError(path, found, accepted, "Copy the file again.")
    return image


def _size(data: bytes) -> tuple[int, int] | None:
    """Height and width in an image's header; None if it is no JPEG, PNG or BMP."""
    if data.startswith(_PNG) and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
        return height, width
    if data.startswith(_BMP) and len(data) >= 26:
        # The header of old OS/2 is 12 bytes long and has sides of two; rows may be upside down.
        old = struct.unpack_from("<I", data, 14) == (12,)
        width, height = struct.unpack_from("<HH" if old else "<ii", data, 18)
        return abs(height), abs(width)
    return _jpeg_size(data) if data.startswith(_JPEG) else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width in the first frame header of a JPEG; None if it has none."""
    at = 2
    while (at := data.find(0xFF, at)) >= 0 and at + 9 <= len(data):
        marker = data[at + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return height, width
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _decode(data: bytes) -> Bytes | None:
    """The image, or None if OpenCV cannot read it."""
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, dtype=np.uint8)


def _is_cut_short(data: bytes) -> bool:
    """Whether a JPEG or PNG ends before its end mark."""
    if data.startswith(_JPEG):
        return data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN) or _JPEG_SCAN not in data
    if data.startswith(_PNG):
        end = data.rfind(b"IEND")
        return end < 0 or len(data) < end + len(b"IEND") + 4  # its checksum
    return False
