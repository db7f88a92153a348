"""Boxes, crops, warps: exact inverse, padding, and an independent warp."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from alignbench import InputError
from alignbench.geometry import (
    crop_transforms,
    overlap,
    scale_boxes,
    square_crops,
    tight_boxes,
    transform,
    warp,
)

coordinate = st.floats(-500, 2000, allow_nan=False, width=32)
boxes = st.builds(
    lambda corner, extent: np.array([[*corner, *np.add(corner, extent)]], dtype=np.float64),
    st.tuples(coordinate, coordinate),
    st.tuples(st.floats(8, 900), st.floats(8, 900)),
)


def random_image(seed, shape, blur=0):
    image = np.random.default_rng(seed).integers(0, 255, (*shape, 3)).astype(np.uint8)
    return cv2.GaussianBlur(image, (0, 0), blur) if blur else image


def _square(matrix):
    return np.vstack([matrix, [0, 0, 1]])


@given(boxes, st.floats(0.5, 3), st.sampled_from(["none", "integer"]), st.integers(8, 512))
def test_crop_and_back_is_the_identity(box, scale, rounding, size):
    matrices = crop_transforms(square_crops(box, scale, rounding), size)
    points = np.array([[[0.0, 0.0], [123.25, -40.5], [1999.0, 7.125]]])
    in_crop = np.concatenate([transform(points, matrices)[0], np.ones((3, 1))], axis=1)
    back = in_crop @ np.linalg.inv(_square(matrices[0])).T
    np.testing.assert_allclose(back[:, :2], points[0], atol=1e-8)


@given(boxes, st.floats(0.5, 3), st.integers(8, 512))
def test_centre_of_the_box_is_the_centre_of_the_crop(box, scale, size):
    matrices = crop_transforms(square_crops(box, scale), size)
    centre = (box[:, None, :2] + box[:, None, 2:]) / 2
    np.testing.assert_allclose(transform(centre, matrices), (size - 1) / 2, atol=1e-8)


@given(nps.arrays(np.float64, (3, 7, 2), elements=coordinate), st.floats(1, 4))
def test_tight_box_holds_its_points_and_grows_about_its_centre(points, factor):
    tight = tight_boxes(points)
    assert (points >= tight[:, None, :2]).all()
    assert (points <= tight[:, None, 2:]).all()
    grown = scale_boxes(tight, factor)
    np.testing.assert_allclose(grown[:, :2] + grown[:, 2:], tight[:, :2] + tight[:, 2:], atol=1e-6)
    np.testing.assert_allclose(
        grown[:, 2:] - grown[:, :2], factor * (tight[:, 2:] - tight[:, :2]), atol=1e-6
    )


def test_tight_boxes_of_many_faces_are_those_of_each():
    points = np.random.default_rng(0).normal(size=(600, 5, 2))
    boxes = tight_boxes(points)
    assert (boxes[:, :2] == points.min(axis=1)).all()
    assert (boxes[:, 2:] == points.max(axis=1)).all()
    assert tight_boxes(points[:0]).shape == (0, 4)


def test_integer_rounding_is_the_slice_pfld_cuts():
    box = np.array([[10.7, 20.2, 61.4, 90.9]])
    # int corners 10, 20, 61, 90; extent 52 x 71; centre int(36.0), int(55.5); side int(85.2).
    assert square_crops(box, 1.2, "integer").tolist() == [[36 - 42, 55 - 42, 85]]


def test_whole_pixel_crop_at_its_own_size_is_the_slice_itself():
    image = random_image(0, (60, 80))
    window = warp(image, crop_transforms(np.array([[13.0, 7.0, 32.0]]), 32)[0], 32)
    np.testing.assert_array_equal(window, image[7 : 7 + 32, 13 : 13 + 32])


def test_warp_agrees_with_resize_of_the_slice():
    image = random_image(1, (120, 120), blur=2)
    crop = np.array([[11.0, 9.0, 90.0]])
    ours = warp(image, crop_transforms(crop, 48)[0], 48)
    theirs = cv2.resize(image[9:99, 11:101], (48, 48), interpolation=cv2.INTER_LINEAR)
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 2


def test_warp_agrees_with_scikit_image():
    from skimage.transform import AffineTransform
    from skimage.transform import warp as reference

    image = random_image(2, (90, 70), blur=3)
    matrix = crop_transforms(np.array([[5.3, 12.7, 44.4]]), 64)
    inverse = AffineTransform(np.linalg.inv(_square(matrix[0])))
    theirs = reference(image, inverse, output_shape=(64, 64), order=1, preserve_range=True)
    assert np.abs(warp(image, matrix[0], 64) - theirs).max() < 2.5


def test_a_crop_that_leaves_the_image_is_padded_not_shifted():
    image = np.full((40, 40, 3), 200, np.uint8)
    out = warp(image, crop_transforms(np.array([[-20.0, -10.0, 40.0]]), 40)[0], 40, border=7)
    assert (out[:, :20] == 7).all()
    assert (out[:10] == 7).all()
    assert (out[10:, 20:] == 200).all()


def test_overlap():
    boxes = np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    np.testing.assert_allclose(overlap(boxes, boxes[0]), [1, 1 / 3, 0])


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9)), np.zeros((9, 9, 3)), np.zeros((9, 9, 4), "u1")]
)
def test_no_window_is_left_as_memory_happened_to_be(image):
    out = np.full((4, 4, 3), 7, np.uint8)
    with pytest.raises(InputError, match=r"uint8 of shape \(H, W, 3\)"):
        warp(image, np.eye(2, 3), 4, out=out)
