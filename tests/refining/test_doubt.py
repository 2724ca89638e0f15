"""What a finished map's confidence is made of."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from stereo.depth import disparity_sigma
from stereo.frame import DisparityMap, RectifiedPair
from stereo.matching import make_matcher, sgm
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.refining.doubt import DoubtTable, clues, judged
from stereo.refining.surfaces import PLANE_CONFIDENCE

NAN = np.float32(np.nan)
STEP_AT = 81  # column of the depth edge in ``scene``


def scene(seed: int = 0) -> tuple[DisparityMap, RectifiedPair]:
    """A textured wall at 6 px and, right of column 81, one at 16 px in front of it; all sure."""
    rng = np.random.default_rng(seed)
    px = np.full((60, 160), 6, np.float32)
    px[:, STEP_AT:] = 16
    right = rng.integers(0, 255, (60, 160), dtype=np.uint8)
    columns = np.maximum(np.arange(160) - px.astype(int), 0)
    left = np.take_along_axis(right, columns, axis=1)
    return DisparityMap(px, np.full_like(px, 0.95)), RectifiedPair(left, right)


def of(disparity: DisparityMap, *, px: np.ndarray | None = None, c: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    return DisparityMap(
        disparity.px if px is None else px, disparity.confidence if c is None else c
    )


def test_a_map_is_judged_and_not_changed() -> None:
    disparity, pair = scene()
    px = disparity.px.copy()
    px[20:30, 30:50] = NAN
    holed = of(disparity, px=px, c=np.where(np.isnan(px), np.float32(0), disparity.confidence))
    got = judged(holed, pair)
    np.testing.assert_array_equal(got.px, px)
    assert got.confidence.dtype == np.float32
    np.testing.assert_array_equal(got.confidence > 0, np.isfinite(px))
    assert got.confidence.max() < 1
    np.testing.assert_array_equal(got.confidence, judged(holed, pair).confidence)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (33, 41)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_size_and_depth_of_image(shape: tuple[int, int], dtype: type) -> None:
    image = np.full((*shape, 3), 90, dtype)
    for value in (3, NAN):
        px = np.full(shape, value, np.float32)
        known = np.isfinite(px)
        got = judged(DisparityMap(px, 0.5 * known.astype(np.float32)), RectifiedPair(image, image))
        assert got.confidence.shape == shape
        np.testing.assert_array_equal(got.confidence > 0, known)


def noise(shape: tuple[int, int], dtype: type = np.uint8) -> tuple[DisparityMap, RectifiedPair]:
    """Disparities without any order, holes, planes and confidences of every kind."""
    rng = np.random.default_rng(shape[0] * shape[1])
    px = rng.uniform(-20, 300, shape).astype(np.float32)
    c = np.where(rng.random(shape) < 0.2, np.float32(PLANE_CONFIDENCE), rng.random(shape))
    hole = rng.random(shape) < 0.2
    px[hole], c[hole] = NAN, 0
    views = (rng.integers(0, 255, shape).astype(dtype) for _ in range(2))
    return DisparityMap(px, c.astype(np.float32)), RectifiedPair(*views)


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (64, 1), (31, 33), (250, 301)])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_native_way_is_that_of_numpy_to_the_bit(
    shape: tuple[int, int], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not sgm.is_available():
        pytest.skip("the native module was not built")
    for disparity, pair in (noise(shape), noise(shape, np.uint16)):
        native = judged(disparity, pair, threads=threads).confidence
        with monkeypatch.context() as without:
            without.setattr("stereo.native._native", None)
            np.testing.assert_array_equal(judged(disparity, pair).confidence, native)


@pytest.mark.parametrize("simd", ["baseline", "avx2"])
def test_every_instruction_set_judges_alike(simd: str) -> None:
    if not sgm.is_available() or sgm.simd_level() not in ("avx2", "avx512"):
        pytest.skip("one instruction set only")
    code = (
        "import sys, numpy as np; from refining.test_doubt import judged, noise;"
        "np.save(sys.argv[1], judged(*noise((60, 131))).confidence)"
    )
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        subprocess.run(
            [sys.executable, "-c", code, file.name],
            check=True,
            env=os.environ | {"STEREO_SIMD": simd, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        np.testing.assert_array_equal(np.load(file.name), judged(*noise((60, 131))).confidence)


def test_what_lies_beside_an_edge_of_depth_is_doubted() -> None:
    confidence = judged(*scene()).confidence
    inside, beside = confidence[:, 30:50].mean(), confidence[:, STEP_AT - 6 : STEP_AT + 6].mean()
    assert inside > 0.95
    assert 1 - beside > 1.2 * (1 - inside)


def test_what_the_images_deny_is_doubted() -> None:
    disparity, pair = scene()
    wrong = of(disparity, px=disparity.px + 3)
    sure, denied = (judged(one, pair).confidence[:, 30:50].mean() for one in (disparity, wrong))
    assert 1 - denied > 3 * (1 - sure)


def test_what_lies_among_the_doubtful_is_doubted() -> None:
    disparity, pair = scene()
    c = np.full_like(disparity.confidence, 0.3)
    c[30, 40] = 0.95
    alone = judged(of(disparity, c=c), pair).confidence[30, 40]
    assert alone < judged(disparity, pair).confidence[30, 40]


def test_a_longer_exposure_of_one_camera_is_no_reason_for_doubt() -> None:
    disparity, pair = scene()
    darker = (pair.left // 2).astype(np.uint8), (pair.right // 2).astype(np.uint8)
    same = judged(disparity, RectifiedPair(*darker)).confidence
    lighter = judged(disparity, RectifiedPair(darker[0] + np.uint8(40), darker[1])).confidence
    np.testing.assert_allclose(lighter[:, 30:50].mean(), same[:, 30:50].mean(), atol=0.01)


def test_clues_say_what_their_names_say() -> None:
    disparity, pair = scene()
    own, around = clues(disparity, pair)
    assert own.shape == disparity.px.shape
    assert {plane.shape for plane in around.values()} == {(20, 54)}
    edge = STEP_AT // 3
    assert around["rise"][10, edge - 1] == 80  # 10 px, by eights
    assert around["rise"][10, edge] == 0
    assert around["drop"][10, edge + 4] == 80
    assert around["drop_near"][10, edge] == 80
    assert around["drop_near"][10, edge + 2] == 0
    assert around["differ"][8:14, 10:17].max() == 0


def test_points_are_added_between_knots_along_lines() -> None:
    disparity, pair = scene()
    nothing = ((0, 0.0), (255, 0.0))
    table = DoubtTable(
        dict.fromkeys(("around", "differ", "unlike", "drop", "drop_near", "rise"), nothing)
        | {"own": ((0, -2.0), (255, 2.0))}
    )
    for c in (0.1, 0.5, 0.9):
        got = judged(of(disparity, c=np.full_like(disparity.px, c)), pair, table).confidence
        logit = -2 + 4 * (1 - np.sqrt(1 - c))
        np.testing.assert_allclose(got, 1 / (1 + np.exp(-logit)), atol=0.02)


@pytest.mark.parametrize("name", ["teddy", "art", "midd1"])
def test_error_bars_hold_on_real_pairs(shared_data: Path, name: str) -> None:
    """Families left out of the fit are in benchmarks/RESULTS.md; this is that it is in use."""
    from stereo.evaluation.manifest import load_manifest

    manifests = (shared_data / "pairs.json", shared_data / "pairs_more.json")
    (item,) = (one for path in manifests for one in load_manifest(path) if one.name == name)
    matcher = make_matcher("sgbm", num_disparities=item.num_disparities)
    found = StereoPipeline(Rectification.already_rectified(), matcher).disparity(item.pair())
    truth = item.truth()
    known = np.isfinite(truth) & np.isfinite(found.px)
    error, c = np.abs(found.px - truth)[known], found.confidence[known]
    assert np.mean(error <= 2 * disparity_sigma(c)) > 0.88
    right = error <= 1
    for low in (0.2, 0.4, 0.6, 0.8):
        here = (c >= low) & (c < low + 0.2)
        # too modest it may be: midd1's walls are right, but nothing in the images proves a plane
        assert -0.2 < right[here].mean() - c[here].mean() < 0.35
