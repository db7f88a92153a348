"""What a run ran on: versions, processor, commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    "numpy", "scipy", "pandas", "opencv-python-headless", "h5py", "onnxruntime", "openvino",
    "dlib-bin", "torch", "lightning-fabric",
)  # fmt: skip


def environment() -> dict[str, Any]:
    """The environment block of a run's record."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "packages": {name: number for name in _PACKAGES if (number := _version(name))},
        "commit": _commit(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Name of the processor, as the system reports it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _commit() -> str | None:
    """Commit of the checkout that holds this package; None where it is installed elsewhere."""
    home = Path(__file__).parents[1]
    if not (home / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(home), "describe", "--always", "--dirty", "--abbrev=12"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
