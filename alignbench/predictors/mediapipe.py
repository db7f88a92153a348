"""MediaPipe's face mesh: 468 points (Kartynnik et al., CVPR workshops 2019).

The network is ``face_landmark.tflite`` of the package mediapipe, computed by OpenVINO. Its input is
192 x 192 RGB, divided by 255; its output has x, y and z of each landmark, in pixels of that window
(``mediapipe/modules/face_landmark``). Its second output, a score of the face, is not used.

MediaPipe's tracker lays a square window about all 468 landmarks of the frame before, 1.5 times the
longer side of their box, and turns it by the line of the eyes (``face_landmark_landmarks_to_roi``).
Here the landmarks are not known before, and the window is upright, about the given box. Its side
over the longer side of a tight box was chosen on 679 training images of LFPW: of 1.5, 1.6, 1.65,
1.7, 1.75, 1.8 and 1.9, the factor 1.7 has the least inter-ocular error over 68 landmarks, 5.69 %
(1.5: 6.10 %, 1.9: 6.04 %). It agrees with the tracker: about the landmarks found in this window,
the tracker would lay one of 1.72 times the longer side of the tight box (median). On the same
images the network's pixels, counted from the first pixel's centre, have a smaller error than
counted from the edge (5.91 %).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alignbench.backends import Network, Pixels, open_vino, parse_precision
from alignbench.markups import MEDIAPIPE468
from alignbench.predictors.crop import CropPredictor
from alignbench.predictors.facts import ModelFacts
from alignbench.predictors.fetch import Package, fetched_files
from alignbench.predictors.settings import Crop, CropSettings, Input, Output

_FILE = "mediapipe/modules/face_landmark/face_landmark.tflite"
_OUTPUT = "conv2d_21"
"""The output that has the landmarks."""

_WINDOW = (
    "MediaPipe's own tracker turns the window by the line of the eyes. Here it is upright, 1.7 "
    "times the longer side of the box."
)

SETTINGS = CropSettings(
    markup=MEDIAPIPE468.name,
    crop=Crop(boxes="tight", scale=1.7, size=192),
    input=Input(layout="nhwc"),
    output=Output(unit="pixel", coordinates=3),
    notes=(_WINDOW,),
)


class MediapipePredictor(CropPredictor):
    """MediaPipe's face mesh, 468 points, in an upright window about the box.

    Raises
    ------
    InputError
        If its file has not been fetched, or OpenVINO is not installed.
    """

    package = Package(
        registry="pip",
        requirement="mediapipe==0.10.21",
        files={_FILE: "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814"},
        licence="Apache-2.0",
        homepage="https://github.com/google-ai-edge/mediapipe",
    )
    facts = ModelFacts(
        points="468",
        weights="to be fetched",
        licence=package.licence,
        trained_on="about 30,000 photographs that are not published",
    )

    def __init__(self, precision: str = "fp32", flip_test: bool = False) -> None:
        path = fetched_files("mediapipe", self.package)[_FILE]
        network = open_vino.load(path, path, _OUTPUT, parse_precision(precision))
        identity = {
            "source": f"{self.package.requirement}, {path.name}",
            "weights_sha256": self.package.files[_FILE],
            "execution": {"backend": "openvino", "precision": precision},
        }
        super().__init__("mediapipe", SETTINGS, _channels_last(network), identity, flip_test)


def _channels_last(network: Network) -> Network:
    """A network of batches (B, C, H, W) from one of (B, H, W, C)."""

    def call(pixels: Pixels) -> NDArray[np.floating]:
        return network(np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)))

    return call
