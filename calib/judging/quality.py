"""How far a calibration can be trusted, in millimetres at the distance where it is used.

Everything here is about views the solution has not seen, or about what its covariance
(``covariance.py``) says of depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calib.judging.covariance import SQUARE_ERROR, baseline_sigma, certainty
from calib.judging.depth_error import (
    MATCHING_NOISE_PX,
    DepthError,
    DistanceCheck,
    calibration_depth_sigma,
    distance_check,
    expected_depth_errors,
    image_points,
)
from calib.judging.uncertainty import with_scale
from calib.solving.calibration import Calibration, HeldOut
from calib.solving.solve import one_thread
from calib.words import number

Float = NDArray[np.float64]
Grade = Literal["good", "usable", "recalibrate"]


DISTANCES_M = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
_COVERAGE_GRID = (8, 6)
_GOOD, _UNUSABLE = 0.01, 0.1
"""One sigma of depth at ten baselines, by calibration alone, and of the focal length, as a share:
below the first it disappears beside what matching adds; from the second on, depth is a guess."""
_REGIONS = (
    ("upper left", "upper middle", "upper right"),
    ("middle left", "centre", "middle right"),
    ("lower left", "lower middle", "lower right"),
)


@dataclass(frozen=True, eq=False, slots=True)
class Quality:
    """The answer to "can I trust it?"."""

    grade: Grade
    verdict: str
    """One sentence."""
    advice: str
    """The one thing that would improve it most."""
    held_out: HeldOut
    """Leaving out one view at a time."""
    names: tuple[str, ...]
    """Of the rows of ``covariance``."""
    covariance: Float
    """(G, G) of all global parameters, without the board's shape, as far as the images tell:
    without the squares' error; zeros for fixed ones."""
    metric_covariance: Float
    """(G, G) the same with the squares' error: what is to be expected in metres."""
    inflation: float
    """By how much the error bars of plain least squares were lengthened."""
    square_error: float
    """One standard deviation of the size of the board's squares, a share of it."""
    baseline_sigma: float
    """One standard deviation of the baseline, with the squares' error, board units (metres)."""
    depth_error: tuple[DepthError, ...]
    distance_check: DistanceCheck
    coverage: tuple[Float, Float]
    """Per camera (6, 8) number of corners in each cell of the image."""
    coverage_share: tuple[float, float]
    """Per camera the share of cells with corners."""
    tilt_deg: float
    """Largest angle between the planes of two views."""

    @property
    def sigmas(self) -> dict[str, float]:
        """Standard deviation of every parameter by name."""
        return dict(zip(self.names, np.sqrt(np.diag(self.covariance)).tolist(), strict=True))


def assess(
    c: Calibration,
    *,
    distances: Sequence[float] | None = None,
    matching_noise_px: float = MATCHING_NOISE_PX,
    square_error: float = SQUARE_ERROR,
) -> Quality:
    """Judge a calibration: propagates errors to depth, grades.

    ``square_error`` is one standard deviation of the size of the squares, as a share of it.
    """
    square_error = square_error if c.board.unit_known else 0.0  # lengths are in squares then
    with one_thread():
        left_out = c.held_out[c.name]
        names, covariance, inflation = certainty(c)
        if distances is None:
            baseline = float(np.linalg.norm(c.fit.state.t))
            unknown = tuple(round(baseline * k, 3) for k in (5, 10, 20, 50))
            distances = DISTANCES_M if c.board.unit_known else unknown
        metric = with_scale(covariance, c.fit.state.t, square_error)
        depth = expected_depth_errors(c, metric, distances, matching_noise_px)
        check = distance_check(c, left_out, covariance)
    coverage = tuple(corners_by_cell(c, side) for side in (0, 1))
    shares = tuple(float((cells > 0).mean()) for cells in coverage)
    tilt = plane_spread_deg(c.fit.state.view_R)
    grade, verdict = _grade(c, left_out, covariance, tilt)
    return Quality(
        grade,
        verdict,
        _advice(c, coverage, tilt, left_out),
        left_out,
        names,
        covariance,
        metric,
        inflation,
        square_error,
        baseline_sigma(metric, c.fit.state.t),
        depth,
        check,
        (coverage[0], coverage[1]),
        (shares[0], shares[1]),
        tilt,
    )


# -- coverage and grade --------------------------------------------------------------------------


def corners_by_cell(c: Calibration, side: int) -> Float:
    """(6, 8) number of a camera's corners in each cell of its image."""
    w, h = c.sizes[side]
    pixels = c.seen.pixels[c.seen.camera == side]
    cells, _, _ = np.histogram2d(
        pixels[:, 1],
        pixels[:, 0],
        bins=(_COVERAGE_GRID[1], _COVERAGE_GRID[0]),
        range=((-0.5, h - 0.5), (-0.5, w - 0.5)),
    )
    return np.asarray(cells)


def plane_spread_deg(view_R: Float) -> float:
    """Largest angle between the board's planes in any two views."""
    normals = view_R[:, :, 2]
    cosines = np.clip(normals @ normals.T, -1, 1)
    return float(np.degrees(np.arccos(cosines.min())))


def _grade(c: Calibration, left_out: HeldOut, covariance: Float, tilt: float) -> tuple[Grade, str]:
    """From the held-out row error and from what calibration does to depth at ten baselines."""
    state = c.fit.state
    baseline = float(np.linalg.norm(state.t))
    near = 10 * baseline
    left, right = image_points(c, state, near)
    share = np.inf
    if len(left) >= 4:
        share = float(np.nanmedian(calibration_depth_sigma(c, covariance, left, right)[1]) / near)
    row = left_out.row_error_px * min(1.0, 1000 / max(c.sizes[0]))
    focal = max(
        np.sqrt(covariance[i, i]) / values[0]
        for i, values in zip((0, len(state.intrinsics[0])), state.intrinsics, strict=True)
    )
    unit = "m" if c.board.unit_known else "board units"
    agree = f"rows agree to {left_out.row_error_px:.2f} px on views left out"
    changes = f"calibration changes depth by {number(100 * share, 2)} % at {number(near, 2)} {unit}"
    lens = f"the focal length is known to {number(100 * focal, 2)} % only"
    reasons = those_that_hold(
        {
            f"the board's planes differ by {tilt:.0f} degrees at most": tilt < 8,
            lens: focal > _UNUSABLE,
            changes.replace("calibration", "calibration alone"): not share < _UNUSABLE,
            agree.replace("agree to", "agree only to"): not row < 1.0,
        }
    )
    if reasons:
        return "recalibrate", f"Do not trust it: {' and '.join(reasons)}."
    reasons = those_that_hold(
        {
            f"there are only {len(c.views)} views": len(c.views) < 8,
            lens: focal >= _GOOD,
            "that is more than 1 % of the depth": share >= _GOOD,
            "rows should agree better": row >= 0.4,
        }
    )
    facts = f"{agree[0].upper()}{agree[1:]}, and {changes}"
    if reasons:
        return "usable", f"{facts}; {' and '.join(reasons)}."
    return "good", f"{facts}."


def those_that_hold(reasons: dict[str, bool]) -> list[str]:
    """The reasons that are true, in their order."""
    return [reason for reason, holds in reasons.items() if holds]


def _advice(c: Calibration, coverage: Sequence[Float], tilt: float, left_out: HeldOut) -> str:
    """The one thing to do next."""
    if tilt < 25:
        return (
            f"Tilt the board more: its planes differ by {tilt:.0f} degrees at most; "
            "turn it by 30 to 45 degrees to the left, right, up and down."
        )
    if len(c.views) < 10:
        return f"Take more pairs: {len(c.views)} were usable; 15 to 30 are good."
    worst = [
        (float(cells[2 * r : 2 * r + 2, _thirds(k)].sum()), side, _REGIONS[r][k])
        for side, cells in enumerate(coverage)
        for r in range(3)
        for k in range(3)
    ]
    count, side, region = min(worst)
    camera = ("left", "right")[side]
    if count < 0.02 * sum(float(cells.sum()) for cells in coverage) / 2:
        few = "no" if count == 0 else "hardly any"
        return f"There are {few} corners in the {region} of the {camera} camera: add 3 views there."
    usual = float(np.median(left_out.view_rms_px))
    v = int(np.argmax(left_out.view_rms_px))
    if left_out.view_rms_px[v] > 2.5 * usual:
        return f"Look at view {c.views[v].name}: its error is the largest; retake or drop it."
    if left_out.row_error_px > 0.4:
        return "Use a flat, rigid board and sharp images: corners are noisy."
    return "Nothing stands out; check the printed square size with a ruler."


def _thirds(k: int) -> slice:
    return (slice(0, 3), slice(3, 5), slice(5, 8))[k]
