"""Which lens, and whether the board is bent: decided on views that were left out.

All candidates are adjusted to the same corners of the same views, so that their errors compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from calib.camera import Model
from calib.errors import CalibrationError
from calib.solving.adjust import adjust
from calib.solving.calibration import Calibration, HeldOut, observe, rms
from calib.solving.clean import corner_noise, without_bad_corners
from calib.solving.deformation import Deformation, board_modes
from calib.solving.held_out import held_out
from calib.solving.projection import Float
from calib.solving.state import BoardModel

Lenses = tuple[str, ...]
"""Per camera a key of MODELS."""

MODELS: dict[str, tuple[Model, int]] = {
    "pinhole5": ("pinhole", 5),
    "pinhole8": ("pinhole", 8),
    "pinhole12": ("pinhole", 12),
    "pinhole14": ("pinhole", 14),
    "fisheye": ("fisheye", 4),
}
"""Lens models by the name ``--model`` takes: (model, distortion coefficients)."""
_LARGER = ("pinhole8", "pinhole12", "pinhole14")
_BETTER = 0.97  # a candidate must lower the held-out error of corners to this share
_NO_WORSE = 1.03  # and may not raise that of rows or depth further


class Candidate(NamedTuple):
    """Lenses to try, and where to start."""

    lenses: Lenses
    intrinsics: tuple[Float, ...]


def lens_name(model: Model, count: int) -> str:
    """Name of a lens; a fisheye has one only."""
    return "fisheye" if model == "fisheye" else f"pinhole{count}"


def chosen(
    draft: Calibration, others: Sequence[Candidate], deformation: Deformation, *, larger: bool
) -> Calibration:
    """The best of the draft, the same with ``others``, with larger pinholes, with a bent board."""
    best = _with_held_out(draft)
    for other in others:
        best = _better(best, _with_lenses(best, other))
    if larger and "pinhole5" in best.model_name:
        for name in _LARGER:
            best = _better(best, _extended(best, name))
    bent = None if deformation == "flat" else _bent(best)
    if bent is not None:
        best = bent if deformation == "bent" else _better(best, bent)
    return _cleaned_again(best)


def _with_held_out(c: Calibration) -> Calibration:
    return replace(c, held_out={c.name: held_out(c)})


def _with_lenses(c: Calibration, candidate: Candidate) -> Calibration:
    """The same with other lenses, without held-out errors where it cannot be better."""
    models = tuple(MODELS[name][0] for name in candidate.lenses)
    state = replace(c.fit.state, models=models, intrinsics=candidate.intrinsics)
    fixed = np.zeros(state.globals, bool)
    posed = adjust(c.shape, state, c.seen, free=fixed, max_steps=10, tolerance=1e-4)
    fit = adjust(c.shape, posed.state, c.seen, max_steps=20, tolerance=1e-7)
    names = set(candidate.lenses)
    name = candidate.lenses[0] if len(names) == 1 else "/".join(candidate.lenses)
    found = replace(c, model_name=name, fit=fit, noise_px=corner_noise(fit, c.seen), held_out={})
    # more coefficients help views that were left out less than those they were fitted to
    hopeless = rms(fit.residuals) > _BETTER * rms(c.fit.residuals)
    return found if hopeless or not _usable(found) else _with_held_out(found)


def _extended(c: Calibration, name: str) -> Calibration:
    """The same with more coefficients of its pinholes, started from what is known."""
    count = MODELS[name][1]
    state = c.fit.state
    longer = tuple(
        np.pad(v, (0, 4 + count - len(v))) if model == "pinhole" else v
        for model, v in zip(state.models, state.intrinsics, strict=True)
    )
    lenses = tuple(name if model == "pinhole" else "fisheye" for model in state.models)
    return _with_lenses(c, Candidate(lenses, longer))


def _usable(c: Calibration) -> bool:
    """A lens that folds inside its own corners is no lens."""
    if not np.isfinite(c.fit.cost):
        return False
    try:
        cameras = c.cameras
    except CalibrationError:
        return False
    return all(
        np.isfinite(camera.unproject(c.seen.pixels[c.seen.camera == side])).all()
        for side, camera in enumerate(cameras)
    )


def _bent(c: Calibration) -> Calibration | None:
    """The same with the board's shape refined; None when too few corners would carry it."""
    modes = board_modes(c.board, c.seen)
    if modes is None:
        return None
    shape = BoardModel(c.board.points, modes)
    state = replace(c.fit.state, shape=np.zeros(len(modes)))
    fit = adjust(shape, state, c.seen, free=c.free(state), max_steps=40, tolerance=1e-7)
    found = replace(c, shape=shape, fit=fit, noise_px=corner_noise(fit, c.seen), held_out={})
    return _with_held_out(found) if _usable(found) else None


def _better(old: Calibration, new: Calibration) -> Calibration:
    """The new candidate if it predicts views it has not seen clearly better, else the old one."""
    mine, other = old.held_out[old.name], new.held_out.get(new.name)
    together = {**old.held_out, **new.held_out}
    same = old.fit.state.models == new.fit.state.models
    better = other is not None and _predicts_better(other, mine, same_rows=same)
    return replace(new if better else old, held_out=together)


def _predicts_better(new: HeldOut, old: HeldOut, *, same_rows: bool) -> bool:
    """Corners on views left out clearly better, and neither rows nor depth there worse. Rows of a
    fisheye are measured otherwise than a pinhole's, and do not compare.
    """
    others = [(new.depth_error, old.depth_error)]
    if same_rows:
        others.append((new.row_error_px, old.row_error_px))
    worse = any(a > _NO_WORSE * b for a, b in others)
    return not worse and new.reprojection_rms_px <= _BETTER * old.reprojection_rms_px


def _cleaned_again(c: Calibration) -> Calibration:
    """All corners of the views judged once more, now by the lens and the board that were chosen."""
    found = without_bad_corners(replace(c, seen=observe(c.views)))
    if not _usable(found):
        return c
    return replace(found, held_out={**c.held_out, found.name: held_out(found)})
