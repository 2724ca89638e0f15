"""``recording:DIR``: plays what ``stereo.sources.record`` wrote, every pair with its own stamps.

A damaged recording plays as far as it goes: each lost pair is an event, the sum comes at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from calib import RectifiedRig, StereoRig, load_rig
from calib.errors import CalibrationError
from calib.nearby import near_path
from stereo.errors import ImageError, InputError, SourceError
from stereo.files.imagefile import read_bytes
from stereo.files.images import read_image
from stereo.files.text import read_json
from stereo.frame import Image, StereoFrame
from stereo.sources.recording_format import FORMAT, INDEX, META, RIG, checksum, unsealed
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


_LONGEST_LINE = 16_384
"""Bytes of a line in the index; ours have about 300."""


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
            meta = read_json(path)
            version = meta["format"]
        except (InputError, KeyError, TypeError) as error:
            if not path.exists():
                raise InputError(
                    f"{folder}: is not a recording, it has no {META}; for a folder of images leave "
                    "'recording:' away"
                ) from None
            raise InputError(f"{path}: cannot be read: {error}; is the file damaged?") from error
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
        number, seen = -1, _Seen(tell)
        for number, line in enumerate(self._lines(tell)):
            label = f"pair {number} of {self.folder}"
            yield Labelled(label, partial(self._read, line, label, seen))
        if number < 0:
            raise SourceError(f"{self.folder}: holds no pair that can be read")

    def _read(self, line: bytes, label: str, seen: _Seen) -> StereoFrame:
        try:
            return self._pair(unsealed(line, label), label, seen)
        except ImageError:
            raise
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise ImageError(
                f"{label}: its line in {INDEX} is damaged or was never finished"
            ) from error

    def count(self) -> int | None:
        """Return how many pairs its index names; None where it cannot be read."""
        try:
            return sum(1 for _ in self._lines(lambda *_: None)) or None
        except SourceError:
            return None

    def _lines(self, tell: Tell) -> Iterator[bytes]:
        path = self.folder / INDEX
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise SourceError(f"{path}: cannot be read: is no file")
        try:
            with path.open("rb") as file:
                while line := file.readline(_LONGEST_LINE):
                    yield line
                    if len(line) == _LONGEST_LINE:
                        tell("note", f"{path}: has a line without end; nothing after it is played")
                        return
        except FileNotFoundError:
            tell("note", f"{path}: is missing, so no pair has a time")
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from error

    def _pair(self, entry: dict[str, Any], label: str, seen: _Seen) -> StereoFrame:
        time_s, skew_s = float(entry["time_s"]), float(entry["skew_s"])
        if not (math.isfinite(time_s) and math.isfinite(skew_s)):
            raise ValueError("a time that is none")
        seen.check(label, time_s, str(entry["left"]), str(entry["right"]))
        left, right = (self._image(entry, side, label) for side in ("left", "right"))
        # host_s was of another run of this computer, or of another one: latency is not measured
        name = str(entry.get("name") or _stamp(time_s))
        return StereoFrame(left, right, time_s, skew_s, math.nan, name)

    def _image(self, entry: dict[str, Any], side: str, label: str) -> Image:
        path = self.folder / str(entry[side])
        if self.folder.resolve() not in path.resolve().parents:
            raise ValueError("a file outside the recording")
        image, told = read_image(path), entry.get(f"{side}_sum")  # older recordings have none
        if told is not None and checksum(read_bytes(path)) != told:
            raise ImageError(f"{label}: {path} is not the image that was recorded (its checksum)")
        return image


@dataclass(slots=True)
class _Seen:
    """What the lines so far have named."""

    tell: Tell
    names: set[str] = field(default_factory=set)
    last_s: float = -math.inf

    def check(self, label: str, time_s: float, *names: str) -> None:
        """Tell of a time that is not after the one before.

        Raises ImageError for an image named before: a pair of it would be one that never was.
        """
        for name in names:
            if name in self.names:
                raise ImageError(f"{label}: names {name}, which is another pair's image")
            self.names.add(name)
        if time_s <= self.last_s:
            self.tell(
                "note", f"{label}: its time {time_s} s is not after {self.last_s} s before it"
            )
        self.last_s = time_s


def _stamp(time_s: float) -> str:
    """The stamp as the index has it: a float's shortest decimal is what was written there."""
    return stamp_name(int(Decimal(repr(time_s)).scaleb(9).to_integral_value()))
