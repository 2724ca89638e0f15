"""The whole algorithm on the sample room, whose truth is exact, and on real pairs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support import textured_pair

from calib import StereoRig, load_rig
from stereo.errors import StereoError, SwappedPairError
from stereo.files.images import read_image
from stereo.frame import RectifiedPair, StereoFrame
from stereo.matching import make_matcher, sgm
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.result import StereoResult
from stereo.run.check import check_rows, check_swapped
from stereo.synthetic import ROOM_POSE, room_scene, truth_depth


@pytest.fixture(scope="module")
def room(sample_data: Path) -> tuple[Rectification, StereoFrame]:
    rig = load_rig(sample_data / "room" / "rig.yaml")
    assert isinstance(rig, StereoRig)
    images = (read_image(sample_data / "room" / f"{side}.png") for side in ("left", "right"))
    return Rectification.from_rig(rig), StereoFrame(*images)


@pytest.fixture(scope="module", params=["sgm", "sgbm"])
def result(room: tuple[Rectification, StereoFrame], request: pytest.FixtureRequest) -> StereoResult:
    if request.param == "sgm" and not sgm.is_available():
        pytest.skip("native matcher not built")
    rect, frame = room
    return StereoPipeline(rect, make_matcher(request.param, num_disparities=128)).process(frame)


@pytest.fixture(scope="module")
def truth(room: tuple[Rectification, StereoFrame]) -> np.ndarray:
    rect, _ = room
    assert rect.geometry is not None
    assert rect.size is not None
    return truth_depth(room_scene(), rect.geometry.K, rect.size, ROOM_POSE, R_rect=rect.R_rect_left)


def rectified_mask(rect: Rectification, path: Path) -> np.ndarray:
    assert rect.maps_left is not None
    return cv2.remap(read_image(path), *rect.maps_left, cv2.INTER_NEAREST) > 127


def test_depth_of_textured_visible_pixels_is_right(
    room: tuple[Rectification, StereoFrame],
    result: StereoResult,
    truth: np.ndarray,
    sample_data: Path,
) -> None:
    """Median absolute error below 0.5 % of depth."""
    rect, _ = room
    assert result.depth is not None
    z = result.depth.depth_m
    chosen = np.isfinite(z)
    for name in ("visible_left.png", "textured_left.png"):
        chosen &= rectified_mask(rect, sample_data / "room" / name)
    assert chosen.mean() > 0.3
    error = np.abs(z - truth)[chosen] / truth[chosen]
    assert np.median(error) < 0.005


def test_the_error_bar_holds_the_truth(result: StereoResult, truth: np.ndarray) -> None:
    """Within two sigma on at least 90 % of all pixels that have a depth."""
    assert result.depth is not None
    z, sigma = result.depth.depth_m, result.depth.sigma_m
    known = np.isfinite(z)
    assert np.mean(np.abs(z - truth)[known] <= 2 * sigma[known]) > 0.90


def test_rows_of_the_rectified_room_align(result: StereoResult) -> None:
    rows = check_rows(result.pair)
    assert rows.matches > 100
    assert rows.typical_px < 0.5
    assert rows.aligned


def test_rows_of_the_raw_room_do_not(room: tuple[Rectification, StereoFrame]) -> None:
    _, frame = room
    rows = check_rows(RectifiedPair(frame.left, frame.right))
    assert rows.typical_px > 2.5
    assert not rows.aligned


@pytest.mark.parametrize("offset", [3, -4])
def test_row_offset_is_measured_with_its_sign(offset: int, sample_data: Path) -> None:
    image = read_image(sample_data / "room" / "left.png")
    moved = np.roll(image, offset, axis=0)
    rows = check_rows(RectifiedPair(image[20:-20], moved[20:-20]))
    assert rows.offset_px == pytest.approx(-offset, abs=0.2)


@pytest.mark.parametrize("below_px", [0.3, 0.5, 0.8, 1.2, -0.6])
def test_a_part_of_a_pixel_is_told_as_it_is(below_px: float, sample_data: Path) -> None:
    image = read_image(sample_data / "room" / "left.png")
    move = np.array([[1, 0, -9], [0, 1, below_px]])
    moved = cv2.warpAffine(image, move, image.shape[1::-1], flags=cv2.INTER_CUBIC)
    rows = check_rows(RectifiedPair(image[20:-20], moved[20:-20]))
    assert rows.offset_px == pytest.approx(-below_px, abs=0.05)


@pytest.mark.parametrize("shape", [(8, 20_000), (20_000, 8), (1, 3000)])
def test_a_strip_says_nothing(shape: tuple[int, int]) -> None:
    strip = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    assert np.isnan(check_rows(RectifiedPair(strip, strip)).offset_px)


def test_too_few_features_say_nothing() -> None:
    flat = np.full((100, 100), 128, np.uint8)
    rows = check_rows(RectifiedPair(flat, flat))
    assert np.isnan(rows.offset_px)
    assert rows.aligned
    assert check_rows(RectifiedPair(flat[:5], flat[:5])).matches == 0


def test_swapped_pair_is_detected_from_the_match() -> None:
    pair = textured_pair(12.0)
    pipeline = StereoPipeline(
        Rectification.already_rectified(), make_matcher("sgbm", num_disparities=32)
    )
    right_way = StereoFrame(pair.left, pair.right)
    result = pipeline.process(right_way)
    check_swapped(pipeline, right_way, result, check_rows(result.pair))
    swapped = StereoFrame(pair.right, pair.left)
    result = pipeline.process(swapped)
    with pytest.raises(SwappedPairError, match=r"swapped: only.*--swap"):
        check_swapped(pipeline, swapped, result, check_rows(result.pair))


def test_swapped_pair_is_detected_though_the_range_finds_itself() -> None:
    """An automatic range follows the matches behind infinity, where nothing can be."""
    pair = textured_pair(20.0, size=(480, 200))
    pipeline = StereoPipeline(
        Rectification.already_rectified(), make_matcher("sgbm", num_disparities="auto")
    )
    swapped = StereoFrame(pair.right, pair.left)
    result = pipeline.process(swapped)
    with pytest.raises(SwappedPairError, match=r"behind infinity.*--swap"):
        check_swapped(pipeline, swapped, result, check_rows(result.pair))


def test_swapped_raw_images_are_detected_by_their_rows(
    room: tuple[Rectification, StereoFrame],
) -> None:
    rect, frame = room
    pipeline = StereoPipeline(rect, make_matcher("sgbm", num_disparities=128))
    swapped = StereoFrame(frame.right, frame.left)
    result = pipeline.process(swapped)
    with pytest.raises(SwappedPairError, match=r"rows differ.*--swap"):
        check_swapped(pipeline, swapped, result, check_rows(result.pair))


def test_without_calibration_there_is_disparity_and_no_depth() -> None:
    pair = textured_pair(5.0)
    pipeline = StereoPipeline(
        Rectification.already_rectified(), make_matcher("sgbm", num_disparities=16)
    )
    result = pipeline.process(StereoFrame(pair.left, pair.right))
    assert result.depth is None
    assert result.disparity.valid_share > 0.9
    with pytest.raises(StereoError, match="no point cloud without metric depth"):
        result.cloud()


def test_16_bit_and_odd_sizes_go_through(room: tuple[Rectification, StereoFrame]) -> None:
    rect, frame = room
    deep = StereoFrame(
        frame.left.astype(np.uint16) * 16, cv2.cvtColor(frame.right, cv2.COLOR_RGB2GRAY)
    )
    result = StereoPipeline(rect, make_matcher("sgbm", num_disparities=128)).process(deep)
    assert result.disparity.valid_share > 0.5
    assert len(result.cloud()) > 100_000


@pytest.mark.parametrize(
    ("name", "least_density", "most_bad_2"),
    [("motorcycle_q", 90, 4.5), ("cones", 90, 4.0), ("reindeer", 90, 4.0)],
)
def test_real_pairs_match_their_ground_truth(
    shared_data: Path, name: str, least_density: float, most_bad_2: float
) -> None:
    """Tolerances are the figures of benchmarks/accuracy.py with about half a point of room."""
    from stereo.evaluation.evaluate import evaluate
    from stereo.evaluation.manifest import load_manifest

    item = next(p for p in load_manifest(shared_data / "pairs.json") if p.name == name)
    pipeline = StereoPipeline(
        Rectification.already_rectified(),
        make_matcher("sgbm", num_disparities=item.num_disparities),
    )
    pair = item.pair()
    px = pipeline.process(StereoFrame(pair.left, pair.right)).disparity.px
    truth = item.truth()
    metrics = evaluate(px, truth, visible=item.visible(truth))
    assert metrics.density > least_density
    assert metrics.sparse_2 < most_bad_2
