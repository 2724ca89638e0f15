"""Many pairs through one pipeline, each into its own folder, resumable after an interruption.

A pair is done when its ``summary.json`` stands, which is written last; a rerun with the same
inputs and settings skips it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stereo import outputs
from stereo._version import __version__
from stereo.check import check_rows, check_swapped
from stereo.errors import InputError
from stereo.frame import StereoFrame
from stereo.images import read_image, split_side_by_side
from stereo.pipeline import StereoPipeline
from stereo.products import DEFAULT_OUTPUTS, OUTPUTS, CloudOptions
from stereo.summary import summarize


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
        for name in self.outputs:
            if name not in OUTPUTS:
                raise InputError(f"unknown output {name!r}; choose from {', '.join(OUTPUTS)}")
        if not self.outputs:
            raise InputError(f"no outputs asked for; choose from {', '.join(OUTPUTS)}")


def run_batch(
    pairs: Sequence[PairFiles], pipeline: StereoPipeline, settings: BatchSettings
) -> Iterator[PairReport]:
    """Process ``pairs`` in order and yield a report after each.

    One pair goes right into ``settings.out``, several into a folder each. A pair whose results
    stand from an earlier run with the same settings is skipped. Raises as the stages do; what
    was yielded before stays whole.
    """
    for pair in pairs:
        folder = settings.out if len(pairs) == 1 else settings.out / pair.name
        fingerprint = _fingerprint(pair, settings)
        summary = _finished(folder, fingerprint)
        if summary is None:
            summary = {**process_pair(pair, pipeline, settings, folder), "fingerprint": fingerprint}
            outputs.write_json(folder / "summary.json", summary)
            yield PairReport(pair.name, folder, summary)
        else:
            yield PairReport(pair.name, folder, summary, skipped=True)


def process_pair(
    pair: PairFiles, pipeline: StereoPipeline, settings: BatchSettings, folder: Path
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
    files = {}
    for name in settings.outputs:
        output = OUTPUTS[name]
        if result.depth is not None or not output.needs_depth:
            output.write(folder / output.file, result, settings.cloud)
            files[name] = output.file
    inputs = {
        "name": pair.name,
        "left": str(pair.left),
        "right": None if pair.right is None else str(pair.right),
    }
    facts = inputs | summarize(pipeline, result, rows, files, elapsed)
    return dict(outputs.jsonable(facts))  # a row offset nobody could measure is NaN


def _fingerprint(pair: PairFiles, settings: BatchSettings) -> str:
    """What a result depends on, as a short hash: the files as they are, and the settings."""
    parts: list[Any] = [__version__, settings.description, settings.outputs, repr(settings.cloud)]
    for path in (pair.left, pair.right):
        if path is not None and path.exists():
            stat = path.stat()
            parts += [str(path.resolve()), stat.st_size, stat.st_mtime_ns]
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
