"""Files that are no network, or a hostile one, end in one clear line before they do harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("onnx", reason="makes the networks")

from nets import Net, image_input, save_graph, save_net
from onnx import TensorProto, helper, numpy_helper
from support import Cli

from stereo.errors import MatcherError, MissingLibraryError
from stereo.frame import RectifiedPair
from stereo.matching import make_matcher
from stereo.networks import session
from stereo.networks.matcher import NetworkMatcher
from stereo.networks.modelfile import read_model_file


def pair(high: int = 64, wide: int = 96) -> RectifiedPair:
    image = np.random.default_rng(3).integers(0, 256, (high, wide, 3), np.uint8)
    return RectifiedPair(image, image)


def graph_of(path: Path, *nodes: Any, inputs: Any = None, constants: Any = ()) -> Path:
    inputs = inputs or [image_input(name, [1, 3, "h", "w"]) for name in ("left", "right")]
    out = [helper.make_tensor_value_info("disparity", TensorProto.FLOAT, None)]
    return save_graph(path, list(nodes), inputs, out, list(constants))


def refused(path: Path | str, words: str, **params: Any) -> None:
    with pytest.raises(MatcherError, match=words):
        make_matcher(f"onnx:{path}", **{"preset": "plain", **params})


def test_what_is_no_network_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "none.onnx", "no such network file")
    refused("", "names no file")
    for name, content in {
        "empty": b"",
        "text": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "random": np.random.default_rng(1).bytes(5000),
        "nested": b"\x3a\x7f" * 3000,
    }.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        refused(path, f"{name}.onnx")
    whole = save_net(tmp_path / "net.onnx").read_bytes()
    for cut in range(1, len(whole) - 1, len(whole) // 40):
        path = tmp_path / "cut.onnx"
        path.write_bytes(whole[:cut])
        refused(path, "cut.onnx")


def test_flipped_bytes_never_end_in_anything_but_an_error(tmp_path: Path) -> None:
    whole = bytearray(save_net(tmp_path / "net.onnx").read_bytes())
    rng = np.random.default_rng(5)
    path = tmp_path / "spoiled.onnx"
    for _ in range(60):
        spoiled = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            spoiled[at] = rng.integers(0, 256)
        path.write_bytes(spoiled)
        try:
            make_matcher(f"onnx:{path}", preset="plain").match(pair(32, 64))
        except MatcherError as error:
            assert "spoiled.onnx" in str(error)  # noqa: PT017


@pytest.mark.parametrize("where", ["../secret.bin", "/etc/passwd", "link.bin", "gone.bin"])
def test_weights_come_from_the_files_own_folder_only(where: str, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(4))
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=where)
    path = graph_of(
        folder / "net.onnx",
        helper.make_node("Add", ["left", "w"], ["disparity"]),
        constants=[weight],
    )
    refused(path, "not beside it" if where == "gone.bin" else "outside of its own folder")
    inside = helper.make_attribute("value", weight)
    node = helper.make_node("Constant", [], ["disparity"])
    node.attribute.append(inside)
    if where != "gone.bin":
        refused(graph_of(folder / "node.onnx", node), "outside of its own folder")


def test_operators_that_nobody_has_are_named(tmp_path: Path) -> None:
    node = helper.make_node("Warp", ["left", "right"], ["disparity"], domain="acme.custom")
    refused(graph_of(tmp_path / "net.onnx", node), "operators of acme.custom")
    node = helper.make_node("NoSuchThing", ["left", "right"], ["disparity"])
    refused(graph_of(tmp_path / "net2.onnx", node), "onnxruntime cannot load it")


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"left": [1, 3, "h", "w"]}, "one view"),
        ({"left": [1, 3, 8, 8], "right": [1, 3, 8, 8], "iters": [1]}, "'iters'.*is no image"),
        ({"left": [1, 64, 8, 8], "right": [1, 64, 8, 8]}, "no dimension of 1 or 3 channels"),
        ({"left": [4, 3, 8, 8], "right": [4, 3, 8, 8]}, "takes 4 images at a time"),
        ({"a": [1, 3, 8, 8], "b": [1, 3, 8, 8], "c": [1, 3, 8, 8]}, "3 inputs"),
        ({"left": [1, 2, 3, 8, 8], "right": [1, 2, 3, 8, 8]}, "2 to 4 dimensions"),
    ],
)
def test_inputs_that_are_no_pair_are_named(
    inputs: dict[str, list[Any]], words: str, tmp_path: Path
) -> None:
    node = helper.make_node("Identity", [next(iter(inputs))], ["disparity"])
    given = [image_input(name, shape) for name, shape in inputs.items()]
    refused(graph_of(tmp_path / "net.onnx", node, inputs=given), words)


def test_outputs_of_wrong_rank_or_size_are_named(tmp_path: Path) -> None:
    flat = helper.make_node("Flatten", ["left"], ["flat"])
    path = graph_of(
        tmp_path / "flat.onnx",
        flat,
        helper.make_node("ReduceMax", ["flat"], ["disparity"], keepdims=0),
    )
    with pytest.raises(MatcherError, match="no map of one number a pixel"):
        make_matcher(f"onnx:{path}?preset=plain").match(pair())
    pool = helper.make_node(
        "AveragePool", ["left"], ["disparity"], kernel_shape=[4, 4], strides=[4, 4]
    )
    path = graph_of(tmp_path / "quarter.onnx", pool)
    with pytest.raises(MatcherError, match="factor = 4 or 1"):
        make_matcher(f"onnx:{path}?preset=plain").match(pair())
    path.with_suffix(".toml").write_text("factor = 4\nscale = 255\nchannel = 9\n")
    with pytest.raises(MatcherError, match="has no channel 9"):
        make_matcher(f"onnx:{path}").match(pair())


def test_nan_and_turned_signs_are_named(tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.onnx", Net(expect=(0, 1)))
    with pytest.raises(MatcherError, match=r"gave no number.*0 to 255"):
        make_matcher(f"onnx:{path}?preset=plain").match(pair())
    path = save_net(tmp_path / "flow.onnx", Net(sign=-1))
    scene = np.random.default_rng(7).integers(0, 256, (64, 101, 3), np.uint8)
    shifted = RectifiedPair(scene[:, :96].copy(), scene[:, 5:].copy())
    with pytest.raises(MatcherError, match="sign = -1"):
        make_matcher(f"onnx:{path}?preset=plain").match(shifted)


def test_a_network_that_fails_at_work_is_named(tmp_path: Path) -> None:
    """Its graph asks for another size than its inputs state."""
    shape = numpy_helper.from_array(np.array([1, 1, 7, 11]), "shape")
    path = graph_of(
        tmp_path / "net.onnx",
        helper.make_node("Reshape", ["left", "shape"], ["disparity"]),
        constants=[shape],
    )
    with pytest.raises(MatcherError, match=r"the network failed on left \[1, 3, 64, 96\]"):
        make_matcher(f"onnx:{path}?preset=plain").match(pair())


def test_memory_is_asked_for_before_it_is_taken(tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.onnx")
    with pytest.raises(MatcherError, match=r"needs about \d+ MB for 1600x1216 and 20 MB is there"):
        make_matcher(f"onnx:{path}?preset=plain", max_memory_mb=20).match(pair(1200, 1600))
    node = helper.make_node("ConstantOfShape", ["huge"], ["disparity"])
    huge = numpy_helper.from_array(np.array([1, 1, 2**21, 2**21]), "huge")
    path = graph_of(tmp_path / "huge.onnx", node, constants=[huge])
    with pytest.raises(MatcherError, match=r"huge\.onnx"):
        make_matcher(f"onnx:{path}?preset=plain").match(pair())


def test_stated_intermediates_are_counted(tmp_path: Path) -> None:
    import onnx

    path = save_net(tmp_path / "net.onnx", Net(high=64, wide=96))
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    path.write_bytes(model.SerializeToString())
    assert read_model_file(path).largest_bytes == 8 * 64 * 96 * 4  # the volume of 8 shifts


def test_what_nobody_told_is_asked_for(tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.onnx")
    with pytest.raises(MatcherError, match=r"not known which values it expects.*net\.toml"):
        make_matcher(f"onnx:{path}")
    refused(path, "unknown network preset 'plane'", preset="plane")
    refused(path, "no parameter 'tiles'", tiles=True)
    refused(path, "tile must be", tile="big")
    for text, words in {
        "scales = 1": "unknown key 'scales'",
        "scale = 0": "scale must be a positive number",
        'scale = "x"': "scale must be like 255.0",
        "mean = [1, 2]": "mean must be one number or three",
        "std = [0, 1, 1]": "std must be positive",
        "sign = 2": "sign must be 1 or -1",
        "multiple = 1.5": "multiple must be like 32",
        'output = "depth"': "none of its outputs",
        'left = "middle"': "names no input",
        'preset = "nobody"': "unknown network preset",
        "scale = [": "not a readable TOML",
    }.items():
        path.with_suffix(".toml").write_text(text)
        with pytest.raises(ValueError, match=words) as told:
            make_matcher(f"onnx:{path}")
        assert "net." in str(told.value)


def test_providers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_net(tmp_path / "net.onnx")
    refused(path, "provider must be one of", provider="gpu")
    with pytest.raises(MissingLibraryError, match="onnxruntime-openvino"):
        make_matcher(f"onnx:{path}?preset=plain&provider=openvino")
    ort = session._onnxruntime()
    real = ort.InferenceSession

    def fails(path: str, options: Any, providers: list[str]) -> Any:
        if providers[0] != "CPUExecutionProvider":
            raise RuntimeError("no CUDA-capable device is detected")
        return real(path, options, providers=providers)

    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: both)
    monkeypatch.setattr(ort, "InferenceSession", fails)
    matcher = make_matcher(f"onnx:{path}?preset=plain", provider="cuda")
    assert isinstance(matcher, NetworkMatcher)
    assert matcher.notes((96, 64))[1] == (
        "cuda did not start (no CUDA-capable device is detected); the CPU runs the network"
    )
    assert np.isfinite(matcher.match(pair()).px).all()
    assert session.used_networks()[-1].first_s > 0


def test_a_network_is_not_tuned(tmp_path: Path, cli: Cli) -> None:
    ended = cli("tune", "pairs.json", "--matcher", "onnx:net.onnx", "-o", tmp_path / "best.toml")
    assert ended.code == 2
    assert "a network has no parameters to tune" in ended.err
