"""What a calibration does to depth: foretold by its covariance, and checked on boards left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.solving.adjust import adjust
from calib.solving.calibration import Calibration, HeldOut
from calib.solving.epipolar import rectifying_rotations
from calib.solving.projection import unproject_points
from calib.solving.state import State
from calib.solving.triangulation import triangulate, triangulation_jacobian

Float = NDArray[np.float64]


MATCHING_NOISE_PX = 0.25
"""One standard deviation of disparity that a good matcher leaves."""


class DepthError(NamedTuple):
    """What to expect at one distance, over the part of the image both cameras see."""

    distance_m: float
    calibration_m: float
    """Median over the image of the standard deviation that calibration alone causes."""
    matching_m: float
    """The same of MATCHING_NOISE_PX of disparity."""
    total_m: float
    """Both together."""
    worst_m: float
    """95 % quantile of both together over the image."""
    halves_m: float
    """Median depth disagreement of two calibrations from half of the views each; NaN: too few."""

    @property
    def percent(self) -> float:
        """``total_m`` as a share of the distance."""
        return 100 * self.total_m / self.distance_m


class DistanceCheck(NamedTuple):
    """Distances between corners of held-out boards, measured by the rig against known."""

    observed_percent: float
    """Root mean square relative error."""
    predicted_percent: float
    """What covariance and corner noise predict."""
    scale_percent: float
    """Mean relative error: a wrong square size or baseline shows here only against other views."""
    pairs: int


def image_points(c: Calibration, state: State, distance: float) -> tuple[Float, Float]:
    """Pixels (N, 2) of a grid over the left image and where the right camera sees them when they
    lie at ``distance``; only those both see.
    """
    (w, h), (w2, h2) = c.sizes
    x, y = np.meshgrid(np.linspace(0.05, 0.95, 13) * (w - 1), np.linspace(0.05, 0.95, 9) * (h - 1))
    left = np.column_stack([x.ravel(), y.ravel()])
    turn = rectifying_rotations(state.R, state.t)[0]
    rays = unproject_points(state.models[0], state.intrinsics[0], left) @ turn.T
    with np.errstate(all="ignore"):
        points = rays * (distance / rays[:, 2:])
    ok = np.isfinite(points).all(axis=1) & (rays[:, 2] > 0.35)
    left, points = left[ok], points[ok]
    in_right = points @ turn @ state.R.T + state.t
    right = state.camera(1, c.sizes[1]).project(in_right)
    both = np.isfinite(right).all(axis=1)
    both &= (right > -0.5).all(axis=1) & (right < np.array([w2, h2]) - 0.5).all(axis=1)
    return left[both], right[both]


def calibration_depth_sigma(
    c: Calibration, covariance: Float, left: Float, right: Float
) -> tuple[Float, Float]:
    """Depth (N,) of pixel pairs and the standard deviation (N,) that calibration gives it."""
    points, moves = triangulation_jacobian(c.fit.state, left, right)
    return points[:, 2], _sigma(moves[:, 2], covariance)


def _sigma(slopes: Float, covariance: Float) -> Float:
    """(N,) standard deviations of values with derivatives (N, G) to the parameters."""
    return np.asarray(np.sqrt(np.maximum(((slopes @ covariance) * slopes).sum(axis=1), 0)))


def expected_depth_errors(
    c: Calibration, covariance: Float, distances: Sequence[float], noise_px: float
) -> tuple[DepthError, ...]:
    """Expected depth error at each distance."""
    state = c.fit.state
    focal = float(np.mean([values[:2] for values in state.intrinsics]))
    baseline = float(np.linalg.norm(state.t))
    halves = two_halves(c)
    rows = []
    for distance in distances:
        left, right = image_points(c, state, distance)
        if len(left) < 4:
            continue  # nearer than where the two views meet
        _, calibration = calibration_depth_sigma(c, covariance, left, right)
        matching = distance**2 / (focal * baseline) * noise_px
        total = np.hypot(calibration, matching)
        apart = np.nan
        if halves is not None:
            a, b = (triangulate(half, left, right)[:, 2] for half in halves)
            apart = float(np.nanmedian(np.abs(a - b)))
        rows.append(
            DepthError(
                distance,
                float(np.nanmedian(calibration)),
                matching,
                float(np.nanmedian(total)),
                float(np.nanquantile(total, 0.95)),
                apart,
            )
        )
    return tuple(rows)


def two_halves(c: Calibration) -> tuple[State, State] | None:
    """Solutions from every second view each."""
    if len(c.views) < 6:
        return None
    states = []
    for half in (0, 1):
        views = np.arange(half, len(c.views), 2)
        state = c.fit.state.of_views(views)
        fit = adjust(c.shape, state, c.seen.of_views(views), free=c.fit.free, tolerance=1e-7)
        states.append(fit.state)
    return states[0], states[1]


# -- distances on boards left out ----------------------------------------------------------------


def distance_check(c: Calibration, left_out: HeldOut, covariance: Float) -> DistanceCheck:
    """Both diagonals of the board in every view, measured by the rig solved without that view."""
    errors, known, ends = [], [], []
    shape = c.shape.deformed(c.fit.state.shape)
    for v, state in enumerate(left_out.states):
        view = c.seen.of_views([v])
        _, a, b = np.intersect1d(
            np.where(view.camera == 0, view.point, -1),
            np.where(view.camera == 1, view.point, -2),
            return_indices=True,
        )
        if len(a) < 4:
            continue
        ids = view.point[a]
        left, right = view.pixels[a], view.pixels[b]
        measured = triangulate(state, left, right)
        for along in ([1, 1], [1, -1]):
            place = shape[ids, :2] @ along
            pair = [int(np.argmin(place)), int(np.argmax(place))]
            known.append(float(np.linalg.norm(np.subtract(*shape[ids[pair]]))))
            errors.append(float(np.linalg.norm(np.subtract(*measured[pair]))) / known[-1] - 1)
            ends.append((left[pair], right[pair]))
    if not errors:
        return DistanceCheck(np.nan, np.nan, np.nan, 0)
    sides = (np.array([e[0] for e in ends]), np.array([e[1] for e in ends]))
    predicted = _length_sigma(c, covariance, *sides) / known
    observed, expected = (
        100 * float(np.sqrt(np.mean(np.square(values)))) for values in (errors, predicted)
    )
    return DistanceCheck(observed, expected, 100 * float(np.mean(errors)), len(errors))


def _length_sigma(c: Calibration, covariance: Float, left: Float, right: Float) -> Float:
    """(P,) standard deviation of distances between two triangulated points, pixels (P, 2, 2)."""
    state = c.fit.state
    length, moves = _lengths(state, left, right)
    variance = _sigma(moves, covariance) ** 2
    for side in (0, 1):
        for point, axis in np.ndindex(2, 2):
            moved = [left, right]
            moved[side] = moved[side].copy()
            moved[side][:, point, axis] += 0.01
            variance += ((_lengths(state, *moved)[0] - length) / 0.01 * c.noise_px) ** 2
    return np.asarray(np.sqrt(variance))


def _lengths(state: State, left: Float, right: Float) -> tuple[Float, Float]:
    """(P,) distances between two points each, and their derivatives (P, G) to the parameters."""
    points, moves = triangulation_jacobian(state, left.reshape(-1, 2), right.reshape(-1, 2))
    ends, moves = points.reshape(-1, 2, 3), moves.reshape(-1, 2, 3, moves.shape[2])
    between = ends[:, 0] - ends[:, 1]
    length = np.linalg.norm(between, axis=1)
    return length, np.einsum("pc,pcg->pg", between / length[:, None], moves[:, 0] - moves[:, 1])
