"""``stereo calibrate --live``: the loop from camera to rig, and what it says on the way."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from calib.outcome import Outcome
from calib.solving.calibration import FEWEST_VIEWS
from stereo.display import has_display
from stereo.errors import InputError, SourceError
from stereo.files.outputs import make_folder, write_image_png
from stereo.frame import StereoFrame
from stereo.gray import to_gray
from stereo.live.calibration import LiveCalibration, Step
from stereo.sources import Event, SourceOptions, StereoSource, open_source
from stereo.viewers.calibration import calibration_picture
from stereo.viewers.screen import NoScreen, Screen, WebScreen, WindowScreen


@dataclass(frozen=True, slots=True)
class LiveView:
    """Where the user looks."""

    kind: str | None
    """window, web or none; None: a window where there is a display."""
    host: str
    port: int


def calibrate_live(
    spec: str,
    calibration: LiveCalibration,
    *,
    options: SourceOptions,
    view: LiveView,
    keep: Path | None,
    as_json: bool,
    finish: Callable[[Outcome], int],
) -> int:
    """Collect views from the source ``spec``, solve, and hand the outcome to ``finish``.

    Ctrl-C solves with the views there are; again, and it quits.
    """
    say = _Say(as_json)
    with _kept(keep) as folder:
        with _screen(view) as screen, open_source(spec, options, on_event=say.event) as source:
            why = _collect(source, calibration, screen, folder, say)
        say.over(why, len(calibration.views))
        files = {v.name: folder.files(i) for i, v in enumerate(calibration.views)}
        outcome = calibration.finish()
        return finish(replace(outcome, files=files))


def _collect(
    source: StereoSource,
    calibration: LiveCalibration,
    screen: Screen,
    folder: _Folder,
    say: _Say,
) -> str:
    """Take views until it is over; returns why it is."""
    try:
        for frame in source:
            step = calibration.feed(to_gray(frame.left), to_gray(frame.right))
            if step.feedback.accepted:
                folder.add(frame)
            say.step(step)
            screen.show(calibration_picture(frame.left, frame.right, step))
            if step.reason is not None:
                return step.advice
            if screen.closed:
                return "ended by you"
        return f"{source.name} has ended"
    except KeyboardInterrupt:
        if len(calibration.views) < FEWEST_VIEWS:
            raise
        return "interrupted; press Ctrl-C again to quit without a calibration"
    except SourceError as error:
        if len(calibration.views) < FEWEST_VIEWS:
            raise
        return f"{error}"


class _Folder:
    """Keeps the images of the views that were taken."""

    def __init__(self, path: Path) -> None:
        self.path, self._count = path, 0

    def add(self, frame: StereoFrame) -> None:
        """Write both images; each is whole or not there."""
        for path, image in zip(self._paths(self._count), (frame.left, frame.right), strict=True):
            write_image_png(path, image)
        self._count += 1

    def files(self, number: int) -> tuple[str, str]:
        """The left and the right file of a view."""
        left, right = self._paths(number)
        return str(left), str(right)

    def _paths(self, number: int) -> tuple[Path, Path]:
        return self.path / f"left_{number:03d}.png", self.path / f"right_{number:03d}.png"


@contextmanager
def _kept(keep: Path | None) -> Iterator[_Folder]:
    """The folder asked for, or one that is gone at the end: a report shows its images."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="stereo-") as scratch:
            yield _Folder(Path(scratch))
        return
    if keep.is_dir() and any(keep.glob("left_*.png")):
        raise InputError(f"{keep}: holds images of views already; name an empty folder to --keep")
    make_folder(keep)
    yield _Folder(keep)


@contextmanager
def _screen(view: LiveView) -> Iterator[Screen]:
    kind = view.kind or ("window" if has_display() else "none")
    title = "stereo calibrate"
    if kind == "web":
        from stereo.cli.live_web import warn_of_strangers

        page = WebScreen(title, host=view.host, port=view.port, button="Calibrate now")
        warn_of_strangers(view.host, view.port)
        click.echo(f"look at {page.url}", err=True)
        with page:
            yield page
        return
    with WindowScreen(title) if kind == "window" else NoScreen() as screen:
        yield screen


class _Say:
    """Tells what happens: JSON lines on stdout, or short lines on stderr."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._solves = 0
        self._advice = ""

    def event(self, event: Event) -> None:
        """Something happened to the source; called from its threads."""
        self._tell(
            f"{event.stream}: {event.message}",
            event="source",
            kind=event.kind,
            stream=event.stream,
            message=event.message,
        )

    def step(self, step: Step) -> None:
        """A pair was looked at: tell what is new."""
        feedback = step.feedback
        if feedback.accepted:
            self._tell(
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
            self._solved(step)

    def _solved(self, step: Step) -> None:
        assert step.solved is not None
        solved = step.solved
        text = "; ".join(
            f"{e.percent:.2f} % at {e.target.distance_m:g} m ({'met' if e.met else 'not met'})"
            for e in solved.expected
        )
        self._tell(
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
        self._tell(f"{why}; calibrating from {views} views", event="over", why=why, views=views)

    def _tell(self, text: str, **event: Any) -> None:
        if self._json:
            click.echo(json.dumps(event, allow_nan=False))
        else:
            click.echo(text, err=True)
