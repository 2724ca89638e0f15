"""One bad image, or a few, in a healthy stream: dropped, counted, told, and the stream goes on."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray
from streams import MjpegCamera, encode, numbered, wait_for

from stereo.errors import SourceError, StereoError
from stereo.sources import Event, SourceOptions, open_source
from stereo.sources.jpeg import fault
from stereo.sources.stream import Patience, Stream
from stereo.threads import MONOTONIC

GOOD = encode(np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8))


def announcing(width: int, height: int, jpeg: bytes = GOOD) -> bytes:
    """The JPEG, its header saying another size."""
    at = jpeg.index(b"\xff\xc0")
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return jpeg[: at + 5] + size + jpeg[at + 9 :]


# --- before decoding ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jpeg", "why"),
    [
        (GOOD, None),
        (GOOD + b"\0\0", None),  # some cameras pad
        (announcing(65500, 65500), "too large"),
        (announcing(32000, 32000), "too large"),
        (announcing(6000, 6000), "damaged"),  # no such image fits into so few bytes
        (announcing(1, 1), "too small"),
        (announcing(0, 0), "too small"),
        (GOOD[: len(GOOD) // 2], "damaged"),
        (GOOD[:-2], "damaged"),
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
    assert all(fault(GOOD[:length]) == "damaged" for length in range(0, len(GOOD) - 1, 7))
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


@pytest.mark.parametrize(
    "bomb",
    [announcing(65500, 65500), announcing(32000, 32000), announcing(1, 1), GOOD[:200]],
    ids=["65500", "32000", "1x1", "cut"],
)
def test_a_bomb_in_a_real_stream_costs_only_itself(bomb: bytes) -> None:
    events: list[Event] = []
    options = SourceOptions(give_up_after_s=30)
    with (
        MjpegCamera(numbered(50, views=2)) as camera,
        open_source(camera.url, options, on_event=events.append) as source,
    ):
        frames = iter(source)
        next(frames)
        camera.behaviour.frames = [bomb]
        assert wait_for(lambda: "dropped" in [event.kind for event in events])
        camera.behaviour.frames = []
        for _ in range(3):
            assert next(frames).left.shape == (240, 320)
        assert sum(source.stats.rejected[camera.url].values()) >= 1
