"""The pairs of a manifest, or of a folder that holds a data set as its owners publish it.

Each such folder becomes the manifest that would list it; ``published.py`` knows the layouts. The
first that recognises a folder has it, and nothing below it is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from calib.nearby import did_you_mean
from stereo.errors import InputError
from stereo.evaluation.manifest import ManifestPair, checked, load_manifest
from stereo.evaluation.places import look
from stereo.evaluation.published import LAYOUTS, Entry, Layout

_DEEPEST = 8
"""Folders below folders: a link to a folder above would have no end."""


def load_pairs(path: str | Path, dataset: str | None = None) -> list[ManifestPair]:
    """Return the pairs of a manifest, or of a folder whose layout is recognised or named.

    Raises InputError naming what is wrong or missing, and what is known.
    """
    path = Path(path)
    if not path.is_dir():
        if dataset is not None:
            raise InputError(f"{path}: --dataset names the layout of a folder, and this is none")
        return load_manifest(path)
    if dataset is not None and dataset not in LAYOUTS:
        hint = did_you_mean(dataset, LAYOUTS) or ";"
        raise InputError(f"no layout is called {dataset!r}{hint} known are {', '.join(LAYOUTS)}")
    layouts = LAYOUTS.values() if dataset is None else [LAYOUTS[dataset]]
    found = list(_entries(path, layouts, told=dataset is not None))
    if not found:
        kind = "of any layout" if dataset is None else f"laid out as {dataset}"
        raise InputError(
            f"{path}: holds no pairs with ground truth {kind}; known are {', '.join(LAYOUTS)}; or "
            "list the pairs in a manifest (docs/evaluation.md)"
        )
    return checked(path, Path(), _named(found))


def _entries(
    folder: Path, layouts: Collection[Layout], *, told: bool, where: str = "", deep: int = 0
) -> Iterator[tuple[str, Entry]]:
    """Where below the root a pair lies, and its entry; below a folder with pairs nobody looks."""
    place = look(folder)
    for layout in layouts:
        entries = list(layout(place, told))
        if entries:
            yield from ((where, entry) for entry in entries)
            return
    if deep < _DEEPEST:
        for name in sorted(place.folders):
            below = f"{where}/{name}".lstrip("/")
            yield from _entries(folder / name, layouts, told=told, where=below, deep=deep + 1)


def _named(found: list[tuple[str, Entry]]) -> list[tuple[str, Entry]]:
    """Short names where they tell the pairs apart, else with the folders they lie in."""
    short = [str(entry["name"]) for _, entry in found]
    if len(set(short)) == len(short):
        return list(zip(short, (entry for _, entry in found), strict=True))
    named = []
    for (where, entry), name in zip(found, short, strict=True):
        parts = [part for part in where.split("/") if part not in ("", name)]
        named.append(("_".join([*parts, name]), entry | {"path": "/".join([*parts, name])}))
    return named
