"""Laws between disparity, depth and points; the error bar; cleaning of clouds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stereo.cloud import crop, point_cloud, remove_outliers, thin, with_normals
from stereo.depth import (
    depth_frame,
    depth_sigma,
    depth_to_disparity,
    disparity_sigma,
    disparity_to_depth,
)
from stereo.errors import InputError
from stereo.frame import DepthFrame, DisparityMap, StereoGeometry

disparities = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(0.5, 500, width=32) | st.just(np.nan),
)
geometries = st.builds(
    StereoGeometry,
    st.floats(100, 5000),
    st.floats(0.01, 2),
    st.floats(0, 1000),
    st.floats(0, 1000),
    st.floats(0, 50),
)


@given(disparities, geometries)
def test_depth_and_disparity_are_inverse(px: np.ndarray, geometry: StereoGeometry) -> None:
    back = depth_to_disparity(disparity_to_depth(px, geometry), geometry)
    np.testing.assert_allclose(back, px, rtol=1e-5, atol=1e-4)


def test_behind_infinity_is_unknown_not_huge() -> None:
    geometry = StereoGeometry(500, 0.1, 0, 0)
    depth = disparity_to_depth(np.array([[0.0, -1.0, np.nan, 1.0]], np.float32), geometry)
    assert np.isnan(depth[0, :3]).all()
    assert depth[0, 3] == 50


def test_doffs_shift_the_disparity() -> None:
    depth = disparity_to_depth(np.float32([[10.0]]), StereoGeometry(500, 0.1, 0, 0, doffs_px=15))
    assert depth[0, 0] == 2


@given(st.floats(0.5, 30), st.floats(0.05, 1))
def test_sigma_is_the_slope_of_depth(z: float, sigma_px: float) -> None:
    """The error bar equals half the depth change from a disparity change of two small sigma."""
    geometry = StereoGeometry(700, 0.12, 0, 0)
    small = 1e-3 * sigma_px
    d = depth_to_disparity(np.float32([[z]]), geometry).astype(np.float64)
    f_b = geometry.focal_px * geometry.baseline_m
    slope = (f_b / (d - small) - f_b / (d + small)) / 2e-3
    np.testing.assert_allclose(depth_sigma(np.float32([[z]]), geometry, sigma_px), slope, rtol=1e-3)


def test_sigma_falls_as_confidence_rises() -> None:
    sigma = disparity_sigma(np.linspace(0, 1, 50, dtype=np.float32))
    assert np.all(np.diff(sigma) < 0)
    assert 0.1 < sigma[-1] < 0.3


def test_depth_limits_cut_and_are_checked() -> None:
    px = np.float32([[5, 10, 50, np.nan]])
    disparity = DisparityMap(px, np.ones_like(px))
    geometry, color = StereoGeometry(500, 0.1, 0, 0), np.zeros((1, 4), np.uint8)
    depth = depth_frame(disparity, geometry, color, min_depth_m=2, max_depth_m=6)
    np.testing.assert_array_equal(np.isfinite(depth.depth_m), [[False, True, False, False]])
    np.testing.assert_array_equal(np.isfinite(depth.sigma_m), np.isfinite(depth.depth_m))
    with pytest.raises(InputError, match="0 <= min < max"):
        depth_frame(disparity, geometry, color, min_depth_m=5, max_depth_m=2)


def plane(noise: float = 0.0) -> DepthFrame:
    """A wall 2 m away with a far, lonely pixel in a corner."""
    geometry = StereoGeometry(100, 0.1, 19.5, 14.5)
    depth = np.full((30, 40), 2, np.float32)
    depth += np.random.default_rng(0).normal(0, noise, depth.shape).astype(np.float32)
    depth[0, 0], depth[5, 5] = 9, np.nan
    color = np.zeros((30, 40, 3), np.uint8)
    color[..., 0] = np.arange(40)
    return DepthFrame(depth, depth * np.float32(0.01), color, geometry)


def test_points_project_back_to_their_pixels() -> None:
    frame = plane(0.1)
    cloud = point_cloud(frame)
    assert len(cloud) == 30 * 40 - 1
    projected = cloud.points.astype(float) @ frame.K.T
    columns = projected[:, 0] / projected[:, 2]
    rows, expected = np.nonzero(np.isfinite(frame.depth_m))
    np.testing.assert_allclose(columns, expected, atol=1e-4)
    np.testing.assert_allclose(projected[:, 1] / projected[:, 2], rows, atol=1e-4)
    np.testing.assert_array_equal(cloud.colors[:, 0], expected)


def test_doubtful_points_are_left_out_on_request() -> None:
    frame = plane()
    assert len(point_cloud(frame, max_relative_sigma=0.005)) == 0
    assert len(point_cloud(frame, max_relative_sigma=0.02)) == len(point_cloud(frame))


def test_gray_and_16_bit_color_are_taken() -> None:
    frame = plane()
    deep = np.full((30, 40), 2048, np.uint16)
    deep[:, 20:] = 4095  # a 12-bit camera's white
    cloud = point_cloud(DepthFrame(frame.depth_m, frame.sigma_m, deep, frame.geometry))
    assert set(cloud.colors.ravel()) == {128, 255}


def test_crop_keeps_what_is_inside() -> None:
    cloud = point_cloud(plane())
    cut = crop(cloud, (-10, -10, 0), (10, 10, 5))
    assert len(cut) == len(cloud) - 1
    with pytest.raises(InputError, match="low < high"):
        crop(cloud, (0, 0, 0), (1, -1, 1))


@pytest.mark.usefixtures("open3d")
def test_thinning_keeps_one_point_per_voxel() -> None:
    cloud = point_cloud(plane())
    thinned = thin(cloud, 0.1)
    assert 20 < len(thinned) < len(cloud) / 4
    assert thinned.points[:, 2].max() == pytest.approx(9)
    with pytest.raises(InputError, match="positive"):
        thin(cloud, 0)
    with pytest.raises(InputError, match="too small"):
        thin(cloud, 1e-12)


@pytest.mark.usefixtures("open3d")
def test_lonely_points_are_removed() -> None:
    cleaned = remove_outliers(point_cloud(plane(0.001)))
    assert cleaned.points[:, 2].max() < 3
    assert len(cleaned) > 1000


@pytest.mark.usefixtures("open3d")
def test_normals_of_a_wall_point_at_the_camera() -> None:
    cloud = with_normals(crop(point_cloud(plane()), (-9, -9, 0), (9, 9, 5)))
    assert cloud.normals is not None
    np.testing.assert_allclose(cloud.normals[:, 2], -1, atol=1e-3)


def test_empty_clouds_pass_through() -> None:
    empty = crop(point_cloud(plane()), (5, 5, 5), (6, 6, 6))
    assert len(thin(empty, 0.1)) == len(remove_outliers(empty)) == len(with_normals(empty)) == 0
