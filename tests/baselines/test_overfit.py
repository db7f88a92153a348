"""Each small network, with its own paper's loss, learns four real faces by heart."""

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
from baselines.awing.loss import awing_loss, draw_merged_boundary
from baselines.awing.loss import chains as awing_chains
from baselines.awing.network import AWing
from baselines.drawing import to_heatmap
from baselines.lab.boundaries import chains as lab_chains
from baselines.lab.loss import draw_distance_boundaries, estimator_loss, regressor_loss
from baselines.lab.network import LAB
from baselines.landmark_maps import gaussians
from baselines.propnet.loss import draw_blurred_boundaries, propnet_loss
from baselines.propnet.network import PropNet

FACES, SIDE = 4, 64
MAP = SIDE // 4


class Faces:
    """Four faces of LFPW's training set, cropped, with their landmarks in the crop."""

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
def faces(shared):
    return Faces(shared)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # faster than two where several tests run at a time
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def learn(network, images, loss, rate, steps):
    """Train on one batch; gives the output, normalised by this batch's own statistics.

    Running statistics of so few faces are no good: where a map has one pixel, their unbiased
    variance is 4/3 of the batch's.
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


def maps(faces, draw, chains, sigma=1.0):
    """Targets of landmarks and of boundaries."""
    landmarks = gaussians(faces.on_map, MAP, sigma, subpixel=True)
    boundaries = draw(faces.on_map, chains.values(), MAP)
    return torch.from_numpy(landmarks), torch.from_numpy(boundaries)


def test_propnet(faces):
    # Broader than usual: without AWing's weights of pixels, narrow peaks are learnt slowly.
    landmarks, curves = maps(faces, draw_blurred_boundaries, IBUG68.chains, sigma=1.5)
    network = PropNet(IBUG68, stacks=1, width=64, depth=2, hidden=(8,), attention_depth=1)

    def loss(out):
        return propnet_loss(out.heatmaps, out.boundaries, landmarks, curves)

    output = learn(network, faces.images(), loss, rate=1e-2, steps=240)
    # With more steps and channels it falls below 1, which takes half as long again. The mean of
    # the four faces has 6.2.
    assert faces.nme_of_maps(output.heatmaps[-1]) < 2


@pytest.fixture(scope="module")
def awing(faces):
    """AWing that has learnt the faces, and its last output in training."""
    torch.manual_seed(0)
    landmarks, curves = maps(faces, draw_merged_boundary, awing_chains(IBUG68))
    network = AWing(IBUG68, stacks=1, width=64, depth=2)

    def loss(out):
        return awing_loss(out.heatmaps, out.boundaries, landmarks, curves)

    return network, learn(network, faces.images(), loss, rate=5e-3, steps=160)


def test_awing(faces, awing):
    assert faces.nme_of_maps(awing[1].heatmaps[-1]) < 1


def test_lab(faces):
    curves = draw_distance_boundaries(faces.on_map, lab_chains(IBUG68).values(), MAP)
    curves = torch.from_numpy(curves)
    points = torch.from_numpy(faces.points.astype(np.float32)) + 0.5  # from the window's edge
    # Message passing takes two thirds of the time; the narrow recipes are without it too.
    network = LAB(IBUG68, stacks=1, width=32, regressor_width=16, side=SIDE, message_passing=False)

    def loss(out):
        return estimator_loss(out.boundaries, curves) + regressor_loss(SIDE * out.points, points)

    images = faces.images(colour="grey", standardise=True)
    output = learn(network, images, loss, rate=5e-3, steps=120)
    assert faces.nme(SIDE * output.points.numpy() - 0.5) < 1


def test_bfloat16_moves_the_landmarks_of_a_trained_network_by_little(faces, awing, capsys):
    network, images = awing[0], faces.images()
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
    assert abs(faces.nme(points["bf16"]) - faces.nme(points["fp32"])) < 0.1
