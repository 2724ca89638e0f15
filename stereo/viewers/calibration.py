"""The picture that guides a live calibration: what is seen, what is covered, what to do next."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.detection.detection import Detection
from calib.words import fixed, plain
from stereo.frame import Image
from stereo.live.calibration import Doing, Solved, Step
from stereo.viewers.panels import fitting

RGB = NDArray[np.uint8]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PAPER, _INK, _FAINT = (250, 250, 250), (30, 30, 30), (150, 150, 150)
_GREEN, _AMBER, _RED, _BLUE = (60, 190, 90), (240, 170, 40), (225, 70, 60), (60, 130, 230)
_STATES: dict[Doing, tuple[str, tuple[int, int, int]]] = {
    "looking": ("LOOKING", _RED),
    "moving": ("MOVING", _AMBER),
    "known": ("SEEN ALREADY", _AMBER),
    "taken": ("TAKEN", _GREEN),
    "done": ("DONE", _GREEN),
}
_GRID = (8, 6)


def calibration_picture(left: Image, right: Image, step: Step, *, width: int = 1200) -> RGB:
    """Return both images with what was covered and is seen, bars of progress, and the advice.

    Images are (H, W) gray or (H, W, 3) RGB; the result is (H', ``width``, 3) RGB.
    """
    half = max(width // 2, 300)
    sides = [
        _camera(image, now, [getattr(view, side) for view in step.views], step.doing, half)
        for image, now, side in ((left, step.left, "left"), (right, step.right, "right"))
    ]
    height = max(side.shape[0] for side in sides)
    both = np.full((height, 2 * half, 3), _INK, np.uint8)
    for number, side in enumerate(sides):
        both[: side.shape[0], number * half : (number + 1) * half] = side
    return np.vstack([_headline(step, 2 * half), both, _footer(step, 2 * half)])


def _camera(
    image: Image, now: Detection | None, taken: Sequence[Detection], doing: Doing, width: int
) -> RGB:
    """One image, ``width`` wide: uncovered cells dark, corners taken blue, those seen now large."""
    scale = width / image.shape[1]
    picture = fitting(image, width).copy()
    if picture.shape[1] < width:
        size = (width, round(image.shape[0] * scale))
        picture = np.asarray(cv2.resize(picture, size), np.uint8)
    _shade_uncovered(picture, [one.points * scale for one in taken])
    for one in taken:
        _dots(picture, one.points, scale, 2, _BLUE)
    if now is not None:
        _dots(picture, now.points, scale, 4, _STATES[doing][1])
    return picture


def _shade_uncovered(picture: RGB, corners: Sequence[NDArray[np.float64]]) -> None:
    """Darken the cells of the image that no corner fell into yet."""
    columns, rows = _GRID
    height, width = picture.shape[:2]
    empty = np.ones((rows, columns), bool)
    if corners:
        points = np.concatenate(corners) / (width, height) * _GRID
        i, j = np.clip(points.astype(int), 0, np.array(_GRID) - 1).T
        empty[j, i] = False
    edges_x, edges_y = (
        np.linspace(0, n, k + 1).astype(int) for n, k in zip((width, height), _GRID, strict=True)
    )
    for row, column in np.argwhere(empty):
        cell = picture[edges_y[row] : edges_y[row + 1], edges_x[column] : edges_x[column + 1]]
        cell[:] = (cell * 0.55).astype(np.uint8)


def _dots(
    picture: RGB,
    points: NDArray[np.float64],
    scale: float,
    radius: int,
    color: tuple[int, int, int],
) -> None:
    for x, y in (points + 0.5) * scale - 0.5:
        cv2.circle(picture, (round(x), round(y)), radius, color, -1, cv2.LINE_AA)


def _headline(step: Step, width: int) -> RGB:
    """What it is doing and what to do next."""
    strip = np.full((52, width, 3), _PAPER, np.uint8)
    name, color = _STATES[step.doing]
    end = 24 + cv2.getTextSize(name, _FONT, 0.65, 2)[0][0]
    cv2.rectangle(strip, (10, 10), (end, 42), color, -1)
    cv2.putText(strip, name, (17, 33), _FONT, 0.65, (255, 255, 255), 2, cv2.LINE_AA)
    _write(strip, step.advice, end + 14, 33, 0.65, width - end - 24)
    return strip


def _footer(step: Step, width: int) -> RGB:
    """Bars for x, y, size and tilt on the left, figures on the right."""
    strip = np.full((130, width, 3), _PAPER, np.uint8)
    full = width // 2 - 210
    names = {"x": "left to right", "y": "top to bottom", "size": "near and far", "tilt": "tilted"}
    for row, (name, share) in enumerate(step.feedback.progress.items()):
        y = 16 + 28 * row
        _write(strip, names.get(name, name), 14, y + 14, 0.5, 140)
        cv2.rectangle(strip, (150, y), (150 + full, y + 17), _FAINT, 1)
        if share > 0:
            color = _GREEN if share >= 1 else _AMBER
            cv2.rectangle(strip, (150, y), (150 + round(full * share), y + 17), color, -1)
        _write(strip, f"{share:.0%}", 158 + full, y + 14, 0.5, 60)
    for row, text in enumerate(_figures(step)[:5]):
        _write(strip, text, width // 2 + 14, 30 + 23 * row, 0.5, width // 2 - 28)
    return strip


def _figures(step: Step) -> list[str]:
    solving = ", solving" if step.solving else ""
    lines = [f"{step.feedback.views} views taken{solving}; blue: corners taken, dark: none yet"]
    return lines + (["not solved yet"] if step.solved is None else _solved_figures(step.solved))


def _solved_figures(solved: Solved) -> list[str]:
    outcome = solved.outcome
    if outcome.quality is None:
        return [outcome.verdict]
    rows = outcome.quality.held_out.row_error_px
    lines = [f"from {solved.views} views: {outcome.grade}, rows agree to {rows:.2f} px"]
    for e in solved.expected:
        met = "met" if e.met else f"wanted {plain(e.target.percent)} %"
        lines.append(
            f"expected error at {plain(e.target.distance_m)} m: {fixed(e.percent, 2)} % ({met})"
        )
    if not solved.expected:
        known = [d for d in outcome.quality.depth_error if np.isfinite(d.total_m)][:3]
        unit = "m" if outcome.board is None or outcome.board.unit_known else "units"
        lines += [
            f"expected error at {plain(d.distance_m, 3)} {unit}: {fixed(d.percent, 2)} %"
            for d in known
        ]
    return lines


def _write(picture: RGB, text: str, x: int, y: int, scale: float, room: int) -> None:
    """Write on one line, smaller where there is little room."""
    wide = max(cv2.getTextSize(text, _FONT, scale, 1)[0][0], 1)
    scale = max(min(scale, scale * room / wide), 0.3)
    cv2.putText(picture, text, (x, y), _FONT, scale, _INK, 1, cv2.LINE_AA)
