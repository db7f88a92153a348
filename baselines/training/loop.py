"""The training loop: epochs of steps, a validation and a checkpoint after each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from alignbench import threads
from alignbench.datasets.base import Dataset
from alignbench.errors import InputError
from baselines.model import save
from baselines.training.checkpoint import WEIGHTS, Row, write_checkpoint, write_log
from baselines.training.curves import draw_curves
from baselines.training.data import Batches, Data, Samples, made, on_device
from baselines.training.learner import DivergedError, Learner
from baselines.training.rates import rate
from baselines.training.recipe import Recipe
from baselines.training.setup import Setup
from baselines.training.validation import validate

Progress = Callable[[int, int, str], None]
Say = Callable[[str], None]


@dataclass
class Position:
    """How far a training has come: epochs done, steps of the next one and their summed loss."""

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {**vars(self), "rows": [list(row) for row in self.rows]}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Position:
        """The position a checkpoint kept."""
        return cls(**{**state, "rows": [Row(*row) for row in state["rows"]]})


@dataclass(frozen=True)
class Loop:
    """A training that is set up.

    Attributes
    ----------
    what
        What it is, as JSON, for its checkpoints.
    workers
        Processes that make batches; 0 for this one alone.
    checkpoint_seconds
        Longest time between two checkpoints, but for that of a validation.
    """

    name: str
    recipe: Recipe
    setup: Setup
    data: Data
    samples: Samples
    fabric: Fabric
    folder: Path
    what: Mapping[str, Any]
    workers: int
    checkpoint_seconds: float
    progress: Progress
    say: Say

    def run(self, learner: Learner, position: Position) -> Position:
        """Train from a position to the end.

        Raises
        ------
        InputError
            If loss or gradient are not finite; the last checkpoint stays.
        """
        further = self.recipe.adversarial.epochs if self.recipe.adversarial else 0
        epochs = self.recipe.epochs + further
        started = time.monotonic() - position.seconds
        while position.epoch < epochs:
            self._epoch(learner, position, epochs, started)
        return position

    def _epoch(self, learner: Learner, position: Position, epochs: int, started: float) -> None:
        recipe, fabric = self.recipe, self.fabric
        batches = Batches(
            len(self.data.train), recipe.batch_size, recipe.seed, position.epoch, position.step,
            fabric.global_rank, fabric.world_size,
        )  # fmt: skip
        steps = position.step + len(batches)
        before = position.epoch * steps
        adversarial = position.epoch >= recipe.epochs
        saved = time.monotonic()
        learner.network.train()
        # A GPU waits for nothing that is copied from pinned memory.
        pin = fabric.device.type == "cuda"
        for faces in made(self.samples, batches, self.workers, pin):
            lr = self._rate(before + position.step, steps)
            try:
                loss = learner.learn(on_device(faces, fabric.device), lr, adversarial)
            except DivergedError as error:
                raise self._diverged(position, lr, faces.indices.tolist(), error) from error
            position.step += 1
            position.loss += loss
            position.seconds = time.monotonic() - started
            if time.monotonic() - saved >= self.checkpoint_seconds:
                if not learner.finite():
                    broken = DivergedError("weights that are not finite")
                    raise self._diverged(position, lr, faces.indices.tolist(), broken)
                self._save(learner, position)
                saved = time.monotonic()
            done = before + position.step
            self.progress(done, epochs * steps, self._said(position, epochs, lr))
        last = before + steps
        self._finish(learner, position, epochs, last, self._rate(last - 1, steps))

    def _finish(
        self, learner: Learner, position: Position, epochs: int, step: int, lr: float
    ) -> None:
        """Validate after an epoch's last step, and put all of it down."""
        found = validate(learner.network, self.setup.settings, self.data.validation, self.fabric)
        if not (learner.finite() and math.isfinite(found.nme)):
            broken = DivergedError(f"weights of which the validation NME is {found.nme:g} %")
            raise self._diverged(position, lr, [], broken)
        loss = position.loss / position.step
        row = Row(position.epoch + 1, step, position.seconds, lr, loss, *found)
        position.rows.append(row)
        position.epoch, position.step, position.loss = row.epoch, 0, 0.0
        if self.fabric.global_rank == 0:
            write_log(self.folder, position.rows)
            title = f"{self.name}: {self.recipe.model} on {self.recipe.dataset}"
            draw_curves(position.rows, title, _normaliser(self.data.validation), self.folder)
            self.save_weights(learner)
        self._save(learner, position)
        self.say(
            f"epoch {row.epoch}/{epochs}: loss {loss:.4g}, validation NME {row.nme:.2f} %, "
            f"FR {row.fr:.2f} %, AUC {row.auc:.4f}, {row.seconds:,.0f} s"
        )

    def save_weights(self, learner: Learner) -> None:
        """Write the network as it is, for ``run --weights`` and ``initial.weights``."""
        setup = self.setup
        path, options = self.folder / WEIGHTS, dict(setup.options)
        save(path, learner.network, setup.model.name, setup.settings, **options)

    def _rate(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from the beginning, with so many in an epoch."""
        first = self.recipe.epochs * steps
        if step >= first and self.recipe.adversarial is not None:
            return self.recipe.adversarial.lr
        return rate(self.recipe.optimiser, step, first)

    def _save(self, learner: Learner, position: Position) -> None:
        if self.fabric.global_rank == 0:
            state = {"learner": learner.state(), "position": position.state()}
            write_checkpoint(self.folder, state, self.what)

    def _said(self, position: Position, epochs: int, lr: float) -> str:
        score = f", NME {position.rows[-1].nme:.2f} %" if position.rows else ""
        loss = position.loss / position.step
        return f"epoch {position.epoch + 1}/{epochs}, loss {loss:.3g}, lr {lr:.1e}{score}"

    def _diverged(
        self, position: Position, lr: float, faces: list[int], error: DivergedError
    ) -> InputError:
        names = ", ".join(self.data.train.ids[face] for face in faces)
        whose = "" if self.fabric.world_size == 1 else "this process's "
        kept = f" Weights of epoch {position.epoch}, to begin with, are in {self.folder / WEIGHTS}."
        return InputError(
            f"epoch {position.epoch + 1}, step {position.step + 1}",
            f"{error}, at learning rate {lr:g}" + (f", of {whose}faces {names}" if names else ""),
            "finite numbers",
            "Lower optimiser.lr, or bound the gradient with optimiser.clip."
            + (kept if position.epoch else ""),
        )


def _normaliser(dataset: Dataset) -> str:
    """What a data set's errors are usually divided by, in words."""
    return dataset.normalisers[0].replace("_", "-") + " distance"


def workers_for(fabric: Fabric, wanted: int | None) -> int:
    """Processes that make batches: none on a CPU, whose cores the network needs itself."""
    if wanted is not None:
        return wanted
    return 0 if fabric.device.type == "cpu" else max(1, min(8, threads.count() - 1))
