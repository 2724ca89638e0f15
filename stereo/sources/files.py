"""Video files and image folders: side by side, or one for each side.

What one may write: a video, a folder or a glob of images that hold both views; two of them with a
comma between; or one folder with two inside, ``left`` and ``right`` or ``cam0`` and ``cam1``.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from calib.nearby import near_path
from calib.words import number
from stereo.errors import ImageError, InputError, SourceError
from stereo.files.images import read_image
from stereo.files.opencv_log import silent_opencv
from stereo.files.pairing import Files, find_images, find_pairs, find_sides, named, short_names
from stereo.frame import Image, StereoFrame
from stereo.sources.layout import Layout, split
from stereo.sources.sequence import Labelled, SequenceSource, Still, Tell, pair_by_time, together
from stereo.sources.source import OnEvent, SourceOptions

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".wmv", ".flv"),
    *(".mjpeg", ".mjpg", ".h264", ".h265", ".hevc"),
)
"""Endings by which a file counts as a video."""
FPS = 10.0
"""Pace of images whose names hold no time, unless ``options.fps`` says another."""

_STAMP_DIGITS = {19: 1e-9, 18: 1e-9, 16: 1e-6, 13: 1e-3}
"""Digits of a time since 1970 or of a clock -> seconds of its unit (EuRoC: 19, nanoseconds)."""


def open(spec: str, options: SourceOptions, on_event: OnEvent) -> SequenceSource:
    """Open video files, folders or globs; see ``open_source``.

    Raises ImageError or InputError for what is not there or does not fit, SourceError for a video
    that cannot be read.
    """
    parts = sides(spec)
    layout: Layout = options.layout or ("two" if len(parts) == 2 else "side-by-side")
    if (layout == "two") != (len(parts) == 2):
        raise InputError(f"{spec}: layout {layout} does not fit {len(parts)} file(s) or folder(s)")
    kinds = {is_video(part) for part in parts}
    if len(kinds) == 2:
        raise InputError(f"{spec}: one is a video and the other is not; give two of one kind")
    if kinds == {True}:
        videos = [str(part) for part in parts]
        shortest = min(_length(video) for video in videos)  # says now what is wrong
        frames, expected = partial(_video_frames, videos, layout, options), shortest
    elif layout == "two":
        pairs, orphans = _listed(parts, options)
        frames, expected = partial(_stored_pairs, pairs, orphans), len(pairs)
    else:
        images = find_images(parts[0])
        frames, expected = partial(_composites, images, layout, options), len(images)
    known = expected if expected > 0 else None
    return SequenceSource(spec, frames, options, on_event, expected=known)


def is_video(path: Files) -> bool:
    """Whether a name ends as that of a video does."""
    return isinstance(path, str | Path) and Path(path).suffix.lower() in VIDEO_SUFFIXES


def sides(spec: str) -> Sequence[Files]:
    """Return the one or two files, folders, globs or lists of images that a spec means.

    A folder with the images of both sides in it is two. Raises InputError.
    """
    parts = [spec] if Path(spec).exists() else [part.strip() for part in spec.split(",")]
    if len(parts) > 2 or not all(parts):
        raise InputError(f"{spec}: expected one name, or two with a comma between them")
    if len(parts) == 2 and parts[0] == parts[1]:
        raise InputError(f"{spec}: the same name twice; a pair needs two different ones")
    folder = Path(parts[0])
    found = find_sides(folder) if len(parts) == 1 and folder.is_dir() else None
    return parts if found is None else found


# --- images -------------------------------------------------------------------------------------


def time_of(path: Path) -> float | None:
    """Return the capture time in seconds that a file's name holds, None where it holds none.

    Nanoseconds (18 or 19 digits), microseconds (16), milliseconds (13), or seconds with a point
    and at least three decimals after nine or ten digits.
    """
    stem = path.stem
    if re.fullmatch(r"\d{9,10}\.\d{3,9}", stem):
        return float(stem)
    unit = _STAMP_DIGITS.get(len(stem)) if stem.isdecimal() else None
    # divided, not multiplied: the nearest float to the decimal time
    return int(stem) / round(1 / unit) if unit else None


def _times(paths: Sequence[Path], options: SourceOptions) -> tuple[list[float], bool]:
    """Times, and whether they were in the names."""
    stamps = [time_of(path) for path in paths]
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) == len(paths):
        return known, True
    return [k / (options.fps or FPS) for k in range(len(paths))], False


def _composites(
    paths: Sequence[Path], layout: Layout, options: SourceOptions, _tell: Tell
) -> Iterator[Labelled]:
    for still in _stills(paths, _times(paths, options)[0], short_names(paths)):
        yield _split(still, layout)


def _split(still: Still, layout: Layout) -> Labelled:
    """A pair of one image of both views, not read yet."""

    def read() -> StereoFrame:
        left, right = split(still.load(), layout, name=still.label)
        return StereoFrame(left, right, still.time_s, name=still.name)

    return Labelled(still.label, read)


def _listed(
    parts: Sequence[Files], options: SourceOptions
) -> tuple[list[tuple[Still, Still]], list[str]]:
    """Pairs of image files, and what to say about those left over."""
    lefts, rights = (find_images(part) for part in parts)
    left_times, stamped = _times(lefts, options)
    right_times, right_stamped = _times(rights, options)
    orphans: list[str] = []
    if stamped and right_stamped and len(lefts) > 1:
        limit = options.max_skew_s or 0.4 * float(np.median(np.diff(left_times)))
        pairs = list(
            pair_by_time(
                _stills(lefts, left_times, [path.stem for path in lefts]),
                _stills(rights, right_times),
                max_skew_s=limit,
                tell=lambda _kind, message: orphans.append(message),
            )
        )
        if not pairs:
            raise ImageError(
                f"no image of {named(parts[0])} has one in {named(parts[1])} within "
                f"{number(1000 * limit)} ms by the times in their names; are both of one "
                "recording? (or raise the largest skew)"
            )
        return pairs, orphans
    listing = find_pairs(*parts)
    for other, lonely in (("right", listing.unmatched_left), ("left", listing.unmatched_right)):
        orphans += [f"{path} has no {other} image" for path in lonely]
    times = _times([left for _, left, _ in listing.pairs], options)[0]
    names, lefts, rights = (list(part) for part in zip(*listing.pairs, strict=True))
    return list(zip(_stills(lefts, times, names), _stills(rights, times), strict=True)), orphans


def _stills(
    paths: Sequence[Path], times: Sequence[float], names: Sequence[str] | None = None
) -> list[Still]:
    return [
        Still(time_s, str(path), partial(read_image, path), name)
        for path, time_s, name in zip(paths, times, names or [""] * len(paths), strict=True)
    ]


def _stored_pairs(
    pairs: Sequence[tuple[Still, Still]],
    orphans: Sequence[str],
    tell: Tell,
) -> Iterator[Labelled]:
    for message in orphans:
        tell("unpaired", message)
    for left, right in pairs:
        yield together(left, right)


# --- videos -------------------------------------------------------------------------------------


class Video:
    """Frames of a video file, in order, with the container's times."""

    def __init__(self, path: str) -> None:
        """Raises ImageError when the file is not there, SourceError when it is no video."""
        if not Path(path).is_file():
            raise ImageError(f"{path}: no such video file{near_path(path)}")
        self.path = path
        with silent_opencv():
            self._capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise SourceError(
                f"{path}: cannot be read as a video; it is damaged, cut before its index was "
                "written, or of a kind OpenCV does not know (does ffplay show it?)"
            )
        # turning one image of a pair would ruin it
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if math.isfinite(fps) and 0 < fps < 1e4 else FPS
        self.expected = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        """How many frames the container states, 0 or less where it states none."""

    def stills(self) -> Iterator[Still]:
        """Give every frame. Raises SourceError at the end of a file that ends too early."""
        count, time_s = 0, -math.inf
        while self._capture.grab():
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            # raw streams have no stamps: count instead
            time_s = stamp if stamp > time_s and (stamp > 0 or not count) else count / self.fps
            label = f"frame {count} of {self.path}"
            name = f"{count:06d}_{time_s:.3f}s"
            yield Still(time_s, label, partial(self._retrieve, label), name)
            count += 1
        # many containers state a duration, not a count; the last frame may round away
        if count == 0 or count < 0.98 * self.expected - 2:
            raise SourceError(
                f"{self.path}: ends after {count} of {self.expected} frames; the file is cut or "
                "damaged, get it again (what came before is good)"
            )

    def _retrieve(self, label: str) -> Image:
        done, image = self._capture.retrieve()
        if not done or image.size == 0:
            raise ImageError(f"{label}: cannot be decoded; the file is damaged, get it again")
        color = cv2.COLOR_BGR2RGB if image.ndim == 3 else cv2.COLOR_GRAY2RGB
        return cv2.cvtColor(image, color)  # type: ignore[return-value]

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


def _length(path: str) -> int:
    """How many frames a video states. Raises as ``Video`` does."""
    video = Video(path)
    video.close()
    return video.expected


def _video_frames(
    paths: Sequence[str], layout: Layout, options: SourceOptions, tell: Tell
) -> Iterator[Labelled]:
    videos = [Video(path) for path in paths]
    try:
        if len(videos) == 1:
            for still in videos[0].stills():
                yield _split(still, layout)
            return
        limit = options.max_skew_s or 0.4 / max(video.fps for video in videos)
        streams = [video.stills() for video in videos]
        for one, two in pair_by_time(*streams, max_skew_s=limit, tell=tell):
            yield together(one, two)
    finally:
        for video in videos:
            video.close()
