"""What cameras do wrong, each for a while: the first of them, or all."""

from __future__ import annotations

import time
from collections.abc import Callable

from streams import MjpegCamera, numbered

Fault = Callable[[list[MjpegCamera], float], None]
"""Breaks the cameras for so many seconds and mends them."""
FAULT_S, BURST_S = 2.0, 0.5
DOUBTS = ("jitter 40 ms", "20 % lost", "half the rate")
"""Faults after which pairs are proven anew, which takes as long as it takes."""


def setting(name: str, during: object, after: object) -> Fault:
    """A fault that is a behaviour of the first camera for a while."""

    def fault(cameras: list[MjpegCamera], seconds: float) -> None:
        setattr(cameras[0].behaviour, name, during)
        time.sleep(seconds)
        setattr(cameras[0].behaviour, name, after)

    return fault


def everywhere(name: str, during: object, after: object) -> Fault:
    """The same of both cameras."""

    def fault(cameras: list[MjpegCamera], seconds: float) -> None:
        for camera in cameras:
            setattr(camera.behaviour, name, during)
        time.sleep(seconds)
        for camera in cameras:
            setattr(camera.behaviour, name, after)

    return fault


def switched_off(count: int) -> Fault:
    def fault(cameras: list[MjpegCamera], seconds: float) -> None:
        for camera in cameras[:count]:
            camera.kill()
        time.sleep(seconds)
        for camera in cameras[:count]:
            camera.start()

    return fault


def announcing(jpeg: bytes, side: int) -> bytes:
    """A JPEG whose header says that it is so many pixels wide and high."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 5] + 2 * side.to_bytes(2, "big") + jpeg[at + 9 :]


def alternating() -> list[bytes]:
    """Images of two sizes in turn, one of odd width."""
    sizes = numbered(40, (256, 192)), numbered(40, (281, 210))
    return [sizes[k % 2][k] for k in range(40)]


def faults() -> dict[str, tuple[Fault, float]]:
    """What is done to the cameras, the first of which is the broken one, and for how long."""
    good = numbered(1)[0]
    cut = [jpeg[: len(jpeg) // 2] for jpeg in numbered(20)]
    return {
        "switched off": (switched_off(1), FAULT_S),
        "both switched off": (switched_off(2), FAULT_S),
        "stalled": (setting("stalled", True, False), FAULT_S),
        "frozen": (setting("frozen", True, False), FAULT_S),
        "garbage": (setting("garbage", True, False), FAULT_S),
        "cut images": (setting("frames", cut, []), BURST_S),
        "65500x65500 announced": (setting("frames", [announcing(good, 65500)], []), BURST_S),
        "32000x32000 announced": (setting("frames", [announcing(good, 32000)], []), BURST_S),
        "6000x6000 announced": (setting("frames", [announcing(good, 6000)], []), BURST_S),
        "another size, a burst": (setting("frames", numbered(200, (256, 192)), []), 0.15),
        "1x1 announced": (setting("frames", [announcing(good, 1)], []), BURST_S),
        "sizes that alternate": (setting("frames", alternating(), []), BURST_S),
        "both another size": (everywhere("frames", numbered(200, (280, 210)), []), FAULT_S),
        "jitter 40 ms": (everywhere("jitter_s", 0.04, 0.0), FAULT_S),
        "20 % lost": (everywhere("lost", 0.2, 0.0), FAULT_S),
        "half the rate": (setting("every", 2, 1), FAULT_S),
    }
