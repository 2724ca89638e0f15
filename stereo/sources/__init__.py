"""Where stereo frames come from: cameras, network streams, video files, folders, recordings, bags.

    with open_source("sbs:0") as source:
        for frame in source:
            frame.left, frame.right, frame.time_s

A short string names the source; ``SOURCES`` says which there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from calib.nearby import did_you_mean
from stereo.errors import InputError
from stereo.sources.source import (
    Event,
    OnEvent,
    SourceOptions,
    SourceStats,
    StereoSource,
)

__all__ = [
    "SOURCES",
    "Event",
    "OnEvent",
    "SourceOptions",
    "SourceStats",
    "StereoSource",
    "open_source",
]

Opener = Callable[[str, SourceOptions, OnEvent], StereoSource]
"""Takes the whole spec, the options and whom to tell; ready to be iterated when it returns."""


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One entry of ``SOURCES``."""

    module: str
    """Imported when such a source is opened; has ``open(spec, options, on_event)``."""
    help: str
    """One line for the user."""


SOURCES: dict[str, SourceKind] = {
    "sbs": SourceKind("stereo.sources.camera", "sbs:0 or sbs:/dev/video2, one device for both"),
    "pair": SourceKind("stereo.sources.camera", "pair:0,2, two devices"),
    "http": SourceKind("stereo.sources.camera", "http://host/stream, or two, comma separated"),
    "https": SourceKind("stereo.sources.camera", "as http"),
    "rtsp": SourceKind("stereo.sources.camera", "rtsp://host/stream, or two, comma separated"),
    "recording": SourceKind("stereo.sources.recording", "recording:DIR, of `stereo record`"),
    "bag": SourceKind("stereo.sources.bag", "bag:FILE, ROS 1 or 2 bag or MCAP (extra: bags)"),
    "synthetic": SourceKind("stereo.sources.synthetic", "synthetic:room, rendered"),
    "realsense": SourceKind("stereo.sources.realsense", "realsense: (extra: realsense)"),
    "oak": SourceKind("stereo.sources.oak", "oak: (extra: oak)"),
}
"""prefix -> kind; a spec without one of these prefixes names files."""

_FILES = SourceKind("stereo.sources.files", "video files, folders or globs; two: comma separated")


def open_source(
    spec: str, options: SourceOptions | None = None, *, on_event: OnEvent | None = None
) -> StereoSource:
    """Open the source that ``spec`` names, such as "sbs:0", "left.mp4,right.mp4" or "images/".

    ``on_event`` is told of connections, losses and drops, from other threads. Raises InputError
    for a spec nobody understands or a file that is not there, SourceError when a camera or stream
    cannot be opened, MissingLibraryError naming the extra to install.
    """
    prefix = re.match(r"([a-z]+):", spec)
    kind = SOURCES.get(prefix.group(1)) if prefix else _FILES
    if kind is None:
        assert prefix is not None
        hint = did_you_mean(prefix.group(1), SOURCES)
        raise InputError(
            f"{spec}: unknown kind of source{hint or ';'} say {', '.join(SOURCES)}, or name files "
            "or folders"
        )
    camera = camera_meant(spec)
    if camera is not None:
        raise InputError(f"{spec}: {camera}")
    if not spec.strip():
        raise InputError("the source is empty; say for example sbs:0, pair:0,2 or a folder")
    opener: Opener = import_module(kind.module).open
    return opener(spec, options or SourceOptions(), on_event or _nobody)


def camera_meant(spec: str) -> str | None:
    """Return what to say to a spec that names no file but a bare camera; None for any other."""
    if Path(spec).is_file() or Path(spec).is_dir():
        return None
    parts = [part.strip() for part in spec.split(",")]
    if all(re.fullmatch(r"\d{1,2}|/dev/video\d+", part) for part in parts) and len(parts) <= 2:
        if len(parts) == 2:
            return f"did you mean pair:{','.join(parts)} (two cameras)?"
        other = re.sub(r"\d+$", lambda digits: str(int(digits.group()) + 2), parts[0])
        return (
            f"did you mean sbs:{spec} (one camera that gives both views side by side) or "
            f"pair:{spec},{other} (two cameras)?"
        )
    if spec in SOURCES:
        return f"did you mean {spec}:{_EXAMPLES.get(spec, '')}?"
    return None


_EXAMPLES = {
    "sbs": "0",
    "pair": "0,2",
    "http": "//host/stream",
    "https": "//host/stream",
    "rtsp": "//host/stream",
    "recording": "DIR",
    "bag": "FILE",
    "synthetic": "room",
}


def _nobody(_event: Event) -> None:
    """Whom to tell when nobody asked."""
