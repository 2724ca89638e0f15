"""One bad image, or a few, in a healthy stream: dropped, counted, told, and the stream goes on."""

from __future__ import annotations

import contextlib
import threading
import time
from http.server import BaseHTTPRequestHandler

import cv2
import numpy as np
import pytest
from bad_parts import PeakMemory, announcing, bad_parts, flipped, png
from numpy.typing import NDArray
from streams import MjpegCamera, encode, numbered, wait_for

from stereo.errors import SourceError, StereoError
from stereo.native import find_native
from stereo.sources import Event, SourceOptions, open_source
from stereo.sources.capture import VideoCapture, connect
from stereo.sources.jpeg import Coded, Decoder, RejectedImage, coded, fault
from stereo.sources.stream import Patience, Stream
from stereo.threads import MONOTONIC

GOOD = encode(np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8))
CODED: list[list[int]] = [
    [],
    [cv2.IMWRITE_JPEG_QUALITY, 5],
    [cv2.IMWRITE_JPEG_QUALITY, 100],
    [cv2.IMWRITE_JPEG_RST_INTERVAL, 1],
    [cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 5],
    [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411],
    [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422],
    [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440],
    [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
]
needs_native = pytest.mark.skipif(find_native() is None, reason="native module not built")


# --- before decoding ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jpeg", "why"),
    [
        (GOOD, None),
        (GOOD + b"\0\0", None),  # some cameras pad
        (announcing(65500, 65500, GOOD), "too large"),
        (announcing(32000, 32000, GOOD), "too large"),
        (announcing(6000, 6000, GOOD), "damaged"),  # no such image fits into so few bytes
        (announcing(1, 1, GOOD), "too small"),
        (announcing(0, 0, GOOD), "too small"),
        (GOOD[: len(GOOD) // 2], "damaged"),
        (GOOD[:-2], None if find_native() else "damaged"),  # every block is there
        (GOOD[:10] + GOOD[12:], "damaged"),
        (GOOD[:-400] + b"\xff\xc4" + GOOD[-398:], "damaged"),
        (GOOD[:-400] + b"\xff\xd3" + GOOD[-398:], "damaged"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (b"GIF89a" + GOOD, "damaged"),
        (b"", "damaged"),
    ],
)
def test_a_jpeg_is_judged_by_what_it_says(jpeg: bytes, why: str | None) -> None:
    assert fault(jpeg) == why


def test_any_cut_is_found_and_no_spoilt_byte_raises() -> None:
    assert all(fault(GOOD[:length]) == "damaged" for length in range(0, len(GOOD) - 2, 7))
    rng = np.random.default_rng(0)
    for _ in range(500):
        spoilt = bytearray(GOOD)
        for at in rng.integers(0, len(GOOD), 3):
            spoilt[at] ^= 1 << int(rng.integers(8))
        assert fault(bytes(spoilt)) in (None, "damaged", "too large", "too small")


# --- in a stream --------------------------------------------------------------------------------

Script = list[object]  # images, exceptions, or None for a break


class Played:
    """A capture that gives what a script says, once."""

    exact = False
    stamp = None

    def __init__(self, script: Script) -> None:
        self._left = list(script)
        self.ended = threading.Event()

    def connect(self) -> Played:
        if self.ended.is_set():
            raise SourceError("nobody answers")
        return self

    def read(self) -> tuple[NDArray[np.uint8], float] | None:
        if not self._left:
            return None
        item = self._left.pop(0)
        if isinstance(item, Exception):
            raise item
        return item, 0.0  # type: ignore[return-value]

    def release(self) -> None:
        self.ended.set()


def play(script: Script, refuse: tuple[int, int] = (0, 0)) -> tuple[Stream, list[int], list[Event]]:
    """The stream, the width of each image delivered, and the events."""
    widths: list[int] = []
    events: list[Event] = []
    failures: list[StereoError] = []

    def deliver(image: NDArray[np.uint8], _time: float, _capture: object) -> None:
        if image.shape == refuse:
            raise SourceError("odd")
        widths.append(image.shape[1])

    played = Played(script)
    stream = Stream(
        "it",
        played.connect,
        deliver=deliver,
        on_event=events.append,
        on_failure=failures.append,
        patience=Patience(None, None),
        clock=MONOTONIC,
    )
    assert played.ended.wait(10)
    stream.stop()
    stream.join(10)
    assert not failures
    return stream, widths, events


def image(width: int = 32, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 255, (32, width), dtype=np.uint8)


HEALTHY: Script = [image(seed=k) for k in range(8)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ([np.zeros((1, 1), np.uint8)] * 3, "too small"),
        ([image(33)] * 3, "another size"),
        ([image(64), image(32), image(64), image(32), image(48)], "another size"),
        ([ValueError("a decoder's own")] * 3, "ValueError in reading it"),
    ],
    ids=["1x1", "odd width", "alternating", "an exception"],
)
def test_a_few_bad_images_are_dropped_counted_and_told(bad: Script, reason: str) -> None:
    stream, widths, events = play(HEALTHY + bad + HEALTHY)
    assert set(widths[:15]) == {32}
    assert stream.rejected[reason] >= 3
    assert next(e.message for e in events if e.kind == "dropped").endswith(reason)
    assert "resized" not in [event.kind for event in events]


def test_a_small_first_image_is_not_what_others_are_measured_by() -> None:
    stream, widths, _ = play([image(16), *HEALTHY])
    assert set(widths[:7]) == {32}
    assert stream.rejected["another size"] == 1


def test_a_size_that_stays_is_taken() -> None:
    _, widths, events = play([*HEALTHY, *(image(64, seed=k) for k in range(9))])
    assert widths == [32] * 7 + [64] * 5
    assert "resized" in [event.kind for event in events]


def test_what_the_receiver_refuses_ends_no_stream() -> None:
    stream, widths, _ = play(HEALTHY + [image(34, seed=k) for k in range(7)], refuse=(32, 34))
    assert set(widths) == {32}
    assert stream.rejected["odd"] >= 3


# --- for real -----------------------------------------------------------------------------------

VIEWS = numbered(50, views=2)
BAD_PARTS = bad_parts(VIEWS[0])


@pytest.mark.parametrize("what", BAD_PARTS)
def test_whatever_a_server_sends_costs_only_itself(what: str) -> None:
    events: list[Event] = []
    with (
        MjpegCamera(VIEWS) as camera,
        open_source(camera.url, SourceOptions(), on_event=events.append) as source,
    ):
        frames = iter(source)
        next(frames)
        memory = PeakMemory()
        camera.behaviour.instead = BAD_PARTS[what]
        told = {"dropped", "lost"}
        assert wait_for(lambda: told & {event.kind for event in events})
        camera.behaviour.instead = []
        since_s = time.monotonic()
        for _ in range(3):
            assert next(frames).left.shape == (240, 320)
        assert time.monotonic() - since_s < 10  # 3 s where nothing else runs
        assert memory.grown() < 300e6
        assert sum(sum(n.values()) for n in source.stats.rejected.values()) or "lost" in [
            event.kind for event in events
        ]


def test_a_small_first_image_over_the_network() -> None:
    with MjpegCamera(VIEWS) as camera:
        camera.behaviour.fps = 5.0
        camera.behaviour.frames = numbered(1, (256, 48), views=2)
        threading.Timer(0.5, setattr, (camera.behaviour, "frames", [])).start()
        with open_source(camera.url, SourceOptions()) as source:
            frames = iter(source)
            assert wait_for(lambda: next(frames).left.shape == (240, 320))


class Pipe(MjpegCamera):
    """Images one after the other, without parts: FFmpeg reads them."""

    kind = "image/png"

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", self.kind)
        handler.end_headers()
        with contextlib.suppress(OSError):
            for number in range(10**6):
                handler.wfile.write(self.frames[number % len(self.frames)])
                time.sleep(0.02)


def test_images_that_ffmpeg_decodes_are_kept_small_too() -> None:
    good, options = [png(640, 240)] * 2, SourceOptions(read_timeout_s=1.0)
    with Pipe([png(16000, 16000)]) as camera:
        memory = PeakMemory()
        with pytest.raises(SourceError, match=r"too large|cannot be opened"):
            open_source(camera.url, options)
        camera.frames = good
        capture = connect(camera.url, options)
        for _ in range(3):
            assert capture.read() is not None
        camera.frames = [png(16000, 16000)]
        assert wait_for(lambda: capture.read() is None)  # and is connected anew
        capture.release()
        assert memory.grown() < 300e6


@needs_native
def test_spoilt_bits_are_found() -> None:
    """benchmarks/jpeg_flips.py says how many over encoders, and what those do that are not."""
    one = sum(coded(flipped(VIEWS[0], seed)) != Coded.WHOLE for seed in range(300))
    burst = 0
    for seed in range(300):
        data = bytearray(VIEWS[0])
        at = 700 + seed * (len(data) - 800) // 300
        data[at : at + 40] = np.random.default_rng(seed).bytes(40).replace(b"\xff", b"\0")
        burst += coded(bytes(data)) != Coded.WHOLE
    assert one > 60
    assert burst > 280


@needs_native
@pytest.mark.parametrize("params", CODED, ids=str)
@pytest.mark.parametrize("shape", [(64, 96, 3), (17, 33, 3), (63, 95)], ids=str)
def test_no_good_jpeg_is_called_spoilt(shape: tuple[int, ...], params: list[int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    for picture in (noise, np.zeros_like(noise), np.full_like(noise, 255)):
        done, data = cv2.imencode(".jpg", picture, params)
        assert done
        jpeg = data.tobytes()
        progressive = cv2.IMWRITE_JPEG_PROGRESSIVE in params
        for form in (jpeg, jpeg + bytes(50), jpeg + jpeg[:99]):
            assert fault(form) is None
            assert coded(form) == (Coded.UNREAD if progressive else Coded.WHOLE)
        if not progressive:
            assert fault(jpeg[:-2]) is None  # some cameras leave out the end
            cut = jpeg[:-8]
            assert coded(cut) == Coded.BROKEN
            assert fault(cut) == "damaged"


@needs_native
def test_a_cameras_own_way_is_no_damage() -> None:
    odd = GOOD[:-2] + bytes(3) + GOOD[-2:]  # bytes that belong to no block, in every image
    assert coded(odd) == Coded.SURPLUS
    decoder = Decoder()
    for _ in range(40):
        decoder.decode(odd)
    decoder = Decoder()
    for _ in range(20):
        decoder.decode(GOOD)
    with pytest.raises(RejectedImage, match="damaged"):
        decoder.decode(odd)


@needs_native
def test_no_bytes_bring_the_walk_down() -> None:
    rng = np.random.default_rng(0)
    for _ in range(3000):
        spoilt = bytearray(GOOD)
        for at in rng.integers(0, int(rng.choice([700, len(GOOD)])), 4):
            spoilt[at] = int(rng.integers(256))
        assert coded(bytes(spoilt[: int(rng.integers(len(GOOD)))])) in Coded
        assert coded(bytes(spoilt)) in Coded


# --- a device -----------------------------------------------------------------------------------


def test_a_devices_jpegs_are_looked_at_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        """As cv2.VideoCapture with V4L2: raw where no conversion is wanted."""

        def __init__(self, *_: object) -> None:
            self.told: dict[int, float] = {}
            self.left = [GOOD, GOOD[:500], GOOD]

        def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
            return True

        def get(self, prop: int) -> float:
            return cv2.VideoWriter.fourcc(*"MJPG") if prop == cv2.CAP_PROP_FOURCC else 0.0

        def set(self, prop: int, value: float) -> bool:
            self.told[prop] = value
            return True

        def grab(self) -> bool:
            return bool(self.left)

        def retrieve(self) -> tuple[bool, NDArray[np.uint8]]:
            assert self.told[cv2.CAP_PROP_CONVERT_RGB] == 0
            return True, np.frombuffer(self.left.pop(0), np.uint8)[None]

        def release(self) -> None: ...

    monkeypatch.setattr(cv2, "VideoCapture", Device)
    capture = VideoCapture("/dev/null", SourceOptions())
    found = capture.read()
    assert found is not None
    assert found[0].shape == (64, 96, 3)
    with pytest.raises(RejectedImage, match="damaged"):
        capture.read()
    assert capture.read() is not None
    assert capture.read() is None
