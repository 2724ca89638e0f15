"""Files at URLs that fsspec knows (s3://, gs://, ...): whole objects in and out.

A store of objects has neither folders nor renames, and shows an object once all of it is there. So
inputs are fetched to a temporary file, and results are made in a temporary folder and then sent.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from stereo.errors import ImageError, InputError, MissingLibraryError, OutputError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True, slots=True)
class UrlPath:
    """A file or folder at a URL, with what a ``Path`` has and a batch needs."""

    url: str
    """As fsspec takes it; without a slash at its end."""

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> UrlPath:
        return UrlPath(f"{self.url}/{name}" if name else self.url)

    @property
    def name(self) -> str:
        """The part after the last slash."""
        return self.url.rpartition("/")[2]

    @property
    def parent(self) -> UrlPath:
        """The folder in which it lies."""
        return UrlPath(self.url.rpartition("/")[0])

    def relative_to(self, folder: UrlPath) -> PurePosixPath:
        """Return the way from ``folder`` to this."""
        return PurePosixPath(self.url.removeprefix(f"{folder.url}/"))

    def read_bytes(self) -> bytes:
        """Return all of it. Raises OSError, FileNotFoundError among them."""
        system, path = self._opened()
        return bytes(system.cat_file(path))

    def size(self) -> int:
        """Return how many bytes it has. Raises OSError."""
        system, path = self._opened()
        return int(system.size(path))

    def write_bytes(self, data: bytes) -> None:
        """Put ``data`` there, whole or not at all. Raises OutputError."""
        system, path = self._opened()
        try:
            if "file" in _protocols(system):
                system.makedirs(path.rpartition("/")[0], exist_ok=True)
            system.pipe_file(path, data)
        except Exception as error:  # each store has errors of its own
            raise OutputError(
                f"{self}: cannot be written: {_said(error)}; check the address, your rights, and "
                "that it can be reached"
            ) from error

    def unlink(self, *, missing_ok: bool) -> None:
        """Remove it. Raises OutputError."""
        system, path = self._opened()
        try:
            system.rm_file(path)
        except FileNotFoundError:
            if not missing_ok:
                raise
        except Exception as error:
            raise OutputError(f"{self}: cannot be removed: {_said(error)}") from error

    @contextmanager
    def fetched(self) -> Iterator[Path]:
        """Give a local copy, for as long as the block lasts. Raises ImageError."""
        try:
            data = self.read_bytes()
        except FileNotFoundError as error:
            raise ImageError(f"{self}: no such file") from error
        except OSError as error:
            raise ImageError(f"{self}: cannot be read: {_said(error)}") from error
        with tempfile.TemporaryDirectory(prefix="stereo-") as folder:
            copy = Path(folder, self.name)
            copy.write_bytes(data)
            yield copy

    def _opened(self) -> tuple[Any, str]:
        """The file system and what it calls this. Raises MissingLibraryError and InputError."""
        try:
            import fsspec
        except ImportError as error:
            raise MissingLibraryError(
                f"{self}: files at URLs need the extra cluster: pip install 'stereo-depth[cluster]'"
            ) from error
        try:
            system, path = fsspec.core.url_to_fs(self.url)
        except ImportError as error:
            raise MissingLibraryError(f"{self}: {error}") from error
        except ValueError as error:
            raise InputError(f"{self}: {error}") from error
        return system, str(path)


Place = Path | UrlPath
"""Where results go, or images lie."""


def is_url(text: str) -> bool:
    """Return whether a text is a URL of a file, and no path."""
    return _URL.match(text) is not None


def place(text: str) -> Place:
    """Return the path or the URL that a text names; ``file://`` is a path."""
    if text.startswith("file://"):
        return Path(text.removeprefix("file://"))
    return UrlPath(text.rstrip("/")) if is_url(text) else Path(text)


def size_of(file: Place) -> int:
    """Return how many bytes a file has. Raises OSError."""
    return file.size() if isinstance(file, UrlPath) else file.stat().st_size


@contextmanager
def being_written(folder: Place, *, last: str) -> Iterator[Path]:
    """Give a local folder for results; what is written there is in ``folder`` when the block ends.

    The file ``last`` is the one that says that all others are there: it goes first, and comes last.
    """
    if isinstance(folder, Path):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="stereo-") as name:
        yield Path(name)
        (folder / last).unlink(missing_ok=True)
        files = [file for file in Path(name).rglob("*") if file.is_file()]
        for file in sorted(files, key=lambda file: (file.name == last, file)):
            (folder / file.relative_to(name).as_posix()).write_bytes(file.read_bytes())


def _protocols(system: Any) -> tuple[str, ...]:
    named = system.protocol
    return (named,) if isinstance(named, str) else tuple(named)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")[:300]
