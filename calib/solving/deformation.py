"""The ways in which a board may be bent."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calib.board import Board
from calib.solving.state import Observations

Float = NDArray[np.float64]

Deformation = Literal["auto", "flat", "bent"]
"""Whether a board may be deformed; auto: where views left out say so."""

_FEWEST_VIEWS = 6  # fewer views cannot tell a bent board from a bent lens


def board_modes(board: Board, seen: Observations) -> Float | None:
    """(S, N, 3) deformations in units of one square: smooth polynomials of x and y per axis, up to
    degree five, without those that are a motion or a change of size of the whole board.
    """
    xy = board.points[:, :2]
    u = 2 * (xy - xy.min(axis=0)) / np.ptp(xy, axis=0) - 1
    degree = 5 if len(np.unique(seen.point)) > 40 and seen.views >= 8 else 2
    if min(board.columns, board.rows) < 4 or seen.views < _FEWEST_VIEWS:
        return None
    basis = [
        np.polynomial.legendre.legval(u[:, 0], np.eye(degree + 1)[i])
        * np.polynomial.legendre.legval(u[:, 1], np.eye(degree + 1)[j])
        for i in range(degree + 1)
        for j in range(degree + 1 - i)
    ]
    raw = np.zeros((3 * len(basis), len(xy), 3))
    for axis in range(3):
        for number, values in enumerate(basis):
            raw[axis * len(basis) + number, :, axis] = values
    P = board.points - board.points.mean(axis=0)
    motions = [np.tile(e, (len(P), 1)) for e in np.eye(3)]
    motions += [np.cross(e, P) for e in np.eye(3)] + [P]
    Q = np.linalg.qr(np.array([m.ravel() for m in motions]).T)[0]
    flat = raw.reshape(len(raw), -1)
    flat = flat - (flat @ Q) @ Q.T
    _, strength, Vt = np.linalg.svd(flat, full_matrices=False)
    kept = Vt[strength > 1e-9 * strength[0]]
    return np.asarray(kept.reshape(len(kept), -1, 3) * board.square_m * np.sqrt(len(xy)))
