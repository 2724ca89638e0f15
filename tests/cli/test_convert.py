"""``stereo convert`` and the calibration options as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import Cli

from calib import load_rig
from stereo.cli.convert import WRITTEN
from stereo.cli.rig_options import CALIB_HELP

REFUSED = {"zed", "kalibr", "euroc"}
"""No size of a ZED; five coefficients are more than radtan has."""


@pytest.fixture
def rig(sample_data: Path) -> Path:
    return sample_data / "room" / "rig.yaml"


def test_to_every_format_and_inspected_again(cli: Cli, rig: Path, tmp_path: Path) -> None:
    truth = json.loads(cli("inspect", rig, "--json").out)
    for name in WRITTEN:
        if name in REFUSED:
            continue
        out = tmp_path / name
        out = out if name in ("ros", "euroc", "mrcal") else out.with_suffix(".txt")
        done = cli("convert", rig, out, "--to", name)
        assert (done.code, f"rig -> {name}: wrote " in done.out) == (0, True), done.err
        facts = json.loads(cli("inspect", out, "--json").out)
        assert facts["format"] == name
        assert facts["baseline_m"] == pytest.approx(truth["baseline_m"])
        assert facts["rectified_focal_px"] == pytest.approx(truth["rectified_focal_px"])


def test_two_files_of_one_format_into_two_of_another(cli: Cli, rig: Path, tmp_path: Path) -> None:
    assert cli("convert", rig, tmp_path / "ros", "--to", "ros").code == 0
    left, right = tmp_path / "ros" / "left.yaml", tmp_path / "ros" / "right.yaml"
    out = tmp_path / "l.cameramodel", tmp_path / "r.cameramodel"
    done = cli("convert", left, right, *out, "--to", "mrcal", "--json")
    facts = json.loads(done.out)
    assert (facts["from"], facts["files"]) == ("ros", [str(path) for path in out])
    assert load_rig(tmp_path / "l.cameramodel").baseline_m == pytest.approx(
        load_rig(rig).baseline_m
    )
    done = cli(
        "convert", left, tmp_path / "intrinsics.yml", tmp_path / "extrinsics.yml", "--to", "opencv"
    )
    assert done.code == 0
    assert load_rig(tmp_path / "intrinsics.yml").baseline_m == pytest.approx(
        load_rig(rig).baseline_m
    )


def test_what_is_left_out_is_said(cli: Cli, rig: Path, tmp_path: Path) -> None:
    done = cli("convert", rig, tmp_path / "calib.txt", "--to", "middlebury")
    assert "note: Middlebury holds rectified geometry only" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("rig.yaml --to ros", "give what to read and what to write (ros: LEFT and RIGHT, or a fol"),
        ("rig.yaml rig.yaml --to rig", "rig.yaml is what is read; give another file to write"),
        ("rig.yaml out.yaml --to nothing", "'nothing' is not one of"),
        ("rig.yaml out.yaml", "Name the format to write, such as --to opencv"),
        ("nope.yaml out.yaml --to rig", "nope.yaml: no such file"),
        ("rig.yaml SN.conf --to zed", "a ZED conf holds only images of 2208x1242"),
        ("rig.yaml k.yaml --to kalibr", "cannot hold 5 distortion coefficients; rig, opencv or ro"),
        ("rig.yaml o.yaml --to rig --camera-pair 0", "--camera-pair wants two cameras, such as"),
        ("rig.yaml o.yaml --to rig --format kalibr", "Kalibr camchain of 0 camera"),
    ],
)
def test_mistakes_of_convert(
    cli: Cli, rig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, message: str
) -> None:
    (tmp_path / "rig.yaml").write_bytes(rig.read_bytes())
    monkeypatch.chdir(tmp_path)
    ended = cli("convert", *words.split())
    assert ended.code in (1, 2)
    assert message in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["rig.yaml"]


def test_run_takes_a_pair_of_files_and_says_what_it_assumed(
    cli: Cli, rig: Path, tmp_path: Path
) -> None:
    cli("convert", rig, tmp_path, "--to", "ros")
    room = rig.parent
    calib = f"{tmp_path / 'left.yaml'},right.yaml"
    done = cli(
        "run", room / "left.png", room / "right.png", "--calib", calib, "-o", tmp_path / "out",
        "--outputs", "depth",
    )  # fmt: skip
    assert done.code == 0, done.err
    for command in ("run", "live", "rectify"):
        assert " ".join(CALIB_HELP.split()[:4]) in " ".join(cli(command, "--help").out.split())


def test_inspect_shows_a_rig_that_cannot_be_used_and_says_so(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "stereo.json").write_text(
        json.dumps(
            {
                "K_left": [[500, 0, 320], [0, 500, 240], [0, 0, 1]],
                "K_right": [[500, 0, 320], [0, 500, 240], [0, 0, 1]],
                "D_left": [0, 0, 0, 0, 0],
                "D_right": [0, 0, 0, 0, 0],
                "R": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
                "T": [0.12, 0, 0],
                "image_size": [640, 480],
            }
        )
    )
    ended = cli("inspect", tmp_path / "stereo.json")
    assert ended.code == 3
    assert "baseline 120.0 mm" in ended.out
    assert "no depth from this rig as it stands: left and right are swapped" in ended.err
