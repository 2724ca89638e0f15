"""The system libraries that Python's wheels expect, and the packages that bring them.

Wheels bring most of what they need; the rest is asked of the system when they are first loaded.
The dynamic linker tells what is absent without loading anything, so that a wheel which would
abort the process is safe to ask about. Standard library only: it runs before anything works.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

DEBIAN = {
    "libEGL.so.1": ("libegl1",),
    "libGL.so.1": ("libgl1",),
    "libICE.so.6": ("libice6",),
    "libSM.so.6": ("libsm6",),
    "libX11.so.6": ("libx11-6",),
    "libXext.so.6": ("libxext6",),
    "libglib-2.0.so.0": ("libglib2.0-0t64", "libglib2.0-0"),
    "libgomp.so.1": ("libgomp1",),
    "libgthread-2.0.so.0": ("libglib2.0-0t64", "libglib2.0-0"),
    "libusb-1.0.so.0": ("libusb-1.0-0",),
    "libxcb.so.1": ("libxcb1",),
}
"""Shared library -> the Debian and Ubuntu packages that bring it, the newer name first."""


def missing_libraries(module: str) -> list[str]:
    """The libraries of ``DEBIAN`` that files of an installed module need and the system lacks.

    Other absentees are passed over: open3d carries operators for torch and tensorflow, which need
    those only where they are used.
    """
    absent = {
        line.split()[0]
        for file in _shared_objects(module)
        for line in _linked(file).splitlines()
        if line.endswith("not found")
    }
    return sorted(absent & DEBIAN.keys())


def packages(libraries: Iterable[str]) -> list[str]:
    """The packages that bring ``libraries``, by the names that this system's apt knows."""
    return sorted({_known(DEBIAN[library]) for library in libraries})


def install_line(names: Iterable[str]) -> str:
    """What to type to install packages."""
    if shutil.which("apt-get"):
        return f"sudo apt-get install {' '.join(names)}"
    return f"install what Debian calls {', '.join(names)}, with this system's package manager"


def _shared_objects(module: str) -> list[Path]:
    spec = find_spec(module)
    folders = (spec and spec.submodule_search_locations) or []
    return [file for folder in folders for file in Path(folder).rglob("*.so*")]


def _linked(file: Path) -> str:
    if not shutil.which("ldd"):
        return ""
    asked = ["ldd", str(file)]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout


def _known(names: tuple[str, ...]) -> str:
    """The first name that apt has a package for; the oldest, which newer systems still accept."""
    for name in names[:-1]:
        asked = ["apt-cache", "show", name]
        if shutil.which("apt-cache") and f"Package: {name}\n" in _output(asked):
            return name
    return names[-1]


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
