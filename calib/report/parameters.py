"""Every parameter with its error bar and unit, the models that were tried, and the board."""

from __future__ import annotations

import cv2
import numpy as np

from calib.judging.quality import Quality
from calib.report.drawing import both_ways, svg
from calib.report.html import paragraph, section, table
from calib.solving.calibration import Calibration
from calib.words import fixed, number


def parameters(c: Calibration, q: Quality) -> str:
    """The section with all parameters."""
    s = c.fit.state
    turn = [] if len(s.intrinsics) < 2 else [*cv2.Rodrigues(s.R)[0].ravel(), *s.t]
    values = [*np.concatenate(s.intrinsics), *turn]
    rows = []
    for (name, sigma), value in zip(q.sigmas.items(), values, strict=True):
        unit, scale = _unit(name, metric=c.board.unit_known)
        bar = f"± {number(sigma * scale, 2)}" if sigma > 0 else "given"
        rows.append((name, number(value * scale, 6), bar, unit))
    return section(
        "Parameters",
        paragraph(
            "rotation and t take a point from the left camera's axes (x right, y down, z forward) "
            "into the right one's; rotation is a vector along the axis, as long as the angle.",
            small=True,
        ),
        table(("name", "value, in its unit", "1 σ, same unit", "unit"), rows),
        paragraph(
            f"Error bars are {fixed(q.inflation, 2)} times those of plain least squares, as "
            f"leaving views out demands. {fixed(100 * c.starts_agree, 0)} % of the starts led to "
            "the same answer.",
            small=True,
        ),
    )


def _unit(parameter: str, *, metric: bool) -> tuple[str, float]:
    """Unit in which a parameter is shown, and what brings it there."""
    group, name = parameter.split(".")
    if group == "rotation" or name.startswith("tau"):
        return "degrees", float(np.degrees(1))
    if group == "t":
        return ("mm", 1e3) if metric else ("board units", 1.0)
    return ("px", 1.0) if name in ("fx", "fy", "cx", "cy") else ("none", 1.0)


def tried(c: Calibration) -> str:
    """The section that says why this model was chosen."""
    rows = [
        (
            f"{name} (chosen)" if name == c.name else name,
            fixed(h.reprojection_rms_px, 3),
            fixed(h.row_error_px, 3),
        )
        for name, h in sorted(c.held_out.items(), key=lambda item: item[1].reprojection_rms_px)
    ]
    return section(
        "Models that were tried",
        paragraph("Errors on views left out; a larger model must be clearly better.", small=True),
        table(("model", "corners, rms px", "rows, mean px"), rows),
    )


def board(c: Calibration) -> str:
    """The section about the board's shape."""
    if not len(c.shape.modes):
        flat = f"{c.board.spec}, taken as flat: bending it explained nothing more."
        return section("Board", paragraph(flat))
    away = c.shape.deformed(c.fit.state.shape) - c.board.points
    high = away[:, 2] / c.board.square_m * 100
    top = max(float(np.abs(high).max()), 1e-9)
    xy = c.board.points[:, :2] / c.board.square_m
    low, span = xy.min(axis=0), np.ptp(xy, axis=0)
    marks = "".join(
        f'<circle cx="{(x - low[0] + 1) * 40:.0f}" cy="{(y - low[1] + 1) * 40:.0f}" r="17" '
        f'fill="{both_ways(z / top)}"/><text x="{(x - low[0] + 1) * 40:.0f}" '
        f'y="{(y - low[1] + 1) * 40:.0f}" font-size="11" text-anchor="middle" '
        f'dominant-baseline="central" class="on-light">{fixed(z, 1)}</text>'
        for (x, y), z in zip(xy, high, strict=True)
    )
    scale, unit = (1e3, "mm") if c.board.unit_known else (1.0, "units")
    sideways = float(np.linalg.norm(away[:, :2], axis=1).max())
    caption = (
        f"{c.board.spec}: height of the corners above a plane, % of a square (from "
        f"{number(away[:, 2].min() * scale, 2)} to {number(away[:, 2].max() * scale, 2)} {unit}); "
        f"sideways up to {number(sideways * scale, 2)} {unit}"
    )
    return section("Board", svg((span[0] + 2) * 40, (span[1] + 2) * 40, marks, caption))
