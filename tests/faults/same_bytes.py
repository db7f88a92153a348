"""Whether the same inputs give the same bytes: threads, batches, resumed, shared, again.

``python tests/faults/same_bytes.py run``, ``... train`` print the tables of trust-notes.md. Every
variant is held against the first one, with one thread and the model's own size of batch. The
seconds that records name are left out, nothing else is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from common import (
    KEPT,
    begin,
    children,
    differing,
    finish,
    finish_shared,
    keep_all,
    prepare,
    report,
    torchrun,
)
from tabulate import tabulate

FACES = 34
"""Two more than a multiple of 8 and of 32: a last batch that is short is among them."""
EXAMPLE = Path("models", "PFLD_GhostOne_112_1_opt_sim.onnx")
"""Of the research-only data, where that is there."""
VARIANTS: dict[str, list[object]] = {
    "again": ["--threads", 1],
    "2 threads": ["--threads", 2],
    "batch 1": ["--threads", 1, "--batch-size", 1],
    "batch 32": ["--threads", 1, "--batch-size", 32],
    "2 threads, batch 32": ["--threads", 2, "--batch-size", 32],
}
SAME = "same"


def models(home: Path) -> dict[str, list[object]]:
    """What the models are called, and how they are asked for."""
    from conftest import SHARED

    backends = ("eager", "channels-last", "onnxruntime", "openvino")
    networks = [("propnet-mini", backend) for backend in backends]
    networks += [("awing-mini", "eager"), ("lab-mini", "eager")]
    options: dict[str, list[object]] = {
        f"{name}, {backend}": ["--model", name, "--backend", backend, "--device", "cpu"]
        for name, backend in networks
    }
    if (SHARED / EXAMPLE).is_file():
        options["ONNX example (PFLD)"] = ["--model", f"onnx:{SHARED / EXAMPLE}"]
    options["linear"] = ["--model", "linear"]
    predictions = home / "linear" / "first" / "predictions.npz"
    return options | {"saved predictions": ["--model", f"saved:{predictions}"]}


def cut(verb: str, arguments: Sequence[object], out: Path) -> None:
    """Kill a command when it has kept something, and let another go on with it."""
    child = begin(verb, arguments, out, before=keep_all)
    child.wait_for(out)
    child.kill()
    finish(verb, arguments, out)
    text = child.log.read_text()
    assert "were stored already" in text or "goes on after" in text, text


def cut_shared(verb: str, arguments: Sequence[object], out: Path) -> None:
    """As :func:`cut`, of two processes, both of which are killed."""
    log = out.with_suffix(".log")
    process = torchrun(verb, arguments, out)
    while not list(out.glob(KEPT[verb])):
        assert process.poll() is None, log.read_text()
        time.sleep(0.002)
    for pid in [process.pid, *children(process.pid)]:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    finish_shared(verb, arguments, out)
    assert "goes on after" in log.read_text(), log.read_text()


def compare_runs(first: Path, other: Path) -> str:
    import numpy as np

    from alignbench import load_run

    files = differing(first, other)
    if not files:
        return SAME
    one, two = load_run(first), load_run(other)
    pixels = np.abs(one.points - two.points).max()
    errors = max(
        np.abs(one.errors(norm) - two.errors(norm)).max()
        for norm in ("inter_ocular", "inter_pupil", "box")
    )
    return f"{pixels:.1e} px, error {errors:.1e}, {len(files)} files"


def runs(home: Path) -> str:
    """The table of runs."""
    rows = []
    for name, model in models(home).items():
        folder = home / name.replace(", ", "-")
        folder.mkdir()
        shared = [*model, "--dataset", "synthetic", "--split", "sample", "--limit", FACES]
        alone = [*shared, "--threads", 1]
        first = folder / "first"
        finish("run", alone, first)
        for variant, options in VARIANTS.items():
            finish("run", [*shared, *options], folder / variant.replace(" ", "-"))
        cut("run", alone, folder / "cut")
        finish_shared("run", alone, folder / "two")
        others = [*(variant.replace(" ", "-") for variant in VARIANTS), "cut", "two"]
        rows.append((name, *(compare_runs(first, folder / other) for other in others)))
        sys.stderr.write(f"{rows[-1]}\n")
    heads = ["model", *VARIANTS, "killed and resumed", "2 processes"]
    return tabulate(rows, heads, "pipe", disable_numparse=True)


def compare_trainings(first: Path, other: Path) -> str:
    import numpy as np
    from safetensors.numpy import load_file

    files = differing(first, other)
    # How many processes and threads there were is in the record.
    one, two = (load_file(folder / "weights.safetensors") for folder in (first, other))
    most = max(float(np.abs(one[k] - two[k]).max()) for k in one)
    if not most:
        return f"{SAME} weights; differing files: {', '.join(files) or 'none'}"
    return f"weights differ by up to {most:.1e}; differing files: {len(files)}"


def trainings(home: Path) -> str:
    """The table of trainings."""
    shared: list[object] = [home / "tiny.toml", "--data-root", home / "data", "--device", "cpu",
                            "--checkpoint-seconds", 0]  # fmt: skip
    one, two = [*shared, "--threads", 1], [*shared, "--threads", 2]
    for name in ("first", "again"):
        finish("train", one, home / name)
    for name in ("threads", "threads-again"):
        finish("train", two, home / name)
    finish("train", [*one, "--workers", 2], home / "workers")
    cut("train", one, home / "cut")
    for name in ("ranks", "ranks-again"):
        finish_shared("train", one, home / name)
    cut_shared("train", one, home / "ranks-cut")
    pairs = {
        "again": ("first", "again"),
        "killed and resumed": ("first", "cut"),
        "2 workers, not 0": ("first", "workers"),
        "2 threads, not 1": ("first", "threads"),
        "2 threads, again": ("threads", "threads-again"),
        "2 processes, not 1": ("first", "ranks"),
        "2 processes, again": ("ranks", "ranks-again"),
        "2 processes, killed and resumed": ("ranks", "ranks-cut"),
    }
    rows = [(name, compare_trainings(home / a, home / b)) for name, (a, b) in pairs.items()]
    return tabulate(rows, ["training", "held against its like"], "pipe")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("run", "train"))
    verb = parser.parse_args().verb
    home = prepare(train=24, test=18)
    report(f"same {verb}", (runs if verb == "run" else trainings)(home))
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
