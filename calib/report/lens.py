"""How well each lens is known over its image: by the covariance, and by two halves of the views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.judging.pixel_error import (
    image_grid,
    projection_covariance,
    projection_difference,
    worst_sigma,
)
from calib.judging.quality import Quality
from calib.report.cameras import cameras, hull, inside, lens_of, outline
from calib.report.drawing import PIXELS, short, text, value_map
from calib.report.html import pair, paragraph, section
from calib.solving.calibration import Calibration
from calib.solving.state import State
from calib.words import fixed, number

Float = NDArray[np.float64]

HALVES_SIGMA = 2.0
"""Two halves with half of the views each differ by so many times the sigma of the whole."""
TOO_FAR = 2.0
"""Halves that differ by so many times what the error bars say contradict them."""


@dataclass(frozen=True, eq=False, slots=True)
class LensMaps:
    """What is known of one lens over its image."""

    size: tuple[int, int]
    grid: Float
    """(N, 2) px."""
    cell: tuple[float, float]
    border: Float
    """(K, 2) px, around the corners that were seen."""
    sigma: Float
    """(N,) px in the worst direction, at infinity."""
    apart: Float | None
    """(N, 2) px from one half's lens to the other's; None: too few views for halves."""
    foretold_px: float
    """What the covariance says of ``apart``: its rms where corners were seen."""

    @property
    def apart_px(self) -> float:
        """Rms of ``apart`` where corners were seen; NaN: no halves."""
        if self.apart is None:
            return np.nan
        seen = inside(self.border, self.grid)
        return float(np.sqrt(np.nanmean((self.apart[seen] ** 2).sum(axis=1))))


def lens_maps(c: Calibration, q: Quality, halves: tuple[State, State] | None) -> list[LensMaps]:
    """The maps of every camera."""
    out, start = [], 0
    for side, _ in cameras(c):
        lens = lens_of(c.fit.state, side)
        seen = c.seen.pixels[c.seen.camera == side]
        grid, cell = image_grid(c.sizes[side])
        rows = slice(start, start + len(lens.values))
        start += len(lens.values)
        covariance = projection_covariance(lens, q.covariance[rows, rows], grid, seen)
        border = hull(seen)
        within = covariance[inside(border, grid)]
        foretold = HALVES_SIGMA * float(np.sqrt(np.nanmean(within[:, 0, 0] + within[:, 1, 1])))
        apart = None
        if halves is not None:
            one, two = (lens_of(state, side) for state in halves)
            apart = projection_difference(one, two, grid, seen)
        sigma = worst_sigma(covariance)
        out.append(LensMaps(c.sizes[side], grid, cell, border, sigma, apart, foretold))
    return out


def lenses(c: Calibration, maps: list[LensMaps]) -> str:
    """The section about each lens over its image."""
    if c.fixed_intrinsics:
        return section("Lenses", paragraph("Taken as given, not solved: nothing is known here."))
    names = [name for _, name in cameras(c)]
    return section(
        "Lenses",
        paragraph(
            "Where the picture of a far point would lie if the session were repeated: one standard "
            "deviation in the worst direction, for points at infinity, after the rotation that the "
            "lens brings with it. Outside of the dashed line no corner was seen: there the figures "
            "rest on the lens model alone.",
            small=True,
        ),
        pair([_uncertainty(name, m) for name, m in zip(names, maps, strict=True)]),
        pair([_difference(name, m) for name, m in zip(names, maps, strict=True)]),
        paragraph(halves_comment(names, maps)),
    )


def _uncertainty(name: str, m: LensMaps) -> str:
    seen = m.sigma[inside(m.border, m.grid)]
    typical = number(float(np.nanmedian(seen)), 2) if len(seen) else "unknown"
    caption = (
        f"{name}: projection uncertainty at infinity, 1 sigma, px; median where corners were seen "
        f"{typical}, worst in the image {number(float(np.nanmax(m.sigma)), 2)}"
    )
    over = outline(m.border) + _numbers(m, m.sigma)
    return value_map(m.size, m.grid, m.sigma, m.cell, PIXELS, over, caption)


def _difference(name: str, m: LensMaps) -> str:
    if m.apart is None:
        return ""
    size = np.hypot(*m.apart.T)
    caption = (
        f"{name}: two calibrations from every second view, difference at infinity without the "
        f"rotation, px; rms where corners were seen {number(m.apart_px, 2)}, error bars foretell "
        f"{number(m.foretold_px, 2)}"
    )
    over = outline(m.border) + _numbers(m, size)
    return value_map(m.size, m.grid, size, m.cell, PIXELS, over, caption)


def _numbers(m: LensMaps, values: Float) -> str:
    """A few of a map's values, written on it."""
    w, h = m.size
    wanted = [(x * w, y * h) for y in (0.06, 0.5, 0.94) for x in (0.06, 0.28, 0.5, 0.72, 0.94)]
    parts = []
    for x, y in wanted:
        i = int(np.argmin(np.hypot(*(m.grid - (x, y)).T)))
        if np.isfinite(values[i]):
            dark = values[i] > PIXELS.steps[len(PIXELS.steps) // 2]
            kind = "on-dark" if dark else "on-light"
            at = m.grid[i]
            parts.append(text(at[0], at[1], w / 30, short(values[i]), kind=kind))
    return "".join(parts)


def halves_comment(names: list[str], maps: list[LensMaps]) -> str:
    """What the halves say of the error bars of the lenses."""
    if any(m.apart is None for m in maps):
        return "Too few views for two halves: six or more are needed."
    far = [n for n, m in zip(names, maps, strict=True) if m.apart_px > TOO_FAR * m.foretold_px]
    if not far:
        return "The two halves differ no more than the error bars say."
    return (
        f"The two halves of the {' and the '.join(far)} camera differ by more than "
        f"{fixed(TOO_FAR, 0)} times what the error bars say: trust the difference, not the bars. "
        "Usual causes: something changed during the session, a lens model that does not fit, or "
        "few views that tilt the board."
    )
