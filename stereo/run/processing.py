"""One pair through the pipeline into its folder, unless an earlier run did the same and it stands.

A pair is done when its ``summary.json`` stands, which is written last, and every file it names has
the size it had: what was cut or removed since is made anew.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calib.plain import jsonable
from stereo._version import __version__
from stereo.errors import ImageError, RectificationError, StereoError, SwappedPairError
from stereo.files import outputs
from stereo.files.atomic import remove_leftovers
from stereo.files.urls import Place, being_written, size_of
from stereo.pipeline import StereoPipeline
from stereo.result import DEFAULT_OUTPUTS, CloudOptions, check_output_names, write_outputs
from stereo.run.check import check_rows, check_swapped
from stereo.run.pairs import Pair
from stereo.run.summary import cloud_facts, summarize


@dataclass(frozen=True, slots=True)
class PairReport:
    """What became of one pair."""

    name: str
    """The pair's name."""
    folder: Place
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
class SetAside:
    """A pair that could not be processed, while others could."""

    name: str
    """The pair's name."""
    error: StereoError
    """Why, and what to do."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How a run is done, apart from the pipeline."""

    out: Place
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


def report_or_set_aside(
    pair: Pair, pipeline: StereoPipeline, settings: BatchSettings, folder: Place
) -> PairReport | SetAside:
    """Return what became of one of many pairs: a bad one is set aside and ends nothing."""
    if isinstance(folder, Path):
        remove_leftovers(folder)
    try:
        return report(pair, pipeline, settings, folder)
    except (ImageError, RectificationError, SwappedPairError) as error:
        # that of an older run, with other settings, would pass for one of this run
        (folder / "summary.json").unlink(missing_ok=True)
        return SetAside(pair.name, error)


def report(
    pair: Pair, pipeline: StereoPipeline, settings: BatchSettings, folder: Place
) -> PairReport:
    """Process a pair, or return what an earlier run with the same input and settings made of it.

    Raises what the pipeline and writing raise.
    """
    fingerprint = fingerprint_of(pair, settings)
    summary = finished(folder, fingerprint)
    if summary is not None:
        return PairReport(pair.name, folder, summary, skipped=True)
    with being_written(folder, last="summary.json") as local:
        summary = {**process_pair(pair, pipeline, settings, local), "fingerprint": fingerprint}
        outputs.write_json(local / "summary.json", summary)
    return PairReport(pair.name, folder, summary)


def process_pair(
    pair: Pair, pipeline: StereoPipeline, settings: BatchSettings, folder: Path
) -> dict[str, Any]:
    """Process one pair, write its outputs into ``folder`` and return its summary."""
    frame = pair.read(swap=settings.swap)
    start = time.perf_counter()
    result = pipeline.process(frame)
    elapsed = time.perf_counter() - start
    rows = check_rows(result.pair)
    check_swapped(pipeline, frame, result, rows, told_swap=settings.swap)
    outputs.make_folder(folder)
    (folder / "summary.json").unlink(missing_ok=True)  # what follows replaces an older result
    files = write_outputs(folder, settings.outputs, result, settings.cloud)
    sizes = {name: (folder / file).stat().st_size for name, file in files.items()}
    facts = pair.facts() | {"bytes": sizes} | summarize(pipeline, result, rows, files, elapsed)
    if "cloud" in files or "cloud-pcd" in files:
        facts |= cloud_facts(result, settings.cloud)
    return dict(jsonable(facts))  # a row offset nobody could measure is NaN


def fingerprint_of(pair: Pair, settings: BatchSettings) -> str:
    """Return what a result depends on, as a short hash: the images, and the settings."""
    parts: list[Any] = [__version__, settings.description, settings.outputs, repr(settings.cloud)]
    parts += pair.identity()
    parts.append(settings.swap)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def finished(folder: Place, fingerprint: str) -> dict[str, Any] | None:
    """Return the summary of an earlier run that did the same and whose files still stand whole."""
    try:
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_bytes())
        same = summary["fingerprint"] == fingerprint
        sizes = summary["bytes"]
        whole = all(
            size_of(folder / file) == sizes[name] for name, file in summary["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return summary if same and whole else None
