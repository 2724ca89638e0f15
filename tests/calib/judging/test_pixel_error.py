"""What is known of a lens over its image: laws against sampling and against truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from boards import BOARD, random_rig, synthetic_views

from calib.calibrate import calibrate_views
from calib.judging.alone import solved_alone
from calib.judging.depth_error import two_halves
from calib.judging.pixel_error import (
    Lens,
    image_grid,
    projection_covariance,
    projection_difference,
    worst_sigma,
)
from calib.outcome import Outcome
from calib.report.lens import lens_maps


@pytest.fixture(scope="module", params=["pinhole5", "fisheye"])
def outcome(request: pytest.FixtureRequest) -> Outcome:
    rng = np.random.default_rng(4)
    rig = random_rig(rng, model="fisheye" if request.param == "fisheye" else "pinhole")
    views = synthetic_views(rng, rig, 10)
    return calibrate_views(views, BOARD, model=request.param, deformation="flat")


def test_covariance_is_what_sampled_lenses_do(outcome: Outcome) -> None:
    c, q = outcome.calibration, outcome.quality
    assert c is not None
    assert q is not None
    values, seen = c.fit.state.intrinsics[0], c.seen.pixels[c.seen.camera == 0]
    count = len(values)
    small = 0.01 * q.covariance[:count, :count]  # so small that the lens is straight
    lens, (grid, _) = Lens(c.model_name.rstrip("5"), values), image_grid(c.sizes[0], 6)  # type: ignore[arg-type]
    foretold = worst_sigma(projection_covariance(lens, small, grid, seen))
    rng = np.random.default_rng(0)
    samples = rng.multivariate_normal(values, small, 200, method="eigh")
    moved = np.array(
        [projection_difference(lens, lens._replace(values=v), grid, seen) for v in samples]
    )
    found = np.array([np.sqrt(np.linalg.eigvalsh(np.cov(at.T))[-1]) for at in moved.swapaxes(0, 1)])
    assert np.abs(found / foretold - 1).max() < 0.25  # 200 samples: 5 % each, of 24 the largest


def test_a_turned_camera_is_no_other_lens(outcome: Outcome) -> None:
    """A small shift of the principal point looks like a rotation: hardly anything is left of it."""
    c = outcome.calibration
    assert c is not None
    seen = c.seen.pixels[c.seen.camera == 0]
    lens = Lens(c.model_name.rstrip("5"), c.fit.state.intrinsics[0])  # type: ignore[arg-type]
    shifted = lens._replace(values=lens.values + np.eye(len(lens.values))[2])
    grid, _ = image_grid(c.sizes[0])
    assert np.nanmax(np.abs(projection_difference(lens, lens, grid, seen))) < 1e-9
    left = np.hypot(*projection_difference(lens, shifted, seen, seen).T)
    assert np.median(left) < 0.1  # of the pixel that it was shifted by


def test_halves_differ_as_foretold() -> None:
    """On six synthetic sessions the difference is about twice the error bar of the whole."""
    ratios = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        views = synthetic_views(rng, random_rig(rng), 10)
        outcome = calibrate_views(views, BOARD, model="pinhole5", deformation="flat")
        c, q = outcome.calibration, outcome.quality
        assert c is not None
        assert q is not None
        ratios += [m.apart_px / m.foretold_px for m in lens_maps(c, q, two_halves(c))]
    assert 0.6 < np.sqrt(np.mean(np.square(ratios))) < 1.4


def test_each_camera_alone_is_fine_where_the_pairs_are_wrong() -> None:
    rng = np.random.default_rng(5)
    rig = random_rig(rng)
    views = synthetic_views(rng, rig, 8)
    alone = solved_alone({view.name: view.right for view in views}, BOARD)
    assert alone is not None
    assert alone.focal_px == pytest.approx(rig.right.K[0, 0], rel=0.05)
    assert 0.1 < alone.rms_px < 0.3
    assert len(alone.view_rms_px) == 8
    assert solved_alone({}, BOARD) is None
    mixed = {v.name: replace(v.left, size=(640 + i, 480)) for i, v in enumerate(views)}
    assert solved_alone(mixed, BOARD) is None
