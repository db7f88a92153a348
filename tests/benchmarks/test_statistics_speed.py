"""Speed and memory of comparing many runs; nothing is asserted of time.

``pytest tests/benchmarks/test_statistics_speed.py --benchmark-only``. As a script it does the
whole comparison once and prints seconds and peak memory of its process.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from alignbench import Run, evaluate
from alignbench.markups import WFLW98
from alignbench.metrics.errors import normalisers
from alignbench.stats import Bootstrap
from reports.compare import compare

sys.path.insert(0, str(Path(__file__).parents[1]))
from doubles import Shifted, make_dataset

RUNS, FACES = 10, 2500
SUBSETS = {
    "pose": 326, "expression": 314, "illumination": 698, "make-up": 206, "occlusion": 736,
    "blur": 773,
}  # fmt: skip


def make_runs() -> list[Run]:
    """Ten runs on a set of WFLW's size: errors that are alike, as those of good models are."""
    rng = np.random.default_rng(0)
    subsets = {"full": np.ones(FACES, bool)}
    for name, count in SUBSETS.items():
        subsets[name] = np.isin(np.arange(FACES), rng.choice(FACES, count, replace=False))
    faces = replace(make_dataset(FACES), subsets=subsets)
    scale = normalisers(faces.points, WFLW98, faces.ids)["inter_ocular"]
    difficulty = rng.normal(np.log(0.04), 0.3, FACES)
    runs = []
    for k in range(RUNS):
        errors = np.exp(difficulty + rng.normal(0.01 * k, 0.3, FACES))
        points = faces.points + np.multiply.outer(errors * scale, [[1.0, 0.0]])
        model = Shifted(replace(faces, points=points), 0.0)
        runs.append(evaluate(model, faces, name=f"model{k}", bootstrap=Bootstrap(10)))
    return runs


@pytest.mark.benchmark(group="comparing 10 runs: 2,500 faces, 7 subsets, 10,000 samples")
def test_joint_bootstrap(benchmark):
    runs = make_runs()
    found = benchmark.pedantic(compare, (runs,), {"bootstrap": Bootstrap()}, rounds=3)
    pairs = RUNS * (RUNS - 1) // 2
    assert len(found.differences) == pairs * (1 + len(SUBSETS)) * 3
    lines = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    benchmark.extra_info["MiB at the peak of a process that does nothing else"] = float(
        lines.stdout.split()[-2]
    )


def peak_mib() -> float:
    """Most memory of this process; ru_maxrss would be its parent's where that had more."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024


def main() -> None:
    """Compare once; print the time and the peak of this process."""
    runs = make_runs()
    before = peak_mib()
    start, worked = time.perf_counter(), time.process_time()
    compare(runs, bootstrap=Bootstrap())
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    peak = peak_mib()
    timed = f"{seconds:.2f} s, {worked:.2f} s of processor"
    print(f"{timed}; before {before:.0f} MiB, peak {peak:.0f} MiB")  # noqa: T201


if __name__ == "__main__":
    main()
