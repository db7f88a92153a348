"""What a run is, before anything is predicted: its faces, boxes, measures and record."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from alignbench.arrays import Floats
from alignbench.boxes import Boxes, choose_boxes
from alignbench.datasets.base import FULL, Dataset
from alignbench.datasets.landmarks import choose_markup, select_landmarks
from alignbench.environment import environment
from alignbench.exceptions import InputError, blame
from alignbench.io.images import rotated_images
from alignbench.markups import (
    Indices,
    Markup,
    approximate_landmarks,
    find_route,
    require_convertible,
)
from alignbench.metrics import Measure, parse_measure
from alignbench.metrics.errors import BOX, normaliser_names, normalisers
from alignbench.predictors.base import Predictor
from alignbench.predictors.facts import UNKNOWN, ModelFacts
from alignbench.predictors.identity import Identity, identify
from alignbench.runs.record import (
    DatasetBlock,
    MarkupBlock,
    MeasureBlock,
    ModelBlock,
    ProtocolBlock,
    RunRecord,
    StatisticsBlock,
    run_key,
)
from alignbench.stats import Bootstrap
from alignbench.version import __version__


@dataclass(frozen=True)
class Plan:
    """A run that has not begun.

    Attributes
    ----------
    faces, boxes
        The faces to evaluate and the boxes they are presented in.
    measures, bootstrap
        What is measured, and how intervals are made.
    record
        Its record, with status ``running``.
    identity
        What identifies the model, and whether that is certain: stored results are read back only
        where it is.
    """

    faces: Dataset
    boxes: Boxes
    measures: tuple[Measure, ...]
    bootstrap: Bootstrap
    record: RunRecord
    identity: Identity


def make_plan(
    predictor: Predictor,
    dataset: Dataset,
    *,
    name: str | None,
    boxes: str | None,
    box_scale: float,
    limit: int | None,
    landmarks: str | None,
    measures: Sequence[Measure],
    bootstrap: Bootstrap,
    require_complete: bool,
) -> Plan:
    """The plan of a run; parameters and errors as those of :func:`alignbench.evaluate`."""
    where = f"model {predictor.name!r}"
    _check_predictor(predictor)
    if not 1e-3 <= box_scale <= 1e3:
        raise InputError("--box-scale", f"{box_scale}", "a factor of 0.001 to 1000")
    with blame(where):
        predictor.prepare(dataset)
    markup = predictor.markup or dataset.markup
    if landmarks is not None:
        chosen = choose_markup(landmarks, markup, dataset.markup)
        dataset = select_landmarks(dataset, chosen, _scales(dataset))
    require_convertible(markup, dataset.markup)
    faces, block = choose_faces(dataset, predictor, limit, require_complete)
    _check_measures(block, measures)
    presented = choose_boxes(dataset, faces, predictor, boxes, box_scale)
    block = block.model_copy(update={"notes": (*block.notes, *presented.notes)})
    identity = identify(predictor)
    conversion = None if markup == dataset.markup else f"{markup.name} -> {dataset.markup.name}"
    with blame(where):
        model = _model_block(name or predictor.name, predictor, markup, identity, dataset)
        protocol = ProtocolBlock(
            boxes=presented.protocol, boxes_digest=presented.digest, box_scale=presented.scale,
            leak=presented.leak, decoding=predictor.decoding, conversion=conversion,
            approximate=_approximate(markup, dataset),
        )  # fmt: skip
        statistics = StatisticsBlock(
            measures=tuple(map(MeasureBlock.of, measures)), replicates=bootstrap.replicates,
            confidence=bootstrap.confidence, seed=bootstrap.seed,
            clusters=len(set(faces.cluster_names())),
        )  # fmt: skip
        maps = [
            here.conversions[to.name] for here, to in pairwise(find_route(markup, dataset.markup))
        ]
        key = run_key(
            model, block, protocol, statistics, version=__version__, conversion=maps or None
        )
        record = RunRecord(
            alignbench=__version__, key=key, status="running", model=model, dataset=block,
            protocol=protocol, statistics=statistics, environment=environment(),
        )  # fmt: skip
    return Plan(faces, presented, tuple(measures), bootstrap, record, identity)


def choose_faces(
    dataset: Dataset, predictor: Predictor, limit: int | None, require_complete: bool
) -> tuple[Dataset, DatasetBlock]:
    """The faces to evaluate, and the record's words on what is missing.

    Raises
    ------
    InputError
        If no face is left, or one is missing and ``require_complete`` is set.
    """
    if limit is not None and limit < 1:
        raise InputError("--limit", f"{limit}", "1 or more")
    faces = np.arange(len(dataset))
    where = f"data set {dataset.name}, split {dataset.split}"
    reasons = [
        f"{here:,} of {official:,} {'faces' if name == FULL else f'{name} faces'} annotated"
        for name, (here, official) in dataset.shortfall().items()
    ]
    reasons += dataset.incomplete
    missing = np.empty(0, np.intp)
    if predictor.needs_images:
        available = dataset.images.available()
        missing, faces = np.flatnonzero(~available), np.flatnonzero(available)
        if not len(faces):
            raise InputError(
                where, f"has no image; the first missing one is {dataset.images.location(0)}",
                "the images in the data set's official layout",
                f"{predictor.name} looks at images: put them into this folder.",
            )  # fmt: skip
    if len(missing):
        reasons.append(f"image missing for {len(missing):,} of {len(dataset):,} faces")
    if require_complete and reasons:
        first = f" (first: {dataset.images.location(missing[0])})" if len(missing) else ""
        raise InputError(
            where, f"incomplete: {'; '.join(reasons)}{first}", "every face and image",
            "Complete the data, or leave out --require-complete.",
        )  # fmt: skip
    limited = limit is not None and limit < len(faces)
    if limited:
        faces = faces[:limit]
        reasons.append(f"limited to the first {limit:,} faces")
    chosen = dataset if len(faces) == len(dataset) else dataset.take(faces)
    # Refuses a normaliser of zero before any work, and leaves out normalisers that a face lacks.
    scales = _scales(chosen)
    return chosen, DatasetBlock(
        name=dataset.name, split=dataset.split,
        markup=MarkupBlock.of(dataset.markup, scales),
        whole_markup=None if dataset.whole is None else dataset.whole[0].name,
        faces=len(chosen), official=dataset.official.get(FULL), complete=not reasons,
        incomplete=tuple(reasons), images_missing=len(missing), limit=limit if limited else None,
        fingerprint=chosen.fingerprint(),
        images_digest=chosen.images.digest() if predictor.needs_images else None,
        normalisers=tuple(n for n in dataset.normalisers if n in scales) or (BOX,),
        threshold=dataset.threshold,
        subsets=tuple(dataset.subsets), scales=tuple(dataset.scales),
        sampled=dataset.sampled, unannotated=chosen.unannotated(),
        source=dataset.source, origin=dataset.origin,
        notes=(
            *dataset.notes, *_normaliser_notes(dataset, scales), *_box_note(chosen),
            *(_image_notes(chosen) if predictor.needs_images else ()),
        ),
    )  # fmt: skip


def _scales(dataset: Dataset) -> dict[str, Floats]:
    return normalisers(dataset.points, dataset.markup, dataset.ids, dataset.scales)


def _image_notes(faces: Dataset) -> tuple[str, ...]:
    """What readers must know about the images of these faces."""
    rotated = rotated_images(faces.images)
    if not rotated:
        return ()
    images = len(set(faces.images.sources()))
    note = (
        f"{len(rotated):,} of {images:,} images have an EXIF rotation, such as {rotated[0]}; it is "
        "ignored. Landmarks that were annotated in a rotated view do not fit them."
    )
    return (note,)


def _normaliser_notes(dataset: Dataset, computed: Container[str]) -> list[str]:
    """The notes on normalisers of the data set's papers that cannot be computed for every face."""
    return [
        f"Errors by {name} are missing: in at least one face a landmark that it needs is not "
        "annotated."
        for name in dataset.normalisers
        if name not in computed
    ]


def _box_note(faces: Dataset) -> tuple[str, ...]:
    """The note on annotated boxes that most landmarks of their faces lie outside."""
    names = faces.boxes_elsewhere()
    if not names:
        return ()
    found = (
        f"{len(names):,} of {len(faces):,} faces have most landmarks outside their annotated box"
    )
    return (f"{found}, such as {names[0]}.",)


def _check_predictor(predictor: Predictor) -> None:
    if not isinstance(predictor.name, str) or not predictor.name:
        raise InputError(f"model {type(predictor).__name__}", "has no name", "a text in .name")
    if not isinstance(predictor.markup, Markup | None):
        raise InputError(
            f"model {predictor.name!r}", f"markup is {predictor.markup!r}",
            "None or a Markup, such as alignbench.markups.WFLW98",
        )  # fmt: skip


def _check_measures(dataset: DatasetBlock, measures: Sequence[Measure]) -> None:
    norms = normaliser_names(dataset.markup.to_markup(), dataset.scales)
    for measure in measures:
        parse_measure(str(measure), norms)
    if taken := {"id", "image", *norms} & set(dataset.subsets):
        raise InputError(
            f"data set {dataset.name!r}",
            f"the subset {min(taken)!r} has the name of another column of faces.csv",
            "another name",
        )


def _model_block(
    name: str, predictor: Predictor, markup: Markup, identity: Identity, dataset: Dataset
) -> ModelBlock:
    where = f"model {predictor.name!r}, describe()"
    with blame(where):
        described = dict(predictor.describe())
        notes = described.pop("notes", None) or ()
        parts = described | identity.parts
        json.dumps(parts).encode()
    if isinstance(notes, str) or not all(isinstance(note, str) for note in notes):
        raise InputError(where, "notes are not a list of texts")
    return ModelBlock(
        name=name, markup=markup.name, landmarks=markup.landmarks, identity=parts,
        notes=(*notes, *_facts(predictor).notes(), *training_warnings(predictor, dataset)),
    )  # fmt: skip


def _approximate(markup: Markup, dataset: Dataset) -> Indices:
    """Landmarks that are approximate in a model's output, or in the truth if it is converted."""
    annotated = dataset.annotated_markup
    return tuple(
        sorted(
            {*approximate_landmarks(markup, dataset.markup)}
            | {*approximate_landmarks(annotated, dataset.markup)}
        )
    )


def training_warnings(predictor: Predictor, dataset: Dataset) -> tuple[str, ...]:
    """What must be said where a model was trained on the faces it is evaluated on."""
    return _facts(predictor).warnings(dataset.name, dataset.split)


def _facts(predictor: Predictor) -> ModelFacts:
    facts = getattr(predictor, "facts", None)
    return facts if isinstance(facts, ModelFacts) else UNKNOWN
