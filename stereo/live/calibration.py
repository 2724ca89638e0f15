"""Calibrate from a running camera: take a view when the board is still and adds something, solve
in the background, end when depth will be as good as asked.

Knows no camera, screen or file: pairs of gray images go in, a ``Step`` comes out of each.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from calib.board import Board
from calib.calibrate import calibrate_views
from calib.collect import CalibrationSession, Feedback
from calib.detection.detect import detect
from calib.detection.detection import Detection
from calib.judging.depth_error import MATCHING_NOISE_PX, expected_depth_errors
from calib.outcome import Outcome
from calib.solving.calibration import View
from calib.words import plain
from stereo.errors import InputError
from stereo.frame import Image
from stereo.threads import start_thread

_FEWEST_TO_SOLVE = 6
_FEWEST_TO_TRUST = 8
Doing = Literal["looking", "moving", "known", "taken", "done"]
Reason = Literal["target", "limit", "unreachable", "enough"]


@dataclass(frozen=True, slots=True)
class Target:
    """A depth error to reach. Raises InputError for what makes no sense."""

    distance_m: float
    """At this distance, metres."""
    percent: float
    """At most this share of it, percent, one standard deviation."""

    def __post_init__(self) -> None:
        if not (0.01 <= self.distance_m <= 1000 and 0.001 <= self.percent <= 100):
            raise InputError(f"a target such as 2m:1% was expected, got {self}")

    def __str__(self) -> str:
        return f"{plain(self.distance_m)}m:{plain(self.percent)}%"

    @classmethod
    def parse(cls, text: str) -> Target:
        """From text such as ``2m:1%``. Raises InputError saying what was expected."""
        found = re.fullmatch(r"([0-9.]+)\s*m\s*:\s*([0-9.]+)\s*%?", text.strip())
        try:
            if found is None:
                raise ValueError
            return cls(float(found[1]), float(found[2]))
        except ValueError as error:
            raise InputError(
                f"{text}: expected a distance and a share of it such as 2m:1%"
            ) from error


@dataclass(frozen=True, slots=True)
class Expected:
    """What depth will be worth at a target's distance."""

    target: Target
    percent: float
    """Expected error, percent of the distance; NaN where the two views do not meet."""
    matching_percent: float
    """What matching alone contributes, which no calibration can improve."""

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.percent <= self.target.percent


@dataclass(frozen=True, eq=False, slots=True)
class Solved:
    """What came of one solve."""

    outcome: Outcome
    views: int
    """How many views there were."""
    expected: tuple[Expected, ...]
    """One for each target."""


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """What one pair of images brought."""

    left: Detection | None
    right: Detection | None
    motion_px: float
    """How far the corners moved since the pair before, in the worse image; NaN: unknown."""
    doing: Doing
    """"looking" for the board, "moving", "known": still but nothing new, "taken", "done"."""
    feedback: Feedback
    views: tuple[View, ...]
    """All that were taken."""
    solved: Solved | None
    """The newest solve."""
    solving: bool
    advice: str
    """What to do next, one line."""
    reason: Reason | None = None
    """Why it is over; None: it is not."""


class Stillness:
    """Says when the board has been still in both images for some frames."""

    def __init__(self, *, max_motion_px: float = 1.5, frames: int = 3) -> None:
        """``max_motion_px`` is for images 1000 pixels wide, and grows with them."""
        if not max_motion_px > 0 or frames < 2:
            raise InputError(
                f"stillness needs a motion above 0 px and 2 frames, got {max_motion_px}, {frames}"
            )
        self.max_motion_px, self.frames = max_motion_px, frames
        self.motion_px = math.nan
        self._last: tuple[Detection, Detection] | None = None
        self._count = 0

    def update(self, left: Detection | None, right: Detection | None) -> bool:
        """Take the newest corners; whether the board is still now."""
        pair = None if left is None or right is None else (left, right)
        before, self._last = self._last, pair
        self.motion_px = math.nan
        if pair is None:
            self._count = 0
            return False
        if before is None:
            self._count = 1
            return False
        self.motion_px = max(_motion(a, b) for a, b in zip(before, pair, strict=True))
        limit = self.max_motion_px * max(pair[0].size[0] / 1000, 0.5)
        self._count = self._count + 1 if self.motion_px <= limit else 1
        return self._count >= self.frames


def _motion(a: Detection, b: Detection) -> float:
    """How far nine tenths of the common corners moved at most, px."""
    _, i, j = np.intersect1d(a.ids, b.ids, return_indices=True)
    if a.size != b.size or len(i) < 4:
        return math.inf
    return float(np.quantile(np.linalg.norm(a.points[i] - b.points[j], axis=1), 0.9))


Start = Callable[[Callable[[], None]], None]
"""Runs a piece of work, sooner or later."""


def _in_background(work: Callable[[], None]) -> None:
    start_thread("solve", work)


@dataclass(slots=True)
class LiveCalibration:
    """Feed it pairs until ``Step.reason`` says that it is over; then ``finish``."""

    board: Board
    targets: Sequence[Target] = ()
    """All must be met; none: it ends when views are enough and the calibration is good."""
    max_views: int = 60
    solve_every: int = 4
    """Views from one solve to the next."""
    stillness: Stillness = field(default_factory=Stillness)
    solve: Callable[[Sequence[View], Board], Outcome] = calibrate_views
    start: Start | None = None
    """How a solve is started; None: in a thread of its own."""
    _session: CalibrationSession = field(init=False)
    _solved: Solved | None = field(init=False, default=None)
    _solving: bool = field(init=False, default=False)
    _failure: BaseException | None = field(init=False, default=None)
    _idle: threading.Event = field(init=False, default_factory=threading.Event)

    def __post_init__(self) -> None:
        if self.targets and not self.board.unit_known:
            raise InputError(
                "a target in metres needs a board whose length is known, such as "
                f"chessboard:9x6:25mm, got {self.board.spec}"
            )
        if self.max_views < _FEWEST_TO_TRUST or self.solve_every < 1:
            raise InputError(
                f"max_views must be {_FEWEST_TO_TRUST} or more and solve_every 1 or more, got "
                f"{self.max_views} and {self.solve_every}"
            )
        self._session = CalibrationSession(self.board)

    @property
    def views(self) -> tuple[View, ...]:
        """The views taken so far."""
        return tuple(self._session.views)

    def feed(self, left: Image, right: Image) -> Step:
        """Look at one pair of gray images (H, W), uint8 or uint16.

        Raises InputError when their size changes, and what a solve in the background raised.
        """
        if self._failure is not None:
            raise self._failure
        self._check_size(left, right)
        one, two = detect(left, self.board), detect(right, self.board)
        still = self.stillness.update(one, two)
        feedback = self._session.offer(one, two, keep=still)
        if feedback.accepted:
            self._maybe_solve()
        reason = self._reason(feedback)
        return Step(
            one,
            two,
            self.stillness.motion_px,
            _doing(feedback, still, reason),
            feedback,
            self.views,
            self._solved,
            self._solving,
            self._advice(feedback, still, reason),
            reason,
        )

    def finish(self) -> Outcome:
        """Calibrate from all views; the newest solve when that was from all of them.

        Waits for a solve in the background, and raises what that raised.
        """
        while self._solving:  # in small waits, so that Ctrl-C is seen
            self._idle.wait(0.1)
        if self._failure is not None:
            raise self._failure
        if self._solved is not None and self._solved.views == len(self.views):
            return self._solved.outcome
        return self.solve(self.views, self.board)

    def _check_size(self, left: Image, right: Image) -> None:
        if not self._session.views:
            return
        first = self._session.views[0]
        for side, image, known in (("left", left, first.left), ("right", right, first.right)):
            size = (image.shape[1], image.shape[0])
            if size != known.size:
                raise InputError(
                    f"the {side} image changed from {known.size[0]}x{known.size[1]} to "
                    f"{size[0]}x{size[1]}; a calibration holds for one size"
                )

    def _maybe_solve(self) -> None:
        count = len(self._session.views)
        due = count - (self._solved.views if self._solved is not None else 0) >= self.solve_every
        if self._solving or count < _FEWEST_TO_SOLVE or not due:
            return
        self._idle.clear()
        self._solving, views = True, self.views

        def work() -> None:
            try:
                outcome = self.solve(views, self.board)
                self._solved = Solved(outcome, len(views), self._expect(outcome))
            except BaseException as error:  # raised where the frames come from
                self._failure = error
            finally:
                self._solving = False
                self._idle.set()

        (self.start or _in_background)(work)

    def _expect(self, outcome: Outcome) -> tuple[Expected, ...]:
        c, q = outcome.calibration, outcome.quality
        if c is None or q is None or not self.targets:
            return ()
        distances = [target.distance_m for target in self.targets]
        rows = {
            row.distance_m: row
            for row in expected_depth_errors(c, q.metric_covariance, distances, MATCHING_NOISE_PX)
        }
        return tuple(
            Expected(t, row.percent, 100 * row.matching_m / row.distance_m)
            if (row := rows.get(t.distance_m)) is not None
            else Expected(t, math.nan, math.nan)
            for t in self.targets
        )

    def _reason(self, feedback: Feedback) -> Reason | None:
        solved = self._solved
        if solved is not None and solved.views >= _FEWEST_TO_TRUST and solved.outcome.trusted:
            settled = solved.outcome.grade == "good" and feedback.enough
            if solved.expected and all(e.met for e in solved.expected):
                return "target"
            if not self.targets and settled:
                return "enough"
            if settled and any(not e.matching_percent <= e.target.percent for e in solved.expected):
                return "unreachable"
        return "limit" if feedback.views >= self.max_views and not self._solving else None

    def _advice(self, feedback: Feedback, still: bool, reason: Reason | None) -> str:
        if reason is not None:
            return REASONS[reason]
        if not (feedback.found_left and feedback.found_right):
            return feedback.advice
        if not still:
            return "hold the board still"
        goal = feedback.advice
        if min(feedback.progress.values()) >= 1:  # all over the image: what else would help?
            solved = self._solved
            judged = solved is not None and solved.views >= _FEWEST_TO_TRUST
            goal = solved.outcome.advice if judged and solved else "a few more like these"
        return goal if feedback.accepted else f"seen already; {goal}"


REASONS: dict[Reason, str] = {
    "target": "done: the expected depth error is as small as asked",
    "enough": "done: the views are enough and the calibration is good",
    "limit": "done: as many views as allowed",
    "unreachable": "done: the rest of the error is matching noise, which no calibration removes; "
    "only a longer baseline, more pixels or less distance do",
}
"""Why it ended, for people."""


def _doing(feedback: Feedback, still: bool, reason: Reason | None) -> Doing:
    if reason is not None:
        return "done"
    if feedback.accepted:
        return "taken"
    if not (feedback.found_left and feedback.found_right):
        return "looking"
    return "known" if still else "moving"
