"""OpenCV FileStorage text (YAML, XML, JSON) to plain nested data, matrices as arrays.

Our own parser: ``cv2.FileStorage`` crashes on broken files in several ways and gives 0 for a key
that is missing.
"""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from calib.checks import Float
from calib.errors import RigFileError
from calib.formats.reading import (
    MAX_DEPTH,
    MOST_FOREIGN,
    StrictLoader,
    load_yaml,
    number,
    read_text,
)

_BASE64 = "$base64$"
_TYPES = {"u": "u1", "c": "i1", "w": "<u2", "s": "<i2", "i": "<i4", "f": "<f4", "d": "<f8"}
_MATRICES = ("opencv-matrix", "opencv-nd-matrix")


def looks_like(head: bytes) -> bool:
    """Tell whether a file beginning like this is of FileStorage."""
    return re.search(rb"\A.{0,3}%YAML:|opencv-(nd-)?matrix|<opencv_storage", head) is not None


def parse(path: Path, *, first: bool = False) -> dict[str, Any]:
    """Return what a file holds; RigFileError naming the file, and the line or key.

    ``first``: of several YAML documents the first, as a running program prints one after another.
    Matrices become float64 arrays of their shape, other OpenCV objects (sparse, binary) None.
    """
    text = read_text(path)
    if text.lstrip().startswith("<"):
        data = _xml(text, path)
    else:
        # "%YAML:1.0" is no YAML, and libyaml refuses OpenCV 5's "%YAML 1.2" too.
        text = re.sub(r"\A\s*%YAML.*", "", text)
        if first:
            text = text.lstrip().removeprefix("---")
            text = re.split(r"^---[ \t\r]*$", text, maxsplit=1, flags=re.MULTILINE)[0]
        data = load_yaml(text, path, loader=_Loader, most=MOST_FOREIGN)
    if not isinstance(data, dict):
        raise RigFileError(f"{path}: expected keys with values")
    return {str(key): _with_arrays(value, str(key), path) for key, value in data.items()}


class _Loader(StrictLoader):
    """The strict loader that knows OpenCV's tags."""


def _construct(loader: Any, suffix: str, node: yaml.Node) -> Any:
    return {"type_id": f"opencv-{suffix}"} | loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("tag:yaml.org,2002:opencv-", _construct)


def _xml(text: str, path: Path) -> Any:
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise RigFileError(f"{path}: XML with a DOCTYPE or entities is not accepted")
    if text.count("<") > MOST_FOREIGN:
        raise RigFileError(f"{path}: more than {MOST_FOREIGN} elements")
    try:
        root = ET.fromstring(text)
    except (ET.ParseError, ValueError) as error:
        raise RigFileError(f"{path}: not valid XML: {error}") from error
    if root.tag != "opencv_storage":
        raise RigFileError(f"{path}: expected <opencv_storage>, got <{root.tag:.40}>")
    return _element(root, 0, path)


def _element(element: ET.Element, depth: int, path: Path) -> Any:
    """Return a mapping of the children, a list of the words, or the only word."""
    if depth > MAX_DEPTH:
        raise RigFileError(f"{path}: nested more than {MAX_DEPTH} levels deep")
    if not len(element):
        words = (element.text or "").replace('"', " ").split()
        if element.get("type_id") == "binary":
            return _BASE64 + "".join(words)
        return words[0] if len(words) == 1 and element.tag != "data" else words
    found = {"type_id": element.get("type_id")} if element.get("type_id") else {}
    for child in element:
        if child.tag in found and child.tag != "_":  # "_" is an item of a list
            raise RigFileError(f"{path}: key {child.tag!r} is given twice")
        found[child.tag] = _element(child, depth + 1, path)
    return found


def _with_arrays(value: Any, name: str, path: Path) -> Any:
    if not isinstance(value, Mapping):
        return value
    if "type_id" not in value:
        return {str(k): _with_arrays(v, f"{name}.{k}", path) for k, v in value.items()}
    return _matrix(value, name, path) if value["type_id"] in _MATRICES else None


def _unpacked(data: Any, name: str, path: Path) -> Any:
    """The numbers of data written with FileStorage's BASE64 flag; other data as it is.

    24 bytes say the type ("1d"), then the numbers follow, little-endian.
    """
    if isinstance(data, str) and data.startswith(_BASE64):
        try:
            data = base64.b64decode(data.removeprefix(_BASE64), validate=True)
        except ValueError as error:
            raise RigFileError(f"{path}: {name}: not valid base64: {error}") from error
    if not isinstance(data, bytes):
        return data
    kind = re.fullmatch(rb"\d*([ucwsifd]) *", data[:24])
    width = 0 if kind is None else np.dtype(_TYPES[kind[1].decode()]).itemsize
    if kind is None or (len(data) - 24) % width:
        raise RigFileError(f"{path}: {name}: base64 data of a kind that is no matrix's, or cut off")
    return np.frombuffer(data, _TYPES[kind[1].decode()], offset=24).tolist()


def _matrix(value: Mapping[str, Any], name: str, path: Path) -> Float:
    sizes = _unpacked(value.get("sizes", [value.get("rows"), value.get("cols")]), name, path)
    shape = [number(n) for n in (sizes if isinstance(sizes, list) else [sizes])]
    kind = re.fullmatch(r"(\d{0,3})[a-zA-Z]", str(value.get("dt", "")))
    data = _unpacked(value.get("data"), name, path)
    if kind is None or None in shape or not isinstance(data, list):
        raise RigFileError(f"{path}: {name}: a matrix needs rows, cols, dt and data")
    numbers = [number(item) for item in data]
    if None in numbers:
        bad = data[numbers.index(None)]
        raise RigFileError(f"{path}: {name}: expected finite numbers, got {bad!r:.40}")
    full = [*(int(n) for n in shape if n is not None), *([int(kind[1])] if kind[1] else [])]
    if min(full) < 0 or int(np.prod(full, dtype=object)) != len(numbers):
        wanted = " x ".join(map(str, full))
        raise RigFileError(f"{path}: {name}: expected {wanted} numbers, got {len(numbers)}")
    return np.array(numbers, float).reshape(full)
