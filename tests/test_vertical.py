"""Cameras above each other: matched turned, measured in the left camera's own frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from test_rectify import LENSES, make_rig

from calib import StereoRig
from stereo.cloud import point_cloud
from stereo.errors import InputError
from stereo.frame import DepthFrame, DisparityMap, StereoFrame, StereoGeometry
from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.live.region import Region
from stereo.matching import SearchRange, make_matcher
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.run.check import check_rows
from stereo.synthetic import Pose, Quality, make_sample_rig, render_pair, room_scene, truth_depth
from stereo.synthetic.sample_data import ROOM_POSE
from stereo.turning import turned, turned_depth, turned_disparity, turned_geometry

angles = st.floats(-0.06, 0.06)


@settings(max_examples=16)
@given(
    st.sampled_from(list(LENSES)),
    st.tuples(angles, angles, angles),
    st.floats(0.05, 0.3),
    st.tuples(st.floats(-0.02, 0.02), st.floats(-0.02, 0.02)),
    st.sampled_from([1, -1]),
)
def test_rows_align_and_disparity_gives_depth(
    lens: str,
    turn: tuple[float, float, float],
    apart: float,
    aside: tuple[float, float],
    below: int,
) -> None:
    """For random rigs, whichever camera is the upper one; the depth's axes are the camera's."""
    rig = make_rig(lens, turn=turn, t=(aside[0], -below * apart, aside[1]))
    rect = Rectification.from_rig(rig)
    assert rect.turns == below
    assert rect.size == (240, 320)
    assert rect.geometry is not None
    assert rect.R_rect_left is not None
    assert rect.R_rect_right is not None
    assert rect.R_depth_left is not None
    points = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 6], (50, 3))
    left = points @ rect.R_rect_left.T
    right = (points @ rig.R_right_left.T + rig.t_right_left) @ rect.R_rect_right.T
    g = rect.geometry
    np.testing.assert_allclose(left[:, 1] / left[:, 2], right[:, 1] / right[:, 2], atol=1e-12)
    disparity = g.focal_px * (left[:, 0] / left[:, 2] - right[:, 0] / right[:, 2])
    np.testing.assert_allclose(g.focal_px * g.baseline_m / disparity, left[:, 2], rtol=1e-9)
    own = points @ rect.R_depth_left.T
    np.testing.assert_allclose(own[:, 2], left[:, 2])
    np.testing.assert_allclose(own[:, :2], below * left[:, 1::-1] * [-1, 1])
    aside_rad = np.hypot(*aside) / apart + 0.06
    assert Rotation.from_matrix(rect.R_depth_left).magnitude() < 1.5 * aside_rad


@pytest.mark.parametrize("below", [1, -1])
def test_a_turned_depth_is_that_of_the_turned_camera(below: int) -> None:
    """Every pixel keeps its depth, and its point moves as the camera's axes do."""
    rng = np.random.default_rng(1)
    z = rng.uniform(1, 5, (5, 8)).astype(np.float32)
    color = rng.integers(0, 255, (5, 8, 3), np.uint8)
    before = DepthFrame(z, z / 100, color, StereoGeometry(10, 0.1, 3.2, 1.7, 0.5))
    after = turned_depth(before, below)
    assert after.depth_m.shape == (8, 5)
    np.testing.assert_array_equal(turned_depth(after, -below).depth_m, z)
    back = turned_depth(after, -below).geometry
    assert (back.cx_px, back.cy_px) == pytest.approx((3.2, 1.7))
    points, there = (point_cloud(depth).points for depth in (before, after))
    # x right becomes y up after a turn counter-clockwise
    moved = np.column_stack([below * points[:, 1], -below * points[:, 0], points[:, 2]])
    assert np.allclose(_sorted(moved), _sorted(there), atol=1e-5)


def _sorted(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(points.round(3).T)]


def test_four_quarters_are_none() -> None:
    array = np.arange(12).reshape(3, 4)
    geometry = StereoGeometry(10, 0.1, 3.2, 1.7)
    assert turned(array, 4) is array
    np.testing.assert_array_equal(turned(turned(array, 1), 3), array)
    assert turned_geometry(geometry, (4, 3), 0) == geometry
    there_and_back = turned_geometry(turned_geometry(geometry, (4, 3), 3), (3, 4), 1)
    assert (there_and_back.cx_px, there_and_back.cy_px) == pytest.approx((3.2, 1.7))
    flat = DisparityMap(np.zeros((3, 4), np.float32), np.ones((3, 4), np.float32))
    assert turned_disparity(flat, 0) is flat


# --- the room, through every stage ----------------------------------------------------------------


@pytest.fixture(scope="module", params=[1, -1])
def room(request: pytest.FixtureRequest) -> tuple[StereoRig, Pose, StereoFrame]:
    """The sample rig with its right camera below or above the left one, 16 cm apart."""
    base, below = make_sample_rig((240, 180)), request.param
    centre = np.array([0.003, 0.16 * below, -0.004])
    rig = replace(base, t_right_left=-base.R_right_left @ centre)
    pose = Pose(
        ROOM_POSE.R_world_camera, ROOM_POSE.position_m + np.array([0, 0.1 * (1 - below), 0])
    )
    pair = render_pair(SCENE, rig, pose, samples=2)
    return rig, pose, StereoFrame(pair.left, pair.right)


SCENE = room_scene(
    quality=Quality(texel_m=0.012, light_m=0.25, light_points=4, lamp_points=2, sky_rays=6)
)
SEARCH = SearchRange(-4, 48)


def _error(depth: DepthFrame, rect: Rectification, pose: Pose) -> float:
    """Median relative error against the truth of the camera the depth is seen from."""
    height, width = depth.depth_m.shape
    truth = truth_depth(SCENE, depth.K, (width, height), pose, R_rect=rect.R_depth_left)
    return float(np.nanmedian(np.abs(depth.depth_m / truth - 1)))


def test_depth_lies_in_the_left_cameras_own_frame(
    room: tuple[StereoRig, Pose, StereoFrame],
) -> None:
    rig, pose, frame = room
    rect = Rectification.from_rig(rig)
    result = StereoPipeline(rect, make_matcher("sgbm", num_disparities=48)).process(frame)
    assert result.depth is not None
    assert result.depth.depth_m.shape == result.disparity.px.shape == (180, 240)
    assert result.left.shape == frame.left.shape
    assert check_rows(result.pair).aligned
    assert result.disparity.valid_share > 0.7
    assert _error(result.depth, rect, pose) < 0.038  # 3.7 % with the cameras side by side


def test_live_regions_and_smaller_images_keep_their_place(
    room: tuple[StereoRig, Pose, StereoFrame],
) -> None:
    """A region is told in pixels of the left image as it stands; a divisor that leaves a rest."""
    rig, pose, frame = room
    rect = Rectification.from_rig(rig)
    common = {"matcher": "sgbm", "search": SEARCH}
    whole, _ = LivePipeline(rect, LiveSettings(**common)).process(frame)
    part, _ = LivePipeline(rect, LiveSettings(**common, region=Region(30, 20, 150, 101))).process(
        frame
    )
    assert whole.depth is not None
    assert part.depth is not None
    assert part.depth.depth_m.shape == (101, 150)
    inside = whole.depth.depth_m[20:121, 30:180]
    np.testing.assert_array_equal(part.left, whole.left[20:121, 30:180])
    same = np.abs(part.depth.depth_m / inside - 1) < 0.05
    assert same[np.isfinite(inside) & np.isfinite(part.depth.depth_m)].mean() > 0.9
    assert _error(part.depth, rect, pose) < 0.06  # of the far wall
    small, _ = LivePipeline(rect, LiveSettings(**common, decimate=7)).process(frame)
    assert small.depth is not None
    assert small.depth.depth_m.shape == (25, 34)
    assert _error(small.depth, rect, pose) < 0.15
    with pytest.raises(InputError, match="does not fit the rectified image of 240x180"):
        LivePipeline(rect, LiveSettings(**common, region=Region(200, 20, 50, 50)))
