"""``recording:DIR``: plays what ``stereo.sources.record`` wrote, every pair with its own stamps.

A damaged recording plays as far as it goes: each lost pair is an event, the sum comes at the end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from calib import RectifiedRig, StereoRig, load_rig
from calib.errors import CalibrationError
from calib.nearby import near_path
from stereo.errors import ImageError, InputError, SourceError
from stereo.files.images import read_image
from stereo.frame import StereoFrame
from stereo.sources.recording_format import FORMAT, INDEX, META, RIG
from stereo.sources.sequence import Labelled, SequenceSource, Tell, stamp_name
from stereo.sources.source import OnEvent, SourceOptions


def open(spec: str, options: SourceOptions, on_event: OnEvent) -> SequenceSource:
    """Open a recording; see ``open_source``. Raises InputError when the folder is none."""
    recording = Recording.read(spec.removeprefix("recording:"))
    return SequenceSource(
        spec,
        recording.frames,
        options,
        on_event,
        calibration=recording.calibration(),
        expected=recording.count(),
        one_size=False,  # a camera may have changed its mode: what was recorded is what is played
    )


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording's folder and what its ``recording.json`` says."""

    folder: Path
    """Where it lies."""
    meta: dict[str, Any]
    """The content of ``recording.json``."""

    @classmethod
    def read(cls, folder: str | Path) -> Recording:
        """Raises InputError naming what is missing or wrong."""
        folder = Path(folder)
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such folder; a recording was expected{near_path(folder)}"
            )
        path = folder / META
        try:
            meta = json.loads(path.read_text(encoding="utf-8"))
            version = meta["format"]
        except FileNotFoundError:
            raise InputError(
                f"{folder}: is not a recording, it has no {META}; for a folder of images leave "
                "'recording:' away"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: cannot be read: {error!r}; is the file damaged?") from error
        if version != FORMAT:
            raise InputError(f"{path}: has format {version}; this version reads format {FORMAT}")
        return cls(folder, meta)

    def calibration(self) -> StereoRig | RectifiedRig | None:
        """Return the rig that was recorded with it. Raises InputError for a damaged one."""
        stored = self.meta.get("calibration")
        try:
            if isinstance(stored, dict):
                size = stored.get("size")
                return RectifiedRig(**{**stored, "size": tuple(size) if size else None})
            return None if stored is None else load_rig(self.folder / RIG)
        except (CalibrationError, TypeError) as error:
            raise InputError(f"{self.folder}: its calibration cannot be read: {error}") from error

    def frames(self, tell: Tell) -> Iterator[Labelled]:
        """Give every pair. Raises SourceError when there is none."""
        number = -1
        for number, line in enumerate(self._lines(tell)):
            label = f"pair {number} of {self.folder}"
            yield Labelled(label, partial(self._read, line, label))
        if number < 0:
            raise SourceError(f"{self.folder}: holds no pair that can be read")

    def _read(self, line: bytes, label: str) -> StereoFrame:
        try:
            return self._pair(json.loads(line))
        except ImageError:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise ImageError(
                f"{label}: its line in {INDEX} is damaged or was never finished"
            ) from error

    def count(self) -> int | None:
        """Return how many pairs its index names; None where it cannot be read."""
        try:
            return len((self.folder / INDEX).read_bytes().splitlines()) or None
        except OSError:
            return None

    def _lines(self, tell: Tell) -> Iterator[bytes]:
        path = self.folder / INDEX
        try:
            with path.open("rb") as file:
                yield from file
        except FileNotFoundError:
            tell("note", f"{path}: is missing, so no pair has a time")
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error

    def _pair(self, entry: dict[str, Any]) -> StereoFrame:
        paths = [self.folder / str(entry[side]) for side in ("left", "right")]
        if any(self.folder.resolve() not in path.resolve().parents for path in paths):
            raise ValueError("a file outside the recording")
        left, right = (read_image(path) for path in paths)
        time_s, skew_s = float(entry["time_s"]), float(entry["skew_s"])
        # host_s was of another run of this computer, or of another one: latency is not measured
        name = str(entry.get("name") or _stamp(time_s))
        return StereoFrame(left, right, time_s, skew_s, math.nan, name)


def _stamp(time_s: float) -> str:
    """The stamp as the index has it: a float's shortest decimal is what was written there."""
    return stamp_name(int(Decimal(repr(time_s)).scaleb(9).to_integral_value()))
