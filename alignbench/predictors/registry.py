"""From a model's name on the command line to a predictor."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from alignbench import plugins
from alignbench.errors import InputError, blame, unknown
from alignbench.predictors.base import Predictor
from alignbench.predictors.function import FunctionPredictor

RANDOM = "random"
"""What ``weights`` says for a network with weights drawn at random."""

RANDOM_IF_TAKEN: Mapping[str, Any] = {"random": True}
"""``defaults`` of :func:`load_predictor` where accuracy does not matter."""

FORMS = "a registered name, saved:FILE, onnx:FILE or package.module:factory"


def predictor_names() -> list[str]:
    """Names of all registered predictors."""
    return list(plugins.registered(plugins.PREDICTORS))


def load_predictor(
    model: str,
    weights: str | Path | None = None,
    defaults: Mapping[str, Any] | None = None,
    **options: Any,
) -> Predictor:
    """The predictor a model name stands for.

    Parameters
    ----------
    model
        A registered name, such as ``dlib``; a registered name and its argument, as in
        ``saved:predictions.npz`` and ``onnx:model.onnx``; or ``package.module:factory``, where
        the factory gives a :class:`Predictor` or is itself a function of images and boxes.
    weights
        File of weights, for a model that takes one; or ``"random"`` for a network whose speed or
        complexity alone is wanted.
    defaults
        Options for a model that takes them; another one is not given them.
    options
        What the model's factory takes besides: ``backend``, ``precision``, ``device`` and
        ``flip_test`` for a network.

    Raises
    ------
    InputError
        If the name is unknown, the file is not there, the model takes no such option, or the
        factory fails or gives no predictor.
    """
    name, _, argument = model.partition(":")
    given: dict[str, Any] = dict(options)
    if weights == RANDOM:
        given["random"] = True
    elif weights is not None:
        given["weights"] = Path(weights)
        if not Path(weights).is_file():
            what = "is a folder" if Path(weights).is_dir() else "no such file of weights"
            raise InputError(weights, what, remedy="Check --weights.")
    defaults = dict(defaults or {})
    if weights is not None:
        defaults.pop("random", None)
    if name in plugins.registered(plugins.PREDICTORS):
        factory = plugins.load(plugins.PREDICTORS, name)
        named = {"argument": argument} if argument else {}
        return _call(model, factory, named | given, defaults)
    if argument and all(part.isidentifier() for part in name.split(".")):
        return _imported(model, name, argument, given, defaults)
    raise unknown("model", model, plugins.registered(plugins.PREDICTORS), f"Or give {FORMS}.")


def _call(
    model: str,
    factory: Callable[..., Predictor],
    given: dict[str, Any],
    defaults: Mapping[str, Any],
) -> Predictor:
    """Call a factory with what was given, if that is what it takes."""
    with blame(f"model {model!r}"):
        accepted = signature(factory).parameters
    needed = {p.name for p in accepted.values() if p.default is p.empty} - {"args", "kwargs"}
    if strange := sorted(needed - {"argument", "weights"}):
        raise InputError(
            f"model {model!r}",
            f"takes {', '.join(strange)}",
            "a function of (images, boxes), or a factory of nothing or of weights",
            "Name its parameters so.",
        )
    how = {"argument": f"{model.rstrip(':')}:FILE", "weights": "--weights FILE"}
    for name, option in how.items():
        if name in needed and name not in given:
            raise InputError(f"model {model!r}", f"needs its {name}", option)
    for name in given:
        if name not in accepted:
            raise _surplus(model, name)
    taken = {name: value for name, value in defaults.items() if name in accepted}
    with blame(f"model {model!r}"):
        return factory(**(taken | given))


def _imported(
    model: str,
    module: str,
    attribute: str,
    given: dict[str, Any],
    defaults: Mapping[str, Any],
) -> Predictor:
    # The console script does not put the working folder on the import path; a user's own module
    # usually lies there. Last, so that a folder of his cannot hide an installed package.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        with blame(f"model {model!r}, importing {module}"):
            home = import_module(module)
    except InputError as error:
        missing = error.__cause__
        if isinstance(missing, ModuleNotFoundError) and missing.name == module.partition(".")[0]:
            raise InputError(
                f"model {model!r}",
                f"there is no module {module!r}",
                f"{FORMS}; registered are {', '.join(predictor_names())}",
                "Run from the folder that holds the module, or install it.",
            ) from error
        raise
    factory = getattr(home, attribute, None)
    if not callable(factory):
        own = [n for n, v in vars(home).items() if getattr(v, "__module__", None) == module]
        raise unknown(f"{module} has no callable", attribute, own)
    file = getattr(home, "__file__", None)
    source = Path(file) if file else None
    if _is_model(factory):
        for name in given:
            raise _surplus(model, name)
        return FunctionPredictor(model, factory, source)
    made = _call(model, factory, given, defaults)
    if isinstance(made, Predictor):
        return made
    if callable(made):
        return FunctionPredictor(model, made, source, given.get("weights"))
    raise InputError(
        f"model {model!r}",
        f"the factory gave a {type(made).__name__}",
        "an alignbench.Predictor, or a function of (images, boxes) that gives (B, L, 2)",
    )


def _is_model(function: Callable[..., Any]) -> bool:
    """Whether a callable is itself the model, by the names of its first two parameters."""
    try:
        return list(signature(function).parameters)[:2] == ["images", "boxes"]
    except ValueError:  # some built-in functions have no signature
        return False


def _surplus(model: str, name: str) -> InputError:
    what = {
        "argument": "what stands behind ':'", "random": "--weights random"
    }.get(name, "--" + name.replace("_", "-"))  # fmt: skip
    kind = "random weights" if name == "random" else name.replace("_", " ")
    return InputError(f"model {model!r}", f"takes no {kind}", remedy=f"Leave out {what}.")
