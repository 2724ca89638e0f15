"""``stereo view`` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from support import METRIC, Cli

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
