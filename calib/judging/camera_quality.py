"""How far the calibration of one camera alone can be trusted: in pixels, and in directions.

Judged by views the solution has not seen, as a rig is, and by what its covariance says of where a
far point would be seen. A lens is known only together with the direction it looks in, so what
counts is what no rotation of the camera explains (``pixel_error.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.judging.covariance import certainty
from calib.judging.diagnose import PARALLEL_DEG, TOO_PARALLEL, fit_limit
from calib.judging.finding import Finding
from calib.judging.pixel_error import Lens, image_grid, projection_covariance, worst_sigma
from calib.judging.quality import Grade, corners_by_cell, plane_spread_deg, those_that_hold
from calib.solving.calibration import Calibration, HeldOut
from calib.solving.solve import one_thread
from calib.words import fixed, number

Float = NDArray[np.float64]

_FEW = 6


class ProjectionError(NamedTuple):
    """How far off a far point may be seen, one standard deviation in the worst direction."""

    median_px: float
    """Over the image."""
    worst_px: float
    """95 % quantile over the image."""
    median_deg: float
    """The same as ``median_px``, as an angle in the middle of the image."""


@dataclass(frozen=True, eq=False, slots=True)
class CameraQuality:
    """The answer to "can I trust it?", of one camera."""

    grade: Grade
    verdict: str
    """One sentence."""
    advice: str
    """The one thing that would improve it most."""
    held_out: HeldOut
    """Leaving out one view at a time."""
    names: tuple[str, ...]
    """Of the rows of ``covariance``: fx, fy, cx, cy and the distortion."""
    covariance: Float
    """(G, G) of the lens, without the board's shape."""
    inflation: float
    """By how much the error bars of plain least squares were lengthened."""
    projection: ProjectionError
    coverage_share: float
    """Share of the image's cells, 8 x 6, with corners."""
    tilt_deg: float
    """Largest angle between the planes of two views."""

    @property
    def sigmas(self) -> dict[str, float]:
        """Standard deviation of every parameter by name."""
        return dict(zip(self.names, np.sqrt(np.diag(self.covariance)).tolist(), strict=True))


def assess_camera(c: Calibration) -> CameraQuality:
    """Judge the calibration of one camera: leaves out views, propagates errors, grades."""
    with one_thread():
        left_out = c.held_out[c.name]
        names, covariance, inflation = certainty(c)
        projection = _projection(c, covariance)
    share = float((corners_by_cell(c, 0) > 0).mean())
    tilt = plane_spread_deg(c.fit.state.view_R)
    grade, verdict = _grade(c, left_out, covariance, projection, tilt)
    advice = _advice(c, share, tilt)
    names = tuple(name.partition(".")[2] for name in names)  # there is no other camera
    return CameraQuality(
        grade, verdict, advice, left_out, names, covariance, inflation, projection, share, tilt
    )


def camera_findings(c: Calibration) -> list[Finding]:
    """What is wrong with a solved camera as a whole."""
    names, found = tuple(view.name for view in c.views), []
    spread = plane_spread_deg(c.fit.state.view_R)
    if spread < PARALLEL_DEG:
        message = TOO_PARALLEL.format(f"by {spread:.1f} degrees at most")
        found.append(Finding("parallel_views", message, names, stops=True))
    if len(c.views) < _FEW:
        message = f"only {len(c.views)} usable images; take 15 to 30, the board in every part"
        found.append(Finding("too_few", message, names, stops=len(c.views) < 4))
    if c.rms_px() > fit_limit(c.sizes):
        message = (
            f"the corners do not fit the board {c.board.spec} (rms {c.rms_px():.1f} px): is its "
            "number of inner corners right, is it flat, are the squares square?"
        )
        found.append(Finding("wrong_board", message, names, stops=True))
    if len(c.rejected) > len(c.views):
        message = (
            f"{len(c.rejected)} of {len(c.rejected) + len(c.views)} images contradict the rest"
        )
        who = tuple(r.name for r in c.rejected)
        found.append(Finding("inconsistent", message, who, stops=True))
    return found


def _projection(c: Calibration, covariance: Float) -> ProjectionError:
    state = c.fit.state
    lens = Lens(state.models[0], state.intrinsics[0])
    grid, _ = image_grid(c.sizes[0])
    sigma = worst_sigma(projection_covariance(lens, covariance, grid, c.seen.pixels))
    if not np.isfinite(sigma).any():
        return ProjectionError(np.inf, np.inf, np.inf)
    median, worst = float(np.nanmedian(sigma)), float(np.nanquantile(sigma, 0.95))
    return ProjectionError(median, worst, float(np.degrees(median / lens.values[:2].mean())))


def _grade(
    c: Calibration, left_out: HeldOut, covariance: Float, projection: ProjectionError, tilt: float
) -> tuple[Grade, str]:
    """From the held-out error and the projection error, both in pixels of an image 1000 wide: a
    lens known to a thousandth of the image is good, one known to half a percent is usable.
    """
    scale = min(1.0, 1000 / max(c.sizes[0]))
    focal = float(np.sqrt(covariance[0, 0]) / c.fit.state.intrinsics[0][0])
    facts = (
        f"corners agree to {fixed(left_out.reprojection_rms_px, 2)} px on views left out, and the "
        f"lens is known to {fixed(projection.median_px, 2)} px ({number(projection.median_deg, 2)} "
        f"degrees; {fixed(projection.worst_px, 2)} px at the rim)"
    )
    error_px, lens_px = left_out.reprojection_rms_px * scale, projection.median_px * scale
    doubts = those_that_hold(
        {
            f"the board's planes differ by {tilt:.1f} degrees only": tilt < PARALLEL_DEG,
            f"the focal length is uncertain by {100 * focal:.1f} %": not focal < 0.03,
            "corners of views left out are far off": not error_px < 2,
            "the lens is hardly known": not lens_px < 5,
        }
    )
    if doubts:
        return "recalibrate", f"Do not trust it, {' and '.join(doubts)}: {facts}."
    reasons = those_that_hold(
        {
            f"there are only {len(c.views)} views": len(c.views) < 8,
            f"the focal length is uncertain by {100 * focal:.1f} %": focal >= 0.01,
            "corners of views left out should agree better": error_px >= 0.7,
            "the lens should be known better": lens_px >= 1,
        }
    )
    facts = f"{facts[0].upper()}{facts[1:]}"
    if reasons:
        return "usable", f"{facts}; {' and '.join(reasons)}."
    return "good", f"{facts}."


def _advice(c: Calibration, share: float, tilt: float) -> str:
    if tilt < 25:
        return (
            f"Tilt the board more: its planes differ by {tilt:.0f} degrees at most; "
            "turn it by 30 to 45 degrees to the left, right, up and down."
        )
    if len(c.views) < 10:
        return f"Take more images: {len(c.views)} were usable; 15 to 30 are good."
    if share < 0.7:
        return f"Corners lie in {share:.0%} of the image: hold the board into its rim and corners."
    return "Nothing stands out; calibrate the other camera too, then the rig with --intrinsics."
