"""``stereo convert``: a calibration of any format into another."""

from __future__ import annotations

import json
from pathlib import Path

import click

from calib import FORMATS, save_rig
from calib.formats.losses import left_out
from stereo.cli.groups import command, headed, json_option
from stereo.cli.rig import assumptions
from stereo.cli.rig_options import LoneRigOptions
from stereo.errors import InputError

WRITTEN = [name for name, each in FORMATS.items() if each.write]


@command("convert")
@click.argument("paths", nargs=-1, required=True, metavar="IN... OUT...", type=click.Path())
@headed("Output", "--to", required=True, type=click.Choice(WRITTEN), help="Format to write.")
@json_option()
def convert_command(
    paths: tuple[str, ...],
    *,
    file: LoneRigOptions,
    to: str,
    as_json: bool,
) -> None:
    """Read the calibration IN and write it as OUT in another format.

    A calibration of several files is given as all of them, one of them, or their folder. A format
    of one file per camera (ros, euroc, mrcal) takes a folder to write in, or both files. What a
    format cannot hold is refused, or said.
    """
    given, targets = split(paths, to)
    found = file.find(given, file.size)
    for target in targets:
        if any(target.resolve() == each.resolve() for each in found.files):
            raise InputError(f"{target} is what is read; give another file to write")
    rig = file.load(given, file.size, rectified=file.rectified)
    lost = left_out(rig, to)
    written = [str(path) for path in save_rig(rig, *targets, format=to)]
    notes = assumptions(rig)
    if as_json:
        facts = {"from": found.name, "to": to, "files": written, "notes": notes, "left_out": lost}
        click.echo(json.dumps(facts))
        return
    for note in (*notes, *lost):
        click.echo(f"note: {note}", err=True)
    click.echo(f"{found.name} -> {to}: wrote {', '.join(written)}")


def split(paths: tuple[str, ...], to: str) -> tuple[str, tuple[Path, ...]]:
    """Return what to read (with commas) and where to write.

    The last path is written, or the last two for a format of one file per camera, unless the last
    one is a folder. Raises InputError when nothing is left to read.
    """
    last = Path(paths[-1])
    two = bool(FORMATS[to].names) and not (last.is_dir() or not last.suffix)
    outs = 2 if two else 1
    if to == "opencv" and len(paths) > 2 and "extrinsic" in last.name:
        outs = 2
    if len(paths) <= outs:
        wanted = "LEFT and RIGHT, or a folder" if FORMATS[to].names else "one file"
        raise InputError(
            f"give what to read and what to write ({to}: {wanted}), got {' '.join(paths)}"
        )
    return ",".join(paths[:-outs]), tuple(map(Path, paths[-outs:]))
