"""How far a lens can be trusted over its image, in pixels at infinity.

A lens is known only together with the direction it looks in: a shifted principal point and a turned
camera look the same, and no picture can tell them apart. What counts is what is left after the
rotation under which the corners that were seen agree best (mrcal's implied rotation).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.camera import Model
from calib.solving.projection import project_jacobian, unproject_points
from calib.solving.state import cross, exp

Float = NDArray[np.float64]


class Lens(NamedTuple):
    """One camera as the solver writes it."""

    model: Model
    values: Float
    """(4 + n,) fx, fy, cx, cy, then the distortion."""


def image_grid(size: tuple[int, int], across: int = 24) -> tuple[Float, tuple[float, float]]:
    """Middles (N, 2) px of nearly square cells over an image, and a cell's width and height."""
    w, h = size
    down = max(1, round(across * h / w))
    x, y = (np.arange(across) + 0.5) * w / across - 0.5, (np.arange(down) + 0.5) * h / down - 0.5
    grid = np.column_stack([axis.ravel() for axis in np.meshgrid(x, y)])
    return grid, (w / across, h / down)


def projection_covariance(lens: Lens, covariance: Float, pixels: Float, seen: Float) -> Float:
    """(N, 2, 2) covariance (px^2) of where a far point that is seen at ``pixels`` (N, 2) would lie.

    ``covariance`` (4 + n, 4 + n) of the lens's values; ``seen`` (M, 2) are the corners it was
    solved from. NaN where the lens sees nothing.
    """
    _, to_values, to_turn = _looked(lens, _rays(lens, seen))
    ok = np.isfinite(to_values).all(axis=(1, 2)) & np.isfinite(to_turn).all(axis=(1, 2))
    A, B = to_turn[ok].reshape(-1, 3), to_values[ok].reshape(-1, len(lens.values))
    implied = -np.linalg.lstsq(A, B)[0]  # the rotation that a change of the lens brings with it
    _, to_values, to_turn = _looked(lens, _rays(lens, pixels))
    J = to_values + to_turn @ implied
    return np.asarray(J @ covariance @ np.swapaxes(J, 1, 2))


def worst_sigma(covariances: Float) -> Float:
    """(N,) standard deviation (px) in the worst direction, of covariances (N, 2, 2)."""
    a, b, c = covariances[:, 0, 0], covariances[:, 0, 1], covariances[:, 1, 1]
    return np.asarray(np.sqrt(np.maximum((a + c) / 2 + np.hypot((a - c) / 2, b), 0)))


def projection_difference(one: Lens, other: Lens, pixels: Float, seen: Float) -> Float:
    """(N, 2) px from ``pixels``, where ``one`` sees far points, to where ``other`` sees them."""
    turn, rays = np.eye(3), _rays(one, seen)
    for _ in range(5):
        found, _, to_turn = _looked(other, rays @ turn.T)
        gap = seen - found
        ok = np.isfinite(gap).all(axis=1) & np.isfinite(to_turn).all(axis=(1, 2))
        step = np.linalg.lstsq(to_turn[ok].reshape(-1, 3), gap[ok].ravel())[0]
        turn = exp(np.asarray(step, np.float64)[None])[0] @ turn
    return _looked(other, _rays(one, pixels) @ turn.T)[0] - pixels


def _rays(lens: Lens, pixels: Float) -> Float:
    return unproject_points(lens.model, lens.values, pixels)


def _looked(lens: Lens, rays: Float) -> tuple[Float, Float, Float]:
    """Pixels (N, 2) of far points, their slopes by the lens's values and by a rotation."""
    found, by_point, by_values = project_jacobian(lens.model, lens.values, rays.T)
    to_point, to_values = (
        np.moveaxis(slopes, 2, 0).swapaxes(1, 2) for slopes in (by_point, by_values)
    )
    return found.T, to_values, -to_point @ cross(rays)
