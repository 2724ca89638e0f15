"""Pictures for people: colour-mapped depth and disparity with a scale, rectified pairs with lines.

Pure functions from arrays to RGB images; only numpy and cv2.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.words import number, plain
from stereo.frame import Float, Image, Mask

RGB = NDArray[np.uint8]

_UNKNOWN = {"turbo": (104, 104, 108), "viridis": (104, 104, 108), "gray": (96, 40, 40)}
"""Where nothing is known: a colour that the colour map does not have, least of all for 0."""
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
    low, high = _limits(_nearness(depth_m))
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
    nearness = _nearness(depth_m)
    low, high = _limits(nearness) if range_m is None else (1 / range_m[1], 1 / range_m[0])
    picture = _colorize(nearness, low, high, colormap)
    if not high > low > 0:
        return picture
    ticks = _depth_ticks(1 / high, 1 / low)
    marks = [((1 / tick - low) / (high - low), plain(tick)) for tick in ticks]
    ends = (number(1 / low), number(1 / high))
    return _with_scale(picture, marks, ends, "depth, m", colormap)


def disparity_preview(px: Float) -> RGB:
    """Return disparity colour-mapped, near (large) warm, with a scale in pixels."""
    low, high = _limits(px)
    picture = _colorize(px, low, high)
    if not high > low:
        return picture
    marks = [((tick - low) / (high - low), plain(tick)) for tick in _round_ticks(low, high)]
    ends = (number(low), number(high))
    return _with_scale(picture, marks, ends, "disparity, px", "turbo")


def sigma_preview(sigma_m: Float) -> RGB:
    """Return the error bar colour-mapped, small dark and large bright, with a scale in mm or m.

    The colours are linear in its logarithm, as it grows with the square of distance.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        powers = np.log10(np.where(sigma_m > 0, sigma_m, np.float32(np.nan)))
    low, high = _limits(powers)
    picture = _colorize(powers, low, high, "viridis")
    if not high > low:
        return picture
    unit, per_m = ("m", 1) if high > 0.3 else ("mm", 1000)
    tens = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    ticks = [digit * 10.0**power for digit in (1, 2, 5) for power in tens]
    marks = [((float(np.log10(t)) - low) / (high - low), plain(per_m * t)) for t in ticks]
    inside = [(share, label) for share, label in marks if 0 <= share <= 1]
    ends = (number(per_m * 10**low, 2), number(per_m * 10**high, 2))
    return _with_scale(picture, inside, ends, f"error bar (1 sigma), {unit}", "viridis")


def confidence_preview(confidence: Float, known: Mask | None = None) -> RGB:
    """Return confidence from 0 (cold) to 1 (warm) with a scale.

    Where ``known`` (H, W) is False, or confidence NaN, nothing was matched: shown as unknown.
    """
    if known is not None:
        confidence = np.where(known, confidence, np.float32(np.nan))
    marks = [(tick, plain(tick)) for tick in (0.25, 0.5, 0.75)]
    return _with_scale(_colorize(confidence, 0, 1), marks, ("0", "1"), "confidence", "turbo")


def lines_preview(left: Image, right: Image, *, lines: int = 16) -> RGB:
    """Return a rectified pair side by side with horizontal lines across both.

    A scene point must touch the same line in both halves.
    """
    picture = np.hstack([_rgb8(left), _rgb8(right)])
    height, width = picture.shape[:2]
    colors = ((255, 80, 60), (60, 220, 90), (70, 150, 255))
    thickness = max(1, height // 700)
    for line in range(lines):
        y = round((line + 0.5) * height / lines)
        cv2.line(picture, (0, y), (width, y), colors[line % 3], thickness, cv2.LINE_AA)
    cv2.line(picture, (width // 2, 0), (width // 2, height), _PAPER, 2)
    return picture


def _rgb8(image: Image) -> RGB:
    if image.dtype == np.uint16:
        scale = 255 / max(float(np.percentile(image, 99.9)), 1.0)
        image = np.clip(image * scale, 0, 255).astype(np.uint8)
    if image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2)
    return image.copy()  # type: ignore[return-value]


def _nearness(depth_m: Float) -> Float:
    """1/m; NaN where nothing can be: nearer than a micrometre."""
    known = np.where(np.abs(depth_m) > 1e-6, depth_m, np.float32(np.nan))
    return np.asarray(1 / known, np.float32)


def _drawn(values: NDArray[np.floating]) -> Mask:
    """Where a value is a number, and none so large that differences overflow."""
    return np.asarray(np.abs(values) < 1e30)


def _limits(values: NDArray[np.floating]) -> tuple[float, float]:
    """The range without the outermost percent at either end; (0, 0) when nothing is known."""
    known = values[_drawn(values)]
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
    known = _drawn(values)
    span = high - low if high > low else 1.0
    share = np.clip((np.where(known, values, low) - low) / span, 0, 1)
    picture = cv2.cvtColor(_colormap((share * 255).astype(np.uint8), colormap), cv2.COLOR_BGR2RGB)
    picture[~known] = _UNKNOWN[colormap]
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
            kept.append(float(f"{tick:.9g}"))
    return sorted(kept)


def _with_scale(
    picture: RGB,
    marks: list[tuple[float, str]],
    ends: tuple[str, str],
    title: str,
    colormap: str,
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
    if right - left > 60 * unit:
        right = _write_unknown(footer, text, (top, bottom), unit, colormap)
    levels = np.linspace(0, 255, right - left).astype(np.uint8)[None]
    footer[top:bottom, left:right] = cv2.cvtColor(_colormap(levels, colormap), cv2.COLOR_BGR2RGB)
    text.write(footer, title, 2 * unit, (top + bottom + text.height) // 2)
    for x, start, label in _placed(text, [(0.0, ends[0]), (1.0, ends[1]), *marks], left, right):
        cv2.line(footer, (x, bottom), (x, bottom + unit // 2), _INK, max(1, unit // 8))
        text.write(footer, label, start, bottom + unit + text.height)
    return np.vstack([picture, footer])


def _write_unknown(
    footer: RGB, text: _Text, rows: tuple[int, int], unit: int, colormap: str
) -> int:
    """Say at the right end which colour means unknown; return where the scale has to end."""
    word = "unknown"
    start: int = footer.shape[1] - 2 * unit - text.width(word)
    footer[rows[0] : rows[1], start - 4 * unit : start - unit] = _UNKNOWN[colormap]
    text.write(footer, word, start, (sum(rows) + text.height) // 2)
    return start - 8 * unit


def _placed(
    text: _Text, marks: list[tuple[float, str]], left: int, right: int
) -> list[tuple[int, int, str]]:
    """(x of the tick, x of its label, label) of the marks whose labels do not run into earlier
    ones: the ends come first, and always have theirs.
    """
    gap = text.height
    kept: list[tuple[int, int, str]] = []
    for share, label in marks:
        x = left + round(share * (right - left - 1))
        start, wide = x - text.width(label) // 2, text.width(label)
        if all(start + wide + gap < s or start > s + text.width(w) + gap for _, s, w in kept):
            kept.append((x, start, label))
    return kept


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
