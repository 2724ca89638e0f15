"""Name what is wrong with a solved rig as a whole, and the images to blame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from calib.judging.quality import plane_spread_deg
from calib.judging.rejected import ZOOM, focal_change
from calib.solving.adjust import adjust
from calib.solving.calibration import Calibration, View
from calib.solving.epipolar import quarter_turns
from calib.solving.solve import one_thread

PARALLEL_DEG = 8.0
TOO_PARALLEL = (
    "the views are too parallel: the board's planes differ {}, so focal length and distance cannot "
    "be told apart; tilt the board by 30 to 45 degrees in several directions"
)
_SQUARE_TOLERANCE = 0.03
_BLURRED_PX = 6.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, by name."""

    cause: str
    """Short name, such as "swapped" or "parallel_views"."""
    message: str
    """What is wrong and what to do."""
    images: tuple[str, ...] = ()
    """Views to blame."""
    stops: bool = False
    """True: the result must not be used."""


def diagnose(
    c: Calibration, views: Sequence[View], *, baseline_m: float | None = None
) -> list[Finding]:
    """Everything that is wrong with a solved rig; ``views`` are all that were offered."""
    with one_thread():
        checks: list[Finding | None] = [
            _sides(c),
            _upside_down(c),
            _parallel(c),
            _flipped(c, views),
            _few(c),
            _change(c, views),
            _blurred(c.views),
            _mirrored_or_wrong_board(c),
        ]
    if baseline_m is not None:
        checks.append(_scale(c, baseline_m))
    return [finding for finding in checks if finding is not None]


def _sides(c: Calibration) -> Finding | None:
    s = c.fit.state
    centre = -s.R.T @ s.t
    turns = quarter_turns(s.R, s.t)
    if turns:
        return Finding(
            "vertical",
            f"the right camera stands {'below' if turns > 0 else 'above'} the left one: images are "
            "turned for matching, and depth is turned back",
        )
    if plane_spread_deg(s.view_R) < PARALLEL_DEG:
        return None  # then nothing is known of the sides
    if centre[0] < 0 and s.R[2, 2] > 0 and s.R[0, 0] > 0:
        return Finding(
            "swapped",
            "left and right are swapped: the camera called right is on the left; exchange the two "
            "folders or patterns and calibrate again",
            tuple(view.name for view in c.views),
            stops=True,
        )
    return None


def _upside_down(c: Calibration) -> Finding | None:
    R = c.fit.state.R
    if R[0, 0] > 0 or R[1, 1] > 0:
        return None
    return Finding(
        "upside_down",
        "one camera's images are upside down: the cameras are turned by "
        f"{np.degrees(np.arctan2(R[1, 0], R[0, 0])):.0f} degrees to each other; rotate the images "
        "of one camera by 180 degrees",
        tuple(view.name for view in c.views),
        stops=True,
    )


def _parallel(c: Calibration) -> Finding | None:
    spread = plane_spread_deg(c.fit.state.view_R)
    if spread >= PARALLEL_DEG:
        return None
    return Finding(
        "parallel_views",
        TOO_PARALLEL.format(f"by {spread:.1f} degrees at most"),
        tuple(view.name for view in c.views),
        stops=True,
    )


def _flipped(c: Calibration, offered: Sequence[View]) -> Finding | None:
    """Views whose right corners the solver had to take in another order."""
    before = {view.name: view.right.points for view in offered}
    names = tuple(
        view.name
        for view in c.views
        if view.name in before and not np.array_equal(view.right.points, before[view.name])
    )
    if not names or len(names) > len(c.views) / 2:  # then something is wrong with all of them
        return None
    return Finding(
        "flipped_corners",
        f"the corner order differs between left and right in {', '.join(names)}; put right here",
        names,
    )


def _few(c: Calibration) -> Finding | None:
    if len(c.views) >= 6:
        return None
    return Finding(
        "too_few",
        f"only {len(c.views)} usable pairs; take 15 to 30, the board in every part of both images",
        stops=len(c.views) < 4,
    )


def _scale(c: Calibration, baseline_m: float) -> Finding | None:
    found = float(np.linalg.norm(c.fit.state.t))
    ratio = baseline_m / found
    if abs(ratio - 1) < _SQUARE_TOLERANCE:
        return None
    square = c.board.square_m * ratio
    return Finding(
        "square_size",
        f"the baseline comes out as {found * 1e3:.2f} mm but is known to be {baseline_m * 1e3:.2f} "
        f"mm: with a square of {square * 1e3:.3f} mm instead of {c.board.square_m * 1e3:.3f} mm it "
        "would agree; measure the printed board",
        stops=True,
    )


def _blurred(views: Sequence[View]) -> Finding | None:
    widths = {view.name: max(view.left.edge_px, view.right.edge_px) for view in views}
    known = [width for width in widths.values() if np.isfinite(width)]
    if not known:
        return None
    size = max(max(view.left.size) for view in views)
    limit = max(_BLURRED_PX * max(1, size / 1280), 2.2 * float(np.median(known)))
    bad = tuple(name for name, width in widths.items() if width > limit)
    if not bad and np.median(known) > _BLURRED_PX * max(1, size / 1280):
        bad = tuple(widths)
    if not bad:
        return None
    return Finding(
        "blurred",
        f"blurred: edges are {max(widths[n] for n in bad):.1f} px wide (usual here: "
        f"{np.median(known):.1f}); hold the board still or refocus",
        bad,
    )


def _mirrored_or_wrong_board(c: Calibration) -> Finding | None:
    """A fit this bad means that corners and board do not belong together."""
    if c.rms_px() < fit_limit(c.sizes):
        return None
    return Finding(
        "wrong_board",
        f"the corners do not fit the board {c.board.spec} (rms {c.rms_px():.1f} px): "
        "is its number of inner corners right, is it flat, are the squares square?",
        tuple(view.name for view in c.views),
        stops=True,
    )


def fit_limit(sizes: Sequence[tuple[int, int]]) -> float:
    """A joint rms (px) that no right board and right pairing exceeds."""
    return 2.0 * max(1.0, max(sizes[0]) / 1000)


# -- something changed between two views ---------------------------------------------------------


def _change(c: Calibration, offered: Sequence[View]) -> Finding | None:
    """Two rigs, one before and one after some view, must not fit much better than one rig."""
    n = len(c.views)
    if n < 8:
        return None
    whole = _cost(c, range(n))
    best = (np.inf, 0)
    for k in range(4, n - 3, max(1, n // 12)):
        best = min(best, (_cost(c, range(k)) + _cost(c, range(k, n)), k))
    k = best[1]
    if best[0] > 0.7 * whole or best[0] > 0.7 * min(_shuffled_costs(c, k)):
        return None
    k = min(
        range(max(4, k - 3), min(n - 3, k + 4)),
        key=lambda j: _cost(c, range(j)) + _cost(c, range(j, n)),
    )
    names = [view.name for view in offered]
    before, after = _state(c, range(k)), _state(c, range(k, n))
    zoomed = focal_change(before, after) > ZOOM
    what = "a camera was refocused or zoomed" if zoomed else "the rig moved"
    return Finding(
        "refocused" if zoomed else "rig_moved",
        f"{what} between views {c.views[k - 1].name} and {c.views[k].name}: two calibrations, "
        "before and after, fit clearly better than one; fix cameras and lenses and take all views "
        "again",
        tuple(names[names.index(c.views[k].name) :]),  # rejected ones too: a mixed rig fits neither
        stops=True,
    )


def _shuffled_costs(c: Calibration, k: int) -> Iterator[float]:
    """Costs of two rigs for k and n - k views taken at random: what two fit better anyway."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        order = rng.permutation(len(c.views)).tolist()
        yield _cost(c, sorted(order[:k])) + _cost(c, sorted(order[k:]))


def _cost(c: Calibration, views: Sequence[int]) -> float:
    return _refit(c, views)[1]


def _state(c: Calibration, views: Sequence[int]) -> Any:
    return _refit(c, views)[0]


def _refit(c: Calibration, views: Sequence[int]) -> tuple[Any, float]:
    rows = list(views)
    fit = adjust(
        c.shape,
        c.fit.state.of_views(rows),
        c.seen.of_views(rows),
        free=c.fit.free,
        max_steps=8,
        tolerance=1e-5,
    )
    return fit.state, fit.cost
