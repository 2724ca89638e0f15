"""What memory a process holds, its most, and what is free, where the system tells."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def reset_peak() -> None:
    """Begin anew with the peak, where Linux lets us."""
    with suppress(OSError):
        (_PROC / "self/clear_refs").write_text("5")


def peak_memory_mb() -> float:
    """Return the peak of the resident memory since ``reset_peak``, MB; NaN where nobody tells."""
    return _told_mb("self/status", "VmHWM")


def resident_memory_mb(pid: int | None = None) -> float:
    """Return what is resident now of this process, or of another, MB; NaN where nobody tells."""
    return _told_mb(f"{'self' if pid is None else pid}/status", "VmRSS")


def free_memory_mb() -> float:
    """Return what programs can still take without swapping, MB; NaN where nobody tells."""
    return _told_mb("meminfo", "MemAvailable")


def _told_mb(file: str, name: str) -> float:
    try:
        lines = (_PROC / file).read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1000
    except (OSError, StopIteration, ValueError):
        return math.nan
