"""How certain the parameters of a rig are.

Corners of one view are wrong together: by the light on it, by how the board bends that day, by the
moment between two shutters. Least squares takes them for independent and its error bars are too
short by two to eight times. So every view is left out in turn, and how the answer moves gives the
covariance (jackknife; for clustered errors known as CR3: Bell and McCaffrey 2002). It is right for
every direction by itself, but views are few and parameters many: it is shrunk a little towards
that of least squares, lengthened as a whole.

The covariance says what the images say. That the board was printed 0.2 % too large no image tells:
``uncertainty.with_scale`` adds it where metres are meant.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.solving.calibration import Calibration
from calib.solving.held_out import information, inverse_root
from calib.solving.state import parameter_names

Float = NDArray[np.float64]

SQUARE_ERROR = 0.002
"""One standard deviation of the size of a printed board's squares, unless they were measured."""
_LEVERAGE = 0.02
"""What one view alone knows is unknown without it; the step along it must stay finite."""
_PRIOR_VIEWS = 2  # as many views' worth of trust in the form of least squares' covariance


class Certainty(NamedTuple):
    """What the images say of the parameters."""

    names: tuple[str, ...]
    """Of the rows of the covariance."""
    covariance: Float
    """(G, G) of all global parameters, without the board's shape; zeros for fixed ones."""
    inflation: float
    """By how much the error bars of plain least squares had to be lengthened, on the whole."""


def certainty(c: Calibration) -> Certainty:
    """Covariance of the rig's parameters from how it moves when single views are left out."""
    names = parameter_names(c.fit.state)
    free = np.flatnonzero(c.fit.free)
    rig = free < len(names)  # the board's shape is no business of the rig's
    H, g = information(c)
    root = inverse_root(H.sum(axis=0))
    plain = (c.noise_px**2 * root @ root.T)[np.ix_(rig, rig)]
    moves = _jackknife(root, H, g)[:, rig]
    n = len(H)
    jackknife = (n - 1) / n * moves.T @ moves
    stretch = max(1.0, _mean_ratio(jackknife, plain))
    share = _PRIOR_VIEWS / (_PRIOR_VIEWS + n)
    found = (1 - share) * jackknife + share * stretch * plain
    full = np.zeros((len(names), len(names)))
    full[np.ix_(free[rig], free[rig])] = found
    if c.lens_covariance is not None:
        full += _carried(c)
    return Certainty(names, full, float(np.sqrt(stretch)))


def _jackknife(root: Float, H: Float, g: Float) -> Float:
    """(V, F) how the parameters move when a view is left out: its part of the normal equations is
    taken away, and one Gauss-Newton step made, in the unknowns in which all views say the same.
    """
    shares = root.T @ H @ root  # of what is known in every direction, the share of each view
    rest = (1 + _LEVERAGE) * np.eye(root.shape[1]) - shares
    moves = np.linalg.solve(rest, (g @ root)[:, :, None])[:, :, 0]
    return np.asarray(-moves @ root.T)


def _mean_ratio(a: Float, b: Float) -> float:
    """Mean over all directions of a variance under ``a`` to that under ``b``."""
    root = inverse_root(b)
    return float(np.trace(root.T @ a @ root) / max(root.shape[1], 1))


def _carried(c: Calibration) -> Float:
    """(G, G) what the uncertainty of lenses that were given does to the motion found with them.

    Where the lenses move by ``dl`` the motion (and the board's shape) follow by
    ``-H_mm^-1 H_ml dl`` of the normal equations H.
    """
    state = c.fit.state
    lens = sum(map(len, state.intrinsics))
    assert c.lens_covariance is not None
    H = information(c, free=np.ones(state.globals, bool))[0].sum(axis=0)
    root = inverse_root(H[lens:, lens:])
    follow = -(root @ root.T @ H[lens:, :lens])[:6]
    both = np.vstack([np.eye(lens), follow])
    return np.asarray(both @ c.lens_covariance @ both.T)


def baseline_sigma(covariance: Float, t: Float) -> float:
    """One standard deviation of the baseline's length, in the unit of ``t``."""
    along = t / np.linalg.norm(t)
    return float(np.sqrt(max(float(along @ covariance[-3:, -3:] @ along), 0)))
