"""What a JPEG says of itself, read before anything decodes it.

A few bytes can announce four thousand million pixels, and libjpeg fills up what is cut off with
gray and takes spoilt bits for an image. So size and structure are looked at first (ITU-T T.81,
annex B), then whether the coded data hold as many blocks as they should (``native/src/jpeg.cpp``;
where no compiler built it, that is left out), and last whether the image is moved from some block
on (``jpeg_shift.py``).
"""

from __future__ import annotations

import re
from collections import deque
from enum import IntEnum
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.native import find_native
from stereo.sources.jpeg_shift import Shift, find_shift

MAX_PIXELS = 50_000_000  # of an image that is decoded: 8K has 33 million
MAX_BYTES = 64_000_000
MIN_SIDE_PX = 16
_MOST_PIXELS_A_BYTE = 512  # each block of 8x8 has a code of at least a bit (annex F.1.2)

_MARKER = re.compile(rb"\xff+[^\x00\xff]")
_IN_SCAN = range(0xD0, 0xD8)  # restart markers
_ALONE = {0x01, 0xD8, *_IN_SCAN}
_SIZES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class Coded(IntEnum):
    """What the coded data are, as ``native/src/jpeg.hpp`` says."""

    WHOLE = 0
    SURPLUS = 1
    PADDING = 2
    BROKEN = 3
    UNREAD = 4  # progressive and others that no camera sends; or nothing to read with


_BASELINE = re.compile(
    rb"\xff[\xc0\xc1]\x00[\x0b\x11]\x08.{4}(?:\x01...|\x03.(.)..(.)..(.).)", re.DOTALL
)
_OWN_WAYS = Coded.SURPLUS, Coded.PADDING
_RECENT = 16


class RejectedImage(Exception):  # noqa: N818 - no error: the stream goes on
    """One image of a stream is no good; the next may be."""

    def __init__(self, reason: str) -> None:
        """``reason`` in two or three words, such as "too large": they are counted by it."""
        super().__init__(reason)
        self.reason = reason


class Decoder:
    """Decodes the JPEGs of one stream."""

    def __init__(self) -> None:
        self._flat_before: bool | None = None  # whether the image before ended so
        self._shift_before: Shift | None = None
        self._recent: deque[Coded] = deque(maxlen=_RECENT)

    def decode(self, data: bytes) -> NDArray[Any]:
        """Return the image, (H, W) or (H, W, 3) BGR uint8. Raises RejectedImage."""
        why = fault(data)
        if why is None and self._is_spoilt(coded(data)):
            why = "damaged"
        if why is not None:
            raise RejectedImage(why)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if image is None or (self._flat_before is False and _ends_flat(image)):
            self._flat_before = None  # one in a row: the scene may have become so
            raise RejectedImage("damaged")
        self._flat_before = _ends_flat(image)
        self._refuse_shifted(data, image)
        return image

    def _refuse_shifted(self, data: bytes, image: NDArray[Any]) -> None:
        """What is at the same place in two images in a row belongs to the scene."""
        before, found = self._shift_before, _BASELINE.search(data)
        self._shift_before = find_shift(image, _unit(found)) if found else None
        if self._shift_before is not None and self._shift_before != before:
            raise RejectedImage("damaged")

    def _is_spoilt(self, found: Coded) -> bool:
        """Bytes too many, or a last byte filled up with zeros, may be a camera's own way."""
        self._recent.append(found)
        if found in _OWN_WAYS:
            return 2 * self._recent.count(found) <= len(self._recent)
        return found == Coded.BROKEN


def coded(data: bytes) -> Coded:
    """Walk the coded data of a JPEG: about 7 ms for each megabyte."""
    native = find_native()
    return Coded.UNREAD if native is None else Coded(native.check_jpeg(data))


def _unit(frame: re.Match[bytes]) -> tuple[int, int]:
    """Width and height of what is coded at once, px, by the sampling of the components."""
    sampling = [part[0] for part in frame.groups() if part] or [0x11]
    return 8 * max(s >> 4 for s in sampling), 8 * max(s & 15 for s in sampling)


def _ends_flat(image: NDArray[Any]) -> bool:
    """Whether the lowest blocks have one value and others not: so libjpeg fills up what is cut."""
    half = image.shape[1] // 2
    lowest = image[-8:, half:].reshape(-1, *image.shape[2:])
    return bool((lowest == lowest[0]).all()) and not bool((image[::16, ::16] == lowest[0]).all())


def fault(data: bytes) -> str | None:
    """Return why a JPEG must not be decoded, "too large", "too small" or "damaged"; None: it may.

    Damaged: it does not start or end as it should, a segment is cut, no size or image data, a
    marker where none can be, restart markers out of order. The end marker may be left out, as some
    cameras do, where every block is there.
    """
    if len(data) > MAX_BYTES:
        return "too large"
    if data[:2] != b"\xff\xd8":
        return "damaged"
    at, size, restarts = 2, None, -1
    while (found := _MARKER.search(data, at)) is not None:
        kind, in_scan = data[found.end() - 1], restarts >= 0
        if found.start() != at and not in_scan:
            return "damaged"  # between segments there is nothing
        at = found.end()
        if kind == 0xD9:
            return None if size and in_scan else "damaged"
        if kind in _IN_SCAN:
            if not in_scan or kind - 0xD0 != restarts % 8:
                return "damaged"
            restarts += 1
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        if kind in _ALONE or kind < 0xC0 or length < 2 or at + length > len(data):
            return "damaged"
        if kind in _SIZES:
            if length < 8 or size is not None:
                return "damaged"
            height, width = (int.from_bytes(data[k : k + 2], "big") for k in (at + 3, at + 5))
            size = width, height
            if width * height > MAX_PIXELS:
                return "too large"
            if min(size) < MIN_SIDE_PX:
                return "too small"
            if width * height > _MOST_PIXELS_A_BYTE * len(data):
                return "damaged"  # libjpeg would fill up the rest, for seconds
        restarts = 0 if kind == 0xDA else -1
        at += length
    whole = size and restarts >= 0 and coded(data) in (Coded.WHOLE, *_OWN_WAYS)
    return None if whole else "damaged"
