"""What a running command says: JSON lines for programs, a status line for people."""

from __future__ import annotations

import json
import math
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click
import numpy as np

from calib.plain import jsonable
from calib.words import fixed, length
from stereo.live.depth import LiveDepth, LiveFrame, LiveStats
from stereo.live.watch import RigState
from stereo.networks.session import used_networks
from stereo.proof import Proof
from stereo.publishing.publish import Publishing
from stereo.sources import Event


def print_event(event: Event) -> None:
    """Say that something happened to a source."""
    click.echo(event.line(), err=True)


def print_status(line: str, *, terminal: bool) -> None:
    """One line that the next overwrites on a terminal; elsewhere a line like any other."""
    click.echo(f"\r\x1b[K{line}" if terminal else line, err=True, nl=not terminal)


_RECENT = 60
_SILENT_S = 1.0
"""So long without a result is worth a word."""


class LiveMessages:
    """What ``stereo live`` says: JSON lines on stdout, or a status line on stderr."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._lock = threading.Lock()  # events come from capture threads
        self._terminal = sys.stderr.isatty()
        self._said_s = 0.0
        self._frames = self._damaged = 0
        self._show_ms: deque[float] = deque(maxlen=_RECENT)
        self._frame_s = time.monotonic()
        self._interval_s = 0.0
        self._status_line = "waiting for the first frame"
        self._event, self._event_s = "", -math.inf
        self._rig: RigState | None = None

    def rig(self, source: str, state: RigState) -> None:
        """The rig has moved, or is well again."""
        self._rig = state
        self.event(Event("moved", source, state.line(), time.monotonic()))

    def event(self, event: Event) -> None:
        """Something happened to a stream."""
        self._event, self._event_s = event.line(), time.monotonic()
        self._damaged += event.kind == "dropped"
        if self._as_json:
            self._print_json(
                {
                    "type": "event",
                    "kind": event.kind,
                    "stream": event.stream,
                    "message": event.message,
                    "time_s": event.time_s,
                }
            )
        else:
            self._line(self._event)

    def frame(
        self, live: LiveDepth, found: LiveFrame, show_s: float, *, paused: bool = False
    ) -> str:
        """A result; returns the status line, without saying that the viewer is ``paused``.

        ``show_s`` is how long showing it, saving it and sending it on took.
        """
        now = time.monotonic()
        self._interval_s = now - self._frame_s if self._frames else 0.0
        self._frame_s = now
        self._frames += 1
        self._show_ms.append(1000 * show_s)
        facts = _facts(live, found) | {
            "show_ms": 1000 * show_s,
            "rig_moved": self._rig is not None and self._rig.moved,
        }
        if self._as_json:
            self._print_json(facts)
        self._status_line = _status(facts)
        if self._rig is not None and self._rig.moved:
            self._status_line += f", RIG MOVED (rows {fixed(self._rig.row_error_px, 1)} px)"
        for line in _rejections(live.source.stats.rejected):
            self._status_line += f"; {_without_login(line)}"
        self._status(f"paused; {self._status_line}" if paused else self._status_line)
        return self._status_line

    def paused(self) -> None:
        """Nothing is read while the viewer is paused."""
        self._frame_s = time.monotonic()
        self._status("paused")

    def waiting(self) -> str:
        """No result came; returns the status line: the one before, until it is a silence."""
        silent_s = time.monotonic() - self._frame_s
        if silent_s < max(_SILENT_S, 2 * self._interval_s):
            return self._status_line
        why = (
            f" ({_without_login(self._event)})"
            if self._event and self._event_s > self._frame_s - 1
            else ""
        )
        said = f"nothing new for {silent_s:.0f} s{why}"
        self._status(said)
        return said

    def end(self, live: LiveDepth, *, stats: bool, published: Publishing) -> None:
        """What it came to."""
        source, depth = live.source.stats, live.stats
        facts = {
            "type": "end",
            "frames": self._frames,
            "dropped": depth.superseded + source.superseded,
            "damaged": self._damaged,
            "unpaired_left": source.unpaired_left,
            "unpaired_right": source.unpaired_right,
            "rejected": source.rejected,
            "reconnects": source.reconnects,
            "fps": depth.fps,
            "latency_ms": 1000 * depth.latency_s,
            "max_skew_ms": source.max_skew_ms,
            "jitter_ms": source.jitter_ms,
            "margin": source.margin,
            "confidence": source.confidence,
            "paired_by": source.paired_by,
            "stages_ms": dict(depth.stages_ms),
            "stages_95_ms": dict(depth.worst_ms),
            "show_ms": _spread(self._show_ms)[0],
            "networks": [network.times for network in used_networks()],
            "published": {name: asdict(each) for name, each in published.stats.items()},
        }
        if self._as_json:
            self._print_json(facts)
            return
        self._line(_ending(facts, live=live.source.live))
        if stats:
            for line in _stage_table(depth, _spread(self._show_ms)):
                self._line(line)
            for network in used_networks():
                self._line(f"  {network.times_in_words}")
            for name, each in published.stats.items():
                self._line(
                    f"  {name}: {each.published} published, {each.dropped} dropped for newer ones"
                )
            for line in _rejections(source.rejected):
                self._line(f"  {line}")
            if source.jitter_ms:
                self._line(
                    f"  images up to {source.jitter_ms:.1f} ms late, {source.margin:.0%} of a "
                    f"frame to spare, pairs certain to {source.confidence:.4%}, by "
                    f"{source.paired_by}"
                )

    def _print_json(self, facts: dict[str, Any]) -> None:
        with self._lock:
            click.echo(json.dumps(jsonable(facts)))

    def _status(self, text: str) -> None:
        """One line that is overwritten on a terminal; elsewhere one every five seconds."""
        now = time.monotonic()
        if self._as_json or now - self._said_s < (0.2 if self._terminal else 5.0):
            return
        self._said_s = now
        with self._lock:
            print_status(text, terminal=self._terminal)

    def _line(self, text: str) -> None:
        with self._lock:
            click.echo(f"\r\x1b[K{text}" if self._terminal else text, err=True)


def _spread(values: Sequence[float]) -> tuple[float, float]:
    """Median, and what 95 of 100 stay below; NaN of none."""
    return tuple(np.percentile(values, (50, 95))) if values else (math.nan, math.nan)


def _stage_table(depth: LiveStats, show_ms: tuple[float, float]) -> list[str]:
    """Where the time of a frame goes, milliseconds; showing goes on beside the next one's depth."""
    rows = {name: (ms, depth.worst_ms[name]) for name, ms in depth.stages_ms.items()}
    if not rows:
        return []
    if not math.isnan(depth.latency_s):
        rows["in all"] = 1000 * depth.latency_s, math.nan
    rows["show"] = show_ms
    lines = [f"  {'ms of a frame':14}   mean   95 %"]
    for name, (mean, worst) in rows.items():
        lines.append(f"  {name:14} {mean:6.1f}" + ("" if math.isnan(worst) else f" {worst:6.1f}"))
    return lines


def _ending(facts: dict[str, Any], *, live: bool) -> str:
    """The last line; what can only happen to cameras is left out for files."""
    parts = [_counted(facts["frames"], "frame")]
    if facts["fps"]:  # two frames or more
        parts.append(f"{facts['fps']:.1f} fps")
    if live:
        parts.append(f"{facts['dropped']} dropped for newer ones")
    if facts["damaged"]:
        parts.append(f"{_counted(facts['damaged'], 'pair')} damaged")
    if unpaired := facts["unpaired_left"] + facts["unpaired_right"]:
        parts.append(f"{_counted(unpaired, 'image')} without partner")
    if facts["reconnects"]:
        parts.append(_counted(facts["reconnects"], "reconnection"))
    return ", ".join(parts)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _rejections(rejected: Mapping[str, Mapping[str, int]]) -> list[str]:
    """A line for each stream: how many of its images were no good, and why."""
    return [
        f"images of {stream} rejected: " + ", ".join(f"{n} {why}" for why, n in reasons.items())
        for stream, reasons in rejected.items()
    ]


def _without_login(text: str) -> str:
    """For a page that others may see, who shall not have a camera's password."""
    return re.sub(r"(://)[^/\s]*@", r"\1", text)


def _status(facts: dict[str, Any]) -> str:
    depth = facts["median_depth_m"]
    parts = [f"{facts['fps']:.1f} fps"] if facts["fps"] else []
    parts.append(f"{facts['valid_share']:.0%} matched")
    if not math.isnan(depth):
        parts.append(f"median {length(depth)}")
    if not math.isnan(facts["latency_ms"]):
        parts.append(f"latency {facts['latency_ms']:.0f} ms")
    if abs(facts["skew_ms"]) >= 0.05:  # else it reads 0.0 or -0.0
        parts.append(f"skew {facts['skew_ms']:.1f} ms")
    if facts["smoothed_share"]:
        parts.append(f"{facts['smoothed_share']:.0%} smoothed")
    return ", ".join(parts)


def _proof(proof: Proof | None) -> dict[str, Any]:
    """Why two images of two streams are a pair; nothing of images that come together."""
    if proof is None:
        return {}
    return {
        "jitter_ms": 1000 * proof.jitter_s,
        "margin": proof.margin,
        "confidence": proof.confidence,
        "paired_by": proof.by,
    }


def _facts(live: LiveDepth, found: LiveFrame) -> dict[str, Any]:
    depth = found.depth
    some = np.empty(0) if depth is None else depth.depth_m[::4, ::4]  # all would take 4 ms
    known = some[np.isfinite(some)]
    return {
        "type": "frame",
        "number": found.number,
        "time_s": found.frame.time_s,
        "skew_ms": 1000 * found.frame.skew_s,
        **_proof(found.frame.proof),
        "fps": live.fps,
        "latency_ms": 1000 * found.latency_s,
        "valid_share": found.result.disparity.valid_share,
        "median_depth_m": float(np.median(known)) if known.size else math.nan,
        "smoothed_share": found.smoothed_share,
        "stages_ms": {name: 1000 * took for name, took in found.stages_s.items()},
    }
