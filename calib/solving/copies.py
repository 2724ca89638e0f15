"""Views that show the same as another one: they say nothing new, however often they are taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.detection.detection import Detection
from calib.solving.calibration import View

TOO_ALIKE = (
    "the {} pairs show only {} different positions of the board; at least {} are needed and 15 to "
    "30 are good"
)
COPY = "shows the board where {} shows it: it adds nothing"
_ALIKE = 0.002
"""Of the image's width: corners of a board held still differ by less, of a board moved by more."""


def first_alike(views: Sequence[View]) -> list[int]:
    """(V,) number of the first view with the board at the same place; of a distinct view its own.

    A camera and a board that both stand still give the same corners again, with the same errors of
    print, lens and light. Such views must not shorten error bars, and count once.
    """
    first: list[int] = []
    for view in views:
        distinct = sorted(set(first))
        same = [i for i in distinct if _same(view, views[i])]
        first.append(same[0] if same else len(first))
    return first


def distinct_views(views: Sequence[View]) -> list[View]:
    """The views without those that show the same as an earlier one."""
    return [
        view for i, (view, n) in enumerate(zip(views, first_alike(views), strict=True)) if i == n
    ]


def _same(a: View, b: View) -> bool:
    return _alike(a.left, b.left) and _alike(a.right, b.right)


def _alike(a: Detection, b: Detection) -> bool:
    if a.size != b.size:
        return False
    _, i, j = np.intersect1d(a.ids, b.ids, return_indices=True)
    if 2 * len(i) < max(len(a.ids), len(b.ids)):
        return False
    gap = a.points[i] - b.points[j]
    return bool(np.sqrt((gap**2).sum(axis=1).mean()) < _ALIKE * a.size[0]) if len(i) else True
