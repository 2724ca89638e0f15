"""``stereo record``: what a source gives, lossless and stamped, into a folder."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import click

from stereo.cli.groups import command, headed, json_option, out_option
from stereo.cli.messages import print_event, print_status
from stereo.cli.options import EndOptions, OpenOptions
from stereo.cli.rig import read_rig
from stereo.cli.rig_options import RigFileOptions
from stereo.cli.signals import Stopped, until_stopped
from stereo.sources import StereoSource, open_source
from stereo.sources.record import MIN_FREE_BYTES, Recorder, RecordStats
from stereo.threads import start_timer


@command("record")
@click.argument("source")
@out_option("New folder; or new FILE.mcap, for ROS 2 and Foxglove.")
@headed("Calibration", "--calib", type=click.Path(), help="Calibration, kept with the recording.")
@headed(
    "Ending",
    "--min-free-mb",
    type=click.FloatRange(0),
    default=MIN_FREE_BYTES / 1e6,
    show_default=True,
    help="End before the disk holds less than this.",
)
@json_option()
def record_command(
    source: str,
    *,
    out: Path,
    calib: str | None,
    file: RigFileOptions,
    opening: OpenOptions,
    ending: EndOptions,
    min_free_mb: float,
    as_json: bool,
) -> int:
    """Record SOURCE, such as sbs:0, pair:0,2, rtsp://... or a video, until Ctrl-C.

    `stereo run recording:FOLDER -o RESULTS` turns it into depth, and bag:FILE.mcap.
    """
    wanted, start = opening.as_source_options(), time.monotonic()
    calibration = read_rig(calib, file, None) if calib else None
    recorder: Recorder | None = None
    with until_stopped(), open_source(source, wanted, on_event=print_event) as opened:
        recorder = _recorder(out)(
            out,
            opened,
            calibration=calibration,
            options=wanted,
            min_free_bytes=int(1e6 * min_free_mb),
        )
        try:
            _record(opened, recorder, ending)
        finally:
            opened.close()
            recorder.close()  # writes what still waits
    if recorder is not None:
        _show(out, recorder.stats, time.monotonic() - start, as_json=as_json)
    return 0


def _is_mcap(out: Path) -> bool:
    return out.suffix.lower() == ".mcap"


def _recorder(out: Path) -> type[Recorder]:
    if not _is_mcap(out):
        return Recorder
    from stereo.publishing.recording import McapRecorder

    return McapRecorder


def _record(source: StereoSource, recorder: Recorder, ending: EndOptions) -> None:
    # from the first pair on; a timer also ends a source that has fallen silent
    cancelled = threading.Event()
    shown_s = time.monotonic()
    try:
        for number, frame in enumerate(source, 1):
            if number == 1 and ending.duration_s is not None:
                start_timer("duration", ending.duration_s, source.close, cancelled)
            recorder.write(frame)
            if time.monotonic() - shown_s > 1:
                shown_s = time.monotonic()
                _status(recorder.stats, source)
            if number == ending.max_frames:
                return
    except Stopped:
        click.echo("stopping", err=True)
        raise
    finally:
        cancelled.set()


def _status(stats: RecordStats, source: StereoSource) -> None:
    """One line that is overwritten on a terminal, one a second elsewhere."""
    seen = source.stats
    line = (
        f"{stats.written} pairs, {stats.bytes_written / 1e6:.0f} MB, {seen.fps:.1f} fps, "
        f"skew {seen.skew_ms:.1f} ms, {stats.waiting} waiting, {stats.dropped} dropped"
    )
    print_status(line, terminal=sys.stderr.isatty())


def _show(out: Path, stats: RecordStats, elapsed_s: float, *, as_json: bool) -> None:
    if as_json:
        facts = {
            "file" if _is_mcap(out) else "folder": str(out),
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
    spec = f"{'bag' if _is_mcap(out) else 'recording'}:{out}"
    click.echo(f"{stats.written} pairs, {stats.bytes_written / 1e6:.1f} MB{dropped} -> {spec}")
