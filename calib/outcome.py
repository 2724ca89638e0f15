"""What came of a calibration, as numbers and words, and as evidence that a rig file keeps."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.board import Board, parse_board
from calib.detection.detection import Detection
from calib.detection.files import image_hash
from calib.errors import CalibrationError
from calib.judging.finding import Finding
from calib.judging.quality import Quality
from calib.plain import jsonable
from calib.rig import StereoRig
from calib.solving.calibration import Calibration, Rejected, View


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
    seen: Mapping[str, tuple[Detection | None, Detection | None]] = field(default_factory=dict)
    """Name of a pair -> what was found in its left and right image, used or not."""
    known_baseline_m: float | None = None
    """The baseline that the caller knows; None: nothing checks the board's units."""

    @classmethod
    def refused(
        cls,
        board: Board | None,
        findings: Sequence[Finding],
        rejected: Sequence[Rejected] = (),
        files: Mapping[str, tuple[str, str]] | None = None,
        offered: int = 0,
        seen: Mapping[str, tuple[Detection | None, Detection | None]] | None = None,
    ) -> Outcome:
        """Return the outcome where nothing could be solved; the first finding says why."""
        why = findings[0].message
        verdict = f"No calibration: {why}."
        said, out = tuple(findings), tuple(rejected)
        return cls(
            board,
            "recalibrate",
            verdict,
            why,
            None,
            None,
            said,
            out,
            files or {},
            offered,
            seen or {},
        )

    def __repr__(self) -> str:
        used = 0 if self.calibration is None else len(self.calibration.views)
        rows = ""
        if self.quality is not None:
            rows = f", rows within {self.quality.held_out.row_error_px:.3f} px"
        return f"Outcome({self.grade}, {used} of {self.offered} pairs{rows})"

    @property
    def trusted(self) -> bool:
        """False: exit code 3."""
        return self.grade != "recalibrate"

    @property
    def not_seen(self) -> tuple[str, ...]:
        """What could be wrong without a trace in these images, and how to check it."""
        if self.quality is None:
            return ()
        said = []
        board = self.board
        if self.known_baseline_m is None and board is not None and board.unit_known:
            said.append(
                f"whether the squares of {board.spec} are as large as said: were they 2 % larger, "
                "baseline and depth would be too and nothing else would change; measure ten in a "
                "row with a ruler, or give the known baseline"
            )
        if self.calibration is not None and self.calibration.fixed_intrinsics:
            said.append("whether the lenses are still as given, where no corner was seen")
        return tuple(said)

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
        if not self.trusted:
            notes["usable"] = False
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
            "not_seen": list(self.not_seen),
            **complaints(self.findings, self.rejected),
        }
        if c is not None and q is not None:
            out |= _numbers(c, q)
        return dict(jsonable(out))


def complaints(findings: Sequence[Finding], rejected: Sequence[Rejected]) -> dict[str, Any]:
    """What was found wrong, and with which views, as plain data."""
    return {
        "views_rejected": [r._asdict() for r in rejected],
        "warnings": [finding.message for finding in findings],
        "findings": [
            {"cause": f.cause, "message": f.message, "images": list(f.images), "stops": f.stops}
            for f in findings
        ],
    }


def rows_of(covariance: NDArray[np.float64]) -> list[list[float]]:
    """A covariance for a file: six digits are too few for coefficients that go together."""
    return [[float(f"{x:.15g}") for x in row] for row in covariance]


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
            "versions": tool_versions(),
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
            "covariance": rows_of(q.covariance),
            "square_error": q.square_error,
            "board_shape": np.round(c.shape.deformed(c.fit.state.shape), 9).tolist(),
        }
    }


def tool_versions() -> dict[str, str]:
    """What a result may depend on besides our own code."""
    return {
        "opencv": cv2.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
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
