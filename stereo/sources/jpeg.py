"""What a JPEG says of itself, read before anything decodes it.

A few bytes can announce four thousand million pixels, and libjpeg fills up what is cut off with
gray. So size and structure are looked at first (ITU-T T.81, annex B).
"""

from __future__ import annotations

import re

MAX_PIXELS = 50_000_000  # of an image that is decoded: 8K has 33 million
MAX_BYTES = 64_000_000
MIN_SIDE_PX = 16

_MARKER = re.compile(rb"\xff+[^\x00\xff]")
_IN_SCAN = range(0xD0, 0xD8)  # restart markers
_ALONE = {0x01, 0xD8, *_IN_SCAN}
_SIZES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def fault(data: bytes) -> str | None:
    """Return why a JPEG must not be decoded, "too large", "too small" or "damaged"; None: it may.

    Damaged: it does not start or end as it should, a segment is cut, no size or image data, a
    marker where none can be, restart markers out of order.
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
        restarts = 0 if kind == 0xDA else -1
        at += length
    return "damaged"
