"""Speed and memory of comparing many runs; nothing is asserted of time.

``pytest tests/benchmarks/test_statistics_speed.py --benchmark-only``. As a script it does the
whole comparison once and prints seconds and peak memory of its process.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from alignbench import Run
from alignbench.markups import WFLW98
from alignbench.metrics.errors import normaliser_names
from alignbench.runs import MetricRow
from alignbench.stats import Bootstrap
from reports.compare import compare

RUNS, FACES = 10, 2500
SUBSETS = {
    "pose": 326, "expression": 314, "illumination": 698, "make-up": 206, "occlusion": 736,
    "blur": 773,
}  # fmt: skip


def made_runs() -> list[Run]:
    """Ten runs on a set of WFLW's size: errors that are alike, as those of good models are."""
    rng = np.random.default_rng(0)
    member = {"full": np.ones(FACES, int)}
    for name, count in SUBSETS.items():
        member[name] = np.zeros(FACES, int)
        member[name][rng.choice(FACES, count, replace=False)] = 1
    face = rng.normal(np.log(4), 0.3, FACES)
    runs = []
    for k in range(RUNS):
        errors = np.exp(face + rng.normal(0.01 * k, 0.3, FACES))
        columns = {
            "id": [f"face{n}" for n in range(FACES)],
            "image": [f"{n}" for n in range(FACES)],
        }
        norms = dict.fromkeys(normaliser_names(WFLW98), errors)
        rows = [
            MetricRow(
                subset=name, faces=int(of.sum()), norm="inter_ocular", metric="nme",
                threshold=None, value=float(errors[of == 1].mean()), ci_low=None, ci_high=None,
            )
            for name, of in member.items()
        ]  # fmt: skip
        dataset = SimpleNamespace(
            name="wflw", split="test", markup=WFLW98.name, fingerprint="same",
            normalisers=("inter_ocular",), threshold=0.10, complete=True, faces=FACES,
        )  # fmt: skip
        record = SimpleNamespace(
            dataset=dataset, model=SimpleNamespace(name=f"model{k}", identity={})
        )
        frame = pd.DataFrame(columns | member | norms)
        runs.append(Run(record, tuple(rows), frame, pd.DataFrame(), (), np.empty((0, 98, 2))))
    return runs


@pytest.mark.benchmark(group="comparing 10 runs: 2,500 faces, 7 subsets, 10,000 samples")
def test_joint_bootstrap(benchmark):
    runs = made_runs()
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
    runs = made_runs()
    before = peak_mib()
    start, worked = time.perf_counter(), time.process_time()
    compare(runs, bootstrap=Bootstrap())
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    peak = peak_mib()
    timed = f"{seconds:.2f} s, {worked:.2f} s of processor"
    print(f"{timed}; before {before:.0f} MiB, peak {peak:.0f} MiB")  # noqa: T201


if __name__ == "__main__":
    main()
