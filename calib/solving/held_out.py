"""Errors of views: of those that were left out of a solution, and of any with the rig fixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calib.solving.adjust import Fit, adjust
from calib.solving.calibration import Calibration, HeldOut
from calib.solving.epipolar import row_errors
from calib.solving.projection import project
from calib.solving.state import BoardModel, Observations, State

Float = NDArray[np.float64]


def held_out(c: Calibration, folds: int) -> HeldOut:
    """Refit without each fold of views, then judge those views with the rig fixed.

    The pose of the board in a left-out view is found from its own corners; nothing else is.
    """
    n = len(c.views)
    judged: dict[int, tuple[Float, Float]] = {}
    states = []
    for fold in range(folds):
        out = np.arange(n) % folds == fold
        rest = np.flatnonzero(~out)
        state = c.fit.state.of_views(rest)
        seen = c.seen.of_views(rest)
        fit = adjust(c.shape, state, seen, free=c.free(state), max_steps=10, tolerance=1e-6)
        states.append(fit.state)
        judged |= {v: _judged(c, fit.state, v) for v in np.flatnonzero(out).tolist()}
    square = [judged[v][0] for v in range(n)]
    rows = [judged[v][1] for v in range(n)]
    return HeldOut(
        float(np.sqrt(np.concatenate(square).mean())),
        float(np.concatenate(rows).sum() / max(sum(map(len, rows)), 1)),
        np.array([row.mean() if len(row) else np.nan for row in rows]),
        np.array([np.sqrt(e2.mean()) for e2 in square]),
        tuple(states),
    )


def _judged(c: Calibration, state: State, v: int) -> tuple[Float, Float]:
    """Squared errors (M,) px^2 of a view's corners, infinite where it fits nowhere, and its row
    errors (K,) px, under a rig that has not seen it.
    """
    view = c.seen.of_views([v])
    pose = replace(state, view_R=c.fit.state.view_R[[v]], view_t=c.fit.state.view_t[[v]])
    fixed = np.zeros(pose.globals, bool)
    alone = adjust(c.shape, pose, view, free=fixed, max_steps=8, tolerance=1e-6)
    if np.isfinite(alone.cost):
        return (alone.residuals**2).sum(axis=1), row_errors(state, view)
    return np.full(len(view.view), np.inf), row_errors(state, view)


def view_errors(shape: BoardModel, state: State, seen: Observations) -> Float:
    """(V,) rms of every view with the rig as it is and the view's own best pose, pixels."""
    fit = adjust(
        shape, state, seen, free=np.zeros(state.globals, bool), robust_px=2.0, max_steps=20
    )
    if not np.isfinite(fit.cost):
        fit = Fit(
            state,
            seen.pixels - project(shape, state, seen, jacobian=False)[0],
            0,
            fit.normal,
            fit.free,
        )
    e2 = np.nan_to_num((fit.residuals**2).sum(axis=1), nan=1e8)
    return np.array([np.sqrt(np.median(e2[seen.view == v]) / 0.69) for v in range(seen.views)])
