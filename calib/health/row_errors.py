"""How far apart the rows of a pair are: of every match, and without the noise of finding points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.health.features import Matches
from calib.rig import RectifiedRig, StereoRig
from calib.solving.epipolar import rectifying_rotations

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

FEWEST_MATCHES = 20
"""Fewer say nothing: as many parameters as a pattern has could explain them."""
_WIDEST_TAN = 2.2  # 65 degrees off the axis: beyond, a rectified pinhole image ends
_GUESSES = 300
_NEAR_PX = 2.5
_SIGMAS = 4.0
_LEAST_PX = 0.6  # a match this near to the pattern is never thrown out
_RIDGE = 0.02  # matches that speak for no pattern at all
_PAIR_MATCHES = 40  # from so many on a pair may differ from the others by a plane of its own


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """Matches of one or more pairs as a rectified image would show them; wrong ones are out."""

    x: Float
    """(N,) column of the left point, pixels from the principal point."""
    y: Float
    """(N,) its row, likewise."""
    disparity: Float
    """(N,) x_left - x_right, pixels; without what a file calls doffs."""
    error: Float
    """(N,) y_left - y_right, pixels."""
    pattern: Float
    """(N,) the part of ``error`` that varies smoothly over image, depth and pairs: what a rig does.
    The rest is the noise of finding points."""
    pair: NDArray[np.intp]
    """(N,) which pair it was found in."""
    kept: Bool
    """(M,) which of the matches that came in these are."""
    focal_px: float
    """Focal length that all of the above is meant with."""

    def __len__(self) -> int:
        return len(self.error)

    @property
    def median_px(self) -> float:
        """Median of the absolute row error; NaN without matches."""
        return _median(np.abs(self.error))

    @property
    def p95_px(self) -> float:
        """95 % of the absolute row errors are smaller."""
        return float(np.percentile(np.abs(self.error), 95)) if len(self) else float("nan")

    @property
    def offset_px(self) -> float:
        """Median of y_left - y_right."""
        return _median(self.error)

    @property
    def systematic_px(self) -> float:
        """Median of the absolute row error that is not noise: what a matcher has to live with."""
        return _median(np.abs(self.pattern))

    @property
    def noise_px(self) -> float:
        """Standard deviation of finding points, from the median distance to the pattern."""
        return 1.4826 * _median(np.abs(self.error - self.pattern))

    @property
    def share_kept(self) -> float:
        """Share of the matches that agree on one geometry."""
        return float(self.kept.mean()) if len(self.kept) else 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Sight:
    """Where both cameras look at each match: rays in the axes of either camera, (N, 3) each."""

    left: Float
    right: Float
    pair: NDArray[np.intp]
    """(N,) which pair each was found in."""


def sight(rig: StereoRig, matches: Sequence[Matches]) -> Sight:
    """Return the rays of the matches of one or more pairs; NaN where a lens has none."""
    left = rig.left.unproject(np.concatenate([m.left for m in matches]))
    right = rig.right.unproject(np.concatenate([m.right for m in matches]))
    return Sight(left, right, _numbers(matches))


def rows_of_rig(rig: StereoRig, matches: Sequence[Matches]) -> Rows:
    """Return the rows of raw pairs as ``rig`` rectifies them."""
    seen = sight(rig, matches)
    focal = mean_focal_px(rig)
    return clean_rows(*rectified(seen, rig.R_right_left, rig.t_right_left, focal), seen.pair, focal)


def rows_of_rectified(
    rig: RectifiedRig | None, matches: Sequence[Matches], size: tuple[int, int]
) -> Rows:
    """Return the rows of pairs that are rectified already; without ``rig`` in guessed units."""
    left = np.concatenate([m.left for m in matches])
    right = np.concatenate([m.right for m in matches])
    middle = np.array([(size[0] - 1) / 2, (size[1] - 1) / 2])
    focal, doffs = float(size[0]), 0.0
    if rig is not None:
        focal, doffs = rig.focal_px, rig.doffs_px
        middle = np.array([rig.cx_left_px, rig.cy_px])
    return clean_rows(left - middle, right - middle - [doffs, 0.0], _numbers(matches), focal)


def mean_focal_px(rig: StereoRig) -> float:
    """Return the mean of the four focal lengths, pixels: the scale of a rectified image."""
    return float(np.mean([np.diag(camera.K)[:2] for camera in (rig.left, rig.right)]))


def rectified(seen: Sight, R: Float, t: Float, focal_px: float) -> tuple[Float, Float]:
    """Return (N, 2) rectified pixels, left and right, from the principal point; NaN far outside."""
    turns = rectifying_rotations(R, t)
    views = []
    for rays, turn in zip((seen.left, seen.right), turns, strict=True):
        x, y, z = (rays @ turn.T).T
        with np.errstate(all="ignore"):
            tangents = np.column_stack([x, y]) / z[:, None]
        tangents[~((z > 0) & (np.hypot(*tangents.T) < _WIDEST_TAN))] = np.nan
        views.append(focal_px * tangents)
    return views[0], views[1]


def clean_rows(left: Float, right: Float, pair: NDArray[np.intp], focal_px: float) -> Rows:
    """Return what agrees on one smooth pattern of row errors.

    ``left`` and ``right`` (N, 2) rectified pixels. A plane over the image that most matches agree
    on comes first (so that rows may be tens of pixels apart), then reweighted least squares.
    """
    kept: Bool = np.asarray(np.isfinite(np.hstack([left, right])).all(axis=1), np.bool_)
    if kept.any():
        kept[kept] = _near_a_plane(left[kept], (left - right)[kept, 1])
    pattern = np.zeros(0)
    for _ in range(3):
        if np.count_nonzero(kept) < FEWEST_MATCHES:
            kept = np.zeros_like(kept)
            break
        off, pattern = _off_pattern(left[kept], right[kept], pair[kept], focal_px)
        within = np.abs(off) < max(_SIGMAS * 1.4826 * _median(np.abs(off)), _LEAST_PX)
        pattern = pattern[within]
        kept[kept] = within
    gap = (left - right)[kept]
    x, y = left[kept].T
    return Rows(x, y, gap[:, 0], gap[:, 1], pattern[: len(x)], pair[kept], kept, focal_px)


def _near_a_plane(at: Float, error: Float) -> Bool:
    """Which errors (N,) at places (N, 2) lie near the plane most of them agree on."""
    if len(error) < FEWEST_MATCHES:
        return np.zeros(len(error), bool)
    design = np.column_stack([np.ones(len(error)), at / max(float(np.abs(at).max()), 1.0)])
    random = np.random.default_rng(0)  # same images, same answer
    sample = random.integers(0, len(error), (_GUESSES, 3))
    corners, values = design[sample], error[sample]
    solvable = np.abs(np.linalg.det(corners)) > 1e-3
    planes = np.linalg.solve(corners[solvable], values[solvable][..., None])[..., 0]
    level = np.array([[np.median(error), 0.0, 0.0], [0.0, 0.0, 0.0]])  # the likely ones, too
    planes = np.vstack([level, planes])
    agree = np.abs(error[:, None] - design @ planes.T) < _NEAR_PX
    plane = planes[np.argmax(agree.sum(axis=0))]
    spread = 2 * _NEAR_PX  # wide: depth and lenses bend the plane
    return np.asarray(np.abs(error - design @ plane) < spread)


def _off_pattern(
    left: Float, right: Float, pair: NDArray[np.intp], focal_px: float
) -> tuple[Float, Float]:
    """How far each row error lies off a smooth pattern, and the pattern; both (N,)."""
    gap = left - right
    smooth = _smooth(left, gap[:, 0], focal_px)
    pattern = np.asarray(smooth @ robust_fit(smooth, gap[:, 1]))
    numbers, counts = np.unique(pair, return_counts=True)
    if len(numbers) > 1:
        for number in numbers[counts >= _PAIR_MATCHES]:
            mine = pair == number
            plane, rest = smooth[mine, :3], (gap[:, 1] - pattern)[mine]
            pattern[mine] += plane @ robust_fit(plane, rest)
    return gap[:, 1] - pattern, pattern


def _smooth(left: Float, disparity: Float, focal_px: float) -> Float:
    """(N, 8) what rotation, focal length, baseline and lenses do to rows, in likely sizes."""
    x, y = left.T / max(float(np.abs(left).max()), 1.0)
    d = disparity / max(float(np.abs(disparity).max()), 1.0)
    return np.column_stack([np.ones(len(x)), x, y, x * y, x * x, y * y, d, y * d])


def robust_fit(design: Float, values: Float, *, rounds: int = 8) -> Float:
    """Least squares (K,) of ``design`` (N, K), reweighted so that what lies far off hardly counts.

    A small ridge keeps what the data cannot tell at zero.
    """
    weight = np.ones(len(values))
    ridge = np.diag(np.full(design.shape[1], _RIDGE))
    found: Float = np.zeros(design.shape[1])
    for _ in range(rounds):
        weighted = (design * weight[:, None]).T
        found = np.asarray(np.linalg.solve(weighted @ design + ridge, weighted @ values))
        off = np.abs(values - design @ found)
        weight = 1 / (1 + (off / max(2.5 * _median(off), 0.05)) ** 2)
    return found


def _numbers(matches: Sequence[Matches]) -> NDArray[np.intp]:
    return np.repeat(np.arange(len(matches)), [len(m) for m in matches])


def _median(values: Float) -> float:
    return float(np.median(values)) if len(values) else float("nan")
