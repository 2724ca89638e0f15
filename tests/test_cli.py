"""The command line as users meet it: what it writes, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from pngs import bomb
from support import Cli, textured_pair

from calib import load_rig
from stereo.cli.main import _COMMANDS
from stereo.files import outputs
from stereo.frame import PointCloud


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A small rectified pair with disparity 6 everywhere."""
    images = textured_pair(6.0)
    left, right = tmp_path / "left.png", tmp_path / "right.png"
    outputs.write_image_png(left, images.left)
    outputs.write_image_png(right, images.right)
    return left, right


METRIC = ("--rectified", "--focal-px", 300, "--baseline-m", 0.1, "--num-disparities", 32)
ALL = (
    "disparity,disparity-png,depth,depth-tiff,depth-npy,sigma,confidence,confidence-preview,"
    "cloud,cloud-pcd,preview,left"
)


# --- run ----------------------------------------------------------------------------------------


def test_run_writes_every_output_and_they_agree(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ended = cli("run", *pair, *METRIC, "-o", out, "--outputs", ALL, "--json")
    assert ended.code == 0, ended.err
    summary = json.loads(ended.out)
    assert summary["trusted"]
    assert summary["depth_m"]["median"] == pytest.approx(300 * 0.1 / 6, rel=0.01)
    assert sorted(p.name for p in out.iterdir()) == sorted(
        [*summary["files"].values(), "summary.json"]
    )
    depth = outputs.read_map(out / "depth_m.tiff")
    np.testing.assert_array_equal(depth, outputs.read_map(out / "depth_m.npy"))
    millimetres = outputs.read_map(out / "depth_mm.png", png_divisor=1000)
    np.testing.assert_allclose(millimetres, depth, atol=0.00051)
    disparity = outputs.read_map(out / "disparity.pfm")
    np.testing.assert_allclose(300 * 0.1 / disparity, depth, rtol=1e-5)
    cloud = outputs.read_ply(out / "cloud.ply")
    np.testing.assert_array_equal(cloud.points, outputs.read_pcd(out / "cloud.pcd").points)
    assert np.median(cloud.points[:, 2]) == pytest.approx(5, rel=0.01)


@pytest.mark.usefixtures("open3d")
def test_run_on_raw_images_with_a_rig(cli: Cli, sample_data: Path, tmp_path: Path) -> None:
    room = sample_data / "room"
    ended = cli(
        "run", room / "left.png", room / "right.png", "--calib", room / "rig.yaml",
        "-o", tmp_path, "--min-depth-m", 0.9, "--max-depth-m", 5, "--voxel-m", 0.02,
        "--remove-outliers", "--normals",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "error bar" in ended.out
    cloud = outputs.read_ply(tmp_path / "cloud.ply")
    assert cloud.normals is not None
    assert 5_000 < len(cloud) < 300_000
    assert cloud.points[:, 2].max() <= 5


def test_run_without_calibration_says_why_there_is_no_depth(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    ended = cli("run", *pair, "-o", tmp_path / "o", "--num-disparities", 32)
    assert ended.code == 0
    assert "no metric depth: no calibration was given" in ended.out
    assert "not written: depth, cloud" in ended.out
    assert (tmp_path / "o" / "disparity.pfm").is_file()
    assert not (tmp_path / "o" / "cloud.ply").exists()


def test_json_is_valid_where_nothing_could_be_measured(cli: Cli, tmp_path: Path) -> None:
    outputs.write_image_png(tmp_path / "flat.png", np.full((48, 120), 128, np.uint8))
    copy = tmp_path / "also.png"
    copy.write_bytes((tmp_path / "flat.png").read_bytes())
    ended = cli(
        "run", tmp_path / "flat.png", copy, "--num-disparities", 16, "-o", tmp_path / "o", "--json"
    )

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(ended.out, parse_constant=refuse)["row_offset_px"] is None


def test_run_on_a_side_by_side_image(cli: Cli, tmp_path: Path) -> None:
    images = textured_pair(6.0, color=True)
    outputs.write_image_png(tmp_path / "both.png", np.hstack([images.left, images.right]))
    ended = cli(
        "run", tmp_path / "both.png", "--side-by-side", *METRIC, "-o", tmp_path / "o", "--json"
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["depth_m"]["median"] == pytest.approx(5, rel=0.01)


def test_swap_and_negative_ranges(cli: Cli, pair: tuple[Path, Path], tmp_path: Path) -> None:
    ended = cli("run", *reversed(pair), "--swap", *METRIC, "-o", tmp_path / "a", "--json")
    assert json.loads(ended.out)["disparity_px"]["median"] == pytest.approx(6, abs=0.1)
    ended = cli(
        "run", *reversed(pair), "--min-disparity", -16, "--num-disparities", 32,
        "-o", tmp_path / "b", "--json",
    )  # fmt: skip
    assert json.loads(ended.out)["disparity_px"]["median"] == pytest.approx(-6, abs=0.1)


def test_fill_leaves_no_holes(cli: Cli, pair: tuple[Path, Path], tmp_path: Path) -> None:
    cli("run", *pair, *METRIC, "--fill", "-o", tmp_path / "o")
    assert np.isfinite(outputs.read_map(tmp_path / "o" / "disparity.pfm")).all()


def folder_of_pairs(root: Path, count: int = 3) -> tuple[Path, Path]:
    for number in range(count):
        images = textured_pair(4.0 + number, seed=number)
        for side in ("left", "right"):
            (root / side).mkdir(parents=True, exist_ok=True)
            outputs.write_image_png(root / side / f"{number}.png", getattr(images, side))
    return root / "left", root / "right"


def test_folders_are_matched_by_name_and_a_rerun_continues(cli: Cli, tmp_path: Path) -> None:
    left, right = folder_of_pairs(tmp_path / "in")
    (right / "2.png").rename(right / "7.png")
    out = tmp_path / "out"
    ended = cli("run", left, right, *METRIC, "-o", out)
    assert ended.code == 0
    assert "2 pairs done, 0 done before" in ended.out
    assert "2.png has no partner" in ended.err
    assert "7.png has no partner" in ended.err
    assert "1/2 0" in ended.err
    stamp = (out / "0" / "disparity.pfm").stat().st_mtime_ns
    (out / "1" / "cloud.ply").unlink()  # as if it had been interrupted there
    assert "1 pairs done, 1 done before" in cli("run", left, right, *METRIC, "-o", out).out
    assert (out / "0" / "disparity.pfm").stat().st_mtime_ns == stamp
    assert (out / "1" / "cloud.ply").is_file()
    other = cli("run", left, right, *METRIC, "--fill", "-o", out)
    assert "2 pairs done" in other.out  # other settings start afresh


def test_interrupt_in_a_folder_leaves_whole_results(tmp_path: Path) -> None:
    """Ctrl-C while pairs are processed: exit 130, finished pairs whole, no partial files."""
    left, right = folder_of_pairs(tmp_path / "in", 60)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "stereo.cli.main", "run", str(left), str(right), "-o", str(out)]
        + [str(word) for word in METRIC],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (out / "2" / "summary.json").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert not list(out.rglob("*.part"))
    done = list(out.rglob("summary.json"))
    assert 3 <= len(done) < 60
    for summary in done:
        for file in json.loads(summary.read_text())["files"].values():
            assert (summary.parent / file).stat().st_size > 0


def test_config_file_and_preset_give_defaults_that_flags_override(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        'preset = "dense"\nnum-disparities = 48\noutputs = ["disparity"]\n'
        "matcher = 'sgbm'\n[matcher_params]\nblock_size = 5\n"
    )
    out = tmp_path / "o"
    assert cli("run", *pair, "--config", config, "-o", out).code == 0
    assert sorted(p.name for p in out.iterdir()) == ["disparity.pfm", "summary.json"]
    assert np.isfinite(outputs.read_map(out / "disparity.pfm")).all()  # "dense" fills
    ended = cli("run", *pair, "--config", config, "--num-disparities", 400, "-o", out)
    assert "0..399 do not fit an image 320 px wide" in ended.err
    ended = cli("run", *pair, "--config", config, "--matcher-param", "block_size=4", "-o", out)
    assert "block_size must be odd" in ended.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("num-disparitys = 3\n", "unknown key 'num_disparitys'"),
        ("preset = 'best'\n", "preset must be one of"),
        ("= 3", "not a readable TOML file"),
        ("[matcher_params]\nblok = 3\n", "no parameter 'blok'"),
    ],
)
def test_bad_config_is_named(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "c.toml").write_text(text)
    ended = cli("run", *pair, "--config", tmp_path / "c.toml", "-o", tmp_path / "o")
    assert ended.code == 2
    assert says in ended.err


# --- bad input ----------------------------------------------------------------------------------


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
        (("--focal-px", -5, "--baseline-m", 0.1), "focal_px must be between"),
        (("--matcher", "sgbm", "--num-disparities", 320), "do not fit an image 320 px wide"),
        (("--num-disparities", 0), "num_disparities must be"),
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


def test_swapped_images_are_detected(cli: Cli, tmp_path: Path) -> None:
    images = textured_pair(20.0)
    left, right = tmp_path / "a.png", tmp_path / "b.png"
    outputs.write_image_png(left, images.left)
    outputs.write_image_png(right, images.right)
    ended = cli("run", right, left, *METRIC, "-o", tmp_path / "o")
    assert ended.code == 2
    assert "swapped" in ended.err
    assert "--swap" in ended.err


def test_unrectified_pair_given_as_rectified_ends_with_3(
    cli: Cli, sample_data: Path, tmp_path: Path
) -> None:
    room = sample_data / "room"
    ended = cli(
        "run", room / "left.png", room / "right.png", "--rectified",
        "--focal-px", 700, "--baseline-m", 0.12, "-o", tmp_path / "o",
    )  # fmt: skip
    assert ended.code == 3
    assert "not a rectified pair; give --calib" in ended.err
    assert "px (median of" in ended.err


def test_output_that_cannot_be_written_ends_with_1(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    ended = cli("run", *pair, *METRIC, "-o", tmp_path / "file" / "sub")
    assert ended.code == 1
    assert "cannot be written" in ended.err


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tiny file system needs root")
def test_full_disk_ends_with_1_and_leaves_no_half_file(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this sandbox does not allow mounting")
    try:
        ended = cli("run", *pair, *METRIC, "-o", disk / "o")
        left_over = [p.name for p in (disk / "o").iterdir()]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert ended.code == 1
    assert "No space left" in ended.err
    assert not [name for name in left_over if name.endswith(".part") or name == "summary.json"]


def test_right_is_required_without_side_by_side(cli: Cli, pair: tuple[Path, Path]) -> None:
    ended = cli("run", pair[0], "-o", "o")
    assert ended.code == 2
    assert "--side-by-side" in ended.err
    ended = cli("run", *pair, "--side-by-side", "-o", "o")
    assert "RIGHT is too much" in ended.err


# --- the other commands -------------------------------------------------------------------------


def test_rectify_writes_a_pair_that_runs_as_rectified(
    cli: Cli, sample_data: Path, tmp_path: Path
) -> None:
    room = sample_data / "room"
    ended = cli(
        "rectify", room / "left.png", room / "right.png", "--calib", room / "rig.yaml",
        "-o", tmp_path / "r", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    facts = json.loads(ended.out)
    assert facts["row_error_px"] < 0.5
    ended = cli(
        "run", tmp_path / "r" / "left.png", tmp_path / "r" / "right.png",
        "--calib", tmp_path / "r" / "calib.txt", "-o", tmp_path / "o", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["baseline_m"] == pytest.approx(
        load_rig(room / "rig.yaml").baseline_m
    )


def test_inspect_tells_the_depth_error(cli: Cli, sample_data: Path) -> None:
    rig = sample_data / "room" / "rig.yaml"
    facts = json.loads(cli("inspect", rig, "--disparity-noise-px", 0.5, "--json").out)
    assert [row["distance_m"] for row in facts["depth_error"]] == [0.5, 1, 2, 5, 10, 20]
    for row in facts["depth_error"]:
        sigma = row["distance_m"] ** 2 / (facts["rectified_focal_px"] * facts["baseline_m"]) * 0.5
        assert row["error_mm"] == pytest.approx(1000 * sigma, rel=1e-3, abs=0.01)
        assert row["error_percent"] == pytest.approx(100 * sigma / row["distance_m"], rel=1e-2)
    text = cli("inspect", rig).out
    assert "field of view" in text
    assert "20.0 m" in text


def test_inspect_refuses_what_is_no_rig(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("schema: stereo-depth-rig\nversion: 1\nleft: {}\n")
    ended = cli("inspect", tmp_path / "a.yaml")
    assert ended.code == 2
    assert "a.yaml" in ended.err
    assert cli("inspect", tmp_path / "nope.yaml").code == 2
    assert cli("inspect", tmp_path / "a.yaml", "--disparity-noise-px", -1).code == 2


def test_view_draws_every_kind_of_result(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    out = tmp_path / "o"
    cli("run", *pair, *METRIC, "-o", out, "--outputs", ALL)
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
    import stereo.cli.view as view

    point = np.ones((1, 3), np.float32)
    outputs.write_ply(tmp_path / "a.ply", PointCloud(point, point.astype(np.uint8)))
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(view, "find_spec", lambda name: None)
    ended = cli("view", tmp_path / "a.ply")
    assert ended.code == 0
    assert "needs open3d" in ended.err
    assert "no window; drawn into a file" in ended.err
    assert (tmp_path / "a_view.png").is_file()


def test_doctor_names_versions_and_what_is_missing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = json.loads(cli("doctor", "--json").out)
    names = {finding["name"] for finding in report["findings"]}
    assert {"python", "cv2", "open3d", "display", "video back-ends", "processor"} <= names
    assert report["ok"]
    from stereo import doctor

    def broken(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(code, 1, "", "ImportError: libGL.so.1: cannot open")

    monkeypatch.setattr(doctor, "_try", broken)
    monkeypatch.setattr(doctor, "missing_libraries", lambda module: ["libGL.so.1"])
    ended = cli("doctor")
    assert ended.code == 1
    assert "libGL.so.1" in ended.out
    assert "sudo apt-get install libgl1" in ended.out


def test_demo_runs_and_says_where_to_look(cli: Cli, tmp_path: Path) -> None:
    ended = cli("demo", "-o", tmp_path / "demo")
    assert ended.code == 0, ended.err
    for name in ("left.png", "preview.png", "cloud.png"):
        assert str(tmp_path / "demo" / name) in ended.out
        assert (tmp_path / "demo" / name).is_file()


def test_every_command_is_listed_and_has_help(cli: Cli) -> None:
    listed = cli("--help").out
    for name in _COMMANDS:
        assert name in listed
        assert "Usage: stereo" in cli(name, "--help").out
    assert cli("nonsense").code == 2


def test_an_unexpected_error_is_no_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import stereo.cli.inspect

    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(stereo.cli.inspect, "load_rig", explode)
    ended = cli("inspect", "x.yaml")
    assert ended.code == 1
    assert "unexpected RuntimeError: boom" in ended.err
