"""mrcal's ``.cameramodel``, one file per camera: a Python literal with comments.

``extrinsics`` are a rotation vector and a translation (metres) from the reference to the camera.
Described at https://mrcal.secretsauce.net/cameramodels.html. The text is parsed as data
(``ast.literal_eval``), never evaluated, after its size and depth are bounded.
"""

from __future__ import annotations

import ast
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from calib.camera import Camera
from calib.checks import Float
from calib.errors import RigFileError
from calib.formats.beside import two
from calib.formats.fields import Fields, camera_matrix, from_rotvec, to_rotvec
from calib.formats.reading import Stated, read_text, stated_metres
from calib.formats.sides import from_poses, left_first
from calib.formats.writing import coefficients, numbers, write_text
from calib.rig import StereoRig

NAMES = ("cam0.cameramodel", "cam1.cameramodel")
_COEFFICIENTS = {"PINHOLE": 0, "OPENCV4": 4, "OPENCV5": 5, "OPENCV8": 8, "OPENCV12": 12}
_MOST_LETTERS = 100_000
_INPUTS = re.compile(r"""['"]optimization_inputs['"]\s*:\s*b?(['"])[^'"]*\1\s*,?""")
"""What mrcal keeps to compute uncertainties: megabytes that say nothing of the camera."""


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file has a lensmodel as mrcal writes it."""
    return re.search(rb"['\"]lens_?model['\"]\s*:\s*b?['\"]LENSMODEL_", head) is not None


def read(files: tuple[Path, ...], stated: Stated) -> StereoRig:
    """Read the two files; RigFileError naming the file and the key."""
    paths = two(files, "mrcal cameramodel")
    left, right = (Fields(path, _literal(path)) for path in paths)
    cameras = _camera(left), _camera(right)  # the model is told first
    R, t = from_poses(_pose(left), _pose(right))
    metres = stated_metres(stated, "m", paths[1])
    return left_first(StereoRig(*cameras, R, t * metres), (paths[0].name, paths[1].name))


def _literal(path: Path) -> Any:
    text = _INPUTS.sub("", read_text(path))
    if len(text) > _MOST_LETTERS:
        raise RigFileError(f"{path}: more than {_MOST_LETTERS} letters of camera model")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes in a stranger's text
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        line = f"line {error.lineno}: " if isinstance(error, SyntaxError) and error.lineno else ""
        why = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
        raise RigFileError(f"{path}: not a Python literal: {line}{why:.100}") from error


def _camera(fields: Fields) -> Camera:
    name = fields.text("lensmodel" if "lensmodel" in fields else "lens_model")
    model = name.removeprefix("LENSMODEL_")
    if model not in _COEFFICIENTS:
        raise RigFileError(
            f"{fields.source}: lensmodel: mrcal's {name:.60} has no exact counterpart here; fit "
            "one that has: mrcal-convert-lensmodel LENSMODEL_OPENCV8 FILE.cameramodel"
        )
    values = fields.numbers("intrinsics", 4 + _COEFFICIENTS[model])
    return Camera("pinhole", fields.size("imagersize"), camera_matrix(*values[:4]), values[4:])


def _pose(fields: Fields) -> tuple[Float, Float]:
    rt = fields.numbers("extrinsics", 6)
    return from_rotvec(rt[:3]), rt[3:]


def write(rig: StereoRig, paths: tuple[Path, ...]) -> None:
    """Write the two files, the left camera as the reference.

    Raises RigWriteError for what they cannot hold: fisheye lenses, skew, a tilted sensor.
    """
    turn = to_rotvec(rig.R_right_left)
    texts = [
        _text(rig.left, np.zeros(6)),
        _text(rig.right, np.concatenate([turn, rig.t_right_left])),
    ]
    for path, text in zip(paths, texts, strict=True):
        write_text(path, text)


def _text(camera: Camera, rt: Float) -> str:
    D = coefficients(camera, 12, "mrcal", other="rig or opencv", models=("pinhole",))
    used = int(np.flatnonzero(D)[-1]) + 1 if np.any(D) else 0
    count = next(n for n in _COEFFICIENTS.values() if n >= used)
    model = next(name for name, n in _COEFFICIENTS.items() if n == count)
    K = camera.K
    values = [K[0, 0], K[1, 1], K[0, 2], K[1, 2], *D[:count]]
    return (
        "{\n"
        f"    'lensmodel':  'LENSMODEL_{model}',\n\n"
        "    # intrinsics are fx,fy,cx,cy,distortion0,distortion1,....\n"
        f"    'intrinsics': {numbers(values)},\n\n"
        "    # extrinsics are rt_fromref\n"
        f"    'extrinsics': {numbers(rt)},\n\n"
        f"    'imagersize': [ {camera.size[0]}, {camera.size[1]} ]\n"
        "}\n"
    )
