"""Every other fault, made: a full disk, a deleted image, two writers, dead workers and ranks.

``python tests/faults/faults.py`` prints a table for docs/trust.md. It mounts small file systems,
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
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from common import Child, begin, children, contents, differing, put, torchrun, warm
from kill import RECIPE
from same_bytes import CHECKPOINT, PART, done, often, shared
from tabulate import tabulate

FACES, TIMES = 40, 5
LIMIT = 120
"""Seconds after which a command hangs."""
SIZES = {"run": (4, 24, 40, 64, 100, 140, 170, 200), "train": (4, 24, 60, 120, 250, 500, 700)}
"""KiB of the file systems that are full before the end."""
SPACE = r"No space left on device"
GONE = r"alignbench( \(process \d\))?: (torch.distributed: another process stopped|interrupted)"


@dataclass
class Fault:
    """What one kind of fault came to."""

    name: str
    verb: str
    status: int
    message: str
    times: int = 0
    longest: float = 0.0
    differing: int = 0
    wrong: list[str] = field(default_factory=list)

    def ended(self, code: int, said: str, seconds: float) -> None:
        """Take down how a command ended."""
        self.times += 1
        self.longest = max(self.longest, seconds)
        if code != self.status or not re.search(self.message, said):
            self.wrong.append(f"{self.name}, {self.verb}: status {code}: {said[-1500:]}")
        if "Traceback" in said.partition("ChildFailedError")[0].partition("elastic/multi")[0]:
            self.wrong.append(f"{self.name}, {self.verb}: a traceback: {said[-1500:]}")

    def row(self) -> tuple[object, ...]:
        if self.wrong:
            sys.stderr.write("\n".join(self.wrong) + "\n")
        return (self.name, self.verb, self.times, self.status if not self.wrong else "WRONG",
                f"{self.longest:.1f}", self.differing)  # fmt: skip


class Bench:
    """The two commands, and what they leave when nothing happens."""

    def __init__(self, home: Path) -> None:
        from layouts import write_wflw

        self.home = home
        (home / "tiny.toml").write_text(RECIPE)
        for split, faces in (("train", 24), ("test", FACES)):
            write_wflw(home / "data", faces, split)
        data: list[object] = ["--data-root", home / "data", "--threads", 1, "--device", "cpu"]
        self.asked: dict[str, list[object]] = {
            "run": ["--model", "propnet-mini", "--dataset", "wflw", "--batch-size", 4, *data],
            "train": [home / "tiny.toml", "--checkpoint-seconds", 0, *data],
        }
        self.kept = {"run": PART, "train": CHECKPOINT}
        self.whole: dict[str, Path] = {}
        for verb, asked in self.asked.items():
            self.whole[verb] = home / f"whole-{verb}"
            done(verb, asked, self.whole[verb])
        self.count = 0

    def out(self) -> Path:
        self.count += 1
        return self.home / f"out{self.count}"

    def begin(self, verb: str, out: Path, *more: object) -> Child:
        log = self.home / f"{out.name}.log"
        return begin(verb, [*self.asked[verb], *more, "--out", out], log, before=often)

    def until(self, child: Child, out: Path) -> None:
        """Wait until a command has kept something to go on from."""
        while not list(out.glob(self.kept[child.verb])):
            assert child.running(), child.log.read_text()
            time.sleep(0.001)

    def resumed(self, fault: Fault, out: Path) -> None:
        done(fault.verb, self.asked[fault.verb], out)
        fault.differing += len(differing(self.whole[fault.verb], out))


def ended(fault: Fault, child: Child, since: float | None = None) -> None:
    code = child.wait(LIMIT)
    fault.ended(code, child.log.read_text(), time.monotonic() - (since or child.started))


@contextmanager
def mounted(place: Path, kib: int) -> Iterator[Callable[[str], None]]:
    """A file system of so many KiB; gives a function that mounts it again with other options."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", place], check=True)

    def again(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)

    try:
        yield again
    finally:
        subprocess.run(["umount", place], check=True)


def full_disk(bench: Bench, verb: str) -> Fault:
    fault = Fault("disk full", verb, 2, SPACE)
    for kib in SIZES[verb]:
        place = bench.out()
        with mounted(place, kib) as remount:
            ended(fault, bench.begin(verb, place / "out"))
            remount("size=100m")
            bench.resumed(fault, place / "out")
    return fault


def full_disk_fresh(bench: Bench) -> Fault:
    """A finished run stays until the new one has its results."""
    fault = Fault("disk full, --fresh over a finished run", "run", 2, SPACE)
    for kib in (250, 300, 350, 400):
        place = bench.out()
        with mounted(place, kib) as remount:
            done("run", [*bench.asked["run"], "--box-scale", 1.1], place / "out")
            before = contents(place / "out")
            ended(fault, bench.begin("run", place / "out", "--fresh"))
            after = contents(place / "out")
            fault.differing += sum(after.get(name) != data for name, data in before.items())
            remount("size=100m")
            done("run", [*bench.asked["run"], "--fresh"], place / "out")
            fault.differing += len(differing(bench.whole["run"], place / "out"))
    return fault


def read_only(bench: Bench, verb: str) -> Fault:
    fault = Fault("read-only folder", verb, 2, "[Rr]ead-only file system")
    place = bench.out()
    with mounted(place, 100_000) as remount:
        child = bench.begin(verb, place / "begun")
        bench.until(child, place / "begun")
        child.kill()
        remount("ro")
        for name in ("new", "begun"):
            ended(fault, bench.begin(verb, place / name))
        remount("rw")
        bench.resumed(fault, place / "begun")
        bench.resumed(fault, place / "new")
    return fault


def deleted_image(bench: Bench, verb: str) -> Fault:
    fault = Fault("image deleted half-way", verb, 2, r"\d+\.jpg: image cannot be read")
    image = bench.home / "data/WFLW_images/0--Parade" / ("39.jpg" if verb == "run" else "20.jpg")
    content = image.read_bytes()
    for _ in range(TIMES):
        out = bench.out()
        child = bench.begin(verb, out)
        bench.until(child, out)
        since = time.monotonic()
        image.unlink()
        ended(fault, child, since)
        image.write_bytes(content)
        bench.resumed(fault, out)
    return fault


def two_writers(bench: Bench, verb: str) -> Fault:
    fault = Fault("two processes, one folder", verb, 2, "another run is writing here")
    for _ in range(TIMES):
        out = bench.out()
        first = bench.begin(verb, out)
        while not (out / ".lock").exists():
            assert first.running(), first.log.read_text()
            time.sleep(0.001)
        second = begin(verb, [*bench.asked[verb], "--out", out], bench.home / "second.log")
        ended(fault, second)
        second.log.unlink()
        assert first.wait(LIMIT) == 0, first.log.read_text()
        fault.differing += len(differing(bench.whole[verb], out))
    return fault


def ended_by_sigterm(bench: Bench, verb: str) -> Fault:
    fault = Fault("SIGTERM", verb, 130, "interrupted; the same command goes on")
    for _ in range(TIMES):
        out = bench.out()
        child = bench.begin(verb, out)
        bench.until(child, out)
        since = time.monotonic()
        os.kill(child.pid, signal.SIGTERM)
        ended(fault, child, since)
        bench.resumed(fault, out)
    return fault


def dead_worker(bench: Bench) -> Fault:
    """One of two processes that make batches, started by a server of the command's."""
    fault = Fault("a worker killed (--workers 2)", "train", 2, "a process that makes batches died")
    for _ in range(TIMES):
        out = bench.out()
        child = bench.begin("train", out, "--workers", 2, "--set", "epochs=3")
        bench.until(child, out)
        workers: list[int] = []
        while not workers:
            assert child.running(), child.log.read_text()
            workers = [worker for one in children(child.pid) for worker in children(one)]
        since = time.monotonic()
        os.kill(workers[0], signal.SIGKILL)
        ended(fault, child, since)
        bench.resumed(fault, out)
    return fault


def dead_rank(bench: Bench, verb: str, rank: int) -> Fault:
    """SIGKILL of one of two processes under torchrun, whose own exit status is 1."""
    fault = Fault(f"process {rank} of 2 killed under torchrun", verb, 1, GONE)
    whole = bench.home / f"whole-two-{verb}"
    if not whole.exists():
        shared(verb, bench.asked[verb], whole)
    for _ in range(2):
        out = bench.out()
        log = bench.home / f"{out.name}.log"
        process = torchrun([verb, *bench.asked[verb], "--out", out], log)
        while not list(out.glob(bench.kept[verb])) and "finished" not in log.read_text():
            # A short run keeps nothing: it is enough that it has begun.
            if verb == "run" and (out / ".lock").exists():
                time.sleep(0.5)
                break
            assert process.poll() is None, log.read_text()
            time.sleep(0.002)
        ranks = {number: pid for pid in children(process.pid) if (number := _rank(pid)) is not None}
        since = time.monotonic()
        os.kill(ranks[rank], signal.SIGKILL)
        try:
            code = process.wait(LIMIT)
        finally:
            process.kill()
        fault.ended(code, log.read_text(), time.monotonic() - since)
        assert not any(Path(f"/proc/{pid}").exists() for pid in ranks.values())
        shared(verb, bench.asked[verb], out)
        fault.differing += len(differing(whole, out))
    return fault


def _rank(pid: int) -> int | None:
    found = re.search(rb"\0RANK=(\d+)\0", Path(f"/proc/{pid}/environ").read_bytes())
    return int(found[1]) if found else None


def main(wanted: Sequence[str]) -> None:
    home = Path(tempfile.mkdtemp(prefix="faults-"))
    warm()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    bench = Bench(home)
    cases: list[tuple[Callable[..., Fault], tuple[object, ...]]] = [
        (case, (verb,))
        for case in (full_disk, read_only, deleted_image, two_writers, ended_by_sigterm)
        for verb in ("run", "train")
    ]
    cases += [(full_disk_fresh, ()), (dead_worker, ())]
    cases += [(dead_rank, (verb, rank)) for verb in ("run", "train") for rank in (0, 1)]
    rows = []
    for case, given in cases:
        if not wanted or case.__name__ in wanted:
            rows.append(case(bench, *given).row())
            sys.stderr.write(f"{rows[-1]}\n")
    heads = ["fault", "command", "times", "exit status", "ended within, s", "differing files"]
    put("faults", tabulate(rows, heads, "pipe"))
    if any("WRONG" in row or row[-1] for row in rows):
        sys.exit(f"kept in {home}")
    shutil.rmtree(home)


if __name__ == "__main__":
    main(sys.argv[1:])
