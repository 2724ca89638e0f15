"""Find the cameras, the rig and the board from what was seen: starts, consensus, adjustment.

One camera at a time first, from several focal lengths that must agree; then the motion between the
cameras that most views agree on; then everything together. Views and corners that contradict the
rest are rejected with a reason. Which lens model and whether the board is bent are decided by the
error on views that were left out, never by the error on the views that were fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from calib.board import Board
from calib.camera import Camera, Model, StereoRig
from calib.detection.detection import Detection
from calib.errors import CalibrationError
from calib.solving.adjust import (
    BoardModel,
    Fit,
    Observations,
    State,
    adjust,
    exp,
    project,
    project_points,
    unproject_points,
)

Float = NDArray[np.float64]
Index = NDArray[np.intp]
Warp = Literal["auto", "flat", "bent"]

MODELS: dict[str, tuple[Model, int]] = {
    "pinhole5": ("pinhole", 5),
    "pinhole8": ("pinhole", 8),
    "pinhole12": ("pinhole", 12),
    "pinhole14": ("pinhole", 14),
    "fisheye": ("fisheye", 4),
}
"""Lens models by the name ``--model`` takes: (model, distortion coefficients)."""

FEWEST_VIEWS = 3
_STARTS = {"pinhole": (0.5, 0.8, 1.3, 2.5), "fisheye": (0.25, 0.35, 0.5)}  # focal length / width
_BETTER = 0.97  # a larger model must lower the held-out error to this share
_CORNER_SIGMAS = 5.0  # of 1e5 good corners four are beyond it
_FOLDS = 5
_CERTAIN_VIEWS = 5  # a rig from more is certain enough to contradict a view
_BENT_VIEWS = 6  # fewer views cannot tell a bent board from a bent lens


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """One position of the board, seen by both cameras."""

    name: str
    left: Detection
    right: Detection


class Rejected(NamedTuple):
    """A view that was not used, and why."""

    name: str
    cause: str
    """One of the names in ``calib.judging.diagnose``."""
    reason: str


class HeldOut(NamedTuple):
    """Errors on views that the solution had not seen."""

    reprojection_rms_px: float
    row_error_px: float
    """Mean |y_left - y_right| after rectification."""
    view_row_error_px: Float
    """(V,) mean of each view."""
    view_rms_px: Float
    """(V,)."""
    states: tuple[State, ...]
    """Per fold the solution without it; without poses of the left-out views."""


@dataclass(frozen=True, eq=False, slots=True)
class Calibration:
    """A solved rig with all its evidence."""

    board: Board
    model_name: str
    views: tuple[View, ...]
    """Those that were used; view i of ``seen`` and ``fit.state`` is views[i]."""
    rejected: tuple[Rejected, ...]
    sizes: tuple[tuple[int, int], tuple[int, int]]
    """(width, height) of the left and the right images."""
    shape: BoardModel
    """The board and its modes of deformation (none: taken as flat)."""
    seen: Observations
    """Corners that were used."""
    corners_rejected: Observations
    """Corners of used views that were not."""
    fit: Fit
    held_out: dict[str, HeldOut]
    """By name of the candidate (model, and "+bent"): why this one was chosen."""
    starts_agree: float
    """Share of all starts that ended in this minimum, 0 to 1."""
    fixed_intrinsics: bool = False
    noise_px: float = 0.0
    """Standard deviation of one coordinate of a corner, estimated from the residuals."""

    @property
    def rig(self) -> StereoRig:
        """The cameras, without notes."""
        s = self.fit.state
        left, right = (s.camera(side, self.sizes[side]) for side in (0, 1))
        return StereoRig(left, right, s.R, s.t, reprojection_rms_px=self.rms_px())

    @property
    def name(self) -> str:
        """Key of the chosen candidate in ``held_out``."""
        return self.model_name + ("+bent" if len(self.shape.modes) else "")

    def rms_px(self, side: int | None = None, view: int | None = None) -> float:
        """``sqrt(mean |e|^2)`` of one camera (0, 1), one view, or all."""
        rows = np.ones(len(self.seen.view), bool)
        if side is not None:
            rows &= self.seen.camera == side
        if view is not None:
            rows &= self.seen.view == view
        return _rms(self.fit.residuals[rows])


def calibrate_stereo(
    views: Sequence[View],
    board: Board,
    *,
    model: str = "auto",
    warp: Warp = "auto",
    intrinsics: tuple[Camera, Camera] | None = None,
) -> Calibration:
    """Solve a stereo rig from the views of a board.

    ``model`` is a key of MODELS or "auto"; ``intrinsics`` are kept as given when they are.
    Raises CalibrationError when nothing can be solved: fewer than three usable views, or no
    motion between the cameras that a majority of views agrees on.
    """
    _check_views(views)
    with one_thread():
        return _solve(views, board, model, warp, intrinsics)


def one_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread: for matrices this small its threads wait for each other, and on a
    busy machine a solve of 0.5 s takes 5 s.
    """
    limits: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limits


def _solve(
    views: Sequence[View],
    board: Board,
    model: str,
    warp: Warp,
    intrinsics: tuple[Camera, Camera] | None,
) -> Calibration:
    names = [model] if model != "auto" else ["pinhole5", "fisheye"]
    if intrinsics is not None:
        names = [f"{intrinsics[0].model}{len(intrinsics[0].distortion)}"]
    first = [_first_solution(views, board, name, intrinsics) for name in names]
    best = first[0]
    for other in first[1:]:
        best = _better(best, other)
    if intrinsics is None and model == "auto" and best.model_name != "fisheye":
        for name in ("pinhole8", "pinhole12", "pinhole14"):
            best = _better(best, _extended(best, name))
    if warp != "flat":
        bent = _bent(best)
        if bent is not None:
            best = bent if warp == "bent" else _better(best, bent)
    kept = dict(best.held_out)
    for other in first:
        kept.update(other.held_out)
    return replace(best, held_out=kept)


# -- one candidate ---------------------------------------------------------------------------


def _first_solution(
    views: Sequence[View], board: Board, name: str, intrinsics: tuple[Camera, Camera] | None
) -> Calibration:
    if intrinsics is not None:
        model, count = intrinsics[0].model, -1
    else:
        model, count = MODELS[name]
    shape = BoardModel(board.points)
    sizes = (views[0].left.size, views[0].right.size)
    solos, agree = [], []
    for side in (0, 1):
        detections = [(view.left, view.right)[side] for view in views]
        known = None if intrinsics is None else intrinsics[side]
        solo, share = solve_camera(detections, shape, model, count, known)
        solos.append(solo)
        agree.append(share)
    state, good, order = agree_on_motion(views, board, solos)
    ordered = [
        replace(view, right=view.right.permuted(board.symmetries[p]) if p else view.right)
        for view, p in zip(views, order, strict=True)
    ]
    frozen = intrinsics is not None
    draft = Calibration(
        board,
        name,
        tuple(ordered),
        (),
        sizes,
        shape,
        observe(ordered),
        observe([]),
        Fit(state, np.zeros((0, 2)), np.inf, np.zeros((0, 0)), np.zeros(0, bool)),
        {},
        float(np.mean(agree)),
        frozen,
    )
    return _with_held_out(_cleaned(draft, good))


def solve_camera(
    detections: Sequence[Detection],
    shape: BoardModel,
    model: Model,
    count: int,
    known: Camera | None = None,
) -> tuple[Fit, float]:
    """One camera alone, from several focal lengths: the best fit, and the share that agrees.

    Raises CalibrationError when no start leads anywhere.
    """
    seen = observe_one(detections)
    width, height = detections[0].size
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    loose = max(2.0, width / 100)
    fits: list[Fit] = []
    if known is not None:
        K, d = known.K, known.distortion
        rays = [known.unproject(one.points) for one in detections]
        R, t = board_poses(rays, detections, shape)
        values = np.r_[K[0, 0], K[1, 1], K[0, 2], K[1, 2], d]
        state = State(model, (values,), np.eye(3), np.zeros(3), R, t, np.zeros(0))
        fits.append(adjust(shape, state, seen, free=np.zeros(state.globals, bool), robust_px=2.0))
    for share in () if known is not None else _STARTS[model]:
        f = share * width
        start = Camera(
            model, (width, height), np.array([[f, 0, centre[0]], [0, f, centre[1]], [0, 0, 1]])
        )
        R, t = board_poses([_rays(start, one.points) for one in detections], detections, shape)
        values = np.r_[f, f, centre, np.zeros(count)]
        state = State(model, (values,), np.eye(3), np.zeros(3), R, t, np.zeros(0))
        each = np.arange(state.globals)
        fit = adjust(shape, state, seen, free=each < 2, robust_px=loose, max_steps=8)
        fit = adjust(
            shape, fit.state, seen, free=np.isin(each, (0, 1, 4, 5)), robust_px=loose, max_steps=15
        )
        fits.append(
            adjust(shape, fit.state, seen, robust_px=max(1.0, width / 1000), tolerance=1e-7)
        )
    fits = [fit for fit in fits if np.isfinite(fit.cost)]
    if not fits:
        raise CalibrationError(
            "no lens of this model explains the corners; are they of the board that was named?"
        )
    best = min(fits, key=lambda fit: fit.cost)
    same = [fit for fit in fits if fit.cost <= best.cost * 1.001 + 1e-9]
    return best, len(same) / max(1, len(_STARTS[model]) if known is None else 1)


def _rays(camera: Camera, pixels: Float) -> Float:
    """Rays of a lens without distortion; a fisheye's stop at 80 degrees."""
    if camera.model == "pinhole":
        return camera.unproject(pixels)
    q = (pixels - camera.K[:2, 2]) / camera.K[0, 0]
    r = np.maximum(np.hypot(*q.T), 1e-9)
    theta = np.minimum(r, 1.4)
    return np.column_stack([q * (np.sin(theta) / r)[:, None], np.cos(theta)])


def board_poses(
    rays: Sequence[Float], detections: Sequence[Detection], shape: BoardModel
) -> tuple[Float, Float]:
    """Board poses (V, 3, 3), (V, 3) by the homography from the board to the rays' plane z = 1."""
    rotations, positions = [], []
    for ray, one in zip(rays, detections, strict=True):
        ok = np.isfinite(ray).all(axis=1) & (ray[:, 2] > 0.2)
        if ok.sum() < 6:
            ok = np.isfinite(ray).all(axis=1) & (ray[:, 2] > 0)
        xy = ray[ok, :2] / ray[ok, 2:]
        H = None
        if ok.sum() >= 4:
            H, _ = cv2.findHomography(shape.points[one.ids[ok], :2], xy)
        if H is None:
            H = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 10 * np.ptp(shape.points, axis=0).max()]])
        H = H * (2 / (np.linalg.norm(H[:, 0]) + np.linalg.norm(H[:, 1])))
        H = H if H[2, 2] > 0 else -H
        U, _, Vt = np.linalg.svd(np.column_stack([H[:, 0], H[:, 1], np.cross(H[:, 0], H[:, 1])]))
        rotations.append(U @ np.diag([1, 1, np.linalg.det(U @ Vt)]) @ Vt)
        positions.append(H[:, 2])
    return np.array(rotations), np.array(positions)


# -- the motion between the cameras ----------------------------------------------------------


def agree_on_motion(
    views: Sequence[View], board: Board, solos: Sequence[Fit]
) -> tuple[State, NDArray[np.bool_], list[int]]:
    """The motion most views agree on, which views do, and the order of the right corners of each.

    Every view in every order proposes a motion; the one with the lowest 60 % quantile of errors
    wins (least median of squares), so up to 40 % of the views may be wrong.
    """
    left, right = (solo.state for solo in solos)
    orders = _orders(views, board)
    proposals = []
    for v in range(len(views)):
        for p, order in enumerate(board.symmetries):
            if p not in orders[v]:
                continue
            turn = _symmetry_motion(board, order)
            R_v, t_v = right.view_R[v] @ turn[0], right.view_R[v] @ turn[1] + right.view_t[v]
            R = R_v @ left.view_R[v].T
            proposals.append((R, t_v - R @ left.view_t[v]))
    best: tuple[float, float, Float, list[int], tuple[Float, Float]] | None = None
    rank = max(0, int(np.ceil(0.6 * len(views))) - 1)
    for R, t in proposals:
        errors, chosen = _motion_errors(views, board, left, right, R, t, orders)
        score = float(np.sort(errors)[rank])
        angle = float(np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1)))
        # equally good: two cameras of a rig look the same way up
        if best is None or (score * (1 + 0.3 * (angle > 1.6)) < best[0]):
            best = (score * (1 + 0.3 * (angle > 1.6)), angle, errors, chosen, (R, t))
    assert best is not None
    _, _, errors, order_of, (R, t) = best
    usual = float(np.sort(errors)[rank])
    if usual > 0.015 * max(views[0].right.size):
        raise CalibrationError(
            "the pairs do not agree on where the right camera is: most are unsynchronised, wrongly "
            "paired, mirrored or of another rig. Hold board and cameras still for each pair and "
            "check that left and right images are paired by number"
        )
    good = errors < max(2.0, 4 * usual)
    state = replace(left, intrinsics=(left.intrinsics[0], right.intrinsics[0]), R=R, t=t)
    return state, good, order_of


def _orders(views: Sequence[View], board: Board) -> list[list[int]]:
    full = list(range(len(board.symmetries)))
    return [full if len(view.right.ids) == len(board.points) else [0] for view in views]


def _symmetry_motion(board: Board, order: Index) -> tuple[Float, Float]:
    """R, t with ``points[order[i]] = R points[i] + t``.

    The right view's pose was found for its own order; in the other order board point i lies where
    point order[i] lay, so the pose becomes that pose after this motion.
    """
    A, B = board.points, board.points[order]
    a, b = A.mean(axis=0), B.mean(axis=0)
    M = (B - b).T @ (A - a)
    angle = np.arctan2(M[1, 0] - M[0, 1], M[0, 0] + M[1, 1])
    R = exp(np.array([[0, 0, angle]]))[0]
    return R, b - R @ a


def _motion_errors(
    views: Sequence[View],
    board: Board,
    left: State,
    right: State,
    R: Float,
    t: Float,
    orders: Sequence[Sequence[int]],
) -> tuple[Float, list[int]]:
    """Per view the median distance (px) of right corners from where the left pose puts them."""
    errors, chosen = [], []
    for v, view in enumerate(views):
        X = board.points @ left.view_R[v].T + left.view_t[v]
        pixels = project_points(right.model, right.intrinsics[0], X @ R.T + t, jacobian=False)[0]
        options = []
        for p in orders[v]:
            points = view.right.points[board.symmetries[p]] if p else view.right.points
            gap = np.linalg.norm(pixels[view.right.ids] - points, axis=1)
            options.append((float(np.median(np.nan_to_num(gap, nan=1e6))), p))
        error, p = min(options)
        errors.append(error)
        chosen.append(p)
    return np.array(errors), chosen


# -- cleaning --------------------------------------------------------------------------------


def _cleaned(draft: Calibration, good: NDArray[np.bool_]) -> Calibration:
    """Adjust everything on the good views, then take back or reject views, then single corners."""
    views = draft.views
    if good.sum() < FEWEST_VIEWS:
        raise CalibrationError(
            f"only {int(good.sum())} pairs agree on where the right camera is; the others are "
            "unsynchronised, wrongly paired or of another rig"
        )
    everything = draft.seen
    for _ in range(4):
        used = np.flatnonzero(good)
        part = everything.of_views(used)
        state = draft.fit.state.of_views(used)
        fit = adjust(draft.shape, state, part, free=_free(draft, state), robust_px=1.0)
        whole = replace(
            fit.state, view_R=draft.fit.state.view_R.copy(), view_t=draft.fit.state.view_t.copy()
        )
        whole.view_R[used], whole.view_t[used] = fit.state.view_R, fit.state.view_t
        draft = replace(draft, fit=fit._replace(state=whole))
        error = view_errors(draft.shape, whole, everything)
        usual = float(np.median(error[used]))
        again = error < max(3.5 * usual, 0.3)
        if again.sum() < FEWEST_VIEWS or np.array_equal(again, good):
            break
        good = again
    good = _taken_back(draft, everything, good)
    rejected = [
        Rejected(views[v].name, "inconsistent", f"{error[v]:.1f} px from the other views' rig")
        for v in np.flatnonzero(~good)
    ]
    used = np.flatnonzero(good)
    seen, out = everything.of_views(used), observe([])
    state = draft.fit.state.of_views(used)
    for _ in range(4):
        fit = adjust(draft.shape, state, seen, free=_free(draft, state), robust_px=1.0)
        keep = _enough_left(seen, _inliers(fit.residuals))
        if keep.all():
            break
        out = _joined(out, seen.chosen(~keep))
        seen, state = seen.chosen(keep), fit.state
    fit = adjust(draft.shape, fit.state, seen, free=_free(draft, fit.state))
    return replace(
        draft,
        views=tuple(views[v] for v in used),
        rejected=(*draft.rejected, *rejected),
        seen=seen,
        corners_rejected=out,
        fit=fit,
        noise_px=_noise(fit, seen),
    )


def _taken_back(
    draft: Calibration, everything: Observations, good: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """``good``, and of few views also those that a rig fitted to all of them explains as well.

    A rig from three or four views fits these too well, and honest others then seem to contradict
    it. A view that does contradict the rest spoils the fit to all.
    """
    if good.sum() > _CERTAIN_VIEWS:
        return good
    good = good.copy()
    for v in np.flatnonzero(~good):
        rows = np.flatnonzero(good | (np.arange(len(good)) == v))
        seen, state = everything.of_views(rows), draft.fit.state.of_views(rows)
        fit = adjust(draft.shape, state, seen, free=_free(draft, state))
        error = view_errors(draft.shape, fit.state, seen) if np.isfinite(fit.cost) else np.inf
        if np.max(error) < max(2.5 * float(np.median(error)), 0.3) and np.median(error) < 1.0:
            good[v] = True
    return good


def _inliers(residuals: Float) -> NDArray[np.bool_]:
    error = np.linalg.norm(residuals, axis=1)
    sigma = float(np.median(error)) / 1.1774  # Rayleigh
    return np.asarray(error <= max(_CORNER_SIGMAS * sigma, 0.05))


def _enough_left(seen: Observations, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``keep``, but all corners of a view of which fewer than six would be left in one camera."""
    count = np.zeros((seen.views, 2))
    np.add.at(count, (seen.view[keep], seen.camera[keep]), 1)
    starved = np.asarray((count < 6).any(axis=1))
    return np.asarray(keep | starved[seen.view])


def _joined(a: Observations, b: Observations) -> Observations:
    return Observations(*(np.concatenate([getattr(a, n), getattr(b, n)]) for n in a.__slots__))


def _noise(fit: Fit, seen: Observations) -> float:
    freedom = 2 * len(seen.view) - int(fit.free.sum()) - 6 * seen.views
    return float(np.sqrt((fit.residuals**2).sum() / max(freedom, 1)))


def _free(c: Calibration, state: State) -> NDArray[np.bool_]:
    """Which globals move: all, or all but the intrinsics."""
    free = np.ones(state.globals, bool)
    if c.fixed_intrinsics:
        free[: sum(map(len, state.intrinsics))] = False
    return free


# -- errors on views that were left out ------------------------------------------------------


def _with_held_out(c: Calibration) -> Calibration:
    folds = min(_FOLDS, len(c.views))
    return replace(c, held_out={c.name: held_out(c, folds)})


def held_out(c: Calibration, folds: int) -> HeldOut:
    """Refit without each fold of views, then judge those views with the rig fixed.

    The pose of the board in a left-out view is found from its own corners; nothing else is.
    """
    n = len(c.views)
    errors, rows = np.zeros(n), np.zeros(n)
    squares, count, row_sum, row_count = 0.0, 0, 0.0, 0
    states = []
    for fold in range(folds):
        out = np.arange(n) % folds == fold
        rest = np.flatnonzero(~out)
        state = c.fit.state.of_views(rest)
        fit = adjust(
            c.shape,
            state,
            c.seen.of_views(rest),
            free=_free(c, state),
            max_steps=10,
            tolerance=1e-6,
        )
        states.append(fit.state)
        for v in np.flatnonzero(out).tolist():
            view = c.seen.of_views([v])
            pose = replace(
                fit.state, view_R=c.fit.state.view_R[[v]], view_t=c.fit.state.view_t[[v]]
            )
            alone = adjust(
                c.shape, pose, view, free=np.zeros(pose.globals, bool), max_steps=8, tolerance=1e-6
            )
            row = row_errors(fit.state, view)
            errors[v] = _rms(alone.residuals) if np.isfinite(alone.cost) else np.inf
            rows[v] = float(row.mean()) if len(row) else np.nan
            squares += float((alone.residuals**2).sum()) if np.isfinite(alone.cost) else np.inf
            count += len(view.view)
            row_sum, row_count = row_sum + float(row.sum()), row_count + len(row)
    return HeldOut(
        float(np.sqrt(squares / max(count, 1))),
        row_sum / max(row_count, 1),
        rows,
        errors,
        tuple(states),
    )


def rectified_rays(state: State, side: int, pixels: Float) -> Float:
    """(N, 3) rays of one camera in the frame whose x axis is the baseline."""
    rays = unproject_points(state.model, state.intrinsics[side], pixels)
    in_left = rays if side == 0 else rays @ state.R  # R^T applied to each
    return np.asarray(in_left @ rectifying(state).T)


def rectifying(state: State) -> Float:
    """(3, 3) rotation from the left camera to the rectified one: x along the baseline, z between
    the two optical axes.
    """
    x = -state.R.T @ state.t
    x = x / np.linalg.norm(x)
    x = x if x[0] >= 0 or abs(x[0]) < abs(x[1]) else -x  # swapped cameras stay upright
    between = np.array([0, 0, 1.0]) + state.R[2]
    y = np.cross(between, x)
    y = y / np.linalg.norm(y)
    return np.array([x, y, np.cross(x, y)])


def row_errors(state: State, seen: Observations) -> Float:
    """(K,) |y_left - y_right| after rectification of the corners both cameras saw, pixels.

    Pinhole: on the rectified image plane at the mean focal length. Fisheye: distance between the
    two epipolar planes times focal length, which is the same near the axis and stays finite far
    off it.
    """
    key = seen.view * 10**6 + seen.point
    _, a, b = np.intersect1d(
        np.where(seen.camera == 0, key, -1),
        np.where(seen.camera == 1, key, -2),
        return_indices=True,
    )
    f = float(np.mean([values[:2] for values in state.intrinsics]))
    left = rectified_rays(state, 0, seen.pixels[a])
    right = rectified_rays(state, 1, seen.pixels[b])
    if state.model == "fisheye":
        angle = np.arctan2(left[:, 1], left[:, 2]) - np.arctan2(right[:, 1], right[:, 2])
        gap = np.abs(angle) * np.hypot(left[:, 1], left[:, 2]) * f
    else:
        gap = np.abs(left[:, 1] / left[:, 2] - right[:, 1] / right[:, 2]) * f
    return np.asarray(gap[np.isfinite(gap)])


def view_errors(shape: BoardModel, state: State, seen: Observations) -> Float:
    """(V,) rms of every view with the rig as it is and the view's own best pose, pixels."""
    fit = adjust(
        shape, state, seen, free=np.zeros(state.globals, bool), robust_px=2.0, max_steps=20
    )
    if not np.isfinite(fit.cost):
        fit = Fit(
            state,
            seen.pixels - project(shape, state, seen, jacobian=False)[0],
            0,
            fit.normal,
            fit.free,
        )
    e2 = np.nan_to_num((fit.residuals**2).sum(axis=1), nan=1e8)
    return np.array([np.sqrt(np.median(e2[seen.view == v]) / 0.69) for v in range(seen.views)])


# -- larger models ---------------------------------------------------------------------------


def _extended(c: Calibration, name: str) -> Calibration:
    """The same with more distortion coefficients, started from what is known.

    Without held-out errors where it cannot be better.
    """
    _, count = MODELS[name]
    state = c.fit.state
    longer = tuple(np.pad(v, (0, 4 + count - len(v))) for v in state.intrinsics)
    state = replace(state, intrinsics=longer)
    fit = adjust(c.shape, state, c.seen, max_steps=40, tolerance=1e-7)
    found = replace(c, model_name=name, fit=fit, noise_px=_noise(fit, c.seen), held_out={})
    # more coefficients help views that were left out less than those they were fitted to
    hopeless = _rms(fit.residuals) > _BETTER * _rms(c.fit.residuals)
    return found if hopeless or not _usable(found) else _with_held_out(found)


def _usable(c: Calibration) -> bool:
    """A lens that folds inside its own corners is no lens."""
    try:
        cameras = [c.fit.state.camera(side, c.sizes[side]) for side in (0, 1)]
    except CalibrationError:
        return False
    return all(
        np.isfinite(camera.unproject(c.seen.pixels[c.seen.camera == side])).all()
        for side, camera in enumerate(cameras)
    )


def _bent(c: Calibration) -> Calibration | None:
    """The same with the board's shape refined; None when too few corners would carry it."""
    modes = board_modes(c.board, c.seen)
    if modes is None:
        return None
    shape = BoardModel(c.board.points, modes)
    state = replace(c.fit.state, shape=np.zeros(len(modes)))
    fit = adjust(shape, state, c.seen, free=_free(c, state), max_steps=40)
    found = replace(c, shape=shape, fit=fit, noise_px=_noise(fit, c.seen), held_out={})
    return _with_held_out(found) if _usable(found) else None


def board_modes(board: Board, seen: Observations) -> Float | None:
    """(S, N, 3) deformations in units of one square: smooth polynomials of x and y per axis, up to
    degree five, without those that are a motion or a change of size of the whole board.
    """
    xy = board.points[:, :2]
    u = 2 * (xy - xy.min(axis=0)) / np.ptp(xy, axis=0) - 1
    degree = 5 if len(np.unique(seen.point)) > 40 and seen.views >= 8 else 2
    if min(board.columns, board.rows) < 4 or seen.views < _BENT_VIEWS:
        return None
    basis = [
        np.polynomial.legendre.legval(u[:, 0], np.eye(degree + 1)[i])
        * np.polynomial.legendre.legval(u[:, 1], np.eye(degree + 1)[j])
        for i in range(degree + 1)
        for j in range(degree + 1 - i)
    ]
    raw = np.zeros((3 * len(basis), len(xy), 3))
    for axis in range(3):
        for number, values in enumerate(basis):
            raw[axis * len(basis) + number, :, axis] = values
    P = board.points - board.points.mean(axis=0)
    motions = [np.tile(e, (len(P), 1)) for e in np.eye(3)]
    motions += [np.cross(e, P) for e in np.eye(3)] + [P]
    Q = np.linalg.qr(np.array([m.ravel() for m in motions]).T)[0]
    flat = raw.reshape(len(raw), -1)
    flat = flat - (flat @ Q) @ Q.T
    _, strength, Vt = np.linalg.svd(flat, full_matrices=False)
    kept = Vt[strength > 1e-9 * strength[0]]
    return np.asarray(kept.reshape(len(kept), -1, 3) * board.square_m * np.sqrt(len(xy)))


def _better(old: Calibration, new: Calibration) -> Calibration:
    """The new candidate if it predicts views it has not seen clearly better, else the old one."""
    mine, other = old.held_out[old.name], new.held_out.get(new.name)
    together = {**old.held_out, **new.held_out}
    if other is None or other.reprojection_rms_px > _BETTER * mine.reprojection_rms_px:
        return replace(old, held_out=together)
    return replace(new, held_out=together)


# -- observations ----------------------------------------------------------------------------


def observe(views: Sequence[View]) -> Observations:
    """All corners of all views in one table."""
    parts = [
        (v, s, d) for v, view in enumerate(views) for s, d in ((0, view.left), (1, view.right))
    ]
    if not parts:
        none = np.zeros(0, np.intp)
        return Observations(none, none, none, np.zeros((0, 2)))
    counts = [len(d.ids) for _, _, d in parts]
    return Observations(
        np.repeat([s for _, s, _ in parts], counts),
        np.repeat([v for v, _, _ in parts], counts),
        np.concatenate([d.ids for _, _, d in parts]),
        np.concatenate([d.points for _, _, d in parts]),
    )


def observe_one(detections: Sequence[Detection]) -> Observations:
    """Corners of one camera alone, as camera 0."""
    counts = [len(one.ids) for one in detections]
    return Observations(
        np.zeros(sum(counts), np.intp),
        np.repeat(np.arange(len(counts)), counts),
        np.concatenate([one.ids for one in detections]),
        np.concatenate([one.points for one in detections]),
    )


def _check_views(views: Sequence[View]) -> None:
    if len(views) < FEWEST_VIEWS:
        raise CalibrationError(
            f"only {len(views)} pair(s) show the board in both images; at least {FEWEST_VIEWS} are "
            "needed and 15 to 30 are good"
        )
    for side in ("left", "right"):
        sizes = {getattr(view, side).size for view in views}
        if len(sizes) > 1:
            text = ", ".join(f"{w}x{h}" for w, h in sorted(sizes))
            raise CalibrationError(
                f"the {side} images have different sizes ({text}); calibrate one size at a time"
            )


def _rms(residuals: Float) -> float:
    return float(np.sqrt((residuals**2).sum(axis=1).mean())) if len(residuals) else 0.0
