"""Images in: one file becomes an array, a folder becomes pairs.

``imagefile`` checks and decodes; orientation tags are ignored, since turning one image of a pair
would ruin it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.errors import ImageError
from stereo.files.imagefile import MAX_PIXELS, SUFFIXES, decode, image_size
from stereo.frame import Image

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "PairListing",
    "find_images",
    "find_named_images",
    "find_pairs",
    "image_size",
    "read_image",
    "split_side_by_side",
]


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Return the image as (H, W) gray or (H, W, 3) RGB, uint8 or uint16.

    An alpha channel is dropped; palettes become RGB, 1 to 4 bit gray becomes 8 bit; a tag that
    asks for turning the image is ignored. Raises ImageError naming the file when it is missing,
    empty, truncated, no image, of another depth than 8 or 16 bit, or larger than ``max_pixels``.
    """
    path = Path(path)
    image = decode(path, max_pixels=max_pixels)
    if image.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"{path}: is a {image.dtype} image; 8 or 16 bit was expected (is it a map?)"
        )
    if image.ndim == 3 and image.shape[2] == 2:
        image = image[..., 0]
    if image.ndim == 3:
        convert = cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
        image = np.asarray(cv2.cvtColor(image, convert))
    return image


def split_side_by_side(image: Image, *, name: str = "image") -> tuple[Image, Image]:
    """Return the left and right half. Raises ImageError when the width is odd."""
    width = image.shape[1]
    if width % 2 or width < 2:
        raise ImageError(
            f"{name}: {width} px wide, so not two equal views side by side (the width must be even)"
        )
    pixels: NDArray[Any] = image
    half = width // 2
    return np.ascontiguousarray(pixels[:, :half]), np.ascontiguousarray(pixels[:, half:])


# --- which files belong together ----------------------------------------------------------------


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


def find_images(spec: str | Path) -> list[Path]:
    """Return the image files that ``spec`` (a file, a folder, or a glob) names, in natural order.

    Folders and globs give what ends as an image does, hidden files excepted; a single file is
    taken as it is. Raises ImageError when there are none.
    """
    path = Path(spec)
    if path.is_dir():
        found = list(path.iterdir())
    elif path.is_file() or not re.search(r"[*?\[]", str(spec)):
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder")
        return [path]
    else:
        anchor = Path(path.anchor) if path.is_absolute() else Path()
        found = list(anchor.glob(str(path.relative_to(path.anchor))))
    # hidden: macOS leaves ._left.png, which is no image, beside left.png
    images = [p for p in found if p.suffix.lower() in SUFFIXES and p.name[0] != "." and p.is_file()]
    if not images:
        raise ImageError(f"{spec}: no images found ({', '.join(SUFFIXES)})")
    return sorted(images, key=lambda p: _natural(str(p)))


def find_named_images(spec: str | Path) -> list[tuple[str, Path]]:
    """Return (name, file) of each image, for files that stand alone; no name comes twice.

    Raises ImageError as ``find_images``, and when two files would have the same name.
    """
    images = find_images(spec)
    named: dict[str, Path] = {}
    for name, path in zip(_names(images), images, strict=True):
        if name in named:
            raise ImageError(f"{named[name]} and {path} have the same name; keep one of them")
        named[name] = path
    return list(named.items())


def find_pairs(left: str | Path, right: str | Path) -> PairListing:
    """Match the images that two files, folders or globs name.

    Two single files are a pair whatever their names. Otherwise two files belong together when
    their names are equal, or equal without the last word that names a side (left, right, L, R,
    cam0, im1, view5, _0 ...), whichever finds more pairs; if neither finds any, when they hold the
    same last number. Where a glob spans folders, the folders are part of the name. Raises
    ImageError when nothing matches, when two files on one side claim the same partner, or when
    the same file is on both sides.
    """
    lefts, rights = find_images(left), find_images(right)
    _check_disjoint(lefts, rights)
    if Path(left).is_file() and Path(right).is_file():
        name = _without_side(lefts[0].stem) or lefts[0].stem
        return PairListing(((name, lefts[0], rights[0]),), (), ())
    pairs = _best_match(lefts, rights)
    if not pairs:
        raise ImageError(
            f"no image of {left} ({len(lefts)}, such as {lefts[0].name}) has a partner in {right} "
            f"({len(rights)}, such as {rights[0].name}); equal names or numbers are expected"
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
    left_names, right_names = _names(lefts), _names(rights)
    best: _Pairs = []
    clash: ImageError | None = None
    for rule in (str, _without_side, _last_number):
        if best and rule is _last_number:
            break  # equal numbers say little where names have agreed
        try:
            found = _match(
                list(zip(map(rule, left_names), left_names, lefts, strict=True)),
                list(zip(map(rule, right_names), right_names, rights, strict=True)),
            )
        except ImageError as error:
            clash = clash or error
            continue
        best = max(best, found, key=len)  # the earlier rule wins a draw
    if clash and not best:
        raise clash
    return best


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


def _names(paths: list[Path]) -> list[str]:
    """Names without suffix, preceded by the folders in which the files differ."""
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


def _last_number(name: str) -> str:
    numbers = re.findall(r"\d+", name)
    return str(int(numbers[-1])) if numbers else name


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts 2 before 10."""
    return [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]
