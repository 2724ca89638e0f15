"""Less to match: a part of the rectified image, or a smaller one, with the geometry to fit.

Pixel centres lie on integers (docs/conventions.md), so a size divided by n moves the principal
point to ``(c + 0.5) / n - 0.5``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.depth import DisparityVariance
from stereo.errors import InputError
from stereo.frame import (
    DisparityMap,
    Float,
    Image,
    Mask,
    RectifiedPair,
    SearchRange,
    StereoGeometry,
)
from stereo.rectify import Rectification


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of the rectified left image, as its camera stands. Raises InputError when it is
    empty.
    """

    x: int
    """Leftmost column, pixels."""
    y: int
    """Topmost row, pixels."""
    width: int
    """Columns."""
    height: int
    """Rows."""

    def __post_init__(self) -> None:
        if self.x < 0 or self.y < 0 or self.width < 1 or self.height < 1:
            raise InputError(
                f"region must be X,Y,WIDTH,HEIGHT with X, Y >= 0 and a size, got {self}"
            )

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"

    def turned(self, size: tuple[int, int], turns: int) -> Region:
        """Return where it lies after an image of ``size`` (width, height) is turned, in quarters.

        Raises InputError where it does not fit the image.
        """
        (width, height), region = size, self
        self.check_fits(size)
        for _ in range(turns % 4):
            y = width - region.x - region.width
            region = Region(region.y, y, region.height, region.width)
            width, height = height, width
        return region

    def check_fits(self, size: tuple[int, int]) -> None:
        """Raise InputError unless it lies within an image of ``size`` (width, height)."""
        if self.x + self.width > size[0] or self.y + self.height > size[1]:
            raise InputError(
                f"region {self} does not fit the rectified image of {size[0]}x{size[1]}"
            )


@dataclass(frozen=True, slots=True)
class Part:
    """What of a rectified image is matched: a region of it, its sides divided."""

    region: Region | None = None
    """In pixels of the full image; None: all of it."""
    divisor: int = 1
    """Both sides are divided by this."""

    def for_matching(self, rectification: Rectification) -> Part:
        """Return the same part of the images as they are matched, which may be turned.

        Raises InputError for a region that does not fit them.
        """
        turns, size = rectification.turns, rectification.size
        if turns == 0 or size is None or self.region is None:
            return self
        upright = size if turns % 2 == 0 else size[::-1]
        return replace(self, region=self.region.turned(upright, turns))

    def of_rectification(self, rectification: Rectification) -> Rectification:
        """Return ``rectification`` with the geometry and error of the part, for measuring it."""
        geometry, variance = rectification.geometry, rectification.calibration_px2
        if geometry is not None:
            geometry = shrink_geometry(geometry, self.divisor)
        if variance is not None and self.divisor > 1:
            variance = shrink_variance(variance, self.divisor)
        region = self._shrunk_region
        if region is not None:
            geometry = None if geometry is None else crop_geometry(geometry, region)
            variance = None if variance is None else crop_variance(variance, region)
        return replace(rectification, geometry=geometry, calibration_px2=variance)

    def shrunk(self, pair: RectifiedPair) -> RectifiedPair:
        """Return the whole pair, its sides divided."""
        return shrink_pair(pair, self.divisor)

    def shrunk_range(self, search: SearchRange) -> SearchRange:
        """Return a range of the full image in pixels of the shrunk one."""
        if self.divisor == 1:
            return search
        low = math.floor(search.min_disparity / self.divisor)
        high = math.ceil(search.max_disparity / self.divisor)
        return replace(search, min_disparity=low, num_disparities=high - low + 1)

    def with_partners(self, pair: RectifiedPair, search: SearchRange) -> RectifiedPair:
        """Return the region of a shrunk pair, and left of it what its partners may lie on."""
        region = self._shrunk_region
        if region is None:
            return pair
        return crop_pair(pair, region, max_disparity=search.max_disparity)

    def trimmed(
        self, disparity: DisparityMap, pair: RectifiedPair
    ) -> tuple[DisparityMap, RectifiedPair]:
        """Return map and pair without the surplus that ``with_partners`` left at the left."""
        region = self._shrunk_region
        return (disparity, pair) if region is None else trim(disparity, pair, region)

    @property
    def _shrunk_region(self) -> Region | None:
        region, n = self.region, self.divisor
        if region is None or n == 1:
            return region
        width, height = max(1, region.width // n), max(1, region.height // n)
        return Region(region.x // n, region.y // n, width, height)


def shrink_pair(pair: RectifiedPair, factor: int) -> RectifiedPair:
    """Return the pair with both sides divided by ``factor``; each pixel is a mean of a square."""
    if factor == 1:
        return pair
    height, width = (side // factor * factor for side in pair.left.shape[:2])
    if not height or not width:
        size = f"{pair.left.shape[1]}x{pair.left.shape[0]}"
        raise InputError(f"an image of {size} divided by {factor} is empty")

    def image(full: Image) -> Image:
        size = (width // factor, height // factor)
        return cast("Image", cv2.resize(full[:height, :width], size, interpolation=cv2.INTER_AREA))

    def mask(full: Mask | None) -> Mask | None:
        if full is None:
            return None
        cells = full[:height, :width].reshape(height // factor, factor, width // factor, factor)
        return cast("Mask", cells.all(axis=(1, 3)))

    return RectifiedPair(
        image(pair.left),
        image(pair.right),
        mask(pair.valid_left),
        mask(pair.valid_right),
        pair.time_s,
    )


def shrink_geometry(geometry: StereoGeometry, factor: int) -> StereoGeometry:
    """Return the geometry of a pair that ``shrink_pair`` made."""
    return StereoGeometry(
        geometry.focal_px / factor,
        geometry.baseline_m,
        (geometry.cx_px + 0.5) / factor - 0.5,
        (geometry.cy_px + 0.5) / factor - 0.5,
        geometry.doffs_px / factor,
    )


def shrink_variance(variance: DisparityVariance, factor: int) -> DisparityVariance:
    """Return the calibration's variance for a pair that ``shrink_pair`` made.

    Disparities and their errors shrink with the image, so the three terms of the polynomial in the
    disparity are divided by ``factor`` squared, once, and not at all.
    """
    height, width = (side // factor * factor for side in variance.offset.shape)
    middle = factor // 2

    def sampled(plane: Float, divisor: float) -> Float:
        return np.ascontiguousarray(plane[middle:height:factor, middle:width:factor]) / np.float32(
            divisor
        )

    return DisparityVariance(
        sampled(variance.offset, factor**2),
        sampled(variance.mixed, factor),
        sampled(variance.share, 1),
    )


def crop_variance(variance: DisparityVariance, region: Region) -> DisparityVariance:
    """Return the calibration's variance within the region."""
    rows = slice(region.y, region.y + region.height)
    columns = slice(region.x, region.x + region.width)
    return DisparityVariance(*(np.ascontiguousarray(plane[rows, columns]) for plane in variance))


def crop_pair(pair: RectifiedPair, region: Region, *, max_disparity: int) -> RectifiedPair:
    """Return the part to match: the region, and left of it what its partners may lie on.

    ``trim`` takes the surplus off again. Raises InputError for a region outside the image.
    """
    height, width = pair.left.shape[:2]
    region.check_fits((width, height))
    rows = slice(region.y, region.y + region.height)
    columns = slice(max(0, region.x - max(max_disparity, 0)), region.x + region.width)

    return _parts(pair, lambda array: np.ascontiguousarray(array[rows, columns]))


def trim(
    disparity: DisparityMap, pair: RectifiedPair, region: Region
) -> tuple[DisparityMap, RectifiedPair]:
    """Return map and pair without the surplus that ``crop_pair`` left at the left."""
    px, confidence = (_rightmost(plane, region) for plane in (disparity.px, disparity.confidence))
    part = replace(disparity, px=px, confidence=confidence)
    return part, _parts(pair, lambda array: _rightmost(array, region))


def _rightmost(array: NDArray[Any], region: Region) -> Any:
    return np.ascontiguousarray(array[:, -region.width :])


def _parts(pair: RectifiedPair, part: Callable[[NDArray[Any]], Any]) -> RectifiedPair:
    """The same part of both images and masks."""
    return RectifiedPair(
        part(pair.left),
        part(pair.right),
        None if pair.valid_left is None else part(pair.valid_left),
        None if pair.valid_right is None else part(pair.valid_right),
        pair.time_s,
    )


def crop_geometry(geometry: StereoGeometry, region: Region) -> StereoGeometry:
    """Return the geometry of a trimmed region: the principal point moves, nothing else."""
    return replace(geometry, cx_px=geometry.cx_px - region.x, cy_px=geometry.cy_px - region.y)
