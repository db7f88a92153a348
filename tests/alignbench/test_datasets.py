"""Data sets: official layouts in, 0-based columns out; what is wrong is named."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from doubles import make_dataset
from layouts import (
    image,
    points,
    pts_text,
    wflw_line,
    write_300w,
    write_cofw,
    write_cofw68,
    write_image,
    write_wflw,
)
from scipy.io import loadmat, savemat

from alignbench import InputError, load_dataset
from alignbench.datasets.joined import join_datasets
from alignbench.datasets.verify import verify
from alignbench.io.images import ArrayImages, read_image
from alignbench.io.pts import read_pts
from alignbench.markups import IBUG68


def assert_refused(message, read, *arguments):
    with pytest.raises(InputError, match=message):
        read(*arguments)


def count(dataset):
    return {name: int(member.sum()) for name, member in dataset.subsets.items()}


def test_wflw(tmp_path):
    truth, _ = write_wflw(tmp_path / "wflw")
    dataset = load_dataset("wflw", tmp_path)
    np.testing.assert_array_equal(dataset.points, truth)
    assert dataset.ids[0].startswith("0--Parade/1.jpg#")
    assert len(set(dataset.ids)) == 4
    assert dataset.images.sources()[:3] == ["0--Parade/1.jpg", "0--Parade/1.jpg", "0--Parade/2.jpg"]
    assert dataset.subsets["pose"].tolist() == [False, True, False, True]
    assert dataset.subsets["occlusion"].all()
    assert (dataset.boxes[:, :2] <= truth.min(axis=1)).all()
    assert dataset.images.read(2).shape == (120, 100, 3)
    assert dataset.shortfall()["full"] == (4, 2500)
    # The folder of the data set itself works as well as the one above it.
    assert load_dataset("wflw", tmp_path / "wflw").fingerprint() == dataset.fingerprint()


def test_wflw_id_does_not_depend_on_the_rest_of_the_list(tmp_path):
    _, path = write_wflw(tmp_path / "wflw", faces=5)
    ids = load_dataset("wflw", tmp_path).ids
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[3], lines[1]]) + "\n")
    assert load_dataset("wflw", tmp_path).ids == (ids[3], ids[1])


def test_images_are_rgb(tmp_path):
    write_wflw(tmp_path / "wflw", faces=1)
    picture = load_dataset("wflw", tmp_path).images.read(0)
    assert np.abs(picture.astype(int) - image(0)[:, :, ::-1]).mean() < 8  # OpenCV wrote BGR as JPEG


def test_300w(tmp_path):
    truth = write_300w(tmp_path / "300w")
    dataset = load_dataset("300w", tmp_path)
    assert set(dataset.ids) == set(truth)
    landmarks = np.stack([truth[name] for name in dataset.ids])
    np.testing.assert_allclose(dataset.points, landmarks, atol=1e-9)
    counts = {"full": 6, "common": 4, "challenging": 2, "helen": 2, "lfpw": 2, "ibug": 2}
    assert count(dataset) == counts
    assert dataset.images.available().all()  # .jpg, .png and .JPG
    assert dataset.visible is None
    assert dataset.boxes is None


def test_of_several_images_of_one_face_the_same_is_always_taken(tmp_path):
    write_300w(tmp_path / "300w")
    for ending in (".bmp", ".png", ".jpeg", ".jpg"):
        write_image(tmp_path / f"300w/ibug/face_2_0{ending}")
    dataset = load_dataset("300w", tmp_path)
    assert dataset.images.location(dataset.ids.index("ibug/face_2_0")).lower().endswith(".jpg")


def test_300w_private_and_train_splits(tmp_path):
    write_300w(tmp_path / "300w", ("300W/01_Indoor", "300W/02_Outdoor"), 3)
    write_300w(tmp_path / "300w", ("afw", "lfpw/trainset"), 1)
    private, train = (load_dataset("300w", tmp_path, split) for split in ("private", "train"))
    assert count(private) == {"full": 6, "indoor": 3, "outdoor": 3}
    assert count(train) == {"full": 2, "afw": 1, "helen": 0, "lfpw": 1}
    assert_refused(r"no .pts file of the test split", load_dataset, "300w", tmp_path)


def test_cofw_from_an_official_file(tmp_path):
    truth = points(3, 29)
    visible = np.random.default_rng(0).random((3, 29)) < 0.6
    pictures = [image(0), image(1)[:, :, 0], image(2, 50, 70)]
    write_cofw(tmp_path / "cofw" / "COFW_test_color.mat", truth, visible, pictures)
    dataset = load_dataset("cofw", tmp_path)
    np.testing.assert_allclose(dataset.points, truth, atol=1e-9)
    np.testing.assert_array_equal(dataset.visible, visible)
    np.testing.assert_allclose(dataset.boxes[:, :2], truth.min(axis=1))
    np.testing.assert_allclose(dataset.boxes[:, 2:], truth.max(axis=1))
    np.testing.assert_array_equal(dataset.images.read(0), pictures[0])
    np.testing.assert_array_equal(dataset.images.read(1), np.stack([pictures[1]] * 3, axis=2))
    chosen = dataset.take(np.array([2]))
    np.testing.assert_array_equal(chosen.images.read(0), pictures[2])
    assert chosen.ids == ("3",)
    assert dataset.images.digest() != chosen.images.digest()


def test_cofw68(tmp_path):
    truth = points(3, 68).round()
    occluded = np.random.default_rng(1).random((3, 68)) < 0.3
    write_cofw68(tmp_path / "cofw68", truth, occluded)
    dataset = load_dataset("cofw68", tmp_path)
    assert dataset.ids == ("1", "2", "3")
    np.testing.assert_allclose(dataset.points, truth)
    np.testing.assert_array_equal(dataset.visible, ~occluded)
    np.testing.assert_allclose(dataset.boxes[:, :2], truth.min(axis=1) - 1)
    assert not dataset.images.available().any()


def test_the_sample_is_drawn_once_and_in_silence(capfd):
    told = []
    first = load_dataset("synthetic", None, "sample", lambda *numbers: told.append(numbers))
    assert told in ([], [(k, 60) for k in range(61)])
    again = load_dataset("synthetic", split="sample")
    assert first.fingerprint() == again.fingerprint()
    assert first.shortfall() == {}
    assert first.subsets["pose"].any()
    assert capfd.readouterr() == ("", "")


def test_environment_names_the_data_root(tmp_path, monkeypatch):
    write_wflw(tmp_path / "wflw")
    monkeypatch.setenv("ALIGNBENCH_DATA", str(tmp_path))
    assert len(load_dataset("wflw")) == 4


def test_absent_data_says_what_is_wanted_and_where_it_is_published(tmp_path):
    with pytest.raises(InputError) as error:
        load_dataset("cofw", tmp_path)
    for part in (tmp_path, "COFW_test_color.mat", "xpburgos", "--data-root", "ALIGNBENCH_DATA"):
        assert str(part) in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f[:150], "line 2: 150 fields; accepted: 207"),
        (lambda f: [*f[:7], "abc", *f[8:]], "line 2, field 8: found 'abc'; accepted: a finite"),
        (lambda f: [*f[:7], "nan", *f[8:]], "line 2, field 8: found 'nan'"),
        (lambda f: [*f[:7], "1e308", *f[8:]], "'1e308'; accepted: a finite .* at most 1,000,000"),
        (lambda f: [*f[:195], "inf", *f[196:]], "line 2, field 196: found 'inf'"),
        (lambda f: [*f[:200], "2", *f[201:]], "line 2: attribute pose is 2; accepted: 0 or 1"),
        (lambda f: [*f[:198], "0", *f[199:]], "line 2: empty box"),
        (lambda f: [*f[:-1], "../../etc/passwd"], "line 2: image path '../../etc/passwd' leaves"),
        (lambda f: [*f[:-1], "/etc/passwd"], "line 2: image path '/etc/passwd' leaves"),
    ],
)
def test_a_bad_wflw_line_is_named(tmp_path, change, message):
    lines = [wflw_line(landmarks, f"a/{k}.jpg") for k, landmarks in enumerate(points(3, 98))]
    lines[1] = " ".join(change(lines[1].split()))
    write_wflw(tmp_path / "wflw", lines=lines)
    with pytest.raises(InputError, match=message) as error:
        load_dataset("wflw", tmp_path)
    assert "list_98pt_rect_attr_test.txt" in str(error.value)


def test_a_box_that_stands_twice_still_has_an_id_of_its_own(tmp_path):
    line = wflw_line(points(1, 98)[0], "a/1.jpg")
    write_wflw(tmp_path / "wflw", lines=[line, line])
    first, second = load_dataset("wflw", tmp_path).ids
    assert second == f"{first}#2"


def test_an_empty_list_is_refused(tmp_path):
    write_wflw(tmp_path / "wflw", lines=[""])
    assert_refused("file is empty", load_dataset, "wflw", tmp_path)


GOOD = pts_text(points(1, 68)[0])


def with_line_11(text):
    return "\n".join([*GOOD.splitlines()[:10], text, *GOOD.splitlines()[11:]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("version: 1", "verison: 1"), "line 1: wrong .pts header, found 'verison: 1'"),
        (GOOD.replace("n_points:  68", "points 68"), "line 2: wrong .pts header"),
        (GOOD.replace("{", "["), "line 3: wrong .pts header"),
        (GOOD.replace("}", ""), "67 points, 68 by its header"),
        (GOOD.replace("68", "70", 1), "68 points, 70 by its header.*accepted: 68 points"),
        (pts_text(points(1, 29)[0]), "29 points, 29 by its header.*accepted: 68 points"),
        (GOOD.replace("\n{\n", "\n{\nnan 1.0\n", 1).replace("68", "69", 1), "accepted: 68 points"),
        ("", "file is empty"),
        ("version: 1", "line 2: wrong .pts header"),
        (with_line_11("nan 3"), "line 11.*'nan'"),
        (with_line_11("1 2 3"), "line 11.*3 fields"),
        (with_line_11("x 3"), "line 11.*'x'"),
    ],
)
def test_a_bad_pts_file_is_named(tmp_path, text, message):
    path = tmp_path / "face.pts"
    path.write_text(text)
    assert_refused(message, read_pts, path, 68)


def test_a_mat_file_of_the_wrong_version_is_named(tmp_path):
    write_cofw68(tmp_path / "cofw68", points(1, 68), np.zeros((1, 68), bool))
    path = tmp_path / "cofw68" / "test_annotations" / "1_points.mat"
    write_cofw(path, points(1, 29), np.ones((1, 29), bool), [image()])
    assert_refused(r"version 7.3; accepted: version 5", load_dataset, "cofw68", tmp_path)


@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_a_damaged_mat_file_is_named(tmp_path, damage):
    path = tmp_path / "cofw" / "COFW_test_color.mat"
    write_cofw(path, points(2, 29), np.ones((2, 29), bool), [image(), image()])
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "text": b"hello" * 50}[damage])
    assert_refused(r"COFW_test_color.mat", load_dataset, "cofw", tmp_path)


@pytest.mark.parametrize("seed", range(40))
def test_a_cofw_file_with_flipped_bytes_never_ends_in_a_traceback(tmp_path, seed):
    path = tmp_path / "COFW_test_color.mat"
    write_cofw(path, points(2, 29), np.ones((2, 29), bool), [image(0, 9, 9), image(1, 9, 9)])
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(512, len(data), 60):
        data[place] = rng.integers(256)
    path.write_bytes(data)
    try:
        load_dataset("cofw", tmp_path).images.read(0)
    except InputError as error:
        assert "COFW_test_color.mat" in str(error)


def test_a_cofw_coordinate_that_is_not_finite_is_named(tmp_path):
    truth = points(3, 29)
    truth[1, 4, 0] = np.nan
    write_cofw(tmp_path / "COFW_test_color.mat", truth, np.ones((3, 29), bool), [image()] * 3)
    assert_refused("found nan in row 4 of face 2", load_dataset, "cofw", tmp_path)


def test_file_names_and_counts_that_only_look_like_numbers(tmp_path):
    write_cofw68(tmp_path / "cofw68", points(1, 68), np.zeros((1, 68), bool))
    (tmp_path / "cofw68/test_annotations/²_points.mat").write_bytes(b"")
    assert_refused(r"file name is not NUMBER_points.mat", load_dataset, "cofw68", tmp_path)
    (tmp_path / "face.pts").write_text(GOOD.replace("68", "9" * 5000, 1))
    assert_refused(r"line 2: wrong .pts header", read_pts, tmp_path / "face.pts")


def test_a_cofw68_coordinate_that_is_not_finite_is_named(tmp_path):
    truth = points(2, 68)
    truth[1, 67, 1] = np.inf
    write_cofw68(tmp_path, np.nan_to_num(truth, posinf=1), np.zeros((2, 68), bool))
    content = {"Points": truth[1], "Occ": np.zeros((1, 68))}
    savemat(tmp_path / "test_annotations" / "2_points.mat", content)
    assert_refused(r"2_points.mat, Points row 68: found inf", load_dataset, "cofw68", tmp_path)


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_a_broken_image_is_refused(tmp_path, ending):
    path = tmp_path / f"face{ending}"
    write_image(path)
    data = path.read_bytes()
    path.write_bytes(data + b"\x00" * 164)  # bytes behind its end do no harm
    assert read_image(path).shape == (120, 100, 3)
    for broken in (data[:-200], data[: len(data) // 2], data[:30]):
        path.write_bytes(broken)
        assert_refused("image is broken or cut short", read_image, path)
    path.write_bytes(b"")
    assert_refused("image file is empty", read_image, path)
    path.unlink()
    assert_refused(r"image cannot be read .No such file", read_image, path)


def test_an_image_with_an_absurdly_long_side_is_refused(tmp_path):
    assert cv2.imwrite(str(tmp_path / "bomb.png"), np.zeros((4, 40_000), np.uint8))
    assert_refused(r"bomb.png: image of 40,000 x 4 pixels", read_image, tmp_path / "bomb.png")


def test_verify_counts_decodes_and_compares(tmp_path):
    write_wflw(tmp_path / "wflw", faces=5)
    (tmp_path / "wflw/WFLW_images/0--Parade/4.jpg").unlink()
    (tmp_path / "wflw/WFLW_images/0--Parade/3.jpg").write_bytes(b"broken")
    calls = []
    result = verify(load_dataset("wflw", tmp_path), lambda *numbers: calls.append(numbers))
    assert result.counts["full"] == (5, 2500)
    (missing,), (broken,) = result.images_missing, result.images_broken
    assert missing.startswith("0--Parade/4.jpg#")
    assert "3.jpg" in broken
    assert not result.complete
    assert calls[-1] == (4, 4)
    drawn = verify(load_dataset("synthetic", split="sample"))
    assert drawn.complete
    assert drawn.outside == []


@pytest.mark.real_data
def test_real_wflw(shared):
    dataset = load_dataset("wflw", shared)
    assert len(dataset) == 1966
    assert count(dataset) == {
        "full": 1966, "pose": 326, "expression": 314, "illumination": 698, "make-up": 206,
        "occlusion": 736, "blur": 773,
    }  # fmt: skip
    assert dataset.shortfall() == {"full": (1966, 2500)}
    assert dataset.images.available().sum() == 206
    # The subset lists name the same faces as the attributes.
    for subset, stem in {"pose": "largepose", "make-up": "makeup", "blur": "blur"}.items():
        path = shared / f"wflw/WFLW_annotations/list_98pt_test/list_98pt_test_{stem}.txt"
        lines = [line.split() for line in path.read_text().splitlines()]
        listed = {np.array(line[:196], np.float64).tobytes() for line in lines}
        assert listed == {p.tobytes() for p in dataset.points[dataset.subsets[subset]]}


@pytest.mark.real_data
def test_real_300w(shared):
    dataset = load_dataset("300w", shared)
    assert dataset.shortfall() == {}
    assert load_dataset("300w", shared, "private").shortfall() == {}
    assert len(load_dataset("300w", shared, "train")) == 679
    assert dataset.images.available().sum() == 163
    faces = json.loads((shared / "predictions/spiga_300w_public_ground_truth.json").read_text())
    spiga = {face["imgpath"].rsplit("/")[-1].rsplit(".")[0]: face["landmarks"] for face in faces}
    truth = {name.rsplit("/")[-1]: p for name, p in zip(dataset.ids, dataset.points, strict=True)}
    # SPIGA's truth is 0-based as ours; the .pts files are one pixel away.
    ours = np.stack([truth[name] for name in spiga])
    np.testing.assert_allclose(ours, np.array(list(spiga.values())), atol=2e-5)


@pytest.mark.real_data
def test_real_cofw_through_the_official_layout(shared, tmp_path):
    stored = loadmat(shared / "cofw29" / "COFW_test_507.mat")["COFW_test"][0]
    faces = sorted(stored, key=lambda f: int(f["imagename"][0].split("/")[-1].split(".")[0]))
    truth = np.stack([face["x_29"] for face in faces]).astype(np.float64) - 1
    visible = np.stack([face["vis_29"].ravel() for face in faces]) == 1
    write_cofw(tmp_path / "COFW_test_color.mat", truth, visible, [image(0, 8, 8)] * 507)
    dataset = load_dataset("cofw", tmp_path)
    assert dataset.shortfall() == {}
    np.testing.assert_allclose(dataset.points, truth, atol=1e-9)
    # COFW and COFW68 are the same faces: each contour chin point of 68 lies near the 29's chin.
    other = load_dataset("cofw68", shared)
    chin = np.linalg.norm(
        dataset.points[:, dataset.markup.regions["chin"][0]]
        - other.points[:, len(other.markup.regions["contour"]) // 2],
        axis=1,
    )
    assert np.median(chin) < 0.1 * np.median(other.boxes[:, 2] - other.boxes[:, 0])
    assert other.shortfall() == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ("a",) * 4}, "id 'a' occurs 4 times"),
        ({"ids": ("a", "\udcff", "b", "c")}, r"id '.udcff': has half of a surrogate pair"),
        ({"points": np.zeros((4, 9, 2))}, r"points: shape \(4, 9, 2\); accepted: \(4, 98, 2\)"),
        ({"visible": np.ones((3, 98), np.bool_)}, "visible: shape"),
        ({"boxes": np.zeros((4, 4))}, r"box \[0.0, 0.0, 0.0, 0.0\]; accepted: finite x_min < x_m"),
        ({"boxes": np.full((4, 4), np.nan)}, "box .nan"),
        ({"subsets": {"full": np.ones(3, np.bool_)}}, "subset 'full': shape"),
        ({"subsets": {"full": np.ones(4)}}, "subset 'full': float64; accepted: bool"),
        ({"subsets": {"full": np.arange(4) > 0}}, "subset 'full' lacks faces"),
        ({"subsets": {}}, "subset 'full' lacks faces"),
        ({"scales": {"size": np.ones(3)}}, "normaliser 'size': shape"),
        ({"scales": {"size": np.arange(4.0)}}, "normaliser size is 0.0; accepted: a number above"),
        ({"clusters": ("a",) * 3}, "clusters: shape"),
    ],
)
def test_a_data_set_that_somebody_reads_wrongly_is_refused(change, message):
    sound = make_dataset(4)
    sound.check()
    assert_refused(message, replace(sound, **change).check)
    points = sound.points.copy()
    points[2, 7] = np.nan
    replace(sound, points=points).check()  # not annotated
    for wrong, found in (((np.nan, 1), "nan, 1.0"), ((np.inf, np.inf), "inf, inf")):
        points[2, 7] = wrong
        message = rf"face face2\S*, landmark 7: found \[{found}\]"
        assert_refused(message, replace(sound, points=points).check)
    points[2] = np.nan
    assert_refused(r"face2\S*: no landmark is annotated", replace(sound, points=points).check)


def pictures(first, faces):
    grey = [np.full((4, 4, 3), first + k, np.uint8) for k in range(faces)]
    return ArrayImages(grey, [str(k // 2) for k in range(faces)])


def test_joined_data_sets_are_the_faces_of_each():
    a, b = make_dataset(4, images=pictures(0, 4)), make_dataset(3, images=pictures(100, 3), seed=1)
    b = replace(b, subsets={"full": b.subsets["full"]})
    both = join_datasets({"a": a, "b": b})
    both.check()
    assert (both.name, len(both)) == ("a + b", 7)
    assert both.ids == (*(f"a/{name}" for name in a.ids), *(f"b/{name}" for name in b.ids))
    np.testing.assert_array_equal(both.points, np.concatenate([a.points, b.points]))
    np.testing.assert_array_equal(both.boxes, np.concatenate([a.boxes, b.boxes]))
    assert list(both.subsets) == ["full"]
    assert both.cluster_names() == ["a/0", "a/0", "a/1", "a/1", "b/0", "b/0", "b/1"]
    some = both.take(np.array([5, 0, 4]))
    assert [some.images.read(k)[0, 0, 0] for k in range(3)] == [101, 0, 100]
    assert some.images.location(1) == "image 0"
    assert some.images.sources() == ["b/0", "a/0", "b/0"]
    assert some.images.available().all()
    assert some.images.digest() != both.images.digest()
    assert both.fingerprint() not in (a.fingerprint(), b.fingerprint())


def test_joined_data_sets_need_one_markup_and_a_normaliser():
    faces, other = make_dataset(2), make_dataset(2, IBUG68)
    assert join_datasets({"alone": faces}) is faces
    unboxed = join_datasets({"a": faces, "b": replace(faces, boxes=None)})
    assert unboxed.boxes is None
    with pytest.raises(InputError, match=r"a, b: mark-ups wflw98, ibug68; accepted: one mark-up"):
        join_datasets({"a": faces, "b": other})
    with pytest.raises(InputError, match="no normaliser in common"):
        join_datasets({"a": faces, "b": replace(faces, normalisers=("inter_pupil",))})
