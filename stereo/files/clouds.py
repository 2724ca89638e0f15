"""Point clouds as PLY and PCD files, written and read back.

Of our own, because open3d's writers report success on a full disk. Metres; the unit and the frame
stand in a comment. Encoded in memory and written whole or not at all.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stereo.errors import ImageError, InputError
from stereo.files.atomic import write_whole
from stereo.files.imagefile import read_bytes
from stereo.frame import Float

SUFFIXES = (".ply", ".pcd")
"""Endings of the files."""

_FRAME = "rectified left camera, x right, y down, z forward"


class Vertices(NamedTuple):
    """What the files hold."""

    points: Float
    """(N, 3) metres."""
    colors: NDArray[np.uint8]
    """(N, 3) RGB."""
    normals: Float | None
    """(N, 3), or None."""


def write(path: str | Path, cloud: Vertices) -> None:
    """Write a binary .ply or .pcd, by the ending of ``path``.

    Raises InputError for another ending, OutputError when it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: a cloud ends in {' or '.join(SUFFIXES)}")
    (_write_ply if path.suffix.lower() == ".ply" else _write_pcd)(path, cloud)


def read(path: str | Path) -> Vertices:
    """Read a file as ``write`` writes it. Raises ImageError naming the file."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ImageError(f"{path}: a cloud ends in {' or '.join(SUFFIXES)}")
    return (_read_ply if path.suffix.lower() == ".ply" else _read_pcd)(path)


def _vertex_type(has_normals: bool) -> np.dtype[np.void]:
    normals = [("normal", "<f4", 3)] if has_normals else []
    return np.dtype([("xyz", "<f4", 3), *normals, ("rgb", "u1", 3)])


def _ply_properties(has_normals: bool) -> list[str]:
    normals = ["float nx", "float ny", "float nz"] if has_normals else []
    return [
        *("float x", "float y", "float z"),
        *normals,
        *("uchar red", "uchar green", "uchar blue"),
    ]


def _write_ply(path: Path, cloud: Vertices) -> None:
    """Write a binary little-endian PLY in metres, with colour, and normals if there are any.

    Raises OutputError.
    """
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "comment unit: metre",
        f"comment frame: {_FRAME}",
        "comment made by stereo-depth",
        f"element vertex {len(cloud.points)}",
        *(f"property {name}" for name in _ply_properties(cloud.normals is not None)),
        "end_header",
    ]
    vertices = np.empty(len(cloud.points), _vertex_type(cloud.normals is not None))
    vertices["xyz"], vertices["rgb"] = cloud.points, cloud.colors
    if cloud.normals is not None:
        vertices["normal"] = cloud.normals
    write_whole(path, ("\n".join(header) + "\n").encode() + vertices.tobytes())


def _read_ply(path: Path) -> Vertices:
    """Read a PLY as ``write`` writes it. Raises ImageError naming the file."""
    header, body = _split_header(path, read_bytes(path), b"ply", b"end_header\n")
    count = re.search(r"element vertex (\d{1,12})$", header, re.MULTILINE)
    properties = re.findall(r"^property (.+)$", header, re.MULTILINE)
    has_normals = "float nx" in properties
    if (
        "\nformat binary_little_endian 1.0\n" not in header
        or count is None
        or properties != _ply_properties(has_normals)
    ):
        raise ImageError(f"{path}: only binary PLY files as stereo writes them can be read")
    vertices = _vertices(path, body, _vertex_type(has_normals), int(count[1]))
    normals = vertices["normal"].copy() if has_normals else None
    return Vertices(vertices["xyz"].copy(), vertices["rgb"].copy(), normals)


def _write_pcd(path: Path, cloud: Vertices) -> None:
    """Write a binary PCD (PCL) in metres, with colour, and normals if any. Raises OutputError."""
    fields = ["x", "y", "z"] + (
        ["normal_x", "normal_y", "normal_z"] if cloud.normals is not None else []
    )
    header = [
        "# .PCD v0.7 - Point Cloud Data file format",
        f"# unit: metre; frame: {_FRAME}; made by stereo-depth",
        "VERSION 0.7",
        f"FIELDS {' '.join(fields)} rgb",
        "SIZE" + " 4" * (len(fields) + 1),
        "TYPE" + " F" * (len(fields) + 1),  # older PCL finds no colour under U
        "COUNT" + " 1" * (len(fields) + 1),
        f"WIDTH {len(cloud.points)}",
        "HEIGHT 1",
        "VIEWPOINT 0 0 0 1 0 0 0",
        f"POINTS {len(cloud.points)}",
        "DATA binary",
    ]
    points = np.empty(len(cloud.points), np.dtype([("f", "<f4", len(fields)), ("rgb", "<u4")]))
    points["f"][:, :3] = cloud.points
    if cloud.normals is not None:
        points["f"][:, 3:] = cloud.normals
    red, green, blue = cloud.colors.astype(np.uint32).T
    points["rgb"] = red << 16 | green << 8 | blue
    write_whole(path, ("\n".join(header) + "\n").encode() + points.tobytes())


def _read_pcd(path: Path) -> Vertices:
    """Read a PCD as ``write`` writes it. Raises ImageError naming the file."""
    header, body = _split_header(path, read_bytes(path), b"# .PCD", b"DATA binary\n")
    count = re.search(r"^POINTS (\d{1,12})$", header, re.MULTILINE)
    fields = re.search(r"^FIELDS x y z( normal_x normal_y normal_z)? rgb$", header, re.MULTILINE)
    if count is None or fields is None:
        raise ImageError(f"{path}: only binary PCD files as stereo writes them can be read")
    floats = 6 if fields[1] else 3
    points = _vertices(path, body, np.dtype([("f", "<f4", floats), ("rgb", "<u4")]), int(count[1]))
    packed = points["rgb"]
    colors = np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], axis=1)
    normals = points["f"][:, 3:].copy() if fields[1] else None
    return Vertices(points["f"][:, :3].copy(), colors.astype(np.uint8), normals)


def _split_header(path: Path, data: bytes, magic: bytes, end: bytes) -> tuple[str, bytes]:
    stop = data.find(end, 0, 10_000)
    if not data.startswith(magic) or stop < 0:
        raise ImageError(f"{path}: is no {path.suffix[1:].upper()} file that stereo can read")
    return data[:stop].decode("ascii", "replace"), data[stop + len(end) :]


def _vertices(path: Path, body: bytes, kind: np.dtype[np.void], count: int) -> NDArray[Any]:
    if len(body) != count * kind.itemsize:
        raise ImageError(
            f"{path}: {count} points need {count * kind.itemsize} bytes, the file holds {len(body)}"
        )
    return np.frombuffer(body, kind)
