"""What viewers compute: bounded clouds, the pixel behind a click, the rig's health."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import textured_pair

from stereo.cloud import point_cloud
from stereo.frame import DepthFrame, DisparityMap, RectifiedPair, StereoGeometry
from stereo.result import StereoResult
from stereo.run.check import RowCheck
from stereo.viewers.scene import Health, bounded_cloud, pick_pixel, rig_health, thinned


def plane(size: tuple[int, int] = (64, 48), z: float = 2.0, sigma: float = 0.01) -> DepthFrame:
    """A wall at one depth."""
    width, height = size
    geometry = StereoGeometry(80.0, 0.1, (width - 1) / 2, (height - 1) / 2)
    depth = np.full((height, width), z, np.float32)
    color = np.zeros((height, width, 3), np.uint8)
    return DepthFrame(depth, np.full_like(depth, sigma), color, geometry)


@given(st.integers(20, 90), st.integers(20, 70), st.integers(50, 5000))
def test_cloud_is_never_larger_than_asked(width: int, height: int, most: int) -> None:
    assert len(bounded_cloud(plane((width, height)), max_points=most)) <= most


def test_thinning_moves_no_point() -> None:
    frame = plane()
    thin = {tuple(p) for p in point_cloud(thinned(frame, 300)).points.round(5).tolist()}
    assert thin <= {tuple(p) for p in point_cloud(frame).points.round(5).tolist()}


def test_doubtful_points_are_not_shown() -> None:
    assert len(bounded_cloud(plane(sigma=1.0), max_points=5000)) == 0


@given(st.integers(0, 63), st.integers(0, 47), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_ray_through_a_point_finds_its_pixel(x: int, y: int, from_x: float, from_y: float) -> None:
    frame = plane()
    g = frame.geometry
    point = np.array([(x - g.cx_px) * 2 / g.focal_px, (y - g.cy_px) * 2 / g.focal_px, 2.0])
    origin = np.array([from_x, from_y, -0.5])
    assert pick_pixel(frame, origin, point - origin) == (x, y)


def test_ray_into_nothing_finds_nothing() -> None:
    assert pick_pixel(plane(), np.zeros(3), np.array([0.0, 0.0, -1.0])) is None
    unknown = replace(plane(), depth_m=np.full((48, 64), np.nan, np.float32))
    assert pick_pixel(unknown, np.zeros(3), np.array([0.0, 0.0, 1.0])) is None


def test_ray_takes_what_lies_in_front() -> None:
    frame = plane()
    depth = frame.depth_m.copy()
    depth[24, 33] = 1.0  # one pixel before the wall, seen from the side
    found = pick_pixel(
        replace(frame, depth_m=depth), np.zeros(3), np.array([(33 - 31.5) / 80, 0.5 / 80, 1.0])
    )
    assert found == (33, 24)


def shifted(pair: RectifiedPair, rows: int) -> RectifiedPair:
    return RectifiedPair(pair.left, np.roll(pair.right, rows, axis=0))


@pytest.mark.parametrize("rows", [0, 4])
def test_health_sees_a_row_offset(rows: int) -> None:
    pair = shifted(textured_pair(8.0, size=(320, 200)), rows)
    known = np.full((200, 320), 8, np.float32)
    health = rig_health(StereoResult(pair, DisparityMap(known, np.ones_like(known)), None))
    assert health.rows.offset_px == pytest.approx(-rows, abs=0.3)
    assert health.good == (rows == 0)
    assert "100% of the pixels" in health.line()


def test_health_sees_unlike_exposures() -> None:
    pair = textured_pair(8.0, size=(320, 200))
    dark = RectifiedPair(pair.left, pair.right // 2)
    known = np.full((200, 320), 8, np.float32)
    health = rig_health(StereoResult(dark, DisparityMap(known, np.ones_like(known)), None))
    assert health.exposure == pytest.approx(-0.5, abs=0.05)
    assert not health.good
    assert "set both cameras alike" in health.line()


def test_health_admits_that_a_blank_wall_says_nothing() -> None:
    blank = np.full((200, 320), 90, np.uint8)
    none = np.full((200, 320), np.nan, np.float32)
    result = StereoResult(
        RectifiedPair(blank, blank), DisparityMap(none, np.zeros_like(none)), None
    )
    assert "too little texture" in rig_health(result).line()


@pytest.mark.parametrize(
    ("offset_px", "exposure", "words"),
    [
        (-0.001, -0.001, "; right image as bright as the left; "),
        (-0.21, 0.03, "; right image 3% brighter; "),
    ],
)
def test_health_line_has_no_minus_zero(offset_px: float, exposure: float, words: str) -> None:
    line = Health(RowCheck(offset_px, abs(offset_px), 300), exposure, 0.8).line()
    assert words in line
    assert "-0.00" not in line
