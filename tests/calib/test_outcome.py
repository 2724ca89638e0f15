from __future__ import annotations

import numpy as np
import pytest
from boards import BOARD, random_rig, synthetic_views

from calib.calibrate import calibrate_views
from calib.outcome import views_of_rig


def test_evidence_is_enough_to_calibrate_again() -> None:
    rng = np.random.default_rng(15)
    rig = random_rig(rng)
    outcome = calibrate_views(
        synthetic_views(rng, rig, 8), BOARD, model="pinhole5", deformation="flat"
    )
    assert outcome.rig is not None
    board, views = views_of_rig(outcome.rig)
    again = calibrate_views(views, board, model="pinhole5", deformation="flat")
    assert again.rig is not None
    assert again.rig.baseline_m == pytest.approx(outcome.rig.baseline_m, rel=1e-5)
