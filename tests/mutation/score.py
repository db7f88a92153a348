"""How many small faults, put into the measures and the statistics, the tests find.

``tox -e mutation`` or, where mutmut is installed, ``python tests/mutation/score.py
[docs/trust.md]``: breaks ``alignbench/metrics`` and ``alignbench/stats`` in every way mutmut
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

ROOT = Path(__file__).parents[2]
MUTANTS = ROOT / "mutants"
"""Where mutmut works: a copy of the code with all mutants in it."""
REASONS = Path(__file__).with_name("equivalent.toml")
BEGIN, END = "<!-- mutation score: begin -->", "<!-- mutation score: end -->"
GOAL = 97
FOUND = ("killed", "timeout")


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


def code(text: str) -> str:
    """Code in a cell of a Markdown table."""
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`"


def score_table(found: dict[str, str], equivalent: Counter[str]) -> list[str]:
    """A line a module, and one of all."""
    lines = [
        "| module | mutants | killed | timeouts | survivors | score | without equivalents |",
        "|:--|--:|--:|--:|--:|--:|--:|",
    ]
    modules = sorted({module(name) for name in found})
    for row in [*modules, "all"]:
        counts = Counter(s for name, s in found.items() if row in ("all", module(name)))
        total, caught = counts.total(), sum(counts[status] for status in FOUND)
        same = equivalent.total() if row == "all" else equivalent[row]
        lines.append(
            f"| {row} | {total} | {counts['killed']} | {counts['timeout']} | {total - caught} "
            f"| {100 * caught / total:.1f} % | {100 * caught / (total - same):.1f} % |"
        )
    return lines


def main(document: Path | None) -> int:
    shutil.rmtree(MUTANTS, ignore_errors=True)
    mutmut("run", "--max-children", "1")
    found = statuses()
    known = reasons()
    left = {name: look_at(name) for name, status in found.items() if status not in FOUND}
    explained = [(name, of) for name, of in left.items() if of in known]
    unexplained = [(name, of) for name, of in left.items() if of not in known]
    stale = [of for of in known if of not in left.values()]
    score = 100 * (len(found) - len(left)) / len(found)

    tools = ", ".join(
        f"{name} {version(name)}" for name in ("mutmut", "hypothesis", "numpy", "scipy")
    )
    caught = len(found) - len(left)
    lines = [
        f"{len(found):,} mutants, {caught:,} found: {score:.1f} %.",
        f"With {tools}, Python {platform.python_version()}.",
        "",
        *score_table(found, Counter(module(name) for name, _ in explained)),
        "",
        f"Survivors that do what the code does ({len(explained)}):",
        "",
        "| function | line | became | why it is the same |",
        "|:--|:--|:--|:--|",
        *(
            f"| {of.function} | {code(of.was)} | {code(of.now)} | {known[of]} |"
            for _, of in sorted(explained, key=lambda one: one[1])
        ),
    ]
    if unexplained:
        lines += ["", f"Survivors that no test finds ({len(unexplained)}):", ""]
        lines += [
            f"- {of.function} ({found[name]}): {code(of.was)} became {code(of.now)}"
            for name, of in sorted(unexplained, key=lambda one: one[1])
        ]
    made = "\n".join(lines) + "\n"
    if document is None:
        sys.stdout.write(made)
    else:
        text = document.read_text(encoding="utf-8")
        pattern = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"{document} has no {BEGIN} ... {END}")
        text = pattern.sub(lambda _: f"{BEGIN}\n{made}{END}", text)
        document.write_text(text, encoding="utf-8")
    for of in stale:
        sys.stderr.write(f"{REASONS.name}: no survivor {of.function}: {of.was} -> {of.now}\n")
    sys.stderr.write(f"{score:.1f} % found, {len(unexplained)} survivors without a reason\n")
    return int(score < GOAL or bool(unexplained) or bool(stale))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
