"""A metric of torchmetrics, for Lightning and for loops that are written for its interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

try:
    import torchmetrics
except ImportError as error:
    raise ImportError("LandmarkMetric needs torchmetrics: pip install torchmetrics") from error

from alignbench.markups import Markup
from alignbench.metrics.functional import to_numpy
from alignbench.metrics.measure import Measure
from alignbench.metrics.metric import USUAL, Bound, no_face
from alignbench.metrics.tensors import widest


class LandmarkMetric(torchmetrics.Metric):
    """:class:`alignbench.Metric` as a metric of torchmetrics, which joins ranks in its own way.

    ``compute`` gives a tensor for each measure, by its name: ``self.log_dict(metric.compute())``
    logs them in Lightning.

    Parameters
    ----------
    markup, measures, normaliser
        As those of :class:`alignbench.Metric`.
    options
        Options of :class:`torchmetrics.Metric`.

    Raises
    ------
    InputError
        If a mark-up, a measure or a normaliser is unknown.
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False

    def __init__(
        self,
        markup: str | Markup,
        measures: Sequence[str | Measure] = USUAL,
        normaliser: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._bound = Bound(markup, measures, normaliser)
        for k in range(len(self._bound.normalisers)):
            self.add_state(f"errors{k}", default=[], dist_reduce_fx="cat")

    def update(
        self,
        predicted: Tensor,
        truth: Tensor,
        normaliser: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> None:
        """Add a batch of faces; parameters and errors as in :meth:`alignbench.Metric.update`."""
        batch = self._bound.errors(predicted, truth, normaliser, mask)
        for k, values in enumerate(batch.values()):
            getattr(self, f"errors{k}").append(values)

    def compute(self) -> dict[str, Tensor]:
        """The measures over all faces: tensors of shape (); InputError if there is no face."""
        kept = [getattr(self, f"errors{k}") for k in range(len(self._bound.normalisers))]
        if not len(kept[0]):
            raise no_face("LandmarkMetric.compute")
        errors = {
            name: to_numpy(torchmetrics.utilities.dim_zero_cat(parts))
            for name, parts in zip(self._bound.normalisers, kept, strict=True)
        }
        values = self._bound.values(errors)
        like = torch.empty(0, dtype=widest(self.device), device=self.device)
        return {name: like.new_tensor(value) for name, value in values.items()}
