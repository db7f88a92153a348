"""What a notebook uses: models of any kind, tables, short representations, plots on given axes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from doubles import QUICK, Shifted, make_dataset
from layouts import points, pts_text, write_image
from matplotlib.figure import Figure
from matplotlib.text import Text

import alignbench
from alignbench import InputError, evaluate, load_dataset, load_run, load_runs
from alignbench.cli.console import tell
from alignbench.progress import show_progress

HOSTILE = "<script>alert('$x$')</script>"


@pytest.fixture(scope="module")
def sample():
    return load_dataset("synthetic", split="sample")


def centre(images, boxes):
    return np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 98, axis=1)


@pytest.mark.parametrize(
    "make",
    [
        np.asarray,
        np.ndarray.tolist,
        torch.from_numpy,
        lambda x: torch.tensor(x, requires_grad=True),
    ],
)
def test_an_array_of_landmarks_is_a_model(make, tmp_path):
    dataset = make_dataset(10)
    points = dataset.points + 2.0
    points[3] = np.nan
    run = evaluate(make(points), dataset, bootstrap=QUICK, out=tmp_path / "run", name="mine")
    expected = evaluate(
        Shifted(dataset), dataset.take(np.delete(np.arange(10), 3)), bootstrap=QUICK
    )
    nme = alignbench.parse_measure("nme")
    assert run.row(nme).value == expected.row(nme).value
    assert (run.record.missed, run.record.protocol.boxes) == (1, "none")
    assert run.record.model.name == "mine"
    # The same landmarks are the same run, other landmarks another one.
    assert evaluate(points, dataset, bootstrap=QUICK, out=tmp_path / "run", name="mine").read_back
    with pytest.raises(InputError, match="holds another run"):
        evaluate(points + 1, dataset, bootstrap=QUICK, out=tmp_path / "run", name="mine")


def test_an_array_may_have_another_mark_up_and_only_some_faces_be_evaluated(sample):
    points = np.random.default_rng(0).uniform(0, 200, (60, 468, 2))
    run = evaluate(points, sample, landmarks="common", limit=7, bootstrap=QUICK)
    assert (run.record.model.markup, len(run.faces)) == ("mediapipe468", 7)


def test_a_function_and_names_are_models_and_data_sets(sample, tmp_path):
    run = evaluate(centre, sample, limit=4, bootstrap=QUICK)
    assert (run.record.model.name, len(run.faces)) == ("centre", 4)
    write_image(tmp_path / "face.jpg", 0)
    (tmp_path / "face.pts").write_text(pts_text(points(1, 68)[0]))
    named = evaluate("mean-shape", f"pts:{tmp_path}", boxes="tight", bootstrap=QUICK)
    assert (named.record.model.name, len(named.faces)) == ("mean-shape", 1)
    with pytest.raises(InputError, match="Did you mean 'wflw'"):
        evaluate(centre, "wflww")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (np.zeros((3, 98, 2)), r"shape \(3, 98, 2\); accepted: \(12, L, 2\).*order of dataset.ids"),
        (np.zeros((12, 30, 2)), "30 landmarks a face"),
        (np.zeros(12), r"shape \(12,\)"),
        ([np.zeros((8, 98, 2)), np.zeros((4, 98, 2))], "of different shapes.*numpy.concatenate"),
        (np.full((12, 98, 2), np.inf), "face face0: gave a landmark that is not finite"),
        ("propnet-mimi", "Did you mean 'propnet-mini'"),
        (Shifted, "model: a ABCMeta; accepted: a Predictor, a name, a function"),
        (None, "model: a NoneType"),
    ],
)
def test_what_is_no_model_is_refused(model, message):
    with pytest.raises(InputError, match=message):
        evaluate(model, make_dataset(12))


@pytest.mark.parametrize("dataset", [None, Path("my.toml"), np.zeros((12, 98, 2))])
def test_what_is_no_data_set_is_refused(dataset):
    with pytest.raises(InputError, match=r"data set: a .*; accepted: a Dataset, or its name"):
        evaluate(np.zeros((12, 98, 2)), dataset)


def test_measures_may_be_names():
    dataset = make_dataset(12)
    run = evaluate(Shifted(dataset), dataset, measures=["fr(box)@0.05"], bootstrap=QUICK)
    assert {(row.metric, row.norm, row.threshold) for row in run.metrics} == {("fr", "box", 0.05)}
    for measures, message in (
        (["nme(eyes)"], "normaliser 'eyes'"),
        ("nme", r"a list, .*\['nme'\]"),
    ):
        with pytest.raises(InputError, match=message):
            evaluate(Shifted(dataset), dataset, measures=measures)


def test_a_trial_of_few_faces_does_not_replace_a_complete_run(tmp_path):
    dataset = make_dataset(12)

    def keep(folder, name, started, **options):
        run = evaluate(Shifted(dataset), dataset, name=name, bootstrap=QUICK, **options,
                       out=tmp_path / folder)  # fmt: skip
        record = run.record.model_copy(update={"timings": {"started": started}})
        (tmp_path / folder / "run.json").write_text(record.model_dump_json())

    keep("a", "one", "2026-01-01")
    keep("b", "other", "2026-01-01")
    keep("c", "one", "2026-01-02")
    keep("d", "one", "2026-01-03", limit=3)
    assert [run.folder.name for run in load_runs(tmp_path)] == ["b", "c"]
    (tmp_path / "e" / ".unfinished").mkdir(parents=True)
    (tmp_path / "e" / ".unfinished" / "run.json").write_text("{}")
    with pytest.raises(InputError, match="the run is not finished"):
        load_runs(tmp_path / "e")


def test_a_run_is_a_table_and_short(tmp_path):
    dataset = make_dataset(40)
    run = evaluate(Shifted(dataset), dataset, bootstrap=QUICK, out=tmp_path / "run")
    frame = run.to_frame()
    assert list(frame.columns) == [
        "subset", "faces", "norm", "metric", "threshold", "value", "ci_low", "ci_high",
    ]  # fmt: skip
    assert frame["value"].tolist() == [row.value for row in run.metrics]
    nme = frame.query("subset == 'full' and metric == 'nme' and norm == 'inter_ocular'")
    assert repr(run) == (
        f"Run(shifted on made test: 40 faces, NME {nme['value'].item():.2f} %, FR@0.10 "
        f"{run.row(alignbench.parse_measure('fr@0.10')).value:.2f} %, AUC@0.10 "
        f"{run.row(alignbench.parse_measure('auc@0.10')).value:.4f}; inter_ocular)"
    )
    assert len(run.faces) == 40 and {"kind", "name", "nme"} <= set(run.breakdown)
    html = run._repr_html_()
    row = run.row(alignbench.parse_measure("nme"), run.subsets[1])
    assert f"{row.value:.2f} [{row.ci_low:.2f}, {row.ci_high:.2f}]" in html
    assert html == load_run(tmp_path / "run")._repr_html_()


def test_a_data_set_is_short(sample):
    assert repr(sample) == "Dataset(synthetic sample: 60 faces, 98 landmarks (wflw98))"
    html = sample._repr_html_()
    assert html.count("<tr>") == 1 + len(sample.subsets)
    assert "<th>full</th><td>60</td><td>60</td>" in html


def test_names_from_outside_are_text_in_html():
    dataset = replace(make_dataset(12), name=HOSTILE)
    run = evaluate(Shifted(dataset), dataset, name=HOSTILE, bootstrap=QUICK, limit=5)
    for html in (run._repr_html_(), dataset._repr_html_()):
        assert "<script" not in html and "&lt;script&gt;" in html
    assert "INCOMPLETE: limited to the first 5 faces." in run._repr_html_()
    hidden = replace(dataset, name="a\x1b[31m")
    assert "\x1b" not in repr(hidden) + repr(evaluate(Shifted(hidden), hidden, bootstrap=QUICK))


def test_progress_is_a_bar_a_function_or_nothing(capsys, monkeypatch):
    dataset, calls = make_dataset(12), []
    note = lambda done, total: calls.append((done, total))  # noqa: E731
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK, batch_size=5, progress=note)
    assert calls == [(0, 12), (5, 12), (10, 12), (12, 12)]
    evaluate(Shifted(dataset), dataset, bootstrap=QUICK)
    assert capsys.readouterr() == ("", "")  # no terminal
    monkeypatch.setenv("FORCE_COLOR", "1")
    for progress, shown in ((False, False), (True, True)):
        evaluate(Shifted(dataset), dataset, bootstrap=QUICK, progress=progress)
        assert ("shifted on made" in capsys.readouterr().err) == shown


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("title", ["propnet-mini on 300w", "a model of a long name " * 5, "[/b]"])
def test_a_bar_takes_one_line_of_any_terminal(width, title, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    with show_progress(title, "faces") as update:
        update(1_250, 2_500, "epoch 3")
        update(2_000, 2_500)
    shown = capsys.readouterr().err
    assert shown.count("\x1b[1A") == 1  # up by a line once, when the bar is removed at its end
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n").splitlines()
    assert 30 < max(map(len, lines)) <= width
    assert any("2000/2500" in line for line in lines)


def test_a_remark_stands_above_the_bar(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    with show_progress("training", "steps") as update:
        update(1, 2)
        tell("epoch 1/2: loss 3.2")
    tell("done")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    assert "epoch 1/2: loss 3.2" in [line.strip("\r ") for line in shown.splitlines()]
    assert shown.splitlines()[-1].strip("\r ") == "done"


@pytest.fixture(scope="module")
def runs(sample):
    noise = np.random.default_rng(0).normal(0, 3, sample.points.shape)
    return [evaluate(sample.points + k * noise, sample, name=n, bootstrap=QUICK)
            for k, n in ((0.5, "near"), (1, HOSTILE))]  # fmt: skip


def test_curves_are_drawn_on_the_axes_of_the_caller(runs):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert alignbench.plot_ced(runs, left, maximum=0.08, subset="blur") is left
    assert len(left.lines) == 2 and not right.lines
    assert left.get_xlim() == (0, 8)
    errors = runs[0].errors("inter_ocular", "blur")
    assert left.lines[0].get_ydata()[-1] == pytest.approx(100 * (errors <= 0.08).mean())
    texts = [text.get_text() for text in left.get_legend().get_texts()]
    assert texts[0].startswith("near: ") and texts[1].startswith(HOSTILE)
    assert not any(text.get_parse_math() for text in left.findobj(Text))
    assert len(alignbench.plot_ced(runs[0], right).lines) == 1
    with pytest.raises(InputError, match="subset of synthetic 'blurr'"):
        alignbench.plot_ced(runs, left, subset="blurr")


def test_without_axes_there_is_a_new_figure(runs, sample, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    one, other = alignbench.plot_ced(runs), alignbench.plot_landmarks(*face(sample))
    assert one.figure is not other.figure
    plt.close("all")


def face(sample, number=4):
    return sample.images.read(number), sample.points[number]


def test_landmarks_are_drawn_where_they_are(sample):
    image, points = face(sample)
    axes = Figure().add_subplot()
    points[7] = np.nan
    drawn = alignbench.plot_landmarks(
        torch.from_numpy(image), torch.from_numpy(points), axes, truth=points + 2,
        box=sample.boxes[4], numbers=True,
    )  # fmt: skip
    assert drawn is axes
    np.testing.assert_array_equal(axes.lines[-1].get_xydata(), points)
    segments = axes.collections[-1].get_segments()
    np.testing.assert_allclose(segments[0], [points[0], points[0] + 2])
    assert [text.get_text() for text in axes.texts][6:8] == ["6", "8"]
    assert axes.patches[0].get_xy() == pytest.approx(sample.boxes[4][:2])
    assert axes.get_ylim() == (image.shape[0] - 0.5, -0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, p: (i, p[None], {}), r"points: shape \(1, 98, 2\); accepted: \(L, 2\)"),
        (lambda i, p: (i[None], p, {}), r"image: shape \(1, 256, 256, 3\)"),
        (lambda i, p: (i, p, {"truth": p[:5]}), r"truth: shape \(5, 2\); accepted: \(98, 2\)"),
        (lambda i, p: (i, p, {"box": [1, 2]}), r"box: shape \(2,\)"),
        (lambda i, p: (i, p.astype(str), {}), "points: <U32 values"),
        (lambda i, p: (i, [[1], [1, 2]], {}), "points: no array of numbers"),
    ],
)
def test_what_cannot_be_drawn_is_refused(sample, change, message):
    image, points, options = change(*face(sample))
    with pytest.raises(InputError, match=message):
        alignbench.plot_landmarks(image, points, Figure().add_subplot(), **options)


def test_the_plots_are_public_names():
    assert {"plot_ced", "plot_landmarks"} <= set(dir(alignbench))
    with pytest.raises(AttributeError):
        _ = alignbench.plot_nothing
