"""Find the cameras, the rig and the board from what was seen: starts, consensus, adjustment.

One camera at a time first, from several focal lengths that must agree; then the motion between the
cameras that most views agree on; then everything together. Views and corners that contradict the
rest are rejected with a reason. Which lens model and whether the board is bent are decided on
views that were left out (``choose.py``), never by the error on the views that were fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from calib.board import Board
from calib.camera import Camera
from calib.errors import CalibrationError
from calib.solving.adjust import Fit
from calib.solving.calibration import FEWEST_VIEWS, Calibration, Rejected, View, observe
from calib.solving.choose import MODELS, Candidate, Lenses, chosen, lens_name
from calib.solving.clean import cleaned
from calib.solving.copies import COPY, TOO_ALIKE, first_alike
from calib.solving.deformation import Deformation
from calib.solving.first_rig import agree_on_motion, solve_camera
from calib.solving.state import BoardModel

Float = NDArray[np.float64]
Tell = Callable[[int, int], None]
"""Called with how many steps of solving are done, and how many there are."""

_BASES = ("pinhole5", "fisheye")
_AS_GOOD = 1.1  # in rms
_STEPS = 9  # of solving, besides those for each camera
_PLAUSIBLE = 2.0  # a lens that fits the corners of its camera so much worse is not tried further


def calibrate_stereo(
    views: Sequence[View],
    board: Board,
    *,
    model: str | Lenses = "auto",
    deformation: Deformation = "auto",
    intrinsics: tuple[Camera, Camera] | None = None,
    lens_covariance: Float | None = None,
    progress: Tell | None = None,
) -> Calibration:
    """Solve a stereo rig from the views of a board.

    ``model`` is a key of MODELS, one for each camera, or "auto"; ``intrinsics`` are kept as given
    when they are, and ``lens_covariance`` (L, L) of all their parameters is carried along. Raises
    CalibrationError when nothing can be solved: fewer than three usable views, or no motion
    between the cameras that a majority of views agrees on.
    """
    _check_views(views, ("left", "right"))
    with one_thread():
        c = _solve(views, board, model, deformation, intrinsics, progress)
    return replace(c, lens_covariance=lens_covariance)


def calibrate_camera(
    views: Sequence[View],
    board: Board,
    *,
    model: str = "auto",
    deformation: Deformation = "auto",
    progress: Tell | None = None,
) -> Calibration:
    """Solve one camera from the left images of views (``calibration.alone`` makes them).

    As ``calibrate_stereo``, in the same form: ``cameras`` holds one, and there are no row errors.
    """
    _check_views(views, ("left",))
    with one_thread():
        return _solve(views, board, model, deformation, None, progress, cameras=1)


def one_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread: for matrices this small its threads wait for each other, and on a
    busy machine a solve of 0.5 s takes 5 s.
    """
    limits: AbstractContextManager[object] = threadpool_limits(1, "blas")
    return limits


def _solve(
    views: Sequence[View],
    board: Board,
    model: str | Lenses,
    deformation: Deformation,
    intrinsics: tuple[Camera, Camera] | None,
    progress: Tell | None,
    cameras: int = 2,
) -> Calibration:
    tell = _counted(progress, cameras + _STEPS)
    tell()
    views, copies = _without_copies(views)
    alone = []
    for side in range(cameras):
        alone.append(_alone(views, board, side, model, intrinsics))
        tell()
    bases = _bases(alone)
    draft, good = _draft(views, board, [alone[s][name] for s, name in enumerate(bases[0])])
    tell()
    draft = replace(draft, fixed_intrinsics=intrinsics is not None, rejected=copies)
    draft = cleaned(draft, good)
    tell()
    others = [
        Candidate(lenses, tuple(alone[s][n].fit.state.intrinsics[0] for s, n in enumerate(lenses)))
        for lenses in bases[1:]
    ]
    larger = model == "auto" and intrinsics is None
    found = chosen(draft, others, deformation, larger=larger, tell=tell)
    if progress:
        progress(cameras + _STEPS, cameras + _STEPS)
    return found


def _counted(progress: Tell | None, steps: int) -> Callable[[], None]:
    """What to call after each of some steps, the last of which is told when all is done."""
    done = count()

    def tell() -> None:
        if progress:
            progress(min(next(done), steps - 1), steps)

    return tell


def _without_copies(views: Sequence[View]) -> tuple[list[View], tuple[Rejected, ...]]:
    first = first_alike(views)
    copies = [
        Rejected(view.name, "duplicate", COPY.format(views[n].name))
        for i, (view, n) in enumerate(zip(views, first, strict=True))
        if n != i
    ]
    kept = [view for i, view in enumerate(views) if first[i] == i]
    if len(kept) < FEWEST_VIEWS:
        raise CalibrationError(TOO_ALIKE.format(len(views), len(kept), FEWEST_VIEWS))
    return kept, tuple(copies)


# -- one camera at a time ------------------------------------------------------------------------


class _Solo(NamedTuple):
    name: str
    """Of the lens."""
    fit: Fit
    agree: float
    """Share of the starts that ended here."""


def _alone(
    views: Sequence[View],
    board: Board,
    side: int,
    model: str | Lenses,
    intrinsics: tuple[Camera, Camera] | None,
) -> dict[str, _Solo]:
    """One camera solved with every lens that may be its own, by name, the best first."""
    detections = [(view.left, view.right)[side] for view in views]
    shape = BoardModel(board.points)
    if intrinsics is not None:
        known = intrinsics[side]
        fit, agree = solve_camera(detections, shape, known.model, -1, known)
        name = lens_name(known.model, len(known.distortion))
        return {name: _Solo(name, fit, agree)}
    asked = model if isinstance(model, str) else model[side]
    solos = []
    for name in _BASES if asked == "auto" else (asked,):
        try:
            solos.append(_Solo(name, *solve_camera(detections, shape, *MODELS[name])))
        except CalibrationError as error:
            failure = error
    if not solos:
        raise failure
    solos.sort(key=lambda solo: solo.fit.cost)
    worst = solos[0].fit.cost * _PLAUSIBLE**2
    return {solo.name: solo for solo in solos if solo.fit.cost <= worst}


def _bases(alone: Sequence[dict[str, _Solo]]) -> list[tuple[str, ...]]:
    """The lenses to begin with, the best first: the same for both cameras where possible. Of two
    that are as good it is the first of ``_BASES``.
    """
    common = [name for name in _BASES if name in alone[0]] or list(alone[0])
    common = [name for name in common if all(name in each for each in alone)]
    if not common:
        return [tuple(next(iter(each)) for each in alone)]
    cost = {name: sum(each[name].fit.cost for each in alone) for name in common}
    about = _AS_GOOD**2 * min(cost.values())
    common.sort(key=lambda name: (cost[name] > about, cost[name] if cost[name] > about else 0))
    return [(name,) * len(alone) for name in common]


# -- all cameras together ------------------------------------------------------------------------


def _draft(
    views: Sequence[View], board: Board, solos: Sequence[_Solo]
) -> tuple[Calibration, NDArray[np.bool_]]:
    """All views with a first rig, and which of them agree on it."""
    if len(solos) == 2:
        state, good, order = agree_on_motion(views, board, [solo.fit for solo in solos])
        views = [
            replace(view, right=view.right.permuted(board.symmetries[p]) if p else view.right)
            for view, p in zip(views, order, strict=True)
        ]
    else:
        state, good = solos[0].fit.state, _agreeing(views, solos[0].fit)
    names = [solo.name for solo in solos]
    sizes = tuple((views[0].left.size, views[0].right.size)[: len(solos)])
    draft = Calibration(
        board,
        names[0] if len(set(names)) == 1 else "/".join(names),
        tuple(views),
        (),
        sizes,
        BoardModel(board.points),
        observe(views),
        observe([]),
        Fit(state, np.zeros((0, 2)), np.inf, np.zeros(0, bool)),
        {},
        float(np.mean([solo.agree for solo in solos])),
    )
    return draft, good


def _agreeing(views: Sequence[View], fit: Fit) -> NDArray[np.bool_]:
    """(V,) which views one lens explains."""
    view = np.repeat(np.arange(len(views)), [len(one.left.ids) for one in views])
    e = np.linalg.norm(fit.residuals, axis=1)
    error = np.array([np.median(e[view == v]) for v in range(len(views))])
    return np.asarray(error < max(2.0, 4 * float(np.median(error))))


def _check_views(views: Sequence[View], sides: Sequence[str]) -> None:
    if len(views) < FEWEST_VIEWS:
        what = "pair(s) show the board in both images" if len(sides) == 2 else "image(s) show it"
        raise CalibrationError(
            f"only {len(views)} {what}; at least {FEWEST_VIEWS} are needed and 15 to 30 are good"
        )
    for side in sides:
        sizes = {getattr(view, side).size for view in views}
        if len(sizes) > 1:
            text = ", ".join(f"{w}x{h}" for w, h in sorted(sizes))
            raise CalibrationError(
                f"the {side} images have different sizes ({text}); calibrate one size at a time"
            )
