"""What the viewers show, computed: a bounded cloud, the pixel behind a click, the rig's health."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.words import fixed
from stereo.cloud import MAX_RELATIVE_SIGMA, PointCloud, point_cloud
from stereo.frame import DepthFrame, Image, StereoGeometry
from stereo.gray import gray8_pair
from stereo.result import StereoResult
from stereo.run.check import RowCheck, check_rows

_EXPOSURE_TOLERANCE = 0.15
_PICK_ANGLE = math.tan(math.radians(1.5))


def thinned(depth: DepthFrame, max_points: int) -> DepthFrame:
    """Return every k-th pixel of every k-th row, so that at most ``max_points`` remain."""
    height, width = depth.depth_m.shape
    k = max(1, math.isqrt(max(height * width // max(max_points, 1), 1)))
    while -(-height // k) * -(-width // k) > max_points and k < max(height, width):
        k += 1
    g = depth.geometry
    focal = g.focal_px / k  # pixel i of the thinned image is pixel k * i
    geometry = StereoGeometry(focal, g.baseline_m, g.cx_px / k, g.cy_px / k, g.doffs_px / k)
    every = (slice(None, None, k), slice(None, None, k))
    z, sigma = (np.ascontiguousarray(plane[every]) for plane in (depth.depth_m, depth.sigma_m))
    color: Image = np.ascontiguousarray(depth.color[every])  # type: ignore[assignment]
    return DepthFrame(z, sigma, color, geometry, depth.time_s)


def bounded_cloud(depth: DepthFrame, *, max_points: int) -> PointCloud:
    """Return at most ``max_points`` points, none with an error beyond a quarter of its depth."""
    return point_cloud(thinned(depth, max_points), max_relative_sigma=MAX_RELATIVE_SIGMA)


def pick_pixel(
    depth: DepthFrame, origin: NDArray[np.float64], direction: NDArray[np.float64]
) -> tuple[int, int] | None:
    """Return the pixel (x, y) whose point lies nearest to a ray, as seen from its origin.

    ``origin`` (3,) metres and ``direction`` (3,) are in the rectified left camera's frame. None
    when nothing lies within one and a half degrees of the ray. Of points about equally near to
    the ray the one in front is meant.
    """
    coarse = thinned(depth, 80_000)
    k = round(depth.geometry.focal_px / coarse.geometry.focal_px)
    cloud = point_cloud(coarse, max_relative_sigma=MAX_RELATIVE_SIGMA)
    points = cloud.points - np.asarray(origin, np.float32)
    along = points @ (np.asarray(direction, np.float32) / np.linalg.norm(direction))
    aside = np.sqrt(np.maximum((points**2).sum(axis=1) - along**2, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.where(along > 0, aside / along, np.inf)
    if not len(angle) or not angle.min() <= _PICK_ANGLE:
        return None
    near = np.flatnonzero(angle <= max(2 * angle.min(), 0.2 * _PICK_ANGLE))
    best = points[near[along[near].argmin()]] + np.asarray(origin, np.float32)
    g = coarse.geometry
    x = k * round(float(best[0] / best[2] * g.focal_px + g.cx_px))
    y = k * round(float(best[1] / best[2] * g.focal_px + g.cy_px))
    return x, y


@dataclass(frozen=True, slots=True)
class Health:
    """How well the rig is doing, from one pair."""

    rows: RowCheck
    """Row offset of the rectified pair."""
    exposure: float
    """Brightness of the right image over that of the left, minus 1."""
    valid_share: float
    """Share of the pixels with a disparity."""

    def line(self) -> str:
        """One line for people."""
        if math.isnan(self.rows.offset_px):
            rows = f"rows: too little texture to say ({self.rows.matches} matches)"
        else:
            good = "recalibrate, or is it the wrong rig?"
            if self.rows.aligned:
                good = "it has moved: stereo check" if self.rows.drifted else "good"
            rows = f"rows differ by {fixed(self.rows.typical_px, 2)} px ({good})"
        worry = " (set both cameras alike)" if abs(self.exposure) > _EXPOSURE_TOLERANCE else ""
        return (
            f"{rows}; right image {_brightness(self.exposure)}{worry}; "
            f"{self.valid_share:.0%} of the pixels have a depth"
        )

    @property
    def good(self) -> bool:
        """Whether nothing needs looking at."""
        level = self.rows.aligned and not self.rows.drifted
        return level and abs(self.exposure) <= _EXPOSURE_TOLERANCE


def _brightness(exposure: float) -> str:
    if abs(exposure) < 0.005:
        return "as bright as the left"
    return f"{abs(exposure):.0%} {'brighter' if exposure > 0 else 'darker'}"


def rig_health(result: StereoResult) -> Health:
    """Measure the health of the rig on one result; a few tens of milliseconds."""
    left, right = gray8_pair(result.pair.left, result.pair.right)
    bright = [max(float(cv2.mean(image)[0]), 1.0) for image in (left, right)]
    rows = check_rows(result.pair, max_width=640)
    return Health(rows, bright[1] / bright[0] - 1, result.disparity.valid_share)
