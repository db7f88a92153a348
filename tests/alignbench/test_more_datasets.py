"""The further official data sets, landmarks without annotation, and what a data set may say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from doubles import QUICK, Shifted, make_dataset
from layouts import (
    image,
    points,
    pts_text,
    wflw_line,
    write_106,
    write_300vw,
    write_300w,
    write_aflw19,
    write_aflw2000,
    write_cofw_v5,
    write_ibug_boxes,
    write_image,
    write_merl_rav,
    write_wflw,
)
from scipy.io import savemat

from alignbench import InputError, Predictor, evaluate, load_dataset, load_run, parse_measure
from alignbench.boxes import read_detections
from alignbench.datasets.verify import verify
from alignbench.io.pts import read_pts
from alignbench.markups import IBUG68, JD106, MEDIAPIPE468, convert
from alignbench.matching import match_ids
from alignbench.predictors.saved import SavedPredictor
from alignbench.stats import wilson
from baselines import mean_shape
from baselines.training.data import hold_out
from reports.compare.pairing import pair
from reports.labels import interval_note, protocol_notes


def count(dataset):
    return {name: int(member.sum()) for name, member in dataset.subsets.items()}


def perfect(dataset, folder):
    """The run of a file that holds the truth, and 0 where there is none."""
    folder.mkdir(exist_ok=True)
    path = folder / "truth.npz"
    np.savez(path, ids=np.array(dataset.ids), points=np.nan_to_num(dataset.points))
    return evaluate(SavedPredictor(path), dataset, bootstrap=QUICK, out=folder / "run")


def values(run, subset="full"):
    """NME, FR and AUC at the data set's threshold, from the stored run."""
    return [
        row.value
        for row in load_run(run.folder).metrics
        if row.subset == subset and row.norm == run.record.dataset.normalisers[0]
    ]


# --- layouts ------------------------------------------------------------------------------------


def test_merl_rav(tmp_path):
    truth = write_merl_rav(tmp_path / "merl-rav")
    dataset = load_dataset("merl-rav", tmp_path)
    expected = np.stack([truth[name] for name in dataset.ids])
    np.testing.assert_allclose(dataset.points, expected, atol=2e-3)
    assert dataset.visible[:, 2:].all()
    assert not dataset.visible[:, :2].any()
    assert count(dataset) == {
        "full": 10, "frontal": 2, "left": 2, "lefthalf": 2, "right": 2, "righthalf": 2,
    }  # fmt: skip
    assert dataset.unannotated() == 10
    # Two faces of one image, which has a copy for each face.
    assert len(set(dataset.cluster_names())) == 5
    run = perfect(dataset, tmp_path)
    assert values(run) == [0, 0, 0, 1, 1]
    assert run.record.statistics.clusters == 5


def test_a_merl_rav_landmark_of_two_signs_is_refused(tmp_path):
    write_merl_rav(tmp_path / "merl-rav", 1)
    label = tmp_path / "merl-rav/merl_rav_labels/left/testset/labels/image00001_1.pts"
    lines = label.read_text().splitlines()
    x, y = lines[3].split()
    lines[3] = f"-{x.lstrip('-')} {y.lstrip('-')}"
    label.write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"image00001_1.pts, landmark 0: \[-.*both negative"):
        load_dataset("merl-rav", tmp_path)


def test_merl_rav_takes_images_of_the_organised_folder_or_of_aflw(tmp_path):
    root = tmp_path / "MERL_RAV_dataset"
    write_merl_rav(root, 1)
    write_image(root / "merl_rav_organized/left/testset/image00001_1.jpg")
    write_image(root / "aflw/flickr/2/image00003.jpg")
    dataset = load_dataset("merl-rav", root)
    available = dict(zip(dataset.ids, dataset.images.available().tolist(), strict=True))
    assert [name for name, there in available.items() if there] == [
        "left/image00001_1",
        "right/image00003_1",
    ]


def test_aflw19(tmp_path):
    truth = write_aflw19(tmp_path / "aflw19")
    dataset = load_dataset("aflw19", tmp_path)
    np.testing.assert_array_equal(dataset.points, truth)
    np.testing.assert_array_equal(dataset.visible, ~np.isnan(truth).any(axis=2))
    assert dataset.ids[2] == "0/image00001-2"
    assert dataset.images.sources()[2] == dataset.images.sources()[3] == "images/0/image00001.jpg"
    assert count(dataset) == {"full": 4, "frontal": 2}
    assert dataset.scales["face_box"].tolist() == [60, 61, 62, 63]
    assert dataset.scales["face_diagonal"].tolist() == [100] * 4
    shifted = evaluate(Shift(3), dataset, boxes="rect", bootstrap=QUICK, out=tmp_path / "run")
    run = load_run(shifted.folder)
    assert run.normalisers[-4:] == ("box", "diagonal", "face_box", "face_diagonal")
    np.testing.assert_allclose(run.errors("face_box"), 5 / np.array([60, 61, 62, 63]))
    np.testing.assert_allclose(run.errors("face_diagonal"), 5 / 100)
    assert values(perfect(dataset, tmp_path / "truth"), "frontal") == [0, 0, 0, 1, 1]


OFFSET = np.array([3.0, 4.0])


class Shift(Predictor):
    """The truth 5 pixels off, and 0 where there is none; misses the faces it is told to."""

    needs_images = False

    def __init__(self, number, missed=()):
        self.name, self.missed = f"shift{number}", missed

    def prepare(self, dataset):
        places = enumerate(zip(dataset.ids, dataset.points, strict=True))
        self.truth = {
            name: np.full_like(face, np.nan) if k in self.missed else np.nan_to_num(face) + OFFSET
            for k, (name, face) in places
        }

    def predict(self, batch):
        return np.stack([self.truth[name] for name in batch.ids])

    def describe(self):
        return {"source": self.name}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("20 1 1 True", "line 1: found '20 1 1 True'; accepted: NUMBER x y True or False, with a"),
        ("1 1 1", "line 1: found '1 1 1'"),
        ("1 nan 1 True", "line 1, field 2: found 'nan'"),
        ("01 1 1 True\n1 2 2 True", "line 2: landmark 1 for the second time"),
        ("² 1 1 True", "line 1: found"),
        (f"{'9' * 5000} 1 1 True", "line 1: found"),
    ],
)
def test_a_bad_annotation_of_aflw19_is_named(tmp_path, line, message):
    write_aflw19(tmp_path)
    (tmp_path / "annotations/0/image00000-0.pts").write_text(line)
    with pytest.raises(InputError, match=f"image00000-0.pts, {message}"):
        load_dataset("aflw19", tmp_path)


def test_a_path_of_aflw19_that_leaves_its_folder_is_refused(tmp_path):
    write_aflw19(tmp_path)
    text = (tmp_path / "test.GTB").read_text()
    (tmp_path / "test.GTB").write_text(text.replace("annotations/0/", "annotations/../../0/", 1))
    with pytest.raises(InputError, match=r"test.GTB, line 1: path .*\.\./\.\./0"):
        load_dataset("aflw19", tmp_path)


def test_lapa_and_jd106(tmp_path):
    truth = points(3, 106)
    for k, landmarks in enumerate(truth):
        write_106(tmp_path / f"LaPa/test/landmarks/{k}.txt", landmarks)
        write_106(tmp_path / f"jd106/Test_data/landmark/{k}.jpg.txt", landmarks)
        write_106(tmp_path / f"jd106/Training_data/AFW/landmark/{k}.jpg.txt", landmarks)
        write_image(tmp_path / f"jd106/Test_data/picture/{k}.jpg")
    lapa, jd, train = (
        load_dataset(name, tmp_path, split)
        for name, split in (("lapa", "test"), ("jd106", "test"), ("jd106", "train"))
    )
    for dataset in (lapa, jd, train):
        np.testing.assert_array_equal(dataset.points, truth)
        assert dataset.markup is JD106
    assert lapa.ids == ("0", "1", "2")
    assert jd.ids[0] == "Test_data/0"
    assert train.ids[0] == "Training_data/AFW/0"
    assert jd.images.available().all()
    assert values(perfect(lapa, tmp_path / "a")) == values(perfect(jd, tmp_path / "b"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("68\n1 1\n", "line 1: found '68'; accepted: 106"),
        ("\x1c" * 50, "file is empty|line 1: found"),
        ("106\n1 1\n", "1 points; accepted: 106"),
        ("106\n" + "1 1\n" * 105 + "1 1 1\n", "line 107: 3 fields"),
        ("106\n" + "1 1\n" * 105 + "1 inf\n", "line 107, field 2: found 'inf'"),
        ("", "file is empty"),
    ],
)
def test_a_bad_file_of_106_points_is_named(tmp_path, text, message):
    (tmp_path / "test/landmarks").mkdir(parents=True)
    (tmp_path / "test/landmarks/a.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        load_dataset("lapa", tmp_path)


def test_aflw2000(tmp_path):
    truth, yaws = points(4, 68), (-30.0, 30.5, -60.0, 89.0)
    for k, (landmarks, yaw) in enumerate(zip(truth, yaws, strict=True)):
        write_aflw2000(tmp_path / f"AFLW2000/image{k:05d}.mat", landmarks, yaw)
        write_image(tmp_path / f"AFLW2000/image{k:05d}.jpg")
    dataset = load_dataset("aflw2000-3d", tmp_path)
    np.testing.assert_allclose(dataset.points, truth)
    assert dataset.images.available().all()
    assert count(dataset) == {"full": 4, "yaw-30": 1, "yaw-60": 2, "yaw-90": 1}
    assert dataset.shortfall() == {"full": (4, 2000)}
    assert values(perfect(dataset, tmp_path)) == [0, 0, 0, 1, 1]
    write_aflw2000(tmp_path / "AFLW2000/image00000.mat", np.full((68, 2), np.nan), 0)
    with pytest.raises(InputError, match=r"image00000.mat: a value is not finite"):
        load_dataset("aflw2000-3d", tmp_path)


def test_300vw_draws_videos(tmp_path):
    truth = write_300vw(tmp_path / "300VW_Dataset_2015_12_14", frames=5)
    dataset = load_dataset("300vw", tmp_path)
    np.testing.assert_allclose(dataset.points, np.stack(list(truth.values())), atol=2e-3)
    assert count(dataset) == {"full": 15, "category-1": 5, "category-2": 5, "category-3": 5}
    assert dataset.incomplete == ("61 of 64 videos missing, such as 124",)
    run = perfect(dataset, tmp_path)
    assert values(run) == [0, 0, 0, 1, 1]
    assert run.record.statistics.clusters == 3
    assert load_run(run.folder).clusters.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    # No frame fails; the interval is that of three videos, not of fifteen frames.
    (rate,) = (row for row in run.metrics if row.metric == "fr" and row.threshold == 0.08
               and row.norm == "inter_ocular" and row.subset == "full")  # fmt: skip
    assert rate.ci_high == pytest.approx(100 * wilson(np.zeros(1), np.full(1, 3.0), 0.95)[1][0])
    assert "over 3 videos." in interval_note(run.record, run.measures)
    assert "INCOMPLETE: 61 of 64 videos missing" in protocol_notes(run)[0]
    assert not verify(dataset).complete
    # Frames of one video are never on both sides of a training.
    train, held = hold_out(dataset, 0.4, 0)
    assert not set(train.cluster_names()) & set(held.cluster_names())


def test_the_official_numbers_of_videos():
    from alignbench.datasets import vw300

    sizes = [len(videos) for videos in vw300._CATEGORIES.values()]
    assert sizes == [31, 19, 14]
    assert len(vw300._TRAIN) == 50
    assert len({*vw300._TRAIN, *vw300._VIDEOS["test"]}) == 114


@pytest.mark.parametrize("name", ["COFW_test.mat", "COFW_test_color.mat"])
def test_cofw_in_version_5_and_in_grey(tmp_path, name):
    truth, visible = points(3, 29), np.random.default_rng(0).random((3, 29)) < 0.6
    pictures = [image(0), image(1)[:, :, 0], image(2, 50, 70)]
    write_cofw_v5(tmp_path / "cofw" / name, truth, visible, pictures)
    dataset = load_dataset("cofw", tmp_path)
    np.testing.assert_allclose(dataset.points, truth, atol=1e-9)
    np.testing.assert_array_equal(dataset.visible, visible)
    np.testing.assert_allclose(dataset.boxes[:, 2:], truth.max(axis=1))
    np.testing.assert_array_equal(dataset.images.read(1), np.stack([pictures[1]] * 3, axis=2))
    last = dataset.take(np.array([2])).images
    np.testing.assert_array_equal(last.read(0), pictures[2])
    assert last.digest() != dataset.images.digest()
    write_cofw_v5(tmp_path / "cofw" / name, truth, visible, pictures[:2])
    with pytest.raises(InputError, match="IsT: 2 images for 3 faces"):
        load_dataset("cofw", tmp_path)
    content = {"phisT": [{"a": 1}], "bboxesT": np.ones((3, 4)), "IsT": np.ones(3)}
    savemat(tmp_path / "cofw" / name, content)
    with pytest.raises(InputError, match="phisT: values of no number; accepted: numbers"):
        load_dataset("cofw", tmp_path)


# --- landmarks without annotation ---------------------------------------------------------------


def test_a_missed_face_and_a_landmark_without_annotation_are_never_confused(tmp_path):
    truth = make_dataset(12)
    lacking = truth.points.copy()
    lacking[:, 60] = np.nan  # one end of inter_ocular
    lacking[3, :90] = np.nan
    dataset = replace(truth, points=lacking)
    written = evaluate(Shift(0, [5, 6]), dataset, bootstrap=QUICK, out=tmp_path / "run")
    run = load_run(written.folder)
    assert run.record.missed == 2
    assert run.record.dataset.unannotated == 12 + 89
    assert run.normalisers == ("inter_pupil", "box", "diagonal")
    infinite = np.flatnonzero(np.isinf(run.errors("box")))
    assert infinite.tolist() == [5, 6]
    low, high = (f(lacking, axis=1) for f in (np.nanmin, np.nanmax))
    expected = 5 / np.sqrt(np.prod(high - low, axis=1))
    finite = np.isfinite(run.errors("box"))
    np.testing.assert_allclose(run.errors("box")[finite], expected[finite])
    landmark = run.breakdown.query("kind == 'landmark' and norm == 'box'")
    assert landmark["faces"].tolist() == [9] * 60 + [0] + [9] * 29 + [10] * 8
    assert np.isnan(landmark["nme"].iloc[60])
    assert any("101 of 1,176 landmarks are not annotated" in note for note in protocol_notes(run))
    assert any("Errors by inter_ocular are missing" in note for note in protocol_notes(run))
    with pytest.raises(InputError, match="inter_ocular"):
        evaluate(Shift(0), dataset, measures=[parse_measure("nme(inter_ocular)")], bootstrap=QUICK)


def test_runs_with_and_without_a_normaliser_are_compared():
    truth = make_dataset(12)
    lacking = truth.points.copy()
    lacking[11, 60] = np.nan
    dataset = replace(truth, points=lacking)
    whole = evaluate(Shift(0), dataset, bootstrap=QUICK)
    some = evaluate(Shift(0), dataset, limit=6, bootstrap=QUICK)
    assert "inter_ocular" in some.normalisers
    assert "inter_ocular" not in whole.normalisers
    assert pair([some, whole]).rows.shape == (2, 6)


def test_a_mean_shape_is_fitted_to_the_landmarks_that_are_annotated():
    dataset = make_dataset(6)
    lacking = dataset.points.copy()
    lacking[0, 5] = np.nan
    rest = dataset.take(np.arange(1, 6))
    fitted = mean_shape.fit(replace(dataset, points=lacking))
    np.testing.assert_allclose(fitted[5], mean_shape.fit(rest)[5])
    np.testing.assert_allclose(np.delete(fitted, 5, 0), np.delete(mean_shape.fit(dataset), 5, 0))


def test_scales_and_clusters_are_part_of_the_fingerprint_and_follow_the_faces():
    plain = make_dataset(3)
    scaled = replace(plain, scales={"size": np.arange(1.0, 4)}, clusters=("a", "b", "a"))
    prints = [d.fingerprint() for d in (plain, scaled, replace(scaled, clusters=("a", "b", "c")))]
    assert len(set(prints)) == 3
    some = scaled.take(np.array([2, 1]))
    assert some.scales["size"].tolist() == [3, 2]
    assert some.cluster_names() == ["a", "b"]


# --- 106 points as 68 ---------------------------------------------------------------------------


def test_106_points_become_68():
    converted = convert(np.arange(212.0).reshape(1, 106, 2), JD106, IBUG68)[0, :, 0] / 2
    for name, (left, right) in IBUG68.normalisers.items():
        if name == "inter_ocular":
            ends = [converted[left[0]], converted[right[0]]]
            assert ends == [JD106.normalisers[name][0][0], JD106.normalisers[name][1][0]]
    for name in ("nose_bridge", "upper_lip_upper", "left_brow_upper"):
        ours = IBUG68.chains.get(name, IBUG68.chains.get("left_brow"))
        assert converted[list(ours)].tolist() == list(JD106.chains[name])


@pytest.mark.parametrize("markup", [JD106, MEDIAPIPE468], ids=lambda m: m.name)
def test_a_run_says_which_landmarks_a_conversion_only_approximates(markup):
    class Many(Shifted):
        def __init__(self):
            self.markup = markup

        def predict(self, batch):
            return np.random.default_rng(0).random((len(batch.ids), markup.landmarks, 2))

        def describe(self):
            return {"source": "many"}

    run = evaluate(Many(), make_dataset(5, IBUG68), bootstrap=QUICK)
    assert run.record.protocol.approximate == IBUG68.regions["contour"]
    assert any("only approximates 17 of the 68 landmarks: 0-16." in n for n in protocol_notes(run))


# --- what people bring --------------------------------------------------------------------------


def test_boxes_of_300ws_detector(tmp_path):
    write_300w(tmp_path / "300w", ("helen/testset", "ibug"), 2)
    dataset = load_dataset("300w", tmp_path)
    boxes = {name: np.array([k, k + 1.5, 50, 60]) for k, name in enumerate(dataset.ids)}
    folder = tmp_path / "boxes"
    folder.mkdir()
    for part, f in (("helen_testset", 0), ("ibug", 1)):
        inside = {
            f"face_{f}_{k}.png": boxes[f"{part.replace('_', '/')}/face_{f}_{k}"] for k in (0, 1)
        }
        write_ibug_boxes(folder / f"bounding_boxes_{part}.mat", inside)
    np.testing.assert_allclose(
        read_detections(folder, dataset, dataset), np.stack(list(boxes.values()))
    )
    one = read_detections(folder / "bounding_boxes_ibug.mat", dataset, dataset)
    assert np.isnan(one).any(axis=1).tolist() == [True, True, False, False]
    write_ibug_boxes(folder / "bounding_boxes_ibug.mat", {"face_1_0.png": np.array([5.0, 5, 2, 9])})
    with pytest.raises(InputError, match=r"'ibug/face_1_0.png': empty box"):
        read_detections(folder, dataset, dataset)
    with pytest.raises(InputError, match=r"no .mat file in this folder"):
        read_detections(tmp_path / "300w", dataset, dataset)
    (folder / "bounding_boxes_ibug.mat").write_bytes(b"x")
    with pytest.raises(InputError, match="version unknown; accepted: version 5"):
        read_detections(folder, dataset, dataset)


@pytest.mark.parametrize("place", ["WFLW", "wflw/WFLW", "Wflw/any", "."])
def test_a_folder_in_another_case_or_one_deeper_is_found(tmp_path, place):
    write_wflw(tmp_path / place, 2)
    assert len(load_dataset("wflw", tmp_path)) == 2


def test_the_exact_name_comes_first(tmp_path):
    write_wflw(tmp_path / "WFLW", 2)
    write_wflw(tmp_path / "wflw", 3)
    assert len(load_dataset("wflw", tmp_path)) == 3


def test_backslashes_in_a_list_are_slashes(tmp_path):
    lines = [wflw_line(face, f"a\\{k}.jpg") for k, face in enumerate(points(2, 98))]
    write_wflw(tmp_path, lines=lines)
    assert load_dataset("wflw", tmp_path).images.sources() == ["a/0.jpg", "a/1.jpg"]
    lines[1] = lines[1].replace("a\\", "..\\..\\")
    write_wflw(tmp_path, lines=lines)
    with pytest.raises(InputError, match=r"line 2: image path .* leaves"):
        load_dataset("wflw", tmp_path)


def test_a_list_without_boxes_is_told_by_its_name(tmp_path):
    line = wflw_line(points(1, 98)[0], "a.jpg").split()
    write_wflw(tmp_path, lines=[" ".join([*line[:196], line[-1]])])
    with pytest.raises(InputError, match=r"line 1: 197 fields.*This is list_98pt_test.txt"):
        load_dataset("wflw", tmp_path)


def test_boxes_that_are_not_those_of_their_faces_are_named(tmp_path):
    face = points(1, 98)[0]
    fields = wflw_line(face, "0--Parade/1.jpg").split()
    fields[196:200] = ["-300", "-300", "-200", "-200"]
    write_wflw(tmp_path, lines=[" ".join(fields), wflw_line(face, "0--Parade/1.jpg")])
    dataset = load_dataset("wflw", tmp_path)
    result = verify(dataset)
    assert result.boxes_off == result.boxes_elsewhere == [dataset.ids[0]]
    run = evaluate(Shifted(dataset), dataset, bootstrap=QUICK)
    assert any(f"such as {dataset.ids[0]}" in note for note in protocol_notes(run))


def test_side_files_of_macos_are_left_out_and_counted(tmp_path):
    write_300w(tmp_path / "300w")
    (tmp_path / "300w/ibug/._face_2_0.pts").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "300w/ibug/face_2_1.pts").rename(tmp_path / "300w/ibug/face_2_1.PTS")
    write_image(tmp_path / "300w/ibug/face_2_0_mirror.jpg")
    (tmp_path / "300w/ibug/face_2_0_mirror.pts").write_text(pts_text(points(1, 68)[0]))
    dataset = load_dataset("300w", tmp_path)
    assert count(dataset)["ibug"] == 3
    assert dataset.images.available().all()
    macos, mirror = dataset.notes
    assert macos == "1 side files of macOS were left out, such as ._face_2_0.pts."
    assert mirror.startswith("1 files, such as face_2_0_mirror.pts, are mirrored copies")


@pytest.mark.parametrize(
    ("before", "after"),
    [("version: 1\nn_points:  68", "version : 1\nn_points :68"), ("68\n{\n", "68 {\n"),
     ("68\n{\n", "68\n{ ")],
)  # fmt: skip
def test_headers_with_other_blanks_and_breaks_are_read(tmp_path, before, after):
    truth = points(1, 68)[0]
    text = pts_text(truth)
    assert before in text
    path = tmp_path / "a.pts"
    path.write_text(text.replace(before, after))
    np.testing.assert_allclose(read_pts(path, 68), truth, atol=1e-9)
    path.write_text(pts_text(truth[:51]))
    with pytest.raises(InputError, match="51 points without the contour"):
        read_pts(path, 68)


def test_names_that_differ_in_blanks_alone_are_the_same():
    ours = ("ibug/image_092 _01", "ibug/a", "ibug/b c", "ibug/bc ")
    match = match_ids(["ibug/image_092_01", "ibug/a", "ibug/bc"], ours, "x")
    assert match.rows.tolist() == [0, 1, -1, -1]  # which of the last two it is cannot be known


# --- real data ----------------------------------------------------------------------------------


@pytest.mark.real_data
def test_real_merl_rav(shared, tmp_path):
    dataset = load_dataset("merl-rav", shared)
    assert dataset.shortfall() == {}
    assert len(dataset) == 3865
    assert (dataset.unannotated(), int(dataset.visible.sum())) == (33206, 201206)
    for subset in ("full", "left"):
        assert values(perfect(dataset, tmp_path / subset), subset) == [0, 0, 0, 1, 1]


@pytest.mark.real_data
def test_real_aflw19(shared, tmp_path):
    dataset = load_dataset("aflw19", shared)
    assert dataset.shortfall() == {}
    assert count(dataset) == {"full": 4386, "frontal": 1211}
    assert not np.isnan(dataset.points[dataset.subsets["frontal"]]).any()
    assert values(perfect(dataset, tmp_path)) == [0, 0, 0, 1, 1]
    # The boxes of the landmarks that the other list of the same source has.
    lines = [line.split() for line in (shared / "aflw19/test.GTL").read_text().splitlines()]
    listed = np.array([line[2:] for line in lines], np.float64)
    np.testing.assert_allclose(np.nanmin(dataset.points, axis=1), listed[:, :2], atol=0.01)
    np.testing.assert_allclose(np.nanmax(dataset.points, axis=1), listed[:, 2:4], atol=0.01)


@pytest.mark.real_data
def test_real_samples(shared, tmp_path):
    samples = shared / "mmpose_samples"
    vw = load_dataset("300vw", samples)
    assert vw.ids == ("401/000731", "401/000732")
    assert vw.images.available().all()
    stored = json.loads((samples / "lapa/test_lapa.json").read_text())
    for face in stored["annotations"]:
        landmarks = np.array(face["keypoints"]).reshape(-1, 3)[:, :2]
        write_106(tmp_path / f"test/landmarks/{face['id']}.txt", landmarks)
    lapa = load_dataset("lapa", tmp_path)
    # Mirrored, the pairs change sides: every left landmark lies left of its partner.
    for left, right in JD106.flip_pairs:
        assert (lapa.points[:, left, 0] < lapa.points[:, right, 0]).all(), (left, right)
    eyes = lapa.points[:, [66, 79]].mean(axis=1)
    assert (eyes[:, 1] < lapa.points[:, JD106.regions["mouth"], 1].min(axis=1)).all()
