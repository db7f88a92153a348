"""Confidence intervals and paired tests over faces.

Faces of one source image are not independent, so everything here takes the number of each face's
image, ``clusters``, and treats images as what was sampled. Where every face has an image of its
own, each test and interval is the textbook's.

What a run needs stands here. What compares runs stands in its own modules, ``bca``, ``paired``
and ``multiple``, because it needs SciPy, which is slow to import.
"""

from __future__ import annotations

from alignbench.stats.bootstrap import Bootstrap, bootstrap_means, mean_intervals
from alignbench.stats.proportions import design_effect, wilson

__all__ = ["Bootstrap", "bootstrap_means", "design_effect", "mean_intervals", "wilson"]
