"""Options of a network from the command line: ``propnet:stacks=2,block=bottleneck``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from alignbench.errors import InputError, unknown
from alignbench.markups import Markup, load_markup, markup_names
from alignbench.predictors.registry import parse_options

_MOST = {"stacks": 32}
"""Upper limit of an option by name, 1,024 for the others: more is an accident or a trap."""
_USUAL = 256
"""No number in the papers' networks is larger; with a larger one parameters are counted first."""
_LARGEST = 1_000_000_000
"""Most parameters of a network."""


def parse(text: str, network: type[nn.Module], where: object) -> dict[str, Any]:
    """Options as JSON values from ``name=value,name=value``; a list is ``[16,16]``.

    Raises
    ------
    InputError
        If the network has no such option or takes no such value.
    """
    return checked(parse_options(text, where), network, where)


def checked(given: Mapping[str, Any], network: type[nn.Module], where: object) -> dict[str, Any]:
    """Options that are known to the network and of the right kind, the mark-up by its name.

    Raises
    ------
    InputError
        If one is not.
    """
    parameters = inspect.signature(network).parameters
    hints = get_type_hints(network.__init__)
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in parameters:
            raise unknown(f"{where}, option", name, parameters)
        if hints[name] is Markup:
            if not isinstance(value, str) or value not in markup_names():
                raise unknown(f"{where}, markup", str(value), markup_names())
            found[name] = value
            continue
        kind = hints[name]
        # A list of one may be given without its brackets.
        if get_origin(kind) is Sequence and not isinstance(value, list | tuple):
            value = [value]
        try:
            found[name] = TypeAdapter(kind).validate_python(value, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(
                f"{where}, option {name}",
                f"{first['msg']}{' or none' if NoneType in get_args(kind) else ''}, "
                f"found {_typed(value)}",
                remedy=f"The default is {_typed(completed({}, network)[name])}.",
            ) from error
        most = _MOST.get(name, 1024)
        if any(type(number) is int and not 0 < number <= most for number in _each(found[name])):
            raise InputError(f"{where}, option {name}", f"{value}", f"1 to {most:,}")
    return found


def completed(given: Mapping[str, Any], network: type[nn.Module]) -> dict[str, Any]:
    """Options with the network's own values for those that are not given."""
    own = {name: p.default for name, p in inspect.signature(network).parameters.items()}
    plain = {name: getattr(value, "name", value) for name, value in own.items()}
    # A list and a tuple are the same option.
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in {**plain, **given}.items()
    }


def variant(given: Mapping[str, Any], network: type[nn.Module]) -> str:
    """Those of the options that are not the network's own values, as they are typed."""
    own = completed({}, network)
    return ",".join(
        f"{name}={_typed(value)}"
        for name, value in completed(given, network).items()
        if value != own[name]
    )


def _typed(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(str, value))}]"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def build(
    network: type[nn.Module], options: Mapping[str, Any], where: object = "network"
) -> nn.Module:
    """A network of options as :func:`checked` gives them.

    Raises
    ------
    InputError
        If a value does not fit the network.
    """
    named = {"markup": load_markup(options["markup"])} if "markup" in options else {}
    given = {**options, **named}
    try:
        if any(type(n) is int and n > _USUAL for value in options.values() for n in _each(value)):
            with torch.device("meta"):  # takes no memory
                size = sum(parameter.numel() for parameter in network(**given).parameters())
            if size > _LARGEST:
                raise ValueError(f"{size:,} parameters, {_LARGEST:,} is the most")
        return network(**given)
    except ValueError as error:
        raise InputError(f"{where}, options", str(error)) from error


def _each(value: Any) -> Sequence[Any]:
    """The numbers of a list, or the value alone."""
    return value if isinstance(value, list | tuple) else [value]
