"""Whether a lens with more coefficients says anything certain that a smaller one does not.

Numerator and denominator of a rational lens nearly cancel, and beyond the corners nothing holds
them: such a lens fits a little better where it was seen and is anywhere in the rest of the image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.solving.calibration import Calibration
from calib.solving.held_out import information, inverse_root
from calib.solving.projection import project_jacobian, project_points

Float = NDArray[np.float64]

_SIGMAS = (
    2.0  # plain least squares, from which they come, gives error bars too short by two or more
)


def more_certain(new: Calibration, old: Calibration) -> bool:
    """Whether the ``new`` lenses fold nowhere in the image where the ``old`` do not, and differ
    from these over the image by more than they are uncertain themselves.
    """
    at, doubt, apart = 0, 0.0, 0.0
    root = inverse_root(information(new)[0].sum(axis=0))
    covariance = new.noise_px**2 * root @ root.T
    for side, (camera, before) in enumerate(zip(new.cameras, old.cameras, strict=True)):
        state = new.fit.state
        model, values = state.models[side], state.intrinsics[side]
        pixels = _grid(new.sizes[side])
        rays, known = camera.unproject(pixels), np.isfinite(before.unproject(pixels)).all(axis=1)
        if not np.isfinite(rays[known]).all():
            return False
        rays, pixels = rays[known], pixels[known]
        _, by_ray, by_lens = project_jacobian(model, values, rays.T)
        turns = np.cross(rays[:, None, :], by_ray.transpose(2, 1, 0)).reshape(-1, 3)
        lens = by_lens.transpose(2, 1, 0).reshape(-1, len(values))
        own = slice(at, at + len(values))
        moves = _unturned(lens, turns)
        doubt += float(((moves @ covariance[own, own]) * moves).sum())
        theirs = old.fit.state
        there = project_points(theirs.models[side], theirs.intrinsics[side], rays.T).T
        gap, seen = (there - pixels).reshape(-1, 1), np.isfinite(there).ravel()
        apart += float((_unturned(gap[seen], turns[seen]) ** 2).sum())
        at += len(values)
    return apart > _SIGMAS**2 * doubt


def _grid(size: tuple[int, int]) -> Float:
    """(N, 2) pixels all over an image, its border with it."""
    x, y = np.meshgrid(
        *(np.linspace(0, length - 1, n) for length, n in zip(size, (13, 9), strict=True))
    )
    return np.column_stack([x.ravel(), y.ravel()])


def _unturned(moves: Float, turns: Float) -> Float:
    """Moves (2 N, K) of pixels without what a turn of the camera, (2 N, 3), does as well."""
    return np.asarray(moves - turns @ np.linalg.lstsq(turns, moves, rcond=None)[0])
