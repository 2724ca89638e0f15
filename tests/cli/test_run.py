"""``stereo run`` as a user runs it: what it writes, what it says, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import METRIC, Cli, textured_pair

from calib import StereoRig, load_rig, save_rig
from stereo.cloud import PointCloud
from stereo.files import outputs
from stereo.matching import sgm
from stereo.result import OUTPUTS


def test_run_writes_every_output_and_they_agree(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ended = cli("run", *pair, *METRIC, "-o", out, "--outputs", ",".join(OUTPUTS), "--json")
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
    cloud = PointCloud.load(out / "cloud.ply")
    np.testing.assert_array_equal(cloud.points, PointCloud.load(out / "cloud.pcd").points)
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
    cloud = PointCloud.load(tmp_path / "cloud.ply")
    assert cloud.normals is not None
    assert 5_000 < len(cloud) < 300_000
    assert cloud.points[:, 2].max() <= 5


def test_a_rig_that_is_not_to_be_used_is_warned_of(
    cli: Cli, sample_data: Path, tmp_path: Path
) -> None:
    room = sample_data / "room"
    rig = load_rig(room / "rig.yaml")
    assert isinstance(rig, StereoRig)
    assert rig.usable
    notes = {"usable": False, "summary": {"verdict": "Do not use it: the rig moved."}}
    save_rig(replace(rig, notes=notes), tmp_path / "bad.yaml")
    ended = cli(
        *("run", room / "left.png", room / "right.png", "--calib", tmp_path / "bad.yaml"),
        *("-o", tmp_path / "out", "--min-depth-m", 0.9),
    )
    assert "bad.yaml: its calibration says not to use it (usable: false)" in ended.err
    assert "Do not use it: the rig moved." in ended.err


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


def test_in_a_sequence_what_stands_is_kept_and_a_cut_begins_anew(cli: Cli, tmp_path: Path) -> None:
    left, right = folder_of_pairs(tmp_path / "in")  # each a picture of its own
    for side in (left, right):
        for number in (3, 4, 5):
            shutil.copy(side / "2.png", side / f"{number}.png")
    alone, in_time = tmp_path / "alone", tmp_path / "time"
    command = ("run", left, right, *METRIC, "--outputs", "disparity")
    assert cli(*command, "-o", alone).code == 0
    assert cli(*command, "--sequence", "-o", in_time).code == 0
    maps = [
        [outputs.read_map(out / str(number) / "disparity.pfm") for number in range(6)]
        for out in (alone, in_time)
    ]
    for mine, others in zip(*maps, strict=True):
        assert (np.abs(mine - others) <= 0.5).mean() > 0.9
    assert "0 pairs done, 6 done before" in cli(*command, "--sequence", "-o", in_time).out


def test_a_sequence_is_worked_on_in_order(cli: Cli, tmp_path: Path) -> None:
    left, right = folder_of_pairs(tmp_path / "in")
    ended = cli("run", left, right, "--sequence", "--jobs", "2", "-o", tmp_path / "out")
    assert ended.code == 2
    assert "--jobs 2" in ended.err
    assert not (tmp_path / "out").exists()


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


def test_points_with_large_errors_are_left_out_and_counted(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    counts = {}
    for share in ("0.01", "inf"):
        out = tmp_path / share
        ended = cli("run", *pair, *METRIC, "-o", out, "--max-relative-sigma", share)
        assert ended.code == 0, ended.err
        summary = json.loads((out / "summary.json").read_text())
        counts[share] = len(PointCloud.load(out / "cloud.ply")) + summary["cloud_left_out"]
        said = f"{summary['cloud_left_out']} points left out of the cloud" in ended.out
        assert said == bool(summary["cloud_left_out"]) == (share == "0.01")
    assert counts["0.01"] == counts["inf"]
    assert cli("run", *pair, *METRIC, "-o", tmp_path, "--max-relative-sigma", "0").code == 2


def test_the_careful_preset_suits_every_matcher(
    cli: Cli, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    for name in ("sgm", "sgbm"):
        if name == "sgm" and not sgm.is_available():
            continue
        ended = cli("run", *pair, "--preset", "careful", "--matcher", name, "-o", tmp_path / name)
        assert ended.code == 0, ended.err
