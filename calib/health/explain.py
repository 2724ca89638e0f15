"""What changed: the fewest of the six changes that pairs left out of the fit agree with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.health.features import Matches
from calib.health.motion import NAMES, Motion, Problem, fit, jacobian, moved
from calib.health.row_errors import Rows, rows_of_rig
from calib.rig import StereoRig

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

MOST_USED = 6000
"""Matches that a fit takes; more make it slower and no better."""
_ALWAYS = (0, 2)  # pitch and roll: every pair tells them
_ADDED = ((1,), (3, 4), (5,))  # yaw; where the right camera stands; focal length
_WORTH = 0.02  # share of the cost that what is added must save on pairs left out
_SURE = 3.0  # standard deviations by which it must differ from no change
_FOLDS = 3


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """The change of a rig that explains its row errors."""

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
    pair_offsets_px: Float
    """(P,) median row error of each pair after the change; NaN where too little was seen."""

    def named(self) -> list[str]:
        """The names of what changed, largest contribution first."""
        order = np.argsort(-self.contribution_px)
        return [NAMES[k] for k in order if self.motion.free[k] and self.contribution_px[k] > 0.05]


def explain(
    rig: StereoRig,
    matches: Sequence[Matches],
    rows: Rows,
    *,
    known: tuple[Bool, float] | None = None,
) -> Explanation:
    """Return the change of ``rig`` that explains ``rows``, which are those of ``matches``.

    ``known``: which matches lie at a distance that was measured, and the disparity, pixels, that
    it makes; yaw follows from it.
    """
    problem = Problem.of(rig, matches, rows.kept, known)
    free = _chosen(_thinned(problem))
    first = fit(_thinned(problem), free)
    # wrong matches look different once the rig is right
    after = rows_of_rig(moved(rig, first.change), matches)
    problem = Problem.of(rig, matches, after.kept, known)
    thin = _thinned(problem)
    motion = fit(thin, free, start=first.change)
    everything = fit(thin, np.ones(6, bool), start=motion.change)
    J, _ = jacobian(thin, motion.change)
    after = rows_of_rig(moved(rig, motion.change), matches)
    before_px, after_px = _held_out(thin, free)
    return Explanation(
        motion,
        everything,
        np.nanmedian(np.abs(J * motion.change), axis=0),
        after,
        before_px,
        after_px,
        _pair_offsets(after, len(matches)),
    )


def _thinned(problem: Problem) -> Problem:
    """Every k-th match, so that at most MOST_USED remain."""
    count = len(problem.seen.pair)
    which = np.zeros(count, bool)
    which[:: max(1, -(-count // MOST_USED))] = True
    if problem.known is not None:
        which |= problem.known[0]
    return problem.some(which)


def _chosen(problem: Problem) -> Bool:
    """What to change: pitch and roll, and one by one what saves most on pairs left out."""
    free = np.isin(np.arange(6), _ALWAYS)
    if problem.known is not None:
        free[1] = True  # whatever rows say: depth says it
    cost = _cost_left_out(problem, free)
    waiting = [group for group in _ADDED if not free[list(group)].any()]
    while waiting:
        tried = [free | np.isin(np.arange(6), group) for group in waiting]
        costs = [_cost_left_out(problem, more) for more in tried]
        best = int(np.argmin(costs))
        found = fit(problem, tried[best])
        group = list(waiting[best])
        sure = np.abs(found.change[group]) > _SURE * found.sigma[group]
        if costs[best] > (1 - _WORTH) * cost or not sure.any():
            break
        free, cost = tried[best], costs[best]
        del waiting[best]
    return free


def folds(problem: Problem) -> list[Bool]:
    """Which matches to leave out, by turns: whole pairs, or with one pair stripes of the image."""
    if len(np.unique(problem.seen.pair)) > 1:
        part = problem.seen.pair % min(_FOLDS, int(problem.seen.pair.max()) + 1)
    else:
        across = problem.seen.left[:, 0] / problem.seen.left[:, 2]
        part = np.searchsorted(np.quantile(across, np.linspace(0, 1, 10)[1:-1]), across) % 3
    return [part == number for number in np.unique(part)]


def _left_out(problem: Problem, free: Bool) -> tuple[Float, Float]:
    """Row errors as the rig is and as the others would have it, of each match left out once."""
    before, after = [], []
    for out in folds(problem):
        if out.all():
            continue
        change = fit(problem.some(~out), free).change
        rest = problem.some(out)
        before.append(rest.residuals(np.zeros(6))[0])
        after.append(rest.residuals(change)[0])
    return np.concatenate(before), np.concatenate(after)


def _cost_left_out(problem: Problem, free: Bool) -> float:
    """Mean of a robust cost of the row errors, pixels: where few matches are far off."""
    off = np.abs(_left_out(problem, free)[1])
    return float(np.nanmean(np.minimum(off, 1.0)))


def _held_out(problem: Problem, free: Bool) -> tuple[float, float]:
    if len(np.unique(problem.seen.pair)) < 2:
        return float("nan"), float("nan")
    before, after = _left_out(problem, free)
    return float(np.nanmedian(np.abs(before))), float(np.nanmedian(np.abs(after)))


def _pair_offsets(rows: Rows, pairs: int) -> Float:
    found = np.full(pairs, np.nan)
    for number in range(pairs):
        mine = rows.error[rows.pair == number]
        if len(mine) >= 10:
            found[number] = np.median(mine)
    return found
