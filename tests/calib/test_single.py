"""One camera alone, rigs made of two such cameras, and rigs that were knocked: against truth."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from boards import BOARD, random_rig, synthetic_views
from scipy.spatial.transform import Rotation

from calib import StereoRig
from calib.calibrate import calibrate_views
from calib.camera import CalibratedCamera
from calib.errors import CameraError
from calib.judging.known_lenses import KnownLenses, lenses_of_cameras, lenses_of_rig
from calib.outcome import Outcome
from calib.single import CameraOutcome, calibrate_camera_views
from calib.solving.calibration import View


@cache
def truth() -> StereoRig:
    return random_rig(np.random.default_rng(5))


def views(seed: int, count: int, rig: StereoRig | None = None) -> list[View]:
    return synthetic_views(np.random.default_rng(seed), rig or truth(), count)


@cache
def alone(side: str) -> CameraOutcome:
    seed = 11 if side == "left" else 12
    seen = {view.name: getattr(view, side) for view in views(seed, 15)}
    return calibrate_camera_views(seen, BOARD, model="pinhole5", deformation="flat")


def known(side: str) -> CalibratedCamera:
    camera = alone(side).camera
    assert camera is not None
    return camera


@pytest.mark.parametrize("side", ["left", "right"])
def test_one_camera_is_found_within_its_error_bars(side: str) -> None:
    outcome, true = alone(side), getattr(truth(), side)
    assert outcome.grade == "good"
    q, camera = outcome.quality, known(side).camera
    assert q is not None
    for name, mine, theirs in (
        ("fx", camera.K[0, 0], true.K[0, 0]),
        ("fy", camera.K[1, 1], true.K[1, 1]),
        ("cx", camera.K[0, 2], true.K[0, 2]),
        ("cy", camera.K[1, 2], true.K[1, 2]),
    ):
        assert abs(mine - theirs) < 4 * q.sigmas[name], name
    assert q.held_out.reprojection_rms_px == pytest.approx(0.15 * np.sqrt(2), rel=0.15)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_expected_error_is_what_a_far_point_is_off(side: str) -> None:
    """Rays of the found lens, turned to fit those of the true one, meet its pixels that closely."""
    outcome, true, camera = alone(side), getattr(truth(), side), known(side).camera
    x, y = np.meshgrid(np.linspace(60, 580, 14), np.linspace(60, 420, 10))
    pixels = np.column_stack([x.ravel(), y.ravel()])
    mine, theirs = camera.unproject(pixels), true.unproject(pixels)
    turn, _ = Rotation.align_vectors(theirs, mine)
    off = np.linalg.norm(true.project(turn.apply(mine)) - pixels, axis=1)
    q = outcome.quality
    assert q is not None
    assert np.median(off) < 3 * q.projection.median_px
    assert q.projection.median_px < 1


def test_a_rig_of_two_cameras_calibrated_one_by_one() -> None:
    """Few pairs do, and the error bars know of the lenses' own error."""
    lenses = lenses_of_cameras(known("left"), known("right"))
    assert lenses.covariance is not None
    pairs = views(13, 8)
    outcome = calibrate_views(pairs, BOARD, deformation="flat", intrinsics=lenses)
    q, rig = outcome.quality, outcome.rig
    assert q is not None
    assert rig is not None
    np.testing.assert_array_equal(rig.left.K, known("left").camera.K)
    assert abs(rig.baseline_m - truth().baseline_m) < 4 * q.baseline_sigma
    blind = calibrate_views(
        pairs, BOARD, deformation="flat", intrinsics=(lenses.left, lenses.right)
    ).quality
    assert blind is not None
    assert q.sigmas["left.fx"] == pytest.approx(alone("left").quality.sigmas["fx"])  # type: ignore[union-attr]
    assert blind.sigmas["left.fx"] == 0
    far, naive = (one.depth_error[-1].calibration_m for one in (q, blind))
    assert far > naive
    assert lenses_of_rig(rig).covariance is not None  # the rig file keeps them for the next time


@cache
def before() -> Outcome:
    return calibrate_views(views(14, 15), BOARD, model="pinhole5", deformation="flat")


def test_a_knocked_rig_keeps_its_lenses_and_says_how_far_it_moved() -> None:
    old = before().rig
    assert old is not None
    knock = Rotation.from_rotvec([0.01, -0.02, 0.005])
    R, shift = knock.as_matrix(), np.array([0.0005, 0.002, -0.001])
    rig = replace(
        truth(),
        R_right_left=R @ truth().R_right_left,
        t_right_left=R @ truth().t_right_left + shift,
    )
    outcome = calibrate_views(
        views(15, 8, rig), BOARD, deformation="flat", intrinsics=lenses_of_rig(old)
    )
    assert outcome.trusted
    now, q = outcome.rig, outcome.quality
    assert now is not None
    assert q is not None
    moved, true = now.moved_since(old), rig.moved_since(truth())
    assert moved.rotation_deg == pytest.approx(np.degrees(knock.magnitude()), abs=0.05)
    assert true.rotation_deg == pytest.approx(np.degrees(knock.magnitude()), abs=1e-6)
    assert moved.distance_m == pytest.approx(true.distance_m, abs=5e-4)
    assert abs(now.baseline_m - rig.baseline_m) < 4 * q.baseline_sigma
    assert old.moved_since(old) == (0, 0)


def zoomed(view: View, share: float) -> View:
    """The right image made larger, as by a lens that was refocused."""
    middle = (np.array(view.right.size) - 1) / 2
    points = middle + (view.right.points - middle) * share
    return replace(view, right=replace(view.right, points=points))


def test_a_lens_that_was_refocused_is_named() -> None:
    """With the lenses of an earlier session: nothing at first, then by how much."""
    old = before().rig
    assert old is not None
    lenses, pairs = lenses_of_rig(old), views(16, 12)
    for share, expected in ((1.0, None), (1.02, "right"), (0.98, "right")):
        outcome = calibrate_views(
            [zoomed(view, share) for view in pairs], BOARD, deformation="flat", intrinsics=lenses
        )
        said = [f.message for f in outcome.findings if f.cause == "refocused"]
        assert bool(said) == (expected is not None)
        assert outcome.trusted == (expected is None)
        if expected is not None:
            found = re.search(r"that is ([0-9.]+) % (longer|shorter)", said[0])
            assert found is not None
            assert float(found[1]) == pytest.approx(2, abs=0.5)
            assert found[2] == ("longer" if share > 1 else "shorter")
            assert "lens of the right camera" in said[0]


def test_lenses_without_a_covariance_are_said_to_be_taken_for_exact() -> None:
    pairs, rig = views(13, 6), truth()
    outcome = calibrate_views(pairs, BOARD, deformation="flat", intrinsics=(rig.left, rig.right))
    assert "lens_error_unknown" in [finding.cause for finding in outcome.findings]


def test_a_lens_of_another_image_size_is_refused() -> None:
    lens = truth().left.scaled((1280, 960))
    with pytest.raises(CameraError, match=r"left images are 640x480, but the lens .* 1280x960"):
        calibrate_views(views(13, 8), BOARD, intrinsics=KnownLenses(lens, truth().right))


def test_what_cannot_be_solved_is_said() -> None:
    few = {view.name: view.left for view in views(13, 2)}
    outcome = calibrate_camera_views(few, BOARD)
    assert (outcome.grade, outcome.trusted, outcome.camera) == ("recalibrate", False, None)
    assert outcome.findings[0].cause == "too_few"
    assert "at least 3 are needed" in outcome.verdict
    same = views(13, 1)[0].left
    flat = {
        f"{k}": replace(
            same, points=same.points + 0.1 * np.random.default_rng(k).normal(size=(54, 2))
        )
        for k in range(8)
    }
    parallel = calibrate_camera_views(flat, BOARD, model="pinhole5", deformation="flat")
    assert not parallel.trusted
