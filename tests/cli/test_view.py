"""``stereo view`` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support import METRIC, Cli

from stereo.cli import view
from stereo.cloud import PointCloud
from stereo.result import OUTPUTS


def test_view_draws_every_kind_of_result(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    out = tmp_path / "o"
    cli("run", *pair, *METRIC, "-o", out, "--outputs", ",".join(OUTPUTS))
    for name in ("cloud.ply", "cloud.pcd", "disparity.pfm", "disparity.png", "depth_mm.png",
                 "depth_m.tiff", "depth_m.npy"):  # fmt: skip
        ended = cli("view", out / name, "-o", tmp_path / "v.png")
        assert ended.code == 0, ended.err
        picture = cv2.imread(str(tmp_path / "v.png"))
        assert picture.std() > 5
    ended = cli("view", out / "cloud.ply")
    assert "no display" in ended.err
    assert (out / "cloud_view.png").is_file()
    ended = cli("view", tmp_path / "nothing.ply")
    assert ended.code == 2
    assert "nothing.ply" in ended.err
    assert cli("view", out / "summary.json").code == 2


def test_view_without_open3d_draws_and_says_why(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = np.ones((1, 3), np.float32)
    PointCloud(point, point.astype(np.uint8)).save(tmp_path / "a.ply")
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(view, "find_spec", lambda name: None)
    ended = cli("view", tmp_path / "a.ply")
    assert ended.code == 0
    assert "needs open3d" in ended.err
    assert "no window; drawn into a file" in ended.err
    assert (tmp_path / "a_view.png").is_file()
