"""Boxes and windows of the released test code, and AWing's released weights.

The released code is written again here, a face at a time, from a reading of it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import cv2
import numpy as np
import pytest
import torch
from doubles import QUICK, make_dataset

from alignbench import Batch, InputError, evaluate, load_dataset, load_predictor
from alignbench.geometry import crop_transforms, scale_boxes, square_crops, transform
from alignbench.markups import IBUG68, WFLW98
from alignbench.predictors.crop import CropPredictor
from alignbench.predictors.settings import CropSettings, Output
from baselines.awing.boxes import awing_boxes, awing_frames
from baselines.awing.checkpoint import OUTPUT
from baselines.awing.network import AWing
from baselines.crops import AWING_CROP, LAB_CROP
from baselines.lab.boxes import _mean_pose, _pose_landmarks, lab_boxes


def official_names(network):
    """Our AWing's tensors under the names of the released code, written by hand from its text."""
    block = {
        "near.0": "bn1", "near.2": "conv1", "wider.0": "bn2", "wider.2": "conv2",
        "widest.0": "bn3", "widest.2": "conv3", "skip.0": "downsample.0", "skip.2": "downsample.2",
    }  # fmt: skip
    places = {"stem.conv.conv": "conv1.conv", "stem.bn": "bn1"}
    for k in range(1, 4):
        places |= {f"stem.block{k}.{a}": f"conv{k + 1}.{b}" for a, b in block.items()}
    for s in range(4):
        places |= {
            f"stages.{s}.coordconv.conv": f"m{s}.coordconv.conv",
            f"stages.{s}.conv": f"conv_last{s}",
            f"stages.{s}.bn": f"bn_end{s}",
            f"stages.{s}.head": f"l{s}",
            f"merges.{s}.features": f"bl{s}",
            f"merges.{s}.heatmaps": f"al{s}",
        }
        places |= {f"stages.{s}.top.{a}": f"top_m_{s}.{b}" for a, b in block.items()}
        inner = f"stages.{s}.hourglass."
        for level in (4, 3, 2, 1):
            parts = {"skip": f"b1_{level}", "down": f"b2_{level}", "up": f"b3_{level}"}
            if level == 1:
                parts["inner"] = "b2_plus_1"
            for ours, theirs in parts.items():
                places |= {f"{inner}{ours}.{a}": f"m{s}.{theirs}.{b}" for a, b in block.items()}
            inner += "inner."
    renamed = {}
    for name, tensor in network.state_dict().items():
        place, _, last = name.rpartition(".")
        renamed[f"{places[place]}.{last}"] = tensor
    return renamed


@pytest.mark.parametrize("wrapped", ["bare", "state_dict", "parallel"])
def test_awings_released_checkpoint_is_read(tmp_path, wrapped):
    torch.manual_seed(3)
    network = AWing(width=16)
    state = official_names(network)
    assert len(state) == len(network.state_dict())
    if wrapped == "parallel":
        state = {f"module.{name}": tensor for name, tensor in state.items()}
    path = tmp_path / "WFLW_4HG.pth"
    torch.save(state if wrapped == "bare" else {"state_dict": state, "epoch": 1}, path)
    predictor = load_predictor("awing:width=16", path)
    images = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        torch.testing.assert_close(predictor.network(images), network.eval()(images))
    # A surplus is passed over, as AWing's own code does.
    torch.save({**official_names(network), "odd": torch.zeros(1)}, path)
    load_predictor("awing:width=16", path)
    torch.save({k: v for k, v in official_names(network).items() if k != "l0.bias"}, path)
    with pytest.raises(InputError, match=r"tensors of AWing are missing, stages.0.head.bias"):
        load_predictor("awing:width=16", path)


def test_awings_released_convention_is_undone():
    """Its code takes annotated coordinates for ones from the edge, onto the map and off it."""
    markup, size = WFLW98, 256
    dataset = make_dataset(60, seed=5)
    boxes = np.concatenate([dataset.points.min(axis=1), dataset.points.max(axis=1)], axis=1)
    crops = square_crops(boxes, 1.344, of="mean")
    left, side = crops[:, None, :2], crops[:, None, 2:]
    # Where the released targets lie: floor of a quarter of (x - left) * 256 / side.
    pixel = np.floor((dataset.points - left) * size / side / 4).astype(int).clip(0, 63)
    maps = np.zeros((60, markup.landmarks, 64, 64), np.float32)
    face, landmark = np.ogrid[:60, : markup.landmarks]
    maps[face, landmark, pixel[..., 1], pixel[..., 0]] = 1
    bias = {}
    for output in (OUTPUT, Output(kind="heatmaps", decoder="argmax")):
        settings = CropSettings(markup=markup.name, crop=AWING_CROP, output=output)
        predictor = CropPredictor("it", settings, lambda pixels: maps, {})
        found = predictor.postprocess((maps, crops))
        bias[output.from_edge] = (found - dataset.points).mean(axis=(0, 1))
    np.testing.assert_allclose(bias[False], 0, atol=0.02)
    np.testing.assert_allclose(bias[True], -0.5, atol=0.02)


class Released:
    """AWing's released preparation and reading of one face of WFLW."""

    def __init__(self, rect, points):
        x1, y1, x2, y2 = (int(v) for v in rect)
        across, down = int(0.05 * (x2 - x1) / 2), int(0.05 * (y2 - y1) / 2)
        x1, y1, x2, y2 = max(0, x1 - across), max(0, y1 - down), x2 + across, y2 + down
        divisor = 250
        while True:
            self.length = 200 * ((x2 - x1 + y2 - y1) / divisor)
            half = self.length // 2
            self.left, self.right = int((x1 + x2) / 2 - half), int((x1 + x2) / 2 + half)
            self.top, self.bottom = int((y1 + y2) / 2 - half), int((y1 + y2) / 2 + half)
            labels = (points - [self.left, self.top]) * 450 / self.length
            if labels.min() >= 10 and labels.max() <= 440:
                break
            divisor -= 10
        labels = (labels - 45) * 256 / 360
        self.whole = labels.max() > 250 or labels.min() < 5

    def window(self, image):
        """The network's window (256, 256, 3) of an image."""
        height, width = image.shape[:2]
        beside = max(0, -self.left, self.right - width)
        above = max(0, -self.top, self.bottom - height)
        padded = cv2.copyMakeBorder(
            image, above, above, beside, beside, cv2.BORDER_CONSTANT, value=(0, 0, 0)
        )
        cut = padded[self.top + above : self.bottom + above, self.left + beside :][
            :, : self.right - self.left
        ]
        # Between the two steps the released code stores JPEG files.
        first = cv2.resize(cut, (450, 450), interpolation=cv2.INTER_LINEAR)
        middle = first if self.whole else first[45:405, 45:405]
        return cv2.resize(middle, (256, 256), interpolation=cv2.INTER_LINEAR)

    def to_image(self, labels):
        """Landmarks (L, 2) of which the released code makes these labels of the window."""
        first = labels * 450 / 256 if self.whole else labels * 360 / 256 + 45
        return first * self.length / 450 + [self.left, self.top]


def read_as_released(maps):
    """Labels (L, 2) in the window that the released code reads off maps (L, 64, 64)."""
    labels = []
    for one in maps:
        y, x = np.unravel_index(one.argmax(), one.shape)
        place = np.array([x, y], np.float64)
        if 0 < x < 63 and 0 < y < 63:
            place += 0.25 * np.sign([one[y, x + 1] - one[y, x - 1], one[y + 1, x] - one[y - 1, x]])
        labels.append(4 * (place + 0.5))
    return np.array(labels)


def released_faces(dataset):
    return [Released(*face) for face in zip(dataset.boxes, dataset.points, strict=True)]


def awing_crops(dataset):
    """Squares (N, 3) that AWing's crop takes: of its windows, and where labels are counted."""
    return (crops_of(boxes(dataset), AWING_CROP) for boxes in (awing_boxes, awing_frames))


def test_awings_official_windows_are_those_of_the_released_code(shared):
    """Of all faces, and of boxes that let landmarks out."""
    dataset = load_dataset("wflw", shared)
    uneven = 0
    for boxes in (dataset.boxes, scale_boxes(dataset.boxes, 0.6)):
        faces = replace(dataset, boxes=boxes)
        windows, frames = awing_crops(faces)
        for window, frame, released in zip(windows, frames, released_faces(faces), strict=True):
            pixels = np.array([released.right - released.left, released.bottom - released.top])
            inset = (0 if released.whole else 0.1) * pixels
            first, last = inset - 0.5 + [released.left, released.top], pixels - 2 * inset
            tolerance = 1e-9 if pixels[0] == pixels[1] else 0.26
            uneven += pixels[0] != pixels[1]
            np.testing.assert_allclose(window[:2] - 0.5, first, atol=tolerance)
            np.testing.assert_allclose(window[:2] - 0.5 + window[2], first + last, atol=tolerance)
            edges = released.to_image(np.array([[0, 0], [256, 256]]))
            np.testing.assert_allclose([frame[:2], frame[:2] + frame[2]], edges, atol=1e-9)
    assert uneven < 0.03 * 2 * len(dataset)


def test_awings_released_weights_find_what_its_released_code_finds(shared, tmp_path):
    torch.manual_seed(0)
    network = AWing(width=16).eval()
    torch.save({"state_dict": official_names(network)}, tmp_path / "WFLW_4HG.pth")
    predictor = load_predictor("awing:width=16", tmp_path / "WFLW_4HG.pth")
    dataset = load_dataset("wflw", shared)
    run = evaluate(
        predictor, dataset, boxes="awing-official", limit=8, batch_size=8, bootstrap=QUICK
    )
    faces = dataset.take([dataset.ids.index(name) for name in run.ids])
    released = released_faces(faces)
    windows = np.stack([face.window(faces.images.read(k)) for k, face in enumerate(released)])
    with torch.no_grad():
        maps = network(torch.from_numpy(windows).permute(0, 3, 1, 2) / 255).heatmaps[-1]
    expected = [
        face.to_image(read_as_released(of_face))
        for face, of_face in zip(released, maps.numpy(), strict=True)
    ]
    distances = np.linalg.norm(run.points - expected, axis=2)
    assert distances.shape == (8, WFLW98.landmarks)
    assert (distances < 1e-6).mean() > 0.98
    assert distances.mean() < 0.1


def test_without_frames_the_released_weights_count_in_their_window():
    dataset = make_dataset(5)
    settings = CropSettings(markup=WFLW98.name, crop=AWING_CROP, output=OUTPUT)
    maps = np.zeros((5, WFLW98.landmarks, 64, 64), np.float32)
    maps[..., 20, 40] = 1
    predictor = CropPredictor("it", settings, lambda pixels: maps, {})
    crops, frames = awing_crops(dataset)
    for boxes, squares in ((None, crops), (awing_frames(dataset), frames)):
        images = [np.zeros((300, 300, 3), np.uint8)] * 5
        found = predictor.predict(Batch(dataset.ids, images, awing_boxes(dataset), boxes))
        expected = squares[:, :2] + squares[:, 2:] * (np.array([40, 20]) + 0.5) / 64
        np.testing.assert_allclose(found[:, 0], expected)


def crops_of(boxes, crop):
    """Squares (N, 3) that a model's crop takes from boxes (N, 4)."""
    return square_crops(boxes, crop.scale, of=crop.of)


def test_the_crop_of_awing_is_1344_of_the_mean_side():
    boxes = np.array([[10.0, 20, 110, 140]])
    (left, top, side) = crops_of(boxes, AWING_CROP)[0]
    assert side == pytest.approx(1.344 * 110)
    assert (left + side / 2 - 0.5, top + side / 2 - 0.5) == pytest.approx((60, 80))


def test_awings_official_box_is_the_rect_unless_the_truth_would_not_fit():
    dataset = make_dataset(6)
    inside = dataset.boxes + np.array([-15, -15, 15, 15])
    roomy = replace(dataset, boxes=inside)
    crops = crops_of(awing_boxes(roomy), AWING_CROP)
    plain = crops_of(inside, AWING_CROP)
    np.testing.assert_allclose(crops[:, 2], plain[:, 2], rtol=0.02)
    # Landmarks that reach beyond the box make the window grow until they are in.
    tight = replace(dataset, boxes=dataset.boxes + np.array([45, 45, -45, -45]))
    grown = crops_of(awing_boxes(tight), AWING_CROP)
    small_ = crops_of(tight.boxes, AWING_CROP)
    assert (grown[:, 2] > 1.2 * small_[:, 2]).all()
    seen = (dataset.points - grown[:, None, :2]) / grown[:, None, 2:]
    assert seen.min() > 0
    assert seen.max() < 1


def test_labs_official_windows_are_those_of_the_released_code(shared):
    dataset = load_dataset("wflw", shared)
    maps = crop_transforms(crops_of(lab_boxes(dataset), LAB_CROP), 256)
    pose = _mean_pose().astype(np.float32)
    corners = np.array(list(product((0.0, 255.0), repeat=2)))[None]
    for points, (factor, shift) in zip(
        dataset.points[:, _pose_landmarks()].astype(np.float32),
        ((m[0, 0], m[:, 2]) for m in maps), strict=True,
    ):  # fmt: skip
        # A similarity by least squares: x' = a x + b y + u, y' = a y - b x + v.
        (x, y), one, zero = points.T, np.ones(len(points)), np.zeros(len(points))
        rows = np.concatenate(
            [np.stack([x, y, one, zero], axis=1), np.stack([y, -x, zero, one], axis=1)]
        )
        a, b, u, v = np.linalg.lstsq(rows, pose.T.ravel(), rcond=None)[0]
        fit = np.array([[a, b, u], [-b, a, v], [0, 0, 1]])
        # It is turned back about (192, 192); the window begins at pixel (64, 64).
        scale = np.hypot(a, b)
        back = np.array([[a, -b, 0], [b, a, 0], [0, 0, scale]]) / scale
        middle, window = np.eye(3), np.eye(3)
        middle[:2, 2], window[:2, 2] = 192, -64
        released = window @ middle @ back @ np.linalg.inv(middle) @ fit
        seen = transform((corners - shift) / factor, released[None, :2])
        np.testing.assert_allclose(seen, corners, atol=0.01)


def test_labs_official_box_follows_the_face_and_not_its_rotation():
    dataset = make_dataset(4)
    moved = replace(dataset, points=2.5 * dataset.points + [30, -7])
    first, second = (crops_of(lab_boxes(one), LAB_CROP) for one in (dataset, moved))
    np.testing.assert_allclose(second[:, 2], 2.5 * first[:, 2])
    angle = 0.4
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = dataset.points.mean(axis=1, keepdims=True)
    turned = replace(dataset, points=(dataset.points - middle) @ turn + middle)
    third = crops_of(lab_boxes(turned), LAB_CROP)
    np.testing.assert_allclose(third[:, 2], first[:, 2])
    with pytest.raises(InputError, match=r"lab-official.*mark-up ibug68.*wflw98"):
        lab_boxes(make_dataset(2, markup=IBUG68))


def test_labs_official_window_on_wflw_is_what_its_default_crop_is_on_average(shared):
    dataset = load_dataset("wflw", shared)
    crops = crops_of(lab_boxes(dataset), LAB_CROP)
    extent = (dataset.boxes[:, 2:] - dataset.boxes[:, :2]).mean(axis=1)
    ratio = crops[:, 2] / extent
    assert ratio.mean() == pytest.approx(LAB_CROP.scale, abs=0.01)
    assert ratio.std() == pytest.approx(0.093, abs=0.01)
    seen = (dataset.points - crops[:, None, :2]) / crops[:, None, 2:]
    assert ((seen > 0) & (seen < 1)).mean() > 0.99
