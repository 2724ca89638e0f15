"""``stereo live``: depth from a running camera, stream or recording, until you stop it."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calib import RectifiedRig, StereoRig
from stereo.cli.messages import Teller
from stereo.cli.options import (
    calibration_of,
    chosen_matcher,
    config_options,
    matcher_option,
    matcher_params,
    num_disparities_option,
    opened_as,
    rectification,
    rig_options,
    source_options,
)
from stereo.cli.signals import until_stopped
from stereo.display import has_display
from stereo.errors import InputError
from stereo.files import outputs
from stereo.live.depth import LiveDepth, LiveFrame
from stereo.live.pipeline import LiveSettings
from stereo.live.region import Region
from stereo.matching import MATCHERS, SearchRange
from stereo.refining.refine import RefineParams
from stereo.run.products import (
    OUTPUTS,
    CloudOptions,
    check_output_names,
    output_names,
    write_outputs,
)
from stereo.sources import StereoSource, open_source
from stereo.sources.wrappers import WithFirstFrame, WithListener
from stereo.viewers import NullViewer, Viewer

if TYPE_CHECKING:
    from stereo.cli.live_web import RecordSwitch

_TICK_S = 0.1


@click.command("live")
@click.argument("source")
@click.option(
    "--view",
    type=click.Choice(["window", "web", "none"]),
    help="Where to look.  [default: window where there is a display, else none]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Who may look: web address.")
@click.option("--port", type=int, default=8080, show_default=True, help="Web port; 0: any free.")
@source_options
@rig_options
@config_options
@matcher_option
@num_disparities_option
@click.option("--min-disparity", type=int, help="Smallest disparity, pixels.  [default: 0]")
@click.option("--min-depth-m", type=float, default=0.0, help="Nearer is dropped; sets the range.")
@click.option("--max-depth-m", type=float, default=math.inf, help="Farther is dropped.")
@click.option("--surfaces/--no-surfaces", default=True, help="Planes for textureless regions.")
@click.option("--fill", is_flag=True, help="Fill holes from their surroundings.")
@click.option("--roi", metavar="X,Y,W,H", help="Only this part of the rectified image.")
@click.option("--decimate", type=int, default=1, help="Divide the image's sides by this.")
@click.option("--smooth", is_flag=True, help="Average over time where nothing moves.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for what is saved.")
@click.option("--outputs", help=f"What to save, comma separated: {', '.join(OUTPUTS)}.")
@click.option("--save-every", type=click.IntRange(min=1), help="Save every so many frames.")
@click.option("--record", type=click.Path(path_type=Path), help="Record the raw pairs here.")
@click.option("--max-frames", type=click.IntRange(min=1), help="End after so many results.")
@click.option("--duration-s", type=click.FloatRange(0, min_open=True), help="End after so long.")
@click.option("--fast", is_flag=True, help="Files and recordings: as fast as they can be matched.")
@click.option("--stats", is_flag=True, help="Print the time of each stage at the end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per frame and per event.")
@click.pass_context
def live_command(ctx: click.Context, /, source: str, **options: Any) -> int:
    """Show, save or print depth from SOURCE until Ctrl-C.

    SOURCE is sbs:0 (one device with both views), pair:0,2 (two), http:// or rtsp:// addresses, a
    video file, a folder of pairs, recording:DIR, bag:FILE or synthetic:room; docs/live.md has all.
    """
    say = Teller(as_json=options["as_json"])
    view = _chosen_view(options)
    saver, settings = _Saver(options), _settings(ctx, options)
    with until_stopped(), ExitStack() as stack:
        raw = open_source(source, opened_as(options, pace=not options["fast"]), on_event=say.event)
        peeked = WithFirstFrame(stack.enter_context(raw))
        calibration = _calibration(options, peeked)
        rect = rectification(
            calibration, alpha=options["alpha"], rescale=options["rescale"], size=peeked.view_size
        )
        tapped = _recorded(stack, peeked, calibration, options)
        switch = None
        if view == "web" and options["record"] is None:
            from stereo.cli.live_web import RecordSwitch

            switch = stack.enter_context(RecordSwitch(tapped, calibration))
            tapped = stack.enter_context(WithListener(tapped, switch.take))
        live = stack.enter_context(LiveDepth(tapped, rect, settings))
        viewer = stack.enter_context(_viewer(view, live, saver, switch, options))
        stack.callback(say.end, live, stats=options["stats"])
        _loop(live, viewer, saver, say, options)
    return 0


def _loop(
    live: LiveDepth, viewer: Viewer, saver: _Saver, say: Teller, options: dict[str, Any]
) -> None:
    end_s = time.monotonic() + (options["duration_s"] or math.inf)
    shown = 0
    while not viewer.closed and time.monotonic() < end_s and shown != options["max_frames"]:
        found = live.wait(_TICK_S)
        if found is not None:
            viewer.show(found)
            saver.maybe(found)
            viewer.status(say.frame(live, found))
            shown += 1
        elif live.ended:
            return
        else:  # a lost stream must not take keys and buttons with it
            viewer.status(say.waiting())
            viewer.idle()


def _calibration(
    options: dict[str, Any], source: WithFirstFrame
) -> StereoRig | RectifiedRig | None:
    """As told, else as the source knows of itself; said once."""
    calibration = calibration_of(options, source.view_size, source.calibration)
    if calibration is None:
        click.echo("note: no calibration, so disparity only; give --calib RIG", err=True)
    return calibration


def _settings(ctx: click.Context, options: dict[str, Any]) -> LiveSettings:
    count, low = options["num_disparities"], options["min_disparity"]
    if low is not None and not isinstance(count, int):
        raise InputError("--min-disparity needs --num-disparities; without both they are found")
    return LiveSettings(
        matcher=chosen_matcher(options["matcher"]),
        matcher_params=matcher_params(ctx, options["matcher_params"]),
        search=SearchRange(low or 0, count) if isinstance(count, int) else None,
        refine=RefineParams(surfaces=options["surfaces"], fill=options["fill"]),
        min_depth_m=options["min_depth_m"],
        max_depth_m=options["max_depth_m"],
        region=None if options["roi"] is None else _region(options["roi"]),
        decimate=options["decimate"],
        smooth=options["smooth"],
    )


def _region(text: str) -> Region:
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"--roi wants X,Y,WIDTH,HEIGHT in pixels, got {text!r}")
    return Region(*(int(part) for part in parts))


def _recorded(
    stack: ExitStack,
    source: StereoSource,
    calibration: StereoRig | RectifiedRig | None,
    options: dict[str, Any],
) -> StereoSource:
    """The source, with every frame recorded as well if that was asked for."""
    if options["record"] is None:
        return source
    from stereo.sources.record import Recorder

    recorder = stack.enter_context(Recorder(options["record"], source, calibration=calibration))
    return stack.enter_context(WithListener(source, recorder.write))


def _chosen_view(options: dict[str, Any]) -> str:
    """What was asked for; else a window where there is a display and a person, else nothing."""
    if options["view"] == "window" and not has_display():
        raise InputError("--view window needs a display and there is none; use --view web or none")
    if options["view"] is None:
        return "window" if has_display() and not options["as_json"] else "none"
    return str(options["view"])


def _viewer(
    view: str, live: LiveDepth, saver: _Saver, switch: RecordSwitch | None, options: dict[str, Any]
) -> Viewer:
    if view == "window":
        from stereo.viewers.window import WindowViewer

        return WindowViewer(saver.save, lambda: _next_matcher(live))
    if view == "web":
        from stereo.cli.live_web import web_viewer

        record = None if switch is None else switch.switch
        return web_viewer(live, saver.save, record, host=options["host"], port=options["port"])
    return NullViewer()


def _next_matcher(live: LiveDepth) -> str:
    """Change to the next of the matchers that are fast enough to be watched."""
    names = [name for name in ("sgm", "sgm-fast", "sgbm") if name in MATCHERS]
    now = live.settings.matcher
    after = names[(names.index(now) + 1) % len(names)] if now in names else names[0]
    live.change(matcher=after, matcher_params={})
    return after


class _Saver:
    """Writes chosen frames as ``stereo run`` does, each into a folder of its own."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._out: Path | None = options["out"]
        self._every: int | None = options["save_every"]
        self._names = output_names(options["outputs"] or "depth,preview,left")
        check_output_names(self._names)
        self._due = 0
        if (self._every or options["outputs"]) and self._out is None:
            raise InputError("saving needs a folder: -o DIR")

    def maybe(self, found: LiveFrame) -> None:
        """Save every so many frames; where that one was superseded, the next."""
        if self._every is not None and found.number >= self._due:
            self._due = (found.number // self._every + 1) * self._every
            self.save(found)

    def save(self, found: LiveFrame) -> str:
        """Save this frame; return where it went."""
        folder = (self._out or Path("live_output")) / f"frame_{found.number:06d}"
        outputs.make_folder(folder)
        write_outputs(folder, self._names, found.result, CloudOptions())
        return str(folder)
