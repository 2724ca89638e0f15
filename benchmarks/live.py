"""Depth from a running camera: frames a second, delay, and what looking at it costs.

    python benchmarks/live.py [--seconds 4] [--repeats 3] [--sizes 640x480x64 ...] [--no-surfaces]

The camera is in memory: raw colour pairs of the sample room with fresh noise, always one ready,
so what is timed starts at the decoded frame and ends at depth, error bar and cloud. Runs are
interleaved, medians are printed. "in turn" does the stages one after another without threads;
the window is shown where there is a display (try xvfb-run); for the browser there is
benchmarks/web_viewer.py. CPU is what all threads of this process use per frame: on a busy computer
it says more than frames a second do.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace

import numpy as np
from common import interleaved

from calib import StereoRig
from stereo.display import has_display
from stereo.frame import StereoFrame
from stereo.live.depth import LiveDepth
from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.matching import SearchRange
from stereo.rectify import Rectification
from stereo.refining.refine import RefineParams
from stereo.sources import SourceStats
from stereo.synthetic import ROOM_POSE, make_sample_rig, render_pair, room_scene
from stereo.viewers import NullViewer, Viewer

SIZES = ["640x480x64", "1280x720x128"]
CAMERA_FPS = 30.0


class MemoryCamera:
    """Gives decoded pairs, the newest one first."""

    name, live = "memory", True

    def __init__(self, rig: StereoRig, frames: list[StereoFrame], fps: float | None) -> None:
        """``fps`` None: a new pair is there whenever one is asked for."""
        self.calibration = rig
        self.stats = SourceStats()
        self._frames, self._fps, self._closed = frames, fps, False

    def __iter__(self) -> Iterator[StereoFrame]:
        start_s, number = time.monotonic(), 0
        while not self._closed:
            now = time.monotonic()
            if self._fps is not None:
                due_s = start_s + number / self._fps
                if now < due_s:
                    time.sleep(due_s - now)
                number = int((time.monotonic() - start_s) * self._fps)
                now = start_s + number / self._fps
            yield replace(self._frames[number % len(self._frames)], time_s=now, host_s=now)
            number += 1

    def close(self) -> None:
        """No more frames."""
        self._closed = True

    def __enter__(self) -> MemoryCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Run:
    """What one run came to."""

    fps: float
    cpu_ms: float
    latency_s: float = float("nan")
    worst_s: float = float("nan")


def frames_of(rig: StereoRig) -> list[StereoFrame]:
    rendered = render_pair(room_scene(), rig, ROOM_POSE, samples=1)
    rng = np.random.default_rng(0)

    def noisy(image: np.ndarray) -> np.ndarray:
        return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)

    return [StereoFrame(noisy(rendered.left), noisy(rendered.right)) for _ in range(4)]


def in_turn(camera: MemoryCamera, settings: LiveSettings, seconds: float) -> Run:
    """Without threads: what a simple loop would do."""
    pipeline = LivePipeline(Rectification.from_rig(camera.calibration), settings)
    frames = iter(camera)
    pipeline.process(next(frames))
    count, start, cpu = 0, time.perf_counter(), time.process_time()
    while (took := time.perf_counter() - start) < seconds:
        pipeline.process(next(frames))[0].cloud()
        count += 1
    return Run(count / took, 1000 * (time.process_time() - cpu) / count)


def live(
    camera: MemoryCamera,
    settings: LiveSettings,
    seconds: float,
    viewer: AbstractContextManager[Viewer] | None = None,
) -> Run:
    """As ``stereo live`` does: results come from a worker, the reader makes the cloud and shows."""
    latencies = []
    with ExitStack() as stack:
        depth = stack.enter_context(LiveDepth(camera, None, settings))
        shown = stack.enter_context(viewer or NullViewer())
        for found in depth:  # the first ones set up buffers and window
            shown.show(found)
            if found.number >= 3:
                break
        count, start, cpu = 0, time.perf_counter(), time.process_time()
        for found in depth:
            found.result.cloud()
            shown.show(found)
            latencies.append(time.monotonic() - found.frame.host_s)
            count += 1
            if (took := time.perf_counter() - start) > seconds:
                break
        cpu_s = time.process_time() - cpu
    median, worst = (float(np.percentile(latencies, share)) for share in (50, 95))
    return Run(count / took, 1000 * cpu_s / count, median, worst)


def window() -> AbstractContextManager[Viewer]:
    from stereo.viewers.window import WindowViewer

    return WindowViewer(lambda _: "", lambda: "")


def bench(size: str, seconds: float, repeats: int, *, surfaces: bool) -> None:
    width, height, disparities = (int(part) for part in size.split("x"))
    rig = make_sample_rig((width, height))
    frames = frames_of(rig)
    settings = LiveSettings(
        search=SearchRange(0, disparities), refine=RefineParams(surfaces=surfaces)
    )

    def camera(fps: float | None = None) -> MemoryCamera:
        return MemoryCamera(rig, frames, fps)

    runs: dict[str, Callable[[], Run]] = {
        "in turn": lambda: in_turn(camera(), settings, seconds),
        "live": lambda: live(camera(), settings, seconds),
        f"live, {CAMERA_FPS:g} fps": lambda: live(camera(CAMERA_FPS), settings, seconds),
    }
    if has_display():
        runs["live + window"] = lambda: live(camera(), settings, seconds, window())
    found = interleaved(runs, repeats, warm_up=False)  # each run warms up by itself
    print(f"{size}, planes {'on' if surfaces else 'off'}")
    print(f"  {'':16} {'fps':>6} {'of live':>8} {'CPU ms':>7} {'latency':>9} {'95 %':>6}  frames")
    alone = found["live"]
    for name, results in found.items():
        ratio = float(np.median([a.fps / b.fps for a, b in zip(results, alone, strict=True)]))
        fps, cpu_ms, median_s, worst_s = (
            float(np.median([getattr(result, field) for result in results]))
            for field in ("fps", "cpu_ms", "latency_s", "worst_s")
        )
        print(
            f"  {name:16} {fps:6.1f} {ratio:8.2f} {cpu_ms:7.1f} {1000 * median_s:6.0f} ms "
            f"{1000 * worst_s:6.0f}  {median_s * fps:.2f} ({worst_s * fps:.2f})",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="WIDTHxHEIGHTxDISPARITIES")
    parser.add_argument("--no-surfaces", action="store_true", help="without planes")
    arguments = parser.parse_args()
    print(
        f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}; latency: from frame to cloud shown"
    )
    for size in arguments.sizes:
        bench(size, arguments.seconds, arguments.repeats, surfaces=not arguments.no_surfaces)


if __name__ == "__main__":
    main()
