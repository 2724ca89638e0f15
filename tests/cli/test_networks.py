"""Networks as a user runs them: ``stereo networks``, ``inspect``, ``run``, ``live``, ``eval``."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from support import Cli

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("onnx", reason="makes the networks")

from nets import Net, save_net


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, Path]:
    scene = np.random.default_rng(7).integers(0, 256, (64, 101, 3), np.uint8)
    scene = cv2.resize(scene, (202, 128), interpolation=cv2.INTER_NEAREST)
    for side, image in (("left", scene[:, :192]), ("right", scene[:, 4:196])):
        (tmp_path / side).mkdir()
        for name in ("a", "b"):
            cv2.imwrite(str(tmp_path / side / f"{name}.png"), image)
    return tmp_path / "left", tmp_path / "right"


def test_every_preset_is_listed_with_its_licence(cli: Cli) -> None:
    text = cli("networks").out
    for words in ("crestereo", "Apache-2.0", "liteanystereo", "not for commercial use"):
        assert words in text
    assert json.loads(cli("networks", "--json").out)["raft"]["convention"]["sign"] == -1


def test_inspect_says_what_was_recognised_and_what_is_missing(cli: Cli, tmp_path: Path) -> None:
    path = save_net(tmp_path / "net.onnx", Net(wide=96, high=64))
    done = cli("inspect", path)
    assert done.code == 3
    assert "left: left view, colour, NCHW, 96x64, float32" in done.out
    assert "which values it expects" in done.err
    done = cli("inspect", f"onnx:{path}?preset=imagenet")
    assert done.code == 0
    assert "(0 to 1 - 0.485/0.456/0.406) / 0.229/0.224/0.225" in done.out
    path.with_suffix(".toml").write_text('preset = "unit"\nlicence = "ours"\n')
    facts = json.loads(cli("inspect", path, "--json").out)
    assert (facts["values"], facts["licence"], facts["missing"]) == ("0 to 1", "ours", "")
    assert cli("inspect", tmp_path / "none.onnx").code == 2


def test_run_takes_a_network(cli: Cli, tmp_path: Path, images: tuple[Path, Path]) -> None:
    path = save_net(tmp_path / "net.onnx", Net(high=64, wide=96))
    left, right = images
    rig = ("--rectified", "--focal-px", 100, "--baseline-m", 0.1)
    matcher = ("--matcher", f"onnx:{path}?preset=plain")
    done = cli("run", left / "a.png", right / "a.png", *rig, *matcher, "-o", tmp_path / "one")
    assert done.code == 0, done.err
    assert "192x128 images are scaled to 96x64" in done.err
    done = cli("run", left, right, *rig, *matcher, "--tile", "-o", tmp_path / "two", "--json")
    assert "tiles of 96x64 that overlap" in done.err
    pairs = json.loads(done.out)["pairs"]
    assert len(pairs) == 2
    for pair in pairs:
        assert pair["depth_m"]["median"] == pytest.approx(100 * 0.1 / 4, rel=0.01)
        assert pair["sigma_m"]["median"] > 0


def test_live_takes_a_network_and_tells_its_times(
    cli: Cli, tmp_path: Path, images: tuple[Path, Path]
) -> None:
    path = save_net(tmp_path / "net.onnx")
    done = cli(
        *("live", images[0].parent, "--view", "none", "--stats"),
        *("--matcher", f"onnx:{path}?preset=plain"),
    )
    assert done.code == 0, done.err
    told = done.out + done.err
    assert "net.onnx on the CPU: loaded in" in told


def test_mistakes_are_named(cli: Cli, tmp_path: Path, images: tuple[Path, Path]) -> None:
    path = save_net(tmp_path / "net.onnx")
    call = ("run", images[0] / "a.png", images[1] / "a.png", "-o", tmp_path / "out")
    done = cli(*call, "--matcher", f"onnx:{path}")
    assert done.code == 2
    assert "stereo networks" in done.err
    assert cli(*call, "--matcher", "onnx:gone.onnx").code == 2
    done = cli(*call, "--matcher", "sgm", "--provider", "cpu")
    assert done.code == 2
    assert "has no parameter 'provider'" in done.err
    assert cli(*call, "--matcher", f"onnx:{path}", "--quality").code == 2
    done = cli(*call, "--matcher", f"onnx:{path}?preset=plain", "--provider", "cuda")
    assert done.code in (0, 1)  # as this machine has it
    assert done.code == 0 or "pip install onnxruntime-gpu" in done.err
