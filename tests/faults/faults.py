"""Every other fault, made: a full disk, a deleted image, two writers, dead workers and ranks.

``python tests/faults/faults.py`` puts a table into trust-notes.md; with names of faults, such as
``full_disk``, it prints those alone. It mounts small file systems,
for which it must be root. After each fault the command must have ended by itself with the status
and the message that are expected, what was there before must be there still, and once the fault is
mended the same command must end with the files of one that nothing happened to.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from common import (
    KEPT,
    Child,
    begin,
    children,
    contents,
    differing,
    finish,
    finish_shared,
    keep_all,
    prepare,
    report,
    torchrun,
)
from tabulate import tabulate

FACES, TIMES = 40, 5
LIMIT = 120
"""Seconds after which a command hangs."""
SIZES = {"run": (4, 24, 40, 64, 100, 140, 170, 200), "train": (4, 24, 60, 120, 250, 500, 700)}
"""KiB of the file systems that are full before the end."""
SPACE = r"No space left on device"
GONE = r"alignbench( \(process \d\))?: (torch.distributed: another process stopped|interrupted)"


class Bench:
    """The two commands, and what they leave when nothing happens."""

    def __init__(self, home: Path) -> None:
        self.home = home
        data: list[object] = ["--data-root", home / "data", "--threads", 1, "--device", "cpu"]
        self.arguments: dict[str, list[object]] = {
            "run": ["--model", "propnet-mini", "--dataset", "wflw", "--batch-size", 4, *data],
            "train": [home / "tiny.toml", "--checkpoint-seconds", 0, *data],
        }
        self.count = 0
        for verb in self.arguments:
            self.finish(verb, self.whole(verb))

    def whole(self, verb: str) -> Path:
        return self.home / f"whole-{verb}"

    def out(self) -> Path:
        self.count += 1
        return self.home / f"out{self.count}"

    def log(self) -> Path:
        """A new file, on no file system that is full."""
        self.count += 1
        return self.home / f"{self.count}.log"

    def begin(self, verb: str, out: Path, *more: object) -> Child:
        arguments = [*self.arguments[verb], *more]
        return begin(verb, arguments, out, log=self.log(), before=keep_all)

    def finish(self, verb: str, out: Path, *more: object) -> None:
        finish(verb, [*self.arguments[verb], *more], out, self.log())

    def begin_and_keep(self, verb: str, *more: object) -> tuple[Path, Child]:
        """A command that has kept something to go on from, and its folder."""
        out = self.out()
        child = self.begin(verb, out, *more)
        child.wait_for(out)
        return out, child


@dataclass
class Fault:
    """The results of one kind of fault."""

    name: str
    bench: Bench
    verb: str
    status: int
    message: str
    times: int = 0
    longest: float = 0.0
    differing: int = 0
    wrong: list[str] = field(default_factory=list)

    def ended(self, code: int, text: str, seconds: float) -> None:
        """Take down how a command ended."""
        self.times += 1
        self.longest = max(self.longest, seconds)
        if code != self.status or not re.search(self.message, text):
            self.wrong.append(f"{self.name}, {self.verb}: status {code}: {text[-1500:]}")
        if "Traceback" in text.partition("ChildFailedError")[0].partition("elastic/multi")[0]:
            self.wrong.append(f"{self.name}, {self.verb}: a traceback: {text[-1500:]}")

    def wait(self, child: Child, since: float | None = None) -> None:
        """Take down how a child ends, timed from its start or from a fault."""
        code = child.wait(LIMIT)
        self.ended(code, child.log.read_text(), time.monotonic() - (since or child.started))

    def compare(self, out: Path) -> None:
        self.differing += len(differing(self.bench.whole(self.verb), out))

    def resume(self, out: Path) -> None:
        self.bench.finish(self.verb, out)
        self.compare(out)

    def row(self) -> tuple[object, ...]:
        sys.stderr.write("".join(f"{line}\n" for line in self.wrong))
        return (self.name, self.verb, self.times, self.status if not self.wrong else "WRONG",
                f"{self.longest:.1f}", self.differing)  # fmt: skip


@contextmanager
def mounted(place: Path, kib: int) -> Iterator[Callable[[str], None]]:
    """A file system of so many KiB; gives a function that mounts it again with other options."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", place], check=True)
    try:
        yield lambda options: subprocess.run(
            ["mount", "-o", f"remount,{options}", place], check=True
        )
    finally:
        subprocess.run(["umount", place], check=True)


def full_disk(bench: Bench, verb: str) -> Fault:
    fault = Fault("disk full", bench, verb, 2, SPACE)
    for kib in SIZES[verb]:
        place = bench.out()
        with mounted(place, kib) as remount:
            fault.wait(bench.begin(verb, place / "out"))
            remount("size=100m")
            fault.resume(place / "out")
    return fault


def full_disk_fresh(bench: Bench) -> Fault:
    """A finished run stays until the new one has its results."""
    fault = Fault("disk full, --fresh over a finished run", bench, "run", 2, SPACE)
    for kib in (250, 300, 350, 400):
        place = bench.out()
        out = place / "out"
        with mounted(place, kib) as remount:
            bench.finish("run", out, "--box-scale", 1.1)
            before = contents(out)
            fault.wait(bench.begin("run", out, "--fresh"))
            after = contents(out)
            fault.differing += sum(after.get(name) != data for name, data in before.items())
            remount("size=100m")
            bench.finish("run", out, "--fresh")
            fault.compare(out)
    return fault


def read_only(bench: Bench, verb: str) -> Fault:
    fault = Fault("read-only folder", bench, verb, 2, "[Rr]ead-only file system")
    place = bench.out()
    new, begun = place / "new", place / "begun"
    with mounted(place, 100_000) as remount:
        child = bench.begin(verb, begun)
        child.wait_for(begun)
        child.kill()
        remount("ro")
        for out in (new, begun):
            fault.wait(bench.begin(verb, out))
        remount("rw")
        for out in (begun, new):
            fault.resume(out)
    return fault


def deleted_image(bench: Bench, verb: str) -> Fault:
    fault = Fault("image deleted half-way", bench, verb, 2, r"\d+\.jpg: image cannot be read")
    image = bench.home / "data/WFLW_images/0--Parade" / ("39.jpg" if verb == "run" else "20.jpg")
    content = image.read_bytes()
    for _ in range(TIMES):
        out, child = bench.begin_and_keep(verb)
        since = time.monotonic()
        image.unlink()
        fault.wait(child, since)
        image.write_bytes(content)
        fault.resume(out)
    return fault


def two_writers(bench: Bench, verb: str) -> Fault:
    fault = Fault(
        "two processes, one folder", bench, verb, 2, "another (run|training) is writing here"
    )
    for _ in range(TIMES):
        out = bench.out()
        first = bench.begin(verb, out)
        first.wait_for(out, ".lock")
        fault.wait(bench.begin(verb, out))
        assert first.wait(LIMIT) == 0, first.log.read_text()
        fault.compare(out)
    return fault


def ended_by_sigterm(bench: Bench, verb: str) -> Fault:
    fault = Fault("SIGTERM", bench, verb, 130, "interrupted; the same command goes on")
    for _ in range(TIMES):
        out, child = bench.begin_and_keep(verb)
        since = time.monotonic()
        os.kill(child.pid, signal.SIGTERM)
        fault.wait(child, since)
        fault.resume(out)
    return fault


def dead_worker(bench: Bench) -> Fault:
    """One of two processes that make batches, started by a server of the command's."""
    message = "a process that makes batches died"
    fault = Fault("a worker killed (--workers 2)", bench, "train", 2, message)
    for _ in range(TIMES):
        out, child = bench.begin_and_keep("train", "--workers", 2, "--set", "epochs=3")
        workers: list[int] = []
        while not workers:
            assert child.running(), child.log.read_text()
            workers = [worker for one in children(child.pid) for worker in children(one)]
        since = time.monotonic()
        os.kill(workers[0], signal.SIGKILL)
        fault.wait(child, since)
        fault.resume(out)
    return fault


def dead_rank(bench: Bench, verb: str, rank: int) -> Fault:
    """SIGKILL of one of two processes under torchrun, whose own exit status is 1."""
    fault = Fault(f"process {rank} of 2 killed under torchrun", bench, verb, 1, GONE)
    arguments, whole = bench.arguments[verb], bench.home / f"whole-two-{verb}"
    if not whole.exists():
        finish_shared(verb, arguments, whole)
    for _ in range(2):
        out = bench.out()
        log = out.with_suffix(".log")
        process = torchrun(verb, arguments, out)
        while not list(out.glob(KEPT[verb])) and "finished" not in log.read_text():
            # A short run keeps nothing: it is enough that it has begun.
            if verb == "run" and (out / ".lock").exists():
                time.sleep(0.5)
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.002)
        ranks = {
            number: pid for pid in children(process.pid) if (number := rank_of(pid)) is not None
        }
        since = time.monotonic()
        os.kill(ranks[rank], signal.SIGKILL)
        try:
            code = process.wait(LIMIT)
        finally:
            process.kill()
        fault.ended(code, log.read_text(), time.monotonic() - since)
        assert not any(Path(f"/proc/{pid}").exists() for pid in ranks.values())
        finish_shared(verb, arguments, out)
        fault.differing += len(differing(whole, out))
    return fault


def rank_of(pid: int) -> int | None:
    rank = re.search(rb"\0RANK=(\d+)\0", Path(f"/proc/{pid}/environ").read_bytes())
    return int(rank[1]) if rank else None


def main(names: Sequence[str]) -> None:
    bench = Bench(prepare(train=24, test=FACES))
    cases: list[tuple[Callable[..., Fault], tuple[object, ...]]] = [
        (case, (verb,))
        for case in (full_disk, read_only, deleted_image, two_writers, ended_by_sigterm)
        for verb in ("run", "train")
    ]
    cases += [(full_disk_fresh, ()), (dead_worker, ())]
    cases += [(dead_rank, (verb, rank)) for verb in ("run", "train") for rank in (0, 1)]
    rows = []
    for case, arguments in cases:
        if not names or case.__name__ in names:
            rows.append(case(bench, *arguments).row())
            sys.stderr.write(f"{rows[-1]}\n")
    heads = ["fault", "command", "times", "exit status", "ended within, s", "differing files"]
    table = tabulate(rows, heads, "pipe")
    if names:
        sys.stdout.write(f"\n{table}\n")
    else:
        report("faults", table)
    if any("WRONG" in row or row[-1] for row in rows):
        sys.exit(f"kept in {bench.home}")
    shutil.rmtree(bench.home)


if __name__ == "__main__":
    main(sys.argv[1:])
