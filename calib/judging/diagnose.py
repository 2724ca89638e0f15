"""Name what is wrong with a solved rig as a whole, and the images to blame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calib.judging.change import Change
from calib.judging.finding import Finding
from calib.judging.offered import blurred
from calib.judging.quality import Quality, plane_spread_deg
from calib.solving.calibration import Calibration, View
from calib.solving.epipolar import quarter_turns

PARALLEL_DEG = 8.0
TOO_PARALLEL = (
    "the views are too parallel: the board's planes differ {}, so focal length and distance cannot "
    "be told apart; tilt the board by 30 to 45 degrees in several directions"
)
_SIGMAS = 3.0
_SCALE_FLOOR = 0.003  # nobody measures the distance of two lenses better
_SQUARE_PIXELS = 0.02


def diagnose(
    c: Calibration,
    views: Sequence[View],
    q: Quality,
    *,
    change: Change | None = None,
    baseline_m: float | None = None,
) -> list[Finding]:
    """Everything that is wrong with a solved rig; ``views`` are all that were offered, in the order
    they were taken, and ``change`` is what changed while they were.
    """
    checks: list[Finding | None] = [
        _sides(c),
        _upside_down(c),
        _parallel(c),
        _flipped(c, views),
        _few(c),
        _change(c, change),
        _blurred(views),
        _wrong_board(c),
        None if change else _not_square(c),
    ]
    if baseline_m is not None:
        checks.append(_scale(c, q, baseline_m))
    return [finding for finding in checks if finding is not None]


def _change(c: Calibration, change: Change | None) -> Finding | None:
    if change is None:
        return None
    return Finding(
        change.cause,
        f"{change.what} before view {change.after[0]}: two rigs, before and after, fit clearly "
        f"better than one (they leave {100 * (1 - change.explains):.0f} % of the misfit). Before: "
        f"{change.rigs[0]}; after: {change.rigs[1]}. Fix cameras and lenses and take all views "
        "again",
        tuple(name for name in change.after if name in change.agree),
        stops=True,
    )


def _not_square(c: Calibration) -> Finding | None:
    """Squeezed video is calibrated as well as any other; some programs expect square pixels."""
    for side, values in zip(("left", "right"), c.fit.state.intrinsics, strict=True):
        if abs(values[0] / values[1] - 1) > _SQUARE_PIXELS:
            return Finding(
                "not_square",
                f"the {side} camera's pixels are not square (fx / fy = "
                f"{values[0] / values[1]:.3f}): right for squeezed or line-skipped video",
            )
    return None


def _sides(c: Calibration) -> Finding | None:
    s = c.fit.state
    centre = -s.R.T @ s.t
    if opposed(s.R):
        return None  # half-way between the two nothing is above or beside
    turns = quarter_turns(s.R, s.t)
    if turns:
        return Finding(
            "vertical",
            f"the right camera stands {'below' if turns > 0 else 'above'} the left one: images are "
            "turned for matching, and depth is turned back",
        )
    if plane_spread_deg(s.view_R) < PARALLEL_DEG:
        return None  # then nothing is known of the sides
    if centre[0] < 0 and s.R[2, 2] > 0 and s.R[0, 0] > 0:
        return Finding(
            "swapped",
            "left and right are swapped: the camera called right is on the left; exchange the two "
            "folders or patterns and calibrate again",
            tuple(view.name for view in c.views),
            stops=True,
        )
    return None


def opposed(R: NDArray[np.float64]) -> bool:
    """Whether one camera stands on its head before the other."""
    return bool(R[0, 0] < 0 and R[1, 1] < 0)


def _upside_down(c: Calibration) -> Finding | None:
    R = c.fit.state.R
    if not opposed(R):
        return None
    return Finding(
        "upside_down",
        "one camera's images are upside down: the cameras are turned by "
        f"{np.degrees(np.arctan2(R[1, 0], R[0, 0])):.0f} degrees to each other; rotate the images "
        "of one camera by 180 degrees",
        tuple(view.name for view in c.views),
        stops=True,
    )


def _parallel(c: Calibration) -> Finding | None:
    spread = plane_spread_deg(c.fit.state.view_R)
    if spread >= PARALLEL_DEG:
        return None
    return Finding(
        "parallel_views",
        TOO_PARALLEL.format(f"by {spread:.1f} degrees at most"),
        tuple(view.name for view in c.views),
        stops=True,
    )


def _flipped(c: Calibration, offered: Sequence[View]) -> Finding | None:
    """Views whose right corners the solver had to take in another order."""
    before = {view.name: view.right.points for view in offered}
    names = tuple(
        view.name
        for view in c.views
        if view.name in before and not np.array_equal(view.right.points, before[view.name])
    )
    if not names or len(names) > len(c.views) / 2:  # then something is wrong with all of them
        return None
    return Finding(
        "flipped_corners",
        f"the corner order differs between left and right in {', '.join(names)}; put right here",
        names,
    )


def _few(c: Calibration) -> Finding | None:
    if len(c.views) >= 6:
        return None
    return Finding(
        "too_few",
        f"only {len(c.views)} usable pairs; take 15 to 30, the board in every part of both images",
        stops=len(c.views) < 4,
    )


def _scale(c: Calibration, q: Quality, baseline_m: float) -> Finding | None:
    found = float(np.linalg.norm(c.fit.state.t))
    ratio = baseline_m / found
    sigma = q.baseline_sigma / found
    if abs(ratio - 1) < max(_SIGMAS * sigma, _SCALE_FLOOR):
        return None
    square = c.board.square_m * ratio
    return Finding(
        "square_size",
        f"the baseline comes out as {found * 1e3:.2f} mm, plus or minus {sigma * found * 1e3:.2f}, "
        f"but is known to be {baseline_m * 1e3:.2f} mm: with a square of {square * 1e3:.3f} mm "
        f"instead of {c.board.square_m * 1e3:.3f} mm it would agree; measure the printed board",
        stops=True,
    )


def _blurred(views: Sequence[View]) -> Finding | None:
    bad = blurred(views)
    if not bad:
        return None
    return Finding(
        "blurred",
        f"{len(bad)} of {len(views)} views are blurred: edges are up to {max(bad.values()):.1f} px "
        "wide; hold the board still or refocus",
        tuple(bad),
    )


def _wrong_board(c: Calibration) -> Finding | None:
    """A fit this bad means that corners and board do not belong together."""
    if c.rms_px() < fit_limit(c.sizes):
        return None
    return Finding(
        "wrong_board",
        f"the corners do not fit the board {c.board.spec} (rms {c.rms_px():.1f} px): "
        "is its number of inner corners right, is it flat, are the squares square?",
        tuple(view.name for view in c.views),
        stops=True,
    )


def fit_limit(sizes: Sequence[tuple[int, int]]) -> float:
    """A joint rms (px) that no right board and right pairing exceeds."""
    return 2.0 * max(1.0, max(sizes[0]) / 1000)
