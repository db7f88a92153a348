"""MediaPipe's face mesh: 468 points (Kartynnik et al., CVPR workshops 2019).

Sources: the outlines of ``mediapipe/python/solutions/face_mesh_connections.py``, whose left and
right are those of the person; the flip pairs of ``canonical_face_model.obj``, whose vertices are
exactly symmetric. What is on neither outline is ``skin``.
"""

from __future__ import annotations

from alignbench.markups.base import Indices, Markup, pairs, span

_MIDLINE: Indices = (
    *(0, 1, 2, *span(4, 6), *span(8, 19), 94),
    *(151, 152, 164, 168, 175, 195, 197, 199, 200),
)
"""Landmarks on the plane of symmetry. All others below 248 lie on the left of the image; those from
248 on are their mirror images, in the same order."""

_LEFT: Indices = tuple(k for k in span(0, 247) if k not in _MIDLINE)
_TWIN = dict(pairs(_LEFT, span(248, 467)))


def _mirror(landmarks: Indices) -> Indices:
    """The mirror images of landmarks on the left of the image or in its middle."""
    return tuple(_TWIN.get(k, k) for k in landmarks)


_CONTOUR: Indices = (
    *(10, 109, 67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
)
"""The face oval from the forehead to the chin."""

_BROW_UPPER: Indices = (70, 63, 105, 66, 107)
_BROW_LOWER: Indices = (46, 53, 52, 65, 55)
_EYE_UPPER: Indices = (33, 246, 161, 160, 159, 158, 157, 173, 133)
_EYE_LOWER: Indices = (33, 7, 163, 144, 145, 153, 154, 155, 133)
_NOSE_BRIDGE: Indices = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2)
_NOSE_BASE: Indices = (64, 98, 97, 2)
_NOSE_WING: Indices = (4, 45, 220, 115, 48, 64)
_UPPER_LIP_UPPER: Indices = (61, 185, 40, 39, 37, 0)
_LOWER_LIP_LOWER: Indices = (61, 146, 91, 181, 84, 17)
_UPPER_LIP_LOWER: Indices = (78, 191, 80, 81, 82, 13)
_LOWER_LIP_UPPER: Indices = (78, 95, 88, 178, 87, 14)


def _both(half: Indices) -> Indices:
    """A line across the face, from its left half, which ends in the middle."""
    return half + _mirror(half[:-1])[::-1]


def _union(*lines: Indices) -> Indices:
    return tuple(sorted(set().union(*lines)))


_OUTLINES: dict[str, Indices] = {
    "contour": _union(_both(_CONTOUR)),
    "left_brow": _union(_BROW_UPPER, _BROW_LOWER),
    "right_brow": _union(_mirror(_BROW_UPPER), _mirror(_BROW_LOWER)),
    "nose": _union(_NOSE_BRIDGE, _both(_NOSE_BASE), _NOSE_WING, _mirror(_NOSE_WING)),
    "left_eye": _union(_EYE_UPPER, _EYE_LOWER),
    "right_eye": _union(_mirror(_EYE_UPPER), _mirror(_EYE_LOWER)),
    "mouth": _union(
        *map(_both, (_UPPER_LIP_UPPER, _LOWER_LIP_LOWER, _UPPER_LIP_LOWER, _LOWER_LIP_UPPER))
    ),
}

_TO_IBUG68: tuple[Indices, ...] = (
    *((127,), (234,), (93,), (132, 58), (58, 172), (136,), (150,), (176,), (152,)),
    *((400,), (379,), (365,), (397, 288), (361, 288), (323,), (454,), (356,)),
    *((k,) for k in (*_BROW_UPPER, *_mirror(_BROW_UPPER)[::-1])),
    *((168, 6), (197, 195), (5,), (4,), (75,), (97,), (2,), (326,), (305,)),
    *((k,) for k in (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)),
    *((k,) for k in (61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91)),
    *((k,) for k in (78, 82, 13, 312, 308, 317, 14, 87)),
)
"""The map of P. Yan (github.com/PeizhiYan/Mediapipe_2_Dlib_Landmarks), with landmark 13 as the
mirror image of landmark 3. The oval follows the surface of the head, whereas the jaw of 68 points
follows the visible outline. Its landmarks are therefore only approximated."""

MEDIAPIPE468 = Markup(
    name="mediapipe468",
    landmarks=468,
    regions={
        **_OUTLINES,
        "skin": tuple(k for k in span(0, 467) if k not in _union(*_OUTLINES.values())),
    },
    chains={
        "contour_left": _CONTOUR,
        "contour_right": _mirror(_CONTOUR),
        "left_brow_upper": _BROW_UPPER,
        "left_brow_lower": _BROW_LOWER,
        "right_brow_upper": _mirror(_BROW_UPPER),
        "right_brow_lower": _mirror(_BROW_LOWER),
        "nose_bridge": _NOSE_BRIDGE,
        "nose_base": _both(_NOSE_BASE),
        "nose_left": _NOSE_WING,
        "nose_right": _mirror(_NOSE_WING),
        "left_eye_upper": _EYE_UPPER,
        "left_eye_lower": _EYE_LOWER,
        "right_eye_upper": _mirror(_EYE_UPPER),
        "right_eye_lower": _mirror(_EYE_LOWER),
        "upper_lip_upper": _both(_UPPER_LIP_UPPER),
        "lower_lip_lower": _both(_LOWER_LIP_LOWER),
        "upper_lip_lower": _both(_UPPER_LIP_LOWER),
        "lower_lip_upper": _both(_LOWER_LIP_UPPER),
    },
    flip_pairs=pairs(_LEFT, span(248, 467)),
    normalisers={"inter_ocular": ((33,), (263,))},
    conversions={"ibug68": _TO_IBUG68},
    approximate={"ibug68": span(0, 16)},
)
