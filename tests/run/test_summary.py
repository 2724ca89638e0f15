"""What speaks against a result is said."""

from __future__ import annotations

import numpy as np
import pytest

from stereo.cloud import point_cloud
from stereo.depth import depth_frame
from stereo.frame import DisparityMap, RectifiedPair, SearchRange, StereoGeometry
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.result import CloudOptions, StereoResult
from stereo.run.check import RowCheck
from stereo.run.summary import cloud_facts, summarize


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


@pytest.mark.parametrize(("offset_px", "said"), [(-9.6, "9.6 px above"), (9.6, "9.6 px below")])
def test_rows_are_said_with_a_positive_number(offset_px: float, said: str) -> None:
    px = np.full((40, 60), 20, np.float32)
    image = np.zeros(px.shape, np.uint8)
    result = StereoResult(RectifiedPair(image, image), DisparityMap(px, np.ones_like(px)), None)
    pipeline = StereoPipeline(Rectification.already_rectified())
    rows = RowCheck(offset_px, 9.6, 100)
    (warning,) = summarize(pipeline, result, rows, {}, 0.1)["warnings"]
    assert f"left {said} right" in warning


def test_what_is_left_out_of_the_cloud_is_counted() -> None:
    px = np.full((10, 10), 20, np.float32)
    px[0] = np.nan
    px[1:4] = 0.5  # 0.15 px of error are 30 % of it
    disparity = DisparityMap(px, np.where(np.isnan(px), 0, 1).astype(np.float32))
    image = np.zeros(px.shape, np.uint8)
    depth = depth_frame(disparity, StereoGeometry(300, 0.1, 5, 5), image)
    result = StereoResult(RectifiedPair(image, image), disparity, depth)
    facts = cloud_facts(result, CloudOptions())
    assert facts == {
        "cloud_left_out": 30, "cloud_left_out_share": 0.3333, "max_relative_sigma": 0.25
    }  # fmt: skip
    assert len(result.cloud()) == 60
    all_of_it = CloudOptions(max_relative_sigma=np.inf)
    assert cloud_facts(result, all_of_it)["cloud_left_out"] == 0
    assert len(result.cloud(max_relative_sigma=np.inf)) == len(point_cloud(depth)) == 90
    with pytest.raises(ValueError, match="positive share"):
        CloudOptions(max_relative_sigma=0)
