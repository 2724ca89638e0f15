"""OpenCV FileStorage from a rig: the names of OpenCV's stereo sample, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from calib.camera import Camera
from calib.checks import Float
from calib.errors import RigWriteError
from calib.formats.rectifying import rectify
from calib.formats.writing import coefficients, write_text
from calib.rig import RectifiedRig, StereoRig

Entries = dict[str, str | int | float | Float]
_ENDINGS = (".yml", ".yaml", ".xml", ".json")


def write(rig: StereoRig | RectifiedRig, paths: tuple[Path, ...]) -> None:
    """Write one file, or intrinsics and extrinsics; metres, with the unit, model and size.

    What is rectified is written as P1, P2 and Q. Raises RigWriteError for what OpenCV cannot
    hold: skew, or two lens models.
    """
    values = _rectified(rig) if isinstance(rig, RectifiedRig) else _cameras(rig)
    if len(paths) == 1 or isinstance(rig, RectifiedRig):
        write_text(paths[0], _text(values, paths[0]))
        return
    lenses = ("M1", "D1", "M2", "D2")
    common = {key: value for key, value in values.items() if key not in (*lenses, *_MOTION)}
    write_text(paths[0], _text({k: values[k] for k in lenses} | common, paths[0]))
    motion = {key: values[key] for key in _MOTION if key in values}
    write_text(paths[1], _text(motion, paths[1]))


_MOTION = ("R", "T", "R1", "R2", "P1", "P2", "Q")


def _cameras(rig: StereoRig) -> Entries:
    left, right = rig.left, rig.right
    values: Entries = {"unit": "m", "model": left.model}
    if left.model != right.model:
        values = {"unit": "m", "model_left": left.model, "model_right": right.model}
    if left.size == right.size:
        values |= {"image_width": left.size[0], "image_height": left.size[1]}
    else:
        values |= {"size_left": np.array([left.size]), "size_right": np.array([right.size])}
    if rig.reprojection_rms_px is not None:
        values["reprojection_error"] = rig.reprojection_rms_px
    values |= {"M1": left.K, "D1": _distortion(left), "M2": right.K, "D2": _distortion(right)}
    values |= {"R": rig.R_right_left, "T": rig.t_right_left[:, None]}
    try:
        shown = rectify(rig, "OpenCV")
    except RigWriteError:
        return values  # what cannot be rectified is written without R1 ... Q
    values |= {"R1": shown.R_left, "R2": shown.R_right}
    return values | _projections(shown.rig, shown.P_left, shown.P_right)


def _distortion(camera: Camera) -> Float:
    D = coefficients(camera, 14, "OpenCV", other="rig")
    least = 4 if camera.model == "fisheye" else 5  # four would be ambiguous
    return D[: max(camera.distortion.size, least)][None]


def _rectified(rig: RectifiedRig) -> Entries:
    shown = rectify(rig, "OpenCV")
    values: Entries = {"unit": "m"}
    if rig.size is not None:
        values |= {"image_width": rig.size[0], "image_height": rig.size[1]}
    return values | _projections(rig, shown.P_left, shown.P_right)


def _projections(rig: RectifiedRig, P_left: Float, P_right: Float) -> Entries:
    B = rig.baseline_m
    Q = np.array(
        [
            [1, 0, 0, -rig.cx_left_px],
            [0, 1, 0, -rig.cy_px],
            [0, 0, 0, rig.focal_px],
            [0, 0, 1 / B, rig.doffs_px / B],
        ]
    )
    return {"P1": P_left, "P2": P_right, "Q": Q}


def _text(values: Entries, path: Path) -> str:
    ending = path.suffix.lower() if path.suffix.lower() in _ENDINGS else ".yml"
    storage = cv2.FileStorage(ending, cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY)
    for key, value in values.items():
        storage.write(key, np.array(value) if isinstance(value, np.ndarray) else value)
    return storage.releaseAndGetString()
