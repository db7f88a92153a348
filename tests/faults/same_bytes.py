"""Whether the same inputs give the same bytes: threads, batches, resumed, shared, again.

``python tests/faults/same_bytes.py run``, ``... train`` print the tables of docs/trust.md. Every
variant is held against the first one, with one thread and the model's own size of batch. The
seconds that records name are left out, nothing else is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from common import begin, children, differing, put, torchrun, warm
from kill import RECIPE
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
PART, CHECKPOINT = ".unfinished/*.npy", "checkpoint.pt"
"""What a run and a training keep, to go on from."""


def models(home: Path) -> dict[str, list[object]]:
    """What the models are called, and how they are asked for."""
    found: dict[str, list[object]] = {
        f"propnet-mini, {backend}": ["--model", "propnet-mini", "--backend", backend]
        for backend in ("eager", "channels-last", "onnxruntime", "openvino")
    }
    found |= {f"{name}, eager": ["--model", name] for name in ("awing-mini", "lab-mini")}
    if (example := _shared()) is not None:
        found["ONNX example (PFLD)"] = ["--model", f"onnx:{example}"]
    found["linear"] = ["--model", "linear"]
    found["saved predictions"] = [
        "--model",
        f"saved:{home / 'linear' / 'first' / 'predictions.npz'}",
    ]
    return found


def _shared() -> Path | None:
    from conftest import SHARED

    return SHARED / EXAMPLE if (SHARED / EXAMPLE).is_file() else None


def often() -> None:
    from alignbench.runs import predict as runner

    runner._PART_SECONDS = 0.0


def cut(verb: str, asked: Sequence[object], out: Path, kept: str) -> None:
    """Kill a command when it has kept something, and let another go on with it."""
    log = out.with_suffix(".log")
    child = begin(verb, [*asked, "--out", out], log, before=often)
    while not list(out.glob(kept)):
        assert child.running(), log.read_text()
        time.sleep(0.002)
    child.kill()
    done(verb, asked, out)
    said = log.read_text()
    assert "were there from before" in said or "goes on after" in said, said


def done(verb: str, asked: Sequence[object], out: Path) -> None:
    child = begin(verb, [*asked, "--out", out], out.with_suffix(".log"))
    assert child.wait() == 0, child.log.read_text()


def shared(verb: str, asked: Sequence[object], out: Path) -> None:
    process = torchrun([verb, *asked, "--out", out], out.with_suffix(".log"))
    assert process.wait(600) == 0, out.with_suffix(".log").read_text()


def cut_shared(verb: str, asked: Sequence[object], out: Path, kept: str) -> None:
    """As :func:`cut`, of two processes, both of which are killed."""
    log = out.with_suffix(".log")
    process = torchrun([verb, *asked, "--out", out], log)
    while not list(out.glob(kept)):
        assert process.poll() is None, log.read_text()
        time.sleep(0.002)
    for pid in [process.pid, *children(process.pid)]:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    shared(verb, asked, out)
    assert "goes on after" in log.read_text(), log.read_text()


def runs(home: Path) -> str:
    """The table of runs."""
    import numpy as np

    from alignbench import load_run

    def said(first: Path, other: Path) -> str:
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

    rows = []
    for name, model in models(home).items():
        folder = (
            home / name.partition(",")[0] if "," not in name else home / name.replace(", ", "-")
        )
        folder.mkdir()
        asked = [*model, "--dataset", "synthetic", "--split", "sample", "--limit", FACES]
        if "onnx:" not in str(model) and "linear" not in name and "saved" not in name:
            asked += ["--device", "cpu"]
        alone = [*asked, "--threads", 1]
        first = folder / "first"
        done("run", alone, first)
        cells = []
        for variant, options in VARIANTS.items():
            out = folder / variant.replace(" ", "-")
            done("run", [*asked, *options], out)
            cells.append(said(first, out))
        cut("run", alone, folder / "cut", PART)
        shared("run", alone, folder / "two")
        cells += [said(first, folder / "cut"), said(first, folder / "two")]
        rows.append((name, *cells))
        sys.stderr.write(f"{rows[-1]}\n")
    heads = ["model", *VARIANTS, "killed and resumed", "2 processes"]
    return tabulate(rows, heads, "pipe", disable_numparse=True)


def trainings(home: Path) -> str:
    """The table of trainings."""
    import numpy as np
    from layouts import write_wflw
    from safetensors.numpy import load_file

    (home / "tiny.toml").write_text(RECIPE)
    for split, faces in (("train", 24), ("test", 18)):
        write_wflw(home / "data", faces, split)
    asked: list[object] = [home / "tiny.toml", "--data-root", home / "data", "--device", "cpu",
                           "--checkpoint-seconds", 0]  # fmt: skip
    one, two = [*asked, "--threads", 1], [*asked, "--threads", 2]
    for name, options in (("first", one), ("again", one), ("threads", two), ("threads-again", two),
                          ("workers", [*one, "--workers", 2])):  # fmt: skip
        done("train", options, home / name)
    cut("train", one, home / "cut", CHECKPOINT)
    for name in ("ranks", "ranks-again"):
        shared("train", one, home / name)
    cut_shared("train", one, home / "ranks-cut", CHECKPOINT)

    def said(first: str, other: str) -> str:
        files = differing(home / first, home / other)
        # How many processes and threads there were is in the record.
        weights = [load_file(home / name / "weights.safetensors") for name in (first, other)]
        most = max(float(np.abs(weights[0][k] - weights[1][k]).max()) for k in weights[0])
        if not most:
            return f"{SAME} weights; differing files: {', '.join(files) or 'none'}"
        return f"weights differ by up to {most:.1e}; differing files: {len(files)}"

    rows = [
        ("again", said("first", "again")),
        ("killed and resumed", said("first", "cut")),
        ("2 workers, not 0", said("first", "workers")),
        ("2 threads, not 1", said("first", "threads")),
        ("2 threads, again", said("threads", "threads-again")),
        ("2 processes, not 1", said("first", "ranks")),
        ("2 processes, again", said("ranks", "ranks-again")),
        ("2 processes, killed and resumed", said("ranks", "ranks-cut")),
    ]
    return tabulate(rows, ["training", "held against its like"], "pipe")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("run", "train"))
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="same-"))
    warm()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    put(f"same {given.verb}", (runs if given.verb == "run" else trainings)(home))
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
