"""Which image files belong together: the one rule, for pairs to match and boards to calibrate from.

Two files are a pair when their names agree, never because they stand at the same place in two
lists: then one missing image would shift all that follow.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from calib.nearby import near_path
from stereo.errors import ImageError
from stereo.files.imagefile import SUFFIXES

Files = str | Path | Sequence[Path]
"""A file, a folder, a glob, or a list of files."""

SIDE_FOLDERS = (("left", "right"), ("cam0", "cam1"), ("image_0", "image_1"), ("l", "r"))
"""Names of two folders inside one, for the left and the right images."""


@dataclass(frozen=True, slots=True)
class PairListing:
    """Image files matched by name."""

    pairs: tuple[tuple[str, Path, Path], ...]
    """(name, left, right), in natural order; every name is there once."""
    unmatched_left: tuple[Path, ...]
    """Left images without a partner."""
    unmatched_right: tuple[Path, ...]
    """Right images without a partner."""


_SIDES = (
    re.compile(r"(?<![a-z])(left|right|l|r)(?![a-z])|(left|right)(?![a-z])", re.IGNORECASE),
    re.compile(r"(?<=[a-z])[LR](?![a-zA-Z])"),
    re.compile(r"(?<![a-z])(cam|im|image|view|cal)_?\d(?!\d)", re.IGNORECASE),
    re.compile(r"[-_][01]$"),
)
"""What names a side: left_3, 3-r; then roomL; then cam0, im1, view5; then room_0."""


def find_images(spec: Files) -> list[Path]:
    """Return the image files that ``spec`` (a file, a folder, or a glob) names, in natural order.

    Folders and globs give what ends as an image does, hidden files excepted; a single file, or a
    list of them, is taken as it is. Raises ImageError when there are none.
    """
    if not isinstance(spec, str | Path):
        if not spec:
            raise ImageError("no images were given")
        return list(spec)
    path = Path(spec)
    if path.is_dir():
        found = list(path.iterdir())
    elif path.is_file() or not re.search(r"[*?\[]", str(spec)):
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder{near_path(path)}")
        return [path]
    else:
        anchor = Path(path.anchor) if path.is_absolute() else Path()
        found = list(anchor.glob(str(path.relative_to(path.anchor))))
    images = _in_order([path for path in found if _is_image(path)])
    if not images:
        raise ImageError(f"{spec}: no images found ({', '.join(SUFFIXES)}); is this the place?")
    return images


def find_named_images(spec: Files) -> list[tuple[str, Path]]:
    """Return (name, file) of each image, for files that stand alone; no name comes twice.

    Raises ImageError as ``find_images``, and when two files would have the same name.
    """
    images = find_images(spec)
    named: dict[str, Path] = {}
    for name, path in zip(short_names(images), images, strict=True):
        if name in named:
            raise ImageError(f"{named[name]} and {path} have the same name; keep one of them")
        named[name] = path
    return list(named.items())


def find_sides(folder: Path) -> tuple[list[Path], list[Path]] | None:
    """Return the left and the right images of a folder that holds both, None where it does not.

    In two folders inside it (``SIDE_FOLDERS``; EuRoC's ``cam0/data`` too), or side by side when
    the names of its images say which side each is of (left_3 and right_3, room_L and room_R).
    Raises ImageError when one of the two folders has no images.
    """
    inside = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    for names in SIDE_FOLDERS:
        if set(names) <= set(inside):
            left, right = (find_images(_with_data(inside[name])) for name in names)
            return left, right
    images = [path for path in folder.iterdir() if _is_image(path)]
    left = [path for path in images if _side(path.stem) == "left"]
    right = [path for path in images if _side(path.stem) == "right"]
    # the odd picture of the rig does no harm; but one named "left" does not make a folder of pairs
    if not left or not right or len(left) + len(right) <= len(images) / 2:
        return None
    return _in_order(left), _in_order(right)


def find_pairs(left: Files, right: Files) -> PairListing:
    """Match the images that two files, folders, globs or lists name.

    Two single files are a pair whatever their names. Otherwise two files belong together when
    their names are equal, or equal without the last word that names a side (left, right, L, R,
    cam0, im1, view5, _0 ...), whichever finds more pairs; if neither finds any, when they are
    equal in what differs from file to file, or hold the same last number. Where a glob spans
    folders, the folders are part of the name. Raises ImageError when nothing matches, when two
    files on one side claim the same partner, or when the same file is on both sides.
    """
    lefts, rights = find_images(left), find_images(right)
    _check_disjoint(lefts, rights)
    if all(isinstance(side, str | Path) and Path(side).is_file() for side in (left, right)):
        name = _without_side(lefts[0].stem) or lefts[0].stem
        return PairListing(((name, lefts[0], rights[0]),), (), ())
    pairs = _best_match(lefts, rights)
    if not pairs:
        raise ImageError(
            f"no image of {named(left)} ({len(lefts)}, such as {lefts[0].name}) has a partner in "
            f"{named(right)} ({len(rights)}, such as {rights[0].name}); equal names or numbers "
            "are expected"
        )
    taken = {path for _, *both in pairs for path in both}
    return PairListing(
        tuple(pairs),
        tuple(path for path in lefts if path not in taken),
        tuple(path for path in rights if path not in taken),
    )


_Pairs = list[tuple[str, Path, Path]]  # name, left, right
_Keyed = tuple[str, str, Path]  # key by which partners are found, name, file


def _best_match(lefts: list[Path], rights: list[Path]) -> _Pairs:
    """Pairs by the rule that finds most. Raises ImageError when claims clash under every rule."""
    left_names, right_names = short_names(lefts), short_names(rights)
    clash: ImageError | None = None
    for rules in ((_same, _without_sides), (_varying, _numbers)):
        best: _Pairs = []
        for rule in rules:
            try:
                found = _match(
                    list(zip(rule(left_names), left_names, lefts, strict=True)),
                    list(zip(rule(right_names), right_names, rights, strict=True)),
                )
            except ImageError as error:
                clash = clash or error
                continue
            best = max(best, found, key=len)  # the earlier rule wins a draw
        if best:
            return best  # equal numbers say little where names have agreed
    if clash:
        raise clash
    return []


def _match(lefts: Sequence[_Keyed], rights: Sequence[_Keyed]) -> _Pairs:
    """Pairs of equal key. Raises ImageError when a key that both sides have is not unique."""
    both = {key for key, _, _ in lefts} & {key for key, _, _ in rights}
    for side in (lefts, rights):
        seen: dict[str, Path] = {}
        for key, _, path in side:
            if key in both and key in seen:
                raise ImageError(
                    f"{seen[key]} and {path} both claim the same partner ({key!r}); keep one of "
                    "them, or name each side by a glob such as 'folder/left*.png'"
                )
            seen[key] = path
    partner = {key: path for key, _, path in rights}
    return [(name, path, partner[key]) for key, name, path in lefts if key in both]


def _check_disjoint(lefts: list[Path], rights: list[Path]) -> None:
    both = {path.resolve() for path in lefts} & {path.resolve() for path in rights}
    if both:
        raise ImageError(
            f"{min(both)} is given as left and as right image; where both lie in one folder, name "
            "each side by a glob such as 'folder/left*.png'"
        )


def short_names(paths: Sequence[Path]) -> list[str]:
    """Return the names without suffix, preceded by the folders in which the files differ."""
    common = os.path.commonpath([path.absolute().parent for path in paths])
    return ["_".join(path.absolute().relative_to(common).with_suffix("").parts) for path in paths]


def _without_side(name: str) -> str:
    """The name without its last side word; "" when none is left."""
    for pattern in _SIDES:
        words = list(pattern.finditer(name))
        if words:
            rest = name[: words[-1].start()] + "_" + name[words[-1].end() :]
            return re.sub(r"[^0-9A-Za-z]+", "_", rest).strip("_")
    return name


# --- rules: the names of one side -> what each must have in common with its partner


def _same(names: Sequence[str]) -> list[str]:
    return list(names)


def _without_sides(names: Sequence[str]) -> list[str]:
    return [_without_side(name) for name in names]


def _varying(names: Sequence[str]) -> list[str]:
    """What differs from file to file, in whole words and numbers: 07 of west_07_a, west_08_a."""
    words = [re.findall(r"\d+|[A-Za-z]+|.", name) for name in names]
    shortest = min(len(own) for own in words)
    same = [len({tuple(own[:n]) for own in words}) == 1 for n in range(1, shortest + 1)]
    start = sum(same)
    same = [len({tuple(own[-n:]) for own in words}) == 1 for n in range(1, shortest - start + 1)]
    end = sum(same)
    return ["".join(own[start : len(own) - end]) for own in words]


def _numbers(names: Sequence[str]) -> list[str]:
    """The last number of each, without leading zeros."""
    last = [re.findall(r"\d+", name)[-1:] for name in names]
    return [str(int(found[0])) if found else name for found, name in zip(last, names, strict=True)]


# --- names


def _side(name: str) -> str | None:
    """Return left or right, where the name says it with a word or a letter."""
    for pattern in _SIDES[:2]:
        words = list(pattern.finditer(name))
        if words:
            return "left" if words[-1].group().lower().startswith("l") else "right"
    return None


def named(files: Files) -> str:
    """Return what a message calls them."""
    return str(files) if isinstance(files, str | Path) else str(files[0].parent)


def _with_data(folder: Path) -> Path:
    """EuRoC keeps the images in ``cam0/data``."""
    return folder / "data" if (folder / "data").is_dir() else folder


def _is_image(path: Path) -> bool:
    # hidden: macOS leaves ._left.png, which is no image, beside left.png
    return path.suffix.lower() in SUFFIXES and path.name[0] != "." and path.is_file()


def _in_order(paths: Sequence[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: _natural(str(path)))


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts 2 before 10."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]
