"""What it means to survive an input: an answer or an error of ours, soon, in little memory."""

from __future__ import annotations

import os
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import click

from calib.errors import CalibrationError
from stereo.errors import StereoError
from stereo.sources.jpeg import RejectedImage

MOST_CPU_S = 1.0
MOST_MB = 300.0
LONGEST_MESSAGE = 2000
OURS = (StereoError, CalibrationError, RejectedImage, click.ClickException)
_ADDRESS_SPACE = 6_000_000_000
"""So that a bomb ends its worker, and not the computer."""


def prepare() -> None:
    """Bound what this process may take, and make numpy's warnings errors."""
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error", RuntimeWarning)


def judged(read: Callable[[], object], *, most_cpu_s: float = MOST_CPU_S) -> str:
    """Do it; returns what was wrong with it in words, "" for nothing."""
    before_mb, start_s = forget_peak(), time.process_time()
    try:
        read()
        wrong = ""
    except OURS as error:
        text = str(error)
        wrong = f"a message of {len(text)} letters" if len(text) > LONGEST_MESSAGE else ""
    except Exception as error:
        wrong = f"{type(error).__name__}: {error!s:.200}"
    took_s, mb = time.process_time() - start_s, peak_mb() - before_mb
    if not wrong and took_s > most_cpu_s:
        wrong = f"{took_s:.1f} s of CPU"
    if not wrong and mb > MOST_MB:
        wrong = f"{mb:.0f} MB"
    return wrong


def forget_peak() -> float:
    """Begin measuring memory anew; returns what is in use, MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3
