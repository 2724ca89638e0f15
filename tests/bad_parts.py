"""What a broken or hostile server may send instead of one image: for tests and benchmarks."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from streams import encode, numbered

_END = b"\xff\xd9"


def part(jpeg: bytes, headers: bytes | None = None) -> bytes:
    """A part as it goes over the wire; its length is told unless ``headers`` say otherwise."""
    headers = b"Content-Length: %d\r\n" % len(jpeg) if headers is None else headers
    return b"--frame\r\nContent-Type: image/jpeg\r\n" + headers + b"\r\n" + jpeg + b"\r\n"


def announcing(width: int, height: int, jpeg: bytes) -> bytes:
    """The JPEG, its header saying another size."""
    at = jpeg.index(b"\xff\xc0")
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return jpeg[: at + 5] + size + jpeg[at + 9 :]


def flat_jpeg(width: int, height: int) -> bytes:
    """A whole gray JPEG of any size, made without its pixels: 6 bits for each block."""
    small = encode(np.full((16, 16), 128, np.uint8))
    head = small[: small.index(b"\xff\xda") + 2 + 8]
    four_blocks = bytes([0b00101000, 0b10100010, 0b10001010])  # no change, end of block
    return announcing(width, height, head) + four_blocks * (width * height // 256) + _END


def flipped(jpeg: bytes, seed: int) -> bytes:
    """With one bit of the coded data turned over."""
    start = jpeg.index(b"\xff\xda") + 14
    bit = int(np.random.default_rng(seed).integers(8 * start, 8 * (len(jpeg) - 2)))
    data = bytearray(jpeg)
    data[bit >> 3] ^= 1 << (bit & 7)
    return bytes(data)


def png(width: int, height: int) -> bytes:
    """A gray PNG that announces a size; its rows are there only where that is cheap."""
    rows = bytes((width + 1) * height) if width * height < 1_000_000 else bytes(1000)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def bad_parts(good: bytes) -> dict[str, Sequence[bytes]]:
    """Name -> what goes over the wire, one after the other, instead of ``good`` ones."""
    other, odd, tall = (numbered(1, size)[0] for size in ((320, 240), (641, 240), (640, 242)))
    done, changed = cv2.imencode(".png", np.zeros((240, 640), np.uint8))
    assert done
    tables = good.index(b"\xff\xc4")
    return {
        "announces 65500x65500": [part(announcing(65500, 65500, good))],
        "announces 32000x32000": [part(announcing(32000, 32000, good))],
        "really 16000x16000": [part(flat_jpeg(16000, 16000))],
        "announces 1x1": [part(announcing(1, 1, good))],
        "announces 0x0": [part(announcing(0, 0, good))],
        "announces 4000x4000": [part(announcing(4000, 4000, good))],
        "odd width": [part(odd)],
        "alternating sizes": [part(other), part(tall)],
        "cut": [part(good[: len(good) // 2])],
        "cut and ended": [part(good[: len(good) // 2] + _END)],
        "spoilt bits": [part(bytes(good[:-300]) + bytes(b ^ 0x5A for b in good[-300:-2]) + _END)],
        "spoilt code tables": [part(good[: tables + 5] + bytes([9] * 16) + good[tables + 21 :])],
        "another format": [part(changed.tobytes())],
        "text": [part(b"<html>503 try again later</html>")],
        "nothing": [part(b"")],
        "2 GB announced": [part(good, b"Content-Length: 2000000000\r\n")],
        "10^400 bytes announced": [part(good, b"Content-Length: " + b"9" * 400 + b"\r\n")],
        "a part without end": [part(b"\xff\xd8" + bytes(70_000_000), b"")],
        "headers without end": [b"--frame\r\n" + b"X: y\r\n" * 20_000],
        "noise": [np.random.default_rng(0).bytes(200_000)],
    }


class PeakMemory:
    """The most memory of this process since it was made."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self._before = self._peak()

    def grown(self) -> int:
        """Bytes above what was there at the start."""
        return self._peak() - self._before

    @staticmethod
    def _peak() -> int:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
