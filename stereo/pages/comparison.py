"""The page of ``stereo compare``: differences with their intervals, and where they are largest."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappush, heappushpop
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.report.drawing import Plot, color_scale, svg
from calib.report.html import document, pair, paragraph, section, table
from calib.words import fixed
from stereo.evaluation.compare import Compared, Difference
from stereo.files.atomic import write_whole
from stereo.frame import Float
from stereo.pages.maps import (
    ERRORS,
    difference_picture,
    disparity_picture,
    error_picture,
    picture,
    side_by_side,
)

_MOST_PICTURED = 8


class ComparisonPage:
    """Gathers one figure of each pair, and pictures of those where it differs most."""

    def __init__(self, names: Sequence[str], metric: str) -> None:
        """``names`` of the candidates, the first the one to compare with; the ``metric`` shown."""
        self._names = names
        self._metric = metric
        self._values: list[tuple[str, list[float]]] = []
        self._most: list[tuple[float, int, str]] = []
        self._truth = True

    def add(self, compared: Compared) -> None:
        """Take one pair."""
        self._truth = compared.truth is not None
        values = [figures[self._metric] for figures in compared.figures]
        self._values.append((compared.item.name, values))
        apart = [
            figures["disagreement"] if compared.truth is None else abs(value - values[0])
            for figures, value in zip(compared.figures, values, strict=True)
        ]
        other = int(np.nanargmax(apart[1:])) + 1 if np.isfinite(apart[1:]).any() else 1
        key = float(np.nan_to_num(apart[other])), -len(self._values)
        if len(self._most) < _MOST_PICTURED:
            heappush(self._most, (*key, self._figures(compared, other)))
        elif key[0] > self._most[0][0]:
            heappushpop(self._most, (*key, self._figures(compared, other)))

    def write(self, path: Path, found: Sequence[Sequence[Difference]]) -> None:
        """Write the page; ``found``: of each candidate but the first. Raises OutputError."""
        write_whole(path, self.render(found).encode())

    def render(self, found: Sequence[Sequence[Difference]]) -> str:
        """Return the page as text."""
        body = [
            *(
                section(f"{name} against {self._names[0]}", _table(self._names[0], name, each))
                for name, each in zip(self._names[1:], found, strict=True)
            ),
            paragraph(
                "The interval holds the mean of 95 % of the sets of pairs drawn anew from these "
                "(bootstrap). Where it holds 0, chance may explain the difference.",
                small=True,
            ),
            self._plots(),
            self._pictures(),
        ]
        title = f"{' / '.join(self._names)} on {len(self._values)} pairs"
        return document(title, "\n".join(part for part in body if part))

    def _plots(self) -> str:
        figures = []
        for other, name in enumerate(self._names[1:], 1):
            points = np.array([(v[0], v[other]) for _, v in self._values], float)
            points = points[np.isfinite(points).all(axis=1)]
            if not len(points):
                continue
            top = 1.05 * max(float(points.max()), 1e-3)
            plot = Plot((0, top), (0, top), names=(self._names[0], name), size=(320, 320))
            plot.line([(0, 0), (top, top)], "grid")
            plot.dots(points, 6, "blue")
            words = f"{self._metric} of each pair: {name} over {self._names[0]}"
            figures += [plot.figure(words), self._sorted(points[:, 1] - points[:, 0], name)]
        return section("Pair by pair", pair(figures))

    def _sorted(self, each: NDArray[np.float64], name: str) -> str:
        """How the differences are spread, over a few pairs or over all."""
        reach = 1.1 * max(float(np.abs(each).max()), 1e-3)
        plot = Plot(
            (0, len(each) + 1), (-reach, reach), names=("pair", "difference"), size=(320, 320)
        )
        plot.line([(0, 0), (len(each) + 1, 0)], "axis")
        for rank, value in enumerate(np.sort(each), 1):
            plot.line([(rank, 0), (rank, value)], "red" if value > 0 else "blue")
        return plot.figure(f"{name} - {self._names[0]}, pairs in order")

    def _pictures(self) -> str:
        most = [figures for *_, figures in sorted(self._most, reverse=True)]
        words = "how far these are apart"
        scale = ""
        if self._truth:
            words = f"whose error is larger: blue that of {self._names[0]}, red the other's"
        else:
            colors, height = color_scale(480, 0, ERRORS)
            scale = svg(480, height, colors, "Distance between two maps, px")
        return section(
            "Where they differ most",
            paragraph(f"Left image and both maps; then {words}. Gray: unknown."),
            scale,
            *most,
        )

    def _figures(self, compared: Compared, other: int) -> str:
        maps = [compared.estimates[i] for i in (0, other)]
        filled = [one.px if one.dense is None else one.dense for one in maps]
        shown = [one.px for one in maps] if compared.truth is None else filled
        known = np.concatenate([px[np.isfinite(px)] for px in shown])
        most = float(np.percentile(known, 99)) if known.size else 1.0
        name, metric = compared.item.name, self._metric
        words = [
            f"{self._names[i]}: {metric} {fixed(compared.figures[i][metric], 2)}"
            for i in (0, other)
        ]
        parts = [
            (picture(compared.pair.left), name),
            *((disparity_picture(px, most), said) for px, said in zip(shown, words, strict=True)),
            _apart(shown, compared, other),
        ]
        return side_by_side(parts)


def _apart(shown: Sequence[Float], compared: Compared, other: int) -> tuple[np.ndarray, str]:
    apart = fixed(compared.figures[other]["disagreement"], 1)
    if compared.truth is None:
        return error_picture(np.abs(shown[1] - shown[0])), f"{apart} % apart by more than 1 px"
    first, second = (np.abs(px - compared.truth) for px in shown)
    return difference_picture(second - first), f"whose error is larger; {apart} % > 1 px apart"


def _table(first: str, other: str, found: Sequence[Difference]) -> str:
    rows = [
        (
            one.figure,
            fixed(one.first, 2),
            fixed(one.other, 2),
            fixed(one.mean, 2),
            f"{fixed(one.low, 2)} to {fixed(one.high, 2)}" if np.isfinite(one.low) else "-",
            f"{one.larger} / {one.smaller} of {one.pairs}",
            one.verdict,
        )
        for one in found
    ]
    header = (
        *("figure", first, other, "difference", "95 % interval", "larger / smaller on"),
        f"{other} is",
    )
    return table(header, rows)
