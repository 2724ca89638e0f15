"""Maps, pictures and facts: the only code that writes them, and that reads maps back.

Units and invalid values are those of ``docs/conventions.md``: PFM holds px with inf for unknown
(Middlebury), 16-bit PNG holds px x 256 (KITTI) or millimetres with 0 for unknown, npy and TIFF
hold metres with NaN. Everything is encoded in memory and written whole or not at all.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib import RectifiedRig
from calib.formats import middlebury
from calib.plain import jsonable
from stereo.errors import ImageError, InputError
from stereo.files.atomic import make_folder, write_whole
from stereo.files.imagefile import decode, read_bytes
from stereo.frame import Float, Image, StereoGeometry

__all__ = [
    "make_folder",
    "read_map",
    "read_pfm",
    "write_confidence_png",
    "write_depth_png_mm",
    "write_disparity_pfm",
    "write_disparity_png16",
    "write_image_png",
    "write_json",
    "write_middlebury_calib",
    "write_npy",
    "write_tiff",
]

KITTI_DIVISOR = 256.0
DEPTH_DIVISOR = 1000.0
_LARGEST = 65535


# --- maps ---------------------------------------------------------------------------------------


def write_disparity_pfm(path: str | Path, px: Float) -> None:
    """Write px as PFM, inf where unknown: exact. Raises OutputError."""
    height, width = px.shape
    rows = np.where(np.isnan(px), np.float32(np.inf), px)[::-1].astype("<f4")
    write_whole(path, f"Pf\n{width} {height}\n-1.0\n".encode() + rows.tobytes())


def write_disparity_png16(path: str | Path, px: Float) -> None:
    """Write ``round(px * 256)`` as 16-bit PNG, 0 where unknown (KITTI).

    Disparities that do not fit (negative, or 256 px and more) become unknown; the smallest ones
    become 1/256 px, since 0 means unknown. Raises OutputError.
    """
    write_whole(path, _encode_png(_to_uint16(px, KITTI_DIVISOR)))


def write_depth_png_mm(path: str | Path, depth_m: Float) -> None:
    """Write millimetres as 16-bit PNG, 0 where unknown or beyond 65.535 m. Raises OutputError."""
    write_whole(path, _encode_png(_to_uint16(depth_m, DEPTH_DIVISOR)))


def write_confidence_png(path: str | Path, confidence: Float) -> None:
    """Write confidence as 8-bit PNG, 255 for 1, 0 where NaN. Raises OutputError."""
    share = np.clip(np.nan_to_num(confidence, nan=0.0), 0, 1)
    write_whole(path, _encode_png(np.rint(share * 255).astype(np.uint8)))


def write_tiff(path: str | Path, values: Float) -> None:
    """Write float32 TIFF, NaN where unknown: exact. Raises OutputError."""
    write_whole(path, _encode(".tiff", values))


def write_npy(path: str | Path, values: Float) -> None:
    """Write a float32 npy file, NaN where unknown: exact. Raises OutputError."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(values, np.float32), allow_pickle=False)
    write_whole(path, buffer.getvalue())


def write_image_png(path: str | Path, image: Image) -> None:
    """Write a gray or RGB image, 8 or 16 bit.

    Raises OutputError, and InputError for any other kind of number.
    """
    write_whole(path, _encode_png(image))


def _to_uint16(values: Float, divisor: float) -> NDArray[np.uint16]:
    with np.errstate(invalid="ignore"):
        scaled = np.rint(values.astype(np.float64) * divisor)
        fits = np.isfinite(values) & (values >= 0) & (scaled <= _LARGEST)
        return np.where(fits, np.maximum(scaled, 1), 0).astype(np.uint16)


def _encode_png(image: NDArray[Any]) -> bytes:
    if image.dtype not in (np.uint8, np.uint16):
        # cv2 would cut it to 8 bit and report success
        raise InputError(f"PNG: expected uint8 or uint16, got {image.dtype}")
    if image.ndim == 3:
        image = np.ascontiguousarray(image[..., ::-1])
    return _encode(".png", image)


def _encode(suffix: str, image: NDArray[Any]) -> bytes:
    try:
        done, data = cv2.imencode(suffix, image)
    except cv2.error as error:
        raise InputError(f"{suffix}: cannot hold {image.dtype} {image.shape}") from error
    if not done:
        raise InputError(f"{suffix}: cannot hold {image.dtype} {image.shape}")
    return data.tobytes()


def read_map(path: str | Path, *, png_divisor: float = KITTI_DIVISOR) -> Float:
    """Return a disparity or depth map, (H, W) float32 with NaN where unknown, from its file.

    By the ending: .pfm, .npy, .tiff, or .png and .pgm with 16 bit (or 8), whose values are divided
    by ``png_divisor`` (256: KITTI disparity; 1000: millimetres to metres). Raises ImageError.
    """
    path = Path(path)
    readers = {".pfm": read_pfm, ".npy": _read_npy, ".tiff": _read_tiff, ".tif": _read_tiff}
    suffix = path.suffix.lower()
    if suffix in (".png", ".pgm"):
        return _read_png(path, png_divisor)
    if suffix not in readers:
        raise ImageError(f"{path}: a map ends in .pfm, .png, .npy or .tiff")
    return readers[suffix](path)


# SceneFlow writes spaces before its line breaks, so any white space may separate
_PFM_HEADER = re.compile(
    rb"(P[Ff])\s+(\d{1,9})\s+(\d{1,9})\s+([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)[ \t]*\r?\n"
)


def read_pfm(path: str | Path) -> Float:
    """Return a one-channel PFM as (H, W) float32, NaN where the file says inf or NaN.

    The first channel of a three-channel one. Raises ImageError naming the file.
    """
    path = Path(path)
    data = read_bytes(path)
    header = _PFM_HEADER.match(data[:200])
    if header is None or float(header[4]) == 0:
        raise ImageError(f"{path}: is no PFM file (expected Pf, width height, scale)")
    width, height, channels = int(header[2]), int(header[3]), 3 if header[1] == b"PF" else 1
    need = width * height * channels * 4
    if need == 0 or len(data) - header.end() < need:
        raise ImageError(
            f"{path}: {width}x{height} PFM needs {need} bytes of pixels, "
            f"the file holds {len(data) - header.end()}"
        )
    kind = "<f4" if float(header[4]) < 0 else ">f4"
    values = np.frombuffer(data, kind, need // 4, header.end()).reshape(height, width, channels)
    return _known(values[::-1, :, 0])


def _read_png(path: Path, divisor: float) -> Float:
    raw = decode(path)
    if raw.ndim == 3 and np.all(raw[..., :3] == raw[..., :1]):
        raw = raw[..., 0]  # gray, stored as colour
    if raw.ndim != 2 or raw.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{path}: a map is a gray image, this one is {raw.dtype} {raw.shape}")
    return np.where(raw == 0, np.float32(np.nan), (raw / divisor).astype(np.float32))


def _read_tiff(path: Path) -> Float:
    values = decode(path)
    if values.ndim != 2 or values.dtype not in (np.float32, np.float64):
        raise ImageError(
            f"{path}: expected a float32 (H, W) TIFF, got {values.dtype} {values.shape}"
        )
    return _known(values)


def _read_npy(path: Path) -> Float:
    data = read_bytes(path)
    try:
        values = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # a damaged header raises whatever Python's own parser does
        raise ImageError(f"{path}: is no whole npy file of numbers: {error!s:.200}") from error
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind not in "fiu":
        raise ImageError(f"{path}: expected an (H, W) array of numbers")
    return _known(values)


def _known(values: NDArray[Any]) -> Float:
    """Numbers as float32, quiet NaN for whatever is none or too large to be one."""
    with np.errstate(all="ignore"):
        plane = values.astype(np.float32)
    plane[~np.isfinite(plane)] = np.nan
    return plane


# --- facts --------------------------------------------------------------------------------------


def write_json(path: str | Path, value: Any) -> None:
    """Write indented JSON; see ``calib.plain.jsonable``. Raises OutputError."""
    write_whole(path, (json.dumps(jsonable(value), indent=2) + "\n").encode())


def write_middlebury_calib(
    path: str | Path, geometry: StereoGeometry, size: tuple[int, int]
) -> None:
    """Write the geometry of a rectified pair as Middlebury calib.txt. Raises OutputError."""
    rig = RectifiedRig(
        size,
        float(geometry.focal_px),
        float(geometry.baseline_m),
        float(geometry.cx_px),
        float(geometry.cx_px + geometry.doffs_px),
        float(geometry.cy_px),
    )
    write_whole(path, middlebury.write(rig).encode())
