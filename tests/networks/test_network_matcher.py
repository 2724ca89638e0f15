"""Networks of every input convention give the exact disparity of shifted images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("onnx", reason="makes the networks")

from nets import SHIFTS, Net, save_net
from onnx import TensorProto

from stereo.errors import MatcherError
from stereo.frame import RectifiedPair
from stereo.matching import make_matcher
from stereo.networks.matcher import NetworkMatcher
from stereo.networks.tensors import feeds
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification

SHIFT = 5


def shifted(high: int, wide: int, *, channels: int = 3, dtype: Any = np.uint8) -> RectifiedPair:
    """A pair whose disparity is SHIFT everywhere."""
    rng = np.random.default_rng(7)
    most = 255 if dtype == np.uint8 else 4095
    scene = rng.integers(0, most + 1, (high, wide + SHIFT, channels), dtype)
    scene = scene if channels == 3 else scene[..., 0]
    left, right = scene[:, :wide], scene[:, SHIFT:]
    return RectifiedPair(np.ascontiguousarray(left), np.ascontiguousarray(right))


def exact(px: Any, *, border: int = SHIFTS) -> bool:
    inner = px[border:-border, 2 * border : -border]
    return bool((np.abs(inner - SHIFT) < 1e-4).all())


CONVENTIONS = {
    "two-rgb": (Net(), "plain"),
    "two-gray": (Net(channels=1), "plain"),
    "channels-last": (Net(layout="NHWC"), "plain"),
    "no-batch": (Net(layout="CHW"), "plain"),
    "no-batch-last": (Net(layout="HWC"), "plain"),
    "plane": (Net(layout="HW", channels=1), "plain"),
    "bytes": (Net(dtype=TensorProto.UINT8, layout="NHWC"), None),
    "halves": (Net(dtype=TensorProto.FLOAT16), "unit"),
    "right-first": (Net(names=("right", "left")), "plain"),
    "numbered": (Net(names=("image1", "image2")), "plain"),
    "stacked-gray": (Net(names=("input",), stacked="channels", channels=1, high=64, wide=96), None),
    "stacked-rgb": (Net(names=("input",), stacked="channels", high=64, wide=96), None),
    "stacked-batch": (Net(names=("input",), stacked="batch"), "imagenet"),
    "four": (
        Net(
            names=("init_left", "init_right", "next_left", "next_right"),
            high=64,
            wide=96,
            output_channels=2,
            output="next_output",
        ),
        None,
    ),
    "flow": (Net(sign=-1.0), "raft"),
    "rank-3": (Net(rank=3), "lightstereo"),
    "rank-2": (Net(rank=2), "plain"),
    "named-values": (Net(names=("left_values", "right_values")), None),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_every_convention_gives_the_exact_disparity(name: str, tmp_path: Path) -> None:
    net, preset = CONVENTIONS[name]
    path = save_net(tmp_path / "net.onnx", net)
    matcher = make_matcher(f"onnx:{path}", **({} if preset is None else {"preset": preset}))
    found = matcher.match(shifted(60, 90))
    assert exact(found.px)
    assert found.px.shape == (60, 90)
    assert np.median(found.confidence) > 0.9


@pytest.mark.parametrize(
    ("preset", "expect"),
    [("plain", (0, 255)), ("unit", (0, 1)), ("imagenet", (-2.2, 2.7))],
)
def test_values_are_those_that_the_network_expects(
    preset: str, expect: tuple[float, float], tmp_path: Path
) -> None:
    path = save_net(tmp_path / "net.onnx", Net(expect=expect))
    assert exact(make_matcher(f"onnx:{path}?preset={preset}").match(shifted(64, 96)).px)
    if preset != "plain":
        with pytest.raises(MatcherError, match="gave no number"):
            make_matcher(f"onnx:{path}?preset=plain").match(shifted(64, 96))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("net_channels", [1, 3])
def test_any_image_meets_any_network(
    channels: int, dtype: Any, net_channels: int, tmp_path: Path
) -> None:
    path = save_net(tmp_path / "net.onnx", Net(channels=net_channels))
    pair = shifted(41, 67, channels=channels, dtype=dtype)
    assert exact(make_matcher(f"onnx:{path}?preset=plain").match(pair).px)


def test_the_order_of_colours_is_what_was_told(tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.onnx")
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 10
    for colour, first in (("rgb", (10 / 2 - 1) / 5), ("bgr", (0 / 2 - 1) / 5)):
        path.with_suffix(".toml").write_text(
            f'colour = "{colour}"\nscale = 2\nmean = [1, 2, 3]\nstd = [5, 6, 7]\n'
        )
        matcher = make_matcher(f"onnx:{path}")
        assert isinstance(matcher, NetworkMatcher)
        given = feeds(matcher.reading.ports, red, red, matcher.reading.convention)
        assert given["left"].shape == (1, 3, 4, 6)
        assert given["left"][0, 0, 0, 0] == pytest.approx(first)
        assert given["left"][0, 1, 0, 0] == pytest.approx((0 / 2 - 2) / 6)


def test_a_fixed_size_pads_what_is_smaller_and_scales_what_is_larger(tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.onnx", Net(high=64, wide=96))
    matcher = make_matcher(f"onnx:{path}?preset=plain")
    assert exact(matcher.match(shifted(50, 80)).px)
    small = shifted(64, 96)
    double = RectifiedPair(*(cv2.resize(i, (192, 128)) for i in (small.left, small.right)))
    px = matcher.match(double).px
    assert px.shape == (128, 192)
    assert np.median(px) == pytest.approx(2 * SHIFT, abs=0.01)
    assert "scaled to 96x64" in matcher.notes((192, 128))[0]  # type: ignore[attr-defined]
    assert "padded to 96x64" in matcher.notes((80, 50))[0]  # type: ignore[attr-defined]


def test_scaling_keeps_the_aspect(tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.onnx", Net(high=64, wide=96))
    matcher = make_matcher(f"onnx:{path}?preset=plain")
    small = shifted(40, 96)
    wide = RectifiedPair(*(cv2.resize(i, (288, 120)) for i in (small.left, small.right)))
    assert np.median(matcher.match(wide).px) == pytest.approx(3 * SHIFT, abs=0.01)


@pytest.mark.parametrize("sides", [(64, 96), ("height", "width")])
def test_tiles_blend_into_the_exact_map(sides: Any, tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.onnx", Net(high=sides[0], wide=sides[1]))
    matcher = make_matcher(f"onnx:{path}?preset=plain", tile="96x64")
    found = matcher.match(shifted(150, 210))
    assert exact(found.px)
    assert np.median(found.confidence) > 0.9
    assert "tiles of 96x64" in matcher.notes((210, 150))[0]  # type: ignore[attr-defined]


def test_what_the_views_disagree_on_is_doubted(tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.onnx", Net())
    pair = shifted(64, 96)
    left = pair.left.copy()
    left[20:40, 40:60] = np.random.default_rng(1).integers(0, 256, (20, 20, 3), np.uint8)
    found = make_matcher(f"onnx:{path}?preset=plain").match(RectifiedPair(left, pair.right))
    assert np.median(found.confidence[22:38, 42:58]) < 0.5
    assert np.median(found.confidence[45:60, 20:80]) > 0.9


def test_a_confidence_of_its_own_is_used(tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.onnx", Net(extra="confidence"))
    matcher = make_matcher(f"onnx:{path}?preset=plain")
    assert np.allclose(matcher.match(shifted(64, 96)).confidence, 0.25)
    path = save_net(tmp_path / "occ.onnx", Net(extra="occlusion"))
    path.with_suffix(".toml").write_text('preset = "plain"\nocclusion = "occlusion"\n')
    matcher = make_matcher(f"onnx:{path}")
    assert np.allclose(matcher.match(shifted(64, 96)).confidence, 0.75)


def test_the_pipeline_gives_depth_with_error_bars(tmp_path: Path) -> None:
    from stereo.frame import StereoGeometry

    path = save_net(tmp_path / "net.onnx", Net())
    rect = Rectification.already_rectified(StereoGeometry(100.0, 0.1, 48.0, 32.0))
    pipeline = StereoPipeline(rect, make_matcher(f"onnx:{path}?preset=plain"))
    pair = shifted(64, 96)
    depth = pipeline.process(pair.left, pair.right).depth
    assert depth is not None
    assert np.nanmedian(depth.depth_m) == pytest.approx(100 * 0.1 / SHIFT, rel=1e-3)
    assert np.isfinite(depth.sigma_m[20:40, 20:80]).all()
    assert not pipeline.refine_params.surfaces
    assert not pipeline.refine_params.edges
