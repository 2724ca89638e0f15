"""PNG files by hand: what no encoder would write."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path


def write_png(
    path: Path, size: tuple[int, int], depth: int, kind: int, rows: bytes, palette: bytes = b""
) -> Path:
    """A PNG of the kinds that cv2 reads but does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 0))
        + (chunk(b"PLTE", palette) if palette else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


def bomb(path: Path) -> Path:
    """A PNG of some bytes whose header asks for gigabytes."""
    return write_png(path, (30000, 30000), 8, 0, b"\0" * 1000)
