"""``stereo rectify``: write the rectified pair, and a picture to judge it by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from calib.plain import jsonable
from calib.words import fixed, length
from stereo.cli.groups import command, headed, json_option, out_option
from stereo.cli.options import PairOptions
from stereo.cli.rig import read_rig, rectification
from stereo.cli.rig_options import CALIB_HELP, RectifyOptions
from stereo.errors import InputError
from stereo.files import outputs
from stereo.frame import RectifiedPair, StereoGeometry
from stereo.preview import lines_preview
from stereo.run.check import RowCheck, check_rows
from stereo.run.pairs import PairFiles


@command("rectify")
@click.argument("left", type=click.Path(path_type=Path))
@click.argument("right", type=click.Path(path_type=Path), required=False)
@headed(
    "Calibration",
    "--calib",
    type=click.Path(),
    required=True,
    help=CALIB_HELP,
)
@out_option("Result folder.")
@json_option()
def rectify_command(
    left: Path,
    right: Path | None,
    *,
    images: PairOptions,
    calib: str,
    how: RectifyOptions,
    out: Path,
    as_json: bool,
) -> int:
    """Rectify the pair LEFT RIGHT with a rig file.

    Writes left.png, right.png, calib.txt (Middlebury form, to use them with --calib) and
    lines.png: both side by side with lines, on which every point must have its partner. Images of
    cameras above each other are turned by 90 degrees, so that any stereo program can match them.
    """
    composite = images.composite
    if (right is None) != (composite is not None):
        raise InputError("give LEFT and RIGHT, or one image with --side-by-side or --layout")
    files = PairFiles(left.stem, left, right, composite or "side-by-side")
    frame = files.read(swap=images.swapped)
    size = (frame.left.shape[1], frame.left.shape[0])
    rect = rectification(read_rig(calib, how, size), how, size)
    geometry = rect.geometry
    assert geometry is not None  # a calibration always has one
    pair = rect.apply(frame)
    rows = check_rows(pair)
    _write(out, pair, geometry)
    if as_json:
        click.echo(json.dumps(jsonable(_facts(out, geometry, rows, rect.turns))))
    else:
        click.echo(
            f"rows differ by {fixed(rows.typical_px, 2)} px (median of {rows.matches} matches); "
            f"focal length {fixed(geometry.focal_px, 1)} px, "
            f"baseline {length(geometry.baseline_m, 4)}"
        )
        if rect.turns:
            click.echo(f"cameras above each other: both images are turned {_turn(rect.turns)}")
        click.echo(f"look at {out / 'lines.png'}: every point must lie on its line in both halves")
    if not rows.aligned:
        click.echo("warning: the rows do not correspond; this rig file does not fit", err=True)
    elif rows.drifted:
        click.echo(
            f"warning: {fixed(rows.systematic_px, 2)} px of it is no noise: the rig has moved; "
            "stereo check can mend it",
            err=True,
        )
    return 0 if rows.aligned else 3


def _write(out: Path, pair: RectifiedPair, geometry: StereoGeometry) -> None:
    outputs.make_folder(out)
    outputs.write_image_png(out / "left.png", pair.left)
    outputs.write_image_png(out / "right.png", pair.right)
    outputs.write_image_png(out / "lines.png", lines_preview(pair.left, pair.right))
    height, width = pair.left.shape[:2]
    outputs.write_middlebury_calib(out / "calib.txt", geometry, (width, height))


def _turn(turns: int) -> str:
    return f"by 90 degrees {'counter-clockwise' if turns > 0 else 'clockwise'}"


def _facts(out: Path, geometry: StereoGeometry, rows: RowCheck, turns: int) -> dict[str, Any]:
    return {
        "focal_px": geometry.focal_px,
        "baseline_m": geometry.baseline_m,
        "cx_px": geometry.cx_px,
        "cy_px": geometry.cy_px,
        "row_offset_px": rows.offset_px,
        "row_error_px": rows.typical_px,
        "row_error_systematic_px": rows.systematic_px,
        "row_matches": rows.matches,
        "aligned": rows.aligned,
        "turned_deg": 90 * turns,
        "folder": str(out),
    }
