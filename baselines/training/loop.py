"""The training loop: epochs of steps, a validation and a checkpoint after each."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from alignbench.backends.build import Execution
from alignbench.boxes import choose_boxes
from alignbench.datasets.base import Dataset
from alignbench.distributed import Ranks, current_ranks
from alignbench.exceptions import InputError
from alignbench.metrics import parse_measure
from alignbench.metrics.errors import distances, face_errors, normalisers
from alignbench.metrics.measure import threshold_suffix
from alignbench.predictors.network import NetworkPredictor
from alignbench.runs.predict import predict_points
from baselines.model import save
from baselines.training.data import Loader
from baselines.training.folder import WEIGHTS, Row, TrainingFolder, draw_curves, write_log
from baselines.training.learner import DivergedError, Learner
from baselines.training.recipe import Recipe

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

    def __str__(self) -> str:
        return f"epoch {self.epoch + 1}, step {self.step}"


@dataclass(kw_only=True)
class Loop:
    """A training that is set up.

    ``title`` stands above its curves; ``progress`` and ``say`` are as :func:`train` takes them. A
    checkpoint is written every ``checkpoint_seconds``, except during a validation. ``position``
    matches the learner's weights, except during a step.
    """

    recipe: Recipe
    learner: Learner
    loader: Loader
    validation: Dataset
    folder: TrainingFolder
    title: str
    progress: Progress
    say: Say
    checkpoint_seconds: float
    position: Position = field(default_factory=Position)

    def run(self) -> None:
        """Train to the end, or until an interrupt; then a checkpoint of the last step is kept.

        Raises InputError if loss or gradient are not finite; the last checkpoint stays.
        """
        self._between_steps, self._ranks = True, current_ranks()
        started = time.monotonic() - self.position.seconds
        try:
            while self.position.epoch < self.recipe.all_epochs:
                self._train_epoch(started)
                self._finish_epoch()
        except KeyboardInterrupt:
            if self._between_steps and self.learner.finite():
                self._save()
            raise

    def _train_epoch(self, started: float) -> None:
        position, steps = self.position, self.loader.steps
        adversarial = position.epoch >= self.recipe.epochs
        saved = time.monotonic()
        self.learner.network.train()
        for faces in self.loader.epoch(position.epoch, position.step):
            lr = self._rate(position.step)
            with hold_interrupts():
                self._between_steps = False
                try:
                    loss = self.learner.learn(faces, lr, adversarial)
                except DivergedError as error:
                    raise self._divergence(lr, faces.indices.tolist(), str(error)) from error
                position.step += 1
                position.loss += loss
                position.seconds = time.monotonic() - started
                self._between_steps = True
            if time.monotonic() - saved >= self.checkpoint_seconds:
                if not self.learner.finite():
                    broken = "weights that are not finite"
                    raise self._divergence(lr, faces.indices.tolist(), broken)
                self._save()
                saved = time.monotonic()
            done = position.epoch * steps + position.step
            self.progress(done, self.recipe.all_epochs * steps, self._words(lr))

    def _finish_epoch(self) -> None:
        """Validate after an epoch's last step, and write all files but the record."""
        position, recipe = self.position, self.recipe
        lr = self._rate(position.step - 1)
        score = validate(self.learner, self.validation, self._ranks)
        if not (self.learner.finite() and math.isfinite(score.nme)):
            broken = f"weights of which the validation NME is {score.nme:g} %"
            raise self._divergence(lr, [], broken)
        loss, epoch = position.loss / position.step, position.epoch + 1
        row = Row(epoch, epoch * position.step, position.seconds, lr, loss, *score)
        with hold_interrupts():
            position.rows.append(row)
            position.epoch, position.step, position.loss = epoch, 0, 0.0
            if self.learner.fabric.global_rank == 0:
                write_log(self.folder.path, position.rows)
                unit = self.validation.normalisers[0].replace("_", "-") + " distance"
                draw_curves(self.folder.path, position.rows, self.title, unit)
                self.save_weights()
            self._save()
        self.say(
            f"epoch {epoch}/{recipe.all_epochs}: loss {loss:.4g}, validation NME {row.nme:.2f} %, "
            f"FR {row.fr:.2f} %, AUC {row.auc:.4f}, {row.seconds:,.0f} s"
        )

    def save_weights(self) -> None:
        """Write the current weights, for ``run --weights`` and ``initial.weights``."""
        setup, storage = self.learner.setup, self.recipe.storage
        path, network = self.folder.path / WEIGHTS, self.learner.copy_result()
        save(path, network, setup.model, setup.settings, storage, **setup.options)

    def _rate(self, step: int) -> float:
        """Learning rate of a step of this epoch."""
        stage = self.recipe.adversarial
        if stage is not None and self.position.epoch >= self.recipe.epochs:
            return stage.lr
        steps = self.loader.steps
        done = self.position.epoch * steps + step
        return self.recipe.optimiser.rate(done, self.recipe.epochs * steps)

    def _save(self) -> None:
        if self.learner.fabric.global_rank == 0:
            state = {"learner": self.learner.state(), "position": self.position.state()}
            self.folder.write_checkpoint(state, str(self.position))

    def _words(self, lr: float) -> str:
        position = self.position
        score = f", NME {position.rows[-1].nme:.2f} %" if position.rows else ""
        loss = position.loss / position.step
        place = f"epoch {position.epoch + 1}/{self.recipe.all_epochs}"
        return f"{place}, loss {loss:.3g}, lr {lr:.1e}{score}"

    def _divergence(self, lr: float, faces: list[int], what: str) -> InputError:
        position, dataset = self.position, self.loader.samples.dataset
        names = ", ".join(dataset.ids[face] for face in faces)
        whose = "" if self.learner.fabric.world_size == 1 else "this process's "
        weights = self.folder.path / WEIGHTS
        kept = f" Weights of epoch {position.epoch}, to begin with, are in {weights}."
        return InputError(
            f"epoch {position.epoch + 1}, step {position.step + 1}",
            f"{what}, at learning rate {lr:g}" + (f", of {whose}faces {names}" if names else ""),
            "finite numbers",
            "Lower optimiser.lr, or bound the gradient with optimiser.clip."
            + (kept if position.epoch else ""),
        )


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait for the end of the block; a second one does not wait."""
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):  # others end the process, or do nothing
                handlers[number] = handler
    waiting: list[int] = []

    def wait(number: int, frame: Any) -> None:
        waiting.append(number)
        if len(waiting) > 1:
            handlers[signal.Signals(number)](number, frame)

    for number in handlers:
        signal.signal(number, wait)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if waiting:
            handlers[signal.Signals(waiting[0])](waiting[0], None)


class Score(NamedTuple):
    """NME and FR in percent and AUC, by the data set's first normaliser and its threshold."""

    nme: float
    fr: float
    auc: float


def validate(learner: Learner, dataset: Dataset, ranks: Ranks) -> Score:
    """Score of a network, in fp32, the same on every process; ``alignbench run`` gives it, too.

    The network itself stays as it is: a copy is evaluated.
    """
    if ranks.size > 1:
        # Each process's batch normalisation saw its own faces: all take the first one's buffers.
        for network in dict.fromkeys((learner.network, learner.result)):
            for buffer in network.buffers():
                torch.distributed.broadcast(buffer, src=0)
    execution = Execution(device=str(learner.fabric.device))
    network, settings = learner.copy_result(), learner.setup.settings
    predictor = NetworkPredictor("training", settings, network, {}, execution)
    boxes = choose_boxes(dataset, dataset, predictor, None, 1.0)
    points = predict_points(predictor, dataset, boxes, ranks=ranks).points
    scales = normalisers(dataset.points, dataset.markup, dataset.ids, dataset.scales)
    errors = face_errors(distances(points, dataset.points), scales[dataset.normalisers[0]])
    at = threshold_suffix(dataset.threshold)
    return Score(*(parse_measure(name).value(errors) for name in ("nme", f"fr{at}", f"auc{at}")))
