"""``stereo check``: does a rig file still describe the cameras? From images without a board."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import click

from calib import save_rig
from calib.health.check import Health, check_rig
from calib.health.picture import picture
from calib.health.repair import mended, nothing_to_mend, why_not_mended
from calib.health.summary import summary
from stereo.cli.check_input import GrayPair, gray_pairs
from stereo.cli.check_messages import show_health
from stereo.cli.check_options import RepairOptions, UncalibratedOptions
from stereo.cli.check_uncalibrated import check_uncalibrated
from stereo.cli.groups import command, headed, json_option
from stereo.cli.options import PairOptions
from stereo.cli.rig import read_rig
from stereo.cli.rig_options import RigFileOptions
from stereo.errors import InputError
from stereo.files import outputs

UNTRUSTED = 3


@command("check")
@click.argument("rig_and_images", nargs=-1, metavar="[RIG] LEFT RIGHT...")
@headed(
    "Images",
    "--pairs",
    "most",
    type=click.IntRange(1, 100),
    default=10,
    show_default=True,
    help="How many pairs to use at most, spread evenly.",
)
@headed(
    "Output",
    "--picture",
    "drawing",
    type=click.Path(path_type=Path),
    help="Picture of the row errors to write, .png.",
)
@json_option()
def check_command(
    rig_and_images: tuple[str, ...],
    *,
    images: PairOptions,
    file: RigFileOptions,
    repair: RepairOptions,
    without: UncalibratedOptions,
    most: int,
    drawing: Path | None,
    as_json: bool,
) -> int:
    """Tell from natural images whether RIG still fits: do the rows of LEFT and RIGHT match.

    LEFT RIGHT are images, folders, globs or videos, as for stereo run; several pairs are better
    than one, and none needs a board. Exit code 3: the rig should not be used as it is.
    """
    if without.uncalibrated:
        return check_uncalibrated(
            rig_and_images, images, repair, without, most=most, drawing=drawing, as_json=as_json
        )
    _check_options(rig_and_images, repair, without)
    rig_file, *named = rig_and_images
    with ExitStack() as stack:
        pairs = gray_pairs(stack, named, images, most=most)
    rig = read_rig(rig_file, file, pairs[0].size)
    health = check_rig(
        rig, [(one.left, one.right) for one in pairs], known_distance_m=repair.known_distance_m
    )
    written, code = _mended(health, repair)
    if drawing is not None:
        outputs.write_image_png(drawing, picture(health, pairs[0].left))
        written["picture"] = str(drawing)
    _show(health, pairs, written, as_json=as_json)
    return code


def _check_options(
    named: tuple[str, ...], repair: RepairOptions, without: UncalibratedOptions
) -> None:
    if len(named) < 2:
        raise InputError(
            "give a rig file and images: stereo check RIG LEFT RIGHT; without a rig file: "
            "stereo check --uncalibrated LEFT RIGHT"
        )
    if repair.repair and repair.out is None:
        raise InputError("--repair needs -o NEW_RIG: the rig file given stays as it is")
    if repair.out is not None and not repair.repair:
        raise InputError("-o is for the mended rig: give --repair too, or --picture for a picture")
    if without.hfov_deg is not None or without.baseline_m is not None:
        raise InputError("--hfov-deg and --baseline-m are for --uncalibrated; a rig file has both")


def _mended(health: Health, repair: RepairOptions) -> tuple[dict[str, str], int]:
    """What was written or said, and the exit code."""
    as_it_is = 0 if health.trusted else UNTRUSTED
    if not repair.repair or repair.out is None:
        return {}, as_it_is
    if nothing_to_mend(health):
        return {"not_mended": "nothing to mend; no file was written"}, as_it_is
    reason = why_not_mended(health)
    if reason is not None:
        return {"not_mended": f"not mended: {reason}; no file was written"}, UNTRUSTED
    save_rig(mended(health), repair.out)
    return {"rig": str(repair.out)}, 0


def _show(health: Health, pairs: list[GrayPair], written: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        names = [one.name for one in pairs]
        click.echo(json.dumps({**summary(health), "names": names, **written}, allow_nan=False))
    else:
        show_health(health, written)
