"""Many pairs through one pipeline, each into its own folder, resumable after an interruption.

A pair is done when its ``summary.json`` stands, which is written last; a rerun with the same
inputs and settings skips it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from calib.plain import jsonable
from stereo._version import __version__
from stereo.files import outputs
from stereo.files.images import read_image, split_side_by_side
from stereo.frame import StereoFrame
from stereo.pipeline import StereoPipeline
from stereo.result import DEFAULT_OUTPUTS, CloudOptions, check_output_names, write_outputs
from stereo.run.check import check_rows, check_swapped
from stereo.run.summary import cloud_facts, summarize


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
        """See ``Pair``: number and time."""
        return f"{self.number:06d}_{self.frame.time_s:.3f}s"

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


@dataclass(frozen=True, slots=True)
class PairReport:
    """What became of one pair."""

    name: str
    """The pair's name."""
    folder: Path
    """Where its results lie."""
    summary: dict[str, Any]
    """The content of ``summary.json``."""
    skipped: bool = False
    """Whether an earlier run had done it."""

    @property
    def trusted(self) -> bool:
        """Whether nothing spoke against the result."""
        return bool(self.summary["trusted"])


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How a run is done, apart from the pipeline."""

    out: Path
    """Folder for the results."""
    outputs: tuple[str, ...] = DEFAULT_OUTPUTS
    """Which of ``OUTPUTS``; those that need depth are skipped without a calibration."""
    cloud: CloudOptions = field(default_factory=CloudOptions)
    """What is done to point clouds."""
    swap: bool = False
    """Exchange left and right."""
    description: str = ""
    """All that decides the result, in words; a change of it makes a rerun start afresh."""

    def __post_init__(self) -> None:
        check_output_names(self.outputs)


def run_batch(
    pairs: Iterable[Pair], pipeline: StereoPipeline, settings: BatchSettings
) -> Iterator[PairReport]:
    """Process ``pairs`` in order and yield a report after each.

    A sequence of one pair goes right into ``settings.out``, several, or an unknown number, into a
    folder each. A pair whose results stand from an earlier run with the same settings is skipped.
    Raises as the stages do; what was yielded before stays whole.
    """
    alone = isinstance(pairs, Sequence) and len(pairs) == 1
    for pair in pairs:
        folder = settings.out if alone else settings.out / pair.name
        fingerprint = _fingerprint(pair, settings)
        summary = _finished(folder, fingerprint)
        if summary is None:
            summary = {**process_pair(pair, pipeline, settings, folder), "fingerprint": fingerprint}
            outputs.write_json(folder / "summary.json", summary)
            yield PairReport(pair.name, folder, summary)
        else:
            yield PairReport(pair.name, folder, summary, skipped=True)


def process_pair(
    pair: Pair, pipeline: StereoPipeline, settings: BatchSettings, folder: Path
) -> dict[str, Any]:
    """Process one pair, write its outputs into ``folder`` and return its summary."""
    frame = pair.read(swap=settings.swap)
    start = time.perf_counter()
    result = pipeline.process(frame)
    elapsed = time.perf_counter() - start
    rows = check_rows(result.pair)
    check_swapped(pipeline, frame, result, rows)
    outputs.make_folder(folder)
    (folder / "summary.json").unlink(missing_ok=True)  # what follows replaces an older result
    files = write_outputs(folder, settings.outputs, result, settings.cloud)
    facts = pair.facts() | summarize(pipeline, result, rows, files, elapsed)
    if "cloud" in files or "cloud-pcd" in files:
        facts |= cloud_facts(result, settings.cloud)
    return dict(jsonable(facts))  # a row offset nobody could measure is NaN


def _fingerprint(pair: Pair, settings: BatchSettings) -> str:
    """What a result depends on, as a short hash: the images, and the settings."""
    parts: list[Any] = [__version__, settings.description, settings.outputs, repr(settings.cloud)]
    parts += pair.identity()
    parts.append(settings.swap)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _finished(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """The summary of an earlier run that did the same and whose files still stand."""
    try:
        summary = json.loads((folder / "summary.json").read_text())
        same = summary["fingerprint"] == fingerprint
        whole = all((folder / file).is_file() for file in summary["files"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return summary if same and whole else None
