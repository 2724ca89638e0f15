"""What is solved for, what it is solved from, and how a solution is moved a little.

Rotations are stepped by left multiplication, ``R <- exp(w) R``; that is also the parameter the
covariance speaks of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from calib.camera import Camera, Model

Float = NDArray[np.float64]
Index = NDArray[np.intp]

_COEFFICIENTS = {
    "pinhole": "k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tau_x tau_y",
    "fisheye": "k1 k2 k3 k4",
}


@dataclass(frozen=True, eq=False, slots=True)
class Observations:
    """Corners seen, sorted by view; no camera sees a point twice in a view."""

    camera: Index
    """(M,) 0 left, 1 right."""
    view: Index
    """(M,) 0 to V - 1, never decreasing."""
    point: Index
    """(M,) the board's point."""
    pixels: Float
    """(M, 2)."""

    def chosen(self, keep: NDArray[np.bool_]) -> Observations:
        """Only those observations."""
        return Observations(*(getattr(self, n)[keep] for n in self.__slots__))

    def of_views(self, views: Sequence[int] | Index) -> Observations:
        """Only those views, renumbered in the order given."""
        parts = [np.flatnonzero(self.view == view) for view in views]
        rows = np.concatenate(parts) if parts else np.zeros(0, np.intp)
        number = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return replace(self.chosen_rows(rows), view=number)

    def chosen_rows(self, rows: Index) -> Observations:
        """Those rows in that order."""
        return Observations(*(getattr(self, n)[rows] for n in self.__slots__))

    @property
    def views(self) -> int:
        """Number of views."""
        return int(self.view[-1]) + 1 if len(self.view) else 0


@dataclass(frozen=True, eq=False, slots=True)
class State:
    """Everything that is solved for."""

    models: tuple[Model, ...]
    """Per camera its lens model; the two of a rig may differ."""
    intrinsics: tuple[Float, ...]
    """Per camera (4 + n,): fx, fy, cx, cy, then the distortion in OpenCV's order."""
    R: Float
    """(3, 3) ``x_right = R x_left + t``."""
    t: Float
    """(3,) in the board's unit."""
    view_R: Float  # noqa: N815
    """(V, 3, 3) board to left camera."""
    view_t: Float
    """(V, 3)."""
    shape: Float
    """(S,) weights of the board's modes of deformation."""

    def camera(self, side: int, size: tuple[int, int]) -> Camera:
        """One of the cameras as others use it."""
        fx, fy, cx, cy = self.intrinsics[side][:4]
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
        return Camera(self.models[side], size, K, self.intrinsics[side][4:])

    def of_views(self, views: Sequence[int] | Index) -> State:
        """The same with only those board poses."""
        rows = np.asarray(views, dtype=np.intp)
        return replace(self, view_R=self.view_R[rows], view_t=self.view_t[rows])

    @property
    def globals(self) -> int:
        """How many unknowns there are besides the board's poses."""
        return sum(map(len, self.intrinsics)) + 6 * (len(self.intrinsics) - 1) + len(self.shape)


@dataclass(frozen=True, eq=False, slots=True)
class BoardModel:
    """A board that may be deformed: ``points + modes . weights``."""

    points: Float
    """(N, 3) as printed."""
    modes: Float = field(default_factory=lambda: np.zeros((0, 0, 3)))
    """(S, N, 3) ways to deform it, in the board's unit per unit weight."""

    def deformed(self, weights: Float) -> Float:
        """(N, 3) points with the given weights (S,) of the modes."""
        if not len(weights):
            return self.points
        return np.asarray(self.points + np.einsum("s,snc->nc", weights, self.modes))


# -- steps ---------------------------------------------------------------------------------------


def moved(state: State, free: NDArray[np.bool_], step: Float, poses: Float) -> State:
    """``state`` moved by a step (F,) of its free globals and one (V, 6) of the board's poses."""
    full = np.zeros(state.globals)
    full[free] = step
    intrinsics, start = [], 0
    for values in state.intrinsics:
        intrinsics.append(values + full[start : start + len(values)])
        start += len(values)
    R, t = state.R, state.t
    if len(state.intrinsics) == 2:
        R, t = exp(full[None, start : start + 3])[0] @ R, t + full[start + 3 : start + 6]
        start += 6
    return replace(
        state,
        intrinsics=tuple(intrinsics),
        R=R,
        t=t,
        view_R=exp(poses[:, :3]) @ state.view_R,
        view_t=state.view_t + poses[:, 3:],
        shape=state.shape + full[start:],
    )


def stepped(state: State, step: Float) -> State:
    """``state`` moved by a step (G,) of all its globals: how a covariance is sampled."""
    return moved(state, np.ones(state.globals, bool), step, np.zeros((len(state.view_t), 6)))


def difference(a: State, b: State) -> Float:
    """(G,) step from ``a`` to ``b``, without the board's shape."""
    turn = b.R @ a.R.T
    w = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    return np.concatenate(
        [*(y - x for x, y in zip(a.intrinsics, b.intrinsics, strict=True)), w, b.t - a.t]
    )


def parameter_names(state: State) -> tuple[str, ...]:
    """Names of the global parameters in the order of a step, without the board's shape."""
    names = []
    sides = zip(("left", "right"), state.models, state.intrinsics, strict=False)
    for side, model, values in sides:
        each = ["fx", "fy", "cx", "cy", *_COEFFICIENTS[model].split()[: len(values) - 4]]
        names += [f"{side}.{name}" for name in each]
    if len(state.models) == 2:
        names += [f"{part}.{axis}" for part in ("rotation", "t") for axis in "xyz"]
    return tuple(names)


def exp(w: Float) -> Float:
    """(M, 3, 3) rotations by rotation vectors (M, 3)."""
    angle = np.linalg.norm(w, axis=1)[:, None, None]
    K = cross(w)
    small = angle < 1e-8
    safe = np.where(small, 1.0, angle)
    a = np.where(small, 1.0, np.sin(safe) / safe)
    b = np.where(small, 0.5, (1 - np.cos(safe)) / safe**2)
    R = np.eye(3) + a * K + b * (K @ K)
    U, _, Vt = np.linalg.svd(R)  # steps multiply up: stay a rotation to the last bit
    return np.asarray(U @ Vt)


def cross(v: Float) -> Float:
    """(M, 3, 3) matrices of the cross product with (M, 3) vectors."""
    out = np.zeros((len(v), 3, 3))
    out[:, 0, 1], out[:, 0, 2], out[:, 1, 2] = -v[:, 2], v[:, 1], -v[:, 0]
    out[:, 1, 0], out[:, 2, 0], out[:, 2, 1] = v[:, 2], -v[:, 1], v[:, 0]
    return out
