from __future__ import annotations

import numpy as np
from boards import BOARD, random_rig, synthetic_views, truth_state

from calib.calibrate import calibrate_views
from calib.judging.depth_error import calibration_depth_sigma, image_points
from calib.judging.quality import assess
from calib.solving.solve import calibrate_stereo
from calib.solving.state import difference
from calib.solving.triangulation import triangulate


def test_error_bars_cover_the_truth_and_predict_the_depth_error() -> None:
    """Six rigs here; benchmarks/calibration.py --rigs 100 counts them properly."""
    z, true, predicted = [], [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        rig = random_rig(rng)
        c = calibrate_stereo(
            synthetic_views(rng, rig, 10), BOARD, model="pinhole5", deformation="flat"
        )
        q = assess(c, distances=(2.0,))
        truth = truth_state(rig)
        z.append(difference(c.fit.state, truth) / np.sqrt(np.diag(q.covariance)))
        left, right = image_points(c, truth, 2.0)
        error = triangulate(c.fit.state, left, right)[:, 2] - triangulate(truth, left, right)[:, 2]
        true.append(np.sqrt(np.median(error**2)) / 0.6745)
        predicted.append(np.median(calibration_depth_sigma(c, q.covariance, left, right)[1]))
    assert np.mean(np.abs(z) < 3) > 0.97
    # over six rigs the ratio is known to some 30 %
    assert 1 / 2 < np.sqrt(np.mean(np.square(predicted)) / np.mean(np.square(true))) < 2


def test_good_views_are_trusted() -> None:
    rng = np.random.default_rng(7)
    rig = random_rig(rng)
    good = assess(
        calibrate_stereo(synthetic_views(rng, rig, 12), BOARD, model="pinhole5", deformation="flat")
    )
    assert good.grade == "good"
    assert good.distance_check.observed_percent < 1
    assert len(good.depth_error) >= 5
    assert all(row.total_m >= row.calibration_m for row in good.depth_error)


def test_parallel_views_are_not_trusted() -> None:
    rng = np.random.default_rng(7)
    for tilt in (0.01, 0.04):
        views = synthetic_views(rng, random_rig(rng), 12, tilt=tilt)
        outcome = calibrate_views(views, BOARD, model="pinhole5", deformation="flat")
        assert not outcome.trusted
        assert "parallel_views" in {finding.cause for finding in outcome.findings}
