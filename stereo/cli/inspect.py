"""``stereo inspect``: what a rig is, and how well it can measure."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click
import numpy as np

from calib import FORMATS, CameraError, RectifiedRig, RigWriteError, StereoRig
from calib.formats.rectifying import rectify
from calib.solving.epipolar import quarter_turns
from calib.words import fixed, length, plain, table
from stereo.cli.groups import command, json_option
from stereo.cli.inspect_network import inspect_network, names_network
from stereo.cli.rig import assumptions
from stereo.cli.rig_options import LoneRigOptions
from stereo.depth import depth_sigma
from stereo.errors import InputError, RectificationError
from stereo.frame import StereoGeometry
from stereo.rectify import Rectification

UNTRUSTED = 3
_MOST_PIXELS = 40_000_000
"""More are not rectified only to look at the numbers."""
_SIDES = {0: "right", 1: "below", -1: "above"}
"""Where the right camera stands, by the quarter turns that matching needs."""
DISTANCES_M = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


@command("inspect")
@click.argument("rig", metavar="RIG|MODEL.onnx", type=click.Path())
@click.option(
    "--disparity-noise-px",
    type=float,
    default=0.25,
    show_default=True,
    help="One standard deviation of the disparity.",
)
@json_option()
def inspect_command(
    rig: str,
    *,
    file: LoneRigOptions,
    disparity_noise_px: float,
    as_json: bool,
) -> int:
    """Tell what RIG is and what depth error to expect at which distance.

    RIG is a calibration of any known format: a file, several with commas, or their folder. Of a
    stereo network, MODEL.onnx, it tells what was recognised and what is missing.
    """
    if names_network(rig):
        return 0 if inspect_network(rig, as_json=as_json) else UNTRUSTED
    if not 0 < disparity_noise_px < 100:
        raise InputError(
            f"--disparity-noise-px must be between 0 and 100, got {disparity_noise_px}"
        )
    found = file.find(rig, file.size)
    calibration = file.load(rig, file.size, rectified=file.rectified)
    geometry, unusable = _geometry(calibration)
    facts = {
        "format": found.name,
        "files": [str(path) for path in found.files],
        **_describe(calibration, geometry),
        "notes": assumptions(calibration),
        "unusable": unusable,
    }
    if geometry is not None:
        facts |= {
            "disparity_noise_px": disparity_noise_px,
            "depth_error": depth_errors(geometry, disparity_noise_px),
            "calibration_error_mm": _own_errors(calibration),
        }
    if as_json:
        click.echo(json.dumps({"rig": rig, **facts}))
    else:
        _show(rig, facts)
    return 0 if geometry is not None else UNTRUSTED


def _geometry(rig: StereoRig | RectifiedRig) -> tuple[StereoGeometry | None, str | None]:
    """What the rectified pair is, without computing its maps, or why there is none."""
    try:
        shown = rectify(rig, "depth").rig
    except RigWriteError:  # not side by side: the stage that turns images has the last word
        pixels = math.prod(rig.left.size) if isinstance(rig, StereoRig) else 0
        if pixels > _MOST_PIXELS:
            return None, "the cameras are not side by side"
        try:
            return Rectification.from_calibration(rig).geometry, None
        except (RectificationError, CameraError) as error:
            return None, str(error)
    return StereoGeometry(
        shown.focal_px, shown.baseline_m, shown.cx_left_px, shown.cy_px, shown.doffs_px
    ), None


def _stands(calibration: StereoRig | RectifiedRig) -> str:
    """Where the right camera stands, seen from the left one."""
    if isinstance(calibration, RectifiedRig):
        return "right"
    return _SIDES[quarter_turns(calibration.R_right_left, calibration.t_right_left)]


def _own_errors(rig: StereoRig | RectifiedRig) -> list[float] | None:
    """As ``calibration_errors``, for a file that keeps a covariance."""
    if "calibration" not in rig.notes:
        return None
    return calibration_errors(Rectification.from_calibration(rig))


def depth_errors(geometry: StereoGeometry, noise_px: float) -> list[dict[str, float]]:
    """Return, for each of ``DISTANCES_M``, the disparity and one sigma of depth."""
    z = np.array([DISTANCES_M], np.float32)
    sigma = depth_sigma(z, geometry, noise_px)[0]
    per_m = geometry.focal_px * geometry.baseline_m
    return [
        {
            "distance_m": distance,
            "disparity_px": round(per_m / distance - geometry.doffs_px, 2),
            "error_mm": round(1000 * float(s), 2),
            "error_percent": round(100 * float(s) / distance, 3),
        }
        for distance, s in zip(DISTANCES_M, sigma, strict=True)
    ]


def calibration_errors(rect: Rectification) -> list[float] | None:
    """Return one sigma of depth, mm, that the rig's own covariance causes at ``DISTANCES_M``, the
    median over the image; None: the file keeps no covariance.
    """
    if rect.calibration_px2 is None or rect.geometry is None:
        return None
    per_m, errors = rect.geometry.focal_px * rect.geometry.baseline_m, []
    for distance in DISTANCES_M:
        flat = np.full(rect.calibration_px2.offset.shape, per_m / distance, np.float32)
        sigma_px = float(np.sqrt(np.median(rect.calibration_px2.at(flat))))
        errors.append(round(1000 * distance**2 / per_m * sigma_px, 2))
    return errors


def _describe(
    calibration: StereoRig | RectifiedRig, geometry: StereoGeometry | None
) -> dict[str, Any]:
    common = {
        "rectified_focal_px": None if geometry is None else round(geometry.focal_px, 3),
        "baseline_m": round(calibration.baseline_m, 6),
        "right_camera": _stands(calibration),
    }
    if isinstance(calibration, RectifiedRig):
        return common | {"kind": "rectified", "size": calibration.size, "cameras": {}}
    rotation = np.degrees(math.acos(np.clip((np.trace(calibration.R_right_left) - 1) / 2, -1, 1)))
    cameras = {}
    for side in ("left", "right"):
        camera = getattr(calibration, side)
        fov = np.degrees(camera.field_of_view_rad)
        cameras[side] = {
            "model": camera.model,
            "size": list(camera.size),
            "focal_px": [round(float(camera.K[0, 0]), 3), round(float(camera.K[1, 1]), 3)],
            "principal_point_px": [
                round(float(camera.K[0, 2]), 3),
                round(float(camera.K[1, 2]), 3),
            ],
            "distortion": [float(value) for value in camera.distortion],
            "field_of_view_deg": [round(float(fov[0]), 2), round(float(fov[1]), 2)],
        }
    return common | {
        "kind": "raw",
        "size": list(calibration.left.size),
        "rotation_deg": round(float(rotation), 4),
        "translation_m": [round(float(value), 6) for value in calibration.t_right_left],
        "reprojection_rms_px": calibration.reprojection_rms_px,
        "row_error_px": calibration.row_error_px,
        "cameras": cameras,
    }


def _show(rig: str, facts: dict[str, Any]) -> None:
    size = "unknown size" if facts["size"] is None else "{}x{}".format(*facts["size"])
    click.echo(f"{rig}: {facts['kind']} stereo rig, {size}")
    names = ", ".join(Path(path).name for path in facts["files"])
    click.echo(f"format {facts['format']}: {FORMATS[facts['format']].description} ({names})")
    if facts["right_camera"] != "right":
        click.echo(
            f"the right camera stands {facts['right_camera']} the left one: images are turned for "
            "matching, and depth is turned back"
        )
    focal = facts["rectified_focal_px"]
    click.echo(
        f"baseline {length(facts['baseline_m'], 4)}"
        + ("" if focal is None else f", focal length after rectification {fixed(focal, 1)} px")
    )
    for side, camera in facts["cameras"].items():
        click.echo(
            f"{side:>5}: {camera['size'][0]}x{camera['size'][1]}, "
            f"{camera['model']} with {len(camera['distortion'])} coefficients, "
            f"focal {camera['focal_px'][0]:.1f} x {camera['focal_px'][1]:.1f} px, "
            f"field of view {camera['field_of_view_deg'][0]:.1f} x "
            f"{camera['field_of_view_deg'][1]:.1f} degrees"
        )
    if facts.get("reprojection_rms_px") is not None:
        click.echo(f"reprojection rms {facts['reprojection_rms_px']:.3f} px")
    if facts.get("row_error_px") is not None:
        click.echo(f"row error on held-out corners {facts['row_error_px']:.3f} px")
    for note in facts["notes"]:
        click.echo(f"note: {note}")
    if facts["unusable"]:
        click.echo(f"warning: no depth from this rig as it stands: {facts['unusable']}", err=True)
        return
    click.echo(
        f"\nDepth error (one sigma) for {plain(facts['disparity_noise_px'])} px disparity noise:"
    )
    for line in _error_table(facts):
        click.echo(line)
    if facts["calibration_error_mm"] is not None:
        click.echo("calibration: what the rig's own error adds, median over the image")


def _error_table(facts: dict[str, Any]) -> list[str]:
    header = ["distance", "disparity", "error", "of distance"]
    rows = [
        [
            f"{plain(row['distance_m'])} m",
            f"{fixed(row['disparity_px'], 1)} px",
            length(row["error_mm"] / 1000),
            f"{fixed(row['error_percent'], 2)} %",
        ]
        for row in facts["depth_error"]
    ]
    if facts["calibration_error_mm"] is not None:
        header.append("calibration")
        for row, error_mm in zip(rows, facts["calibration_error_mm"], strict=True):
            row.append(length(error_mm / 1000))
    return table(header, rows, names=0)
