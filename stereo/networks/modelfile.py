"""What an ONNX file says of itself, read before any library runs it.

ONNX is protocol buffers; only the few fields that are asked for are walked (the numbers are those
of onnx.proto), weights are stepped over. So a file that points outside of its folder, needs
operators that nobody has, or is no ONNX at all is named before it is loaded.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from calib.nearby import near_path
from stereo.errors import MatcherError

KNOWN_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"}
"""Whose operators onnxruntime has."""
MOST_BYTES = 2**31
"""A protocol buffer is no larger; larger weights lie in files beside it."""
_DEEPEST = 32
_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
"""Size of an element by TensorProto.DataType."""


@dataclass(slots=True)
class ModelFile:
    """What was found."""

    path: Path
    producer: str = ""
    opset: int = 0
    operators: int = 0
    """How many nodes."""
    domains: set[str] = field(default_factory=set)
    """Whose operators it uses, without those that it defines itself."""
    external: set[str] = field(default_factory=set)
    """Files that hold weights."""
    largest_bytes: int = 0
    """The largest intermediate whose size the file states; 0: it states none."""
    notes: dict[str, str] = field(default_factory=dict)
    """Its metadata."""
    weights_bytes: int = 0
    """Of the file and those beside it."""


def read_model_file(path: Path) -> ModelFile:
    """Return what a file says of itself.

    Raises MatcherError when it is missing, no ONNX file, uses weights from outside of its folder,
    or operators that onnxruntime has not.
    """
    if not path.is_file():
        raise MatcherError(f"{path}: no such network file{near_path(path)}")
    size = path.stat().st_size
    if not 0 < size < MOST_BYTES:
        raise MatcherError(f"{path}: {size} bytes are no ONNX file (more than 0, less than 2 GB)")
    found = ModelFile(path, weights_bytes=size)
    with path.open("rb") as file:
        raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        _model(memoryview(raw), found)
    except (IndexError, ValueError, OverflowError) as error:
        raise MatcherError(
            f"{path}: not a whole ONNX file ({error}); was it cut off, or is it a pointer of git "
            "lfs?"
        ) from None
    if not found.operators:
        raise MatcherError(f"{path}: not an ONNX file: it holds no operators")
    _check(found)
    return found


def _check(found: ModelFile) -> None:
    unknown = sorted(found.domains - KNOWN_DOMAINS)
    if unknown:
        raise MatcherError(
            f"{found.path}: needs operators of {', '.join(unknown)}, which onnxruntime does not "
            "have; export the network with standard operators only"
        )
    folder = found.path.parent.resolve()
    for name in sorted(found.external):
        target = (folder / name).resolve()
        if not target.is_relative_to(folder):
            raise MatcherError(
                f"{found.path}: takes weights from {name!r}, outside of its own folder; that is "
                "not read: put them beside the file and export it anew"
            )
        if not target.is_file():
            raise MatcherError(
                f"{found.path}: its weights lie in {name!r}, which is not beside it; copy both"
            )
        found.weights_bytes += target.stat().st_size


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field of a message: its number, and its integer or its bytes."""
    at = 0
    while at < len(view):
        key, at = _integer(view, at)
        kind = key & 7
        if kind == 0:
            value, at = _integer(view, at)
            yield key >> 3, value
            continue
        length = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            length, at = _integer(view, at)
        if length is None or at + length > len(view):
            raise ValueError(f"a field that ends {len(view)} bytes in does not fit")
        yield key >> 3, view[at : at + length]
        at += length


def _integer(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = view[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a number of more than ten bytes")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message was expected")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_message(value)[:4096]).decode("utf-8", "replace")


def _number(value: int | memoryview) -> int:
    return value if isinstance(value, int) else 0


def _pair(view: memoryview) -> tuple[str, str]:
    """Key and value of a StringStringEntryProto."""
    words = {number: _text(value) for number, value in _fields(view) if number in (1, 2)}
    return words.get(1, ""), words.get(2, "")


def _model(view: memoryview, found: ModelFile) -> None:
    own: set[str] = set()
    for number, value in _fields(view):
        if number == 2:
            found.producer = _text(value)
        elif number == 7:
            _graph(_message(value), found, 0)
        elif number == 8:
            facts = dict(_fields(_message(value)))
            if _text(facts.get(1, memoryview(b""))) in ("", "ai.onnx"):
                found.opset = _number(facts.get(2, 0))
        elif number == 14:
            key, text = _pair(_message(value))
            found.notes[key] = text
        elif number == 25:  # operators that the file itself defines
            for inner, part in _fields(_message(value)):
                if inner == 10:
                    own.add(_text(part))
                elif inner == 7:
                    _node(_message(part), found, 1)
    found.domains -= own


def _graph(view: memoryview, found: ModelFile, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("graphs nested too deeply")
    for number, value in _fields(view):
        if number == 1:
            _node(_message(value), found, depth)
        elif number == 5:
            _tensor(_message(value), found)
        elif number == 15:
            _sparse(_message(value), found)
        elif number == 13:
            found.largest_bytes = max(found.largest_bytes, _stated_bytes(_message(value)))


def _node(view: memoryview, found: ModelFile, depth: int) -> None:
    found.operators += 1
    domain = ""
    for number, value in _fields(view):
        if number == 7:
            domain = _text(value)
        elif number == 5:
            for inner, part in _fields(_message(value)):
                if inner in (5, 10):
                    _tensor(_message(part), found)
                elif inner in (6, 11):
                    _graph(_message(part), found, depth + 1)
                elif inner in (22, 23):
                    _sparse(_message(part), found)
    found.domains.add(domain)


def _sparse(view: memoryview, found: ModelFile) -> None:
    for number, value in _fields(view):
        if number in (1, 2):
            _tensor(_message(value), found)


def _tensor(view: memoryview, found: ModelFile) -> None:
    for number, value in _fields(view):
        if number == 13:
            key, text = _pair(_message(value))
            if key == "location":
                found.external.add(text)


def _stated_bytes(view: memoryview) -> int:
    """Of a ValueInfoProto's tensor; 0 where its size is not stated in full."""
    kind = dict(_fields(view)).get(2)
    tensor = None if kind is None else dict(_fields(_message(kind))).get(1)
    if tensor is None:
        return 0
    facts = dict(_fields(_message(tensor)))
    if 2 not in facts:
        return 0
    sides = [
        _number(dict(_fields(_message(side))).get(1, 0))
        for number, side in _fields(_message(facts[2]))
        if number == 1
    ]
    return math.prod(sides) * _BYTES.get(_number(facts.get(1, 0)), 4)
