"""One camera alone: images of a board in, its lens and how far to trust it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from calib.board import Board
from calib.calibrate import Progress, choose_board, sampled
from calib.camera import CalibratedCamera
from calib.detection.detection import Detection
from calib.detection.files import detect_files, read_gray
from calib.errors import CalibrationError
from calib.judging.camera_quality import CameraQuality, assess_camera, camera_findings
from calib.judging.failure import explain_unseen
from calib.judging.finding import Finding
from calib.outcome import complaints, rows_of, tool_versions
from calib.plain import jsonable
from calib.solving.calibration import FEWEST_VIEWS, Calibration, Rejected, alone
from calib.solving.deformation import Deformation
from calib.solving.solve import calibrate_camera


@dataclass(frozen=True, eq=False, slots=True)
class CameraOutcome:
    """What came of the calibration of one camera, whether it worked or not."""

    board: Board | None
    grade: str
    """"good", "usable" or "recalibrate"."""
    verdict: str
    advice: str
    calibration: Calibration | None
    """With one camera; None: nothing could be solved."""
    quality: CameraQuality | None
    findings: tuple[Finding, ...]
    rejected: tuple[Rejected, ...]
    """Images that were not used: without a board, or contradicting the rest."""
    offered: int
    """Number of images that were offered."""

    def __repr__(self) -> str:
        used = 0 if self.calibration is None else len(self.calibration.views)
        return f"CameraOutcome({self.grade}, {used} of {self.offered} images)"

    @property
    def trusted(self) -> bool:
        """False: exit code 3."""
        return self.grade != "recalibrate"

    @property
    def camera(self) -> CalibratedCamera | None:
        """The camera with its evidence in ``notes``; None when there is none to speak of."""
        c, q = self.calibration, self.quality
        if c is None or q is None:
            return None
        try:
            lens = c.cameras[0]
        except CalibrationError:
            return None  # numbers that no camera has
        notes: dict[str, Any] = {"calibration": _evidence(c, q), "summary": self.summary()}
        if not self.trusted:
            notes["usable"] = False
        return CalibratedCamera(lens, reprojection_rms_px=c.rms_px(), notes=notes)

    def summary(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        c, q = self.calibration, self.quality
        out: dict[str, Any] = {
            "grade": self.grade,
            "verdict": self.verdict,
            "advice": self.advice,
            "board": None if self.board is None else self.board.spec,
            "images_offered": self.offered,
            "views_used": 0 if c is None else len(c.views),
            **complaints(self.findings, self.rejected),
        }
        if c is not None and q is not None:
            out |= _numbers(c, q)
        return dict(jsonable(out))


def calibrate_camera_files(
    paths: Sequence[Path],
    board: Board | str,
    *,
    model: str = "auto",
    deformation: Deformation = "auto",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> CameraOutcome:
    """Calibrate one camera from image files; ``board`` may be text, also "auto" or "auto:25mm".

    Raises BoardError when the text makes no sense; whatever else goes wrong is in the outcome.
    """
    chosen = choose_board(board, paths)
    if chosen is None:
        finding = Finding("not_found", "no board could be recognised in the images", stops=True)
        return _refused(None, finding, (), len(paths))
    tell = progress or (lambda *_: None)
    found = detect_files(paths, chosen, cache=cache, progress=lambda n, m: tell("detect", n, m))
    names = _names(paths)
    seen = {name: one for name, one in zip(names, found, strict=True) if one is not None}
    unseen = [
        _unseen(name, path)
        for name, path, one in zip(names, paths, found, strict=True)
        if one is None
    ]
    if len(seen) < FEWEST_VIEWS <= len(paths):
        finding = explain_unseen(sampled(paths), chosen)
        if finding.cause == "not_found" and seen:
            message = f"only {len(seen)} images show the whole board; 15 to 30 are good"
            finding = Finding("too_few", message, tuple(r.name for r in unseen), stops=True)
        return _refused(chosen, finding, unseen, len(paths))
    outcome = calibrate_camera_views(seen, chosen, model=model, deformation=deformation)
    return replace(outcome, rejected=(*unseen, *outcome.rejected), offered=len(paths))


def calibrate_camera_views(
    seen: Mapping[str, Detection],
    board: Board,
    *,
    model: str = "auto",
    deformation: Deformation = "auto",
) -> CameraOutcome:
    """Calibrate one camera from detected corners by name; failures are explained, not raised."""
    views = [alone(name, one) for name, one in seen.items()]
    try:
        c = calibrate_camera(views, board, model=model, deformation=deformation)
    except CalibrationError as error:
        cause = "too_few" if len(views) < FEWEST_VIEWS else "inconsistent"
        finding = Finding(cause, str(error), tuple(seen), stops=True)
        return _refused(board, finding, (), len(views))
    rejected = tuple(r._replace(reason=r.reason.replace("rig", "lens")) for r in c.rejected)
    c = replace(c, rejected=rejected)
    findings, q = tuple(camera_findings(c)), assess_camera(c)
    grade, verdict, advice = q.grade, q.verdict, q.advice
    stopping = [finding.message for finding in findings if finding.stops]
    if stopping:
        grade, verdict = "recalibrate", f"Do not use it: {stopping[0]}."
        advice = stopping[0]
    return CameraOutcome(board, grade, verdict, advice, c, q, findings, rejected, len(views))


def _refused(
    board: Board | None, finding: Finding, rejected: Sequence[Rejected], offered: int
) -> CameraOutcome:
    why = finding.message
    verdict, out = f"No calibration: {why}.", tuple(rejected)
    return CameraOutcome(board, "recalibrate", verdict, why, None, None, (finding,), out, offered)


def _names(paths: Sequence[Path]) -> list[str]:
    """The files' names, without endings where that is enough to tell them apart."""
    stems = [path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [str(path) for path in paths]


def _unseen(name: str, path: Path) -> Rejected:
    if read_gray(path) is None:
        return Rejected(name, "unreadable", f"{path.name} is not a readable image")
    return Rejected(name, "not_found", f"no whole board in {path.name}")


def _numbers(c: Calibration, q: CameraQuality) -> dict[str, Any]:
    fx, fy, cx, cy = c.fit.state.intrinsics[0][:4].tolist()
    return {
        "model": c.model_name,
        "size": list(c.sizes[0]),
        "board_bent": bool(len(c.shape.modes)),
        "reprojection_rms_px": {
            "used": c.rms_px(),
            "held_out": q.held_out.reprojection_rms_px,
        },
        "focal_px": [fx, fy],
        "principal_point_px": [cx, cy],
        "sigmas": q.sigmas,
        "projection_error": q.projection._asdict(),
        "corners_used": len(c.seen.view),
        "corners_rejected": len(c.corners_rejected.view),
        "starts_agree": c.starts_agree,
        "candidates": {
            name: {"reprojection_rms_px": h.reprojection_rms_px} for name, h in c.held_out.items()
        },
        "coverage": q.coverage_share,
        "tilt_deg": q.tilt_deg,
    }


def _evidence(c: Calibration, q: CameraQuality) -> dict[str, Any]:
    """Everything needed to judge the calibration without its images."""
    return {
        "tool": "stereo-depth",
        "versions": tool_versions(),
        "board": c.board.spec,
        "unit": "m" if c.board.unit_known else "unknown: lengths are in units of the board",
        "views": [
            {
                "name": view.name,
                "rms_px": round(c.rms_px(view=v), 4),
                "ids": view.left.ids.tolist(),
                "corners_px": np.round(view.left.points, 4).tolist(),
            }
            for v, view in enumerate(c.views)
        ],
        "parameters": list(q.names),
        "covariance": rows_of(q.covariance),
    }
