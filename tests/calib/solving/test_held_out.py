from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from boards import BOARD, random_rig, synthetic_views

from calib.solving.adjust import adjust
from calib.solving.calibration import Calibration
from calib.solving.copies import distinct_views, first_alike
from calib.solving.held_out import gain, held_out, information
from calib.solving.solve import calibrate_stereo


def solved(seed: int, count: int) -> Calibration:
    rng = np.random.default_rng(seed)
    views = synthetic_views(rng, random_rig(rng), count)
    return calibrate_stereo(views, BOARD, model="pinhole5", deformation="flat")


def test_one_step_without_a_view_is_as_good_as_solving_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    c = solved(0, 11)
    quick = held_out(c)
    monkeypatch.setattr("calib.solving.held_out._ONE_STEP", 99)
    anew = held_out(c)
    assert quick.reprojection_rms_px == pytest.approx(anew.reprojection_rms_px, rel=2e-3)
    assert quick.row_error_px == pytest.approx(anew.row_error_px, rel=2e-3)
    assert quick.depth_error == pytest.approx(anew.depth_error, rel=5e-3)


def test_what_views_gain_when_solved_alone_is_foretold() -> None:
    c = solved(1, 14)
    H, g = information(c)
    alone = adjust(c.shape, c.fit.state.of_views(range(7)), c.seen.of_views(range(7)))
    before = float((c.fit.residuals[c.seen.view < 7] ** 2).sum()) / 2
    assert gain(H[:7], g[:7]) == pytest.approx(before - alone.cost, rel=0.1)


def test_views_taken_again_count_once() -> None:
    rng = np.random.default_rng(2)
    views = synthetic_views(rng, random_rig(rng), 4)

    def again(number: int) -> list:  # type: ignore[type-arg]
        return [
            replace(
                view,
                name=f"{view.name}.{number}",
                left=replace(view.left, points=view.left.points + rng.normal(0, 0.2, (54, 2))),
            )
            for view in views
        ]

    many = [*views, *again(1), *again(2)]
    assert first_alike(many) == [0, 1, 2, 3] * 3
    assert distinct_views(many) == views
    once, thrice = (
        calibrate_stereo(v, BOARD, model="pinhole5", deformation="flat") for v in (views, many)
    )
    assert {r.cause for r in thrice.rejected} == {"duplicate"}
    assert np.array_equal(once.rig.t_right_left, thrice.rig.t_right_left)
