from __future__ import annotations

import numpy as np
import pytest
from boards import BOARD, random_rig, synthetic_views
from spoil import FALSE_ALARMS, SPOILS

from calib.calibrate import calibrate_views


@pytest.mark.parametrize("way", sorted(SPOILS))
def test_a_spoilt_session_is_named_with_its_images(way: str) -> None:
    rng = np.random.default_rng(11)
    case = SPOILS[way](synthetic_views(rng, random_rig(rng), 12), BOARD)
    outcome = calibrate_views(case.views, BOARD, model="pinhole5", deformation="flat")
    blamed = {r.name for r in outcome.rejected if r.cause == case.cause}
    for finding in outcome.findings:
        blamed |= set(finding.images) if finding.cause == case.cause else set()
    either = {v.name for v in case.views} - case.blamed  # which side of a change is the rig?
    assert blamed in ((case.blamed, either) if case.either else (case.blamed,))


def test_a_spoilt_view_does_not_spoil_the_rig() -> None:
    rng = np.random.default_rng(11)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 12)
    for way in ("moved board", "swapped view", "upside-down view", "flipped view"):
        outcome = calibrate_views(
            SPOILS[way](views, BOARD).views, BOARD, model="pinhole5", deformation="flat"
        )
        assert outcome.trusted, way
        assert outcome.rig is not None
        assert outcome.rig.baseline_m == pytest.approx(rig.baseline_m, rel=0.01), way


@pytest.mark.parametrize(("count", "seed"), [(3, 1), (3, 2), (4, 1), (4, 3), (5, 4), (8, 5)])
def test_few_good_views_raise_no_false_alarm(count: int, seed: int) -> None:
    rng = np.random.default_rng(0)
    views = synthetic_views(rng, random_rig(rng), 14)
    some = sorted(np.random.default_rng(1000 * count + seed).permutation(14)[:count])
    outcome = calibrate_views([views[i] for i in some], BOARD, model="pinhole5")
    causes = {f.cause for f in outcome.findings} | {r.cause for r in outcome.rejected}
    assert not causes & FALSE_ALARMS


def test_two_views_are_too_few() -> None:
    rng = np.random.default_rng(12)
    outcome = calibrate_views(synthetic_views(rng, random_rig(rng), 2), BOARD)
    assert not outcome.trusted
    assert [finding.cause for finding in outcome.findings] == ["too_few"]
