"""The two lens models of OpenCV, forwards and backwards, on plain arrays.

Coordinates here are normalised: ``(x, y) = (X / Z, Y / Z)`` before the lens, ``(u, v)`` after it
and before the camera matrix. The formulae are those of the OpenCV documentation ("Camera
Calibration and 3D Reconstruction", "Fisheye camera model"); ``tests/calib/test_camera.py`` holds
them against ``cv2.projectPoints``. The inverses are our own, because
``cv2.undistortPoints`` stops up to 0.02 px short and answers beyond the fold of the polynomial.

**The domain.** A distortion polynomial is fitted inside the image; further out it often turns
back, so that two rays meet in one pixel. Both models are used only up to that fold: beyond it
there is no answer, NaN, instead of a wrong one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

_WIDEST = np.deg2rad(89.9)  # a pinhole image plane is infinitely large at 90 degrees
_MAX_STEPS = 60  # a root on the fold halves its error per step: 2^-60 is below float64
_TOLERANCE = 1e-13  # normalised; 1e-10 px at a focal length of 1000 px


class Domain(NamedTuple):
    """Where a lens model is one-to-one, and a coarse inverse to start from."""

    limit: float
    """Largest radius ``|(x, y)|`` (pinhole; may be inf) or angle (fisheye, rad), exclusive."""
    before: Float
    """(M,) radii or angles from 0 to the limit, increasing."""
    after: Float
    """(M,) where the lens moves them to, never decreasing."""


# -- pinhole: radial, tangential, thin prism -------------------------------------------------


def pinhole_distort(x: Float, y: Float, k: tuple[float, ...]) -> tuple[Float, Float, Float]:
    """Move normalised points as the lens does; ``k`` are 12 OpenCV coefficients.

    Returns u (N,), v (N,) and the Jacobian d(u, v) / d(x, y) as (2, 2, N).
    """
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = k
    r2 = x * x + y * y
    top = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    bottom = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    gain = top / bottom
    d_top = k1 + r2 * (2 * k2 + r2 * 3 * k3)
    d_bottom = k4 + r2 * (2 * k5 + r2 * 3 * k6)
    d_gain = (d_top - gain * d_bottom) / bottom  # with respect to r2

    u = x * gain + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + r2 * (s1 + r2 * s2)
    v = y * gain + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + r2 * (s3 + r2 * s4)
    mixed = 2 * x * y * d_gain + 2 * p1 * x + 2 * p2 * y
    prism_u, prism_v = 2 * (s1 + 2 * r2 * s2), 2 * (s3 + 2 * r2 * s4)
    jacobian = np.array(
        [
            [
                gain + 2 * x * x * d_gain + 2 * p1 * y + 6 * p2 * x + x * prism_u,
                mixed + y * prism_u,
            ],
            [
                mixed + x * prism_v,
                gain + 2 * y * y * d_gain + 6 * p1 * y + 2 * p2 * x + y * prism_v,
            ],
        ]
    )
    return u, v, jacobian


def _smallest_determinant(radius: Float, k: tuple[float, ...]) -> Float:
    """(M,) the smallest Jacobian determinant over 24 directions at each of (M,) radii."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)[:, None]
    with np.errstate(all="ignore"):
        _, _, j = pinhole_distort(radius * np.cos(angle), radius * np.sin(angle), k)
        return np.asarray(np.nan_to_num(j[0, 0] * j[1, 1] - j[0, 1] * j[1, 0], nan=-1).min(axis=0))


@lru_cache(maxsize=64)
def pinhole_domain(k: tuple[float, ...]) -> Domain:
    """Largest disc around the axis in which the lens never folds (determinant > 0)."""
    radii = np.tan(np.linspace(0, _WIDEST, 1800))
    folded = np.flatnonzero(_smallest_determinant(radii, k) <= 0)
    if folded.size:
        good, bad = radii[folded[0] - 1], radii[folded[0]]  # at radius 0 the determinant is 1
        for _ in range(60):
            middle = (good + bad) / 2
            if _smallest_determinant(np.array([middle]), k)[0] > 0:
                good = middle
            else:
                bad = middle
        limit, last = float(good), float(good)
    else:
        limit, last = np.inf, float(radii[-1])
    before = np.tan(np.linspace(0, np.arctan(last), 1024))
    radial_only = (*k[:2], 0.0, 0.0, *k[4:8], 0.0, 0.0, 0.0, 0.0)
    with np.errstate(all="ignore"):  # the domain may end on a pole of the rational model
        after, _, _ = pinhole_distort(before, np.zeros_like(before), radial_only)
    known = np.isfinite(after)
    return Domain(limit, before[known], np.maximum.accumulate(after[known]))


def pinhole_undistort(u: Float, v: Float, k: tuple[float, ...]) -> tuple[Float, Float]:
    """Find the normalised points the lens moves to (u, v); NaN where there is none.

    Damped Newton: a step that does not lower the error, or leaves the domain, is halved. The
    start comes from the tabulated radial part, so two or three steps are usual.
    """
    domain = pinhole_domain(k)
    moved = np.hypot(u, v)
    start = np.minimum(np.interp(moved, domain.after, domain.before), 0.9999 * domain.limit)
    shrink = np.divide(start, moved, out=np.ones_like(moved), where=moved > 0)
    x, y = u * shrink, v * shrink
    with np.errstate(all="ignore"):
        at_u, at_v, j = pinhole_distort(x, y, k)
        error = np.hypot(at_u - u, at_v - v)
        share = np.ones_like(x)
        for _ in range(_MAX_STEPS):
            i = np.flatnonzero(error > _TOLERANCE * (1 + moved))
            if not i.size:
                break
            det = j[0, 0, i] * j[1, 1, i] - j[0, 1, i] * j[1, 0, i]
            du, dv = (at_u[i] - u[i]) / det, (at_v[i] - v[i]) / det
            new_x = x[i] - share[i] * (j[1, 1, i] * du - j[0, 1, i] * dv)
            new_y = y[i] - share[i] * (j[0, 0, i] * dv - j[1, 0, i] * du)
            new_u, new_v, new_j = pinhole_distort(new_x, new_y, k)
            new_error = np.hypot(new_u - u[i], new_v - v[i])
            better = (new_error < error[i]) & (np.hypot(new_x, new_y) < domain.limit)
            share[i] = np.where(better, np.minimum(1, 2 * share[i]), share[i] / 2)
            b = i[better]
            x[b], y[b], error[b] = new_x[better], new_y[better], new_error[better]
            at_u[b], at_v[b], j[:, :, b] = new_u[better], new_v[better], new_j[:, :, better]
    # Rounding may hold an error just above the tolerance; 1e-11 is still 1e-8 px.
    lost = ~(error <= 100 * _TOLERANCE * (1 + moved))
    x[lost] = y[lost] = np.nan
    return x, y


def tilt_homography(tau_x: float, tau_y: float) -> Float:
    """(3, 3) homography of a sensor tilted by tau_x, tau_y (rad), OpenCV's ``matTilt``."""
    cx, sx, cy, sy = np.cos(tau_x), np.sin(tau_x), np.cos(tau_y), np.sin(tau_y)
    turn_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    turn_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    turn = turn_y @ turn_x
    onto_plane = np.array([[turn[2, 2], 0, -turn[0, 2]], [0, turn[2, 2], -turn[1, 2]], [0, 0, 1]])
    return np.asarray(onto_plane @ turn)


# -- fisheye: the angle from the axis becomes the radius (Kannala and Brandt 2006) ------------


def fisheye_distort(theta: Float, k: tuple[float, ...]) -> tuple[Float, Float]:
    """Radius in the image of rays ``theta`` (rad) off the axis, and its derivative."""
    k1, k2, k3, k4 = k
    t2 = theta * theta
    radius = theta * (1 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
    return radius, 1 + t2 * (3 * k1 + t2 * (5 * k2 + t2 * (7 * k3 + t2 * 9 * k4)))


@lru_cache(maxsize=64)
def fisheye_domain(k: tuple[float, ...]) -> Domain:
    """Angles up to the first where the radius stops growing, at most pi (straight behind)."""
    k1, k2, k3, k4 = k
    # roots of the slope in w = 1 / theta^2: its leading coefficient is 1, never tiny
    w = np.roots([1.0, 3 * k1, 5 * k2, 7 * k3, 9 * k4])
    turning = 1 / np.sqrt(w[(np.abs(w.imag) < 1e-12) & (w.real > 1 / np.pi**2)].real)
    limit = float(min([np.pi, *turning]))
    before = np.linspace(0, limit, 1024)
    after, _ = fisheye_distort(before, k)
    return Domain(limit, before, np.maximum.accumulate(after))


def fisheye_undistort(radius: Float, k: tuple[float, ...]) -> Float:
    """Angle (rad) of the ray seen at (N,) normalised image radii; NaN where there is none.

    Newton inside a bracket that every step narrows: it cannot leave the domain or circle.
    """
    domain = fisheye_domain(k)
    low, high = np.zeros_like(radius), np.full_like(radius, domain.limit)
    theta = np.interp(radius, domain.after, domain.before)
    with np.errstate(all="ignore"):
        for _ in range(_MAX_STEPS):
            reached, slope = fisheye_distort(theta, k)
            error = reached - radius
            if np.all(np.abs(error) <= 1e-15 * (1 + radius)):
                break
            low, high = np.where(error < 0, theta, low), np.where(error > 0, theta, high)
            newton = theta - error / slope
            inside = (newton > low) & (newton < high)
            theta = np.where(error == 0, theta, np.where(inside, newton, (low + high) / 2))
    lost = ~(np.abs(fisheye_distort(theta, k)[0] - radius) <= _TOLERANCE * (1 + radius))
    return np.where(lost | (theta >= domain.limit), np.nan, theta)
