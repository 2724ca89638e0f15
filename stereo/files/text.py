"""Settings and lists in: small text files from strangers become plain data, within a second.

A path may name a pipe that never begins or a device that never ends; a small file may nest so deep
or name so many things that a parser takes minutes. Such files are refused before they are parsed.
"""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path
from typing import Any

from calib.nearby import near_path
from stereo.errors import InputError

MOST_BYTES = 4_000_000
"""Of a JSON file: a manifest of ten thousand pairs takes 3 MB."""
_MOST_LISTS = 100_000
_MOST_TOML_BYTES, _MOST_TOML_LINE = 64_000, 1_000  # tomllib takes 22 s for one key of 32000 parts


def read_text(path: str | Path, *, most_bytes: int = MOST_BYTES) -> str:
    """Return the text of a regular file of at most ``most_bytes``.

    Raises InputError naming the file when it is missing, no regular file, too large or not UTF-8.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait
            raise InputError(f"{path}: is a folder, device or pipe; a text file was expected")
        with path.open("rb") as file:
            raw = file.read(most_bytes + 1)
    except InputError:
        raise
    except FileNotFoundError as error:
        hint = near_path(path)
        raise InputError(f"{path}: cannot be read: No such file or directory{hint}") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read: {reason}") from error
    if len(raw) > most_bytes:
        raise InputError(
            f"{path}: is larger than the {most_bytes / 1e6:g} MB that such a file may have; is it "
            "the one you meant?"
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not text (UTF-8 expected, byte {error.start})") from error


def read_json(path: str | Path) -> Any:
    """Return the plain data in a JSON file. Raises InputError as ``read_text``, or for its text."""
    return parse_json(read_text(path), str(path))


def parse_json(text: str, name: str) -> Any:
    """Return the plain data in a JSON text, called ``name`` in messages. Raises InputError."""
    if text.count("[") + text.count("{") > _MOST_LISTS:
        raise InputError(f"{name}: holds more than {_MOST_LISTS} lists and objects")
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name}: not readable as JSON: line {error.lineno}: {error.msg} (cut off?)"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name}: not readable as JSON: {_why(error)}") from error


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the plain data in a TOML file. Raises InputError as ``read_text``, or for its text."""
    text = read_text(path, most_bytes=_MOST_TOML_BYTES)
    if any(len(line) > _MOST_TOML_LINE for line in text.splitlines()):
        raise InputError(f"{path}: has a line of more than {_MOST_TOML_LINE} characters")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a readable TOML file: {_why(error)}") from error


def _why(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else f"{error!s:.200}"


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a finite number")
