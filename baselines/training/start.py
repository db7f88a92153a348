"""Begin a training, or go on with one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from alignbench import threads
from alignbench.boxes import boxes_of
from alignbench.environment import environment
from alignbench.exceptions import InputError
from alignbench.io.files import lock_folder, write_atomic
from alignbench.io.models import toml_text
from alignbench.version import __version__
from baselines.training.data import Data, Loader, Samples, load_data
from baselines.training.folder import INITIAL, RECIPE, WEIGHTS, TrainingFolder
from baselines.training.learner import Learner, launch
from baselines.training.loop import Loop, Position, Progress, Say, Score
from baselines.training.recipe import Recipe, complete, read_recipe
from baselines.training.setup import load_initial, set_up


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM; its text says what is kept."""


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
    progress: Progress = lambda done, total, words: None,
    say: Say = lambda line: None,
) -> Path:
    """Train a network; called again after an interrupt, it goes on and ends with the same bytes.

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
        Begin again, even if the folder holds a training.
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
    TrainingInterrupted
        After Ctrl-C or SIGTERM.
    """
    folder = None
    try:
        name, content = read_recipe(recipe, overrides)
        data = load_data(
            content, data_root, lambda done, total: progress(done, total, "drawing faces")
        )
        path = Path("trained", name) if out is None else Path(out)
        setup = set_up(content, data.train.markup, data.train.boxes is not None)
        samples = Samples(data.train, setup, content)
        boxes_of(data.validation, setup.settings.crop.boxes)  # refused now, not after an epoch
        initial = None
        if content.initial is not None and content.initial.recipe is not None:
            first_recipe = _require_first(content.initial.recipe)
            say(f"first {first_recipe}, whose weights {name} begins with")
            initial = train(
                first_recipe, out=path / INITIAL, fresh=fresh, data_root=data_root, device=device,
                workers=workers, checkpoint_seconds=checkpoint_seconds, progress=progress, say=say,
            ) / WEIGHTS  # fmt: skip
        what = _describe(content, data, load_initial(setup, content, initial))
        folder = TrainingFolder(path, what)
        with ExitStack() as stack:
            fabric = stack.enter_context(launch(content, device))
            first = fabric.global_rank == 0
            say = say if first else lambda line: None
            if first:
                stack.enter_context(lock_folder(path, "training"))
            if fabric.broadcast(first and folder.prepare(fresh)):
                say("finished before; --fresh trains again")
                return path
            if data.without_image:
                say(f"{data.without_image:,} faces have no image: left out")
            count = _workers(fabric, workers)
            loop = Loop(
                recipe=content, learner=Learner(fabric, setup, content),
                loader=Loader(samples, content.batch_size, content.seed, count, fabric),
                validation=data.validation, folder=folder,
                title=f"{name}: {content.model} on {content.trained_on}",
                progress=progress, say=say, checkpoint_seconds=checkpoint_seconds,
            )  # fmt: skip
            _resume(loop)
            if first:
                write_atomic(path / RECIPE, toml_text(complete(content)).encode())
            loop.run()
            if first:
                _write_results(loop, data)
            fabric.barrier()  # nobody reads the weights before they are written
    except TrainingInterrupted:  # from the training before this one; it says what is kept
        raise
    except KeyboardInterrupt:
        raise TrainingInterrupted(_what_is_kept(folder, fresh)) from None
    return path


def _require_first(recipe: str) -> str:
    """The name of a recipe to train first; InputError if it begins with other weights itself."""
    if read_recipe(recipe)[1].initial is not None:
        raise InputError(
            "key initial.recipe", f"{recipe} begins with other weights too",
            "a recipe without the table initial",
        )  # fmt: skip
    return recipe


def _describe(recipe: Recipe, data: Data, initial: str | None) -> dict[str, Any]:
    """What a training is, as JSON; ``initial`` is the hash of the weights it begins with."""
    content = complete(recipe)
    content.pop("about")
    sides = _describe_sides(data)
    if data.parts:
        sides["parts"] = {name: _describe_sides(part) for name, part in data.parts.items()}
    if initial is not None:
        sides["initial"] = initial
    plain: dict[str, Any] = json.loads(json.dumps({"recipe": content, "data": sides}))
    return plain


def _describe_sides(data: Data) -> dict[str, Any]:
    """Faces and fingerprint of either side."""
    return {
        side: {"faces": len(faces), "fingerprint": faces.fingerprint()}
        for side, faces in (("train", data.train), ("validation", data.validation))
    }


def _workers(fabric: Fabric, workers: int | None) -> int:
    """Processes that make batches: none on a CPU, whose cores the network needs itself."""
    if workers is not None:
        return workers
    return 0 if fabric.device.type == "cpu" else max(1, min(8, threads.count() - 1))


def _resume(loop: Loop) -> None:
    """Go on from the checkpoint; the first process reads it, because others may not see it."""
    fabric, folder = loop.learner.fabric, loop.folder
    stored = fabric.broadcast(folder.read_checkpoint() if fabric.global_rank == 0 else None)
    if stored is not None:
        state = folder.unpack_checkpoint(stored)
        loop.learner.load(state["learner"])
        loop.position = Position.of(state["position"])
        folder.kept = str(loop.position)
        loop.say(f"goes on after epoch {loop.position.epoch}, step {loop.position.step}")


def _write_results(loop: Loop, data: Data) -> None:
    last, fabric, faces = loop.position.rows[-1], loop.learner.fabric, data.validation
    device = fabric.device
    loop.save_weights()
    loop.folder.write_record(
        {
            "alignbench": __version__,
            "faces_without_image": data.without_image,
            "validation": {"normaliser": faces.normalisers[0], "threshold": faces.threshold}
            | {name: getattr(last, name) for name in Score._fields},
            "environment": environment(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
            "processes": fabric.world_size,
            "threads": threads.count(),
            "seconds": loop.position.seconds,
        }
    )


def _what_is_kept(folder: TrainingFolder | None, fresh: bool) -> str:
    """What a user must know who interrupted a training."""
    if folder is None or not folder.kept:
        return "no step was trained; the same command begins where this one did"
    how = "the same command without --fresh" if fresh else "the same command"
    return f"the checkpoint of {folder.kept} is kept; {how} goes on from it"
