"""The functions behind the entry points of the models.

They are found without PyTorch, which takes seconds to import: a model is imported where its
function is called.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import as_file, files
from inspect import signature
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from alignbench.predictors.facts import ModelFacts

if TYPE_CHECKING:
    from alignbench.predictors.network import NetworkPredictor

_FULL = ModelFacts("any", "needed", "", "")
_MINI = ModelFacts(
    points="98",
    weights="shipped",
    licence="MIT",
    trained_on="",
    seen=(("synthetic", "train"), ("synthetic:heads", "train")),
)


def _factory(model: str, about: str, mini: bool = False) -> Callable[..., NetworkPredictor]:
    """The function that makes predictors of a model.

    Parameters
    ----------
    model
        Where the :class:`baselines.model.Model` stands, ``module:name``.
    about
        One line for lists.
    mini
        Whether it gives the narrow network, whose weights come with the package. That function
        has no parameters ``argument``, ``weights`` and ``random``.
    """

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
        from alignbench.backends.build import Execution
        from baselines.model import load

        found, execution = resolve_name(model), Execution(backend, precision, device)
        if not mini:
            return load(found, argument, weights, random, execution, flip_test)
        name = f"{found.name}-mini"
        with as_file(files("baselines") / "weights" / f"{name}.safetensors") as path:
            predictor = load(found, "", path, False, execution, flip_test)
        predictor.name, predictor.variant = name, ""
        return predictor

    make.__doc__ = about
    make.facts = _MINI if mini else _FULL  # type: ignore[attr-defined]
    if mini:
        full = signature(make)
        fixed = {"argument", "weights", "random"}
        free = [p for name, p in full.parameters.items() if name not in fixed]
        make.__signature__ = full.replace(parameters=free)  # type: ignore[attr-defined]
    return make


_AWING, _LAB, _PROPNET = (
    f"baselines.{name}.predictor:{name.upper()}" for name in ("awing", "lab", "propnet")
)

awing = _factory(
    _AWING,
    "AWing (Wang et al., ICCV 2019): stacked hourglasses; reads its released WFLW_4HG.pth too.",
)
lab = _factory(
    _LAB, "LAB (Wu et al., CVPR 2018): boundary heatmaps, then landmarks; options after ':'."
)
propnet = _factory(
    _PROPNET,
    "PropNet (Huang et al., CVPR 2020): landmarks propagate to boundaries; options after ':'.",
)
awing_mini, lab_mini, propnet_mini = (
    _factory(model, f"Narrow {name}, trained on drawn faces alone; 98 points.", mini=True)
    for model, name in ((_AWING, "AWing"), (_LAB, "LAB"), (_PROPNET, "PropNet"))
)
