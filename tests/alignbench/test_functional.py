"""Measures of landmarks in memory: the digits of a run, of arrays and tensors, in any batches."""

from __future__ import annotations

import doctest
import subprocess
import sys

import numpy as np
import pytest
import torch
from doubles import QUICK, Shifted, make_dataset, torchrun
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

import alignbench
from alignbench import InputError, Metric, evaluate, load_dataset, load_predictor, parse_measure
from alignbench.markups import IBUG68, WFLW98
from alignbench.metrics import functional, metric, tensors

RNG = np.random.default_rng(5)
TRUTH = RNG.uniform(0, 200, (12, 98, 2))
PREDICTED = TRUTH + RNG.normal(0, 8, TRUTH.shape)
NORMS = ("inter_ocular", "inter_pupil", "box", "diagonal")


def published(name, shared):
    """A published model's run on real data, and the faces it was measured on."""
    data, model = {
        "CFSS": ("cofw68", f"saved:{shared}/cofw68/predictions/CFSS_CFOW68.txt"),
        "SPIGA": ("300w", f"saved:{shared}/predictions/spiga_300w_public.json"),
        "PFLD": ("wflw", f"onnx:{shared}/models/PFLD_GhostOne_112_1_opt_sim.onnx"),
    }[name]
    dataset = load_dataset(data, shared)
    run = evaluate(load_predictor(model), dataset, bootstrap=QUICK)
    rows = {face: k for k, face in enumerate(dataset.ids)}
    return run, dataset.take(np.array([rows[face] for face in run.faces["id"]]))


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["CFSS", "SPIGA", "PFLD"])
def test_nme_has_the_digits_of_a_run(name, shared):
    run, faces = published(name, shared)
    points, truth = run.all_points(), faces.points
    for norm in run.normalisers:
        value = run.row(parse_measure("nme").with_normaliser(norm)).value
        for make in (np.asarray, torch.from_numpy):
            ours = alignbench.nme(make(points), make(truth), faces.markup, normaliser=norm)
            assert float(ours) == pytest.approx(value, abs=1e-12)
            short = (make(part.astype(np.float32)) for part in (points, truth))
            single = alignbench.nme(*short, faces.markup, normaliser=norm)
            assert float(single) == pytest.approx(value, abs=1e-6)
    for text in ("fr@0.08", "auc@0.10"):
        measure = parse_measure(text)
        function = getattr(alignbench, measure.name)
        norm = run.record.dataset.normalisers[0]
        for make in (np.asarray, torch.from_numpy):
            pair = make(points), make(truth)
            ours = function(*pair, faces.markup, measure.threshold, normaliser=norm)
            assert float(ours) == pytest.approx(run.row(measure).value, abs=1e-12)


def test_every_measure_has_the_digits_of_a_run_with_missed_faces_and_gaps():
    dataset = make_dataset(20)
    dataset.points[4, 10:20] = np.nan
    predictor = Shifted(dataset)
    predictor.truth[dataset.ids[3]] = np.full((98, 2), np.nan)
    # Where there is no truth a model still gives landmarks.
    predictor.truth[dataset.ids[4]] = np.nan_to_num(dataset.points[4], nan=50.0)
    run = evaluate(predictor, dataset, bootstrap=QUICK)
    points = run.all_points()
    for make in (np.asarray, torch.from_numpy):
        pair = make(points), make(dataset.points), "wflw98"
        for norm in NORMS:
            for row in run.metrics:
                if (row.norm, row.subset) == (norm, "full"):
                    at = () if row.threshold is None else (row.threshold,)
                    ours = getattr(alignbench, row.metric)(*pair, *at, normaliser=norm)
                    assert float(ours) == pytest.approx(row.value, abs=1e-12)
            values = functional.to_numpy(alignbench.errors(*pair, normaliser=norm))
            np.testing.assert_allclose(values, run.errors(norm), rtol=1e-13)
        x, share = alignbench.ced(*pair, 0.3)
        errors = run.errors("inter_ocular")
        assert (x[0], x[-1], share[-1]) == (0, 0.3, (errors <= 0.3).mean())


floats = st.floats(0, 200, width=32)


@given(
    nps.arrays(np.float64, (3, 68, 2), elements=floats),
    nps.arrays(np.float64, (3, 68, 2), elements=floats),
    nps.arrays(np.bool_, (3, 68)),
    nps.arrays(np.bool_, (3, 68)),
    st.sampled_from(["inter_ocular", "box", "diagonal", "scale"]),
)
def test_tensors_and_arrays_agree(predicted, truth, gaps, mask, norm):
    gaps[:, [*IBUG68.normalisers["inter_ocular"][0], *IBUG68.normalisers["inter_ocular"][1]]] = 0
    truth[gaps] = np.nan
    predicted[1] = np.nan
    scale = np.array([50.0, 60, 70])
    results = []
    for make in (np.asarray, torch.from_numpy):
        normaliser = make(scale) if norm == "scale" else norm
        try:
            found = alignbench.errors(
                make(predicted), make(truth), IBUG68, normaliser=normaliser, mask=make(mask)
            )
        except InputError as error:
            results.append(str(error))
        else:
            assert isinstance(found, type(make(scale)))
            results.append(functional.to_numpy(found))
    if isinstance(results[0], str):
        assert results[0] == results[1]
        return
    np.testing.assert_allclose(*results, rtol=1e-12)
    assert np.isinf(results[0][1])
    counted = mask & ~gaps
    assert np.array_equal(np.isnan(results[0])[[0, 2]], ~counted.any(axis=1)[[0, 2]])


def test_a_mask_leaves_landmarks_out_and_a_face_without_any_out_of_every_mean():
    mask = np.zeros((12, 98), np.bool_)
    mask[:5, :30] = True
    only = alignbench.nme(PREDICTED, TRUTH, "wflw98", mask=mask, normaliser="box")
    distance = np.linalg.norm(PREDICTED - TRUTH, axis=2)
    scale = tensors.one_normaliser(torch.from_numpy(TRUTH), WFLW98, "box").numpy()
    assert only == pytest.approx(100 * (distance[:5, :30].mean(axis=1) / scale[:5]).mean())
    # Twelve faces, of which seven have no landmark: FR and AUC are those of the other five.
    for name in ("fr", "auc"):
        measure, pair = getattr(alignbench, name), (PREDICTED, TRUTH, "wflw98", 0.05)
        five = measure(PREDICTED[:5], TRUTH[:5], "wflw98", 0.05, mask=mask[:5], normaliser="box")
        assert measure(*pair, mask=mask, normaliser="box") == pytest.approx(five)
        tensor = measure(
            torch.from_numpy(PREDICTED), torch.from_numpy(TRUTH), "wflw98", 0.05,
            mask=torch.from_numpy(mask), normaliser="box",
        )  # fmt: skip
        assert float(tensor) == pytest.approx(five)


def test_without_a_name_errors_are_divided_by_the_outer_eye_corners_or_the_box():
    assert functional.choose_normaliser(WFLW98, None) == "inter_ocular"
    assert functional.choose_normaliser(alignbench.Markup("two", 2), None) == "box"


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
@pytest.mark.parametrize("kind", [np.float16, np.int16, np.uint16, np.float32])
@pytest.mark.parametrize("norm", NORMS)
def test_short_numbers_give_what_their_values_give_in_float64(make, kind, norm):
    # The box of such a face has more pixels than float16 and int16 can hold.
    short = [np.clip(4 * points, 0, 900).astype(kind) for points in (PREDICTED, TRUTH)]
    wide = [points.astype(np.float64) for points in short]
    expected = alignbench.errors(*wide, "wflw98", normaliser=norm)
    ours = alignbench.errors(*map(make, short), "wflw98", normaliser=norm)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
def test_a_mask_is_of_the_kind_and_on_the_device_of_the_landmarks(make):
    other = torch.from_numpy if make is np.asarray else np.asarray
    flags = np.ones((12, 98), bool)
    with pytest.raises(InputError, match=r"mask: a \w+; accepted: an? \w+, as the landmarks"):
        alignbench.errors(make(PREDICTED), make(TRUTH), "wflw98", mask=other(flags))
    with pytest.raises(InputError, match=r"mask: "):
        far = torch.from_numpy(flags).to("meta")
        alignbench.errors(make(PREDICTED), make(TRUTH), "wflw98", mask=far)


def test_results_of_tensors_stay_on_their_device_without_a_gradient():
    predicted = torch.from_numpy(PREDICTED).requires_grad_()
    for value in (
        alignbench.nme(predicted, torch.from_numpy(TRUTH), "wflw98"),
        alignbench.errors(predicted.half(), torch.from_numpy(TRUTH), "wflw98"),
    ):
        assert (value.device, value.dtype, value.requires_grad) == (
            predicted.device, torch.float64, False,
        )  # fmt: skip
    # On a device without a memory of its own nothing can be copied: only the checks fail.
    here = torch.from_numpy(PREDICTED).to("meta")
    distance = tensors.distances(here, here)
    scale = tensors.one_normaliser(here, WFLW98, "box")
    assert tensors.face_errors(distance, scale).device.type == "meta"


def test_numpy_users_do_not_load_torch():
    code = (
        "import alignbench, numpy, sys; x = numpy.random.rand(2, 98, 2);"
        "alignbench.nme(x, x, 'wflw98'); alignbench.Metric('wflw98').update(x, x);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def spoil(points, value, at=(2, 5)):
    points = points.copy()
    points[at] = value
    return points


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, t: (p[0], t[0], {}), r"truth: shape \(98, 2\); accepted: \(N, 98, 2\).*face"),
        (lambda p, t: (p[:, :68], t[:, :68], {}), r"truth: shape \(12, 68, 2\); accepted: \(N, 98"),
        (lambda p, t: (p[:1], t, {}), r"predicted: shape \(1, 98, 2\); accepted: \(12, 98, 2\)"),
        (lambda p, t: (spoil(p, np.nan), t, {}), "predicted, face 2: a landmark that is not finit"),
        (lambda p, t: (spoil(p, np.inf), t, {}), "predicted, face 2: a landmark that is not finit"),
        (lambda p, t: (spoil(p, np.inf), spoil(t, np.nan), {}), "predicted, face 2: a landmark"),
        (lambda p, t: (p, spoil(t, np.inf), {}), "truth, face 2: an infinite landmark"),
        (lambda p, t: (p, spoil(t, np.nan, 2), {}), "truth, face 2: no landmark is annotated"),
        (lambda p, t: (p, spoil(t, np.nan, (2, 60)), {}), "normaliser, face 2: zero, negative,"),
        (lambda p, t: (p, spoil(t, 1.0, 2), {}), "normaliser, face 2: zero, negative, infin"),
        (lambda p, t: (p, t, {"normaliser": "eyes"}), "normaliser of wflw98 'eyes': unknown; acce"),
        (lambda p, t: (p, t, {"normaliser": np.ones(3)}), r"normaliser: shape \(3,\); .*\(12,\)"),
        (lambda p, t: (p, t, {"normaliser": -np.ones(12)}), "normaliser, face 0: zero, negative"),
        (
            lambda p, t: (p, t, {"normaliser": spoil(np.ones(12), np.inf, 3)}),
            "normaliser, face 3: zero, negative, infinite",
        ),
        (lambda p, t: (p, t, {"normaliser": ["a"] * 12}), "normaliser: .*real numbers"),
        (lambda p, t: (p, t, {"mask": np.ones((12, 98))}), r"mask: float64 of shape \(12, 98\); "),
        (lambda p, t: (p, t, {"mask": np.ones(98, bool)}), r"mask: bool of shape \(98,\); accept"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_error(make, change, message):
    predicted, truth, options = change(PREDICTED, TRUTH)
    options = {k: make(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    with pytest.raises(InputError, match=message):
        alignbench.errors(make(predicted), make(truth), "wflw98", **options)


@pytest.mark.parametrize(
    ("predicted", "truth", "message"),
    [
        (PREDICTED, torch.from_numpy(TRUTH), "predicted: a ndarray; accepted: a tensor"),
        (PREDICTED.astype(str), TRUTH, "predicted: <U32 values; accepted: real numbers"),
        ([torch.ones(98, 2, requires_grad=True)] * 12, TRUTH, "predicted: no array .*grad"),
        (
            torch.from_numpy(PREDICTED).to("meta"),
            torch.from_numpy(TRUTH),
            "predicted: on meta; accepted: cpu, where the truth is",
        ),
        (np.ma.masked_array(PREDICTED), TRUTH, "predicted: a masked array"),
        ([[1.0], [1.0, 2.0]], TRUTH, "predicted: no array"),
        (torch.from_numpy(PREDICTED + 1j), torch.from_numpy(TRUTH), "complex128 values"),
    ],
)
def test_what_are_no_landmarks_is_refused(predicted, truth, message):
    with pytest.raises(InputError, match=message):
        alignbench.nme(predicted, truth, "wflw98")


@pytest.mark.parametrize("name", ["fr", "auc", "ced"])
@pytest.mark.parametrize("threshold", [0, 10, -0.1, float("nan")])
def test_a_threshold_is_a_fraction(name, threshold):
    with pytest.raises(InputError, match=f"{name}: threshold .* a fraction above 0 and at most 1"):
        getattr(alignbench, name)(PREDICTED, TRUTH, "wflw98", threshold)


def test_a_ced_of_no_face_is_refused():
    nothing = np.zeros((12, 98), np.bool_)
    with pytest.raises(InputError, match="ced: no face counts"):
        alignbench.ced(PREDICTED, TRUTH, "wflw98", mask=nothing)
    assert np.isnan(alignbench.nme(PREDICTED, TRUTH, "wflw98", mask=nothing))


MEASURES = ("nme", "nme(box)", "fr@0.08", "auc(diagonal)@0.10")


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
def test_a_metric_is_the_same_in_any_batches(make):
    whole, parts, other = (Metric("wflw98", MEASURES) for _ in range(3))
    whole.update(make(PREDICTED), make(TRUTH))
    for rows in (slice(0, 3), slice(3, 4)):
        parts.update(make(PREDICTED[rows]), make(TRUTH[rows]))
    other.update(make(PREDICTED[4:]), make(TRUTH[4:]))
    parts.merge(other)
    assert parts.compute() == whole.compute()
    assert list(whole.compute()) == list(MEASURES)
    assert (parts.faces, other.faces) == (12, 8)
    names = "nme, nme(box), fr@0.08, auc(diagonal)@0.10"
    assert repr(parts) == f"Metric(wflw98: {names}; normaliser inter_ocular; 12 faces here)"
    expected = alignbench.auc(PREDICTED, TRUTH, "wflw98", normaliser="diagonal")
    assert whole.compute()["auc(diagonal)@0.10"] == pytest.approx(expected, abs=1e-15)
    parts.reset()
    parts.update(make(PREDICTED[:3]), make(TRUTH[:3]))
    assert parts.compute()["nme"] == alignbench.nme(PREDICTED[:3], TRUTH[:3], "wflw98")


def test_a_metric_takes_masks_scales_and_ids():
    mask, scale = RNG.random((12, 98)) < 0.5, RNG.uniform(50, 90, 12)
    one = Metric("wflw98", ["nme", "nme(box)", "nme(inter_ocular)"])
    for rows in (slice(0, 8), slice(6, 12)):  # two faces come twice
        one.update(
            PREDICTED[rows], TRUTH[rows], mask=mask[rows], normaliser=scale[rows],
            ids=np.arange(12)[rows],
        )  # fmt: skip
    values = one.compute()
    # The array stands for the normaliser of the measures that name none, and for no other.
    for name, normaliser in (
        ("nme", scale), ("nme(box)", "box"), ("nme(inter_ocular)", "inter_ocular"),
    ):  # fmt: skip
        expected = alignbench.nme(PREDICTED, TRUTH, "wflw98", mask=mask, normaliser=normaliser)
        assert values[name] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.compute(), "Metric.compute: no face"),
        (lambda m: m.update(PREDICTED, TRUTH, ids=[1]), "ids: 1 ids; accepted: 12"),
        (lambda m: [m.update(PREDICTED, TRUTH, ids=i) for i in (range(12), None)], "in some batch"),
        (lambda m: [m.update(PREDICTED, TRUTH, ids=i) for i in (None, range(12))], "in some batch"),
        (lambda m: m.update(PREDICTED, TRUTH, ids=list(torch.arange(12))), "ids: a Tensor; acce"),
        (lambda m: m.update(PREDICTED, TRUTH, ids=np.ones((12, 1), int)), "ids: a list; accepted"),
        (lambda m: m.merge(Metric("ibug68")), "Metric.merge: Metric.ibug68"),
        (
            lambda m: [m.update(PREDICTED, TRUTH, normaliser=n) for n in (np.ones(12), None)],
            "normaliser: in some batches only",
        ),
        (lambda m: m.update(PREDICTED, TRUTH, normaliser="box"), "normaliser: the name 'box'"),
        (lambda m: m.merge(Metric("wflw98", normaliser="box")), "Metric.merge: .* normaliser box"),
        (lambda m: Metric("wflw98", []), "measures: none"),
        (lambda m: Metric("wflw98", ["nme(eyes)"]), "normaliser 'eyes': unknown"),
        (lambda m: Metric("wflw", ["nme"]), "markup 'wflw': unknown"),
        (
            lambda m: Metric("wflw98", ["nme(inter_ocular)"]).update(
                PREDICTED, TRUTH, normaliser=np.ones(12)
            ),
            "normaliser: an array that no measure uses",
        ),
    ],
)  # fmt: skip
def test_wrong_use_of_a_metric_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        change(Metric("wflw98"))


def test_metrics_with_ids_merge_only_with_such():
    with_ids, without = Metric("wflw98"), Metric("wflw98")
    with_ids.update(PREDICTED, TRUTH, ids=range(12))
    without.update(PREDICTED, TRUTH)
    with pytest.raises(InputError, match="ids in one of the two"):
        with_ids.merge(without)


RANKS = """
import sys
import numpy as np, torch
import torch.distributed as dist
from alignbench import Metric
torch.set_num_threads(1)
dist.init_process_group("gloo")
rng = np.random.default_rng(1)
truth = rng.uniform(0, 200, (11, 98, 2))
predicted = truth + rng.normal(0, 8, truth.shape)
rows = {0: range(0, 12, 2), 1: range(1, 13, 2)}[dist.get_rank()]
rows = [row % 11 for row in rows]  # as DistributedSampler deals them: one face comes twice
metric = Metric("wflw98", ["nme", "fr@0.08", "auc(box)@0.10"])
for some in (rows[:4], rows[4:]):
    metric.update(torch.from_numpy(predicted[some]), torch.from_numpy(truth[some]), ids=some)
together, own = metric.compute(), metric.compute(across_ranks=False)
alone = Metric("wflw98", ["nme", "fr@0.08", "auc(box)@0.10"])
alone.update(predicted, truth)
expected = alone.compute(across_ranks=False)
assert all(abs(together[name] - expected[name]) < 1e-12 for name in expected), (together, expected)
assert own != together
try:
    from alignbench.metrics.torchmetrics import LandmarkMetric
except ImportError:
    pass
else:
    adapter = LandmarkMetric("wflw98", ["nme", "auc(box)@0.10"])
    some = rows[:5] if dist.get_rank() else rows  # the face that is repeated is left out
    adapter.update(torch.from_numpy(predicted[some]), torch.from_numpy(truth[some]))
    values = adapter.compute()
    assert all(abs(float(values[name]) - expected[name]) < 1e-12 for name in values), values
print("equal")
dist.barrier()  # a rank that leaves while the other still listens aborts it
dist.destroy_process_group()
"""


def test_two_ranks_give_what_one_process_gives(tmp_path):
    (tmp_path / "ranks.py").write_text(RANKS)
    done = torchrun(tmp_path, script=("ranks.py",))
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("equal") == 2


def test_the_metric_of_torchmetrics_gives_the_same():
    pytest.importorskip("torchmetrics")
    from alignbench.metrics.torchmetrics import LandmarkMetric

    ours, theirs = Metric("wflw98", MEASURES), LandmarkMetric("wflw98", MEASURES)
    for rows in (slice(0, 5), slice(5, 12)):
        pair = torch.from_numpy(PREDICTED[rows]), torch.from_numpy(TRUTH[rows])
        ours.update(*pair)
        batch = theirs(*pair)  # forward: the values of this batch alone
        assert float(batch["nme"]) == pytest.approx(float(alignbench.nme(*pair, "wflw98")))
    assert {name: float(value) for name, value in theirs.compute().items()} == ours.compute()
    theirs.reset()
    assert theirs.update_count == 0
    with (
        pytest.warns(UserWarning, match="before"),
        pytest.raises(InputError, match=r"LandmarkMetric\.compute: no face"),
    ):
        theirs.compute()


@pytest.mark.parametrize("module", [functional, metric], ids=["functional", "metric"])
def test_the_examples_of_the_docstrings_are_true(module):
    result = doctest.testmod(module)
    assert result.attempted and not result.failed
