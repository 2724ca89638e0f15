"""``stereo live`` as a user runs it, on a loopback stream of the sample clip."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from streams import MjpegCamera, encode, wait_for
from support import Cli, textured_pair

from stereo.cli.live import SaveOptions, _loop, _Saver
from stereo.cli.messages import LiveMessages
from stereo.cli.options import EndOptions
from stereo.frame import DisparityMap, RectifiedPair, StereoFrame
from stereo.live.depth import LiveDepth, LiveFrame
from stereo.live.watch import RigWatch
from stereo.preview import COLORMAPS
from stereo.publishing.publish import Publishing
from stereo.rectify import Rectification
from stereo.result import StereoResult
from stereo.sources import Event, SourceStats, open_source
from stereo.viewers import NullViewer
from stereo.viewers.window import ViewState, _lines, draw

REPO = Path(__file__).resolve().parents[2]
RIG = REPO / "sample_data" / "clip" / "rig.yaml"
NOBODY = Publishing([], live=True)
NONE = ("--view", "none", "--num-disparities", "64", "--no-surfaces")


@pytest.fixture(scope="module")
def camera() -> Iterator[MjpegCamera]:
    clip = cv2.VideoCapture(str(REPO / "sample_data" / "clip" / "room.mp4"))
    frames = []
    while len(frames) < 20:
        done, image = clip.read()
        assert done
        frames.append(encode(image[..., ::-1]))
    clip.release()
    with MjpegCamera(frames) as running:
        yield running


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_for_frames_events_and_the_end(cli: Cli, camera: MjpegCamera) -> None:
    done = cli("live", camera.url, "--calib", RIG, *NONE, "--json", "--max-frames", 4)
    assert done.code == 0, done.err
    said = lines(done.out)
    assert [line["type"] for line in said] == ["event", "frame", "frame", "frame", "frame", "end"]
    frame = said[2]
    assert 2 < frame["median_depth_m"] < 6  # type: ignore[operator]
    assert frame["valid_share"] > 0.5  # type: ignore[operator]
    assert frame["latency_ms"] > 0  # type: ignore[operator]
    assert said[-1]["frames"] == 4
    stages = ["wait", "rectify", "range", "prepare", "match", "refine", "judge", "depth"]
    assert list(frame["stages_ms"]) == stages  # type: ignore[call-overload]
    assert list(said[-1]["stages_95_ms"]) == stages  # type: ignore[call-overload]
    assert frame["show_ms"] > 0  # type: ignore[operator]


def test_a_pace_for_robots_and_for_batteries(cli: Cli, camera: MjpegCamera) -> None:
    done = cli(
        *("live", camera.url, "--calib", RIG, *NONE, "--stats", "--max-frames", 4),
        *("--latency", "--max-fps", 20),
    )
    assert done.code == 0, done.err
    table = done.err[done.err.index("ms of a frame") :]
    assert [line.split()[0] for line in table.splitlines()[1:4]] == ["wait", "rectify", "range"]
    assert "in all" in table
    assert "show" in table


def test_region_decimation_and_smoothing(cli: Cli, camera: MjpegCamera) -> None:
    done = cli(
        *("live", camera.url, "--calib", RIG, *NONE, "--json", "--max-frames", 3),
        *("--roi", "100,60,200,200", "--decimate", 2, "--smooth"),
    )
    assert done.code == 0, done.err
    frame = lines(done.out)[-2]
    assert 2 < frame["median_depth_m"] < 6  # type: ignore[operator]
    assert frame["smoothed_share"] > 0  # type: ignore[operator]


def test_frames_are_saved_as_run_saves_them(cli: Cli, camera: MjpegCamera, tmp_path: Path) -> None:
    done = cli(
        *("live", camera.url, "--calib", RIG, *NONE, "--max-frames", 2, "-o", tmp_path),
        *("--save-every", 1, "--outputs", "depth,cloud"),
    )
    assert done.code == 0, done.err
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == 2
    assert {file.name for file in folders[0].iterdir()} == {"depth_mm.png", "cloud.ply"}


def test_without_calibration_it_says_so_once(cli: Cli, camera: MjpegCamera) -> None:
    done = cli("live", camera.url, *NONE, "--max-frames", 3, "--stats")
    assert done.code == 0, done.err
    assert done.err.count("no calibration") == 1
    assert "match " in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--roi", "1,2,3"), "--roi wants X,Y,WIDTH,HEIGHT"),
        (("--size", "big"), "--size wants WIDTHxHEIGHT"),
        (("--save-every", "2"), "saving needs a folder"),
        (("-o", "x", "--outputs", "hologram"), "unknown output 'hologram'"),
        (("--decimate", "0"), "decimate must be 1 to 16"),
        (("--max-fps", "0"), "max_fps must be at least 0.01, got 0"),
        (("--max-fps", "nan"), "max_fps must be at least 0.01, got nan"),
        (("--min-disparity", "4", "--num-disparities", "auto"), "--min-disparity needs"),
        (("--roi", "400,300,200,200", "--calib", RIG), "does not fit the rectified image"),
    ],
)
def test_wrong_arguments(
    cli: Cli, camera: MjpegCamera, arguments: tuple[object, ...], words: str
) -> None:
    done = cli("live", camera.url, "--view", "none", *arguments)
    assert done.code == 2
    assert words in done.err


def test_a_window_without_a_display(
    cli: Cli, camera: MjpegCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    done = cli("live", camera.url, "--view", "window")
    assert done.code == 2
    assert "needs a display" in done.err


def test_a_camera_that_is_not_there(cli: Cli) -> None:
    done = cli("live", "sbs:99", "--view", "none")
    assert done.code == 1
    assert "/dev/video99: no such camera" in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
@pytest.mark.parametrize("stalled", [False, True], ids=["running", "stalled"])
def test_a_signal_ends_it_at_once(camera: MjpegCamera, number: int, stalled: bool) -> None:
    command = [sys.executable, "-m", "stereo.cli.main", "live", camera.url, *NONE, "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPO
    ) as process:
        assert process.stdout is not None
        while '"frame"' not in process.stdout.readline():
            assert process.poll() is None
        camera.behaviour.stalled = stalled
        try:
            time.sleep(0.3)
            start = time.monotonic()
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
        finally:
            camera.behaviour.stalled = False
        assert time.monotonic() - start < 3  # half a second, and a noisy machine's slack
    assert process.returncode == 0, err
    assert lines(out)[-1]["type"] == "end"
    assert "Traceback" not in err


class Idle(NullViewer):
    """Somebody who presses "stop" after having been asked so many times."""

    def __init__(self, patience: int) -> None:
        self.lines: list[str] = []
        self.asked, self._patience = 0, patience

    @property
    def closed(self) -> bool:  # type: ignore[override]
        return self.asked >= self._patience

    def status(self, text: str) -> None:
        self.lines.append(text)

    def idle(self) -> None:
        self.asked += 1


class Silent:
    """A camera that has stopped giving images."""

    name, live, calibration, stats = "silent", True, None, SourceStats()

    def __init__(self) -> None:
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[StereoFrame]:
        self.closed.wait(30)
        yield from ()

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize(("patience", "duration_s"), [(15, None), (10**6, 1.5)])
def test_a_silent_stream_leaves_buttons_and_duration_alive(
    patience: int, duration_s: float | None
) -> None:
    viewer, messages = Idle(patience), LiveMessages(as_json=True)
    messages.event(Event("lost", "left", "no more images", 0.0))
    saver = _Saver(SaveOptions())
    start = time.monotonic()
    ending = EndOptions(duration_s=duration_s)
    with LiveDepth(Silent(), None) as live, watch() as watching:  # type: ignore[arg-type]
        _loop(live, viewer, saver, messages, ending, watching, NOBODY)
    assert time.monotonic() - start < 10
    assert viewer.lines[0] == "waiting for the first frame"
    assert re.fullmatch(
        r"nothing new for [12] s \(lost: left: no more images\)", viewer.lines[-1]
    ), viewer.lines[-1]


def test_every_fourth_frame_is_saved_even_where_it_was_superseded(tmp_path: Path) -> None:
    saver = _Saver(SaveOptions(out=tmp_path, save_every=4, outputs="left"))
    for number in (0, 1, 3, 5, 6, 8, 15, 16):
        saver.maybe(replace(found(), number=number))
    assert [int(f.name[-6:]) for f in sorted(tmp_path.iterdir())] == [0, 5, 8, 15, 16]


def watch() -> RigWatch:
    return RigWatch(lambda _state: None, every_s=1000)


class Paused(NullViewer):
    """Somebody who pauses at the second frame, looks a while and goes on."""

    def __init__(self) -> None:
        self.shown: list[int] = []
        self.looked = 0

    @property
    def paused(self) -> bool:  # type: ignore[override]
        return len(self.shown) == 2 and self.looked < 20

    def show(self, frame: LiveFrame) -> None:
        self.shown.append(frame.number)

    def idle(self) -> None:
        self.looked += 1


def test_a_file_waits_while_paused(capsys: pytest.CaptureFixture[str]) -> None:
    viewer, messages = Paused(), LiveMessages(as_json=True)
    with (
        open_source(str(REPO / "sample_data" / "clip" / "room.mp4")) as source,
        LiveDepth(source, None) as live,
        watch() as watching,
    ):
        ending = EndOptions(max_frames=4)
        _loop(live, viewer, _Saver(SaveOptions()), messages, ending, watching, NOBODY)
        messages.end(live, stats=False, published=NOBODY)
    assert viewer.looked == 20
    assert viewer.shown == [0, 1, 2, 3]
    end = lines(capsys.readouterr().out)[-1]
    assert (end["frames"], end["dropped"], end["damaged"]) == (4, 0, 0)


def test_every_frame_of_a_recording_is_counted_and_so_is_what_is_damaged(
    cli: Cli, camera: MjpegCamera, tmp_path: Path
) -> None:
    recorded = tmp_path / "recorded"
    done = cli("live", camera.url, *NONE, "--json", "--max-frames", 6, "--record", recorded)
    assert done.code == 0, done.err
    end = lines(done.out)[-1]
    pairs = (recorded / "index.jsonl").read_text().splitlines()
    assert end["frames"] == 6
    assert len(pairs) >= 6  # pairs that a busy machine had no time for may be among them
    (recorded / "index.jsonl").write_text("\n".join([*pairs[:3], "{", *pairs[4:]]) + "\n")
    played = cli("live", f"recording:{recorded}", *NONE, "--fast")
    assert played.code == 0, played.err
    last = played.err.splitlines()[-1]
    assert last.startswith(f"{len(pairs) - 1} frames, ")
    assert last.endswith(" fps, 1 pair damaged")


def test_a_clip_ends_with_the_frames_it_has(cli: Cli) -> None:
    clip = REPO / "sample_data" / "clip" / "room.mp4"
    done = cli("live", clip, "--calib", RIG, *NONE, "--fast", "--decimate", 2)
    assert done.err.splitlines()[-1].startswith("60 frames, ")
    assert "dropped" not in done.err
    done = cli("live", clip, "--calib", RIG, *NONE, "--fast", "--max-frames", 1)
    assert done.err.splitlines()[-1] == "1 frame"


# --- the window ---------------------------------------------------------------------------------


def found(*, depth: bool = True) -> LiveFrame:
    pair = textured_pair(disparity=8, size=(320, 240))
    px = np.full((240, 320), 8, np.float32)
    px[:50] = 16
    disparity = DisparityMap(px, np.full_like(px, 0.9))
    from calib import RectifiedRig

    rect = Rectification.from_calibration(RectifiedRig((320, 240), 400.0, 0.1, 160, 160, 120))
    measured = rect.depth(disparity, RectifiedPair(pair.left, pair.right)) if depth else None
    frame = StereoFrame(pair.left, pair.right)
    return LiveFrame(0, frame, StereoResult(pair, disparity, measured))


@pytest.mark.parametrize("colormap", list(COLORMAPS))
def test_picture_has_both_halves_and_a_scale(colormap: str) -> None:
    picture = draw(found(), ViewState(colormap=colormap, status="15 fps"))
    assert picture.shape[1] == 640
    assert picture.shape[0] > 240 + 72
    near, far = picture[20, 400], picture[200, 400]
    assert not np.array_equal(near, far)
    assert draw(found(depth=False), ViewState()).shape[1] == 640


def test_marks_are_drawn_where_they_were_clicked() -> None:
    plain = draw(found(), ViewState())
    marked = draw(found(), ViewState(marks=((100.0, 120.0), (200.0, 60.0)), hover=(5.0, 5.0)))
    changed = np.argwhere((plain != marked).any(axis=2)[:240])
    assert changed[:, 1].min() in range(85, 101)
    assert changed[:, 1].max() in range(200, 215)


def test_paused_is_written_below_the_pictures() -> None:
    assert _lines(found(), ViewState(status="15 fps"))[1] == "15 fps"
    paused = ViewState(status="15 fps", paused=True)
    assert _lines(found(), paused)[1] == "PAUSED: space goes on   15 fps"
    assert (draw(found(), paused) != draw(found(), ViewState(status="15 fps"))).any()


def test_large_images_are_shown_smaller_and_marked_at_the_same_place() -> None:
    pair = textured_pair(disparity=8, size=(1600, 80))
    disparity = DisparityMap(*[np.full((80, 1600), v, np.float32) for v in (8, 0.9)])
    big = LiveFrame(0, StereoFrame(pair.left, pair.right), StereoResult(pair, disparity, None))
    plain, marked = draw(big, ViewState()), draw(big, ViewState(marks=((1000.0, 40.0),)))
    assert plain.shape[1] == 1600  # two halves of 800
    changed = np.argwhere((plain != marked).any(axis=2)[:40])
    assert changed.mean(axis=0) == pytest.approx([20, 500], abs=1)


@pytest.mark.skipif(
    not (shutil.which("Xvfb") and shutil.which("xdotool")),
    reason="needs Xvfb and xdotool: apt-get install xvfb xdotool",
)
def test_window_on_a_virtual_screen(camera: MjpegCamera, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stereo.cli.main", "live", camera.url, "--calib", str(RIG)]
    with virtual_screen() as environment:

        def tool(*arguments: str) -> str:
            done = subprocess.run(
                ["xdotool", *arguments], env=environment, capture_output=True, text=True
            )
            return done.stdout

        with (
            (tmp_path / "said.txt").open("w") as said,
            subprocess.Popen(
                [*command, "--view", "window", "-o", str(tmp_path / "out")],
                env=environment,
                stderr=said,
                cwd=REPO,
            ) as process,
        ):

            def until(condition: Callable[[], bool]) -> None:
                met = wait_for(lambda: condition() or process.poll() is not None, 90)
                assert met, (tmp_path / "said.txt").read_text()

            try:
                until(lambda: tool("search", "--name", "stereo live") != "")
                time.sleep(0.5)
                tool("mousemove", "100", "200", "click", "1")
                # keys reach the window only once it listens: press until it has saved
                until(lambda: bool(tool("key", "s") or any(tmp_path.rglob("preview.png"))))
                tool("key", "c", "key", "m", "key", "space", "key", "space")
                until(lambda: bool(tool("key", "q")))
            finally:
                if process.poll() is None:
                    process.terminate()
            assert process.wait(30) == 0, (tmp_path / "said.txt").read_text()
            assert any(tmp_path.rglob("preview.png")), (tmp_path / "said.txt").read_text()


@contextmanager
def virtual_screen() -> Iterator[dict[str, str]]:
    """The environment of a screen of its own: Xvfb chooses a number that nobody has.

    Without -noreset it starts anew whenever its last client leaves, as xdotool does after each
    look, and refuses who comes just then.
    """
    with subprocess.Popen(
        ["Xvfb", "-noreset", "-displayfd", "1", "-screen", "0", "1400x900x24"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as screen:
        try:
            assert screen.stdout is not None
            yield {**os.environ, "DISPLAY": f":{screen.stdout.readline().strip()}"}
        finally:
            screen.terminate()
