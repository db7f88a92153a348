"""face-api's network for 68 points (github.com/vladmandic/face-api, MIT), of its npm package.

Four dense blocks of depthwise separable convolutions on a window of 112 pixels; the weights are
stored in eight bits. The architecture, the colours and the crop are those of the package's source
(src/faceFeatureExtractor, src/faceLandmarkNet, src/dom).
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from alignbench.arrays import Floats
from alignbench.backends.build import Execution
from alignbench.exceptions import InputError
from alignbench.geometry import crop_transforms, scale_boxes, square_crops
from alignbench.io.files import reading, sha256
from alignbench.io.notation import read_json
from alignbench.predictors.base import Batch
from alignbench.predictors.crop import Windows, window
from alignbench.predictors.network import NetworkPredictor
from alignbench.predictors.settings import Crop, CropSettings, Input, Output

_SIZE = 112
_LANDMARKS = 68

# The package crops the boxes of its detectors; that of TinyFaceDetector is made to hold all
# landmarks. The factor from the tight box is the best of 1.0, 1.1 and 1.2 on every fourth training
# image of LFPW; these differ by less than 0.04 points of NME.
SETTINGS = CropSettings(
    markup="ibug68",
    crop=Crop(boxes="tight", scale=1.1, size=_SIZE),
    input=Input(scale=1.0, mean=(122.782, 117.001, 104.298), std=(255.0,)),
    output=Output(kind="points", origin="pixel-centre"),
)


class _Separable(nn.Module):
    """A depthwise convolution of 3 x 3, then a pointwise one with a bias."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise_filter = nn.Parameter(torch.empty(inputs, 1, 3, 3))
        self.pointwise_filter = nn.Parameter(torch.empty(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, C, H / stride, W / stride) of maps (B, C', H, W)."""
        padded = _pad_as_tensorflow(images, self.stride)
        inputs = len(self.depthwise_filter)
        maps = functional.conv2d(padded, self.depthwise_filter, None, self.stride, groups=inputs)
        return functional.conv2d(maps, self.pointwise_filter, self.bias)


class _Convolution(nn.Module):
    """A convolution of 3 x 3 with stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.filters = nn.Parameter(torch.empty(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, C, H / 2, W / 2) of images (B, C', H, W)."""
        return functional.conv2d(_pad_as_tensorflow(images, 2), self.filters, self.bias, 2)


def _pad_as_tensorflow(images: Tensor, stride: int) -> Tensor:
    """Padding "same" for 3 x 3 and an even side: with stride 2, only on the right and below."""
    before = 1 if stride == 1 else 0
    return functional.pad(images, (before, 1, before, 1))


class _DenseBlock(nn.Module):
    """Four convolutions; each takes the sum of all before it."""

    def __init__(self, inputs: int, outputs: int, is_first: bool) -> None:
        super().__init__()
        self.conv0 = _Convolution(inputs, outputs) if is_first else _Separable(inputs, outputs, 2)
        self.conv1 = _Separable(outputs, outputs, 1)
        self.conv2 = _Separable(outputs, outputs, 1)
        self.conv3 = _Separable(outputs, outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, C, H / 2, W / 2) of maps (B, C', H, W)."""
        first = functional.relu(self.conv0(images))
        second = self.conv1(first)
        third = self.conv2(functional.relu(first + second))
        fourth = self.conv3(functional.relu(first + second + third))
        return functional.relu(first + second + third + fourth)


class FaceLandmarkNet(nn.Module):
    """Images (B, 3, 112, 112) to points (B, 68, 2), as fractions of the window."""

    def __init__(self) -> None:
        super().__init__()
        self.dense0 = _DenseBlock(3, 32, is_first=True)
        self.dense1 = _DenseBlock(32, 64, is_first=False)
        self.dense2 = _DenseBlock(64, 128, is_first=False)
        self.dense3 = _DenseBlock(128, 256, is_first=False)
        self.fc = nn.Linear(256, 2 * _LANDMARKS)

    def forward(self, images: Tensor) -> Tensor:
        """Points (B, 68, 2)."""
        maps = self.dense3(self.dense2(self.dense1(self.dense0(images))))
        return torch.unflatten(self.fc(functional.avg_pool2d(maps, 7).flatten(1)), 1, (-1, 2))


def read_weights(manifest: Path, weights: Path) -> dict[str, Tensor]:
    """The tensors of TensorFlow.js' format, each quantised to bytes, by their names in PyTorch.

    A value is ``byte * scale + min``. Raises InputError if the files do not agree.
    """
    with reading(weights):
        data = weights.read_bytes()
    accepted = "the weights manifest of TensorFlow.js, quantised to uint8"
    state, start = {}, 0
    try:
        for tensor in read_json(manifest)[0]["weights"]:
            shape, quantisation = tensor["shape"], tensor["quantization"]
            if not all(type(side) is int and side > 0 for side in shape):
                raise ValueError(f"shape {str(shape)[:40]}")
            if quantisation["dtype"] != "uint8":
                raise ValueError(f"dtype {quantisation['dtype']!r}")
            values = np.frombuffer(data, np.uint8, prod(shape), start).astype(np.float32)
            start += prod(shape)
            values = values * np.float32(quantisation["scale"]) + np.float32(quantisation["min"])
            name = tensor["name"].replace("/", ".")
            state[name.replace("fc.weights", "fc.weight")] = _to_torch(values.reshape(shape), name)
        if start != len(data):
            raise ValueError(f"{len(data):,} bytes of weights for {start:,} values")
    except (LookupError, AttributeError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(manifest, f"does not fit {weights.name} ({error})", accepted) from error
    return state


def _to_torch(values: NDArray[np.float32], name: str) -> Tensor:
    """A tensor with the axes of PyTorch: outputs, inputs, height, width."""
    if name.endswith("depthwise_filter"):
        values = values.transpose(2, 3, 0, 1)
    elif values.ndim == 4:
        values = values.transpose(3, 2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(values.T if values.ndim == 2 else values))


class FaceApi(NetworkPredictor):
    """face-api's 68 points."""

    def __init__(
        self, source: str, files: tuple[Path, Path] | None, execution: Execution, flip_test: bool
    ) -> None:
        """``files`` are manifest and weights of the package ``source``; None draws weights."""
        network, digest = FaceLandmarkNet(), None
        if files is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                for parameter in network.parameters():
                    nn.init.normal_(parameter, std=0.1)
        else:
            network.load_state_dict(read_weights(*files))
            digest = sha256(files[1])
        identity = {"source": source, "weights_sha256": digest}
        super().__init__("face-api", SETTINGS, network, identity, execution, flip_test)

    def preprocess(self, batch: Batch) -> Windows:
        """Windows as the package makes them: the box is cut out, and black edges make it a square.

        First the box is cut to whole pixels of the image. A face whose box lies outside the image
        counts as missed. The package counts the box's coordinates from the edge of the image's
        first pixel. It adds landmarks to the box's corner as it was before rounding, or to the
        image's edge where that cuts the box. The same is done here, because the package's results
        are compared with annotated coordinates without a correction.
        """
        crop = self.settings.crop
        regions, local = [], np.empty((len(batch.ids), 4))
        corners = np.empty((len(batch.ids), 2))
        for face, box in enumerate(scale_boxes(batch.boxes, crop.scale) + 0.5):
            image = batch.images[face]
            left, top, right, bottom = clip_box(box, image.shape[1], image.shape[0])
            is_outside = right <= left or bottom <= top
            regions.append(np.zeros((1, 1, 3), np.uint8) if is_outside else
                           image[top:bottom, left:right])  # fmt: skip
            local[face] = -0.5, -0.5, regions[-1].shape[1] - 0.5, regions[-1].shape[0] - 0.5
            whole = np.array([left, top])
            is_cut = np.floor(box[:2]) < 0
            corners[face] = np.nan if is_outside else np.where(is_cut, whole, box[:2])
        crops = square_crops(local, 1.0)
        pixels = window(self.settings, regions, crop_transforms(crops, crop.size))
        crops[:, :2] += corners
        return Windows(pixels, crops)


def clip_box(box: Floats, width: int, height: int) -> tuple[int, int, int, int]:
    """The whole pixels of an image in a box (4,): left, top, and right and bottom, both exclusive.

    As in the package, origin and size are rounded down; then parts outside the image are cut off.
    """
    left, top = np.floor(box[:2]).astype(int).tolist()
    wide, high = np.floor(box[2:] - box[:2]).astype(int).tolist()
    return max(left, 0), max(top, 0), min(left + wide, width), min(top + high, height)
