"""Maps are read, matched to their pair, checked for their scale, and scored as the kits define."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import devkits
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifests import make_manifest

from stereo.errors import ImageError, InputError
from stereo.evaluation.estimates import Estimate, Matching, Predictions
from stereo.evaluation.evaluate import evaluate
from stereo.evaluation.layouts import load_pairs
from stereo.evaluation.manifest import load_manifest
from stereo.evaluation.scale import FACTORS, factor_between
from stereo.evaluation.scoring import check_scale, score_pair, truth_of
from stereo.evaluation.sparsification import DROPPED_PERCENT, sparsification_curve
from stereo.files import outputs
from stereo.files.archives import read_npz
from stereo.frame import StereoGeometry

SHAPE = (120, 320)


def a_map(value: float = 4.0) -> np.ndarray:
    px = np.full(SHAPE, value, np.float32)
    px[50, 60:70] = np.nan
    return px


@given(st.integers(0, 2**31))
def test_every_figure_equals_the_development_kits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0.5, 90, (9, 11)).astype(np.float32)
    px = (truth + rng.normal(0, 3, truth.shape) * (rng.random(truth.shape) < 0.6)).astype(
        np.float32
    )
    truth[rng.random(truth.shape) < 0.2] = np.nan
    px[rng.random(px.shape) < 0.2] = np.nan
    px[3] = np.nan if seed % 2 else px[3]
    truth[0, 0] = px[0, 0] = 7
    seen, objects = rng.random((2, *truth.shape)) < 0.6
    seen[0, 0] = True
    geometry = StereoGeometry(100, 0.1, 5, 5, 1.5)
    ours = evaluate(px, truth, visible=seen, foreground=objects, geometry=geometry)
    told = devkits.every_figure(
        *(each.astype(np.float64) for each in (px, px, truth)), seen, objects, (100, 0.1, 1.5)
    )
    for name, value in told.items():
        assert getattr(ours, name) == pytest.approx(value, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize("name", ["kitti_000046", "motorcycle_q"])
def test_figures_equal_the_development_kits_on_real_pairs(shared_data: Path, name: str) -> None:
    item = next(each for each in load_manifest(shared_data / "pairs.json") if each.name == name)
    scored = score_pair(item, Matching("sgbm", "sgbm"))
    rig = item.geometry()
    told = devkits.every_figure(
        *(np.asarray(m, float) for m in (scored.estimate.px, scored.filled, scored.truth)),
        scored.visible,
        None,
        None if rig is None else (rig.focal_px, rig.baseline_m, rig.doffs_px),
    )
    for figure, value in told.items():
        ours = getattr(scored.score.metrics, figure)
        assert ours == pytest.approx(value, abs=1e-6, nan_ok=True), figure
    assert scored.score.time_s > 0


def test_a_sparsification_curve_begins_with_all_pixels_and_ends_with_the_best() -> None:
    error = np.arange(100.0)
    curve, ideal = sparsification_curve(error, -error)
    assert curve == ideal
    assert curve[0] == pytest.approx(error.mean())
    assert curve[-1] == pytest.approx(error[:5].mean())
    assert len(curve) == len(DROPPED_PERCENT)
    assert sparsification_curve(error[:0], error[:0]) == ((), ())


@pytest.mark.parametrize(
    "write",
    [
        lambda f: outputs.write_disparity_pfm(f / "a.pfm", a_map()),
        lambda f: outputs.write_disparity_png16(f / "a.png", a_map()),
        lambda f: outputs.write_npy(f / "a.npy", a_map()),
        lambda f: outputs.write_tiff(f / "a.tiff", a_map()),
        lambda f: np.savez(f / "a.npz", disparity=a_map(), confidence=a_map(), sigma_px=a_map()),
        lambda f: np.savez(f / "a.npz", what_ever=np.nan_to_num(a_map(), nan=-1)),
        lambda f: [(f / "a").mkdir(), outputs.write_disparity_pfm(f / "a/disp0X.pfm", a_map())],
        lambda f: [(f / "disp").mkdir(), outputs.write_disparity_png16(f / "disp/a.png", a_map())],
    ],
    ids=["pfm", "png", "npy", "tiff", "npz", "npz of one", "middlebury", "kitti"],
)  # fmt: skip
def test_predictions_are_read_in_every_form(tmp_path: Path, write: object) -> None:
    (item,) = load_pairs(make_manifest(tmp_path))
    folder = tmp_path / "maps"
    folder.mkdir()
    write(folder)  # type: ignore[operator]
    predictions = Predictions(folder)
    predictions.check([item])
    scored = score_pair(item, predictions)
    np.testing.assert_array_equal(scored.estimate.px, a_map())
    assert scored.score.metrics.dense_2 == 0
    assert scored.score.metrics.density < 100
    assert np.isnan(scored.score.time_s)


def test_predictions_that_are_missing_or_do_not_fit_are_named(tmp_path: Path) -> None:
    (item,) = load_pairs(make_manifest(tmp_path))
    with pytest.raises(InputError, match="maps: no such folder of predictions"):
        Predictions(tmp_path / "maps").check([item])
    (tmp_path / "maps").mkdir()
    predictions = Predictions(tmp_path / "maps")
    with pytest.raises(InputError, match=r"no prediction for 1 of 1 pairs: a; expected a\.pfm"):
        predictions.check([item])
    outputs.write_npy(tmp_path / "maps/a.npy", a_map()[:, 1:])
    with pytest.raises(InputError, match=r"a\.npy: is 319x120, the images of pair 'a' are 320x120"):
        score_pair(item, predictions)
    outputs.write_npy(tmp_path / "maps/a.npy", -a_map())
    with pytest.raises(InputError, match=r"a\.npy: holds no disparity of at least 0"):
        score_pair(item, predictions)
    (tmp_path / "maps/a.npy").unlink()
    for content, message in ((b"PK\x03\x04", "no whole npz"), (b"", "a.npz")):
        (tmp_path / "maps/a.npz").write_bytes(content)
        with pytest.raises(ImageError, match=message):
            score_pair(item, predictions)
    np.savez(tmp_path / "maps/a.npz", one=a_map(), two=a_map())
    with pytest.raises(InputError, match="holds one, two; one array is expected"):
        score_pair(item, predictions)


@given(st.integers(0, 2**31))
def test_a_spoilt_archive_is_refused_and_nothing_else_happens(seed: int) -> None:
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, disparity=rng.integers(0, 9, (6, 7)).astype(np.float32))
    data = bytearray(buffer.getvalue())
    for place in rng.integers(0, len(data), 3):
        data[place] = rng.integers(0, 256)
    with TemporaryDirectory() as folder, suppress(ImageError):
        (Path(folder) / "a.npz").write_bytes(data[: rng.integers(1, len(data) + 1)])
        read_npz(Path(folder) / "a.npz", ["disparity"])


def test_an_archive_of_no_maps_is_refused(tmp_path: Path) -> None:
    for arrays in ({"a": np.zeros((2, 2, 2))}, {"a": np.array(["x"])}, {"a": np.array([{}])}):
        np.savez(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
        with pytest.raises(ImageError, match=r"a\.npz: "):
            read_npz(tmp_path / "a.npz", ["disparity"])


@pytest.mark.parametrize("factor", FACTORS)
def test_a_wrong_scale_of_the_truth_is_named_with_the_divisor_that_fits(
    tmp_path: Path, factor: float
) -> None:
    path = make_manifest(tmp_path, ground_truth="t.pfm", num_disparities=32)
    px = np.tile(np.linspace(10, 24, SHAPE[1], dtype=np.float32), (SHAPE[0], 1))
    (tmp_path / "maps").mkdir()
    entry = json.loads(path.read_text())["pairs"][0]
    for wrong, word in ((factor, "small"), (1 / factor, "large")):
        outputs.write_disparity_pfm(tmp_path / "maps/a.pfm", px)
        outputs.write_disparity_pfm(tmp_path / "t.pfm", px * 16)
        entry["ground_truth_divisor"] = 16 * wrong
        path.write_text(json.dumps({"pairs": [entry]}))
        (item,) = load_manifest(path)
        with pytest.raises(
            InputError,
            match=f"the truth looks {factor:.0f} times too {word}: ground_truth_divisor 16",
        ):
            check_scale(item, Estimate(px), item.truth(), predicted=False)
        with pytest.raises(InputError, match=f"predictions look {factor:.0f} times too"):
            score_pair(item, Predictions(tmp_path / "maps"))


def test_a_map_that_is_only_bad_is_not_called_wrong_in_scale() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(5, 60, SHAPE).astype(np.float32)
    assert factor_between(truth, truth) is None
    assert factor_between(rng.uniform(5, 60, SHAPE).astype(np.float32), truth) is None
    assert factor_between(truth + 10, truth) is None
    assert factor_between(np.full(SHAPE, np.nan, np.float32), truth) is None


def test_a_truth_of_another_size_is_named_with_the_ratio(tmp_path: Path) -> None:
    (item,) = load_pairs(make_manifest(tmp_path))
    outputs.write_image_png(tmp_path / "t.png", np.full((240, 640), 32, np.uint8))
    with pytest.raises(InputError, match=r"640x240, the images are 320x120; .* 2 times as large"):
        truth_of(item, item.pair())
