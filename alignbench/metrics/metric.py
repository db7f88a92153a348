"""Measures over batches, for a training loop: update, compute, reset, merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alignbench.arrays import Floats
from alignbench.distributed import gather_objects
from alignbench.exceptions import InputError
from alignbench.markups import Markup, load_markup
from alignbench.metrics.errors import normaliser_names
from alignbench.metrics.functional import Array, choose_normaliser, errors, to_numpy
from alignbench.metrics.measure import Measure, read_measures

USUAL = ("nme", "fr@0.10", "auc@0.10")
"""Measures by default."""


class Bound:
    """Measures of one mark-up by the names that were asked for, and the normalisers they need.

    ``usual`` is the normaliser of the measures that name none; in ``normalisers`` an empty text
    stands for it. :class:`Metric` and its adapters share this class.
    """

    def __init__(
        self, markup: str | Markup, measures: Sequence[str | Measure], normaliser: str | None
    ) -> None:
        self.markup = load_markup(markup) if isinstance(markup, str) else markup
        self.usual = choose_normaliser(self.markup, normaliser)
        requested = read_measures(measures, normaliser_names(self.markup))
        if not requested:
            raise InputError("measures", "none", "one or more, such as nme and fr@0.10")
        self.measures = {str(m): m for m in requested}
        self.normalisers = tuple(dict.fromkeys(m.normaliser or "" for m in requested))

    def errors(
        self, predicted: Array, truth: Array, scale: Array | None, mask: Array | None
    ) -> dict[str, Array]:
        """Errors (N,) by normaliser; ``scale`` (N,), in pixels, stands for the usual one."""
        if isinstance(scale, str):
            raise InputError(
                "normaliser", f"the name {scale!r}", "an array (N,) of pixels",
                "Name it where the metric is made.",
            )  # fmt: skip
        if scale is not None and "" not in self.normalisers:
            accepted = f"a measure without a normaliser, beside {', '.join(self.measures)}"
            raise InputError("normaliser", "an array that no measure uses", accepted)
        usual = self.usual if scale is None else scale
        return {
            name: errors(predicted, truth, self.markup, normaliser=name or usual, mask=mask)
            for name in self.normalisers
        }

    def values(self, by_normaliser: Mapping[str, Floats]) -> dict[str, float]:
        """The measures over errors (N,) by normaliser."""
        return {
            name: measure.value(by_normaliser[measure.normaliser or ""])
            for name, measure in self.measures.items()
        }


class Metric:
    """Measures over the faces of many batches, with the digits of a run.

    For each face only its error is kept, on the device of its landmarks: 8 bytes for each
    normaliser. The values are therefore the same however faces are dealt to batches and processes,
    up to the order in which they are summed.

    Parameters
    ----------
    markup
        The mark-up of the landmarks, or its name, such as ``"wflw98"``.
    measures
        Measures, by their names: ``"nme"``, ``"fr@0.08"``, ``"auc(box)@0.10"``.
    normaliser
        The normaliser of the measures that name none. By default ``"inter_ocular"``, and
        ``"box"`` for a mark-up without it.

    Raises
    ------
    InputError
        If a mark-up, a measure or a normaliser is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.random.default_rng(0).uniform(0, 100, (10, 98, 2))
    >>> metric = Metric("wflw98", measures=["nme(box)", "fr(box)@0.10"])
    >>> for rows in (slice(0, 6), slice(6, 10)):
    ...     metric.update(truth[rows] + 2.0, truth[rows])
    >>> {name: round(value, 2) for name, value in metric.compute().items()}
    {'nme(box)': 2.88, 'fr(box)@0.10': 0.0}
    """

    def __init__(
        self,
        markup: str | Markup,
        measures: Sequence[str | Measure] = USUAL,
        normaliser: str | None = None,
    ) -> None:
        self._bound = Bound(markup, measures, normaliser)
        self.reset()

    def __repr__(self) -> str:
        names = ", ".join(self._bound.measures)
        return (
            f"Metric({self._bound.markup.name}: {names}; normaliser {self._bound.usual}; "
            f"{self.faces:,} faces here)"
        )

    @property
    def faces(self) -> int:
        """Number of faces that this process has seen; a face that came twice is counted twice."""
        return sum(len(part) for part in self._errors[self._bound.normalisers[0]])

    def reset(self) -> None:
        """Forget all faces."""
        self._errors: dict[str, list[Array]] = {name: [] for name in self._bound.normalisers}
        self._ids: list[str | int] = []
        self._has_scale = False

    def update(
        self,
        predicted: Array,
        truth: Array,
        *,
        normaliser: Array | None = None,
        mask: Array | None = None,
        ids: Sequence[str | int] | None = None,
    ) -> None:
        """Add a batch of faces.

        Parameters
        ----------
        predicted, truth
            (N, L, 2) in pixels: arrays, or tensors of any device; as in
            :func:`alignbench.errors`.
        normaliser
            (N,) in pixels, in place of the normaliser of the measures that name none.
        mask
            (N, L) of bool: the landmarks that count.
        ids
            (N,) texts or whole numbers that tell faces apart. A face that comes several times then
            counts once: PyTorch's ``DistributedSampler`` repeats faces so that every process has
            as many. Give them for every batch or for none.

        Raises
        ------
        InputError
            As :func:`alignbench.errors`; or if ids are missing, of another type, or not one for
            each face; or if only some batches have ids or a normaliser.
        """
        added = [] if ids is None else _read_ids(ids)
        if ids is not None and len(added) != len(truth):
            raise InputError("ids", f"{len(added)} ids", f"{len(truth)}, one for each face")
        if len(self._ids) != (0 if ids is None else self.faces):
            raise InputError("ids", "in some batches only", "ids of every batch, or of none")
        if self.faces and self._has_scale != (normaliser is not None):
            raise InputError("normaliser", "in some batches only", "in every batch, or in none")
        batch = self._bound.errors(predicted, truth, normaliser, mask)
        self._has_scale = normaliser is not None
        for name, values in batch.items():
            self._errors[name].append(values)
        self._ids += added

    def compute(self, *, across_ranks: bool = True) -> dict[str, float]:
        """The measures over all faces, by the names that were asked for.

        Where a process group of ``torch.distributed`` is initialised, the faces of all its
        processes count; then every process must call this.

        Parameters
        ----------
        across_ranks
            Whether the faces of other processes count.

        Returns
        -------
        dict
            NME and FR in percent, AUC as a fraction; NaN where no face counts.

        Raises
        ------
        InputError
            If there is no face.
        """
        local_faces = ({name: _join(parts) for name, parts in self._errors.items()}, self._ids)
        everyone = gather_objects(local_faces) if across_ranks else [local_faces]
        errors = {
            name: np.concatenate([part[name] for part, _ in everyone])
            for name in self._bound.normalisers
        }
        ids = [one for _, some in everyone for one in some]
        faces = len(next(iter(errors.values())))
        if not faces:
            raise no_face("Metric.compute")
        if ids and len(ids) != faces:
            raise InputError("ids", "from some processes only", "ids from all, or from none")
        if ids:
            place = {one: k for k, one in reversed([*enumerate(ids)])}  # the first place of each
            rows = np.sort(np.fromiter(place.values(), np.intp))
            errors = {name: values[rows] for name, values in errors.items()}
        return self._bound.values(errors)

    def merge(self, other: Metric) -> None:
        """Add the faces of another metric of the same mark-up and measures.

        Raises
        ------
        InputError
            If it has another mark-up, other measures or another normaliser, or only one of the two
            has ids.
        """
        bound, other_bound = self._bound, other._bound
        if any(
            getattr(other_bound, k) != getattr(bound, k) for k in ("markup", "measures", "usual")
        ):
            raise InputError("Metric.merge", f"{other!r}", f"{self!r}")
        if self.faces and other.faces and bool(self._ids) != bool(other._ids):
            raise InputError("Metric.merge", "ids in one of the two", "in both or in none")
        if self.faces and other.faces and self._has_scale != other._has_scale:
            raise InputError("Metric.merge", "a normaliser in one of the two", "in both or none")
        self._has_scale = other._has_scale if other.faces else self._has_scale
        for name, parts in other._errors.items():
            self._errors[name] += parts
        self._ids += other._ids


def no_face(where: str) -> InputError:
    """The error for measures of no face at all."""
    return InputError(where, "no face", "one face or more", "Call update first.")


def _read_ids(ids: Any) -> list[str | int]:
    values = ids.tolist() if hasattr(ids, "tolist") else list(ids)
    for value in values:
        # A tensor of one number is another object each time: a face that is repeated would count.
        if not isinstance(value, str | int | np.integer):
            raise InputError("ids", f"a {type(value).__name__}", "texts or whole numbers")
    return values


def _join(parts: Sequence[Any]) -> Floats:
    return np.concatenate([np.empty(0), *map(to_numpy, parts)])
