"""Maps inside an npz file, as other programs write it; what it unpacks to is limited."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from stereo.errors import ImageError
from stereo.files.imagefile import MAX_PIXELS, read_bytes
from stereo.frame import Float


def read_npz(path: str | Path, keys: Collection[str]) -> dict[str, Float]:
    """Return those of the arrays ``keys`` that the file holds, (H, W) float32 with NaN for unknown.

    All of its arrays when it holds none of them. Raises ImageError naming the file.
    """
    path = Path(path)
    data = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {each.filename: each.file_size for each in archive.infolist()}
        if max(sizes.values(), default=0) > 8 * MAX_PIXELS:
            raise ImageError(f"{path}: unpacks to more than {MAX_PIXELS} numbers")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            wanted = [key for key in arrays.files if key in keys] or arrays.files
            planes = {key: np.asarray(arrays[key]) for key in wanted}
    except ImageError:
        raise
    except Exception as error:  # a damaged header raises whatever Python's own parser does
        raise ImageError(f"{path}: is no whole npz file of numbers: {error!s:.200}") from error
    for key, plane in planes.items():
        if plane.ndim != 2 or plane.dtype.kind not in "fiu":
            raise ImageError(
                f"{path}: {key}: expected an (H, W) array of numbers, got {plane.dtype} "
                f"{plane.shape}"
            )
    return {key: _known(plane) for key, plane in planes.items()}


def _known(plane: np.ndarray) -> Float:
    with np.errstate(all="ignore"):
        values = plane.astype(np.float32)
    values[~np.isfinite(values)] = np.nan
    return values
