"""What a trainable model is, and how its predictor is made from weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from alignbench import InputError
from alignbench.arrays import Floats
from alignbench.backends.build import Execution
from alignbench.io.files import sha256
from alignbench.markups import WFLW98, Markup
from alignbench.predictors.network import NetworkPredictor
from alignbench.predictors.settings import CropSettings
from baselines import checkpoints, options
from baselines.checkpoints import Checkpoint, Storage
from baselines.drawing import Drawn

if TYPE_CHECKING:
    from lightning_fabric import Fabric

STRIDE = 4
"""Pixels of the window per pixel of a map, in every model."""
_SEED = 0
"""Seed of weights drawn at random, so that they are the same every time."""


class Table(BaseModel):
    """A table of a recipe; an unknown key, a wrong type or an infinite number is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class SecondStage(Table):
    """Further epochs against an opponent, with their own learning rate ``lr``."""

    epochs: int = Field(default=10, ge=1)
    lr: float = Field(default=1e-4, gt=0)

    def opponent(self, fabric: Fabric, method: Any, side: int, seed: int) -> Opponent:
        """The opponent of a network whose maps have ``side`` pixels."""
        raise NotImplementedError


class Faces(NamedTuple):
    """A batch of training faces.

    Attributes
    ----------
    indices
        (B,) places in the data set.
    images
        (B, C, S, S), what the network sees.
    points
        (B, L, 2) true landmarks in pixels of the window, float32.
    attributes
        (B, A) of zeros and ones; A is 0 where the loss does not use them.
    maps
        Target maps (B, K, S / 4, S / 4) by name, as :meth:`Method.draw` gives them.
    """

    indices: Tensor
    images: Tensor
    points: Tensor
    attributes: Tensor
    maps: dict[str, Tensor]


class Method(Protocol):
    """What a network learns: its targets and its loss.

    ``attributes`` are the subsets of the data set whose membership the loss needs.
    """

    @property
    def attributes(self) -> Sequence[str]: ...

    def draw(self, points: Floats, size: int) -> dict[str, Drawn]:
        """Target maps by name of landmarks (B, L, 2) in pixels of a window of ``size``."""
        ...

    def loss(self, output: Any, faces: Faces) -> Tensor:
        """The loss, a scalar, of the network's output."""
        ...


class Opponent(Protocol):
    """A network that is trained against another one."""

    network: nn.Module

    def respond(self, output: Any, faces: Faces) -> Tensor:
        """Learn from a batch; gives the loss, a scalar, that the other network gets from it."""
        ...

    def state(self) -> dict[str, Any]:
        """All that :meth:`load` needs to go on exactly."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        ...


def _as_stored(checkpoint: Checkpoint, names: Collection[str]) -> Checkpoint:
    return checkpoint


@dataclass(frozen=True)
class Model:
    """A trainable model.

    Attributes
    ----------
    name
        Its name on the command line and in recipes.
    network
        Class of its network.
    settings
        Gives the crop, colours and decoding for options of the network.
    targets, loss
        Its tables ``[targets]`` and ``[loss]`` of a recipe.
    method
        Gives targets and loss for a network, its mark-up and these two tables.
    second_stage
        Its table ``[adversarial]`` of a recipe; None for a model without a second stage.
    adapt
        Translates a checkpoint of the authors' release. It is given the checkpoint with its
        settings and the names of the network's tensors.
    """

    name: str
    network: type[nn.Module]
    settings: Callable[[Mapping[str, Any]], CropSettings]
    targets: type[Table]
    loss: type[Table]
    method: Callable[[Any, Markup, Any, Any], Method]
    second_stage: type[SecondStage] | None = None
    adapt: Callable[[Checkpoint, Collection[str]], Checkpoint] = _as_stored

    @property
    def where(self) -> str:
        """How messages call it."""
        return f"model {self.name!r}"


def load(
    model: Model,
    argument: str,
    weights: Path | None,
    random: bool,
    execution: Execution,
    flip_test: bool,
) -> NetworkPredictor:
    """A model with weights from a file, or drawn at random.

    Parameters
    ----------
    argument
        Options of the network, ``name=value,name=value``; a file written by :func:`save` has
        its own.
    random
        Whether to draw weights, for speed and complexity, which do not depend on them.

    Raises InputError if there are neither weights nor ``random``, or if the file or the options
    are wrong or do not fit each other.
    """
    if weights is None and not random:
        raise InputError(
            model.where,
            "has no weights, so its accuracy cannot be measured",
            "--weights FILE; --weights random where speed or complexity alone is wanted",
            "Train it, or give a file of weights.",
        )
    chosen = options.parse(argument, model.network, model.where)
    loaded = _draw(model, chosen) if weights is None else _read(model, chosen, weights)
    source = {"source": model.name, "options": options.complete(loaded.options, model.network)}
    identity = {**source, **loaded.identity}
    predictor = NetworkPredictor(
        model.name, loaded.settings, loaded.network, identity, execution, flip_test
    )
    predictor.variant = options.variant(loaded.options, model.network)
    return predictor


class _Loaded(NamedTuple):
    """A network with its weights; ``identity`` says which weights they are."""

    network: nn.Module
    settings: CropSettings
    options: dict[str, Any]
    identity: dict[str, Any]


def _draw(model: Model, chosen: dict[str, Any]) -> _Loaded:
    """A network of random weights; the program's own random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        network = options.build(model.network, chosen, model.where)
    note = "Random weights: only speed counts, accuracy means nothing."
    settings = model.settings(chosen).model_copy(update={"notes": (note,)})
    identity = {"weights_sha256": checkpoints.digest(network), "random_seed": _SEED}
    return _Loaded(network, settings, chosen, identity)


def _read(model: Model, chosen: dict[str, Any], weights: Path) -> _Loaded:
    """A network with the weights of a file; the file's own options and settings come first."""
    stored = checkpoints.read(weights)
    if stored.model is not None and stored.model != model.name:
        raise InputError(
            weights, f"holds weights of {stored.model!r}", f"weights of {model.name!r}",
            f"--model {stored.model}",
        )  # fmt: skip
    if stored.options is not None:
        kept = options.check(stored.options, model.network, weights)
        variant = options.variant(kept, model.network)
        if chosen and options.variant(kept | chosen, model.network) != variant:
            raise InputError(
                model.where, f"the given options differ from those of the weights, {variant}",
                remedy="Leave out the options after ':'.",
            )  # fmt: skip
        chosen = kept
    settings = stored.settings or model.settings(chosen)
    if settings.markup != chosen.get("markup", WFLW98.name):
        what = f"its crop is for {settings.markup}, its network for another mark-up"
        raise InputError(weights, what)
    network = options.build(model.network, chosen, model.where)
    names = network.state_dict().keys()
    released = model.adapt(replace(stored, settings=settings), names)
    checkpoints.fill(network, released.state, weights)
    identity = {"weights_sha256": sha256(weights)}
    if stored.storage != "float32":
        identity["storage"] = stored.storage
    return _Loaded(network, released.settings or settings, chosen, identity)


def save(
    path: Path,
    network: nn.Module,
    model: Model,
    settings: CropSettings | None = None,
    storage: Storage = "float32",
    **chosen: Any,
) -> None:
    """Write a network's weights as a file that ``--model MODEL --weights FILE`` runs.

    Parameters
    ----------
    settings
        Its crop and colours; the model's own where it is None.
    storage
        ``float16`` for a file of half the size with rounded weights; the network is computed in
        float32 all the same.
    chosen
        Options the network was made with, the mark-up by its name.

    Raises InputError if an option is unknown, the network is not of these options, or a weight is
    too large for float16.
    """
    chosen = options.check(chosen, model.network, model.where)
    with torch.device("meta"):
        expected = options.build(model.network, chosen, model.where).state_dict()
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if shapes != {name: tensor.shape for name, tensor in expected.items()}:
        raise InputError(
            model.where, "the network does not have these options",
            remedy="Give the options that it was made with.",
        )  # fmt: skip
    chosen = options.complete(chosen, model.network)
    settings = settings or model.settings(chosen)
    checkpoints.save(path, network, model.name, chosen, settings, storage)
