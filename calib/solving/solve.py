"""Find the cameras, the rig and the board from what was seen: starts, consensus, adjustment.

One camera at a time first, from several focal lengths that must agree; then the motion between the
cameras that most views agree on; then everything together. Views and corners that contradict the
rest are rejected with a reason. Which lens model and whether the board is bent are decided by the
error on views that were left out, never by the error on the views that were fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from calib.board import Board
from calib.camera import Camera, Model
from calib.errors import CalibrationError
from calib.solving.adjust import Fit, adjust
from calib.solving.calibration import FEWEST_VIEWS, Calibration, View, observe, rms
from calib.solving.clean import cleaned, corner_noise
from calib.solving.deformation import Deformation, board_modes
from calib.solving.first_rig import agree_on_motion, solve_camera
from calib.solving.held_out import held_out
from calib.solving.state import BoardModel

Float = NDArray[np.float64]

MODELS: dict[str, tuple[Model, int]] = {
    "pinhole5": ("pinhole", 5),
    "pinhole8": ("pinhole", 8),
    "pinhole12": ("pinhole", 12),
    "pinhole14": ("pinhole", 14),
    "fisheye": ("fisheye", 4),
}
"""Lens models by the name ``--model`` takes: (model, distortion coefficients)."""
_BETTER = 0.97  # a larger model must lower the held-out error to this share
_FOLDS = 5


def calibrate_stereo(
    views: Sequence[View],
    board: Board,
    *,
    model: str = "auto",
    deformation: Deformation = "auto",
    intrinsics: tuple[Camera, Camera] | None = None,
) -> Calibration:
    """Solve a stereo rig from the views of a board.

    ``model`` is a key of MODELS or "auto"; ``intrinsics`` are kept as given when they are.
    Raises CalibrationError when nothing can be solved: fewer than three usable views, or no
    motion between the cameras that a majority of views agrees on.
    """
    _check_views(views)
    with one_thread():
        return _solve(views, board, model, deformation, intrinsics)


def one_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread: for matrices this small its threads wait for each other, and on a
    busy machine a solve of 0.5 s takes 5 s.
    """
    limits: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limits


def _solve(
    views: Sequence[View],
    board: Board,
    model: str,
    deformation: Deformation,
    intrinsics: tuple[Camera, Camera] | None,
) -> Calibration:
    names = [model] if model != "auto" else ["pinhole5", "fisheye"]
    if intrinsics is not None:
        names = [f"{intrinsics[0].model}{len(intrinsics[0].distortion)}"]
    first = [_first_solution(views, board, name, intrinsics) for name in names]
    best = first[0]
    for other in first[1:]:
        best = _better(best, other)
    if intrinsics is None and model == "auto" and best.model_name != "fisheye":
        for name in ("pinhole8", "pinhole12", "pinhole14"):
            best = _better(best, _extended(best, name))
    if deformation != "flat":
        deformed = _deformed(best)
        if deformed is not None:
            best = deformed if deformation == "bent" else _better(best, deformed)
    kept = dict(best.held_out)
    for other in first:
        kept.update(other.held_out)
    return replace(best, held_out=kept)


# -- one candidate -------------------------------------------------------------------------------


def _first_solution(
    views: Sequence[View], board: Board, name: str, intrinsics: tuple[Camera, Camera] | None
) -> Calibration:
    if intrinsics is not None:
        model, count = intrinsics[0].model, -1
    else:
        model, count = MODELS[name]
    shape = BoardModel(board.points)
    sizes = (views[0].left.size, views[0].right.size)
    solos, agree = [], []
    for side in (0, 1):
        detections = [(view.left, view.right)[side] for view in views]
        known = None if intrinsics is None else intrinsics[side]
        solo, share = solve_camera(detections, shape, model, count, known)
        solos.append(solo)
        agree.append(share)
    state, good, order = agree_on_motion(views, board, solos)
    ordered = [
        replace(view, right=view.right.permuted(board.symmetries[p]) if p else view.right)
        for view, p in zip(views, order, strict=True)
    ]
    frozen = intrinsics is not None
    draft = Calibration(
        board,
        name,
        tuple(ordered),
        (),
        sizes,
        shape,
        observe(ordered),
        observe([]),
        Fit(state, np.zeros((0, 2)), np.inf, np.zeros((0, 0)), np.zeros(0, bool)),
        {},
        float(np.mean(agree)),
        frozen,
    )
    return _with_held_out(cleaned(draft, good))


def _with_held_out(c: Calibration) -> Calibration:
    folds = min(_FOLDS, len(c.views))
    return replace(c, held_out={c.name: held_out(c, folds)})


# -- larger models -------------------------------------------------------------------------------


def _extended(c: Calibration, name: str) -> Calibration:
    """The same with more distortion coefficients, started from what is known.

    Without held-out errors where it cannot be better.
    """
    _, count = MODELS[name]
    state = c.fit.state
    longer = tuple(np.pad(v, (0, 4 + count - len(v))) for v in state.intrinsics)
    state = replace(state, intrinsics=longer)
    fit = adjust(c.shape, state, c.seen, max_steps=40, tolerance=1e-7)
    found = replace(c, model_name=name, fit=fit, noise_px=corner_noise(fit, c.seen), held_out={})
    # more coefficients help views that were left out less than those they were fitted to
    hopeless = rms(fit.residuals) > _BETTER * rms(c.fit.residuals)
    return found if hopeless or not _usable(found) else _with_held_out(found)


def _usable(c: Calibration) -> bool:
    """A lens that folds inside its own corners is no lens."""
    try:
        cameras = [c.fit.state.camera(side, c.sizes[side]) for side in (0, 1)]
    except CalibrationError:
        return False
    return all(
        np.isfinite(camera.unproject(c.seen.pixels[c.seen.camera == side])).all()
        for side, camera in enumerate(cameras)
    )


def _deformed(c: Calibration) -> Calibration | None:
    """The same with the board's shape refined; None when too few corners would carry it."""
    modes = board_modes(c.board, c.seen)
    if modes is None:
        return None
    shape = BoardModel(c.board.points, modes)
    state = replace(c.fit.state, shape=np.zeros(len(modes)))
    fit = adjust(shape, state, c.seen, free=c.free(state), max_steps=40)
    found = replace(c, shape=shape, fit=fit, noise_px=corner_noise(fit, c.seen), held_out={})
    return _with_held_out(found) if _usable(found) else None


def _better(old: Calibration, new: Calibration) -> Calibration:
    """The new candidate if it predicts views it has not seen clearly better, else the old one."""
    mine, other = old.held_out[old.name], new.held_out.get(new.name)
    together = {**old.held_out, **new.held_out}
    if other is None or other.reprojection_rms_px > _BETTER * mine.reprojection_rms_px:
        return replace(old, held_out=together)
    return replace(new, held_out=together)


def _check_views(views: Sequence[View]) -> None:
    if len(views) < FEWEST_VIEWS:
        raise CalibrationError(
            f"only {len(views)} pair(s) show the board in both images; at least {FEWEST_VIEWS} are "
            "needed and 15 to 30 are good"
        )
    for side in ("left", "right"):
        sizes = {getattr(view, side).size for view in views}
        if len(sizes) > 1:
            text = ", ".join(f"{w}x{h}" for w, h in sorted(sizes))
            raise CalibrationError(
                f"the {side} images have different sizes ({text}); calibrate one size at a time"
            )
