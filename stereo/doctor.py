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

from stereo.system import install_line, missing_libraries, packages

LIBRARIES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "cv2": "opencv-python",
    "click": "click",
    "lazy_loader": "lazy_loader",
    "yaml": "PyYAML",
    "threadpoolctl": "threadpoolctl",
    "rich": "rich",
    "open3d": "open3d",
}
"""import name -> distribution name."""

OPTIONAL = {"open3d": "cloud filters and the 3-D window"}
"""import name -> what works only with it; everything else works without."""
EXTRAS = {
    "web": "viser",
    "cluster": "distributed",
    "bags": "rosbags",
    "onnx": "onnxruntime",
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
    needed: bool = True
    """Whether the main job needs it."""


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


def is_well(findings: list[Finding]) -> bool:
    """Whether nothing that the main job needs is missing."""
    return all(finding.ok or not finding.needed for finding in findings)


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """Return the findings as one object."""
    return {
        "ok": is_well(findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    mend = None if ok else "install Python 3.11 or newer"
    return Finding("python", ok, platform.python_version(), mend)


def _library(module: str, distribution: str) -> Finding:
    needed = module not in OPTIONAL
    without = "" if needed else f"; {OPTIONAL[module]} need it, nothing else does"
    try:
        version = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        mend = f"pip install {distribution}"
        if module == "open3d" and sys.version_info >= (3, 15):
            mend = "use Python 3.14 or older: open3d has no wheels for later ones"
        return Finding(module, False, f"not installed{without}", mend, needed)
    tried = _try(f"import {module}")
    if tried.returncode == 0:
        return Finding(module, True, version + _variant(module), needed=needed)
    reason = (tried.stderr.strip().splitlines() or ["aborted"])[-1]
    return Finding(
        module, False, f"{version}, but: {reason}{without}", _mend(module, distribution), needed
    )


def _variant(module: str) -> str:
    """Whether OpenCV is the build that needs no system library (tools/setup.py may take it)."""
    if module != "cv2":
        return ""
    try:
        metadata.version("opencv-python-headless")
    except metadata.PackageNotFoundError:
        return ""
    return " (headless: it opens no windows)"


def _mend(module: str, distribution: str) -> str:
    """The system packages that the library lacks; where none, it is the library that is broken."""
    missing = missing_libraries(module)
    if missing:
        return install_line(packages(missing))
    return f"pip install --force-reinstall {distribution}"


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
        return Finding(
            "video back-ends", False, "cv2 does not load", _mend("cv2", LIBRARIES["cv2"])
        )
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
        f"{install_line(['g++'])} && pip install --force-reinstall --no-deps stereo-depth",
    )
