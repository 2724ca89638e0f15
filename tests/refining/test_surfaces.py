"""Textureless regions get planes where matching guessed, and nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from walls import SIZE, WALL, scene, slanted

from stereo.evaluation.manifest import load_manifest
from stereo.frame import DisparityMap
from stereo.matching.quality import confirmed
from stereo.matching.sgm import SgmMatcher, SgmParams
from stereo.native import find_native
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.refining.refine import RefineParams, refine
from stereo.refining.surfaces import PLANE_CONFIDENCE, plane_surfaces

pytestmark = pytest.mark.skipif(find_native() is None, reason="native module not built")

PAIRS = Path(__file__).resolve().parents[3] / "shared" / "data" / "pairs.json"


def test_a_slanted_blank_wall_is_recovered_to_half_a_pixel() -> None:
    truth = slanted()
    disparity, left, right = scene(truth, answered=0.6, sure=0.4)
    result = plane_surfaces(disparity, left, right)
    before = np.abs(disparity.px - truth)[WALL]
    after = np.abs(result.px - truth)[WALL]
    assert np.nanmean(before > 2) > 0.25
    assert np.isfinite(after).mean() > 0.95
    assert np.nanpercentile(after, 95) < 1.01  # matches within a pixel of the plane are kept
    assert np.median(after) < 0.5


def test_pixels_given_a_plane_say_so_by_a_lower_confidence() -> None:
    disparity, left, right = scene(slanted(), answered=0.6, sure=0.4)
    result = plane_surfaces(disparity, left, right)
    new = np.isnan(disparity.px) & np.isfinite(result.px)
    assert new.sum() > 1000
    np.testing.assert_allclose(result.confidence[new], PLANE_CONFIDENCE)
    same = result.px == disparity.px
    np.testing.assert_array_equal(result.confidence[same], disparity.confidence[same])


def test_what_the_matcher_is_sure_of_stays_also_where_it_is_curved() -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    curved = 20 - ((x - 125) / 40.0) ** 2 - ((y - 80) / 40.0) ** 2
    disparity, left, right = scene(curved, answered=0.98, sure=0.9)
    result = plane_surfaces(disparity, left, right)
    np.testing.assert_array_equal(result.px, disparity.px)


def test_a_wall_behind_a_lamp_is_found_by_what_drowns_in_noise_at_every_pixel() -> None:
    """Its edges belong to the lamp, most of its matches are the lamp's; its texture is faint."""
    rng = np.random.default_rng(0)
    height, width = 240, 400
    y, x = np.mgrid[:height, :width].astype(np.float32)
    wall = 12 + 0.004 * x
    lamp = (abs(x - 200) < 50) & (abs(y - 120) < 60)
    truth = np.where(lamp, 40, wall)
    faint = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 0.7)
    right = 120 + faint
    left = cv2.remap(
        right.astype(np.float32), x - wall, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    bold = rng.uniform(0, 255, (121, 101))
    left[60:181, 150:251], right[60:181, 110:211] = bold, bold
    views = [
        np.clip(view + rng.normal(0, 0.5, view.shape), 0, 255).astype(np.uint8)
        for view in (left, right)
    ]
    px = np.full((height, width), np.nan, np.float32)
    some = (rng.random(px.shape) < 0.08) & (x > 280)
    px[some] = wall[some]
    around = cv2.dilate(lamp.astype(np.uint8), np.ones((41, 41))) > 0
    px[around] = 40
    sure = np.where(np.isnan(px), 0, np.where(lamp, 0.95, 0.5)).astype(np.float32)
    found = plane_surfaces(DisparityMap(px, sure), *views)
    error = np.abs(found.px - truth)[~lamp & (x > 15)]
    assert np.isfinite(error).mean() > 0.97
    assert np.nanmean(error > 1) < 0.03
    np.testing.assert_array_equal(found.px[70:170, 160:240], px[70:170, 160:240])


def test_a_hole_in_a_ring_does_not_take_the_ring() -> None:
    """Its matches leaked from the ring, but there the right view shows something else."""
    rng = np.random.default_rng(1)
    height, width = 160, 240
    y, x = np.mgrid[:height, :width]
    ring = np.hypot(x - 120, y - 80) > 35
    right = rng.integers(0, 255, (height, width)).astype(np.uint8)
    left = np.roll(right, 30, axis=1)
    left[~ring] = 200
    right[np.roll(~ring, -30, axis=1)] = 60
    px = np.full((height, width), 30, np.float32)
    sure = np.where(ring, 0.95, 0.4).astype(np.float32)
    found = plane_surfaces(DisparityMap(px, sure), left, right)
    np.testing.assert_array_equal(found.confidence, sure)  # no plane was given


@pytest.mark.skipif(not PAIRS.is_file(), reason="needs ../shared/data")
@pytest.mark.parametrize("params", [{"paths": 3}, {"p1": 30}])
def test_a_wall_of_wrong_matches_takes_the_plane_of_its_rim(params: dict[str, Any]) -> None:
    """On a quarter of this image one match in seven is right."""
    item = next(pair for pair in load_manifest(PAIRS) if pair.name == "flyingthings_a")
    matcher = SgmMatcher(SgmParams(num_disparities=item.num_disparities, **params))
    plain, seen = StereoPipeline(Rectification.already_rectified(), matcher).match(item.pair())
    right = SgmMatcher(replace(matcher.params, paths=3)).match_right(seen)
    filled = refine(confirmed(plain, right), seen, RefineParams(fill=True)).px
    truth = item.truth()
    wrong = np.abs(filled - truth)[item.visible(truth)] > 2
    assert wrong.mean() < 0.1  # 0.3 where the rim is not asked


@pytest.mark.parametrize("seed", range(4))
def test_the_wall_is_recovered_whatever_the_noise(seed: int) -> None:
    truth = slanted()
    disparity, left, right = scene(truth, answered=0.6, sure=0.4, seed=seed)
    error = np.abs(plane_surfaces(disparity, left, right).px - truth)[WALL]
    assert np.nanmean(error > 2) < 0.02
    assert np.nanmedian(error) < 0.5


def test_textured_images_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, SIZE).astype(np.uint8)
    px = rng.uniform(0, 40, SIZE).astype(np.float32)
    disparity = DisparityMap(px, np.full(SIZE, 0.1, np.float32))
    np.testing.assert_array_equal(plane_surfaces(disparity, image, image).px, px)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (40, 60)])
def test_nothing_known_stays_unknown(shape: tuple[int, int]) -> None:
    flat = np.full(shape, 128, np.uint8)
    nothing = DisparityMap(np.full(shape, np.nan, np.float32), np.zeros(shape, np.float32))
    assert np.isnan(plane_surfaces(nothing, flat, flat).px).all()


def test_the_same_input_gives_the_same_output() -> None:
    disparity, left, right = scene(slanted(), answered=0.6, sure=0.4)
    first = plane_surfaces(disparity, left, right, threads=1)
    again = plane_surfaces(disparity, left, right, threads=3)
    np.testing.assert_array_equal(first.px, again.px)
    np.testing.assert_array_equal(first.confidence, again.confidence)


def test_without_the_native_module_nothing_is_given_a_plane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stereo.native._native", None)
    disparity, left, right = scene(slanted(), answered=0.6, sure=0.4)
    assert plane_surfaces(disparity, left, right) is disparity


def test_the_native_module_refuses_what_does_not_fit_together() -> None:
    native = find_native()
    assert native is not None
    gray, levels, px = (np.zeros((8, 12), kind) for kind in (np.uint8, np.int16, np.float32))
    views = gray, levels, levels, gray, levels, levels, px, px
    labels, label = np.zeros((2, 3), np.int32), np.zeros(1, np.int32)
    box = np.array([[0, 0, 3, 2]], np.int32)
    with pytest.raises(ValueError, match="same size"):
        native.plane_surfaces(gray[:4].copy(), *views[1:], labels, label, box, 1)
    with pytest.raises(ValueError, match="every fourth"):
        native.plane_surfaces(*views, labels[:1].copy(), label, box, 1)
    with pytest.raises(ValueError, match="box lies outside"):
        native.plane_surfaces(*views, labels, label, box + 1, 1)
    with pytest.raises(ValueError, match="four numbers"):
        native.plane_surfaces(*views, labels, label, box[:, :3].copy(), 1)
