"""Mark-ups against themselves and against what is known of them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from alignbench import InputError, load_dataset
from alignbench.markups import (
    COFW29,
    IBUG68,
    JD106,
    MEDIAPIPE468,
    WFLW98,
    Markup,
    by_landmarks,
    convert,
    load_markup,
)
from baselines.awing.loss import chains as awing_chains
from baselines.lab.boundaries import BOUNDARIES
from baselines.lab.boundaries import chains as lab_chains

TRAINED = pytest.mark.parametrize("markup", (WFLW98, IBUG68, COFW29), ids=lambda m: m.name)
ALL = pytest.mark.parametrize(
    "markup", (WFLW98, IBUG68, COFW29, JD106, MEDIAPIPE468), ids=lambda m: m.name
)


@ALL
def test_flip_is_an_involution_that_changes_places_in_pairs(markup):
    order = markup.flip_order
    assert sorted(order) == list(range(markup.landmarks))
    assert (order[order] == np.arange(markup.landmarks)).all()
    assert (order != np.arange(markup.landmarks)).sum() == 2 * len(markup.flip_pairs)


@ALL
def test_flip_exchanges_left_and_right_regions_and_keeps_the_others(markup):
    for name, members in markup.regions.items():
        twin = name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")
        assert set(markup.flip_order[list(members)]) == set(markup.regions[twin])


@ALL
def test_flip_maps_boundaries_onto_boundaries(markup):
    chains = {frozenset(chain) for chain in markup.chains.values()}
    for chain in markup.chains.values():
        assert frozenset(markup.flip_order[list(chain)]) in chains


@ALL
def test_normalisers_swap_ends_under_flip(markup):
    for left, right in markup.normalisers.values():
        assert set(markup.flip_order[list(left)]) == set(right)


@pytest.mark.parametrize(
    ("markup", "count", "total"), [(WFLW98, 15, 106), (IBUG68, 13, 76), (COFW29, 15, 43)]
)
def test_boundary_chains(markup, count, total):
    # 106 is the sum PropNet's parameter count fixes (15 propagation branches).
    assert len(markup.chains) == count
    assert sum(len(chain) for chain in markup.chains.values()) == total
    assert all(len(set(chain)) == len(chain) for chain in markup.chains.values())


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"regions": {"eye": (0, 1), "mouth": (1,)}}, "3 landmarks, 2 different; accepted: each"),
        ({"flip_pairs": ((0, 1), (1, 2))}, "flip_pairs: a landmark in two pairs"),
        ({"normalisers": {"ocular": ((0,), (3,))}}, "normalisers: landmark 3; accepted: 0 to 2"),
        ({"chains": {"brow": ()}}, "chains: an empty list; accepted: one landmark or more"),
        ({"conversions": {"one": ((-1,),)}}, "conversions: landmark -1"),
        ({"approximate": {"ibug86": (0,)}}, "approximate 'ibug86': unknown; accepted: none"),
        (
            {"conversions": {"two": ((0,), (1, 2))}, "approximate": {"two": (0, 2)}},
            "approximate landmarks of two: landmark 2; accepted: 0 to 1",
        ),
        (
            {"conversions": {"two": ((0,), (1, 2))}, "approximate": {"two": ()}},
            "approximate landmarks of two: an empty list",
        ),
    ],
)
def test_a_mark_up_that_cannot_be_is_refused(part, message):
    with pytest.raises(InputError, match=f"mark-up 'three', .*{message}"):
        Markup("three", 3, **part)


@TRAINED
def test_lab_and_awing_have_13_boundaries_of_the_markup(markup):
    assert tuple(lab_chains(markup)) == BOUNDARIES
    assert len(awing_chains(markup)) == 13
    known = {frozenset(chain) for chain in markup.chains.values()}
    assert {frozenset(chain) for chain in awing_chains(markup).values()} <= known
    lines = {frozenset(chain) for chain in lab_chains(markup).values() if len(chain) > 1}
    assert lines <= known
    if markup is not COFW29:
        assert lab_chains(markup).keys() == {
            name.replace("brow_upper", "brow") for name in awing_chains(markup)
        }


def test_pupils_of_wflw_are_in_no_boundary():
    drawn = {landmark for chain in WFLW98.chains.values() for landmark in chain}
    assert set(range(98)) - drawn == {96, 97}


def test_conversion_keeps_what_the_mark_ups_share():
    groups = WFLW98.conversions["ibug68"]
    assert len(set(groups)) == 68
    # Every region but the brows' lower edges and pupils has a counterpart of the same name.
    for name, members in IBUG68.regions.items():
        assert {k for member in members for k in groups[member]} <= set(WFLW98.regions[name])
    # Outer eye corners are outer eye corners.
    for end in (0, 1):
        (corner,) = IBUG68.normalisers["inter_ocular"][end]
        assert groups[corner] == WFLW98.normalisers["inter_ocular"][end]


def test_conversion_that_would_invent_points_is_refused():
    with pytest.raises(InputError, match=r"ibug68 .68 points. where the data set has wflw98"):
        convert(np.zeros((1, 68, 2)), IBUG68, WFLW98)
    same = np.zeros((1, 68, 2))
    assert convert(same, IBUG68, IBUG68) is same


def test_mark_up_by_number_of_landmarks():
    assert by_landmarks(29, "x") is COFW29
    with pytest.raises(InputError, match=r"model.npz: 70 landmarks a face; accepted: .*29 .cofw29"):
        by_landmarks(70, "model.npz")


@ALL
def test_another_process_has_the_same(markup):
    assert pickle.loads(pickle.dumps(markup)) == markup


@pytest.mark.parametrize("markup", [WFLW98, JD106, MEDIAPIPE468], ids=lambda m: m.name)
def test_a_mirrored_face_converts_to_the_mirrored_face(markup):
    points = np.random.default_rng(0).uniform(0, 100, (1, markup.landmarks, 2))
    for name in markup.conversions:
        target = load_markup(name)
        converted = convert(points, markup, target)
        mirrored = convert(points[:, markup.flip_order], markup, target)
        assert converted.shape == (1, target.landmarks, 2)
        np.testing.assert_allclose(mirrored, converted[:, target.flip_order])


def test_the_outlines_of_mediapipes_mesh():
    # Numbers of landmarks of FACEMESH_FACE_OVAL, _LEFT_EYEBROW, _NOSE, _LEFT_EYE and _LIPS.
    counts = {"contour": 36, "left_brow": 10, "nose": 24, "left_eye": 16, "mouth": 40}
    assert {name: len(MEDIAPIPE468.regions[name]) for name in counts} == counts
    drawn = {k for chain in MEDIAPIPE468.chains.values() for k in chain}
    assert drawn == set(range(468)) - set(MEDIAPIPE468.regions["skin"])
    # The eye corners by which official code rotates its window.
    assert MEDIAPIPE468.normalisers == {"inter_ocular": ((33,), (263,))}
    assert {(133, 362), (61, 291), (234, 454), (127, 356)} <= set(MEDIAPIPE468.flip_pairs)


def test_468_points_become_68_of_the_same_regions():
    regions = {k: name for name, members in MEDIAPIPE468.regions.items() for k in members}
    exact = [k for k in range(68) if k not in MEDIAPIPE468.approximate["ibug68"]]
    assert set(IBUG68.regions["contour"]) == set(range(68)) - set(exact)
    groups = MEDIAPIPE468.conversions["ibug68"]
    for name, members in IBUG68.regions.items():
        # Two points beside the nostrils are on no outline of the mesh.
        assert {regions[k] for i in members for k in groups[i]} <= {name, "skin"}
    assert [k for group in groups for k in group if regions[k] == "skin"] == [75, 305]
    corners = [groups[end[0]] for end in IBUG68.normalisers["inter_ocular"]]
    assert corners == list(MEDIAPIPE468.normalisers["inter_ocular"])


def test_points_of_68_lie_where_300w_annotates_them_along_lids_and_lips():
    """On a face whose 98 points are evenly spaced along each edge."""
    points = np.zeros((1, 98, 2))
    for chain in [name for name in WFLW98.chains if "eye" in name or "lip" in name]:
        members = WFLW98.chains[chain]
        points[0, list(members), 0] = np.linspace(0, 1, len(members))
    places = convert(points, WFLW98, IBUG68)[0, :, 0]
    thirds, inner = [0, 1 / 3, 2 / 3, 1], [0, 1 / 3, 1 / 2, 2 / 3, 1]
    lower = [0, 5 / 24, 9 / 24, 1 / 2, 15 / 24, 19 / 24, 1]
    for chain, expected in {
        "left_eye_upper": thirds, "left_eye_lower": thirds, "right_eye_upper": thirds,
        "right_eye_lower": thirds, "upper_lip_lower": inner, "lower_lip_upper": inner,
        "lower_lip_lower": lower, "upper_lip_upper": np.arange(7) / 6,
    }.items():  # fmt: skip
        np.testing.assert_allclose(places[list(IBUG68.chains[chain])], expected)


def test_the_map_from_98_to_68_is_symmetric():
    """A mirrored face converts to the mirrored face."""
    groups = WFLW98.conversions["ibug68"]
    mirrored = [sorted(WFLW98.flip_order[list(group)]) for group in groups]
    assert [mirrored[k] for k in IBUG68.flip_order] == list(map(sorted, groups))


def test_annotators_place_lids_and_lips_as_the_map_says(shared):
    """Medians along each edge: WFLW's at even steps, 300W's at those of the map."""

    def places(dataset, chain):
        edge = dataset.points[:, list(dataset.markup.chains[chain])]
        along = np.cumsum(np.linalg.norm(np.diff(edge, axis=1), axis=2), axis=1)
        return np.median(along / along[:, -1:], axis=0)[:-1]

    wflw, lfpw = load_dataset("wflw", shared), load_dataset("300w", shared, "train")
    for chain in ("left_eye_upper", "right_eye_upper", "left_eye_lower", "right_eye_lower"):
        np.testing.assert_allclose(places(wflw, chain), [0.25, 0.5, 0.75], atol=0.06)
        np.testing.assert_allclose(places(lfpw, chain), [1 / 3, 2 / 3], atol=0.05)
    for chain in ("upper_lip_lower", "lower_lip_upper"):
        np.testing.assert_allclose(places(wflw, chain), [0.25, 0.5, 0.75], atol=0.015)
        np.testing.assert_allclose(places(lfpw, chain), [1 / 3, 0.5, 2 / 3], atol=0.015)
    sixths = np.arange(1, 6) / 6
    np.testing.assert_allclose(places(wflw, "lower_lip_lower"), sixths, atol=0.015)
    expected = np.array([5, 9, 12, 15, 19]) / 24
    np.testing.assert_allclose(places(lfpw, "lower_lip_lower"), expected, atol=0.01)
