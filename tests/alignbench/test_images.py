"""Image files: known by their bytes, read as stored, or refused by a message that says why."""

from __future__ import annotations

import io
import struct

import cv2
import layouts
import numpy as np
import pytest
from PIL import Image

from alignbench import InputError
from alignbench.datasets.verify import verify
from alignbench.io.images import (
    ENDINGS,
    ArrayImages,
    ImageFiles,
    images_beside,
    read_image,
    rotated_images,
)

PICTURE = layouts.image(3, 40, 60)
GREY = np.asarray(Image.fromarray(PICTURE).convert("L"))
PALETTE = Image.fromarray(PICTURE).quantize(64)
TURNED = Image.Exif()
TURNED[274] = 6


def encode(form, picture=PICTURE, **options):
    stream = io.BytesIO()
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.save(stream, form, **options)
    return stream.getvalue()


def three(grey):
    return np.stack([np.asarray(grey)] * 3, axis=2)


def transparent(alpha):
    return np.dstack([PICTURE, np.full(GREY.shape, alpha, np.uint8)])


def pnm(kind, values, largest):
    height, width = values.shape[:2]
    return b"%s\n# 9 9\n%d %d\n%d\n" % (kind, width, height, largest) + values.tobytes()


def read(tmp_path, data, name="face.jpg"):
    path = tmp_path / name
    path.write_bytes(data)
    return read_image(path)


JPEG = encode("JPEG", quality=95)
SHORT_WORDS = (GREY.astype(np.uint16) * 257).astype(">u2")
COLOURS = np.asarray(PALETTE.convert("RGB"))
READABLE = {
    "webp": (encode("WEBP", lossless=True), PICTURE),
    "webp-film": (
        encode("WEBP", lossless=True, save_all=True, append_images=[PALETTE.convert("RGB")]),
        PICTURE,
    ),
    "webp-alpha": (encode("WEBP", transparent(128), lossless=True, exact=True), PICTURE),
    "gif": (encode("GIF", PALETTE), COLOURS),
    "gif-film": (
        encode("GIF", PALETTE, save_all=True, append_images=[PALETTE.rotate(180)]),
        COLOURS,
    ),
    "tiff": (encode("TIFF"), PICTURE),
    "tiff-lzw": (encode("TIFF", compression="tiff_lzw"), PICTURE),
    "tiff-grey": (encode("TIFF", GREY), three(GREY)),
    "tiff-16-bit": (encode("TIFF", SHORT_WORDS.astype("<u2")), three(GREY)),
    "tiff-palette": (encode("TIFF", PALETTE), COLOURS),
    "tiff-cmyk": (encode("TIFF", Image.fromarray(PICTURE).convert("CMYK")), PICTURE),
    "tiff-alpha": (encode("TIFF", transparent(128)), PICTURE),
    "tiff-turned": (encode("TIFF", tiffinfo={274: 6}), PICTURE),
    "ppm": (encode("PPM"), PICTURE),
    "pgm": (pnm(b"P5", GREY, 255), three(GREY)),
    "pgm-16-bit": (pnm(b"P5", SHORT_WORDS, 65_535), three(GREY)),
    "pbm": (
        encode("PPM", Image.fromarray(GREY).convert("1")),
        255 * three(Image.fromarray(GREY).convert("1")).astype(np.uint8),
    ),
    "png-16-bit": (cv2.imencode(".png", SHORT_WORDS.astype(np.uint16))[1].tobytes(), three(GREY)),
    "png-palette": (encode("PNG", PALETTE), COLOURS),
    "png-alpha": (encode("PNG", transparent(128)), PICTURE),
    "png-film": (encode("PNG", save_all=True, append_images=[PALETTE]), PICTURE),
    "png-turned": (encode("PNG", exif=TURNED), PICTURE),
    "webp-turned": (encode("WEBP", lossless=True, exif=TURNED), PICTURE),
    "bmp-palette": (encode("BMP", PALETTE), COLOURS),
}


@pytest.mark.parametrize("name", READABLE)
def test_an_image_is_read_as_stored_whatever_its_name(tmp_path, name):
    data, pixels = READABLE[name]
    np.testing.assert_array_equal(read(tmp_path, data), pixels)


@pytest.mark.parametrize(
    ("data", "pixels", "most"),
    [
        (encode("JPEG", Image.fromarray(PICTURE).convert("CMYK"), quality=95), PICTURE, 2.5),
        (encode("JPEG", GREY, quality=95), three(GREY), 1.5),
        (encode("JPEG", quality=95, exif=TURNED), PICTURE, 5),
        (encode("TIFF", compression="jpeg", quality=95), PICTURE, 5),
        (encode("WEBP", quality=95), PICTURE, 8),
    ],
    ids=["cmyk", "grey", "turned", "tiff", "webp"],
)
def test_a_lossy_image_is_read_in_its_colours(tmp_path, data, pixels, most):
    assert np.abs(read(tmp_path, data).astype(int) - pixels).mean() < most


FILM = b"\0\0\0\x18ftypmp42" + b"\xff\xda\0\x08" * 200 + bytes(1000)
GREY_THUMBNAIL = Image.Exif()
GREY_THUMBNAIL[270] = (JPEG[:60] + b"\xff\xd9\xff\xda\0\x08").decode("latin1")


@pytest.mark.parametrize(
    "data",
    [
        JPEG + FILM,
        JPEG + JPEG[:-300],
        encode("MPO", save_all=True, append_images=[PALETTE.convert("RGB")], quality=95),
        b"\xff\xd8\xff\xff\xff" + JPEG[3:],
        encode("JPEG", exif=GREY_THUMBNAIL, quality=95),
    ],
    ids=["film", "second-cut", "mpo", "fill-bytes", "marks-in-exif"],
)
def test_what_follows_a_jpeg_is_ignored(tmp_path, data):
    np.testing.assert_array_equal(read(tmp_path, data), read(tmp_path, JPEG))


@pytest.mark.parametrize(
    "name", ["webp", "gif", "tiff", "tiff-lzw", "ppm", "pgm-16-bit", "pbm", "png-palette"]
)
def test_an_image_that_is_cut_short_is_refused(tmp_path, name):
    data, _ = READABLE[name]
    for size in (len(data) - 9, len(data) // 2, 30):
        with pytest.raises(InputError, match=r"image is broken or cut short; accepted: a complete"):
            read(tmp_path, data[:size])


def test_a_jpeg_without_its_end_mark_is_refused(tmp_path):
    for data in (JPEG[:-2], JPEG[:-2] + bytes(9)):
        with pytest.raises(InputError, match="image is broken or cut short"):
            read(tmp_path, data)


ORIENTED = b"II*\0\x08\0\0\0\0\0"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC image, .*accepted: JPEG, PNG, .*Convert it"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "is a HEIF image"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "is an AVIF image"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "is a video .*Put the image itself there"),
        (b"\xff\x0a\xfa", "is a JPEG XL image"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "is a JPEG 2000 image"),
        (b"P2\n1 1\n255\n7\n", "is a PNM image in text form"),
        (b"8BPS\0\1", "is a Photoshop image"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"not an image", "of an unknown kind: it begins with b'not an i'; .*Copy the file again"),
        (pnm(b"P5", GREY, 100), "whose largest value is 100, not 255 or 65535; .*Convert it"),
        (pnm(b"P5", SHORT_WORDS, 4095), "whose largest value is 4095"),
        (encode("TIFF", GREY.astype(np.float32)), "is a TIFF image of 32-bit floating-point"),
        (encode("TIFF", GREY.astype(np.int32)), "is a TIFF image of 32-bit signed values"),
        (ORIENTED, "image is broken or cut short"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, data, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, data)


def test_a_decoder_that_opencv_lacks_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *given: None)
    with pytest.raises(InputError, match="image is broken or cut short"):
        read(tmp_path, READABLE["gif"][0])
    monkeypatch.setattr(cv2, "haveImageWriter", lambda ending: False)
    with pytest.raises(InputError, match=r"is a GIF image, which OpenCV .* cannot read here"):
        read(tmp_path, READABLE["gif"][0])


def _tiff(*fields, order="<"):
    """A TIFF of one directory: tag, type and value."""
    entries = [struct.pack(f"{order}HHII", tag, kind, 1, value) for tag, kind, value in fields]
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(f"{order}IH", 8, len(entries)) + b"".join(entries) + bytes(4)


@pytest.mark.parametrize(
    "data",
    [
        _tiff((256, 4, 60_000), (257, 4, 60_000)),
        _tiff((256, 4, 60_000), (257, 4, 60_000), order=">"),
        _tiff((256, 4, 9), (257, 4, 9), (322, 4, 32_000), (323, 4, 32_000)),
        _tiff((256, 4, 40_000), (257, 4, 9), (256, 4, 9)),
        b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + READABLE["gif"][0][10:],
        b"P6\n60000 60000\n255\n",
        b"RIFF\xff\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + 2 * (59_999).to_bytes(3, "little"),
    ],
)
def test_an_absurd_image_is_refused_before_it_is_decoded(tmp_path, monkeypatch, data):
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(InputError, match=r"image of [0-9,]+ x [0-9,]+ pixels; accepted: at most"):
        read(tmp_path, data)


def test_a_png_that_claims_gigabytes_is_not_decoded(tmp_path, monkeypatch):
    data = bytearray(READABLE["png-alpha"][0])
    at = data.index(b"IDAT") - 4
    data[at] = 0xF0
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(InputError, match="image is broken or cut short"):
        read(tmp_path, bytes(data))


def test_a_file_of_many_gigabytes_is_not_loaded(tmp_path):
    path = tmp_path / "face.jpg"
    with path.open("wb") as stream:
        stream.truncate(2**41)
    with pytest.raises(InputError, match="more than 1 GiB"):
        read_image(path)


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {"exif": TURNED}),
        ("PNG", {"exif": TURNED}),
        ("WEBP", {"exif": TURNED}),
        ("TIFF", {"tiffinfo": {274: 6}}),
    ],
)
def test_images_with_a_rotation_are_named(tmp_path, form, options):
    (tmp_path / "a.jpg").write_bytes(encode(form, **options))
    (tmp_path / "b.jpg").write_bytes(encode(form))
    images = ImageFiles(tmp_path, ["b.jpg", "a.jpg", "a.jpg", "none.jpg"])
    assert rotated_images(images) == ["a.jpg"]
    assert rotated_images(ArrayImages([PICTURE])) == []


def test_an_image_is_found_by_its_ending_or_by_its_bytes(tmp_path):
    def put(name, data=b""):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    assert images_beside([tmp_path / "a.pts"]) == [tmp_path / "a.jpg"]  # it is missing
    for ending in reversed(ENDINGS):
        image = put(f"a{ending.upper()}")
        assert images_beside([tmp_path / "a.pts"]) == [image]
    put("b.heic", b"\0\0\0\x18ftypheic")
    put("b.txt", b"notes")
    put("c.txt", b"notes")
    put("a.b.png")
    files = [put(f"{stem}.pts", b"version: 1") for stem in ("b", "c", "a.b")]
    assert [file.name for file in images_beside(files)] == ["b.heic", "c.jpg", "a.b.png"]


def test_verify_names_images_with_a_rotation(tmp_path):
    from alignbench import load_dataset

    layouts.write_wflw(tmp_path, faces=3)
    (tmp_path / "WFLW_images/0--Parade/2.jpg").write_bytes(encode("JPEG", exif=TURNED))
    assert verify(load_dataset("wflw", tmp_path)).rotated == ["0--Parade/2.jpg"]


def test_verify_reports_an_image_that_cannot_be_read(cli, tmp_path):
    layouts.write_wflw(tmp_path, faces=3)
    with (tmp_path / "WFLW_images/0--Parade/2.jpg").open("wb") as stream:
        stream.truncate(2**31)
    (tmp_path / "WFLW_images/0--Parade/1.jpg").write_bytes(encode("JPEG", exif=TURNED))
    result = cli("data", "verify", "wflw", "--data-root", tmp_path)
    assert result.code == 1
    assert "images broken: 1 of 3" in result.out
    assert "2.jpg: image file of more than 1 GiB" in result.out
    assert "images with an EXIF rotation, which is ignored: 1 of 3" in result.out
