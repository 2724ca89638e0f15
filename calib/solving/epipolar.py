"""What two cameras see of one point: rays in common axes, rows that should agree, depth."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.solving.projection import unproject_points
from calib.solving.state import Observations, State

Float = NDArray[np.float64]


def half_way_baseline(R: Float, t: Float) -> Float:
    """(3,) the right camera's centre seen from the left one, in axes half-way between the two.

    ``x_right = R x_left + t``; the unit is that of ``t``. Its largest component says how the
    cameras stand: +x side by side, -x swapped, y one above the other.
    """
    return _baseline(_half_turn(R), t)


def quarter_turns(R: Float, t: Float) -> int:
    """How both images are turned, counter-clockwise, for the baseline to run along the rows.

    0 for cameras side by side, also where they stand at 45 degrees; 1 for a right camera below the
    left one, -1 for one above it.
    """
    x, y, _ = half_way_baseline(R, t)
    return 0 if abs(x) >= abs(y) else 1 if y > 0 else -1


def rectifying_rotations(R: Float, t: Float) -> tuple[Float, Float]:
    """The rotations (3, 3) of left and right axes into the common rectified ones.

    Both cameras are turned half-way towards each other, by the quarter turn of cameras above each
    other, and then together until the baseline runs along x (J.-Y. Bouguet). Swapped cameras stay
    upright: their baseline runs along -x.
    """
    quarter = _turn(np.array([0, 0, -np.pi / 2 * quarter_turns(R, t)]))
    half = _half_turn(R)
    baseline = quarter @ _baseline(half, t)
    direction = baseline / np.linalg.norm(baseline)
    if direction[0] < 0:
        direction = -direction
    angle = np.arccos(np.clip(direction[0], -1, 1))
    axis = np.array([0.0, direction[2], -direction[1]])  # direction x (1, 0, 0)
    norm = np.linalg.norm(axis)
    align = _turn(axis / norm * angle if norm > 1e-12 else np.zeros(3)) @ quarter
    return align @ half, align @ half.T


def _turn(vector: Float) -> Float:
    """(3, 3) rotation about a vector by its length; a tenth of the time of scipy's."""
    return np.asarray(cv2.Rodrigues(vector)[0], np.float64)


def _half_turn(R: Float) -> Float:
    return _turn(0.5 * np.asarray(cv2.Rodrigues(R)[0], np.float64).ravel())


def _baseline(half: Float, t: Float) -> Float:
    return np.asarray(-half.T @ t)


def rectified_rays(state: State, left: Float, right: Float) -> tuple[Float, Float]:
    """(N, 3) and (M, 3) rays of the left camera's and the right one's pixels, rectified axes."""
    turns = rectifying_rotations(state.R, state.t)
    rays = [
        unproject_points(model, values, pixels) @ turn.T
        for model, values, pixels, turn in zip(
            state.models, state.intrinsics, (left, right), turns, strict=True
        )
    ]
    return rays[0], rays[1]


def row_errors(state: State, seen: Observations) -> Float:
    """(K,) |y_left - y_right| after rectification of the corners both cameras saw, pixels.

    Pinholes: on the rectified image plane at the mean focal length. With a fisheye: distance
    between the two epipolar planes times focal length, which is the same near the axis and stays
    finite far off it.
    """
    left, right = seen_by_both(seen)
    return row_gaps(state, *rectified_rays(state, seen.pixels[left], seen.pixels[right]))


def seen_by_both(seen: Observations) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(K,) and (K,) which observations of the left and the right camera are of one point."""
    key = seen.view * 10**6 + seen.point
    _, a, b = np.intersect1d(
        np.where(seen.camera == 0, key, -1),
        np.where(seen.camera == 1, key, -2),
        return_indices=True,
    )
    return a, b


def row_gaps(state: State, left: Float, right: Float) -> Float:
    """``row_errors`` from the rectified rays (K, 3) of both cameras."""
    f = float(np.mean([values[:2] for values in state.intrinsics]))
    if "fisheye" in state.models:
        angle = np.arctan2(left[:, 1], left[:, 2]) - np.arctan2(right[:, 1], right[:, 2])
        gap = np.abs(angle) * np.hypot(left[:, 1], left[:, 2]) * f
    else:
        gap = np.abs(left[:, 1] / left[:, 2] - right[:, 1] / right[:, 2]) * f
    return np.asarray(gap[np.isfinite(gap)])
