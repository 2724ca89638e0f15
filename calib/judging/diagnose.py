"""Name what is wrong with a calibration, and the images to blame.

The rejected views are tried again under every explanation there is: right corners in another order,
sides exchanged, an image upside down or mirrored, a partner from another moment. The explanation
under which a view suddenly agrees with the rig is the diagnosis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import Board, Charuco, Chessboard
from calib.detection.detect import detect
from calib.detection.detection import Detection
from calib.detection.guess import guess_board
from calib.errors import CalibrationError
from calib.judging.quality import plane_spread_deg
from calib.solving.adjust import adjust
from calib.solving.calibration import FEWEST_VIEWS, Calibration, Rejected, View, observe
from calib.solving.first_rig import agree_on_motion, board_poses, solve_camera
from calib.solving.held_out import view_errors
from calib.solving.solve import calibrate_stereo, one_thread
from calib.solving.state import BoardModel, State

Float = NDArray[np.float64]

PARALLEL_DEG = 8.0
_PARALLEL = (
    "the views are too parallel: the board's planes differ {}, so focal length and distance cannot "
    "be told apart; tilt the board by 30 to 45 degrees in several directions"
)
_SQUARE_TOLERANCE = 0.03
_BLURRED_PX = 6.0
_TOO_FEW_TO_BLAME = 4  # each lens alone is then too uncertain for a verdict on the pairs
_ZOOM = 0.01  # a change of focal length by more is no noise


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, by name."""

    cause: str
    """Short name, such as "swapped" or "parallel_views"."""
    message: str
    """What is wrong and what to do."""
    images: tuple[str, ...] = ()
    """Views to blame."""
    stops: bool = False
    """True: the result must not be used."""


def diagnose(
    c: Calibration, views: Sequence[View], *, baseline_m: float | None = None
) -> list[Finding]:
    """Everything that is wrong with a solved rig; ``views`` are all that were offered."""
    with one_thread():
        checks: list[Finding | None] = [
            _sides(c),
            _upside_down(c),
            _parallel(c),
            _flipped(c, views),
            _few(c),
            _change(c, views),
            _blurred(c.views),
            _mirrored_or_wrong_board(c),
        ]
    if baseline_m is not None:
        checks.append(_scale(c, baseline_m))
    return [finding for finding in checks if finding is not None]


# -- the whole rig ---------------------------------------------------------------------------


def _sides(c: Calibration) -> Finding | None:
    s = c.fit.state
    centre = -s.R.T @ s.t
    if abs(centre[0]) < abs(centre[1]):
        return Finding(
            "vertical",
            "the second camera is above or below the first; depth needs them side by side",
            stops=True,
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


def _upside_down(c: Calibration) -> Finding | None:
    R = c.fit.state.R
    if R[0, 0] > 0 or R[1, 1] > 0:
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
        _PARALLEL.format(f"by {spread:.1f} degrees at most"),
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


def _scale(c: Calibration, baseline_m: float) -> Finding | None:
    found = float(np.linalg.norm(c.fit.state.t))
    ratio = baseline_m / found
    if abs(ratio - 1) < _SQUARE_TOLERANCE:
        return None
    square = c.board.square_m * ratio
    return Finding(
        "square_size",
        f"the baseline comes out as {found * 1e3:.2f} mm but is known to be {baseline_m * 1e3:.2f} "
        f"mm: with a square of {square * 1e3:.3f} mm instead of {c.board.square_m * 1e3:.3f} mm it "
        "would agree; measure the printed board",
        stops=True,
    )


def _blurred(views: Sequence[View]) -> Finding | None:
    widths = {view.name: max(view.left.edge_px, view.right.edge_px) for view in views}
    known = [width for width in widths.values() if np.isfinite(width)]
    if not known:
        return None
    size = max(max(view.left.size) for view in views)
    limit = max(_BLURRED_PX * max(1, size / 1280), 2.2 * float(np.median(known)))
    bad = tuple(name for name, width in widths.items() if width > limit)
    if not bad and np.median(known) > _BLURRED_PX * max(1, size / 1280):
        bad = tuple(widths)
    if not bad:
        return None
    return Finding(
        "blurred",
        f"blurred: edges are {max(widths[n] for n in bad):.1f} px wide (usual here: "
        f"{np.median(known):.1f}); hold the board still or refocus",
        bad,
    )


def _mirrored_or_wrong_board(c: Calibration) -> Finding | None:
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


def _change(c: Calibration, offered: Sequence[View]) -> Finding | None:
    """Two rigs, one before and one after some view, must not fit much better than one rig."""
    n = len(c.views)
    if n < 8:
        return None
    whole = _cost(c, range(n))
    best = (np.inf, 0)
    for k in range(4, n - 3, max(1, n // 12)):
        best = min(best, (_cost(c, range(k)) + _cost(c, range(k, n)), k))
    k = best[1]
    if best[0] > 0.7 * whole or best[0] > 0.7 * min(_shuffled_costs(c, k)):
        return None
    k = min(
        range(max(4, k - 3), min(n - 3, k + 4)),
        key=lambda j: _cost(c, range(j)) + _cost(c, range(j, n)),
    )
    names = [view.name for view in offered]
    before, after = _state(c, range(k)), _state(c, range(k, n))
    zoomed = _focal_change(before, after) > _ZOOM
    what = "a camera was refocused or zoomed" if zoomed else "the rig moved"
    return Finding(
        "refocused" if zoomed else "rig_moved",
        f"{what} between views {c.views[k - 1].name} and {c.views[k].name}: two calibrations, "
        "before and after, fit clearly better than one; fix cameras and lenses and take all views "
        "again",
        tuple(names[names.index(c.views[k].name) :]),  # rejected ones too: a mixed rig fits neither
        stops=True,
    )


def _shuffled_costs(c: Calibration, k: int) -> Iterator[float]:
    """Costs of two rigs for k and n - k views taken at random: what two fit better anyway."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        order = rng.permutation(len(c.views)).tolist()
        yield _cost(c, sorted(order[:k])) + _cost(c, sorted(order[k:]))


def _cost(c: Calibration, views: Sequence[int]) -> float:
    return _refit(c, views)[1]


def _state(c: Calibration, views: Sequence[int]) -> Any:
    return _refit(c, views)[0]


def _refit(c: Calibration, views: Sequence[int]) -> tuple[Any, float]:
    rows = list(views)
    fit = adjust(
        c.shape,
        c.fit.state.of_views(rows),
        c.seen.of_views(rows),
        free=c.fit.free,
        max_steps=8,
        tolerance=1e-5,
    )
    return fit.state, fit.cost


# -- single views ----------------------------------------------------------------------------


def explain_rejected(c: Calibration, views: Sequence[View]) -> list[Rejected]:
    """Why each rejected view contradicts the rig; ``views`` are all that were offered."""
    by_name = {view.name: view for view in views}
    out = [by_name[r.name] for r in c.rejected if r.name in by_name]
    others = [r for r in c.rejected if r.name not in by_name]
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
        ("upside_down", "the right image is upside down", _turned("right", (-1, -1))),
        ("upside_down", "the left image is upside down", _turned("left", (-1, -1))),
        ("mirrored", "the right image is mirrored left to right", _turned("right", (-1, 1))),
        ("mirrored", "the left image is mirrored left to right", _turned("left", (-1, 1))),
        ("mirrored", "the right image is mirrored top to bottom", _turned("right", (1, -1))),
        ("mirrored", "the left image is mirrored top to bottom", _turned("left", (1, -1))),
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


def _all_orders(board: Board, view: View) -> list[View]:
    if len(view.right.ids) != len(board.points):
        return [view]
    return [replace(view, right=view.right.permuted(p)) for p in board.symmetries]


def _reordered(c: Calibration, fits: Callable[[View], bool]) -> Callable[[View], View | None]:
    return lambda view: next((v for v in _all_orders(c.board, view)[1:] if fits(v)), None)


def _exchanged(c: Calibration) -> Callable[[View], View | None]:
    same = c.sizes[0] == c.sizes[1]
    return lambda view: View(view.name, view.right, view.left) if same else None


def _turned(side: str, signs: tuple[int, int]) -> Callable[[View], View | None]:
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
    return "refocused" if _focal_change(old, new) > _ZOOM else "rig_moved"


def _focal_change(before: State, after: State) -> float:
    """Larger relative change of focal length of the two cameras."""
    return max(
        abs(float(b[:2].mean() / a[:2].mean()) - 1)
        for a, b in zip(before.intrinsics, after.intrinsics, strict=True)
    )


# -- nothing could be solved -----------------------------------------------------------------


def explain_failure(views: Sequence[View], board: Board, error: CalibrationError) -> list[Finding]:
    """Name why no rig could be solved at all."""
    names = tuple(view.name for view in views)
    if len(views) < FEWEST_VIEWS:
        return [Finding("too_few", str(error), names, stops=True)]
    if _horizons_spread(views, board) < np.tan(np.radians(PARALLEL_DEG)):
        return [Finding("parallel_views", _PARALLEL.format("hardly at all"), names, stops=True)]
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
        change = _turned(side, (-1, 1))
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


def fit_limit(sizes: Sequence[tuple[int, int]]) -> float:
    """A joint rms (px) that no right board and right pairing exceeds."""
    return 2.0 * max(1.0, max(sizes[0]) / 1000)


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
