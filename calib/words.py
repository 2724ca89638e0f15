"""Numbers as people read them: never an exponent, never -0, always with their unit.

For text, tables and pictures; what programs read (JSON, files) keeps plain floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_MOST_DECIMALS = 9
_NO_NUMBER = "unknown"


def fixed(value: float, decimals: int) -> str:
    """Return the number with so many decimals; what rounds to zero has no sign."""
    if math.isnan(value):
        return _NO_NUMBER
    if math.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    text = f"{value:.{decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def number(value: float, digits: int = 3) -> str:
    """Return the number with at least so many significant digits, all before the point kept.

    1450 -> "1450", 14.5 -> "14.5", 0.0145 -> "0.0145"; what is below 1e-9 is "0".
    """
    if value == 0 or not math.isfinite(value):
        return fixed(value, 0)
    exponent = int(f"{value:.{digits - 1}e}".split("e")[1])  # of the rounded number
    decimals = max(0, digits - 1 - exponent)
    text = fixed(value, min(decimals, _MOST_DECIMALS))
    return text if text.strip("0.") else "0"


def plain(value: float, decimals: int = 6) -> str:
    """Return the number as somebody would type it, without needless zeros: 0.5, 20, 1.25."""
    text = fixed(value, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def length(metres: float, digits: int = 3) -> str:
    """Return a length in mm below one metre, else in m: "823 mm", "1.25 m", "636 m"."""
    if not math.isfinite(metres):
        return fixed(metres, 0)
    if abs(metres) < 0.9995:  # what would round to 1000 mm is 1.00 m
        return f"{number(1000 * metres, digits)} mm"
    return f"{number(metres, digits)} m"


def measured(metres: float, sigma_m: float) -> str:
    """Return a length with its error bar in one unit: "823 ± 1.2 mm", "2.345 ± 0.012 m".

    Without a finite error bar the length alone.
    """
    if not math.isfinite(sigma_m):
        return length(metres, 4)
    if abs(metres) < 0.9995:
        return f"{fixed(1000 * metres, 0)} ± {fixed(1000 * sigma_m, 1)} mm"
    decimals = 3 if sigma_m < 0.1 else 2 if sigma_m < 1 else 1
    return f"{fixed(metres, decimals)} ± {fixed(sigma_m, decimals)} m"


def rows_apart(offset_px: float, decimals: int = 1) -> str:
    """Say where the left image's rows lie, of ``y_left - y_right``: "left 9.6 px above right"."""
    size = fixed(abs(offset_px), decimals)
    if not size.strip("0."):
        return "left level with right"
    return f"left {size} px {'below' if offset_px > 0 else 'above'} right"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, names: int = 1) -> list[str]:
    """Return the lines of a table: the first ``names`` columns to the left, others to the right.

    Each column is as wide as its widest cell, so that no cell pushes others aside.
    """
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if column < names else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
