"""``stereo rectify``: write the rectified pair, and a picture to judge it by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from stereo.cli.options import load_calibration, model_option, rectification, unit_option
from stereo.errors import InputError
from stereo.files import outputs
from stereo.preview import lines_preview
from stereo.run.batch import PairFiles
from stereo.run.check import check_rows


@click.command("rectify")
@click.argument("left", type=click.Path(path_type=Path))
@click.argument("right", type=click.Path(path_type=Path), required=False)
@click.option("--calib", type=click.Path(), required=True, help="Rig file.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Result folder.")
@unit_option
@model_option
@click.option("--side-by-side", is_flag=True, help="LEFT holds both images side by side.")
@click.option("--alpha", type=float, default=0.0, show_default=True, help="0: common; 1: all.")
@click.option("--rescale", is_flag=True, help="Scale the calibration to the images' size.")
@click.option("--swap", is_flag=True, help="Exchange left and right images.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def rectify_command(left: Path, right: Path | None, out: Path, **options: Any) -> int:
    """Rectify the pair LEFT RIGHT with a rig file.

    Writes left.png, right.png, calib.txt (Middlebury form, to use them with --calib) and
    lines.png: both side by side with lines, on which every point must have its partner.
    """
    if (right is None) != options["side_by_side"]:
        raise InputError("give LEFT and RIGHT, or one image with --side-by-side")
    frame = PairFiles(left.stem, left, right).read(swap=options["swap"])
    size = (frame.left.shape[1], frame.left.shape[0])
    calibration = load_calibration(
        calib=options["calib"],
        unit=options["unit"],
        model=options["model"],
        rectified=False,
        focal_px=None,
        baseline_m=None,
        size=size,
    )
    rect = rectification(calibration, alpha=options["alpha"], rescale=options["rescale"], size=size)
    pair = rect.apply(frame)
    rows = check_rows(pair)
    geometry = rect.geometry
    assert geometry is not None  # --calib is required
    outputs.make_folder(out)
    outputs.write_image_png(out / "left.png", pair.left)
    outputs.write_image_png(out / "right.png", pair.right)
    outputs.write_image_png(out / "lines.png", lines_preview(pair.left, pair.right))
    height, width = pair.left.shape[:2]
    outputs.write_middlebury_calib(out / "calib.txt", geometry, (width, height))
    if options["as_json"]:
        facts = {
            "focal_px": geometry.focal_px,
            "baseline_m": geometry.baseline_m,
            "cx_px": geometry.cx_px,
            "cy_px": geometry.cy_px,
            "row_offset_px": rows.offset_px,
            "row_error_px": rows.typical_px,
            "row_matches": rows.matches,
            "aligned": rows.aligned,
            "folder": str(out),
        }
        click.echo(json.dumps(outputs.jsonable(facts)))
    else:
        click.echo(
            f"rows differ by {rows.typical_px:.2f} px (median of {rows.matches} matches); "
            f"focal length {geometry.focal_px:.1f} px, baseline {geometry.baseline_m:.4f} m"
        )
        click.echo(f"look at {out / 'lines.png'}: every point must lie on its line in both halves")
    if not rows.aligned:
        click.echo("warning: the rows do not correspond; this rig file does not fit", err=True)
    return 0 if rows.aligned else 3
