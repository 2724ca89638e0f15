"""Depth from a running camera: where the time of a frame goes, frames a second, delay, power.

    python benchmarks/live.py [--seconds 4] [--repeats 3] [--sizes 640x480x64 ...] [--no-surfaces]

The camera is in memory: raw colour pairs of the sample room with fresh noise, always one ready,
so what is timed starts at the decoded frame and ends at depth, error bar and cloud. Runs are
interleaved with OpenCV's 3WAY matching alone (padded, gray, rectified), medians are printed: the
ratio to it says more than frames a second on a busy computer, and so does CPU, what all threads of
this process use per frame. "in turn" does the stages one after another without threads, and is what
the table of stages is from; faults are page faults a frame, none where memory is used again. The
window is shown where there is a display (try xvfb-run); for the browser there is
benchmarks/web_viewer.py. ``--moving`` shifts the picture by a pixel a frame: nothing stands.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from common import interleaved

from calib import StereoRig
from stereo.display import has_display
from stereo.frame import StereoFrame
from stereo.gray import to_gray
from stereo.live.depth import LiveDepth
from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.matching import SearchRange
from stereo.rectify import Rectification
from stereo.refining.refine import RefineParams
from stereo.sources import SourceStats
from stereo.synthetic import ROOM_POSE, make_sample_rig, render_pair, room_scene
from stereo.viewers import NullViewer, Viewer

SIZES = ["640x480x64", "1280x720x128", "1920x1080x192"]
CAMERA_FPS, SAVING_FPS = 30.0, 15.0
FRAMES = 8


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

    frame_ms: float
    cpu_ms: float = math.nan
    latency_s: float = math.nan
    worst_s: float = math.nan
    faults: float = math.nan
    stages_ms: Mapping[str, float] = field(default_factory=dict)


def frames_of(rig: StereoRig, *, moving: bool) -> list[StereoFrame]:
    rendered = render_pair(room_scene(), rig, ROOM_POSE, samples=1)
    rng = np.random.default_rng(0)

    def noisy(image: np.ndarray, shift: int) -> np.ndarray:
        image = np.roll(image, shift, axis=0)
        return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)

    shifts = range(FRAMES) if moving else [0] * FRAMES
    return [StereoFrame(noisy(rendered.left, k), noisy(rendered.right, k)) for k in shifts]


class Meter:
    """Counts frames, and what they cost in time, processor and page faults."""

    def __init__(self) -> None:
        self.count, self._start_s, self._cpu_s = 0, time.perf_counter(), time.process_time()
        self._faults = self._faults_now()

    def took_s(self) -> float:
        return time.perf_counter() - self._start_s

    def run(self) -> Run:
        cpu_ms = 1000 * (time.process_time() - self._cpu_s) / self.count
        faults = (self._faults_now() - self._faults) / self.count
        return Run(1000 * self.took_s() / self.count, cpu_ms, faults=faults)

    @staticmethod
    def _faults_now() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def matching_alone(rig: StereoRig, frame: StereoFrame, disparities: int, seconds: float) -> Run:
    """OpenCV's 3WAY, on what LivePipeline's matcher gets."""
    pair = Rectification.from_rig(rig).apply(frame)
    left, right = (
        cv2.copyMakeBorder(to_gray(view), 0, 0, disparities, 0, cv2.BORDER_REPLICATE)
        for view in (pair.left, pair.right)
    )
    mode = cv2.StereoSGBM_MODE_SGBM_3WAY
    matcher = cv2.StereoSGBM_create(0, disparities, 3, P1=72, P2=288, mode=mode)
    matcher.compute(left, right)
    meter = Meter()
    while meter.took_s() < seconds:
        matcher.compute(left, right)
        meter.count += 1
    return meter.run()


def in_turn(camera: MemoryCamera, settings: LiveSettings, seconds: float) -> Run:
    """Without threads: what a simple loop would do."""
    pipeline = LivePipeline(Rectification.from_rig(camera.calibration), settings)
    frames = iter(camera)
    for _ in range(4):
        pipeline.process(next(frames))[0].cloud()
    meter, stages = Meter(), []
    while meter.took_s() < seconds:
        result, took = pipeline.process(next(frames))
        start_s = time.perf_counter()
        result.cloud()
        stages.append({**took, "cloud": time.perf_counter() - start_s})
        meter.count += 1
    stages_ms = {name: 1000 * float(np.median([t[name] for t in stages])) for name in stages[0]}
    return replace(meter.run(), stages_ms=stages_ms)


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
        meter = Meter()
        for found in depth:
            found.result.cloud()
            shown.show(found)
            latencies.append(time.monotonic() - found.frame.host_s)
            meter.count += 1
            if meter.took_s() > seconds:
                break
        run = meter.run()
    median, worst = (float(np.percentile(latencies, share)) for share in (50, 95))
    return replace(run, latency_s=median, worst_s=worst)


def window() -> AbstractContextManager[Viewer]:
    from stereo.viewers.window import WindowViewer

    return WindowViewer(lambda _: "", lambda: "")


def bench(size: str, arguments: argparse.Namespace) -> None:
    width, height, disparities = (int(part) for part in size.split("x"))
    seconds = arguments.seconds
    rig = make_sample_rig((width, height))
    frames = frames_of(rig, moving=arguments.moving)
    settings = LiveSettings(
        search=SearchRange(0, disparities), refine=RefineParams(surfaces=not arguments.no_surfaces)
    )

    def camera(fps: float | None = None) -> MemoryCamera:
        return MemoryCamera(rig, frames, fps)

    runs: dict[str, Callable[[], Run]] = {
        "3WAY alone": lambda: matching_alone(rig, frames[0], disparities, seconds / 2),
        "in turn": lambda: in_turn(camera(), settings, seconds),
        "live": lambda: live(camera(), settings, seconds),
        f"{CAMERA_FPS:g} fps": lambda: live(camera(CAMERA_FPS), settings, seconds),
        f"{SAVING_FPS:g} fps": lambda: live(camera(SAVING_FPS), settings, seconds),
        f"{CAMERA_FPS:g} fps --latency": lambda: live(
            camera(CAMERA_FPS), replace(settings, latency=True), seconds
        ),
    }
    if has_display():
        runs["live + window"] = lambda: live(camera(), settings, seconds, window())
    found = interleaved(runs, arguments.repeats, warm_up=False)  # each run warms up by itself
    ways = "planes off" * arguments.no_surfaces or "planes on"
    print(f"\n{size}, {ways}, the picture {'moves' if arguments.moving else 'stands'}")
    print(
        f"  {'':17} {'fps':>6} {'of 3WAY':>8} {'CPU ms':>7} {'of a core':>9} {'faults':>7}  delay"
    )
    alone = found["3WAY alone"]
    for name, results in found.items():
        ratio = ratio_of([r.frame_ms for r in results], alone)
        run = middle(results)
        print(
            f"  {name:17} {1000 / run.frame_ms:6.1f} {ratio:8.2f} {run.cpu_ms:7.1f} "
            f"{run.cpu_ms / run.frame_ms:9.0%} {run.faults:7.1f}" + delay(run),
            flush=True,
        )
    print(f"  {'stage':17} {'ms':>6} {'of 3WAY':>8}")
    turns = found["in turn"]
    for stage in turns[0].stages_ms:
        each = [run.stages_ms[stage] for run in turns]
        print(f"  {stage:17} {np.median(each):6.2f} {ratio_of(each, alone):8.3f}")


def ratio_of(times_ms: Sequence[float], alone: Sequence[Run]) -> float:
    """Median over the repeats, each against its neighbour."""
    return float(np.median([ms / b.frame_ms for ms, b in zip(times_ms, alone, strict=True)]))


def middle(results: Sequence[Run]) -> Run:
    """Each figure's median."""
    names = ("frame_ms", "cpu_ms", "latency_s", "worst_s", "faults")
    return Run(**{n: float(np.median([getattr(result, n) for result in results])) for n in names})


def delay(run: Run) -> str:
    """Median and 95 %, also in frame times of the camera."""
    if math.isnan(run.latency_s):
        return ""
    times = (run.latency_s * CAMERA_FPS, run.worst_s * CAMERA_FPS)
    return (
        f"  {1000 * run.latency_s:.0f} ms, 95 % {1000 * run.worst_s:.0f}; in frames of "
        f"{CAMERA_FPS:g} fps {times[0]:.2f} ({times[1]:.2f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="WIDTHxHEIGHTxDISPARITIES")
    parser.add_argument("--no-surfaces", action="store_true", help="without planes")
    parser.add_argument("--moving", action="store_true", help="the picture moves")
    arguments = parser.parse_args()
    print(
        f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}; latency: from frame to cloud shown"
    )
    for size in arguments.sizes:
        bench(size, arguments)


if __name__ == "__main__":
    main()
