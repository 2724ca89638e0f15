"""A calibration that grows view by view before a running camera, and says what is still missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import AprilGrid, Board, parse_board
from calib.calibrate import calibrate_views
from calib.detection.detect import detect
from calib.detection.detection import Detection, match_order
from calib.outcome import Outcome
from calib.solving.calibration import View

# as ROS asks, a little less of size; what ROS calls skew is tilt here, where a skew is a time
_ENOUGH = {"x": 0.6, "y": 0.6, "size": 0.3, "tilt": 0.4}


@dataclass(frozen=True, slots=True)
class Feedback:
    """What one pair of images added, and what to do next."""

    found_left: bool
    found_right: bool
    accepted: bool
    """False also when it shows nothing new."""
    progress: Mapping[str, float]
    """Share reached of what is wanted of x, y, size and tilt, 0 to 1."""
    views: int
    advice: str
    enough: bool


class CalibrationSession:
    """Collects views one by one and says what is still missing."""

    def __init__(self, board: Board | str) -> None:
        self.board = parse_board(board) if isinstance(board, str) else board
        self.views: list[View] = []
        self._poses: list[NDArray[np.float64]] = []

    def add(self, left: NDArray[Any], right: NDArray[Any]) -> Feedback:
        """Look for the board in a pair of gray images (H, W) and keep the view if it adds."""
        return self.offer(detect(left, self.board), detect(right, self.board))

    def offer(self, one: Detection | None, two: Detection | None, *, keep: bool = True) -> Feedback:
        """As ``add``, from corners found already; ``keep`` False only tells how things stand."""
        accepted = False
        if keep and one is not None and two is not None:
            two = match_order(one, two, self.board)
            pose = self._pose(one)
            # as ROS does: new is what differs by 0.2 in the sum of all four
            if all(np.abs(pose - other).sum() > 0.2 for other in self._poses):
                self.views.append(View(f"live{len(self.views):03d}", one, two))
                self._poses.append(pose)
                accepted = True
        return self._feedback(one is not None, two is not None, accepted)

    def solve(self, **options: Any) -> Outcome:
        """Calibrate from what was collected; options as of ``calibrate_views``."""
        return calibrate_views(self.views, self.board, **options)

    def _pose(self, one: Detection) -> NDArray[np.float64]:
        """(4,) x, y, size, tilt, each 0 to 1."""
        w, h = one.size
        low, high = one.points.min(axis=0), one.points.max(axis=0)
        extent = high - low
        size = float(np.sqrt(extent.prod() / (w * h)))
        centre = (low + high) / 2
        free = np.maximum(np.array([w, h]) - extent, 1)
        x, y = np.clip((centre - extent / 2) / free, 0, 1)
        plane, _ = cv2.findHomography(self.board.points[one.ids, :2], one.points)
        tilt = 0.0
        if plane is not None:
            span = np.ptp(self.board.points[:, :2], axis=0)
            tilt = min(1.0, 2 * float(np.abs(plane[2, :2] * span / plane[2, 2]).max()))
        return np.array([x, y, size, tilt])

    def _feedback(self, left: bool, right: bool, accepted: bool) -> Feedback:
        progress = dict.fromkeys(_ENOUGH, 0.0)
        if self._poses:
            spread = np.ptp(np.array(self._poses), axis=0)
            spread[2:] = np.array(self._poses)[:, 2:].max(axis=0)
            progress = {
                name: float(min(1, reached / wanted))
                for (name, wanted), reached in zip(_ENOUGH.items(), spread, strict=True)
            }
        enough = len(self.views) >= 12 and min(progress.values()) >= 1
        return Feedback(
            left,
            right,
            accepted,
            progress,
            len(self.views),
            self._next(left, right, progress),
            enough,
        )

    def _next(self, left: bool, right: bool, progress: Mapping[str, float]) -> str:
        if not (left and right):
            side = (
                "either image"
                if not (left or right)
                else "the right image"
                if left
                else "the left image"
            )
            part = "enough of the board" if isinstance(self.board, AprilGrid) else "the whole board"
            return f"{part} is not seen in {side}"
        name, share = min(progress.items(), key=lambda item: item[1])
        if share >= 1:
            return "enough; solve now" if len(self.views) >= 12 else "good; a few more like these"
        return {
            "x": "move the board to the left and right edges of the image",
            "y": "move the board to the top and bottom of the image",
            "size": "bring the board nearer, until it fills half of the image",
            "tilt": "tilt the board, 30 to 45 degrees, in several directions",
        }[name]
