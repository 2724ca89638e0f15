"""A first rig: each lens alone, from several focal lengths; then the motion most views agree on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import Board
from calib.camera import Camera, Model
from calib.detection.detection import Detection
from calib.errors import CalibrationError
from calib.solving.adjust import Fit, adjust
from calib.solving.calibration import View, observe_one
from calib.solving.projection import project_points, unproject_points
from calib.solving.state import BoardModel, State, exp

Float = NDArray[np.float64]
Index = NDArray[np.intp]

_STARTS = {"pinhole": (0.5, 0.8, 1.3, 2.5), "fisheye": (0.25, 0.35, 0.5)}  # focal length / width
_START_VIEWS = 12  # more tell a right start from a wrong one no better
_NO_LENS = "no lens of this model explains the corners; are they of the board that was named?"


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
    if known is not None:
        fit = _with_lens(known, detections, shape)
        if not np.isfinite(fit.cost):
            raise CalibrationError(_NO_LENS)
        return fit, 1.0
    width = detections[0].size[0]
    few = detections[:: -(-len(detections) // _START_VIEWS)]
    fits = [_from_focal(s * width, few, shape, model, count) for s in _STARTS[model]]
    finite = [fit for fit in fits if np.isfinite(fit.cost)]
    if not finite:
        raise CalibrationError(_NO_LENS)
    best = min(finite, key=lambda fit: fit.cost)
    same = [fit for fit in finite if fit.cost <= best.cost * 1.001 + 1e-9]
    if len(few) < len(detections):
        best = _on_all(best.state, detections, shape)
    return best, len(same) / len(fits)


def _on_all(start: State, detections: Sequence[Detection], shape: BoardModel) -> Fit:
    """A lens found from some views, adjusted to all."""
    model, values = start.models[0], start.intrinsics[0]
    rays = [unproject_points(model, values, one.points) for one in detections]
    R, t = board_poses(rays, detections, shape)
    state = replace(start, view_R=R, view_t=t)
    loose = max(1.0, detections[0].size[0] / 1000)
    seen, fixed = observe_one(detections), np.zeros(state.globals, bool)
    posed = adjust(shape, state, seen, free=fixed, robust_px=loose, max_steps=10, tolerance=1e-4)
    return adjust(shape, posed.state, seen, robust_px=loose, tolerance=1e-5)


def _with_lens(known: Camera, detections: Sequence[Detection], shape: BoardModel) -> Fit:
    """The board's poses before a camera that stays as it is."""
    K, d = known.K, known.distortion
    R, t = board_poses([known.unproject(one.points) for one in detections], detections, shape)
    values = np.r_[K[0, 0], K[1, 1], K[0, 2], K[1, 2], d]
    state = State((known.model,), (values,), np.eye(3), np.zeros(3), R, t, np.zeros(0))
    fixed = np.zeros(state.globals, bool)
    return adjust(shape, state, observe_one(detections), free=fixed, robust_px=2.0)


def _from_focal(
    f: float, detections: Sequence[Detection], shape: BoardModel, model: Model, count: int
) -> Fit:
    """Started from one focal length (px) and no distortion, more and more of the lens is freed."""
    seen = observe_one(detections)
    width, height = detections[0].size
    cx, cy = (width - 1) / 2, (height - 1) / 2
    start = Camera(model, (width, height), np.array([[f, 0, cx], [0, f, cy], [0, 0, 1]]))
    R, t = board_poses([_rays(start, one.points) for one in detections], detections, shape)
    values = np.r_[f, f, cx, cy, np.zeros(count)]
    state = State((model,), (values,), np.eye(3), np.zeros(3), R, t, np.zeros(0))
    each, loose = np.arange(state.globals), max(2.0, width / 100)
    radial = np.isin(each, (0, 1, 4, 5))
    fit = adjust(shape, state, seen, free=each < 2, robust_px=loose, max_steps=8, tolerance=1e-3)
    fit = adjust(shape, fit.state, seen, free=radial, robust_px=loose, max_steps=15, tolerance=1e-4)
    tight = max(1.0, width / 1000)
    return adjust(shape, fit.state, seen, robust_px=tight, max_steps=60, tolerance=1e-5)


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


# -- the motion between the cameras --------------------------------------------------------------


def agree_on_motion(
    views: Sequence[View], board: Board, solos: Sequence[Fit], *, share: float = 0.6
) -> tuple[State, NDArray[np.bool_], list[int]]:
    """The motion most views agree on, which views do, and the order of the right corners of each.

    Every view in every order proposes a motion; the one with the lowest quantile of errors wins
    (least median of squares), by default that of 60 %, so up to 40 % of the views may be wrong.
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
    rank = max(0, int(np.ceil(share * len(views))) - 1)
    pairs = _pairs(views, board, left, orders)
    for R, t in proposals:
        errors, chosen = _motion_errors(pairs, right, R, t)
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
    intrinsics = (left.intrinsics[0], right.intrinsics[0])
    state = replace(left, models=left.models + right.models, intrinsics=intrinsics, R=R, t=t)
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


class _Pairs(NamedTuple):
    """Right corners of all views in tables, and where the left poses put the board."""

    board: Float
    """(3, V, N) in the left camera's axes."""
    ids: Index
    """(V, n)."""
    points: Float
    """(O, 2, V, n) in each order of the corners; infinite where a view has no such order or point.
    """
    middle: tuple[Index, Index]
    """(V,) the two places of the median in a sorted row."""


def _pairs(
    views: Sequence[View], board: Board, left: State, orders: Sequence[Sequence[int]]
) -> _Pairs:
    count = np.array([len(view.right.ids) for view in views])
    ids = np.zeros((len(views), int(count.max())), np.intp)
    points = np.full((len(board.symmetries), 2, *ids.shape), np.inf)
    for v, view in enumerate(views):
        ids[v, : count[v]] = view.right.ids
        for p in orders[v]:
            order = board.symmetries[p] if p else slice(None)
            points[p, :, v, : count[v]] = view.right.points[order].T
    X = np.moveaxis(left.view_R @ board.points.T, 1, 0) + left.view_t.T[:, :, None]
    return _Pairs(X, ids, points, ((count - 1) // 2, count // 2))


def _motion_errors(pairs: _Pairs, right: State, R: Float, t: Float) -> tuple[Float, list[int]]:
    """Per view the median distance (px) of right corners from where the left pose puts them, and
    in which order of the corners.
    """
    X = np.tensordot(R, pairs.board, 1) + t[:, None, None]
    pixels = project_points(right.models[0], right.intrinsics[0], X)
    seen = pixels[:, np.arange(len(pairs.ids))[:, None], pairs.ids]
    away = np.sort(
        np.nan_to_num(
            np.hypot(*(seen[:, None] - pairs.points.swapaxes(0, 1))), nan=1e6, posinf=np.inf
        )
    )
    rows = np.arange(len(pairs.ids))
    low, high = pairs.middle
    error = (away[:, rows, low] + away[:, rows, high]) / 2
    return error.min(axis=0), error.argmin(axis=0).tolist()
