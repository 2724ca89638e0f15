"""Pictures of errors: small enough for a page, the same colours on every map."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.report.drawing import Classes, heat, jpeg
from stereo.frame import Float, Image
from stereo.gray import to_rgb8

BGR = NDArray[np.uint8]
ERRORS = Classes((0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0), "px")
"""Steps of the colours of an error."""

_WIDE = 480
_TWO_BY_TWO = "display:grid;gap:.7rem;grid-template-columns:1fr 1fr;margin-bottom:1.5rem"
_UNKNOWN = (110, 104, 104)  # BGR: a gray that no colour map has


def picture(image: Image) -> BGR:
    """Return an image, (H, W[, 3]), small."""
    return _small(to_rgb8(image)[..., ::-1], cv2.INTER_AREA)


def disparity_picture(px: Float, most: float) -> BGR:
    """Return a map (H, W) px, warm where near; ``most`` px is the warmest, gray is unknown."""
    levels = np.nan_to_num(np.clip(px / max(most, 1e-6), 0, 1) * 255).astype(np.uint8)
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_TURBO)
    return _small(_with_unknown(colors, px), cv2.INTER_NEAREST)


def error_picture(error_px: Float) -> BGR:
    """Return errors (H, W) px in the colours of ``ERRORS``, gray where unknown.

    Where it is made smaller a pixel shows the largest error nearby: lines one pixel wide, as errors
    at edges are, must not be lost.
    """
    step = max(1, round(error_px.shape[1] / _WIDE))
    if step > 1:
        side = np.ones((step, step), np.uint8)
        error_px = cv2.dilate(np.where(np.isfinite(error_px), error_px, np.float32(-1)), side)  # type: ignore[assignment]
        error_px = np.where(error_px < 0, np.float32(np.nan), error_px)
    place = np.searchsorted(ERRORS.steps, np.nan_to_num(error_px))
    colors = _palette()[place]
    return _small(_with_unknown(colors, error_px), cv2.INTER_NEAREST)


def difference_picture(difference_px: Float) -> BGR:
    """Return how much the second of two errors is larger, (H, W) px: red; smaller: blue."""
    share = np.nan_to_num(np.clip(difference_px / 4, -1, 1))[..., None]
    none, worse, better = (
        np.array(c, float) for c in ((245, 245, 245), (80, 106, 226), (220, 140, 84))
    )
    colors = none + np.abs(share) * (np.where(share > 0, worse, better) - none)
    return _small(_with_unknown(colors.astype(np.uint8), difference_px), cv2.INTER_AREA)


def side_by_side(parts: Iterable[tuple[BGR, str]]) -> str:
    """Return pictures with their captions in rows of three, four as two by two."""
    parts = list(parts)
    figures = (
        f'<figure style="border:0">{jpeg(image, words, quality=75)}'
        f"<figcaption>{escape(words)}</figcaption></figure>"
        for image, words in parts
    )
    if len(parts) == 4:
        return f'<div style="{_TWO_BY_TWO}">{"".join(figures)}</div>'
    return f'<div class="sheet">{"".join(figures)}</div>'


def _palette() -> BGR:
    count = len(ERRORS.steps)
    colors = (heat(place / count) for place in range(count + 1))
    return np.array([[int(c[i : i + 2], 16) for i in (5, 3, 1)] for c in colors], np.uint8)


def _with_unknown(colors: NDArray[np.integer], values: Float) -> BGR:
    return np.where(np.isfinite(values)[..., None], colors, np.array(_UNKNOWN, np.uint8)).astype(
        np.uint8
    )


def _small(image: NDArray[np.integer], how: int) -> BGR:
    scale = min(1.0, _WIDE / image.shape[1])
    small = cv2.resize(np.ascontiguousarray(image), None, fx=scale, fy=scale, interpolation=how)
    return np.asarray(small, np.uint8)
