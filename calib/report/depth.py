"""What a calibration does to depth: table, comment on the two halves, maps."""

from __future__ import annotations

import numpy as np

from calib.judging.depth_error import DepthError, calibration_depth_sigma, image_points
from calib.judging.quality import Quality
from calib.report.drawing import PERCENT, short, text, value_map
from calib.report.html import pair, paragraph, section, table
from calib.report.lens import HALVES_SIGMA
from calib.solving.calibration import Calibration
from calib.words import fixed, number, plain

_ALMOST_ALWAYS = 1.96  # 95 % of a bell


def depth(c: Calibration, q: Quality) -> str:
    """The section about depth."""
    unit, scale, fine = ("m", 1e3, "mm") if c.board.unit_known else ("units", 1.0, "units")
    header = (
        f"distance, {unit}",
        f"error (1 σ), {fine}",
        "of distance, %",
        f"by calibration, {fine}",
        f"by matching (0.25 px), {fine}",
        f"worst 5 % of the image, {fine}",
        f"two halves differ, {fine}",
        f"bars allow (95 %), {fine}",
    )
    rows = [
        (
            plain(d.distance_m, 3),
            number(d.total_m * scale),
            fixed(d.percent, 2),
            number(d.calibration_m * scale),
            number(d.matching_m * scale),
            number(d.worst_m * scale),
            number(d.halves_m * scale),
            number(allowed(d) * scale),
        )
        for d in q.depth_error
    ]
    check = q.distance_check
    checked = (
        f"Check on views left out: distances between corners were off by "
        f"{fixed(check.observed_percent, 2)} % (predicted {fixed(check.predicted_percent, 2)} %), "
        f"mean {fixed(check.scale_percent, 2)} %."
    )
    return section(
        "Expected depth error",
        table(header, rows),
        paragraph(halves_comment(q, unit)),
        paragraph(checked if check.pairs else "", small=True),
        pair([_map(c, q, d.distance_m, unit) for d in q.depth_error[2:5:2]]),
    )


def allowed(d: DepthError) -> float:
    """What the error bars let two halves differ by in 95 of 100 sessions."""
    return _ALMOST_ALWAYS * HALVES_SIGMA * d.calibration_m


def halves_comment(q: Quality, unit: str) -> str:
    """What the halves say of the error bars of depth."""
    known = [d for d in q.depth_error if np.isfinite(d.halves_m)]
    if not known:
        return "Too few views for two halves: nothing checks these error bars but views left out."
    far = [d for d in known if d.halves_m > allowed(d)]
    if not far:
        return "Two calibrations from every second view differ no more than the error bars allow."
    worst = max(far, key=lambda d: d.halves_m / allowed(d))
    where = ", ".join(plain(d.distance_m, 3) for d in far)
    return (
        f"Two calibrations from every second view differ by more than the error bars allow at "
        f"{where} {unit} (at {plain(worst.distance_m, 3)} {unit} by "
        f"{fixed(worst.halves_m / allowed(worst), 1)} times): believe the difference. Take more "
        "views, tilted more, also at the distance where the rig is used."
    )


def _map(c: Calibration, q: Quality, distance: float, unit: str) -> str:
    left, right = image_points(c, c.fit.state, distance)
    w, h = c.sizes[0]
    if len(left) < 4:
        return ""
    percent = 100 * calibration_depth_sigma(c, q.covariance, left, right)[1] / distance
    cell = (0.9 * (w - 1) / 12, 0.9 * (h - 1) / 8)  # as image_points lays its grid
    middle = PERCENT.steps[len(PERCENT.steps) // 2]
    numbers = "".join(
        text(x, y, w / 45, short(p), kind="on-dark" if p > middle else "on-light")
        for (x, y), p in zip(left, percent, strict=True)
        if np.isfinite(p)
    )
    caption = (
        f"Depth error by calibration alone at {plain(distance, 3)} {unit}, 1 σ, % of distance, "
        "over the left image (empty: not seen by both)"
    )
    return value_map((w, h), left, percent, cell, PERCENT, numbers, caption)
