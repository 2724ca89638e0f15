"""The pairs of images that are named to ``stereo calibrate``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from calib.calibrate import ImagePair
from stereo.errors import InputError
from stereo.files.pairing import Files, PairListing, find_images, find_pairs, find_sides


@contextmanager
def pairs_of(images: tuple[str, ...]) -> Iterator[tuple[list[ImagePair], list[Path]]]:
    """Give the pairs, and the images without a partner; halves of images last as long as this.

    Raises InputError when that is not two patterns, two folders or one folder, ImageError when
    there are no images or none has a partner.
    """
    if not images:
        raise InputError("give the images of the board, or --live SOURCE")
    if len(images) > 2:
        raise InputError(
            f"expected a left and a right pattern or one folder, got {len(images)} names; "
            "put patterns in quotes so that the shell leaves them alone: 'left*.png' 'right*.png'"
        )
    with tempfile.TemporaryDirectory(prefix="stereo-") as scratch:
        sides: Sequence[Files] = images if len(images) == 2 else _in_folder(images[0], scratch)
        listing = find_pairs(*sides)
        pairs = [ImagePair(*named) for named in _named_by_left(listing)]
        yield pairs, [*listing.unmatched_left, *listing.unmatched_right]


def _named_by_left(listing: PairListing) -> list[tuple[str, Path, Path]]:
    """Named as the left file is, where that is enough to tell them apart."""
    stems = {left.stem for _, left, _ in listing.pairs}
    if len(stems) < len(listing.pairs):
        return list(listing.pairs)
    return [(left.stem, left, right) for _, left, right in listing.pairs]


def _in_folder(name: str, scratch: str) -> tuple[list[Path], list[Path]]:
    """Both sides that one folder holds: by folders, by names, or as halves of its images."""
    folder = Path(name)
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder, or a left and a right pattern")
    return find_sides(folder) or _halves(find_images(folder), Path(scratch))


def _halves(found: list[Path], scratch: Path) -> tuple[list[Path], list[Path]]:
    """Halves of side-by-side images as files of their own."""
    import cv2

    from calib.detection.files import read_gray

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
