"""Pictures inside a page: SVG, JPEG and the colours of numbers, without network or script.

Colours of lines and text are classes that the page's style gives a light and a dark shade.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.words import number, plain

Float = NDArray[np.float64]


def svg(width: float, height: float, content: str, caption: str, *, label: str = "") -> str:
    """Return a figure around SVG elements; as in an image, pixel centres lie on integers."""
    return (
        f'<figure><svg xmlns="http://www.w3.org/2000/svg" viewBox="-0.5 -0.5 {width:.0f} '
        f'{height:.0f}" role="img" aria-label="{escape(label or caption)}">{content}</svg>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def jpeg(image: NDArray[Any], alt: str, *, quality: int = 80) -> str:
    """Return an image (H, W) or (H, W, 3) BGR uint8 as an element."""
    data = bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
    return (
        f'<img alt="{escape(alt)}" width="{image.shape[1]}" height="{image.shape[0]}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
    )


def photograph(image: NDArray[Any], caption: str) -> str:
    """Return an image (H, W) or (H, W, 3) BGR uint8, at most 1000 px wide, with its caption."""
    scale = min(1.0, 1000 / image.shape[1])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return f"<figure>{jpeg(small, caption)}<figcaption>{escape(caption)}</figcaption></figure>"


def dots(points: Float, width: float, kind: str) -> str:
    """Return round dots (N, 2) of so many px as one path of class ``kind``."""
    path = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in points)
    return f'<path d="{path}" class="{kind}" stroke-linecap="round" stroke-width="{width:.1f}"/>'


def text(
    x: float, y: float, size: float, words: str, *, anchor: str = "middle", kind: str = "ink"
) -> str:
    """Return words, their middle height at ``y``."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}" text-anchor="{anchor}" '
        f'dominant-baseline="central" class="{kind}">{escape(words)}</text>'
    )


def short(value: float) -> str:
    """Return a number that fits into a cell of a map."""
    return ">999" if value >= 999.5 else number(value, 2)


def round_below(value: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not above ``value``."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(power * m for m in (1, 2, 5) if power * m <= value * 1.0001))


# -- maps over an image ----------------------------------------------------------------------------


class Classes(NamedTuple):
    """The steps of a map's colours, the same on every map of one kind."""

    steps: tuple[float, ...]
    """Upper ends of all classes but the last."""
    unit: str

    def color(self, value: float) -> str:
        """Return the colour of a value."""
        return heat(int(np.searchsorted(self.steps, value)) / len(self.steps))


PIXELS = Classes((0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0), "px")
PERCENT = Classes((0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0), "%")


def value_map(
    size: tuple[int, int],
    points: Float,
    values: Float,
    cell: tuple[float, float],
    classes: Classes,
    over: str,
    caption: str,
) -> str:
    """Return a map of values (N,) at places (N, 2) px of an image, each a cell, with its scale.

    ``over`` is drawn on top; NaN is left empty.
    """
    w, h = size
    dx, dy = cell
    cells = "".join(
        f'<path d="M{x - dx / 2:.0f} {y - dy / 2:.0f}h{dx + 1:.0f}v{dy + 1:.0f}h-{dx + 1:.0f}z" '
        f'fill="{classes.color(value)}"/>'
        for (x, y), value in zip(points, values, strict=True)
        if np.isfinite(value)
    )
    scale, height = color_scale(w, h, classes)
    return svg(w, h + height, cells + over + scale, caption)


def color_scale(w: float, top: float, classes: Classes) -> tuple[str, float]:
    """Return the legend of a map, below ``top``, and its height."""
    count = len(classes.steps) + 1
    wide, size = w / count, w / 32
    boxes = "".join(
        f'<rect x="{i * wide:.1f}" y="{top + size * 0.4:.1f}" width="{wide:.1f}" '
        f'height="{size:.1f}" fill="{heat(i / (count - 1))}"/>'
        for i in range(count)
    )
    labels = "".join(
        text((i + 1) * wide, top + size * 2.2, size, plain(step))
        for i, step in enumerate(classes.steps)
    )
    unit = text(w, top + size * 2.2, size, classes.unit, anchor="end")
    return boxes + labels + unit, size * 3


def heat(share: float) -> str:
    """Return the colour of 0 to 1: light yellow to dark purple."""
    stops: Sequence[tuple[int, int, int]] = (
        (255, 247, 188),
        (254, 153, 41),
        (204, 51, 90),
        (84, 16, 98),
    )
    return _between(stops, min(max(share, 0), 1))


def both_ways(share: float) -> str:
    """Return the colour of -1 to 1: blue, light grey at 0, red."""
    return _between(
        ((84, 140, 220), (245, 245, 245), (226, 106, 80)), (min(max(share, -1), 1) + 1) / 2
    )


def _between(stops: Iterable[tuple[int, int, int]], share: float) -> str:
    table = np.array(list(stops), float)
    at = share * (len(table) - 1)
    i = min(int(at), len(table) - 2)
    r, g, b = np.rint(table[i] + (at - i) * (table[i + 1] - table[i])).astype(int)
    return f"#{r:02x}{g:02x}{b:02x}"


# -- plots with axes -------------------------------------------------------------------------------


class Plot:
    """A frame with ticks and units, and what maps numbers into it."""

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        names: tuple[str, str],
        size: tuple[float, float] = (420, 300),
        x_ticks: Sequence[float] | None = None,
    ) -> None:
        """``x`` and ``y`` are the ends of the axes; ``names`` say what they are, with the unit."""
        self._x, self._y = x, y
        self.width, self.height = size
        self._box = (52.0, 12.0, self.width - 12, self.height - 42)
        self._parts = [self._axes(names, ticks(*x) if x_ticks is None else x_ticks)]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point lies on the drawing."""
        left, top, right, bottom = self._box
        return (
            left + (x - self._x[0]) / (self._x[1] - self._x[0]) * (right - left),
            bottom - (y - self._y[0]) / (self._y[1] - self._y[0]) * (bottom - top),
        )

    def line(self, points: Iterable[Sequence[float]], kind: str, *, closed: bool = False) -> None:
        """Draw a line of class ``kind`` through points."""
        path = "L".join("{:.1f} {:.1f}".format(*self.at(p[0], p[1])) for p in points)
        self.add(f'<path d="M{path}{"z" if closed else ""}" class="{kind}"/>')

    def dots(self, points: Float, width: float, kind: str) -> None:
        """Draw points (N, 2)."""
        self.add(dots(np.array([self.at(*p) for p in points]).reshape(-1, 2), width, kind))

    def words(self, x: float, y: float, words: str, *, kind: str = "ink") -> None:
        """Write at a point."""
        self.add(text(*self.at(x, y), 11, words, kind=kind))

    def add(self, element: str) -> None:
        """Add any element, in the drawing's coordinates."""
        self._parts.append(element)

    def figure(self, caption: str) -> str:
        """Return the figure."""
        return svg(self.width, self.height, "".join(self._parts), caption)

    def _axes(self, names: tuple[str, str], x_ticks: Sequence[float]) -> str:
        left, top, right, bottom = self._box
        parts = [f'<path d="M{left} {top}V{bottom}H{right}" class="axis"/>']
        for value in x_ticks:
            x, _ = self.at(value, self._y[0])
            parts.append(f'<path d="M{x:.1f} {top}V{bottom}" class="grid"/>')
            parts.append(text(x, bottom + 12, 11, plain(value)))
        for value in ticks(*self._y):
            _, y = self.at(self._x[0], value)
            parts.append(f'<path d="M{left} {y:.1f}H{right}" class="grid"/>')
            parts.append(text(left - 5, y, 11, plain(value), anchor="end"))
        parts.append(text((left + right) / 2, self.height - 10, 12, names[0]))
        middle = (top + bottom) / 2
        turned = f"rotate(-90 10 {middle:.0f})"
        parts.append(f'<g transform="{turned}">{text(10, middle, 12, names[1])}</g>')
        return "".join(parts)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers between two ends: steps of 1, 2 or 5 times a power of ten."""
    span = max(high - low, 1e-12)
    power = 10 ** np.floor(np.log10(span / most))
    step = next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= most)
    first = int(np.ceil(low / step - 1e-9))
    last = int(np.floor(high / step + 1e-9))
    return [round(i * step, 9) for i in range(first, last + 1)]
