"""Make a pair easier to match: take out sensor noise, and what rectification left of row errors.

Both are measured first, and a pair that has neither passes through untouched. Noise is looked for
in every pair, which is quick; row errors with ``--quality`` only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Float, Image, Mask, RectifiedPair
from stereo.gray import gray8_pair, gray_pair
from stereo.matching import sgm
from stereo.matching.search_range import find_search_range
from stereo.native import require_native

NOISY_LEVELS = 1.5
"""Standard deviation of the noise, gray levels of 255, from which a pair is smoothed."""
ROW_ERROR_PX = 0.1
"""Root mean square of the row error from which the right image is moved."""

_NOISE_PATCH_PX = 16
_NOISE_BANDS = 12  # of patches, over the height
_SMOOTHING = 3.0  # width of the bilateral filter, in standard deviations of the noise
_CORNERS = 800
_FEWEST_TRACKS = 50
_AGREE_PX = 0.25  # median distance of the tracks from the plane, for it to be believed
_RETURN_PX = 0.3  # how far a corner may return from where it was
_STRAY_PX = 3.0  # how far a track may end from where the disparity says

Gray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class RowError:
    """How far the right image's rows lie below the left one's, as a plane over the image."""

    middle_px: float
    """In the middle of the image, pixels; positive: the right image's content lies lower."""
    across_px: float
    """Change from the left border to the right one."""
    down_px: float
    """Change from the top to the bottom."""
    tracks: int
    """Corners that were followed from one image to the other."""

    def over(self, width: int, height: int) -> Float:
        """Return it for each pixel, (height, width)."""
        x = (np.arange(width, dtype=np.float32) - np.float32(width / 2)) / np.float32(width)
        y = (np.arange(height, dtype=np.float32) - np.float32(height / 2)) / np.float32(height)
        plane = self.middle_px + self.across_px * x + self.down_px * y[:, None]
        return np.asarray(plane, np.float32)


def denoise(pair: RectifiedPair, *, in_color: bool = False) -> RectifiedPair:
    """Return ``pair`` as it is, or with the noise smoothed away if it is noisy.

    A noisy pair comes back in gray, which is quicker, unless ``in_color``. Disparities of the
    result are those of ``pair``.
    """
    views = (pair.left, pair.right) if in_color else gray_pair(pair.left, pair.right)
    gray8 = gray8_pair(*views)
    noise = max(noise_level(gray) for gray in gray8)
    if noise < NOISY_LEVELS:
        return pair
    left, right = (_smoothed(v, gray, noise) for v, gray in zip(views, gray8, strict=True))
    return replace(pair, left=left, right=right)


def align_rows(pair: RectifiedPair) -> RectifiedPair:
    """Return ``pair`` with its right image moved to the left one's rows, if it needs to be.

    Left pixels stay where they are, so a disparity of the result is one of ``pair``. Raises
    MissingLibraryError without the native matcher.
    """
    require_native("looking for row errors", instead="go without --quality")
    left, right = gray8_pair(pair.left, pair.right)
    error = row_error(left, right)
    if error is None:
        return pair
    below = error.over(left.shape[1], left.shape[0])
    if float(np.sqrt(np.mean(below * below))) < ROW_ERROR_PX:
        return pair
    return replace(
        pair, right=_moved(pair.right, below), valid_right=_moved_mask(pair.valid_right, below)
    )


def noise_level(gray: Gray) -> float:
    """Standard deviation of an image's noise, gray levels; 0 for images too small to tell.

    From the response of Immerkaer's mask ("Fast noise variance estimation", CVIU 1996), which
    planes of brightness do not excite, in the calmest tenth of the patches that are not black or
    saturated. About 8 % low: the calmest are calm by chance too.
    """
    side = _NOISE_PATCH_PX
    height, width = (length // side for length in gray.shape)
    if height == 0 or width == 0:
        return 0.0
    # some bands of rows tell as much as all; their first and last row see the next band
    bands = gray[: height * side, : width * side].reshape(height, side, width * side)
    bands = bands[:: max(1, height // _NOISE_BANDS)]
    second = np.array([1.0, -2.0, 1.0])  # difference, in either direction: the product is his mask
    response = cv2.sepFilter2D(bands.reshape(-1, width * side), cv2.CV_16S, second, second)
    strength = np.asarray(np.abs(response), np.float32).reshape(bands.shape)
    calm = _by_patch(strength[:, 1:-1])
    brightness = _by_patch(bands[:, 1:-1].astype(np.float32))
    usable = (brightness > 10) & (brightness < 245)
    if not usable.any():
        return 0.0
    return float(np.percentile(calm[usable], 10) * np.sqrt(np.pi / 2) / 6)


def _by_patch(bands: Float) -> Float:
    """(B, W / 16): means of the patches of (B, R, W) bands."""
    columns = bands.mean(axis=1)
    return np.asarray(columns.reshape(len(bands), -1, _NOISE_PATCH_PX).mean(axis=2))


def row_error(left: Gray, right: Gray) -> RowError | None:
    """Measure the row error of a pair, both (H, W) uint8; None where too little can be followed.

    Corners are followed with Lucas and Kanade's method from where a match at half size says they
    are, there and back; a plane is fitted by iterated reweighting. Corners see both directions: a
    row error cannot hide in the disparity as it does on a slanted edge.
    """
    if min(left.shape) < 64:
        return None
    found = _tracks(left, right)
    if found is None:
        return None
    x, y, below = found
    height, width = left.shape
    design = np.column_stack([np.ones(len(x)), (x - width / 2) / width, (y - height / 2) / height])
    plane = np.array([np.median(below), 0.0, 0.0])
    ridge = np.diag([1e-3, 0.1, 0.1])  # slopes that nothing supports are none
    for _ in range(10):
        off = np.abs(below - design @ plane)
        weight = 1 / (1 + (off / max(1.5 * float(np.median(off)), 0.05)) ** 2) ** 2
        weighted = (design * weight[:, None]).T
        plane = np.linalg.solve(weighted @ design + ridge, weighted @ below)
    if np.median(np.abs(below - design @ plane)) > _AGREE_PX:
        return None
    middle, across, down = (float(value) for value in plane)
    return RowError(middle, across, down, len(x))


def _tracks(left: Gray, right: Gray) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """Columns and rows in the right image, and how far below their left partner; float64."""
    disparity = _half_size_disparity(left, right)
    views = [_equalized(image) for image in (left, right)]
    corners = cv2.goodFeaturesToTrack(views[0], _CORNERS, 0.01, 8, blockSize=5)
    if corners is None:
        return None
    start = np.asarray(corners, np.float32).reshape(-1, 2)
    at = start.astype(np.intp)
    shift = disparity[at[:, 1], at[:, 0]]
    start, shift = start[np.isfinite(shift)], shift[np.isfinite(shift)]
    if len(start) < _FEWEST_TRACKS:
        return None
    guess = start.copy()
    guess[:, 0] -= shift
    end, went = _followed(views[0], views[1], start, guess)
    back, returned = _followed(views[1], views[0], end, start)
    good = went & returned
    good &= np.hypot(*(back - start).T) < _RETURN_PX
    good &= np.abs(end[:, 0] - guess[:, 0]) < _STRAY_PX
    if np.count_nonzero(good) < _FEWEST_TRACKS:
        return None
    end, start = end[good].astype(np.float64), start[good].astype(np.float64)
    return end[:, 0], end[:, 1], end[:, 1] - start[:, 1]


def _followed(
    source: Gray, target: Gray, start: Float, guess: Float
) -> tuple[Float, NDArray[np.bool_]]:
    end, status, _ = cv2.calcOpticalFlowPyrLK(
        source,
        target,
        start[:, None],
        guess[:, None].copy(),
        winSize=(15, 15),
        maxLevel=1,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(end, np.float32).reshape(-1, 2), np.asarray(status).ravel() == 1


def _half_size_disparity(left: Gray, right: Gray) -> Float:
    """In pixels of the full image; half the size forgives twice the row error."""
    found = find_search_range(RectifiedPair(left, right))
    height, width = left.shape
    size = ((width + 1) // 2, (height + 1) // 2)
    small = [
        np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        for image in (left, right)
    ]
    params = sgm.SgmParams(
        found.min_disparity // 2, found.num_disparities // 2 + 1, paths=3, speckle_size_px=30
    )
    px = sgm.SgmMatcher(params).match(RectifiedPair(small[0], small[1])).px
    full = np.repeat(np.repeat(2 * px, 2, axis=0), 2, axis=1)
    return np.asarray(full[:height, :width])


def _equalized(gray: Gray) -> Gray:
    """Local mean and contrast taken out, so that exposure does not matter."""
    detail = gray.astype(np.float32)
    detail -= cv2.GaussianBlur(detail, (0, 0), 5)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 8)) + 4
    levels = np.clip(128 + 40 * detail / contrast, 0, 255)
    return np.asarray(levels, np.uint8)


def _smoothed(image: Image, gray8: Gray, noise: float) -> Image:
    """Bilateral filter as wide as the noise; ``gray8`` tells the unit of 16-bit levels."""
    if image.dtype == np.uint8:
        return np.asarray(cv2.bilateralFilter(image, 7, _SMOOTHING * noise, 2.0), np.uint8)
    unit = max(float(image.mean()), 1.0) / max(float(gray8.mean()), 1.0)
    smooth = cv2.bilateralFilter(image.astype(np.float32), 7, _SMOOTHING * noise * unit, 2.0)
    return np.clip(np.rint(smooth), 0, 65535).astype(np.uint16)


def _moved(image: Image, below: Float) -> Image:
    """The image whose row y shows what was ``below`` px under it."""
    columns, rows = _maps(below)
    return cv2.remap(  # type: ignore[return-value]
        image, columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def _moved_mask(mask: Mask | None, below: Float) -> Mask | None:
    if mask is None:
        return None
    columns, rows = _maps(below)
    moved = cv2.remap(mask.astype(np.uint8), columns, rows, cv2.INTER_NEAREST)
    return np.asarray(moved, np.uint8).astype(np.bool_)


def _maps(below: Float) -> tuple[Float, Float]:
    height, width = below.shape
    columns = np.repeat(np.arange(width, dtype=np.float32)[None], height, axis=0)
    return columns, np.arange(height, dtype=np.float32)[:, None] + below
