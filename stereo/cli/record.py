"""``stereo record``: what a source gives, lossless and stamped, into a folder."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import click

from calib import load_rig
from stereo.cli.options import opened_as, source_options
from stereo.cli.signals import Stopped, until_stopped
from stereo.sources import Event, StereoSource, open_source
from stereo.sources.record import MIN_FREE_BYTES, Recorder, RecordStats
from stereo.threads import start_timer


@click.command("record")
@click.argument("source")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="New folder.")
@click.option("--calib", type=click.Path(), help="Rig file, kept with the recording.")
@source_options
@click.option("--swap", is_flag=True, help="Exchange left and right images.")
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
    wanted, start = opened_as(options), time.monotonic()
    calibration = load_rig(Path(options["calib"])) if options["calib"] else None
    recorder: Recorder | None = None
    with until_stopped(), open_source(source, wanted, on_event=_say) as opened:
        recorder = Recorder(
            out,
            opened,
            calibration=calibration,
            options=wanted,
            min_free_bytes=int(1e6 * options["min_free_mb"]),
        )
        try:
            _record(opened, recorder, options["max_frames"], options["duration_s"])
        finally:
            opened.close()
            recorder.close()  # writes what still waits
    if recorder is not None:
        _show(out, recorder.stats, time.monotonic() - start, as_json=options["as_json"])
    return 0


def _record(
    source: StereoSource, recorder: Recorder, max_frames: int | None, duration_s: float | None
) -> None:
    # from the first pair on; a timer also ends a source that has fallen silent
    cancelled = threading.Event()
    shown_s = time.monotonic()
    try:
        for number, frame in enumerate(source, 1):
            if number == 1 and duration_s is not None:
                start_timer("duration", duration_s, source.close, cancelled)
            recorder.write(frame)
            if time.monotonic() - shown_s > 1:
                shown_s = time.monotonic()
                _status(recorder.stats, source)
            if number == max_frames:
                return
    except Stopped:
        click.echo("stopping", err=True)
        raise
    finally:
        cancelled.set()


def _say(event: Event) -> None:
    click.echo(event.line(), err=True)


def _status(stats: RecordStats, source: StereoSource) -> None:
    """One line that is overwritten on a terminal, one a second elsewhere."""
    seen = source.stats
    line = (
        f"{stats.written} pairs, {stats.bytes_written / 1e6:.0f} MB, {seen.fps:.1f} fps, "
        f"skew {seen.skew_ms:.1f} ms, {stats.waiting} waiting, {stats.dropped} dropped"
    )
    terminal = sys.stderr.isatty()
    click.echo(f"\r\x1b[K{line}" if terminal else line, err=True, nl=not terminal)


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
