"""The error of every decoder of heatmaps: on maps drawn from the truth and on a model's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from alignbench import Dataset, InputError, Predictor
from alignbench.arrays import Floats
from alignbench.boxes import choose_boxes
from alignbench.heatmaps import DECODERS, Maps
from alignbench.markups import convert
from alignbench.metrics import parse_measure
from alignbench.metrics.errors import distances, face_errors, normalisers
from alignbench.predictors.base import Batch
from alignbench.predictors.crop import CropPredictor, locate
from alignbench.predictors.settings import Output
from alignbench.runs.measure import cluster_numbers
from alignbench.runs.plan import choose_faces
from alignbench.stats import Bootstrap
from reports.labels import percent
from reports.sensitivity import mean_changes
from reports.tables import Cell, Table

NOISE = 0.05
OWN = "Model's own"
REFERENCE = "quarter"
"""The decoder of the papers."""


def decoder_table(
    predictor: Predictor,
    dataset: Dataset,
    *,
    boxes: str | None = None,
    sigma: float | None = None,
    noise: float = NOISE,
    limit: int | None = None,
    bootstrap: Bootstrap | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """A row for each decoder: its NME on maps drawn from the truth and on those of a model.

    Parameters
    ----------
    boxes
        Box protocol; the one that the model prefers where it is None.
    sigma
        Standard deviation of the Gaussians that are drawn, and of the blur of ``dark``, in pixels
        of the map; that of the model's settings where it is None.
    noise
        Standard deviation of the noise on drawn maps, whose peak is 1.
    limit
        Evaluate only this number of faces, the first ones.
    bootstrap
        How intervals are made; its seed is also that of the noise.
    progress
        Called with (faces done, faces in all).

    Raises
    ------
    InputError
        If the model gives no heatmaps, or the data set has no images.
    """
    bootstrap = bootstrap or Bootstrap()
    if not isinstance(predictor, CropPredictor) or predictor.settings.output.kind != "heatmaps":
        raise InputError(
            f"model {predictor.name!r}", "gives no heatmaps to decode",
            "a network that gives heatmaps, such as propnet-mini",
        )  # fmt: skip
    output = predictor.settings.output
    output = output if sigma is None else output.model_copy(update={"sigma": sigma})
    predictor.prepare(dataset)
    faces, block = choose_faces(dataset, predictor, limit, False)
    shown = choose_boxes(dataset, faces, predictor, boxes, 1.0)
    norm = block.normalisers[0]
    scale = normalisers(faces.points, faces.markup, faces.ids, faces.scales)[norm]
    errors: dict[tuple[str, str], Floats] = {}
    pixels, side = np.empty(len(faces)), 0
    for rows, maps, crops in _heatmaps(predictor, faces, shown.boxes):
        side = maps.shape[3]
        pixels[rows] = crops[:, 2] / side / scale[rows]
        truth = faces.points[rows]
        rng = np.random.default_rng([bootstrap.seed, rows.start])
        drawn = draw_maps(truth, crops, side, output, noise, rng)
        for name in DECODERS:
            decoder = output.model_copy(update={"decoder": name})
            points = locate(maps, crops, decoder)
            found = {kind: (locate(m, crops, decoder), at) for kind, (m, at) in drawn.items()}
            found[OWN] = (convert(points, predictor.markup, faces.markup), truth)
            for kind, pair in found.items():
                column = errors.setdefault((name, kind), np.empty(len(faces)))
                column[rows] = face_errors(distances(*pair), scale[rows])
        progress(rows.stop, len(faces))
    kinds = tuple(dict.fromkeys(kind for _, kind in errors))
    lacking = () if block.complete else (f"INCOMPLETE: {'; '.join(block.incomplete)}.",)
    interval = (
        f"the {percent(bootstrap.confidence)} interval of a paired bootstrap over {block.sampled} "
        f"({bootstrap.replicates:,} samples)"
    )
    about = (
        f"Perfect: maps drawn from the truth, a Gaussian of sigma {output.sigma:g} pixels and of "
        "height 1 at each landmark. On the pixel: in the middle of the landmark's pixel. Noisy: "
        f"Perfect plus normal noise of {noise:g}. Landmarks outside the map are left out there."
    )
    notes = (
        f"NME in % of {norm.replace('_', '-')}. Boxes: {shown.protocol}; leak: {shown.leak}.",
        f"Maps of {side} x {side} pixels. A pixel is {100 * pixels.mean():.2f} % on average.",
        about,
        f"change: of the model's own maps, from {REFERENCE}, with {interval}.",
        *lacking,
    )
    title = f"{predictor.name} on {block.title}, {len(faces):,} faces: which decoder?"
    columns = ("Decoder", *kinds, "change")
    return Table.of_rows(title, columns, _rows(errors, faces, bootstrap), notes)


def _rows(
    errors: Mapping[tuple[str, str], Floats], faces: Dataset, bootstrap: Bootstrap
) -> list[tuple[Cell, ...]]:
    """A row a decoder, of errors (N,) by decoder and kind of maps; the model's own come last."""
    kinds = dict.fromkeys(kind for _, kind in errors)
    measure = parse_measure("nme")
    clusters = cluster_numbers(faces.cluster_names())
    reference = list(DECODERS).index(REFERENCE)
    columns = {
        kind: mean_changes(
            [((measure,), errors[name, kind]) for name in DECODERS], clusters, bootstrap, reference
        )
        for kind in kinds
    }
    return [
        (name, *(columns[kind][k][0][0] for kind in kinds), columns[OWN][k][0][1])
        for k, name in enumerate(DECODERS)
    ]


def _heatmaps(
    predictor: CropPredictor, faces: Dataset, boxes: Floats
) -> Iterator[tuple[slice, Maps, Floats]]:
    """Rows of faces, the model's maps (B, L, H, H) of them, and their crops (B, 3)."""
    for start in range(0, len(faces), predictor.batch_size):
        rows = slice(start, min(start + predictor.batch_size, len(faces)))
        images = [faces.images.read(k) for k in range(rows.start, rows.stop)]
        batch = Batch(faces.ids[rows], images, boxes[rows])
        yield rows, *predictor.forward(predictor.preprocess(batch))


def draw_maps(
    truth: Floats,
    crops: Floats,
    size: int,
    output: Output,
    noise: float,
    rng: np.random.Generator,
) -> dict[str, tuple[Floats, Floats]]:
    """Maps (B, L, size, size) of true landmarks (B, L, 2) and the true landmarks on them, by kind.

    The maps are whole Gaussians of height 1. A landmark outside its map is NaN in the second array.

    Parameters
    ----------
    crops
        Left, top and side (B, 3) of the window that the maps cover.
    output
        How landmarks are counted in the window, and the sigma of the Gaussians.
    """
    shift = 0.5 if output.from_edge else 0.0
    fractions = (truth + shift - crops[:, None, :2]) / crops[:, None, 2:]
    middle = fractions * size - 0.5
    pixel = np.floor(middle + 0.5)
    inside = ((pixel >= 0) & (pixel < size)).all(axis=2, keepdims=True)
    at = np.where(inside, truth, np.nan)

    def gaussians(centre: Floats) -> Floats:
        distance = np.arange(size) - np.where(inside, centre, 0.0)[..., None]
        profile = np.exp(-0.5 * (distance / output.sigma) ** 2)
        return profile[..., 1, :, None] * profile[..., 0, None, :]

    perfect = gaussians(middle)
    noisy = perfect + noise * rng.standard_normal(perfect.shape)
    return {"Perfect": (perfect, at), "On the pixel": (gaussians(pixel), at), "Noisy": (noisy, at)}
