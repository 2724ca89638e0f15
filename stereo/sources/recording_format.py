"""What a recording is: ``stereo.sources.record`` writes it, ``stereo.sources.recording`` plays it.

A recording is a folder::

    recording.json     what was recorded, by what, with which options
    rig.yaml           the calibration, where there is one
    index.jsonl        a line for each pair: number, times, files and their checksums, and at last
                       the line's own; only ever appended to. Older recordings have no checksums
    frames/000000_left.png ...
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

from stereo.files.text import parse_json

FORMAT = 1
"""The version that ``META`` names."""
META, INDEX, FRAMES, RIG = "recording.json", "index.jsonl", "frames", "rig.yaml"
"""Its files."""

_SEAL = re.compile(r', "sum": "([0-9a-f]{8})"}\s*$')


def checksum(data: bytes) -> str:
    """Return the CRC-32 of a file or a line, eight hexadecimal digits."""
    return f"{zlib.crc32(data):08x}"


def sealed(entry: dict[str, Any]) -> bytes:
    """Return the line of a pair, its own checksum at its end."""
    text = json.dumps(entry)
    return f'{text[:-1]}, "sum": "{checksum(text.encode())}"}}\n'.encode()


def unsealed(line: bytes, name: str) -> dict[str, Any]:
    """Return what a line says. Raises ValueError where it is damaged, or was changed."""
    text = line.decode()
    entry = parse_json(text, name)
    if not isinstance(entry, dict):
        raise ValueError("no object")
    if "sum" in entry:
        seal = _SEAL.search(text)
        if seal is None or checksum(f"{text[: seal.start()]}}}".encode()) != seal[1]:
            raise ValueError("changed after it was written")
    return entry
