"""A mapping of one of our own files, read strictly: each key once, and nothing left over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calib.errors import RigFileError
from calib.formats.reading import number


class Section:
    """One mapping of the file; every error names the file and the key's path."""

    def __init__(self, path: Path, where: str, value: Any) -> None:
        """``where`` is the path of this mapping within the file, "" for the whole."""
        self.path, self.where = path, where
        if not isinstance(value, dict):
            raise RigFileError(f"{path}: {where or 'file'}: expected keys with values")
        self._left = dict(value)

    def name(self, key: str) -> str:
        """The path of a key, such as left.K.fx."""
        return f"{self.where}.{key}" if self.where else key

    def wrong(self, key: str, expected: str, value: Any) -> RigFileError:
        """The error that says what was expected of a key, and what was found."""
        return RigFileError(
            f"{self.path}: {self.name(key)}: expected {expected}, got {value!r:.80}"
        )

    def __contains__(self, key: str) -> bool:
        return key in self._left

    def take(self, key: str) -> Any:
        """The value of a key that must be there. Raises RigFileError, as all below do."""
        if key not in self._left:
            raise RigFileError(f"{self.path}: {self.name(key)} is missing")
        return self._left.pop(key)

    def constant(self, key: str, expected: str) -> None:
        """Take a key that can have only one value."""
        value = self.take(key)
        if value != expected:
            raise self.wrong(key, repr(expected), value)

    def section(self, key: str) -> Section:
        """The mapping below a key."""
        return Section(self.path, self.name(key), self.take(key))

    def text_or_none(self, key: str) -> str | None:
        """Text, or null."""
        value = self.take(key)
        if value is not None and not isinstance(value, str):
            raise self.wrong(key, "text (in quotes) or null", value)
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        value = self.take(key)
        parsed = number(value)
        if parsed is None:
            raise self.wrong(key, "a finite number", value)
        return parsed

    def number_or_none(self, key: str) -> float | None:
        """A finite number, or null."""
        if self._left.get(key, 0) is None:
            return self.take(key)  # type: ignore[no-any-return]
        return self.number(key)

    def numbers(self, key: str, count: int | None) -> list[float]:
        """So many numbers; None: any."""
        return self._numbers(key, self.take(key), count)

    def matrix(self, key: str, size: int) -> list[list[float]]:
        """So many rows of as many numbers."""
        rows = self.take(key)
        if not isinstance(rows, list) or len(rows) != size:
            raise self.wrong(key, f"{size} rows", rows)
        return [self._numbers(f"{key}[{i}]", row, size) for i, row in enumerate(rows)]

    def _numbers(self, key: str, value: Any, count: int | None) -> list[float]:
        expected = "a list of numbers" if count is None else f"{count} finite numbers"
        if not isinstance(value, list) or (count is not None and len(value) != count):
            raise self.wrong(key, expected, value)
        parsed = [number(item) for item in value]
        if None in parsed:
            raise self.wrong(f"{key}[{parsed.index(None)}]", "a finite number", value)
        return [item for item in parsed if item is not None]

    def rest(self) -> dict[str, Any]:
        """All that was not taken."""
        return self._left

    def close(self) -> None:
        """Refuse what was not taken."""
        if self._left:
            unknown = ", ".join(self.name(str(key)) for key in self._left)
            raise RigFileError(f"{self.path}: unknown key {unknown}")
