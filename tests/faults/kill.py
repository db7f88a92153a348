"""SIGKILL at random moments of a run or a training; what it is resumed to must be the same files.

``python tests/faults/kill.py run --kills 50``, ``... train --kills 50``; ``--seed`` draws other
moments. Half of the kills fall at a uniformly drawn moment of the whole duration, the others at one
of a stage that is drawn first, since some take milliseconds. A third of the resumed processes are
killed again. One command in five is a cold process, as a user starts it; the others are forks of
one that has imported everything.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

from common import OTHERWISE, Child, begin, differing, keep_every, prepare, report, stages
from tabulate import tabulate

AGAIN, COLD, AIMED = 1 / 3, 1 / 5, 1 / 2
PART_SECONDS = 0.2
"""Parts of a forked run are kept this often, not every 2 s, so that a short one keeps several."""


class Rounds:
    """Kills and resumes, counted."""

    def __init__(self, verb: str, home: Path, seed: int) -> None:
        self.verb, self.home, self.chance = verb, home, random.Random(seed)
        self.arguments: dict[str, list[object]] = {
            "run": ["--model", "propnet-mini", "--dataset", "synthetic", "--split", "sample",
                    "--limit", 48],
            "train": [home / "tiny.toml", "--data-root", home / "data", "--checkpoint-seconds", 0],
        }  # fmt: skip
        self.kills: Counter[tuple[str, bool]] = Counter()
        self.resumes = self.went_on = self.rounds = 0
        self.differing: list[str] = []
        # How long each stage takes, warm and cold; of an undisturbed process each.
        self.seconds = {cold: self._time_stages(cold) for cold in (False, True)}

    def _begin(self, out: Path, cold: bool) -> Child:
        arguments = [*self.arguments[self.verb], "--threads", 1, "--device", "cpu"]
        often = partial(keep_every, PART_SECONDS)
        return begin(self.verb, arguments, out, cold=cold, before=often)

    def _time_stages(self, cold: bool) -> dict[str, float]:
        out = self.home / ("whole-cold" if cold else "whole")
        child, names = self._begin(out, cold), stages(self.verb)
        seconds: dict[str, float] = dict.fromkeys(names, 0.0)
        last = time.monotonic()
        while child.running():
            time.sleep(0.0002)
            now = time.monotonic()
            seconds[names[child.stage[0]]] += now - last
            last = now
        assert child.code == 0, child.log.read_text()
        assert not differing(self.home / "whole", out)
        return seconds

    def _kill(self, child: Child, cold: bool) -> str:
        """Kill it at a random moment; gives the stage, empty if it ended before."""
        seconds = self.seconds[cold]
        if self.chance.random() < AIMED:
            stage = self.chance.choice([name for name in seconds if name != OTHERWISE])
            number, wait = stages(self.verb).index(stage), self.chance.random()
            # Training passes through a stage several times.
            passes = self.chance.randint(1, 3) if self.verb == "train" else 1
            while passes and child.running():
                while child.stage[0] != number and child.running():
                    time.sleep(0.0001)
                passes -= 1
                while passes and child.stage[0] == number and child.running():
                    time.sleep(0.0001)
            time.sleep(wait * min(seconds[stage], 1.0) / (3 if self.verb == "train" else 1))
        else:
            wait = self.chance.random() * sum(seconds.values())
            while time.monotonic() - child.started < wait and child.running():
                time.sleep(0.0005)
        return child.kill()

    def one(self) -> None:
        """A round: killed, perhaps again, resumed to the end and compared."""
        out = self.home / f"round{self.rounds}"
        self.rounds += 1
        kills, again = 0, True
        while again:
            cold = self.chance.random() < COLD
            child = self._begin(out, cold)
            stage = self._kill(child, cold)
            if not stage:
                assert child.code == 0, child.log.read_text()
                break
            self.kills[stage, cold] += 1
            kills += 1
            again = self.chance.random() < AGAIN
        if kills:
            child = self._begin(out, self.chance.random() < COLD)
            assert child.wait() == 0, child.log.read_text()
            self.resumes += kills
            resumed = r"faces were stored already|goes on after epoch"
            self.went_on += bool(re.search(resumed, child.log.read_text()))
            names = differing(self.home / "whole", out)
            self.differing += [f"{out.name}/{name}" for name in names]
            if names:
                return
        shutil.rmtree(out)

    def table(self) -> str:
        rows = [
            (stage, *(self.kills[stage, c] for c in (False, True))) for stage in stages(self.verb)
        ]
        total = [sum(row[k] for row in rows) for k in (1, 2)]
        heads = ["killed while", "forked", "cold"]
        alignment = ("left", "right", "right")
        text = tabulate([*rows, ("all", *total)], heads, "pipe", colalign=alignment)
        return (
            f"{text}\n\n{sum(total)} kills in {self.rounds} rounds, {self.resumes} resumes; "
            f"{self.went_on} rounds ended with one that went on with what was kept. "
            f"Differing files: {len(self.differing)}."
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("run", "train"))
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    home = prepare(train=24, test=8)
    rounds = Rounds(options.verb, home, options.seed)
    while (kills := rounds.kills.total()) < options.kills:
        sys.stderr.write(f"\r{kills} kills, {len(rounds.differing)} differ ")
        rounds.one()
    report(f"kills of a {options.verb}", rounds.table())
    if rounds.differing:
        sys.exit(f"kept in {home}: {rounds.differing}")
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
