"""A pair to be processed: two files, or one frame of a source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stereo.errors import ImageError
from stereo.files.images import read_image
from stereo.files.urls import Place, UrlPath
from stereo.frame import Image, StereoFrame
from stereo.sources.layout import Layout, split


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
    left: Place
    """Left image, or the one that holds both when ``right`` is None."""
    right: Place | None
    """Right image; None: ``left`` holds both."""
    layout: Layout = "side-by-side"
    """How one image holds both."""
    third: Place | None = None
    """Image of a camera beside the rig."""

    def read(self, *, swap: bool = False) -> StereoFrame:
        """Read the pair. Raises ImageError as ``read_image`` does."""
        left, right = self._views()
        third = None if self.third is None else _image(self.third)
        return StereoFrame(*((right, left) if swap else (left, right)), third=third)

    def _views(self) -> tuple[Image, Image]:
        if self.right is None:
            return split(_image(self.left), self.layout, name=str(self.left))
        return _image(self.left), _image(self.right)

    def facts(self) -> dict[str, Any]:
        """See ``Pair``."""
        right = None if self.right is None else str(self.right)
        facts = {"name": self.name, "left": str(self.left), "right": right}
        return facts if self.third is None else {**facts, "third": str(self.third)}

    def identity(self) -> list[Any]:
        """See ``Pair``: the files as they are; what lies at a URL is taken to stay as it is."""
        parts: list[Any] = []
        for path in (self.left, self.right, self.third):
            if isinstance(path, UrlPath):  # a million questions to a server take hours
                parts.append(path.url)
            elif path is not None and path.exists():
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
        third = () if self.frame.third is None else (self.frame.third,)
        for image in (self.frame.left, self.frame.right, *third):
            digest.update(repr((image.shape, image.dtype)).encode())
            digest.update(np.ascontiguousarray(image).data)
        return [self.number, self.frame.time_s, digest.hexdigest()]


def _image(path: Place) -> Image:
    """The image at a path or URL. Raises ImageError, which names it."""
    if isinstance(path, Path):
        return read_image(path)
    with path.fetched() as copy:
        try:
            return read_image(copy)
        except ImageError as error:
            raise ImageError(str(error).replace(str(copy), path.url)) from error
