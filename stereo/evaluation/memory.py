"""The most memory that this process held, where the system tells."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc/self")


def reset_peak() -> None:
    """Begin anew with the peak, where Linux lets us."""
    with suppress(OSError):
        (_PROC / "clear_refs").write_text("5")


def peak_memory_mb() -> float:
    """Return the peak of the resident memory since ``reset_peak``, MB; NaN where nobody tells."""
    try:
        lines = (_PROC / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000
    except (OSError, StopIteration, ValueError):
        return float("nan")
