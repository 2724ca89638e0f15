"""``stereo live``: depth from a running camera, stream or recording, until you stop it."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click
import numpy as np

from calib import RectifiedRig, StereoRig
from stereo.cli.config import config_options
from stereo.cli.groups import command, headed, json_option, option
from stereo.cli.matching import chosen_matcher, say_network, told_range
from stereo.cli.messages import LiveMessages
from stereo.cli.options import (
    DepthOptions,
    EndOptions,
    FrameOptions,
    MatchOptions,
    OpenOptions,
    ViewOptions,
    max_relative_sigma_option,
    outputs_option,
)
from stereo.cli.publishing import PublishOptions, publishing
from stereo.cli.rig import calibration_of, rectification, settled
from stereo.cli.rig_options import RigOptions
from stereo.cli.signals import until_stopped
from stereo.cli.third import RegisterOptions, registration
from stereo.cloud import doubtful
from stereo.display import has_display
from stereo.errors import InputError
from stereo.files import outputs
from stereo.live.depth import LiveDepth, LiveFrame
from stereo.live.pipeline import LiveSettings
from stereo.live.region import Region
from stereo.live.watch import RigWatch
from stereo.matching import MATCHERS
from stereo.publishing.publish import Publishing
from stereo.refining.refine import RefineParams
from stereo.result import CloudOptions, check_output_names, output_names, write_outputs
from stereo.sources import StereoSource, open_source
from stereo.sources.third import WithThird, open_third
from stereo.sources.wrappers import WithFirstFrame, WithListener
from stereo.viewers import NullViewer, Viewer

if TYPE_CHECKING:
    from stereo.cli.live_web import RecordSwitch

_TICK_S = 0.1
_PAUSE_S = 0.03
"""Between two looks at keys and buttons while nothing is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveOptions:
    """What is kept of what was seen."""

    heading: ClassVar[str] = "Output"
    out: Path | None = option(
        "-o", "--out", type=click.Path(path_type=Path), help="Folder for what is saved."
    )
    outputs: str | None = outputs_option()
    save_every: int | None = option(type=click.IntRange(min=1), help="Save every so many frames.")
    max_relative_sigma: float = max_relative_sigma_option()
    record: Path | None = option(type=click.Path(path_type=Path), help="Record the raw pairs here.")


@command("live", without=("coarse_to_fine",))
@click.argument("source")
@config_options
@headed(
    "Source",
    "--fast",
    is_flag=True,
    help="Files and recordings: as fast as they can be matched.",
)
@click.option("--stats", is_flag=True, help="Print at the end where each millisecond went.")
@json_option("One JSON line per frame and per event.")
def live_command(
    source: str,
    *,
    opening: OpenOptions,
    rig: RigOptions,
    match: MatchOptions,
    depth: DepthOptions,
    frames: FrameOptions,
    third: RegisterOptions,
    looking: ViewOptions,
    saving: SaveOptions,
    topics: PublishOptions,
    ending: EndOptions,
    fast: bool,
    stats: bool,
    as_json: bool,
) -> int:
    """Show, save or print depth from SOURCE until Ctrl-C.

    SOURCE is sbs:0 (one device with both views), pair:0,2 (two), http:// or rtsp:// addresses, a
    video file, a folder of pairs, recording:DIR, bag:FILE or synthetic:room; docs/live.md has all.
    """
    messages = LiveMessages(as_json=as_json)
    view = _chosen_view(looking.view, as_json=as_json)
    saver, settings = _Saver(saving), _settings(match, depth, frames)
    camera = third.camera()
    with until_stopped(), ExitStack() as stack:
        wanted = opening.as_source_options(pace=not fast)
        opened = stack.enter_context(open_source(source, wanted, on_event=messages.event))
        if third.third is not None:
            images = open_third(third.third, wanted, messages.event, live=opened.live)
            opened = stack.enter_context(WithThird(opened, images, messages.event))
        peeked = WithFirstFrame(opened)
        calibration = settled(_calibration(rig, peeked), rig, lambda: peeked.first)
        rect = rectification(calibration, rig, peeked.view_size)
        wide, high = rect.size or peeked.view_size
        n = frames.decimate
        say_network(settings.matcher, settings.matcher_params, (wide // n, high // n))
        if camera is not None:
            registration(camera, rect)  # says now what is wrong
        tapped, switch = _recorded(stack, peeked, calibration, saving.record, view)
        live = stack.enter_context(
            LiveDepth(tapped, rect, settings, register_to=camera, on_event=messages.event)
        )
        viewer = stack.enter_context(_viewer(view, looking, live, saver, switch))
        watch = stack.enter_context(RigWatch(partial(messages.rig, source)))
        told = publishing(topics, tapped, rect, saving.max_relative_sigma)
        stack.callback(messages.end, live, stats=stats, published=told)
        stack.enter_context(told)
        _loop(live, viewer, saver, messages, ending, watch, told)
    return 0


def _loop(
    live: LiveDepth,
    viewer: Viewer,
    saver: _Saver,
    messages: LiveMessages,
    ending: EndOptions,
    watch: RigWatch,
    told: Publishing,
) -> None:
    end_s = time.monotonic() + (ending.duration_s or math.inf)
    shown = 0
    while not viewer.closed and time.monotonic() < end_s and shown != ending.max_frames:
        if viewer.paused and not live.source.live:  # nothing of a file passes unseen
            messages.paused()
            viewer.idle()
            time.sleep(_PAUSE_S)
            continue
        found = live.wait(_TICK_S)
        if found is not None:
            began_s = time.monotonic()
            viewer.show(found)
            watch.offer(found.result.pair)
            saver.maybe(found)
            told.offer(found.frame, found.result)
            show_s = time.monotonic() - began_s
            viewer.status(messages.frame(live, found, show_s, paused=viewer.paused))
            shown += 1
        elif live.ended:
            return
        else:  # a lost stream must not take keys and buttons with it
            viewer.status(messages.waiting())
            viewer.idle()


def _calibration(rig: RigOptions, source: WithFirstFrame) -> StereoRig | RectifiedRig | None:
    """As told, else as the source knows of itself; said once."""
    calibration = calibration_of(rig, source.view_size, source.calibration)
    if calibration is None:
        click.echo("note: no calibration, so disparity only; give --calib RIG", err=True)
    return calibration


def _settings(match: MatchOptions, depth: DepthOptions, frames: FrameOptions) -> LiveSettings:
    return LiveSettings(
        search=told_range(depth),
        matcher=chosen_matcher(match),
        matcher_params=match.params,
        refine=RefineParams(surfaces=depth.surfaces, fill=depth.fill),
        quality=match.quality,
        min_depth_m=depth.min_depth_m,
        max_depth_m=depth.max_depth_m,
        region=None if frames.roi is None else _region(frames.roi),
        decimate=frames.decimate,
        smooth=frames.smooth,
        max_fps=frames.max_fps,
        latency=frames.latency,
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
    folder: Path | None,
    view: str,
) -> tuple[StereoSource, RecordSwitch | None]:
    """The source, recorded as well: into a folder, or when the page's button says so."""
    if folder is not None:
        from stereo.sources.record import Recorder

        recorder = stack.enter_context(Recorder(folder, source, calibration=calibration))
        return stack.enter_context(WithListener(source, recorder.write)), None
    if view == "web":
        from stereo.cli.live_web import RecordSwitch

        switch = stack.enter_context(RecordSwitch(source, calibration))
        return stack.enter_context(WithListener(source, switch.take)), switch
    return source, None


def _chosen_view(asked: str | None, *, as_json: bool) -> str:
    """What was asked for; else a window where there is a display and a person, else nothing."""
    if asked == "window" and not has_display():
        raise InputError("--view window needs a display and there is none; use --view web or none")
    if asked is None:
        return "window" if has_display() and not as_json else "none"
    return asked


def _viewer(
    view: str, looking: ViewOptions, live: LiveDepth, saver: _Saver, switch: RecordSwitch | None
) -> Viewer:
    if view == "window":
        from stereo.viewers.window import WindowViewer

        return WindowViewer(saver.save, lambda: _next_matcher(live))
    if view == "web":
        from stereo.cli.live_web import web_viewer

        record = None if switch is None else switch.switch
        return web_viewer(live, saver.save, record, looking=looking)
    return NullViewer()


def _next_matcher(live: LiveDepth) -> str:
    """Change to the next of the matchers that are fast enough to be watched."""
    names = [name for name in ("sgm", "sgm-fast", "sgbm") if name in MATCHERS]
    now = live.settings.matcher
    after = names[(names.index(now) + 1) % len(names)] if now in names else names[0]
    live.change(matcher=after, matcher_params={}, quality=False)
    return after


class _Saver:
    """Writes chosen frames as ``stereo run`` does, each into a folder of its own."""

    def __init__(self, saving: SaveOptions) -> None:
        self._out, self._every = saving.out, saving.save_every
        self._names = output_names(saving.outputs or "depth,preview,left")
        check_output_names(self._names)
        self._due = 0
        self._cloud = CloudOptions(max_relative_sigma=saving.max_relative_sigma)
        if (self._every or saving.outputs) and self._out is None:
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
        write_outputs(folder, self._names, found.result, self._cloud)
        if found.depth is None or not {"cloud", "cloud-pcd"} & set(self._names):
            return str(folder)
        count = np.count_nonzero(doubtful(found.depth, self._cloud.max_relative_sigma))
        return f"{folder} ({count} doubtful points left out of the cloud)"
