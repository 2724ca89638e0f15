"""numpy's ``.npz`` and ``.npy`` to plain arrays: nothing unpickled, nothing beyond the file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from calib.errors import RigFileError
from calib.formats.reading import MAX_BYTES

_HEADERS = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
_MOST_ARRAYS = 200


def looks_like(head: bytes) -> bool:
    """Tell whether a file beginning like this holds numpy arrays."""
    return head.startswith(b"\x93NUMPY") or (head.startswith(b"PK\x03\x04") and b".npy" in head)


def parse(path: Path) -> dict[str, Any]:
    """Return the arrays of a file by name ("array" in a .npy); RigFileError otherwise.

    What is not numbers (pickled objects, text) is None.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise RigFileError(f"{path}: larger than {MAX_BYTES / 1e6:g} MB")
        if raw.startswith(b"\x93NUMPY"):
            return {"array": _array(raw)}
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return _members(archive, path)
    except OSError as error:
        raise RigFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except RigFileError:
        raise
    except Exception as error:  # zipfile and numpy raise a dozen kinds on damaged bytes
        raise RigFileError(f"{path}: a damaged numpy file: {error!s:.100}") from error


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    members = archive.infolist()
    if len(members) > _MOST_ARRAYS or sum(each.file_size for each in members) > MAX_BYTES:
        raise RigFileError(f"{path}: more arrays than a calibration has")
    found = {}
    for each in members:
        with archive.open(each) as file:
            raw = file.read(MAX_BYTES)  # never more than it claims: zipfile stops there
        found[each.filename.removesuffix(".npy")] = _array(raw)
    return found


def _array(raw: bytes) -> Any:
    file = io.BytesIO(raw)
    version, _ = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version}")
    shape, fortran, dtype = _HEADERS[version](file)
    if dtype.kind not in "fiu":
        return None
    count = 1
    for extent in shape:
        count *= extent
    if count < 0 or count * dtype.itemsize > len(raw):
        raise ValueError(f"an array of {shape} in {len(raw)} bytes")
    flat = np.frombuffer(raw, dtype, count=count, offset=file.tell())
    return flat.astype(float).reshape(shape, order="F" if fortran else "C")
