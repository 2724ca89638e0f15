"""MATLAB 5 ``.mat`` files to plain nested data: numbers, text and structs, nothing else.

Our own parser of "MAT-File Format" (MathWorks), levels 5 to 7: ``scipy.io.loadmat`` builds
whatever a file claims (an empty cell array of 1e9 cells takes 8 GB), and a deflated megabyte may
hold a gigabyte. Here everything is bounded by the bytes that are really there.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from calib.errors import RigFileError
from calib.formats.reading import MAX_BYTES, MAX_DEPTH

_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_MATRIX, _DEFLATED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE = 1, 2, 3, 4, 5
_FUNCTION, _OPAQUE = 16, 17
_NUMERIC = range(6, 16)


class Opaque:
    """An object of MATLAB's, which only MATLAB can read."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def parse(path: Path) -> dict[str, Any]:
    """Return the variables of a file by name; RigFileError when it is none, or is cut off.

    Numbers become float64 arrays, structs dicts; objects become ``Opaque``, the rest None.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RigFileError(f"{path}: cannot be read: {error.strerror}") from error
    if raw[:8] == b"\x89HDF\r\n\x1a\n" or raw[:19] == b"MATLAB 7.3 MAT-file":
        raise RigFileError(
            f"{path}: a MATLAB 7.3 file (HDF5), which is not read; save it with "
            "save('stereo.mat', ..., '-v7')"
        )
    if len(raw) > MAX_BYTES:
        raise RigFileError(
            f"{path}: larger than {MAX_BYTES / 1e6:g} MB; save the parameters alone, without images"
        )
    order = {b"IM": "<", b"MI": ">"}.get(raw[126:128])
    if order is None:
        raise RigFileError(f"{path}: not a MATLAB 5 file, or cut off")
    try:
        return dict(_Reader(order).variables(raw[128:]))
    except (struct.error, ValueError, IndexError, zlib.error, OverflowError) as error:
        raise RigFileError(f"{path}: a damaged MATLAB file: {error}") from error


class _Reader:
    def __init__(self, order: str) -> None:
        self.order = order
        self.left = MAX_BYTES  # deflated bytes that may still come out

    def variables(self, raw: bytes) -> list[tuple[str, Any]]:
        found = []
        for kind, data in self.elements(raw):
            if kind == _DEFLATED:
                inner = self.elements(self.inflated(data))
                kind, data = inner[0] if inner else (0, b"")
            if kind == _MATRIX:
                found.append(self.matrix(data, 0))
        return found

    def inflated(self, data: bytes) -> bytes:
        out = zlib.decompressobj().decompress(data, self.left + 1)
        self.left -= len(out)
        if self.left < 0:
            raise ValueError(f"more than {MAX_BYTES / 1e6:g} MB when inflated")
        return out

    def elements(self, raw: bytes) -> list[tuple[int, bytes]]:
        """Return (type, data) of what lies in ``raw`` one after the other."""
        found, at = [], 0
        while at + 8 <= len(raw):
            kind, count = struct.unpack_from(self.order + "II", raw, at)
            if kind >> 16:  # a small element: both numbers in the first word, the data in the next
                kind, count, start = kind & 0xFFFF, kind >> 16, at + 4
                at += 8
            else:
                start = at + 8
                at = start + count + (-count % 8 if kind != _DEFLATED else 0)
            if start + count > len(raw) or (start == at - 4 and count > 4):
                raise ValueError("cut off")
            found.append((kind, raw[start : start + count]))
        return found

    def matrix(self, raw: bytes, depth: int) -> tuple[str, Any]:
        """Return the name and the value of a variable."""
        if depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
        parts = self.elements(raw)
        if not parts:  # an empty cell
            return "", None
        (flags,) = struct.unpack_from(self.order + "I", parts[0][1])
        kind, is_complex = flags & 0xFF, bool(flags & 0x800)
        if kind == _OPAQUE:  # flags, name, type system, class name, ...
            names = [data.decode("latin-1") for each, data in parts[1:] if each in (1, 2, 16)]
            return (names[0] if names else ""), Opaque(names[2] if len(names) > 2 else "object")
        shape = [int(n) for n in self.array(*parts[1])]
        name = parts[2][1].decode("latin-1")
        if kind == _STRUCT:
            return name, self.structure(shape, parts[3:], depth)
        if kind == _OBJECT:
            return name, Opaque(parts[3][1].decode("latin-1"))
        if kind == _CHAR:
            letters = self.array(*parts[3]) if parts[3][0] in _NUMBERS else parts[3][1]
            return name, "".join(chr(int(code)) for code in letters)
        if kind in _NUMERIC and not is_complex:
            return name, self.array(*parts[3]).astype(float).reshape(shape, order="F")
        return name, None

    def array(self, kind: int, data: bytes) -> Any:
        if kind not in _NUMBERS:
            raise ValueError(f"numbers of an unknown type {kind}")
        return np.frombuffer(data, self.order + _NUMBERS[kind])

    def structure(self, shape: list[int], parts: list[tuple[int, bytes]], depth: int) -> Any:
        """Return a dict of a 1 x 1 struct; None for an array of structs."""
        if shape != [1, 1] or len(parts) < 2:
            return None
        length = int(self.array(*parts[0])[0])
        if not 0 < length <= 256:
            raise ValueError(f"field names of {length} letters")
        text = parts[1][1]
        names = [text[i : i + length].split(b"\0")[0] for i in range(0, len(text), length)]
        values = [self.matrix(data, depth + 1)[1] for kind, data in parts[2:] if kind == _MATRIX]
        if len(names) != len(values):
            raise ValueError(f"a struct of {len(names)} names and {len(values)} values")
        return {name.decode("latin-1"): value for name, value in zip(names, values, strict=True)}
