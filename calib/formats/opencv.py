"""Stereo calibrations with OpenCV's matrices, as everybody's own program writes them.

FileStorage (yml, xml, json), plain YAML or JSON, or numpy's npz; one file or several
(``opencv_files.py``), under any usual names (``naming.py``). A file of rectified geometry alone
(P1 and P2, or Q) gives a ``RectifiedRig``.

The files state neither length unit nor lens model and seldom the image size. What the caller
does not state is taken from the file only where no sensible reading differs, and noted in
``rig.notes``; otherwise it is an error that says what to state (``guessing.py``).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from calib.camera import Camera, Model
from calib.checks import Float, Size
from calib.errors import RigFileError
from calib.formats import arrays
from calib.formats.fields import camera_matrix, rotation, shown
from calib.formats.filestorage import looks_like as is_filestorage
from calib.formats.guessing import metres_of
from calib.formats.naming import (
    SIDES,
    Values,
    array_of,
    find_pair,
    names_found,
    normal,
    value_of,
)
from calib.formats.numbers_only import from_q
from calib.formats.opencv_files import (
    companion,
    gather,
    holds_cameras,
    one_camera,
    without_fisheye_mark,
)
from calib.formats.reading import Stated, number
from calib.formats.sides import exchanged
from calib.rig import RectifiedRig, StereoRig

_MODELS: dict[str, Model] = {
    "pinhole": "pinhole", "plumbbob": "pinhole", "rationalpolynomial": "pinhole",
    "radtan": "pinhole", "fisheye": "fisheye", "equidistant": "fisheye",
}  # fmt: skip


def matches(path: Path, head: bytes) -> bool:
    """Tell whether a file is of FileStorage or numpy, or plain text with two cameras in it."""
    return is_filestorage(head) or arrays.looks_like(head) or holds_cameras(path)


def read(files: tuple[Path, ...], stated: Stated) -> StereoRig | RectifiedRig:
    """Read a stereo calibration; RigFileError naming the file and what it lacks."""
    values, marked = without_fisheye_mark(gather(files))
    source = " + ".join(map(str, files))
    if (find_pair(values, "K") is None or stated.rectified) and (
        rig := _rectified(values, stated, source)
    ) is not None:
        return rig
    values = _with_motion(values, source)
    _check_complete(values, files, source)
    R, T = _rotation(_single(values, "R", source), source), _translation(values, source)
    K, distortion = _both(values, "K", source), _both(values, "distortion", source)
    sizes = _sizes(values, stated, source)
    models, model_note = _models(values, distortion, stated, source, marked=marked)
    metres, unit_note = _unit(values, float(np.linalg.norm(T)), "|T|", stated, source)
    left, right = (
        Camera(model, size, matrix.reshape(3, 3), coefficients.ravel())
        for model, size, matrix, coefficients in zip(models, sizes, K, distortion, strict=True)
    )
    stereo = StereoRig(
        left,
        right,
        R,
        T * metres,
        reprojection_rms_px=number(value_of(values, "rms")),
        notes=model_note | unit_note,
    )
    return exchanged(stereo) if _is_swapped(values, stated, source) else stereo


def _with_motion(values: Values, source: str) -> Values:
    """Return the values with R and T, where a file has only R1, R2 and P2 (ORB-SLAM's).

    ``R = R2^T R1`` and ``T = R2^T K'^-1 P2[:, 3]``, as in ROS.
    """
    names = find_pair(values, "R"), find_pair(values, "P")
    if names[0] is None or names[1] is None or value_of(values, "T") is not None:
        return values
    R1, R2 = (_rotation(array_of(values[name], name, source), source) for name in names[0])
    P2 = array_of(values[names[1][1]], names[1][1], source)
    if P2.size != 12 or P2.flat[0] <= 0:
        return values
    P2 = P2.reshape(3, 4)
    shift = P2[:, 3] / np.array([P2[0, 0], P2[1, 1], 1.0])
    return {**values, "r": R2.T @ R1, "t": R2.T @ shift}


def _is_swapped(values: Values, stated: Stated, source: str) -> bool:
    """Whether the caller states the file's two cameras the other way round."""
    if stated.cameras is None:
        return False
    names = tuple(map(normal, stated.cameras))
    pair = find_pair(values, "K")
    for left, right in SIDES:
        theirs = pair and left in pair[0] and right in pair[1]
        if theirs and names in ((left, right), (right, left)):
            return names == (right, left)
    raise RigFileError(
        f"{source}: has no cameras {' and '.join(stated.cameras)}; its camera matrices are "
        f"{' and '.join(pair or ())}: give left,right or 1,2 as they are called, or the reverse"
    )


def _check_complete(values: Values, files: tuple[Path, ...], source: str) -> None:
    """Raise RigFileError, naming the other file, for one of several."""
    has_cameras = find_pair(values, "K") is not None
    has_motion = all(value_of(values, kind) is not None for kind in "RT")
    other = companion(files[0]) if len(files) == 1 else None
    if other is not None and not (has_cameras and has_motion):
        needed = "the camera matrices" if "extrinsic" in files[0].name else "R and T"
        raise RigFileError(
            f"{source}: {other.name} with {needed} must lie beside it{_focals(values)}"
        )
    if not has_cameras and not has_motion and one_camera(values) is not None:
        raise RigFileError(
            f"{source}: an OpenCV calibration of one camera{_focals(values)}, no stereo; give it "
            "with the other camera's and the one of R and T: LEFT,RIGHT,STEREO"
        )
    missing = next((kind for kind in "RT" if value_of(values, kind) is None), None)
    if has_cameras and missing:
        raise RigFileError(
            f"{source}: {missing} of x_right = R x_left + T is missing{_focals(values)}; "
            f"found {names_found(values)}"
        )


def _focals(values: Values) -> str:
    """The focal lengths in a file that cannot be used alone, for an error."""
    pair = find_pair(values, "K")
    found = [values[name] for name in pair] if pair else [one_camera(values)]
    focals = [f"{K.flat[0]:.1f}" for K in found if isinstance(K, np.ndarray) and K.size]
    return f" (focal length {' and '.join(focals)} px)" if focals else ""


def _rectified(values: Values, stated: Stated, source: str) -> RectifiedRig | None:
    """The geometry in P1 and P2, or in Q, of images that are rectified already."""
    size = stated.size or _written_size(values, source)
    pair, Q = find_pair(values, "P"), value_of(values, "Q")
    Q = values.get("array") if Q is None else Q
    if pair is not None and not stated.rectified and value_of(values, "T") is not None:
        return None  # the extrinsics of raw cameras: their intrinsics are missing
    if pair is not None:
        P1, P2 = (array_of(values[name], name, source) for name in pair)
        if P1.size != 12 or P2.size != 12:
            raise RigFileError(f"{source}: {pair[0]}, {pair[1]}: expected 3 x 4 numbers")
        P1, P2 = P1.reshape(3, 4), P2.reshape(3, 4)
        f, shift = P1[0, 0], P1[0, 3] - P2[0, 3]
        if not (f > 0 and shift > 0) or abs(P2[0, 0] - f) > 1e-6 * f:
            raise RigFileError(
                f"{source}: {pair[0]}, {pair[1]}: expected one focal length and P2[0][3] < 0 "
                f"(right camera on the right), got f {f:g}, {P2[0, 0]:g} and {P2[0, 3]:g}"
            )
        metres, notes = _unit(values, shift / f, "P2[0][3] / f", stated, source)
        return RectifiedRig(size, f, shift / f * metres, P1[0, 2], P2[0, 2], P1[1, 2], notes=notes)
    if Q is not None and (value_of(values, "T") is None or stated.rectified):
        matrix = array_of(Q, "Q", source)
        if matrix.size != 16:
            raise RigFileError(f"{source}: Q: expected 4 x 4 numbers, got {matrix.size}")
        unit = stated.unit if stated.unit is not None else value_of(values, "unit")
        return from_q(matrix.reshape(4, 4), Stated(size=size, unit=unit), source)
    return None


def _single(values: Values, kind: str, source: str) -> Float:
    value = value_of(values, kind)
    if value is None:
        raise RigFileError(
            f"{source}: {kind} of x_right = R x_left + T is missing; found {names_found(values)}"
        )
    return array_of(value, kind, source)


def _both(values: Values, kind: str, source: str) -> tuple[Float, Float]:
    names = find_pair(values, kind)
    if names is None:
        what, example = {
            "K": ("camera matrices", "M1 and M2, or camera_matrix_left and camera_matrix_right"),
            "distortion": ("distortion", "D1 and D2, or dist_coeffs_left and dist_coeffs_right"),
        }[kind]
        raise RigFileError(
            f"{source}: expected the {what} of both cameras under names such as {example}; "
            f"found {names_found(values)}"
        )
    left, right = (array_of(values[name], name, source) for name in names)
    if kind == "K":
        left, right = (camera_matrix(*K) if K.shape == (4,) else K for K in (left, right))
        if left.size != 9 or right.size != 9:
            raise RigFileError(
                f"{source}: camera matrices must be 3 x 3, got {left.shape}, {right.shape}"
            )
    return left, right


def _rotation(R: Float, source: str) -> Float:
    if R.size == 3:  # a rotation vector, as ZED writes
        return np.asarray(cv2.Rodrigues(R.reshape(3, 1))[0])
    if R.size != 9:
        raise RigFileError(f"{source}: R: expected 3 x 3 or 3 numbers, got shape {R.shape}")
    return rotation(R.reshape(3, 3), source, "R")


def _translation(values: Values, source: str) -> Float:
    T = _single(values, "T", source)
    if T.size != 3:
        raise RigFileError(f"{source}: T: expected 3 numbers, got {T.size}")
    return T.ravel()


def _sizes(values: Values, stated: Stated, source: str) -> tuple[Size, Size]:
    pair = find_pair(values, "size")
    if pair is not None:
        return _size(values[pair[0]], source), _size(values[pair[1]], source)
    size = _written_size(values, source) or stated.size
    if size is None:
        raise RigFileError(
            f"{source}: the file does not say the image size; state it (size=, --size WxH) "
            f"or add a line image_size: [width, height]{_focals(values)}"
        )
    return size, size


def _written_size(values: Values, source: str) -> Size | None:
    whole = value_of(values, "size")
    if whole is None:
        pairs = [find_pair(values, kind) for kind in ("width", "height")]
        width, height = (
            value_of(values, kind) if pair is None else values[pair[0]]
            for kind, pair in zip(("width", "height"), pairs, strict=True)
        )
        whole = None if width is None or height is None else [width, height]
    return None if whole is None else _size(whole, source)


def _size(value: object, source: str) -> Size:
    numbers = array_of(value, "image size", source).ravel()
    if numbers.size != 2 or np.any(numbers < 1) or np.any(numbers % 1):
        raise RigFileError(f"{source}: image size: expected [width, height], got {shown(value)}")
    return int(numbers[0]), int(numbers[1])


def _models(
    values: Values, distortion: tuple[Float, Float], stated: Stated, source: str, *, marked: bool
) -> tuple[list[Model], dict[str, str]]:
    """Lens models of left and right, and a note when they were assumed; ``marked``: by names that
    mean fisheye.
    """
    each = [values[name] for name in find_pair(values, "model") or ()]
    written = ["fisheye"] * 2 if marked else each or [value_of(values, "model")] * 2
    in_file = [None if text is None else _MODELS.get(normal(str(text))) for text in written]
    for text, model in zip(written, in_file, strict=True):
        if text is not None and model is None:
            raise RigFileError(f"{source}: lens model: expected pinhole or fisheye, got {text!r}")
        if model and stated.model and model != stated.model:
            raise RigFileError(f"{source}: the lens model is {model}, not {stated.model}")
    if len(known := [m for model in in_file if (m := model or stated.model)]) == 2:
        return known, {}
    if 4 in (distortion[0].size, distortion[1].size):
        raise RigFileError(
            f"{source}: 4 distortion coefficients may be pinhole (k1 k2 p1 p2) or fisheye "
            "(k1 k2 k3 k4), and the file does not say which; add a line model: pinhole or "
            "model: fisheye to it, or state it (model=, --model)"
        )
    count = distortion[0].size
    return ["pinhole"] * 2, {"model_assumed": f"pinhole: {count} distortion coefficients"}


def _unit(
    values: Values, length: float, name: str, stated: Stated, source: str
) -> tuple[float, dict[str, str]]:
    """Metres per unit of T, and a note when it was assumed."""
    return metres_of(length, name, stated, source, written=value_of(values, "unit"))
