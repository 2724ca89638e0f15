"""The result of solving, and what it was solved from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calib.board import Board
from calib.camera import Camera
from calib.detection.detection import Detection
from calib.rig import StereoRig
from calib.solving.adjust import Fit
from calib.solving.state import BoardModel, Observations, State

Float = NDArray[np.float64]

FEWEST_VIEWS = 3


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """One position of the board, seen by both cameras."""

    name: str
    left: Detection
    right: Detection


def alone(name: str, seen: Detection) -> View:
    """A view of one camera without a partner: for ``calibrate_camera``."""
    nothing = Detection(np.zeros((0, 2)), np.zeros(0, np.intp), seen.size)
    return View(name, seen, nothing)


class Rejected(NamedTuple):
    """A view that was not used, and why."""

    name: str
    cause: str
    """One of the names in ``calib.judging``."""
    reason: str


class HeldOut(NamedTuple):
    """Errors on views that the solution had not seen."""

    reprojection_rms_px: float
    row_error_px: float
    """Mean |y_left - y_right| after rectification; NaN of one camera alone."""
    depth_error: float
    """How far off triangulated boards are, a share of their distance; NaN of one camera alone."""
    view_row_error_px: Float
    """(V,) mean of each view."""
    view_rms_px: Float
    """(V,)."""
    states: tuple[State, ...]
    """Per view the rig solved without it; the poses in it mean nothing."""


@dataclass(frozen=True, eq=False, slots=True)
class Calibration:
    """A solved rig with all its evidence."""

    board: Board
    model_name: str
    views: tuple[View, ...]
    """Those that were used; view i of ``seen`` and ``fit.state`` is views[i]."""
    rejected: tuple[Rejected, ...]
    sizes: tuple[tuple[int, int], ...]
    """(width, height) of the left and the right images; of one camera alone only its own."""
    shape: BoardModel
    """The board and its modes of deformation (none: taken as flat)."""
    seen: Observations
    """Corners that were used."""
    corners_rejected: Observations
    """Corners of used views that were not."""
    fit: Fit
    held_out: dict[str, HeldOut]
    """By name of the candidate (model, and "+bent"): why this one was chosen."""
    starts_agree: float
    """Share of all starts that ended in this minimum, 0 to 1."""
    fixed_intrinsics: bool = False
    lens_covariance: Float | None = None
    """(L, L) of the intrinsics of both cameras, as far as it was given with them."""
    noise_px: float = 0.0
    """Standard deviation of one coordinate of a corner, estimated from the residuals."""

    def __repr__(self) -> str:
        return (
            f"Calibration({self.model_name}, {len(self.views)} views, "
            f"{len(self.seen.view)} corners, rms {self.rms_px():.3f} px)"
        )

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """The left and the right camera, or the one there is."""
        return tuple(self.fit.state.camera(side, size) for side, size in enumerate(self.sizes))

    @property
    def rig(self) -> StereoRig:
        """The cameras, without notes."""
        s = self.fit.state
        left, right = self.cameras
        return StereoRig(left, right, s.R, s.t, reprojection_rms_px=self.rms_px())

    @property
    def name(self) -> str:
        """Key of the chosen candidate in ``held_out``."""
        return self.model_name + ("+bent" if len(self.shape.modes) else "")

    def free(self, state: State) -> NDArray[np.bool_]:
        """(G,) which globals of a state move: all, or all but the intrinsics."""
        free = np.ones(state.globals, bool)
        if self.fixed_intrinsics:
            free[: sum(map(len, state.intrinsics))] = False
        return free

    def rms_px(self, side: int | None = None, view: int | None = None) -> float:
        """``sqrt(mean |e|^2)`` of one camera (0, 1), one view, or all."""
        rows = np.ones(len(self.seen.view), bool)
        if side is not None:
            rows &= self.seen.camera == side
        if view is not None:
            rows &= self.seen.view == view
        return rms(self.fit.residuals[rows])


def in_other_unit(c: Calibration, board: Board) -> Calibration:
    """The same solution with another size of the board's squares: all lengths in proportion."""
    scale = board.square_m / c.board.square_m
    shape = BoardModel(board.points, c.shape.modes * scale)

    def scaled(s: State) -> State:
        return replace(s, t=s.t * scale, view_t=s.view_t * scale)

    held = {
        name: h._replace(states=tuple(scaled(s) for s in h.states))
        for name, h in c.held_out.items()
    }
    fit = c.fit._replace(state=scaled(c.fit.state))
    return replace(c, board=board, shape=shape, fit=fit, held_out=held)


def observe(views: Sequence[View]) -> Observations:
    """All corners of all views in one table."""
    parts = [
        (v, s, d) for v, view in enumerate(views) for s, d in ((0, view.left), (1, view.right))
    ]
    if not parts:
        none = np.zeros(0, np.intp)
        return Observations(none, none, none, np.zeros((0, 2)))
    counts = [len(d.ids) for _, _, d in parts]
    return Observations(
        np.repeat([s for _, s, _ in parts], counts),
        np.repeat([v for v, _, _ in parts], counts),
        np.concatenate([d.ids for _, _, d in parts]),
        np.concatenate([d.points for _, _, d in parts]),
    )


def observe_one(detections: Sequence[Detection]) -> Observations:
    """Corners of one camera alone, as camera 0."""
    counts = [len(one.ids) for one in detections]
    return Observations(
        np.zeros(sum(counts), np.intp),
        np.repeat(np.arange(len(counts)), counts),
        np.concatenate([one.ids for one in detections]),
        np.concatenate([one.points for one in detections]),
    )


def rms(residuals: Float) -> float:
    """``sqrt(mean |e|^2)`` of residuals (M, 2); 0 of none."""
    return float(np.sqrt((residuals**2).sum(axis=1).mean())) if len(residuals) else 0.0
