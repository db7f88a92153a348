"""Networks: published counts, shapes, the blocks against their mathematics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from torch import nn

from alignbench.cost import count
from alignbench.markups import COFW29, IBUG68, WFLW98, load_markup
from baselines.awing.network import AWing
from baselines.blocks import AntiAliasedPool, CoordConv, Hourglass, MultiViewBlock, Pooling
from baselines.lab.boundaries import BOUNDARIES
from baselines.lab.message_passing import FORWARD, MessagePassing, _reverse
from baselines.lab.network import LAB, Discriminator, _resize
from baselines.propnet.network import Propagation, PropNet


def counts(make, *shape):
    """Counted where nothing is computed: parameters and, in G, conv and thop operations."""
    with torch.device("meta"):
        found = count(make(), torch.empty(*(shape or (1, 3, 256, 256))))
    assert found.flops >= 2 * found.conv
    return found.parameters, round(found.conv / 1e9, 4), round(found.thop / 1e9, 4)


@pytest.mark.parametrize(
    ("options", "parameters", "conv", "thop"),
    [
        ({}, 24_153_036, 26.7096, 26.7943),
        ({"stacks": 1}, 6.3336, None, 8.758),
        ({"stacks": 2}, 12.2734, None, 14.770),
        ({"stacks": 3}, 18.2132, None, 20.782),
        ({"markup": "ibug68"}, 24.0992, None, 26.574),
        ({"markup": "cofw29"}, 24.0291, None, 26.287),
        ({"boundary": False, "coordconv": False}, 23.8741, 25.46, None),
    ],
    ids=str,
)
def test_awing_has_its_published_complexity(options, parameters, conv, thop):
    check(counts(variant(AWing, options)), parameters, conv, thop)


@pytest.mark.parametrize(
    ("options", "parameters", "conv", "thop"),
    [
        ({}, 36_298_756, 42.6999, 42.8347),
        ({"hidden": (16,)}, 35.9164, 41.1456, 41.2686),
        ({"hidden": (16, 16)}, 36.6719, 44.2284, 44.3632),
        ({"hidden": (31,)}, 36.275, None, 42.737),
        ({"hidden": (33,)}, 36.323, None, 42.933),
        ({"coordinates": "stem"}, 36.0325, 41.6135, 41.7442),
        ({"coordinates": "none"}, 36.0231, 41.4594, 41.5900),
        ({"attention_depth": 1}, 31.4220, 41.4541, 41.5862),
        ({"attention_depth": 3}, 41.1756, 43.01, 43.15),
        ({"attention_depth": 4}, 46.0524, 43.09, 43.22),
        ({"attention_block": "bottleneck"}, 30.9120, 36.5887, 36.7276),
        ({"block": "bottleneck"}, 25.4006, 32.5494, 32.6923),
        ({"propagation": False}, 24.1497, 26.6960, 26.7806),
        ({"pooling": "max"}, 36_298_756, 42.6999, 42.8347),
        ({"anti_aliased_stem": True}, 36_298_756, 43.6247, 43.7690),
        ({"markup": "ibug68"}, 36.0644, 41.7435, 41.8747),
        ({"markup": "cofw29", "dots": False}, 35.8187, 40.7364, 40.8685),
    ],
    ids=str,
)
def test_propnet_has_the_complexity_of_each_reading(options, parameters, conv, thop):
    check(counts(variant(PropNet, options)), parameters, conv, thop)


@pytest.mark.parametrize(
    ("options", "parameters", "conv"),
    [
        ({}, 12_290_502, 18.8504),
        ({"bias": False}, 12.2547, 18.8504),
        ({"message_passing": False}, 9.2776, 6.5690),
        ({"channels": 3}, 12.3187, 19.3128),
        ({"stacks": 2}, 8.3584, 9.2044),
        ({"stacks": 8}, 20.1547, 38.1424),
        ({"markup": "ibug68"}, 12.2751, 18.8504),
        ({"markup": "cofw29"}, 12.2550, 18.8504),
    ],
    ids=str,
)
def test_lab_has_its_published_complexity(options, parameters, conv):
    images = (1, options.get("channels", 1), 256, 256)
    check(counts(variant(LAB, options), *images), parameters, conv, None)


def test_parts_of_lab_have_their_published_complexity():
    check(counts(lambda: LAB().estimator, 1, 1, 256, 256), 7.6078, 18.5684, None)
    with torch.device("meta"):
        regressor = LAB().regressor
    assert sum(p.numel() for p in regressor.parameters()) == pytest.approx(4.6827e6, abs=50)
    check(counts(Discriminator, 1, 13, 64, 64), 6.9132, 0.2234, None)


def variant(network, options):
    """Makes a network of options, the mark-up by its name."""
    named = {"markup": load_markup(options["markup"])} if "markup" in options else {}
    return lambda: network(**{**options, **named})


def check(found, parameters, *operations):
    """Compare to as many digits as the published number has."""
    if isinstance(parameters, int):
        assert found[0] == parameters
    else:
        assert same(found[0] / 1e6, parameters)
    for got, wanted in zip(found[1:], operations, strict=True):
        assert wanted is None or same(got, wanted), (got, wanted)


def same(got, wanted):
    digits = len(str(wanted).partition(".")[2])
    return abs(got - wanted) <= 0.5 * 10**-digits + 1e-4


@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_anti_aliased_pool_is_a_binomial_blur_of_every_second_pixel(kernel):
    row = {2: [1, 1], 3: [1, 2, 1], 5: [1, 4, 6, 4, 1]}[kernel]
    weights = np.outer(row, row) / np.sum(row) ** 2
    maps = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    found = AntiAliasedPool(kernel)(maps)
    for one, got in zip(maps.flatten(0, 1).numpy(), found.flatten(0, 1).numpy(), strict=True):
        framed = np.pad(one, (kernel - 1) // 2, mode="reflect")
        if kernel == 2:
            framed = one
        np.testing.assert_allclose(got, convolve2d(framed, weights, "valid")[::2, ::2], atol=1e-6)


def test_anti_aliasing_of_kernel_two_is_the_average_pool():
    maps = torch.rand(1, 4, 8, 8)
    torch.testing.assert_close(AntiAliasedPool(2)(maps), nn.functional.avg_pool2d(maps, 2))


@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_anti_aliased_maximum_is_a_blur_of_the_maxima_of_neighbours(kernel):
    row = {2: [1, 1], 3: [1, 2, 1], 5: [1, 4, 6, 4, 1]}[kernel]
    weights = np.outer(row, row) / np.sum(row) ** 2
    maps = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    found = Pooling("max", kernel).make()(maps)
    assert found.shape == (2, 3, 4, 6)
    for one, got in zip(maps.flatten(0, 1).numpy(), found.flatten(0, 1).numpy(), strict=True):
        greatest = np.maximum.reduce([one[:-1, :-1], one[1:, :-1], one[:-1, 1:], one[1:, 1:]])
        before = (kernel - 1) // 2
        framed = np.pad(greatest, [(before, kernel - 1 - before)] * 2, mode="reflect")
        np.testing.assert_allclose(got, convolve2d(framed, weights, "valid")[::2, ::2], atol=1e-6)


def test_only_of_maxima_is_a_blur_of_two_pixels_another_pool():
    maps = torch.rand(1, 4, 8, 8)
    average, maximum = (Pooling(pooled, None).make()(maps) for pooled in ("average", "max"))
    torch.testing.assert_close(maximum, nn.functional.max_pool2d(maps, 2))
    torch.testing.assert_close(Pooling("average", 2).make()(maps), average)
    assert not torch.allclose(Pooling("max", 2).make()(maps), maximum)


def test_anti_aliased_stem_blurs_what_it_saw_of_every_pixel():
    torch.manual_seed(0)
    stem = PropNet(stacks=1, width=16, depth=1, anti_aliased_stem=True).eval().stem
    assert stem.conv.conv.stride == (1, 1)
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        seen = nn.functional.relu(stem.bn(stem.conv(images)))
        later = stem.block3(stem.block2(stem.pool(stem.block1(AntiAliasedPool(3)(seen)))))
        assert seen.shape[2:] == (32, 32)
        torch.testing.assert_close(stem(images), later)
    with pytest.raises(ValueError, match="anti_aliased_stem needs a kernel"):
        PropNet(stacks=1, width=16, anti_aliasing=None, anti_aliased_stem=True)


def test_blur_keeps_a_constant_and_is_not_learned():
    pool = AntiAliasedPool(3)
    torch.testing.assert_close(pool(torch.full((1, 2, 6, 6), 7.0)), torch.full((1, 2, 3, 3), 7.0))
    assert not list(pool.parameters())
    assert not pool.state_dict()


def test_coordconv_appends_row_column_and_radius():
    layer = CoordConv(1, 3, 1)
    with torch.no_grad():
        layer.conv.weight.zero_()
        layer.conv.bias.zero_()
        layer.conv.weight[range(3), 1 + torch.arange(3)] = 1
        y, x, radius = layer(torch.rand(1, 1, 5, 3))[0]
    assert y[:, 0].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert x[0].tolist() == [-1, 0, 1]
    torch.testing.assert_close(radius, (x.square() + y.square()).sqrt() / 2**0.5)


def test_masked_coordconv_sees_coordinates_of_the_region_only():
    layer = CoordConv(1, 2, 1, masked=True)
    with torch.no_grad():
        layer.conv.weight.zero_()
        layer.conv.bias.zero_()
        layer.conv.weight[0, 4] = layer.conv.weight[1, 5] = 1
        region = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
        region[..., 0, 2] = True
        found = layer(torch.rand(1, 1, 3, 3), region)[0]
    assert found[:, 0, 2].tolist() == [-1, 1]
    assert found.abs().sum() == 2


def test_hourglass_keeps_the_shape_and_halves_as_often_as_asked():
    sizes = []
    glass = Hourglass(3, lambda: MultiViewBlock(8, 8), lambda: nn.AvgPool2d(2))
    for module in glass.modules():
        if isinstance(module, nn.AvgPool2d):
            module.register_forward_hook(lambda m, i, out: sizes.append(out.shape[-1]))
    assert glass(torch.rand(1, 8, 16, 16)).shape == (1, 8, 16, 16)
    assert sizes == [8, 4, 2]


def test_a_boundary_is_propagated_from_its_own_landmarks_alone():
    module = Propagation([[0, 1], [2]], hidden=(4,)).eval()
    heatmaps = torch.rand(1, 3, 16, 16)
    other = heatmaps.clone()
    other[:, 2] = 0
    with torch.no_grad():
        before, after = module(heatmaps), module(other)
    torch.testing.assert_close(before[:, 0], after[:, 0])
    assert not torch.allclose(before[:, 1], after[:, 1])


def test_messages_go_along_16_edges_each_way():
    assert sum(len(receivers) for receivers in FORWARD.values()) == 16
    edges = {(a, b) for a, receivers in FORWARD.items() for b in receivers}
    back = _reverse(FORWARD)
    assert {(b, a) for a, receivers in back.items() for b in receivers} == edges
    for tree in (FORWARD, back):
        assert set(tree) == set(BOUNDARIES)
        order = list(tree)
        for sender, receivers in tree.items():
            assert all(order.index(sender) < order.index(one) for one in receivers)


def test_every_boundary_hears_of_the_stage_before():
    module = MessagePassing(8, last=False, bias=True).eval()
    features = torch.rand(1, 8, 16, 16)
    with torch.no_grad():
        alone, onward = module(features, [{}, {}])
        told, _ = module(features, onward)
    assert set(onward[0]) == set(onward[1]) == set(BOUNDARIES)
    changed = (alone - told).abs().amax(dim=(0, 2, 3))
    assert (changed > 0).all()


@pytest.mark.parametrize("factor", [4, 1, 0.5, 0.25])
def test_labs_boundary_maps_keep_their_corners_when_resized(factor):
    """A map that is linear from corner to corner stays so, at any size."""
    x = torch.linspace(0, 1, 64)
    maps = (2 * x[:, None] - 3 * x)[None, None]
    to = torch.linspace(0, 1, int(64 * factor))
    expected = (2 * to[:, None] - 3 * to)[None, None]
    torch.testing.assert_close(_resize(maps, factor), expected)


MINI = {"stacks": 2, "width": 32}


@pytest.mark.parametrize("markup", (WFLW98, IBUG68, COFW29), ids=lambda m: m.name)
@pytest.mark.parametrize("side", [64, 128])
def test_any_markup_width_and_number_of_stacks(markup, side):
    images = torch.rand(1, 3, side, side)
    quarter = side // 4
    with torch.no_grad():
        prop = PropNet(markup, depth=3, **MINI).eval()(images)
        wing = AWing(markup, depth=3, **MINI).eval()(images)
        lab = LAB(markup, stacks=1, width=32, regressor_width=8, side=side).eval()
        found = lab(images[:, :1])
    for output, boundaries in ((prop, len(markup.chains)), (wing, 1)):
        assert [h.shape for h in output.heatmaps] == 2 * [(1, markup.landmarks, quarter, quarter)]
        assert [b.shape for b in output.boundaries] == 2 * [(1, boundaries, quarter, quarter)]
    assert found.boundaries[0].shape == (1, 13, quarter, quarter)
    assert found.points.shape == (1, markup.landmarks, 2)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"propagation": False},
        {"residual": False},
        {"anti_aliasing": None},
        {"anti_aliasing": 5},
        {"pooling": "max", "anti_aliased_stem": True},
    ],
    ids=str,
)
def test_inference_leaves_out_only_what_does_not_matter(options):
    network = PropNet(depth=3, **MINI, **options).eval()
    images = torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        torch.testing.assert_close(network.infer(images), network(images).heatmaps[-1])


def test_residual_and_attention_matter():
    torch.manual_seed(0)
    network = PropNet(depth=3, **MINI).eval()
    images = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        with_residual = network.infer(images)
        network.residual = False
        assert not torch.allclose(with_residual, network.infer(images))


def test_every_parameter_but_the_last_attentions_learns():
    network = PropNet(depth=3, **MINI)
    output = network(torch.rand(2, 3, 128, 128))
    sum(maps.square().mean() for maps in (*output.heatmaps, *output.boundaries)).backward()
    without = {
        n.split(".")[:2] == ["attentions", "1"]
        for n, p in network.named_parameters()
        if p.grad is None
    }
    assert without == {True}


def test_every_parameter_of_awing_and_lab_learns():
    wing = AWing(depth=3, **MINI)
    output = wing(torch.rand(2, 3, 128, 128))
    sum(maps.square().mean() for maps in (*output.heatmaps, *output.boundaries)).backward()
    lab = LAB(stacks=2, width=32, regressor_width=8, side=128)
    found = lab(torch.rand(2, 1, 128, 128))
    (found.points.square().mean() + sum(b.square().mean() for b in found.boundaries)).backward()
    for network in (wing, lab):
        assert all(p.grad is not None for p in network.parameters())


def test_networks_of_one_seed_are_the_same():
    first, second = [], []
    for kept in (first, second):
        torch.manual_seed(3)
        kept += [p.detach().clone() for p in PropNet(WFLW98, **MINI).parameters()]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
