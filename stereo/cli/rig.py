"""From the options about calibration to a rectification."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from calib import RectifiedRig, StereoRig
from calib.formats import zed
from calib.formats.reading import Stated
from stereo.cli.rig_options import RectifyOptions, RigFileOptions, RigOptions
from stereo.errors import InputError
from stereo.frame import StereoFrame, StereoGeometry
from stereo.rectify import Rectification, Size
from stereo.run.signs import settle


def calibration_of(
    rig: RigOptions, size: Size, known: StereoRig | RectifiedRig | None
) -> StereoRig | RectifiedRig | None:
    """Return the calibration of images of ``size`` = (width, height) that the options describe.

    What is ``known`` of the source where they say nothing, which is said; None where there is
    nothing at all. Raises InputError for contradicting options and what ``load_rig`` raises.
    """
    told = _from_calib(rig, size) if rig.calib is not None else _from_numbers(rig, size)
    if told is not None or known is None or rig.rectified:
        return told
    click.echo("note: using the calibration that comes with the source", err=True)
    return known


def read_rig(
    path: str, file: RigFileOptions, size: Size | None, *, rectified: bool = False
) -> StereoRig | RectifiedRig:
    """Return the rig in a file, and say what was assumed. Raises what ``load_rig`` raises."""
    loaded = file.load(path, size, rectified=rectified)
    for note in assumptions(loaded):
        click.echo(f"note: {note}", err=True)
    if isinstance(loaded, StereoRig) and not loaded.usable:
        click.echo(f"warning: {path}: {_why_unusable(loaded)}", err=True)
    return loaded


def _why_unusable(rig: StereoRig) -> str:
    """What the calibration said of itself; notes may hold anything."""
    summary = rig.notes.get("summary")
    verdict = summary.get("verdict") if isinstance(summary, Mapping) else None
    return f"its calibration says not to use it (usable: false). {verdict or ''}".rstrip()


def assumptions(rig: StereoRig | RectifiedRig) -> list[str]:
    """Return what a reader had to assume, for people."""
    notes = {name: str(rig.notes[name]) for name in rig.notes if name.endswith("_assumed")}
    return [f"{name.removesuffix('_assumed')}: {said}" for name, said in notes.items()]


def settled(
    calibration: StereoRig | RectifiedRig | None,
    rig: RigOptions,
    first: Callable[[], StereoFrame | None],
) -> StereoRig | RectifiedRig | None:
    """Return the calibration, of a ZED conf the reading of its signs that the first
    frame speaks for.
    """
    if rig.calib is None or calibration is None or "signs_assumed" not in calibration.notes:
        return calibration
    frame = first()
    if frame is None:
        return calibration
    size = frame.left.shape[1], frame.left.shape[0]
    stated = Stated(size, rig.unit, rig.model, rig.resolution, rig.camera_pair)
    readings = zed.readings(rig.find(rig.calib, size).files[0], stated)
    if rig.rescale:
        readings = {name: each.scaled(size) for name, each in readings.items()}
    found = settle(readings, frame)
    click.echo(f"note: signs: {found.line()}", err=True)
    return readings[found.best]


def rectification(
    calibration: StereoRig | RectifiedRig | None, how: RectifyOptions, size: Size
) -> Rectification:
    """Return the rectification for images of ``size``; pass-through without a calibration."""
    if calibration is None:
        return Rectification.already_rectified()
    return Rectification.from_calibration(
        calibration, alpha=how.alpha, size=size, rescale=how.rescale
    )


def _from_calib(rig: RigOptions, size: Size) -> StereoRig | RectifiedRig:
    assert rig.calib is not None
    if rig.focal_px is not None or rig.baseline_m is not None:
        raise InputError("give either --calib or --focal-px with --baseline-m, not both")
    loaded = read_rig(rig.calib, rig, size, rectified=rig.rectified)
    if rig.rectified and isinstance(loaded, StereoRig):
        raise InputError(
            f"{rig.calib} describes raw cameras, so --rectified contradicts it; drop --rectified, "
            "or give --focal-px and --baseline-m of the rectified images"
        )
    return loaded


def _from_numbers(rig: RigOptions, size: Size) -> RectifiedRig | None:
    focal_px, baseline_m = rig.focal_px, rig.baseline_m
    if focal_px is None and baseline_m is None:
        return None
    if focal_px is None or baseline_m is None:
        missing = "--baseline-m" if baseline_m is None else "--focal-px"
        raise InputError(
            f"metric depth needs both --focal-px and --baseline-m; {missing} is missing"
        )
    cx = (size[0] - 1) / 2 if rig.cx_px is None else rig.cx_px
    cy = (size[1] - 1) / 2 if rig.cy_px is None else rig.cy_px
    StereoGeometry(focal_px, baseline_m, cx, cy, rig.doffs_px)  # says what is wrong in these terms
    return RectifiedRig(size, focal_px, baseline_m, cx, cx + rig.doffs_px, cy)
