"""What speaks against a result is said."""

from __future__ import annotations

import numpy as np
import pytest

from stereo.frame import DisparityMap, RectifiedPair, SearchRange
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.result import StereoResult
from stereo.run.check import RowCheck
from stereo.run.summary import summarize


def warnings(disparity_px: float, searched: SearchRange | None) -> list[str]:
    px = np.full((40, 60), disparity_px, np.float32)
    image = np.zeros(px.shape, np.uint8)
    disparity = DisparityMap(px, np.ones_like(px), searched)
    result = StereoResult(RectifiedPair(image, image), disparity, None)
    pipeline = StereoPipeline(Rectification.already_rectified())
    found: list[str] = summarize(pipeline, result, RowCheck(0, 0, 100), {}, 0.1)["warnings"]
    return found


@pytest.mark.parametrize("found", [True, False])
def test_things_nearer_than_the_search_reaches_are_said(found: bool) -> None:
    """Also where the range was found from the pair."""
    searched = SearchRange(0, 32, found=found)
    (warning,) = warnings(31, searched)
    assert "near end of the disparity range" in warning
    assert "--num-disparities" in warning
    assert not warnings(20, searched)


def test_a_matcher_that_does_not_say_its_range_is_not_judged_by_it() -> None:
    assert not warnings(31, None)
