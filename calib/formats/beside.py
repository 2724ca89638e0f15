"""Which files belong together: given with commas, as their folder, or one with its partner beside.

A partner has the same name (or lies in a folder of the same name) but for the word that tells the
sides apart: left/right, cam0/cam1, _l/_r, 0/1, 1/2.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

from calib.errors import RigFileError
from calib.nearby import near_path

_SIDES = (
    ("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"), ("infra1", "infra2"),
    ("cam0", "cam1"), ("cam1", "cam2"), ("camera0", "camera1"), ("camera1", "camera2"),
    ("_l", "_r"), ("_L", "_R"), ("-l", "-r"), ("-L", "-R"), ("0", "1"), ("1", "2"),
    ("l", "r"), ("L", "R"),
)  # fmt: skip
_ENDINGS = {
    *(".yaml", ".yml", ".xml", ".json", ".txt", ".conf", ".cfg", ".ini", ".cameramodel", ".mat"),
    *(".npz", ".npy", ".calib", ".cal", ".info"),
}
_HEAD_BYTES = 65_536
_MOST_FILES = 200
_FOLDERS = re.compile(r"(mav0|cam(era)?_?\d+|left|right|calib(ration)?)", re.IGNORECASE)


def given(path: str | Path) -> tuple[Path, ...]:
    """Return the paths in what a caller gave: one, or several with commas.

    A name without a folder may lie in the first one's.
    """
    whole = Path(path)
    if "," not in str(path) or _exists(whole):
        return (whole,)
    names = [name for name in str(path).split(",") if name.strip()]
    first = Path(names[0].strip()) if names else whole
    return tuple(_in_folder_of(first, Path(name.strip())) for name in names)


def _in_folder_of(first: Path, path: Path) -> Path:
    if path.parent == Path() and not _exists(path) and _exists(first.parent / path):
        return first.parent / path
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False


def head(path: Path) -> bytes:
    """Return the first bytes of a file, none of a folder; RigFileError when there is neither."""
    try:
        if stat.S_ISDIR(mode := path.stat().st_mode):
            return b""
        if not stat.S_ISREG(mode):  # a pipe or device could block, or never end
            raise RigFileError(f"{path}: not a regular file")
        with path.open("rb") as file:
            first = file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf")
    except FileNotFoundError as error:
        raise RigFileError(f"{path}: no such file{near_path(path)}") from error
    except RigFileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise RigFileError(
            f"{path}: cannot be read: {getattr(error, 'strerror', error)}"
        ) from error
    if not first.strip():
        raise RigFileError(f"{path}: the file is empty")
    return first


def inside(folder: Path) -> list[Path]:
    """Return the files of a folder, and of folders of cameras in it, that may be calibrations."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and _FOLDERS.fullmatch(path.name):
            nearer = [
                p for p in sorted(path.iterdir()) if p.is_dir() and _FOLDERS.fullmatch(p.name)
            ]
            for each in (path, *nearer):
                found += [p for p in sorted(each.iterdir()) if _may_be(p)]
        elif _may_be(path):
            found.append(path)
    return found[:_MOST_FILES]


def _may_be(path: Path) -> bool:
    return path.suffix.lower() in _ENDINGS and path.is_file()


def partners(path: Path) -> Iterator[tuple[Path, Path]]:
    """Every (left, right) pair of files that ``path`` may belong to by its name, likely first."""
    for left, right in _SIDES:
        for mine, other, first in ((left, right, True), (right, left, False)):
            for name in _exchanged(path.stem, mine, other):
                yield _ordered(path, path.with_name(name + path.suffix), first=first)
            for name in _exchanged(path.parent.name, mine, other):
                yield _ordered(path, path.parent.with_name(name) / path.name, first=first)
            for name in _exchanged(path.parent.name, mine, other):  # left/left.yaml
                for stem in _exchanged(path.stem, mine, other):
                    there = path.parent.with_name(name) / (stem + path.suffix)
                    yield _ordered(path, there, first=first)


def _exchanged(name: str, mine: str, other: str) -> Iterator[str]:
    """``name`` with one of its ``mine`` exchanged, the last first; a letter only at an end."""
    for found in reversed(list(re.finditer(re.escape(mine), name))):
        if mine in "lLrR" and found.start() > 0 and found.end() < len(name):
            continue
        yield name[: found.start()] + other + name[found.end() :]


def _ordered(path: Path, other: Path, *, first: bool) -> tuple[Path, Path]:
    return (path, other) if first else (other, path)


def two(files: tuple[Path, ...], what: str) -> tuple[Path, Path]:
    """Return the left and the right file; RigFileError when there are not two."""
    if len(files) == 2:
        return files[0], files[1]
    if len(files) > 2:
        names = ", ".join(path.name for path in files)
        raise RigFileError(f"expected two files, {what} of left and right, got {names}")
    likely = next(partners(files[0]), ())
    missing = next((p.name for p in likely if p.parent == files[0].parent and p != files[0]), None)
    looked = f" ({missing})" if missing else ""
    raise RigFileError(
        f"{files[0]}: {what} of one camera; the other camera's was not found beside it{looked}: "
        "give both with a comma, LEFT,RIGHT"
    )
