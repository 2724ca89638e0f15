"""From images to an answer: detect, solve, judge, diagnose; and the same view by view, live."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import AprilGrid, Board, Charuco, Chessboard, parse_board
from calib.camera import Camera, StereoRig
from calib.detection.detect import detect
from calib.detection.detection import Detection, match_order
from calib.detection.files import detect_files, image_hash, read_gray
from calib.detection.guess import guess_board
from calib.errors import CalibrationError
from calib.judging.diagnose import Finding, diagnose, fit_limit
from calib.judging.failure import explain_failure, explain_unseen
from calib.judging.quality import Quality, assess
from calib.judging.rejected import explain_rejected
from calib.solving.calibration import FEWEST_VIEWS, Calibration, Rejected, View
from calib.solving.deformation import Deformation
from calib.solving.solve import calibrate_stereo

Progress = Callable[[str, int, int], None]

_UNFIT = (
    "the corners fit no rig (rms {:.1f} px): most pairs are unsynchronised or wrongly paired, or "
    "the board is not {}"
)
_CHANGES = {"rig_moved": "the rig moved", "refocused": "a camera was refocused or zoomed"}
_ENOUGH = {"x": 0.6, "y": 0.6, "size": 0.3, "skew": 0.4}  # as ROS asks, a little less of size


@dataclass(frozen=True, eq=False, slots=True)
class Outcome:
    """What came of a calibration, whether it worked or not."""

    board: Board | None
    grade: str
    """"good", "usable" or "recalibrate"."""
    verdict: str
    advice: str
    calibration: Calibration | None
    """None: nothing could be solved."""
    quality: Quality | None
    findings: tuple[Finding, ...]
    rejected: tuple[Rejected, ...]
    """Views that were not used: without a partner, without a board, or contradicting the rest."""
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name of a view -> its left and right file."""
    offered: int = 0
    """Number of pairs that were offered."""

    @property
    def trusted(self) -> bool:
        """False: exit code 3."""
        return self.grade != "recalibrate"

    @property
    def rig(self) -> StereoRig | None:
        """The rig with its evidence in ``notes``; None when there is none to speak of."""
        c, q = self.calibration, self.quality
        if c is None or q is None:
            return None
        try:
            rig = c.rig
        except CalibrationError:
            return None  # numbers that no camera has
        notes = {**_evidence(c, q, self.files), "summary": self.summary()}
        return replace(rig, row_error_px=q.held_out.row_error_px, notes=notes)

    def summary(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        c, q = self.calibration, self.quality
        out: dict[str, Any] = {
            "grade": self.grade,
            "verdict": self.verdict,
            "advice": self.advice,
            "board": None if self.board is None else self.board.spec,
            "unit": "m" if self.board is None or self.board.unit_known else "unknown",
            "pairs_offered": self.offered,
            "views_used": 0 if c is None else len(c.views),
            "views_rejected": [r._asdict() for r in self.rejected],
            "warnings": [finding.message for finding in self.findings],
            "findings": [
                {"cause": f.cause, "message": f.message, "images": list(f.images), "stops": f.stops}
                for f in self.findings
            ],
        }
        if c is not None and q is not None:
            out |= _numbers(c, q)
        return {key: _finite(value) for key, value in out.items()}


def calibrate_files(
    left: Sequence[Path],
    right: Sequence[Path],
    board: Board | str,
    *,
    model: str = "auto",
    deformation: Deformation = "auto",
    intrinsics: tuple[Camera, Camera] | None = None,
    baseline_m: float | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    earlier: StereoRig | None = None,
) -> Outcome:
    """Calibrate from image files, paired by the last number in their names.

    ``board`` may be text, also "auto" or "auto:25mm"; the views that ``earlier`` was calibrated
    from are used too, and then its board. Raises BoardError when the text makes no sense;
    whatever else goes wrong is in the outcome.
    """
    before: list[View] = []
    if earlier is not None:
        board, before = views_of_rig(earlier)
    pairs, orphans = pair_files(left, right)
    chosen = _choose_board(board, [a for _, a, _ in pairs] or list(left))
    files = {name: (str(a), str(b)) for name, a, b in pairs}
    if chosen is None:
        finding = Finding("not_found", "no board could be recognised in the images", stops=True)
        return _refused(None, [finding], orphans, files)
    tell = progress or (lambda *_: None)
    paths = [a for _, a, _ in pairs] + [b for _, _, b in pairs]
    found = detect_files(paths, chosen, cache=cache, progress=lambda n, m: tell("detect", n, m))
    views, unseen = [], []
    for i, (name, a, b) in enumerate(pairs):
        one, two = found[i], found[i + len(pairs)]
        if one is not None and two is not None:
            views.append(View(name, one, match_order(one, two, chosen)))
            continue
        unseen.append(_unseen(name, [(p, d) for p, d in ((a, one), (b, two)) if d is None]))
    rejected = [*orphans, *unseen]
    again = len(before) + len(views)
    views = _merged(before, views)
    again -= len(views)  # given now and already in the rig's file
    if len(views) < FEWEST_VIEWS and len(pairs) >= FEWEST_VIEWS:
        return _nothing_seen(chosen, paths, views, rejected, files)
    outcome = calibrate_views(
        views,
        chosen,
        model=model,
        deformation=deformation,
        intrinsics=intrinsics,
        baseline_m=baseline_m,
    )
    if outcome.calibration is None and isinstance(chosen, Chessboard):
        outcome = _other_board(outcome, chosen, paths)
    return replace(
        outcome,
        rejected=(*rejected, *outcome.rejected),
        files=files,
        offered=len(pairs) + len(before) - again,
    )


def calibrate_views(
    views: Sequence[View],
    board: Board,
    *,
    model: str = "auto",
    deformation: Deformation = "auto",
    intrinsics: tuple[Camera, Camera] | None = None,
    baseline_m: float | None = None,
) -> Outcome:
    """Calibrate from detected corners; failures are explained in the outcome, not raised.

    A known baseline gives a board of unknown units its length; another board is checked by it.
    """
    if baseline_m is not None and not board.unit_known:
        outcome = calibrate_views(
            views, board, model=model, deformation=deformation, intrinsics=intrinsics
        )
        if outcome.calibration is None:
            return outcome
        found = float(np.linalg.norm(outcome.calibration.fit.state.t))
        scaled = _with_square(board, board.square_m * baseline_m / found)
        return calibrate_views(
            views, scaled, model=model, deformation=deformation, intrinsics=intrinsics
        )
    try:
        c = calibrate_stereo(
            views, board, model=model, deformation=deformation, intrinsics=intrinsics
        )
    except CalibrationError as error:
        return _refused(board, explain_failure(views, board, error), [], {}, len(views))
    if c.rms_px() > fit_limit(c.sizes):
        findings = explain_failure(
            views, board, CalibrationError(_UNFIT.format(c.rms_px(), board.spec))
        )
        return _refused(board, findings, [], {}, len(views))
    c = replace(c, rejected=tuple(explain_rejected(c, views)))
    findings = diagnose(c, views, baseline_m=baseline_m)
    moved = tuple(r.name for r in c.rejected if r.cause in _CHANGES)
    if moved:
        cause = next(r.cause for r in c.rejected if r.cause in _CHANGES)
        message = f"{_CHANGES[cause]}: the result holds only for the views that were used"
        findings.append(Finding(cause, message, moved))
    q = assess(c)
    if moved and q.grade == "good":
        q = replace(q, grade="usable", verdict=q.verdict.replace("Good", "Usable"))
    stopping = [finding for finding in findings if finding.stops]
    grade, verdict = q.grade, q.verdict
    if len(c.rejected) > 0.5 * len(views):
        stopping.append(
            Finding(
                "inconsistent",
                f"{len(c.rejected)} of {len(views)} pairs contradict the rest",
                tuple(r.name for r in c.rejected),
                stops=True,
            )
        )
        findings.append(stopping[-1])
    if stopping:
        grade, verdict = "recalibrate", "Do not use it: " + stopping[0].message + "."
    advice = stopping[0].message if stopping else q.advice
    return Outcome(board, grade, verdict, advice, c, q, tuple(findings), c.rejected, {}, len(views))


def _with_square(board: Board, square_m: float) -> Board:
    """The same board in metres, all its lengths in proportion."""
    if isinstance(board, Charuco):
        marker_m = board.marker_m * square_m / board.square_m
        return replace(board, square_m=square_m, marker_m=marker_m, unit_known=True)
    return replace(board, square_m=square_m, unit_known=True)


def pair_files(
    left: Sequence[Path], right: Sequence[Path]
) -> tuple[list[tuple[str, Path, Path]], list[Rejected]]:
    """(name, left, right) by the last number in each name (by place when there is none), and the
    images without a partner.
    """
    sides = [_numbered(paths) for paths in (left, right)]
    if any(numbered is None for numbered in sides):
        rows = zip(sorted(left), sorted(right), strict=False)
        pairs = [(a.stem, a, b) for a, b in rows]
        extra = sorted(left)[len(pairs) :] + sorted(right)[len(pairs) :]
        return pairs, [Rejected(p.name, "orphan", "has no partner") for p in extra]
    a, b = (numbered or {} for numbered in sides)
    pairs = [(a[k].stem, a[k], b[k]) for k in sorted(a.keys() & b.keys())]
    orphans = [
        Rejected(here[k].name, "orphan", f"has no partner number {k} on the {other}")
        for here, there, other in ((a, b, "right"), (b, a, "left"))
        for k in sorted(here.keys() - there.keys())
    ]
    return pairs, orphans


def _numbered(paths: Sequence[Path]) -> dict[int, Path] | None:
    numbers: dict[int, Path] = {}
    for path in paths:
        digits = re.findall(r"\d+", path.stem)
        if not digits or int(digits[-1]) in numbers:
            return None
        numbers[int(digits[-1])] = path
    return numbers


def _merged(before: Sequence[View], new: Sequence[View]) -> list[View]:
    """Both, without images given twice and with names of their own."""
    kept = list(before)
    for view in new:
        same = [
            np.array_equal(old.left.points.round(4), view.left.points.round(4)) for old in before
        ]
        if any(same):
            continue
        taken = {old.name for old in kept}
        name = next(n for i in range(len(kept) + 1) if (n := view.name + "+" * i) not in taken)
        kept.append(replace(view, name=name))
    return kept


def _choose_board(board: Board | str, paths: Sequence[Path]) -> Board | None:
    if isinstance(board, Board):
        return board
    if not board.lower().startswith("auto"):
        return parse_board(board)
    known = parse_board("chessboard:3x3:" + (board.partition(":")[2] or "1u"))
    images = _samples(paths)
    if not images:
        return None
    return guess_board(images, square_m=known.square_m, unit_known=known.unit_known)


def _other_board(outcome: Outcome, board: Board, paths: Sequence[Path]) -> Outcome:
    """Where corners fit nothing, a part of a larger board may have been taken for the board."""
    finding = explain_unseen(_samples(paths), board)
    same = finding.cause != "wrong_board" or finding.message.count(board.spec) > 1
    if same or outcome.findings[0].cause == "mirrored":
        return outcome
    return _refused(board, [finding], outcome.rejected, outcome.files)


def _samples(paths: Sequence[Path]) -> list[NDArray[Any]]:
    return [g for p in paths[:: max(1, len(paths) // 6)] if (g := read_gray(p)) is not None]


def _unseen(name: str, missing: Sequence[tuple[Path, Detection | None]]) -> Rejected:
    broken = [path.name for path, _ in missing if read_gray(path) is None]
    if broken:
        return Rejected(name, "unreadable", f"{' and '.join(broken)} is not a readable image")
    return Rejected(
        name, "not_found", f"no whole board in {' and '.join(path.name for path, _ in missing)}"
    )


def _nothing_seen(
    board: Board,
    paths: Sequence[Path],
    views: Sequence[View],
    rejected: Sequence[Rejected],
    files: Mapping[str, tuple[str, str]],
) -> Outcome:
    images = _samples(paths)
    if not images:
        finding = Finding("unreadable", "none of the files is a readable image", stops=True)
    else:
        finding = explain_unseen(images, board)
    if finding.cause == "wrong_board" and board.spec in finding.message.split(" but ")[-1]:
        names = tuple(r.name for r in rejected)
        finding = Finding(
            "too_few",
            f"only {len(views)} pairs show the whole board; 15 to 30 are good",
            names,
            True,
        )
    return _refused(board, [finding], rejected, files)


def _refused(
    board: Board | None,
    findings: Sequence[Finding],
    rejected: Sequence[Rejected],
    files: Mapping[str, tuple[str, str]],
    offered: int | None = None,
) -> Outcome:
    message = findings[0].message
    return Outcome(
        board,
        "recalibrate",
        "No calibration: " + message + ".",
        message,
        None,
        None,
        tuple(findings),
        tuple(rejected),
        files,
        len(files) if offered is None else offered,
    )


# -- numbers and evidence --------------------------------------------------------------------


def _numbers(c: Calibration, q: Quality) -> dict[str, Any]:
    state = c.fit.state
    baseline = float(np.linalg.norm(state.t))
    return {
        "model": c.model_name,
        "board_bent": bool(len(c.shape.modes)),
        "reprojection_rms_px": {
            "left": c.rms_px(0),
            "right": c.rms_px(1),
            "joint": c.rms_px(),
            "held_out": q.held_out.reprojection_rms_px,
        },
        "row_error_px": q.held_out.row_error_px,
        "baseline_m": baseline,
        "baseline_sigma_m": q.baseline_sigma,
        "focal_px": {
            "left": state.intrinsics[0][:2].tolist(),
            "right": state.intrinsics[1][:2].tolist(),
        },
        "sigmas": q.sigmas,
        "corners_used": len(c.seen.view),
        "corners_rejected": len(c.corners_rejected.view),
        "starts_agree": c.starts_agree,
        "candidates": {
            name: {"reprojection_rms_px": h.reprojection_rms_px, "row_error_px": h.row_error_px}
            for name, h in c.held_out.items()
        },
        "coverage": {"left": q.coverage_share[0], "right": q.coverage_share[1]},
        "tilt_deg": q.tilt_deg,
        "distance_check": q.distance_check._asdict(),
        "depth_error": [
            {
                "distance_m": d.distance_m,
                "sigma_mm": d.total_m * 1e3,
                "percent": d.percent,
                "calibration_mm": d.calibration_m * 1e3,
                "matching_mm": d.matching_m * 1e3,
                "worst_mm": d.worst_m * 1e3,
                "halves_disagree_mm": d.halves_m * 1e3 if np.isfinite(d.halves_m) else None,
            }
            for d in q.depth_error
        ],
    }


def _finite(value: Any) -> Any:
    """Plain data with None for what is not a number: JSON knows no NaN."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value if not isinstance(value, float) or np.isfinite(value) else None


def _evidence(c: Calibration, q: Quality, files: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """Everything needed to judge or continue the calibration without its images."""
    views = []
    for v, view in enumerate(c.views):
        entry: dict[str, Any] = {"name": view.name, "rms_px": round(c.rms_px(view=v), 4)}
        for s, (side, one) in enumerate((("left", view.left), ("right", view.right))):
            entry[side] = {
                "ids": one.ids.tolist(),
                "corners_px": np.round(one.points, 4).tolist(),
                "edge_px": round(one.edge_px, 3) if np.isfinite(one.edge_px) else None,
            }
            if view.name in files and Path(files[view.name][s]).is_file():
                path = Path(files[view.name][s])
                entry[side] |= {"file": path.name, "sha256": image_hash(path)}
        views.append(entry)
    residuals = np.round(c.fit.residuals, 3)
    return {
        "calibration": {
            "tool": "stereo-depth",
            "versions": {
                "opencv": cv2.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            "board": c.board.spec,
            "unit": "m" if c.board.unit_known else "unknown: lengths are in units of the board",
            "sizes": [list(size) for size in c.sizes],
            "views": views,
            "residuals_px": [
                [int(a), int(b), int(p), *r.tolist()]
                for a, b, p, r in zip(
                    c.seen.view, c.seen.camera, c.seen.point, residuals, strict=True
                )
            ],
            "parameters": list(q.names),
            "covariance": [[float(f"{x:.6g}") for x in row] for row in q.covariance],
            "board_shape": np.round(c.shape.deformed(c.fit.state.shape), 9).tolist(),
        }
    }


def views_of_rig(rig: StereoRig) -> tuple[Board, list[View]]:
    """The board and the views a rig file was calibrated from, for ``--continue``.

    Raises CalibrationError when the file does not hold them.
    """
    try:
        kept = rig.notes["calibration"]
        board = parse_board(kept["board"])
        sizes = [(int(w), int(h)) for w, h in kept["sizes"]]
        views = [
            View(
                entry["name"],
                *(
                    Detection(
                        np.array(entry[side]["corners_px"], float).reshape(-1, 2),
                        np.array(entry[side]["ids"], np.intp),
                        sizes[s],
                        float("nan")
                        if entry[side].get("edge_px") is None
                        else entry[side]["edge_px"],
                    )
                    for s, side in enumerate(("left", "right"))
                ),
            )
            for entry in kept["views"]
        ]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CalibrationError(
            f"the rig file does not hold the corners it was calibrated from ({error}); "
            "calibrate again from the images"
        ) from error
    return board, views


# -- live ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Feedback:
    """What one pair of images added, and what to do next."""

    found_left: bool
    found_right: bool
    accepted: bool
    """False also when it shows nothing new."""
    progress: Mapping[str, float]
    """Share reached of what is wanted of x, y, size and skew, 0 to 1."""
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
        """(4,) x, y, size, skew, each 0 to 1."""
        w, h = one.size
        low, high = one.points.min(axis=0), one.points.max(axis=0)
        extent = high - low
        size = float(np.sqrt(extent.prod() / (w * h)))
        centre = (low + high) / 2
        free = np.maximum(np.array([w, h]) - extent, 1)
        x, y = np.clip((centre - extent / 2) / free, 0, 1)
        plane, _ = cv2.findHomography(self.board.points[one.ids, :2], one.points)
        skew = 0.0
        if plane is not None:
            span = np.ptp(self.board.points[:, :2], axis=0)
            skew = min(1.0, 2 * float(np.abs(plane[2, :2] * span / plane[2, 2]).max()))
        return np.array([x, y, size, skew])

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
            "skew": "tilt the board, 30 to 45 degrees, in several directions",
        }[name]
