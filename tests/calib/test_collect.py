from __future__ import annotations

import numpy as np
from boards import BOARD, random_poses, random_rig, rendered

from calib.collect import CalibrationSession


def test_a_live_session_says_what_is_missing() -> None:
    rng = np.random.default_rng(16)
    rig = random_rig(rng)
    session = CalibrationSession(BOARD)
    blank = np.full((480, 640), 128, np.uint8)
    assert "either image" in session.add(blank, blank).advice
    R, t = random_poses(rng, rig, 1)[0]
    pair = rendered(rig, R, t)
    first, second = session.add(*pair), session.add(*pair)
    assert first.accepted
    assert not second.accepted  # nothing new
    assert second.views == 1
    assert not second.enough
    assert not session.solve().trusted
