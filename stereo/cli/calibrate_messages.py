"""What ``stereo calibrate`` says, while it runs and at its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from calib.words import fixed, length, number, plain, table

if TYPE_CHECKING:  # they take a while to load
    from calib.outcome import Outcome
    from calib.single import CameraOutcome
    from stereo.live.calibration import Solved, Step
    from stereo.sources import Event


_STAGES = {"detect": "looking for the board", "solve": "solving", "judge": "judging"}


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None] | None]:
    """Show a bar on stderr where somebody looks at it; give what moves it, else None."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(_STAGES["detect"], total=None)

        def update(stage: str, done: int, total: int) -> None:
            bar.update(task, description=_STAGES[stage], completed=done, total=total)

        yield update


def show_outcome(outcome: Outcome, written: dict[str, str], *, moved: str | None = None) -> None:
    """Print what came of a calibration, how the rig has moved, and the files it was written to."""
    s = outcome.summary()
    click.echo(f"{s['grade'].upper()}. {s['verdict']}")
    if outcome.quality is not None:
        _show_numbers(s)
        _show_expected_errors(s)
    if moved is not None:
        click.echo(f"  moved     {moved}")
    _show_rest(outcome, written, unseen=s["not_seen"])


def show_camera_outcome(outcome: CameraOutcome, written: dict[str, str]) -> None:
    """Print what came of the calibration of one camera, and the file it was written to."""
    s = outcome.summary()
    click.echo(f"{s['grade'].upper()}. {s['verdict']}")
    if outcome.quality is not None:
        (fx, fy), (cx, cy) = s["focal_px"], s["principal_point_px"]
        sigmas, rms, off = s["sigmas"], s["reprojection_rms_px"], s["projection_error"]
        click.echo(
            f"  model     {s['model']}{', board bent' if s['board_bent'] else ''}; "
            f"{s['views_used']} of {s['images_offered']} images"
        )
        click.echo(f"  focal     {fx:.2f} x {fy:.2f} px, plus or minus {fixed(sigmas['fx'], 2)} px")
        click.echo(
            f"  centre    {cx:.2f}, {cy:.2f} px, plus or minus {fixed(sigmas['cx'], 2)}, "
            f"{fixed(sigmas['cy'], 2)} px"
        )
        click.echo(f"  rms       {rms['used']:.3f} px, {rms['held_out']:.3f} px on views left out")
        click.echo(
            f"  expected  a far point is seen within {fixed(off['median_px'], 2)} px, at the rim "
            f"within {fixed(off['worst_px'], 2)} px (one sigma)"
        )
    _show_rest(outcome, written)


def _show_rest(
    outcome: Outcome | CameraOutcome, written: dict[str, str], *, unseen: Sequence[str] = ()
) -> None:
    """What is wrong, what was left out, what nothing here can see, what to do next, and what was
    written.
    """
    for finding in outcome.findings:
        click.echo(
            f"  {'STOP' if finding.stops else 'note'}      {finding.cause}: {finding.message}"
        )
    for r in outcome.rejected:
        click.echo(f"  not used  {r.name}: {r.reason}")
    for text in unseen:
        click.echo(f"  unseen    {text}")
    click.echo(f"  next      {outcome.advice}")
    for what, path in written.items():
        click.echo(f"  {what:8}  {path}")


def _show_numbers(s: dict[str, Any]) -> None:
    rms, focal = s["reprojection_rms_px"], s["focal_px"]
    click.echo(
        f"  model     {s['model']}{', board bent' if s['board_bent'] else ''}; "
        f"{s['views_used']} of {s['pairs_offered']} pairs"
    )
    click.echo(f"  baseline  {_length(s['baseline_m'], s['baseline_sigma_m'], s['unit'])}")
    click.echo(f"  focal     {focal['left'][0]:.2f} px left, {focal['right'][0]:.2f} px right")
    click.echo(
        f"  rms       {rms['left']:.3f} px left, {rms['right']:.3f} px right, "
        f"{rms['joint']:.3f} px joint, {rms['held_out']:.3f} px on views left out"
    )
    click.echo(f"  rows      {s['row_error_px']:.3f} px on views left out")


def _show_expected_errors(s: dict[str, Any]) -> None:
    metric = s["unit"] == "m"
    rows = [
        [
            f"{plain(row['distance_m'], 3)} {'m' if metric else 'board units'}",
            length(row["sigma_mm"] / 1000)
            if metric
            else f"{number(row['sigma_mm'] / 1000)} board units",
            f"{fixed(row['percent'], 2)} %",
        ]
        for row in s["depth_error"]
        if row["sigma_mm"] is not None
    ]
    click.echo("  expected depth error (calibration and 0.25 px of matching noise):")
    for line in table(["distance", "error", "of distance"], rows, names=0):
        click.echo(f"    {line}")


def _length(value: float, sigma: float, unit: str) -> str:
    if unit == "m":
        return f"{fixed(value * 1e3, 3)} mm, plus or minus {fixed(sigma * 1e3, 3)} mm"
    return (
        f"{fixed(value, 4)} board units, plus or minus {fixed(sigma, 4)} "
        "(their length was not given)"
    )


class SessionMessages:
    """What a running session says: JSON lines on stdout, or short lines on stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._solves = 0
        self._advice = ""

    def event(self, event: Event) -> None:
        """Something happened to the source; called from its threads."""
        self._print(
            f"{event.stream}: {event.message}",
            event="source",
            kind=event.kind,
            stream=event.stream,
            message=event.message,
        )

    def step(self, step: Step) -> None:
        """A pair was looked at: say what is new."""
        feedback = step.feedback
        if feedback.accepted:
            self._print(
                f"view {feedback.views} taken: {step.advice}",
                event="view",
                views=feedback.views,
                progress=dict(feedback.progress),
                advice=step.advice,
            )
        elif step.advice != self._advice and sys.stderr.isatty() and not self._json:
            click.echo(f"  {step.advice}", err=True)
        self._advice = step.advice
        if step.solved is not None and step.solved.views > self._solves:
            self._solves = step.solved.views
            self._solved(step.solved)

    def _solved(self, solved: Solved) -> None:
        text = "; ".join(
            f"{fixed(e.percent, 2)} % at {plain(e.target.distance_m)} m "
            f"({'met' if e.met else 'not met'})"
            for e in solved.expected
        )
        self._print(
            f"solved from {solved.views} views: {solved.outcome.grade}{text and ': ' + text}",
            event="solved",
            views=solved.views,
            grade=solved.outcome.grade,
            expected=[
                {
                    "distance_m": e.target.distance_m,
                    "percent": e.percent if e.percent == e.percent else None,
                    "target_percent": e.target.percent,
                    "met": e.met,
                }
                for e in solved.expected
            ],
        )

    def over(self, why: str, views: int) -> None:
        """No more views are taken."""
        self._print(f"{why}; calibrating from {views} views", event="over", why=why, views=views)

    def _print(self, text: str, **event: Any) -> None:
        if self._json:
            click.echo(json.dumps(event, allow_nan=False))
        else:
            click.echo(text, err=True)
