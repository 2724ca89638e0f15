"""Small text files that mean harm: refused with a reason, soon, in little memory."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stereo.errors import InputError
from stereo.files.text import read_json, read_text, read_toml

DEEP = 30_000


def refused(read: Callable[[Path], Any], path: Path) -> str:
    """What was said; a reader that waits for a pipe is not waited for."""
    said: list[str] = []

    def work() -> None:
        try:
            read(path)
        except InputError as error:
            said.append(str(error))

    before = resource.getrusage(resource.RUSAGE_SELF)
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert said, f"{path} was read, or is still being read"
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_maxrss - before.ru_maxrss < 100_000  # kB
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0
    assert str(path) in said[0]
    assert len(said[0]) < 500
    return said[0]


@pytest.mark.parametrize("read", [read_text, read_json, read_toml])
def test_no_file_is_waited_for_and_none_is_endless(
    read: Callable[[Path], Any], tmp_path: Path
) -> None:
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(10**12)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        assert "a text file was expected" in refused(read, path)
    assert "larger than the" in refused(read, large)
    assert "No such file" in refused(read, tmp_path / "none")
    assert "cannot be read" in refused(read, tmp_path / ("x" * 300))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\0")
    assert "not text" in refused(read, tmp_path / "binary")


@pytest.mark.parametrize(
    "text",
    [
        *("a=" + "[" * DEEP, "a=" + "{b=" * DEEP, "a." * DEEP + "a=1", "[" + "a." * DEEP + "a]"),
        *("a=[" + "1," * 5_000_000 + "]", "a=" + "9" * 5000, "a=" + "9" * 900, "", "x", '"'),
    ],
    ids=lambda text: text[:6],
)
def test_toml(text: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    if text in ("", "a=" + "9" * 900):
        assert len(read_toml(path)) <= 1
    else:
        refused(read_toml, path)


@pytest.mark.parametrize(
    "text",
    [
        *("[" * DEEP, '{"a":' * DEEP, "[" * 3_000_000, "[" + "1," * 5_000_000 + "1]"),
        *("9" * 5000, "NaN", "[Infinity]", "", "{", '{"a": 1,}', "\0"),
    ],
    ids=lambda text: text[:6],
)
def test_json(text: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    refused(read_json, path)


def test_what_is_sound_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_bytes(b"\xef\xbb\xbfa = [1, 2]\n")
    assert read_toml(tmp_path / "c.toml") == {"a": [1, 2]}
    (tmp_path / "m.json").write_text('{"a": [1, 2.5, null]}')
    assert read_json(tmp_path / "m.json") == {"a": [1, 2.5, None]}
