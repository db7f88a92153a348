"""Landmark files as people bring them: each is read, or refused by one clear message."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from layouts import points, pts_text

from alignbench import InputError
from alignbench.formats import format_names, load_format, read_faces
from alignbench.geometry import tight_boxes

POINTS = points(3, 68, seed=4)
NAMES = ["a/1.jpg", "a/2.jpg", "b/3.jpg"]
BOXES = np.array([[1.0, 2, 31, 42], [5, 6, 45, 76], [0, 0, 90, 99]])
SIDES = np.concatenate([BOXES[:, :2], BOXES[:, 2:] - BOXES[:, :2]], axis=1)


def text_of(rows, separator=","):
    return "\n".join(separator.join(map(str, row)) for row in rows) + "\n"


def header(form):
    return [form.format(axis=axis, k=k) for k in range(68) for axis in "xy"]


def csv_rows(form="{axis}{k}", first=("id",), last=()):
    yield [*first, *header(form), *last]
    for name, face in zip(NAMES, POINTS, strict=True):
        yield [name, *[0] * (len(first) - 1), *face.ravel(), *[1] * len(last)]


def coco(**changes):
    faces = [
        {"image_id": 10 + k, "id": k, "bbox": box.tolist(),
         "keypoints": np.c_[face, np.full(68, 1.0)].ravel().tolist()}
        for k, (face, box) in enumerate(zip(POINTS, SIDES, strict=True))
    ]  # fmt: skip
    images = [{"id": 10 + k, "file_name": name} for k, name in enumerate(NAMES)]
    return {"images": images, "annotations": faces} | changes


def write_csv(path, rows, separator=",", encoding="utf-8"):
    path.write_text(text_of(rows, separator), encoding=encoding)


def write_imglab(path):
    images = []
    for name, face, (x, y, w, h) in zip(NAMES, POINTS, SIDES, strict=True):
        parts = "".join(
            f"<part name='{k:02}' x='{x}' y='{y}'/>" for k, (x, y) in enumerate(face.tolist())
        )
        box = f"<box top='{y}' left='{x}' width='{w + 1}' height='{h + 1}'>{parts}</box>"
        images.append(f"<image file='{name}'>{box}</image>")
    path.write_text(f"<?xml version='1.0'?><dataset><images>{''.join(images)}</images></dataset>")


def write_folder(folder, ending, text):
    for name, face in zip(NAMES, POINTS, strict=True):
        file = folder / f"{name.removesuffix('.jpg')}{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text(face))


def ljson(face):
    return {"landmarks": {"points": face[:, ::-1].tolist()}, "version": 2}


def ljson3(face):
    return json.dumps({"version": 3, "groups": {"PTS": ljson(face)}})


def mmpose(face):
    return json.dumps([{"keypoints": face.tolist(), "keypoint_scores": [1] * 68}])


STEMS = [name.removesuffix(".jpg") for name in NAMES]
WRITERS = {
    "plain.csv": lambda p: write_csv(p, csv_rows()),
    "spreadsheet.csv": lambda p: write_csv(p, csv_rows(), encoding="utf-8-sig"),
    "hrnet.csv": lambda p: write_csv(
        p, csv_rows("original_{k}_{axis}", ("image_name", "scale", "center_w"))
    ),
    "underscore.csv": lambda p: write_csv(p, csv_rows("{axis}_{k}", ("filename",), ("score",))),
    "tabs.tsv": lambda p: write_csv(p, csv_rows(), "\t"),
    "wflw.txt": lambda p: write_csv(
        p, ([*f.ravel(), *b, 1, 0, 0, 0, 0, 0, n]
            for n, f, b in zip(NAMES, POINTS, BOXES, strict=True)), " "
    ),
    "pipnet.txt": lambda p: write_csv(
        p, ([n, *f.ravel()] for n, f in zip(NAMES, POINTS, strict=True)), " "
    ),
    "coco.json": lambda p: p.write_text(json.dumps(coco())),
    "spiga.json": lambda p: p.write_text(
        json.dumps([{"imgpath": n, "landmarks": f.tolist(), "bbox": s.tolist()}
                    for n, f, s in zip(NAMES, POINTS, SIDES, strict=True)])
    ),
    "dict.json": lambda p: p.write_text(
        json.dumps({n: f.tolist() for n, f in zip(NAMES, POINTS, strict=True)})
    ),
    "deep.json": lambda p: p.write_text(
        json.dumps({"model": "m", "predictions": {
            n: f.tolist() for n, f in zip(NAMES, POINTS, strict=True)}})
    ),
    "dlib.xml": write_imglab,
    "pts": lambda p: write_folder(p, ".PTS", pts_text),
    "openface": lambda p: write_folder(
        p, ".pts", lambda f: pts_text(f).replace("n_points", "npoints")
    ),
    "ljson": lambda p: write_folder(p, ".ljson", lambda f: json.dumps(ljson(f))),
    "ljson3": lambda p: write_folder(p, ".ljson", ljson3),
    "mmpose": lambda p: write_folder(p, ".json", mmpose),
    "keys.npz": lambda p: np.savez(p, landmarks=POINTS, names=np.array(NAMES, "S")),
    "big.npz": lambda p: np.savez(p, points=np.asfortranarray(POINTS.astype(">f8")), ids=NAMES),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_landmarks_are_read_as_people_write_them(tmp_path, name):
    WRITERS[name](tmp_path / name)
    _, faces = read_faces(tmp_path / name)
    np.testing.assert_allclose(faces.points, POINTS, atol=1e-6)
    assert list(faces.names) in (NAMES, STEMS)
    if faces.boxes is not None:
        np.testing.assert_allclose(faces.boxes, BOXES)


def test_every_format_is_tested():
    read = {"array", "cofw68"}  # here below, and in test_predictors.py
    for name in WRITERS:
        read |= {form for form in format_names() if form in name}
    assert read | {"csv", "list", "imglab", "npz"} == set(format_names())


@pytest.mark.parametrize("name", ["p.npy", "p.pth", "p.mat", "p.npz"])
def test_arrays_without_names(tmp_path, name):
    from scipy.io import savemat

    path = tmp_path / name
    if name == "p.pth":
        torch.save(torch.from_numpy(POINTS), path)
    elif name == "p.mat":
        savemat(path, {"points": POINTS})
    else:
        (np.save if name == "p.npy" else lambda p, x: np.savez(p, preds=x))(path, POINTS)
    _, faces = read_faces(path)
    assert faces.names is None
    np.testing.assert_allclose(faces.points, POINTS)


@pytest.mark.parametrize(
    ("form", "origin", "shift"), [("csv", 1, 1), ("csv", 0.5, 0.5), ("csv", None, 0)]
)
def test_the_origin_is_what_the_user_says(tmp_path, form, origin, shift):
    write_csv(tmp_path / "p.csv", csv_rows(first=("id", "x_min", "y_min", "x_max", "y_max")))
    _, faces = read_faces(tmp_path / "p.csv", form, origin)
    np.testing.assert_allclose(faces.points, POINTS - shift)
    np.testing.assert_allclose(faces.boxes, np.zeros((3, 4)) - shift)


def test_an_own_origin_replaces_that_of_the_format(tmp_path):
    WRITERS["pts"](tmp_path)
    assert load_format("pts").origin == 1
    np.testing.assert_allclose(read_faces(tmp_path, origin=0)[1].points, POINTS + 1)


def test_visibility_subsets_and_scores_of_a_table(tmp_path):
    columns = [f"{axis}{k}" for k in range(2) for axis in "xyv"]
    rows = [["", "image", *columns, "glasses", "confidence", "age"],
            [0, "a.jpg", 1, 2, 0, 3, 4, 1, 1, 0.5, 30],
            [1, "b.jpg", 5, 6, 1, 7, 8, 1, 0, 0.75, 40]]  # fmt: skip
    write_csv(tmp_path / "p.csv", rows)
    _, faces = read_faces(tmp_path / "p.csv")
    assert faces.points.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert faces.visible.tolist() == [[False, True], [True, True]]
    assert {name: member.tolist() for name, member in faces.subsets.items()} == {
        "glasses": [True, False]
    }
    assert faces.scores.tolist() == [0.5, 0.75]
    assert faces.notes == ("Columns not used: age.",)


def test_a_comma_is_a_decimal_point_where_semicolons_separate(tmp_path):
    (tmp_path / "p.csv").write_text('id;x0;y0\n"a;b";1,5;2\nc;3;4,25\n')
    _, faces = read_faces(tmp_path / "p.csv")
    assert list(faces.names) == ["a;b", "c"]
    assert faces.points.tolist() == [[[1.5, 2]], [[3, 4.25]]]


def test_openface_tables_give_pixels_and_not_millimetres(tmp_path):
    """Frames of a film are no names of images, and there are columns of eyes and gaze."""
    more = ["gaze_0_x", "gaze_0_y", "gaze_0_z", "eye_lmk_x_0", "eye_lmk_y_0", "X_0", "Y_0", "a_1"]
    rows = [["frame", " success", *(f" {title}" for title in more), " x_0", " y_0"],
            [1, 1, *range(8), 5, 6], [2, 0, *range(8), 7, 8]]  # fmt: skip
    write_csv(tmp_path / "p.csv", rows)
    _, faces = read_faces(tmp_path / "p.csv")
    assert faces.points.tolist() == [[[5, 6]], [[7, 8]]]
    assert faces.names is None
    unread = "frame, gaze_0_x, gaze_0_y, gaze_0_z, eye_lmk_x_0 and 4 more"
    assert faces.notes == (f"Columns not used: {unread}.",)


@pytest.mark.parametrize(
    ("header", "names", "ids"),
    [
        ("id,image_path", NAMES, ["7", "8", "9"]),
        ("id,age", ["7", "8", "9"], None),
        ("age,filepath", NAMES, None),
        ("age,image_id", NAMES, None),
        ("image_id,file_path", NAMES, None),
        ("age,frame", NAMES, None),
        (",age", None, None),
        ("Unnamed: 0,id", NAMES, None),
        ("age,", None, None),
    ],
)
def test_names_and_ids_of_a_table(tmp_path, header, names, ids):
    rows = [[*header.split(","), "x0", "y0"], *([7 + k, n, 1, 2] for k, n in enumerate(NAMES))]
    write_csv(tmp_path / "p.csv", rows)
    _, faces = read_faces(tmp_path / "p.csv")
    assert (faces.names, faces.ids) == (names, ids)


def test_the_index_of_pandas_may_hold_names(tmp_path):
    write_csv(tmp_path / "p.csv", [["", "x0", "y0"], *([name, 1, 2] for name in NAMES)])
    assert read_faces(tmp_path / "p.csv")[1].names == NAMES


def test_a_box_whose_columns_are_numbered(tmp_path):
    header = ["id", "x1", "y1", "x2", "y2", *(f"{axis}_{k}" for k in range(68) for axis in "xy")]
    rows = ([n, *b, *f.ravel()] for n, b, f in zip(NAMES, BOXES, POINTS, strict=True))
    write_csv(tmp_path / "p.csv", [header, *rows])
    _, faces = read_faces(tmp_path / "p.csv")
    np.testing.assert_array_equal(faces.boxes, BOXES)
    np.testing.assert_allclose(faces.points, POINTS)


@pytest.mark.parametrize("form", ["lm_{axis}_{k}", "landmark_{k}_{axis}"])
def test_columns_of_other_names(tmp_path, form):
    write_csv(tmp_path / "p.csv", csv_rows(form))
    np.testing.assert_allclose(read_faces(tmp_path / "p.csv")[1].points, POINTS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", "id,x0,y0,s0\na,1,2,0.5\n"),
        ("p.csv", "id,x0,y0,v0\na,1,2,0.5\n"),
        ("p.json", '[{"image_id": "a", "keypoints": [1, 2, 0.5]}]'),
    ],
)
def test_a_third_value_that_is_not_used_is_named(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    _, faces = read_faces(tmp_path / name)
    assert faces.points.tolist() == [[[1, 2]]]
    assert faces.notes == ("Each stored landmark has a third value, which is not used.",)


def test_coco_flags(tmp_path):
    """Not labelled, occluded and visible; a person without a face is left out and counted."""
    faces = [
        {"image_id": "a", "keypoints": [0, 0, 0, 1, 2, 1, 3, 4, 2], "id": 1},
        {"image_id": "a", "keypoints": [5, 6, 2, 7, 8, 2, 9, 9, 2], "id": 2},
        {"image_id": "a", "keypoints": [], "num_keypoints": 0},
    ]
    content = {"images": [{"id": "a", "file_name": "x.jpg"}], "annotations": faces}
    (tmp_path / "c.json").write_text(json.dumps(content))
    _, read = read_faces(tmp_path / "c.json")
    assert np.isnan(read.points[0, 0]).all()
    assert np.isfinite(read.points).sum() == 10
    assert read.visible.tolist() == [[False, False, True], [True, True, True]]
    assert (list(read.names), list(read.ids)) == (["x.jpg", "x.jpg"], ["a#1", "a#2"])
    assert read.notes == ("1 annotations have no landmarks and were left out.",)


def test_results_carry_scores_and_no_flags(tmp_path):
    face = {"image_id": 7, "keypoints": [1, 2, 0.0, 3, 4, 1.0], "score": 0.25}
    (tmp_path / "r.json").write_text(json.dumps([face]))
    _, read = read_faces(tmp_path / "r.json")
    assert read.points.tolist() == [[[1, 2], [3, 4]]]
    assert (list(read.names), read.scores.tolist(), read.visible) == (["7"], [0.25], None)


def test_the_faces_of_whole_bodies(tmp_path):
    faces = [{"image_id": 10, "keypoints": [0] * 51, "face_box": SIDES[0].tolist(),
              "face_valid": valid, "face_kpts": np.c_[POINTS[0], np.full(68, 2)].ravel().tolist()}
             for valid in (True, False)]  # fmt: skip
    (tmp_path / "w.json").write_text(json.dumps(coco(annotations=faces)))
    _, read = read_faces(tmp_path / "w.json")
    np.testing.assert_allclose(read.points, POINTS[:1])
    np.testing.assert_allclose(read.boxes, BOXES[:1])


def test_parts_that_a_face_lacks_have_no_position(tmp_path):
    box = "<box top='1' left='1' width='9' height='9'{}>{}</box>"
    part = "<part name='{}' x='{}' y='2'/>"
    boxes = [box.format("", part.format("00", 4) + part.format("10", 5)),
             box.format("", part.format("9", 6)), box.format("", ""),
             box.format(" ignore='1'", part.format("77", 1))]  # fmt: skip
    (tmp_path / "d.xml").write_text(
        f"<dataset><image file='a.jpg'>{''.join(boxes)}</image></dataset>"
    )
    _, read = read_faces(tmp_path / "d.xml")
    assert np.nan_to_num(read.points[:, :, 0], nan=-1).tolist() == [[4, -1, 5], [-1, 6, -1]]
    assert read.notes == (
        "1 boxes are marked 'ignore' and were left out.",
        "1 boxes have no parts and were left out.",
    )


def test_a_third_value_of_a_landmark_is_not_used(tmp_path):
    np.savez(tmp_path / "p.npz", ids=NAMES, points=np.concatenate([POINTS, POINTS[:, :, :1]], 2))
    _, faces = read_faces(tmp_path / "p.npz")
    assert (faces.points == POINTS).all()
    assert faces.notes == ("Each stored landmark has a third value, which is not used.",)


def test_a_link_that_was_copied_as_text_is_named(tmp_path):
    store, links = tmp_path / "store", tmp_path / "links" / "helen"
    store.mkdir()
    links.mkdir(parents=True)
    (links / "notes").write_text("nowhere")
    (links / "testset").write_text("../../store")
    with pytest.raises(InputError, match=r"helen/testset is a text that names a .*Make the link"):
        read_faces(tmp_path / "links")
    (links / "testset").unlink()
    with pytest.raises(InputError, match="a folder of no known format"):
        read_faces(tmp_path / "links")


def test_a_folder_of_other_files_is_described(tmp_path):
    for name in ("1.npy", "2.npy", "a.log"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"no known format, with files that end in .npy, .log;"):
        read_faces(tmp_path)


def test_linked_folders_are_followed_once_and_side_files_are_named(tmp_path):
    WRITERS["pts"](tmp_path / "store")
    (tmp_path / "store" / "a" / "._1.pts").write_bytes(b"\0\5\26\7")
    (tmp_path / "store" / "loop").symlink_to(tmp_path / "store")
    (tmp_path / "pred").mkdir()
    (tmp_path / "pred" / "x").symlink_to(tmp_path / "store")
    _, faces = read_faces(tmp_path / "pred")
    assert list(faces.names) == [f"x/{stem}" for stem in STEMS]
    assert faces.notes == ("1 side files of macOS were left out, such as ._1.pts.",)


BOX = "<box left='1' top='1' width='2' height='2'>"
PART = "<part name='0' x='1' y='2'/>"
BAD = {
    "unknown image": ("a.json", json.dumps(coco(images=[])), "annotation of image '10'"),
    "no images": ("a.json", '{"annotations": []}', "no list 'images'"),
    "name": ("a.json", json.dumps(coco(images=[{"id": 1}])), "image 0: no 'file_name'"),
    "two names": (
        "a.json", json.dumps(coco(images=[{"id": 1, "file_name": n} for n in "ab"])),
        "image id '1' a second time",
    ),
    "flat": ("a.json", '[{"image_id": 1, "keypoints": [1, 2]}]', "2 values; accepted: three"),
    "pairs": (
        "a.json", json.dumps([{"image_id": 1, "keypoints": POINTS[0].ravel().tolist()}]),
        "136 values.*For x and y alone, write pairs",
    ),
    "pairs or threes": (
        "a.json", json.dumps([{"image_id": 1, "keypoints": POINTS[0, :51].ravel().tolist()}]),
        "102 values: 34 keypoints of three numbers or 51 of two",
    ),
    "missed": ("a.json", '[{"image_id": 1, "keypoints": null}]', "face 0: null.*Leave a face that"),
    "missed landmarks": (
        "a.json", '[{"imgpath": "a.jpg", "landmarks": null}]', "face 0: null.*Leave a face that",
    ),
    "shape": (
        "a.json", '[{"image_id": 1, "keypoints": [[1, 2]]}, {"image_id": 1, "keypoints": [[1]]}]',
        "face 1: keypoints of shape .1, 1.; accepted: .1, 2. as before",
    ),
    "id": ("a.json", '[{"image_id": null, "keypoints": [1, 2, 3]}]', "image id None"),
    "huge": ("a.json", '[{"image_id": 1, "keypoints": [1e300, 2, 3]}]', "absurdly large"),
    "labelme": ("a.json", '{"shapes": [], "imagePath": "a.jpg"}', "labelme's annotation of one"),
    "empty list": ("a.json", "[]", "a.json: an empty list"),
    "list of lists": ("a.json", "[[[1, 2]]]", "a list of 1 values without names.*--order dataset"),
    "other keys": ("a.json", '[{"image": "a", "points": []}]', "with the keys 'image', 'points'"),
    "one object": ("a.json", '{"image": "a", "points": [[1, 2]]}', "an object with the keys"),
    "a number": ("a.json", "7", "a.json: 7; accepted: an object of image path"),
    "JSON Lines": ("a.jsonl", '{"a": [[1, 2]]}\n{"b": [[1, 2]]}\n', "JSON Lines, a value on each"),
    "cut": ("a.json", '{"a": [[1, 2]]', "not JSON"),
    "null": ("a.json", '{"a": [[1, 2]], "b": null}', "a.json, 'b': null.*Leave a face that"),
    "two lengths": ("a.json", '{"a": [[1, 2]], "b": [[1, 2], [3, 4]]}', "'b': points .2, 2."),
    "flat points": ("a.json", '{"a": [1, 2]}', "'a': shape .2,. of int64; accepted: N x N"),
    "pickle": ("a.pkl", "x", "a pickle, which can run any code.*numpy.savez"),
    "xml": ("a.xml", "<images><image file='a'><box", "not XML"),
    "entity": (
        "a.xml", "<!DOCTYPE x [<!ENTITY a 'b'>]><d><image file='&a;'/></d>",
        "line 1: a document type declaration",
    ),
    "stray part": ("a.xml", f"<d><image file='a'/>{PART}</d>", "outside a box"),
    "two parts": (
        "a.xml", f"<d><image file='a'>{BOX}{2 * PART}</box></image></d>",
        "line 1: part '0' twice",
    ),
    "named parts": (
        "a.xml", f"<d><image file='a'>{BOX}{PART.replace('0', 'nose')}</box></image></d>",
        "names are no numbers: 'nose'; accepted: 0, 1, 2.*Name each part by its number",
    ),
    "part in two spellings": (
        "a.xml", f"<d><image file='a'>{BOX}{PART}{PART.replace('0', '00')}</box></image></d>",
        "one number in two spellings",
    ),
    "pts": ("a.pts", "points: 1\n{\n1 2\n}\n", "accepted: 'version: 1' or 'n_points: N'"),
    "pts of comments": ("a.pts", "// mine\n", "line 1: wrong .pts header, found ''"),
    "no number": (
        "a.xml", f"<d>\n<image file='a'>{BOX.replace('1', '1_0', 1)}</box></image></d>",
        "line 2: box with left='1_0'; accepted: a number",
    ),
    "gap": ("a.csv", "id,x0,y0,x2,y2\na,1,2,3,4\n", "no column with the x of landmark 1 among"),
    "lone axis": ("a.csv", "id,x0,y0,x1\na,1,2,3\n", "no column with the y of landmark 1"),
    "from 5": ("a.csv", "id,x5,y5\na,1,2\n", "no column with the x of landmark 1"),
    "twice": ("a.csv", "id,x0,y0,x0\na,1,2,3\n", "two columns 'x0'"),
    "two kinds": (
        "a.csv", "id,pred_0_x,pred_0_y,gt_0_x,gt_0_y\na,1,2,3,4\n",
        "columns 'pred_0_x' and 'gt_0_x', which may both be landmarks",
    ),
    "box or points": (
        "a.csv", "id,x1,y1,x2,y2,x_1,y_1\na,1,2,3,4,5,6\n", "columns 'x1' and 'x_1', which may",
    ),
    "capitals": ("a.csv", "id,X0,Y0\na,1,2\n", "Write x and y in lower case: OpenFace's X_0"),
    "no header": ("a.csv", "a,1.5,2.5\n", "among 'a', '1.5', '2.5'.*The file has no header"),
    "blanks": ("a.csv", "id x0 y0\na 1 2\n", "Separate the columns by commas, not by blanks"),
    "list": ("a.csv", "id,landmarks\na,\"[[1, 2]]\"\n", "A list in one cell is not read"),
    "long": ("a.csv", "id,landmark,x,y\na,0,1,2\n", "one line for each face, not one for each"),
    "comment": ("a.csv", "# mine\nid,x0,y0\n", "Remove the comment"),
    "names": ("a.csv", "id,nose_x,nose_y\na,1,2\n", "Number the landmarks in the order"),
    "nan": (
        "a.csv", "id,x0,y0\nb,1,2\na,nan,2\n",
        "line 3 .face a., field 2: found 'nan'.*Leave the face out of the file",
    ),
    "attributes": (
        "a.txt", "1 4 3 1 2 2 " * 9 + "1 4 3 1 0 0 5 5 0 0 0 7 0 0 a.jpg\n",
        "68 numbers, which may be 34 landmarks, or 29 landmarks, a box and six attributes",
    ),
    "later attributes": (
        "a.txt", ("1 4 3 1 2 2 " * 9 + "1 4 3 1 0 0 5 5 0 0 0 0 0 0 a.jpg\n") * 300
        + "1 4 3 1 2 2 " * 9 + "1 4 3 1 0 0 5 5 0 0 0 7 0 0 a.jpg\n", "neither 0 nor 1",
    ),
    "three numbers": ("a.txt", "1 2 3 " * 68 + "a.jpg\n", "or 68 landmarks of three numbers"),
    "score": ("a.txt", "1 2 3 a.jpg\n", "3 numbers, which is odd"),
    "blank in a path": ("a.txt", "1 2 my a.jpg\n", "A path with blanks is not read"),
    "blank in a later path": ("a.txt", "1 2 a.jpg\n1 2 my a.jpg\n", "4 fields.*A path with blanks"),
    "commas": ("a.txt", "a.jpg, 1, 2\n", "Replace commas by blanks"),
    "no path": ("a.txt", "1 2 3 4\n", "numbers alone.*--order dataset"),
    "RetinaFace": ("a.txt", "# a.jpg\n1 2 3 4\n", "the path of an image and the numbers"),
    "csv": ("a.txt", "id,x0,y0\na,1,2\n", r"fields with commas between them.*Name the file"),
    "count": ("a.txt", "2\na.jpg 1 2\nb.jpg 1 2\n", "Remove line 1 if each line is a face"),
    "count, path last": ("a.txt", "2\n1 2 a.jpg\n1 2 b.jpg\n", "Remove line 1 if each line"),
    "ljson": ("a.ljson", '{"version": 2}', "no 'landmarks' with 'points'"),
    "ljson shape": ("a.ljson", '{"landmarks": {"points": [[1, 2, 3]]}}', "shape .1, 3."),
    "groups": ("a.ljson", '{"groups": {"a": {}, "b": {}}}', "2 groups of landmarks"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_named(tmp_path, case):
    name, content, message = BAD[case]
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        read_faces(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.npy", np.zeros((3, 204)), "68 landmarks of three numbers each or 102 of two"),
        ("p.npy", np.zeros((3, 2, 68)), r"float64 \(3, 2, 68\); accepted.*transpose\(0, 2, 1\)"),
        ("p.npy", np.zeros((68, 2)), r"arrays float64 \(68, 2\); accepted: one array"),
        ("p.npy", np.array(["a"]), r"arrays <U1 \(1,\)"),
        ("p.npy", np.zeros((3, 0, 2)), r"points of shape \(3, 0, 2\); accepted: one landmark"),
        ("p.npy", np.zeros((1, 2, 2), "U3"), r"arrays <U3 \(1, 2, 2\)"),
        ("p.npy", np.array([np.zeros((68, 2)), None], object), "Leave out a face that was missed"),
        ("p.pth", {"a": torch.zeros(1, 2, 2), "b": torch.zeros(1, 2, 2)}, "several arrays.*a .*b "),
        ("p.pth", torch.zeros(1, 68, 2, dtype=torch.complex64), "arrays complex128"),
        ("p.pth", torch.zeros(1, 68, 2).to_sparse(), "a sparse or quantized tensor"),
        ("p.pth", {"ids": ["a"], "x": torch.zeros(2, 68, 2)}, "1 ids for 2 rows of landmarks"),
        (
            "p.npz",
            {"landmarks": POINTS, "preds": POINTS},
            "several arrays that.*landmarks .*preds ",
        ),
        ("p.npz", {"gt": POINTS, "preds": POINTS.reshape(3, -1)}, "several arrays.*gt .*preds "),
        ("p.npz", {"ids": NAMES[:2], "points": POINTS}, "2 ids for 3 rows of landmarks"),
        ("p.npz", {"ids": np.array(NAMES, object), "points": POINTS}, "dtype=str"),
        ("p.npz", {"a": POINTS[0], "b": POINTS[1]}, r"arrays a float64 \(68, 2\), b .*savez"),
    ],
)
def test_arrays_that_are_no_landmarks(tmp_path, name, content, message):
    path = tmp_path / name
    if name == "p.npz":
        np.savez(path, **content)
    else:
        np.save(path, content) if name == "p.npy" else torch.save(content, path)
    with pytest.raises(InputError, match=message):
        read_faces(path)


@pytest.mark.parametrize("shape", [(3, 136), (3, 68, 1, 2), (3, 1, 68, 2)])
def test_landmarks_in_other_shapes(tmp_path, shape):
    np.save(tmp_path / "p.npy", POINTS.reshape(shape))
    np.savez(tmp_path / "p.npz", POINTS.reshape(shape), np.zeros((3, 4)))
    for name in ("p.npy", "p.npz"):
        _, faces = read_faces(tmp_path / name)
        assert faces.names is None
        np.testing.assert_array_equal(faces.points, POINTS)
        assert faces.notes == (
            ("The 136 numbers of each face are read as x, y, x, y, ...",) if len(shape) == 2 else ()
        )


def test_scores_of_landmarks_are_no_landmarks(tmp_path):
    np.savez(tmp_path / "p.npz", confidence=np.zeros((3, 68)), arr_0=POINTS)
    np.testing.assert_array_equal(read_faces(tmp_path / "p.npz")[1].points, POINTS)


def test_scores_that_mmpose_did_not_write_are_not_invented(tmp_path):
    file = tmp_path / "1.json"
    face = {"keypoints": POINTS[0].tolist()}
    scores = [0.5] * 34 + [1.0] * 34
    for more, expected in (
        ({}, None), ({"keypoint_scores": scores}, 0.75),
        ({"keypoint_scores": scores, "bbox_score": 0.25}, 0.25),
    ):  # fmt: skip
        file.write_text(json.dumps([face | more]))
        _, faces = read_faces(tmp_path)
        assert (faces.scores if expected is None else faces.scores.tolist()) == (
            None if expected is None else [expected]
        )
        assert bool(faces.notes) == (expected == 0.75)


def test_files_of_mmposes_demo(tmp_path):
    faces = [{"keypoints": face.tolist()} for face in POINTS]
    frames = [{"frame_id": k, "instances": [face]} for k, face in enumerate(faces)]
    path = tmp_path / "r.json"
    for content in (faces, frames):
        path.write_text(json.dumps({"meta_info": {}, "instance_info": content}))
        _, read = read_faces(path)
        assert read.names is None
        np.testing.assert_array_equal(read.points, POINTS)
    frames[1]["instances"] = faces
    path.write_text(json.dumps({"instance_info": frames}))
    with pytest.raises(InputError, match="frame 1: 3 faces; accepted: one face in each frame"):
        read_faces(path)


def test_a_json_of_something_else_does_not_make_a_folder_mmposes(tmp_path):
    WRITERS["pts"](tmp_path)
    (tmp_path / "info.json").write_text('{"epoch": 3}')
    assert read_faces(tmp_path)[0].name == "pts"


LAYOUTS = {
    "behind": lambda f, b: [*f, *b],
    "in front": lambda f, b: [*b, *f],
    "with attributes": lambda f, b: [*f, *b, 0, 1, 0, 0, 0, 1],
    "none": lambda f, b: [*f],
}
MARGIN = np.array([-1.0, -2, 3, 4])


def faces_far_from_the_corner(landmarks):
    return points(3, landmarks, seed=5) + 200


def write_list(path, layout, landmarks, boxes):
    faces = zip(NAMES, faces_far_from_the_corner(landmarks), boxes, strict=True)
    write_csv(path, ([n, *LAYOUTS[layout](f.ravel(), b)] for n, f, b in faces), " ")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("landmarks", [7, 19, 21, 70, 98, 100])
def test_a_box_in_a_list_is_one_that_holds_the_landmarks(tmp_path, layout, landmarks):
    expected = faces_far_from_the_corner(landmarks)
    boxes = tight_boxes(expected) + MARGIN
    write_list(tmp_path / "p.txt", layout, landmarks, boxes)
    _, faces = read_faces(tmp_path / "p.txt")
    np.testing.assert_allclose(faces.points, expected)
    if layout != "none":
        np.testing.assert_allclose(faces.boxes, boxes)
    assert bool(faces.subsets) == (layout == "with attributes")


@pytest.mark.parametrize(
    ("change", "layout"),
    [
        (lambda b: np.c_[b[:, 2:], b[:, :2]], "behind"),
        (lambda b: np.c_[b[:, :2], b[:, 2:] - b[:, :2]], "in front"),
        (lambda b: b + 1000, "with attributes"),
    ],
)
def test_a_doubtful_box_in_a_list_is_refused(tmp_path, change, layout):
    boxes = change(tight_boxes(faces_far_from_the_corner(98)) + MARGIN)
    write_list(tmp_path / "p.txt", layout, 98, boxes)
    with pytest.raises(InputError, match=r"numbers, which may be 10[03] landmarks, or .*98 landm"):
        read_faces(tmp_path / "p.txt")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1\n", ""), ("version: 1", "version: 2.1"),
        ("{", "{\n// x y\n"), ("version", "// mine {\nversion"),
    ],
)  # fmt: skip
def test_headers_of_pts_files(tmp_path, old, new):
    text = pts_text(POINTS[0])
    assert old in text
    (tmp_path / "1.PTS").write_text(text.replace(old, new, 1))
    _, faces = read_faces(tmp_path / "1.PTS")
    np.testing.assert_allclose(faces.points, POINTS[:1])
    assert faces.names == ["1"]


@pytest.mark.parametrize(("ending", "remedy"), [(".pts", "UTF-8"), (".csv", "CSV UTF-8")])
def test_utf_16_is_named(tmp_path, ending, remedy):
    (tmp_path / f"1{ending}").write_text("id,x0,y0\n", encoding="utf-16")
    with pytest.raises(
        InputError, match=f"text in UTF-16; accepted: UTF-8. Save it as {remedy}[.]$"
    ):
        read_faces(tmp_path / f"1{ending}")


@pytest.mark.parametrize("value", [0, -1])
def test_landmarks_that_are_not_there(tmp_path, value):
    stored = POINTS.copy()
    stored[1, 5] = value
    np.savez(tmp_path / "p.npz", ids=NAMES, points=stored)
    _, faces = read_faces(tmp_path / "p.npz", origin=1)
    (note,) = faces.notes
    assert note.startswith("1 landmarks lie at (-1, -1) or (0, 0)")
    stored[2] = value
    np.savez(tmp_path / "p.npz", ids=NAMES, points=stored)
    with pytest.raises(
        InputError, match=rf"'b/3[.]jpg': all landmarks at .{value}, {value}.*Leave"
    ):
        read_faces(tmp_path / "p.npz")
    np.save(tmp_path / "p.npy", stored)
    with pytest.raises(InputError, match=r"face 2: all landmarks.*needs a name for each face"):
        read_faces(tmp_path / "p.npy")


@pytest.mark.parametrize("shape", [(0, 0, 2), (0, 68, 2)])
def test_a_file_without_faces(tmp_path, shape):
    np.save(tmp_path / "p.npy", np.zeros(shape))
    with pytest.raises(InputError, match="no faces"):
        read_faces(tmp_path / "p.npy")


def test_names_beside_a_tensor(tmp_path):
    torch.save({"names": NAMES, "preds": torch.from_numpy(POINTS)}, tmp_path / "p.pth")
    _, faces = read_faces(tmp_path / "p.pth")
    assert list(faces.names) == NAMES
    np.testing.assert_array_equal(faces.points, POINTS)


def test_an_archive_may_have_ids_beside_the_names_of_images(tmp_path):
    np.savez(tmp_path / "p.npz", ids=[7, 8, 9], images=NAMES, points=POINTS)
    _, faces = read_faces(tmp_path / "p.npz")
    assert (list(faces.ids), list(faces.names)) == (["7", "8", "9"], NAMES)


def test_the_folder_of_a_run_stands_for_its_predictions(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match=r"the folder of a run without its predictions\.npz"):
        read_faces(tmp_path)
    np.savez(tmp_path / "predictions.npz", ids=NAMES, points=POINTS)
    for form in ("npz", None):
        _, faces = read_faces(tmp_path, form)
        assert list(faces.names) == NAMES


def test_no_format_runs_code_of_a_file(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    torch.save({"points": Bomb()}, tmp_path / "p.pth")
    np.save(tmp_path / "p.npy", np.array([Bomb()], object))
    for name in ("p.pth", "p.npy"):
        with pytest.raises(InputError, match="not a "):
            read_faces(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_an_array_that_claims_more_than_its_file_is_refused(tmp_path):
    np.save(tmp_path / "p.npy", np.zeros((1, 68, 2)))
    data = (tmp_path / "p.npy").read_bytes()
    for claim in (b"(9,999,99)", b"(999999,9,", b"((((((((((", b"(-1,68, 2)"):
        (tmp_path / "p.npy").write_bytes(data.replace(b"(1, 68, 2)", claim))
        with pytest.raises(InputError, match=r"p\.npy: not a usable \.npy file"):
            read_faces(tmp_path / "p.npy")


def test_an_array_of_no_bytes_does_not_end_the_process(tmp_path):
    """NumPy's memory map divides by the size of an element."""
    np.save(tmp_path / "p.npy", np.zeros((1, 68, 2)))
    data = (tmp_path / "p.npy").read_bytes()
    text = b"{'descr': '<U0', 'fortran_order': False, 'shape': (-1,), }"
    (tmp_path / "p.npy").write_bytes(data[:8] + len(text).to_bytes(2, "little") + text + data[128:])
    with pytest.raises(InputError, match=r"p\.npy: not a usable \.npy file"):
        read_faces(tmp_path / "p.npy")
