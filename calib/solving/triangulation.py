"""Points from pixels of both cameras, and how they move with the rig's parameters.

The derivatives are analytic. Differencing one parameter at a time by a share of its standard
deviation fails where parameters are known only together: with twelve coefficients single ones are
uncertain by more than the lens can bear.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calib.camera import Model
from calib.solving.epipolar import rectified_rays, rectifying_rotations
from calib.solving.projection import project_jacobian
from calib.solving.state import State, exp

Float = NDArray[np.float64]

_STEP = 1e-6  # of a rotation (rad) or of the baseline: central differences then err by 1e-10


def triangulate(state: State, left: Float, right: Float) -> Float:
    """(N, 3) points in the rectified left frame from pixels (N, 2) of both cameras, board units."""
    return along_rays(state, *rectified_rays(state, left, right))


def along_rays(state: State, a: Float, b: Float) -> Float:
    """``triangulate`` from the rectified rays (N, 3) of both cameras."""
    with np.errstate(all="ignore"):
        xa, ya, xb, yb = a[:, 0] / a[:, 2], a[:, 1] / a[:, 2], b[:, 0] / b[:, 2], b[:, 1] / b[:, 2]
        Z = _baseline(state) / (xa - xb)
    return np.column_stack([xa * Z, (ya + yb) / 2 * Z, Z])


def triangulation_jacobian(state: State, left: Float, right: Float) -> tuple[Float, Float]:
    """``triangulate`` (N, 3), and its derivatives (N, 3, G) to the parameters in the order of
    ``parameter_names``.
    """
    turns = rectifying_rotations(state.R, state.t)
    rays = rectified_rays(state, left, right)
    motion = _by_motion(state)
    lens = len(state.intrinsics[0]), len(state.intrinsics[1])
    parts = (slice(0, lens[0]), slice(lens[0], sum(lens)))
    G = sum(lens) + 6
    plane, slopes = [], []
    with np.errstate(all="ignore"):
        for side in (0, 1):
            ray, turn, values = rays[side], turns[side], state.intrinsics[side]
            d_ray = np.zeros((G, len(ray), 3))
            d_ray[parts[side]] = _ray_by_lens(state.models[side], values, ray @ turn) @ turn.T
            d_ray[-6:] = (ray @ turn) @ motion[side].swapaxes(1, 2)
            xy = ray[:, :2] / ray[:, 2:]
            plane.append(xy)
            slopes.append((d_ray[:, :, :2] - xy * d_ray[:, :, 2:]) / ray[:, 2:])
        d_baseline = np.zeros((G, 1))
        d_baseline[-6:, 0] = motion[2]
        gap = plane[0][:, 0] - plane[1][:, 0]
        Z = _baseline(state) / gap
        dZ = (d_baseline - Z * (slopes[0][..., 0] - slopes[1][..., 0])) / gap
        middle = (plane[0][:, 1] + plane[1][:, 1]) / 2
        d_middle = (slopes[0][..., 1] + slopes[1][..., 1]) / 2
    points = np.column_stack([plane[0][:, 0] * Z, middle * Z, Z])
    d_x = slopes[0][..., 0] * Z + plane[0][:, 0] * dZ
    moves = np.stack([d_x, d_middle * Z + middle * dZ, dZ])
    return points, moves.transpose(2, 0, 1)


def _ray_by_lens(model: Model, values: Float, rays: Float) -> Float:
    """(4 + n, N, 3) how the ray (N, 3) of a fixed pixel moves with the lens, across itself.

    The pixel stays where it is: ``by_ray . d_ray + by_lens = 0``, of all such moves the shortest.
    """
    _, by_ray, by_lens = project_jacobian(model, values, rays.T)
    J = np.moveaxis(by_ray, 2, 0).swapaxes(1, 2)  # (N, 2, 3)
    ok = np.isfinite(J).all(axis=(1, 2))
    inverse = np.full((len(J), 3, 2), np.nan)
    inverse[ok] = np.linalg.pinv(J[ok])
    return np.asarray(-np.einsum("nij,pjn->pni", inverse, by_lens))


def _by_motion(state: State) -> tuple[Float, Float, Float]:
    """Derivatives of both rectifying rotations (6, 3, 3) and of the baseline (6,) to a turn of the
    right camera and a shift of it.
    """
    length = float(np.linalg.norm(state.t))
    found: tuple[list[Float], list[Float], list[float]] = ([], [], [])
    for i in range(6):
        width = _STEP if i < 3 else _STEP * length
        step = np.eye(6)[i] * width
        ends = []
        for sign in (1, -1):
            R, t = exp(sign * step[None, :3])[0] @ state.R, state.t + sign * step[3:]
            ends.append((*rectifying_rotations(R, t), _baseline(replace(state, R=R, t=t))))
        for part, up, down in zip(found, *ends, strict=True):
            part.append((up - down) / (2 * width))
    return np.array(found[0]), np.array(found[1]), np.array(found[2])


def _baseline(state: State) -> float:
    """Length along x of the rectified cameras' baseline; swapped cameras: < 0."""
    return float(-(rectifying_rotations(state.R, state.t)[1] @ state.t)[0])
