"""How many small faults, put into the measures and the statistics, the tests find.

``tox -e mutation`` or, where mutmut is installed, ``python tests/mutation/score.py
[trust-notes.md]``: breaks ``alignbench/metrics`` and ``alignbench/stats`` in every way mutmut
knows, one at a time, runs the tests that ``[tool.mutmut]`` of pyproject.toml names on each, and
prints the score, or puts it between the marks in a document. Status 1 where the score is under
the goal, or where a survivor has no reason in equivalent.toml beside this file, or a reason no
survivor.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))
from documents import put

ROOT = Path(__file__).parents[2]
MUTANTS = ROOT / "mutants"
"""Where mutmut works: a copy of the code with all mutants in it."""
REASONS = Path(__file__).with_name("equivalent.toml")
GOAL = 97
FOUND = ("killed", "timeout")
TOOLS = ("mutmut", "hypothesis", "numpy", "scipy")


class Mutant(NamedTuple):
    """A survivor: the lines that were changed, and what they became."""

    function: str
    was: str
    now: str


def mutmut(*arguments: str) -> str:
    """What mutmut prints; its own account of an endless line of progress is not kept."""
    # The research-only data is not everywhere, and the score is to be the same everywhere.
    environment = {**os.environ, "ALIGNBENCH_TEST_DATA": os.devnull}
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout[-4000:] + done.stderr)
    return done.stdout


def statuses() -> dict[str, str]:
    """What became of each mutant, by mutmut's name of it."""
    lines = mutmut("results", "--all", "true").splitlines()
    return dict(line.strip().split(": ", 1) for line in lines if line.strip())


def module(name: str) -> str:
    """The module of a mutant, from mutmut's name: ``a.b.x_function__mutmut_3``."""
    return name.rpartition(".")[0].removeprefix("alignbench.")


def look_at(name: str) -> Mutant:
    """The lines of one mutant."""
    function = re.sub(r"^xǁ?_?|__mutmut_\d+$", "", name.rpartition(".")[2]).replace("ǁ", ".")
    lines = mutmut("show", name).splitlines()
    was, now = (
        " ".join(x[1:].strip() for x in lines if x.startswith(sign) and not x.startswith(3 * sign))
        for sign in "-+"
    )
    return Mutant(f"{module(name)}.{function}", was, now)


def reasons() -> dict[Mutant, str]:
    """Why each known survivor is one, by its lines: numbers of mutants change with the code."""
    return {
        Mutant(of["function"], of["was"], now): of["why"]
        for of in tomllib.loads(REASONS.read_text(encoding="utf-8"))["mutant"]
        for now in of["now"]
    }


def score_table(statuses: dict[str, str], equivalent: Counter[str]) -> list[str]:
    """A line a module, and one of all."""
    lines = [
        "| module | mutants | killed | timeouts | survivors | score | without equivalents |",
        "|:--|--:|--:|--:|--:|--:|--:|",
    ]
    modules = sorted({module(name) for name in statuses})
    for row in [*modules, "all"]:
        counts = Counter(s for name, s in statuses.items() if row in ("all", module(name)))
        total, caught = counts.total(), sum(counts[status] for status in FOUND)
        same = equivalent.total() if row == "all" else equivalent[row]
        lines.append(
            f"| {row} | {total} | {counts['killed']} | {counts['timeout']} | {total - caught} "
            f"| {100 * caught / total:.1f} % | {100 * caught / (total - same):.1f} % |"
        )
    return lines


def row(survivor: Mutant, reason: str) -> str:
    """A row of a Markdown table: the function, the line, what it became, and a reason."""
    was, now = (text.replace("|", "\\|") for text in (survivor.was, survivor.now))
    return f"| {survivor.function} | `{was}` | `{now}` | {reason} |"


def main(document: Path | None) -> int:
    shutil.rmtree(MUTANTS, ignore_errors=True)
    mutmut("run", "--max-children", "1")
    results, known = statuses(), reasons()
    survivors = {name: look_at(name) for name, status in results.items() if status not in FOUND}
    explained = [name for name, mutant in survivors.items() if mutant in known]
    unexplained = [name for name, mutant in survivors.items() if mutant not in known]
    stale = [mutant for mutant in known if mutant not in survivors.values()]
    caught = len(results) - len(survivors)
    score = 100 * caught / len(results)
    tools = ", ".join(f"{name} {version(name)}" for name in TOOLS)
    lines = [
        f"{len(results):,} mutants, {caught:,} found: {score:.1f} %.",
        f"With {tools}, Python {platform.python_version()}.",
        "",
        *score_table(results, Counter(map(module, explained))),
        "",
        f"Survivors that do what the code does ({len(explained)}):",
        "",
        "| function | line | became | why it is the same |",
        "|:--|:--|:--|:--|",
        *(row(mutant, known[mutant]) for mutant in sorted(survivors[name] for name in explained)),
    ]
    if unexplained:
        lines += [
            "", f"Survivors that no test finds ({len(unexplained)}):", "",
            "| function | line | became | status |", "|:--|:--|:--|:--|",
            *sorted(row(survivors[name], results[name]) for name in unexplained),
        ]  # fmt: skip
    if document is None:
        print("\n".join(lines))  # noqa: T201
    else:
        put(document, "mutation score", "\n".join(lines))
    for mutant in stale:
        line = f"{mutant.function}: {mutant.was} -> {mutant.now}"
        print(f"{REASONS.name}: no survivor {line}", file=sys.stderr)  # noqa: T201
    summary = f"{score:.1f} % found, {len(unexplained)} survivors without a reason"
    print(summary, file=sys.stderr)  # noqa: T201
    return int(score < GOAL or bool(unexplained) or bool(stale))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
