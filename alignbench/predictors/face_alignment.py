"""face-alignment: 68 points by 2D-FAN (Bulat and Tzimiropoulos, ICCV 2017), by its own package.

Window, network and decoding are those of the package (``FaceAlignment.get_landmarks_from_image``):
the centre of the window lies 12 % of the box's height above the box's centre, and its side is
(width + height) / 195 x 200 pixels. The package downloads its weights when it is first used.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np

from alignbench.arrays import Bytes, Floats
from alignbench.exceptions import InputError
from alignbench.markups import IBUG68
from alignbench.predictors.base import Batch, Predictor
from alignbench.predictors.facts import ModelFacts

_WARNING = (
    "By its paper, 2D-FAN was trained on 300W-LP, which is made from the faces of AFW, HELEN, LFPW "
    "and iBUG: its numbers on 300W's splits train and test are training error."
)


class FaceAlignmentPredictor(Predictor):
    """2D-FAN of the package face-alignment, on the boxes of its own detector or on others.

    Parameters
    ----------
    device
        ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: a GPU where there is one.
    flip_test
        Whether the network sees the mirrored window too, as is the package's default.

    Raises
    ------
    InputError
        If the package is not installed, or its weights cannot be downloaded.
    """

    name = "face-alignment"
    markup = IBUG68
    boxes: str | None = "detector"
    facts = ModelFacts(
        points="68",
        weights="by its package",
        licence="BSD-3-Clause",
        trained_on="300W-LP, made from 300W's faces, test faces included",
        seen=(("300w", "train"), ("300w", "test")),
        warning=_WARNING,
    )

    def __init__(self, device: str = "auto", flip_test: bool = True) -> None:
        from alignbench.backends.torch_module import device_of  # imports PyTorch

        self._device, self._flip_test = device_of(device), flip_test
        try:
            import face_alignment
        except ImportError as error:
            raise InputError(
                "model 'face-alignment'", f"its package cannot be imported ({error})",
                remedy="pip install face-alignment",
            ) from error  # fmt: skip
        make = face_alignment.FaceAlignment
        # Since version 1.5 it compiles the network, which gives other last bits.
        eager = {"compile": False} if "compile" in signature(make).parameters else {}
        try:
            self._aligner = make(
                face_alignment.LandmarksType.TWO_D, device=str(self._device),
                flip_input=flip_test, **eager,
            )  # fmt: skip
        except OSError as error:
            raise InputError(
                "model 'face-alignment'",
                f"its weights cannot be downloaded ({error})",
                remedy="Its package downloads them on first use: connect this machine for that.",
            ) from error
        self._version = str(face_alignment.__version__)

    def detect(self, image: Bytes) -> Floats:
        # The score follows the four numbers of the box.
        boxes = [box[:4] for box in self._aligner.face_detector.detect_from_image(image)]
        return np.array(boxes, dtype=np.float64).reshape(-1, 4)

    def predict(self, batch: Batch) -> Floats:
        points = np.empty((len(batch.ids), IBUG68.landmarks, 2))
        for face, (image, box) in enumerate(zip(batch.images, batch.boxes, strict=True)):
            landmarks = self._aligner.get_landmarks_from_image(image, detected_faces=[box])
            points[face] = landmarks[0]
        return points

    def describe(self) -> dict[str, Any]:
        from alignbench.predictors.network import hash_parameters

        return {
            "source": f"face-alignment {self._version}, 2DFAN-4",
            "parameters": hash_parameters(self._aligner.face_alignment_net),
            "execution": {"backend": "eager", "precision": "fp32", "device": self._device.type},
            "flip_test": self._flip_test,
        }
