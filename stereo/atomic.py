"""Write a file whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from stereo.errors import OutputError

_REMEDIES = {
    errno.ENOSPC: "free some space or choose another output folder",
    errno.EDQUOT: "free some of your quota or choose another output folder",
    errno.EACCES: "choose an output folder you may write to",
    errno.EPERM: "choose an output folder you may write to",
    errno.EROFS: "choose an output folder that is not read-only",
    errno.EEXIST: "a file is in the way of the folder; move it or choose another output folder",
    errno.ENOTDIR: "a file is in the way of the folder; move it or choose another output folder",
    errno.EISDIR: "a folder is in the way of the file; move it or choose another output folder",
    errno.ENOENT: "create the folder first",
}


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents. Raises OutputError when that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def write_whole(path: str | Path, data: bytes) -> None:
    """Write ``data`` beside ``path``, check and sync it, then rename it into place.

    A reader sees the old file or the new one, never half of it, also after a power cut. Raises
    OutputError naming the file and the cause; nothing is left behind then.
    """
    path = Path(path)
    # hidden and ending in .part, so that no folder listing takes it for a result
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
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
        finally:  # also on Ctrl-C; after the rename there is nothing to remove
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


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


def _cannot_write(path: Path, error: OSError) -> OutputError:
    remedy = _REMEDIES.get(error.errno or 0, "check free space and permissions")
    return OutputError(f"{path}: cannot be written: {error.strerror or error}; {remedy}")
