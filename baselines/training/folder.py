"""The output folder of a training: checkpoint, record, a row for each epoch and its curves."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from alignbench.exceptions import InputError
from alignbench.io.files import write_atomic
from alignbench.io.notation import parse_json

RECIPE, LOG, CHECKPOINT, RECORD = "recipe.toml", "log.csv", "checkpoint.pt", "training.json"
WEIGHTS, CURVES = "weights.safetensors", "curves.png"
INITIAL = "initial"
"""Folder of the training whose weights a training begins with."""
_OURS = {RECIPE, LOG, CHECKPOINT, RECORD, WEIGHTS, INITIAL, CURVES, ".lock"}
_DRAFT = re.compile(r"\..+\.draft")
_SCHEMA = 1
_LOSS, _NME = "#0072B2", "#D55E00"
"""Two of Okabe and Ito's palette."""


class TrainingFolder:
    """The folder of one training.

    ``path`` is the folder; ``what`` describes the training as JSON: recipe and data. ``kept`` says
    in words how far the last checkpoint had come that was read or written; it is empty before.
    """

    def __init__(self, path: Path, what: Mapping[str, Any]) -> None:
        self.path, self.what = path, what
        self.kept = ""

    def prepare(self, fresh: bool) -> bool:
        """Check that a training may begin or continue here; gives whether it is finished already.

        Raises InputError if the folder holds another training and ``fresh`` does not say to
        replace it, or, whatever ``fresh`` says, files that are not of a training.
        """
        names = {entry.name for entry in self.path.iterdir()}
        if strange := sorted(n for n in names - _OURS if not _DRAFT.fullmatch(n)):
            raise InputError(
                self.path, f"holds {strange[0]}, which is not of a training",
                "an empty or new folder", "Give another --out.",
            )  # fmt: skip
        if fresh:
            # The record goes first: with it, the other files would look like a finished training.
            for name in (RECORD, *sorted(_OURS - {RECORD, INITIAL, ".lock"})):
                (self.path / name).unlink(missing_ok=True)
            return False
        if not {RECORD, WEIGHTS} <= names:
            return False
        try:
            record = parse_json((self.path / RECORD).read_text(encoding="utf-8"))
            before = {"recipe": record["recipe"], "data": record["data"]}
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                self.path / RECORD, f"is damaged ({error})",
                remedy="Give another --out, or --fresh.",
            ) from error  # fmt: skip
        self._compare(before)
        return True

    def _compare(self, before: Mapping[str, Any]) -> None:
        """Raise InputError if what the folder holds is another training."""
        if (difference := find_difference(before, self.what)) is not None:
            raise InputError(
                self.path, f"holds another training: {difference} differs",
                remedy="Give another --out, or --fresh to replace it.",
            )  # fmt: skip

    def write_checkpoint(self, state: Mapping[str, Any], place: str) -> None:
        """Write all that is needed to go on: tensors, and numbers in plain lists and dicts."""
        buffer = io.BytesIO()
        torch.save({"schema": _SCHEMA, "what": json.dumps(self.what), **state}, buffer)
        write_atomic(self.path / CHECKPOINT, buffer.getvalue())
        self.kept = place

    def read_checkpoint(self) -> bytes | None:
        """The checkpoint's bytes; None where there is none."""
        path = self.path / CHECKPOINT
        return path.read_bytes() if path.exists() else None

    def unpack_checkpoint(self, data: bytes) -> dict[str, Any]:
        """The state in the bytes of a checkpoint; nothing but tensors is unpickled.

        Raises InputError if it is damaged, or of another training.
        """
        try:
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
            if content["schema"] != _SCHEMA:
                raise ValueError(f"schema {content['schema']}")
            before = parse_json(content["what"])
        except Exception as error:  # torch raises many kinds for a damaged file
            raise InputError(
                self.path / CHECKPOINT, "is damaged: no whole checkpoint of a training",
                remedy="--fresh begins again.",
            ) from error  # fmt: skip
        self._compare(before)
        return dict(content)

    def write_record(self, record: Mapping[str, Any]) -> None:
        """Write ``training.json``, the last file: it says that the training is finished."""
        content = {"schema": _SCHEMA, **self.what, **record}
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        write_atomic(self.path / RECORD, (text + "\n").encode())


def find_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """The first dotted key at which two trainings, as JSON, differ, with both values; or None."""
    for key in dict.fromkeys([*before, *now]):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            if (inner := find_difference(old, new)) is not None:
                return f"{key}.{inner}"
        elif old != new:
            return f"{key} ({old!r} there, {new!r} now)"
    return None


class Row(NamedTuple):
    """One epoch; steps and seconds are counted from the beginning, NME and FR are in percent."""

    epoch: int
    step: int
    seconds: float
    lr: float
    loss: float
    nme: float
    fr: float
    auc: float


def write_log(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``log.csv``."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(Row._fields)
    for row in rows:
        table.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row])
    write_atomic(folder / LOG, text.getvalue().encode())


def draw_curves(folder: Path, rows: Sequence[Row], title: str, unit: str) -> None:
    """Write ``curves.png``: loss and NME, a percentage of ``unit``, by epoch."""
    epochs = [row.epoch for row in rows]
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    mark = "o" if len(rows) <= 40 else ""
    above.plot(epochs, [row.loss for row in rows], color=_LOSS, marker=mark, markersize=3)
    below.plot(
        epochs, [row.nme for row in rows], color=_NME, marker=mark, markersize=3, linestyle="--"
    )
    if all(row.loss > 0 for row in rows):
        above.set_yscale("log")
        above.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        # Plain numbers: powers of ten need mathematical text, which is switched off below.
        above.yaxis.set_major_formatter("{x:g}")
        above.yaxis.set_minor_formatter(NullFormatter())
    above.set_ylabel("Training loss")
    above.set_title(title, fontsize="medium", loc="left")
    below.set(xlabel="Epoch", ylabel=f"Validation NME,\n% of {unit}")
    below.set_ylim(bottom=0)
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    below.annotate(
        f"{rows[-1].nme:.2f} %", (epochs[-1], rows[-1].nme), xytext=(0, 6),  # not landmarks
        textcoords="offset points", ha="right", fontsize="small",
    )  # fmt: skip
    for axes in (above, below):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    with mpl.rc_context({"text.parse_math": False}):
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    write_atomic(folder / CURVES, buffer.getvalue())
