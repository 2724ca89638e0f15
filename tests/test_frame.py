"""Data types: checked once, never changed."""

from __future__ import annotations

import numpy as np
import pytest

from stereo.cloud import PointCloud
from stereo.errors import ImageError, InputError
from stereo.frame import DepthFrame, DisparityMap, RectifiedPair, StereoFrame, StereoGeometry

GRAY = np.zeros((4, 6), np.uint8)
PLANE = np.zeros((4, 6), np.float32)
GEOMETRY = StereoGeometry(500, 0.1, 3, 2)


def test_arrays_become_read_only_but_the_callers_stays_writable() -> None:
    mine = GRAY.copy()
    frame = StereoFrame(mine, mine)
    assert not frame.left.flags.writeable
    mine[0, 0] = 1


@pytest.mark.parametrize("bad", [np.zeros((4, 6)), np.zeros((4, 6, 4), np.uint8), "left.png"])
def test_what_is_no_image_is_refused(bad: object) -> None:
    with pytest.raises(ImageError, match="left image: expected"):
        StereoFrame(bad, GRAY)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="at least one pixel"):
        StereoFrame(GRAY[:0], GRAY)


def test_sizes_of_a_rectified_pair_must_agree() -> None:
    with pytest.raises(ImageError, match="left image is 6x4 but right image is 5x4"):
        RectifiedPair(GRAY, GRAY[:, :5])
    with pytest.raises(InputError, match="valid_left: expected bool"):
        RectifiedPair(GRAY, GRAY, valid_left=PLANE)  # type: ignore[arg-type]


def test_maps_must_be_float32_planes_of_one_shape() -> None:
    with pytest.raises(InputError, match="disparity: expected float32"):
        DisparityMap(PLANE.astype(float), PLANE)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"confidence: expected shape \(4, 6\)"):
        DisparityMap(PLANE, PLANE[:2])
    with pytest.raises(InputError, match="colour image"):
        DepthFrame(PLANE, PLANE, GRAY[:2], GEOMETRY)


@pytest.mark.parametrize("name", ["focal_px", "baseline_m"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_absurd_geometry_is_refused_by_name(name: str, value: float) -> None:
    numbers = {"focal_px": 500.0, "baseline_m": 0.1, "cx_px": 3.0, "cy_px": 2.0, name: value}
    with pytest.raises(InputError, match=f"{name} must be between"):
        StereoGeometry(**numbers)


def test_points_and_colors_must_match() -> None:
    points = np.zeros((3, 3), np.float32)
    with pytest.raises(InputError, match=r"colors: expected uint8 \(3, 3\)"):
        PointCloud(points, np.zeros((2, 3), np.uint8))
    assert len(PointCloud(points, np.zeros((3, 3), np.uint8))) == 3
