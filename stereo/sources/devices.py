"""Which cameras this computer has and what they can do, asked of Video4Linux itself.

Structures and numbers are those of the kernel's ``linux/videodev2.h``.
"""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stereo.errors import SourceError

Ioctl = Callable[[int, int, bytearray], Any]
"""``fcntl.ioctl``: fills the buffer or raises OSError."""

QUERYCAP, ENUM_FMT = 0x80685600, 0xC0405602
ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS = 0xC02C564A, 0xC034564B
NO_PERMISSION = "no permission; sudo usermod -aG video $USER, then log in again"
_CAPTURES, _CAPTURES_PLANES, _DEVICE_CAPS = 0x00000001, 0x00001000, 0x80000000
_OF_CAPTURE, _OF_PLANES = 1, 9  # kinds of buffer
_BIG_ENDIAN = 1 << 31
_DISCRETE = 1
_MOST = 64  # of anything listed: a broken driver may never say that it was the last


@dataclass(frozen=True, slots=True)
class Mode:
    """One pixel format and size that a camera offers."""

    pixel_format: str
    """Four letters, such as MJPG or YUYV."""
    size: tuple[int, int]
    """(width, height); of a camera with any size in steps, the largest."""
    fps: tuple[float, ...]
    """Frames a second to choose from, fastest first; empty where the driver does not say."""


@dataclass(frozen=True, slots=True)
class Device:
    """One camera."""

    path: str
    """As ``sbs:`` and ``pair:`` take it, such as /dev/video0."""
    name: str
    """As the driver calls it."""
    bus: str
    """Where it is plugged in: cameras on one USB bus share its bandwidth."""
    modes: tuple[Mode, ...]
    """What it offers, in the driver's order."""
    problem: str | None = None
    """Why it cannot be asked or used, and what to do."""

    def as_json(self) -> dict[str, Any]:
        """Return the fields as one object."""
        return asdict(self)


def list_devices(folder: Path = Path("/dev"), *, ioctl: Ioctl | None = None) -> list[Device]:
    """Return the capture devices, by number; those that cannot be asked say why.

    A camera's second node, which carries only metadata, is left out. Raises SourceError where
    there is no Video4Linux: on anything but Linux.
    """
    ioctl = ioctl or _kernel()
    paths = [path for path in folder.glob("video*") if re.fullmatch(r"video\d+", path.name)]
    paths.sort(key=lambda path: int(path.name[5:]))
    return [device for path in paths if (device := _ask(path, ioctl)) is not None]


def users(path: str, proc: Path = Path("/proc")) -> list[str]:
    """Return who holds a device open, as "name (pid 123)"; other users' programs stay unseen."""
    found = []
    for process in sorted(proc.glob("[0-9]*"), key=lambda entry: int(entry.name)):
        try:
            links = [link.readlink() for link in (process / "fd").iterdir()]
            if Path(path) in links and int(process.name) != os.getpid():
                found.append(f"{(process / 'comm').read_text().strip()} (pid {process.name})")
        except OSError:
            continue  # gone meanwhile, or not ours to look at
    return found


def _kernel() -> Ioctl:
    try:
        from fcntl import ioctl  # absent on Windows
    except ImportError:
        raise SourceError("cameras can be listed on Linux only") from None
    return ioctl


def _ask(path: Path, ioctl: Ioctl) -> Device | None:
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return Device(str(path), "", "", (), _problem(error, path))
    try:
        card = bytearray(104)
        ioctl(handle, QUERYCAP, card)
        _driver, name, bus, _version, able, of_this_node = struct.unpack_from("16s32s32s3I", card)
        able = of_this_node if able & _DEVICE_CAPS else able
        if not able & (_CAPTURES | _CAPTURES_PLANES):
            return None
        kind = _OF_CAPTURE if able & _CAPTURES else _OF_PLANES
        return Device(str(path), _text(name), _text(bus), tuple(_modes(handle, kind, ioctl)))
    except OSError as error:
        return Device(str(path), "", "", (), _problem(error, path))
    finally:
        os.close(handle)


def _problem(error: OSError, path: Path) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return NO_PERMISSION
    if error.errno == errno.EBUSY:
        return f"busy: {', '.join(users(str(path))) or 'another program uses it'}; close that"
    if error.errno in (errno.ENODEV, errno.ENXIO, errno.EIO):
        return "does not answer; plug it in anew"
    return f"not a camera that Video4Linux knows ({os.strerror(error.errno or 0)})"


def _modes(handle: int, kind: int, ioctl: Ioctl) -> Iterator[Mode]:
    for index in range(_MOST):
        asked = bytearray(64)
        struct.pack_into("2I", asked, 0, index, kind)
        if not _answers(handle, ioctl, ENUM_FMT, asked):
            return
        (code,) = struct.unpack_from("I", asked, 44)
        if code & _BIG_ENDIAN:
            continue  # nothing asks for it by four letters
        for size in _sizes(handle, ioctl, code):
            letters = struct.pack("I", code).decode("latin-1").rstrip()
            yield Mode(letters, size, tuple(_rates(handle, ioctl, code, size)))


def _sizes(handle: int, ioctl: Ioctl, code: int) -> Iterator[tuple[int, int]]:
    for index in range(_MOST):
        asked = bytearray(44)
        struct.pack_into("2I", asked, 0, index, code)
        if not _answers(handle, ioctl, ENUM_FRAMESIZES, asked):
            return
        kind, *numbers = struct.unpack_from("7I", asked, 8)
        if kind != _DISCRETE:
            yield numbers[1], numbers[4]  # the largest of many
            return
        yield numbers[0], numbers[1]


def _rates(handle: int, ioctl: Ioctl, code: int, size: tuple[int, int]) -> Iterator[float]:
    for index in range(_MOST):
        asked = bytearray(52)
        struct.pack_into("4I", asked, 0, index, code, *size)
        if not _answers(handle, ioctl, ENUM_FRAMEINTERVALS, asked):
            return
        kind, seconds, parts = struct.unpack_from("3I", asked, 16)
        if seconds and parts:
            yield round(parts / seconds, 3)
        if kind != _DISCRETE:
            return  # the fastest of many


def _answers(handle: int, ioctl: Ioctl, request: int, asked: bytearray) -> bool:
    """False at the end of a list."""
    try:
        ioctl(handle, request, asked)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY):
            return False
        raise
    return True


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", "replace")
