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
import tempfile
import time
from collections import Counter
from pathlib import Path

from common import OTHERWISE, Child, begin, differing, put, stages, warm
from tabulate import tabulate

AGAIN, COLD, AIMED = 1 / 3, 1 / 5, 1 / 2
PART_SECONDS = 0.2
"""Parts of a forked run are kept this often, not every 2 s, so that a short one keeps several."""
FACES = {"run": 48, "train": 24}
RECIPE = """\
model = "propnet"
dataset = "wflw"
epochs = 3
batch_size = 8
network = {stacks = 1, width = 16, depth = 2, hidden = [2], attention_depth = 1}
crop = {size = 32}
"""


def arguments(verb: str, home: Path, out: Path) -> list[object]:
    """The command that is killed."""
    if verb == "run":
        return ["--model", "propnet-mini", "--dataset", "synthetic", "--split", "sample",
                "--limit", FACES[verb],
                "--threads", 1, "--device", "cpu", "--out", out]  # fmt: skip
    return [home / "tiny.toml", "--data-root", home / "data", "--threads", 1, "--device", "cpu",
            "--checkpoint-seconds", 0, "--out", out]  # fmt: skip


def often() -> None:
    from alignbench.runs import predict as runner

    runner._PART_SECONDS = PART_SECONDS


class Rounds:
    """Kills and resumes, counted."""

    def __init__(self, verb: str, home: Path, seed: int) -> None:
        self.verb, self.home, self.chance = verb, home, random.Random(seed)
        self.kills: Counter[tuple[str, bool]] = Counter()
        self.resumes = self.went_on = self.rounds = self.cold = 0
        self.differing: list[str] = []
        self.whole = home / "whole"
        # How long each stage takes, and all, warm and cold; of an undisturbed process each.
        self.seconds = {cold: self._undisturbed(cold) for cold in (False, True)}

    def _begin(self, out: Path, cold: bool) -> Child:
        log = out.with_suffix(".log")
        return begin(self.verb, arguments(self.verb, self.home, out), log, cold, often)

    def _undisturbed(self, cold: bool) -> dict[str, float]:
        out = self.home / ("whole-cold" if cold else "whole")
        child, names = self._begin(out, cold), stages(self.verb)
        found: dict[str, float] = dict.fromkeys(names, 0.0)
        last = time.monotonic()
        while child.running():
            time.sleep(0.0002)
            now = time.monotonic()
            found[names[child.stage[0]]] += now - last
            last = now
        assert child.code == 0, child.log.read_text()
        if cold:
            assert not differing(self.whole, out), differing(self.whole, out)
        return found

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
        killed, times = True, 0
        while killed:
            cold = self.chance.random() < COLD
            child = self._begin(out, cold)
            stage = self._kill(child, cold)
            if not stage:
                assert child.code == 0, child.log.read_text()
                break
            self.kills[stage, cold] += 1
            times += 1
            killed = self.chance.random() < AGAIN
        if not times:
            shutil.rmtree(out)
            return
        child = self._begin(out, self.chance.random() < COLD)
        assert child.wait() == 0, child.log.read_text()
        self.resumes += times
        said = child.log.read_text()
        self.went_on += bool(re.search(r"faces were there from before|goes on after epoch", said))
        wrong = differing(self.whole, out)
        self.differing += [f"{out.name}/{name}" for name in wrong]
        if not wrong:
            shutil.rmtree(out)

    def table(self) -> str:
        rows = [
            (stage, self.kills[stage, False], self.kills[stage, True])
            for stage in stages(self.verb)
        ]
        total = [sum(row[k] for row in rows) for k in (1, 2)]
        text = tabulate(
            [*rows, ("all", *total)],
            ["killed while", "forked", "cold"], "pipe", colalign=("left", "right", "right"),
        )  # fmt: skip
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
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="kill-"))
    warm()
    if given.verb == "train":
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from layouts import write_wflw

        (home / "tiny.toml").write_text(RECIPE)
        for split, faces in (("train", FACES["train"]), ("test", 8)):
            write_wflw(home / "data", faces, split)
    rounds = Rounds(given.verb, home, given.seed)
    while sum(rounds.kills.values()) < given.kills:
        rounds.one()
        sys.stderr.write(f"\r{sum(rounds.kills.values())} kills, {len(rounds.differing)} differ ")
    put(f"kills of a {given.verb}", rounds.table())
    if rounds.differing:
        sys.exit(f"kept in {home}: {rounds.differing}")
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
