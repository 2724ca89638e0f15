"""The left and right images that are named to ``stereo calibrate``."""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stereo.errors import InputError


@contextmanager
def sides_of(images: tuple[str, ...]) -> Iterator[tuple[list[Path], list[Path]]]:
    """Give the left and right files of what was named; halves of images last as long as this.

    Raises InputError when that is not two patterns, two folders or one folder.
    """
    if not images:
        raise InputError("give the images of the board, or --live SOURCE")
    if len(images) == 2:
        yield _files(images[0]), _files(images[1])
    elif len(images) == 1:
        with tempfile.TemporaryDirectory(prefix="stereo-") as scratch:
            yield _one_folder(Path(images[0]), Path(scratch))
    else:
        raise InputError(
            f"expected a left and a right pattern or one folder, got {len(images)} names; "
            "put patterns in quotes so that the shell leaves them alone: 'left*.png' 'right*.png'"
        )


def _files(pattern: str) -> list[Path]:
    path = Path(pattern)
    if path.is_dir():
        found = _images(path)
    else:
        found = sorted(Path(name) for name in glob.glob(pattern, recursive=True))  # noqa: PTH207
    if not found:
        raise InputError(f"{pattern}: no images there")
    return found


def _images(folder: Path) -> list[Path]:
    from stereo.files.imagefile import SUFFIXES

    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())


def _one_folder(folder: Path, scratch: Path) -> tuple[list[Path], list[Path]]:
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder, or a left and a right pattern")
    for a, b in (("left", "right"), ("l", "r"), ("cam0", "cam1"), ("image_0", "image_1")):
        subfolders = {p.name.lower(): p for p in folder.iterdir() if p.is_dir()}
        if a in subfolders and b in subfolders:
            return _images(subfolders[a]), _images(subfolders[b])
    found = _images(folder)
    left = [p for p in found if p.stem.lower().startswith("left")]
    right = [p for p in found if p.stem.lower().startswith("right")]
    if left and right:
        return left, right
    if not found:
        raise InputError(f"{folder}: no images, and no folders left and right, in it")
    return _split(found, scratch)


def _split(found: list[Path], scratch: Path) -> tuple[list[Path], list[Path]]:
    """Halves of side-by-side images as files of their own."""
    import cv2

    from calib.detection.detect import read_gray

    sides: tuple[list[Path], list[Path]] = ([], [])
    for path in found:
        gray = read_gray(path)
        if gray is None or gray.shape[1] % 2 or gray.shape[1] < 1.5 * gray.shape[0]:
            shape = "unreadable" if gray is None else f"{gray.shape[1]}x{gray.shape[0]}"
            raise InputError(
                f"{path}: expected two images side by side, of even width, got {shape}"
            )
        half = gray.shape[1] // 2
        for side, name, part in ((0, "left", gray[:, :half]), (1, "right", gray[:, half:])):
            target = scratch / name / f"{path.stem}.png"
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(bytes(cv2.imencode(".png", part)[1]))
            sides[side].append(target)
    return sides
