"""What changed: the fewest of the six changes that pairs left out of the fit agree with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from calib.health.effect import FLAG_PX
from calib.health.motion import NAMES, Linear, Motion, Problem, Side, fit, jacobian
from calib.health.row_errors import Rows

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

MOST_USED = 6000
"""Matches that a fit takes; more make it slower and no better."""
LARGEST = np.array([0.05, 0.05, 0.05, 0.06, 0.06, 0.03])
"""What a knock or heat does at most to a rig that still works: three degrees, 3 % of focal length;
more is another rig."""
_ALWAYS = (0, 2)  # pitch and roll: every pair tells them
_ADDED = ((1,), (3, 4), (5,))  # yaw; where the right camera stands; focal length
_WORTH = 0.02  # share of the cost that what is added must save on pairs left out
_SURE = 3.0  # standard deviations by which it must differ from no change
_CAP = 3.0  # standard deviations of the noise that a match counts for at most
_FOLDS = 3


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """The change of a rig that explains its row errors."""

    turned: Side
    """Which camera has turned, when one has."""
    motion: Motion
    """What was changed, and what was held."""
    all_free: Motion
    """The same with everything free: how well each could be told at all."""
    contribution_px: Float
    """(6,) median of the absolute row error that each change accounts for."""
    rows: Rows
    """After the change."""
    held_out_before_px: float
    """Median row error of pairs left out of the fit, as the rig is; NaN with one pair."""
    held_out_after_px: float
    """The same with what the other pairs say changed."""
    distance_known: bool
    """Whether a measured distance told the yaw."""
    pair_offsets_px: Float
    """(P,) median row error of each pair after the change; NaN where too little was seen."""

    @property
    def plausible(self) -> bool:
        """Whether a rig can have changed so, and rows agree then: else it is another rig's file."""
        small = (np.abs(self.motion.change) <= LARGEST).all()
        return bool(small and self.rows.systematic_px <= FLAG_PX)

    def named(self) -> list[str]:
        """The names of what changed, largest contribution first."""
        order = np.argsort(-self.contribution_px)
        return [NAMES[k] for k in order if self.motion.free[k] and self.contribution_px[k] > 0.05]


def explain(whole: Problem, rows: Rows) -> Explanation:
    """Return the change that explains ``rows``, which are those of ``whole`` without change."""
    everything = np.ones(6, bool)
    whole, first = _turned(whole, rows)
    # wrong matches look different once the rig is right
    kept = whole.rows(first.change).kept
    problem = _thinned(whole.some(kept if kept.any() else rows.kept))
    all_free = fit(problem, everything, start=first.change)
    near = Linear.near(problem, all_free.change)
    parts = folds(problem)
    free = _chosen(near, parts, problem, all_free)
    motion = fit(problem, free, start=near.solved(free)[0])
    after = whole.rows(motion.change)
    before_px, after_px = _held_out(problem, motion, parts)
    slopes, _ = jacobian(problem, np.zeros(6))
    return Explanation(
        whole.turned,
        motion,
        all_free,
        np.nanmedian(np.abs(slopes * motion.change), axis=0),
        after,
        before_px,
        after_px,
        whole.known is not None,
        _pair_offsets(after, int(whole.seen.pair.max()) + 1),
    )


def _turned(whole: Problem, rows: Rows) -> tuple[Problem, Motion]:
    """The problem with the camera that has turned, and by how much.

    Both turns change the rotation alike; what differs is where the baseline then points.
    """
    rotation = np.arange(6) < 3
    right = _thinned(whole.some(rows.kept))
    left = replace(right, turned="left")
    by_right, by_left = fit(right, rotation), fit(left, rotation)
    if by_left.noise_px < (1 - _WORTH) * by_right.noise_px:
        return replace(whole, turned="left"), by_left
    return whole, by_right


def _thinned(problem: Problem) -> Problem:
    """Every k-th match, so that at most MOST_USED remain."""
    count = len(problem.seen.pair)
    which = np.zeros(count, bool)
    which[:: max(1, -(-count // MOST_USED))] = True
    if problem.known is not None:
        which |= problem.known[0]
    return problem.some(which)


def _chosen(near: Linear, parts: Sequence[Bool], problem: Problem, all_free: Motion) -> Bool:
    """What to change: pitch and roll, and one by one what saves most on pairs left out."""
    free = np.isin(np.arange(6), _ALWAYS)
    if problem.known is not None:
        free[1] = True  # whatever rows say: depth says it
    cap_px = _CAP * all_free.noise_px
    cost = _cost_left_out(near, free, parts, cap_px)
    waiting = [group for group in _ADDED if not free[list(group)].any()]
    while waiting:
        tried = [free | np.isin(np.arange(6), group) for group in waiting]
        costs = [_cost_left_out(near, more, parts, cap_px) for more in tried]
        best = int(np.argmin(costs))
        found = fit(problem, tried[best], start=near.solved(tried[best])[0])
        group = list(waiting[best])
        sure = np.abs(found.change[group]) > _SURE * found.sigma[group]
        if costs[best] > (1 - _WORTH) * cost or not sure.any():
            break
        free, cost = tried[best], costs[best]
        del waiting[best]
    return free


def folds(problem: Problem) -> list[Bool]:
    """Which matches to leave out, by turns: whole pairs, or with one pair stripes of the image."""
    part = problem.seen.pair % _FOLDS
    if len(np.unique(problem.seen.pair)) == 1:
        across = problem.seen.left[:, 0] / problem.seen.left[:, 2]
        edges = np.quantile(across, np.linspace(0, 1, 3 * _FOLDS + 1)[1:-1])
        part = np.searchsorted(edges, across) % _FOLDS
    return [part == number for number in np.unique(part)]


def _left_out(near: Linear, free: Bool, parts: Sequence[Bool]) -> Float:
    """(N,) row error of each match after the change that the other parts ask for."""
    found = np.empty(len(near.rows))
    for out in parts:
        found[out] = near.some(out).residuals(near.some(~out).solved(free)[0])
    return found


def _cost_left_out(near: Linear, free: Bool, parts: Sequence[Bool], cap_px: float) -> float:
    """Mean of the row errors, none counted for more than ``cap_px``: wrong matches weigh alike."""
    return float(np.mean(np.minimum(np.abs(_left_out(near, free, parts)), cap_px)))


def _held_out(problem: Problem, motion: Motion, parts: Sequence[Bool]) -> tuple[float, float]:
    """Median row error as the rig is, and with the change that other pairs ask for."""
    if len(np.unique(problem.seen.pair)) < 2:
        return float("nan"), float("nan")
    before = problem.residuals(np.zeros(6))[0]
    after = _left_out(Linear.near(problem, motion.change), motion.free, parts)
    return float(np.nanmedian(np.abs(before))), float(np.median(np.abs(after)))


def _pair_offsets(rows: Rows, pairs: int) -> Float:
    found = np.full(pairs, np.nan)
    for number in range(pairs):
        mine = rows.error[rows.pair == number]
        if len(mine) >= 10:
            found[number] = np.median(mine)
    return found
