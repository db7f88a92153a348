"""Options of a network from the command line: ``propnet:stacks=2,block=bottleneck``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from alignbench.exceptions import InputError, unknown
from alignbench.markups import Markup, load_markup, markup_names
from alignbench.predictors.registry import parse_options

_LARGEST = {"stacks": 32}
"""Upper limits of options by name; 1,024 for all others. More is a mistake or an attack."""
_USUAL = 256
"""The largest number in the papers' networks. With a larger one, parameters are counted first."""
_PARAMETERS = 1_000_000_000
"""Most parameters of a network."""


def parse(text: str, network: type[nn.Module], where: object) -> dict[str, Any]:
    """Options as JSON values from ``name=value,name=value``; a list is ``[16,16]``.

    Raises InputError if the network has no such option, or it cannot have such a value.
    """
    return check(parse_options(text, where), network, where)


def check(options: Mapping[str, Any], network: type[nn.Module], where: object) -> dict[str, Any]:
    """The options, if the network knows them and they are of the right kind.

    The mark-up stays a name.

    Raises InputError if one is unknown or of another kind.
    """
    parameters = inspect.signature(network).parameters
    hints = get_type_hints(network.__init__)
    valid: dict[str, Any] = {}
    for name, value in options.items():
        if name not in parameters:
            raise unknown(f"{where}, option", name, parameters)
        kind = hints[name]
        if kind is Markup:
            if not isinstance(value, str) or value not in markup_names():
                raise unknown(f"{where}, markup", str(value), markup_names())
            valid[name] = value
            continue
        # A list of one may be given without its brackets.
        if get_origin(kind) is Sequence and not isinstance(value, list | tuple):
            value = [value]
        try:
            valid[name] = TypeAdapter(kind).validate_python(value, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(
                f"{where}, option {name}",
                f"{first['msg']}{' or none' if NoneType in get_args(kind) else ''}, "
                f"found {_spell(value)}",
                remedy=f"The default is {_spell(complete({}, network)[name])}.",
            ) from error
        largest = _LARGEST.get(name, 1024)
        if any(type(n) is int and not 0 < n <= largest for n in _each(valid[name])):
            raise InputError(f"{where}, option {name}", f"{value}", f"1 to {largest:,}")
    return valid


def complete(options: Mapping[str, Any], network: type[nn.Module]) -> dict[str, Any]:
    """All options of a network: these, and the defaults of the others."""
    parameters = inspect.signature(network).parameters
    defaults = {name: getattr(p.default, "name", p.default) for name, p in parameters.items()}
    # A list and a tuple are the same option.
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in {**defaults, **options}.items()
    }


def variant(options: Mapping[str, Any], network: type[nn.Module]) -> str:
    """Those of the options that are not the network's defaults, as a user types them."""
    defaults = complete({}, network)
    return ",".join(
        f"{name}={_spell(value)}"
        for name, value in complete(options, network).items()
        if value != defaults[name]
    )


def build(
    network: type[nn.Module], options: Mapping[str, Any], where: object = "network"
) -> nn.Module:
    """A network of options as :func:`check` gives them.

    Raises InputError if the options do not fit each other, or the network would be too large.
    """
    arguments = dict(options)
    if "markup" in options:
        arguments["markup"] = load_markup(options["markup"])
    try:
        if any(type(n) is int and n > _USUAL for value in options.values() for n in _each(value)):
            with torch.device("meta"):  # takes no memory
                size = sum(parameter.numel() for parameter in network(**arguments).parameters())
            if size > _PARAMETERS:
                raise ValueError(f"{size:,} parameters, {_PARAMETERS:,} is the most")
        return network(**arguments)
    except ValueError as error:
        raise InputError(f"{where}, options", str(error)) from error


def _each(value: Any) -> Sequence[Any]:
    """The values of a list, or the value alone."""
    return value if isinstance(value, list | tuple) else [value]


def _spell(value: Any) -> str:
    """A value as a user types it."""
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
