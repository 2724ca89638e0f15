"""Which small change of a rig explains its row errors, and how well that is known.

Six things a knock or heat can change move rows differently: turning the right camera (pitch moves
all rows alike, roll by their column, yaw by column times row), moving it along or across the
baseline (by disparity, and by disparity times row), and its focal length (by row). The length of
the baseline moves nothing: no image without a known length tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calib.camera import Camera
from calib.health.features import Matches
from calib.health.row_errors import (
    Rows,
    Sight,
    clean_rows,
    mean_focal_px,
    rectified,
    sight,
)
from calib.rig import StereoRig

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]
Side = Literal["left", "right"]

NAMES = ("pitch", "yaw", "roll", "forward", "down", "zoom")
"""Of the six: turns of the right camera about its x, y, z (or of the left one the other way: both
change R alike); the right centre turned about the left one, to the front and downwards; the
logarithm of the right focal length. Radians but for the last."""
PRIOR = np.array([0.05, 0.05, 0.05, 0.02, 0.02, 0.02])
"""What a rig may have changed by, one standard deviation: three degrees, one degree, 2 %. Decides
only where the images do not."""
_STEP = 1e-5
_TOLD = (1 / 0.05) ** 2  # how sure a measured distance is, per square pixel of disparity
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


def moved(rig: StereoRig, change: Float, turned: Side = "right") -> StereoRig:
    """Return the rig after ``change``; the baseline keeps its length, the left camera its lens."""
    R, t = _moved_axes(rig, change, turned)
    return replace(rig, right=_zoomed(rig.right, change[5]), R_right_left=R, t_right_left=t)


@dataclass(frozen=True, eq=False, slots=True)
class Problem:
    """Matches of several pairs, and the rig that they are to tell something about."""

    rig: StereoRig
    seen: Sight
    """Rays of the matches."""
    faster: Float
    """(N, 3) by how much the right rays change with the logarithm of the focal length."""
    known: tuple[Bool, float] | None = None
    """Which matches, (N,), lie at a distance that somebody measured, and the disparity, pixels,
    that it makes."""
    turned: Side = "right"
    """Which camera is thought to have turned about its own centre."""

    @classmethod
    def of(cls, rig: StereoRig, matches: Sequence[Matches]) -> Problem:
        """Of all matches of one or more pairs."""
        return cls(rig, sight(rig, matches), _zoom_slope(rig, matches))

    def some(self, which: Bool) -> Problem:
        """Return the problem of those matches that are ``which``, (N,), alone."""
        seen = Sight(self.seen.left[which], self.seen.right[which], self.seen.pair[which])
        told = None if self.known is None else (self.known[0][which], self.known[1])
        return replace(self, seen=seen, faster=self.faster[which], known=told)

    def rectified(self, change: Float) -> tuple[Float, Float]:
        """(N, 2) rectified pixels, left and right, after ``change``."""
        turned = Sight(self.seen.left, self.seen.right + change[5] * self.faster, self.seen.pair)
        axes = _moved_axes(self.rig, change, self.turned)
        return rectified(turned, *axes, mean_focal_px(self.rig))

    def rows(self, change: Float) -> Rows:
        """Return the rows after ``change``, without wrong matches."""
        return clean_rows(*self.rectified(change), self.seen.pair, mean_focal_px(self.rig))

    def residuals(self, change: Float) -> tuple[Float, Float]:
        """Row errors (N,) after ``change``, and the error of the known distance (0 or 1)."""
        left, right = self.rectified(change)
        gap = left - right
        if self.known is None or not self.known[0].any():
            return gap[:, 1], np.zeros(0)
        which, disparity = self.known
        return gap[:, 1], np.array([float(np.nanmedian(gap[which, 0])) - disparity])


@dataclass(frozen=True, eq=False, slots=True)
class Linear:
    """A problem near one change, where rows move in proportion: quick to solve many times."""

    at: Float
    """(6,) the change."""
    rows: Float
    """(N,) row errors there."""
    slopes: Float
    """(N, 6) of them."""
    told: Float
    """(0 or 1,) errors of the known distance there, pixels."""
    told_slopes: Float
    """(0 or 1, 6) of it."""

    @classmethod
    def near(cls, problem: Problem, change: Float) -> Linear:
        """Of ``problem`` near ``change``."""
        rows, told = problem.residuals(change)
        slopes, told_slopes = jacobian(problem, change)
        return cls(change, np.nan_to_num(rows), np.nan_to_num(slopes), told, told_slopes)

    def some(self, which: Bool) -> Linear:
        """Return those of the matches that are ``which``, (N,)."""
        return replace(self, rows=self.rows[which], slopes=self.slopes[which])

    def residuals(self, change: Float) -> Float:
        """(N,) row errors after ``change``."""
        return np.asarray(self.rows + self.slopes @ (change - self.at))

    def solved(self, free: Bool) -> tuple[Float, Float]:
        """Return the change (6,), zero where not ``free``, and the normal matrix (6, 6).

        Reweighted least squares: a match three sigmas off counts for a tenth.
        """
        change = np.where(free, self.at, 0.0)
        precision = np.diag(PRIOR**-2.0)
        among = np.ix_(free, free)
        normal = precision
        for _ in range(_ROUNDS):
            off = self.residuals(change)
            scale = noise_of(off)
            weighted = (self.slopes * (_weight(off, scale) / scale**2)[:, None]).T
            told = self.told + self.told_slopes @ (change - self.at)
            normal = weighted @ self.slopes + _TOLD * self.told_slopes.T @ self.told_slopes
            normal += precision
            slope = weighted @ off + _TOLD * self.told_slopes.T @ told + precision @ change
            step = np.zeros(6)
            step[free] = -np.linalg.solve(normal[among], slope[free])
            change = change + step
            if np.abs(step).max() < 1e-7:
                break
        return change, normal


def fit(problem: Problem, free: Bool, *, start: Float | None = None) -> Motion:
    """Return the change of what is ``free``, (6,), that makes rows agree best.

    Gauss and Newton's method from ``start``, or no change.
    """
    change = np.zeros(6) if start is None else np.where(free, start, 0.0)
    for _ in range(_ROUNDS):
        linear = Linear.near(problem, change)
        before, (change, normal) = change, linear.solved(free)
        if np.abs(change - before).max() < 1e-6:
            break
    covariance = _covariance(problem, linear, change, free, normal)
    return Motion(change, covariance, free, noise_of(linear.residuals(change)))


def noise_of(off: Float) -> float:
    """Standard deviation of row errors (N,) without wrong matches, pixels."""
    return max(1.4826 * float(np.median(np.abs(off))), 0.02)


def _weight(off: Float, scale: float) -> Float:
    return np.asarray(1 / (1 + (off / (2 * scale)) ** 2) ** 2)


def jacobian(problem: Problem, change: Float) -> tuple[Float, Float]:
    """Return (N, 6) row errors and (0 or 1, 6) known disparities per unit of each change."""
    here, told_here = problem.residuals(change)
    rows, told = np.empty((len(here), 6)), np.empty((len(told_here), 6))
    for k in range(6):
        step = np.zeros(6)
        step[k] = _STEP
        ahead, told_ahead = problem.residuals(change + step)
        rows[:, k] = (ahead - here) / _STEP
        told[:, k] = (told_ahead - told_here) / _STEP
    return rows, told


def _covariance(
    problem: Problem, linear: Linear, change: Float, free: Bool, normal: Float
) -> Float:
    """(6, 6) robust to errors that stay the same in one part of the image, as a lens's do.

    The sandwich of White, clustered by cells of the image over all pairs: what a cell says, wrong
    or right, it says in every pair.
    """
    off = linear.residuals(change)
    scale = noise_of(off)
    scores = linear.slopes * (_weight(off, scale) * off / scale**2)[:, None]
    left = problem.seen.left
    cell = _cell_of(left[:, :2] / left[:, 2:])
    sums = np.column_stack([np.bincount(cell, column) for column in scores.T])
    cells = len(np.unique(cell))
    bread = np.zeros((6, 6))
    bread[np.ix_(free, free)] = np.linalg.inv(normal[np.ix_(free, free)])
    grown = cells / max(cells - int(free.sum()), 1)
    covariance = bread + grown * bread @ sums.T @ sums @ bread
    held = np.flatnonzero(~free)
    covariance[held, held] = PRIOR[held] ** 2
    return np.asarray(covariance)


def _cell_of(tangents: Float) -> NDArray[np.intp]:
    """(N,) cell of a grid over the middle of the view."""
    across, down = (
        np.searchsorted(np.nanquantile(values, np.linspace(0, 1, n + 1)[1:-1]), values)
        for values, n in zip(tangents.T, _CELLS, strict=True)
    )
    return np.asarray(across * _CELLS[1] + down)


def _moved_axes(rig: StereoRig, change: Float, turned: Side) -> tuple[Float, Float]:
    """R and t after ``change``: a camera that turns leaves both centres where they are."""
    R = Rotation.from_rotvec(change[:3]).as_matrix() @ rig.R_right_left
    aside = Rotation.from_rotvec([0.0, -change[3], change[4]]).as_matrix()
    if turned == "right":
        return np.asarray(R), np.asarray(-R @ aside @ rig.right_center_m)
    return np.asarray(R), np.asarray(R @ aside @ R.T @ rig.t_right_left)


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
