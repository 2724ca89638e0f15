"""The facts of one result, as ``summary.json`` holds them, and what speaks against it."""

from __future__ import annotations

from typing import Any

import numpy as np

from calib.words import fixed, rows_apart
from stereo._version import __version__
from stereo.cloud import doubtful
from stereo.frame import DisparityMap, Float
from stereo.pipeline import StereoPipeline
from stereo.result import CloudOptions, StereoResult
from stereo.run.check import RowCheck


def summarize(
    pipeline: StereoPipeline,
    result: StereoResult,
    rows: RowCheck,
    files: dict[str, str],
    elapsed_s: float,
) -> dict[str, Any]:
    """Return the facts of one result; what could not be measured is NaN or None."""
    height, width = result.disparity.px.shape
    warnings = _warnings(pipeline, result, rows)
    summary: dict[str, Any] = {
        "schema": "stereo-depth-summary/1",
        "version": __version__,
        "size": [width, height],
        "valid_share": round(result.disparity.valid_share, 4),
        "disparity_px": _spread(result.disparity.px),
        "disparity_along": "columns" if pipeline.rectification.turns else "rows",
        "depth_m": None,
        "sigma_m": None,
        "focal_px": None,
        "baseline_m": None,
        "row_offset_px": rows.offset_px,
        "row_error_px": rows.typical_px,
        "row_error_systematic_px": rows.systematic_px,
        "row_matches": rows.matches,
        "match_s": round(elapsed_s, 4),
        "files": files,
        "warnings": warnings,
        "trusted": rows.aligned,
    }
    if result.depth is None:
        summary["why_no_depth"] = (
            "no calibration was given: --calib RIG, or --rectified with --focal-px and --baseline-m"
        )
        return summary
    geometry = result.depth.geometry
    return summary | {
        "depth_m": _spread(result.depth.depth_m),
        "sigma_m": _spread(result.depth.sigma_m),
        "focal_px": geometry.focal_px,
        "baseline_m": geometry.baseline_m,
        "cx_px": geometry.cx_px,
        "cy_px": geometry.cy_px,
        "doffs_px": geometry.doffs_px,
    }


def cloud_facts(result: StereoResult, options: CloudOptions) -> dict[str, Any]:
    """Return how many pixels' points were left out of the cloud for the size of their error."""
    if result.depth is None:
        return {}
    share = options.max_relative_sigma
    left_out = int(np.count_nonzero(doubtful(result.depth, share)))
    known = int(np.count_nonzero(np.isfinite(result.depth.depth_m)))
    return {
        "cloud_left_out": left_out,
        "cloud_left_out_share": round(left_out / max(known, 1), 4),
        "max_relative_sigma": share if np.isfinite(share) else None,
    }


def _warnings(pipeline: StereoPipeline, result: StereoResult, rows: RowCheck) -> list[str]:
    warnings = []
    raw = pipeline.rectification.maps_left is None
    if not rows.aligned:
        advice = (
            "give --calib so that they get rectified, or make rows match without one: stereo check "
            "--uncalibrated LEFT RIGHT -o FOLDER"
            if raw
            else "this calibration does not belong to these images, or the rig has moved since"
        )
        warnings.append(
            f"the rows of left and right differ by {fixed(rows.typical_px, 1)} px (median of "
            f"{rows.matches} matches, {rows_apart(rows.offset_px)}): not a rectified "
            f"pair; {advice}"
        )
    elif rows.drifted:
        mend = "" if raw else "; stereo check RIG LEFT RIGHT --repair -o NEW_RIG can mend the rig"
        warnings.append(
            f"the rows of left and right differ by {fixed(rows.systematic_px, 2)} px besides noise "
            f"({rows_apart(rows.offset_px, 2)}), which costs matches{mend}"
        )
    if not np.isfinite(result.disparity.px).any():
        warnings.append("no pixel matched: is this a stereo pair of one scene?")
    elif _at_range_end(result.disparity) > 0.03:
        warnings.append(
            "many matches lie at the near end of the disparity range: nearer things are lost; "
            "raise --num-disparities"
        )
    return warnings


def _at_range_end(disparity: DisparityMap) -> float:
    """Share of the answers within 2 px of the largest disparity searched."""
    if disparity.searched is None:
        return 0.0
    known = disparity.px[np.isfinite(disparity.px)]
    return float(np.mean(known >= disparity.searched.max_disparity - 2))


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
