"""``stereo calibrate --live``: the loop from camera to rig, and what it says on the way."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from calib.outcome import Outcome
from calib.solving.calibration import FEWEST_VIEWS
from stereo.cli.calibrate_messages import SessionMessages
from stereo.cli.options import ViewOptions
from stereo.display import has_display
from stereo.errors import InputError, SourceError
from stereo.files.outputs import make_folder, write_image_png
from stereo.frame import StereoFrame
from stereo.gray import to_gray
from stereo.live.calibration import LiveCalibration
from stereo.sources import SourceOptions, StereoSource, open_source
from stereo.viewers.calibration import calibration_picture
from stereo.viewers.screen import NoScreen, Screen, WebScreen, WindowScreen


def calibrate_live(
    spec: str,
    calibration: LiveCalibration,
    *,
    options: SourceOptions,
    looking: ViewOptions,
    keep: Path | None,
    as_json: bool,
    finish: Callable[[Outcome], int],
) -> int:
    """Collect views from the source ``spec``, solve, and hand the outcome to ``finish``.

    Ctrl-C solves with the views there are; again, and it quits.
    """
    messages = SessionMessages(as_json=as_json)
    with _kept(keep) as folder:
        with (
            _screen(looking) as screen,
            open_source(spec, options, on_event=messages.event) as source,
        ):
            why = _collect(source, calibration, screen, folder, messages)
        messages.over(why, len(calibration.views))
        files = {v.name: folder.files(i) for i, v in enumerate(calibration.views)}
        outcome = calibration.finish()
        return finish(replace(outcome, files=files))


def _collect(
    source: StereoSource,
    calibration: LiveCalibration,
    screen: Screen,
    folder: _Folder,
    messages: SessionMessages,
) -> str:
    """Take views until it is over; returns why it is."""
    try:
        for frame in source:
            step = calibration.feed(to_gray(frame.left), to_gray(frame.right))
            if step.feedback.accepted:
                folder.add(frame)
            messages.step(step)
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
def _screen(looking: ViewOptions) -> Iterator[Screen]:
    kind = looking.view or ("window" if has_display() else "none")
    title = "stereo calibrate"
    if kind == "web":
        from stereo.cli.live_web import say_where

        page = WebScreen(
            title,
            host=looking.host,
            port=looking.port,
            button="Calibrate now",
            token=not looking.no_token,
        )
        say_where(page, looking)
        with page:
            yield page
        return
    with WindowScreen(title) if kind == "window" else NoScreen() as screen:
        yield screen
