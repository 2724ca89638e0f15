"""Find a board in many files at once; answers are remembered between runs by what a file holds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib import imagebytes
from calib.atomic import replace_whole
from calib.board import Board
from calib.detection.detect import detect
from calib.detection.detection import Detection
from calib.detection.guess import what_is_there
from calib.detection.levels import Gray

Float = NDArray[np.float64]

_CACHE_VERSION = "6"
_SAMPLE = 6  # images that tell what a session shows


def detect_files(
    paths: Sequence[Path],
    board: Board,
    *,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Detection | None]:
    """Detect in many files at once, in order; answers are remembered in ``cache`` by content.

    Looking for what is not there takes the longest: where a sample shows another board, no image
    is looked at further; where it shows none, each gets a quick look.
    """
    workers = workers or min(8, os.cpu_count() or 1)
    results: list[Detection | None] = []
    with ThreadPoolExecutor(workers) as pool:  # cv2 works outside the interpreter's lock
        quick, there = _first_look(paths, board, cache, pool)
        if not there:
            return [None] * len(paths)
        for result in pool.map(lambda path: _detect_file(path, board, cache, quick), paths):
            results.append(result)
            if progress:
                progress(len(results), len(paths))
    return results


def _first_look(
    paths: Sequence[Path], board: Board, cache: Path | None, pool: ThreadPoolExecutor
) -> tuple[bool, bool]:
    """Whether a quick look at each image will do, and whether the board is there at all.

    Judged by a sample from all over the session: it may show another board, or none.
    """
    some = list(paths[:: -(-len(paths) // _SAMPLE) or 1])
    if any(pool.map(lambda path: _detect_file(path, board, cache, True), some)):
        return False, True
    images = [gray for gray in pool.map(read_gray, some) if gray is not None]
    evidence = what_is_there(images, board)
    if evidence.difference not in ("same", "nothing") and 2 * evidence.seen >= evidence.looked >= 4:
        return True, False
    # small, dark or blurred, perhaps: a thorough look at some of them tells
    thorough = pool.map(lambda path: _detect_file(path, board, cache, False), some[::2])
    return evidence.difference == "nothing" and not any(thorough), True


def default_cache() -> Path:
    """Where detections are remembered between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stereo-depth/boards"


def read_gray(path: Path) -> Gray | None:
    """Image as stored (H, W), uint8 or uint16; None when the file is not a readable image."""
    try:
        data = imagebytes.read(path)
        imagebytes.checked_size(data)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, ValueError, cv2.error):
        return None
    return None if image is None else _to_gray(image)


def _to_gray(image: NDArray[Any]) -> Gray:
    """(H, W) of an image as cv2 reads it: gray, BGR or BGRA."""
    if image.ndim == 3 and image.shape[2] >= 3:
        code = cv2.COLOR_BGR2GRAY if image.shape[2] == 3 else cv2.COLOR_BGRA2GRAY
        return cv2.cvtColor(image, code)
    return image[..., 0] if image.ndim == 3 else image


def image_hash(path: Path) -> str:
    """Short SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _detect_file(path: Path, board: Board, cache: Path | None, quick: bool) -> Detection | None:
    entry = None
    if cache is not None:
        try:
            told = f"{board.spec}|{cv2.__version__}|{_CACHE_VERSION}".encode()
            key = told + imagebytes.read(path)
            entry = cache / f"{hashlib.sha256(key).hexdigest()[:32]}.npz"
            with entry.open("rb") as file, np.load(file) as kept:
                return _unpacked(kept["points"], kept["ids"], kept["facts"])
        except Exception:  # not seen before, or damaged (zipfile and numpy raise a dozen kinds)
            pass  # detect (again)
    gray = read_gray(path)
    found = None if gray is None else detect(gray, board, quick=quick)
    if entry is not None and gray is not None and not (quick and found is None):
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
