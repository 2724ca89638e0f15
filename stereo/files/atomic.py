"""Write a result whole or not at all, and say what to do when that fails."""

from __future__ import annotations

import errno
from pathlib import Path

from calib.atomic import replace_whole
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
        raise cannot_write(folder, error) from error


def write_whole(path: str | Path, data: bytes) -> None:
    """Write ``data`` to ``path`` as ``calib.atomic.replace_whole`` does.

    Raises OutputError naming the file, the cause and what to do; nothing is left behind then.
    """
    path = Path(path)
    try:
        replace_whole(path, data)
    except OSError as error:
        raise cannot_write(path, error) from error


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left half written in a folder that one process writes to."""
    for leftover in folder.glob(".*.part"):
        leftover.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """Return the error that says why ``path`` could not be written, and what to do."""
    remedy = _REMEDIES.get(error.errno or 0, "check free space and permissions")
    return OutputError(f"{path}: cannot be written: {error.strerror or error}; {remedy}")
