"""Which coded board is in some images: markers of all dictionaries, also in mirrored images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import AprilGrid, Board, Charuco, dictionary

Float = NDArray[np.float64]
Seen = tuple[Float, NDArray[np.intp]]
"""(N, 4, 2) corners and (N,) numbers of the markers in one image."""

DICTIONARIES = (
    "DICT_4X4_1000",
    "DICT_5X5_1000",
    "DICT_6X6_1000",
    "DICT_7X7_1000",
    "DICT_ARUCO_ORIGINAL",
    "DICT_ARUCO_MIP_36H12",
    "DICT_APRILTAG_36H11",
    "DICT_APRILTAG_36H10",
    "DICT_APRILTAG_25H9",
    "DICT_APRILTAG_16H5",
)
"""The largest of each family; smaller ones are their first entries."""
_KINDS = [(name, 1) for name in DICTIONARIES] + [("DICT_APRILTAG_36H11", 2)]
"""With the cells of the border; Kalibr draws two."""
_SMALL_SIZES = (50, 100, 250, 1000)
_FEWEST = 4  # markers in an image; of the small codes a few are seen in any texture
_FIRST = 60  # of the codes of a dictionary: enough to tell which it is
_ROUNDS = 50  # of RANSAC: few markers are wrong, and in a wrong layout no number is enough
_VIEWS = 3  # that tell the dictionary, and the layout
_FITS = 0.05  # squares: mean error of markers in the layout they were printed in


def family(name: str) -> str:
    """DICT_5X5 of DICT_5X5_50: dictionaries whose first markers are the same."""
    large = next((d for d in DICTIONARIES if d.rsplit("_", 1)[0] == name.rsplit("_", 1)[0]), name)
    return large.removesuffix("_1000")


@dataclass(frozen=True, eq=False, slots=True)
class Recognised:
    """A board that was recognised in some images."""

    board: Board
    seen: int
    """Images that show it."""
    mirrored: bool = False
    """Its markers are only to be read in the mirrored images."""


def coded_board(
    grays: Sequence[NDArray[np.uint8]], square_m: float, unit_known: bool
) -> Recognised | None:
    """The coded board that most of some images (H, W) show; None when there is none."""
    for mirrored in (False, True):
        pictures = [np.ascontiguousarray(gray[:, ::-1]) if mirrored else gray for gray in grays]
        kind = _dictionary_of(pictures)
        if kind is None:
            continue
        name, border = kind
        seen = [_markers(picture, dictionary(name), border) for picture in pictures]
        seen = [one for one in seen if len(one[1]) >= _FEWEST]
        fullest = sorted(seen, key=lambda one: -len(one[1]))[:_VIEWS]
        board = _laid_out(fullest, name, square_m, unit_known)
        if board is not None:
            return Recognised(board, len(seen), mirrored)
    return None


def _dictionary_of(pictures: Sequence[NDArray[np.uint8]]) -> tuple[str, int] | None:
    """The dictionary, and the cells in the marker's border, of which most is seen; None: little.

    Only the first codes: comparing candidates with a thousand takes a quarter of a second.
    """
    counts = {}
    pictures = pictures[:: -(-len(pictures) // _VIEWS) or 1]
    for name, border in _KINDS:
        whole = dictionary(name)
        book = cv2.aruco.Dictionary(
            whole.bytesList[:_FIRST], whole.markerSize, whole.maxCorrectionBits
        )
        counts[name, border] = [len(_markers(p, book, border)[1]) for p in pictures]
    kind = max(_KINDS, key=lambda k: sum(counts[k]))
    showing = sum(count >= _FEWEST for count in counts[kind])
    return kind if showing >= max(1, len(pictures) // 4) else None


def _markers(gray: NDArray[np.uint8], book: cv2.aruco.Dictionary, border: int) -> Seen:
    params = cv2.aruco.DetectorParameters()
    params.detectInvertedMarker = True
    params.markerBorderBits = border
    params.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX  # the size of a marker counts
    corners, ids, _ = cv2.aruco.ArucoDetector(book, params).detectMarkers(gray)
    numbers: Any = ids  # None where there are none, which its stubs do not say
    quads = np.array([np.reshape(c, (4, 2)) for c in corners]).reshape(-1, 4, 2).astype(float)
    return quads, np.array([] if numbers is None else numbers).ravel().astype(np.intp)


def _laid_out(seen: Sequence[Seen], name: str, square_m: float, unit_known: bool) -> Board | None:
    """The board whose layout puts all markers on one plane."""
    best: tuple[float, Board] | None = None
    highest = max((int(ids.max()) for _, ids in seen), default=0)
    layouts = _aprilgrids if "APRILTAG" in name else _charucos
    for cells, make in layouts(name, highest, square_m, unit_known):
        fit = _layout_error(seen, cells)
        if fit is not None and (best is None or fit[0] < best[0] - 2e-3):
            best = (fit[0], make(round(fit[1], 2)))
    return best[1] if best is not None and best[0] < _FITS else None


Layouts = Iterator[tuple[NDArray[np.intp], Callable[[float], Board]]]
"""(N, 2) column and row of each marker, and the board given marker / spacing; small ones first."""


def _charucos(name: str, highest: int, square_m: float, unit_known: bool) -> Layouts:
    sizes = [
        (columns, rows)
        for columns in range(3, 30)
        for rows in range(3, 30)
        if highest < columns * rows // 2 <= highest + 12
    ]
    for columns, rows in sorted(sizes, key=lambda size: size[0] * size[1]):
        size = next((n for n in _SMALL_SIZES if columns * rows // 2 <= n), 1000)
        book = f"{name.removesuffix('_1000')}_{size}" if name.endswith("_1000") else name
        for legacy in (False, True) if rows % 2 == 0 else (False,):
            first = 1 if legacy else 0
            cells = [(x, y) for y in range(rows) for x in range(columns) if (x + y) % 2 != first]

            def make(
                share: float,
                grid: tuple[int, int] = (columns, rows),
                book: str = book,
                legacy: bool = legacy,
            ) -> Board:
                return Charuco(*grid, square_m, unit_known, share * square_m, book, legacy)

            yield np.array(cells), make


def _aprilgrids(name: str, highest: int, square_m: float, unit_known: bool) -> Layouts:
    """Kalibr counts tags from the bottom left, row by row."""
    for columns in range(1, min(highest, 30) + 1):
        rows = highest // columns + 1
        cells = [(x, rows - 1 - y) for y in range(rows) for x in range(columns)]

        def make(share: float, grid: tuple[int, int] = (columns, rows)) -> Board:
            gap = round(1 / max(share, 0.2) - 1, 2)
            return AprilGrid(*grid, square_m, unit_known, max(gap, 0.01), name)

        yield np.array(cells), make


def _layout_error(seen: Sequence[Seen], cells: NDArray[np.intp]) -> tuple[float, float] | None:
    """(mean error in squares, marker / square) of markers under one layout; None: impossible."""
    errors, sides = [], []
    for corners, ids in seen:
        if ids.max() >= len(cells):
            return None
        centres = cells[ids] + 0.5
        H: Any = cv2.findHomography(
            corners.mean(axis=1), centres, cv2.RANSAC, 0.2, maxIters=_ROUNDS
        )[0]
        if H is None:
            return None
        on_board = cv2.perspectiveTransform(corners.reshape(-1, 1, 2), H).reshape(-1, 4, 2)
        gap = np.linalg.norm(on_board.mean(axis=1) - centres, axis=1)
        # the mean: a neighbouring layout differs only where rows wrap, in a few markers
        errors.append(float(np.minimum(gap, 1).mean()))
        sides.append(float(np.median(np.linalg.norm(on_board[:, 1] - on_board[:, 0], axis=1))))
    return float(np.mean(errors)), float(np.median(sides))
