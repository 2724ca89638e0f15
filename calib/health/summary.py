"""A health check as plain data, for JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from calib.health.check import Health
from calib.health.effect import FLAG_PX, GOOD_PX, UNUSABLE_PX
from calib.health.motion import NAMES
from calib.plain import jsonable


def summary(health: Health) -> dict[str, Any]:
    """Return everything that was found, plain; what could not be told is None."""
    rows, why = health.rows, health.explanation
    facts: dict[str, Any] = {
        "schema": "stereo-depth-health/1",
        "grade": health.grade,
        "trusted": health.trusted,
        "verdict": health.verdict,
        "findings": [asdict(finding) for finding in health.findings],
        "pairs": len(health.matches),
        "matches": len(rows),
        "matches_agreeing": rows.share_kept,
        "row_error_median_px": rows.median_px,
        "row_error_p95_px": rows.p95_px,
        "row_offset_px": rows.offset_px,
        "row_error_systematic_px": rows.systematic_px,
        "noise_px": rows.noise_px,
        "thresholds_px": {"good": GOOD_PX, "flag": FLAG_PX, "unusable": UNUSABLE_PX},
        "pattern": None,
        "effect": None if health.effect is None else asdict(health.effect),
    }
    if why is not None:
        facts["pattern"] = {
            "turned_camera": why.turned,
            "change": {
                name: {
                    "changed": bool(why.motion.free[k]),
                    **_value(name, float(why.motion.change[k]), float(_sigma(health)[k])),
                    "moves_rows_px": float(why.contribution_px[k]),
                }
                for k, name in enumerate(NAMES)
            },
            "row_error_median_after_px": why.rows.median_px,
            "row_error_systematic_after_px": why.rows.systematic_px,
            "held_out_before_px": why.held_out_before_px,
            "held_out_after_px": why.held_out_after_px,
            "pair_offsets_px": why.pair_offsets_px,
        }
    return dict(jsonable(facts))


def _sigma(health: Health) -> np.ndarray[Any, Any]:
    """(6,) of what was changed, and of what was held how well it could have been told."""
    why = health.explanation
    assert why is not None
    return np.where(why.motion.free, why.motion.sigma, why.all_free.sigma)


def _value(name: str, value: float, sigma: float) -> dict[str, float]:
    if name == "zoom":
        return {"percent": 100 * value, "sigma_percent": 100 * sigma}
    return {"degrees": float(np.degrees(value)), "sigma_degrees": float(np.degrees(sigma))}
