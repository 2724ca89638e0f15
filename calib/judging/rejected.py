"""Why single views contradict the rig.

The rejected views are tried again under every explanation there is: right corners in another order,
sides exchanged, an image upside down or mirrored, a partner from another moment. The explanation
under which a view suddenly agrees with the rig is the diagnosis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calib.board import Board
from calib.detection.detection import Detection
from calib.errors import CalibrationError
from calib.judging.change import Change, posed_views
from calib.judging.offered import blurred
from calib.solving.adjust import adjust
from calib.solving.calibration import FEWEST_VIEWS, Calibration, Rejected, View, observe
from calib.solving.first_rig import agree_on_motion, solve_camera
from calib.solving.held_out import view_errors
from calib.solving.solve import one_thread
from calib.solving.state import BoardModel, State

Float = NDArray[np.float64]


def explain_rejected(
    c: Calibration, views: Sequence[View], change: Change | None = None
) -> list[Rejected]:
    """Why each rejected view contradicts the rig; ``views`` are all that were offered.

    ``change`` is what is known to have changed while they were taken.
    """
    by_name = {view.name: view for view in views}
    out = [by_name[r.name] for r in c.rejected if r.name in by_name]
    others = [r for r in c.rejected if r.name not in by_name]
    if not out:
        return others
    with one_thread():
        limit = max(3.5 * float(np.median(_errors(c, c.views))), 0.4)
        known = {}
        known = _by_change(change) if change is not None else _moved_together(c, out, limit)
        wide = blurred(views)
        return others + [known.get(v.name) or _explain(c, v, views, limit, wide) for v in out]


def _by_change(change: Change) -> dict[str, Rejected]:
    before = f"agrees with the other views before {change.after[0]}, not with those after"
    return {
        name: Rejected(name, change.cause, change.what)
        if name in change.after
        else Rejected(name, "before_change", before)
        for name in change.agree
    }


def _explain(
    c: Calibration, view: View, views: Sequence[View], limit: float, wide: Mapping[str, float]
) -> Rejected:
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
    found = [
        (error, cause, reason)
        for cause, reason, change in tries
        if (changed := change(view)) is not None
        for error in _errors(c, _all_orders(c.board, changed))
    ]
    partners = [other for other in views if other.name != view.name]
    errors = _errors(c, [replace(view, right=other.right) for other in partners])
    found += [
        (error, "unsynchronised", f"its left image belongs to the right image of {other.name}")
        for error, other in zip(errors, partners, strict=True)
    ]
    # of all that fit the best, not the first: a board held in the middle fits upside down as well
    error, cause, reason = min(found, key=lambda one: one[0])
    if error < limit:
        return Rejected(view.name, cause, reason)
    if view.name in wide:
        return Rejected(
            view.name, "blurred", f"is blurred: its edges are {wide[view.name]:.1f} px wide"
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
    return view_errors(c.shape, *posed_views(c, views))


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
    found = _simplest_change(c, out, state, limit)
    if found is None:
        return {}
    cause, reason, names = found
    return {name: Rejected(name, cause, reason) for name in names}


def _simplest_change(
    c: Calibration, out: Sequence[View], start: State, limit: float
) -> tuple[str, str, list[str]] | None:
    """The fewest parameters of the rig that must differ for the views to agree: cause, what
    changed, and which views agree then.
    """
    seen, found = observe(out), []
    exchanged = _exchanges(c.fit.state, start)
    for cause, what, free, state in _kinds(c.fit.state, start):
        fit = adjust(c.shape, state, seen, free=free, robust_px=1.0)
        error = view_errors(c.shape, fit.state, seen)
        found.append((cause, what(fit.state), error, float(np.median(error))))
    best = min(usual for *_, usual in found)
    cause, text, error, usual = next(f for f in found if f[3] <= 1.3 * best + 0.1 * limit)
    same = error < float(np.clip(3.5 * usual, 2 * limit, 4 * limit))
    if same.sum() < FEWEST_VIEWS:
        return None
    names = [view.name for view, agrees in zip(out, same, strict=True) if agrees]
    if exchanged:
        return "swapped", "left and right are exchanged in these pairs", names
    return (
        cause,
        f"these views agree among themselves, but {text} between them and the others",
        names,
    )


def _exchanges(old: State, new: State) -> bool:
    """Whether the cameras stand the other way round: relative to the rig, which may be swapped."""
    centres = [-state.R.T @ state.t for state in (old, new)]
    return bool(centres[0] @ centres[1] < 0)


def _kinds(
    old: State, new: State
) -> list[tuple[str, Callable[[State], str], NDArray[np.bool_], State]]:
    """What may have changed, the simple first: cause, words, free globals and a start.

    ``new`` has lenses like ``old`` and a motion that the views propose.
    """
    first, both = len(old.intrinsics[0]), sum(map(len, old.intrinsics))
    each = np.arange(old.globals)
    near = replace(new, intrinsics=old.intrinsics, R=old.R, t=old.t, shape=old.shape)
    start = replace(new, intrinsics=old.intrinsics, shape=old.shape)
    focal = [np.isin(each, (k, k + 1)) for k in (0, first)]
    motion = (each >= both) & (each < both + 6)

    def zoom(state: State) -> str:
        change = max(focal_changes(old, state), key=abs)
        side = ("left", "right")[int(np.argmax(np.abs(focal_changes(old, state))))]
        return f"the {side} camera was refocused or zoomed by {100 * change:+.1f} %"

    def move(state: State) -> str:
        turn = state.R @ old.R.T
        angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
        return f"the rig moved: one camera was turned by {angle:.2f} degrees or shifted"

    return [
        ("refocused", zoom, focal[0], near),
        ("refocused", zoom, focal[1], near),
        ("rig_moved", move, motion, start),
        ("refocused", zoom, focal[0] | focal[1], near),
        ("rig_moved", move, motion | focal[0] | focal[1], start),
    ]


def focal_changes(before: State, after: State) -> tuple[float, float]:
    """Relative change of the focal length of the left and the right camera."""
    left, right = (
        float(b[:2].mean() / a[:2].mean()) - 1
        for a, b in zip(before.intrinsics, after.intrinsics, strict=True)
    )
    return left, right
