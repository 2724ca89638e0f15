"""The first screen: grade, reasons, the figures that count, what to do, and what nobody can see."""

from __future__ import annotations

from html import escape

import numpy as np

from calib.judging.alone import Alone
from calib.judging.quality import Quality
from calib.outcome import Outcome
from calib.report.cameras import SIDES, hull, inside, seen_by
from calib.report.html import COLORS, bullets, folded, paragraph, section, table, tiles
from calib.report.poses import distances
from calib.report.residuals import Left, mean_maps
from calib.solving.calibration import Calibration
from calib.words import fixed, number, plain

_MANY = 8
_UNKNOWN_UNIT = (
    "Lengths: the size of a square was not given, so everything is in units of the board. Give it "
    "with --board, or the distance of the cameras with --baseline-mm."
)


def verdict(outcome: Outcome) -> str:
    """The box with the answer."""
    color = COLORS[outcome.grade]
    c, q = outcome.calibration, outcome.quality
    told = outcome.advice.rstrip(".") in outcome.verdict
    advice = "" if told else f"<p><strong>Next:</strong> {escape(outcome.advice)}</p>"
    facts = tiles(_facts(outcome, c, q)) if c is not None and q is not None else ""
    return (
        f'<div class="verdict" style="border-color:{color}"><b class="grade" style="color:{color}">'
        f"{escape(outcome.grade)}</b>{paragraph(outcome.verdict)}{bullets(reasons(outcome))}"
        f"{advice}</div>{facts}"
    )


def reasons(outcome: Outcome) -> list[str]:
    """Why the grade is what it is, besides the verdict's own sentence."""
    said = [f.message for f in outcome.findings if f.message not in outcome.verdict]
    out = len(outcome.rejected)
    if out and outcome.calibration is not None:
        said.append(f"{out} of {outcome.offered} pairs or single images were not used, see below")
    return [f"{line[0].upper()}{line[1:]}." for line in said]


def _facts(outcome: Outcome, c: Calibration, q: Quality) -> list[tuple[str, str]]:
    unit, scale, far = ("mm", 1e3, "m") if c.board.unit_known else ("units", 1.0, "units")
    baseline = float(np.linalg.norm(c.fit.state.t))
    away = distances(c)
    facts = [
        (
            "baseline",
            f"{fixed(baseline * scale, 2)} ± {number(q.baseline_sigma * scale, 2)} {unit}",
        ),
        ("rows, on views left out", f"{fixed(q.held_out.row_error_px, 3)} px"),
        ("corners, on views left out", f"{fixed(q.held_out.reprojection_rms_px, 3)} px rms"),
        ("pairs used", f"{len(c.views)} of {outcome.offered}"),
        ("lens", f"{c.model_name}, board {'bent' if len(c.shape.modes) else 'flat'}"),
        (
            "boards were seen at",
            f"{number(float(away.min()), 2)} to {number(float(away.max()), 2)} {far}",
        ),
    ]
    near = sorted(q.depth_error, key=lambda d: abs(np.log(d.distance_m / (10 * baseline))))[:2]
    expected = [
        (
            f"depth error at {plain(d.distance_m, 3)} {far}, 1 σ",
            f"± {number(d.total_m * scale, 2)} {unit} ({fixed(d.percent, 2)} %)",
        )
        for d in sorted(near, key=lambda d: d.distance_m)
    ]
    return expected + facts


def findings(outcome: Outcome) -> str:
    """Everything that was wrong, with the images to blame."""
    header = ("name", "what", "images")
    found = [
        (
            f.cause,
            "as said above" if f.message in outcome.verdict else f.message,
            ", ".join(f.images),
        )
        for f in outcome.findings
    ]
    single = [(r.cause, r.reason, r.name) for r in outcome.rejected]
    out = table(header, single, words=True)
    if len(single) > _MANY:
        out = folded(f"{len(single)} pairs or images that were not used", out)
    return section("What was wrong", table(header, found, words=True), out)


def unseen(outcome: Outcome) -> str:
    """What no figure on the page can show."""
    c = outcome.calibration
    if c is None:
        return ""
    away, unit = distances(c), "m" if c.board.unit_known else "board units"
    lines = [
        *(f"{line[0].upper()}{line[1:]}." for line in outcome.not_seen),
        "" if c.board.unit_known else _UNKNOWN_UNIT,
        f"Distances at which no board was: {number(float(away.min()), 2)} to "
        f"{number(float(away.max()), 2)} {unit} were seen, what is said of others follows from "
        "the model.",
        _corners(outcome),
        "A rig that is knocked, refocused or warms up after the session; and cameras that do not "
        "expose at the same moment, as boards held still do not show it.",
    ]
    return section("What this page cannot see", bullets([line for line in lines if line]))


def _corners(outcome: Outcome) -> str:
    parts = []
    for seen in seen_by(outcome):
        w, h = seen.size
        x, y = np.meshgrid(np.linspace(0, w - 1, 40), np.linspace(0, h - 1, 30))
        grid = np.column_stack([x.ravel(), y.ravel()])
        outside = 100 * float((~inside(hull(seen.pixels), grid)).mean())
        if outside > 10:
            parts.append(f"{fixed(outside, 0)} % of the {seen.name} image")
    if not parts:
        return ""
    return f"The lens where no corner was: {' and '.join(parts)} lies outside of all boards."


def each_alone(outcome: Outcome, alone: tuple[Alone | None, Alone | None]) -> str:
    """What each camera says without the other, where no rig was found."""
    rows = [
        (
            side,
            str(sum(both[s] is not None for both in outcome.seen.values())),
            "none fits" if one is None else one.model,
            "unknown" if one is None else number(one.focal_px, 4),
            "unknown" if one is None else fixed(one.rms_px, 3),
        )
        for s, (side, one) in enumerate(zip(SIDES, alone, strict=True))
    ]
    known = [one for one in alone if one is not None]
    words = ""
    if len(known) == len(alone):
        limit = max(0.002 * max(seen.size) for seen in seen_by(outcome)) / 2
        fine = [side for side, one in zip(SIDES, alone, strict=True) if one and one.rms_px < limit]
        words = {
            2: "Each camera alone explains its own corners: they form one grid before one lens. So "
            "what is wrong lies between the sides (pairs, their order, the order of corners, a rig "
            "that moved), or the grid is only a part of the board.",
            0: "Neither camera alone explains its own corners: they are not those of the board "
            "that was named, or were not found where they are.",
        }.get(len(fine), f"Only the {''.join(fine)} camera alone explains its own images.")
    header = ("camera", "boards found", "lens", "focal length, px", "usual error, px")
    if not known:
        return ""
    shown = [
        Left(
            side,
            next(s.size for s in seen_by(outcome) if s.name == side),
            one.pixels,
            one.view,
            one.residuals,
        )
        for side, one in zip(SIDES, alone, strict=True)
        if one is not None
    ]
    return section("Each camera alone", paragraph(words), table(header, rows), mean_maps(shown))
