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
from stereo.native import find_native, require_native, thread_count

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

_FINE_LEVELS = 3  # the most that a pixel of the finest texture may say


@dataclass(frozen=True, eq=False, slots=True)
class Texture:
    """What there is to match in an image, (H, W) each; see native/src/texture.hpp."""

    slope: Levels
    """Horizontal Sobel, four times the gray levels per pixel."""
    fine: Levels
    """What stands out of the mean of 5x5 pixels, times 25, clipped."""


@dataclass(frozen=True, eq=False, slots=True)
class Regions:
    """Textureless regions that the matcher is unsure of, on every ``STEP``-th row and column."""

    labels: NDArray[np.int32]
    """(h, w) label of each pixel's region, of all that are smooth."""
    doubtful: NDArray[np.int32]
    """(n,) labels of those that get a plane."""
    boxes: NDArray[np.int32]
    """(n, 4) x, y, width and height of each."""
    texture: Texture
    """Of the left image: what told smooth pixels also judges their planes."""

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
    regions = doubtful_regions(disparity, left, threads=threads)
    return with_planes(disparity, left, right, regions, threads=threads)


def doubtful_regions(disparity: DisparityMap, left: Gray, *, threads: int | None = None) -> Regions:
    """Return the regions of the left image, (H, W) uint8, that ``plane_surfaces`` looks at.

    None where the native module was not built.
    """
    native = find_native()
    if native is None:
        return _no_regions(left)
    texture, smooth = _looked_at(left, smooth=True, threads=threads)
    _, found, stats, _ = cv2.connectedComponentsWithStats(smooth, connectivity=4)
    labels, boxes = np.asarray(found, np.int32), np.asarray(stats, np.int32)
    coarse = disparity.confidence[::STEP, ::STEP]
    doubtful = _doubtful_regions(labels, boxes[:, cv2.CC_STAT_AREA], coarse)
    chosen = np.ascontiguousarray(boxes[doubtful, :4])
    return Regions(labels, doubtful.astype(np.int32), chosen, texture)


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
    seen, _ = _looked_at(right, smooth=False, threads=threads)
    px, confidence = native.plane_surfaces(
        np.ascontiguousarray(left),
        regions.texture.slope,
        regions.texture.fine,
        np.ascontiguousarray(right),
        seen.slope,
        seen.fine,
        np.ascontiguousarray(disparity.px),
        np.ascontiguousarray(disparity.confidence),
        regions.labels,
        regions.doubtful,
        regions.boxes,
        thread_count(threads),
    )
    return replace(disparity, px=px, confidence=confidence)


def _looked_at(gray: Gray, *, smooth: bool, threads: int | None) -> tuple[Texture, Gray]:
    """The image's texture, and 1 on every ``STEP``-th row and column that is smooth, if asked."""
    native = require_native("the planes of smooth surfaces", instead="do without them")
    most, steep = (
        _FINE_LEVELS * 25,
        4 * SMOOTH_LEVELS - 2,
    )  # from there on it rounds to SMOOTH_LEVELS
    looked = native.texture(np.ascontiguousarray(gray), most, steep, smooth, thread_count(threads))
    return Texture(*looked[:2]), looked[2]


def _no_regions(left: Gray) -> Regions:
    nothing = np.zeros(left.shape, np.int16)
    labels = np.zeros(left[::STEP, ::STEP].shape, np.int32)
    none = np.zeros(0, np.int32)
    return Regions(labels, none, none.reshape(0, 4), Texture(nothing, nothing))


def _doubtful_regions(
    labels: NDArray[np.int32], area: NDArray[np.int32], confidence: Float
) -> NDArray[np.intp]:
    """Labels of the regions that are large enough and that the matcher is unsure of."""
    trust = np.bincount(labels.ravel(), weights=confidence.ravel(), minlength=len(area))
    chosen = (STEP**2 * area >= SMALLEST_REGION_PX) & (trust < DOUBTFUL * area)
    chosen[0] = False  # the textured rest
    return np.flatnonzero(chosen)
