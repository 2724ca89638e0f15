"""Where the boards were: cameras and boards drawn from above and from the side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.board import Board
from calib.report.cameras import cameras
from calib.report.drawing import svg, text, ticks
from calib.report.html import pair, paragraph, section
from calib.solving.calibration import Calibration
from calib.words import fixed, number, plain

Float = NDArray[np.float64]

_WIDTH, _MARGIN = 480.0, 34.0


def board_corners(board: Board) -> Float:
    """(4, 3) corners of the rectangle around a board's points, in order."""
    low, high = board.points.min(axis=0), board.points.max(axis=0)
    at = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], float)
    return np.asarray(low + at * (high - low))


def board_outlines(c: Calibration) -> Float:
    """(V, 4, 3) the boards' corners in the left camera's axes."""
    s = c.fit.state
    turned = np.einsum("vij,kj->vki", s.view_R, board_corners(c.board))
    return np.asarray(turned + s.view_t[:, None])


def distances(c: Calibration) -> Float:
    """(V,) from the left camera to the board's middle."""
    return np.asarray(np.linalg.norm(board_outlines(c).mean(axis=1), axis=1))


def tilts_deg(c: Calibration) -> Float:
    """(V,) angle between the board's normal and the line of sight to its middle, 0 to 90."""
    middle = board_outlines(c).mean(axis=1)
    along = np.einsum("vi,vi->v", middle, c.fit.state.view_R[:, :, 2])
    cosine = np.abs(along) / np.linalg.norm(middle, axis=1)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, 0, 1))))


def poses(c: Calibration) -> str:
    """The section that shows where the boards were."""
    unit = "m" if c.board.unit_known else "board units"
    far, tilt = distances(c), tilts_deg(c)
    words = (
        f"Boards {number(float(far.min()), 2)} to {number(float(far.max()), 2)} {unit} away, "
        f"tilted by {fixed(float(tilt.min()), 0)} to {fixed(float(tilt.max()), 0)} degrees against "
        "the line of sight; numbers are those of the views below. Red: the cameras, dashed: what "
        "they see. Good sessions fill what both cameras see, near and far, with boards turned to "
        "all sides."
    )
    return section(
        "Where the boards were",
        paragraph(words, small=True),
        pair(
            [
                _drawing(c, (0, 2), (1, -1), f"from above; x to the right, z away, {unit}"),
                _drawing(c, (2, 1), (1, 1), f"from the side; z away, y down, {unit}"),
            ]
        ),
    )


def _drawing(c: Calibration, axes: tuple[int, int], signs: tuple[int, int], caption: str) -> str:
    """A drawing along one axis: ``axes`` go right and down where ``signs`` are 1."""
    boards = board_outlines(c)
    lenses = [_camera(c, side, float(np.median(boards[..., 2]))) for side, _ in cameras(c)]
    everything = np.concatenate([boards.reshape(-1, 3), *(body for body, _ in lenses)])
    scale = (_WIDTH - 2 * _MARGIN) / float(np.ptp(everything, axis=0).max())  # of both drawings
    flat = everything[:, axes] * signs
    low, high = (flat.max(axis=0) + flat.min(axis=0)) / 2 + np.array([[-0.5], [0.5]]) * (
        _WIDTH / scale
    )

    def at(points: Float) -> Float:
        return np.asarray((points[..., axes] * signs - low) * scale)

    parts = [_grid(low, high, scale, signs)]
    for body, sight in lenses:
        parts += [_path(at(ray), "sight", closed=False) for ray in sight]
        parts.append(_path(at(body), "camera"))
    parts += [_path(at(corners), "board") for corners in boards]
    middle = at(boards).reshape(-1, 2).mean(axis=0)
    for v, corners in enumerate(at(boards), start=1):
        far = corners[np.argmax(np.linalg.norm(corners - middle, axis=1))]  # the least crowded
        parts.append(text(far[0], far[1], 13, str(v), kind="ink halo"))
    return svg(_WIDTH, _WIDTH, "".join(parts), caption)


def _path(points: Float, kind: str, *, closed: bool = True) -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{path}{"z" if closed else ""}" class="{kind}"/>'


def _grid(low: Float, high: Float, scale: float, signs: tuple[int, int]) -> str:
    """Lines at round lengths, with the lengths."""
    parts = []
    for axis in (0, 1):
        for value in ticks(*sorted((low[axis] * signs[axis], high[axis] * signs[axis]))):
            at = (value * signs[axis] - low[axis]) * scale
            if axis == 0:
                parts.append(f'<path d="M{at:.1f} 0V{_WIDTH}" class="grid"/>')
                parts.append(text(at, _WIDTH - 9, 11, plain(value), kind="soft"))
            else:
                parts.append(f'<path d="M0 {at:.1f}H{_WIDTH}" class="grid"/>')
                parts.append(text(4, at, 11, plain(value), anchor="start", kind="soft"))
    return "".join(parts)


def _camera(c: Calibration, side: int, far: float) -> tuple[Float, list[Float]]:
    """A camera's body (5, 3), a pyramid towards what it sees, and the edges of its sight."""
    s = c.fit.state
    w, h = c.sizes[side]
    pixels = np.array([[0, 0], [w, 0], [w, h], [0, h], [0, h / 2], [w, h / 2], [w / 2, 0]], float)
    pixels = np.vstack([pixels, [[w / 2, h]]])
    camera = s.camera(side, c.sizes[side])
    rays = np.nan_to_num(camera.unproject(np.clip(pixels, 1, np.array([w, h]) - 2)), nan=0.0)
    rays[:, 2] = np.maximum(rays[:, 2], 0.2)  # a fisheye's edge would run off the drawing
    rays /= rays[:, 2:]
    if side == 1:
        centre, turn = -s.R.T @ s.t, s.R
    else:
        centre, turn = np.zeros(3), np.eye(3)
    rays = rays @ turn
    size = 0.12 * far / max(1.0, float(np.abs(rays[:, :2]).max()))
    body = np.vstack([centre, centre + size * rays[:2], centre + size * rays[2:4], centre])
    sight = [np.vstack([centre, centre + 0.75 * far * ray]) for ray in rays[4:]]
    return body, sight
