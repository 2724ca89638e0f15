"""Whether something changed between views: a lens was refocused, a camera knocked.

Around a solution the cost of a view, its board's pose always the best, is quadratic in what all
views share: ``cost - b.d + d.S.d / 2`` for a step d. With S and b of every view, "these views were
taken after the right camera turned" is a small linear problem instead of a new adjustment (the
score test of C. R. Rao, 1948), so that every moment and every kind of change can be tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.errors import CalibrationError
from calib.judging.kinds_of_change import directions, rig_words
from calib.solving.adjust import adjust
from calib.solving.calibration import Calibration, View, observe
from calib.solving.first_rig import board_poses
from calib.solving.normal import errors, normal, solved, tables
from calib.solving.state import BoardModel, Observations, State, stepped

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FEWEST = 3  # views on either side of a change
_SHUFFLES = 40
_BY_CHANCE = 2  # so many of the shuffled sessions may seem to have changed as much
_MATTERS = 0.12
"""Share of the whole cost that a change must explain: below it lens models explain as much, which
are not perfect and see more of the board's corners in one half of a session than in the other."""
_NOWHERE = 1e12  # px^2, the cost of a view that no pose explains
_FEW = 12  # views, of which fewer are explained by anything
_MENDED = 0.1  # share of a view's cost left, when the change is what was wrong with it
_DISAGREES = 3.0  # times the usual error of a view
_SIMPLE = 0.85
"""A simpler change is the cause when it explains this share of what the full one explains."""


@dataclass(frozen=True, eq=False, slots=True)
class Information:
    """What each view says of the globals, around one state."""

    names: tuple[str, ...]
    """Of the views."""
    S: Float
    """(V, G, G)."""
    b: Float
    """(V, G)."""
    cost: Float
    """(V,) half the sum of squares, px^2."""
    free: Mask
    """(G,) globals that the calibration could move."""

    def in_order(self, names: Sequence[str]) -> Information:
        """The same views in another order."""
        i = np.array([self.names.index(name) for name in names], np.intp)
        return Information(tuple(names), self.S[i], self.b[i], self.cost[i], self.free)


class Change(NamedTuple):
    """One thing that is different in some of the views."""

    cause: str
    """"refocused" or "rig_moved"."""
    what: str
    """Such as "the right camera was zoomed by +1.0 %"."""
    after: tuple[str, ...]
    """The views that are different."""
    agree: tuple[str, ...]
    """Those of all views that agree with the others when this is allowed for."""
    explains: float
    """Share of the whole cost."""
    rigs: tuple[str, str]
    """The rig before and after, in words."""


def information(c: Calibration, others: Sequence[View]) -> Information:
    """Of the used views, then of ``others``, their boards' poses found with the rig as it is."""
    state, seen = c.fit.state, c.seen
    S, b, cost = _reduced(c.shape, state, seen)
    if others:
        posed, table = posed_views(c, others)
        more = _reduced(c.shape, posed, table)
        S, b, cost = (np.concatenate(pair) for pair in zip((S, b, cost), more, strict=True))
        nowhere = ~_finite(S, b, cost)  # a view that no pose explains says nothing
        S[nowhere], b[nowhere], cost[nowhere] = 0, 0, _NOWHERE
    names = tuple(view.name for view in (*c.views, *others))
    return Information(names, S, b, cost, c.free(state))


def posed_views(c: Calibration, views: Sequence[View]) -> tuple[State, Observations]:
    """The rig as it is with the best poses of the board in those views, and their corners."""
    camera = c.fit.state.camera(0, c.sizes[0])
    rays = [camera.unproject(view.left.points) for view in views]
    R, t = board_poses(rays, [view.left for view in views], BoardModel(c.board.points))
    state, seen = replace(c.fit.state, view_R=R, view_t=t), observe(views)
    fixed = np.zeros(state.globals, bool)
    return adjust(c.shape, state, seen, free=fixed, robust_px=2.0, max_steps=20).state, seen


def _reduced(board: BoardModel, state: State, seen: Observations) -> tuple[Float, Float, Float]:
    """Per view S (V, G, G), b (V, G) and cost (V,), the pose of its board eliminated."""
    parts = tables(seen, 2)
    every = np.ones(state.globals, bool)
    GG, GP, PP, g, p = normal(board, state, parts, free=every)
    through = solved(PP, np.concatenate([GP.swapaxes(1, 2), p[:, :, None]], axis=2))
    cost = sum((one**2).sum(axis=(0, 2)) for one in errors(board, state, parts))
    gained = (p * through[:, :, -1]).sum(axis=1)
    S = GG - GP @ through[:, :, :-1]
    b = g - (GP @ through[:, :, -1:])[:, :, 0]
    return S, b, np.maximum(cost - gained, 0) / 2


# -- which change, and when ----------------------------------------------------------------------


def find_change(c: Calibration, offered: Sequence[View]) -> Change | None:
    """The moment from which on the views agree on another rig, and what changed; None: no such.

    ``offered`` are all views in the order they were taken; those that fit neither rig count little.
    """
    used = {view.name: view for view in c.views}
    seen = information(c, [view for view in offered if view.name not in used])
    info = seen.in_order([view.name for view in offered])
    n = len(info.names)
    if n < 2 * _FEWEST:
        return None
    every = directions(c.fit.state, c.fixed_intrinsics)
    full = every[-1].steps
    scale, before = _one_rig(info)
    share, k = _best_moment(info, full, scale, before)
    if share < _MATTERS * max(1.0, _FEW / n):
        return None
    rng = np.random.default_rng(0)
    same = {frozenset(info.names[:k]), frozenset(info.names[k:])}
    as_good = 0
    for _ in range(_SHUFFLES):
        mixed = info.in_order(rng.permutation(info.names).tolist())
        other, at = _best_moment(mixed, full, scale, before)
        # of few views a shuffle may leave the two groups as they are
        as_good += other >= share and frozenset(mixed.names[at:]) not in same
    if as_good > _BY_CHANCE:
        return None
    after = np.arange(n) >= k
    near = _nearer(c, offered, info, after, full, scale)
    found = [(d, *_robust(near, after, d.steps, scale)) for d in every]
    before = _robust(near, np.zeros(n, bool), full[:, :0], scale)[0]
    best = before - min(cost for _, cost, _, _ in found)
    enough = [f for f in found if before - f[1] >= _SIMPLE * best]
    d, cost, x, each = min(enough, key=lambda f: (f[0].steps.shape[1], f[1]))
    agree = (each < _DISAGREES**2 * np.median(each)) | (each < _MENDED * info.cost)
    if min(agree[:k].mean(), agree[k:].mean()) < 0.5:
        return None  # then something else is wrong with most of them
    good = tuple(name for name, ok in zip(info.names, agree, strict=True) if ok)
    what = d.words(x)
    if sum(other.steps.shape[1] == 1 for other, *_ in enough) > 1:
        what += " (or the other one by as much the other way: these views hardly tell)"
    step = _fit(near, after, d.steps, scale / (scale + each))[2]
    rigs = tuple(rig_words(c, stepped(c.fit.state, s)) for s in (step, step + d.steps @ x))
    return Change(d.cause, what, info.names[k:], good, 1 - cost / before, (rigs[0], rigs[1]))


def _nearer(
    c: Calibration, offered: Sequence[View], info: Information, after: Mask, C: Float, scale: float
) -> Information:
    """The same around the two rigs, before and after, and not around one between them: a zoom of
    5 % is not linear.
    """
    _, x, cost = _robust(info, after, C, scale)
    step = _fit(info, after, C, scale / (scale + cost))[2]
    S, b, cost = info.S.copy(), info.b.copy(), info.cost.copy()
    for group, d in ((~after, step), (after, step + C @ x)):
        there = replace(c, fit=c.fit._replace(state=stepped(c.fit.state, d)))
        views = [view for view, ok in zip(offered, group, strict=True) if ok]
        try:
            S1, b1, cost1 = _reduced(c.shape, *posed_views(there, views))
        except CalibrationError:
            return info  # too far for a step: no camera has these numbers
        S[group], b[group] = S1, b1 + S1 @ d
        cost[group] = cost1 + b1 @ d + (S1 @ d) @ d / 2
    near = replace(info, S=S, b=b, cost=cost)
    return near if _finite(S, b, cost).all() else info


def _finite(S: Float, b: Float, cost: Float) -> Mask:
    """(V,) whether what a view says can be reckoned with."""
    return np.isfinite(S).all(axis=(1, 2)) & np.isfinite(b).all(axis=1) & np.isfinite(cost)


def _one_rig(info: Information) -> tuple[float, float]:
    """The usual cost of a view, and the robust cost of all, when nothing changed."""
    none = np.zeros((info.S.shape[1], 0))
    nobody = np.zeros(len(info.names), bool)
    scale = float(np.median(info.cost))
    return scale, _robust(info, nobody, none, scale)[0]


def _best_moment(info: Information, C: Float, scale: float, before: float) -> tuple[float, int]:
    """The share of the cost explained by a change at the best moment k, and k."""
    each = np.arange(len(info.names))
    moments = range(_FEWEST, len(each) - _FEWEST + 1)
    return max((1 - _robust(info, each >= k, C, scale)[0] / before, k) for k in moments)


def _robust(info: Information, after: Mask, C: Float, scale: float) -> tuple[float, Float, Float]:
    """The cost when the views ``after`` may differ by a step ``C x``, x (p,), and each view's cost.

    A Cauchy loss over whole views: one with a wrong partner decides nothing.
    """
    weight = scale / (scale + info.cost)
    for _ in range(3):
        x, cost, _ = _fit(info, after, C, weight)
        weight = scale / (scale + cost)
    return float(scale * np.log1p(cost / scale).sum()), x, cost


def _fit(info: Information, after: Mask, C: Float, weight: Float) -> tuple[Float, Float, Float]:
    """Return the best x (p,), the cost of every view (V,) then, and the best common step (G,)."""
    f = np.flatnonzero(info.free)
    S, b = np.tensordot(weight, info.S, 1), weight @ info.b
    S1 = np.tensordot(weight * after, info.S, 1) @ C
    b1 = C.T @ ((weight * after) @ info.b)
    N = np.block([[S[np.ix_(f, f)], S1[f]], [S1[f].T, C.T @ S1]])
    solution = _solved(N, np.concatenate([b[f], b1]))
    step = np.zeros(len(b))
    step[f] = solution[: len(f)]
    x = solution[len(f) :]
    d = step + after[:, None] * (C @ x)
    cost = info.cost - (info.b * d).sum(1) + np.einsum("vi,vij,vj->v", d, info.S, d) / 2
    return x, np.maximum(cost, 0), step


def _solved(N: Float, r: Float) -> Float:
    """Least squares with each unknown in its own unit; what nothing determines stays."""
    scale = 1 / np.sqrt(np.maximum(np.diag(N), 1e-30))
    values, vectors = np.linalg.eigh(N * np.outer(scale, scale))
    known = vectors[:, values > 1e-10 * values[-1]]
    inverse = 1 / values[values > 1e-10 * values[-1]]
    return np.asarray(scale * (known @ ((known.T @ (scale * r)) * inverse)))
