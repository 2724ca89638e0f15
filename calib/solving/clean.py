"""Views and corners that contradict the rest are put out; honest ones are taken back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from calib.errors import CalibrationError
from calib.solving.adjust import Fit, adjust
from calib.solving.calibration import FEWEST_VIEWS, Calibration, Rejected, observe
from calib.solving.held_out import view_errors
from calib.solving.state import BoardModel, Observations

Float = NDArray[np.float64]

_CORNER_SIGMAS = 5.0  # of 1e5 good corners four are beyond it
_ROUGHLY = 1e-5  # of the cost: enough to tell bad from good
_CERTAIN_VIEWS = 5  # a rig from more is certain enough to contradict a view


def cleaned(draft: Calibration, good: NDArray[np.bool_]) -> Calibration:
    """Adjust everything on the good views, then take back or reject views, then single corners.

    ``good`` (V,) says which of the draft's views agree on a motion between the cameras. Raises
    CalibrationError when these are too few.
    """
    if good.sum() < FEWEST_VIEWS:
        raise CalibrationError(
            f"only {int(good.sum())} pairs agree on where the right camera is; the others are "
            "unsynchronised, wrongly paired or of another rig"
        )
    draft, good, error = _agreeing(draft, good)
    good = _taken_back(draft, good)
    rejected = [
        Rejected(view.name, "inconsistent", f"{off:.1f} px from the other views' rig")
        for view, off, kept in zip(draft.views, error, good, strict=True)
        if not kept
    ]
    used = np.flatnonzero(good)
    draft = replace(
        draft,
        views=tuple(draft.views[v] for v in used),
        rejected=(*draft.rejected, *rejected),
        seen=draft.seen.of_views(used),
        fit=draft.fit._replace(state=draft.fit.state.of_views(used)),
    )
    return without_bad_corners(draft)


def _agreeing(
    draft: Calibration, good: NDArray[np.bool_]
) -> tuple[Calibration, NDArray[np.bool_], Float]:
    """The draft adjusted to the views that agree with it, which these are, and all errors (V,)."""
    for _ in range(4):
        used = np.flatnonzero(good)
        state = draft.fit.state.of_views(used)
        part = draft.seen.of_views(used)
        fit = adjust(
            draft.shape, state, part, free=draft.free(state), robust_px=1.0, tolerance=_ROUGHLY
        )
        whole = replace(
            fit.state, view_R=draft.fit.state.view_R.copy(), view_t=draft.fit.state.view_t.copy()
        )
        whole.view_R[used], whole.view_t[used] = fit.state.view_R, fit.state.view_t
        draft = replace(draft, fit=fit._replace(state=whole))
        error = view_errors(draft.shape, whole, draft.seen)
        usual = float(np.median(error[used]))
        again = error < max(3.5 * usual, 0.3)
        if again.sum() < FEWEST_VIEWS or np.array_equal(again, good):
            break
        good = again
    return draft, good, error


def without_bad_corners(draft: Calibration) -> Calibration:
    """The draft adjusted to its views without single corners that contradict the others."""
    seen, state, out = draft.seen, draft.fit.state, observe([])
    # which corners are bad does not hang on the last bit of the board's shape, which costs most
    rigid = BoardModel(draft.shape.deformed(state.shape))
    for _ in range(4):
        state = replace(state, shape=np.zeros(0))
        fit = adjust(rigid, state, seen, free=draft.free(state), robust_px=1.0, tolerance=_ROUGHLY)
        keep = _enough_left(seen, _inliers(fit.residuals))
        if keep.all():
            break
        out = _joined(out, seen.chosen(~keep))
        seen, state = seen.chosen(keep), fit.state
    state = replace(fit.state, shape=draft.fit.state.shape)
    fit = adjust(draft.shape, state, seen, free=draft.free(state))
    keep = _enough_left(seen, _inliers(fit.residuals))
    if not keep.all():
        out, seen = _joined(out, seen.chosen(~keep)), seen.chosen(keep)
        fit = adjust(draft.shape, fit.state, seen, free=draft.free(state))
    noise_px = corner_noise(fit, seen)
    return replace(draft, seen=seen, corners_rejected=out, fit=fit, noise_px=noise_px)


def _taken_back(draft: Calibration, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``good``, and of few views also those that a rig fitted to all of them explains as well.

    A rig from three or four views fits these too well, and honest others then seem to contradict
    it. A view that does contradict the rest spoils the fit to all.
    """
    if good.sum() > _CERTAIN_VIEWS:
        return good
    good = good.copy()
    for v in np.flatnonzero(~good):
        rows = np.flatnonzero(good | (np.arange(len(good)) == v))
        seen, state = draft.seen.of_views(rows), draft.fit.state.of_views(rows)
        fit = adjust(draft.shape, state, seen, free=draft.free(state))
        error = view_errors(draft.shape, fit.state, seen) if np.isfinite(fit.cost) else np.inf
        if np.max(error) < max(2.5 * float(np.median(error)), 0.3) and np.median(error) < 1.0:
            good[v] = True
    return good


def _inliers(residuals: Float) -> NDArray[np.bool_]:
    error = np.linalg.norm(residuals, axis=1)
    sigma = float(np.median(error)) / 1.1774  # Rayleigh
    return np.asarray(error <= max(_CORNER_SIGMAS * sigma, 0.05))


def _enough_left(seen: Observations, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``keep``, but all corners of a view of which fewer than six would be left in one camera."""
    count = np.zeros((seen.views, 2))
    np.add.at(count, (seen.view[keep], seen.camera[keep]), 1)
    starved = np.asarray((count < 6).any(axis=1))
    return np.asarray(keep | starved[seen.view])


def _joined(a: Observations, b: Observations) -> Observations:
    return Observations(*(np.concatenate([getattr(a, n), getattr(b, n)]) for n in a.__slots__))


def corner_noise(fit: Fit, seen: Observations) -> float:
    """Standard deviation (px) of one coordinate of a corner, estimated from the residuals."""
    freedom = 2 * len(seen.view) - int(fit.free.sum()) - 6 * seen.views
    return float(np.sqrt((fit.residuals**2).sum() / max(freedom, 1)))
