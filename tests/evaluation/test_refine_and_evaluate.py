"""Cleaning disparity, and measuring how right it is, against formulas written independently."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stereo.errors import InputError
from stereo.evaluation.evaluate import (
    evaluate,
    fill_rows,
    mean_of,
    visible_from_truths,
)
from stereo.evaluation.regions import near_edges
from stereo.evaluation.sparsification import sparsification_area
from stereo.frame import DisparityMap, RectifiedPair
from stereo.refining.filling import FILLED_CONFIDENCE, fill_holes
from stereo.refining.refine import (
    RefineParams,
    drop_unseen,
    left_right_check,
    refine,
    remove_speckles,
)

NAN = np.nan
maps = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=8),
    elements=st.integers(0, 7).map(float) | st.just(NAN),
)


def test_left_right_check_keeps_what_points_back() -> None:
    left = np.float32([[NAN, 1, 1, 2, 5]])
    right = np.float32([[1, 1, 9, NAN, 0]])
    np.testing.assert_array_equal(left_right_check(left, right), [[False, True, True, True, False]])
    with pytest.raises(InputError, match="left map is"):
        left_right_check(left, right[:, 1:])


def test_speckles_go_and_surfaces_stay() -> None:
    px = np.full((40, 60), 10, np.float32)
    px[5:8, 5:8] = 30
    px[20:32, 20:32] = 20.25
    px[0, 0] = NAN
    cleaned = remove_speckles(px, max_size=50, step_px=1)
    assert np.isnan(cleaned[5:8, 5:8]).all()
    np.testing.assert_array_equal(cleaned[20:32, 20:32], 20.25)
    assert np.isnan(cleaned).sum() == 10


def test_speckles_of_huge_disparities_do_not_overflow() -> None:
    px = np.full((20, 20), 40000, np.float32)
    np.testing.assert_array_equal(remove_speckles(px, max_size=10), px)


@given(maps)
def test_filling_keeps_known_pixels_and_takes_the_background(px: np.ndarray) -> None:
    filled = fill_holes(px)
    known = np.isfinite(px)
    np.testing.assert_array_equal(filled[known], px[known])
    assert np.isfinite(filled).all() or not known.any()
    for y, x in np.argwhere(~known):
        row = px[y]
        beside = [*row[:x][np.isfinite(row[:x])][-1:], *row[x + 1 :][np.isfinite(row[x + 1 :])][:1]]
        if beside:
            assert filled[y, x] == min(beside)


def test_a_hole_in_a_slanted_surface_is_bridged_and_an_occlusion_is_background() -> None:
    slanted = 10 + 0.2 * np.arange(40, dtype=np.float32)[None, :].repeat(3, axis=0)
    px = slanted.copy()
    px[:, 12:20] = NAN
    np.testing.assert_allclose(fill_holes(px, same_surface_px=3), slanted, atol=1e-4)
    px[:, 20:] += 15  # now something nearer begins there
    filled = fill_holes(px, same_surface_px=3)
    np.testing.assert_array_equal(filled[:, 12:20], px[:, 11:12].repeat(8, axis=1))


def test_refine_marks_what_it_filled() -> None:
    px = np.full((30, 30), 8, np.float32)
    px[10, 10] = NAN
    sure = np.where(np.isfinite(px), np.float32(0.9), np.float32(0))
    image = np.random.default_rng(0).integers(0, 255, px.shape).astype(np.uint8)
    pair = RectifiedPair(image, image)
    result = refine(DisparityMap(px, sure), pair, RefineParams(fill=True))
    assert result.px[10, 10] == 8
    assert result.confidence[10, 10] == np.float32(FILLED_CONFIDENCE)
    assert np.isnan(refine(DisparityMap(px, sure), pair, RefineParams()).px[10, 10])


def test_what_a_camera_did_not_see_is_dropped() -> None:
    image = np.zeros((1, 6), np.uint8)
    seen_left = np.array([[True, True, True, True, True, False]])
    seen_right = np.array([[True, True, False, True, True, True]])
    px = np.full((1, 6), 1, np.float32)
    kept = drop_unseen(
        DisparityMap(px, np.ones_like(px)), RectifiedPair(image, image, seen_left, seen_right)
    )
    np.testing.assert_array_equal(np.isfinite(kept.px), [[True, True, True, False, True, False]])
    np.testing.assert_array_equal(kept.confidence == 0, np.isnan(kept.px))


@given(maps)
def test_benchmark_filling_equals_its_definition(px: np.ndarray) -> None:
    filled = fill_rows(px)
    for y, row in enumerate(px):
        for x, value in enumerate(row):
            if np.isfinite(value):
                expected = value
            else:
                left = [v for v in row[:x] if np.isfinite(v)][-1:]
                right = [v for v in row[x:] if np.isfinite(v)][:1]
                expected = min(left + right, default=0)
            assert filled[y, x] == expected


@given(maps, st.integers(0, 2**31))
def test_metrics_equal_an_independent_count(px: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, 90, px.shape).astype(np.float32)
    truth[rng.random(px.shape) < 0.2] = NAN
    truth[0, 0] = 5
    visible = rng.random(px.shape) < 0.7
    visible[0, 0] = True
    got = evaluate(px, truth, visible=visible)
    filled = fill_rows(px)
    seen = known = answered = sparse = dense = all_2 = d1 = 0
    total = 0.0
    for y, x in np.ndindex(*px.shape):
        t, p, f = float(truth[y, x]), float(px[y, x]), float(filled[y, x])
        if np.isnan(t):
            continue
        known += 1
        all_2 += abs(f - t) > 2
        d1 += abs(f - t) > 3 and abs(f - t) > 0.05 * t
        if visible[y, x]:
            seen += 1
            dense += abs(f - t) > 2
            total += abs(f - t)
            if not np.isnan(p):
                answered += 1
                sparse += abs(p - t) > 2
    assert got.density == pytest.approx(100 * answered / seen)
    assert got.sparse_2 == pytest.approx(100 * sparse / max(answered, 1))
    assert got.dense_2 == pytest.approx(100 * dense / seen)
    assert got.dense_mae_px == pytest.approx(total / seen, rel=1e-5)
    assert got.all_2 == pytest.approx(100 * all_2 / known)
    assert got.d1_all == pytest.approx(100 * d1 / known)


@given(st.integers(1, 60), st.integers(0, 2**31))
def test_sparsification_area_equals_the_closed_form(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    error, confidence = rng.exponential(1, count), rng.permutation(count) / count
    # A pixel kept as the r-th takes part in the means of r, r + 1, ..., n pixels.
    weight = [sum(1 / k for k in range(r, count + 1)) for r in range(1, count + 1)]
    kept_as = np.argsort(np.argsort(-confidence))
    ideally = np.argsort(np.argsort(error))
    expected = sum(
        e * (weight[a] - weight[b]) for e, a, b in zip(error, kept_as, ideally, strict=True)
    )
    assert sparsification_area(error, confidence) == pytest.approx(expected / count, abs=1e-9)
    assert sparsification_area(error, -error) == pytest.approx(0, abs=1e-12)


def test_metrics_judge_the_order_of_confidence_over_visible_answers_only() -> None:
    truth = np.full((1, 6), 10, np.float32)
    px = np.float32([[10, 11, 14, NAN, 10, 90]])
    visible = np.array([[True, True, True, True, True, False]])
    confidence = np.float32([[0.9, 0.1, 0.5, 0, 0.8, 1]])
    got = evaluate(px, truth, visible=visible, confidence=confidence)
    # kept in the order of confidence: errors 0, 0, 4, 1; ideally 0, 0, 1, 4
    assert got.ause_px == pytest.approx((0 + 0 + 4 / 3 + 5 / 4 - 0 - 0 - 1 / 3 - 5 / 4) / 4)
    assert np.isnan(evaluate(px, truth, visible=visible).ause_px)
    with pytest.raises(InputError, match="confidence: expected shape"):
        evaluate(px, truth, visible=visible, confidence=confidence[:, 1:])


def test_metrics_count_how_often_the_error_bar_holds_over_all_known_answers() -> None:
    truth = np.float32([[10, 10, 10, 10, NAN, 10]])
    px = np.float32([[10, 11, 12, NAN, 10, 15]])
    sigma = np.full_like(px, 1)
    got = evaluate(px, truth, visible=np.arange(6)[None] < 3, sigma_px=sigma)
    assert (got.sigma_1, got.sigma_2, got.sigma_3) == (50, 75, 75)  # of four; one is hidden
    assert np.isnan(evaluate(px, truth, visible=truth > 0).sigma_2)


def test_errors_are_counted_near_steps_of_depth_and_on_smooth_surfaces() -> None:
    truth = np.full((40, 80), 10, np.float32)
    truth[:, 40:] = 30
    image = np.full(truth.shape, 90, np.uint8)
    image[:, 60:] = np.random.default_rng(0).integers(0, 255, (40, 20))
    px = truth.copy()
    px[:, 36:44] += 5  # 8 of the 18 columns near the step
    px[:20, 57:] += 5  # most of it is textured
    got = evaluate(px, truth, visible=truth > 0, image=image)
    assert got.edge_2 == pytest.approx(100 * 8 / 18)
    assert got.smooth_2 == pytest.approx(100 * 8 / 56)
    flat = evaluate(px, truth * 0 + 7, visible=truth > 0)
    assert np.isnan([flat.edge_2, flat.smooth_2]).all()


def test_unknown_truth_beside_a_pixel_is_no_step_of_depth() -> None:
    truth = np.float32([[NAN, 5, NAN, 90, 90, NAN]])
    assert not near_edges(truth).any()
    truth[0, 2] = 5
    assert near_edges(truth).all()


def test_means_leave_out_pairs_that_have_no_such_figure() -> None:
    px = np.float32([[1, 2]])
    with_bar = evaluate(px, px, visible=px > 0, sigma_px=px)
    without = evaluate(px, px + 9, visible=px > 0)
    mean = mean_of([with_bar, without])
    assert (mean.sigma_2, mean.dense_2) == (100, 50)
    assert np.isnan(mean.ause_px)


def test_evaluation_refuses_what_cannot_be_compared() -> None:
    px = np.ones((2, 3), np.float32)
    with pytest.raises(InputError, match="truth: expected shape"):
        evaluate(px, px[:1], visible=px > 0)
    with pytest.raises(InputError, match="no visible pixel"):
        evaluate(px, px * NAN, visible=px > 0)


def test_visibility_from_two_truths() -> None:
    left = np.float32([[2, 2, 2, 2, 3]])
    right = np.float32([[2, 2, 2, 2, 2]])
    seen = visible_from_truths(left, right)
    np.testing.assert_array_equal(seen, [[False, False, True, True, True]])


def test_sparsification_is_zero_for_the_perfect_order_and_positive_for_the_reverse() -> None:
    error = np.arange(100, dtype=float)
    assert sparsification_area(error, -error) == pytest.approx(0)
    assert sparsification_area(error, error) > 20
