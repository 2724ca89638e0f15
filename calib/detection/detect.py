"""Find a board's points in an image, to a few hundredths of a pixel.

The sub-pixel window is fitted to each corner: 0.35 of the distance to its nearest neighbour. A
fixed window of 11 px swallows neighbouring corners in small images (rms 0.44 px instead of 0.20
on OpenCV's sample set), and 0.40 already breaks one of its views.

A plain grid looks the same from two or four sides. ``detect`` chooses by the colour of the squares
where that decides; ``match_order`` makes left and right agree on the rest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.atomic import replace_whole
from calib.board import (
    AprilGrid,
    AsymmetricCircleGrid,
    Board,
    Charuco,
    Chessboard,
    CircleGrid,
    dictionary,
)
from calib.detection.circles import disc_centres

Float = NDArray[np.float64]
Gray = NDArray[Any]

WINDOW_SHARE = 0.35
_LARGEST_WINDOW = (
    10  # half side at 1280 px; beyond it the lens bends edges more than noise averages
)
_FINDER_PX = 1280  # finders are no better on more pixels, only slower; refinement uses them all
_FEWEST = 6  # points of a coded board that make a usable view
_CACHE_VERSION = "5"


@dataclass(frozen=True, eq=False, slots=True)
class Detection:
    """Where a board's points are in one image."""

    points: Float
    """(N, 2) float64 pixels; the centre of the top-left pixel is (0, 0)."""
    ids: NDArray[np.intp]
    """(N,) which of the board's points each is, increasing."""
    size: tuple[int, int]
    """(width, height) of the image."""
    edge_px: float = float("nan")
    """Width of the board's edges (10 % to 90 %), pixels; large means blurred; NaN: not measured."""

    def permuted(self, order: NDArray[np.intp]) -> Detection:
        """The same points under another of the board's symmetries (a full board only)."""
        return replace(self, points=self.points[order])


def detect(gray: Gray, board: Board) -> Detection | None:
    """Find ``board`` in an image (H, W), uint8 or uint16; None where it is not (wholly) seen."""
    image = stretched(gray)
    size = (image.shape[1], image.shape[0])
    found = _FINDERS[board.kind](image, board)
    if found is None:
        return None
    points, ids = found
    inside = np.all((points >= 0) & (points <= np.array(size) - 1), axis=1)
    if not board.coded and not inside.all():
        return None
    points, ids = points[inside], ids[inside]
    if len(ids) < min(_FEWEST, len(board.points)) or _collinear(points):
        return None
    order = np.argsort(ids)
    return Detection(points[order], ids[order], size, _edge_width(image, points[order], board))


def match_order(left: Detection, right: Detection, board: Board) -> Detection:
    """Return ``right`` in the order that makes its grid lie as in ``left``.

    Only where colours do not decide: two cameras of a rig see the board nearly the same way up.
    """
    options = _same_colours(board)
    if len(options) == 1 or len(left.ids) != len(right.ids):
        return right

    def shape(points: Float) -> Float:
        centred = points - points.mean(axis=0)
        return np.asarray(centred / np.sqrt((centred**2).sum(axis=1).mean()))

    mine = shape(left.points)
    return right.permuted(
        min(options, key=lambda p: float(np.abs(shape(right.points[p]) - mine).sum()))
    )


def read_gray(path: Path) -> Gray | None:
    """Image as stored (H, W), uint8 or uint16; None when the file is not a readable image."""
    try:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except (OSError, cv2.error):
        return None
    return None if image is None else to_gray(image)


def to_gray(image: NDArray[Any]) -> Gray:
    """(H, W) of an image as cv2 reads it: gray, BGR or BGRA."""
    if image.ndim == 3 and image.shape[2] >= 3:
        code = cv2.COLOR_BGR2GRAY if image.shape[2] == 3 else cv2.COLOR_BGRA2GRAY
        return cv2.cvtColor(image, code)
    return image[..., 0] if image.ndim == 3 else image


def detect_files(
    paths: Sequence[Path],
    board: Board,
    *,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Detection | None]:
    """Detect in many files at once, in order; answers are remembered in ``cache`` by content."""
    workers = workers or min(8, os.cpu_count() or 1)
    results: list[Detection | None] = []
    with ThreadPoolExecutor(workers) as pool:  # cv2 works outside the interpreter's lock
        for result in pool.map(lambda path: _detect_file(path, board, cache), paths):
            results.append(result)
            if progress:
                progress(len(results), len(paths))
    return results


def default_cache() -> Path:
    """Where detections are remembered between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stereo-depth/boards"


def image_hash(path: Path) -> str:
    """Short SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _detect_file(path: Path, board: Board, cache: Path | None) -> Detection | None:
    entry = None
    if cache is not None:
        try:
            key = f"{board.spec}|{cv2.__version__}|{_CACHE_VERSION}".encode() + path.read_bytes()
            entry = cache / f"{hashlib.sha256(key).hexdigest()[:32]}.npz"
            with np.load(entry) as kept:
                return _unpacked(kept["points"], kept["ids"], kept["facts"])
        except (OSError, ValueError, KeyError, EOFError):
            pass  # not seen before, or a damaged entry: detect again
    gray = read_gray(path)
    found = None if gray is None else detect(gray, board)
    if entry is not None and gray is not None:
        _remember(entry, found)
    return found


def _unpacked(points: Float, ids: NDArray[np.intp], facts: Float) -> Detection | None:
    if not len(points):
        return None
    return Detection(points, ids, (int(facts[0]), int(facts[1])), float(facts[2]))


def _remember(entry: Path, found: Detection | None) -> None:
    buffer = BytesIO()
    points = np.zeros((0, 2)) if found is None else found.points
    ids = np.zeros(0, np.intp) if found is None else found.ids
    facts = np.zeros(3) if found is None else np.array([*found.size, found.edge_px])
    np.savez(buffer, points=points, ids=ids, facts=facts)
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(entry, buffer.getvalue())
    except OSError:
        pass  # a cache that cannot be written costs time, nothing else


# -- finders: image (float32 0..255), board -> points (N, 2), ids (N,) -----------------------


def _find_chessboard(
    image: NDArray[np.float32], board: Board
) -> tuple[Float, NDArray[np.intp]] | None:
    grid = (board.columns, board.rows)
    points = _find_grid(image, lambda small: _chessboard_attempts(small, grid))
    if points is None:
        return None
    points = _right_handed(points, board)
    points = refine(image, points, board)
    points = _most_upright(points, _by_colour(image, points, board))
    return points, np.arange(len(points))


def _chessboard_attempts(small: NDArray[np.uint8], grid: tuple[int, int]) -> Iterable[Float | None]:
    classic = cv2.CALIB_CB_ADAPTIVE_THRESH | cv2.CALIB_CB_NORMALIZE_IMAGE
    thorough = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE
    even = cv2.createCLAHE(3.0, (8, 8)).apply(small)
    yield _taken(cv2.findChessboardCorners(small, grid, flags=classic | cv2.CALIB_CB_FAST_CHECK))
    yield _taken(cv2.findChessboardCornersSB(small, grid, flags=thorough))
    yield _taken(cv2.findChessboardCorners(even, grid, flags=classic))
    yield _taken(cv2.findChessboardCornersSB(255 - small, grid, flags=thorough))
    yield _taken(cv2.findChessboardCorners(255 - even, grid, flags=classic))


def _find_circles(
    image: NDArray[np.float32], board: Board
) -> tuple[Float, NDArray[np.intp]] | None:
    layout = (
        cv2.CALIB_CB_ASYMMETRIC_GRID
        if isinstance(board, AsymmetricCircleGrid)
        else cv2.CALIB_CB_SYMMETRIC_GRID
    )
    grid = (board.columns, board.rows)

    def attempts(small: NDArray[np.uint8]) -> Iterable[Float | None]:
        for extra in (0, cv2.CALIB_CB_CLUSTERING):
            for picture in (small, 255 - small):
                found, points = cv2.findCirclesGrid(
                    picture,
                    grid,
                    flags=layout | extra,
                    blobDetector=_blobs(small),
                    parameters=_GRID,
                )
                yield _taken((found, points))

    points = _find_grid(image, attempts)
    if points is None:
        return None
    points = _right_handed(points, board)
    spacing = _spacing(points, np.arange(len(points)), board)
    points = disc_centres(image, points, spacing, board)
    return _most_upright(points, board.symmetries), np.arange(len(points))


_GRID = cv2.CirclesGridFinderParameters()


def _blobs(image: NDArray[np.uint8]) -> cv2.SimpleBlobDetector:
    """OpenCV's default stops at 5000 px and keeps blobs 10 px apart; boards come larger, denser."""
    params = cv2.SimpleBlobDetector.Params()
    params.minArea, params.maxArea = 12, image.size / 40
    params.minDistBetweenBlobs = 4
    params.minThreshold, params.maxThreshold, params.thresholdStep = 20, 235, 10
    params.filterByConvexity, params.minConvexity = True, 0.85
    params.filterByCircularity, params.filterByInertia = False, True
    params.minInertiaRatio = 0.08
    return cv2.SimpleBlobDetector.create(params)


def _find_charuco(
    image: NDArray[np.float32], board: Board
) -> tuple[Float, NDArray[np.intp]] | None:
    assert isinstance(board, Charuco)
    params = cv2.aruco.CharucoParameters()
    params.minMarkers = 1  # corners near the rim of the board have one marker only
    detector = cv2.aruco.CharucoDetector(board.cv_board, params)
    gray = np.clip(image, 0, 255).astype(np.uint8)
    for picture in (gray, cv2.createCLAHE(3.0, (8, 8)).apply(gray), 255 - gray):
        corners, ids, _, _ = detector.detectBoard(picture)
        found = np.asarray([] if _absent(ids) else ids).ravel().astype(np.intp)
        if len(found) >= _FEWEST:
            points = refine(image, corners.reshape(-1, 2).astype(float), board, found)
            return points, found
    return None


def _find_aprilgrid(
    image: NDArray[np.float32], board: Board
) -> tuple[Float, NDArray[np.intp]] | None:
    """Kalibr draws a border of two cells, others one: the better fit to a plane decides."""
    assert isinstance(board, AprilGrid)
    gray = np.clip(image, 0, 255).astype(np.uint8)
    answers = []
    for border in (2, 1):
        params = cv2.aruco.DetectorParameters()
        params.markerBorderBits = border
        params.adaptiveThreshWinSizeMax = 53
        params.detectInvertedMarker = True
        detector = cv2.aruco.ArucoDetector(dictionary(board.dictionary), params)
        corners, tags, _ = detector.detectMarkers(gray)
        numbers = np.asarray([] if _absent(tags) else tags).ravel().astype(int)
        kept = [i for i, tag in enumerate(numbers) if tag < board.columns * board.rows]
        if len(kept) < 2:
            continue
        points = np.vstack([corners[i].reshape(4, 2) for i in kept]).astype(float)
        ids = np.concatenate([4 * numbers[i] + np.arange(4) for i in kept]).astype(np.intp)
        points = refine(image, points, board, ids)
        answers.append((*_best_turn(points, ids, board), points))
    most = max((len(ids) for _, ids, _ in answers), default=0)
    full = [answer for answer in answers if len(answer[1]) > 0.7 * most]
    if not full:
        return None
    _, ids, points = min(full, key=lambda answer: answer[0])
    return points, ids


def _absent(found: object) -> bool:
    """OpenCV gives None for nothing found, which its stubs do not say."""
    return found is None


def _best_turn(
    points: Float, ids: NDArray[np.intp], board: Board
) -> tuple[float, NDArray[np.intp]]:
    """Printed tags may be turned in their places: take the turn that makes the grid a plane."""
    answers = []
    for turn in range(4):
        turned = ids // 4 * 4 + (ids + turn) % 4
        H, _ = cv2.findHomography(board.points[turned, :2], points)
        if H is not None:
            seen = cv2.perspectiveTransform(board.points[turned, None, :2], H)[:, 0]
            answers.append((float(np.abs(seen - points).mean()), turned))
    return min(answers, key=lambda answer: answer[0])


_FINDERS: dict[str, Callable[..., tuple[Float, NDArray[np.intp]] | None]] = {
    Chessboard.kind: _find_chessboard,
    CircleGrid.kind: _find_circles,
    AsymmetricCircleGrid.kind: _find_circles,
    Charuco.kind: _find_charuco,
    AprilGrid.kind: _find_aprilgrid,
}


def _find_grid(
    image: NDArray[np.float32], attempts: Callable[[NDArray[np.uint8]], Iterable[Float | None]]
) -> Float | None:
    """First attempt that finds anything, on a copy of moderate size; points in full pixels."""
    scale = min(1.0, _FINDER_PX / max(image.shape))
    small = np.clip(image, 0, 255).astype(np.uint8)
    sizes = [scale] if scale == 1 else [scale, 1.0]
    for factor in sizes:
        picture = (
            cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            if factor < 1
            else small
        )
        for points in attempts(np.asarray(picture, np.uint8)):
            if points is not None:
                return np.asarray((points + 0.5) / factor - 0.5)
    return None


def _taken(answer: tuple[bool, Any]) -> Float | None:
    found, points = answer
    return np.asarray(points, float).reshape(-1, 2) if found and points is not None else None


# -- sub-pixel -------------------------------------------------------------------------------


def refine(
    image: NDArray[np.float32], points: Float, board: Board, ids: NDArray[np.intp] | None = None
) -> Float:
    """Move corners (N, 2) to where the gradients around them meet, each in its own window."""
    ids = np.arange(len(points)) if ids is None else ids
    share = WINDOW_SHARE
    if isinstance(board, Charuco):
        # from an inner corner to the nearest corner of a marker, along the axes
        share = min(share, max(0.12, 0.95 * (1 - board.marker_m / board.square_m) / 2))
    half = np.maximum(2, np.floor(share * _clearance(points, ids, board))).astype(int)
    half = np.minimum(half, round(_LARGEST_WINDOW * max(1, max(image.shape) / 1280)))
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-4)
    gray = np.clip(np.rint(image), 0, 255).astype(np.uint8)  # cornerSubPix takes nothing else
    if isinstance(board, Charuco) and np.median(half) < 6 and max(gray.shape) < 2000:
        # three pixels are too few to choose a window from: rms 0.347 -> 0.331 on fhgr_charuco
        return _refined_enlarged(gray, points, share * _clearance(points, ids, board))
    half = np.minimum(half, (min(gray.shape) - 6) // 2)
    refined = points.astype(np.float32).reshape(-1, 1, 2)
    for window in np.unique(half):
        chosen = half == window
        corners = np.ascontiguousarray(refined[chosen])
        cv2.cornerSubPix(gray, corners, (int(window),) * 2, (-1, -1), stop)
        refined[chosen] = corners
    moved = refined[:, 0].astype(float)
    lost = np.linalg.norm(moved - points, axis=1) > np.maximum(3, half)
    moved[lost] = points[lost]
    return moved


def _refined_enlarged(gray: NDArray[np.uint8], points: Float, reach: Float) -> Float:
    zoom = 3
    big = cv2.resize(gray, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    half = np.clip(np.floor(zoom * reach), 6, 12).astype(int)
    spots = ((points + 0.5) * zoom - 0.5).astype(np.float32).reshape(-1, 1, 2)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-4)
    for window in np.unique(half):
        chosen = half == window
        corners = np.ascontiguousarray(spots[chosen])
        cv2.cornerSubPix(big, corners, (int(window),) * 2, (-1, -1), stop)
        spots[chosen] = corners
    moved = (spots[:, 0].astype(float) + 0.5) / zoom - 0.5
    lost = np.linalg.norm(moved - points, axis=1) > 3
    moved[lost] = points[lost]
    return moved


def _spacing(points: Float, ids: NDArray[np.intp], board: Board) -> Float:
    """(N,) distance from each point to its nearest neighbour on the board, pixels."""
    place = np.full(len(board.points), -1)
    place[ids] = np.arange(len(ids))
    pairs = place[board.neighbours]
    pairs = pairs[(pairs >= 0).all(axis=1)]
    nearest = np.full(len(points), np.inf)
    length = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    np.minimum.at(nearest, pairs[:, 0], length)
    np.minimum.at(nearest, pairs[:, 1], length)
    usual = np.median(length) if len(length) else 10.0
    return np.where(np.isfinite(nearest), nearest, usual)


def _clearance(points: Float, ids: NDArray[np.intp], board: Board) -> Float:
    """(N,) half side of the square around each point that reaches the next corner, pixels.

    Measured as the window is shaped: on a tilted board a diagonal neighbour may be nearest.
    """
    gap = np.abs(points[:, None] - points[None]).max(axis=2)
    np.fill_diagonal(gap, np.inf)
    return np.asarray(np.minimum(gap.min(axis=1), _spacing(points, ids, board)))


def _edge_width(image: NDArray[np.float32], points: Float, board: Board) -> float:
    """Median 10-to-90 % width of the edges between neighbouring corners of a chessboard."""
    if not isinstance(board, Chessboard):
        return float("nan")
    a, b = (points[board.neighbours[:, side]] for side in (0, 1))
    along = b - a
    length = np.linalg.norm(along, axis=1)
    across = np.column_stack([-along[:, 1], along[:, 0]]) / length[:, None]
    reach = np.linspace(-0.35, 0.35, 41) * length[:, None]
    spots = ((a + b) / 2)[:, None] + across[:, None] * reach[..., None]
    profile = _sampled(image, spots)
    step = np.abs(profile[:, -6:].mean(axis=1) - profile[:, :6].mean(axis=1))
    slope = np.abs(np.gradient(profile, axis=1)).max(axis=1) / (0.7 * length / 40)
    return float(np.median(0.8 * step / np.maximum(slope, 1e-6)))


# -- order -----------------------------------------------------------------------------------


def _right_handed(points: Float, board: Board) -> Float:
    """Reorder a grid that was listed backwards or as in a mirror, which finders do now and then."""
    grid = points.reshape(board.rows, board.columns, 2)
    orders = [grid[::down, ::right].reshape(-1, 2) for down in (1, -1) for right in (1, -1)]
    fits = [_plane_fit(order, board) for order in orders]
    upright = [i for i, (_, handed) in enumerate(fits) if handed]
    return orders[min(upright, key=lambda i: fits[i][0])] if upright else points


def _plane_fit(points: Float, board: Board) -> tuple[float, bool]:
    """How far (mean px) a grid is from a plane's picture, and whether it is not mirrored."""
    H, _ = cv2.findHomography(board.points[:, :2], points)
    if H is None:
        return np.inf, False
    seen = cv2.perspectiveTransform(board.points[:, None, :2], H)[:, 0]
    affine = np.linalg.lstsq(
        np.column_stack([board.points[:, :2], np.ones(len(points))]), points, rcond=None
    )[0]
    # rounded, so that equally good orders are taken in the order given
    error = round(float(np.abs(seen - points).mean()), 1)
    return error, bool(np.linalg.det(affine[:2]) > 0)


def _by_colour(image: NDArray[np.float32], points: Float, board: Board) -> list[NDArray[np.intp]]:
    """The symmetries that leave the square at the first corner dark."""
    brightness = {i: _darkness(image, points[p], board) for i, p in enumerate(board.symmetries)}
    contrast = max(abs(value) for value in brightness.values())
    dark = [board.symmetries[i] for i, value in brightness.items() if value > 0.5 * contrast]
    return dark or board.symmetries


def _darkness(image: NDArray[np.float32], points: Float, board: Board) -> float:
    grid = points.reshape(board.rows, board.columns, 2)
    centres = (grid[:-1, :-1] + grid[1:, :-1] + grid[:-1, 1:] + grid[1:, 1:]) / 4
    value = _sampled(image, centres)
    parity = np.add.outer(np.arange(board.rows - 1), np.arange(board.columns - 1)) % 2
    return float(value[parity == 1].mean() - value[parity == 0].mean())


def _most_upright(points: Float, options: Sequence[NDArray[np.intp]]) -> Float:
    """Of the possible orders take the one whose first point is nearest the top left."""
    return min((points[p] for p in options), key=lambda q: float(q[0].sum() - q[-1].sum()))


def _same_colours(board: Board) -> list[NDArray[np.intp]]:
    """Symmetries that map dark squares on dark ones: what colours leave open."""
    if not isinstance(board, Chessboard):
        return board.symmetries
    parity = np.add.outer(np.arange(board.rows - 1), np.arange(board.columns - 1)) % 2

    def keeps(order: NDArray[np.intp]) -> bool:
        grid = board.points[order].reshape(board.rows, board.columns, 3)[:-1, :-1, :2]
        near = board.points[order].reshape(board.rows, board.columns, 3)[1:, 1:, :2]
        cell = np.rint((grid + near) / 2 / board.square_m - 0.5).astype(int).sum(axis=2) % 2
        return bool(np.array_equal(cell, parity))

    return [order for order in board.symmetries if keeps(order)]


def _sampled(image: NDArray[np.float32], spots: Float) -> Float:
    """Brightness at (H, W, 2) pixel positions."""
    x, y = (np.ascontiguousarray(spots[..., axis], np.float32) for axis in (0, 1))
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR), float)


def _collinear(points: Float) -> bool:
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[1] < 0.02 * spread[0])


def stretched(gray: Gray) -> NDArray[np.float32]:
    """Float32 image from 0 to 255; dark and 16-bit images stretched to fill the range."""
    image = gray.astype(np.float32)
    low, high = np.percentile(image[::4, ::4], (0.5, 99.5))
    if gray.dtype != np.uint8 or high - low < 120:
        image = np.clip((image - low) * (255 / max(high - low, 1)), 0, 255)
    return image
