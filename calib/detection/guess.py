"""Find out which board is in some images: ``--board auto``, and what to say when the board that was
named is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import AprilGrid, Board, Charuco, Chessboard
from calib.detection.extent import full_size, has_corners
from calib.detection.lattice import circle_grid
from calib.detection.levels import gray8, stretched
from calib.detection.markers import Recognised, coded_board, family

_LOOKED_AT = 6  # images, spread over the session: a board is in most of them, or in none
_FINDER_PX = 1280
_SEEN_WITHIN = 0.15  # markers of few pixels look smaller than they are

Difference = Literal["same", "larger", "smaller", "size", "squares", "transposed", "dictionary",
                     "legacy", "kind", "nothing"]  # fmt: skip
"""How the board that is there differs from the one that was named.

``same``: it does not (a chessboard of 6x9 is one of 9x6); ``larger``, ``smaller``: by whole rows or
columns; ``size``: more of one and fewer of the other; ``squares``: a chessboard's squares were
counted instead of its inner corners, or a ChArUco board's corners instead of its squares;
``transposed``: columns and rows exchanged, where that makes another board; ``dictionary``: other
markers; ``legacy``: OpenCV's pattern before 4.6, or not; ``kind``: another kind of board;
``nothing``: no board was recognised.
"""


@dataclass(frozen=True, eq=False, slots=True)
class Evidence:
    """What some images show, beside the board that was named."""

    difference: Difference
    board: Board | None
    """What is there, in the named board's lengths, which nobody can see; None: no board."""
    seen: int
    """Images in which it was recognised."""
    looked: int
    """Images looked at."""
    mirrored: bool = False
    """The markers are only to be read in the mirrored images."""


def what_is_there(images: Sequence[NDArray[Any]], named: Board) -> Evidence:
    """Which board a few of ``images`` (H, W) show, and how it differs from the ``named`` one.

    Takes a second or two. Boards that are partly out of sight are no evidence of a smaller board:
    what is said has been seen, wholly, in half of the images that show any, and in two of them.
    """
    grays = [_small(image) for image in images[:: -(-len(images) // _LOOKED_AT) or 1]]
    found = _recognised(grays, named.square_m, named.unit_known)
    if found is None:
        return Evidence("nothing", None, 0, len(grays))
    difference = _difference(found.board, named)
    board = named if difference == "same" else _like(found.board, named)
    return Evidence(difference, board, found.seen, len(grays), found.mirrored)


def guess_board(
    images: Sequence[NDArray[Any]], *, square_m: float = 1.0, unit_known: bool = False
) -> Board | None:
    """The board most of ``images`` (H, W) show; None when there is none.

    Lengths cannot be seen: the square is ``square_m``, by default one unknown unit.
    """
    found = _recognised([_small(image) for image in images], square_m, unit_known)
    return None if found is None or found.mirrored else found.board


def chessboard_size(image: NDArray[Any]) -> tuple[int, int] | None:
    """(columns, rows) of inner corners of the chessboard in an image; None when there is none."""
    return _chessboard_size(_small(image))


def _recognised(
    grays: Sequence[NDArray[np.uint8]], square_m: float, unit_known: bool
) -> Recognised | None:
    """Markers first: their board is a chessboard too, in which pieces of any size are found."""
    coded = coded_board(grays, square_m, unit_known)
    if coded is not None:
        return coded
    size = _agreed([_chessboard_size(gray) for gray in grays])
    if size is not None:
        (columns, rows), seen = size
        return Recognised(Chessboard(columns, rows, square_m, unit_known), seen)
    grid = _agreed([circle_grid(gray) for gray in grays])
    if grid is not None:
        (kind, columns, rows), seen = grid
        return Recognised(kind(columns, rows, square_m, unit_known), seen)
    return None


Size = TypeVar("Size", bound=tuple[Any, ...])


def _agreed(sizes: Sequence[Size | None]) -> tuple[Size, int] | None:
    """The size, columns and rows last, of the board that most of the images show; and how many do.

    A board that is partly hidden looks smaller, never larger: of the frequent sizes the largest.
    """
    counts = Counter(size for size in sizes if size is not None)
    enough = max(min(2, len(sizes)), 0.25 * counts.total())
    frequent = [size for size, n in counts.items() if n >= enough]
    if not frequent:
        return None
    size = max(frequent, key=lambda size: size[-2] * size[-1])
    return size, counts[size]


def _small(image: NDArray[Any]) -> NDArray[np.uint8]:
    """(H, W) of moderate size: what is too small to be seen there would calibrate nothing."""
    gray = gray8(stretched(image))
    scale = min(1.0, _FINDER_PX / max(gray.shape))
    if scale == 1:
        return gray
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _chessboard_size(gray: NDArray[np.uint8]) -> tuple[int, int] | None:
    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_LARGER
    found, points, meta = cv2.findChessboardCornersSBWithMeta(gray, (3, 3), flags)
    if not found:
        return None
    rows, columns = meta.shape[:2]
    part = Chessboard(columns, rows, 1.0)
    image, spots = gray.astype(np.float32), points.reshape(-1, 2).astype(float)
    if not has_corners(image, spots, part):
        return None
    columns, rows = full_size(image, spots, part)
    return max(columns, rows), min(columns, rows)


# -- comparing -----------------------------------------------------------------------------------


def _like(found: Board, named: Board) -> Board:
    """With the named board's proportions, which are known better than seen, where they may be."""
    if isinstance(found, Charuco) and isinstance(named, Charuco):
        like = abs(found.marker_m / named.marker_m - 1) < _SEEN_WITHIN
        return replace(found, marker_m=named.marker_m) if like else found
    if isinstance(found, AprilGrid) and isinstance(named, AprilGrid):
        like = abs((1 + found.gap) / (1 + named.gap) - 1) < _SEEN_WITHIN
        return replace(found, gap=named.gap) if like else found
    return found


def _difference(found: Board, named: Board) -> Difference:
    if found.kind != named.kind:
        return "kind"
    if isinstance(found, Charuco) and isinstance(named, Charuco):
        return _charuco_difference(found, named)
    mine, theirs = (named.columns, named.rows), (found.columns, found.rows)
    if mine == theirs or (_turns(named) and mine == theirs[::-1]):
        return "same"
    if mine == theirs[::-1]:
        return "transposed"
    if isinstance(named, AprilGrid) and mine[0] == theirs[0] and mine[1] > theirs[1]:
        return "same"  # the last tags were in none of the images
    if isinstance(named, Chessboard) and sorted(mine) == sorted(n + 1 for n in theirs):
        return "squares"
    return _by_size(sorted(mine) if _turns(named) else mine,
                    sorted(theirs) if _turns(named) else theirs)  # fmt: skip


def _charuco_difference(found: Charuco, named: Charuco) -> Difference:
    mine, theirs = (named.columns, named.rows), (found.columns, found.rows)
    if family(found.dictionary) != family(named.dictionary):
        return "dictionary"
    if mine[0] == theirs[0] and mine[1] >= theirs[1]:
        # the last rows may have been in none of the images
        even = mine[1] % 2 == 0 and theirs[1] % 2 == 0
        return "legacy" if even and found.legacy != named.legacy else "same"
    if mine == theirs[::-1]:
        return "transposed"
    if mine == (theirs[0] - 1, theirs[1] - 1):
        return "squares"
    return _by_size(mine, theirs)


def _turns(board: Board) -> bool:
    """Whether columns and rows can be exchanged without making another board."""
    return board.kind in ("chessboard", "circles")


def _by_size(mine: Sequence[int], theirs: Sequence[int]) -> Difference:
    if all(m <= t for m, t in zip(mine, theirs, strict=True)):
        return "larger"
    return "smaller" if all(m >= t for m, t in zip(mine, theirs, strict=True)) else "size"
