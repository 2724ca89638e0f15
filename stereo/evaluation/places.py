"""What lies in one folder of a data set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stereo.errors import InputError
from stereo.files.images import SUFFIXES


@dataclass(frozen=True, slots=True)
class Place:
    """One folder of a data set."""

    folder: Path
    folders: frozenset[str]
    """Names of its folders."""
    files: frozenset[str]
    """Names of its files."""

    def file(self, stem: str, suffixes: tuple[str, ...] = SUFFIXES) -> str | None:
        """Return the path of the file of this name without its ending, if it is there."""
        for suffix in suffixes:
            if stem + suffix in self.files:
                return str(self.folder / (stem + suffix))
        return None

    def has(self, *stems: str) -> bool:
        """Return whether there is an image of each name."""
        return all(self.file(stem) for stem in stems)


def look(folder: Path) -> Place:
    """Return what lies there. Raises InputError when it may not be read."""
    folders: set[str] = set()
    files: set[str] = set()
    try:
        with os.scandir(folder) as found:
            for each in found:
                (folders if each.is_dir() else files).add(each.name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror or error}") from error
    return Place(folder, frozenset(folders), frozenset(files))


def names(folder: Path, suffixes: tuple[str, ...]) -> list[str]:
    """Return the names of the files with one of these endings, in order."""
    return sorted(name for name in look(folder).files if name.lower().endswith(suffixes))


def below(folder: Path, suffix: str) -> Iterator[Path]:
    """Yield the files with this ending in a folder and all below it, relative to it, in order."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        yield from (
            (Path(parent) / name).relative_to(folder)
            for name in sorted(files)
            if name.lower().endswith(suffix)
        )


def image(path: Path) -> str:
    """Return the image of this name in the folder, whatever it ends in; the name itself if none."""
    there = (path.with_suffix(suffix) for suffix in SUFFIXES)
    return str(next((each for each in there if each.is_file()), path.with_suffix(".png")))
