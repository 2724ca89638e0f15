"""How much memory OpenCV's FFmpeg may take for one image of a network stream.

A few bytes of H.264 can announce 16384x16384 pixels, in the middle of a stream too, and FFmpeg
takes what they ask for before anybody can look. OpenCV passes no limit on to it, so FFmpeg's own
for the whole process is set, in the library that OpenCV brings along.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

MOST_BYTES = 28_000_000
"""Of one plane as decoded, and of the BGR image: 4096x2160 and less can be shown."""
MOST_PIXELS = MOST_BYTES // 3


def limit_memory() -> bool:
    """Let FFmpeg take no larger piece of memory than one image needs; whether that can be set."""
    for path in _loaded("libavutil"):
        ctypes.CDLL(path).av_max_alloc(ctypes.c_size_t(MOST_BYTES))
        return True
    return False


def _loaded(name: str) -> list[str]:
    """Paths of the libraries of that name in this process; none where the system does not say."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    paths = {line.split(maxsplit=5)[-1] for line in lines if f"/{name}" in line}
    return sorted(path for path in paths if Path(path).exists())
