"""What the corners of a session say before anything is solved: pairs that are no views of a rig."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from calib.detection.detection import Detection
from calib.solving.calibration import Rejected, View
from calib.solving.copies import COPY, first_alike

_SAME_PX = 0.5
"""rms distance of corners below which two images were taken from one place: the noise of corners
is a few tenths at most, and no hand holds a board that still."""
_SHARP_PX, _BLURRED_PX = 2.5, 6.0  # width of edges (the second at 1280 px): never, always blurred
_BLURRED_SHARE = (
    1.5  # of the width of a sharp view's edges; where they are 2.5 px, good views reach 1.2
)


def set_aside(views: Sequence[View]) -> tuple[list[View], list[Rejected]]:
    """The views to solve from; and the others: of another size, one image twice, a view again."""
    kept, out = _one_size(views)
    kept, same = _two_images(kept)
    kept, again = _once(kept)
    return kept, [*out, *same, *again]


def _one_size(views: Sequence[View]) -> tuple[list[View], list[Rejected]]:
    sizes = [(view.left.size, view.right.size) for view in views]
    if not sizes:
        return [], []
    usual = Counter(sizes).most_common(1)[0][0]  # of equally many those that come first
    kept = [view for view, size in zip(views, sizes, strict=True) if size == usual]
    out = [
        Rejected(view.name, "mixed_sizes", _size_reason(size, usual))
        for view, size in zip(views, sizes, strict=True)
        if size != usual
    ]
    return kept, out


def _size_reason(size: tuple[tuple[int, int], ...], usual: tuple[tuple[int, int], ...]) -> str:
    said = [
        f"its {side} image is {w}x{h} and most are {u}x{v}"
        for side, (w, h), (u, v) in zip(("left", "right"), size, usual, strict=True)
        if (w, h) != (u, v)
    ]
    return " and ".join(said) + "; calibrate one size at a time"


def _two_images(views: Sequence[View]) -> tuple[list[View], list[Rejected]]:
    kept = [view for view in views if not _same(view.left, view.right)]
    out = [
        Rejected(view.name, "same_images", "left and right are the same image")
        for view in views
        if _same(view.left, view.right)
    ]
    return kept, out


def _once(views: Sequence[View]) -> tuple[list[View], list[Rejected]]:
    first = first_alike(views)
    kept = [view for i, view in enumerate(views) if first[i] == i]
    out = [
        Rejected(view.name, "duplicate", COPY.format(views[n].name))
        for i, (view, n) in enumerate(zip(views, first, strict=True))
        if n != i
    ]
    return kept, out


def _same(a: Detection, b: Detection) -> bool:
    if a.size != b.size or not np.array_equal(a.ids, b.ids):
        return False
    return bool(((a.points - b.points) ** 2).sum(axis=1).mean() < _SAME_PX**2)


def blurred(views: Sequence[View]) -> dict[str, float]:
    """Names of blurred views -> the width of their edges (px)."""
    widths = {view.name: _width(view) for view in views}
    known = [width for width in widths.values() if np.isfinite(width)]
    if not known:
        return {}
    usual = float(np.quantile(known, 0.25))  # up to three quarters may be blurred
    largest = max(max(view.left.size) for view in views)
    scale = max(1, largest / 1280)
    limit = max(_SHARP_PX, min(_BLURRED_PX * scale, _BLURRED_SHARE * usual))
    return {name: width for name, width in widths.items() if width > limit}


def _width(view: View) -> float:
    """Of the edges in the worse of its images; NaN when neither is known."""
    known = [one.edge_px for one in (view.left, view.right) if np.isfinite(one.edge_px)]
    return max(known, default=float("nan"))
