"""The page from top to bottom: the verdict first, then why.

Drawings are inline SVG and pictures inline JPEG, so the page needs no network, no script and no
plotting library, and reads on a phone, in light and in dark.
"""

from __future__ import annotations

from pathlib import Path

from calib.atomic import replace_whole
from calib.judging.alone import Alone, solved_alone
from calib.judging.depth_error import two_halves
from calib.judging.quality import Quality
from calib.outcome import Outcome
from calib.report.coverage import coverage
from calib.report.depth import depth
from calib.report.html import document
from calib.report.lens import lens_maps, lenses
from calib.report.parameters import board, parameters, tried
from calib.report.poses import poses
from calib.report.residuals import residuals
from calib.report.verdict import each_alone, findings, unseen, verdict
from calib.report.views import contact_sheet, large_pictures, views
from calib.solving.calibration import Calibration
from calib.solving.solve import one_thread


def write_report(outcome: Outcome, path: Path) -> None:
    """Write the page for an outcome, also one without a result. Raises OSError when it cannot."""
    replace_whole(path, render_report(outcome).encode())


def render_report(outcome: Outcome) -> str:
    """Return the page as text."""
    c, q = outcome.calibration, outcome.quality
    with one_thread():
        parts = _of_refused(outcome) if c is None or q is None else _of_solved(outcome, c, q)
    body = "\n".join(part for part in (verdict(outcome), *parts) if part)
    return document(f"Stereo calibration: {outcome.grade}", body, heading="Stereo calibration")


def _of_solved(outcome: Outcome, c: Calibration, q: Quality) -> list[str]:
    maps = lens_maps(c, q, two_halves(c))
    return [
        findings(outcome),
        depth(c, q),
        unseen(outcome),
        lenses(c, maps),
        coverage(outcome),
        poses(c),
        residuals(c),
        views(c, q),
        contact_sheet(outcome, (None, None)),
        large_pictures(outcome, c),
        board(c),
        tried(c),
        parameters(c, q),
    ]


def _of_refused(outcome: Outcome) -> list[str]:
    """What there is to look at where nothing was solved: that is when it is needed."""
    alone = (_alone(outcome, 0), _alone(outcome, 1))
    return [
        findings(outcome),
        each_alone(outcome, alone),
        contact_sheet(outcome, alone),
        coverage(outcome),
    ]


def _alone(outcome: Outcome, side: int) -> Alone | None:
    found = {n: one for n, both in outcome.seen.items() if (one := both[side]) is not None}
    return None if outcome.board is None else solved_alone(found, outcome.board)
