"""Name why no rig could be solved, or no board found: what is wrong with the whole session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import Board, Charuco, Chessboard
from calib.detection.detect import detect
from calib.detection.guess import guess_board
from calib.errors import CalibrationError
from calib.judging.diagnose import PARALLEL_DEG, TOO_PARALLEL, Finding, fit_limit
from calib.judging.rejected import turned
from calib.solving.calibration import FEWEST_VIEWS, View
from calib.solving.solve import calibrate_stereo

_TOO_FEW_TO_BLAME = 4  # each lens alone is then too uncertain for a verdict on the pairs


def explain_failure(views: Sequence[View], board: Board, error: CalibrationError) -> list[Finding]:
    """Name why no rig could be solved at all."""
    names = tuple(view.name for view in views)
    if len(views) < FEWEST_VIEWS:
        return [Finding("too_few", str(error), names, stops=True)]
    if _horizons_spread(views, board) < np.tan(np.radians(PARALLEL_DEG)):
        return [Finding("parallel_views", TOO_PARALLEL.format("hardly at all"), names, stops=True)]
    for cause, message, changed in _whole_session_tries(views):
        if _solves(changed, board):
            return [Finding(cause, message, names, stops=True)]
    if len(views) <= _TOO_FEW_TO_BLAME:
        message = (
            f"only {len(views)} usable pairs, too few for a rig that they agree on; take 15 to 30, "
            "board and cameras still for each, the board tilted differently in each"
        )
        return [Finding("too_few", message, names, stops=True)]
    return [Finding("unsynchronised", str(error), names, stops=True)]


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


def _whole_session_tries(views: Sequence[View]) -> Iterator[tuple[str, str, list[View]]]:
    for shift in (1, -1, 2, -2):
        moved = [
            View(view.name, view.left, views[i + shift].right)
            for i, view in enumerate(views)
            if 0 <= i + shift < len(views)
        ]
        first = max(0, -shift)
        yield (
            "unsynchronised",
            f"left and right are out of step by {abs(shift)} view(s): left {views[first].name} "
            f"belongs to the right image of {views[first + shift].name}; pair them again",
            moved,
        )
    for side in ("right", "left"):
        change = turned(side, (-1, 1))
        yield (
            "mirrored",
            f"the {side} images are mirrored; flip them back",
            [changed for view in views if (changed := change(view)) is not None],
        )


def _solves(views: Sequence[View], board: Board) -> bool:
    try:
        c = calibrate_stereo(views, board, model="pinhole5", deformation="flat")
    except CalibrationError:
        return False
    return c.rms_px() < fit_limit(c.sizes) and len(c.views) >= 0.7 * len(views)


def explain_unseen(images: Sequence[NDArray[Any]], board: Board) -> Finding:
    """Why a board was found in none of some images: what is there instead."""
    if isinstance(board, Charuco):
        other = replace(board, legacy=not board.legacy)
        if any(detect(image, other) is not None for image in images):
            return Finding(
                "wrong_board",
                f"the board is not {board.spec} but {other.spec} (OpenCV changed its pattern "
                "in 4.6)",
                stops=True,
            )
    found = guess_board(images, square_m=board.square_m, unit_known=board.unit_known)
    if found is None:
        return Finding(
            "not_found",
            f"no board was found in the images; expected {board.spec}: is it wholly visible, "
            "sharp, with a white border, and are columns and rows inner corners?",
            stops=True,
        )
    why = ""
    if isinstance(board, Chessboard) and isinstance(found, Chessboard):
        larger = sorted((board.columns - 1, board.rows - 1))
        if larger == sorted((found.columns, found.rows)):
            why = " (squares were counted instead of inner corners)"
    return Finding(
        "wrong_board",
        f"the images do not show {board.spec}, but {found.spec}{why}",
        stops=True,
    )
