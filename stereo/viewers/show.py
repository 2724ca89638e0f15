"""Windows for result files, each in a process of its own: a broken display aborts the process.

``open_in_window`` starts ``python -m stereo.viewers.show``, which is the rest of this file.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.cloud import PointCloud
from stereo.errors import StereoError
from stereo.render import BACKGROUND, frame_cloud
from stereo.viewers.files import kind_of, picture_of
from stereo.viewers.folder import Panels, ResultFolder, panels
from stereo.viewers.highgui import is_gone, open_window

RGB = NDArray[np.uint8]

_SHARE = 0.9
"""Of the screen's sides, at most, for a window with its frame and the desktop's bars."""
_FALLBACK_SCREEN = (1280, 800)
_TICK_MS = 30


def open_in_window(path: Path, kind: str | None, *, yaw_deg: float, pitch_deg: float) -> bool:
    """Show a result file or folder until its window is closed; False: no window could be opened."""
    call = [sys.executable, "-m", "stereo.viewers.show", str(path), kind or "", str(yaw_deg)]
    return subprocess.run([*call, str(pitch_deg)], check=False).returncode == 0


def fitting_size(wanted: tuple[int, int], screen: tuple[int, int]) -> tuple[int, int]:
    """Return the size of a window, (width, height) px: as wanted, or smaller to fit the screen."""
    scale = min(1.0, *(_SHARE * room / side for room, side in zip(screen, wanted, strict=True)))
    return max(1, round(wanted[0] * scale)), max(1, round(wanted[1] * scale))


def screen_size() -> tuple[int, int]:
    """Return (width, height) of the screen, pixels; a small one's where it cannot be asked."""
    try:
        import tkinter

        root = tkinter.Tk()
    except Exception:  # Python without Tk, or Tk without a display: no reason to show nothing
        return _FALLBACK_SCREEN
    root.withdraw()
    size = root.winfo_screenwidth(), root.winfo_screenheight()
    root.destroy()
    return size


def show_cloud(path: Path, *, yaw_deg: float, pitch_deg: float) -> None:
    """Show a cloud in open3d's window, seen as ``render_cloud`` draws it; the mouse turns it."""
    import open3d as o3d

    cloud = PointCloud.load(path)
    size = fitting_size((1280, 800), screen_size())
    view = frame_cloud(cloud, size=size, yaw_deg=yaw_deg, pitch_deg=pitch_deg)
    z = view.seen(cloud.points.astype(np.float64))[:, 2]
    # a few points far out would set the pivot of the mouse and the depth of what is drawn
    near = (z <= view.far_m) & (z > 0)
    title = str(path)
    if not near.all():
        title += f" ({np.count_nonzero(~near)} of {len(cloud)} points lie far out, not shown)"
    shown = PointCloud(cloud.points[near], cloud.colors[near])
    window = o3d.visualization.Visualizer()
    if not window.create_window(title, *size):
        raise SystemExit(1)
    window.add_geometry(shown.to_open3d())
    style = window.get_render_option()
    style.background_color = np.array(BACKGROUND) / 255
    style.point_size = 2.0
    style.light_on = False
    control = window.get_view_control()
    control.convert_from_pinhole_camera_parameters(_pinhole(o3d, view), allow_arbitrary=True)
    window.run()
    window.destroy_window()


def _pinhole(o3d: Any, view: Any) -> Any:
    """open3d's form of a CloudView."""
    width, height = view.size
    seen = o3d.camera.PinholeCameraParameters()
    middle = (width - 1) / 2, (height - 1) / 2
    seen.intrinsic = o3d.camera.PinholeCameraIntrinsic(
        width, height, view.focal_px, view.focal_px, *middle
    )
    extrinsic = np.eye(4)
    extrinsic[:3, :3], extrinsic[:3, 3] = view.R_view_cloud, view.t_view_cloud_m
    seen.extrinsic = extrinsic
    return seen


def show_picture(title: str, picture: RGB) -> None:
    """Show a picture until a key is pressed or its window closed."""
    _open(title, picture)
    cv2.imshow(title, np.ascontiguousarray(picture[..., ::-1]))
    while cv2.waitKey(_TICK_MS) < 0 and not is_gone(title):
        pass


def show_folder(result: ResultFolder, drawn: Panels) -> None:
    """Show a result folder and say the distance under the mouse, until q, Esc or it is closed."""
    title, words = result.name, f"{result.name}: move the mouse over image or depth"
    _open(title, drawn.picture)
    said = [words]

    def moved(_event: int, x: int, y: int, _flags: int, _param: Any) -> None:
        place = drawn.place(x, y)
        said[0] = (result.words_at(*place) if place else "") or words

    cv2.setMouseCallback(title, moved)
    last = ""
    while cv2.waitKey(_TICK_MS) not in (ord("q"), 27) and (not last or not is_gone(title)):
        if said[0] != last:
            last = said[0]
            cv2.imshow(title, np.ascontiguousarray(drawn.saying(last)[..., ::-1]))


def _open(title: str, picture: RGB) -> None:
    open_window(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
    height, width = picture.shape[:2]
    cv2.resizeWindow(title, *fitting_size((width, height), screen_size()))


def main(arguments: list[str]) -> None:
    """Show PATH, of KIND ("": find out), from YAW and PITCH in degrees."""
    path, kind = Path(arguments[0]), arguments[1] or None
    angles = {"yaw_deg": float(arguments[2]), "pitch_deg": float(arguments[3])}
    if path.is_dir():
        result = ResultFolder.load(path)
        show_folder(result, panels(result, **angles))
    elif (kind or kind_of(path)) == "cloud":
        show_cloud(path, **angles)
    else:
        show_picture(str(path), picture_of(path, kind, **angles))  # type: ignore[arg-type]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (StereoError, cv2.error, ImportError, OSError) as error:  # the parent draws a file then
        sys.exit(f"{type(error).__name__}: {error}")
