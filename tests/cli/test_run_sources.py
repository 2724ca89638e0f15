"""``stereo run`` on recordings and videos: every frame, resumable, with what the source knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stereo.cli.main import cli
from stereo.errors import InputError
from stereo.sources import open_source
from stereo.sources.record import Recorder
from stereo.synthetic import make_sample_rig

FAST = ("--matcher", "sgbm", "--num-disparities", "64", "--no-surfaces", "--outputs", "depth")


def run(*args: object) -> dict[str, Any]:
    done = CliRunner().invoke(cli, ["run", *map(str, args), *FAST, "--json"])
    assert done.exit_code in (0, 3), (done.output, done.exception)
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, sample_data: Path) -> Path:
    """The first three frames of the sample clip, with its rig."""
    folder = tmp_path_factory.mktemp("recording") / "r"
    rig = make_sample_rig((480, 360))
    with (
        open_source(str(sample_data / "clip" / "room.mp4")) as source,
        Recorder(folder, source, calibration=rig) as recorder,
    ):
        for frame, _ in zip(source, range(3), strict=False):
            recorder.write(frame)
    return folder


def test_every_frame_of_a_recording_with_its_own_calibration(
    recording: Path, tmp_path: Path
) -> None:
    pairs = run(f"recording:{recording}", "-o", tmp_path)["pairs"]
    assert [pair["frame"] for pair in pairs] == [0, 1, 2]
    assert [pair["time_s"] for pair in pairs] == pytest.approx([0, 1 / 15, 2 / 15])
    folders = sorted(path.name for path in tmp_path.iterdir())
    assert folders == ["000000_0.000s", "000001_0.067s", "000002_0.133s"]
    for pair in pairs:
        assert (Path(pair["folder"]) / pair["files"]["depth"]).is_file()
        assert 1.5 < pair["depth_m"]["median"] < 5  # of the room, so the rig was used


def test_a_rerun_continues_where_it_stopped_and_sees_other_settings(
    recording: Path, tmp_path: Path
) -> None:
    spec = f"recording:{recording}"
    first = run(spec, "-o", tmp_path)["pairs"]
    (Path(first[1]["folder"]) / "summary.json").unlink()
    again = run(spec, "-o", tmp_path)["pairs"]
    assert [pair["skipped"] for pair in again] == [True, False, True]
    other = run(spec, "-o", tmp_path, "--max-depth-m", "9")["pairs"]
    assert not any(pair["skipped"] for pair in other)


def test_a_folder_of_folders(tmp_path: Path, sample_data: Path) -> None:
    for side in ("left", "right"):
        (tmp_path / "in" / side).mkdir(parents=True)
        image = (sample_data / "room" / f"{side}.png").read_bytes()
        (tmp_path / "in" / side / "0.png").write_bytes(image)
    rig = sample_data / "room" / "rig.yaml"
    found = run(tmp_path / "in", "-o", tmp_path / "out", "--calib", rig)
    assert found["frame"] == 0
    assert found["depth_m"]["median"] > 1


@pytest.mark.parametrize("spec", ["sbs:0", "pair:0,1", "rtsp://camera/", "synthetic:room"])
def test_a_source_without_end_is_refused(spec: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["run", spec, "-o", str(tmp_path)])
    assert isinstance(done.exception, InputError)
    assert "record it first" in str(done.exception)
