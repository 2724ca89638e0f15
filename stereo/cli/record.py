"""``stereo record``: what a source gives, lossless and stamped, into a folder."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from calib import load_rig
from stereo.errors import InputError
from stereo.record import MIN_FREE_BYTES, Recorder, RecordStats, about_source
from stereo.sources import Event, SourceOptions, StereoSource, open_source

F = TypeVar("F", bound=Callable[..., Any])

_STATUS_EVERY_S = 1.0


def _camera_options(command: F) -> F:
    """How the source is opened."""
    for option in reversed(
        [
            click.option("--layout", help="How one image holds both views, such as top-bottom."),
            click.option("--swap", is_flag=True, help="Exchange left and right images."),
            click.option("--flip", default="none", help="horizontal, vertical or both."),
            click.option("--size", metavar="WxH", help="Size asked of each camera."),
            click.option("--fps", type=float, help="Frames a second asked of the camera."),
            click.option("--pixel-format", help="Four letters, such as MJPG."),
            click.option("--exposure", type=float, help="Exposure in the driver's unit."),
            click.option("--gain", type=float, help="Gain in the driver's unit."),
            click.option("--max-skew-ms", type=float, help="Largest skew within a pair."),
        ]
    ):
        command = option(command)
    return command


@click.command("record")
@click.argument("source")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="New folder.")
@click.option("--calib", type=click.Path(), help="Rig file, kept with the recording.")
@_camera_options
@click.option("--max-frames", type=click.IntRange(1), help="End after so many pairs.")
@click.option("--duration-s", type=click.FloatRange(0, min_open=True), help="End after so long.")
@click.option(
    "--min-free-mb",
    type=click.FloatRange(0),
    default=MIN_FREE_BYTES / 1e6,
    show_default=True,
    help="End before the disk holds less than this.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def record_command(source: str, out: Path, **options: Any) -> int:
    """Record SOURCE, such as sbs:0, pair:0,2, rtsp://... or a video, until Ctrl-C.

    `stereo run recording:FOLDER -o RESULTS` turns it into depth.
    """
    wanted = _source_options(options)
    start = time.monotonic()
    with _stoppable(), open_source(source, wanted, on_event=_say) as opened:
        calibration = load_rig(Path(options["calib"])) if options["calib"] else opened.calibration
        recorder = Recorder(
            out,
            about=about_source(source, wanted),
            calibration=calibration,
            min_free_bytes=int(1e6 * options["min_free_mb"]),
        )
        try:
            _record(opened, recorder, options["max_frames"], options["duration_s"])
        except KeyboardInterrupt:
            click.echo("stopping", err=True)
        finally:
            opened.close()
            stats = recorder.close()
    _show(out, stats, time.monotonic() - start, as_json=options["as_json"])
    return 0


def _record(
    source: StereoSource, recorder: Recorder, max_frames: int | None, duration_s: float | None
) -> None:
    # also ends a source that has fallen silent
    timer = threading.Timer(duration_s, source.close) if duration_s is not None else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        shown_s = time.monotonic()
        for number, frame in enumerate(source, 1):
            recorder.add(frame, wait=not source.live)
            if time.monotonic() - shown_s > _STATUS_EVERY_S:
                shown_s = time.monotonic()
                _status(recorder.stats, source)
            if number == max_frames:
                return
    finally:
        if timer is not None:
            timer.cancel()


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends a recording as Ctrl-C does."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _source_options(options: dict[str, Any]) -> SourceOptions:
    names = ("layout", "swap", "flip", "fps", "pixel_format", "exposure", "gain")
    skew_ms, size = options["max_skew_ms"], options["size"]
    return SourceOptions(
        **{name: options[name] for name in names},
        size=None if size is None else _parse_size(size),
        max_skew_s=None if skew_ms is None else skew_ms / 1000,
    )


def _parse_size(text: str) -> tuple[int, int]:
    width, x, height = text.lower().partition("x")
    if not x or not width.isdecimal() or not height.isdecimal():
        raise InputError(f"--size wants WIDTHxHEIGHT, such as 2560x720, got {text!r}")
    return int(width), int(height)


def _say(event: Event) -> None:
    click.echo(f"{event.kind}: {event.stream}: {event.message}", err=True)


def _status(stats: RecordStats, source: StereoSource) -> None:
    seen = source.stats
    line = (
        f"{stats.written} pairs, {stats.bytes_written / 1e6:.0f} MB, {seen.fps:.1f} fps, "
        f"skew {seen.skew_ms:.1f} ms, {stats.waiting} waiting, {stats.dropped} dropped"
    )
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", err=True, nl=False)
    else:
        click.echo(line, err=True)


def _show(out: Path, stats: RecordStats, elapsed_s: float, *, as_json: bool) -> None:
    if as_json:
        facts = {
            "folder": str(out),
            "pairs": stats.written,
            "dropped": stats.dropped,
            "bytes": stats.bytes_written,
            "elapsed_s": round(elapsed_s, 3),
        }
        click.echo(json.dumps(facts))
        return
    if sys.stderr.isatty():
        click.echo(err=True)
    dropped = f", {stats.dropped} dropped because the disk was too slow" if stats.dropped else ""
    click.echo(
        f"{stats.written} pairs, {stats.bytes_written / 1e6:.1f} MB{dropped} -> recording:{out}"
    )
