"""Fuzz the parsers with atheris, one process a parser.

``python tests/fuzz/fuzz.py [TARGET ...] [--runs N] [--out FOLDER]``, with ``pip install atheris``
besides what the tests need. A parser may return or raise InputError; any other exception, more
than 2 s of processor time or 1 GB above what it began with is a finding. Each kind of finding is
told once, and its input kept in FOLDER. Exit status 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

MEMORY = 2**30
"""Bytes a parser may take beyond what the process began with."""
SECONDS = 2.0
"""Processor time an input may take; libFuzzer ends the process at ten times as much."""
PACKAGES = ("alignbench", "baselines", "reports")


def main() -> int:
    """Fuzz the targets in turn; print a row of a Markdown table for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all")
    parser.add_argument("--runs", type=int, help="executions a target; default: its own number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"), help="for findings")
    parser.add_argument("--list", action="store_true", help="show the targets")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        fuzz(given.targets[0], given.runs, given.seed, given.out)
        return 0
    from targets import TARGETS

    if given.list:
        print("\n".join(f"{name}  {target.runs:,}" for name, target in TARGETS.items()))
        return 0
    print("| target | executions | executions/s | findings | peak memory, MB |")
    print("|:--|--:|--:|--:|--:|", flush=True)
    total, found, begun = 0, 0, time.monotonic()
    for name in given.targets or TARGETS:
        runs = given.runs or TARGETS[name].runs
        done, findings = alone(name, runs, given.seed, given.out)
        print(
            f"| {name} | {done['executions']:,} | {done['executions'] / done['seconds']:,.0f} | "
            f"{findings} | {done['peak_mb']:,.0f} |", flush=True,
        )  # fmt: skip
        total, found = total + done["executions"], found + findings
    print(f"| all | {total:,} | in {(time.monotonic() - begun) / 60:.0f} min | {found} | |")
    return min(found, 1)


def alone(name: str, runs: int, seed: int, out: Path) -> tuple[dict[str, float], int]:
    """Fuzz one target in a process of its own; its numbers, and of how many kinds findings are."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    command = [sys.executable, __file__, "--child", name, "--runs", str(runs), "--seed", str(seed)]
    with (folder / "log.txt").open("wb") as log:
        code = subprocess.run([*command, "--out", out], stdout=log, stderr=log).returncode
    numbers = folder / "numbers.json"
    done = {"executions": 0, "seconds": 1.0, "peak_mb": 0.0}
    if numbers.exists():
        done = json.loads(numbers.read_text())
    findings = len(list(folder.glob("*.input")))
    if code != 0 or done["executions"] < runs:  # a crash, a hang, or no memory left
        findings += 1
        print(f"{name}: ended with status {code}, see {folder / 'log.txt'}", file=sys.stderr)
    for told in sorted(folder.glob("*.txt")):
        if told.name != "log.txt":
            print(f"{name}: {told.read_text().splitlines()[-1][:200]} ({told})", file=sys.stderr)
    if not findings:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()
    return done, findings


def fuzz(name: str, runs: int, seed: int, out: Path) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=list(PACKAGES)):
        from targets import TARGETS

        from alignbench import InputError

    warnings.simplefilter("ignore")
    target = TARGETS[name]
    found = Found(out / name)
    workplace = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_fast()))
    seeds = workplace / "seeds"
    seeds.mkdir()
    for number, content in enumerate(target.seeds()):
        (seeds / str(number)).write_bytes(content)
    largest = max(len(content) for content in target.seeds())
    folder = workplace / "folder"
    (folder / target.file).parent.mkdir(parents=True)
    target.prepare(folder)
    state = {"executions": 0, "begun": time.monotonic(), "written": 0.0}
    os.chdir(folder)

    def tell() -> None:
        numbers = {
            "executions": state["executions"], "seconds": time.monotonic() - state["begun"],
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }  # fmt: skip
        (found.folder / "numbers.json").write_text(json.dumps(numbers))

    def once(data: bytes) -> None:
        (folder / target.file).write_bytes(data)
        begun = time.process_time()
        try:
            target.read(folder)
        except InputError as error:
            if memory := no_memory(error):
                found.add(data, memory)
        except Exception as error:
            found.add(data, error)
        if time.process_time() - begun > SECONDS:
            found.add(data, TimeoutError(f"{time.process_time() - begun:.1f} s"))
        state["executions"] += 1
        if state["executions"] == runs or time.monotonic() - state["written"] > 1:
            state["written"] = time.monotonic()
            tell()

    def mutated(data: bytes, largest: int, number: int) -> bytes:
        chance = random.Random(number)
        if chance.random() < 0.6:
            try:
                return target.mutation(data, chance)[:largest]
            except Exception:
                pass  # the input is not of the format, or what was made of it cannot be written
        return atheris.Mutate(data, largest)

    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MEMORY,) * 2)
    arguments = [
        name, f"-runs={runs}", f"-seed={seed}", f"-timeout={SECONDS * 10:.0f}",
        "-rss_limit_mb=4096", f"-max_len={4 * largest + 20_000}", "-print_final_stats=1",
        "-len_control=0", f"-artifact_prefix={out.resolve() / name}/", str(seeds),
    ]  # fmt: skip
    atheris.Setup(arguments, once, custom_mutator=mutated)
    atheris.Fuzz()


def no_memory(error: BaseException | None) -> BaseException | None:
    """What says in an exception's causes that memory ran out: that is no answer to an input."""
    while error is not None:
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            return error
        error = error.__cause__
    return None


class Found:
    """Findings in a folder, one of each kind: an exception's type and the line it came from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._kinds: set[str] = set()

    def add(self, data: bytes, error: BaseException) -> None:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if _ours(f.filename)]
        last = frames[-1] if frames else None
        place = f"{Path(last.filename).stem}-{last.lineno}" if last else "slow"
        kind = re.sub(r"\W+", "-", f"{type(error).__name__}-{place}")
        if kind in self._kinds:
            return
        self._kinds.add(kind)
        (self.folder / f"{kind}.input").write_bytes(data)
        told = "".join(traceback.format_exception(error, limit=-12))
        (self.folder / f"{kind}.txt").write_text(told[-20_000:], errors="backslashreplace")


def _ours(file: str) -> bool:
    parts = Path(file).parts
    return any(package in parts for package in PACKAGES) and "site-packages" not in parts


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _fast() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


if __name__ == "__main__":
    sys.exit(main())
