"""Which lens, and whether the board is bent: decided on views that were left out.

All candidates are adjusted to the same corners of the same views, so that their errors compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from calib.camera import Model
from calib.errors import CalibrationError
from calib.solving.adjust import adjust
from calib.solving.calibration import Calibration, HeldOut, observe, rms
from calib.solving.clean import corner_noise, without_bad_corners
from calib.solving.deformation import Deformation, board_modes
from calib.solving.held_out import gain, held_out
from calib.solving.normal import normal, tables, without_poses
from calib.solving.projection import Float
from calib.solving.state import BoardModel, State
from calib.solving.trusted_lens import more_certain

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
_LARGER = {"pinhole8": 8, "pinhole12": 10, "pinhole14": 10}
"""Lenses with more coefficients, and how many views it takes to hold them."""
_BETTER = 0.97  # a candidate must lower the held-out error of corners to this share
_NO_WORSE = 1.03  # and may not raise that of rows or depth further
# Of what solving gains one step foretells at least:
_FORETOLD_BOARD = 0.9  # nearly linear
_FORETOLD_LENS = 0.5


class Candidate(NamedTuple):
    """Lenses to try, and where to start."""

    lenses: Lenses
    intrinsics: tuple[Float, ...]


def lens_name(model: Model, count: int) -> str:
    """Name of a lens; a fisheye has one only."""
    return "fisheye" if model == "fisheye" else f"pinhole{count}"


def chosen(
    draft: Calibration,
    others: Sequence[Candidate],
    deformation: Deformation,
    *,
    larger: bool,
    tell: Callable[[], object] = lambda: None,
) -> Calibration:
    """The best of the draft, the same with ``others``, with larger pinholes, each on a flat board
    and a bent one: what a lens does not explain the board may, and the other way round.
    """
    best = _on_bent_board(_with_held_out(draft), draft, deformation)
    tell()
    for other in others:
        flat = _with_lenses(draft, other)
        best = _on_bent_board(_challenged(best, flat), flat, deformation)
        tell()
    if larger and "pinhole5" in best.model_name:
        base = best
        for name, fewest in _LARGER.items():
            if len(base.views) >= fewest:
                best = _extended(base, best, name, deformation)
            tell()
    best = _cleaned_again(best)
    tell()
    return best


def _with_held_out(c: Calibration) -> Calibration:
    return replace(c, held_out={c.name: held_out(c)})


def _challenged(best: Calibration, new: Calibration) -> Calibration:
    """The better of the two. More coefficients help views that were left out less than those they
    were fitted to: what does not help these is not tried on those.
    """
    hopeless = rms(new.fit.residuals) > _BETTER * rms(best.fit.residuals)
    return best if hopeless or not _usable(new) else _better(best, _with_held_out(new))


def _on_bent_board(best: Calibration, flat: Calibration, deformation: Deformation) -> Calibration:
    """The best with the ``flat`` one on a bent board for a rival, or in its place if it must be."""
    if deformation == "flat":
        return best
    bent = _bent(flat, None if deformation == "bent" else best)
    if bent is None:
        return best
    if deformation == "bent" and not len(best.shape.modes):
        bent = _with_held_out(bent)
        return replace(bent, held_out={**best.held_out, **bent.held_out})
    return _challenged(best, bent)


def _with_lenses(c: Calibration, candidate: Candidate) -> Calibration:
    """The same with other lenses, without held-out errors."""
    models = tuple(MODELS[name][0] for name in candidate.lenses)
    state = replace(c.fit.state, models=models, intrinsics=candidate.intrinsics)
    fixed = np.zeros(state.globals, bool)
    posed = adjust(c.shape, state, c.seen, free=fixed, max_steps=10, tolerance=1e-4)
    return _solved(c, candidate.lenses, posed.state)


def _extended(
    c: Calibration, best: Calibration, name: str, deformation: Deformation
) -> Calibration:
    """The best, with more coefficients of the pinholes of ``c`` for a rival: on the board that
    ``c`` found, and on the other, flat or bent, where that may be.
    """
    count = MODELS[name][1]
    state = c.fit.state
    longer = tuple(
        np.pad(v, (0, 4 + count - len(v))) if model == "pinhole" else v
        for model, v in zip(state.models, state.intrinsics, strict=True)
    )
    lenses = tuple(name if model == "pinhole" else "fisheye" for model in state.models)
    start = replace(state, intrinsics=longer)
    if not _promising(c, c.shape, start, c, _FORETOLD_LENS):
        return best
    found = _solved(c, lenses, start)
    holds = _usable(found) and more_certain(found, c)
    if not len(c.shape.modes):
        best = _challenged(best, found) if holds else best
        # also where the smaller lens could not be solved on a bent board without folding
        bent = None if deformation == "flat" else _bent(found, best)
        return best if bent is None or not more_certain(bent, c) else _challenged(best, bent)
    if not holds:
        return best
    if deformation == "auto":
        flat = replace(found, shape=BoardModel(c.board.points))
        flat = _solved(flat, lenses, replace(found.fit.state, shape=np.zeros(0)))
        best = _challenged(best, flat)
    return _challenged(best, found)


def _joined(lenses: Lenses) -> str:
    return lenses[0] if len(set(lenses)) == 1 else "/".join(lenses)


def _solved(c: Calibration, lenses: Lenses, start: State) -> Calibration:
    """The same views with these lenses, without held-out errors."""
    fit = adjust(c.shape, start, c.seen, free=c.free(start), max_steps=20, tolerance=1e-7)
    noise_px = corner_noise(fit, c.seen)
    return replace(c, model_name=_joined(lenses), fit=fit, noise_px=noise_px, held_out={})


def _promising(
    c: Calibration, shape: BoardModel, start: State, rival: Calibration, share: float
) -> bool:
    """Whether the unknowns that ``start`` adds to a solution may lower its error far enough below
    the rival's: one Gauss-Newton step foretells by how much, a ``share`` of it at least, at a
    tenth of the cost of solving.
    """
    parts = tables(c.seen, len(start.intrinsics))
    blocks = normal(shape, start, parts, free=c.free(start))
    lowest = c.fit.cost - gain(*without_poses(blocks)) / share
    return lowest < _BETTER**2 * rival.fit.cost


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


def _bent(c: Calibration, rival: Calibration | None) -> Calibration | None:
    """The same with the board's shape refined; None when too few corners would carry it, or it
    would not be better than the ``rival``, if there is one.
    """
    modes = board_modes(c.board, c.seen)
    if modes is None:
        return None
    shape = BoardModel(c.board.points, modes)
    start = replace(c.fit.state, shape=np.zeros(len(modes)))
    if rival is not None and not _promising(c, shape, start, rival, _FORETOLD_BOARD):
        return None
    fit = adjust(shape, start, c.seen, free=c.free(start), max_steps=40, tolerance=1e-7)
    found = replace(c, shape=shape, fit=fit, noise_px=corner_noise(fit, c.seen), held_out={})
    return found if _usable(found) else None


def _better(old: Calibration, new: Calibration) -> Calibration:
    """The new candidate if it predicts views it has not seen clearly better, else the old one."""
    mine, other = old.held_out[old.name], new.held_out[new.name]
    together = {**old.held_out, **new.held_out}
    same = old.fit.state.models == new.fit.state.models
    better = _predicts_better(other, mine, same_rows=same)
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
    if not _usable(found) or len(found.seen.view) == len(c.seen.view) == len(observe(c.views).view):
        return c
    return replace(found, held_out={**c.held_out, found.name: held_out(found)})
