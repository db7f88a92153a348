"""PropNet, LAB and AWing behind the predictor interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from torch import nn

from alignbench import InputError
from alignbench.backends.build import Execution
from alignbench.errors import unknown
from alignbench.io.files import sha256
from alignbench.markups import WFLW98
from alignbench.predictors.network import NetworkPredictor
from alignbench.predictors.settings import Crop, CropSettings, Input, Output
from baselines import checkpoints, options
from baselines.awing import checkpoint as awing_checkpoint
from baselines.awing.network import AWing
from baselines.crops import AWING_CROP, LAB_CROP
from baselines.lab.network import LAB
from baselines.propnet.network import PropNet

_SEED = 0
"""Of weights drawn at random, so that they are the same every time."""


@dataclass(frozen=True)
class Model:
    """A network, and how it wants to see faces.

    Attributes
    ----------
    name
        What the command line calls it.
    network
        Its class.
    settings
        Crop and colours by a network's options.
    about
        One line for lists.
    """

    name: str
    network: type[nn.Module]
    settings: Callable[[Mapping[str, Any]], CropSettings]
    about: str


def _heatmaps(crop: Crop, options: Mapping[str, Any]) -> CropSettings:
    return CropSettings(
        markup=options.get("markup", WFLW98.name),
        crop=crop,
        input=Input(colour="rgb"),
        output=Output(kind="heatmaps", decoder="quarter"),
    )


def _lab(options: Mapping[str, Any]) -> CropSettings:
    return CropSettings(
        markup=options.get("markup", WFLW98.name),
        crop=LAB_CROP.model_copy(update={"size": options.get("side", LAB_CROP.size)}),
        input=Input(colour="grey" if options.get("channels", 1) == 1 else "rgb", standardise=True),
        output=Output(kind="points", origin="edge"),
    )


PROPNET = Model(
    "propnet",
    PropNet,
    partial(_heatmaps, AWING_CROP),
    "PropNet (Huang et al., CVPR 2020): landmarks propagate to boundaries; options after ':'.",
)
AWING = Model(
    "awing",
    AWing,
    partial(_heatmaps, AWING_CROP),
    "AWing (Wang et al., ICCV 2019): stacked hourglasses; reads its released WFLW_4HG.pth too.",
)
LAB_MODEL = Model(
    "lab",
    LAB,
    _lab,
    "LAB (Wu et al., CVPR 2018): boundary heatmaps, then landmarks; options after ':'.",
)

MODELS = {model.name: model for model in (PROPNET, AWING, LAB_MODEL)}


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
        Options of the network, ``name=value,name=value``; a file of ours has its own.
    random
        Whether to draw weights: for speed and complexity, which do not depend on them.

    Raises
    ------
    InputError
        If there are neither weights nor ``random``; if file or options are wrong or do not fit.
    """
    where = f"model {model.name!r}"
    if weights is None and not random:
        raise InputError(
            where,
            "has no weights, and without them no accuracy",
            "--weights FILE; --weights random where speed or complexity alone is wanted",
            "Train it, or give a file of weights.",
        )
    chosen = options.parse(argument, model.network, where)
    if weights is None:
        network = _drawn(model, chosen)
        settings = model.settings(chosen).model_copy(
            update={"notes": ("Random weights: only speed counts, accuracy means nothing.",)}
        )
        identity = {"weights_sha256": checkpoints.digest(network), "random_seed": _SEED}
    else:
        network, settings, chosen = _stored(model, chosen, weights)
        identity = {"weights_sha256": sha256(weights)}
    source = {"source": model.name, "options": options.completed(chosen, model.network)}
    predictor = NetworkPredictor(
        model.name, settings, network, {**source, **identity}, execution, flip_test
    )
    predictor.variant = options.variant(chosen, model.network)
    return predictor


def save(
    path: Path,
    network: nn.Module,
    model: str,
    settings: CropSettings | None = None,
    **given: Any,
) -> None:
    """Write a network's weights as a file that ``--model MODEL --weights FILE`` runs.

    Parameters
    ----------
    model
        ``propnet``, ``awing`` or ``lab``.
    settings
        Its crop and colours; the model's own where it is None.
    given
        Options the network was made with, the mark-up by its name.

    Raises
    ------
    InputError
        If model or options are unknown, or the network is not of these options.
    """
    if model not in MODELS:
        raise unknown("model", model, MODELS)
    found = MODELS[model]
    chosen = options.checked(given, found.network, f"model {model!r}")
    with torch.device("meta"):
        wanted = options.build(found.network, chosen, f"model {model!r}").state_dict()
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    if shapes != {name: tensor.shape for name, tensor in wanted.items()}:
        raise InputError(
            f"model {model!r}", "the network is not one of these options",
            remedy="Give those it was made with.",
        )  # fmt: skip
    chosen = options.completed(chosen, found.network)
    checkpoints.save(path, network, model, chosen, settings or found.settings(chosen))


def _drawn(model: Model, chosen: Mapping[str, Any]) -> nn.Module:
    """A network of random weights, without a trace in the program's own random numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return options.build(model.network, chosen, f"model {model.name!r}")


def _stored(
    model: Model, chosen: dict[str, Any], weights: Path
) -> tuple[nn.Module, CropSettings, dict[str, Any]]:
    """Network, settings and options of a file of weights."""
    stored = checkpoints.read(weights)
    settings = stored.settings
    if stored.model is not None and stored.model != model.name:
        raise InputError(
            weights, f"holds weights of {stored.model!r}", f"weights of {model.name!r}",
            f"--model {stored.model}",
        )  # fmt: skip
    if stored.options is not None:
        own = options.checked(stored.options, model.network, weights)
        if chosen and options.completed(own | chosen, model.network) != options.completed(
            own, model.network
        ):
            raise InputError(
                f"model {model.name!r}",
                f"options are given, and the weights say {options.variant(own, model.network)}",
                remedy="Leave out what stands behind ':'.",
            )
        chosen = own
    settings = settings or model.settings(chosen)
    if settings.markup != chosen.get("markup", WFLW98.name):
        raise InputError(
            weights, f"its crop is for {settings.markup}, its network for another mark-up"
        )
    state = stored.state
    network = options.build(model.network, chosen, f"model {model.name!r}")
    if model is AWING and awing_checkpoint.is_official(state):
        # What else the file holds, AWing's own code passes over too.
        renamed = awing_checkpoint.to_ours(state)
        state = {name: renamed[name] for name in network.state_dict() if name in renamed}
        settings = settings.model_copy(update={"output": awing_checkpoint.OUTPUT})
    checkpoints.fill(network, state, weights)
    return network, settings, chosen


def _factory(model: Model) -> Callable[..., NetworkPredictor]:
    """What the entry point of a model calls."""

    def make(
        argument: str = "",
        weights: Path | None = None,
        *,
        random: bool = False,
        backend: str = "eager",
        precision: str = "fp32",
        device: str = "auto",
        flip_test: bool = False,
    ) -> NetworkPredictor:
        execution = Execution(backend, precision, device)
        return load(model, argument, weights, random, execution, flip_test)

    make.__doc__ = model.about
    return make


def _shipped(model: Model) -> Callable[..., NetworkPredictor]:
    """What the entry point of a model's narrow twin calls, whose weights come with the package."""
    name = f"{model.name}-mini"

    def make(
        *,
        backend: str = "eager",
        precision: str = "fp32",
        device: str = "auto",
        flip_test: bool = False,
    ) -> NetworkPredictor:
        with as_file(files("baselines") / "weights" / f"{name}.safetensors") as own:
            predictor = load(
                model, "", own, False, Execution(backend, precision, device), flip_test
            )
        predictor.name = name
        predictor.variant = ""  # this is its usual network
        return predictor

    make.__doc__ = f"Narrow {model.network.__name__}, trained on synthetic faces alone; 98 points."
    return make


propnet, awing, lab = (_factory(model) for model in (PROPNET, AWING, LAB_MODEL))
propnet_mini, awing_mini, lab_mini = (_shipped(model) for model in (PROPNET, AWING, LAB_MODEL))
