"""One flat surface in one depth map: where it is, how full, how flat, and what was promised.

A plane in space is a plane in disparity, ``d + doffs = a x + b y + c``, because
``1/Z = n . ray / h`` for the plane ``n . X = h``. So it is fitted there, where the noise of
matching is the same at every distance, and its residuals are errors in px. Camera makers state
depth quality by the same figures: fill rate, Z accuracy, plane-fit RMS, sub-pixel RMS
(Intel, "Tuning D435 and D415 for best performance").
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from stereo.depth import depth_to_disparity
from stereo.errors import QualityError
from stereo.frame import DepthFrame, Float, Mask, StereoGeometry

GROSS_PX = 3.0
"""A residual beyond this is a wrong match and no noise, as KITTI counts them."""
_NEAR_PX = 1.0
"""What lies so near to a plane agrees with it, while the plane is searched."""
_LEAST_PX = 3.0
"""Disparity above that of infinity from which on a surface can be measured: nearer to infinity a
floor has no end, and a wrong pixel any depth."""
_LEAST_SHARE = 0.15
"""Of the pixels looked at, those that must lie on one plane for it to be a wall."""
_DRAWS, _SAMPLE = 300, 4000
_BRIDGED = 1 / 40
"""Holes and wrong spots up to this part of the image's width belong to the wall around them."""


@dataclass(frozen=True, slots=True)
class DisparityPlane:
    """``d = a x + b y + c`` px at column x and row y of the rectified left image."""

    a: float
    b: float
    c: float

    def over(self, shape: tuple[int, int]) -> Float:
        """Return the disparity, px, of every pixel of an image of ``shape`` = (H, W)."""
        rows = np.arange(shape[0], dtype=np.float32)[:, None]
        columns = np.arange(shape[1], dtype=np.float32)[None, :]
        return (self.a * columns + self.b * rows + self.c).astype(np.float32)

    def in_space(self, geometry: StereoGeometry) -> tuple[float, NDArray[np.float64]]:
        """Return distance (m) and unit normal (3,) of ``n . X = h`` in the left camera's axes."""
        g = geometry
        middle = self.a * g.cx_px + self.b * g.cy_px + self.c + g.doffs_px
        slope = np.array([self.a, self.b, middle / g.focal_px])
        steepness = float(np.linalg.norm(slope))
        return g.baseline_m / steepness, slope / steepness


@dataclass(frozen=True, eq=False, slots=True)
class Wall:
    """What one depth map says of the flat surface it shows."""

    plane: DisparityPlane
    """The surface that fits best."""
    mask: Mask
    """(H, W) where it is seen, with the holes inside."""
    residual_px: Float
    """(H, W) disparity minus that of the plane; NaN off the wall and in holes."""
    distance_m: float
    """Straight from the left camera's centre to the plane."""
    tilt_deg: float
    """Between the plane's normal and the optical axis."""
    fill: float
    """Share of the wall's pixels that have a depth."""
    gross: float
    """Share of those that are off by more than GROSS_PX; the RMS leaves them out."""
    promised_gross: float
    """That share if errors were as large as their error bars say."""
    rms_px: float
    """Root mean square of the residuals: the sub-pixel RMS of camera makers."""
    rms_m: float
    """The same of depth along the optical axis, metres."""
    rms_percent: float
    """The same of each pixel's depth relative to its plane's, percent."""
    m_per_px: float
    """Depth that a pixel of disparity is worth on the wall, median."""
    promised_px: float
    """What ``rms_px`` would be if errors were as large as their error bars say."""
    promised_m: float
    """The same for ``rms_m``."""
    within: tuple[float, float, float]
    """Share of all residuals, gross ones too, within one, two and three error bars."""


def find_wall(depth: DepthFrame, sigma_px: Float, region: Mask | None = None) -> Wall:
    """Return the largest flat surface, or what ``region`` (H, W) says is the wall, all of it.

    ``sigma_px`` (H, W) is the error that matching expects of each disparity, without that of the
    calibration, which a plane cannot show. Raises QualityError where there is no wall.
    """
    disparity = depth_to_disparity(depth.depth_m, depth.geometry)
    known = np.isfinite(disparity)
    looked_at = known if region is None else known & region
    plane = _largest_plane(disparity, looked_at)
    flat = plane.over(disparity.shape)
    measurable = flat + np.float32(depth.geometry.doffs_px) >= _LEAST_PX
    near = looked_at & measurable & (np.abs(disparity - flat) <= _NEAR_PX)
    share = _share(near[looked_at])
    if share < _LEAST_SHARE:
        raise QualityError(
            f"no wall: the largest plane holds {share:.0%} of the pixels that have a depth, at "
            f"least {_LEAST_SHARE:.0%} were expected; show a wall or a floor, or name where it is "
            "with --region"
        )
    mask = (_whole(near) if region is None else region) & measurable
    return _measured(depth, disparity, plane, mask, sigma_px)


def _measured(
    depth: DepthFrame, disparity: Float, plane: DisparityPlane, mask: Mask, sigma_px: Float
) -> Wall:
    geometry = depth.geometry
    flat = plane.over(disparity.shape)
    residual = np.where(mask, disparity - flat, np.float32(np.nan))
    known = np.isfinite(residual)
    fine = known & (np.abs(residual) <= GROSS_PX)
    if not fine.any():
        raise QualityError("no wall: no pixel of the region lies near one plane")
    shifted = np.where(mask, flat + np.float32(geometry.doffs_px), np.float32(np.nan))
    # to first order, so that metres and px tell of the same pixels
    m_per_px = geometry.focal_px * geometry.baseline_m / shifted**2
    survives, promised_px2 = _of_fine(sigma_px[known])
    distance_m, normal = plane.in_space(geometry)
    off = np.abs(residual[known]) / sigma_px[known]
    return Wall(
        plane,
        mask,
        residual,
        distance_m,
        float(np.degrees(np.arccos(np.clip(normal[2], -1, 1)))),
        fill=_share(known[mask]),
        gross=1 - _share(fine[known]),
        promised_gross=float(1 - survives.mean()),
        rms_px=_rms(residual[fine]),
        rms_m=_rms((residual * m_per_px)[fine]),
        rms_percent=100 * _rms((residual / shifted)[fine]),
        m_per_px=float(np.median(m_per_px[fine])),
        promised_px=_weighted_root(promised_px2, survives),
        promised_m=_weighted_root(promised_px2 * m_per_px[known] ** 2, survives),
        within=(_share(off <= 1), _share(off <= 2), _share(off <= 3)),
    )


def _of_fine(sigma_px: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For normal errors: how likely each is no gross one, and its variance, px^2, if it is none.

    The variance of a normal distribution cut off at both sides; without the cut a few pixels whose
    error bar says "anything" would be the whole of the promise.
    """
    sigma = sigma_px.astype(np.float64)
    reach = GROSS_PX / sigma
    inside = erf(reach / np.sqrt(2))
    density = np.exp(-(reach**2) / 2) / np.sqrt(2 * np.pi)
    return inside, sigma**2 * (1 - 2 * reach * density / inside)


def _largest_plane(disparity: Float, known: Mask) -> DisparityPlane:
    """The plane that most known pixels agree with, fitted to all that do (RANSAC, then 5 times
    least squares with what is near).
    """
    y, x = np.nonzero(known)
    if len(x) < 100:
        raise QualityError(
            f"no wall: only {len(x)} pixels have a depth; show a textured wall or floor"
        )
    random = np.random.default_rng(0)
    chosen = random.choice(len(x), min(_SAMPLE, len(x)), replace=False)
    points = np.column_stack([x[chosen], y[chosen], np.ones(len(chosen))]).astype(np.float64)
    values = disparity[y[chosen], x[chosen]].astype(np.float64)
    best, most = np.array([0.0, 0.0, float(np.median(values))]), -1
    for _ in range(_DRAWS):
        three = random.choice(len(points), 3, replace=False)
        if abs(np.linalg.det(points[three])) < 1:  # on one line
            continue
        drawn = np.linalg.solve(points[three], values[three])
        agreeing = int(np.count_nonzero(np.abs(points @ drawn - values) <= _NEAR_PX))
        if agreeing > most:
            best, most = drawn, agreeing
    everything = np.column_stack([x, y, np.ones(len(x))]).astype(np.float64)
    found = disparity[y, x].astype(np.float64)
    for _ in range(5):
        off = np.abs(everything @ best - found)
        near = off <= _NEAR_PX
        if near.any():
            # as wide as the noise is, so that the tails of a noisy wall count too
            near = off <= max(_NEAR_PX, min(GROSS_PX, 4 * 1.4826 * float(np.median(off[near]))))
        if np.count_nonzero(near) < 3:
            break
        best = np.linalg.lstsq(everything[near], found[near], rcond=None)[0]
    return DisparityPlane(*(float(number) for number in best))


def _whole(near: Mask) -> Mask:
    """The largest connected part of the pixels near a plane, holes and wrong spots bridged."""
    reach = max(3, round(near.shape[1] * _BRIDGED) | 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    edge = cv2.BORDER_CONSTANT
    closed = cv2.morphologyEx(near.astype(np.uint8), cv2.MORPH_CLOSE, disc, borderType=edge)
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, disc, borderType=edge)
    _, labels, facts, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if len(facts) < 2:
        raise QualityError("no wall: what lies on one plane is scattered over the image")
    return np.asarray(labels == 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA])))


def _weighted_root(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.sum(values * weights) / np.sum(weights)))


def _rms(values: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _share(flags: NDArray[np.bool_]) -> float:
    return float(np.mean(flags)) if flags.size else float("nan")
