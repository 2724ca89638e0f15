"""One native pass gives what numpy does, to the last bit: depth, error bar, points and colours."""

from __future__ import annotations

import numpy as np
import pytest

from stereo import cloud as cloud_room
from stereo import depth as depth_room
from stereo.cloud import PointCloud, every_point, point_cloud
from stereo.depth import DisparityVariance, depth_frame
from stereo.frame import DepthFrame, DisparityMap, Image, StereoGeometry
from stereo.native import find_native

needs_native = pytest.mark.skipif(find_native() is None, reason="native module not built")
GEOMETRY = StereoGeometry(701.3, 0.1207, 311.7, 203.1, doffs_px=1.25)
SIZES = [(1, 1), (1, 17), (3, 255), (5, 257), (33, 513), (130, 300)]
LIMITS = [(0.0, np.inf), (1.3, np.inf), (0.0, 6.7), (1.3, 6.7)]


def any_map(size: tuple[int, int], seed: int) -> DisparityMap:
    """Holes, negative, tiny and huge disparities; certainty from none to all."""
    rng = np.random.default_rng(seed)
    px = rng.uniform(-5, 200, size).astype(np.float32)
    px[rng.random(size) < 0.2] = np.nan
    px[rng.random(size) < 0.05] = np.float32(-1.25)  # at infinity
    px[rng.random(size) < 0.05] = np.float32(1e-38 - 1.25)
    confidence = rng.choice(np.float32([0, 0.2, 0.37, 0.9, 1]), size)
    return DisparityMap(px, confidence)


def any_variance(size: tuple[int, int]) -> DisparityVariance:
    rng = np.random.default_rng(7)
    planes = [rng.normal(0.01, 0.02, size).astype(np.float32) for _ in range(3)]
    planes[0][rng.random(size) < 0.1] = np.nan
    return DisparityVariance(*planes)


def same_bits(one: np.ndarray, other: np.ndarray) -> None:
    unknown = np.isnan(one)
    assert np.array_equal(unknown, np.isnan(other))
    assert np.array_equal(one[~unknown].view(np.uint32), other[~unknown].view(np.uint32))


def in_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    for room in (depth_room, cloud_room):
        monkeypatch.setattr(room, "find_native", lambda: None)


@needs_native
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("calibrated", [False, True])
def test_depth_and_error_bar(
    size: tuple[int, int],
    limits: tuple[float, float],
    calibrated: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def measured() -> DepthFrame:
        color = np.zeros(size, np.uint8)
        variance = any_variance(size) if calibrated else None
        return depth_frame(
            any_map(size, 3),
            GEOMETRY,
            color,
            min_depth_m=limits[0],
            max_depth_m=limits[1],
            calibration_px2=variance,
        )

    found = measured()
    in_numpy(monkeypatch)
    with np.errstate(over="ignore"):
        expected = measured()
    same_bits(found.depth_m, expected.depth_m)
    same_bits(found.sigma_m, expected.sigma_m)


@needs_native
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["gray", "rgb", "gray16", "rgb16"])
@pytest.mark.parametrize("share", [0.25, 1e-6, np.inf])
def test_points_and_colours(
    size: tuple[int, int], kind: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    deep = (*size, 3) if kind.startswith("rgb") else size
    kind_of = np.uint16 if kind.endswith("16") else np.uint8
    color: Image = rng.integers(0, 1 + np.iinfo(kind_of).max, deep, kind_of, endpoint=False)
    depth = depth_frame(any_map(size, 4), GEOMETRY, color, max_depth_m=500)

    def points() -> PointCloud:
        return point_cloud(depth, max_relative_sigma=share)

    found = points()
    in_numpy(monkeypatch)
    expected = points()
    assert np.array_equal(found.points.view(np.uint32), expected.points.view(np.uint32))
    assert np.array_equal(found.colors, expected.colors)


@needs_native
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["gray", "rgb", "gray16", "rgb16"])
@pytest.mark.parametrize("share", [0.25, 1e-6, np.inf])
def test_a_point_for_each_pixel(
    size: tuple[int, int], kind: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(6)
    deep = (*size, 3) if kind.startswith("rgb") else size
    kind_of = np.uint16 if kind.endswith("16") else np.uint8
    color: Image = rng.integers(0, 1 + np.iinfo(kind_of).max, deep, kind_of, endpoint=False)
    depth = depth_frame(any_map(size, 7), GEOMETRY, color, max_depth_m=500)
    found = every_point(depth, max_relative_sigma=share)
    known = np.isfinite(found[..., 2])
    listed = point_cloud(depth, max_relative_sigma=share)
    assert np.array_equal(found[known][:, :3], listed.points)
    assert np.array_equal(found.view(np.uint8)[..., 14:11:-1][known], listed.colors)
    in_numpy(monkeypatch)
    expected = every_point(depth, max_relative_sigma=share)
    np.testing.assert_array_equal(found[..., :3], expected[..., :3])
    assert np.array_equal(found.view(np.uint8)[..., 12:], expected.view(np.uint8)[..., 12:])


@needs_native
def test_any_number_of_threads_gives_the_same_points() -> None:
    native = find_native()
    assert native is not None
    size = (130, 300)
    depth = depth_frame(any_map(size, 5), GEOMETRY, np.zeros(size, np.uint8))
    ray_x, ray_y = (np.linspace(-1, 1, side, dtype=np.float32) for side in size[::-1])
    planes = depth.depth_m, depth.sigma_m, depth.color[..., None], ray_x, ray_y, 0.25
    one = native.cloud_of(*planes, 1)
    for threads in (2, 5):
        more = native.cloud_of(*planes, threads)
        assert all(np.array_equal(a, b) for a, b in zip(one, more, strict=True))


@needs_native
def test_planes_of_other_sizes_are_refused() -> None:
    native = find_native()
    assert native is not None
    plane, small = np.ones((4, 5), np.float32), np.ones((3, 5), np.float32)
    rules = np.ones(8, np.float32)
    with pytest.raises(ValueError, match="same size"):
        native.measure_depth(plane, small, [], rules, 1)
    with pytest.raises(ValueError, match="three planes"):
        native.measure_depth(plane, plane, [plane], rules, 1)
    with pytest.raises(ValueError, match="8 numbers"):
        native.measure_depth(plane, plane, [], rules[:7], 1)
    color, x, y = np.zeros((4, 5, 1), np.uint8), np.ones(5, np.float32), np.ones(4, np.float32)
    with pytest.raises(ValueError, match="same size"):
        native.cloud_of(plane, plane, color, y, x, 1.0, 1)
    with pytest.raises(ValueError, match="same size"):
        native.every_point(plane, plane, color, y, x, 1.0, 1)
    with pytest.raises(ValueError, match="1 or 3 channels"):
        native.cloud_of(plane, plane, np.zeros((4, 5, 2), np.uint8), x, y, 1.0, 1)
