"""The page of ``stereo eval``: figures of every pair, plots, and what the worst pairs look like."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappush, heappushpop
from pathlib import Path

import numpy as np

from calib.report.drawing import Plot, color_scale, svg
from calib.report.html import document, pair, paragraph, section, table, tiles
from calib.words import fixed, length
from stereo.evaluation.evaluate import Metrics, mean_of
from stereo.evaluation.scoring import Score, Scored
from stereo.evaluation.sparsification import DROPPED_PERCENT
from stereo.files.atomic import write_whole
from stereo.pages.maps import ERRORS, disparity_picture, error_picture, picture, side_by_side

_MOST_PICTURED = 12
"""Pairs whose maps are shown: the worst."""
_MOST_ROWS = 400
_COLUMNS = {
    "density": "density, %",
    "dense_1": "off > 1 px, %",
    "dense_2": "> 2 px, %",
    "dense_4": "> 4 px, %",
    "dense_mae_px": "mean error, px",
    "a90_px": "A90, px",
    "d1_all": "D1, %",
    "edge_2": "at edges > 2 px, %",
    "smooth_2": "smooth > 2 px, %",
    "sigma_2": "in 2 bars, %",
    "ause_px": "AUSE, px",
}
_STEPS = {"dense_0_5": 0.5, "dense_1": 1, "dense_2": 2, "dense_3": 3, "dense_4": 4}
_EXPECTED = (68.3, 95.4, 99.7)
"""Share of a normal distribution within 1, 2, 3 sigma, %."""


class EvaluationPage:
    """Gathers scores, and pictures of the worst pairs only, so that many pairs take no memory."""

    def __init__(self, name: str) -> None:
        """``name`` is what was judged."""
        self._name = name
        self._scores: list[Score] = []
        self._worst: list[tuple[float, int, str]] = []

    def add(self, scored: Scored) -> None:
        """Take one pair."""
        self._scores.append(scored.score)
        badness = scored.score.metrics.dense_2
        if len(self._worst) < _MOST_PICTURED:
            heappush(self._worst, (badness, -len(self._scores), _figures(scored)))
        elif badness > self._worst[0][0]:
            heappushpop(self._worst, (badness, -len(self._scores), _figures(scored)))

    def write(self, path: Path) -> None:
        """Write the page. Raises OutputError when it cannot be written whole."""
        write_whole(path, self.render().encode())

    def render(self) -> str:
        """Return the page as text."""
        mean = mean_of([score.metrics for score in self._scores])
        body = [
            tiles(_facts(self._scores, mean)),
            _plots(self._scores, mean),
            _table(self._scores, mean),
            self._pictures(),
        ]
        return document(
            "Disparity against truth",
            "\n".join(part for part in body if part),
            heading=f"{self._name} against ground truth",
        )

    def _pictures(self) -> str:
        worst = [figures for _, _, figures in sorted(self._worst, reverse=True)]
        few = len(worst) < len(self._scores)
        said = f"The {len(worst)} worst of {len(self._scores)} pairs. " if few else ""
        scale, height = color_scale(480, 0, ERRORS)
        return section(
            "Where it is wrong",
            paragraph(
                f"{said}The worst first, by dense_2: left image, the map as scored, its error. "
                "Gray: the map has no answer, or the truth is not known."
            ),
            svg(480, height, scale, "Error of disparity, px"),
            *worst,
        )


def _facts(scores: Sequence[Score], mean: Metrics) -> list[tuple[str, str]]:
    facts = [
        ("pairs", str(len(scores))),
        ("off by more than 2 px", f"{fixed(mean.dense_2, 2)} %"),
        ("mean error", f"{fixed(mean.dense_mae_px, 2)} px"),
        ("D1", f"{fixed(mean.d1_all, 2)} %"),
        ("density", f"{fixed(mean.density, 1)} %"),
    ]
    if np.isfinite(mean.sigma_2):
        facts.append(("truth within 2 error bars", f"{fixed(mean.sigma_2, 1)} %"))
    if np.isfinite(mean.depth_median_m):
        facts.append(("median error of depth", length(mean.depth_median_m)))
    times = [score.time_s for score in scores if np.isfinite(score.time_s)]
    if times:
        facts.append(("time a pair", f"{fixed(float(np.mean(times)), 2)} s"))
        facts.append(("peak memory", f"{fixed(max(s.peak_memory_mb for s in scores), 0)} MB"))
    return facts


def _plots(scores: Sequence[Score], mean: Metrics) -> str:
    return section(
        "Over all pairs", pair([_error_plot(scores, mean), _dropped_plot(scores), _bars_plot(mean)])
    )


def _error_plot(scores: Sequence[Score], mean: Metrics) -> str:
    top = max(max(getattr(score.metrics, name) for name in _STEPS) for score in scores)
    plot = Plot((0, 4.2), (0, max(1.0, 1.05 * top)), names=("error above, px", "visible pixels, %"))
    for score in scores[:_MOST_ROWS]:
        plot.line([(px, getattr(score.metrics, name)) for name, px in _STEPS.items()], "grid")
    points = [(px, getattr(mean, name)) for name, px in _STEPS.items()]
    plot.line(points, "blue thick")
    plot.dots(np.array(points), 6, "blue")
    return plot.figure(
        "Share of pixels whose error is above: mean of the pairs (blue), each (gray)"
    )


def _dropped_plot(scores: Sequence[Score]) -> str:
    curves = [score.sparsification_px for score in scores if score.sparsification_px]
    if not curves:
        return ""
    ideals = [score.sparsification_ideal_px for score in scores if score.sparsification_px]
    curve, ideal = np.mean(curves, axis=0), np.mean(ideals, axis=0)
    plot = Plot((0, 100), (0, 1.1 * max(curve.max(), 1e-3)), names=("dropped, %", "mean error, px"))
    plot.line(list(zip(DROPPED_PERCENT, ideal, strict=True)), "red")
    plot.line(list(zip(DROPPED_PERCENT, curve, strict=True)), "blue thick")
    return plot.figure(
        "Sparsification: the least confident pixels dropped first (blue), the worst first (red)"
    )


def _bars_plot(mean: Metrics) -> str:
    shares = (mean.sigma_1, mean.sigma_2, mean.sigma_3)
    if not np.isfinite(shares).all():
        return ""
    plot = Plot((0, 3.3), (0, 105), names=("error bars", "truth within, %"), x_ticks=(1, 2, 3))
    for values, kind in ((_EXPECTED, "red"), (shares, "blue")):
        points = [(0.0, 0.0), *((i + 1.0, value) for i, value in enumerate(values))]
        plot.line(points, kind)
        plot.dots(np.array(points[1:]), 6, kind)
    return plot.figure("How often the error bars hold (blue); if errors were normal (red)")


def _table(scores: Sequence[Score], mean: Metrics) -> str:
    names = [name for name in _COLUMNS if np.isfinite(getattr(mean, name))]
    lines = [("mean", mean), *((score.name, score.metrics) for score in scores[:_MOST_ROWS])]
    rows = [
        (name, *(_cell(getattr(metrics, column)) for column in names)) for name, metrics in lines
    ]
    more = f"The first {_MOST_ROWS} of {len(scores)}." if len(scores) > _MOST_ROWS else ""
    words = (
        "Of the visible pixels, holes filled, but for density, bars and AUSE, which are of the map "
        "as it is. AUSE is the area between the curves of the sparsification."
    )
    header = ("pair", *(_COLUMNS[name] for name in names))
    return section("Pairs", table(header, rows), paragraph(f"{words} {more}".strip(), small=True))


def _cell(value: float) -> str:
    return fixed(value, 2) if np.isfinite(value) else "-"


def _figures(scored: Scored) -> str:
    """What one pair looks like; only text is kept of it."""
    shown = scored.filled
    metrics, name = scored.score.metrics, scored.score.name
    known = scored.truth[np.isfinite(scored.truth)]
    most = float(np.percentile(known, 99)) if known.size else 1.0
    parts = (
        (picture(scored.pair.left), f"{name}: left image"),
        (disparity_picture(shown, most), f"disparity, to {fixed(most, 0)} px"),
        (
            error_picture(np.abs(shown - scored.truth)),
            f"error: {fixed(metrics.dense_2, 2)} % above 2 px, mean "
            f"{fixed(metrics.dense_mae_px, 2)} px",
        ),
    )
    return side_by_side(parts)
