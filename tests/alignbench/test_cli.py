"""The command line, end to end: golden numbers from real data, bad input, what is printed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from doubles import QUICK, SAMPLE
from layouts import points, write_300w, write_image, write_wflw
from PIL import Image

import alignbench
from alignbench import evaluate, load_dataset, load_predictor, load_run, plugins
from alignbench.cli import app
from alignbench.cli.mount import make_command
from alignbench.progress import show_progress, show_status
from alignbench.runs.record import run_key

RUN = ("run", "--model", "linear", "--dataset")


def row(folder, subset="full", norm="inter_ocular", metric="nme", threshold=None):
    """The value of one row of a run's metrics.json."""
    key = {"subset": subset, "norm": norm, "metric": metric, "threshold": threshold}
    rows = json.loads((Path(folder) / "metrics.json").read_text())
    (value,) = (r["value"] for r in rows if key.items() <= r.items())
    return value


def read_csv(path):
    with Path(path).open() as stream:
        return list(csv.DictReader(stream))


def read_record(folder):
    return json.loads((Path(folder) / "run.json").read_text())


def done(result, *parts):
    """Assert that a command succeeded and printed these parts; what it printed."""
    assert result.code == 0, result.err
    for part in parts:
        assert part in result.out
    return result.out


# --- golden numbers (protocols of the papers and of the files' own authors) ---------------------


@pytest.fixture
def run_real(cli, shared):
    """Run a model on real data, into the folder ``run``; what is printed, with single blanks."""

    def call(model, dataset):
        arguments = ("--model", model, "--dataset", dataset, "--data-root", shared, "--out", "run")
        return " ".join(done(cli("run", *arguments)).split())

    return call


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("file", "ocular", "fr", "pupil", "seen"),
    [
        ("CFSS_CFOW68", 6.2831, 9.07, 8.7990, 7.3001),
        ("TCDCN_CFOW68", 7.6551, 16.17, 10.7215, 9.8334),
        ("RCPR-occ_300w", 8.7557, 20.12, 12.2711, 11.4414),
    ],
)
def test_cofw68_predictions(run_real, shared, file, ocular, fr, pupil, seen):
    out = run_real(f"saved:{shared}/cofw68/predictions/{file}.txt", "cofw68")
    assert round(row("run"), 4) == ocular
    assert round(row("run", metric="fr", threshold=0.1), 2) == fr
    assert round(row("run", norm="inter_pupil"), 4) == pupil
    (visible,) = (
        float(r["nme"])
        for r in read_csv("run/breakdown.csv")
        if (r["kind"], r["name"], r["norm"]) == ("visibility", "visible", "inter_pupil")
    )
    assert round(visible, 4) == seen
    assert f"{ocular:.2f} [" in out
    assert f"visible {seen:.2f} %" in out


@pytest.mark.real_data
def test_spiga_on_300w(run_real, shared):
    run_real(f"saved:{shared}/predictions/spiga_300w_public.json", "300w")
    published = {
        "full": 2.993687, "common": 2.587080, "challenging": 4.662282, "helen": 2.519457,
        "lfpw": 2.686704,
    }  # fmt: skip
    assert {name: round(row("run", name), 6) for name in published} == published
    assert round(row("run", metric="fr", threshold=0.08), 6) == 0.725689
    assert read_record("run")["dataset"]["complete"]


@pytest.mark.real_data
def test_pfld_ghostone_on_the_wflw_faces_whose_image_is_there(run_real, shared):
    out = run_real(f"onnx:{shared}/models/PFLD_GhostOne_112_1_opt_sim.onnx", "wflw")
    assert row("run") == pytest.approx(6.01, abs=0.02)
    record = read_record("run")
    assert record["dataset"]["faces"] == 206
    assert record["dataset"]["images_missing"] == 1760
    assert not record["dataset"]["complete"]
    assert record["protocol"]["leak"] == "ground-truth landmarks"
    assert record["statistics"]["clusters"] == 175  # several faces share an image
    assert "INCOMPLETE: 1,966 of 2,500 faces annotated; image missing for 1,760 of 1,966" in out


@pytest.mark.real_data
def test_pfld_ghostone_converted_to_68_points(run_real, shared):
    run_real(f"onnx:{shared}/models/PFLD_GhostOne_112_1_opt_sim.onnx", "300w")
    assert read_record("run")["protocol"]["conversion"] == "wflw98 -> ibug68"
    assert row("run") == pytest.approx(3.94, abs=0.05)


@pytest.mark.real_data
def test_dlib_on_the_lfpw_test_images_with_its_own_detector(run_real):
    run_real("dlib", "300w")
    assert row("run") == pytest.approx(2.63, abs=0.05)
    record = read_record("run")
    assert record["dataset"]["faces"] == 163
    assert record["protocol"]["leak"] == "none"
    assert record["missed"] <= 3
    assert "300W test set: its numbers on 300W are training error" in record["model"]["notes"][1]
    assert row("run", "ibug") is None


# --- the default, and what it prints -------------------------------------------------------------


def test_the_demo_run_from_table_to_plot(cli):
    parts = ("linear on synthetic sample, normaliser inter_ocular", "AUC@0.10")
    out = done(cli(*RUN, *SAMPLE), *parts, "leak: ground-truth box")
    folder = next(Path("runs/synthetic/linear").iterdir())
    assert f"Run kept in {folder}" in out
    names = "run.json metrics.json predictions.npz faces.csv breakdown.csv ced.svg ced.png"
    assert {path.name for path in folder.iterdir()} == set(names.split())
    record = read_record(folder)
    assert record["status"] == "complete"
    assert record["key"] == folder.name
    rows = json.loads((folder / "metrics.json").read_text())
    assert set(rows[0]) == {
        "subset", "faces", "norm", "metric", "threshold", "value", "ci_low", "ci_high"
    }  # fmt: skip
    assert {r["metric"] for r in rows} == {"nme", "fr", "auc"}
    with np.load(folder / "predictions.npz") as stored:
        assert stored["points"].shape == (60, 98, 2)
    done(cli("run", "--model", "mean-shape", "--dataset", *SAMPLE, "--name", "mean face"))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored")
    for model in ("linear", "mean-shape"):
        predictor, faces = load_predictor(model), load_dataset("synthetic", split="sample")
        evaluate(predictor, faces, out=folder / model, bootstrap=QUICK)
    return folder


@pytest.fixture
def two_runs(stored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    return "linear", "mean-shape"


def test_a_table_of_two_runs_in_every_format(cli, two_runs):
    parts = {"terminal": "2 models on synthetic sample", "md": "| linear", "latex": r"\toprule"}
    for form, part in parts.items():
        done(cli("report", *two_runs, "--format", form), part)
    done(cli("report", *two_runs, "--format", "csv", "--out", "deep/table.csv"))
    rows = read_csv("deep/table.csv")
    for model in two_runs:
        metrics = json.loads((Path(model) / "metrics.json").read_text())
        written = [float(r["value"]) for r in rows if r["model"] == model]
        assert written == [r["value"] for r in metrics]


def test_measures_can_be_chosen(cli, two_runs):
    measures = ("--measure", "nme(inter_pupil)", "--measure", "auc@0.08")
    report = cli("report", "linear", "--format", "md", *measures)
    done(report, "NME %", "AUC@0.08", "inter\\_pupil")
    measures = ("--measure", "fr(box)@0.05", "--measure", "auc@0.05", "--bootstrap", 200)
    run = cli(*RUN, *SAMPLE, *measures, "--out", "own")
    done(run, "AUC@0.10", "AUC@0.05", "normaliser box")
    assert row("own", norm="box", metric="fr", threshold=0.05) is not None
    # A measure that the run did not store is computed from its faces.
    out = cli("report", "own", "--measure", "auc@0.03", "--format", "csv").out
    assert out.count("auc,0.03") == 7


def test_a_tables_form_follows_the_ending_of_its_file(cli, two_runs):
    result = cli("report", *two_runs, "--out", "t.docx")
    assert result.code == 2
    assert "unknown ending '.docx'; accepted: .md, .tex, .html, .csv, .json, .txt" in result.err
    for name, part in (("t.md", "|:---"), ("t.tex", "\\toprule"), ("t.csv", "model,dataset")):
        done(cli("report", *two_runs, "--out", name))
        assert part in Path(name).read_text()
    Path("tables").mkdir()
    done(cli("report", *two_runs, "--format", "latex", "--out", "tables"))
    assert "\\toprule" in Path("tables/summary.tex").read_text()
    assert cli("ced", *two_runs, "--out", "tables").code == 2


def test_runs_of_one_name_are_told_apart_by_boxes_or_key(cli):
    for name, *options in (("rect",), ("tight",), ("few", "--limit", 6)):
        boxes = "rect" if name == "few" else name
        common = ("--limit", 8, "--boxes", boxes, "--out", name, "--bootstrap", 200)
        done(cli(*RUN, *SAMPLE, *common, *options))
    report = cli("report", "rect", "tight", "--format", "md")
    done(report, "| linear (rect) ", "| linear (tight) ")
    text = cli("report", "rect", "tight", "few", "--format", "md").out
    keys = [read_record(name)["key"] for name in ("rect", "few")]
    assert keys[0] != keys[1]
    for label in ("linear (tight)", *(f"linear [{key}]" for key in keys)):
        assert f"| {label.replace('[', chr(92) + '[')} " in text  # Markdown's brackets make links


@pytest.fixture
def run_300w(cli, tmp_path):
    """Run the mean face on a few faces in the layout of 300W, into ``out``."""

    def call(*folders):
        write_300w(tmp_path / "300w", *folders)
        options = ("--data-root", tmp_path, "--boxes", "tight", "--out", "out", "--bootstrap", 200)
        return done(cli("run", "--model", "mean-shape", "--dataset", "300w", *options))

    return call


def test_a_plot_ends_at_the_data_sets_threshold_and_refuses_a_subset_without_faces(cli, run_300w):
    run_300w(("lfpw/testset",))
    done(cli("ced", "out", "--out", "a.svg"))
    assert Path("a.svg").read_bytes() == Path("out/ced.svg").read_bytes()
    result = cli("ced", "out", "--out", "b.svg", "--subset", "ibug")
    assert result.code == 2
    assert "subset 'ibug': has no faces in run mean-shape" in result.err
    assert not Path("b.svg").exists()


def test_an_image_of_another_ending_is_found(run_300w, tmp_path):
    write_image(tmp_path / "300w" / "ibug" / "not_annotated.png")
    assert "wflw98 -> ibug68" in run_300w()


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_a_ced_plot_of_two_runs(cli, two_runs, ending):
    plot = Path(f"plots/ced.{ending}")
    done(cli("ced", *two_runs, "--out", plot, "--max", "0.2", "--subset", "blur"))
    head = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[ending]
    assert plot.read_bytes().startswith(head)


def test_list_shows_everything(cli):
    names = (
        "models:", "saved", "dlib", "wflw", "98 landmarks", "auc", "detector:FILE", ".npz",
        "summary", "ced", "propnet/wflw", "data show",
    )  # fmt: skip
    assert "broken" not in done(cli("list"), *names)
    assert "dlib" not in cli("list", "datasets").out


def test_data_list_and_verify(cli, tmp_path):
    write_300w(tmp_path / "300w")
    command = ("data", "list", "--data-root", tmp_path)
    done(cli(*command), "test       6 of 689 faces, 6 with image", "test       not here")
    (tmp_path / "300w/ibug/face_2_0.pts").write_text("oops")
    done(cli(*command), "test       not usable: ")
    write_300w(tmp_path / "300w")
    verified = cli("data", "verify", "300w", "--data-root", tmp_path)
    assert verified.code == 1
    assert "expected    689  differs" in verified.out
    assert "300w test: INCOMPLETE" in verified.out
    done(cli("data", "verify", *SAMPLE), "synthetic sample: complete")


def test_version(cli):
    from alignbench import __version__

    assert cli("--version").out == f"alignbench {__version__}\n"


# --- wrong use and bad input: one message, exit status 2, nothing written ------------------------


def refused(result, *parts):
    """Assert one message with these parts and nothing half-written."""
    assert result.code == 2, result.out
    assert "Traceback" not in result.err
    assert result.err.count("alignbench: ") == 1
    for part in parts:
        assert part in result.err
    assert not Path("out").exists()
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ((*RUN, "wfwl"), ["dataset 'wfwl': unknown", "Did you mean 'wflw'"]),
        (("run", "--model", "liner", "--dataset", *SAMPLE), ["model 'liner'", "'linear'"]),
        ((*RUN, *SAMPLE, "--measure", "nmee"), ["measure 'nmee'", "Did you mean 'nme'"]),
        ((*RUN, *SAMPLE, "--measure", "nme(eye)"), ["normaliser", "inter_ocular"]),
        ((*RUN, "synthetic", "--split", "tset"), ["split of synthetic", "Did you mean 'test'"]),
        ((*RUN, *SAMPLE, "--boxes", "round"), ["box protocol 'round'"]),
        ((*RUN, *SAMPLE, "--limit", "0"), ["--limit"]),
        ((*RUN, *SAMPLE, "--weights", "none.bin"), ["none.bin: no such file of weights"]),
        ((*RUN, "wflw"), ["data set 'wflw': not found", "--data-root"]),
        ((*RUN, *SAMPLE, "--bootstrap", "5"), ["--bootstrap: 5; accepted: 100 to 1,000,000"]),
        ((*RUN, *SAMPLE, "--threads", "0"), ["--threads: 0"]),
        ((*RUN, *SAMPLE, "--name", " "), ["--name: ' '; accepted: a printable name"]),
        ((*RUN, *SAMPLE, "--measure", "fr@0"), ["threshold 0"]),
        (("report", "nowhere"), ["nowhere: no run"]),
        (("report", "nowhere", "--table", "sumary"), ["report 'sumary'", "'summary'"]),
        (("ced", "nowhere", "--out", "a.svg"), ["nowhere: no run"]),
        (("data", "verify", "wflv"), ["'wflv'", "Did you mean 'wflw'"]),
        (("run",), ["Missing option '--model'. See `alignbench run --help`."]),
        (("run", "--model", "linear"), ["Missing option '--dataset'"]),
        (("walk",), ["command 'walk': unknown; accepted: ablation, "]),
        (("list", "cars"), ["'cars' is not one of 'models', "]),
        ((*RUN, *SAMPLE, "--limit", "x"), ["--limit: "]),
    ],
)  # fmt: skip
def test_wrong_use(cli, arguments, parts):
    refused(cli(*arguments), *parts)


def test_plots_that_make_no_sense(cli, two_runs):
    for option, value, part in (
        ("--out", "a.bmp", "unknown ending '.bmp'"),
        ("--max", "3", "--max: 3.0"),
        ("--subset", "poze", "Did you mean 'pose'"),
        ("--norm", "inter_eye", "normaliser 'inter_eye'"),
    ):
        refused(cli("ced", *two_runs, "--out", "a.svg", option, value), part)
        assert not Path("a.svg").exists()


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (None, "has no image; the first missing one is"),
        (900, "2.jpg: image is broken or cut short"),
        (0, "2.jpg: image file is empty"),
    ],
)
def test_images_that_cannot_be_used(cli, tmp_path, size, message):
    write_wflw(tmp_path / "wflw", faces=3)
    images = sorted((tmp_path / "wflw/WFLW_images/0--Parade").iterdir())
    for path in images if size is None else images[-1:]:
        data = path.read_bytes()
        path.unlink()
        if size is not None:
            path.write_bytes(data[:size])
    refused(cli(*RUN, "wflw", "--data-root", tmp_path, "--out", "out"), message)


def test_one_missing_image_is_labelled_or_on_demand_refused(cli, tmp_path):
    write_wflw(tmp_path / "wflw", faces=4)
    (tmp_path / "wflw/WFLW_images/0--Parade/3.jpg").unlink()
    command = (*RUN, "wflw", "--data-root", tmp_path, "--out", "out")
    result = cli(*command, "--require-complete")
    refused(result, "image missing for 1 of 4 faces", "0--Parade/3.jpg)")
    out = done(cli(*command, "--bootstrap", 200))
    assert "image missing for 1 of 4 faces" in " ".join(out.split())


def test_a_rotation_of_an_image_is_noted_and_makes_no_other_run(cli, tmp_path):
    write_wflw(tmp_path / "wflw", faces=4)
    path = tmp_path / "wflw/WFLW_images/0--Parade/3.jpg"
    rotation = Image.Exif()
    rotation[274] = 6
    Image.open(path).save(path, exif=rotation)
    command = (*RUN, "wflw", "--data-root", tmp_path, "--out", "out")
    out = " ".join(done(cli(*command, "--bootstrap", 200)).split())
    assert "1 of 3 images have an EXIF rotation, such as 0--Parade/3.jpg; it is ignored" in out
    record = load_run("out").record
    blocks = [record.model, record.dataset, record.protocol, record.statistics]
    blocks[1] = record.dataset.model_copy(update={"notes": ()})
    assert run_key(*blocks, version=record.alignbench) == record.key


def test_a_wrong_number_of_points(cli, tmp_path):
    ids = load_dataset("synthetic", split="sample").ids[:2]
    np.savez(tmp_path / "p.npz", ids=np.array(ids), points=points(2, 68))
    result = cli("run", "--model", "saved:p.npz", "--dataset", *SAMPLE, "--out", "out")
    refused(result, "ibug68 (68 points) where the data set has wflw98")


def test_a_folder_that_cannot_be_made(cli, tmp_path):
    (tmp_path / "file").write_text("x")
    refused(cli(*RUN, *SAMPLE, "--out", tmp_path / "file" / "run"), "cannot be written")


def test_a_script_that_exits_when_imported_is_no_success(cli, tmp_path):
    (tmp_path / "script_cli.py").write_text("import sys\nsys.exit(0)\n")
    result = cli("run", "--model", "script_cli:f", "--dataset", *SAMPLE, "--out", "out")
    refused(result, "raised SystemExit", "script_cli.py, line 2")


def test_a_script_that_reads_the_command_line_gets_none_of_ours(cli, tmp_path):
    (tmp_path / "reader_cli.py").write_text(
        "import argparse, sys\n"
        "print('loading', file=sys.stderr)\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--cfg', required=len(sys.argv) == 1)\n"
        "parser.parse_args()\n"
    )
    result = cli("run", "--model", "reader_cli:f", "--dataset", *SAMPLE)
    refused(result, "raised SystemExit: 2", "error: the following arguments are required: --cfg")
    assert "usage:" not in result.err


def test_a_table_written_through_a_link_leaves_the_link(cli, two_runs):
    Path("real.md").write_text("old")
    Path("link.md").symlink_to("real.md")
    done(cli("report", "linear", "--out", "link.md"))
    assert Path("link.md").is_symlink()
    assert "|:---" in Path("real.md").read_text()
    done(cli("report", "linear", "--out", "/dev/null"))
    assert Path("/dev/null").is_char_device()


# --- streams and status -------------------------------------------------------------------------


def shell(command, **environment):
    """What a shell gives for a command: status, output, errors."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.run(
        ["bash", "-c", command], env=os.environ | {"PATH": path} | environment,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in process.stderr
    assert "Exception ignored" not in process.stderr
    return process


GATE = "alignbench compare linear mean-shape --bootstrap 200 --fail-if 'nme > -500'"


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (f"{GATE} | true; exit ${{PIPESTATUS[0]}}", 1),
        (f"{GATE} >&-", 1),
        (f"{GATE} 2>&-", 1),
        ("alignbench report linear | true; exit ${PIPESTATUS[0]}", 0),
        ("alignbench report linear >&- 2>&- <&-", 0),
        ("alignbench report nowhere 2>&-", 2),
        ("alignbench report nowhere 2>&1 | true; exit ${PIPESTATUS[0]}", 2),
        ("alignbench --help | true; exit ${PIPESTATUS[0]}", 0),
        ("alignbench report linear > /dev/full", 2),  # whoever asked for it does not have it
    ],
)
def test_the_status_is_the_commands_own(two_runs, command, status):
    assert shell(command).returncode == status


def test_output_in_an_encoding_without_dashes(two_runs):
    process = shell("alignbench report linear", PYTHONIOENCODING="ascii")
    assert process.returncode == 0
    assert "NME %" in process.stdout


def test_a_model_may_close_the_output_and_leave_the_folder(two_runs):
    Path("evil_cli.py").write_text(
        "import os, sys\n"
        "import numpy as np\n"
        "def model(images, boxes):\n"
        "    os.chdir('/')\n"
        "    sys.stdout.close()\n"
        "    return np.repeat(boxes[:, None, :2], 98, axis=1)\n"
    )
    options = "--model evil_cli:model --dataset synthetic --split sample --limit 10 --bootstrap 200"
    for out in ("", "--out here"):
        process = shell(f"alignbench run {options} {out}")
        assert process.returncode == 0, process.stderr
        folder = process.stdout.splitlines()[-1].removeprefix("Run kept in ").partition(" (")[0]
        assert (Path(folder) / "run.json").exists()
    process = shell(f"alignbench sensitivity {options} --out table.md")
    assert Path("table.md").exists(), process.stderr


@pytest.mark.parametrize(
    "command",
    [
        "audit f.csv", "train f.toml", "ablation f.toml", "report f",
        "run --model saved:f.npz --dataset synthetic --split sample",
        "run --model onnx:f.onnx --dataset synthetic --split sample",
        "run --model linear --weights f.safetensors --dataset synthetic --split sample",
        "run --model linear --boxes detector:f.csv --dataset synthetic --split sample",
    ],
)  # fmt: skip
def test_a_pipe_in_place_of_a_file_is_refused_at_once(cli, command):
    for argument in command.split():
        name = argument.rpartition(":")[2]
        if name.partition(".")[0] == "f":
            os.mkfifo(name)
    refused(cli(*command.split()), "f")


# --- commands of packages -----------------------------------------------------------------------


@pytest.fixture
def plugged(monkeypatch):
    """Register further entry points: (group, name, value)."""
    before = plugins.entry_points

    def register(group, name, value):
        entries = {**before(group), name: EntryPoint(name, value, group)}
        monkeypatch.setattr(
            plugins, "entry_points", lambda other: entries if other == group else before(other)
        )

    return register


HEAVY = {
    "torch", "matplotlib", "numpy", "cv2", "pandas", "scipy", "rich", "reports", "baselines"
}  # fmt: skip
EVALUATE = (
    "from alignbench import *; "
    "evaluate(load_predictor('mean-shape'), load_dataset('synthetic', split='sample'), limit=3)"
)


@pytest.mark.parametrize(
    ("code", "arguments", "absent", "loaded"),
    [
        ("from alignbench.cli import main; main()", ["run", "--help"], HEAVY, ""),
        ("from alignbench.cli import main; main()", ["--help"], HEAVY, "baselines reports"),
        ("import alignbench", [], HEAVY, ""),
        (EVALUATE, [], {"torch"}, ""),
    ],
)
def test_what_is_heavy_is_loaded_when_it_is_needed(code, arguments, absent, loaded):
    at_exit = f"lambda: print(*sorted({absent} & set(sys.modules)), file=sys.stderr)"
    call = [sys.executable, "-c", f"import sys, atexit; atexit.register({at_exit}); {code}"]
    process = subprocess.run([*call, *arguments], capture_output=True, text=True, check=True)
    assert process.stderr.strip() == loaded


def test_a_broken_command_breaks_no_other(cli, plugged, tmp_path, monkeypatch):
    (tmp_path / "broken_cli.py").write_text("raise RuntimeError('no way')\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugged(plugins.COMMANDS, "shatter", "broken_cli:f")
    (line,) = (line for line in cli("--help").out.splitlines() if "shatter" in line)
    assert "(broken: command 'shatter': registered as" in line
    done(cli("list", "datasets"))
    refused(cli("shatter", "--option", "x"), "RuntimeError: no way")


def commands(ctx, group, path=()):
    """Names of all commands below a group."""
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        yield (*path, name)
        if hasattr(command, "list_commands"):
            yield from commands(ctx, command, (*path, name))


def test_every_help_text_fits_80_columns_and_has_an_example(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    root = make_command("alignbench", app)
    paths = list(commands(root.make_context("alignbench", ["list"]), root))
    assert ("data", "show") in paths
    assert ("figure", "ced") in paths
    for path in [(), *paths]:
        if path[:1] == ("report",) and len(path) > 1:
            path = ("report", "--table", path[1])
        out = done(cli(*path, "--help"))
        assert max(map(len, out.splitlines())) <= 80
        assert path in (("data",), ("models",)) or "For example:\n    alignbench " in out
        assert "..." not in out.partition("Commands:")[2]


def test_a_folder_above_runs_stands_for_the_newest_of_each_model(cli):
    for limit in (6, 5):
        done(cli(*RUN, *SAMPLE, "--limit", limit, "--bootstrap", 200))
    done(cli("run", "--model", "mean-shape", "--dataset", *SAMPLE, "--bootstrap", 200))
    keys = {path.parent.name for path in Path("runs/synthetic/linear").glob("*/run.json")}
    result = cli("report", "runs", "--measure", "nme", "--format", "csv")
    shown = {line["key"] for line in csv.DictReader(result.out.splitlines())}
    (older,) = keys - shown
    assert len(keys) == len(shown) == 2
    assert f"Not used: runs/synthetic/linear/{older}; " in result.err


def test_a_users_own_function_from_the_folder_it_lies_in(cli, tmp_path):
    (tmp_path / "mymodel_cli.py").write_text(
        "import numpy as np\n"
        "def centre(images, boxes):\n"
        "    assert images[0].dtype == np.uint8\n"
        "    return np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 98, axis=1)\n"
    )
    result = cli("run", "--model", "mymodel_cli:centre", "--dataset", *SAMPLE, "--limit", "10")
    done(result, "limited to the first 10 faces")


def test_predictions_of_another_split_are_not_taken_for_these(cli, tmp_path):
    """Same bare names, other faces: the train split's file on another split."""
    sample = load_dataset("synthetic", split="sample")
    train = [name.replace("sample/", "train/") for name in sample.ids]
    for ids in (train, [name.partition("#")[0] for name in train]):
        ids[-1] = "train/000/000100.jpg"
        np.savez(tmp_path / "p.npz", ids=np.array(ids), points=sample.points)
        result = cli("run", "--model", "saved:p.npz", "--dataset", *SAMPLE, "--out", "out")
        refused(result, "p.npz: ")


def test_a_name_in_square_brackets_may_be_shown_on_a_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with show_status("Loading saved:[/mine].npz"), show_progress("[/mine]", "faces") as report:
        report(1, 2)


def test_public_names_are_there():
    import alignbench

    assert [name for name in alignbench.__all__ if not hasattr(alignbench, name)] == []
    assert set(dir(alignbench)) > set(alignbench.__all__)
    with pytest.raises(AttributeError):
        _ = alignbench.nothing


@pytest.mark.parametrize("how", ["raise KeyboardInterrupt", "os.kill(os.getpid(), 15)"])
def test_an_interrupted_run_says_how_to_go_on(cli, tmp_path, monkeypatch, how):
    monkeypatch.delitem(sys.modules, "stopping_cli", raising=False)
    monkeypatch.setenv("CALLS", "")  # a value of the module would be part of the model
    (tmp_path / "stopping_cli.py").write_text(
        "import os\n"
        "import numpy as np\n"
        "def model(images, boxes):\n"
        "    os.environ['CALLS'] += '.'\n"
        "    if os.environ['CALLS'] == '...':\n"
        f"        {how}\n"
        "    return np.repeat(boxes[:, None, :2], 98, axis=1)\n"
    )
    command = ("run", "--model", "stopping_cli:model", "--dataset", *SAMPLE, "--batch-size", 20)
    result = cli(*command)
    assert result.code == 130
    assert "interrupted; the same command goes on where it stopped" in result.err
    done(cli(*command), "(40 faces were stored already)")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_without_a_place_in_the_code(cli, tmp_path):
    model = "def centre(images, boxes):\n    return np.repeat(boxes[:, None, :2], 98, axis=1)\n"
    (tmp_path / "unknowable.py").write_text(f'import numpy as np\n\n{model}\nexec("x = 1")\n')
    command = ("run", "--model", "unknowable:centre", "--dataset", *SAMPLE, "--out", "run")
    assert cli(*command, "--limit", 4).err == ""
    warning = cli(*command, "--limit", 4).err
    assert warning.startswith("alignbench: ")
    assert "the run there is not read back, because exec" in warning
    assert warning.count("\n") == 1


def test_a_bare_report_shows_my_runs_or_the_paper(cli):
    assert "Table 1" in cli("report").out
    done(cli(*RUN, *SAMPLE, "--limit", 5, "--bootstrap", 200))
    assert cli("report").out.startswith("linear on synthetic sample, normaliser inter_ocular")
    assert "Table 1" in cli("report", "--table", "all", "--format", "md").out


def test_runs_of_other_boxes_or_landmarks_stand_beside_each_other(cli):
    for options in ((), ("--boxes", "tight"), ("--landmarks", "inner51")):
        done(cli(*RUN, *SAMPLE, "--limit", 5, "--bootstrap", 200, *options))
    assert {path.name for path in Path("runs").iterdir()} == {"synthetic", "synthetic-inner51"}
    result = cli("compare", "runs/synthetic")
    orders = ["A = linear (rect), B = linear (tight)", "A = linear (tight), B = linear (rect)"]
    assert any(order in result.out for order in orders)  # that of the folders' names
    assert result.err == ""
    assert len(alignbench.load_runs()) == 3
    assert len(alignbench.load_runs("runs/synthetic-inner51")) == 1
    # A run is shown once, however often its folder is named.
    twice = cli("report", "runs", "runs/synthetic", "--format", "csv").out
    assert twice == cli("report", "runs", "--format", "csv").out


def test_a_folder_without_runs_is_refused(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        refused(cli("report", folder), folder)
    with pytest.raises(alignbench.InputError, match="no finished run is there"):
        alignbench.load_runs("empty")
    with pytest.raises(alignbench.InputError, match="runs: "):
        alignbench.load_runs()


def test_a_class_takes_options_on_the_command_line(cli, tmp_path):
    (tmp_path / "mine_cli.py").write_text(
        "import numpy as np\n"
        "from alignbench import Predictor\n\n"
        "class Mine(Predictor):\n"
        "    name = 'mine'\n"
        "    def __init__(self, shift=0.0, deep=False):\n"
        "        self.shift, self.deep = shift, deep\n"
        "    def predict(self, batch):\n"
        "        middle = (batch.boxes[:, None, :2] + batch.boxes[:, None, 2:]) / 2\n"
        "        return np.repeat(middle + self.shift, 98, axis=1)\n"
        "    def describe(self):\n"
        "        return {'source': 'mine', 'shift': self.shift, 'deep': self.deep}\n"
    )
    command = ("run", "--dataset", *SAMPLE, "--limit", "10", "--bootstrap", 200)
    done(cli(*command, "--model", "mine_cli:Mine:shift=2.5,deep=true", "--out", "run"))
    identity = load_run("run").record.model.identity
    assert (identity["shift"], identity["deep"]) == (2.5, True)
    refused(cli(*command, "--model", "mine_cli:Mine:shfit=2.5"), "'shfit': unknown")


def test_quiet_commands_say_nothing_but_results_and_errors(cli, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    command = (*RUN, *SAMPLE, "--limit", 5, "--bootstrap", 200, "--boxes", "tight", "--out", "run")
    assert cli(*command).err  # a bar
    quiet = cli(*command, "--fresh", "--quiet")
    assert quiet.err == ""
    assert "Run kept in run" in quiet.out
    refused(cli("run", "--model", "nothing", "--dataset", *SAMPLE, "-q"), "'nothing': unknown")
    assert cli(*command, "--fresh").err  # only for its own command


def test_results_as_json(cli):
    command = (*RUN, *SAMPLE, "--limit", 5, "--bootstrap", 200)
    result = json.loads(done(cli(*command, "--json")))
    assert result["record"] == read_record(result["folder"])
    assert result["metrics"] == json.loads((Path(result["folder"]) / "metrics.json").read_text())
    models = json.loads(done(cli("list", "models", "--json")))
    assert {"model": "linear", "points": "98"}.items() <= next(
        one for one in models if one["model"] == "linear"
    ).items()
    assert set(json.loads(done(cli("list", "--json")))) > {"models", "datasets", "measures"}
    splits = json.loads(done(cli("data", "list", "--json", "--data-root", "nowhere")))
    assert {"dataset": "wflw", "split": "test", "status": "not here", "official": 2500}.items() <= (
        next(one for one in splits if (one["dataset"], one["split"]) == ("wflw", "test")).items()
    )
    (found,) = json.loads(done(cli("doctor", result["folder"], "--json")))
    assert (found["model"], found["run"], found["findings"]) == (
        "linear", result["record"]["key"], [],
    )  # fmt: skip
