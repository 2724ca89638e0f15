"""What numbers a camera may consist of; each check names the value and what was expected."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calib.errors import CameraError
from calib.words import number, plain

Float = NDArray[np.float64]
Size = tuple[int, int]

MOST_PIXELS = 32_767  # cv2.remap counts pixels in 16 bits
_LONGEST_FOCAL_PX = 1e6
_BASELINE_RANGE_M = (1e-3, 100.0)


def checked_array(name: str, value: ArrayLike, shape: tuple[int, ...] | None) -> Float:
    """Return a read-only float64 copy of the wanted shape (None: a vector of any length)."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise CameraError(f"{name}: expected numbers, got {value!r:.200}") from error
    if array.ndim != 1 if shape is None else array.shape != shape:
        raise CameraError(f"{name}: expected shape {shape or '(n,)'}, got {array.shape}")
    if not np.isfinite(array).all():
        raise CameraError(f"{name}: expected finite numbers, got {array.tolist()}")
    array.flags.writeable = False
    return array


def checked_points(name: str, value: ArrayLike, columns: int) -> Float:
    """Return a float64 array (N, columns). Raises CameraError for another shape."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != columns:
        raise CameraError(f"{name}: expected shape (N, {columns}), got {array.shape}")
    return array


def checked_size(size: Any) -> Size:
    """Return (width, height) as whole pixels. Raises CameraError."""
    try:
        given = tuple(size)
        whole = tuple(int(n) for n in given)
    except (TypeError, ValueError, OverflowError):
        given = whole = ()
    if len(whole) != 2 or whole != given or min(whole) < 1:
        raise CameraError(f"size: expected (width, height) in whole pixels > 0, got {size!r}")
    if max(whole) > MOST_PIXELS:
        raise CameraError(
            f"size: {whole[0]}x{whole[1]} is more than {MOST_PIXELS} pixels on a side, which no "
            "image here can have"
        )
    return whole[0], whole[1]


def check_matrix(K: Float, size: Size) -> None:
    """Raise CameraError unless K is a camera matrix that fits images of ``size``."""
    fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
    if not np.array_equal(K[2], [0, 0, 1]) or K[1, 0] != 0:
        raise CameraError(f"K: expected [[fx, skew, cx], [0, fy, cy], [0, 0, 1]], got {K.tolist()}")
    if not (1 <= fx <= _LONGEST_FOCAL_PX and 1 <= fy <= _LONGEST_FOCAL_PX):
        limit = "at least 1" if min(fx, fy) < 1 else f"at most {_LONGEST_FOCAL_PX:g}"
        raise CameraError(
            f"K: focal lengths must be in pixels and {limit}, got fx {number(fx)}, fy {number(fy)}"
        )
    if abs(K[0, 1]) > 0.1 * fx:  # real sensors: below 0.01
        raise CameraError(f"K: skew {number(K[0, 1])} is more than a tenth of fx {number(fx)}")
    for name, c, extent in (("cx", cx, size[0]), ("cy", cy, size[1])):
        if not -extent <= c <= 2 * extent:  # a cropped image may lose its principal point
            raise CameraError(
                f"K: {name} = {number(c)} is far outside an image of {size[0]}x{size[1]} pixels; "
                "is the image size that of the calibration?"
            )


def check_rotation(R: Float) -> None:
    """Raise CameraError unless R is a rotation, within 1e-6."""
    off = float(np.abs(R @ R.T - np.eye(3)).max())
    if not off <= 1e-6 or np.linalg.det(R) < 0:
        what = (
            "it mirrors" if off <= 1e-6 else f"R R^T is off the identity by up to {number(off, 2)}"
        )
        raise CameraError(f"R_right_left: expected a rotation matrix within 1e-6, but {what}")


def check_baseline(baseline_m: float) -> None:
    """Raise CameraError for a length that no rig has."""
    low, high = _BASELINE_RANGE_M
    if not low <= baseline_m <= high:  # also catches NaN
        raise CameraError(
            f"the baseline is {plain(baseline_m, 9)} m; expected {plain(low)} to {plain(high)} m. "
            "Lengths here are metres: were millimetres or board squares given, or the reverse?"
        )
