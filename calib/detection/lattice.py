"""Which grid of discs is in an image, when nobody knows its size: blobs that lie in a lattice."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from calib.board import AsymmetricCircleGrid, CircleGrid

Float = NDArray[np.float64]
Place = tuple[int, int]
Grid = tuple[type[CircleGrid], int, int]

_FEWEST = 12  # blobs; fewer lie in a lattice by chance
_SEEDS = 5


def circle_grid(gray: NDArray[np.uint8]) -> Grid | None:
    """Kind, columns and rows of the whole grid of discs in an image; None when there is none."""
    for picture in (gray, np.asarray(255 - gray, np.uint8)):
        spots = np.array([key.pt for key in blobs(picture).detect(picture)]).reshape(-1, 2)
        if len(spots) >= _FEWEST:
            places = np.array(list(_lattice(spots)))
            found = _symmetric(places) or _asymmetric(places)
            if found is not None and len(places) >= _FEWEST:
                return found
    return None


def blobs(image: NDArray[np.uint8]) -> cv2.SimpleBlobDetector:
    """OpenCV's default stops at 5000 px and keeps blobs 10 px apart; boards come larger, denser."""
    params = cv2.SimpleBlobDetector.Params()
    params.minArea, params.maxArea = 12, image.size / 40
    params.minDistBetweenBlobs = 4
    params.minThreshold, params.maxThreshold, params.thresholdStep = 20, 235, 10
    params.filterByConvexity, params.minConvexity = True, 0.85
    params.filterByCircularity, params.filterByInertia = False, True
    params.minInertiaRatio = 0.08
    return cv2.SimpleBlobDetector.create(params)


def _lattice(spots: Float) -> set[Place]:
    """Integer coordinates of the largest lattice among ``spots`` (N, 2), grown from its middle."""
    tree = cKDTree(spots)
    middle = np.median(spots, axis=0)
    seeds = np.argsort(np.linalg.norm(spots - middle, axis=1))[:_SEEDS]
    return max((set(_grown(spots, tree, int(seed))) for seed in seeds), key=len)


def _grown(spots: Float, tree: cKDTree, seed: int) -> dict[Place, int]:
    """Coordinates -> spot: each step is foretold by the steps that led there."""
    basis = _basis(spots, seed)
    placed, taken = {(0, 0): seed}, {seed}
    if basis is None:
        return placed
    waiting = deque([((0, 0), basis)])
    while waiting:
        (i, j), axes = waiting.popleft()
        here = spots[placed[i, j]]
        for k, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
            to = (i + sign, j) if k == 0 else (i, j + sign)
            gap, spot = tree.query(here + sign * axes[k])
            if to in placed or int(spot) in taken or gap > 0.3 * np.linalg.norm(axes[k]):
                continue
            placed[to] = int(spot)
            taken.add(int(spot))
            steps = axes.copy()
            steps[k] = sign * (spots[spot] - here)
            waiting.append((to, steps))
    return placed


def _basis(spots: Float, seed: int) -> Float | None:
    """(2, 2) steps to two neighbours that lie in different directions."""
    near = np.argsort(np.linalg.norm(spots - spots[seed], axis=1))[1:9]
    steps = spots[near] - spots[seed]
    first = steps[0]
    for step in steps[1:]:
        sine = abs(first[0] * step[1] - first[1] * step[0])
        if sine > 0.6 * np.linalg.norm(first) * np.linalg.norm(step):
            return np.array([first, step])
    return None


def _symmetric(places: NDArray[np.intp]) -> Grid | None:
    columns, rows = sorted((int(n) for n in np.ptp(places, axis=0) + 1), reverse=True)
    whole = columns * rows == len(places) and rows >= CircleGrid.fewest
    return (CircleGrid, columns, rows) if whole else None


def _asymmetric(places: NDArray[np.intp]) -> Grid | None:
    """Its neighbours are diagonal: along rows and columns every second place is empty."""
    turned = np.column_stack([places.sum(axis=1), places[:, 0] - places[:, 1]])
    size = [int(n) for n in np.ptp(turned, axis=0) + 1]
    options = [
        (across // 2, down)
        for across, down in (size, size[::-1])
        if across % 2 == 0 and across * down == 2 * len(places) and across >= 4
    ]
    if not options:
        return None
    columns, rows = min(options)
    return AsymmetricCircleGrid, columns, rows
