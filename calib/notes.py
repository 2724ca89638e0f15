"""Plain data that nobody can change: what a rig file keeps besides its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from calib.errors import CameraError


class Notes(Mapping[str, Any]):
    """A read-only mapping of plain data (text, numbers, nested tuples and Notes).

    Lists become tuples and numpy arrays nested tuples of numbers, so that a rig file can hold
    it. Raises CameraError naming the key for anything else.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any] | None = None, *, where: str = "notes") -> None:
        self._items: dict[str, Any] = {}
        for key, value in (items or {}).items():
            self._items[checked_text(where, key)] = _plain(value, f"{where}.{key}")

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Notes({self._items!r})"


def _plain(value: Any, where: str) -> Any:
    """Copy plain data so that nobody can change it; refuse everything else by its key."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return Notes(value, where=where)
    if isinstance(value, list | tuple):
        return tuple(_plain(item, f"{where}[{i}]") for i, item in enumerate(value))
    if isinstance(value, str):
        return checked_text(where, value)
    if isinstance(value, int) and abs(value) >= 2**63:
        raise CameraError(f"{where}: expected a number that fits 64 bits")
    if value is None or isinstance(value, bool | int | float):
        return value
    raise CameraError(f"{where}: expected plain data, got {type(value).__name__}")


def checked_text(name: str, value: Any) -> str:
    """Return ``value``; raise CameraError when it is not text that a file can hold."""
    # lone surrogates are in no file's encoding
    if not isinstance(value, str) or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise CameraError(f"{name}: expected text, got {value!r:.60}")
    return value
