"""What a check says of rigs whose every change is known, from exact points with a little noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from calib import Camera, CameraError, RectifiedRig, StereoRig, load_rig, save_rig
from calib.health.check import Health, check_matches, check_rig, measured_distance_m
from calib.health.effect import DISTANCES_M, FLAG_PX, effect_of
from calib.health.features import Matches
from calib.health.findings import other_size
from calib.health.motion import Side, moved
from calib.health.repair import mended, nothing_to_mend, why_not_mended
from calib.health.row_errors import rows_of_rig
from calib.health.summary import summary
from stereo.synthetic import make_sample_rig

RIG = make_sample_rig((640, 480))
NOISE_PX = 0.1


def seen(
    rig: StereoRig, *, pairs: int = 6, each: int = 250, seed: int = 0, wrong: float = 0.05
) -> list[Matches]:
    """Points 6 to 40 baselines away, as ``rig`` sees them; some of the matches are wrong."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(pairs):
        left = random.uniform(0, np.array(rig.left.size) - 1.0, (each, 2))
        points = rig.left.unproject(left) * random.uniform(6, 40, (each, 1)) * rig.baseline_m
        right = rig.right.project(points @ rig.R_right_left.T + rig.t_right_left)
        inside = ((right > 0) & (right < np.array(rig.right.size) - 1)).all(axis=1)
        right += random.normal(0, NOISE_PX, right.shape)
        stray = random.random(each) < wrong
        right[stray] += random.uniform(-30, 30, (int(stray.sum()), 2))
        found.append(Matches(left[inside], right[inside], each))
    return found


def turned(axis: int, degrees: float, side: Side = "right", rig: StereoRig = RIG) -> StereoRig:
    change = np.zeros(6)
    change[axis] = np.radians(degrees)
    return moved(rig, change, side)


def off_deg(rig: StereoRig, truth: StereoRig) -> NDArray[np.float64]:
    """Turn between the rotations of two rigs about x, y, z, degrees."""
    turn = rig.R_right_left @ truth.R_right_left.T
    w = [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
    return np.degrees(np.array(w) / 2)


def checked(rig: StereoRig, **kind: float) -> Health:
    return check_matches(rig, seen(RIG, **kind))  # type: ignore[arg-type]


def test_the_true_rig_is_good_and_nothing_is_mended() -> None:
    health = checked(RIG)
    assert health.grade == "good"
    assert health.rows.systematic_px < 0.03
    assert health.rows.noise_px == pytest.approx(NOISE_PX * 0.9, rel=0.3)  # rows of one lens only
    assert nothing_to_mend(health)
    assert "would not get better" in str(why_not_mended(health))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("axis", "degrees"), [(0, 0.05), (0, -1.0), (1, 1.0), (1, -0.6), (2, 0.4), (2, -1.0)]
)
def test_a_turned_camera_is_seen_and_mended(axis: int, degrees: float, side: Side) -> None:
    rig = turned(axis, degrees, side)
    health = checked(rig)
    exact = rows_of_rig(rig, seen(RIG, seed=7, wrong=0.0)).median_px
    assert health.trusted == (exact < FLAG_PX) or 0.15 < exact < 0.5
    assert why_not_mended(health) is None
    new = mended(health)
    assert np.abs(off_deg(new, RIG)[[0, 2]]).max() < 0.01
    assert new.baseline_m == pytest.approx(RIG.baseline_m, rel=1e-9)
    others = seen(RIG, seed=3)
    assert rows_of_rig(new, others).median_px < 1.05 * rows_of_rig(RIG, others).median_px


def test_the_cause_is_named() -> None:
    health = checked(turned(2, 0.5))
    assert health.explanation is not None
    assert health.explanation.named()[0] == "roll"
    assert "roll" in health.verdict
    facts = summary(health)
    assert facts["pattern"]["change"]["roll"]["degrees"] == pytest.approx(-0.5, abs=0.02)
    assert facts["grade"] == "unusable"
    assert not facts["trusted"]


def test_a_focal_length_that_has_changed_is_seen() -> None:
    change = np.zeros(6)
    change[5] = 0.004
    health = checked(moved(RIG, change))
    assert health.explanation is not None
    assert health.explanation.named() == ["zoom"]
    assert health.explanation.motion.change[5] == pytest.approx(-0.004, abs=4e-4)


def test_exchanged_images_are_named() -> None:
    matches = [Matches(m.right, m.left, m.tried) for m in seen(RIG)]
    health = check_matches(RIG, matches)
    assert [finding.cause for finding in health.findings] == ["swapped"]
    assert health.grade == "unusable"
    assert "--swap" in str(why_not_mended(health))


def test_rectified_images_are_not_rectified_again() -> None:
    plain = Camera("pinhole", (640, 480), np.array([[480.0, 0, 320], [0, 480, 240], [0, 0, 1]]))
    straight = StereoRig(plain, plain, np.eye(3), np.array([-0.16, 0, 0]))
    health = check_matches(RIG, seen(straight))
    assert [finding.cause for finding in health.findings] == ["rectified"]


def test_pairs_taken_at_two_moments_are_named() -> None:
    matches = seen(RIG)
    matches[4] = replace(matches[4], right=matches[4].right + np.array([0.0, 1.2]))
    health = check_matches(RIG, matches)
    (finding,) = health.findings
    assert finding.cause == "unsynchronised"
    assert "number 5 (-1" in finding.message
    for k in range(6):
        lower = np.array([0.0, 1.5 * (-1) ** k])
        matches[k] = replace(matches[k], right=seen(RIG)[k].right + lower)
    health = check_matches(RIG, matches)
    assert "same moment" in str(why_not_mended(health))


def test_too_little_is_said_to_be_too_little() -> None:
    health = checked(RIG, pairs=1, each=12)
    assert health.grade == "unknown"
    assert not health.trusted
    assert "texture" in str(why_not_mended(health))
    assert "pairs are too few" in str(why_not_mended(checked(turned(0, 0.5), pairs=2)))
    same = seen(RIG)[:1] * 5
    assert "1 pair is too few" in str(why_not_mended(check_matches(turned(0, 0.5), same)))
    corner = [m.kept((m.left < [200, 150]).all(axis=1)) for m in seen(RIG, pairs=8, each=800)]
    assert "cover only" in str(why_not_mended(check_matches(turned(0, 0.5), corner)))


def test_points_at_random_are_no_rig() -> None:
    random = np.random.default_rng(0)
    anywhere = [Matches(*random.uniform(0, 480, (2, 200, 2)), 200) for _ in range(3)]
    assert check_matches(RIG, anywhere).grade in ("unknown", "unusable")
    assert why_not_mended(check_matches(RIG, anywhere)) is not None


def test_a_known_distance_tells_the_yaw() -> None:
    """A yaw so small that rows hardly show it moves what is 3 m away by a tenth."""
    matches = seen(RIG, each=400)
    points = RIG.left.unproject([[319.5, 239.5]] * 8)
    near = 3.0 * points / points[:, 2:] + np.linspace(-0.1, 0.1, 8)[:, None] * [1, 1, 0]
    patch = Matches(
        RIG.left.project(near),
        RIG.right.project(near @ RIG.R_right_left.T + RIG.t_right_left),
        8,
    )
    first = matches[0]
    middle = np.hypot(*(first.left - 319.5).T) > 120  # nothing else in the middle
    matches[0] = Matches(
        np.vstack([first.left[middle], patch.left]),
        np.vstack([first.right[middle], patch.right]),
        400,
    )
    truth = measured_distance_m(check_matches(RIG, matches))
    rig = turned(1, 0.25)
    assert measured_distance_m(check_matches(rig, matches)) > 1.05 * truth or (
        measured_distance_m(check_matches(rig, matches)) < 0.95 * truth
    )
    health = check_matches(rig, matches, known_distance_m=truth)
    assert health.grade == "moved"
    assert "distance" in [finding.cause for finding in health.findings]
    assert check_matches(RIG, matches, known_distance_m=truth).grade == "good"
    assert why_not_mended(health) is None
    new = mended(health)
    assert measured_distance_m(check_matches(new, matches)) == pytest.approx(truth, rel=0.01)
    assert abs(off_deg(new, RIG)[1]) < 0.02
    with pytest.raises(CameraError, match="known distance"):
        check_matches(rig, matches, known_distance_m=-1)


def test_a_mended_rig_keeps_its_evidence_and_honest_error_bars(tmp_path: object) -> None:
    names = [
        *(f"left.{n}" for n in ("fx", "fy", "cx", "cy")),
        *(f"right.{n}" for n in ("fx", "fy", "cx", "cy")),
    ]
    names += [f"rotation.{a}" for a in "xyz"] + [f"t.{a}" for a in "xyz"]
    kept = {"parameters": names, "covariance": 1e-10 * np.eye(14), "views": [1, 2]}
    rig = replace(turned(0, 0.3), notes={"calibration": kept})
    new = mended(checked(rig))
    path = f"{tmp_path}/rig.yaml"
    save_rig(new, path)
    loaded = load_rig(path)
    assert isinstance(loaded, StereoRig)
    notes = loaded.notes
    assert notes["repair"]["pairs"] == 6
    assert set(notes["repair"]["changed"]) >= {"pitch", "roll"}
    assert "views" not in notes["calibration"]
    covariance = np.array(notes["calibration"]["covariance"])
    assert covariance[9, 9] > 1e-10  # yaw was not measured again, and says so
    assert loaded.row_error_px == pytest.approx(NOISE_PX, rel=0.5)


def test_rectified_geometry_is_checked_as_two_pinholes() -> None:
    plain = RectifiedRig((640, 480), 480, 0.16, 320, 330, 240)
    left = np.array([[480.0, 0, 320], [0, 480, 240], [0, 0, 1]])
    right = left + np.array([[0, 0, 10.0], [0, 0, 0], [0, 0, 0]])
    cameras = [Camera("pinhole", (640, 480), K) for K in (left, right)]
    rig = StereoRig(cameras[0], cameras[1], np.eye(3), np.array([-0.16, 0, 0]))
    blank = np.full((480, 640), 90, np.uint8)
    health = check_rig(plain, [(blank, blank)])
    assert health.grade == "unknown"
    assert check_matches(health.rig, seen(rig)).grade == "good"


def test_sizes_that_do_not_fit_are_named() -> None:
    finding = other_size("left", (320, 240), RIG.left)
    assert finding is not None
    assert finding.cause == "resolution"
    assert "--rescale" in finding.message
    with pytest.raises(CameraError, match="aspect"):
        other_size("left", (640, 400), RIG.left)
    with pytest.raises(CameraError, match="side by side"):
        other_size("left", (1280, 480), RIG.left)
    K = RIG.left.K.copy()
    K[:2] *= 2  # calibrated at twice the size
    finding = other_size("left", (640, 480), replace(RIG.left, K=K))
    assert finding is not None
    assert finding.cause == "principal_point"


def test_effect_grows_with_row_errors_and_distance() -> None:
    effects = [
        effect_of(np.full(10, px), focal_px=500, baseline_m=0.1) for px in (0, 0.3, 0.5, 1, 2, 50)
    ]
    right = [effect.right_share for effect in effects]
    assert right == sorted(right, reverse=True)
    assert right[0] == 1
    assert effects[0].depth[0].aligned_m == effects[0].depth[0].as_is_m == pytest.approx(0.005)
    for effect in effects:
        as_is = [one.as_is_m for one in effect.depth]
        assert as_is == sorted(as_is)
        assert len(as_is) == len(DISTANCES_M)
