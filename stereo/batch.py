"""Many pairs through one pipeline, each into its own folder, resumable after an interruption.

A pair is done when its ``summary.json`` stands, which is written last; a rerun with the same
inputs and settings skips it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stereo import outputs
from stereo._version import __version__
from stereo.check import RowCheck, check_rows, check_swapped
from stereo.cloud import remove_outliers, thin, with_normals
from stereo.errors import InputError
from stereo.frame import Float, Mask, PointCloud, StereoFrame
from stereo.images import read_image, split_side_by_side
from stereo.pipeline import StereoPipeline, StereoResult
from stereo.preview import confidence_preview, depth_preview, disparity_preview


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
class CloudOptions:
    """What is done to a point cloud before it is written."""

    voxel_m: float | None = None
    """Keep one point per cube of this side, metres; None: all."""
    outliers: bool = False
    """Remove points far from their neighbours."""
    normals: bool = False
    """Add normals."""
    max_relative_sigma: float = 0.25
    """Leave out points whose error bar exceeds this share of their depth."""


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


Writer = Callable[[Path, StereoResult, CloudOptions], None]


def _cloud(result: StereoResult, options: CloudOptions) -> PointCloud:
    cloud = result.cloud(max_relative_sigma=options.max_relative_sigma)
    if options.voxel_m is not None:
        cloud = thin(cloud, options.voxel_m)
    if options.outliers:
        cloud = remove_outliers(cloud)
    return with_normals(cloud) if options.normals else cloud


def _depth(result: StereoResult) -> Float:
    assert result.depth is not None  # OUTPUTS says which writers need depth
    return result.depth.depth_m


def _sigma(result: StereoResult) -> Float:
    assert result.depth is not None
    return result.depth.sigma_m


def _preview(path: Path, result: StereoResult, _: CloudOptions) -> None:
    if result.depth is None:
        picture = disparity_preview(result.disparity.px)
    else:
        picture = depth_preview(result.depth.depth_m)
    outputs.write_image_png(path, picture)


@dataclass(frozen=True, slots=True)
class Output:
    """One kind of result."""

    file: str
    """Name of the file it is written to."""
    write: Writer
    """Writes it."""
    needs_depth: bool
    """Whether it exists only with a calibration."""
    help: str
    """One line for the user."""


OUTPUTS: dict[str, Output] = {
    "disparity": Output(
        "disparity.pfm",
        lambda path, r, _: outputs.write_disparity_pfm(path, r.disparity.px),
        False,
        "float32 px, inf unknown",
    ),
    "disparity-png": Output(
        "disparity.png",
        lambda path, r, _: outputs.write_disparity_png16(path, r.disparity.px),
        False,
        "16 bit, px x 256, 0 unknown (KITTI)",
    ),
    "depth": Output(
        "depth_mm.png",
        lambda path, r, _: outputs.write_depth_png_mm(path, _depth(r)),
        True,
        "16 bit millimetres, 0 unknown or beyond 65.535 m",
    ),
    "depth-tiff": Output(
        "depth_m.tiff",
        lambda path, r, _: outputs.write_tiff(path, _depth(r)),
        True,
        "float32 metres, NaN unknown",
    ),
    "depth-npy": Output(
        "depth_m.npy",
        lambda path, r, _: outputs.write_npy(path, _depth(r)),
        True,
        "float32 metres, NaN unknown",
    ),
    "sigma": Output(
        "sigma_m.tiff",
        lambda path, r, _: outputs.write_tiff(path, _sigma(r)),
        True,
        "float32 metres: one standard deviation of depth",
    ),
    "confidence": Output(
        "confidence.png",
        lambda path, r, _: outputs.write_confidence_png(path, r.disparity.confidence),
        False,
        "8 bit, 255 = certain",
    ),
    "confidence-preview": Output(
        "confidence_preview.png",
        lambda path, r, _: outputs.write_image_png(
            path, confidence_preview(r.disparity.confidence)
        ),
        False,
        "colour-mapped confidence",
    ),
    "cloud": Output(
        "cloud.ply",
        lambda path, r, options: outputs.write_ply(path, _cloud(r, options)),
        True,
        "binary PLY, metres, colour",
    ),
    "cloud-pcd": Output(
        "cloud.pcd",
        lambda path, r, options: outputs.write_pcd(path, _cloud(r, options)),
        True,
        "binary PCD, metres, colour",
    ),
    "preview": Output("preview.png", _preview, False, "colour-mapped picture with a scale"),
    "left": Output(
        "left.png",
        lambda path, r, _: outputs.write_image_png(path, r.pair.left),
        False,
        "the rectified left image, which all maps fit",
    ),
}
"""What ``--outputs`` can name."""

DEFAULT_OUTPUTS = ("disparity", "depth", "cloud", "preview", "left")


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """How a run is done, apart from the pipeline."""

    out: Path
    """Folder for the results."""
    outputs: tuple[str, ...] = DEFAULT_OUTPUTS
    """Which of ``OUTPUTS``; those that need depth are skipped without a calibration."""
    cloud: CloudOptions = CloudOptions()
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
    check_swapped(pipeline, frame, result)
    rows = check_rows(result.pair)
    outputs.make_folder(folder)
    (folder / "summary.json").unlink(missing_ok=True)  # what follows replaces an older result
    files = {}
    for name in settings.outputs:
        output = OUTPUTS[name]
        if result.depth is not None or not output.needs_depth:
            output.write(folder / output.file, result, settings.cloud)
            files[name] = output.file
    return summarize(pair, pipeline, result, rows, files, elapsed)


def summarize(
    pair: PairFiles,
    pipeline: StereoPipeline,
    result: StereoResult,
    rows: RowCheck,
    files: dict[str, str],
    elapsed_s: float,
) -> dict[str, Any]:
    """Return the facts of one result, ready for JSON."""
    height, width = result.disparity.px.shape
    warnings = _warnings(pipeline, result, rows)
    geometry = pipeline.rectification.geometry
    summary: dict[str, Any] = {
        "schema": "stereo-depth-summary/1",
        "version": __version__,
        "name": pair.name,
        "left": str(pair.left),
        "right": None if pair.right is None else str(pair.right),
        "size": [width, height],
        "valid_share": round(result.disparity.valid_share, 4),
        "disparity_px": _spread(result.disparity.px),
        "depth_m": None,
        "sigma_m": None,
        "focal_px": None,
        "baseline_m": None,
        "row_offset_px": rows.offset_px,
        "row_matches": rows.matches,
        "match_s": round(elapsed_s, 4),
        "files": files,
        "warnings": warnings,
        "trusted": rows.aligned,
    }
    if result.depth is None or geometry is None:
        summary["why_no_depth"] = (
            "no calibration was given: --calib RIG, or --rectified with --focal-px and --baseline-m"
        )
        return summary
    return summary | {
        "depth_m": _spread(result.depth.depth_m),
        "sigma_m": _spread(result.depth.sigma_m),
        "focal_px": geometry.focal_px,
        "baseline_m": geometry.baseline_m,
    }


def _warnings(pipeline: StereoPipeline, result: StereoResult, rows: RowCheck) -> list[str]:
    warnings = []
    if not rows.aligned:
        advice = (
            "give --calib so that they get rectified"
            if pipeline.rectification.maps_left is None
            else "this calibration does not belong to these images, or the rig has moved since"
        )
        warnings.append(
            f"the rows of left and right differ by {rows.typical_px:.1f} px (median of "
            f"{rows.matches} matches, left {rows.offset_px:+.1f} below right): not a rectified "
            f"pair; {advice}"
        )
    known = np.isfinite(result.disparity.px)
    if not known.any():
        warnings.append("no pixel matched: is this a stereo pair of one scene?")
    elif _at_range_end(pipeline, result, known) > 0.03:
        warnings.append(
            "many matches lie at the near end of the disparity range: nearer things are lost; "
            "raise --num-disparities"
        )
    return warnings


def _at_range_end(pipeline: StereoPipeline, result: StereoResult, known: Mask) -> float:
    """Share of the answers within 2 px of the largest disparity searched."""
    params = getattr(pipeline.matcher, "params", None)
    if params is None:
        return 0.0
    last = params.min_disparity + params.num_disparities - 1
    return float(np.mean(result.disparity.px[known] >= last - 2))


def _spread(values: Float) -> dict[str, float] | None:
    known = values[np.isfinite(values)]
    if known.size == 0:
        return None
    low, median, high = np.percentile(known, [5, 50, 95])
    return {
        "p5": round(float(low), 5),
        "median": round(float(median), 5),
        "p95": round(float(high), 5),
    }


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
