"""``stereo check --uncalibrated``: rows that match without a rig file, and what they are worth."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from calib.health.effect import FLAG_PX, UNUSABLE_PX
from calib.health.uncalibrated import LEAST_PARALLAX_PX, SelfRectification, self_rectified
from calib.plain import jsonable
from calib.words import fixed
from stereo.cli.check_input import gray_pairs
from stereo.cli.check_options import RepairOptions, UncalibratedOptions
from stereo.cli.options import PairOptions
from stereo.errors import InputError
from stereo.files import outputs
from stereo.frame import Image, StereoFrame, StereoGeometry
from stereo.preview import lines_preview

UNTRUSTED = 3
_MOSTLY = 0.9
_FARTHEST_PX = 0.5
UP_TO_SHAPE = (
    "depth from these images is up to scale and shape: disparity tells what is nearer than what, "
    "not how far it is; flat things may come out bent. For metres calibrate the cameras, for a "
    "rough guess of them give --hfov-deg and --baseline-m"
)
ROUGH = (
    "calib.txt is a rough guess from --hfov-deg and --baseline-m: lenses, the middle of the image "
    "and how far the cameras look apart are guessed; expect depth to be wrong by tens of percent, "
    "more beyond a few metres"
)


def check_uncalibrated(
    named: tuple[str, ...],
    images: PairOptions,
    repair: RepairOptions,
    without: UncalibratedOptions,
    *,
    most: int,
    drawing: Path | None,
    as_json: bool,
) -> int:
    """Find homographies that make rows match, write what they do to the first pair, and say it.

    Returns the exit code. Raises InputError for options that do not go together.
    """
    if not named:
        raise InputError("give images: stereo check --uncalibrated LEFT RIGHT [-o FOLDER]")
    if repair.repair or repair.known_distance_m is not None or drawing is not None:
        raise InputError(
            "--repair, --known-distance-m and --picture need a rig file: with --uncalibrated give "
            "-o FOLDER alone, which also gets a picture"
        )
    if without.baseline_m is not None and without.hfov_deg is None:
        raise InputError("--baseline-m needs --hfov-deg too, for a guess of metres")
    with ExitStack() as stack:
        pairs = gray_pairs(stack, named, images, most=most)
    found = self_rectified([(one.left, one.right) for one in pairs], hfov_deg=without.hfov_deg)
    geometry, said = _geometry(found, without.baseline_m), _worries(found)
    facts = _facts(found, len(pairs), geometry, said)
    if repair.out is not None:
        facts["files"] = _write(repair.out, found, pairs[0].frame, geometry, facts)
    if as_json:
        click.echo(json.dumps(jsonable(facts), allow_nan=False))
    else:
        _show(found, facts, repair.out)
    return 0 if facts["trusted"] else UNTRUSTED


def _geometry(found: SelfRectification, baseline_m: float | None) -> StereoGeometry | None:
    """A guess of the rectified cameras; None without the distance between them.

    Where the guess puts things behind infinity, what is farthest is put at it.
    """
    if baseline_m is None:
        return None
    lowest = float(np.percentile(found.rows.disparity, 1))
    doffs = found.doffs_px + max(0.0, _FARTHEST_PX - lowest)
    width, height = found.size
    focal = found.focal_px
    return StereoGeometry(focal, baseline_m, (width - 1) / 2, (height - 1) / 2, doffs)


def _worries(found: SelfRectification) -> list[str]:
    said = []
    if found.rows.systematic_px > FLAG_PX:
        said.append(
            f"rows still differ by {fixed(found.rows.systematic_px, 2)} px that is no noise: "
            "lenses that bend more than this model, or things that moved between the images"
        )
    if found.parallax_px < LEAST_PARALLAX_PX:
        said.append(
            f"near and far differ by {fixed(found.parallax_px, 1)} px only: both images seem to be "
            "taken from one place, or show one wall; there is no depth in them"
        )
    if np.mean(found.rows.disparity < 0) > _MOSTLY and found.parallax_px >= LEAST_PARALLAX_PX:
        said.append(
            "left and right seem to be exchanged (near things move the wrong way): add --swap"
        )
    return said


def _facts(
    found: SelfRectification, pairs: int, geometry: StereoGeometry | None, said: list[str]
) -> dict[str, Any]:
    trusted = (
        found.rows.systematic_px <= UNUSABLE_PX and found.parallax_px >= LEAST_PARALLAX_PX
    ) and not any("exchanged" in worry for worry in said)
    return {
        "schema": "stereo-depth-self-rectification/1",
        "pairs": pairs,
        "matches": len(found.rows),
        "row_error_median_px": found.rows.median_px,
        "row_error_p95_px": found.rows.p95_px,
        "row_error_systematic_px": found.rows.systematic_px,
        "parallax_px": found.parallax_px,
        "H_left": found.H_left,
        "H_right": found.H_right,
        "bend": found.bend,
        "size": found.size,
        "input_sizes": found.sizes,
        "depth": "rough guess" if geometry is not None else "up to scale and shape",
        "focal_px_guess": found.focal_px,
        "doffs_px": found.doffs_px if geometry is None else geometry.doffs_px,
        "warnings": said,
        "trusted": bool(trusted),
    }


def _write(
    out: Path,
    found: SelfRectification,
    frame: StereoFrame,
    geometry: StereoGeometry | None,
    facts: dict[str, Any],
) -> list[str]:
    outputs.make_folder(out)
    left, right = (_warped(image, found, i) for i, image in enumerate((frame.left, frame.right)))
    outputs.write_image_png(out / "left.png", left)
    outputs.write_image_png(out / "right.png", right)
    outputs.write_image_png(out / "lines.png", lines_preview(left, right))
    files = ["left.png", "right.png", "lines.png"]
    if geometry is not None:
        outputs.write_middlebury_calib(out / "calib.txt", geometry, found.size)
        files.append("calib.txt")
    files.append("rectification.json")
    outputs.write_json(out / "rectification.json", jsonable(facts | {"files": files}))
    return files


def _warped(image: Image, found: SelfRectification, side: int) -> Image:
    sources = np.nan_to_num(found.sources(side), nan=-1e4)
    return cv2.remap(image, sources, None, cv2.INTER_LINEAR)  # type: ignore[call-overload, no-any-return]


def _show(found: SelfRectification, facts: dict[str, Any], out: Path | None) -> None:
    rows = found.rows
    click.echo(
        f"rows differ by {fixed(rows.median_px, 2)} px (median of {len(rows)} matches, 95 % within "
        f"{fixed(rows.p95_px, 2)} px); near and far differ by {fixed(found.parallax_px, 1)} px"
        + (f"; lenses bend ({fixed(found.bend, 3)})" if found.bend else "")
    )
    for worry in facts["warnings"]:
        click.echo(f"warning: {worry}", err=True)
    rough = facts["depth"] == "rough guess"
    click.echo(f"note: {ROUGH if rough else UP_TO_SHAPE}.", err=True)
    if out is None:
        click.echo("give -o FOLDER to write the rectified pair")
        return
    if rough:
        scale = found.focal_px
        click.echo(
            f"guessed focal length {fixed(scale, 0)} px; next: stereo run {out / 'left.png'} "
            f"{out / 'right.png'} --calib {out / 'calib.txt'} -o RESULT"
        )
    else:
        click.echo(f"next: stereo run {out / 'left.png'} {out / 'right.png'} --rectified -o RESULT")
    click.echo(f"look at {out / 'lines.png'}: every point must lie on its line in both halves")
