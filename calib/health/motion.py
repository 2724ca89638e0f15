"""Which small change of a rig explains its row errors, and how well that is known.

Six things a knock or heat can change move rows differently: turning the right camera (pitch moves
all rows alike, roll by their column, yaw by column times row), moving it along or across the
baseline (by disparity, and by disparity times row), and its focal length (by row). The length of
the baseline moves nothing: no image without a known length tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calib.camera import Camera
from calib.health.features import Matches
from calib.health.row_errors import Sight, mean_focal_px, rectified, sight
from calib.rig import StereoRig

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

NAMES = ("pitch", "yaw", "roll", "forward", "down", "zoom")
"""Of the six: turns of the right camera about x, y, z; its centre turned about the left one, to
the front and downwards; the logarithm of its focal length. Radians but for the last."""
PRIOR = np.array([0.05, 0.05, 0.05, 0.02, 0.02, 0.02])
"""What a rig may have changed by, one standard deviation: three degrees, one degree, 2 %. Decides
only where the images do not."""
_STEP = 1e-5
_ROUNDS = 12
_CELLS = (6, 4)


@dataclass(frozen=True, eq=False, slots=True)
class Motion:
    """A small change of a rig, with its covariance."""

    change: Float
    """(6,) in the order of ``NAMES``; zero for what was held."""
    covariance: Float
    """(6, 6) of it; what was held has the prior's."""
    free: Bool
    """(6,) which of them were estimated."""
    noise_px: float
    """Standard deviation of the row errors that remain."""

    @property
    def sigma(self) -> Float:
        """(6,) standard deviations."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def moved(rig: StereoRig, change: Float) -> StereoRig:
    """Return the rig after ``change``; the baseline keeps its length, the left camera its lens."""
    R, t = _moved_axes(rig, change)
    return replace(rig, right=_zoomed(rig.right, change[5]), R_right_left=R, t_right_left=t)


@dataclass(frozen=True, eq=False, slots=True)
class Problem:
    """Matches of several pairs, and the rig that they are to tell something about."""

    rig: StereoRig
    seen: Sight
    """Rays of the matches that agree on one geometry."""
    faster: Float
    """(N, 3) by how much the right rays change with the logarithm of the focal length."""
    known: tuple[Bool, float] | None = None
    """Which matches, (N,), lie at a distance that somebody measured, and the disparity, pixels,
    that it makes."""

    @classmethod
    def of(
        cls,
        rig: StereoRig,
        matches: Sequence[Matches],
        kept: Bool,
        known: tuple[Bool, float] | None = None,
    ) -> Problem:
        """Of the matches that are ``kept``, (M,) over all pairs; so is ``known``."""
        seen, faster = sight(rig, matches), _zoom_slope(rig, matches)
        told = None if known is None else (known[0][kept], known[1])
        return cls(
            rig, Sight(seen.left[kept], seen.right[kept], seen.pair[kept]), faster[kept], told
        )

    def some(self, which: Bool) -> Problem:
        """Return the problem of those matches that are ``which``, (N,), alone."""
        seen = Sight(self.seen.left[which], self.seen.right[which], self.seen.pair[which])
        told = None if self.known is None else (self.known[0][which], self.known[1])
        return replace(self, seen=seen, faster=self.faster[which], known=told)

    def residuals(self, change: Float) -> tuple[Float, Float]:
        """Row errors (N,) after ``change``, and the error of the known distance (0 or 1)."""
        focal = mean_focal_px(self.rig)
        turned = Sight(self.seen.left, self.seen.right + change[5] * self.faster, self.seen.pair)
        left, right = rectified(turned, *_moved_axes(self.rig, change), focal)
        gap = left - right
        if self.known is None or not self.known[0].any():
            return gap[:, 1], np.zeros(0)
        which, disparity = self.known
        return gap[:, 1], np.array([float(np.nanmedian(gap[which, 0])) - disparity])


def fit(problem: Problem, free: Bool, *, start: Float | None = None) -> Motion:
    """Return the change of what is ``free``, (6,), that makes rows agree best."""
    change, normal, off = _solved(problem, np.zeros(6) if start is None else start, free)
    covariance, noise = _covariance(problem, change, free, normal, off)
    return Motion(change, covariance, free, noise)


def _solved(problem: Problem, start: Float, free: Bool) -> tuple[Float, Float, Float]:
    """Gauss and Newton's method, reweighted: the change, the normal matrix, and what remains."""
    change = np.where(free, start, 0.0)
    precision = np.diag(PRIOR**-2.0)
    normal, off = precision, np.zeros(0)
    for _ in range(_ROUNDS):
        off, told = problem.residuals(change)
        J, J_told = jacobian(problem, change)
        scale = max(1.4826 * float(np.nanmedian(np.abs(off))), 0.02)
        weight = np.nan_to_num(1 / (1 + (off / (2 * scale)) ** 2) ** 2)
        J, sure = np.nan_to_num(J), (1 / 0.05) ** 2
        normal = (J * weight[:, None]).T @ J / scale**2 + sure * J_told.T @ J_told + precision
        slope = J.T @ (weight * np.nan_to_num(off)) / scale**2 + sure * J_told.T @ told
        slope += precision @ change
        step = np.zeros(6)
        step[free] = -np.linalg.solve(normal[np.ix_(free, free)], slope[free])
        change = change + step
        if np.abs(step).max() < 1e-7:
            break
    return change, normal, np.nan_to_num(problem.residuals(change)[0])


def jacobian(problem: Problem, change: Float) -> tuple[Float, Float]:
    """Return (N, 6) row errors and (0 or 1, 6) known disparities per unit of each change."""
    columns = []
    for k in range(6):
        step = np.zeros(6)
        step[k] = _STEP
        ahead, behind = problem.residuals(change + step), problem.residuals(change - step)
        columns.append([(a - b) / (2 * _STEP) for a, b in zip(ahead, behind, strict=True)])
    rows, told = (np.column_stack([column[i] for column in columns]) for i in (0, 1))
    return rows, told


def _covariance(
    problem: Problem, change: Float, free: Bool, normal: Float, off: Float
) -> tuple[Float, float]:
    """(6, 6) robust to errors that stay the same in one part of the image, as a lens's do.

    The sandwich of White, clustered by cells of the image over all pairs: what a cell says, wrong
    or right, it says in every pair.
    """
    scale = max(1.4826 * float(np.median(np.abs(off))), 0.02)
    weight = 1 / (1 + (off / (2 * scale)) ** 2) ** 2
    J, _ = jacobian(problem, change)
    scores = np.nan_to_num(J) * (weight * off)[:, None] / scale**2
    left = problem.seen.left
    cell = _cell_of(left[:, :2] / left[:, 2:])
    cells = np.unique(cell)
    sums = np.array([scores[cell == c].sum(axis=0) for c in cells])
    bread = np.zeros((6, 6))
    bread[np.ix_(free, free)] = np.linalg.inv(normal[np.ix_(free, free)])
    grown = len(cells) / max(len(cells) - int(free.sum()), 1)
    covariance = bread + grown * bread @ sums.T @ sums @ bread
    held = np.flatnonzero(~free)
    covariance[held, held] = PRIOR[held] ** 2
    return covariance, scale


def _cell_of(tangents: Float) -> NDArray[np.intp]:
    """(N,) cell of a grid over the middle of the view."""
    across, down = (
        np.searchsorted(np.nanquantile(values, np.linspace(0, 1, n + 1)[1:-1]), values)
        for values, n in zip(tangents.T, _CELLS, strict=True)
    )
    return np.asarray(across * _CELLS[1] + down)


def _moved_axes(rig: StereoRig, change: Float) -> tuple[Float, Float]:
    """R and t after ``change``."""
    R = Rotation.from_rotvec(change[:3]).as_matrix() @ rig.R_right_left
    centre = Rotation.from_rotvec([0.0, -change[3], change[4]]).as_matrix() @ rig.right_center_m
    return np.asarray(R), np.asarray(-R @ centre)


def _zoom_slope(rig: StereoRig, matches: Sequence[Matches]) -> Float:
    """(N, 3) by how much the right rays change with the logarithm of the focal length."""
    pixels, step = np.concatenate([m.right for m in matches]), 1e-3
    ahead, behind = (_zoomed(rig.right, s).unproject(pixels) for s in (step, -step))
    return np.asarray((ahead - behind) / (2 * step))


def _zoomed(camera: Camera, log_ratio: float) -> Camera:
    if log_ratio == 0:
        return camera
    K = camera.K.copy()
    K[0, 0] *= np.exp(log_ratio)
    K[1, 1] *= np.exp(log_ratio)
    return replace(camera, K=K)
