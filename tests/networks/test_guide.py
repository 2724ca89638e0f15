"""A coarse network as a guide: what its codes say, where they count, and whose they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("onnx", reason="makes the networks")

from nets import Net, image_input, save_graph, save_net
from onnx import TensorProto, helper, numpy_helper
from support import METRIC, Cli, levels, texture

from stereo.errors import MatcherError
from stereo.frame import RectifiedPair, SearchRange
from stereo.matching import SgmMatcher, SgmParams, make_matcher
from stereo.matching.following import FollowingMatcher
from stereo.matching.matchers import following
from stereo.matching.position import POSITION_BITS, STEP_PX, position_codes
from stereo.networks.guide import Guide, GuidingNetwork

SHIFT = 12
HIGH, WIDE = 128, 256


def shifted(seed: int = 0, blank: bool = False) -> RectifiedPair:
    """Broad texture, that a quarter of the size still shows; ``blank``: a wall in the middle."""
    scene = cv2.resize(texture(seed, HIGH // 4, 2 * WIDE // 4), (2 * WIDE, HIGH))
    if blank:
        scene[40:90, 100 : 100 + 90] = 120
    views = scene[:, :WIDE], scene[:, SHIFT : SHIFT + WIDE]
    return RectifiedPair(*(levels(view) for view in views))


def everywhere(px: float) -> Guide:
    plane = np.full((HIGH, WIDE), px, np.float32)
    return Guide(plane, plane)


def knows(path: Path) -> Path:
    """A network that says SHIFT whatever it sees, as a trained one knows of walls."""
    nodes = [
        helper.make_node("ReduceMean", ["left"], ["gray"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["gray", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "px"], ["disparity"]),
    ]
    inputs = [image_input(name, [1, 3, "height", "width"]) for name in ("left", "right")]
    out = [helper.make_tensor_value_info("disparity", TensorProto.FLOAT, None)]
    values = {"zero": 0, "px": SHIFT / 4}
    constants = [numpy_helper.from_array(np.float32(v), name) for name, v in values.items()]
    return save_graph(path, nodes, inputs, out, constants)


def bits_off(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.unpackbits(left ^ right, axis=-1).sum(axis=-1, dtype=np.int64)


@pytest.mark.parametrize("px", [0.0, 7.0, -6.0, 300.0])
def test_codes_differ_in_the_more_bits_the_farther_a_candidate_lies(px: float) -> None:
    left, right = position_codes(np.full((1, 2000), px, np.float32))
    assert left.shape == right.shape == (1, 2000, POSITION_BITS // 8)
    partner = np.arange(400, 1600) - int(px)
    for steps in range(30):
        for away in (-steps, steps):
            off = bits_off(left[0, 400:1600], right[0, partner + STEP_PX * away])
            if steps < 12:
                assert abs(off - steps).max() <= 1  # columns share a code in twos
            else:
                assert off.min() >= 8


def test_a_guide_decides_on_a_blank_wall_and_nowhere_else() -> None:
    pair = shifted(blank=True)
    wall = np.s_[48:82, 112:176]
    matcher = SgmMatcher(SgmParams(num_disparities=64))
    assert abs(np.median(matcher.match(pair, everywhere(SHIFT)).px[wall]) - SHIFT) < 1
    told_wrong = matcher.match(pair, everywhere(40.0)).px
    assert np.nanmedian(np.abs(told_wrong[wall] - SHIFT)) > 10  # it is believed there
    textured = np.s_[4:36, 80:-8]
    for px in (told_wrong, matcher.match(pair, everywhere(-2000.0)).px):
        assert np.nanmean(np.abs(px[textured] - SHIFT) < 1) > 0.98


def test_guides_are_mirrored_stretched_and_cut_as_images_are() -> None:
    rng = np.random.default_rng(0)
    guide = Guide(*(rng.normal(20, 5, (10, 40)).astype(np.float32) for _ in range(2)))
    again = guide.mirrored().mirrored()
    np.testing.assert_array_equal(again.left, guide.left)
    np.testing.assert_array_equal(guide.mirrored().left, guide.right[:, ::-1])
    np.testing.assert_array_equal(guide.stretched().right[:, 1::2], 2 * guide.right)
    part = guide.within(slice(2, 8), slice(12, 30), 5)
    np.testing.assert_array_equal(part.left, guide.left[2:8, 12:30] - 5)
    np.testing.assert_array_equal(part.right, guide.right[2:8, 7:25] - 5)


@pytest.mark.parametrize(
    "net", [Net(), Net(channels=1), Net(high=HIGH // 4, wide=WIDE // 4)], ids=str
)
def test_a_network_guides_at_a_quarter_of_the_size(net: Net, tmp_path: Path) -> None:
    """Or, where its own size is fixed, at that."""
    path = save_net(tmp_path / "net.onnx", net)
    pair = shifted()
    found = GuidingNetwork(f"onnx:{path}?preset=plain").guide(pair.left, pair.right)
    assert found is not None
    for plane in (found.left, found.right):
        assert plane.shape == (HIGH, WIDE)
        assert np.isfinite(plane).all()
        assert np.mean(np.abs(plane - SHIFT) <= 2) > 0.95  # also where nothing was seen


@pytest.mark.parametrize("matcher", ["sgm", "sgm-fast", "sgm-quality"])
def test_every_search_of_a_matcher_is_guided(matcher: str, tmp_path: Path) -> None:
    """Each of three searches, each of the tiles."""
    path = knows(tmp_path / "net.onnx")
    pair, wall = shifted(blank=True), np.s_[52:78, 112:176]
    params: dict[str, Any] = {"num_disparities": 64, "guide": f"onnx:{path}?preset=plain"}
    for coarse in (None,) if matcher == "sgm-quality" else (None, True):
        made = make_matcher(matcher, **params, coarse_to_fine=coarse)
        px = made.match(pair).px
        assert np.mean(np.abs(px[wall] - SHIFT) < 2) > 0.9
    by_range = make_matcher(matcher, **params | {"num_disparities": "auto"})
    assert np.mean(np.abs(by_range.match(pair).px[wall] - SHIFT) < 2) > 0.9


def test_a_network_that_agrees_with_itself_nowhere_guides_nobody(tmp_path: Path) -> None:
    """One that sees the same pair in the mirror as before: its two views never fit."""
    noise = np.random.default_rng(0).integers(0, 256, (2, HIGH, WIDE), np.uint8)
    path = save_net(tmp_path / "net.onnx", Net(channels=1))
    network = GuidingNetwork(f"{path}?preset=plain&scale=1")
    there = np.zeros((HIGH, WIDE), np.float32)
    network._network.match_both = lambda _: (there + 5, there - 5)  # type: ignore[method-assign]
    assert network.guide(*noise) is None


def test_a_sequences_frames_are_seen_whole_by_a_network(tmp_path: Path) -> None:
    guide = f"onnx:{knows(tmp_path / 'net.onnx')}?preset=plain"
    search = SearchRange(0, 64)
    assert isinstance(following("sgm", search), FollowingMatcher)
    assert not isinstance(following("sgm", search, guide=guide), FollowingMatcher)


def refused(guide: Any, words: str, matcher: str = "sgm") -> None:
    with pytest.raises(MatcherError, match=words):
        make_matcher(matcher, guide=guide)


def test_what_is_no_guide_is_named(tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.onnx")
    refused(3, "guide must name a file, got 3")
    refused("", "guide must name a file")
    refused("onnx:", "names no file")
    refused("onnx:none.onnx", "no such network file")
    refused(f"onnx:{path}", "which values it expects")
    refused(f"onnx:{path}?preset=plain&scale=9", "scale must be 1 to 8, got '9'")
    refused(f"onnx:{path}?presett=plain", "there is no 'presett'; did you mean preset")
    refused(f"onnx:{path}?preset=plain", "no parameter 'guide'", "sgbm")
    refused(f"onnx:{path}?preset=plain", "no parameter 'guide'", f"onnx:{path}?preset=plain")


def test_the_command_says_what_guides_it(tmp_path: Path, cli: Cli) -> None:
    path = save_net(tmp_path / "net.onnx")
    pair = shifted(blank=True)
    for name, view in (("left", pair.left), ("right", pair.right)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), view)
    images = tmp_path / "left.png", tmp_path / "right.png"
    ended = cli(
        *("run", *images, *METRIC, "--guide", f"onnx:{path}?preset=plain"),
        *("--provider", "cpu", "-o", tmp_path / "out"),
    )
    assert ended.code == 0, ended.err
    assert "guided at 64x32 by net.onnx: 64x32 images go in as they are" in ended.err
