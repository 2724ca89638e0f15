"""Whether the lenses that a calibration kept are still those of its views."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.judging.finding import Finding
from calib.judging.known_lenses import KnownLenses
from calib.solving.adjust import scaled_solve
from calib.solving.calibration import Calibration
from calib.solving.held_out import information
from calib.words import fixed

Float = NDArray[np.float64]

_FEWEST = 5  # views that a lens is contradicted by
_SIGMAS = 4.0  # of fourteen real half sessions none is beyond 2 with the other half's lenses
_LEAST_ZOOM = 0.003


def known_lens_findings(c: Calibration, lenses: KnownLenses) -> list[Finding]:
    """What speaks against the lenses that were kept, or against the error bars they lead to."""
    changed = refocused(c, lenses.covariance)
    found = [] if changed is None else [changed]
    if lenses.covariance is None:
        message = (
            "the file of the lenses that were kept does not say how well they are known: the "
            "error bars take them for exact"
        )
        found.append(Finding("lens_error_unknown", message))
    return found


def refocused(c: Calibration, lenses: Float | None) -> Finding | None:
    """Whether views that were solved with given lenses want another focal length, clearly.

    For each camera that is one unknown, solved for together with the motion; its own error comes
    from leaving views out, and that of the given lens from its covariance (L, L).
    """
    if len(c.views) < _FEWEST:
        return None
    left, right = c.fit.state.intrinsics
    n = len(left)
    H, g = information(c, free=np.ones(c.fit.state.globals, bool))
    rest = H.shape[1] - n - len(right)
    ways = np.zeros((H.shape[1], 2 + rest))  # both zooms, then all that is not lens
    ways[:2, 0], ways[n : n + 2, 1] = left[:2], right[:2]
    ways[n + len(right) :, 2:] = np.eye(rest)
    H, g = ways.T @ H @ ways, g @ ways
    total, slope = H.sum(axis=0), g.sum(axis=0)
    zoom = scaled_solve(total, slope)[:2]
    views = range(len(H))
    moves = np.array([scaled_solve(total - H[v], slope - g[v])[:2] for v in views])
    variance = (len(H) - 1) * moves.var(axis=0)
    if lenses is not None:
        variance = variance + np.diag(lenses)[[0, n]] / np.array([left[0], right[0]]) ** 2
    sigma = np.sqrt(variance)
    side = int(np.argmax(np.abs(zoom) / sigma))
    if not abs(zoom[side]) > max(_SIGMAS * sigma[side], _LEAST_ZOOM):
        return None
    return Finding(
        "refocused",
        f"the lens of the {('left', 'right')[side]} camera is no longer what it was: these views "
        f"want a focal length that is {fixed(100 * abs(zoom[side]), 2)} % "
        f"{'longer' if zoom[side] > 0 else 'shorter'}, plus or minus {fixed(100 * sigma[side], 2)} "
        "%; it was refocused or zoomed: calibrate it anew",
        stops=True,
    )
