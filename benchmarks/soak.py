"""Hours in minutes: a live stream that fails again and again; what it leaves behind.

    python benchmarks/soak.py [--minutes 10]

Serves two MJPEG streams on loopback, breaks them in turn (killed, stalled, frozen, garbage, another
size), and computes depth all the while, with the reader pausing now and then. Prints memory,
descriptors, threads and latency every minute, and how long each recovery took after the stream was
back. Fails when a frame's two numbers differ or anything grows.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import sys
import threading
import time
from pathlib import Path

import numpy as np
from common import from_tests

from stereo.live.depth import LiveDepth, LiveFrame
from stereo.live.pipeline import LiveSettings
from stereo.matching import SearchRange
from stereo.sources import Event, SourceOptions, open_source
from stereo.synthetic import read_frame_number

streams = from_tests("streams")

FAULT_EVERY_S, FAULT_S = 12.0, 3.0


class Breaker:
    """Breaks cameras in turn and remembers when each was well again."""

    def __init__(self, cameras: list[streams.MjpegCamera]) -> None:
        self.cameras = cameras
        self.small = streams.numbered(200, (280, 210))
        self.faults = itertools.cycle(["killed", "stalled", "frozen", "garbage", "resized"])
        self.sides = itertools.cycle(range(len(cameras)))
        self.fault = ""
        self.frozen = False  # the picture's number stands still then, as it must
        self.well_s: float | None = None
        self.recoveries: dict[str, list[float]] = {}
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        for fault, side in zip(self.faults, self.sides, strict=False):
            time.sleep(FAULT_EVERY_S)
            camera, how = self.cameras[side], self.cameras[side].behaviour
            if fault == "killed":
                camera.kill()
                time.sleep(FAULT_S)
                camera.start()
            elif fault == "resized":
                for each in self.cameras:
                    each.behaviour.frames = self.small
                time.sleep(FAULT_S)
                for each in self.cameras:
                    each.behaviour.frames = []
            else:
                self.frozen = fault == "frozen"
                setattr(how, fault, True)
                time.sleep(FAULT_S)
                setattr(how, fault, False)
                time.sleep(0.2)  # what is under way
                self.frozen = False
            self.fault, self.well_s = fault, time.monotonic() - 0.2 * (fault == "frozen")

    def heard_of(self, found: LiveFrame) -> None:
        """A frame came: note how long after the cure, when it was taken after it."""
        if self.well_s is not None and found.frame.host_s > self.well_s:
            took = found.done_s - self.well_s
            self.recoveries.setdefault(self.fault, []).append(took)
            self.well_s = None


def state(latencies: list[float]) -> str:
    """Memory, descriptors, threads, latency, in words."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory = pages * resource.getpagesize() / 1e6
    latency = 1000 * float(np.median(latencies)) if latencies else float("nan")
    return (
        f"{memory:6.0f} MB  {len(list(Path('/proc/self/fd').iterdir())):3d} descriptors  "
        f"{threading.active_count():2d} threads  latency {latency:5.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    events: list[Event] = []
    now = time.monotonic()
    frames = streams.numbered(200)
    cameras = [streams.MjpegCamera(frames, started_s=now, seed=seed) for seed in (1, 2)]
    breaker = Breaker(cameras)
    options = SourceOptions(frozen_after_s=1.0)
    settings = LiveSettings(search=SearchRange(0, 32))
    wrong = count = 0
    latencies: list[float] = []
    spec = ",".join(camera.url for camera in cameras)
    with (
        open_source(spec, options, on_event=events.append) as source,
        LiveDepth(source, settings=settings) as live,
    ):
        end, next_line = now + 60 * arguments.minutes, now + 10
        for found in live:
            count += 1
            left, right = (read_frame_number(v) for v in (found.frame.left, found.frame.right))
            wrong += left != right and not breaker.frozen
            breaker.heard_of(found)
            latencies.append(found.latency_s)
            if count % 400 == 0:
                time.sleep(2.0)  # a reader that looks away
            if time.monotonic() > next_line:
                print(f"{time.monotonic() - now:5.0f} s  {state(latencies)}", flush=True)
                latencies.clear()
                next_line += 60
            if time.monotonic() > end:
                break
        print(f"{time.monotonic() - now:5.0f} s  {state(latencies)}")
        stats = source.stats
    print(
        f"{count} depth frames, {wrong} with two different numbers, {stats.reconnects} "
        f"reconnections, {stats.unpaired_left}+{stats.unpaired_right} unpaired images"
    )
    for fault, times in breaker.recoveries.items():
        print(f"  {fault:8} {len(times)} times; depth again after at most {max(times):.2f} s")
    for camera in cameras:
        camera.kill()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
