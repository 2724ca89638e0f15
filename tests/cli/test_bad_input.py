"""Images and options that make no sense: exit code 2, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from pngs import bomb
from support import METRIC, Cli, textured_pair

from stereo.files import outputs


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("missing.png", lambda p: None, "no such file"),
        ("empty.png", lambda p: p.touch(), "empty"),
        ("text.png", lambda p: p.write_text("hello"), "not an image"),
        ("bomb.png", bomb, "pixels are more than"),
        ("float.tiff", lambda p: cv2.imwrite(str(p), np.ones((120, 320), np.float32)), "float32"),
    ],
)
def test_bad_images_end_with_2_and_their_name(
    cli: Cli,
    pair: tuple[Path, Path],
    tmp_path: Path,
    name: str,
    make: Callable[[Path], object],
    says: str,
) -> None:
    bad = tmp_path / name
    make(bad)
    for arguments in ((bad, pair[1]), (pair[0], bad)):
        ended = cli("run", *arguments, *METRIC, "-o", tmp_path / "o")
        assert ended.code == 2
        assert name in ended.err
        assert says in ended.err.lower()
    assert not (tmp_path / "o" / "summary.json").exists()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_truncated_images_are_named(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path, suffix: str
) -> None:
    cut = tmp_path / f"cut{suffix}"
    cv2.imwrite(str(cut), cv2.imread(str(pair[0])))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    ended = cli("run", pair[0], cut, *METRIC, "-o", tmp_path / "o")
    assert ended.code == 2
    assert "ends too early" in ended.err


def test_sizes_that_differ_are_named(cli: Cli, pair: tuple[Path, Path], tmp_path: Path) -> None:
    small = tmp_path / "small.png"
    outputs.write_image_png(small, textured_pair(3.0, size=(200, 120)).right)
    ended = cli("run", pair[0], small, *METRIC, "-o", tmp_path / "o")
    assert ended.code == 2
    assert "320x120" in ended.err
    assert "200x120" in ended.err


def test_size_of_the_calibration_is_checked(
    cli: Cli, pair: tuple[Path, Path], sample_data: Path, tmp_path: Path
) -> None:
    rig = sample_data / "room" / "rig.yaml"
    ended = cli("run", *pair, "--calib", rig, "-o", tmp_path / "o")
    assert ended.code == 2
    assert "320x120 but the calibration is for 960x720" in ended.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--focal-px", 300), "--baseline-m is missing"),
        (("--baseline-m", 0.1), "--focal-px is missing"),
        (("--focal-px", "nan", "--baseline-m", 0.1), "focal_px must be between"),
        (("--focal-px", 300, "--baseline-m", 0), "baseline_m must be between"),
        (("--focal-px", 300, "--baseline-m", 60000), "baseline_m must be between"),
        (("--focal-px", 300, "--baseline-m", 60), "--baseline-m 0.06; if it truly"),
        (("--focal-px", 300, "--baseline-m", "6 feet"), "such as 0.06 (or 60mm)"),
        (("--focal-px", -5, "--baseline-m", 0.1), "focal_px must be between"),
        (("--matcher", "sgbm", "--num-disparities", 320), "do not fit an image 320 px wide"),
        (("--num-disparities", 0), "wants a number from 1 on"),
        (("--num-disparities", "many"), "many"),
        (("--min-disparity", 3), "--num-disparities"),
        (("--outputs", "depht"), "unknown output 'depht'"),
        (("--outputs", ","), "no outputs"),
        (("--calib", "none.yaml"), "none.yaml"),
        (("--min-depth-m", 5, "--max-depth-m", 2, *METRIC), "0 <= min < max"),
        (("--matcher-param", "block_size"), "NAME=VALUE"),
        (("--matcher", "magic"), "magic"),
        (("--voxel-m", -1, *METRIC), "voxel"),
        (("--nonsense",), "--nonsense"),
    ],
)
def test_senseless_options_end_with_2_and_a_reason(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path, options: tuple[object, ...], says: str
) -> None:
    ended = cli("run", *pair, *options, "-o", tmp_path / "o")
    assert ended.code == 2
    assert says in ended.err


def test_right_is_required_without_side_by_side(cli: Cli, pair: tuple[Path, Path]) -> None:
    ended = cli("run", pair[0], "-o", "o")
    assert ended.code == 2
    assert "--side-by-side" in ended.err
    ended = cli("run", *pair, "--side-by-side", "-o", "o")
    assert "RIGHT is too much" in ended.err
