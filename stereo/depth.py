"""Disparity to metres and back, with the error bar that follows.

``Z = f B / (d + doffs)``; a disparity error ``sigma_d`` becomes ``sigma_Z = Z^2 / (f B) sigma_d``
(first order; e.g. Gallup et al., "Variable Baseline/Resolution Stereo", CVPR 2008, eq. 3).
Arrays are float32 (H, W), NaN where unknown, and NaN passes through.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np

from calib.words import plain
from stereo.errors import InputError
from stereo.frame import DepthFrame, DisparityMap, Float, Image, StereoGeometry
from stereo.native import find_native, thread_count

SIGMA_POWERS = (0, 0.5, 2)
SIGMA_OF_DOUBT_PX = (0.204, 0.954, 53.407)
"""Disparity error, one sigma in px, as a sum of these powers of the doubt ``1 - confidence``: what
is left where nothing is doubtful, finer errors, wrong matches. Half the error that 95 of 100 pixels
stay below (benchmarks/fit_doubt.py), so that 90 are left on scenes that nobody fitted to."""


Limits = tuple[float, float]


class DisparityVariance(NamedTuple):
    """Variance (px^2) that a calibration's own error gives to a disparity d (px):
    ``offset + 2 mixed d + share d^2``; each (H, W) float32.
    """

    offset: Float
    mixed: Float
    share: Float

    def at(self, disparity: Float) -> Float:
        """Variance (H, W) px^2 of these disparities, which count from zero at infinity."""
        variance: Float = self.share * disparity
        variance += self.mixed
        variance += self.mixed
        variance *= disparity
        variance += self.offset
        np.maximum(variance, 0, out=variance)
        return variance


def disparity_to_depth(disparity: Float, geometry: StereoGeometry) -> Float:
    """Return depth in metres; NaN where the disparity says "behind infinity" (d + doffs <= 0)."""
    shifted = disparity + np.float32(geometry.doffs_px)
    scale = np.float32(geometry.focal_px * geometry.baseline_m)
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = scale / shifted
        depth[~(shifted > 0)] = np.nan
    return depth


def depth_to_disparity(depth_m: Float, geometry: StereoGeometry) -> Float:
    """Return the disparity in px of a depth; the inverse of ``disparity_to_depth``."""
    scale = np.float32(geometry.focal_px * geometry.baseline_m)
    with np.errstate(divide="ignore", invalid="ignore"):
        disparity = scale / depth_m - np.float32(geometry.doffs_px)
        disparity[~(depth_m > 0)] = np.nan
    return disparity


def disparity_sigma(confidence: Float, coefficients: Sequence[float] = SIGMA_OF_DOUBT_PX) -> Float:
    """Return the expected disparity error in px, one sigma, for a confidence in [0, 1].

    A confidence is the probability of an error of at most 1 px. Errors have heavy tails (a wrong
    match is wrong by any amount), so this is no standard deviation, which such tails would rule,
    but half the error that two sigma shall hold; ``coefficients`` of ``SIGMA_POWERS``.
    """
    constant, root, square = (np.float32(c) for c in coefficients)
    doubt = 1 - confidence
    sigma: Float = square * doubt
    sigma *= doubt
    np.sqrt(doubt, out=doubt)
    doubt *= root
    sigma += doubt
    sigma += constant
    return sigma


def depth_sigma(depth_m: Float, geometry: StereoGeometry, sigma_px: Float | float) -> Float:
    """Return one standard deviation of depth in metres: ``Z^2 / (f B)`` times ``sigma_px``."""
    per_px = np.float32(1.0 / (geometry.focal_px * geometry.baseline_m))
    return (depth_m * depth_m * per_px * np.asarray(sigma_px, np.float32)).astype(
        np.float32, copy=False
    )


def depth_frame(
    disparity: DisparityMap,
    geometry: StereoGeometry,
    color: Image,
    *,
    min_depth_m: float = 0.0,
    max_depth_m: float = np.inf,
    time_s: float = 0.0,
    calibration_px2: DisparityVariance | None = None,
) -> DepthFrame:
    """Return metric depth with its error bar; depths outside the limits become NaN.

    ``color`` is the rectified left image; ``calibration_px2`` is what the rig's covariance adds to
    the error of matching. Raises InputError when the limits are no range.
    """
    if not 0 <= min_depth_m < max_depth_m:
        raise InputError(
            "depth limits must satisfy 0 <= min < max, "
            f"got {plain(min_depth_m)} and {plain(max_depth_m)} m"
        )
    native, limits_m = find_native(), (min_depth_m, max_depth_m)
    if native is None:
        depth, sigma = _measured_in_numpy(disparity, geometry, limits_m, calibration_px2)
    else:
        depth, sigma = _measured(native, disparity, geometry, limits_m, calibration_px2)
    return DepthFrame(depth, sigma, color, geometry, time_s)


def _measured(
    native: ModuleType,
    disparity: DisparityMap,
    geometry: StereoGeometry,
    limits_m: Limits,
    calibration_px2: DisparityVariance | None,
) -> tuple[Float, Float]:
    """Depth and sigma in one pass (native/src/metric.cpp): the same bits, four times as fast."""
    scale = geometry.focal_px * geometry.baseline_m
    rules = [geometry.doffs_px, scale, 1.0 / scale, *SIGMA_OF_DOUBT_PX, *limits_m]
    variance = () if calibration_px2 is None else calibration_px2
    depth, sigma = native.measure_depth(
        np.ascontiguousarray(disparity.px),
        np.ascontiguousarray(disparity.confidence),
        [np.ascontiguousarray(plane) for plane in variance],
        np.array(rules, np.float32),
        thread_count(None),
    )
    return depth, sigma


def _measured_in_numpy(
    disparity: DisparityMap,
    geometry: StereoGeometry,
    limits_m: Limits,
    calibration_px2: DisparityVariance | None,
) -> tuple[Float, Float]:
    """The same where no compiler built the native module."""
    nearest_m, farthest_m = limits_m
    depth = disparity_to_depth(disparity.px, geometry)
    with np.errstate(invalid="ignore"):
        depth[(depth < nearest_m) | (depth > farthest_m)] = np.nan
    sigma_px = disparity_sigma(disparity.confidence)
    if calibration_px2 is not None:
        sigma_px *= sigma_px
        sigma_px += calibration_px2.at(disparity.px + np.float32(geometry.doffs_px))
        np.sqrt(sigma_px, out=sigma_px)
    return depth, depth_sigma(depth, geometry, sigma_px)
