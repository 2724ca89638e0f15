"""From points before a camera to pixels, with derivatives, and from pixels back to rays.

As ``Camera.project`` and ``Camera.unproject``, but of bare parameters: the solver tries thousands,
and lenses that fold do not stop it. Coordinates come first, (3, ...): every formula is then a few
operations on whole arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.camera import Model
from calib.lens import fisheye_undistort, pinhole_distort, tilt_homography

Float = NDArray[np.float64]


def project_points(model: Model, values: Float, X: Float) -> Float:
    """Pixels (2, ...) of points (3, ...); NaN where the lens model cannot see the point."""
    k = values[4:]
    with np.errstate(all="ignore"):
        uv = _fisheye(X, k)[0] if model == "fisheye" else _pinhole_forward(X, k)[0]
    return np.asarray(_along(values[:2], uv) * uv + _along(values[2:4], uv))


def project_jacobian(model: Model, values: Float, X: Float) -> tuple[Float, Float, Float]:
    """Pixels (2, ...) of points (3, ...), and the derivatives (3, 2, ...) to the points and
    (4 + n, 2, ...) to the intrinsics.
    """
    with np.errstate(all="ignore"):
        uv, by_point, by_k = (_fisheye if model == "fisheye" else _pinhole)(X, values[4:])
    f = _along(values[:2], uv)
    by_values = np.zeros((len(values), *uv.shape))
    by_values[0, 0], by_values[1, 1] = uv
    by_values[2, 0] = by_values[3, 1] = 1
    by_values[4:] = by_k * f
    return np.asarray(uv * f + _along(values[2:4], uv)), by_point * f, by_values


def _along(pair: Float, like: Float) -> Float:
    """(2,) as (2, 1, ...), to go with (2, ...)."""
    return pair.reshape(2, *(1,) * (like.ndim - 1))


def _pinhole_forward(X: Float, k: Float) -> tuple[Float, Float, Float, Float]:
    """Uv (2, ...), its derivative (2, 2, ...) to x and y, and x, y themselves."""
    z = np.where(X[2] > 0, X[2], np.nan)
    x, y = X[0] / z, X[1] / z
    u, v, J = pinhole_distort(x, y, tuple(np.pad(k, (0, 14))[:12].tolist()))
    uv = np.stack([u, v])
    if len(k) > 12:
        uv, slope = _tilt(uv, k[12:])
        J = np.einsum("ij...,jk...->ik...", slope, J)
    return uv, J, x, y


def _pinhole(X: Float, k: Float) -> tuple[Float, Float, Float]:
    uv, J, x, y = _pinhole_forward(X, k[:12])
    r2 = x * x + y * y
    r4 = r2 * r2
    by_k = np.zeros((len(k), 2, *x.shape))
    full = np.pad(k, (0, 14))
    bottom = 1 + full[5] * r2 + full[6] * r4 + full[7] * r4 * r2
    up = np.stack([x, y]) / bottom
    columns = [up * r2, up * r4, [2 * x * y, r2 + 2 * y * y], [r2 + 2 * x * x, 2 * x * y]]
    if len(k) > 4:
        columns.append(up * (r4 * r2))
    if len(k) > 5:
        down = -up * (1 + full[0] * r2 + full[1] * r4 + full[4] * r4 * r2) / bottom
        columns += [down * r2, down * r4, down * (r4 * r2)]
    for i, column in enumerate(columns[: len(k)]):
        by_k[i] = column
    if len(k) > 8:
        by_k[8, 0], by_k[9, 0], by_k[10, 1], by_k[11, 1] = r2, r4, r2, r4
    if len(k) > 12:
        flat = uv
        uv, slope = _tilt(flat, k[12:])
        by_k = np.einsum("ij...,nj...->ni...", slope, by_k)
        by_k[12:] = _tilt_derivatives(flat, k[12:])
        J = np.einsum("ij...,jk...->ik...", slope, J)
    by_point = np.empty((3, 2, *x.shape))
    by_point[:2] = np.moveaxis(J, 1, 0) / X[2]
    by_point[2] = -(x * by_point[0] + y * by_point[1])
    return uv, by_point, by_k


def _tilt(uv: Float, tau: Float) -> tuple[Float, Float]:
    """Apply the sensor's tilt: (2, ...), and its derivative (2, 2, ...)."""
    T = tilt_homography(*tau)
    h = np.tensordot(T[:, :2], uv, 1) + _outer(T[:, 2], uv)
    w = h[:2] / h[2]
    return w, (_outer(T[:2, :2], uv) - w[:, None] * _outer(T[2, :2], uv)) / h[2]


def _outer(values: Float, like: Float) -> Float:
    """(a, ...) values with room for the axes of ``like`` behind its first."""
    return values.reshape(*values.shape, *(1,) * (like.ndim - 1))


def _tilt_derivatives(uv: Float, tau: Float) -> Float:
    """(2, 2, ...) per angle, by central differences."""
    step = 1e-6
    return np.stack(
        [
            (_tilt(uv, tau + away)[0] - _tilt(uv, tau - away)[0]) / (2 * step)
            for away in np.eye(2) * step
        ]
    )


def _fisheye(X: Float, k: Float) -> tuple[Float, Float, Float]:
    full = np.zeros(4)
    full[: len(k)] = k
    r = np.maximum(np.hypot(X[0], X[1]), 1e-12)
    theta = np.arctan2(r, X[2])
    t2 = theta * theta
    bend = 1 + t2 * (full[0] + t2 * (full[1] + t2 * (full[2] + t2 * full[3])))
    slope = 1 + t2 * (3 * full[0] + t2 * (5 * full[1] + t2 * (7 * full[2] + t2 * 9 * full[3])))
    slope = np.where(slope > 0, slope, np.nan)  # beyond the fold
    reached = theta * bend
    unit = X[:2] / r
    rho2 = r * r + X[2] ** 2
    s = reached / r
    by_point = np.empty((3, 2, *r.shape))
    along = slope * X[2] / rho2 - s
    for i in range(2):
        by_point[i] = along * unit[i] * unit
        by_point[i, i] += s
    by_point[2] = -(slope * r / rho2) * unit
    powers = theta * t2 * np.stack([t2**i for i in range(len(k))]) if len(k) else np.zeros(0)
    by_k = powers[:, None] * unit if len(k) else np.zeros((0, *unit.shape))
    return unit * (reached + 0 * slope), by_point, by_k


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
        else:
            u, v, J = pinhole_distort(x, y, k12)
        det = J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0]
        ok = (np.hypot(u - uv[:, 0], v - uv[:, 1]) < 1e-9) & (det > 0)
    return np.where(ok[:, None], np.column_stack([x, y, np.ones_like(x)]), np.nan)
