"""Bytes of an image file, looked at before cv2 decodes them.

cv2 lacks these checks: a header of 100 kB may ask for gigabytes, and the missing end of a JPEG
comes back as gray pixels. Damage in the middle of a JPEG, BMP, PPM or uncompressed TIFF cannot be
seen: those formats carry no checksum.
"""

from __future__ import annotations

import re
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

MAX_PIXELS = 200_000_000
"""Larger images are refused (cv2 would take 0.6 GB for one of this size)."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp")
"""Endings by which images are found in a folder."""

_PNG = b"\x89PNG\r\n\x1a\n"
_SLACK = 64_000_000  # bytes a file may hold beside its pixels: metadata, a second view, a clip
_LARGE = 120_000_000  # bytes of pixels above which an image must hold something:
_EMPTY = 200  # a photograph takes a hundredth of its pixels' bytes at the least
_HOLES = 100  # a file that keeps less than this share of its size on the disk was never written


def read(path: Path, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return what a file holds. Raises OSError, and ValueError when that is nothing or too much.

    A ValueError's words go on from the file's name.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ValueError("is a folder, a file was expected")
    if not stat.S_ISREG(status.st_mode):  # /dev/zero never ends, an idle pipe never begins
        raise ValueError("is a device or pipe, a file was expected")
    if status.st_size > 8 * max_pixels + _SLACK:
        raise ValueError(
            f"{status.st_size / 1e9:.1f} GB are more than an image of {max_pixels / 1e6:g} million "
            "pixels needs; is this file what you meant?"
        )
    stored = 512 * getattr(status, "st_blocks", status.st_size)
    if status.st_size > _SLACK and _HOLES * stored < status.st_size:
        raise ValueError("is mostly a hole (an interrupted copy?); get it again")
    data = path.read_bytes()
    if not data:
        raise ValueError("is empty (0 bytes); get it again")
    return data


def checked_size(data: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Return (width, height) of an image that may be decoded. Raises ValueError as ``read``."""
    if not _is_whole(data):
        raise ValueError("the file ends too early (an interrupted copy?); get it again")
    width, height = header_size(data)
    if width * height > max_pixels:
        raise ValueError(
            f"{width}x{height} pixels are more than the {max_pixels / 1e6:g} million accepted; is "
            "this file what you meant?"
        )
    needed = width * height * _pixel_bytes(data)
    if needed > max(_LARGE, _EMPTY * len(data)):
        raise ValueError(
            f"{width}x{height} pixels in {len(data)} bytes: an image of nothing; is this file what "
            "you meant?"
        )
    return width, height


def header_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) as the header states it. Raises ValueError as ``read``."""
    try:
        size = _parse_header(data)
    except (struct.error, IndexError, ValueError):
        raise ValueError("the image header is damaged; get the file again") from None
    if size is None:
        kinds = ", ".join(suffix[1:] for suffix in SUFFIXES)
        raise ValueError(f"not an image of a known kind ({kinds}); name an image")
    if min(size) < 1:
        raise ValueError(f"the header states a size of {size[0]}x{size[1]}")
    return size


def _pixel_bytes(data: bytes) -> int:
    """Bytes that a decoded pixel takes: of PNG as its header says, else of 8-bit colour."""
    if not data.startswith(_PNG):
        return 3
    depth, kind = data[24], data[25]
    return (1 if depth <= 8 else 2) * {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}.get(kind, 4)


def _is_whole(data: bytes) -> bool:
    """False when the end is missing; bytes behind it (a second view, a clip) do no harm."""
    try:
        if data.startswith(_PNG):
            return _png_ends(data)
        if data[:2] == b"\xff\xd8":
            # inside the compressed pixels FF D9 cannot occur; before them a thumbnail has its own
            start = next(at for marker, at in _jpeg_segments(data) if marker == 0xDA)
            return data.find(b"\xff\xd9", start) >= 0
        if data[:2] == b"BM":
            (stated,) = struct.unpack_from("<I", data, 2)
            return bool(len(data) >= stated)
    except (struct.error, StopIteration, IndexError):
        return False
    return True  # cv2 itself refuses the other kinds when they are cut


def _png_ends(data: bytes) -> bool:
    position = len(_PNG)
    while True:  # leaves by return, or by struct.error behind the last byte
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + int(length)
        if kind == b"IEND":
            return position <= len(data)


def _parse_header(data: bytes) -> tuple[int, int] | None:
    if data.startswith(_PNG):
        return struct.unpack_from(">II", data, 16)
    if data[:2] == b"\xff\xd8":
        return _jpeg_size(data)
    if data[:2] == b"BM":
        width, height = struct.unpack_from("<ii", data, 18)
        return width, abs(height)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff_size(data)
    if data[:2] in (b"P2", b"P3", b"P5", b"P6"):
        words = re.match(rb"P\d(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)", data[:1000])
        return (int(words[1]), int(words[2])) if words else None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_size(data)
    return None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """(marker, position of its length) of each segment up to the pixels."""
    position = 2
    while True:
        fill, marker = struct.unpack_from("BB", data, position)
        if fill != 0xFF:
            return
        if marker == 0xFF:  # any number of these may stand before a marker
            position += 1
            continue
        yield marker, position + 2
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for marker, at in _jpeg_segments(data):
        # frame headers; C4, C8 and CC in the same range are tables
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
    raise ValueError("no frame header")


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack_from(order + "I", data, 4)[0]
    found = {}
    for entry in range(struct.unpack_from(order + "H", data, start)[0]):
        tag, kind = struct.unpack_from(order + "HH", data, start + 2 + 12 * entry)
        value = struct.unpack_from(
            order + ("H" if kind == 3 else "I"), data, start + 10 + 12 * entry
        )
        found[tag] = value[0]
    return (found[256], found[257]) if {256, 257} <= set(found) else None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        numbers = data[24:30]
        return (
            int.from_bytes(numbers[:3], "little") + 1,
            int.from_bytes(numbers[3:], "little") + 1,
        )
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
