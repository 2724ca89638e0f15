"""The only code that reads image files, and that finds which belong together.

cv2 decodes; around it stand the checks it lacks. A header is read before anything is decoded, so
that a small file cannot ask for gigabytes; files that end too early are refused, where cv2 fills
the rest with gray; orientation tags are ignored, since turning one image of a pair would ruin it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stereo.errors import ImageError
from stereo.frame import Image

MAX_PIXELS = 200_000_000
"""Larger images are refused (cv2 would take 0.6 GB for one of this size)."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".webp")
"""Endings by which images are found in a folder."""


def read_image(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Image:
    """Return the image as (H, W) gray or (H, W, 3) RGB, uint8 or uint16.

    An alpha channel is dropped. Raises ImageError naming the file when it is missing, empty,
    truncated, no image, of another depth than 8 or 16 bit, or larger than ``max_pixels``.
    """
    path = Path(path)
    data = _read_bytes(path)
    _check_whole(path, data)
    width, height = _header_size(path, data)
    if width * height > max_pixels:
        raise ImageError(
            f"{path}: {width}x{height} pixels are more than the {max_pixels / 1e6:g} million "
            "accepted; is this file what you meant?"
        )
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"{path}: cannot be decoded: {error.err}") from error
    if image is None:
        raise ImageError(f"{path}: cannot be decoded; the file is damaged or no image")
    return _rgb_or_gray(path, image)


def image_size(path: str | Path) -> tuple[int, int]:
    """Return (width, height) from the file's header. Raises ImageError as ``read_image``."""
    path = Path(path)
    return _header_size(path, _read_bytes(path))


def split_side_by_side(image: Image, *, name: str = "image") -> tuple[Image, Image]:
    """Return the left and right half. Raises ImageError when the width is odd."""
    width = image.shape[1]
    if width % 2 or width < 2:
        raise ImageError(
            f"{name}: {width} px wide, so not two equal views side by side (the width must be even)"
        )
    half = width // 2
    return np.ascontiguousarray(image[:, :half]), np.ascontiguousarray(image[:, half:])


def _read_bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ImageError(f"{path}: is a folder, an image file was expected")
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not data:
        raise ImageError(f"{path}: is empty (0 bytes)")
    return data


def _rgb_or_gray(path: Path, image: NDArray[np.generic]) -> Image:
    if image.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"{path}: is a {image.dtype} image; 8 or 16 bit was expected (a depth or disparity map?)"
        )
    if image.ndim == 3 and image.shape[2] == 2:
        image = image[..., 0]
    if image.ndim == 3:
        convert = cv2.COLOR_BGRA2RGB if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
        image = cv2.cvtColor(image, convert)  # type: ignore[call-overload]
    return image  # type: ignore[return-value]


# --- headers ------------------------------------------------------------------------------------


def _check_whole(path: Path, data: bytes) -> None:
    """Refuse files whose end is missing: cv2 fills the rest of a cut JPEG with gray."""
    cut = ImageError(f"{path}: the file ends too early (an interrupted copy?); get it again")
    if data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data[-4096:]:
        raise cut  # some cameras append a little after the end marker
    if data[:8] == b"\x89PNG\r\n\x1a\n" and b"IEND" not in data[-4096:]:
        raise cut
    if data[:2] == b"BM" and len(data) < struct.unpack_from("<I", data.ljust(6, b"\0"), 2)[0]:
        raise cut


def _header_size(path: Path, data: bytes) -> tuple[int, int]:
    """(width, height) as the header states it."""
    try:
        size = _parse_header(data)
    except (struct.error, IndexError, ValueError):
        raise ImageError(f"{path}: the image header is damaged") from None
    if size is None:
        raise ImageError(
            f"{path}: not an image of a known kind ({', '.join(s[1:] for s in SUFFIXES)})"
        )
    if min(size) < 1:
        raise ImageError(f"{path}: the header states a size of {size[0]}x{size[1]}")
    return size


def _parse_header(data: bytes) -> tuple[int, int] | None:
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return struct.unpack_from(">II", data, 16)
    if data[:2] == b"\xff\xd8":
        return _jpeg_size(data)
    if data[:2] == b"BM":
        width, height = struct.unpack_from("<ii", data, 18)
        return width, abs(height)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff_size(data)
    if data[:2] in (b"P2", b"P3", b"P5", b"P6"):
        words = re.match(rb"P\d(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)", data[:1000])
        return (int(words[1]), int(words[2])) if words else None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_size(data)
    return None


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position = 2
    while True:
        marker, length = struct.unpack_from(">HH", data, position)
        # frame headers; C4, C8 and CC in the same range are tables
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        position += 2 + length


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack_from(order + "I", data, 4)[0]
    found = {}
    for entry in range(struct.unpack_from(order + "H", data, start)[0]):
        tag, kind = struct.unpack_from(order + "HH", data, start + 2 + 12 * entry)
        value = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, start + 10 + 12 * entry)
        found[tag] = value[0]
    return (found[256], found[257]) if {256, 257} <= set(found) else None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        numbers = data[24:30]
        return (
            int.from_bytes(numbers[:3], "little") + 1,
            int.from_bytes(numbers[3:], "little") + 1,
        )
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


# --- which files belong together ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PairListing:
    """Image files matched by name."""

    pairs: tuple[tuple[str, Path, Path], ...]
    """(name, left, right), in natural order of the names."""
    unmatched_left: tuple[Path, ...]
    """Left images without a partner."""
    unmatched_right: tuple[Path, ...]
    """Right images without a partner."""


_SIDES = (
    re.compile(r"(?<![a-z])(left|right|l|r)(?![a-z])|(left|right)(?![a-z])", re.IGNORECASE),
    re.compile(r"(?<=[a-z])[LR](?![a-zA-Z])"),
    re.compile(r"(?<![a-z])(cam|im|image|view|cal)_?\d(?!\d)", re.IGNORECASE),
)
"""What names a side: left_3, 3-r; then roomL; then cam0, im1, view5."""


def find_images(spec: str | Path) -> list[Path]:
    """Return the image files that ``spec`` (a file, a folder, or a glob) names, in natural order.

    Raises ImageError when there are none.
    """
    path = Path(spec)
    if path.is_dir():
        found = [p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()]
    elif path.is_file() or not re.search(r"[*?\[]", str(spec)):
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder")
        found = [path]
    else:
        anchor = Path(path.anchor) if path.is_absolute() else Path()
        found = [p for p in anchor.glob(str(path.relative_to(path.anchor))) if p.is_file()]
    if not found:
        raise ImageError(f"{spec}: no images found ({', '.join(SUFFIXES)})")
    return sorted(found, key=lambda p: _natural(p.name))


def find_pairs(left: str | Path, right: str | Path) -> PairListing:
    """Match the images that two files, folders or globs name.

    Two single files are a pair whatever their names. Otherwise two files belong together when
    their names are equal, or equal without a side word (left, right, L, R, cam0, im1, view5 ...),
    or when they hold the same last number. Raises ImageError when nothing matches, or when two
    files on one side claim the same name.
    """
    lefts, rights = find_images(left), find_images(right)
    if Path(left).is_file() and Path(right).is_file():
        name = _without_side(lefts[0].stem) or lefts[0].stem
        return PairListing(((name, lefts[0], rights[0]),), (), ())
    for key in (lambda p: p.stem, lambda p: _without_side(p.stem), lambda p: _last_number(p.stem)):
        by_left, by_right = _keyed(lefts, key), _keyed(rights, key)
        if by_left is None or by_right is None:
            continue
        common = sorted(set(by_left) & set(by_right), key=_natural)
        if common:
            return PairListing(
                tuple((by_left[k].stem, by_left[k], by_right[k]) for k in common),
                tuple(p for k, p in by_left.items() if k not in by_right),
                tuple(p for k, p in by_right.items() if k not in by_left),
            )
    raise ImageError(
        f"no image of {left} ({len(lefts)}, such as {lefts[0].name}) has a partner in {right} "
        f"({len(rights)}, such as {rights[0].name}); equal names or numbers are expected"
    )


def _keyed(paths: list[Path], key: object) -> dict[str, Path] | None:
    """Key -> path; None when a key is empty or claimed twice."""
    keys = [key(path) for path in paths]  # type: ignore[operator]
    if "" in keys or len(set(keys)) < len(keys):
        return None
    return dict(zip(keys, paths, strict=True))


def _without_side(stem: str) -> str:
    """The name without its last side word; "" when none is left."""
    for pattern in _SIDES:
        words = list(pattern.finditer(stem))
        if words:
            rest = stem[: words[-1].start()] + "_" + stem[words[-1].end() :]
            return re.sub(r"[^0-9A-Za-z]+", "_", rest).strip("_")
    return stem


def _last_number(stem: str) -> str:
    numbers = re.findall(r"\d+", stem)
    return str(int(numbers[-1])) if numbers else ""


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts 2 before 10."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]
