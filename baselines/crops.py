"""The windows of the models, as the authors' test code takes them where that is known."""

from __future__ import annotations

from alignbench.predictors.settings import Crop

AWING_CROP = Crop(boxes="rect", scale=1.344, of="mean", size=256)
"""AWing's test crop without its look at the true landmarks: the box grown by 5 %, 0.8 times the
sum of its sides, of which the middle 80 % are the window: 1.344 times the mean side."""

LAB_CROP = Crop(boxes="rect", scale=1.19, of="mean", size=256, border=127)
"""LAB's test code fits the window to the true landmarks. On WFLW's test faces that window is 1.19
times the mean side of the annotated box (standard deviation 0.09); this crop needs no truth.
Outside the image the window is grey, as in that code."""
