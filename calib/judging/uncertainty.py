"""What the covariance of a calibration says of disparity, cheaply enough for every frame.

A wrong calibration moves all depths of a pixel together. For a pixel of the rectified left image
that move, written as a disparity, is close to a straight line in the disparity d: an offset (wrong
rotation, principal point) and a share of d (wrong baseline, focal length). Its variance is then

    A + 2 B d + C d^2

with three maps A, B, C, smooth over the image and computed once for a rig.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.rig import StereoRig
from calib.solving.epipolar import rectifying_rotations
from calib.solving.state import State, parameter_names
from calib.solving.triangulation import triangulation_jacobian

Float = NDArray[np.float64]

_BASELINES = (1e4, 10.0)  # the line is laid through depths so many baselines away


def with_scale(covariance: Float, t: Float, square_error: float) -> Float:
    """The covariance with the relative error of the board's squares, which moves ``t`` alone."""
    full = covariance.copy()
    full[-3:, -3:] += square_error**2 * np.outer(t, t)
    return full


def known_covariance(rig: StereoRig) -> Float | None:
    """(G, G) covariance of the rig's parameters as its file keeps it, with the error of the board's
    squares; None: it keeps none.
    """
    kept = rig.notes.get("calibration")
    try:
        covariance = np.array(kept["covariance"], np.float64)  # type: ignore[index]
        names = tuple(kept["parameters"])  # type: ignore[index]
        square_error = float(kept.get("square_error", 0.0))  # type: ignore[union-attr]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    count = len(names)
    if covariance.shape != (count, count) or not np.isfinite(covariance).all():
        return None
    if names != parameter_names(state_of(rig, names)):
        return None
    return with_scale(covariance, rig.t_right_left, square_error)


def state_of(rig: StereoRig, names: tuple[str, ...]) -> State:
    """The rig as the solver writes it, with as many lens coefficients as ``names`` tells."""

    def values(side: str) -> Float:
        camera = rig.left if side == "left" else rig.right
        count = max(sum(str(name).startswith(side) for name in names) - 4, 0)
        K, k = camera.K, np.pad(camera.distortion, (0, 14))[:count]
        return np.asarray(np.r_[K[0, 0], K[1, 1], K[0, 2], K[1, 2], k], np.float64)

    none = np.zeros((0, 3, 3))
    lenses = (values("left"), values("right"))
    R, t = np.array(rig.R_right_left), np.array(rig.t_right_left)
    return State((rig.left.model, rig.right.model), lenses, R, t, none, none[:, 0], np.zeros(0))


def disparity_variance(
    rig: StereoRig, rays: Float, *, pixels_per_inverse_metre: float
) -> Float | None:
    """(N, 3) A, B, C of the variance ``A + 2 B d + C d^2`` (px^2) of a disparity d (px).

    ``rays`` (N, 3) in the left camera's axes; ``pixels_per_inverse_metre`` is focal length times
    baseline of the rectified images. NaN where a camera does not see the ray. None when the rig
    has no covariance. ``rig`` is as it was calibrated, not scaled to another image size.
    """
    covariance = known_covariance(rig)
    if covariance is None:
        return None
    state = state_of(rig, tuple(rig.notes["calibration"]["parameters"]))
    slopes = [
        _depth_slopes(rig, state, rays, pixels_per_inverse_metre, share) for share in _BASELINES
    ]
    far, near = (pixels_per_inverse_metre / (rig.baseline_m * share) for share in _BASELINES)
    scale = (slopes[1] - slopes[0]) / (near - far)
    offset = slopes[0] - far * scale

    def product(a: Float, b: Float) -> Float:
        return np.asarray(np.einsum("ni,ij,nj->n", a, covariance, b))

    return np.column_stack([product(offset, offset), product(offset, scale), product(scale, scale)])


def _depth_slopes(
    rig: StereoRig, state: State, rays: Float, per_inverse: float, share: float
) -> Float:
    """(N, G) change of disparity (px) per unit of each parameter, at so many baselines' depth."""
    depth = share * rig.baseline_m
    along = rays @ rectifying_rotations(state.R, state.t)[0].T
    with np.errstate(all="ignore"):
        points = rays * (depth / np.where(along[:, 2:] > 0.1, along[:, 2:], np.nan))
    left = rig.left.project(points)
    right = rig.right.project(points @ rig.R_right_left.T + rig.t_right_left)

    points, moves = triangulation_jacobian(state, left, right)
    return np.asarray(-per_inverse * moves[:, 2] / points[:, 2:] ** 2)
