"""From a model's name on the command line to a predictor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from alignbench import plugins
from alignbench.errors import InputError, unknown
from alignbench.predictors.base import Predictor
from alignbench.predictors.function import FunctionPredictor

FORMS = "a registered name, saved:FILE, onnx:FILE or package.module:factory"


def predictor_names() -> list[str]:
    """Names of all registered predictors."""
    return list(plugins.registered(plugins.PREDICTORS))


def load_predictor(model: str, weights: str | Path | None = None) -> Predictor:
    """The predictor a model name stands for.

    Parameters
    ----------
    model
        A registered name, such as ``dlib``; a registered name and its argument, as in
        ``saved:predictions.npz`` and ``onnx:model.onnx``; or ``package.module:factory``, where
        the factory gives a :class:`Predictor` or is itself a function of images and boxes.
    weights
        File of weights, for a model that takes one.

    Raises
    ------
    InputError
        If the name is unknown, the file is not there, or the factory fails or gives no predictor.
    """
    name, _, argument = model.partition(":")
    file = None if weights is None else Path(weights)
    if file is not None and not file.is_file():
        raise InputError(file, "no such file of weights", remedy="Check --weights.")
    if name in plugins.registered(plugins.PREDICTORS):
        factory = plugins.load(plugins.PREDICTORS, name)
        return _call(model, factory, {"argument": argument} if argument else {}, file)
    if argument and all(part.isidentifier() for part in name.split(".")):
        return _imported(model, name, argument, file)
    raise unknown("model", model, plugins.registered(plugins.PREDICTORS), f"Or give {FORMS}.")


def _call(
    model: str, factory: Callable[..., Predictor], given: dict[str, Any], weights: Path | None
) -> Predictor:
    """Call a factory with what was given, if that is what it takes."""
    if weights is not None:
        given["weights"] = weights
    accepted = signature(factory).parameters
    needed = {p.name for p in accepted.values() if p.default is p.empty} - {"args", "kwargs"}
    if strange := sorted(needed - {"argument", "weights"}):
        raise InputError(
            f"model {model!r}",
            f"takes {', '.join(strange)}",
            "a function of (images, boxes), or a factory of nothing or of weights",
            "Name its parameters so.",
        )
    for name, how in (("argument", f"{model}:FILE"), ("weights", "--weights FILE")):
        if name in needed and name not in given:
            raise InputError(f"model {model!r}", f"needs its {name}", how)
        if name in given and name not in accepted:
            surplus = "--weights" if name == "weights" else "what stands behind ':'"
            raise InputError(f"model {model!r}", f"takes no {name}", remedy=f"Leave out {surplus}.")
    return factory(**given)


def _imported(model: str, module: str, attribute: str, weights: Path | None) -> Predictor:
    # The console script does not put the working folder on the import path; a user's own module
    # usually lies there.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        home = import_module(module)
    except ImportError as error:
        raise InputError(
            f"model {model!r}",
            f"module {module!r} cannot be imported ({error})",
            f"{FORMS}; registered are {', '.join(predictor_names())}",
            "Run from the folder that holds the module, or install it.",
        ) from error
    factory = getattr(home, attribute, None)
    if not callable(factory):
        raise unknown(
            f"{module} has no callable", attribute, [n for n in vars(home) if not n.startswith("_")]
        )
    source = Path(home.__file__) if home.__file__ else None
    if list(signature(factory).parameters)[:2] == ["images", "boxes"]:
        return FunctionPredictor(model, factory, source)
    made = _call(model, factory, {}, weights)
    if isinstance(made, Predictor):
        return made
    if callable(made):
        return FunctionPredictor(model, made, source, weights)
    raise InputError(
        f"model {model!r}",
        f"the factory gave a {type(made).__name__}",
        "an alignbench.Predictor, or a function of (images, boxes) that gives (B, L, 2)",
    )
