"""The row errors of a rig as a picture: a stroke for each match, as long and coloured as it is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.health.check import Health
from calib.health.features import Gray
from calib.health.row_errors import Rows
from calib.words import fixed

Picture = NDArray[np.uint8]
Float = NDArray[np.float64]

_LONGEST_PX = 24.0
_BELOW, _ABOVE, _LEVEL = (255, 120, 80), (80, 170, 255), (120, 230, 120)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_BAR = 34
_WIDEST = 960
_MOST = 3000


def picture(health: Health, left: Gray) -> Picture:
    """Return (H, W, 3) RGB: row errors on the left image, as they are, and what would remain.

    ``left`` (H, W) is the raw image of any of the pairs. Strokes point to where the right image
    shows the point; red ones down, blue ones up, green ones are level within 0.3 px.
    """
    panels = [_panel(health, left, health.rows, "as it is")]
    if health.explanation is not None and not any(f.stops for f in health.findings):
        panels.append(_panel(health, left, health.explanation.rows, "after a repair"))
    return np.vstack(panels)


def _panel(health: Health, left: Gray, rows: Rows, title: str) -> Picture:
    scale = min(1.0, _WIDEST / left.shape[1])
    small = cv2.resize(left, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = cv2.cvtColor((small // 2).astype(np.uint8), cv2.COLOR_GRAY2RGB)
    # one scale for both panels: the second shall look as much better as it is
    largest = max(float(np.percentile(np.abs(health.rows.error), 95)), 0.5) if len(rows) else 1.0
    stretch = _LONGEST_PX / largest
    at = np.concatenate([m.left for m in health.matches])[rows.kept] * scale
    every = max(1, -(-len(at) // _MOST))
    for (x, y), error in zip(at[::every], rows.error[::every], strict=True):
        tip = y - float(np.clip(error * stretch, -2 * _LONGEST_PX, 2 * _LONGEST_PX))
        colour = _LEVEL if abs(error) <= 0.3 else _BELOW if error < 0 else _ABOVE
        cv2.line(canvas, _at(x, y), _at(x, tip), colour, 1, cv2.LINE_AA, shift=4)
        cv2.circle(canvas, _at(x, y), 24, colour, -1, cv2.LINE_AA, shift=4)
    return _titled(np.asarray(canvas, np.uint8), rows, title, stretch)


def _titled(canvas: Picture, rows: Rows, title: str, stretch: float) -> Picture:
    bar = np.full((_BAR, canvas.shape[1], 3), 24, np.uint8)
    text = (
        f"{title}: rows {fixed(rows.median_px, 2)} px apart (median of {len(rows)}), "
        f"strokes {stretch:.0f} times as long"
    )
    size = min(0.5, 0.5 * canvas.shape[1] / 620)
    cv2.putText(bar, text, (8, 22), _FONT, size, (235, 235, 235), 1, cv2.LINE_AA)
    return np.vstack([bar, canvas])


def _at(x: float, y: float) -> tuple[int, int]:
    """A place in sixteenths of a pixel, as cv2 takes it with ``shift=4``."""
    return round(16 * x), round(16 * y)
