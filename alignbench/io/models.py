"""TOML files with a known content: what is missing, unknown or wrong becomes one message."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from alignbench.exceptions import InputError, unknown
from alignbench.io.files import reading
from alignbench.io.notation import parse_toml

M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """A table of such a file: no unknown keys, no infinite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def read_model(path: Path, model: type[M], shown: str) -> M:
    """The content of a TOML file.

    Parameters
    ----------
    shown
        The document that shows every key.

    Raises
    ------
    InputError
        If the file does not exist, is not TOML, or a key is missing, unknown or has a wrong value.
    """
    try:
        with reading(path):
            content = parse_toml(path.read_text(encoding="utf-8"))
    except InputError:
        raise
    except ValueError as error:
        raise InputError(path, f"not TOML ({error})", f"TOML as in {shown}") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise model_error(path, error, model, shown) from error


def model_error(
    path: Path, error: ValidationError, model: type[BaseModel], shown: str
) -> InputError:
    """The message for a file whose content should be this model."""
    errors = error.errors()
    # An unknown key is reported before a missing one: it may be a misspelling of that one.
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    *table, key = [str(part) for part in first["loc"]] or ["(all)"]
    dotted = ".".join([*table, key])
    where, remedy = f"{path}, key {dotted}", f"{shown} shows every key."
    if first["type"] == "missing":
        return InputError(where, "is missing", remedy=remedy)
    if first["type"] == "extra_forbidden":
        known = [".".join([*table, name]) for name in _keys(model, table)]
        return unknown(f"{path}, key", dotted, known, remedy)
    if first["type"] == "unknown":
        return unknown(where, str(first["input"]), first["ctx"]["known"])
    return InputError(where, f"{first['msg']}, found {first['input']!r:.80}")


def _keys(model: Any, table: Sequence[str]) -> Iterable[str]:
    """The keys of a table in a file of a model.

    On the way down, a table is a model, or a Mapping if its keys are names that the user chose.
    """
    for key in table:
        is_model = isinstance(model, type) and issubclass(model, BaseModel)
        model = model.model_fields[key].annotation if is_model else get_args(model)[-1]
    keys: Iterable[str] = model.model_fields
    return keys


def toml_text(content: Mapping[str, Any], prefix: str = "") -> str:
    """JSON values, and tables of these at any depth, as the text of a TOML file."""
    tables = {name: part for name, part in content.items() if isinstance(part, dict)}
    lines = [f"{_key(k)} = {_value(v)}" for k, v in content.items() if k not in tables]
    for name, part in tables.items():
        path = f"{prefix}{_key(name)}"
        if not part or not all(isinstance(value, dict) for value in part.values()):
            lines += ["", f"[{path}]"]
        if part:
            lines.append(toml_text(part, f"{path}.").rstrip("\n"))
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return (
        name
        if name.replace("-", "").replace("_", "").isalnum() and name.isascii()
        else _value(name)
    )


def _value(value: object) -> str:
    # A string of JSON is one of TOML, without surrogate pairs and with one more character escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
