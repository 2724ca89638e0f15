"""Two streams paired by time, healthy and failing, in virtual time; and opened over loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from streams import Behaviour, MjpegCamera, numbered, numbered_images, wait_for
from virtual import VirtualCamera, VirtualClock

from stereo.errors import StereoError, StreamLostError, UnpairedError
from stereo.frame import StereoFrame
from stereo.sources import Event, SourceOptions, open_source
from stereo.sources.camera import CameraSource
from stereo.synthetic import read_frame_number

QUICK = SourceOptions(read_timeout_s=0.6, frozen_after_s=0.6, give_up_after_s=20)
NUMBERED = numbered_images()
SMALL = numbered_images(size=(280, 210))


class Watch:
    """Two cameras, their source, and what came of it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(threads=3)  # two streams and whoever reads
        self.left = VirtualCamera(self.clock, NUMBERED, seed=1)
        self.right = VirtualCamera(self.clock, NUMBERED, seed=2)
        self.events: list[Event] = []
        self.frames: list[StereoFrame] = []
        self.error: StereoError | None = None
        self._source: CameraSource | None = None

    def open(self, options: SourceOptions = QUICK) -> CameraSource:
        """Connect both cameras, as they are now."""
        streams = {
            name: lambda camera=camera: camera.connect(options.read_timeout_s)
            for name, camera in (("left", self.left), ("right", self.right))
        }
        self._source = CameraSource("two", streams, options, self._hear, clock=self.clock)
        return self._source

    def _hear(self, event: Event) -> None:
        if not self.clock.stopped:
            self.events.append(event)

    def run(self, enough: Callable[[], bool], within_s: float = 30.0) -> bool:
        """Read pairs until it is enough; whether it was, in time."""
        assert self._source is not None
        try:
            with self.clock.until(enough, within_s):
                for frame in self._source:
                    self.frames.append(frame)
        except StereoError as error:
            self.error = error
        return enough()

    def more(self, count: int = 5, within_s: float = 10.0) -> bool:
        """Whether so many more pairs come in time."""
        wanted = len(self.frames) + count
        return self.run(lambda: len(self.frames) >= wanted, within_s)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def numbers(self) -> list[tuple[int | None, int | None]]:
        """The two numbers that each pair carries."""
        return [
            (read_frame_number(frame.left), read_frame_number(frame.right)) for frame in self.frames
        ]

    def all_equal(self) -> bool:
        return all(left is not None and left == right for left, right in self.numbers())

    def close(self) -> None:
        self.clock.stop()
        if self._source is not None:
            self._source.close()


@pytest.fixture
def watch() -> Iterator[Watch]:
    watching = Watch()
    yield watching
    watching.close()


# --- healthy ------------------------------------------------------------------------------------


def test_two_streams_carry_the_same_number(watch: Watch) -> None:
    source = watch.open()
    assert watch.more(30, within_s=2.0)
    assert watch.all_equal()
    first, last = watch.numbers()[0][0], watch.numbers()[-1][0]
    assert first is not None
    assert first <= 11  # the phase of a steady stream is known after ten images
    assert last == first + 29  # and from then on nothing is left out
    assert watch.kinds() == ["connected", "connected"]
    assert source.stats.delivered == 30
    assert source.stats.skew_ms == pytest.approx(0, abs=1)
    assert source.stats.fps == pytest.approx(20, rel=0.05)


def test_the_same_happens_every_time(watch: Watch) -> None:
    again = Watch()
    for one in (watch, again):
        one.right.behaviour = Behaviour(jitter_s=0.03, lost=0.1)
        one.open()
        assert one.more(40)
        one.close()
    assert [frame.time_s for frame in again.frames] == [frame.time_s for frame in watch.frames]
    assert again.numbers() == watch.numbers()


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(jitter_s=0.02, lost=0.05),
        Behaviour(every=2),
        Behaviour(delay_s=0.008),
    ],
    ids=["jitter and drops", "half the frames", "delayed"],
)
def test_an_unsteady_stream_pairs_rightly(watch: Watch, behaviour: Behaviour) -> None:
    watch.right.behaviour = behaviour
    source = watch.open()
    assert watch.more(100, within_s=20)
    assert watch.all_equal()
    assert source.stats.skew_ms == pytest.approx(1000 * behaviour.delay_s, abs=2)


def test_a_computer_that_was_busy_pairs_nothing_wrongly(watch: Watch) -> None:
    """What came meanwhile comes at once: those arrivals say nothing of when they were taken."""
    watch.open()
    assert watch.more()
    watch.left.held_until_s = watch.right.held_until_s = watch.clock.now() + 0.4
    assert watch.more(20, within_s=15)
    assert watch.all_equal()


def test_a_stall_of_a_second_costs_a_second_at_most_after_it(watch: Watch) -> None:
    """It took about five: the phase was forgotten and had to be found anew."""
    watch.left.behaviour = watch.right.behaviour = Behaviour(fps=30, jitter_s=0.01)
    watch.open()
    assert watch.more(60)
    for _ in range(3):
        watch.left.held_until_s = watch.right.held_until_s = watch.clock.now() + 1
        watch.run(lambda: False, within_s=1)
        assert watch.more(1, within_s=1)
        assert watch.more(60)
    assert watch.all_equal()
    assert "unpaired" not in watch.kinds()


def test_what_cannot_be_proven_is_said_within_two_seconds(watch: Watch) -> None:
    """Of images late by nine tenths of a frame wrong pairs were delivered in silence."""
    watch.left.behaviour = watch.right.behaviour = Behaviour(jitter_s=0.045, lost=0.05)
    source = watch.open()
    assert watch.run(lambda: "unpaired" in watch.kinds(), within_s=2.1)
    assert watch.frames == []
    assert "arrive" in watch.events[-1].message
    assert source.stats.confidence < 0.5


def test_swap_and_flip(watch: Watch) -> None:
    dark, bright = (np.tile(np.arange(0, 80, dtype=np.uint8), (240, 4)) + k for k in (0, 150))
    watch.left.images, watch.right.images = [dark], [bright]
    watch.right.behaviour = Behaviour(delay_s=0.008)
    watch.open(SourceOptions(swap=True, flip="both", frozen_after_s=None))
    assert watch.more(3)
    assert np.array_equal(watch.frames[-1].left, bright[::-1, ::-1])
    assert np.array_equal(watch.frames[-1].right, dark[::-1, ::-1])
    assert watch.frames[-1].skew_s == pytest.approx(-0.008, abs=1e-3)


def test_different_exposure_is_noticed(watch: Watch) -> None:
    watch.right.images = [np.full((240, 320), 250, np.uint8)]
    watch.open(SourceOptions(frozen_after_s=None))
    assert watch.run(lambda: "note" in watch.kinds(), within_s=6)
    assert "the right image is" in watch.events[-1].message
    assert "--exposure" in watch.events[-1].message


def test_cameras_may_always_differ_in_size(watch: Watch) -> None:
    watch.left.images = SMALL
    watch.open()
    assert watch.more()
    assert watch.frames[-1].left.shape == (210, 280)
    assert watch.frames[-1].right.shape == (240, 320)
    assert watch.all_equal()


# --- failing ------------------------------------------------------------------------------------


def test_a_pair_never_mixes_resolutions(watch: Watch) -> None:
    watch.open()
    assert watch.more()
    watch.left.images = SMALL
    assert watch.run(lambda: "resized" in watch.kinds(), within_s=1)
    assert not watch.more(1, within_s=1)
    watch.right.images = SMALL
    assert watch.more(within_s=1)
    shapes = [(frame.left.shape, frame.right.shape) for frame in watch.frames]
    assert set(shapes) == {((240, 320),) * 2, ((210, 280),) * 2}


def test_only_one_of_two_changing_its_size_is_named(watch: Watch) -> None:
    watch.open()
    assert watch.more()
    watch.left.images = SMALL
    assert watch.run(lambda: "unpaired" in watch.kinds(), within_s=6)
    wanted = "left is 280x210 but right is 320x240, since one changed its size"
    assert wanted in watch.events[-1].message


def test_one_of_two_streams_lost_and_back(watch: Watch) -> None:
    source = watch.open()
    assert watch.more()
    watch.right.alive = False
    assert watch.run(lambda: "lost" in watch.kinds(), within_s=1)
    assert next(e.stream for e in watch.events if e.kind == "lost") == "right"
    assert not watch.more(1, within_s=3)
    watch.right.alive = True
    assert watch.more(within_s=1.5)
    assert watch.all_equal()
    assert source.stats.reconnects == 1


def test_streams_that_never_pair_say_why(watch: Watch) -> None:
    watch.right.behaviour.delay_s = 0.02
    watch.open(SourceOptions(max_skew_s=0.002, give_up_after_s=12.0))
    assert not watch.more(1, within_s=11)
    assert watch.kinds()[2:] == ["unpaired", "unpaired"]  # once in five seconds
    watch.more(1, within_s=2)
    assert isinstance(watch.error, UnpairedError)
    assert "20 ms apart" in str(watch.error)
    assert "--max-skew-ms" in str(watch.error)


def test_a_stream_that_is_away_is_lost_and_not_unpaired(watch: Watch) -> None:
    watch.open(replace(QUICK, read_timeout_s=1.6, give_up_after_s=12))
    assert watch.more()
    watch.right.alive = False
    watch.more(1, within_s=15)
    assert isinstance(watch.error, StreamLostError)
    assert watch.kinds()[2:] == ["lost", "reconnecting", "reconnecting"]  # and why


# --- the same, really ---------------------------------------------------------------------------


def test_two_addresses_are_opened() -> None:
    """Their pairs are not looked at: a busy machine has none for a while."""
    now, jpegs = time.monotonic(), numbered(20)
    events: list[Event] = []
    with MjpegCamera(jpegs, started_s=now) as left, MjpegCamera(jpegs, started_s=now) as right:
        with open_source(f"{left.url},{right.url}", QUICK, on_event=events.append):
            assert wait_for(lambda: min(left.sent, right.sent) > 5)
        assert {e.stream for e in events if e.kind == "connected"} == {left.url, right.url}
