"""Give textureless surfaces (walls, tables, skies) a plane where matching could only guess.

Inside a smooth region of the image there is little to match; what a matcher says there is spread
from the rim, partly wrong and full of holes. Its own confidence tells: where the mean over the
region is low, the region takes one plane instead, or a few. Candidates come from triples of matches
inside and on the rim, and of those on the rim alone, because inside most may be wrong (RANSAC;
Fischler and Bolles 1981); the evidence that chooses among them is the two images:

- over the region *with its rim*, whose edges only agree at the right plane, where they are its own;
- where they are those of something in front (a lamp before a wall), by the finest texture inside:
  it drowns in noise at every pixel, but not in the sum of ten thousand;
- a plane at which the inside looks like something else is that of something around the region.

Regions whose matches are trusted, curved ones too, stay as they are. A pixel that was given a plane
carries a lower confidence. The work is done by native/src/surfaces.cpp; where that was not built,
nothing is. Benchmarks: ``benchmarks/accuracy.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import DisparityMap, Float, Mask
from stereo.native import find_native, thread_count

Gray = NDArray[np.uint8]
Levels = NDArray[np.int16]

SMOOTH_LEVELS = 6
"""Gray levels: below this gradient, over 3x3 pixels, there is nothing to match."""
SMALLEST_REGION_PX = 1000
"""Smaller regions are bridged well by the matcher itself."""
DOUBTFUL = 0.55
"""Mean confidence of a region below which it gets a plane."""
PLANE_CONFIDENCE = 0.6
"""Cautious, as kPlaneConfidence in surfaces.cpp, which gives it: 0.80 of such pixels are within
1 px of the truth in the sample room, 0.91 on flyingthings_a, 0.78 on reindeer, 0.63 on teddy, 0.99
on midd1 (benchmarks/accuracy.py --planes). Beyond the right image's border it is 0.2."""
STEP = 4
"""Regions are found and planes fitted on every fourth row and column. Half the time of 2, and over
six seeds of the random draws as good on pairs.json and the sample room."""

_FINE_PX, _FINE_LEVELS = 5, 3  # window whose mean is taken off, and the most a pixel may say


@dataclass(frozen=True, eq=False, slots=True)
class Regions:
    """Textureless regions that the matcher is unsure of, on every ``STEP``-th row and column."""

    labels: NDArray[np.int32]
    """(h, w) label of each pixel's region, of all that are smooth."""
    doubtful: NDArray[np.int32]
    """(n,) labels of those that get a plane."""
    boxes: NDArray[np.int32]
    """(n, 4) x, y, width and height of each."""
    slope: Levels
    """(H, W) of the left image, all pixels: what told smooth ones also judges their planes."""

    def steps_in(self, mask: Mask) -> NDArray[np.intp]:
        """Return (n,) how much of each doubtful region lies in ``mask``, (h, w)."""
        inside = np.bincount(self.labels[mask], minlength=int(self.labels.max()) + 1)
        return inside[self.doubtful]

    def only(self, these: NDArray[np.bool_]) -> Regions:
        """Return some of the doubtful regions."""
        return replace(self, doubtful=self.doubtful[these], boxes=self.boxes[these])


def plane_surfaces(
    disparity: DisparityMap, left: Gray, right: Gray, *, threads: int | None = None
) -> DisparityMap:
    """Return ``disparity`` with doubtful textureless regions replaced by planes.

    ``left`` and ``right`` are the rectified gray images, (H, W) uint8. Matches that agree with
    their region's plane are kept, as are regions that the matcher is sure of. The same input
    gives the same output, with any number of threads.
    """
    return with_planes(disparity, left, right, doubtful_regions(disparity, left), threads=threads)


def doubtful_regions(disparity: DisparityMap, left: Gray) -> Regions:
    """Return the regions of the left image, (H, W) uint8, that ``plane_surfaces`` looks at."""
    slope = _slope(left)
    labels, boxes = _smooth_regions(left, slope)
    coarse = disparity.confidence[::STEP, ::STEP]
    doubtful = _doubtful_regions(labels, boxes[:, cv2.CC_STAT_AREA], coarse)
    chosen = np.ascontiguousarray(boxes[doubtful, :4])
    return Regions(labels, doubtful.astype(np.int32), chosen, slope)


def with_planes(
    disparity: DisparityMap,
    left: Gray,
    right: Gray,
    regions: Regions,
    *,
    threads: int | None = None,
) -> DisparityMap:
    """Return ``disparity`` with planes for these regions; see ``plane_surfaces``."""
    native = find_native()
    if native is None or len(regions.doubtful) == 0:
        return disparity
    px, confidence = native.plane_surfaces(
        np.ascontiguousarray(left),
        regions.slope,
        _fine_texture(left),
        np.ascontiguousarray(right),
        _slope(right),
        _fine_texture(right),
        np.ascontiguousarray(disparity.px),
        np.ascontiguousarray(disparity.confidence),
        regions.labels,
        regions.doubtful,
        regions.boxes,
        thread_count(threads),
    )
    return replace(disparity, px=px, confidence=confidence)


def _slope(gray: Gray) -> Levels:
    """Horizontal Sobel, four times the gray levels per pixel."""
    return np.asarray(cv2.Sobel(gray, cv2.CV_16S, 1, 0, ksize=3), np.int16)


def _fine_texture(gray: Gray) -> Levels:
    """What stands out of its surroundings, clipped, times the pixels of the window."""
    area = _FINE_PX**2
    apart = gray.astype(np.int16)
    apart *= area
    sums = cv2.boxFilter(gray, cv2.CV_16S, (_FINE_PX, _FINE_PX), normalize=False)
    apart -= np.asarray(sums, np.int16)
    return np.clip(apart, -_FINE_LEVELS * area, _FINE_LEVELS * area, out=apart)


def _smooth_regions(gray: Gray, slope: Levels) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Labels of connected smooth pixels, and per label (x, y, width, height, area); coarse."""
    across = cv2.convertScaleAbs(slope, alpha=0.25)
    down = cv2.convertScaleAbs(cv2.Sobel(gray, cv2.CV_16S, 0, 1, ksize=3), alpha=0.25)
    near = np.ones((3, 3), np.uint8)
    steepest = np.asarray(cv2.dilate(cv2.max(across, down), near))[::STEP, ::STEP]
    smooth = (steepest < SMOOTH_LEVELS).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(smooth, connectivity=4)
    return np.asarray(labels, np.int32), np.asarray(boxes, np.int32)


def _doubtful_regions(
    labels: NDArray[np.int32], area: NDArray[np.int32], confidence: Float
) -> NDArray[np.intp]:
    """Labels of the regions that are large enough and that the matcher is unsure of."""
    trust = np.bincount(labels.ravel(), weights=confidence.ravel(), minlength=len(area))
    chosen = (STEP**2 * area >= SMALLEST_REGION_PX) & (trust < DOUBTFUL * area)
    chosen[0] = False  # the textured rest
    return np.flatnonzero(chosen)
