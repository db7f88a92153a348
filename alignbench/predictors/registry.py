"""Find or make the predictor that a model's name on the command line stands for."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from functools import partial
from importlib import import_module
from inspect import Parameter, signature
from io import StringIO
from pathlib import Path
from typing import Any

from alignbench import plugins
from alignbench.arrays import Bytes, Floats
from alignbench.exceptions import InputError, blame, unknown
from alignbench.io.files import require_regular, sha256
from alignbench.io.notation import parse_toml
from alignbench.markups import Markup, load_markup
from alignbench.predictors.base import Batch, Origin, Predictor
from alignbench.predictors.facts import ModelFacts
from alignbench.predictors.guard import guard_streams

RANDOM = "random"
"""What ``weights`` says for a network with weights drawn at random."""

RANDOM_IF_TAKEN: Mapping[str, Any] = {"random": True}
"""``defaults`` of :func:`load_predictor` where accuracy does not matter."""

FORMS = "a registered name, saved:FILE, onnx:FILE or package.module:factory"

_LONGEST = 1_000
"""Most characters of a model's options."""


_MARKUP = Parameter("markup", Parameter.KEYWORD_ONLY, default=None)
"""The option of a function that is itself the model: the mark-up of its landmarks."""


class FunctionPredictor(Predictor):
    """``function(images, boxes) -> (B, L, 2)`` behind the interface.

    Images are (H, W, 3) uint8 RGB, boxes (B, 4), landmarks in image pixels; all as in
    :class:`Batch`. The mark-up is the data set's by default; the runner checks the shape.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[Sequence[Bytes], Floats], Any],
        weights: Path | None = None,
        markup: Markup | None = None,
    ) -> None:
        self.name, self.markup = name, markup
        self.built_from = (function,)
        self._function, self._weights = function, weights

    def predict(self, batch: Batch) -> Floats:
        landmarks: Floats = self._function(batch.images, batch.boxes)
        return landmarks

    def describe(self) -> dict[str, Any]:
        weights = sha256(self._weights) if self._weights else None
        return {"source": self.name, "weights_sha256": weights}


def predictor_names() -> list[str]:
    """Names of all registered predictors."""
    return list(plugins.entry_points(plugins.PREDICTORS))


def parse_options(text: str, where: object) -> dict[str, Any]:
    """Options ``name=value,name=value`` as JSON values; a list is ``[16,16]``.

    A value is read as TOML if it is valid TOML, ``none`` as None, and anything else as text.

    Raises
    ------
    InputError
        If one is not ``name=value``, or is given twice.
    """
    if len(text) > _LONGEST:
        raise InputError(where, f"options of {len(text):,} characters", f"at most {_LONGEST:,}")
    options: dict[str, Any] = {}
    for part in re.split(r",(?![^\[]*\])", text):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not part.strip():
            continue
        if not equals:
            raise InputError(
                where, f"option {part!r}", "name=value,name=value", "A list is name=[16,16]."
            )
        if name in options:
            raise InputError(where, f"option {name} is given twice", "once")
        options[name] = _value(value)
    return options


def _value(text: str) -> Any:
    if text.lower() == "none":
        return None
    with suppress(ValueError):
        content = parse_toml(f"value = {text}")
        if len(content) == 1:
            return content["value"]
    return text


def load_predictor(
    model: str,
    weights: str | Path | None = None,
    defaults: Mapping[str, Any] | None = None,
    **options: Any,
) -> Predictor:
    """The predictor that a model's name stands for.

    Parameters
    ----------
    model
        A registered name, such as ``dlib``; a registered name and its argument, as in
        ``saved:predictions.npz`` and ``onnx:model.onnx``; or ``package.module:factory``, where
        the factory gives a :class:`Predictor` or is itself a function of images and boxes, with
        options as in ``package.module:factory:depth=2,flip=true``.
    weights
        File of weights, for a model that takes one; or ``"random"`` for a network whose speed or
        complexity alone matters.
    defaults
        Options that are passed to the model only if it takes them.
    options
        Further options of the model's factory: ``backend``, ``precision``, ``device`` and
        ``flip_test`` for a network.

    Returns
    -------
    Predictor
        A network predictor has its ``torch.nn.Module`` as ``network``.

    Raises
    ------
    InputError
        If the name is unknown, the file does not exist, the model takes no such option, or the
        factory fails or gives no predictor.
    """
    folder, loaded = Path.cwd(), time.time()  # a module may change the folder when it is imported
    all_options: dict[str, Any] = dict(options)
    defaults = dict(defaults or {})
    if weights == RANDOM:
        all_options["random"] = True
    elif weights is not None:
        all_options["weights"] = _weights_file(weights)
    if weights is not None:
        defaults.pop("random", None)
    with guard_streams():
        factory, module, argument = _find(model, all_options)
        where = f"model {model!r}"
        accepted = _parameters(model, factory)
        typed = parse_options(argument, where)
        for option in typed:
            if option not in accepted and None not in accepted:
                raise unknown(f"{where}, option", option, [name for name in accepted if name])
            if option in all_options:
                raise InputError(where, f"option {option} is given twice", "once")
            if option == "weights":
                typed[option] = _weights_file(str(typed[option]))
        all_options |= typed
        predictor = _make(model, factory, all_options, defaults)
    with suppress(AttributeError):  # a user's class with slots takes no further attribute
        predictor.origin = Origin(module, all_options, folder, loaded)
        known = {"weights", "argument", "random"}.isdisjoint(all_options)
        facts = getattr(factory, "facts", None) if known else None
        predictor.facts = facts if isinstance(facts, ModelFacts) else None
    return predictor


def _weights_file(weights: str | Path) -> Path:
    """The absolute path of a file of weights: a model may change the working directory."""
    path = Path(weights).absolute()
    require_regular(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "no such file of weights"
        raise InputError(weights, what, remedy="Check --weights.")
    return path


def _find(model: str, options: dict[str, Any]) -> tuple[Callable[..., Any], str, str]:
    """A model's factory, its module and the text of its options.

    Adds the argument after ``:`` to ``options``.
    """
    name, _, argument = model.partition(":")
    if name in plugins.entry_points(plugins.PREDICTORS):
        module = plugins.entry_points(plugins.PREDICTORS)[name].module
        factory = plugins.load(plugins.PREDICTORS, name)
        if argument and ("argument" in _parameters(model, factory) or "=" not in argument):
            options["argument"] = argument
            argument = ""
        return factory, module, argument
    require_regular(Path(model))
    if Path(model).is_file() and Path(model).suffix != ".py":
        kind = {".onnx": "onnx", ".dat": "dlib"}.get(Path(model).suffix.lower(), "saved")
        raise InputError(
            f"model {model!r}", "is a file, but the kind before it is missing", f"{FORMS}",
            f"Give {kind}:{model}.",
        )  # fmt: skip
    module = re.sub(r"\.py$", "", name.replace("\\", "/").removeprefix("./")).replace("/", ".")
    if module != name and all(part.isidentifier() for part in module.split(".")):
        raise InputError(
            f"model {model!r}", "names a file", "package.module:function",
            f"Give {module}:{argument or 'FUNCTION'}, from the folder that holds "
            f"{module.partition('.')[0]}.",
        )  # fmt: skip
    if not argument and Path(f"{name}.py").is_file():
        raise InputError(
            f"model {model!r}", "names a module without a function", "package.module:function",
            f"Give {name}:FUNCTION.",
        )  # fmt: skip
    if argument and all(part.isidentifier() for part in name.split(".")):
        attribute, _, argument = argument.partition(":")
        return _import(model, name, attribute), name, argument
    raise unknown("model", model, plugins.entry_points(plugins.PREDICTORS), f"Or give {FORMS}.")


def _parameters(model: str, factory: Callable[..., Any]) -> dict[str | None, Parameter]:
    """Parameters that a factory, or a function of images and boxes, takes as options.

    The key None stands for any other name, where the factory takes these too.
    """
    with blame(f"model {model!r}"):
        parameters = list(signature(factory).parameters.values())
    if _is_model(parameters):
        del parameters[:2]
        if all(p.name != _MARKUP.name for p in parameters):
            parameters.append(_MARKUP)
    return {
        None if p.kind is Parameter.VAR_KEYWORD else p.name: p
        for p in parameters
        if p.kind is not Parameter.VAR_POSITIONAL
    }


def _is_model(parameters: list[Parameter]) -> bool:
    """Whether a callable is itself the model, by the names of its first two parameters."""
    return [p.name for p in parameters[:2]] == ["images", "boxes"]


def _make(
    model: str, factory: Callable[..., Any], options: dict[str, Any], defaults: Mapping[str, Any]
) -> Predictor:
    """Call a factory with its options, if it takes them; a function is the model itself."""
    accepted = _parameters(model, factory)
    needed = {
        name
        for name, p in accepted.items()
        if name and p.default is p.empty and name not in options
    }
    if strange := sorted(needed - {"argument", "weights"}):
        raise InputError(
            f"model {model!r}",
            f"takes {', '.join(strange)}",
            "a function of (images, boxes), or a factory whose parameters are only weights and "
            "options",
            f"Rename its parameters, or give it options: {model}:{strange[0]}=VALUE.",
        )
    how = {"argument": f"{model.rstrip(':')}:FILE", "weights": "--weights FILE"}
    for name in sorted(needed):
        raise InputError(f"model {model!r}", f"needs its {name}", how[name])
    for name in options:
        if name not in accepted and None not in accepted:
            raise _surplus(model, name)
    with blame(f"model {model!r}"):
        if _is_model(list(signature(factory).parameters.values())):
            markup = load_markup(str(options["markup"])) if options.get("markup") else None
            arguments = {k: v for k, v in options.items() if accepted.get(k) is not _MARKUP}
            function = partial(factory, **arguments) if arguments else factory
            return FunctionPredictor(model, function, options.get("weights"), markup)
        accepted_defaults = {name: value for name, value in defaults.items() if name in accepted}
        predictor = factory(**(accepted_defaults | options))
    if isinstance(predictor, Predictor):
        return predictor
    if callable(predictor):
        return FunctionPredictor(model, predictor, options.get("weights"))
    raise InputError(
        f"model {model!r}",
        f"the factory gave a {type(predictor).__name__}",
        "an alignbench.Predictor, or a function of (images, boxes) that gives (B, L, 2)",
    )


def _import(model: str, module: str, attribute: str) -> Callable[..., Any]:
    """A factory, or a model's function, of a module on the import path or in this folder."""
    # The console script does not put the working folder on the import path, where a user's module
    # usually lies. It goes last, so that a folder in it cannot hide an installed package.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        with blame(f"model {model!r}, importing {module}"), _own_command_line(module):
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
    if callable(factory):
        return factory  # type: ignore[no-any-return]
    names = [n for n, v in vars(home).items() if getattr(v, "__module__", None) == module]
    raise unknown(f"{module} has no callable", attribute, names)


@contextmanager
def _own_command_line(module: str) -> Iterator[None]:
    """Hide our command line from a script that reads it when it is imported.

    What such a script prints before it ends the process is not shown; its last line becomes part of
    the exception.
    """
    argv, printed = sys.argv, StringIO()
    sys.argv = [module]
    try:
        with redirect_stderr(printed):
            yield
    except SystemExit as error:
        last = printed.getvalue().strip().rpartition("\n")[2]
        if last:
            error.args = (f"{error} ({last})",)
        printed.truncate(0)
        raise
    finally:
        sys.argv = argv
        sys.stderr.write(printed.getvalue())


def _surplus(model: str, name: str) -> InputError:
    what = {
        "argument": "the text after ':'", "random": "--weights random"
    }.get(name, "--" + name.replace("_", "-"))  # fmt: skip
    kind = "random weights" if name == "random" else name.replace("_", " ")
    return InputError(f"model {model!r}", f"takes no {kind}", remedy=f"Leave out {what}.")
