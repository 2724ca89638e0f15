"""What is installed on this machine, what is missing, and the line that mends it.

Libraries are tried in processes of their own: a missing system library can abort the process.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

APT = {
    "cv2": "sudo apt-get install libgl1 libglib2.0-0",
    "open3d": "sudo apt-get install libgl1 libegl1 libgomp1 libusb-1.0-0",
}
"""import name -> the line that brings its system libraries on Debian and Ubuntu."""

LIBRARIES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "cv2": "opencv-python",
    "open3d": "open3d",
    "click": "click",
    "yaml": "PyYAML",
    "rich": "rich",
}
"""import name -> distribution name."""

EXTRAS = {
    "web": "viser",
    "bags": "rosbags",
    "realsense": "pyrealsense2",
    "oak": "depthai",
}
"""Extra of this package -> the library it brings; imported by the name of its distribution."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    """What."""
    ok: bool
    """Whether it is as it should be; a warning is ok, a missing library is not."""
    detail: str
    """Version, or what is wrong."""
    mend: str | None = None
    """The line that mends it."""


def examine() -> list[Finding]:
    """Look at Python, libraries, display, video back-ends and processor."""
    return [
        _python(),
        *(_library(module, name) for module, name in LIBRARIES.items()),
        *(_extra(extra, library) for extra, library in EXTRAS.items()),
        _display(),
        _video(),
        _processor(),
        _native_matcher(),
    ]


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """Return the findings as one object."""
    return {
        "ok": all(finding.ok for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _python() -> Finding:
    version = platform.python_version()
    ok = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("python", ok, version, None if ok else "install Python 3.11, 3.12 or 3.13")


def _library(module: str, distribution: str) -> Finding:
    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return Finding(module, False, "not installed", f"pip install {distribution}")
    tried = _try(f"import {module}")
    if tried.returncode == 0:
        return Finding(module, True, version)
    reason = (tried.stderr.strip().splitlines() or ["aborted"])[-1]
    mend = APT.get(module, f"pip install --force-reinstall {distribution}")
    return Finding(module, False, f"{version}, but: {reason}", mend)


def _extra(extra: str, library: str) -> Finding:
    """What an extra brings; nothing that this package needs, so never a failure."""
    name, line = f"extra {extra}", f"pip install 'stereo-depth[{extra}]'"
    try:
        version = metadata.version(library)
    except metadata.PackageNotFoundError:
        return Finding(name, True, f"{library} is not installed", line)
    tried = _try(f"import {library}")
    if tried.returncode == 0:
        return Finding(name, True, f"{library} {version}")
    reason = (tried.stderr.strip().splitlines() or ["aborted"])[-1]
    line = f"pip install --force-reinstall {library}"
    return Finding(name, True, f"{library} {version}, but: {reason}", line)


def _try(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )


def _display() -> Finding:
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if display or not sys.platform.startswith("linux"):
        return Finding("display", True, display or "native")
    return Finding("display", True, "none: `stereo view` writes pictures instead of windows")


def _video() -> Finding:
    tried = _try(
        "import cv2; r = cv2.videoio_registry; "
        # OpenCV lists FFMPEG three times
        "print(', '.join(dict.fromkeys(r.getBackendName(b) for b in r.getBackends())))"
    )
    if tried.returncode != 0:
        return Finding("video back-ends", False, "cv2 does not load", APT["cv2"])
    return Finding("video back-ends", True, tried.stdout.strip())


def _processor() -> Finding:
    features = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        flags = set(cpuinfo.read_text().split())
        known = ("sse4_2", "avx2", "avx512bw", "avx512_bitalg", "asimd")
        features = ", ".join(flag for flag in known if flag in flags) or "baseline"
    cores = os.cpu_count() or 1
    return Finding("processor", True, f"{platform.machine()}, {cores} cores, {features}")


def _native_matcher() -> Finding:
    tried = _try("from stereo.matching import sgm; print(sgm.simd_level())")
    if tried.returncode == 0:
        return Finding("native matcher", True, f"built, using {tried.stdout.strip()}")
    return Finding(
        "native matcher",
        True,
        "not built: OpenCV's SGBM is used, which is slower and less accurate",
        "sudo apt-get install g++ && pip install --force-reinstall --no-deps stereo-depth",
    )
