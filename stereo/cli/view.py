"""``stereo view``: look at a result file or folder."""

from __future__ import annotations

from pathlib import Path

import click

from stereo.display import has_display
from stereo.errors import InputError
from stereo.files import outputs
from stereo.viewers.files import KINDS, Kind, picture_of
from stereo.viewers.folder import ResultFolder, panels
from stereo.viewers.show import open_in_window


@click.command("view")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write a PNG, open no window.")
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    help="What FILE holds.  [default: from its name and content]",
)
@click.option("--yaw-deg", type=float, default=14.0, show_default=True, help="Seen from the side.")
@click.option("--pitch-deg", type=float, default=8.0, show_default=True, help="Seen from above.")
def view_command(
    file: Path, out: Path | None, kind: Kind | None, yaw_deg: float, pitch_deg: float
) -> None:
    """Show FILE: a cloud (.ply .pcd), a map (.png .tiff .npy .pfm), an image, or a result folder.

    A folder shows image, depth and cloud together, and says the distance under the mouse. In a
    window where there is a display; else, or with -o, as a PNG.
    """
    if file.is_dir():
        if kind is not None:
            raise InputError(f"--kind {kind} is for a file, and {file} is a folder; drop --kind")
        picture = panels(ResultFolder.load(file), yaw_deg=yaw_deg, pitch_deg=pitch_deg).picture
        target = out or file / "view.png"
    else:
        picture = picture_of(file, kind, yaw_deg=yaw_deg, pitch_deg=pitch_deg)
        target = out or file.with_name(file.stem + "_view.png")
    shows = out is None and has_display()
    if shows and open_in_window(file, kind, yaw_deg=yaw_deg, pitch_deg=pitch_deg):
        return
    outputs.write_image_png(target, picture)
    if out is None:
        why = "no window could be opened" if shows else "no display"
        click.echo(f"{why}; drawn into a file instead", err=True)
    click.echo(str(target))
