"""Make a pair easier to match: take out noise, a difference of brightness, and row errors.

All are measured first, and a pair that has none passes through untouched. Left pixels stay where
they are, so a disparity of the result is one of the pair.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Float, Image, Mask, RectifiedPair
from stereo.gray import gray8_pair
from stereo.matching.brightness import Brightness, brightness
from stereo.matching.rows import RowError, row_error
from stereo.matching.tracks import find_tracks

T = TypeVar("T")

NOISY_LEVELS = 1.5
"""Standard deviation of the noise, gray levels of 255, from which a pair is smoothed."""
VERY_NOISY_LEVELS = 3.0
"""The same from which it is smoothed twice: with noise of 2 levels once is better, with 4 and 8
twice (dense_2 of pairs.json)."""
ALIGN_EVERY = 15
"""Frames of a sequence from one look at its noise, and at how its views differ, to the next."""
ALIGN_MEMORY = 4
"""Looks that are remembered."""

_NOISE_PATCH_PX = 16
_NOISE_BANDS = 12  # of patches, over the height
_SMOOTHING = 3.0  # width of the bilateral filter, in standard deviations of the noise
_AGAIN = 1.0  # the same of a second time
_CLOSE_BANDS = 16  # of rows, for a closer look where there is a row error

Gray = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Difference:
    """How the views of a pair differ besides what depth does."""

    rows: RowError | None
    """None: too little was seen."""
    levels: Brightness | None
    """None: equally bright, or too little was seen."""


def denoise(pair: RectifiedPair) -> RectifiedPair:
    """Return ``pair`` as it is, or with the noise smoothed away if it is noisy."""
    return _without_noise(pair, pair_noise(pair))


def pair_noise(pair: RectifiedPair) -> float:
    """Return the noise of the worse image, gray levels of 255; see ``noise_level``."""
    return max(noise_level(gray) for gray in gray8_pair(pair.left, pair.right))


def _without_noise(pair: RectifiedPair, noise: float) -> RectifiedPair:
    if noise < NOISY_LEVELS:
        return pair
    views = pair.left, pair.right
    gray8 = gray8_pair(*views)
    left, right = (_smoothed(v, gray, noise) for v, gray in zip(views, gray8, strict=True))
    return replace(pair, left=left, right=right)


def align(pair: RectifiedPair) -> RectifiedPair:
    """Return ``pair`` with its right image on the left one's rows, and as bright, if need be."""
    return aligned(pair, difference(pair))


def difference(pair: RectifiedPair) -> Difference:
    """Measure how the views differ, on a few bands of rows."""
    left, right = gray8_pair(pair.left, pair.right)
    tracks = find_tracks(left, right)
    rows = row_error(tracks)
    if rows is not None and rows.clear:  # then it is worth a closer look, once it is mostly gone
        moved = np.asarray(_moved(right, rows), np.uint8)
        rest = row_error(find_tracks(left, moved, bands=_CLOSE_BANDS))
        rows = rows if rest is None else rows.plus(rest)
    return Difference(rows, brightness(tracks))


def aligned(pair: RectifiedPair, found: Difference) -> RectifiedPair:
    """Return ``pair`` without the difference, as far as that is clear."""
    if found.levels is not None:
        pair = replace(pair, right=found.levels.applied(pair.right))
    if found.rows is None or not found.rows.clear:
        return pair
    mask = pair.valid_right
    return replace(
        pair,
        right=_moved(pair.right, found.rows),
        valid_right=None if mask is None else _moved_mask(mask, found.rows),
    )


class _Looks(Generic[T]):
    """When a sequence is looked at, and what the last looks found."""

    def __init__(self) -> None:
        self.found: deque[T] = deque(maxlen=ALIGN_MEMORY)
        self._shape: tuple[int, ...] = ()
        self._frames = 0

    def due(self, pair: RectifiedPair) -> bool:
        """Whether the sequence's next pair is to be looked at."""
        if pair.left.shape != self._shape:  # another part of the image: its middle is elsewhere
            self._shape, self._frames = pair.left.shape, 0
            self.found.clear()
        self._frames += 1
        return (self._frames - 1) % ALIGN_EVERY == 0


class SteadyDenoising:
    """``denoise`` for a sequence: looks now and then, and takes the noise of the last looks."""

    def __init__(self) -> None:
        self._looks: _Looks[float] = _Looks()

    def __call__(self, pair: RectifiedPair) -> RectifiedPair:
        """Return the sequence's next pair, without noise."""
        if self._looks.due(pair):
            self._looks.found.append(pair_noise(pair))
        return _without_noise(pair, float(np.median(self._looks.found)))


class SteadyAlignment:
    """``align`` for a sequence: looks now and then, and keeps what it found."""

    def __init__(self) -> None:
        self._looks: _Looks[RowError] = _Looks()
        self._levels: Brightness | None = None

    def __call__(self, pair: RectifiedPair) -> RectifiedPair:
        """Return the sequence's next pair, aligned."""
        if self._looks.due(pair):
            found = difference(pair)
            self._levels = found.levels
            if found.rows is not None:
                self._looks.found.append(found.rows)
        return aligned(pair, Difference(_typical(self._looks.found), self._levels))


def _typical(looks: deque[RowError]) -> RowError | None:
    """The median of several looks, value by value; as unsure as one of them."""
    if not looks:
        return None
    values = np.median([(r.middle_px, r.across_px, r.down_px, r.sigma_px) for r in looks], axis=0)
    return RowError(*(float(value) for value in values))


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


def _smoothed(image: Image, gray8: Gray, noise: float) -> Image:
    """Bilateral filter as wide as the noise, twice against strong noise.

    ``gray8`` tells the unit of 16-bit levels.
    """
    narrow = image.dtype == np.uint8
    unit = 1.0 if narrow else max(float(image.mean()), 1.0) / max(float(gray8.mean()), 1.0)
    smooth: Any = image if narrow else image.astype(np.float32)
    for strength in (_SMOOTHING, _AGAIN) if noise > VERY_NOISY_LEVELS else (_SMOOTHING,):
        smooth = cv2.bilateralFilter(smooth, 7, strength * noise * unit, 2.0)
    if narrow:
        return np.asarray(smooth, np.uint8)
    return np.asarray(np.clip(np.rint(smooth), 0, 65535), np.uint16)


def _moved(image: Image, rows: RowError) -> Image:
    """The image whose row y shows what was that far under it."""
    return _warped(image, rows, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)


def _moved_mask(mask: Mask, rows: RowError) -> Mask:
    seen = mask.astype(np.uint8)
    return _warped(seen, rows, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT).astype(np.bool_)


def _warped(image: Image, rows: RowError, how: int, border: int) -> Image:
    height, width = image.shape[:2]
    across, down = rows.across_px / width, rows.down_px / height
    below = rows.middle_px - rows.across_px / 2 - rows.down_px / 2  # at the upper left pixel
    motion = np.array([[1, 0, 0], [across, 1 + down, below]])
    size = (width, height)
    flags = how | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(  # type: ignore[return-value]
        image, motion, size, flags=flags, borderMode=border
    )
