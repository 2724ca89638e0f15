"""Why single views contradict the rig.

The rejected views are tried again under every explanation there is: right corners in another order,
sides exchanged, an image upside down or mirrored, a partner from another moment. The explanation
under which a view suddenly agrees with the rig is the diagnosis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.board import Board
from calib.detection.detection import Detection
from calib.errors import CalibrationError
from calib.solving.adjust import adjust
from calib.solving.calibration import FEWEST_VIEWS, Calibration, Rejected, View, observe
from calib.solving.first_rig import agree_on_motion, board_poses, solve_camera
from calib.solving.held_out import view_errors
from calib.solving.solve import one_thread
from calib.solving.state import BoardModel, State

Float = NDArray[np.float64]


ZOOM = 0.01
"""A change of focal length by more is no noise."""


def explain_rejected(c: Calibration, views: Sequence[View]) -> list[Rejected]:
    """Why each rejected view contradicts the rig; ``views`` are all that were offered."""
    by_name = {view.name: view for view in views}
    out = [by_name[r.name] for r in c.rejected if r.cause == "inconsistent"]
    others = [r for r in c.rejected if r.cause != "inconsistent"]
    with one_thread():
        limit = max(3.5 * float(np.median(_errors(c, c.views))), 0.4)
        moved = _moved_together(c, out, limit)
        return others + [moved.get(v.name) or _explain(c, v, views, limit) for v in out]


def _explain(c: Calibration, view: View, views: Sequence[View], limit: float) -> Rejected:
    def fits(candidate: View) -> bool:
        return bool(_errors(c, [candidate])[0] < limit)

    tries: tuple[tuple[str, str, Callable[[View], View | None]], ...] = (
        ("flipped_corners", "corner order differs between left and right", _reordered(c, fits)),
        ("swapped", "left and right image are exchanged in this pair", _exchanged(c)),
        ("upside_down", "the right image is upside down", turned("right", (-1, -1))),
        ("upside_down", "the left image is upside down", turned("left", (-1, -1))),
        ("mirrored", "the right image is mirrored left to right", turned("right", (-1, 1))),
        ("mirrored", "the left image is mirrored left to right", turned("left", (-1, 1))),
        ("mirrored", "the right image is mirrored top to bottom", turned("right", (1, -1))),
        ("mirrored", "the left image is mirrored top to bottom", turned("left", (1, -1))),
    )
    for cause, reason, change in tries:
        changed = change(view)
        if changed is not None and any(fits(v) for v in _all_orders(c.board, changed)):
            return Rejected(view.name, cause, reason)
    for other in views:
        if other.name != view.name and fits(replace(view, right=other.right)):
            return Rejected(
                view.name,
                "unsynchronised",
                f"its left image belongs to the right image of {other.name}",
            )
    alone = [_errors_alone(c, view, side) for side in (0, 1)]
    if max(alone) < 2 * limit:
        gap = _errors(c, [view])[0]
        return Rejected(
            view.name,
            "unsynchronised",
            f"each image is fine alone, but they are {gap:.1f} px apart: "
            "not taken at the same moment, or the board moved between them",
        )
    side = ("left", "right")[int(np.argmax(alone))]
    return Rejected(
        view.name, "bad_corners", f"corners of the {side} image are wrong by {max(alone):.1f} px"
    )


def _errors(c: Calibration, views: Sequence[View]) -> Float:
    """(V,) rms of views with the rig fixed, poses found afresh."""
    state = _posed(c, views)
    return view_errors(c.shape, state, observe(views))


def _posed(c: Calibration, views: Sequence[View]) -> Any:
    camera = c.fit.state.camera(0, c.sizes[0])
    rays = [camera.unproject(view.left.points) for view in views]
    R, t = board_poses(rays, [view.left for view in views], c.shape)
    return replace(c.fit.state, view_R=R, view_t=t)


def _errors_alone(c: Calibration, view: View, side: int) -> float:
    one = (view.left, view.right)[side]
    known = c.fit.state.camera(side, c.sizes[side])
    try:
        fit, _ = solve_camera([one], c.shape, known.model, -1, known)
    except CalibrationError:
        return float("inf")
    return float(np.sqrt(np.median((fit.residuals**2).sum(axis=1)) / 0.69))


# -- explanations, each a change of the view -----------------------------------------------------


def _all_orders(board: Board, view: View) -> list[View]:
    if len(view.right.ids) != len(board.points):
        return [view]
    return [replace(view, right=view.right.permuted(p)) for p in board.symmetries]


def _reordered(c: Calibration, fits: Callable[[View], bool]) -> Callable[[View], View | None]:
    return lambda view: next((v for v in _all_orders(c.board, view)[1:] if fits(v)), None)


def _exchanged(c: Calibration) -> Callable[[View], View | None]:
    same = c.sizes[0] == c.sizes[1]
    return lambda view: View(view.name, view.right, view.left) if same else None


def turned(side: str, signs: tuple[int, int]) -> Callable[[View], View | None]:
    """The view with one image mirrored in x, y, or both (turned by 180 degrees)."""

    def change(view: View) -> View:
        one: Detection = getattr(view, side)
        last = np.array(one.size) - 1
        points = np.where(np.array(signs) < 0, last - one.points, one.points)
        other = replace(one, points=points)
        changed = _unmirrored(other, signs)
        return replace(view, left=changed) if side == "left" else replace(view, right=changed)

    return change


def _unmirrored(one: Detection, signs: tuple[int, int]) -> Detection:
    """In a mirrored image a plain grid was listed with its columns reversed; undo that."""
    if signs[0] * signs[1] > 0:
        return one
    n = len(one.ids)
    x = one.points
    # rows of a full grid: the first break of the step direction
    step = x[1] - x[0]
    columns = next((i for i in range(2, n) if (x[i] - x[i - 1]) @ step < 0), n)
    if n % columns:
        return one
    return replace(one, points=x.reshape(-1, columns, 2)[:, ::-1].reshape(-1, 2))


# -- another rig ---------------------------------------------------------------------------------


def _moved_together(c: Calibration, out: Sequence[View], limit: float) -> dict[str, Rejected]:
    """Rejected views that agree among themselves on another rig: something moved or was changed."""
    if len(out) < FEWEST_VIEWS:
        return {}
    cameras = tuple(c.fit.state.camera(side, c.sizes[side]) for side in (0, 1))
    shape = BoardModel(c.board.points)
    try:
        solos = [
            solve_camera(
                [(v.left, v.right)[s] for v in out], shape, cameras[s].model, -1, cameras[s]
            )[0]
            for s in (0, 1)
        ]
        state, _, _ = agree_on_motion(out, c.board, solos)
    except CalibrationError:
        return {}
    first, both = len(state.intrinsics[0]), sum(map(len, state.intrinsics))
    each = np.arange(state.globals)
    focal = np.isin(each, (0, 1, first, first + 1))
    fit = adjust(shape, state, observe(out), free=(each >= both) | focal, robust_px=1.0)
    error = view_errors(shape, fit.state, observe(out))
    near = float(np.clip(3.5 * np.median(error), 2 * limit, 4 * limit))
    same = [v for v, e in zip(out, error, strict=True) if e < near]
    if len(same) < FEWEST_VIEWS:
        return {}
    cause = _other_rig(fit.state, state)
    return {v.name: Rejected(v.name, cause, _OTHER_RIG[cause]) for v in same}


_OTHER_RIG = {
    "swapped": "left and right are exchanged in these pairs",
    "refocused": "these views agree among themselves on another focal length: a camera was "
    "refocused or zoomed between them and the others",
    "rig_moved": "these views agree among themselves on another position of the cameras: "
    "the rig moved between them and the others",
}


def _other_rig(new: State, old: State) -> str:
    if float((-new.R.T @ new.t)[0]) < 0:
        return "swapped"
    return "refocused" if focal_change(old, new) > ZOOM else "rig_moved"


def focal_change(before: State, after: State) -> float:
    """Larger relative change of focal length of the two cameras."""
    return max(
        abs(float(b[:2].mean() / a[:2].mean()) - 1)
        for a, b in zip(before.intrinsics, after.intrinsics, strict=True)
    )
