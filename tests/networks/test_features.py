"""A network's features as the code of our own matcher: which bits, whose, and what is refused."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("onnx", reason="makes the networks")

from nets import image_input, save_graph, save_net
from onnx import TensorProto, helper, numpy_helper
from sgm_reference import gain_to_8_bits, learned
from support import Cli, shifted_pair

from stereo.errors import MatcherError
from stereo.evaluation.manifest import load_manifest
from stereo.frame import RectifiedPair
from stereo.gray import gray_pair
from stereo.matching import SgmMatcher, SgmParams, make_matcher
from stereo.matching.code import CODE_BITS, learned_code
from stereo.networks import features as features_room
from stereo.networks.features import feature_extractor

FEATURES = 48
HALF = 3
"""Each feature is one pixel of a window of 7x7."""
PAIRS = Path(__file__).parents[3] / "shared" / "data" / "pairs.json"


def save_extractor(
    path: Path,
    *,
    features: int = FEATURES,
    shape: tuple[Any, ...] = (1, 1, "height", "width"),
    padded: bool = True,
    stride: int = 1,
    last: bool = False,
    times: float = 1.0,
) -> Path:
    """Feature k of a pixel is pixel k of its window, of the input's first channel."""
    channels = int(shape[1])
    weights = np.zeros((features, channels, 7, 7), np.float32)
    for k in range(features):
        weights[k, 0, k // 7, k % 7] = times
    pads = [HALF] * 4 if padded else [0] * 4
    nodes = [
        helper.make_node(
            "Conv", ["image", "weights"], ["all"], pads=pads, strides=[stride, stride]
        ),
        helper.make_node(
            "Transpose", ["all"], ["out"], perm=[0, 2, 3, 1] if last else [0, 1, 2, 3]
        ),
    ]
    out = [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)]
    constants = [numpy_helper.from_array(weights, "weights")]
    return save_graph(path, nodes, [image_input("image", list(shape))], out, constants)


def expected_code(image: NDArray[np.uint8], features: int = FEATURES) -> NDArray[np.uint8]:
    padded = np.pad(image, HALF, mode="edge")
    high, wide = image.shape
    bits = []
    for k in np.linspace(0, features - 1, CODE_BITS).round().astype(int):
        plane = padded[k // 7 : k // 7 + high, k % 7 : k % 7 + wide]
        bits.append(plane > np.median(plane[::4, ::4]))
    return np.packbits(bits, axis=0, bitorder="little").transpose(1, 2, 0)


def noise(high: int = 40, wide: int = 61) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (high, wide), np.uint8)


@pytest.mark.parametrize(
    "export",
    [
        {"padded": False},
        {"padded": False, "last": True},
        {"features": 12, "padded": False},
        {"shape": (1, 3, "height", "width"), "padded": False},
        {"shape": (1, 1, 64, 96), "padded": False},
    ],
    ids=["lacks its border", "channels last", "fewer than bits", "colour", "fixed size"],
)
def test_bits_are_the_signs_of_a_pixels_own_features(
    export: dict[str, Any], tmp_path: Path
) -> None:
    """To the very border, which is repeated."""
    path = save_extractor(tmp_path / "net.onnx", **export)
    left, right = noise(), noise()[:, ::-1].copy()
    codes = feature_extractor(f"{path}?preset=plain").codes(left, right, bits=CODE_BITS)
    for image, code in zip((left, right), codes, strict=True):
        np.testing.assert_array_equal(code, expected_code(image, export.get("features", FEATURES)))


def test_gain_and_offset_change_no_bit(tmp_path: Path) -> None:
    path = save_extractor(tmp_path / "net.onnx", padded=False)
    image = noise() // 3
    extractor = feature_extractor(f"{path}?preset=plain")
    one, other = extractor.codes(image, 2 * image + 40, bits=CODE_BITS)
    np.testing.assert_array_equal(one, other)


def test_a_coarser_output_is_brought_to_the_images_size(tmp_path: Path) -> None:
    path = save_extractor(tmp_path / "net.onnx", stride=4)
    scene = noise(128, 272)
    left, right = scene[:, :-16].copy(), scene[:, 16:].copy()
    extractor = feature_extractor(f"{path}?preset=plain")
    assert extractor.layout.border == 0
    one, other = extractor.codes(left, right, bits=CODE_BITS)
    assert one.shape == (*left.shape, CODE_BITS // 8)
    off = np.unpackbits(one[8:-8, 24:-8] ^ other[8:-8, 8:-24]).mean()
    assert off < 0.05  # the medians differ a little


@pytest.mark.parametrize("bits", [8, 16])
def test_the_learned_code_given_from_outside_changes_no_result(bits: int) -> None:
    pair = shifted_pair(3, 9)
    images = [np.asarray(v, np.uint16) << (bits - 8) for v in (pair.left, pair.right)]
    gain = gain_to_8_bits(*(image.astype(np.int64) for image in images))
    codes = tuple(
        np.packbits(learned(image.astype(np.int64), gain, learned_code()), -1, bitorder="little")
        for image in images
    )
    left, right = images if bits == 16 else [image.astype(np.uint8) for image in images]
    for paths, low in ((4, -7), (3, 2)):
        native = SgmMatcher(SgmParams(min_disparity=low, num_disparities=40, paths=paths))._matcher
        for own, given in zip(
            native.match(left, right), native.match(left, right, codes), strict=True
        ):
            np.testing.assert_array_equal(own, given)


def test_codes_decide_where_census_and_gradient_see_nothing() -> None:
    wide = np.random.default_rng(1).integers(0, 256, (40, 129, CODE_BITS // 8), np.uint8)
    blank = np.full((40, 120), 100, np.uint8)
    codes = wide[:, :-9].copy(), wide[:, 9:].copy()
    native = SgmMatcher(SgmParams(num_disparities=32))._matcher
    px, _ = native.match(blank, blank, codes)
    assert np.abs(px[4:-4, 40:-4] - 9).max() < 0.5
    with pytest.raises(ValueError, match="size of the images"):
        native.match(blank[1:], blank[1:], codes)


@pytest.mark.parametrize("matcher", ["sgm", "sgm-fast", "sgm-quality"])
def test_matchers_take_features_however_they_cut_the_images(matcher: str, tmp_path: Path) -> None:
    path = save_extractor(tmp_path / "net.onnx", padded=False)
    pair = shifted_pair(3, 9)
    for coarse in (False, True) if matcher != "sgm-quality" else (None,):
        params = {"features": f"{path}?preset=plain", "faint_levels": 255, "coarse_to_fine": coarse}
        found = make_matcher(matcher, num_disparities=32, **params).match(pair)
        inside = found.px[8:-8, 48:-8]
        assert np.isfinite(inside).mean() > 0.95
        assert np.nanmean(np.abs(inside - 9) < 0.5) > 0.98
    assert make_matcher(matcher, features=None) is not None


def refused(features: Any, words: str) -> None:
    with pytest.raises(MatcherError, match=words):
        make_matcher("sgm", features=features)


def test_what_is_no_feature_extractor_is_named(tmp_path: Path) -> None:
    refused(tmp_path, "must name a file")
    refused(f"{tmp_path}/none.onnx", "no such network file")
    refused(str(save_net(tmp_path / "stereo.onnx")), "stereo network is a matcher itself")
    path = save_extractor(tmp_path / "net.onnx")
    refused(str(path), r"which values it expects.*features=.*net.onnx\?preset=NAME")
    refused(f"{path}?presett=plain", "there is no 'presett'; did you mean preset")
    refused(f"{path}?preset=plainn", "unknown network preset 'plainn'")
    few = save_extractor(tmp_path / "few.onnx", features=3)
    refused(f"{few}?preset=plain", "no stack of at least 8 features for each pixel")
    pooled = save_graph(
        tmp_path / "pooled.onnx",
        [helper.make_node("GlobalAveragePool", ["image"], ["out"])],
        [image_input("image", [1, 1, "height", "width"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [],
    )
    refused(f"{pooled}?preset=plain", "no stack of at least 8 features")
    bad = save_extractor(tmp_path / "bad.onnx", times=float("nan"))
    with pytest.raises(MatcherError, match=r"holds NaN.*0 to 255"):
        make_matcher("sgm", features=f"{bad}?preset=plain").match(shifted_pair(3, 9))
    with pytest.raises(MatcherError, match="--matcher-param features="):
        make_matcher(f"onnx:{path}?preset=plain")
    with pytest.raises(MatcherError, match="no parameter 'features'"):
        make_matcher("sgbm", features=str(path))


def test_memory_is_asked_for_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_extractor(tmp_path / "net.onnx")
    monkeypatch.setattr(features_room, "free_memory_mb", lambda: 20.0)
    with pytest.raises(MatcherError, match="needs about 27 MB for 288x160 and 20 MB is there"):
        make_matcher("sgm", features=f"{path}?preset=plain").match(shifted_pair(3, 9))


def test_inspect_says_what_was_recognised(tmp_path: Path, cli: Cli) -> None:
    path = save_extractor(tmp_path / "net.onnx")
    told = cli("inspect", f"{path}?preset=unit")
    assert told.code == 0
    assert "features: 48 of a pixel" in told.out
    assert "features=" + str(path) in told.out
    untold = cli("inspect", path, "--json")
    assert untold.code == 3
    assert json.loads(untold.out)["missing"].startswith("which values it expects")


@pytest.mark.skipif(find_spec("mc_cnn") is None, reason="pip install --no-deps mccnn==1.4.1")
def test_a_real_trained_network_matches_what_it_was_not_trained_on() -> None:
    spec = find_spec("mc_cnn")
    assert spec is not None
    (folder,) = spec.submodule_search_locations or [""]
    path = str(Path(folder) / "weights" / "mc_cnn_fast_dw.onnx")
    extractor = feature_extractor(path)
    assert (extractor.layout.features, extractor.layout.border) == (64, 5)
    pair = shifted_pair(3, 9, noise=12)
    left, right = extractor.codes(*gray_pair(pair.left, pair.right), bits=CODE_BITS)
    same = np.unpackbits(left[:, 9:] ^ right[:, :-9]).mean()
    other = np.unpackbits(left[:, 12:] ^ right[:, :-12]).mean()
    assert same < 0.25 < 0.4 < other
    if not PAIRS.is_file():
        pytest.skip("../shared is absent")
    item = next(item for item in load_manifest(PAIRS) if item.name == "kitti_000046")
    road, truth = item.pair(), item.truth()
    part = slice(120, 360), slice(300, 1000)
    road = RectifiedPair(road.left[part].copy(), road.right[part].copy())
    found = make_matcher("sgm", num_disparities=96, features=path).match(road)
    off = np.abs(found.px - truth[part])[np.isfinite(truth[part]) & np.isfinite(found.px)]
    assert np.mean(off > 3) < 0.05
