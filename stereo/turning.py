"""Quarter turns: the images of cameras above each other are turned so that their rows correspond.

Everything between rectifying and measuring sees the turned images; depth is turned back, so that
it lies in the left camera's own frame. Turns count counter-clockwise, as ``numpy.rot90`` does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from stereo.frame import DepthFrame, DisparityMap, StereoGeometry

Array = TypeVar("Array", bound=NDArray[Any])


def turned(array: Array, turns: int) -> Array:
    """Return (H, W, ...) turned by so many quarters, contiguous: (W, H, ...) after an odd count."""
    return array if turns % 4 == 0 else np.ascontiguousarray(np.rot90(array, turns))  # type: ignore[return-value]


def turned_disparity(disparity: DisparityMap, turns: int) -> DisparityMap:
    """Return the map turned; its values stay what they were."""
    if turns % 4 == 0:
        return disparity
    px, confidence = turned(disparity.px, turns), turned(disparity.confidence, turns)
    return replace(disparity, px=px, confidence=confidence)


def turned_geometry(geometry: StereoGeometry, size: tuple[int, int], turns: int) -> StereoGeometry:
    """Return the geometry of images of ``size`` (width, height) after they are turned."""
    (width, height), x, y = size, geometry.cx_px, geometry.cy_px
    for _ in range(turns % 4):
        x, y = y, width - 1 - x
        width, height = height, width
    return replace(geometry, cx_px=x, cy_px=y)


def turned_depth(depth: DepthFrame, turns: int) -> DepthFrame:
    """Return the depth of the turned camera: distances stay, x and y change their roles."""
    if turns % 4 == 0:
        return depth
    height, width = depth.depth_m.shape
    return replace(
        depth,
        depth_m=turned(depth.depth_m, turns),
        sigma_m=turned(depth.sigma_m, turns),
        color=turned(depth.color, turns),
        geometry=turned_geometry(depth.geometry, (width, height), turns),
    )
