"""What a release rests on: pinned files, permissive licences, and builds with the same bytes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
HASHED = {"requirements.txt": "", "requirements-test.txt": "test"}
"""The files with hashes, and the extra that each of them installs."""
CUDA = re.compile("cuda-|nvidia-|triton$")
"""What the CUDA build of torch needs beyond other builds."""

PERMISSIVE = {
    "0BSD", "Apache 2.0", "Apache Software License", "Apache-2.0", "BSD License", "BSD-2-Clause",
    "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC License (ISCL)", "LLVM-exception", "MIT",
    "MIT License", "MIT-CMU", "PSF-2.0", "Python Software Foundation License", "Zlib",
}  # fmt: skip
COPYLEFT_TEXT = re.compile(
    r"^\s*(GNU (\w+ )?GENERAL PUBLIC LICENSE|Mozilla Public License,? Version .*)\s*$",
    re.MULTILINE | re.IGNORECASE,
)
BUNDLES = {"numpy", "opencv-python-headless", "scipy", "setuptools", "torch"}
"""Packages that bring others' files under such licences: docs/explanation/trust-notes.md."""


def read_pins(name: str) -> dict[str, str]:
    """Package -> version of a file of requirements."""
    text = (ROOT / name).read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    return {canonicalize_name(package): version for package, version in pins}


def installed_packages(extra: str) -> dict[str, Distribution]:
    """alignbench and what it needs, as installed, except for the libraries of CUDA."""
    packages, queue, seen = {}, [("alignbench", extra)], set()
    while queue:
        name, extra = queue.pop()
        if (name, extra) in seen or CUDA.match(name):
            continue
        seen.add((name, extra))
        packages[name] = distribution(name)
        for requirement in map(Requirement, packages[name].requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                needed = canonicalize_name(requirement.name)
                queue += [(needed, part) for part in ("", *requirement.extras)]
    return packages


def pinned_packages(extra: str) -> dict[str, Distribution]:
    """The installed packages; the test is skipped where they are not those of constraints.txt."""
    packages, pins = installed_packages(extra), read_pins("constraints.txt")
    for name, package in packages.items():
        version = package.version.partition("+")[0]
        if name != "alignbench" and pins.get(name, version) != version:
            pytest.skip(f"{name} has another version here than in constraints.txt")
    return packages


@pytest.mark.parametrize("name", HASHED)
def test_every_pin_has_hashes_and_the_version_of_constraints(name):
    pins = read_pins(name)
    assert pins.items() <= read_pins("constraints.txt").items()
    assert "torch" not in pins
    blocks = re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").rstrip())
    blocks = [block for block in blocks if not block.startswith("#")]
    assert len(blocks) == len(pins)
    for block in blocks:
        first, *hashes = block.replace(" \\\n", "\n").splitlines()
        assert hashes, first
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", line) for line in hashes)


@pytest.mark.parametrize("name", HASHED)
def test_nothing_is_installed_without_a_pin(name):
    installed = pinned_packages(HASHED[name]).keys()
    assert installed - read_pins(name).keys() == {"alignbench", "torch"}
    assert installed - read_pins("constraints.txt").keys() == {"alignbench"}


def declared_licences(package: Distribution) -> set[str]:
    """What a package declares: an expression, else classifiers, else a text."""
    if expression := package.metadata.get("License-Expression"):
        return set(re.findall(r"[\w.+-]+", expression)) - {"AND", "OR", "WITH"}
    classifiers = package.metadata.get_all("Classifier", [])
    licences = {text.split(" :: ")[-1] for text in classifiers if text.startswith("License ::")}
    return licences or {package.metadata.get("License") or "none declared"}


def test_the_default_installation_declares_permissive_licences():
    for name, package in pinned_packages("").items():
        others = declared_licences(package) - PERMISSIVE
        assert not others, f"{name}: decide, and describe it in docs/explanation/trust-notes.md"


def test_bundled_files_under_copyleft_licences_are_known():
    for name, package in pinned_packages("").items():
        texts = [
            file.locate().read_text(encoding="utf-8", errors="replace")
            for file in package.files or ()
            if re.search("licen|copying", file.name, re.IGNORECASE) and file.suffix in ("", ".txt")
        ]
        assert name in BUNDLES or not any(map(COPYLEFT_TEXT.search, texts)), name


def build(source: Path, out: Path) -> list[Path]:
    """The sdist and the wheel of a folder."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", out]
    subprocess.run(command, cwd=source, check=True, stdout=subprocess.DEVNULL)
    return sorted(out.iterdir(), key=lambda path: path.suffix)


def test_an_sdist_builds_itself_and_the_wheel_again(tmp_path):
    first = build(ROOT, tmp_path / "first")
    shutil.unpack_archive(first[0], tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    for path in source.rglob("*"):
        path.touch()
    second = build(source, tmp_path / "second")
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
