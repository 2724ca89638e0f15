"""A pair to be processed: two files, or one frame of a source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stereo.files.images import read_image, split_side_by_side
from stereo.frame import StereoFrame


class Pair(Protocol):
    """A pair to be processed, wherever it comes from."""

    @property
    def name(self) -> str:
        """Short name; its results go into a folder of this name."""
        ...

    def read(self, *, swap: bool = False) -> StereoFrame:
        """Return the images."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what the summary says of the input; goes into JSON."""
        ...

    def identity(self) -> list[Any]:
        """Return what changes when the images do; goes into JSON."""
        ...


@dataclass(frozen=True, slots=True)
class PairFiles:
    """Where one pair lies."""

    name: str
    """Short name; its results go into a folder of this name."""
    left: Path
    """Left image, or the side-by-side image when ``right`` is None."""
    right: Path | None
    """Right image; None: ``left`` holds both side by side."""

    def read(self, *, swap: bool = False) -> StereoFrame:
        """Read the pair. Raises ImageError as ``read_image`` does."""
        if self.right is None:
            left, right = split_side_by_side(read_image(self.left), name=str(self.left))
        else:
            left, right = read_image(self.left), read_image(self.right)
        return StereoFrame(right, left) if swap else StereoFrame(left, right)

    def facts(self) -> dict[str, Any]:
        """See ``Pair``."""
        right = None if self.right is None else str(self.right)
        return {"name": self.name, "left": str(self.left), "right": right}

    def identity(self) -> list[Any]:
        """See ``Pair``: the files as they are."""
        parts: list[Any] = []
        for path in (self.left, self.right):
            if path is not None and path.exists():
                stat = path.stat()
                parts += [str(path.resolve()), stat.st_size, stat.st_mtime_ns]
        return parts


@dataclass(frozen=True, eq=False, slots=True)
class SourcePair:
    """One frame of a source."""

    source: str
    """The source as the user wrote it."""
    number: int
    """Counts the source's frames from 0."""
    frame: StereoFrame
    """The images."""

    @property
    def name(self) -> str:
        """See ``Pair``: the frame's own, else number and time."""
        return self.frame.name or f"{self.number:06d}_{self.frame.time_s:.3f}s"

    def read(self, *, swap: bool = False) -> StereoFrame:
        """See ``Pair``."""
        frame = self.frame
        return replace(frame, left=frame.right, right=frame.left) if swap else frame

    def facts(self) -> dict[str, Any]:
        """See ``Pair``."""
        where = {"name": self.name, "source": self.source, "frame": self.number}
        return {**where, "time_s": self.frame.time_s, "skew_s": self.frame.skew_s}

    def identity(self) -> list[Any]:
        """See ``Pair``: the images themselves, as their source may have no file for each."""
        digest = hashlib.blake2b(digest_size=16)
        for image in (self.frame.left, self.frame.right):
            digest.update(repr((image.shape, image.dtype)).encode())
            digest.update(np.ascontiguousarray(image).data)
        return [self.number, self.frame.time_s, digest.hexdigest()]
