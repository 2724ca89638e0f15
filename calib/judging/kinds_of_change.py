"""What may change between two views, as directions in the parameters of a rig, and in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calib.solving.calibration import Calibration
from calib.solving.state import State

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Direction:
    """A kind of change: steps of the globals that it may consist of."""

    cause: str
    words: Callable[[Float], str]
    """From the step (p,) to what changed."""
    steps: Float
    """(G, p)."""


def directions(state: State, fixed_intrinsics: bool = False) -> list[Direction]:
    """Kinds of change, the simple ones first, anything at all last."""
    first, both = len(state.intrinsics[0]), sum(map(len, state.intrinsics))
    eye = np.eye(state.globals)
    zoom = np.column_stack(
        [
            values[0] * eye[:, i] + values[1] * eye[:, i + 1]
            for values, i in zip(state.intrinsics, (0, first), strict=True)
        ]
    )
    turn, motion = eye[:, both : both + 3], eye[:, both : both + 6]
    anything = np.column_stack([zoom, motion])
    zooms = [
        Direction("refocused", lambda x: _zoom_words("left", x[0]), zoom[:, :1]),
        Direction("refocused", lambda x: _zoom_words("right", x[0]), zoom[:, 1:]),
    ]
    both_zooms = Direction("refocused", lambda x: "both cameras were refocused or zoomed", zoom)
    moves = [
        Direction("rig_moved", _turn_words, turn),
        Direction("rig_moved", lambda x: "the cameras moved", motion),
    ]
    everything = Direction("rig_moved", lambda x: "cameras or lenses moved", anything)
    return [*zooms, moves[0], both_zooms, moves[1], everything]


def rig_words(c: Calibration, state: State) -> str:
    """A rig in a few figures, to be set beside another one."""
    left, right = (values[:2].mean() for values in state.intrinsics)
    x, y, z = np.degrees(Rotation.from_matrix(state.R).as_rotvec())
    apart = float(np.linalg.norm(state.t))
    gap = f"{1e3 * apart:.2f} mm" if c.board.unit_known else f"{apart:.4f} board units"
    turn = f"{x:.2f} {y:.2f} {z:.2f}"
    return f"focal {left:.1f} and {right:.1f} px, cameras {gap} apart, turned by {turn} degrees"


def _zoom_words(side: str, share: float) -> str:
    return f"the {side} camera was refocused or zoomed by {100 * share:+.1f} %"


def _turn_words(x: Float) -> str:
    x = np.degrees(x)
    axis = ("up or down", "sideways", "about its axis")[int(np.argmax(np.abs(x)))]
    return f"a camera was turned by {np.linalg.norm(x):.2f} degrees, mostly {axis}"
