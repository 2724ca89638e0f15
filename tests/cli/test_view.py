"""``stereo view`` as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from support import METRIC, Cli

from stereo.result import OUTPUTS


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def test_view_draws_every_kind_of_result(cli: Cli, pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "o"
    cli("run", *pair, *METRIC, "-o", out, "--outputs", ",".join(OUTPUTS))
    for output in OUTPUTS.values():
        ended = cli("view", out / output.file, "-o", tmp_path / "v.png")
        assert ended.code == 0, ended.err
        picture = cv2.imread(str(tmp_path / "v.png"))
        assert picture.std() > 5, output.file
    for name in ("left.png", "preview.png"):  # shown as they are
        cli("view", out / name, "-o", tmp_path / "v.png")
        shown, given = (cv2.imread(str(p)) for p in (tmp_path / "v.png", out / name))
        np.testing.assert_array_equal(shown, given)
    ended = cli("view", out / "cloud.ply")
    assert "no display" in ended.err
    assert (out / "cloud_view.png").is_file()
    ended = cli("view", tmp_path / "nothing.ply")
    assert ended.code == 2
    assert "nothing.ply" in ended.err
    ended = cli("view", out / "summary.json")
    assert ended.code == 2
    assert "expected one of .ply" in ended.err


def test_view_of_a_folder_shows_all_of_it(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "results" / "o"
    cli("run", *pair, *METRIC, "-o", out)
    ended = cli("view", out)
    assert ended.code == 0, ended.err
    assert cv2.imread(str(out / "view.png")).shape[1] == 1000  # wide: below each other
    ended = cli("view", out, "--kind", "depth")
    assert ended.code == 2
    assert "drop --kind" in ended.err
    ended = cli("view", out.parent)
    assert ended.code == 2
    assert "depth_mm.png" in ended.err
    assert str(out) in ended.err  # where results are


def test_kind_says_what_a_file_is(cli: Cli, tmp_path: Path) -> None:
    file, values = tmp_path / "a.npy", np.tile(np.linspace(1, 5, 600, dtype=np.float32), (200, 1))
    np.save(file, values)
    pictures = []
    for kind in ("depth", "disparity", "sigma"):
        assert cli("view", file, "--kind", kind, "-o", tmp_path / "v.png").code == 0
        pictures.append(cv2.imread(str(tmp_path / "v.png")))
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])
    ended = cli("view", file, "--kind", "cloud")
    assert ended.code == 2
    assert "is no cloud" in ended.err


def test_where_no_window_opens_a_picture_is_written(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":5")

    def broken(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([sys.executable], -6)

    monkeypatch.setattr("stereo.viewers.show.subprocess.run", broken)
    file = tmp_path / "depth_m.npy"
    np.save(file, np.tile(np.linspace(1, 5, 60, dtype=np.float32), (20, 1)))
    ended = cli("view", file)
    assert ended.code == 0
    assert "no window could be opened" in ended.err
    assert (tmp_path / "depth_m_view.png").is_file()
