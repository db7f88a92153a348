"""What a run is, before anything is predicted: its faces and its record."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from alignbench.boxes import Boxes
from alignbench.datasets.base import FULL, Dataset
from alignbench.environment import environment
from alignbench.errors import InputError, blame
from alignbench.markups import Markup
from alignbench.metrics import Measure
from alignbench.predictors.base import Predictor
from alignbench.runs.record import (
    DatasetBlock,
    ModelBlock,
    ProtocolBlock,
    RunRecord,
    StatisticsBlock,
    run_key,
)
from alignbench.stats import Bootstrap
from alignbench.version import __version__


def choose_faces(
    dataset: Dataset, predictor: Predictor, limit: int | None, require_complete: bool
) -> tuple[Dataset, DatasetBlock]:
    """The faces to evaluate, and the record's word on what is missing.

    Raises
    ------
    InputError
        If no face is left, or one is missing and ``require_complete`` is set.
    """
    faces = np.arange(len(dataset))
    reasons = [
        f"{here:,} of {official:,} {'faces' if name == FULL else f'{name} faces'} annotated"
        for name, (here, official) in dataset.shortfall().items()
    ]
    missing = np.empty(0, np.intp)
    if predictor.needs_images:
        there = dataset.images.available()
        missing, faces = np.flatnonzero(~there), np.flatnonzero(there)
        if not len(faces):
            raise InputError(
                f"data set {dataset.name}, split {dataset.split}",
                f"no image is there, the first missing one is {dataset.images.location(0)}",
                "the images in the data set's official layout",
                f"{predictor.name} looks at images: put them there.",
            )
    if len(missing):
        reasons.append(f"image missing for {len(missing):,} of {len(dataset):,} faces")
    if require_complete and reasons:
        first = f" (first: {dataset.images.location(missing[0])})" if len(missing) else ""
        raise InputError(
            f"data set {dataset.name}, split {dataset.split}",
            f"incomplete: {'; '.join(reasons)}{first}",
            "every face and image",
            "Complete the data, or leave out --require-complete.",
        )
    limited = limit is not None and limit < len(faces)
    if limited:
        faces = faces[:limit]
        reasons.append(f"limited to the first {limit:,} faces")
    chosen = dataset if len(faces) == len(dataset) else dataset.take(faces)
    return chosen, DatasetBlock(
        name=dataset.name,
        split=dataset.split,
        markup=dataset.markup.name,
        faces=len(chosen),
        official=dataset.official.get(FULL),
        complete=not reasons,
        incomplete=tuple(reasons),
        images_missing=len(missing),
        limit=limit if limited else None,
        fingerprint=chosen.fingerprint(),
        images_digest=chosen.images.digest() if predictor.needs_images else None,
        normalisers=dataset.normalisers,
        threshold=dataset.threshold,
    )


def _model_block(name: str, predictor: Predictor, markup: Markup) -> ModelBlock:
    with blame(f"model {predictor.name!r}, describe()"):
        identity = dict(predictor.describe())
        notes = identity.pop("notes", None) or ()
        json.dumps(identity).encode()
    if isinstance(notes, str) or not all(isinstance(note, str) for note in notes):
        raise InputError(f"model {predictor.name!r}, describe()", "notes are not a list of texts")
    return ModelBlock(name=name, markup=markup.name, identity=identity, notes=tuple(notes))


def make_record(
    name: str,
    predictor: Predictor,
    markup: Markup,
    dataset: Dataset,
    block: DatasetBlock,
    boxes: Boxes,
    measures: Sequence[Measure],
    bootstrap: Bootstrap,
) -> RunRecord:
    """The record of a run that has not begun; its key is the hash of the four first blocks."""
    model = _model_block(name, predictor, markup)
    protocol = ProtocolBlock(
        boxes=boxes.protocol,
        boxes_digest=boxes.digest,
        box_scale=boxes.scale,
        leak=boxes.leak,
        decoding=predictor.decoding,
        conversion=None if markup is dataset.markup else f"{markup.name} -> {dataset.markup.name}",
    )
    statistics = StatisticsBlock(
        measures=tuple(str(measure) for measure in measures),
        replicates=bootstrap.replicates,
        confidence=bootstrap.confidence,
        seed=bootstrap.seed,
        shares="wilson",
        clusters=len(set(dataset.images.sources())),
    )
    return RunRecord(
        alignbench=__version__,
        key=run_key(model, block, protocol, statistics, version=__version__),
        status="running",
        model=model,
        dataset=block,
        protocol=protocol,
        statistics=statistics,
        environment=environment(),
    )
