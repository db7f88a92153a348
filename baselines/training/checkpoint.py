"""The output folder of a training: what it goes on from, and what it leaves."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from alignbench.errors import InputError
from alignbench.io.files import write_atomic
from alignbench.io.notation import parse_json
from baselines.training.recipe import differing

RECIPE, LOG, CHECKPOINT, RECORD = "recipe.toml", "log.csv", "checkpoint.pt", "training.json"
WEIGHTS = "weights.safetensors"
_OURS = {RECIPE, LOG, CHECKPOINT, RECORD, WEIGHTS, "curves.svg", "curves.png", ".lock"}
_DRAFT = re.compile(r"\..+\.draft")
_SCHEMA = 1


class Row(NamedTuple):
    """One epoch of ``log.csv``; steps and seconds are counted from the beginning."""

    epoch: int
    step: int
    seconds: float
    lr: float
    loss: float
    nme: float
    fr: float
    auc: float


def prepare(folder: Path, what: Mapping[str, Any], fresh: bool) -> bool:
    """Make sure that a training may be begun or gone on with; whether it is finished already.

    Parameters
    ----------
    what
        What the training is, as JSON: recipe and data.

    Raises
    ------
    InputError
        If the folder holds another training and ``fresh`` does not say to replace it, or files
        that are no training's, whatever ``fresh`` says.
    """
    there = {entry.name for entry in folder.iterdir()}
    if strange := sorted(n for n in there - _OURS if not _DRAFT.fullmatch(n)):
        raise InputError(
            folder, f"holds {strange[0]}, which is no training's", "an empty or new folder",
            "Give another --out.",
        )  # fmt: skip
    if fresh:
        # The record first: with it the others would be taken for a finished training.
        for name in (RECORD, *sorted(_OURS - {RECORD, ".lock"})):
            (folder / name).unlink(missing_ok=True)
        return False
    if not {RECORD, WEIGHTS} <= there:
        return False
    try:
        record = parse_json((folder / RECORD).read_text(encoding="utf-8"))
        before = {"recipe": record["recipe"], "data": record["data"]}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            folder / RECORD, f"is damaged ({error})", remedy="Give another --out, or --fresh."
        ) from error
    _same(folder, before, what)
    return True


def _same(folder: Path, before: Mapping[str, Any], what: Mapping[str, Any]) -> None:
    if (difference := differing(before, what)) is not None:
        raise InputError(
            folder, f"holds another training: {difference} differs",
            remedy="Give another --out, or --fresh to replace it.",
        )  # fmt: skip


def write_checkpoint(folder: Path, state: Mapping[str, Any], what: Mapping[str, Any]) -> None:
    """Write all that is needed to go on: tensors, and numbers in plain lists and dicts."""
    buffer = io.BytesIO()
    torch.save({"schema": _SCHEMA, "what": json.dumps(what), **state}, buffer)
    write_atomic(folder / CHECKPOINT, buffer.getvalue())


def read_checkpoint(folder: Path) -> bytes | None:
    """The checkpoint's bytes; None where there is none."""
    path = folder / CHECKPOINT
    return path.read_bytes() if path.exists() else None


def unpack_checkpoint(folder: Path, data: bytes, what: Mapping[str, Any]) -> dict[str, Any]:
    """The state :func:`write_checkpoint` was given; nothing but tensors is unpickled.

    Raises
    ------
    InputError
        If it is damaged, or of another training.
    """
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        if content["schema"] != _SCHEMA:
            raise ValueError(f"schema {content['schema']}")
        before = parse_json(content["what"])
    except Exception as e:  # torch raises many kinds for a damaged file
        raise InputError(
            folder / CHECKPOINT, "is damaged: no whole checkpoint of a training",
            remedy="--fresh begins again.",
        ) from e  # fmt: skip
    _same(folder, before, what)
    return dict(content)


def write_log(folder: Path, rows: Sequence[Row]) -> None:
    """``log.csv``: a row an epoch."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(Row._fields)
    for row in rows:
        table.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row])
    write_atomic(folder / LOG, text.getvalue().encode())


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """``training.json``, the last file of a training: that it is there says it is finished."""
    text = json.dumps({"schema": _SCHEMA, **record}, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(folder / RECORD, (text + "\n").encode())
