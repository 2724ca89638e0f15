"""Where in the images corners were found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.outcome import Outcome
from calib.report.cameras import Seen, seen_by
from calib.report.drawing import dots, svg
from calib.report.html import pair, section
from calib.words import fixed

Float = NDArray[np.float64]

_GRID = (8, 6)
_MOST_DOTS = 2500


def corner_counts(seen: Seen) -> Float:
    """(6, 8) number of corners in each cell of the image."""
    (w, h), (nx, ny) = seen.size, _GRID
    ends = ((-0.5, h - 0.5), (-0.5, w - 0.5))
    counts, _, _ = np.histogram2d(seen.pixels[:, 1], seen.pixels[:, 0], bins=(ny, nx), range=ends)
    return np.asarray(counts)


def coverage(outcome: Outcome) -> str:
    """The section about coverage, of whatever was found."""
    return section("Coverage", pair([_figure(seen) for seen in seen_by(outcome)]))


def _figure(seen: Seen) -> str:
    (w, h), (nx, ny), counts = seen.size, _GRID, corner_counts(seen)
    boxes = "".join(
        f'<rect x="{x * w / nx:.1f}" y="{y * h / ny:.1f}" width="{w / nx:.1f}" '
        f'height="{h / ny:.1f}" class="{"some" if counts[y, x] else "none"}"/>'
        for y in range(ny)
        for x in range(nx)
    )
    shown = seen.pixels[:: max(1, len(seen.pixels) // _MOST_DOTS)]
    share = fixed(100 * float((counts > 0).mean()), 0)
    caption = f"{seen.name}: {len(seen.pixels)} corners, in {share} % of the cells (red: none)"
    return svg(w, h, boxes + dots(shown, w / 125, "dot"), caption)
