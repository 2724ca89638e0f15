"""Pictures for people: colour-mapped depth and disparity with a scale, rectified pairs with lines.

Pure functions from arrays to RGB images; only numpy and cv2.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.frame import Float, Image

RGB = NDArray[np.uint8]

_UNKNOWN = (38, 38, 42)
_PAPER = (250, 250, 250)
_INK = (30, 30, 30)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_ROUND = ((1,), (2, 5), (1.5, 3, 4, 7), (2.5, 3.5, 6, 8), (1.2, 1.4, 1.6, 1.8, 2.2, 4.5))
"""First digits of tick labels, the roundest first."""


COLORMAPS = {
    "turbo": cv2.COLORMAP_TURBO,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "gray": cv2.COLORMAP_BONE,
}
"""name -> OpenCV's number."""


def depth_range(depth_m: Float) -> tuple[float, float]:
    """Return (near, far) in metres without the outermost percent; (0, 0) when nothing is known."""
    with np.errstate(divide="ignore"):
        low, high = _limits(1 / depth_m)
    return (1 / high, 1 / low) if high > low > 0 else (0.0, 0.0)


def steadied(
    old: tuple[float, float] | None, now: tuple[float, float], keep: float
) -> tuple[float, float] | None:
    """Return a (near, far) that follows slowly, so that the colours of a sequence do not flicker.

    ``keep`` is the share of ``old`` that stays; (0, 0), nothing known, changes nothing.
    """
    if now[0] <= 0:
        return old
    old = old or now
    return keep * old[0] + (1 - keep) * now[0], keep * old[1] + (1 - keep) * now[1]


def depth_preview(
    depth_m: Float, *, range_m: tuple[float, float] | None = None, colormap: str = "turbo"
) -> RGB:
    """Return depth colour-mapped, near warm and far cold, with a scale in metres.

    The colours are linear in 1/depth, as the evidence is, so that near things keep contrast.
    ``range_m`` (near, far) fixes the scale, which is else that of ``depth_range``.
    """
    with np.errstate(divide="ignore"):
        nearness = 1 / depth_m
    low, high = _limits(nearness) if range_m is None else (1 / range_m[1], 1 / range_m[0])
    picture = _colorize(nearness, low, high, colormap)
    if not high > low:
        return picture
    ticks = _depth_ticks(1 / high, 1 / low)
    marks = [((1 / tick - low) / (high - low), f"{tick:g}") for tick in ticks]
    return _with_scale(picture, marks, "depth, m", colormap)


def disparity_preview(px: Float) -> RGB:
    """Return disparity colour-mapped, near (large) warm, with a scale in pixels."""
    low, high = _limits(px)
    picture = _colorize(px, low, high)
    if not high > low:
        return picture
    marks = [((tick - low) / (high - low), f"{tick:g}") for tick in _round_ticks(low, high)]
    return _with_scale(picture, marks, "disparity, px")


def confidence_preview(confidence: Float) -> RGB:
    """Return confidence from 0 (cold) to 1 (warm) with a scale."""
    marks = [(tick, f"{tick:g}") for tick in (0, 0.25, 0.5, 0.75, 1)]
    return _with_scale(_colorize(confidence, 0, 1), marks, "confidence")


def lines_preview(left: Image, right: Image, *, lines: int = 16) -> RGB:
    """Return a rectified pair side by side with horizontal lines across both.

    A scene point must touch the same line in both halves.
    """
    picture = np.hstack([_rgb8(left), _rgb8(right)])
    height, width = picture.shape[:2]
    colors = ((255, 80, 60), (60, 220, 90), (70, 150, 255))
    thickness = max(1, height // 700)
    for number in range(lines):
        y = round((number + 0.5) * height / lines)
        cv2.line(picture, (0, y), (width, y), colors[number % 3], thickness, cv2.LINE_AA)
    cv2.line(picture, (width // 2, 0), (width // 2, height), _PAPER, 2)
    return picture


def _rgb8(image: Image) -> RGB:
    if image.dtype == np.uint16:
        scale = 255 / max(float(np.percentile(image, 99.9)), 1.0)
        image = np.clip(image * scale, 0, 255).astype(np.uint8)
    if image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2)
    return image.copy()  # type: ignore[return-value]


def _limits(values: NDArray[np.floating]) -> tuple[float, float]:
    """The range without the outermost percent at either end; (0, 0) when nothing is known."""
    known = values[np.isfinite(values)]
    if known.size == 0:
        return 0.0, 0.0
    low, high = np.percentile(known, [1, 99])
    if high - low < 1e-6 * max(abs(high), 1e-6):  # one single value: give it some room
        room = 0.1 * abs(float(high)) + 1e-6
        return float(low) - room, float(high) + room
    return float(low), float(high)


def _colorize(
    values: NDArray[np.floating], low: float, high: float, colormap: str = "turbo"
) -> RGB:
    known = np.isfinite(values)
    span = high - low if high > low else 1.0
    share = np.clip((np.where(known, values, low) - low) / span, 0, 1)
    picture = cv2.cvtColor(_colormap((share * 255).astype(np.uint8), colormap), cv2.COLOR_BGR2RGB)
    picture[~known] = _UNKNOWN
    return picture  # type: ignore[return-value]


def _colormap(levels: NDArray[np.uint8], name: str) -> RGB:
    return cv2.applyColorMap(levels, COLORMAPS[name])  # type: ignore[return-value]


def _round_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten) inside the range."""
    step = 10 ** np.floor(np.log10((high - low) / count))
    step *= next((m for m in (1, 2, 5, 10) if (high - low) / (step * m) <= count), 10)
    return [float(t) for t in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step]


def _depth_ticks(near: float, far: float) -> list[float]:
    """Round depths that stand well apart on a scale linear in 1/depth, the roundest first."""
    powers = [10.0**e for e in range(int(np.floor(np.log10(near))), int(np.log10(far)) + 1)]
    tiers = [sorted(digit * power for power in powers for digit in tier) for tier in _ROUND]
    tiers.append(_round_ticks(near, far))  # a range so narrow that it holds none of these
    gap = (1 / near - 1 / far) / 8
    kept: list[float] = []
    for tick in (t for tier in tiers for t in tier if near <= t <= far):
        if all(abs(1 / tick - 1 / other) >= gap for other in kept):
            kept.append(round(tick, 9))
    return sorted(kept)


def _with_scale(
    picture: RGB, marks: list[tuple[float, str]], title: str, colormap: str = "turbo"
) -> RGB:
    """Put a colour scale below the picture; marks are (share of the range, label)."""
    width = picture.shape[1]
    # letters are a fiftieth of the width, yet never too small to read
    text = _Text(float(np.clip(width / 1400, 0.4, 2.2)))
    unit = max(text.height // 2, 4)
    left, right = 2 * unit + text.width(title) + 2 * unit, width - 3 * unit
    if right - left < 12 * unit:  # too narrow for a readable scale
        return picture
    footer = np.full((7 * unit + text.height, width, 3), _PAPER, np.uint8)
    top, bottom = 2 * unit, 4 * unit
    levels = np.linspace(0, 255, right - left).astype(np.uint8)[None]
    footer[top:bottom, left:right] = cv2.cvtColor(_colormap(levels, colormap), cv2.COLOR_BGR2RGB)
    text.write(footer, title, 2 * unit, (top + bottom + text.height) // 2)
    free_from = left - 2 * unit
    for share, label in sorted(marks):
        x = left + round(share * (right - left - 1))
        start = x - text.width(label) // 2
        if start < free_from or start + text.width(label) > width:
            continue  # labels must not run into each other
        cv2.line(footer, (x, bottom), (x, bottom + unit // 2), _INK, max(1, unit // 8))
        text.write(footer, label, start, bottom + unit + text.height)
        free_from = start + text.width(label) + unit
    return np.vstack([picture, footer])


class _Text:
    """Letters of one size."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.height = self._size("0")[1]

    def _size(self, words: str) -> tuple[int, int]:
        width, height = cv2.getTextSize(words, _FONT, self.scale, 1)[0]
        return width, height

    def width(self, words: str) -> int:
        return self._size(words)[0]

    def write(self, image: RGB, words: str, x: int, baseline: int) -> None:
        cv2.putText(image, words, (x, baseline), _FONT, self.scale, _INK, 1, cv2.LINE_AA)
