"""Training PropNet, AWing and LAB from a recipe: ``alignbench train``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from alignbench import threads
from alignbench.environment import environment
from alignbench.errors import InputError
from alignbench.io.files import lock_folder, write_atomic
from alignbench.predictors.settings import toml_text
from alignbench.version import __version__
from baselines.training import checkpoint as kept
from baselines.training.data import Data, Samples, attributes, load_data
from baselines.training.engine import launched
from baselines.training.learner import Learner
from baselines.training.loop import Loop, Position, Progress, Say, workers_for
from baselines.training.recipe import Recipe, complete, read_recipe
from baselines.training.setup import Setup, boxes_of, load_initial, set_up


def train(
    recipe: str | Path,
    *,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    fresh: bool = False,
    data_root: str | Path | None = None,
    device: str = "auto",
    workers: int | None = None,
    checkpoint_seconds: float = 60.0,
    progress: Progress = lambda done, total, said: None,
    say: Say = lambda line: None,
) -> Path:
    """Train a network; called again after it was cut short, it goes on and ends the same.

    Under ``torchrun`` every process calls it with the same arguments, and the first one writes.

    Parameters
    ----------
    recipe
        A TOML file, or the name of one that is shipped, such as ``propnet/wflw``.
    overrides
        ``key=value`` with dotted keys, instead of the recipe's.
    out
        Output folder; ``trained/NAME`` where it is None.
    fresh
        Begin again, whatever training is in the folder.
    data_root
        As :func:`alignbench.load_dataset` takes it.
    device
        ``cpu``, ``cuda``, ``cuda:N`` or ``auto``.
    workers
        Processes that make batches; 0 on a CPU where it is None.
    checkpoint_seconds
        Time after which a checkpoint is written within an epoch.
    progress
        Called with (steps done, steps in all, a few words).
    say
        Called with a line now and then: of an epoch, and of faces without image.

    Returns
    -------
    Path
        The output folder.

    Raises
    ------
    InputError
        If recipe, data or folder are wrong, or the training diverges.
    """
    name, wanted = read_recipe(recipe, overrides)
    folder = Path("trained", name) if out is None else Path(out)
    data = load_data(wanted, data_root)
    if len(data.train) < wanted.batch_size:
        raise InputError(
            "key batch_size", f"{wanted.batch_size}, of {len(data.train)} faces to train on",
            f"at most {len(data.train)}",
        )  # fmt: skip
    setup = set_up(wanted, data.train.markup, data.train.boxes is not None)
    samples = _samples(wanted, setup, data)
    initial = None
    if wanted.initial is not None:
        initial = load_initial(setup.network, wanted.initial, wanted.model)
    what = _what(wanted, data, initial)
    with ExitStack() as stack:
        fabric = stack.enter_context(launched(wanted, device))
        finished = False
        if fabric.global_rank == 0:
            stack.enter_context(lock_folder(folder, "training"))
            finished = kept.prepare(folder, what, fresh)
        if fabric.broadcast(finished):
            _on_first(fabric, say)("finished before; --fresh trains again")
            return folder
        if data.without_image:
            _on_first(fabric, say)(f"{data.without_image:,} faces have no image: left out")
        loop = Loop(
            name, wanted, setup, data, samples, fabric, folder, what,
            workers_for(fabric, workers), checkpoint_seconds, progress, _on_first(fabric, say),
        )  # fmt: skip
        learner = Learner(fabric, setup, wanted)
        position = _resumed(loop, learner)
        if fabric.global_rank == 0:
            write_atomic(folder / kept.RECIPE, toml_text(complete(wanted)).encode())
        position = loop.run(learner, position)
        if fabric.global_rank == 0:
            _write_results(loop, learner, position)
    return folder


def _on_first(fabric: Fabric, say: Say) -> Say:
    return say if fabric.global_rank == 0 else lambda line: None


def _samples(recipe: Recipe, setup: Setup, data: Data) -> Samples:
    wants_attributes = recipe.loss.focal != "none"
    # Boxes the validation cannot have either are refused before any work.
    boxes_of(data.validation, setup.settings)
    return Samples(
        data.train,
        boxes_of(data.train, setup.settings),
        attributes(data.train) if wants_attributes else np.zeros((len(data.train), 0)),
        setup.settings,
        recipe.augmentation,
        setup.method,
        recipe.seed,
    )


def _what(recipe: Recipe, data: Data, initial: str | None) -> dict[str, Any]:
    """What a training is, as JSON; ``initial`` is the hash of the weights it begins with."""
    content = complete(recipe)
    content.pop("about")
    found: dict[str, Any] = {
        side: {"faces": len(faces), "fingerprint": faces.fingerprint()}
        for side, faces in (("train", data.train), ("validation", data.validation))
    }
    if initial is not None:
        found["initial"] = initial
    plain: dict[str, Any] = json.loads(json.dumps({"recipe": content, "data": found}))
    return plain


def _resumed(loop: Loop, learner: Learner) -> Position:
    """Where the training stands; the first process reads it, for the others may not see it."""
    fabric = loop.fabric
    stored = kept.read_checkpoint(loop.folder) if fabric.global_rank == 0 else None
    stored = fabric.broadcast(stored)
    if stored is None:
        return Position()
    state = kept.unpack_checkpoint(loop.folder, stored, loop.what)
    learner.load(state["learner"])
    position = Position.of(state["position"])
    loop.say(f"goes on after epoch {position.epoch}, step {position.step}")
    return position


def _write_results(loop: Loop, learner: Learner, position: Position) -> None:
    fabric, last = loop.fabric, position.rows[-1]
    loop.save_weights(learner)
    kept.write_record(
        loop.folder,
        {
            **loop.what,
            "alignbench": __version__,
            "faces_without_image": loop.data.without_image,
            "validation": {
                "normaliser": loop.data.validation.normalisers[0],
                "threshold": loop.data.validation.threshold,
                "nme": last.nme,
                "fr": last.fr,
                "auc": last.auc,
            },
            "environment": environment(),
            "device": _device(fabric.device),
            "processes": fabric.world_size,
            "threads": threads.count(),
            "seconds": position.seconds,
        },
    )


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


__all__ = ["train"]
