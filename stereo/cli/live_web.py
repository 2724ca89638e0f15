"""``stereo live --view web``: the page, and what its buttons do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from calib import RectifiedRig, StereoRig
from stereo.cli.options import ViewOptions
from stereo.closing import Closing
from stereo.errors import InputError
from stereo.frame import StereoFrame
from stereo.live.depth import LiveDepth, LiveFrame
from stereo.sources import StereoSource
from stereo.viewers.controls import Controls
from stereo.viewers.screen import WebScreen
from stereo.viewers.server import is_local
from stereo.viewers.web import WebViewer

if TYPE_CHECKING:
    from stereo.sources.record import Recorder
    from stereo.viewers.tune_page import TunePage


class RecordSwitch(Closing):
    """Records the frames it is handed while it is on."""

    def __init__(self, source: StereoSource, calibration: StereoRig | RectifiedRig | None) -> None:
        self._source, self._calibration = source, calibration
        self._lock = threading.Lock()
        self._recorder: Recorder | None = None
        self._failed: Exception | None = None

    def take(self, frame: StereoFrame) -> None:
        """Hand over a frame; quick, never raises."""
        with self._lock:
            if self._recorder is None or self._failed is not None:
                return
            try:
                self._recorder.write(frame)
            except Exception as error:  # told when recording is stopped; watching goes on
                self._failed = error

    def switch(self, on: bool) -> str:
        """Start, in a new folder named after the time, or stop; returns the folder.

        Raises OutputError when it cannot be written.
        """
        with self._lock:
            before, self._recorder = self._recorder, None
            failed, self._failed = self._failed, None
            if on and before is None:
                from stereo.sources.record import Recorder

                folder = Path(f"recording_{datetime.now():%Y%m%d_%H%M%S}")
                self._recorder = Recorder(folder, self._source, calibration=self._calibration)
                return str(folder)
        if before is None:
            raise InputError("nothing is being recorded")
        before.close()
        if failed is not None:
            raise failed
        return str(before.folder)

    def close(self) -> None:
        """Stop, if it records. Raises OutputError as ``switch``."""
        if self._recorder is not None:
            self.switch(False)


def web_viewer(
    live: LiveDepth,
    save: Callable[[LiveFrame], str],
    record: Callable[[bool], str] | None,
    *,
    looking: ViewOptions,
) -> WebViewer:
    """Serve the page, and say where it is. Raises as ``WebViewer`` does."""
    controls = Controls(live.settings, live.change, record, save)
    viewer = WebViewer(controls, host=looking.host, port=looking.port, token=not looking.no_token)
    say_where(viewer, looking)
    return viewer


def say_where(page: WebViewer | WebScreen | TunePage, looking: ViewOptions) -> None:
    """Say where the page is, and what it means that other computers can reach it."""
    host, port = looking.host, looking.port
    if not is_local(host):
        click.echo(
            f"warning: --host {host}: the link opens the page on every computer that reaches this "
            "one, and what it shows travels unencrypted"
            + (f"; ssh -L {port}:127.0.0.1:{port} is safer" if port else ""),
            err=True,
        )
    if looking.no_token:
        click.echo("warning: --no-token: every user of this computer may press buttons", err=True)
        click.echo(f"look at {page.url}", err=True)
        return
    click.echo(f"look at {page.url}", err=True)
    click.echo(f"for who may only look: {page.url_to_look}", err=True)
