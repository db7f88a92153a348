"""Each small network, with its own paper's loss, learns eight real faces by heart."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from alignbench import heatmaps, load_dataset
from alignbench.backends.build import Execution, build_network
from alignbench.geometry import crop_transforms, square_crops, tight_boxes, transform
from alignbench.markups import IBUG68
from alignbench.metrics.errors import distances, face_errors, normalisers
from alignbench.predictors.crop import window
from alignbench.predictors.network import Inference
from alignbench.predictors.settings import Crop, CropSettings, Input
from baselines.awing.loss import awing_loss
from baselines.awing.network import AWing
from baselines.awing.targets import chains as awing_chains
from baselines.awing.targets import merged_boundary
from baselines.drawing import to_heatmap
from baselines.lab.boundaries import chains as lab_chains
from baselines.lab.loss import estimator_loss, regressor_loss
from baselines.lab.network import LAB
from baselines.lab.targets import distance_boundaries
from baselines.landmark_maps import gaussians
from baselines.propnet.loss import propnet_loss
from baselines.propnet.network import PropNet
from baselines.propnet.targets import blurred_boundaries

FACES, SIDE = 8, 64
MAP = SIDE // 4


class Eight:
    """Eight faces of LFPW's training set, cropped, with their landmarks in the crop."""

    def __init__(self, root):
        everything = load_dataset("300w", root, "train")
        lfpw = np.array([name.startswith("lfpw/") for name in everything.ids])
        self.faces = everything.take(np.flatnonzero(lfpw & everything.images.available())[:FACES])
        self.matrices = crop_transforms(square_crops(tight_boxes(self.faces.points), 1.1), SIDE)
        self.points = transform(self.faces.points, self.matrices)
        self.on_map = to_heatmap(self.points, MAP, SIDE)

    def images(self, **colours):
        settings = CropSettings(markup="ibug68", crop=Crop(size=SIDE), input=Input(**colours))
        pictures = [self.faces.images.read(k) for k in range(FACES)]
        return torch.from_numpy(window(settings, pictures, self.matrices))

    def nme(self, points):
        """Inter-ocular NME, in percent."""
        scale = normalisers(self.points, IBUG68, self.faces.ids)["inter_ocular"]
        return 100 * face_errors(distances(points, self.points), scale).mean()

    def nme_of_maps(self, maps):
        # A quarter of a pixel of a 16 x 16 map is more than 1 % of a face; this decoder is exact.
        return self.nme(heatmaps.to_crop(heatmaps.parabola(maps.numpy()), MAP, SIDE))


@pytest.fixture(scope="module")
def eight(shared):
    return Eight(shared)


@pytest.fixture(autouse=True)
def seed():
    before = torch.get_num_threads()
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def learn(network, images, loss, rate, steps):
    """Train on one batch; gives the output, normalised by this batch's own statistics.

    Running statistics of eight faces are no good: where a map has one pixel, their unbiased
    variance is 8/7 of the batch's.
    """
    optimiser = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps, pct_start=0.1
    )
    network.train()
    for _ in range(steps):
        optimiser.zero_grad()
        loss(network(images)).backward()
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return network(images)


def landmark_maps(eight):
    return torch.from_numpy(gaussians(eight.on_map, MAP, 1.0, subpixel=True))


def boundaries(draw, eight, chains):
    return torch.from_numpy(draw(eight.on_map, chains.values(), MAP))


def test_propnet(eight):
    landmarks = landmark_maps(eight)
    curves = boundaries(blurred_boundaries, eight, IBUG68.chains)
    network = PropNet(IBUG68, stacks=1, width=96, depth=2, hidden=(8,), attention_depth=1)
    output = learn(
        network,
        eight.images(),
        lambda out: propnet_loss(out.heatmaps, out.boundaries, landmarks, curves),
        rate=5e-3,
        steps=600,
    )
    assert eight.nme_of_maps(output.heatmaps[-1]) < 1


def test_awing(eight):
    landmarks = landmark_maps(eight)
    curves = boundaries(merged_boundary, eight, awing_chains(IBUG68))
    network = AWing(IBUG68, stacks=1, width=64, depth=2)
    output = learn(
        network,
        eight.images(),
        lambda out: awing_loss(out.heatmaps, out.boundaries, landmarks, curves),
        rate=5e-3,
        steps=200,
    )
    assert eight.nme_of_maps(output.heatmaps[-1]) < 1


def test_lab(eight):
    curves = boundaries(distance_boundaries, eight, lab_chains(IBUG68))
    points = torch.from_numpy(eight.points.astype(np.float32)) + 0.5  # from the window's edge
    network = LAB(IBUG68, stacks=1, width=32, regressor_width=16, side=SIDE)
    output = learn(
        network,
        eight.images(colour="grey", standardise=True),
        lambda out: (
            estimator_loss(out.boundaries, curves) + regressor_loss(SIDE * out.points, points)
        ),
        rate=5e-3,
        steps=220,
    )
    assert eight.nme(SIDE * output.points.numpy() - 0.5) < 1


def test_bfloat16_moves_the_landmarks_of_a_trained_network_by_little(eight, capsys):
    landmarks = landmark_maps(eight)
    curves = boundaries(merged_boundary, eight, awing_chains(IBUG68))
    network = AWing(IBUG68, stacks=1, width=64, depth=2)
    images = eight.images()
    learn(
        network,
        images,
        lambda out: awing_loss(out.heatmaps, out.boundaries, landmarks, curves),
        rate=5e-3,
        steps=200,
    )
    shape = tuple(images.shape[1:])
    points = {}
    for precision in ("fp32", "bf16"):
        execution = Execution("channels-last", precision, "cpu")
        call, _, _ = build_network(Inference(network.eval()), shape, execution)
        maps = call(images.numpy())
        points[precision] = heatmaps.to_crop(heatmaps.parabola(maps), MAP, SIDE)
    moved = np.linalg.norm(points["bf16"] - points["fp32"], axis=2)
    said = f"bfloat16 moves landmarks by {moved.mean():.4f} px, at most {moved.max():.4f} px"
    with capsys.disabled():
        sys.stdout.write(f"\n{said} of a {SIDE} px window\n")
    assert 0 < moved.mean() < 0.1
    assert abs(eight.nme(points["bf16"]) - eight.nme(points["fp32"])) < 0.1
