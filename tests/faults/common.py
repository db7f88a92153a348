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
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial, wraps
from importlib import import_module
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))
import documents  # noqa: E402

STAGES: dict[str, dict[str, list[str]]] = {
    "run": {
        "reading data and model": [
            "alignbench:load_dataset", "alignbench:load_predictor", "alignbench:evaluate",
        ],
        "predicting": ["alignbench.runs.evaluation:predict_points"],
        "keeping a part": ["alignbench.runs.store:Folder.keep_part"],
        "evaluating": ["alignbench.runs.evaluation:_measure"],
        "writing results": ["alignbench.runs.store:Folder.finish"],
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
KEPT = {"run": ".unfinished/*.npy", "train": "checkpoint.pt"}
"""What a run and a training keep, to go on from."""
RECIPE = """\
model = "propnet"
dataset = "wflw"
epochs = 3
batch_size = 8
network = {stacks = 1, width = 16, depth = 2, hidden = [2], attention_depth = 1}
crop = {size = 32}
"""
TIMES = {"run.json": "timings", "training.json": "seconds"}
"""The field of each record that has seconds in it."""


def stages(verb: str) -> list[str]:
    return [OTHERWISE, *STAGES[verb]]


def find(place: str) -> tuple[Any, str]:
    """The module or class that has a function, and the function's name in it."""
    module, _, name = place.partition(":")
    holder: Any = import_module(module)
    *classes, last = name.split(".")
    for one in classes:
        holder = getattr(holder, one)
    return holder, last


def say_stages(verb: str, stage: mmap.mmap) -> None:
    """Have the functions of each stage say its number while they are called."""

    def wrap(function: Callable[..., Any], number: int) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            before, stage[0] = stage[0], number
            try:
                return function(*arguments, **options)
            finally:
                stage[0] = before

        return call

    for number, places in enumerate(STAGES[verb].values(), 1):
        for holder, name in map(find, places):
            setattr(holder, name, wrap(getattr(holder, name), number))


def keep_every(seconds: float) -> None:
    """Have a run keep its parts this often, not every 2 s."""
    import_module("alignbench.runs.predict")._PART_SECONDS = seconds


keep_all = partial(keep_every, 0.0)


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

    def wait_for(self, out: Path, pattern: str = "") -> None:
        """Wait for a file in ``out``: what the command goes on from, or of another name."""
        while not list(out.glob(pattern or KEPT[self.verb])):
            assert self.running(), self.log.read_text()
            time.sleep(0.001)

    def kill(self) -> str:
        """SIGKILL it where it is; gives the stage, empty if it had ended by itself."""
        if self.running():
            os.kill(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
        return stages(self.verb)[self.stage[0]] if self.code == -signal.SIGKILL else ""


def prepare(train: int, test: int) -> Path:
    """A new folder with a tiny recipe and WFLW; imports all that commands need.

    No thread is started, so that this process can be forked.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # before NumPy comes in: a process with threads must not be forked
    for name in (
        "alignbench.cli.run", "alignbench.runs.evaluation", "alignbench.progress",
        "baselines.model", "baselines.training", "reports.figures.ced", "reports.summary",
    ):  # fmt: skip
        import_module(name)
    import_module("cv2").setNumThreads(1)
    home = Path(tempfile.mkdtemp(prefix="faults-"))
    (home / "tiny.toml").write_text(RECIPE)
    for split, faces in (("train", train), ("test", test)):
        import_module("layouts").write_wflw(home / "data", faces, split)
    return home


def begin(verb: str, arguments: Sequence[object], out: Path, *, log: Path | None = None,
          cold: bool = False, before: Callable[[], None] = lambda: None) -> Child:  # fmt: skip
    """Start a command, ``before`` being called in its process first (where it is a fork)."""
    words = [verb, *map(str, arguments), "--out", str(out)]
    log = log or out.with_suffix(".log")
    if cold:
        log.with_suffix(".stage").write_bytes(b"\0")
        with log.with_suffix(".stage").open("r+b") as stream, log.open("ab") as output:
            stage = mmap.mmap(stream.fileno(), 1)
            process = subprocess.Popen([sys.executable, __file__, stream.name, *words],
                                       stdout=output, stderr=output)  # fmt: skip
        process.returncode = 0  # it is waited for here
        return Child(verb, process.pid, stage, log)
    stage = mmap.mmap(-1, 1)
    assert "\nThreads:\t1\n" in Path("/proc/self/status").read_text(), "threads: not to be forked"
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return Child(verb, pid, stage, log)
    code = 1
    try:
        with log.open("ab") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        before()
        code = call_command(words, stage)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def call_command(arguments: Sequence[str], stage: mmap.mmap) -> int:
    """The command line with these arguments; gives its exit status."""
    from alignbench.cli import main

    say_stages(arguments[0], stage)
    sys.argv = ["alignbench", *arguments]
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def finish(verb: str, arguments: Sequence[object], out: Path, log: Path | None = None) -> None:
    """Run a command to its end."""
    child = begin(verb, arguments, out, log=log)
    assert child.wait() == 0, child.log.read_text()


def torchrun(verb: str, arguments: Sequence[object], out: Path) -> subprocess.Popen[bytes]:
    """Start a command in two processes that share it; torchrun is a group of its own."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith("_NUM_THREADS") and name not in ("RANK", "WORLD_SIZE")
    }
    with out.with_suffix(".log").open("ab") as output:
        return subprocess.Popen(
            [
                sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
                "-m", "alignbench", verb, *map(str, arguments), "--out", out,
            ],
            stdout=output, stderr=output, env=environment, start_new_session=True,
        )  # fmt: skip


def finish_shared(verb: str, arguments: Sequence[object], out: Path) -> None:
    """Run a command in two processes to its end."""
    process = torchrun(verb, arguments, out)
    assert process.wait(600) == 0, out.with_suffix(".log").read_text()


def children(pid: int) -> list[int]:
    """Processes that a process started."""
    return [int(pid) for pid in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too, without the seconds that were measured."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): _read_without_times(path) for path in paths}


def _read_without_times(path: Path) -> bytes:
    data = path.read_bytes()
    if path.name in TIMES:
        record = json.loads(data)
        record.pop(TIMES[path.name])
        return json.dumps(record).encode()
    if path.name == "log.csv":
        rows = list(csv.DictReader(io.StringIO(data.decode())))
        return json.dumps([row | {"seconds": ""} for row in rows]).encode()
    if path.name == "checkpoint.pt":
        import torch

        state = torch.load(io.BytesIO(data), weights_only=True)
        position = state["position"]
        position["seconds"] = 0.0
        for row in position["rows"]:
            row[2] = 0.0  # its seconds
        return json.dumps(state, default=_describe_tensor).encode()
    return data


def _describe_tensor(tensor: Any) -> list[object]:
    """A tensor to the last bit, and how it lies in memory."""
    return [str(tensor.dtype), tensor.stride(), tensor.tolist()]


def differing(whole: Path, other: Path) -> list[str]:
    """Files that differ between two folders or are in one of them only."""
    one, two = contents(whole), contents(other)
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


def report(name: str, table: str) -> None:
    """Print a table, and put it between its marks in trust-notes.md, with the command before it."""
    sys.stdout.write(f"\n{table}\n")
    words = [f"tests/faults/{Path(sys.argv[0]).name}", *sys.argv[1:]]
    text = f"By `python {' '.join(map(shlex.quote, words))}`:\n\n{table}"
    documents.put(TESTS.parent / "docs" / "explanation" / "trust-notes.md", name, text)


if __name__ == "__main__":
    with Path(sys.argv[1]).open("r+b") as stream:
        shared = mmap.mmap(stream.fileno(), 1)
    sys.exit(call_command(sys.argv[2:], shared))
