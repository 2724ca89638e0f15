"""Pictures to look at: what a map says of a pair, and what kinds of errors it makes where.

All pictures are RGB uint8. A pixel has one class, the first in ``CLASSES`` that fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.evaluation.regions import near_edges
from stereo.frame import Float, Image, Mask
from stereo.gray import to_rgb8

RGB = NDArray[np.uint8]

CLASSES = {
    "truth unknown": (0, 0, 0),
    "hidden, off > 2": (110, 70, 60),
    "hidden, right": (70, 70, 75),
    "right, matched": (60, 105, 60),
    "right, filled": (60, 140, 170),
    "off by 1 to 2": (215, 200, 70),
    "> 2, filled": (200, 60, 215),
    "> 2, near an edge": (240, 140, 40),
    "> 2, matched": (225, 35, 35),
}
"""Name -> colour. Hidden: the right camera does not see it. Filled: a hole of the map that was
matched, or a value that came after matching."""

_WIDTH_PX = 480  # of a panel
_TEXT = cv2.FONT_HERSHEY_SIMPLEX


class Judged(NamedTuple):
    """A pair, its truth, and the map that is judged."""

    name: str
    image: Image
    truth: Float
    visible: Mask
    px: Float
    """(H, W) px, NaN where nothing was matched."""
    dense: Float
    """(H, W) px without holes."""
    sigma_px: Float | None
    """(H, W) px, the error bar of ``px``; None: it has none."""


def error_classes(judged: Judged) -> NDArray[np.intp]:
    """(H, W) index into CLASSES."""
    error = np.abs(judged.dense - judged.truth)
    with np.errstate(invalid="ignore"):
        right, off = error <= 1, error > 2
        matched = np.abs(judged.px - judged.dense) <= 1
    fits = (
        np.isnan(judged.truth),
        ~judged.visible & off,
        ~judged.visible,
        right & matched,
        right,
        ~off,
        ~matched,
        near_edges(judged.truth),
    )
    return np.select(fits, range(len(fits)), len(fits)).astype(np.intp)


def sheet(judged: Judged) -> RGB:
    """Image, truth, map and classes; below them what shares they have, and the error bars."""
    low, high = np.nanquantile(judged.truth, [0.002, 0.998])
    classes = np.array(list(CLASSES.values()), np.uint8)[error_classes(judged)]
    panels = [
        (f"{judged.name}", to_rgb8(judged.image)),
        ("truth", disparity_picture(judged.truth, low, high)),
        ("ours, filled", disparity_picture(judged.dense, low, high)),
        ("errors", classes),
    ]
    if judged.sigma_px is not None:
        panels += [
            ("ours, with holes", disparity_picture(judged.px, low, high)),
            ("error / error bar: green < 1, yellow < 2, red > 3", _bars(judged)),
        ]
    drawn = [titled(title, small(picture)) for title, picture in panels]
    rows = [np.hstack(drawn[i : i + 2]) for i in range(0, len(drawn), 2)]
    return np.vstack([*rows, _legend(judged, rows[0].shape[1])])


def overview(judged: Sequence[tuple[str, RGB]], columns: int = 4) -> RGB:
    """Many pictures with their titles on one sheet, small."""
    drawn = [titled(title, _fitted(picture, (320, 260)), 16) for title, picture in judged]
    drawn += [np.zeros_like(drawn[0])] * (-len(drawn) % columns)
    return np.vstack([np.hstack(drawn[i : i + columns]) for i in range(0, len(drawn), columns)])


def class_picture(judged: Judged) -> RGB:
    """The classes alone."""
    return np.array(list(CLASSES.values()), np.uint8)[error_classes(judged)]


def _bars(judged: Judged) -> RGB:
    assert judged.sigma_px is not None
    with np.errstate(invalid="ignore"):
        bars = np.abs(judged.px - judged.truth) / judged.sigma_px
        kind = np.digitize(bars, (1, 2, 3))
    colors = np.array([(50, 110, 60), (200, 200, 80), (240, 140, 40), (225, 35, 35)], np.uint8)
    picture = colors[np.minimum(kind, 3)]
    picture[np.isnan(bars)] = 0
    return picture


def disparity_picture(px: Float, low: float, high: float) -> RGB:
    """From blue, at ``low`` px, to red, at ``high``; black where unknown."""
    level = np.nan_to_num((px - low) / max(high - low, 1e-6)).clip(0, 1)
    picture = cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    return np.where(np.isnan(px)[..., None], np.uint8(0), picture)


def small(picture: RGB) -> RGB:
    """As wide as a panel."""
    height = round(picture.shape[0] * _WIDTH_PX / picture.shape[1])
    return np.asarray(
        cv2.resize(picture, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA), np.uint8
    )


def _fitted(picture: RGB, size: tuple[int, int]) -> RGB:
    scale = min(size[0] / picture.shape[1], size[1] / picture.shape[0])
    reduced = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    out = np.zeros((size[1], size[0], 3), np.uint8)
    out[: reduced.shape[0], : reduced.shape[1]] = reduced
    return out


def titled(title: str, picture: RGB, height: int = 20) -> RGB:
    """With a line of text above."""
    bar = np.full((height, picture.shape[1], 3), 30, np.uint8)
    cv2.putText(bar, title, (4, height - 5), _TEXT, 0.42, (240, 240, 240), 1, cv2.LINE_AA)
    return np.vstack([bar, picture])


def _legend(judged: Judged, width: int) -> RGB:
    known = np.isfinite(judged.truth)
    index = error_classes(judged)[known]
    out = np.full((20 * -(-(len(CLASSES) - 1) // 4), width, 3), 30, np.uint8)
    for place, (number, (name, color)) in enumerate(list(enumerate(CLASSES.items()))[1:]):
        x, y = place % 4 * (width // 4), 20 * (place // 4)
        cv2.rectangle(out, (x + 4, y + 4), (x + 16, y + 16), color, -1)
        share = f"{name} {np.mean(index == number):.1%}"
        cv2.putText(out, share, (x + 22, y + 15), _TEXT, 0.4, (240, 240, 240), 1, cv2.LINE_AA)
    return out
