"""Write a file whole or not at all; the one way in which this project writes files."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def replace_whole(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path``, check and sync it, then rename it into place.

    A reader sees the old file or the new one, never half of it, also after a power cut. Raises
    OSError; nothing is left behind then, nor on Ctrl-C.
    """
    # hidden and ending in .part, so that no folder listing takes it for a result
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        written = temporary.stat().st_size
        if written != len(data):
            raise OSError(f"{written} of {len(data)} bytes arrived")
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:  # after the rename there is nothing to remove
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable; not every file system can (Windows, some network ones)."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
