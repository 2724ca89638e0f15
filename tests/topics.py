"""A small result to publish."""

from __future__ import annotations

import numpy as np

from stereo.frame import DepthFrame, DisparityMap, RectifiedPair, StereoGeometry
from stereo.result import StereoResult

GEOMETRY = StereoGeometry(50.0, 0.1, 15.5, 11.5)
NS = 1_700_000_000_123_456_789


def result(
    seed: int = 0,
    geometry: StereoGeometry | None = GEOMETRY,
    size: tuple[int, int] = (24, 32),
) -> StereoResult:
    """``size``: rows and columns."""
    rng = np.random.default_rng(seed)
    left, right = (rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(2))
    px = rng.uniform(1, 9, size).astype(np.float32)
    px[:3] = np.nan
    confidence = np.where(np.isfinite(px), np.float32(0.9), np.float32(0))
    depth = None
    if geometry is not None:
        depth_m = (geometry.focal_px * geometry.baseline_m / px).astype(np.float32)
        depth = DepthFrame(depth_m, 0.01 * depth_m, left, geometry)
    return StereoResult(RectifiedPair(left, right), DisparityMap(px, confidence), depth)
