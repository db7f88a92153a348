"""Kind, size and rotation of an image file from its first bytes, before anything is decoded."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

Size = tuple[int, int]
"""Height and width."""

_MOST_PARTS = 100_000
"""Most segments of a JPEG, or chunks of a PNG or WebP, that are read; usual files have 100."""
_MOST_FIELDS = 4_096
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
"""A JPEG marker with a length behind it, or the end."""
_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_EXIF = b"Exif\0\0"
_ORIENTATION, _EXTRA_SAMPLES = 274, 338
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
"""The types of a TIFF field that are whole numbers without a sign."""


@dataclass(frozen=True)
class Kind:
    """A kind of image that can be read.

    Attributes
    ----------
    name
        What messages call it.
    begins
        Whether a file with these bytes claims to be of this kind.
    size
        Height and width in the header, tiles included; None if the header is damaged.
    orientation
        The EXIF orientation, 1 to 8; 1 where there is none.
    """

    name: str
    begins: Callable[[bytes], bool]
    size: Callable[[bytes], Size | None]
    orientation: Callable[[bytes], int] = lambda data: 1


def image_kind(data: bytes) -> Kind | None:
    """The kind of an image file by its first bytes; None if it is of none that can be read."""
    return next((kind for kind in KINDS if kind.begins(data)), None)


def unreadable_kind(data: bytes) -> str | None:
    """The kind, with its article, of a file that cannot be read as an image; None if unknown."""
    if data.startswith(b"ftyp", 4):  # an ISO base media file, and its brand
        brands = (name for brand, name in _BRANDS.items() if data.startswith(brand, 8))
        return next(brands, "a video (MP4 or QuickTime)")
    return next((name for begin, name in _OTHERS if data.startswith(begin)), None)


def unsupported(data: bytes) -> str | None:
    """Why OpenCV would not decode an image of a readable kind to its values; None if it would."""
    if _is_pnm(data):
        largest = _pnm_numbers(data)[2:]
        if largest and largest[0] not in (255, 65_535):
            return f"a PNM image whose largest value is {largest[0]}, not 255 or 65535"
    if _is_tiff(data):
        fields = tiff_fields(data)
        bits, form = fields.get(258, (1, 0))[0], fields.get(339, (1, 0))[0]
        if bits > 16 or form != 1:
            word = {2: "signed ", 3: "floating-point "}.get(form, "")
            return f"a TIFF image of {bits}-bit {word}values"
    return None


# --- JPEG ---------------------------------------------------------------------------------------


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker and place of each segment of a JPEG, up to its first scan."""
    at = 2
    while (found := _MARKER.search(data, at)) and found.end() + 2 <= len(data):
        at = found.start()
        yield data[at + 1], at
        if data.startswith(_SCAN, at):
            return
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _jpeg_size(data: bytes) -> Size | None:
    for marker, at in islice(_jpeg_segments(data), _MOST_PARTS):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and at + 9 <= len(data):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return height, width
    return None


def jpeg_scans(data: bytes) -> int | None:
    """The scans of a JPEG; None if it has no end mark, so that it is cut short.

    The first end mark after the first scan ends the image, because compressed data never contain
    that mark. What follows is another image or a film, which the cameras of telephones append.
    """
    for marker, at in islice(_jpeg_segments(data), _MOST_PARTS):
        if marker == _SCAN[1]:
            end = data.find(_END, at)
            return None if end < 0 else data.count(_SCAN, at, end)
    return None


def _jpeg_orientation(data: bytes) -> int:
    for marker, at in islice(_jpeg_segments(data), _MOST_PARTS):
        if marker == 0xE1 and data.startswith(_EXIF, at + 4):
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            return _orientation(data[at + 4 + len(_EXIF) : at + 2 + length])
    return 1


# --- PNG, WebP ----------------------------------------------------------------------------------


def _chunks(data: bytes, at: int, order: str, surplus: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and length of the chunks of a PNG or WebP.

    A chunk takes ``surplus`` bytes beside its content, and an even number of them in WebP.
    """
    for _ in range(_MOST_PARTS):
        if at + 8 > len(data):
            return
        first, second = struct.unpack_from("4s4s", data, at)
        name, number = (second, first) if order == ">" else (first, second)
        length = struct.unpack(f"{order}I", number)[0]
        yield name, at + 8, length
        at += surplus + length + (length % 2 if order == "<" else 0)


def _png_size(data: bytes) -> Size | None:
    if len(data) < 24:
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return height, width


def is_whole_png(data: bytes) -> bool:
    """Whether all chunks of a PNG are there: OpenCV takes as much memory as they claim."""
    for name, start, length in _chunks(data, 8, ">", 12):
        if name == b"IEND":
            return start + length + 4 <= len(data)  # its checksum
    return False


def _webp_size(data: bytes) -> Size | None:
    """The size in the first chunk: of an extended file, a lossless or a lossy image."""
    first, start, _ = next(_chunks(data, 12, "<", 8), (b"", 0, 0))
    if start + 10 > len(data):
        return None
    if first == b"VP8X":  # three bytes for each side
        sides = struct.unpack_from("<Q", data, start + 2)[0] >> 16
        width, height = (sides & 0xFFFFFF) + 1, (sides >> 24) + 1
    elif first == b"VP8L":
        sides = struct.unpack_from("<I", data, start + 1)[0]
        width, height = (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    elif first == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, start + 6))
    else:
        return None
    return height, width


def _png_orientation(data: bytes) -> int:
    for name, start, length in _chunks(data, 8, ">", 12):
        if name == b"eXIf":
            return _orientation(data[start : start + length])
    return 1


def _webp_orientation(data: bytes) -> int:
    for name, start, length in _chunks(data, 12, "<", 8):
        if name == b"EXIF":
            return _orientation(data[start : start + length].removeprefix(_EXIF))
    return 1


# --- BMP, GIF, PNM ------------------------------------------------------------------------------


def _bmp_size(data: bytes) -> Size | None:
    if len(data) < 26:
        return None
    # In old OS/2 files the header is 12 bytes long and a side has 2. Rows may be upside down.
    old = struct.unpack_from("<I", data, 14) == (12,)
    width, height = struct.unpack_from("<HH" if old else "<ii", data, 18)
    return abs(height), abs(width)


def _gif_size(data: bytes) -> Size | None:
    if len(data) < 10:
        return None
    width, height = struct.unpack_from("<HH", data, 6)
    return height, width


def _is_pnm(data: bytes) -> bool:
    return data[:2] in (b"P4", b"P5", b"P6") and data[2:3].isspace()


def _pnm_numbers(data: bytes) -> list[int]:
    """Width, height and, except for a bitmap, the largest value; fewer if the header is damaged."""
    text = re.sub(rb"#[^\n\r]*", b" ", data[:4_096])
    numbers = re.match(rb"P[456]\s+(\d{1,9})\s+(\d{1,9})(?:\s+(\d{1,9}))?\s", text)
    return [int(number) for number in numbers.groups() if number] if numbers else []


def _pnm_size(data: bytes) -> Size | None:
    numbers = _pnm_numbers(data)
    return (numbers[1], numbers[0]) if len(numbers) >= (2 if data[1:2] == b"4" else 3) else None


# --- TIFF ---------------------------------------------------------------------------------------


def tiff_fields(data: bytes) -> dict[int, tuple[int, int]]:
    """Fields of whole numbers in the first directory of a TIFF: tag to first value and its place.

    A field of another type, and one whose value lies outside the file, is left out.
    """
    order = ">" if data.startswith(b"MM") else "<"
    fields: dict[int, tuple[int, int]] = {}
    seen: set[int] = set()
    try:
        big = struct.unpack_from(f"{order}H", data, 2) == (43,)
        start, count, entry = ("Q", "Q", "HHQ") if big else ("I", "H", "HHI")
        at = struct.unpack_from(order + start, data, 8 if big else 4)[0]
        entries = struct.unpack_from(order + count, data, at)[0]
        at += struct.calcsize(order + count)
        for _ in range(min(entries, _MOST_FIELDS)):
            tag, kind, values = struct.unpack_from(order + entry, data, at)
            at += struct.calcsize(order + entry)
            form, room = _INTEGERS.get(kind), struct.calcsize(order + start)
            if form and values and tag not in seen:
                within = values * struct.calcsize(form) <= room
                place = at if within else struct.unpack_from(order + start, data, at)[0]
                if place + struct.calcsize(form) <= len(data):
                    fields[tag] = struct.unpack_from(order + form, data, place)[0], place
            seen.add(tag)  # if a tag occurs twice, the first one counts
            at += room
    except (struct.error, OverflowError):  # the directory, or a part of it, is not there
        pass
    return fields


def _is_tiff(data: bytes) -> bool:
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _tiff_size(data: bytes) -> Size | None:
    """Height and width, or those of a tile where a tile is larger: it is decoded as a whole."""
    fields = tiff_fields(data)
    if not {256, 257} <= fields.keys():
        return None
    height, width = (
        max(fields[side][0], fields.get(tile, (0, 0))[0]) for side, tile in ((257, 323), (256, 322))
    )
    return height, width


def _orientation(data: bytes) -> int:
    """The orientation in a TIFF; EXIF data have the form of a TIFF, too."""
    value = tiff_fields(data).get(_ORIENTATION, (1, 0))[0]
    return value if 1 <= value <= 8 else 1


def plain_tiff(data: bytes) -> bytes:
    """A TIFF that is decoded to its pixels as they are stored.

    OpenCV turns the pixels by the orientation tag even if it is told not to, and libtiff multiplies
    colours by a transparency that is called unassociated. Both tags are therefore reset.
    """
    order: Literal["big", "little"] = "big" if data.startswith(b"MM") else "little"
    fields = tiff_fields(data)
    for tag, neutral in ((_ORIENTATION, 1), (_EXTRA_SAMPLES, 1)):
        value, at = fields.get(tag, (neutral, 0))
        if value != neutral:
            data = b"".join([data[:at], neutral.to_bytes(2, order), data[at + 2 :]])
    return data


# --- what there is ------------------------------------------------------------------------------

KINDS = (
    Kind("JPEG", lambda data: data.startswith(b"\xff\xd8"), _jpeg_size, _jpeg_orientation),
    Kind("PNG", lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), _png_size, _png_orientation),
    Kind("BMP", lambda data: data.startswith(b"BM"), _bmp_size),
    Kind(
        "WebP",
        lambda data: data.startswith(b"RIFF") and data.startswith(b"WEBP", 8),
        _webp_size,
        _webp_orientation,
    ),
    Kind("GIF", lambda data: data.startswith((b"GIF87a", b"GIF89a")), _gif_size),
    Kind("TIFF", _is_tiff, _tiff_size, _orientation),
    Kind("PNM", _is_pnm, _pnm_size),
)

_BRANDS = {
    b"avif": "an AVIF image", b"avis": "an AVIF image",
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "a HEIC image"),
    **dict.fromkeys((b"mif1", b"msf1"), "a HEIF image (HEIC or AVIF)"),
    b"crx ": "a raw image (CR3)",
}  # fmt: skip
_OTHERS = (
    (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image"), (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"P1", "a PNM image in text form"), (b"P2", "a PNM image in text form"),
    (b"P3", "a PNM image in text form"), (b"P7\n", "a PAM image"),
    (b"8BPS", "a Photoshop image"), (b"v/1\x01", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance HDR image"), (b"\0\0\x01\0", "an icon (ICO)"),
    (b"<svg", "an SVG drawing"), (b"<?xml", "an XML text, perhaps an SVG drawing"),
    (b"<!DOCTYPE", "a web page"), (b"<!doctype", "a web page"), (b"<html", "a web page"),
    (b"version https://git-lfs", "a Git LFS pointer"), (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"), (b"\x1f\x8b", "a gzip archive"),
)  # fmt: skip
