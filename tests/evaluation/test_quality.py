"""Depth quality: what is measured on a wall equals the truth, and promises are compared."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation.painted_walls import GEOMETRY, SIZE, painted_wall
from scipy.stats import chi2

from stereo.depth import depth_frame, disparity_sigma
from stereo.errors import InputError, QualityError
from stereo.evaluation.quality import quality_facts
from stereo.evaluation.session import QualitySession, Seen
from stereo.evaluation.wall import GROSS_PX, find_wall
from stereo.frame import DepthFrame, DisparityMap, StereoGeometry
from stereo.matching import make_matcher
from stereo.pages.quality import Picture, render_page
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification


def plane_px(a: float = 0.01, b: float = -0.02, c: float = 30.0) -> np.ndarray:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    return a * x + b * y + c


def frame(px: np.ndarray, name: str = "one", sigma_px: float = 0.2) -> Seen:
    known = np.isfinite(px).astype(np.float32)
    depth = depth_frame(
        DisparityMap(px.astype(np.float32), known), GEOMETRY, np.zeros(px.shape, np.uint8)
    )
    return Seen(name, depth, np.full(px.shape, sigma_px, np.float32))


def noisy(px: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    return px + np.random.default_rng(seed).normal(0, sigma, px.shape)


def test_known_noise_holes_and_wrong_matches_are_measured() -> None:
    px = noisy(plane_px(), 0.3)
    random = np.random.default_rng(1)
    px[random.random(px.shape) < 0.02] += 9
    px[random.random(px.shape) < 0.1] = np.nan
    seen = frame(px, sigma_px=0.3)
    wall = find_wall(seen.depth, seen.sigma_px)
    assert wall.rms_px == pytest.approx(0.3, rel=0.03)
    assert wall.promised_px == pytest.approx(0.3, rel=0.01)
    assert wall.fill == pytest.approx(0.9, abs=0.01)
    assert wall.gross == pytest.approx(0.02, abs=0.003)
    assert wall.within[0] == pytest.approx(0.683 * 0.98, abs=0.01)
    assert wall.mask.mean() > 0.95


def test_distance_is_straight_to_the_plane_and_independent_of_tilt() -> None:
    _, px = painted_wall(2.0, yaw_deg=25)
    seen = frame(px)
    wall = find_wall(seen.depth, seen.sigma_px)
    assert wall.distance_m == pytest.approx(2.0, rel=1e-4)
    assert wall.tilt_deg == pytest.approx(25, abs=0.05)


def test_a_thing_before_the_wall_is_no_part_of_it() -> None:
    px = noisy(plane_px(), 0.1)
    px[80:160, 100:200] = 60
    seen = frame(px, sigma_px=0.1)
    wall = find_wall(seen.depth, seen.sigma_px)
    assert not wall.mask[100:140, 120:180].any()
    assert wall.gross < 0.01
    assert wall.rms_px == pytest.approx(0.1, rel=0.05)


def test_a_region_is_taken_whole() -> None:
    px = plane_px()
    px[100:120, 100:150] = np.nan
    session = QualitySession((100, 100, 100, 40))
    session.add(frame(px))
    (stand,) = session.result().stands
    assert stand.fill == pytest.approx(1 - 20 * 50 / (100 * 40))
    assert stand.share == pytest.approx(100 * 40 / (320 * 240), abs=1e-6)


def test_frames_from_one_place_make_one_stand_with_a_temporal_noise() -> None:
    session = QualitySession()
    for k in range(8):
        session.add(frame(noisy(plane_px(0, 0), 0.25, seed=k), f"near{k}"))
    for k in range(2):
        session.add(frame(noisy(plane_px(0, 0, 15), 0.25, seed=k), f"far{k}"))
    near, far = session.result().stands
    assert (near.frames, far.frames) == (8, 2)
    assert near.temporal is not None
    assert far.temporal is None
    median = 0.25 * np.sqrt(chi2(7).median() / 7)
    assert near.temporal.px == pytest.approx(median, rel=0.01)
    assert near.rms_px == pytest.approx(0.25, rel=0.02)
    assert far.rms_m / near.rms_m == pytest.approx(4, rel=0.02)


def test_z_accuracy_is_against_the_true_distances_in_order() -> None:
    session = QualitySession()
    for distance in (1.0, 2.0):
        session.add(frame(painted_wall(distance)[1] * 1.01, f"{distance}"))
    near, far = session.result([1.0, 2.0]).stands
    assert near.accuracy is not None
    assert far.accuracy is not None
    assert near.accuracy.percent == pytest.approx(-100 / 101, rel=0.01)
    assert far.accuracy.percent == pytest.approx(-100 / 101, rel=0.01)
    with pytest.raises(InputError, match=r"names 1 distances, but the frames show 2 walls"):
        session.result([1.0])


def test_promises_are_kept_or_not() -> None:
    for sigma, kept in ((0.3, True), (0.1, False)):
        session = QualitySession()
        session.add(frame(noisy(plane_px(), 0.3), sigma_px=sigma))
        quality = session.result()
        assert quality.kept is kept
        assert quality.times == pytest.approx(0.3 / sigma, rel=0.05)
        assert quality_facts(quality)["error_bars_hold"] is kept


def test_a_bent_wall_shows_where_it_is_bent() -> None:
    _, x = np.mgrid[: SIZE[1], : SIZE[0]]
    session = QualitySession()
    session.add(frame(noisy(plane_px() + 1.5 * ((x - 160) / 160.0) ** 2, 0.05)))
    bias = session.result().bias_px
    assert bias[:, 0].mean() > 0.4 > 0 > bias[:, 3].mean()


def test_what_shows_no_wall_is_set_aside_and_alone_refused() -> None:
    random = np.random.default_rng(0)
    session = QualitySession()
    assert session.add(frame(random.uniform(5, 60, (240, 320)))) is None
    with pytest.raises(QualityError, match="no wall"):
        session.result()
    session.add(frame(plane_px(), "wall"))
    quality = session.result()
    assert [one.name for one in quality.set_aside] == ["one"]
    with pytest.raises(QualityError, match="only 0 pixels have a depth"):
        find_wall(frame(np.full((240, 320), np.nan)).depth, np.ones((240, 320), np.float32))


def test_a_floor_up_to_the_horizon_is_measured_where_it_can_be() -> None:
    y, _ = np.mgrid[: SIZE[1], : SIZE[0]]
    px = np.where(y > 120, (y - 120) * 0.4, np.nan)
    px = noisy(px, 0.1)
    px[px <= 0.02] = np.nan
    seen = frame(px)
    wall = find_wall(seen.depth, seen.sigma_px)
    assert np.nonzero(wall.mask.any(axis=1))[0][0] >= 127  # 3 px of disparity
    assert wall.rms_percent < 2


def test_sizes_and_regions_are_checked() -> None:
    session = QualitySession((300, 0, 100, 100))
    with pytest.raises(InputError, match="outside of the image of 320x240"):
        session.add(frame(plane_px()))
    session = QualitySession()
    session.add(frame(plane_px()))
    with pytest.raises(InputError, match=r"is 320x200, the frames before are 320x240"):
        session.add(frame(plane_px()[:200], "two"))


@pytest.mark.parametrize("distance", [0.8, 1.6])
def test_the_whole_pipeline_on_a_painted_wall(distance: float) -> None:
    """Z accuracy, RMS and fill within 5 % of what exact truth gives."""
    pair, truth = painted_wall(distance, yaw_deg=10, noise=2, seed=3)
    matcher = make_matcher("sgm", num_disparities=80)
    pipeline = StereoPipeline(Rectification.already_rectified(GEOMETRY), matcher)
    result = pipeline.measure(pair, pipeline.disparity(pair))
    assert result.depth is not None
    session = QualitySession()
    wall = session.add(
        Seen("wall", result.depth, disparity_sigma(result.disparity.confidence)),
    )
    (stand,) = session.result([distance]).stands
    assert wall is not None
    assert stand.accuracy is not None
    off = (result.disparity.px - truth)[wall.mask]
    fine = np.abs(off) <= GROSS_PX
    assert stand.rms_px == pytest.approx(float(np.sqrt(np.mean(off[fine] ** 2))), rel=0.05)
    assert stand.fill == pytest.approx(float(np.isfinite(off).mean()), rel=1e-6)
    assert abs(stand.accuracy.percent) < 0.5


def test_the_page_holds_every_section() -> None:
    session = QualitySession()
    first = frame(noisy(plane_px(), 0.2), "<near>")
    wall = session.add(first)
    session.add(frame(noisy(plane_px(c=15), 0.2), "far"))
    assert wall is not None
    page = render_page(session.result([1.4, 2.8]), Picture(first.name, first.depth.color, wall))
    for heading in ("Walls", "Against distance", "Over the image", "The wall"):
        assert f"<h2>{heading}</h2>" in page
    assert "&lt;near&gt;" in page
    assert "<near>" not in page
    assert "unknown" not in page


def test_a_frame_without_sigma_of_calibration_promises_nothing_for_z() -> None:
    session = QualitySession()
    px = plane_px().astype(np.float32)
    geometry = StereoGeometry(350.0, 0.12, 159.5, 119.5)
    depth = depth_frame(DisparityMap(px, np.ones_like(px)), geometry, np.zeros(px.shape, np.uint8))
    session.add(Seen("a", depth, disparity_sigma(np.ones_like(px))))
    (stand,) = session.result([1.4]).stands
    assert stand.accuracy is not None
    assert stand.accuracy.promised_m == 0
    wider = DepthFrame(depth.depth_m, depth.sigma_m * 2, depth.color, geometry)
    session = QualitySession()
    session.add(Seen("a", wider, disparity_sigma(np.ones_like(px))))
    (stand,) = session.result([1.4]).stands
    assert stand.accuracy is not None
    assert stand.accuracy.promised_m > 0
