"""Two real V4L2 cameras, the kernel's vivid driver's, healthy and failing. Run by ``boot.sh``.

Prints what each case gave and ends with 1 if one failed. An emulated computer is slow: five images
a second are asked for, and times are no measure of a real one's.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from stereo.errors import SourceError
from stereo.sources import Event, SourceOptions, open_source
from stereo.sources.devices import list_devices

DRIVER = Path("/sys/bus/platform/drivers/vivid")
S_CTRL = 0xC008561C
DROPPED_SHARE, DISCONNECT, BAD_BUFFER = 0x00F0F040, 0x00F0F041, 0x00F0F042
NO_BUFFERS, NO_QUEUE, NO_START, FATAL = 0x00F0F043, 0x00F0F044, 0x00F0F045, 0x00F0F046
STAMPS_WRAP = 0x00F0F027
BEGUN_S = time.monotonic()


def control(number: int, control_id: int, value: int = 1) -> None:
    """Set one of vivid's controls; buttons take any value."""
    handle = os.open(f"/dev/video{number}", os.O_RDWR)
    try:
        fcntl.ioctl(handle, S_CTRL, bytearray(struct.pack("Ii", control_id, value)))
    finally:
        os.close(handle)


class Watch:
    """Both cameras, read in a thread."""

    def __init__(self, pixel_format: str | None = None, size: tuple[int, int] = (320, 180)) -> None:
        self.events: list[Event] = []
        self.arrived: list[float] = []
        self.skews: list[float] = []
        self.error: Exception | None = None
        options = SourceOptions(size=size, fps=5, pixel_format=pixel_format, give_up_after_s=30)
        deadline = time.monotonic() + 5
        while True:
            try:
                self.source = open_source("pair:0,1", options, on_event=self.events.append)
                break
            except SourceError as error:  # the case before may still be letting go
                if "cannot be opened" not in str(error) or time.monotonic() > deadline:
                    raise
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        try:
            for frame in self.source:
                self.arrived.append(time.monotonic())
                self.skews.append(frame.skew_s)
        except SourceError as error:
            self.error = error

    def more(self, count: int = 5, timeout_s: float = 20.0) -> float:
        """Wait for so many more pairs; seconds until the first of them."""
        before, begun_s = len(self.arrived), time.monotonic()
        while len(self.arrived) < before + count:
            assert time.monotonic() < begun_s + timeout_s, f"no {count} more pairs"
            time.sleep(0.02)
        return self.arrived[before] - begun_s

    def lost(self) -> None:
        """Wait until a stream is told to be lost."""
        deadline = time.monotonic() + 20
        while not any(event.kind == "lost" for event in self.events):
            assert time.monotonic() < deadline, "nothing was lost"
            time.sleep(0.02)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        begun_s = time.monotonic()
        self.source.close()
        self.closed_s = time.monotonic() - begun_s
        self.thread.join(10)
        assert self.error is None, self.error
        assert all(abs(skew) <= 0.1 for skew in self.skews), "a pair half a frame apart"

    def __str__(self) -> str:
        stats = self.source.stats
        rejected = {name: dict(why) for name, why in stats.rejected.items()}
        return (
            f"{len(self.arrived)} pairs, {stats.reconnects} reconnections, skew up to "
            f"{stats.max_skew_ms:.0f} ms, rejected {rejected or 'none'}, closed in "
            f"{self.closed_s:.2f} s"
        )


def enumeration(planes: bool = False) -> str:
    """What the kernel says of itself."""
    found = list_devices()
    assert [device.path for device in found] == ["/dev/video0", "/dev/video1"], found
    modes = [(mode.pixel_format, mode.size) for mode in found[0].modes]
    assert ("NV12" if planes else "YUYV", (320, 180)) in modes
    return f"{found[0].name} on {found[0].bus}, {found[1].bus}: {len(modes)} modes"


def healthy(pixel_format: str | None) -> Callable[[], str]:
    """Pairs, ten."""

    def run() -> str:
        with Watch(pixel_format) as watch:
            watch.more(10)
        return str(watch)

    return run


def refused(pixel_format: str | None, size: tuple[int, int]) -> Callable[[], str]:
    """A driver that gives something else is found out."""

    def run() -> str:
        try:
            with Watch(pixel_format, size):
                pass
        except SourceError as error:
            return str(error)
        raise AssertionError("opened")

    return run


def injected(control_id: int, value: int = 1, after: int | None = None) -> Callable[[], str]:
    """While it runs; ``after``: what makes it whole again, once it was lost."""

    def run() -> str:
        with Watch() as watch:
            watch.more()
            control(0, control_id, value)
            if after is not None:
                watch.lost()
                control(0, control_id, after)
            back_s = watch.more(8)
            if value != 1:  # no button
                control(0, control_id, 0)
        return f"{watch}; next pair after {back_s:.2f} s"

    return run


def before_opening(control_id: int) -> Callable[[], str]:
    """Refused in words, or overcome."""

    def run() -> str:
        control(0, control_id)
        try:
            with Watch() as watch:
                watch.more()
        except SourceError as error:
            return f"refused: {error}"
        return str(watch)

    return run


def wrapped() -> str:
    """Stamps that are far from the kernel's clock, as they begin shortly before a wrap."""
    control(0, STAMPS_WRAP, 1)
    try:
        return healthy(None)()
    finally:
        control(0, STAMPS_WRAP, 0)


def unplugged() -> str:
    """Both cameras go, and come again."""
    device = next(path.name for path in DRIVER.iterdir() if path.name.startswith("vivid."))
    with Watch() as watch:
        watch.more()
        control(0, DISCONNECT)
        watch.lost()
        (DRIVER / "unbind").write_text(device)
        time.sleep(2)
        assert not list(Path("/dev").glob("video*"))
        (DRIVER / "bind").write_text(device)
        back_s = watch.more()
    return f"{watch}; next pair after {back_s:.2f} s"


def planes() -> str:
    """Cameras that give their planes apart: another programming interface of the kernel's."""
    modprobe = ["modprobe", "-d", os.environ["MODULES"]]
    subprocess.run([*modprobe, "-r", "vivid"], check=True)
    wanted = ["n_devs=2", "node_types=1,1", "num_inputs=1,1", "input_types=0,0", "multiplanar=2,2"]
    subprocess.run([*modprobe, "vivid", *wanted], check=True)
    time.sleep(1)
    said = enumeration(planes=True)
    with Watch("NV12") as watch:
        watch.more()
    return f"{said}; {watch}"


FORMATS = (None, "YUYV", "UYVY", "NV12", "YU12", "GREY", "Y16", "Y10", "RGB3", "BGR3")
CASES: dict[str, Callable[[], str]] = {
    "enumeration": enumeration,
    **{f"format {name or 'of its own'}": healthy(name) for name in FORMATS},
    "a format that it has not": refused("MJPG", (320, 180)),
    "a size that it has not": refused(None, (333, 222)),
    "a third of the images dropped": injected(DROPPED_SHARE, 33),
    "all images dropped: stalled": injected(DROPPED_SHARE, 100, after=0),
    "a buffer marked as damaged": injected(BAD_BUFFER),
    "an error in queueing a buffer": injected(NO_QUEUE),
    "a fatal error in streaming": injected(FATAL),
    "time stamps that wrap": wrapped,
    "no start of streaming": before_opening(NO_START),
    "no buffers": before_opening(NO_BUFFERS),
    "unplugged and plugged in": unplugged,
    "planes apart": planes,
}


def main() -> int:
    """Try all; 1 where one failed."""
    failed = 0
    for name, case in CASES.items():
        try:
            outcome = f"ok      {name}: {case()}"
        except Exception as error:
            failed += 1
            outcome = f"FAILED  {name}: {type(error).__name__}: {error}"
        print(f"{time.monotonic() - BEGUN_S:6.1f} s  {outcome}", flush=True)
    print(f"{len(CASES) - failed} of {len(CASES)} cases")
    return 1 if failed else 0


raise SystemExit(main())
