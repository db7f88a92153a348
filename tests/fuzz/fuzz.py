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
import shutil
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
    options = parser.parse_args()
    if options.child:
        fuzz(options.targets[0], options.runs, options.seed, options.out)
        return 0
    from targets import TARGETS

    if options.list:
        print("\n".join(f"{name}  {target.runs:,}" for name, target in TARGETS.items()))
        return 0
    print("| target | executions | executions/s | findings | peak memory, MB |")
    print("|:--|--:|--:|--:|--:|", flush=True)
    executions, findings, begun = 0, 0, time.monotonic()
    for name in options.targets or TARGETS:
        runs = options.runs or TARGETS[name].runs
        numbers, kinds = fuzz_alone(name, runs, options.seed, options.out)
        done, peak = numbers["executions"], numbers["peak_mb"]
        speed = done / numbers["seconds"]
        print(f"| {name} | {done:,} | {speed:,.0f} | {kinds} | {peak:,.0f} |", flush=True)
        executions, findings = executions + done, findings + kinds
    minutes = (time.monotonic() - begun) / 60
    print(f"| all | {executions:,} | in {minutes:.0f} min | {findings} | |")
    return min(findings, 1)


def fuzz_alone(name: str, runs: int, seed: int, out: Path) -> tuple[dict[str, float], int]:
    """Fuzz one target in a process of its own; its numbers, and of how many kinds findings are."""
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, __file__, "--child", name, "--runs", str(runs), "--seed", str(seed)]
    log, record = folder / "log.txt", folder / "numbers.json"
    with log.open("wb") as stream:
        code = subprocess.run([*command, "--out", out], stdout=stream, stderr=stream).returncode
    numbers = {"executions": 0, "seconds": 1.0, "peak_mb": 0.0}
    if record.exists():
        numbers = json.loads(record.read_text())
    findings = len(list(folder.glob("*.input")))
    if code != 0 or numbers["executions"] < runs:  # a crash, a hang, or no memory left
        findings += 1
        print(f"{name}: ended with status {code}, see {log}", file=sys.stderr)
    for report in sorted(set(folder.glob("*.txt")) - {log}):
        print(f"{name}: {report.read_text().splitlines()[-1][:200]} ({report})", file=sys.stderr)
    if not findings:
        shutil.rmtree(folder)
    return numbers, findings


def fuzz(name: str, runs: int, seed: int, out: Path) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=list(PACKAGES)):
        from targets import TARGETS

        from alignbench import InputError

    warnings.simplefilter("ignore")
    target = TARGETS[name]
    results = (out / name).resolve()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # faster than a disk
    workplace = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory))
    seeds, folder = workplace / "seeds", workplace / "folder"
    seeds.mkdir()
    contents = target.seeds()
    for number, content in enumerate(contents):
        (seeds / str(number)).write_bytes(content)
    largest = max(map(len, contents))
    (folder / target.file).parent.mkdir(parents=True)
    target.prepare(folder)
    executions, begun, written = 0, time.monotonic(), 0.0
    kinds: set[str] = set()
    os.chdir(folder)

    def add(data: bytes, error: BaseException) -> None:
        """Keep a finding, one of each kind."""
        kind = kind_of(error)
        if kind not in kinds:
            kinds.add(kind)
            (results / f"{kind}.input").write_bytes(data)
            report = "".join(traceback.format_exception(error, limit=-12))[-20_000:]
            (results / f"{kind}.txt").write_text(report, errors="backslashreplace")

    def once(data: bytes) -> None:
        nonlocal executions, written
        (folder / target.file).write_bytes(data)
        started = time.process_time()
        try:
            target.read(folder)
        except InputError as error:
            if cause := out_of_memory(error):
                add(data, cause)
        except Exception as error:
            add(data, error)
        if (seconds := time.process_time() - started) > SECONDS:
            add(data, TimeoutError(f"{seconds:.1f} s"))
        executions += 1
        if executions == runs or time.monotonic() - written > 1:
            written = time.monotonic()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            numbers = {"executions": executions, "seconds": written - begun, "peak_mb": peak}
            (results / "numbers.json").write_text(json.dumps(numbers))

    def mutate(data: bytes, largest: int, number: int) -> bytes:
        chance = random.Random(number)
        if chance.random() < 0.6:
            try:
                return target.mutation(data, chance)[:largest]
            except Exception:
                pass  # the input is not of the format, or the result cannot be written
        return atheris.Mutate(data, largest)

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
    arguments = [
        name, f"-runs={runs}", f"-seed={seed}", f"-timeout={SECONDS * 10:.0f}",
        "-rss_limit_mb=4096", f"-max_len={4 * largest + 20_000}", "-print_final_stats=1",
        "-len_control=0", f"-artifact_prefix={results}/", str(seeds),
    ]  # fmt: skip
    atheris.Setup(arguments, once, custom_mutator=mutate)
    atheris.Fuzz()


def out_of_memory(error: BaseException | None) -> BaseException | None:
    """The cause of an exception that says that memory ran out: that is no answer to an input."""
    while error is not None:
        if isinstance(error, MemoryError) or "allocate memory" in str(error):
            return error
        error = error.__cause__
    return None


def kind_of(error: BaseException) -> str:
    """An exception's type and the last line of ours that it came through."""
    place = "slow"
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if set(PACKAGES) & set(path.parts) and "site-packages" not in path.parts:
            place = f"{path.stem}-{frame.lineno}"
    return re.sub(r"\W+", "-", f"{type(error).__name__}-{place}")


if __name__ == "__main__":
    sys.exit(main())
