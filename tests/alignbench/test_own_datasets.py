"""A data set of one's own, without a package: FORMAT:PATH, and the TOML file that describes it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from layouts import points, pts_text, write_image
from typer.testing import CliRunner

from alignbench import (
    InputError,
    evaluate,
    load_dataset,
    load_predictor,
    load_run,
    parse_measure,
)
from alignbench.cli import app
from alignbench.predictors.saved import Interpretation, SavedPredictor

POINTS = points(4, 68, seed=8)
NAMES = ["a/1", "a/2", "b/3", "b/4"]
NME = parse_measure("nme(inter_ocular)")


@pytest.fixture
def folder(tmp_path):
    """Images with .pts beside them."""
    for k, (name, face) in enumerate(zip(NAMES, POINTS, strict=True)):
        write_image(tmp_path / "faces" / f"{name}{('.jpg', '.PNG')[k % 2]}", k)
        (tmp_path / "faces" / f"{name}.pts").write_text(pts_text(face))
    return tmp_path / "faces"


def coco(results=None, image="images/{}.jpg"):
    """A COCO file of two faces in each of two images."""
    images = [{"id": k, "file_name": image.format(k)} for k in (5, 6)]
    faces = [
        {"image_id": 5 + k // 2, "id": k, "keypoints": np.c_[face, [2] * 68].ravel().tolist()}
        for k, face in enumerate(POINTS)
    ]
    return {"images": images, "annotations": faces}


def test_a_folder_of_pts(folder):
    dataset = load_dataset(f"pts:{folder}")
    np.testing.assert_allclose(dataset.points, POINTS, atol=1e-9)
    assert dataset.ids == tuple(NAMES)
    assert dataset.images.available().all()
    assert dataset.images.read(1).shape == (120, 100, 3)
    assert (dataset.name, dataset.markup.name) == ("pts:faces", "ibug68")
    assert dataset.normalisers == ("inter_ocular", "inter_pupil", "box")


def test_several_faces_of_an_image_have_ids_of_their_own(tmp_path):
    (tmp_path / "images").mkdir()
    write_image(tmp_path / "images" / "5.jpg")
    (tmp_path / "c.json").write_text(json.dumps(coco()))
    dataset = load_dataset(f"coco:{tmp_path / 'c.json'}")
    assert dataset.ids == ("5#0", "5#1", "6#2", "6#3")
    assert dataset.images.available().tolist() == [True, True, False, False]
    assert dataset.images.sources()[:2] == ["images/5.jpg"] * 2
    lines = [" ".join(map(str, [*face.ravel(), "x.jpg"])) for face in POINTS]
    (tmp_path / "l.txt").write_text("\n".join([*lines, lines[0]]))
    dataset = load_dataset(f"list:{tmp_path / 'l.txt'}")
    ids = dataset.ids
    low, high = POINTS[0].min(axis=0), POINTS[0].max(axis=0)
    box = ",".join(f"{edge:g}" for edge in (*low, *high))
    assert (ids[0], ids[4]) == (f"x#{box}", f"x#{box}#2")
    assert dataset.notes[-1].startswith("1 faces occur more than once in the file, such as x#")


@pytest.mark.parametrize("name", ["/", "..", "C:\\", "a" * 300 + ".jpg", "a" * 252])
def test_a_path_that_names_no_image_is_refused(tmp_path, name):
    (tmp_path / "c.json").write_text(json.dumps(coco(image=name)))
    with pytest.raises(InputError, match="is not valid on every system"):
        load_dataset(f"coco:{tmp_path / 'c.json'}")


@pytest.mark.parametrize(
    "written",
    ["{}.jpg", "images/{}.jpg", "./images/{}.jpg", "C:\\me\\images\\{}.jpg", "/me/images/{}.jpg"],
)
@pytest.mark.parametrize("place", ["annotations", "."])
def test_images_are_found_beside_the_file(tmp_path, written, place):
    (tmp_path / place).mkdir(exist_ok=True)
    write_image(tmp_path / "images" / "5.jpg")
    path = tmp_path / place / "c.json"
    path.write_text(json.dumps(coco(image=written)))
    assert load_dataset(f"coco:{path}").images.available().tolist() == [True, True, False, False]


def write_list(path, names):
    rows = zip(POINTS, names, strict=True)
    path.write_text("\n".join(" ".join(map(str, [*face.ravel(), name])) for face, name in rows))


def test_the_first_image_may_be_missing(tmp_path):
    write_list(tmp_path / "l.txt", [f"/me/a/{k}.jpg" for k in range(4)])
    for k in (1, 2, 3):
        write_image(tmp_path / "a" / f"{k}.jpg")
    dataset = load_dataset(f"list:{tmp_path / 'l.txt'}")
    assert dataset.images.available().tolist() == [False, True, True, True]
    assert dataset.notes == (
        "The leading folders 'me' of the image paths are left out to find the images.",
    )


def test_two_images_never_become_one(tmp_path):
    """Of folders a and b, each with an image 1.jpg, only the images of one were copied."""
    write_list(tmp_path / "l.txt", ["a/1.jpg", "b/1.jpg", "a/2.jpg", "b/2.jpg"])
    for name in ("1.jpg", "2.jpg"):
        write_image(tmp_path / name)
    assert not load_dataset(f"list:{tmp_path / 'l.txt'}").images.available().any()
    write_list(tmp_path / "l.txt", ["x/a/1.jpg", "b.jpg", "x/a/2.jpg", "x/a/3.jpg"])
    assert load_dataset(f"list:{tmp_path / 'l.txt'}").images.sources()[1] == "b.jpg"


def test_images_lie_where_the_user_says(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(coco()))
    write_image(tmp_path / "far" / "off" / "images" / "6.jpg")
    images = load_dataset(f"coco:{tmp_path / 'c.json'}", tmp_path / "far" / "off").images
    assert images.available().tolist() == [False, False, True, True]


def test_the_origin_and_the_mark_up_are_what_the_user_says(folder, tmp_path):
    np.testing.assert_allclose(load_dataset(f"pts:{folder}", origin=0).points, POINTS + 1)
    with pytest.raises(InputError, match="68 landmarks a face; accepted: 98, as mark-up wflw98"):
        load_dataset(f"pts:{folder}", markup="wflw98")
    with pytest.raises(InputError, match="defines its own mark-up and origin"):
        load_dataset("synthetic", split="sample", origin=1)
    with pytest.raises(InputError, match=r"has no split 'train'.*data describe"):
        load_dataset(f"pts:{folder}", split="train")
    with pytest.raises(InputError, match=r"format 'ptz': unknown.*Did you mean 'pts'"):
        load_dataset(f"ptz:{folder}")


def test_a_number_of_landmarks_that_no_mark_up_has(tmp_path):
    """Errors are then divided by the box alone."""
    np.savez(tmp_path / "t.npz", ids=NAMES, points=POINTS[:, :21])
    dataset = load_dataset(f"npz:{tmp_path / 't.npz'}")
    run = evaluate(load_predictor(f"saved:{tmp_path / 't.npz'}"), dataset)
    assert {row.norm for row in run.metrics} == {"box", "diagonal"}
    assert run.row(parse_measure("nme(box)")).value == 0


def test_arrays_in_the_order_of_the_data_set(tmp_path, folder):
    np.save(tmp_path / "p.npy", POINTS)
    dataset = load_dataset(f"pts:{folder}")
    saved = f"saved:{tmp_path / 'p.npy'}"
    run = evaluate(load_predictor(saved, order="dataset"), dataset)
    assert run.row(NME).value == pytest.approx(0, abs=1e-9)
    with pytest.raises(InputError, match=r"without names of faces.*--order dataset"):
        evaluate(load_predictor(saved), dataset)
    with pytest.raises(InputError, match="4 faces; accepted: 3, one for each"):
        evaluate(load_predictor(saved, order="dataset"), dataset.take(np.arange(3)))
    np.savez(tmp_path / "p.npz", ids=NAMES[::-1], points=POINTS[::-1])
    with pytest.raises(InputError, match=r"row 3 is called 'a/1', which is face 0.*Leave --order"):
        evaluate(load_predictor(f"saved:{tmp_path / 'p.npz'}", order="dataset"), dataset)
    np.savez(tmp_path / "p.npz", ids=[str(k) for k in range(10, 14)], points=POINTS)
    evaluate(load_predictor(f"saved:{tmp_path / 'p.npz'}", order="dataset"), dataset)
    truth = load_dataset(f"array:{tmp_path / 'p.npy'}")
    assert truth.ids == ("1", "2", "3", "4")
    assert not truth.images.available().any()


OTHER_WAYS = {
    "fractions of the image": (POINTS / [100, 120], {"points_unit": "image"}),
    "fractions of the box": (
        (POINTS - POINTS.min(axis=1, keepdims=True)) / np.ptp(POINTS, axis=1, keepdims=True),
        {"points_unit": "box"},
    ),
    "y before x": (POINTS[:, :, ::-1], {"points_axes": "yx"}),
    "all x before all y": (
        POINTS.swapaxes(1, 2).reshape(POINTS.shape),
        {"points_axes": "x-then-y"},
    ),
    "counted from 1": (POINTS + 1, {"points_origin": 1}),
    "edge of the image": (POINTS + 0.5, {"points_origin": 0.5}),
    "fractions from the edge": (
        (POINTS + 0.5) / [100, 120],
        {"points_unit": "image", "points_origin": 0.5},
    ),
}


@pytest.mark.parametrize("way", OTHER_WAYS)
def test_landmarks_in_other_coordinates(tmp_path, folder, way):
    stored, options = OTHER_WAYS[way]
    np.savez(tmp_path / "p.npz", ids=NAMES, points=stored)
    dataset = load_dataset(f"pts:{folder}")
    right = evaluate(load_predictor(f"saved:{tmp_path / 'p.npz'}", **options), dataset)
    wrong = evaluate(load_predictor(f"saved:{tmp_path / 'p.npz'}"), dataset)
    assert right.row(NME).value == pytest.approx(0, abs=1e-9)
    assert wrong.row(NME).value > 0.1
    assert options.items() <= right.record.model.identity.items()
    assert not options.keys() & wrong.record.model.identity.keys()


def test_numbers_with_an_offset_are_ids(tmp_path):
    np.save(tmp_path / "t.npy", POINTS)
    dataset = load_dataset(f"array:{tmp_path / 't.npy'}")
    np.savez(
        tmp_path / "p.npz", ids=[f"images/{k:05}.jpg" for k in range(1345, 1349)], points=POINTS
    )
    saved = f"saved:{tmp_path / 'p.npz'}"
    assert evaluate(load_predictor(saved, id_offset=-1344), dataset).row(NME).value == 0
    with pytest.raises(InputError, match="none of 4 ids is in the data set"):
        evaluate(load_predictor(saved, id_offset=0), dataset)
    np.savez(tmp_path / "p.npz", ids=list("abcd"), points=POINTS)
    with pytest.raises(InputError, match="face 'a': no number at the end of the name"):
        evaluate(load_predictor(saved, id_offset=0), dataset)


def detections(tmp_path, scores, image_ids=(5, 5, 6, 6, 6)):
    """Two good detections in each image, and a third in the last, in reverse order."""
    stored = [*POINTS, POINTS[3] + 60][::-1]
    faces = [
        {"image_id": i, "keypoints": np.c_[face, [1] * 68].ravel().tolist(), "score": score}
        for i, face, score in zip(image_ids[::-1], stored, scores, strict=True)
    ]
    (tmp_path / "r.json").write_text(json.dumps(faces))
    return f"saved:{tmp_path / 'r.json'}"


def test_several_detections_of_an_image(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(coco()))
    dataset = load_dataset(f"coco:{tmp_path / 'c.json'}")
    saved = detections(tmp_path, [0.9, 0.1, 0.2, 0.3, 0.4])
    with pytest.raises(InputError, match=r"names more than one face.*--pick score or --pick iou"):
        evaluate(load_predictor(saved), dataset)
    run = evaluate(load_predictor(saved, pick="iou"), dataset)
    assert run.row(NME).value == 0
    assert run.record.model.notes == (
        "1 stored faces, such as '6', were not picked.",
        "Each stored landmark has a third value, which is not used.",
    )
    with pytest.raises(InputError, match=r"'5#0' shares its image with other faces.*--pick iou"):
        evaluate(load_predictor(saved, pick="score"), dataset)
    alone = dataset.take(np.array([1, 2]))
    best = evaluate(
        load_predictor(detections(tmp_path, [0, 0.1, 0.9, 0.3, 0]), pick="score"), alone
    )
    assert best.row(NME).value == 0


def test_faces_of_one_image_are_told_apart_by_their_boxes(tmp_path):
    boxes = np.concatenate([POINTS.min(axis=1), POINTS.max(axis=1)], axis=1).round()
    lines = [
        " ".join(map(str, [*face.ravel(), *box, "x.jpg"]))
        for face, box in zip(POINTS, boxes, strict=True)
    ]
    (tmp_path / "l.txt").write_text("\n".join(lines))
    dataset = load_dataset(f"list:{tmp_path / 'l.txt'}")
    faces = [
        {"imgpath": "x.jpg", "landmarks": face.tolist(), "bbox": [*box[:2], *(box[2:] - box[:2])]}
        for face, box in zip(POINTS, boxes.tolist() and boxes, strict=True)
    ]
    (tmp_path / "s.json").write_text(json.dumps(faces[::-1], default=float))
    assert evaluate(load_predictor(f"saved:{tmp_path / 's.json'}"), dataset).row(NME).value == 0


def test_a_box_may_be_written_with_fewer_digits(tmp_path):
    low, high = POINTS.min(axis=1) + 1 / 3, POINTS.max(axis=1) + 1 / 3
    faces = [
        {"imgpath": "x.jpg", "landmarks": face.tolist(), "bbox": [*a, *(b - a)]}
        for face, a, b in zip(POINTS, low, high, strict=True)
    ]
    (tmp_path / "t.json").write_text(json.dumps(faces))
    dataset = load_dataset(f"spiga:{tmp_path / 't.json'}")
    for face in faces:
        face["bbox"] = [round(value, 2) for value in face["bbox"]]
    (tmp_path / "p.json").write_text(json.dumps(faces[::-1]))
    run = evaluate(load_predictor(f"saved:{tmp_path / 'p.json'}"), dataset)
    assert run.row(NME).value == 0
    faces[0]["bbox"][0] += 500
    (tmp_path / "p.json").write_text(json.dumps(faces[:2]))
    with pytest.raises(InputError, match=r"matches no box of the image of 'x#.*--pick iou"):
        evaluate(load_predictor(f"saved:{tmp_path / 'p.json'}"), dataset)


def numbered(tmp_path):
    """Four images called 1.jpg to 4.jpg, whose ids are 0 to 3."""
    images = [{"id": k, "file_name": f"{k + 1}.jpg"} for k in range(4)]
    faces = [
        {"id": k, "image_id": k, "keypoints": np.c_[face, [2] * 68].ravel().tolist()}
        for k, face in enumerate(POINTS)
    ]
    (tmp_path / "n.json").write_text(json.dumps({"images": images, "annotations": faces}))
    return load_dataset(f"coco:{tmp_path / 'n.json'}")


@pytest.mark.parametrize(
    ("names", "compared"),
    [
        (["1.jpg", "2.jpg", "3.jpg", "4.jpg"], "image path"),
        (["1", "2", "3", "4"], "image path"),
        (["0", "1", "2", "3"], "id"),
        (["1.jpg", "2.jpg", "3.jpg"], "image path"),
        (["0", "1", "2"], "id"),
    ],
)
def test_ids_that_are_names_of_other_images(tmp_path, names, compared):
    np.savez(tmp_path / "p.npz", ids=names, points=POINTS[: len(names)])
    run = evaluate(load_predictor(f"saved:{tmp_path / 'p.npz'}"), numbered(tmp_path))
    assert run.record.model.identity["matched_by"] == compared
    assert run.record.missed == 4 - len(names)
    np.testing.assert_array_equal(run.points, POINTS[: len(names)])


def test_names_of_two_meanings_are_refused(tmp_path):
    np.savez(tmp_path / "p.npz", ids=["1", "2", "3"], points=POINTS[:3])
    with pytest.raises(InputError, match=r"'1' is the id of one face and names the image of ano"):
        evaluate(load_predictor(f"saved:{tmp_path / 'p.npz'}"), numbered(tmp_path))


def test_results_name_images_by_ids_that_some_faces_share(tmp_path):
    content = coco()
    content["annotations"][1]["image_id"] = 4
    content["images"].append({"id": 4, "file_name": "images/4.jpg"})
    (tmp_path / "c.json").write_text(json.dumps(content))
    dataset = load_dataset(f"coco:{tmp_path / 'c.json'}")
    assert dataset.ids == ("5", "4", "6#2", "6#3")
    saved = detections(tmp_path, [0.9, 0.1, 0.2, 0.3, 0.4], (5, 4, 6, 6, 6))
    run = evaluate(load_predictor(saved, pick="iou"), dataset)
    assert run.record.missed == 0
    assert run.row(NME).value == 0
    with pytest.raises(InputError, match="'6' names more than one face"):
        evaluate(load_predictor(saved), dataset)


def test_scores_are_part_of_what_identifies_predictions(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(coco()))
    alone = load_dataset(f"coco:{tmp_path / 'c.json'}").take(np.array([1, 2]))
    runs = [
        evaluate(load_predictor(detections(tmp_path, scores), pick="score"), alone)
        for scores in ([0, 0.1, 0.9, 0.3, 0], [0, 0.9, 0.1, 0.3, 0])
    ]
    assert runs[0].row(NME).value != runs[1].row(NME).value
    assert runs[0].record.key != runs[1].record.key


def test_names_that_differ_in_blanks_alone_are_the_same(tmp_path):
    truth, stored = ["i/092 _01", "i/3", "i/A", "i/5 a"], ["i/092_01", "i/3", "i/a"]
    np.savez(tmp_path / "t.npz", ids=truth, points=POINTS)
    np.savez(tmp_path / "p.npz", ids=stored, points=POINTS[:3])
    run = evaluate(
        load_predictor(f"saved:{tmp_path / 'p.npz'}"), load_dataset(f"npz:{tmp_path / 't.npz'}")
    )
    assert run.record.missed == 1
    alone = "differ in blanks or capitals alone and are taken for the same face."
    assert run.record.model.notes == (
        f"'i/092_01' and 'i/092 _01' {alone}", f"'i/a' and 'i/A' {alone}",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("order", "file", "--order 'file': unknown; accepted: dataset"),
        ("pick", "best", "--pick 'best': unknown; accepted: iou, score"),
        ("points_unit", "mm", "--points-unit 'mm': unknown; accepted: box, image, pixel"),
        ("points_axes", "xz", "--points-axes 'xz': unknown; accepted: x-then-y, xy, yx"),
        ("points_origin", 2, "--points-origin: 2; accepted: 0 to 1"),
    ],
)
def test_wrong_options_are_named(option, value, message):
    with pytest.raises(InputError, match=message):
        Interpretation(**{option: value})


def test_scores_are_needed_to_choose_by_them(tmp_path):
    np.savez(tmp_path / "p.npz", ids=["a", "a"], points=POINTS[:2])
    np.savez(tmp_path / "t.npz", ids=["a"], points=POINTS[:1])
    predictor = SavedPredictor(tmp_path / "p.npz", Interpretation(pick="score"))
    with pytest.raises(InputError, match="no scores; accepted: --pick iou"):
        predictor.prepare(load_dataset(f"npz:{tmp_path / 't.npz'}"))


# --- described in a TOML file -----------------------------------------------------------------


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, InputError):
        return 2, str(result.exception)
    return result.exit_code, result.output


@pytest.fixture
def described(folder):
    path = folder.parent / "sets" / "my.toml"
    assert call("data", "describe", f"pts:{folder}", "--out", path)[0] == 0
    return path


def test_a_described_data_set_is_one_like_any_other(described, tmp_path):
    dataset = load_dataset(str(described))
    assert (dataset.name, dataset.official) == ("my", {"full": 4})
    np.testing.assert_allclose(dataset.points, POINTS, atol=1e-9)
    code, text = call("data", "verify", described)
    assert (code, "4 faces, expected      4  ok" in text, "complete" in text) == (0, True, True)
    (tmp_path / "faces" / "b" / "4.pts").unlink()
    code, text = call("data", "verify", described)
    assert (code, "differs" in text, "INCOMPLETE" in text) == (1, True, True)


def test_subsets_and_splits(described, folder, tmp_path):
    text = described.read_text()
    (described.parent / "hard.txt").write_text("a/2.png\nb/3\n")
    described.write_text(
        text
        + '[splits.test.subsets.b]\npattern = "b/*"\n[splits.test.subsets.hard]\nids = "hard.txt"\n'
    )
    subsets = load_dataset(str(described)).subsets
    assert subsets["b"].tolist() == [False, False, True, True]
    assert subsets["hard"].tolist() == [False, True, True, False]
    described.write_text(text)
    call("data", "describe", f"pts:{folder / 'a'}", "--split", "train", "--out", described)
    assert len(load_dataset(str(described), split="train")) == 2
    assert len(load_dataset(str(described))) == 4
    with pytest.raises(InputError, match="split of my 'trian': unknown; accepted: test, train"):
        load_dataset(str(described), split="trian")
    np.savez(tmp_path / "t.npz", ids=NAMES, points=POINTS)
    code, message = call("data", "describe", f"npz:{tmp_path / 't.npz'}", "--out", described)
    assert (code, "with format pts; accepted: format npz" in message) == (2, True)


def test_a_split_that_contradicts_the_file_is_refused(described, folder):
    text = described.read_text()
    train = ("data", "describe", f"pts:{folder / 'a'}", "--split", "train", "--out", described)
    for options, message in (
        (["--origin", 1], "describes a data set with no origin; accepted: origin 1.0"),
        (["--name", "other"], "describes a data set with name my; accepted: name other"),
    ):
        code, printed = call(*train, *options)
        assert (code, message in printed) == (2, True), printed
        assert described.read_text() == text
    described.write_text(text.replace('"pts"', '"pts"\norigin = 0.0').replace('"my"', '"mine"'))
    assert call(*train)[0] == 2
    assert call(*train, "--origin", 0)[0] == 0
    assert load_dataset(str(described), split="train").name == "mine"
    np.testing.assert_allclose(load_dataset(str(described), split="train").points, POINTS[:2] + 1)


def test_a_split_that_is_described_again_keeps_its_subsets(described, folder):
    with described.open("a") as stream:
        stream.write('[splits.test.subsets.b]\npattern = "b/*"\n')
    (folder / "b" / "4.pts").unlink()
    assert call("data", "describe", f"pts:{folder}", "--out", described)[0] == 0
    dataset = load_dataset(str(described))
    assert dataset.subsets["b"].tolist() == [False, False, True]
    assert dataset.official == {"full": 3, "b": 1}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my data", "found 'my data'; accepted: at most 100 of A-Z"),
        ("COFW68", "'COFW68' is a registered data set; accepted: another name"),
    ],
)
def test_a_name_with_blanks_or_of_a_registered_data_set_is_refused(
    described, folder, tmp_path, name, message
):
    describe = ("data", "describe", f"pts:{folder}", "--out")
    for arguments in ((tmp_path / f"{name}.toml",), (tmp_path / "x.toml", "--name", name)):
        code, printed = call(*describe, *arguments)
        assert (code, message in printed, "--name" in printed) == (2, True, True), printed
    assert call(*describe, tmp_path / f"{name}.toml", "--name", "x")[0] == 0
    described.write_text(described.read_text().replace('"my"', f'"{name}"'))
    with pytest.raises(InputError, match=f"key name: {message}"):
        load_dataset(str(described))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('format = "pts"', "", "key format: is missing. docs/how-to/own-data.md"),
        ('format = "pts"', 'format = "ptz"', "format 'ptz': unknown"),
        ('name = "my"', 'name = "../x"', "key name: found '../x'; accepted: at most"),
        ("threshold = 0.1", "threshold = 7", "key threshold: Input should be less"),
        (
            "threshold = 0.1",
            "speed = 7",
            "key 'speed': unknown; accepted: .*docs/how-to/own-data.md shows every",
        ),
        ('format = "pts"', 'formt = "pts"', "key 'formt': unknown.* Did you mean 'format'"),
        ("path =", "pth =", "key 'splits.test.pth': unknown.* Did you mean 'splits.test.path'"),
        (
            "full = 4",
            "full = 4\n[splits.test.subsets.b]\nid = 'b'",
            "'splits.test.subsets.b.id': unknown.*Did you mean 'splits.test.subsets.b.ids'",
        ),
        ('"inter_ocular"', '"inter_oculr"', "normalisers, 'inter_oculr': unknown.*'inter_ocular'"),
        ("full = 4", "full = -1", "faces.full: Input should be greater than or equal to 0"),
        ("full = 4", "ful = 4", "faces, subset 'ful': unknown"),
        ("full = 4", "full = 4\n[splits.test.subsets.x]", "neither|not one of pattern and ids"),
        ("full = 4", 'full = 4\n[splits.test.subsets.x]\nids = "no.txt"', "cannot be read"),
        ("full = 4", 'full = 4\n[splits.test.subsets.x]\npattern = "z*"', "no id matches 'z\\*'"),
        ("\n[splits", "\nsplits", "not TOML"),
    ],
)
def test_a_wrong_description_is_named(described, old, new, message):
    text = described.read_text()
    assert old in text
    described.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        load_dataset(str(described))


# --- from a folder to a table in two commands -------------------------------------------------


def test_a_users_own_folder_and_predictions_to_a_table(folder, tmp_path):
    header = ",".join(["image", *(f"{a}{k}" for k in range(68) for a in "xy")])
    rows = [",".join([f"{n}.jpg", *(f"{v:.4f}" for v in f.ravel() + 0.5)])
            for n, f in zip(NAMES, POINTS, strict=True)]  # fmt: skip
    (tmp_path / "mine.csv").write_text("\n".join([header, *rows]))
    run = ("run", "--model", f"saved:{tmp_path / 'mine.csv'}", "--dataset", f"pts:{folder}")
    code, text = call(*run, "--out", tmp_path / "run")
    assert (code, "mine on pts:faces test" in text) == (0, True)
    code, text = call("report", tmp_path / "run", "--format", "md")
    scale = np.linalg.norm(POINTS[:, 45] - POINTS[:, 36], axis=1)
    assert code == 0
    assert f"{(100 * 0.5 * 2**0.5 / scale).mean():.2f}" in text


def test_coco_and_the_results_of_mmpose_to_a_table(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps(coco()))
    saved = detections(tmp_path, [1] * 5)
    code, text = call("run", "--model", saved, "--dataset", f"coco:{tmp_path / 'c.json'}",
                      "--pick", "iou", "--out", tmp_path / "run")  # fmt: skip
    assert (code, "r on coco:c.json test" in text) == (0, True)
    assert call("report", tmp_path / "run")[0] == 0


def test_a_run_on_ones_own_data_is_examined_again(described, tmp_path, monkeypatch):
    """With the origin that the user stated, and from a description."""
    monkeypatch.chdir(tmp_path)
    np.savez("p.npz", ids=NAMES, points=load_dataset("pts:faces", origin=0).points)
    run = ("run", "--model", "saved:p.npz", "--dataset")
    assert call(*run, "pts:faces", "--origin", "0", "--out", "a")[0] == 0
    assert call(*run, "sets/my.toml", "--out", "b")[0] == 0
    assert load_run("a").record.dataset.origin == 0
    assert load_run("b").record.dataset.source == "sets/my.toml"
    for name in "ab":
        assert "no     x and y are exchanged" in call("doctor", name)[1]
        assert call("figure", "landmarks", name, "--out", f"{name}.png")[0] == 0
    monkeypatch.chdir("/")
    status, message = call("doctor", tmp_path / "b")
    assert status == 2
    assert "sets/my.toml" in message
    assert call("doctor", tmp_path / "b", "--data-root", tmp_path)[0] == 0


def test_a_sheet_of_a_users_own_faces(folder, tmp_path):
    show = ("data", "show", f"pts:{folder}", "--faces", 2, "--out")
    pictures = []
    for name, options in (("a", ()), ("b", ("--origin", 1)), ("c", ("--origin", 0))):
        path = tmp_path / f"{name}.png"
        assert call(*show, path, "--markup", "ibug68", *options)[0] == 0
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]
    code, message = call(*show, tmp_path / "d.png", "--markup", "wflw98")
    assert (code, "as mark-up wflw98 has" in message) == (2, True)


def test_runs_from_before_a_subset_was_described_are_reported_beside_others(described, tmp_path):
    np.savez(tmp_path / "p.npz", ids=NAMES, points=POINTS)
    run = ("run", "--model", f"saved:{tmp_path / 'p.npz'}", "--dataset", described)
    assert call(*run, "--name", "old", "--out", tmp_path / "old")[0] == 0
    subset = '[splits.test.subsets.b]\npattern = "b/*"\n'
    described.write_text(described.read_text() + subset)
    assert call(*run, "--name", "new", "--out", tmp_path / "new")[0] == 0
    for order in (("old", "new"), ("new", "old")):
        code, text = call("report", *(tmp_path / name for name in order), "--format", "csv")
        assert code == 0
        rows = csv.DictReader(text.splitlines())
        assert {("new", "b"), ("new", "full"), ("old", "full")} == {
            (row["model"], row["subset"]) for row in rows
        }


def test_ids_are_listed_as_they_look(folder):
    assert call("data", "ids", f"pts:{folder}") == (0, "a/1\na/2\nb/3\nb/4\n")
