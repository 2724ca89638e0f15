"""``stereo calibrate --single``: one camera from its images, to a file that a rig is made with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stereo.cli.calibrate_messages import progress_bar, show_camera_outcome
from stereo.errors import InputError
from stereo.files.pairing import find_images

if TYPE_CHECKING:
    from calib.solving.deformation import Deformation


def calibrate_single(
    images: tuple[str, ...],
    board: str,
    *,
    model: str,
    deformation: Deformation,
    use_cache: bool,
    out: Path | None,
    as_json: bool,
) -> int:
    """Calibrate one camera; returns the exit code. Raises InputError, ImageError, RigWriteError."""
    from calib import save_camera
    from calib.detection.files import default_cache
    from calib.single import calibrate_camera_files

    if not images:
        raise InputError("give the images of the board: a folder, a pattern in quotes, or files")
    files = [path for name in images for path in find_images(name)]
    with progress_bar() as progress:
        outcome = calibrate_camera_files(
            list(dict.fromkeys(files)),
            board,
            model=model,
            deformation=deformation,
            cache=default_cache() if use_cache else None,
            progress=progress,
        )
    camera, written = outcome.camera, {}
    if out is not None and camera is not None:
        save_camera(camera, out)
        written["camera"] = str(out)
    if as_json:
        click.echo(json.dumps({**outcome.summary(), **written}, allow_nan=False))
    else:
        show_camera_outcome(outcome, written)
    return 0 if outcome.trusted else 3
