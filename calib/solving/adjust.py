"""Bundle adjustment of one or two cameras looking at a board: the engine under ``solve``.

Levenberg-Marquardt with an analytic Jacobian. The poses of the board touch only their own view, so
they are eliminated view by view (Schur complement) and what is left to solve is as large as the
intrinsics, the rig's motion and the board's shape together: some 30 to 200 unknowns, whatever the
number of views. One step over 13 pairs takes about 3 ms.

Rotations are stepped by left multiplication, ``R <- exp(w) R``; that is also the parameter the
covariance speaks of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib import lens
from calib.camera import Camera, Model

Float = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False, slots=True)
class Observations:
    """Corners seen, sorted by view."""

    camera: Index
    """(M,) 0 left, 1 right."""
    view: Index
    """(M,) 0 to V - 1, never decreasing."""
    point: Index
    """(M,) the board's point."""
    pixels: Float
    """(M, 2)."""

    def chosen(self, keep: NDArray[np.bool_]) -> Observations:
        """Only those observations."""
        return Observations(*(getattr(self, n)[keep] for n in self.__slots__))

    def of_views(self, views: Sequence[int] | Index) -> Observations:
        """Only those views, renumbered in the order given."""
        parts = [np.flatnonzero(self.view == view) for view in views]
        rows = np.concatenate(parts) if parts else np.zeros(0, np.intp)
        number = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return replace(self.chosen_rows(rows), view=number)

    def chosen_rows(self, rows: Index) -> Observations:
        """Those rows in that order."""
        return Observations(*(getattr(self, n)[rows] for n in self.__slots__))

    @property
    def views(self) -> int:
        """Number of views."""
        return int(self.view[-1]) + 1 if len(self.view) else 0


@dataclass(frozen=True, eq=False, slots=True)
class State:
    """Everything that is solved for."""

    model: Model
    intrinsics: tuple[Float, ...]
    """Per camera (4 + n,): fx, fy, cx, cy, then the distortion in OpenCV's order."""
    R: Float
    """(3, 3) ``x_right = R x_left + t``."""
    t: Float
    """(3,) in the board's unit."""
    view_R: Float  # noqa: N815
    """(V, 3, 3) board to left camera."""
    view_t: Float
    """(V, 3)."""
    shape: Float
    """(S,) weights of the board's modes of deformation."""

    def camera(self, side: int, size: tuple[int, int]) -> Camera:
        """One of the cameras as others use it."""
        fx, fy, cx, cy = self.intrinsics[side][:4]
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
        return Camera(self.model, size, K, self.intrinsics[side][4:])

    def of_views(self, views: Sequence[int] | Index) -> State:
        """The same with only those board poses."""
        rows = np.asarray(views, dtype=np.intp)
        return replace(self, view_R=self.view_R[rows], view_t=self.view_t[rows])

    @property
    def globals(self) -> int:
        """How many unknowns there are besides the board's poses."""
        return sum(map(len, self.intrinsics)) + 6 * (len(self.intrinsics) - 1) + len(self.shape)


@dataclass(frozen=True, eq=False, slots=True)
class BoardModel:
    """A board that may be bent: ``points + modes . weights``."""

    points: Float
    """(N, 3) as printed."""
    modes: Float = field(default_factory=lambda: np.zeros((0, 0, 3)))
    """(S, N, 3) ways to deform it, in the board's unit per unit weight."""

    def bent(self, weights: Float) -> Float:
        """(N, 3) points with the given weights (S,) of the modes."""
        if not len(weights):
            return self.points
        return np.asarray(self.points + np.einsum("s,snc->nc", weights, self.modes))


class Fit(NamedTuple):
    """Result of an adjustment."""

    state: State
    residuals: Float
    """(M, 2) seen minus predicted, pixels."""
    cost: float
    """Half the sum of the robust losses."""
    normal: Float
    """(F, F) information matrix of the free global unknowns, board poses eliminated."""
    free: NDArray[np.bool_]
    """(G,) which global unknowns were free."""


def project(
    board: BoardModel, state: State, seen: Observations, *, jacobian: bool = True
) -> tuple[Float, Float, Float]:
    """Predicted pixels (M, 2), Jacobians to globals (M, 2, G) and to the view's pose (M, 2, 6).

    Pixels are NaN where the lens model cannot see the point.
    """
    m = len(seen.view)
    P = board.bent(state.shape)[seen.point]
    view_R = state.view_R[seen.view]
    turned = np.einsum("mij,mj->mi", view_R, P)
    X = turned + state.view_t[seen.view]
    right = seen.camera == 1
    moved = X[right] @ state.R.T
    Xc = X.copy()
    Xc[right] = moved + state.t
    pixels = np.empty((m, 2))
    to_globals, to_X = np.zeros((m, 2, state.globals if jacobian else 0)), np.empty((m, 2, 3))
    start = 0
    for side, values in enumerate(state.intrinsics):
        rows = np.flatnonzero(seen.camera == side)
        pixels[rows], J_X, J_k = project_points(state.model, values, Xc[rows], jacobian=jacobian)
        if jacobian:
            to_X[rows] = J_X
            to_globals[rows, :, start : start + len(values)] = J_k
        start += len(values)
    if not jacobian:
        return pixels, to_globals, to_X
    if len(state.intrinsics) == 2:
        to_globals[right, :, start : start + 3] = -to_X[right] @ _cross(moved)
        to_globals[right, :, start + 3 : start + 6] = to_X[right]
        start += 6
    to_left = to_X
    to_left[right] = to_X[right] @ state.R
    to_pose = np.concatenate([-to_left @ _cross(turned), to_left], axis=2)
    if len(state.shape):
        to_board = to_left @ view_R
        to_globals[:, :, start:] = np.einsum("mij,smj->mis", to_board, board.modes[:, seen.point])
    return pixels, to_globals, to_pose


def project_points(
    model: Model, values: Float, X: Float, *, jacobian: bool = True
) -> tuple[Float, Float, Float]:
    """Pixels (M, 2) of points (M, 3) with Jacobians to the points and to the intrinsics."""
    uv, J_X, J_k = (_fisheye if model == "fisheye" else _pinhole)(X, values[4:])
    f = values[:2]
    pixels = uv * f + values[2:4]
    if not jacobian:
        return pixels, J_X, J_k
    to_values = np.zeros((len(X), 2, len(values)))
    to_values[:, 0, 0], to_values[:, 1, 1] = uv[:, 0], uv[:, 1]
    to_values[:, 0, 2] = to_values[:, 1, 3] = 1
    to_values[:, :, 4:] = J_k * f[:, None]
    return pixels, J_X * f[:, None], to_values


def _pinhole(X: Float, k: Float) -> tuple[Float, Float, Float]:
    with np.errstate(all="ignore"):
        z = np.where(X[:, 2] > 0, X[:, 2], np.nan)
        x, y = X[:, 0] / z, X[:, 1] / z
        full = np.zeros(14)
        full[: len(k)] = k
        u, v, J = lens.pinhole_distort(x, y, tuple(full[:12].tolist()))
        D = np.moveaxis(J, -1, 0)
        r2 = x * x + y * y
        r4, r6 = r2 * r2, r2 * r2 * r2
        top = 1 + full[0] * r2 + full[1] * r4 + full[4] * r6
        bottom = 1 + full[5] * r2 + full[6] * r4 + full[7] * r6
        J_k = np.zeros((len(x), 2, 14))
        for row, c in enumerate((x, y)):
            up, down = c / bottom, -c * top / (bottom * bottom)
            J_k[:, row, [0, 1, 4]] = np.column_stack([up * r2, up * r4, up * r6])
            J_k[:, row, 5:8] = np.column_stack([down * r2, down * r4, down * r6])
        J_k[:, 0, 2], J_k[:, 1, 2] = 2 * x * y, r2 + 2 * y * y
        J_k[:, 0, 3], J_k[:, 1, 3] = r2 + 2 * x * x, 2 * x * y
        J_k[:, 0, 8], J_k[:, 0, 9], J_k[:, 1, 10], J_k[:, 1, 11] = r2, r4, r2, r4
        uv = np.column_stack([u, v])
        if len(k) > 12:
            uv, D, J_k = _tilted(uv, D, J_k, full[12:])
        to_xy = np.zeros((len(x), 2, 3))
        to_xy[:, 0, 0] = to_xy[:, 1, 1] = 1 / z
        to_xy[:, 0, 2], to_xy[:, 1, 2] = -x / z, -y / z
        return uv, D @ to_xy, J_k[:, :, : len(k)]


def _tilted(uv: Float, D: Float, J_k: Float, tau: Float) -> tuple[Float, Float, Float]:
    """Apply the sensor's tilt; its own two derivatives are central differences."""

    def through(angles: Float) -> tuple[Float, Float]:
        T = lens.tilt_homography(*angles)
        h = np.column_stack([uv, np.ones(len(uv))]) @ T.T
        w = h[:, :2] / h[:, 2:]
        return w, (T[None, :2, :2] - w[:, :, None] * T[None, 2:, :2]) / h[:, 2, None, None]

    w, slope = through(tau)
    J_k = slope @ J_k
    step = 1e-6
    for i in range(2):
        away = np.eye(2)[i] * step
        J_k[:, :, 12 + i] = (through(tau + away)[0] - through(tau - away)[0]) / (2 * step)
    return w, slope @ D, J_k


def _fisheye(X: Float, k: Float) -> tuple[Float, Float, Float]:
    full = np.zeros(4)
    full[: len(k)] = k
    r = np.maximum(np.hypot(X[:, 0], X[:, 1]), 1e-12)
    theta = np.arctan2(r, X[:, 2])
    t2 = theta * theta
    bend = 1 + t2 * (full[0] + t2 * (full[1] + t2 * (full[2] + t2 * full[3])))
    slope = 1 + t2 * (3 * full[0] + t2 * (5 * full[1] + t2 * (7 * full[2] + t2 * 9 * full[3])))
    slope = np.where(slope > 0, slope, np.nan)  # beyond the fold
    reached = theta * bend
    unit = X[:, :2] / r[:, None]
    rho2 = r * r + X[:, 2] ** 2
    d_theta = np.column_stack([unit * (X[:, 2] / rho2)[:, None], -r / rho2])
    J_X = (slope[:, None] * unit)[:, :, None] * d_theta[:, None, :]
    s = reached / r
    J_X[:, :, :2] += s[:, None, None] * (np.eye(2) - unit[:, :, None] * unit[:, None, :])
    powers = np.column_stack([theta * t2, theta * t2**2, theta * t2**3, theta * t2**4])
    J_k = unit[:, :, None] * powers[:, None, : len(k)]
    return unit * (reached + 0 * slope)[:, None], J_X, J_k


def unproject_points(model: Model, values: Float, pixels: Float) -> Float:
    """Rays (N, 3) of pixels (N, 2), z = 1 for a pinhole, length 1 for a fisheye; NaN: none found.

    As ``Camera.unproject`` but without looking for the fold first, which costs more than the rays
    when the parameters are new at every call, as in propagating a covariance.
    """
    uv = (pixels - values[2:4]) / values[:2]
    k = np.pad(values[4:], (0, 18 - len(values)))
    if model == "fisheye":
        radius = np.hypot(uv[:, 0], uv[:, 1])
        theta = lens.fisheye_undistort(radius, tuple(k[:4].tolist()))
        sideways = np.divide(np.sin(theta), radius, out=np.ones_like(radius), where=radius > 0)
        return np.column_stack([uv * sideways[:, None], np.cos(theta)])
    if len(values) > 16:
        h = (
            np.column_stack([uv, np.ones(len(uv))])
            @ np.linalg.inv(lens.tilt_homography(*k[12:14])).T
        )
        uv = h[:, :2] / h[:, 2:]
    k12 = tuple(k[:12].tolist())
    x, y = uv.T.copy()
    with np.errstate(all="ignore"):
        for step in range(30):
            u, v, J = lens.pinhole_distort(x, y, k12)
            du, dv = u - uv[:, 0], v - uv[:, 1]
            if step >= 5 and np.nanmax(np.hypot(du, dv), initial=0) < 1e-13:
                break
            if step < 5:  # divide by the radial gain: slow, but it finds the right branch
                gain = np.hypot(u, v) / np.maximum(np.hypot(x, y), 1e-12)
                gain = np.where(gain > 0.1, gain, 1.0)
                x, y = x - du / gain, y - dv / gain
                continue
            det = J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0]
            x, y = x - (J[1, 1] * du - J[0, 1] * dv) / det, y - (J[0, 0] * dv - J[1, 0] * du) / det
        u, v, J = lens.pinhole_distort(x, y, k12)
        det = J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0]
        ok = (np.hypot(u - uv[:, 0], v - uv[:, 1]) < 1e-9) & (det > 0)
    return np.where(ok[:, None], np.column_stack([x, y, np.ones_like(x)]), np.nan)


def adjust(
    board: BoardModel,
    state: State,
    seen: Observations,
    *,
    free: NDArray[np.bool_] | None = None,
    robust_px: float | None = None,
    max_steps: int = 60,
    tolerance: float = 1e-9,
) -> Fit:
    """Minimise the reprojection error over the ``free`` globals (default all) and all poses.

    ``robust_px`` is the scale of a Cauchy loss; None is plain least squares. A start that some
    corner cannot be projected from returns with infinite cost.
    """
    free = np.ones(state.globals, bool) if free is None else free
    ends = np.searchsorted(seen.view, np.arange(seen.views + 1))
    damping = 1e-4
    cost, error = _cost(board, state, seen, robust_px)
    if not np.isfinite(cost):
        return Fit(state, error, np.inf, np.zeros((free.sum(),) * 2), free)
    for _ in range(max_steps):
        blocks = _normal_blocks(board, state, seen, error, free, ends, robust_px)
        improved = False
        while damping < 1e8:
            step_globals, step_poses = _damped_step(blocks, damping)
            trial = _stepped(state, free, step_globals, step_poses)
            new_cost, new_error = _cost(board, trial, seen, robust_px)
            if new_cost <= cost:
                improved = True
                break
            damping = max(damping, 1e-7) * 8
        if not improved:
            break
        gain = cost - new_cost
        state, cost, error = trial, new_cost, new_error
        damping = max(damping / 8, 1e-12)
        if gain <= tolerance * cost:
            break
    normal = _damped_normal(_normal_blocks(board, state, seen, error, free, ends, robust_px), 0.0)
    return Fit(state, error, cost, normal, free)


class _Blocks(NamedTuple):
    GG: Float
    """(F, F)."""
    GV: Float
    """(V, F, 6)."""
    VV: Float
    """(V, 6, 6)."""
    g: Float
    """(F,)."""
    v: Float
    """(V, 6)."""


def _cost(
    board: BoardModel, state: State, seen: Observations, robust_px: float | None
) -> tuple[float, Float]:
    if any(values[0] <= 1 or values[1] <= 1 for values in state.intrinsics):
        return np.inf, np.zeros((len(seen.view), 2))
    pixels, _, _ = project(board, state, seen, jacobian=False)
    error = seen.pixels - pixels
    e2 = (error**2).sum(axis=1)
    if not np.isfinite(e2).all():
        return np.inf, error
    if robust_px is None:
        return float(e2.sum() / 2), error
    return float(robust_px**2 * np.log1p(e2 / robust_px**2).sum() / 2), error


def _normal_blocks(
    board: BoardModel,
    state: State,
    seen: Observations,
    error: Float,
    free: NDArray[np.bool_],
    ends: Index,
    robust_px: float | None,
) -> _Blocks:
    _, to_globals, to_pose = project(board, state, seen)
    if not free.all():
        to_globals = to_globals[:, :, free]
    if robust_px is not None:
        weight = np.sqrt(1 / (1 + (error**2).sum(axis=1) / robust_px**2))[:, None]
        error = error * weight
        to_globals, to_pose = to_globals * weight[..., None], to_pose * weight[..., None]
    A = to_globals.reshape(2 * len(error), -1 if to_globals.shape[2] else 0)
    B, e = to_pose.reshape(-1, 6), error.ravel()
    views, unknowns = len(ends) - 1, A.shape[1]
    GV, VV = np.empty((views, unknowns, 6)), np.empty((views, 6, 6))
    v = np.empty((views, 6))
    for i in range(views):
        part = slice(2 * ends[i], 2 * ends[i + 1])
        GV[i], VV[i], v[i] = A[part].T @ B[part], B[part].T @ B[part], B[part].T @ e[part]
    return _Blocks(A.T @ A, GV, VV, A.T @ e, v)


def _damped_normal(blocks: _Blocks, damping: float) -> Float:
    GG, GV, VV, _, _ = blocks
    through = _solved(_damped(VV, damping), np.swapaxes(GV, 1, 2))
    return np.asarray(_damped(GG, damping) - np.einsum("vfi,vig->fg", GV, through))


def _damped_step(blocks: _Blocks, damping: float) -> tuple[Float, Float]:
    GG, GV, VV, g, v = blocks
    D = _damped(VV, damping)
    both = _solved(D, np.concatenate([np.swapaxes(GV, 1, 2), v[:, :, None]], axis=2))
    through, alone = both[:, :, :-1], both[:, :, -1]
    S = _damped(GG, damping) - np.einsum("vfi,vig->fg", GV, through)
    step = _scaled_solve(S, g - np.einsum("vfi,vi->f", GV, alone))
    return step, alone - through @ step


def _scaled_solve(S: Float, b: Float) -> Float:
    if not len(b):
        return b
    scale = 1 / np.sqrt(np.maximum(np.diag(S), 1e-30))
    try:
        return np.asarray(scale * np.linalg.solve(S * np.outer(scale, scale), scale * b))
    except np.linalg.LinAlgError:
        return np.asarray(scale * np.linalg.lstsq(S * np.outer(scale, scale), scale * b)[0])


def _solved(D: Float, rhs: Float) -> Float:
    try:
        return np.asarray(np.linalg.solve(D, rhs))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(D) @ rhs)


def _damped(H: Float, damping: float) -> Float:
    """Marquardt's damping: each unknown by its own curvature."""
    n = H.shape[-1]
    out = H.copy()
    i = np.arange(n)
    out[..., i, i] = H[..., i, i] * (1 + damping) + 1e-12 * damping
    return out


def _stepped(state: State, free: NDArray[np.bool_], step: Float, poses: Float) -> State:
    full = np.zeros(state.globals)
    full[free] = step
    intrinsics, start = [], 0
    for values in state.intrinsics:
        intrinsics.append(values + full[start : start + len(values)])
        start += len(values)
    R, t = state.R, state.t
    if len(state.intrinsics) == 2:
        R, t = exp(full[None, start : start + 3])[0] @ R, t + full[start + 3 : start + 6]
        start += 6
    return replace(
        state,
        intrinsics=tuple(intrinsics),
        R=R,
        t=t,
        view_R=exp(poses[:, :3]) @ state.view_R,
        view_t=state.view_t + poses[:, 3:],
        shape=state.shape + full[start:],
    )


def stepped(state: State, step: Float) -> State:
    """``state`` moved by a step (G,) of all its globals: how a covariance is sampled."""
    return _stepped(state, np.ones(state.globals, bool), step, np.zeros((len(state.view_t), 6)))


def _cross(v: Float) -> Float:
    """(M, 3, 3) matrices of the cross product with (M, 3) vectors."""
    out = np.zeros((len(v), 3, 3))
    out[:, 0, 1], out[:, 0, 2], out[:, 1, 2] = -v[:, 2], v[:, 1], -v[:, 0]
    out[:, 1, 0], out[:, 2, 0], out[:, 2, 1] = v[:, 2], -v[:, 1], v[:, 0]
    return out


def exp(w: Float) -> Float:
    """(M, 3, 3) rotations by rotation vectors (M, 3)."""
    angle = np.linalg.norm(w, axis=1)[:, None, None]
    K = _cross(w)
    small = angle < 1e-8
    safe = np.where(small, 1.0, angle)
    a = np.where(small, 1.0, np.sin(safe) / safe)
    b = np.where(small, 0.5, (1 - np.cos(safe)) / safe**2)
    R = np.eye(3) + a * K + b * (K @ K)
    U, _, Vt = np.linalg.svd(R)  # steps multiply up: stay a rotation to the last bit
    return np.asarray(U @ Vt)
