"""From points of the board to pixels, with derivatives, and from pixels back to rays.

As ``Camera.project`` and ``Camera.unproject``, but of bare parameters: the solver tries thousands,
and lenses that fold do not stop it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.camera import Model
from calib.lens import fisheye_undistort, pinhole_distort, tilt_homography
from calib.solving.state import BoardModel, Observations, State, cross

Float = NDArray[np.float64]


def project(
    board: BoardModel, state: State, seen: Observations, *, jacobian: bool = True
) -> tuple[Float, Float, Float]:
    """Predicted pixels (M, 2), Jacobians to globals (M, 2, G) and to the view's pose (M, 2, 6).

    Pixels are NaN where the lens model cannot see the point.
    """
    m = len(seen.view)
    P = board.deformed(state.shape)[seen.point]
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
        to_globals[right, :, start : start + 3] = -to_X[right] @ cross(moved)
        to_globals[right, :, start + 3 : start + 6] = to_X[right]
        start += 6
    to_left = to_X
    to_left[right] = to_X[right] @ state.R
    to_pose = np.concatenate([-to_left @ cross(turned), to_left], axis=2)
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
        u, v, J = pinhole_distort(x, y, tuple(full[:12].tolist()))
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
        T = tilt_homography(*angles)
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
        theta = fisheye_undistort(radius, tuple(k[:4].tolist()))
        sideways = np.divide(np.sin(theta), radius, out=np.ones_like(radius), where=radius > 0)
        return np.column_stack([uv * sideways[:, None], np.cos(theta)])
    if len(values) > 16:
        h = np.column_stack([uv, np.ones(len(uv))]) @ np.linalg.inv(tilt_homography(*k[12:14])).T
        uv = h[:, :2] / h[:, 2:]
    k12 = tuple(k[:12].tolist())
    x, y = uv.T.copy()
    with np.errstate(all="ignore"):
        for step in range(30):
            u, v, J = pinhole_distort(x, y, k12)
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
        u, v, J = pinhole_distort(x, y, k12)
        det = J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0]
        ok = (np.hypot(u - uv[:, 0], v - uv[:, 1]) < 1e-9) & (det > 0)
    return np.where(ok[:, None], np.column_stack([x, y, np.ones_like(x)]), np.nan)
