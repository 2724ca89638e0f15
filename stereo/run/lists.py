"""A list of pairs in a file: CSV with a header, JSON lines, or a manifest with ground truth.

Each line names ``left`` and ``right`` (without it ``left`` holds both views side by side), perhaps
``name`` and ``third``; paths are relative to the list. It is read line by line: a million pairs
take no more memory than their names.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stereo.errors import InputError
from stereo.evaluation.manifest import load_manifest
from stereo.files.urls import Place, is_url, place
from stereo.run.pairs import PairFiles

_KNOWN = ("left", "right", "name", "third")
_LONGEST_LINE = 100_000


def is_list(name: str) -> bool:
    """Return whether a file's name says that it lists pairs."""
    return Path(name).suffix.lower() in _READERS


class PairList:
    """The pairs that a file lists; checked whole before the first is used."""

    def __init__(self, path: str | Path, base: Place | None = None) -> None:
        """``base`` is what its paths are relative to, in place of its own folder.

        Raises InputError naming the line that is wrong, and for two pairs of one name.
        """
        self._path = Path(path)
        self._base = self._path.parent if base is None else base
        self._read = _READERS[self._path.suffix.lower()]
        names: set[str] = set()
        for number, pair in self._numbered():
            if pair.name in names:
                raise InputError(
                    f"{self._path}: line {number}: a second pair named {pair.name!r}; both would "
                    "write to one folder: give each line a name of its own"
                )
            names.add(pair.name)
        if not names:
            raise InputError(f"{self._path}: lists no pairs")
        self._count = len(names)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[PairFiles]:
        return (pair for _, pair in self._numbered())

    def _numbered(self) -> Iterator[tuple[int, PairFiles]]:
        for number, entry in self._read(self._path):
            yield number, self._pair(number, entry)

    def _pair(self, number: int, entry: Mapping[str, Any]) -> PairFiles:
        told = {key: entry.get(key) or None for key in _KNOWN}
        for key, value in told.items():
            if value is not None and not isinstance(value, str):
                raise self._wrong(number, f"{key} is {value!r:.60}; a text was expected")
        if told["left"] is None:
            raise self._wrong(number, "names no left image")
        left = self._place(told["left"])
        right, third = (
            None if told[key] is None else self._place(str(told[key])) for key in ("right", "third")
        )
        # images of one name in many folders, as data sets have them, are told apart by the folder
        path = re.sub(r"^\w+://|\.\w+$", "", told["left"])
        return PairFiles(
            told["name"] or path.replace("/", "_").lstrip("._"), left, right, third=third
        )

    def _place(self, told: str) -> Place:
        return place(told) if is_url(told) else self._base / told

    def _wrong(self, number: int, what: str) -> InputError:
        return InputError(f"{self._path}: line {number}: {what}")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers. Raises InputError."""
    if not path.is_file():
        raise InputError(f"{path}: no such list of pairs")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE):
                number += 1
                if len(line) == _LONGEST_LINE:
                    raise InputError(f"{path}: line {number}: is too long for a pair")
                yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from error


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = csv.reader(line for _, line in _lines(path))
    header = [name.strip().lower() for name in next(rows, [])]
    if "left" not in header:
        raise InputError(
            f"{path}: the first line of a CSV names the columns, left and right among them; it is "
            f"{','.join(header)[:80]!r}"
        )
    for row in rows:
        if len(row) > len(header):
            raise InputError(f"{path}: line {rows.line_num}: has more values than columns")
        if any(value.strip() for value in row):
            yield rows.line_num, dict(zip(header, (value.strip() for value in row), strict=False))


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: line {number}: is no JSON: {error}") from error
        if not isinstance(entry, dict):
            raise InputError(f'{path}: line {number}: expected {{"left": ..., "right": ...}}')
        yield number, entry


def _manifest(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, item in enumerate(load_manifest(path), 1):
        yield number, item.entry


_READERS: dict[str, Callable[[Path], Iterator[tuple[int, dict[str, Any]]]]] = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _manifest,
}
