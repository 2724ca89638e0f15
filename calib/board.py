"""Calibration boards: what is printed on them and where their points lie.

A board is written ``chessboard:9x6:25mm`` (inner corners), ``charuco:11x8:30mm:22mm:DICT_5X5_50``
(squares; append ``:legacy`` for boards printed by OpenCV before 4.6), ``circles:10x10:30mm``,
``acircles:4x11:20mm`` (OpenCV's asymmetric grid: the length is half the spacing within a row) or
``aprilgrid:6x6:88mm:0.3`` (Kalibr's: tag size, gap as a share of it). Lengths take mm, cm, m, or
``u`` for units nobody knows; then "metres" everywhere means those units.

Board axes are x right and y down as printed, z into the paper, so that a board seen from the front
has the same handedness as the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.errors import CalibrationError
from calib.words import plain

Float = NDArray[np.float64]

_UNITS = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "u": 1.0}
_HOW = (
    "chessboard:COLSxROWS:SQUARE (inner corners), charuco:COLSxROWS:SQUARE:MARKER:DICT[:legacy] "
    "(squares), circles:COLSxROWS:SPACING, acircles:COLSxROWS:SPACING or "
    "aprilgrid:COLSxROWS:TAG:GAP, such as chessboard:9x6:25mm"
)


class BoardError(CalibrationError, ValueError):
    """A board that cannot exist, or a text that describes none."""


class Artwork(NamedTuple):
    """What is black on a board, metres from the top-left corner of the printed area, y down."""

    size_m: tuple[float, float]
    """(width, height) of the printed area."""
    rectangles: Float
    """(N, 4) x, y, width, height."""
    discs: Float
    """(M, 3) centre x, centre y, radius."""


@dataclass(frozen=True)
class Board:
    """Any board: a grid of points in a plane."""

    columns: int
    """Inner corners (chessboard), squares (ChArUco), circles or tags per row."""
    rows: int
    """The same per column."""
    square_m: float
    """Spacing of the grid, metres; for an AprilGrid the tag's side."""
    unit_known: bool = True
    """False: the length is in unknown units, and so is everything measured with it."""

    kind: ClassVar[str]
    coded: ClassVar[bool] = False
    """True: each point is known by itself, so that a part of the board is enough."""
    fewest: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not (self.fewest <= min(self.columns, self.rows) and max(self.columns, self.rows) < 200):
            raise BoardError(
                f"{self.kind}: expected {self.fewest} to 199 columns and rows, "
                f"got {self.columns}x{self.rows}"
            )
        if not 1e-5 <= self.square_m <= 100:
            raise BoardError(
                f"{self.kind}: expected a length of 0.01 mm to 100 m, "
                f"got {plain(self.square_m, 9)} m"
            )

    @cached_property
    def points(self) -> Float:
        """(N, 3) metres, z = 0; the index of a point is its id."""
        xy = self._grid()
        return np.column_stack([xy, np.zeros(len(xy))])

    @cached_property
    def symmetries(self) -> list[NDArray[np.intp]]:
        """Permutations p such that point p[i] may look like point i; the identity first."""
        identity = np.arange(len(self.points))
        if self.coded:
            return [identity]
        xy = self.points[:, :2] - (self.points[:, :2].max(0) + self.points[:, :2].min(0)) / 2
        found = [identity]
        for turn in (np.array([[-1, 0], [0, -1]]), np.array([[0, -1], [1, 0]])):
            for sign in (1, -1) if turn[0, 0] == 0 else (1,):
                gap = np.linalg.norm(xy[:, None] - sign * (xy @ turn.T)[None], axis=2)
                if gap.min(axis=0).max() < 1e-6 * self.square_m:
                    found.append(gap.argmin(axis=0))
        return found

    @cached_property
    def neighbours(self) -> NDArray[np.intp]:
        """(M, 2) ids of points next to each other."""
        xy = self.points[:, :2]
        gap = np.linalg.norm(xy[:, None] - xy[None], axis=2)
        np.fill_diagonal(gap, np.inf)
        near = np.argwhere(gap < 1.2 * gap.min())
        return np.asarray(near[near[:, 0] < near[:, 1]])

    @property
    def spec(self) -> str:
        """The text that ``parse_board`` turns back into this board."""
        return f"{self.kind}:{self.columns}x{self.rows}:{self._length(self.square_m)}"

    def artwork(self) -> Artwork:
        """What to print."""
        raise NotImplementedError

    def _grid(self) -> Float:
        x, y = np.meshgrid(np.arange(self.columns), np.arange(self.rows))
        return np.asarray(np.column_stack([x.ravel(), y.ravel()]) * self.square_m, np.float64)

    def _length(self, metres: float) -> str:
        return f"{metres * 1e3:.10g}mm" if self.unit_known else f"{metres:.10g}u"


@dataclass(frozen=True)
class Chessboard(Board):
    """A chessboard of ``columns x rows`` inner corners."""

    kind = "chessboard"
    fewest = 3

    def artwork(self) -> Artwork:
        """Return (columns + 1) x (rows + 1) squares, the top-left one black."""
        s, nx, ny = self.square_m, self.columns + 1, self.rows + 1
        return Artwork((nx * s, ny * s), _checks(nx, ny, s, first=0), np.zeros((0, 3)))


@dataclass(frozen=True)
class Charuco(Board):
    """A ChArUco board of ``columns x rows`` squares; its points are the inner corners."""

    marker_m: float = 0.0
    """Side of a marker, metres."""
    dictionary: str = "DICT_5X5_50"
    """Name of cv2.aruco's dictionary."""
    legacy: bool = False
    """True: printed by OpenCV before 4.6, which put the first black square elsewhere."""

    kind = "charuco"
    coded = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.marker_m < self.square_m:
            raise BoardError(
                f"charuco: the marker ({self._length(self.marker_m)}) must be smaller than the "
                f"square ({self._length(self.square_m)})"
            )
        room = dictionary(self.dictionary).bytesList.shape[0]
        needed = self.columns * self.rows // 2
        if needed > room:
            raise BoardError(
                f"charuco: {self.columns}x{self.rows} squares need {needed} markers, but "
                f"{self.dictionary} has {room}; use a larger dictionary"
            )

    @property
    def spec(self) -> str:
        """The text that ``parse_board`` turns back into this board."""
        tail = f":{self._length(self.marker_m)}:{self.dictionary}" + ":legacy" * self.legacy
        return super().spec + tail

    @cached_property
    def cv_board(self) -> cv2.aruco.CharucoBoard:
        """OpenCV's own description of it."""
        board = cv2.aruco.CharucoBoard(
            (self.columns, self.rows), self.square_m, self.marker_m, dictionary(self.dictionary)
        )
        board.setLegacyPattern(self.legacy)
        return board

    def artwork(self) -> Artwork:
        """Return black squares, and the black cells of the markers in the white ones."""
        s, nx, ny = self.square_m, self.columns, self.rows
        first = 1 if self.legacy and ny % 2 == 0 else 0
        boxes = [_checks(nx, ny, s, first=first)]
        white = [(x, y) for y in range(ny) for x in range(nx) if (x + y) % 2 != first]
        margin = (s - self.marker_m) / 2
        for number, (x, y) in enumerate(white):
            at = (x * s + margin, y * s + margin)
            boxes.append(_marker(self.dictionary, number, at, self.marker_m, border=1))
        return Artwork((nx * s, ny * s), np.vstack(boxes), np.zeros((0, 3)))

    def _grid(self) -> Float:
        x, y = np.meshgrid(np.arange(1, self.columns), np.arange(1, self.rows))
        return np.asarray(np.column_stack([x.ravel(), y.ravel()]) * self.square_m, np.float64)


@dataclass(frozen=True)
class CircleGrid(Board):
    """A grid of discs, each seen by its centre."""

    kind = "circles"

    def artwork(self) -> Artwork:
        """Return discs of a quarter of the spacing, with a spacing of white around."""
        xy = self._grid()
        free = np.linalg.norm(xy[:1] - xy[1:], axis=1).min()
        discs = np.column_stack([xy + free, np.full(len(xy), 0.27 * free)])
        return Artwork(tuple(xy.max(0) + 2 * free), np.zeros((0, 4)), discs)


@dataclass(frozen=True)
class AsymmetricCircleGrid(CircleGrid):
    """OpenCV's asymmetric grid: each second row moved by one spacing, rows one spacing apart."""

    kind = "acircles"

    def _grid(self) -> Float:
        x, y = np.meshgrid(np.arange(self.columns), np.arange(self.rows))
        return np.column_stack([(2 * x + y % 2).ravel(), y.ravel()]) * self.square_m


@dataclass(frozen=True)
class AprilGrid(Board):
    """Kalibr's grid of AprilTags: tag 0 at the bottom left; its points are the tags' corners."""

    gap: float = 0.3
    """Space between tags as a share of the tag's side."""
    dictionary: str = "DICT_APRILTAG_36H11"
    """Name of cv2.aruco's dictionary."""

    kind = "aprilgrid"
    coded = True
    fewest = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.gap < 5:
            raise BoardError(
                f"aprilgrid: expected a gap of 0 to 5 tag sizes, got {plain(self.gap)}"
            )
        dictionary(self.dictionary)

    @property
    def spec(self) -> str:
        """The text that ``parse_board`` turns back into this board."""
        tail = "" if self.dictionary == AprilGrid.dictionary else f":{self.dictionary}"
        return super().spec + f":{self.gap:g}{tail}"

    def artwork(self) -> Artwork:
        """Return tags with a border of two cells, and small black squares between them."""
        s, step = self.square_m, self.square_m * (1 + self.gap)
        dot = s * self.gap
        boxes = []
        for row in range(self.rows):
            for column in range(self.columns):
                number = (self.rows - 1 - row) * self.columns + column
                at = (dot + column * step, dot + row * step)
                boxes.append(_marker(self.dictionary, number, at, s, border=2))
        dots = [
            (x * step, y * step, dot, dot)
            for y in range(self.rows + 1)
            for x in range(self.columns + 1)
        ]
        size = (self.columns * step + dot, self.rows * step + dot)
        return Artwork(size, np.vstack([*boxes, np.array(dots)]), np.zeros((0, 3)))

    def _grid(self) -> Float:
        """Four points per tag, clockwise from its top left, as cv2.aruco gives them."""
        step = self.square_m * (1 + self.gap)
        square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * self.square_m
        tags = [
            square + np.array([column * step, (self.rows - 1 - row) * step])
            for row in range(self.rows)
            for column in range(self.columns)
        ]
        return np.vstack(tags)


BOARDS: dict[str, type[Board]] = {
    board.kind: board
    for board in (Chessboard, Charuco, CircleGrid, AsymmetricCircleGrid, AprilGrid)
}


def dictionary(name: str) -> cv2.aruco.Dictionary:
    """Return cv2.aruco's dictionary of that name; raises BoardError with the known names."""
    known = [n for n in dir(cv2.aruco) if n.startswith("DICT_") and n == n.upper()]
    wanted = name.upper() if name.upper().startswith("DICT_") else f"DICT_{name.upper()}"
    if wanted not in known:
        raise BoardError(f"unknown dictionary {name!r:.40}; known are {', '.join(known)}")
    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, wanted))


def parse_board(text: str) -> Board:
    """Build the board a text describes; raises BoardError saying what was expected."""
    kind, *fields = text.strip().split(":")
    kind = kind.strip().lower()
    if kind not in BOARDS:
        raise BoardError(f"board {text!r:.80}: unknown kind {kind!r:.40}; expected {_HOW}")
    grid = re.fullmatch(r"(\d{1,4})[xX](\d{1,4})", fields[0].strip()) if fields else None
    if grid is None or len(fields) < 2:
        raise BoardError(f"board {text!r:.80}: expected {_HOW}")
    columns, rows = int(grid[1]), int(grid[2])
    length, known = _parse_length(fields[1], text)
    extra = [field.strip() for field in fields[2:]]
    if kind == "charuco":
        return _parse_charuco(text, columns, rows, length, known, extra)
    if kind == "aprilgrid" and extra:
        return _parse_aprilgrid(text, columns, rows, length, known, extra)
    if extra:
        raise BoardError(f"board {text!r:.80}: too many fields; expected {_HOW}")
    return BOARDS[kind](columns, rows, length, known)


def _parse_charuco(
    text: str, columns: int, rows: int, length: float, known: bool, extra: list[str]
) -> Board:
    legacy = bool(extra) and extra[-1].lower() == "legacy"
    extra = extra[:-1] if legacy else extra
    if len(extra) != 2:
        raise BoardError(
            f"board {text!r:.80}: expected charuco:COLSxROWS:SQUARE:MARKER:DICT[:legacy]"
        )
    marker, marker_known = _parse_length(extra[0], text)
    if marker_known != known:
        raise BoardError(f"board {text!r:.80}: square and marker must have the same kind of unit")
    return Charuco(columns, rows, length, known, marker, extra[1].upper(), legacy)


def _parse_aprilgrid(
    text: str, columns: int, rows: int, length: float, known: bool, extra: list[str]
) -> Board:
    try:
        gap = float(extra[0])
    except ValueError:
        raise BoardError(f"board {text!r:.80}: the gap {extra[0]!r:.40} is not a number") from None
    if len(extra) > 2:
        raise BoardError(f"board {text!r:.80}: too many fields; expected {_HOW}")
    return AprilGrid(columns, rows, length, known, gap, *[name.upper() for name in extra[1:]])


def _parse_length(text: str, spec: str) -> tuple[float, bool]:
    match = re.fullmatch(r"\s*([0-9.]+(?:[eE][-+]?\d+)?)\s*(mm|cm|m|u)\s*", text)
    try:
        value = float(match[1]) if match else float("nan")
    except ValueError:
        value = float("nan")
    if match is None or not value > 0:
        raise BoardError(
            f"board {spec!r:.80}: {text!r:.40} is not a length; write 25mm, 2.5cm, 0.025m, "
            "or 1u when the unit is not known"
        )
    return value * _UNITS[match[2]], match[2] != "u"


def _checks(nx: int, ny: int, side: float, *, first: int) -> Float:
    """Black squares of a chessboard: those where (x + y) % 2 == first."""
    cells = [(x, y) for y in range(ny) for x in range(nx) if (x + y) % 2 == first]
    return np.array([(x * side, y * side, side, side) for x, y in cells])


def _marker(name: str, number: int, at: tuple[float, float], side: float, *, border: int) -> Float:
    """Black runs of one marker's cells as rectangles."""
    book = dictionary(name)
    cells = book.markerSize + 2 * border
    image = cv2.aruco.generateImageMarker(book, number, cells, borderBits=border)
    cell = side / cells
    return np.array(
        [
            (at[0] + start * cell, at[1] + y * cell, length * cell, cell)
            for y, row in enumerate(image == 0)
            for start, length in _runs(row)
        ]
    )


def _runs(row: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        yield int(start), int(end - start)
