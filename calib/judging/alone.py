"""Each camera by itself: whether its own images agree, where no rig could be solved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.board import Board
from calib.camera import Model
from calib.detection.detection import Detection
from calib.errors import CalibrationError
from calib.solving.calibration import FEWEST_VIEWS, observe_one
from calib.solving.first_rig import solve_camera
from calib.solving.solve import one_thread
from calib.solving.state import BoardModel

Float = NDArray[np.float64]

_MOST_VIEWS = 15  # more do not change the answer, only the time it takes
_LENSES: tuple[tuple[str, Model, int], ...] = (
    ("pinhole5", "pinhole", 5),
    ("fisheye", "fisheye", 4),
)


@dataclass(frozen=True, eq=False, slots=True)
class Alone:
    """One camera solved without the other."""

    model: str
    focal_px: float
    view_rms_px: Mapping[str, float]
    """By name of the view: typical error of a corner, from the median."""
    pixels: Float
    """(M, 2) corners it was solved from."""
    view: NDArray[np.intp]
    """(M,) of each corner, in the order of ``view_rms_px``."""
    residuals: Float
    """(M, 2) px, seen minus predicted."""

    @property
    def rms_px(self) -> float:
        """Of a usual view."""
        return float(np.median(list(self.view_rms_px.values())))


def solved_alone(found: Mapping[str, Detection], board: Board) -> Alone | None:
    """Solve one camera from some of its detections by name; None: nothing explains them."""
    names = list(found)[:: -(-len(found) // _MOST_VIEWS) or 1]
    if len(names) < FEWEST_VIEWS or len({found[name].size for name in names}) > 1:
        return None
    detections, shape = [found[name] for name in names], BoardModel(board.points)
    best: tuple[float, Alone] | None = None
    for name, model, count in _LENSES:
        try:
            with one_thread():
                fit, _ = solve_camera(detections, shape, model, count)
        except CalibrationError:
            continue
        seen, e2 = observe_one(detections), (fit.residuals**2).sum(axis=1)
        errors = [float(np.sqrt(np.median(e2[seen.view == v]) / 0.69)) for v in range(len(names))]
        focal = float(fit.state.intrinsics[0][:2].mean())
        if best is None or fit.cost < best[0]:
            by_name = dict(zip(names, errors, strict=True))
            best = fit.cost, Alone(name, focal, by_name, seen.pixels, seen.view, fit.residuals)
    return None if best is None else best[1]
