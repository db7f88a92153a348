"""Writers of the official layouts, for tests: a few faces of random landmarks."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import cv2
import h5py
import numpy as np
from scipy.io import savemat

from alignbench.arrays import Bytes, Floats

WFLW_LIST = "WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_{}.txt"


def points(faces: int, landmarks: int, seed: int = 0) -> Floats:
    """Landmarks with three decimals, inside a 100 x 120 image."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(0.6, 1, (faces, 1, 2))
    return (rng.uniform(10, 90, (faces, landmarks, 2)) * size).round(3)


def image(seed: int = 0, height: int = 120, width: int = 100) -> Bytes:
    """A smooth random picture."""
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2))


def write_image(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image(seed))


def wflw_line(landmarks: Floats, name: str, flags: str = "0 0 0 0 0 0") -> str:
    box = [np.floor(landmarks.min(axis=0)), np.ceil(landmarks.max(axis=0))]
    coordinates = " ".join(f"{x:.6f}" for x in landmarks.ravel())
    return f"{coordinates} {' '.join(f'{x:.0f}' for x in np.ravel(box))} {flags} {name}"


def write_wflw(root: Path, faces: int = 4, split: str = "test", lines: list[str] | None = None):
    """WFLW's layout; the second face shares the first one's image."""
    truth = points(faces, 98)
    names = [f"0--Parade/{max(k, 1)}.jpg" for k in range(faces)]
    for k, name in enumerate(names):
        write_image(root / "WFLW_images" / name, k)
    if lines is None:
        lines = [wflw_line(truth[k], names[k], f"{k % 2} 0 0 0 1 0") for k in range(faces)]
    path = root / WFLW_LIST.format(split)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return truth, path


def pts_text(landmarks: Floats, shift: float = 1) -> str:
    """A .pts file: 1-based."""
    rows = "\n".join(f"{x + shift:.3f} {y + shift:.3f}" for x, y in landmarks)
    return f"version: 1\nn_points:  {len(landmarks)}\n{{\n{rows}\n}}\n"


def write_300w(root: Path, folders=("helen/testset", "lfpw/testset", "ibug"), faces: int = 2):
    """300W's layout, ``faces`` faces in each folder, images with different endings."""
    truth = {}
    for f, folder in enumerate(folders):
        for k, landmarks in enumerate(points(faces, 68, seed=f)):
            path = root / folder / f"face_{f}_{k}.pts"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pts_text(landmarks))
            write_image(path.with_suffix((".jpg", ".png", ".JPG")[(f + k) % 3]), 10 * f + k)
            truth[f"{folder}/face_{f}_{k}"] = landmarks
    return truth


def write_cofw(path: Path, truth: Floats, visible: np.ndarray, images: list[Bytes], suffix="T"):
    """COFW's MATLAB v7.3 file from 0-based landmarks (N, 29, 2); images RGB or grey."""
    faces = len(truth)
    phis = np.concatenate([truth[:, :, 0].T + 1, truth[:, :, 1].T + 1, ~visible.T])
    low, high = truth.min(axis=1), truth.max(axis=1)
    boxes = np.concatenate([low.T + 1, (high - low).T + 1])
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        file[f"phis{suffix}"], file[f"bboxes{suffix}"] = phis, boxes
        references = file.create_dataset(f"Is{suffix}", (1, faces), dtype=h5py.ref_dtype)
        for k, picture in enumerate(images):
            references[0, k] = file.create_dataset(f"#refs#/i{k}", data=picture.T).ref
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64"
    with path.open("r+b") as stream:
        stream.write(head.ljust(124) + b"\x00\x02IM")


def write_cofw68(root: Path, truth: Floats, occluded: np.ndarray):
    """COFW68's layout from 0-based landmarks (N, 68, 2)."""
    (root / "test_annotations").mkdir(parents=True, exist_ok=True)
    for k, landmarks in enumerate(truth, start=1):
        content = {"Points": landmarks + 1, "Occ": occluded[k - 1 : k].astype(np.uint8)}
        savemat(root / "test_annotations" / f"{k}_points.mat", content)
    boxes = np.concatenate([truth.min(axis=1), np.ptp(truth, axis=1)], axis=1)
    savemat(root / "cofw68_test_bboxes.mat", {"bboxes": boxes.astype(np.int16)})


def write_cofw_v5(path: Path, truth: Floats, visible: np.ndarray, images: list[Bytes]):
    """COFW's variables in a version 5 file, from 0-based landmarks (N, 29, 2)."""
    phis = np.concatenate([truth[:, :, 0] + 1, truth[:, :, 1] + 1, ~visible], axis=1)
    low, high = truth.min(axis=1), truth.max(axis=1)
    cell = np.empty((len(images), 1), object)
    cell[:, 0] = images
    path.parent.mkdir(parents=True, exist_ok=True)
    boxes = np.concatenate([low + 1, high - low + 1], axis=1)
    savemat(path, {"phisT": phis, "bboxesT": boxes, "IsT": cell}, do_compression=True)


def write_merl_rav(root: Path, faces: int = 2):
    """MERL-RAV's labels: the first landmark is occluded, the second has no position."""
    truth = {}
    for p, pose in enumerate(("frontal", "left", "lefthalf", "right", "righthalf")):
        for k, landmarks in enumerate(points(faces, 68, seed=p)):
            stored = landmarks + 1
            stored[0] *= -1
            stored[1] = -1
            path = root / f"merl_rav_labels/{pose}/testset/labels/image{p:05d}_{k + 1}.pts"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pts_text(stored, shift=0))
            landmarks[1] = np.nan
            truth[f"{pose}/{path.stem}"] = landmarks
    return truth


def write_aflw19(root: Path, faces: int = 4):
    """AFLW-19's lists and annotations; face k lacks landmark k, every second one is frontal."""
    truth = points(faces, 19)
    lines = []
    for k, landmarks in enumerate(truth):
        path = root / f"annotations/0/image{k // 2:05d}-{k}.pts"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = enumerate(landmarks, start=1)
        path.write_text("\n".join(f"{n:02d} {x:.3f} {y:.3f} True" for n, (x, y) in rows if n != k))
        before = (
            f"datasets/AFLW/images/0/image{k // 2:05d}.jpg datasets/AFLW/{path.relative_to(root)}"
        )
        lines.append(f"{before} 10.0 10.0 70.0 90.0 {60 + k}.0")
        if k:
            landmarks[k - 1] = np.nan
    (root / "test.GTB").write_text("\n".join(lines))
    (root / "test.front.GTB").write_text("\n".join(lines[::2]))
    return truth


def write_106(path: Path, landmarks: Floats) -> None:
    """A text file of landmarks with their number in its first line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "\n".join(f"{x:.3f} {y:.3f}" for x, y in landmarks)
    path.write_text(f"{len(landmarks)}\n{rows}\n")


def write_aflw2000(path: Path, landmarks: Floats, yaw: float) -> None:
    """A face of AFLW2000-3D; its yaw in degrees."""
    path.parent.mkdir(parents=True, exist_ok=True)
    points3d = np.concatenate([landmarks.T + 1, np.zeros((1, 68))])
    pose = np.array([[0.1, np.radians(yaw), 0.2, 0, 0, 0, 1]])
    savemat(path, {"pt3d_68": points3d, "Pose_Para": pose}, do_compression=True)


def write_300vw(root: Path, videos=("114", "203", "410"), frames: int = 2):
    """300-VW's videos of some frames."""
    truth = {}
    for v, video in enumerate(videos):
        for k, landmarks in enumerate(points(frames, 68, seed=v), start=1):
            path = root / video / f"annot/{k:06d}.pts"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pts_text(landmarks))
            truth[f"{video}/{k:06d}"] = landmarks
    return truth


def write_ibug_boxes(path: Path, boxes: dict[str, Floats]) -> None:
    """300W's file of a detector's boxes (4,), 0-based, by the image's name."""
    cell = np.empty((1, len(boxes)), object)
    for k, (name, box) in enumerate(boxes.items()):
        box = box[None] + 1
        cell[0, k] = {"imgName": name, "bb_detector": box, "bb_ground_truth": box}
    savemat(path, {"bounding_boxes": cell})


def write_tgz(stream, content, **changes):
    """An archive of npm; ``changes`` are attributes of each member's header."""
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in {**content, "other.js": b"code"}.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(data)
            for key, value in changes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))


def write_wheel(stream, content, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in {**content, "code.py": b"code"}.items():
            archive.writestr(name, data)
