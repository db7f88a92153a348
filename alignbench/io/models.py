"""TOML files with a known content: what is missing, unknown or wrong becomes one message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from alignbench.errors import InputError, unknown
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
    except ValueError as error:  # InputError is one, too
        if isinstance(error, InputError):
            raise
        raise InputError(path, f"not TOML ({error})", f"TOML as in {shown}") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _model_error(path, error, content, shown) from error


def _model_error(
    path: Path, error: ValidationError, content: Mapping[str, Any], shown: str
) -> InputError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "(all)"
    where = f"{path}, key {key}"
    if first["type"] == "missing":
        return InputError(where, "is missing", remedy=f"{shown} shows every key.")
    if first["type"] == "extra_forbidden":
        return InputError(where, "unknown key", remedy=f"{shown} shows every key.")
    if first["type"] == "unknown":
        return unknown(where, str(first["input"]), first["ctx"]["known"])
    return InputError(where, f"{first['msg']}, found {first['input']!r:.80}")


def toml_text(content: Mapping[str, Any], prefix: str = "") -> str:
    """JSON values, and tables of these at any depth, as the text of a TOML file."""
    tables = {name: part for name, part in content.items() if isinstance(part, dict)}
    lines = [f"{_key(k)} = {_value(v)}" for k, v in content.items() if k not in tables]
    for name, part in tables.items():
        path = f"{prefix}{_key(name)}"
        lines += ["", f"[{path}]", toml_text(part, f"{path}.").rstrip("\n")]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return (
        name
        if name.replace("-", "").replace("_", "").isalnum() and name.isascii()
        else _value(name)
    )


def _value(value: object) -> str:
    # JSON, without its surrogate pairs, and with the one character that TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
