"""What the scripts of this folder share: commands as child processes, folders compared, tables.

A command runs in a fork of this process, which has imported everything and has one thread, or
cold, as a user starts it. Either says in a byte of shared memory what it is doing.
"""

from __future__ import annotations

import csv
import io
import json
import mmap
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "trust.md"
STAGES: dict[str, dict[str, list[str]]] = {
    "run": {
        "reading data and model": [
            "alignbench:load_dataset", "alignbench:load_predictor", "alignbench:evaluate",
        ],
        "predicting": ["alignbench.runs.predict:predict_points"],
        "keeping a part": ["alignbench.runs.store:keep_part"],
        "evaluating": ["alignbench.runs.evaluation:_measure"],
        "writing results": ["alignbench.runs.store:finish"],
        "moving them into place": [
            "alignbench.runs.store:_move_into_place", "alignbench.runs.store:_drop_unfinished",
        ],
    },
    "train": {
        "reading data and model": [
            "baselines.training.start:load_data", "baselines.training.start:set_up",
            "baselines.training.start:Samples", "baselines.training.start:Loop",
        ],
        "training": ["baselines.training.loop:Loop.run"],
        "writing a checkpoint": ["baselines.training.folder:TrainingFolder.write_checkpoint"],
        "validating": ["baselines.training.loop:validate"],
        "writing log, curves, weights": [
            "baselines.training.loop:write_log", "baselines.training.loop:draw_curves",
            "baselines.training.loop:Loop.save_weights",
        ],
        "writing the record": ["baselines.training.start:_write_results"],
    },
}  # fmt: skip
"""What a command does, and the functions in which it does it; "starting or ending" is the rest."""
OTHERWISE = "starting or ending"


def stages(verb: str) -> list[str]:
    return [OTHERWISE, *STAGES[verb]]


def say_stages(verb: str, stage: mmap.mmap) -> None:
    """Have the functions of each stage say its number while they are called."""

    def saying(function: Callable[..., Any], number: int) -> Callable[..., Any]:
        @wraps(function)
        def call(*given: Any, **named: Any) -> Any:
            before, stage[0] = stage[0], number
            try:
                return function(*given, **named)
            finally:
                stage[0] = before

        return call

    for number, places in enumerate(STAGES[verb].values(), 1):
        for place in places:
            module, _, name = place.partition(":")
            holder: Any = import_module(module)
            *classes, last = name.split(".")
            for one in classes:
                holder = getattr(holder, one)
            setattr(holder, last, saying(getattr(holder, last), number))


@dataclass
class Child:
    """A command that runs; ``stage[0]`` is the number of what it is doing."""

    verb: str
    pid: int
    stage: mmap.mmap
    log: Path
    started: float = field(default_factory=time.monotonic)
    code: int | None = None

    def running(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code is None

    def wait(self, limit: float = 600) -> int:
        """Its exit status; it is killed, and that is an error, after ``limit`` seconds."""
        while self.running():
            if time.monotonic() - self.started > limit:
                self.kill()
                raise TimeoutError(f"{self.verb} hangs: {self.log.read_text()[-2000:]}")
            time.sleep(0.001)
        assert self.code is not None
        return self.code

    def kill(self) -> str:
        """SIGKILL it where it is; gives the stage, empty if it had ended by itself."""
        if self.running():
            os.kill(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
        return stages(self.verb)[self.stage[0]] if self.code == -signal.SIGKILL else ""


def warm() -> None:
    """Import all that commands need, without a thread, so that this process can be forked."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # before NumPy comes in: a process with threads must not be forked
    for name in (
        "alignbench.cli.run", "alignbench.runs.evaluation", "alignbench.cli.console",
        "baselines.model", "baselines.training", "reports.figures.ced", "reports.summary",
    ):  # fmt: skip
        import_module(name)
    import_module("cv2").setNumThreads(1)


def begin(verb: str, arguments: Sequence[object], log: Path, cold: bool = False,
          before: Callable[[], None] = lambda: None) -> Child:  # fmt: skip
    """Start a command, ``before`` being called in its process first (where it is a fork)."""
    shown = [verb, *map(str, arguments)]
    if cold:
        log.with_suffix(".stage").write_bytes(b"\0")
        with log.with_suffix(".stage").open("r+b") as stream, log.open("ab") as out:
            stage = mmap.mmap(stream.fileno(), 1)
            process = subprocess.Popen([sys.executable, __file__, stream.name, *shown],
                                       stdout=out, stderr=out)  # fmt: skip
        process.returncode = 0  # it is waited for here
        return Child(verb, process.pid, stage, log)
    stage = mmap.mmap(-1, 1)
    threads = re.search(r"Threads:\s+(\d+)", Path("/proc/self/status").read_text())
    assert threads is not None
    assert threads[1] == "1", f"{threads[1]} threads: not to be forked"
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return Child(verb, pid, stage, log)
    code = 1
    try:
        with log.open("ab") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        before()
        code = _command(shown, stage)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _command(arguments: Sequence[str], stage: mmap.mmap) -> int:
    """The command line with these arguments; gives its exit status."""
    from alignbench.cli import main

    say_stages(arguments[0], stage)
    sys.argv = ["alignbench", *arguments]
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def torchrun(arguments: Sequence[object], log: Path) -> subprocess.Popen[bytes]:
    """Start a command in two processes that share it; torchrun is a group of its own."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith("_NUM_THREADS") and name not in ("RANK", "WORLD_SIZE")
    }
    with log.open("ab") as out:
        return subprocess.Popen(
            [
                sys.executable, "-m", "torch.distributed.run", "--standalone",
                "--nproc-per-node=2", "-m", "alignbench", *map(str, arguments),
            ],
            stdout=out, stderr=out, env=environment, start_new_session=True,
        )  # fmt: skip


def children(pid: int) -> list[int]:
    """Processes that a process started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too, without the seconds that were measured."""
    return {
        str(path.relative_to(folder)): _timeless(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _timeless(path: Path) -> bytes:
    data = path.read_bytes()
    if path.name == "run.json":
        record = json.loads(data)
        record.pop("timings")
        return json.dumps(record).encode()
    if path.name == "training.json":
        record = json.loads(data)
        record.pop("seconds")
        return json.dumps(record).encode()
    if path.name == "log.csv":
        rows = list(csv.DictReader(io.StringIO(data.decode())))
        return json.dumps(
            [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
        ).encode()
    if path.name == "checkpoint.pt":
        import torch

        state = torch.load(io.BytesIO(data), weights_only=True)
        position = state["position"]
        position["seconds"] = 0.0
        for row in position["rows"]:
            row[2] = 0.0  # its seconds
        return json.dumps(state, default=_tensor).encode()
    return data


def _tensor(tensor: Any) -> list[object]:
    """A tensor to the last bit, and how it lies in memory."""
    return [str(tensor.dtype), tensor.stride(), tensor.tolist()]


def differing(whole: Path, other: Path) -> list[str]:
    """Files that differ between two folders or are in one of them only."""
    one, two = contents(whole), contents(other)
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


def put(name: str, text: str) -> None:
    """Print a table, and put it between its marks in the document, if it has them."""
    sys.stdout.write(f"\n{text}\n")
    command = " ".join(
        ["python", *map(shlex.quote, [f"tests/faults/{Path(sys.argv[0]).name}", *sys.argv[1:]])]
    )
    begin_, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    document = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    if begin_ in document:
        head, _, rest = document.partition(begin_)
        tail = rest.partition(end)[2]
        made = f"{begin_}\nBy `{command}`:\n\n{text}\n{end}"
        DOCUMENT.write_text(head + made + tail)


if __name__ == "__main__":
    with Path(sys.argv[1]).open("r+b") as stream:
        shared = mmap.mmap(stream.fileno(), 1)
    sys.exit(_command(sys.argv[2:], shared))
