"""Name why no rig could be solved, or no board found: what is wrong with the whole session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import Board
from calib.errors import CalibrationError
from calib.judging.diagnose import PARALLEL_DEG, TOO_PARALLEL, fit_limit, opposed
from calib.judging.finding import Finding
from calib.judging.other_board import other_board
from calib.judging.rejected import turned
from calib.solving.adjust import Fit
from calib.solving.calibration import FEWEST_VIEWS, Calibration, View
from calib.solving.choose import MODELS
from calib.solving.first_rig import agree_on_motion, solve_camera
from calib.solving.solve import calibrate_stereo, one_thread
from calib.solving.state import BoardModel

_TOO_FEW_TO_BLAME = 4  # each lens alone is then too uncertain for a verdict on the pairs
_SHARES = (0.6, 0.45, 0.3)  # of the views that must agree: the most that do
_MANY = 0.3  # rejected views that make a solution odd
_FAR_BETTER = 0.7
_WHOLE = 0.7  # share of the views that agree when the explanation is right for all


class Failure(NamedTuple):
    """Why no rig could be solved from all views."""

    findings: list[Finding]
    agreeing: list[View]
    """The largest set of views that agree; empty: none do, or all have one fault."""


def explain_failure(views: Sequence[View], board: Board, error: CalibrationError) -> Failure:
    """Name why no rig could be solved at all, or find the views from which one can be."""
    names = tuple(view.name for view in views)

    def stop(cause: str, message: str) -> Failure:
        return Failure([Finding(cause, message, names, stops=True)], [])

    if len(views) < FEWEST_VIEWS:
        return stop("too_few", str(error))
    if _horizons_spread(views, board) < np.tan(np.radians(PARALLEL_DEG)):
        return stop("parallel_views", TOO_PARALLEL.format("hardly at all"))
    with one_thread():
        try:
            lenses = [_lens(views, board, side) for side in ("left", "right")]
        except CalibrationError as lensless:
            return stop("wrong_board", str(lensless))
        sizes = (views[0].left.size, views[0].right.size)
        unfit = [
            s for s, lens in zip(("left", "right"), lenses, strict=True) if _unfit(lens, sizes)
        ]
        if unfit:
            return stop(
                "wrong_board",
                f"the corners of the {' and of the '.join(unfit)} images alone do not fit the "
                f"board {board.spec}: is its number of inner corners right, is it flat, are the "
                "squares square?",
            )
        for cause, message, changed, solos in _whole_session_tries(views, board, lenses):
            if len(_agreeing(changed, board, solos, _WHOLE)) >= FEWEST_VIEWS:
                return stop(cause, message)
        if len(views) <= _TOO_FEW_TO_BLAME:
            return stop(
                "too_few",
                f"only {len(views)} usable pairs, too few for a rig that they agree on; take 15 to "
                "30, board and cameras still for each, the board tilted differently in each",
            )
        sets = (_agreeing(views, board, lenses, share) for share in _SHARES)
        most = next((found for found in sets if len(found) > FEWEST_VIEWS), [])
    return Failure([Finding("unsynchronised", str(error), names, stops=True)], most)


def better_explained(c: Calibration, views: Sequence[View]) -> Finding | None:
    """One fault of all views under which they fit far better than as they are; only looked for
    where the solution is odd. Mirrored images of a board that was hardly tilted seem turned by 180
    degrees, and three times as noisy.
    """
    odd = opposed(c.fit.state.R) or len(c.rejected) > _MANY * len(views)
    if not odd or len(views) <= _TOO_FEW_TO_BLAME:
        return None
    with one_thread():
        try:
            lenses = [_lens(views, c.board, side) for side in ("left", "right")]
        except CalibrationError:
            return None
        tries = _whole_session_tries(views, c.board, lenses)
        for cause, message, changed, solos in tries:
            agreeing = _agreeing(changed, c.board, solos, _WHOLE)
            if len(agreeing) >= FEWEST_VIEWS and _fits_better(c, changed):
                return Finding(cause, message, tuple(v.name for v in views), stops=True)
    return None


def _fits_better(c: Calibration, changed: Sequence[View]) -> bool:
    name = "fisheye" if "fisheye" in c.model_name else "pinhole5"
    try:
        other = calibrate_stereo(changed, c.board, model=name, deformation="flat")
    except CalibrationError:
        return False
    return len(other.views) >= len(c.views) and other.rms_px() < _FAR_BETTER * c.rms_px()


def _lens(views: Sequence[View], board: Board, side: str) -> Fit:
    """One camera alone, by the lens model that fits it better."""
    seen, shape = [getattr(view, side) for view in views], BoardModel(board.points)
    fits = []
    for name in ("pinhole5", "fisheye"):
        try:
            fits.append(solve_camera(seen, shape, *MODELS[name])[0])
        except CalibrationError as error:
            failed = error
    if not fits:
        raise failed
    return min(fits, key=lambda fit: fit.cost)


def _unfit(lens: Fit, sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether most corners are nowhere near the board's; single bad views do not count."""
    usual = float(np.sqrt(np.median((lens.residuals**2).sum(axis=1)) / 0.69))
    return usual > fit_limit(sizes)


def _agreeing(
    views: Sequence[View], board: Board, lenses: Sequence[Fit], share: float
) -> list[View]:
    """The views that agree on a motion between the cameras; none when fewer than ``share`` do."""
    try:
        _, good, _ = agree_on_motion(views, board, lenses, share=share)
    except CalibrationError:
        return []
    found = [view for view, ok in zip(views, good, strict=True) if ok]
    return found if len(found) >= share * len(views) else []


def _horizons_spread(views: Sequence[View], board: Board) -> float:
    """How far the horizons of the board's plane in the left images lie apart, about the tangent of
    the largest angle between two planes for a lens of usual focal length; parallel planes share
    one horizon, and to see that no calibration is needed.
    """
    horizons = []
    for view in views:
        points = (view.left.points - np.array(view.left.size) / 2) / max(view.left.size)
        H, _ = cv2.findHomography(board.points[view.left.ids, :2] / board.square_m, points)
        if H is not None:
            line = np.linalg.inv(H).T[:, 2]
            horizons.append(line[:2] / line[2])
    lines = np.array(horizons)
    return float(np.linalg.norm(lines[:, None] - lines[None], axis=2).max(initial=0))


def _whole_session_tries(
    views: Sequence[View], board: Board, lenses: Sequence[Fit]
) -> Iterator[tuple[str, str, list[View], list[Fit]]]:
    left, right = lenses
    n = len(views)
    for shift in (1, -1, 2, -2):
        first = [i for i in range(n) if 0 <= i + shift < n]
        if len(first) <= FEWEST_VIEWS:
            continue
        moved = [View(views[i].name, views[i].left, views[i + shift].right) for i in first]
        a, b = views[first[0]], views[first[0] + shift]
        yield (
            "unsynchronised",
            f"left and right are out of step by {abs(shift)} view(s): left {a.name} "
            f"belongs to the right image of {b.name}; pair them again",
            moved,
            [_of_views(left, first), _of_views(right, [i + shift for i in first])],
        )
    for s, side in ((1, "right"), (0, "left")):
        change = turned(side, (-1, 1))
        flipped = [changed for view in views if (changed := change(view)) is not None]
        both = [left, right]
        both[s] = _lens(flipped, board, side)
        yield "mirrored", f"the {side} images are mirrored; flip them back", flipped, both


def _of_views(fit: Fit, views: Sequence[int]) -> Fit:
    return fit._replace(state=fit.state.of_views(views))


def explain_unseen(images: Sequence[NDArray[Any]], board: Board) -> Finding:
    """Why a board was found in hardly any of some images: what is there instead."""
    return other_board(images, board) or Finding(
        "not_found",
        f"no board was found in the images; expected {board.spec}: is it wholly visible, "
        "sharp, with a white border, and are columns and rows inner corners?",
        stops=True,
    )
