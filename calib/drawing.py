"""Pictures inside a page: SVG, JPEG and the colours of numbers, without network or script."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def svg(width: float, height: float, content: str) -> str:
    """Return a drawing around SVG elements; as in an image, pixel centres lie on integers."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-0.5 -0.5 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" role="img" style="background:#fff;border:1px solid #d1d9e0">'
        f"{content}</svg>"
    )


def figure(image: NDArray[Any], caption: str) -> str:
    """Return an image (H, W) or (H, W, 3) BGR uint8, at most 1000 px wide, with its caption."""
    scale = min(1.0, 1000 / image.shape[1])
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    data = bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1])
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/jpeg;base64,'
        f'{base64.b64encode(data).decode()}"><figcaption>{escape(caption)}</figcaption></figure>'
    )


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
