"""What the solution leaves unexplained: where in the image, how large, in which direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.report.cameras import cameras
from calib.report.drawing import Plot, round_below, svg, text
from calib.report.html import pair, paragraph, section
from calib.solving.calibration import Calibration, rms
from calib.words import fixed, plain

Float = NDArray[np.float64]

_MOST_DOTS = 1500
_CELLS_ACROSS = 12
_RINGS = 10
_BY_CHANCE = 1.5
"""Means this many times as large as chance makes them are no chance."""


class Left(NamedTuple):
    """What one camera's solution leaves unexplained."""

    name: str
    size: tuple[int, int]
    pixels: Float
    """(M, 2) corners that were used."""
    view: NDArray[np.intp]
    """(M,) of each corner."""
    residuals: Float
    """(M, 2) px, seen minus predicted."""


class CellMeans(NamedTuple):
    """Mean residual of the corners in each cell of an image; each view has one vote in a cell."""

    middles: Float
    """(N, 2) px."""
    means: Float
    """(N, 2) px."""
    sigma: Float
    """(N,) px, of one coordinate of a mean, by how the views differ."""
    cell: float
    """Width of a cell, px."""

    @property
    def rms_px(self) -> float:
        """Of the means."""
        return float(np.sqrt((self.means**2).sum(axis=1).mean())) if len(self.means) else 0.0

    @property
    def chance_px(self) -> float:
        """What that would be if residuals of different views had nothing in common."""
        return float(np.sqrt(2 * (self.sigma**2).mean())) if len(self.sigma) else np.nan


def left_by(c: Calibration) -> list[Left]:
    """The residuals of every camera of a calibration."""
    rows = [(s, n, c.seen.camera == s) for s, n in cameras(c)]
    return [
        Left(n, c.sizes[s], c.seen.pixels[r], c.seen.view[r], c.fit.residuals[r])
        for s, n, r in rows
    ]


def cell_means(left: Left) -> CellMeans:
    """Mean residuals of one camera over its image."""
    cell = left.size[0] / _CELLS_ACROSS
    place = np.floor((left.pixels + 0.5) / cell).astype(int)
    votes, at = np.unique(np.column_stack([place, left.view]), axis=0, return_inverse=True)
    mean = _grouped(left.residuals, at.ravel(), len(votes))
    cells, at = np.unique(votes[:, :2], axis=0, return_inverse=True)
    means = _grouped(mean, at.ravel(), len(cells))
    count = np.bincount(at.ravel(), minlength=len(cells))
    freedom = 2 * float((count - 1).sum())
    spread = np.sqrt(((mean - means[at.ravel()]) ** 2).sum() / freedom) if freedom else np.nan
    several = count > 1  # one view alone says nothing of the lens
    middles = (cells + 0.5) * cell - 0.5
    return CellMeans(middles[several], means[several], spread / np.sqrt(count[several]), cell)


def _grouped(values: Float, group: NDArray[np.intp], count: int) -> Float:
    """(count, 2) means of values (N, 2) by their group."""
    sums = np.column_stack([np.bincount(group, v, minlength=count) for v in values.T])
    return np.asarray(sums / np.bincount(group, minlength=count)[:, None])


def residuals(c: Calibration) -> str:
    """The section about residuals: seen minus predicted, of the corners that were used."""
    shown = left_by(c)
    return section(
        "Residuals",
        paragraph(
            "Where corners were seen, minus where the solution puts them. Noise points anywhere; "
            "arrows that agree over a part of the image are what the lens model or the board's "
            "shape misses.",
            small=True,
        ),
        mean_maps(shown),
        pair([_against_radius(c, left, side) for side, left in enumerate(shown)]),
        pair([_scatter(c, left) for left in shown]),
        pair([_histogram(c, left) for left in shown]),
    )


def mean_maps(shown: Sequence[Left]) -> str:
    """The mean residual over the image of each camera, all with arrows of one scale."""
    means = [cell_means(left) for left in shown]
    largest = max((float(np.hypot(*m.means.T).max(initial=0)) for m in means), default=0.0)
    return pair([_arrows(left, m, largest) for left, m in zip(shown, means, strict=True)])


def _arrows(left: Left, m: CellMeans, largest: float) -> str:
    w, h = left.size
    scale = round_below(max(largest, 1e-4))  # the length of one cell stands for so many px
    gain = m.cell / scale
    sure = np.hypot(*m.means.T) > 3 * m.sigma
    parts = [
        f'<path d="M{x:.0f} {y:.0f}l{gain * dx:.1f} {gain * dy:.1f}" class="{line}" '
        f'stroke-width="{w / 250:.1f}"/><circle cx="{x:.0f}" cy="{y:.0f}" r="{w / 250:.1f}" '
        f'class="{dot}"/>'
        for (x, y), (dx, dy), line, dot in zip(
            m.middles,
            m.means,
            np.where(sure, "red", "blue"),
            np.where(sure, "warn", "over"),
            strict=True,
        )
    ]
    size, low = w / 32, h + w / 32
    parts.append(
        f'<path d="M{size} {low}h{m.cell:.1f}" class="blue" stroke-width="{w / 250:.1f}"/>'
    )
    words = f"this long: {plain(scale)} px"
    parts.append(text(2 * size + m.cell, low, size, words, anchor="start"))
    caption = f"{left.name}: mean residual of each cell, from its dot; {_judged(m)}"
    return svg(w, h + 2 * size, "".join(parts), caption)


def _judged(m: CellMeans) -> str:
    """Say what the cell means tell of the lens model."""
    if not np.isfinite(m.chance_px):
        return "views never overlap, so it says nothing"
    facts = f"rms {fixed(m.rms_px, 3)} px, by chance {fixed(m.chance_px, 3)} px"
    if m.rms_px > _BY_CHANCE * m.chance_px:
        return f"{facts}: more than chance, the model misses something (red: beyond 3 sigma)"
    return f"{facts}: hardly more than chance (red: beyond 3 sigma)"


def _reach(c: Calibration) -> float:
    """Half the width of scatter and histogram, px; the same for both cameras."""
    far = float(np.quantile(np.abs(c.fit.residuals), 0.998))
    return max(far, 4 * c.noise_px, 1e-3) * 1.05


def _scatter(c: Calibration, left: Left) -> str:
    reach, shown = _reach(c), left.residuals
    plot = Plot(
        (-reach, reach),
        (-reach, reach),
        names=("to the right, px", "down, px"),
        size=(420, 400),
    )
    plot.dots(shown[:: max(1, len(shown) // _MOST_DOTS)].clip(-reach, reach), 2.5, "dot")
    turn = np.linspace(0, 2 * np.pi, 60)
    error = rms(shown)
    plot.line(error * np.column_stack([np.cos(turn), np.sin(turn)]), "red", closed=True)
    middle = shown.mean(axis=0)
    return plot.figure(
        f"{left.name}: each corner's residual; the circle is the rms, {fixed(error, 3)} px; mean "
        f"{fixed(middle[0], 3)} right, {fixed(middle[1], 3)} px down"
    )


def _histogram(c: Calibration, left: Left) -> str:
    reach, values = _reach(c), left.residuals.ravel()
    count, edges = np.histogram(values.clip(-reach, reach), bins=41, range=(-reach, reach))
    sigma = float(np.sqrt(np.mean(values**2)))
    x = np.linspace(-reach, reach, 121)
    bell = len(values) * (edges[1] - edges[0]) / (sigma * np.sqrt(2 * np.pi))
    bell = bell * np.exp(-(x**2) / (2 * sigma**2))
    plot = Plot(
        (-reach, reach),
        (0, 1.08 * float(max(count.max(), bell.max()))),
        names=("residual of a coordinate, px", "coordinates"),
    )
    for n, low, high in zip(count, edges[:-1], edges[1:], strict=True):
        (x0, y0), (x1, y1) = plot.at(low, n), plot.at(high, 0)
        plot.add(
            f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" '
            'class="bar"/>'
        )
    plot.line(np.column_stack([x, bell]), "red")
    far = 100 * float((np.abs(values) > 3 * sigma).mean())
    return plot.figure(
        f"{left.name}: {len(values)} coordinates, sigma {fixed(sigma, 3)} px; {fixed(far, 1)} % "
        "beyond three sigma (0.3 % of a bell, red); what is farther stands in the last bars"
    )


def _against_radius(c: Calibration, left: Left, side: int) -> str:
    away = left.pixels - c.fit.state.intrinsics[side][2:4]
    radius = np.hypot(*away.T)
    out = away / np.maximum(radius, 1e-9)[:, None]
    radial = (left.residuals * out).sum(axis=1)
    across = left.residuals[:, 1] * out[:, 0] - left.residuals[:, 0] * out[:, 1]
    edges = np.quantile(radius, np.linspace(0, 1, _RINGS + 1))
    ring = np.clip(np.searchsorted(edges, radius, side="right") - 1, 0, _RINGS - 1)
    middle = np.array([radius[ring == k].mean() for k in range(_RINGS) if (ring == k).any()])
    lines = [
        np.array([v[ring == k].mean() for k in range(_RINGS) if (ring == k).any()])
        for v in (radial, across)
    ]
    reach = 1.2 * max(float(np.abs(lines).max(initial=0)), c.noise_px / 2, 1e-3)
    far = float(radius.max(initial=1))
    plot = Plot(
        (0, 1.02 * far),
        (-reach, reach),
        names=("distance from the principal point, px", "mean residual, px"),
        size=(420, 240),
    )
    plot.line([(0, 0), (1.02 * far, 0)], "axis")
    for values, kind in zip(lines, ("blue", "red"), strict=True):
        plot.line(np.column_stack([middle, values]), f"{kind} thick")
    return plot.figure(
        f"{left.name}: mean residual of {_RINGS} rings, outward (blue) and around the centre "
        f"(red); "
        f"outward rms {fixed(float(np.sqrt(np.mean(lines[0] ** 2))), 3)} px beside "
        f"{fixed(c.noise_px, 3)} px of noise in one corner"
    )
