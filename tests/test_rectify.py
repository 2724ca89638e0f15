"""Rectification: rows align, depth comes out right, and rigs that cannot be rectified are named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from calib import Camera, RectifiedRig, StereoRig
from stereo.errors import ImageError, InputError, RectificationError
from stereo.frame import StereoFrame, StereoGeometry
from stereo.rectify import Rectification

LENSES = {
    "pinhole": [-0.28, 0.1, 0.001, -0.0005, 0.02],
    "plain": [],
    "fisheye": [-0.02, 0.01, -0.003, 0.0005],
}


def make_rig(
    lens: str = "pinhole",
    *,
    turn: tuple[float, float, float] = (0.01, 0.02, -0.015),
    t: tuple[float, float, float] = (-0.12, 0.002, 0.004),
    size: tuple[int, int] = (320, 240),
) -> StereoRig:
    model = "fisheye" if lens == "fisheye" else "pinhole"
    focal = 90.0 if lens == "fisheye" else 170.0
    cameras = [
        Camera(
            model,  # type: ignore[arg-type]
            size,
            np.array([[focal + d, 0, 160 - d], [0, focal + d, 118 + d], [0, 0, 1]]),
            np.array(LENSES[lens]),
        )
        for d in (0.0, 2.5)
    ]
    return StereoRig(cameras[0], cameras[1], Rotation.from_rotvec(turn).as_matrix(), np.array(t))


angles = st.floats(-0.06, 0.06)


@settings(max_examples=12)
@given(
    st.sampled_from(list(LENSES)),
    st.tuples(angles, angles, angles),
    st.tuples(st.floats(-0.3, -0.05), st.floats(-0.02, 0.02), st.floats(-0.02, 0.02)),
)
def test_rows_align_and_disparity_gives_depth(
    lens: str, turn: tuple[float, float, float], t: tuple[float, float, float]
) -> None:
    """For random rigs and points: same row in both views, and Z = f B / d."""
    rig = make_rig(lens, turn=turn, t=t)
    rect = Rectification.from_rig(rig)
    assert rect.geometry is not None
    assert rect.R_rect_left is not None
    assert rect.R_rect_right is not None
    points = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 6], (50, 3))
    left = points @ rect.R_rect_left.T
    right = (points @ rig.R_right_left.T + rig.t_right_left) @ rect.R_rect_right.T
    g = rect.geometry
    np.testing.assert_allclose(left[:, 1] / left[:, 2], right[:, 1] / right[:, 2], atol=1e-12)
    disparity = g.focal_px * (left[:, 0] / left[:, 2] - right[:, 0] / right[:, 2])
    np.testing.assert_allclose(g.focal_px * g.baseline_m / disparity, left[:, 2], rtol=1e-9)


@pytest.mark.parametrize("lens", list(LENSES))
def test_a_drawn_point_lands_on_the_same_row(lens: str) -> None:
    """Through the pixel maps themselves: a blob drawn in both raw images, found after apply."""
    rig = make_rig(lens)
    rect = Rectification.from_rig(rig)
    point = np.array([[0.25, -0.1, 1.6]])
    images = []
    for camera, where in (
        (rig.left, point),
        (rig.right, point @ rig.R_right_left.T + rig.t_right_left),
    ):
        u, v = camera.project(where)[0]
        y, x = np.mgrid[:240, :320]
        blob = 250 * np.exp(-((x - u) ** 2 + (y - v) ** 2) / 18)
        images.append(blob.astype(np.uint8))
    pair = rect.apply(StereoFrame(images[0], images[1]))
    centers = []
    for image in (pair.left.astype(float), pair.right.astype(float)):
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        centers.append(np.array([(x * image).sum(), (y * image).sum()]) / image.sum())
    assert abs(centers[0][1] - centers[1][1]) < 0.15
    g = rect.geometry
    assert g is not None
    assert rect.R_rect_left is not None
    z = (point @ rect.R_rect_left.T)[0, 2]
    measured = g.focal_px * g.baseline_m / (centers[0][0] - centers[1][0])
    assert measured == pytest.approx(z, rel=0.03)


@pytest.mark.parametrize("lens", list(LENSES))
def test_alpha_0_shows_only_what_both_see_and_alpha_1_more(lens: str) -> None:
    inner = Rectification.from_rig(make_rig(lens), alpha=0)
    outer = Rectification.from_rig(make_rig(lens), alpha=1)
    assert inner.valid_left is None
    assert inner.valid_right is None
    assert inner.geometry is not None
    assert outer.geometry is not None
    assert outer.geometry.focal_px < inner.geometry.focal_px
    if lens != "fisheye":  # whose far rays are left out before the image's border is reached
        assert outer.valid_left is not None
        assert 0.3 < outer.valid_left.mean() < 1


def test_far_rays_that_fold_back_are_masked() -> None:
    """Strong barrel distortion maps rays far outside the image back into it: not valid pixels."""
    rig = make_rig()
    folding = Camera("pinhole", (320, 240), rig.left.K, np.array([-0.4, 0, 0, 0]))
    folded = StereoRig(folding, folding, rig.R_right_left, rig.t_right_left)
    rect = Rectification.from_rig(folded, alpha=1)
    assert rect.valid_left is not None
    rows, columns = np.nonzero(rect.valid_left)
    g = rect.geometry
    assert g is not None
    assert rect.R_rect_left is not None
    rays = np.column_stack(
        [(columns - g.cx_px) / g.focal_px, (rows - g.cy_px) / g.focal_px, np.ones(len(rows))]
    )
    assert np.isfinite(folding.project(rays @ rect.R_rect_left)).all()


def test_swapped_and_forward_rigs_are_refused_by_name() -> None:
    none = (0.0, 0.0, 0.0)
    for t, says in (
        ((0.12, 0.0, 0.0), "left and right are swapped"),
        ((0.0, 0.0, 0.12), "in front of the other"),
    ):
        with pytest.raises(RectificationError, match=says):
            Rectification.from_rig(make_rig(turn=none, t=t))


def test_images_of_another_size_are_refused_or_rescaled() -> None:
    rig = make_rig()
    with pytest.raises(RectificationError, match=r"640x480 but the calibration is for 320x240"):
        Rectification.from_rig(rig, size=(640, 480))
    doubled = Rectification.from_rig(rig, size=(640, 480), rescale=True)
    plain = Rectification.from_rig(rig)
    assert doubled.geometry is not None
    assert plain.geometry is not None
    assert doubled.geometry.focal_px == pytest.approx(2 * plain.geometry.focal_px, rel=0.01)
    with pytest.raises(RectificationError, match="aspect ratio differs"):
        Rectification.from_rig(rig, size=(640, 360), rescale=True)
    image = np.zeros((100, 100), np.uint8)
    with pytest.raises(RectificationError, match="left image is 100x100"):
        plain.apply(StereoFrame(image, image))
    both = np.zeros((240, 640), np.uint8)
    with pytest.raises(RectificationError, match="side-by-side"):
        plain.apply(StereoFrame(both, both))


def test_rectified_input_passes_through_untouched() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    rect = Rectification.already_rectified(StereoGeometry(100, 0.1, 2, 1))
    pair = rect.apply(StereoFrame(image, image))
    np.testing.assert_array_equal(pair.left, image)
    with pytest.raises(ImageError, match="same size"):
        rect.apply(StereoFrame(image, image[:, :3]))


def test_rectified_calibration_keeps_doffs_and_scales_them() -> None:
    calibration = RectifiedRig((100, 50), 80.0, 0.2, 49.5, 55.5, 24.5)
    rect = Rectification.from_calibration(calibration)
    assert rect.geometry == StereoGeometry(80.0, 0.2, 49.5, 24.5, 6.0)
    half = Rectification.from_calibration(calibration, size=(50, 25), rescale=True)
    assert half.geometry is not None
    assert half.geometry.doffs_px == pytest.approx(3.0)
    assert half.geometry.cx_px == pytest.approx(24.5)


def test_alpha_is_checked() -> None:
    with pytest.raises(InputError, match="alpha must lie between 0 and 1"):
        Rectification.from_rig(make_rig(), alpha=1.5)


def test_unknown_geometry_gives_no_depth() -> None:
    from support import textured_pair

    from stereo.matching import make_matcher

    pair = textured_pair(5.0)
    disparity = make_matcher("sgbm", num_disparities=16).match(pair)
    with pytest.raises(RectificationError, match="no metric depth"):
        Rectification.already_rectified().depth(disparity, pair)


def test_rows_agree_with_opencv_on_a_real_calibration(shared_data: object) -> None:
    """Our baseline direction and rotations give OpenCV's rectified rows on real corners."""
    from pathlib import Path

    import cv2

    from calib import load_rig

    rig = load_rig(Path(str(shared_data)) / "calibration_files" / "opencv" / "fhgr_stereo.yml")
    assert isinstance(rig, StereoRig)
    rect = Rectification.from_rig(rig)
    theirs = cv2.stereoRectify(
        rig.left.K, rig.left.distortion, rig.right.K, rig.right.distortion,
        rig.left.size, rig.R_right_left, rig.t_right_left.reshape(3, 1),
    )  # fmt: skip
    assert rect.R_rect_left is not None
    between = Rotation.from_matrix(rect.R_rect_left.T @ np.asarray(theirs[0])).magnitude()
    assert between < 1e-9


def test_opencvs_matrices_say_the_same_as_our_depth() -> None:
    geometry = StereoGeometry(500.0, 0.06, 319.5, 239.5, 3.0)
    rect = Rectification.already_rectified(geometry, size=(640, 480))
    x, y, d = 100.0, 50.0, 20.0
    X = rect.Q @ [x, y, d, 1]
    point = X[:3] / X[3]
    assert point[2] == pytest.approx(500 * 0.06 / (d + 3))
    for P, column in ((rect.P1, x), (rect.P2, x - d)):
        seen = P @ [*point, 1]
        np.testing.assert_allclose(seen[:2] / seen[2], [column, y])
    assert repr(rect).startswith("Rectification(640x480, images pass through, focal 500.0 px")
    with pytest.raises(RectificationError, match="no metric depth without"):
        _ = Rectification.already_rectified().Q
