"""Decoding heatmaps (N, L, H, W) to landmarks (N, L, 2).

Landmarks are x and y in 0-based pixel-centre coordinates of the map itself; :func:`to_crop` takes
them to the crop the network saw.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from alignbench.arrays import Bools, Floats

Maps = NDArray[np.floating]

SIGMA, WINDOW, TEMPERATURE = 1.75, 7, 0.15
"""Defaults of :func:`dark`, whose sigma is that of AWing's maps, and :func:`local_soft_argmax`."""
_NEAR = 2
"""Pixels to either side of the highest one that DARK's derivatives look at."""


def argmax(maps: Maps) -> Floats:
    """The highest pixel of each map; the first one, row by row, where several are highest."""
    n, landmarks, _, width = maps.shape
    peak = maps.reshape(n, landmarks, -1).argmax(axis=2)
    return np.stack([peak % width, peak // width], axis=2).astype(np.float64)


def quarter(maps: Maps) -> Floats:
    """The highest pixel, moved a quarter of a pixel towards its higher neighbour on each axis.

    Newell et al., ECCV 2016, and most heatmap papers since. A peak on the border of the map stays
    where it is, on both axes; so does one between equal neighbours.
    """

    def shift(before: Floats, _: Floats, after: Floats) -> Floats:
        # Compared, not subtracted: both may be minus infinity.
        return ((after > before).astype(np.float64) - (after < before)) / 4

    return _refine(maps, shift)


def parabola(maps: Maps) -> Floats:
    """The peak of the parabola through the logarithms of the highest pixel and its neighbours.

    Each axis is treated by itself; exact for a Gaussian. This is DARK (Zhang et al., CVPR 2020)
    without its smoothing and its mixed derivative. A peak on the border of the map does not move,
    nor does one on an axis where a neighbour is not above zero.
    """

    def vertex(before: Floats, peak: Floats, after: Floats) -> Floats:
        positive = (before > 0) & (after > 0)
        left, middle, right = (
            np.log(np.where(positive, value, 1.0)) for value in (before, peak, after)
        )
        bend = 2 * middle - left - right
        flat = bend <= 0  # all three are the same
        return np.where(flat, 0.0, (right - left) / (2 * np.where(flat, 1.0, bend)))

    return _refine(maps, vertex)


def _refine(maps: Maps, shift: Callable[[Floats, Floats, Floats], Floats]) -> Floats:
    """The highest pixel, moved on each axis by a function of the values before, at and after it.

    The function gets both axes at once, x first: arrays (2, N, L) of the values before and after
    the highest pixel, and an array (N, L) of the highest pixel's value.
    """
    n, landmarks, height, width = maps.shape
    flat = maps.reshape(n, landmarks, height * width)
    peak = flat.argmax(axis=2)
    y, x = np.divmod(peak, width)
    inside = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)
    # Inside the border both neighbours exist; on it the peak is compared with itself.
    step = np.multiply.outer([1, width], inside)
    pixels = flat.reshape(-1)
    at = peak + np.arange(0, pixels.size, height * width).reshape(n, landmarks)
    values = (pixels[place].astype(np.float64) for place in (at - step, at, at + step))
    shift_x, shift_y = shift(*values)
    return np.stack([x + shift_x, y + shift_y], axis=2)


def dark(maps: Maps, sigma: float = SIGMA) -> Floats:
    """The maximum of a second-order expansion of the logarithm of the blurred map.

    DARK (Zhang et al., CVPR 2020): a Gaussian blur removes what does not look like the target.
    A Taylor expansion of the logarithm about the highest pixel then gives the maximum, which is
    right for a Gaussian. As in the authors' code, the highest pixel is that of the map before the
    blur, derivatives are central differences of one pixel to either side, taken twice for the
    second ones, and the map is 0 beyond its border. The paper rescales the blurred map to its
    former maximum. This is left out because the derivatives of a logarithm do not change with a
    factor.

    A peak less than two pixels from the border does not move. Neither does one where a blurred
    value within two pixels is not above zero, or where the expansion has no maximum.

    Parameters
    ----------
    sigma
        Standard deviation of the blur in pixels of the map: that of the Gaussians that the
        network learned. The kernel reaches 2.5 times as far, 11 x 11 pixels where it is 2.
    """
    _, _, height, width = maps.shape
    peak = argmax(maps)
    inside = ((peak >= _NEAR) & (peak < np.array([width, height]) - _NEAR)).all(axis=2)
    reach = math.ceil(2.5 * sigma)
    values, _ = _around(maps, peak, reach + _NEAR)
    blur = _blur(sigma, reach)
    # A map may hold minus infinity, and 0 times that is no number.
    blurred: Floats = blur @ np.maximum(values, np.finfo(np.float32).min) @ blur.T
    usable: Bools = inside & (blurred.min(axis=(2, 3)) > 0)
    log = np.log(np.where(usable[..., None, None], blurred, 1.0))
    middle = log[..., 2, 2]
    slope_x, slope_y = (log[..., 2, 3] - log[..., 2, 1]) / 2, (log[..., 3, 2] - log[..., 1, 2]) / 2
    bend_x = (log[..., 2, 4] - 2 * middle + log[..., 2, 0]) / 4
    bend_y = (log[..., 4, 2] - 2 * middle + log[..., 0, 2]) / 4
    twist = (log[..., 3, 3] - log[..., 3, 1] - log[..., 1, 3] + log[..., 1, 1]) / 4
    determinant = bend_x * bend_y - twist**2
    is_maximum = (determinant > 0) & (bend_x < 0)
    divisor = np.where(is_maximum, determinant, 1.0)
    shift_x = (twist * slope_y - bend_y * slope_x) / divisor
    shift_y = (twist * slope_x - bend_x * slope_y) / divisor
    shift = np.stack([shift_x, shift_y], axis=2)
    return peak + np.where(is_maximum[..., None], shift, 0.0)


def _blur(sigma: float, reach: int) -> Floats:
    """The matrix (5, 2 reach + 5) that blurs along one axis and leaves the middle five pixels."""
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    last = 2 * _NEAR
    rows = [np.pad(kernel / kernel.sum(), (place, last - place)) for place in range(last + 1)]
    return np.stack(rows)


def local_soft_argmax(maps: Maps, window: int = WINDOW, temperature: float = TEMPERATURE) -> Floats:
    """The mean of the pixels around the highest one, weighted by a softmax of their values.

    Parameters
    ----------
    window
        Side of the square around the highest pixel, an odd number of pixels; pixels outside the
        map are left out.
    temperature
        What values are divided by before the softmax. The lower it is, the closer the mean is to
        the highest pixel.
    """
    peak = argmax(maps)
    reach = window // 2
    values, inside = _around(maps, peak, reach)
    # The middle is the highest value, so that nothing overflows.
    weight = np.exp((values - values[..., reach, reach, None, None]) / temperature) * inside
    steps = np.arange(-reach, reach + 1)
    shift = np.stack([weight.sum(axis=2) @ steps, weight.sum(axis=3) @ steps], axis=2)
    return np.asarray(peak + shift / weight.sum(axis=(2, 3))[..., None])


def _around(maps: Maps, peak: Floats, reach: int) -> tuple[Floats, Bools]:
    """The square of pixels (N, L, 2 reach + 1, 2 reach + 1) around each peak (N, L, 2).

    Also which of them are on the map; the others are 0.
    """
    n, landmarks, height, width = maps.shape
    steps = np.arange(-reach, reach + 1)
    x, y = (peak[..., axis, None].astype(np.int64) + steps for axis in (0, 1))
    inside_x, inside_y = (x >= 0) & (x < width), (y >= 0) & (y < height)
    inside = inside_y[..., :, None] & inside_x[..., None, :]
    first = np.arange(0, maps.size, height * width).reshape(n, landmarks, 1, 1)
    at = first + y.clip(0, height - 1)[..., :, None] * width + x.clip(0, width - 1)[..., None, :]
    return np.where(inside, maps.reshape(-1)[at].astype(np.float64), 0.0), inside


def centre_of_mass(maps: Maps) -> Floats:
    """Centre of mass of each map, negative values counted as 0; the middle of an empty map.

    It is for maps that are probabilities, as networks with a softmax over the map give them. A
    network that learned Gaussians leaves small values all over the map, which pull the centre far
    away.
    """
    _, _, height, width = maps.shape
    weight = np.maximum(maps, 0).astype(np.float64)
    total = weight.sum(axis=(2, 3))
    empty = total == 0
    total = np.where(empty, 1.0, total)
    x = weight.sum(axis=2) @ np.arange(width) / total
    y = weight.sum(axis=3) @ np.arange(height) / total
    x, y = np.where(empty, (width - 1) / 2, x), np.where(empty, (height - 1) / 2, y)
    return np.stack([x, y], axis=2)


DECODERS: dict[str, Callable[..., Floats]] = {
    "argmax": argmax,
    "quarter": quarter,
    "parabola": parabola,
    "dark": dark,
    "local-soft-argmax": local_soft_argmax,
    "centre-of-mass": centre_of_mass,
}
"""By name. Each takes maps alone; some have further parameters."""


def decode(
    maps: Maps,
    decoder: str,
    *,
    sigma: float = SIGMA,
    window: int = WINDOW,
    temperature: float = TEMPERATURE,
) -> Floats:
    """Landmarks (N, L, 2) of maps (N, L, H, W) by a decoder of :data:`DECODERS`.

    Parameters
    ----------
    sigma
        For :func:`dark`.
    window, temperature
        For :func:`local_soft_argmax`.
    """
    options: dict[str, dict[str, float]] = {
        "dark": {"sigma": sigma},
        "local-soft-argmax": {"window": window, "temperature": temperature},
    }
    return DECODERS[decoder](maps, **options.get(decoder, {}))


def to_crop(points: Floats, heatmap: int, crop: int) -> Floats:
    """Heatmap coordinates as coordinates of the square crop they were computed from.

    Pixel centres to pixel centres: a heatmap pixel covers ``crop / heatmap`` crop pixels.
    """
    stride = crop / heatmap
    return (points + 0.5) * stride - 0.5
