"""Two cameras of a rig that share neither lens model, focal length nor image size; rolled rigs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from test_rectify import make_rig

from calib import Camera, StereoRig, load_rig, save_rig
from calib.errors import CameraError
from stereo.errors import RectificationError
from stereo.frame import StereoFrame
from stereo.matching import make_matcher
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.synthetic import ROOM_POSE, Quality, make_sample_rig, render_pair, room_scene
from stereo.synthetic import truth_depth as truth_of

SMALL = Camera(
    "fisheye",
    (200, 180),
    np.array([[88.0, 0, 101], [0, 88.4, 88], [0, 0, 1]]),
    np.array([-0.02, 0.01, -0.003, 0.0005]),
)


def unlike(rig: StereoRig, *, small_left: bool = False) -> StereoRig:
    """The rig with a fisheye of another size in place of one of its cameras."""
    return replace(rig, left=SMALL) if small_left else replace(rig, right=SMALL)


angles = st.floats(-0.06, 0.06)


@settings(max_examples=12)
@given(
    st.booleans(),
    st.tuples(angles, angles, angles),
    st.tuples(st.floats(-0.3, -0.05), st.floats(-0.3, 0.3), st.floats(-0.02, 0.02)),
)
def test_a_point_lies_on_the_same_row_of_both_rectified_images(
    small_left: bool, turn: tuple[float, float, float], t: tuple[float, float, float]
) -> None:
    """Through the maps that are applied, at whatever angle the cameras stand to each other."""
    rig = unlike(make_rig(turn=turn, t=t), small_left=small_left)
    rect = Rectification.from_rig(rig)
    assert rect.geometry is not None
    assert rect.R_rect_left is not None
    assert rect.R_rect_right is not None
    size = rig.left.size if rect.turns == 0 else rig.left.size[::-1]
    assert rect.size == size
    g = rect.geometry
    x, y = np.meshgrid(np.linspace(0, size[0] - 1, 9), np.linspace(0, size[1] - 1, 9))
    rays = np.stack([(x - g.cx_px) / g.focal_px, (y - g.cy_px) / g.focal_px, 1 + 0 * x], -1)
    points = 3 * rays.reshape(-1, 3) @ rect.R_rect_left
    right = (points @ rig.R_right_left.T + rig.t_right_left) @ rect.R_rect_right.T
    rows = g.focal_px * right[:, 1] / right[:, 2] + g.cy_px
    np.testing.assert_allclose(rows, y.ravel(), atol=1e-9)
    disparity = x.ravel() - (g.focal_px * right[:, 0] / right[:, 2] + g.cx_px)
    np.testing.assert_allclose(g.focal_px * g.baseline_m / disparity, 3, rtol=1e-9)
    for camera, R in ((rig.left, rect.R_rect_left), (rig.right, rect.R_rect_right)):
        pixels = camera.project(rays.reshape(-1, 3) @ R)  # alpha 0: both see all of it
        # a corner of the view may lie between two of the samples of the image's border
        assert (pixels > -2).all()
        assert (pixels < np.array(camera.size) + 1).all()


@pytest.mark.parametrize("degrees", [-100, -46, -44, 20, 45, 80, 135, 170])
def test_a_rolled_rig_keeps_most_of_what_both_cameras_see(degrees: float) -> None:
    """Cameras at any angle to their baseline, also upside down ones: the view stays wide."""
    roll = Rotation.from_euler("z", degrees, degrees=True)
    t = roll.apply([-0.12, 0.002, 0.004])
    if abs(degrees) > 135:  # upside down and swapped
        with pytest.raises(RectificationError, match="left and right are swapped"):
            Rectification.from_rig(make_rig(t=tuple(t)))
        return
    rect = Rectification.from_rig(make_rig(turn=(0.0, 0.0, 0.0), t=tuple(t)))
    assert rect.geometry is not None
    assert rect.geometry.focal_px < 1.8 * 170
    for valid in (rect.valid_left, rect.valid_right):
        assert valid is None or valid.mean() > 0.999


def test_depth_of_a_room_seen_by_two_unlike_cameras() -> None:
    scene = room_scene(
        quality=Quality(texel_m=0.012, light_m=0.25, light_points=4, lamp_points=2, sky_rays=6)
    )
    rig = unlike(make_sample_rig((240, 180)))
    pair = render_pair(scene, rig, ROOM_POSE, samples=2)
    assert pair.right.shape[:2] == (180, 200)
    rect = Rectification.from_rig(rig)
    depth = StereoPipeline(rect, make_matcher("sgbm", num_disparities=48)).process(
        StereoFrame(pair.left, pair.right)
    ).depth  # fmt: skip
    assert depth is not None
    truth = truth_of(scene, depth.K, (240, 180), ROOM_POSE, R_rect=rect.R_depth_left)
    # 3.7 % with two cameras alike: this right one has half the pixels per radian
    assert np.nanmedian(np.abs(depth.depth_m / truth - 1)) < 0.065


def test_images_of_the_other_camera_are_told_from_wrong_sizes() -> None:
    rig = unlike(make_rig())
    rect = Rectification.from_rig(rig, size=(320, 240))
    left, right = np.zeros((240, 320), np.uint8), np.zeros((180, 200), np.uint8)
    assert rect.apply(StereoFrame(left, right)).right.shape == (240, 320)
    for attempt in (
        lambda: rect.apply(StereoFrame(right, left)),
        lambda: Rectification.from_rig(rig, size=(200, 180)),
    ):
        with pytest.raises(RectificationError, match="exchange left and right"):
            attempt()
    with pytest.raises(RectificationError, match="right image is 320x240 but the calibration"):
        rect.apply(StereoFrame(left, left))


def test_a_rig_is_scaled_in_proportion() -> None:
    rig = unlike(make_rig())
    doubled = rig.scaled((640, 480))
    assert (doubled.left.size, doubled.right.size) == ((640, 480), (400, 360))
    rect = Rectification.from_rig(rig, size=(640, 480), rescale=True)
    assert rect.input_sizes == ((640, 480), (400, 360))


def test_what_is_written_is_read_again(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "rig.yaml"
    rig = unlike(make_rig())
    save_rig(rig, path)
    read = load_rig(path)
    assert isinstance(read, StereoRig)
    for mine, theirs in ((rig.left, read.left), (rig.right, read.right)):
        assert (mine.model, mine.size) == (theirs.model, theirs.size)
        np.testing.assert_array_equal(mine.K, theirs.K)
        np.testing.assert_array_equal(mine.distortion, theirs.distortion)
    with pytest.raises(CameraError, match="left is pinhole and right is fisheye"):
        rig.to_opencv()
