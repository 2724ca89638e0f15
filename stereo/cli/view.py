"""``stereo view``: look at a cloud, depth or disparity file."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from stereo.cloud import PointCloud
from stereo.display import has_display
from stereo.errors import InputError
from stereo.files import clouds, outputs
from stereo.preview import depth_preview, disparity_preview
from stereo.render import render_cloud


@click.command("view")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write a PNG, open no window.")
@click.option("--yaw-deg", type=float, default=14.0, show_default=True, help="Seen from the side.")
@click.option("--pitch-deg", type=float, default=8.0, show_default=True, help="Seen from above.")
def view_command(file: Path, out: Path | None, yaw_deg: float, pitch_deg: float) -> None:
    """Show FILE (cloud .ply .pcd; depth .png .tiff .npy; disparity .pfm).

    In a window where there is a display; else, or with -o, as a PNG.
    """
    picture = _picture(file, yaw_deg, pitch_deg)
    if out is None and has_display() and _show_window(file, picture):
        return
    target = out or file.with_name(file.stem + "_view.png")
    outputs.write_image_png(target, picture)
    if out is None:
        why = "no window" if has_display() else "no display"
        click.echo(f"{why}; drawn into a file instead", err=True)
    click.echo(str(target))


def _picture(file: Path, yaw_deg: float, pitch_deg: float) -> NDArray[np.uint8]:
    suffix = file.suffix.lower()
    if suffix in clouds.SUFFIXES:
        return render_cloud(PointCloud.load(file), yaw_deg=yaw_deg, pitch_deg=pitch_deg)
    if suffix == ".pfm":
        return disparity_preview(outputs.read_map(file))
    if suffix == ".png":
        is_depth = "depth" in file.stem
        values = outputs.read_map(file, png_divisor=1000 if is_depth else 256)
        return depth_preview(values) if is_depth else disparity_preview(values)
    if suffix in (".tiff", ".tif", ".npy"):
        return depth_preview(outputs.read_map(file))
    raise InputError(f"{file}: expected .ply, .pcd, .pfm, .png, .tiff or .npy")


def _show_window(file: Path, picture: NDArray[np.uint8]) -> bool:
    """Open a window in a process of its own, since a broken display aborts it."""
    if file.suffix.lower() in clouds.SUFFIXES:
        if find_spec("open3d") is None:
            click.echo("the 3-D window needs open3d; `stereo doctor` says how to get it", err=True)
            return False
        code = (
            "import sys, open3d as o3d; c = o3d.io.read_point_cloud(sys.argv[1]); "
            "c.transform([[1,0,0,0],[0,-1,0,0],[0,0,-1,0],[0,0,0,1]]); "
            "o3d.visualization.draw_geometries([c], window_name=sys.argv[1])"
        )
        shown = subprocess.run([sys.executable, "-c", code, str(file)], check=False)
        return shown.returncode == 0
    code = (
        "import sys, numpy as np, cv2; h, w = map(int, sys.argv[2:4]); "
        "p = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(h, w, 3); "
        "cv2.imshow(sys.argv[1], p[..., ::-1]); cv2.waitKey(0)"
    )
    height, width = picture.shape[:2]
    shown_picture = subprocess.run(
        [sys.executable, "-c", code, str(file), str(height), str(width)],
        input=picture.tobytes(),
        check=False,
    )
    return shown_picture.returncode == 0
