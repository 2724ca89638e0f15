"""Two RTSP cameras, GStreamer's, healthy and failing; skipped where GStreamer is not installed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import rtsp
from streams import numbered_images, wait_for

from stereo.errors import InputError, SourceError, StreamLostError
from stereo.sources import Event, SourceOptions, open_source
from stereo.sources.capture import connect
from stereo.synthetic import read_frame_number

pytestmark = pytest.mark.skipif(
    not rtsp.is_available(), reason=f"GStreamer's RTSP server is not installed: {rtsp.INSTALL}"
)
QUICK = SourceOptions(read_timeout_s=0.6, give_up_after_s=20)
BACK_S = 6.0  # three seconds are promised; more here, for machines that do other things as well
FPS = {"h264": 10.0, "jpeg": 20.0}  # H.264 takes its time on a machine that is busy
only_jpeg = pytest.mark.parametrize("running", ["jpeg"], indirect=True)
SIZE, SMALLER = (320, 240), (256, 192)


class Cameras:
    """A synchronised pair of one kind."""

    def __init__(self, form: str, folder: Path) -> None:
        started_s = time.monotonic()
        self.frames, self.smaller = (
            rtsp.save(numbered_images(size=size), folder / f"{size[0]}") for size in (SIZE, SMALLER)
        )
        self.left, self.right = (
            rtsp.RtspCamera(
                self.frames, SIZE, form=form, started_s=started_s, fps=FPS[form], seed=seed
            )
            for seed in (1, 2)
        )

    def heal(self) -> None:
        """As at the start."""
        for camera in (self.left, self.right):
            if not camera.is_running:
                camera.start()
            camera.change(stalled=False, jitter_s=0.0)
            camera.show(self.frames, SIZE)

    @property
    def spec(self) -> str:
        return f"{self.left.url},{self.right.url}"


class Watch:
    """Reads a pair of streams in a thread and keeps what a test wants to know."""

    def __init__(self, spec: str, options: SourceOptions = QUICK) -> None:
        self.events: list[Event] = []
        self.numbers: list[tuple[int | None, int | None]] = []
        self.sizes: list[tuple[int, ...]] = []
        self.by: set[str] = set()
        self.error: Exception | None = None
        self.source = open_source(spec, options, on_event=self.events.append)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        try:
            for frame in self.source:
                left, right = (read_frame_number(view) for view in (frame.left, frame.right))
                self.numbers.append((left, right))
                self.by |= {frame.proof.by} if frame.proof is not None else set()
                self.sizes.append((*frame.left.shape[1::-1], *frame.right.shape[1::-1]))
        except Exception as error:
            self.error = error

    def more(self, count: int = 5, timeout_s: float = 60.0) -> bool:
        """Whether so many more pairs come in time."""
        wanted = len(self.numbers) + count
        return wait_for(lambda: len(self.numbers) >= wanted, timeout_s)

    def goes_on(self, timeout_s: float = 30.0) -> bool:
        """Whether more pairs come, or are refused for once: a machine too busy for proof."""
        wanted, told = len(self.numbers) + 5, len(self.events)
        return wait_for(
            lambda: (
                len(self.numbers) >= wanted
                or "unpaired" in [event.kind for event in self.events[told:]]
            ),
            timeout_s,
        )

    def saw(self, kind: str, timeout_s: float = 10.0) -> bool:
        """Whether such an event came, or comes in time."""
        return wait_for(lambda: kind in [event.kind for event in self.events], timeout_s)

    def all_equal(self) -> bool:
        return all(left is not None and left == right for left, right in self.numbers)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self.thread.join(5)
        assert not self.thread.is_alive()


@pytest.fixture(scope="module", params=["h264", "jpeg"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cameras]:
    cameras = Cameras(request.param, tmp_path_factory.mktemp("rtsp"))
    with Watch(cameras.spec) as watch:  # what a library does once and for all takes its time
        assert watch.goes_on()
    yield cameras
    cameras.left.close()
    cameras.right.close()


@pytest.fixture
def cameras(running: Cameras) -> Cameras:
    running.heal()
    return running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rtsp.RtspCamera]:
    frames = rtsp.save(numbered_images(4), tmp_path_factory.mktemp("rtsp") / "frames")
    with rtsp.RtspCamera(
        frames, SIZE, form="jpeg", started_s=time.monotonic(), login="me:s3cret"
    ) as camera:
        yield camera


def test_starts_and_pairs(cameras: Cameras) -> None:
    with Watch(cameras.spec) as watch:
        assert watch.more(10)
        assert watch.all_equal()
        assert watch.by <= {"stamps", "arrivals", "motion"}
        assert "stamps" in watch.by
        assert [event.kind for event in watch.events].count("connected") == 2


def test_what_waited_while_it_was_opened_is_left_behind(cameras: Cameras) -> None:
    """FFmpeg looks at a stream before it gives images, and then gives them all at once."""
    capture = connect(cameras.left.url, QUICK)
    try:
        found = [capture.read() for _ in range(6)]
    finally:
        capture.release()
    times = [time_s for found_one in found if found_one is not None for time_s in found_one[1:]]
    assert len(times) == 6
    assert times[-1] - times[0] > 3 / FPS[cameras.left.form]  # five periods


def test_a_restarted_server_is_found_again(cameras: Cameras) -> None:
    with Watch(cameras.spec) as watch:
        assert watch.goes_on()
        cameras.right.kill()
        assert watch.saw("lost")
        cameras.right.start()
        assert watch.goes_on(BACK_S)
        assert watch.all_equal()
        assert watch.source.stats.reconnects == 1


@only_jpeg
def test_a_stalled_server_is_found_again(cameras: Cameras) -> None:
    with Watch(cameras.spec) as watch:
        assert watch.goes_on()
        cameras.right.change(stalled=True)
        assert watch.saw("lost")
        cameras.right.change(stalled=False)
        assert watch.goes_on(BACK_S)
        assert watch.all_equal()


@only_jpeg
def test_jitter_makes_no_wrong_pair(cameras: Cameras) -> None:
    for camera in (cameras.left, cameras.right):
        camera.change(jitter_s=0.8 / FPS[camera.form])
    with Watch(cameras.spec) as watch:
        time.sleep(2.5)
        assert watch.all_equal()


@only_jpeg
def test_stops_at_once_though_a_server_hangs(cameras: Cameras) -> None:
    with Watch(cameras.spec) as watch:
        assert watch.goes_on()
        cameras.right.hang()
        time.sleep(0.2)
        begun_s = time.monotonic()
        watch.source.close()
        assert time.monotonic() - begun_s < 0.5 + 0.3  # half a second is promised
    cameras.right.kill()


@only_jpeg
def test_one_side_that_dies_ends_it_after_patience(cameras: Cameras) -> None:
    options = SourceOptions(read_timeout_s=0.6, give_up_after_s=0.5)
    with Watch(cameras.spec, options) as watch:
        cameras.left.kill()
        assert wait_for(lambda: watch.error is not None, 10)
        assert isinstance(watch.error, StreamLostError)
        assert cameras.left.url in str(watch.error)
        assert watch.all_equal()


@only_jpeg
def test_a_size_that_changes_in_mid_stream(cameras: Cameras) -> None:
    """In H.264 OpenCV stretches images to the first size and nobody can tell: docs/cameras.md."""
    with Watch(cameras.left.url) as watch:
        assert watch.more()
        cameras.left.show(cameras.smaller, SMALLER)
        assert watch.saw("resized")
        assert watch.more()
        halves = {(w // 2, h, w // 2, h) for w, h in (SIZE, SMALLER)}
        assert set(watch.sizes) == halves


@pytest.mark.parametrize(
    ("login", "path", "message"),
    [
        ("", "stream", "401 Unauthorized; name user and password in the address: rtsp://USER:"),
        ("me:wrong@", "stream", "wants a user and a password, and not those in the address"),
        ("me:s3cret@", "nothing", "404 Not Found; it has no such stream"),
    ],
)
def test_a_refusal_is_said_without_the_password(
    guarded: rtsp.RtspCamera, login: str, path: str, message: str
) -> None:
    url = guarded.url.replace("me:s3cret@", login).replace("stream", path)
    with pytest.raises(SourceError, match=message) as told:
        connect(url, QUICK)
    assert "wrong" not in str(told.value)
    assert "s3cret" not in str(told.value)


def test_a_login_lets_in_and_is_never_shown(guarded: rtsp.RtspCamera) -> None:
    with Watch(guarded.url) as watch:
        assert watch.more(2)
        assert "s3cret" not in watch.source.name
        assert not any("s3cret" in event.line() for event in watch.events)
    with pytest.raises(InputError, match="same stream twice") as told:
        open_source(f"{guarded.url},{guarded.url}", QUICK, on_event=lambda _: None)
    assert "s3cret" not in str(told.value)
