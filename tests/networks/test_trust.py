"""What both views and both images make of a network's disparity."""

from __future__ import annotations

import numpy as np
import pytest
from support import shifted_pair

from stereo.gray import gray8_pair
from stereo.networks.trust import SURE, UNSEEN, agreement, likeness, trust

SHIFT = 9


def test_a_band_of_rows_is_judged_as_the_whole_image_is() -> None:
    pair = shifted_pair(0, SHIFT)
    rng = np.random.default_rng(0)
    px, back = (rng.normal(SHIFT, 2, pair.left.shape).astype(np.float32) for _ in range(2))
    px[40:50, 60:90] = np.nan
    found = trust(px, back[:, ::-1], pair.left, pair.right)
    whole = agreement(px, back) * likeness(*gray8_pair(pair.left, pair.right), px)
    whole[np.isnan(px)] = 0
    np.testing.assert_allclose(found, whole, atol=1e-6)


def test_views_that_agree_are_sure_and_what_is_not_seen_is_a_guess() -> None:
    px = np.full((4, 30), SHIFT, np.float32)
    for off, sure in ((0, SURE), (1, SURE / 2), (3, SURE / 10)):
        confidence = agreement(px, px + np.float32(off))
        assert confidence[:, SHIFT:] == pytest.approx(sure)
        assert confidence[:, :SHIFT] == pytest.approx(UNSEEN)


def test_images_that_agree_at_a_disparity_speak_for_it() -> None:
    pair = shifted_pair(1, SHIFT)
    left, right = gray8_pair(pair.left, pair.right)
    inside = np.s_[8:-8, 24:-8]
    right_px, wrong_px = (np.full(left.shape, px, np.float32) for px in (SHIFT, SHIFT + 4))
    at_right, at_wrong = (likeness(left, right, px)[inside] for px in (right_px, wrong_px))
    assert np.mean(at_right > at_wrong) > 0.99
    assert 1 - np.median(at_right) < 0.3 * (1 - np.median(at_wrong))
