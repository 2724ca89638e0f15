"""Result files as pictures: what a file holds, from its name and content, and how it is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stereo.cloud import PointCloud
from stereo.errors import InputError
from stereo.files import clouds, imagefile, outputs
from stereo.files.images import read_image
from stereo.frame import Float
from stereo.gray import to_rgb8
from stereo.preview import confidence_preview, depth_preview, disparity_preview, sigma_preview
from stereo.render import render_cloud

RGB = NDArray[np.uint8]
Kind = Literal["depth", "disparity", "sigma", "confidence", "image", "cloud"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a file can hold."""

_MAPS = (".pfm", ".tiff", ".tif", ".npy")
_NAMED: tuple[tuple[str, Kind], ...] = (
    (r"preview|_view|lines", "image"),
    (r"sigma", "sigma"),
    (r"confidence", "confidence"),
    (r"disp", "disparity"),
    (r"depth", "depth"),
)
"""Part of a file's name, what it then holds; the first that fits."""
_DIVISORS: dict[str, float] = {"confidence": 255, "disparity": 256}


def kind_of(path: Path) -> Kind:
    """Return what a file holds: by its ending, its name, and whether it is a picture in colour.

    Raises ImageError when it cannot be read, InputError for an ending that nothing here has.
    """
    suffix = path.suffix.lower()
    if suffix in clouds.SUFFIXES:
        return "cloud"
    if suffix not in (*imagefile.SUFFIXES, *_MAPS):
        endings = " ".join(dict.fromkeys((*clouds.SUFFIXES, *_MAPS, *imagefile.SUFFIXES)))
        raise InputError(f"{path}: cannot be shown; expected one of {endings}, or a result folder")
    named = next((kind for part, kind in _NAMED if re.search(part, path.stem.lower())), None)
    if suffix in (".pfm", ".npy"):
        return named or ("disparity" if suffix == ".pfm" else "depth")
    if suffix not in (".png", ".tif", ".tiff"):
        return "image"
    pixels = imagefile.decode(path)
    if pixels.dtype in (np.float32, np.float64):
        return named or "depth"
    if pixels.ndim == 3:
        return "image"
    if named is not None:
        return named
    is_camera = re.search(r"left|right|im(age|\d)|cam", path.stem.lower()) is not None
    return "image" if pixels.dtype == np.uint8 or is_camera else "disparity"  # 16 bit: KITTI


def picture_of(
    path: Path, kind: Kind | None = None, *, yaw_deg: float = 14.0, pitch_deg: float = 8.0
) -> RGB:
    """Return an (H, W, 3) picture of what a file holds; ``kind``: what to take it for.

    Raises ImageError when it cannot be read, InputError when it cannot be of that kind.
    """
    kind = kind_of(path) if kind is None else kind
    if (kind == "cloud") != (path.suffix.lower() in clouds.SUFFIXES):
        raise InputError(f"{path}: is no {kind}; a cloud ends in {' or '.join(clouds.SUFFIXES)}")
    if kind == "cloud":
        return render_cloud(PointCloud.load(path), yaw_deg=yaw_deg, pitch_deg=pitch_deg)
    if kind == "image":
        return to_rgb8(read_image(path))
    drawing: dict[Kind, Callable[[Float], RGB]] = {
        "depth": depth_preview,
        "disparity": disparity_preview,
        "sigma": sigma_preview,
        "confidence": confidence_preview,
    }
    return drawing[kind](read_values(path, kind))


def read_values(path: Path, kind: Kind) -> Float:
    """Return a map in the unit of its kind, (H, W) float32: m, px, or confidence 0 to 1.

    A PNG with lengths holds mm, or as its name says: "0.1mm". Raises ImageError.
    """
    return outputs.read_map(path, png_divisor=_DIVISORS.get(kind, 1000 / _steps_mm(path)))


def _steps_mm(path: Path) -> float:
    found = re.search(r"(\d*\.?\d+)mm", path.stem)
    return (float(found[1]) if found else 0) or 1.0
