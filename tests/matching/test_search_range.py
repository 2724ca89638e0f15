from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from sgm_reference import random_pair

from stereo.errors import InputError
from stereo.frame import RectifiedPair, SearchRange, StereoGeometry
from stereo.matching import sgm
from stereo.matching.search_range import find_search_range, search_range_for_depths

DATA = Path(__file__).parents[2] / "../shared/data"


@pytest.fixture(params=["native", "opencv"])
def backend(request, monkeypatch):
    if request.param == "opencv":
        monkeypatch.setattr("stereo.native._native", None)
    elif not sgm.is_available():
        pytest.skip("native matcher not built")


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shift", [3, 40, 110])
def test_a_shifted_texture_lies_in_the_range_found(shift, dtype):
    left, right = random_pair(1, 240, 480, shift, dtype, smooth=15)
    left, right = (cv2.GaussianBlur(image, (0, 0), 3) for image in (left, right))
    found = find_search_range(RectifiedPair(left, right))
    assert found.support > 0.3
    assert found.min_disparity <= shift <= found.max_disparity
    assert found.num_disparities <= shift + 80


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (300, 2), (240, 320)])
def test_without_texture_the_range_is_a_guess_that_says_so(shape):
    flat = np.full(shape, 99, np.uint8)
    found = find_search_range(RectifiedPair(flat, flat))
    assert found.support == 0
    assert found.min_disparity <= 0 < found.num_disparities


def pairs():
    manifest = DATA / "pairs.json"
    return json.loads(manifest.read_text())["pairs"] if manifest.exists() else []


def read_truth(path: Path) -> np.ndarray:
    if path.suffix != ".pfm":
        return cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float32)
    with path.open("rb") as file:
        header: list[bytes] = []
        while len(header) < 4:
            header += file.readline().split()
        channels = 3 if header[0] == b"PF" else 1
        order = "<f4" if float(header[3]) < 0 else ">f4"
        values = np.frombuffer(file.read(), order)
    return values.reshape(int(header[2]), int(header[1]), channels)[::-1, :, 0]


@pytest.mark.usefixtures("backend")
@pytest.mark.skipif(not pairs(), reason="needs ../shared/data/pairs.json")
@pytest.mark.parametrize("entry", pairs(), ids=lambda entry: entry["name"])
def test_the_range_covers_the_truth_of_every_real_pair(entry):
    left, right = (
        cv2.cvtColor(cv2.imread(str(DATA / entry[side])), cv2.COLOR_BGR2RGB)
        for side in ("left", "right")
    )
    truth = np.abs(read_truth(DATA / entry["ground_truth"])) / entry["ground_truth_divisor"]
    truth = truth[np.isfinite(truth) & (truth > 0)]
    found = find_search_range(RectifiedPair(left, right))
    inside = (truth >= found.min_disparity) & (truth <= found.max_disparity)
    assert inside.mean() > 0.9999
    assert found.num_disparities <= 2.2 * entry["num_disparities"]


GEOMETRY = StereoGeometry(focal_px=700, baseline_m=0.1, cx_px=320, cy_px=240, doffs_px=5)


def test_depths_of_interest_lie_in_their_range():
    found = search_range_for_depths(GEOMETRY, min_depth_m=0.5, max_depth_m=10)
    for depth_m in (0.5, 1, 10):
        disparity = 70 / depth_m - 5
        assert found.min_disparity <= disparity <= found.max_disparity
    assert found.num_disparities < 140


def test_no_largest_depth_means_infinity():
    assert search_range_for_depths(GEOMETRY, min_depth_m=1).min_disparity == -5


@pytest.mark.parametrize(("low", "high"), [(0, 1), (2, 1), (math.nan, 1), (1, 1)])
def test_senseless_depths_are_refused(low, high):
    with pytest.raises(InputError, match="0 < min_depth_m < max_depth_m"):
        search_range_for_depths(GEOMETRY, min_depth_m=low, max_depth_m=high)


def test_depths_that_need_too_many_disparities_are_refused():
    with pytest.raises(InputError, match="raise the smallest depth"):
        search_range_for_depths(GEOMETRY, min_depth_m=0.001)


def test_found_ranges_are_multiples_of_16():
    left, right = random_pair(2, 100, 200, 10, smooth=9)
    assert find_search_range(RectifiedPair(left, right)).num_disparities % 16 == 0
    assert SearchRange(-3, 16).max_disparity == 12
