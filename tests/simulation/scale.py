"""Time and memory of evaluating very many faces: ``python tests/simulation/scale.py [FACES ...]``.

Draws a list in WFLW's format and predictions in a file, lets the command line evaluate them in a
process of its own, and prints a line for each number of faces. Memory is what the process had for
itself (anonymous: what a machine must have) and all it had mapped of files, which the system
takes back when it needs the room. ``--document FILE`` puts the table between the marks there.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from alignbench.datasets.wflw import LIST

sys.path.insert(0, str(Path(__file__).parents[1]))
from documents import put

FORMS = ("npz", "csv")
LANDMARKS = 98
DRAWN = 1000
"""Faces drawn; more are these again under other names, as text is as long and as slow to read."""


def write(root: Path, faces: int, form: str) -> Path:
    """A list of faces under ``root`` and predictions for it, four pixels off; gives their file."""
    rng = np.random.default_rng(0)
    truth = np.round(rng.uniform(0, 400, (DRAWN, LANDMARKS, 2)), 3)
    spread = 4 * rng.gamma(2, 0.5, (DRAWN, 1, 1))
    predicted = np.round(truth + spread * rng.normal(size=truth.shape), 3)
    attributes = rng.random((DRAWN, 6)) < 0.25
    heads = [
        " ".join(f"{value:g}" for value in points.ravel()) + " 0 0 400 400 "
        + " ".join(str(int(flag)) for flag in flags)
        for points, flags in zip(truth, attributes, strict=True)
    ]  # fmt: skip
    path = root / "wflw" / LIST.format(split="test")
    path.parent.mkdir(parents=True)
    with path.open("w") as stream:
        for face in range(faces):
            stream.write(f"{heads[face % DRAWN]} {face // 2}.jpg\n")
    # Two faces an image with one box: the second has "#2" behind it.
    ids = [f"{k // 2}.jpg#0,0,400,400" + "#2" * (k % 2) for k in range(faces)]
    out = root / f"predictions.{form}"
    if form == "npz":
        np.savez(out, ids=np.array(ids), points=predicted[np.arange(faces) % DRAWN])
        return out
    tails = [",".join(f"{value:g}" for value in points.ravel()) for points in predicted]
    with out.open("w") as stream:
        stream.write(",".join(["id", *(f"{a}{k}" for k in range(LANDMARKS) for a in "xy")]) + "\n")
        for face, name in enumerate(ids):
            stream.write(f"{name},{tails[face % DRAWN]}\n")
    return out


def measure(faces: int, form: str) -> tuple[float, float, float]:
    """Seconds, GiB for itself and GiB in all, of one run."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        arguments = ["run", "--model", f"saved:{write(root, faces, form)}", "--dataset", "wflw"]
        arguments += ["--data-root", name, "--out", str(root / "run")]
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "alignbench", *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        peaks = np.zeros(2)
        while process.poll() is None:
            peaks = np.maximum(peaks, resident_memory(process.pid))
            time.sleep(0.01)
        seconds = time.perf_counter() - started
        if process.returncode:
            raise SystemExit(process.stderr.read().decode())
        record = json.loads((root / "run/run.json").read_text())
        assert record["dataset"]["faces"] == faces
        return seconds, *peaks


def resident_memory(process: int) -> tuple[float, float]:
    """Anonymous and all resident memory of a process, in GiB."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0, 0.0
    fields = dict(re.findall(r"(RssAnon|VmRSS):\s*(\d+) kB", status))
    return int(fields.get("RssAnon", 0)) / 2**20, int(fields.get("VmRSS", 0)) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", nargs="*", type=int, default=[10**3, 10**4, 10**5, 10**6])
    parser.add_argument("--form", choices=FORMS, default="npz")
    parser.add_argument("--document", type=Path)
    options = parser.parse_args()
    # Landmarks: true and predicted ones together, 64-bit.
    lines = [
        "| faces | landmarks | time | a face | memory of its own | with files mapped |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for faces in options.faces:
        seconds, own, everything = measure(faces, options.form)
        size = 2 * faces * LANDMARKS * 16 / 2**30
        lines.append(
            f"| {faces:,} | {size:.3f} GiB | {seconds:.1f} s | {1e6 * seconds / faces:,.0f} µs "
            f"| {own:.2f} GiB | {everything:.2f} GiB |"
        )
        print(lines[-1], flush=True)  # noqa: T201
    if options.document:
        put(options.document, "scale", "\n".join(lines))


if __name__ == "__main__":
    main()
