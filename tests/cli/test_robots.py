"""MCAP files through the commands, read back by the ``mcap`` package and by ourselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import Cli

from calib import Camera, PlacedCamera, RectifiedRig
from calib.formats import save_placed_camera
from stereo.files.outputs import read_map
from stereo.sources import open_source

pytest.importorskip("mcap", reason="needs the extra bags")

CLIP = Path(__file__).resolve().parents[2] / "sample_data" / "clip"
SOURCE = (CLIP / "room.mp4", "--calib", CLIP / "rig.yaml")
NARROW = ("--num-disparities", "64", "--no-surfaces")
TOPICS = {"depth", "sigma", "confidence", "disparity", "points", "left/camera_info"}


def counts(path: Path) -> dict[str, int]:
    """Messages of each topic, as an independent reader counts them."""
    from mcap.reader import make_reader

    with path.open("rb") as file:
        summary = make_reader(file, validate_crcs=True).get_summary()
    assert summary is not None
    assert summary.statistics is not None
    numbers = summary.statistics.channel_message_counts
    return {c.topic.lstrip("/"): numbers[i] for i, c in summary.channels.items()}


def test_a_recording_gives_the_same_disparity_as_its_camera(cli: Cli, tmp_path: Path) -> None:
    ours, raw = tmp_path / "ours", tmp_path / "raw.mcap"
    for out in (ours, raw):
        assert cli("record", *SOURCE, "-o", out, "--max-frames", 2).code == 0
    assert counts(raw)["left/image_raw"] == 2
    maps = []
    for name, source in (("a", f"recording:{ours}"), ("b", f"bag:{raw}")):
        made = tmp_path / name
        assert cli("run", source, *NARROW, "--outputs", "disparity", "-o", made).code == 0
        maps.append(sorted(made.rglob("disparity.pfm")))
    one, two = maps
    assert len(one) == len(two) == 2
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(read_map(a), read_map(b))


def test_run_writes_results_as_topics_whole_or_not_at_all(cli: Cli, tmp_path: Path) -> None:
    short, out = tmp_path / "short", tmp_path / "depth.mcap"
    assert cli("record", *SOURCE, "-o", short, "--max-frames", 3).code == 0
    done = cli("run", f"recording:{short}", *NARROW, "-o", out)
    assert done.code == 0, done.err
    assert {topic: counts(out)[topic] for topic in TOPICS} == dict.fromkeys(TOPICS, 3)
    assert {path.name for path in tmp_path.iterdir()} == {"short", "depth.mcap"}


def test_run_writes_over_nothing_and_says_what_an_earlier_one_left(
    cli: Cli, tmp_path: Path
) -> None:
    raw, part = tmp_path / "raw.mcap", tmp_path / ".new.mcap.0a1b2c3d.part"
    assert cli("record", *SOURCE, "-o", raw, "--max-frames", 1).code == 0
    before = raw.read_bytes()
    done = cli("run", f"bag:{raw}", *NARROW, "-o", raw)
    assert done.code == 2
    assert f"{raw}: is there already" in done.err
    assert raw.read_bytes() == before
    part.write_bytes(before)  # killed
    done = cli("run", f"bag:{raw}", *NARROW, "-o", tmp_path / "new.mcap")
    assert done.code == 0, done.err
    assert "an earlier run did not end" in done.err
    assert {path.name for path in tmp_path.iterdir()} == {"raw.mcap", "new.mcap"}


def test_depth_of_a_third_camera_is_published_too(cli: Cli, tmp_path: Path) -> None:
    camera, out = tmp_path / "colour.yaml", tmp_path / "three.mcap"
    lens = Camera("pinhole", (64, 48), np.array([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]]))
    save_placed_camera(PlacedCamera(lens, np.eye(3), np.array([-0.05, 0, 0])), camera)
    options = ("--view", "none", "--fast", "--max-frames", 1, "--register", camera)
    done = cli("live", *SOURCE, *NARROW, *options, "--publish", f"mcap:{out}")
    assert done.code == 0, done.err
    found = counts(out)
    assert {"registered/camera_info", "registered/image_raw", "registered/depth"} < found.keys()
    assert found["registered/sigma"] == found["depth"] >= 1


def test_a_region_far_from_the_middle_is_published_and_read(cli: Cli, tmp_path: Path) -> None:
    """Its principal point lies outside the image, which no whole camera has."""
    out = tmp_path / "corner.mcap"
    options = ("--view", "none", "--fast", "--max-frames", 1, "--roi", "400,100,60,120")
    done = cli("live", *SOURCE, *NARROW, *options, "--publish", f"mcap:{out}")
    assert done.code == 0, done.err
    with open_source(f"bag:{out}") as source:
        rig = source.calibration
        assert isinstance(rig, RectifiedRig)
        assert rig.cx_left_px < 0
        assert next(iter(source)).left.shape[:2] == (120, 60)


def test_live_publishes_to_a_file_that_is_never_written_over(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "live.mcap"
    live = ("live", *SOURCE, *NARROW, "--view", "none", "--fast", "--max-frames", 2)
    done = cli(*live, "--publish", f"mcap:{out}")
    assert done.code == 0, done.err
    assert counts(out)["depth"] >= 2  # more may be under way when it ends
    before = out.read_bytes()
    done = cli(*live, "--publish", f"mcap:{out}")
    assert done.code == 2
    assert f"{out}: is there already" in done.err
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        ("live", ("--publish", "foxglov"), "did you mean foxglove"),
        ("live", ("--publish", "mcap:"), "mcap:FILE"),
        ("live", ("--publish", "foxglove:99999"), "foxglove:PORT"),
        ("live", ("--publish", "foxglove:192.0.2.1:0"), "no address of this computer"),
        ("run", ("-o", "x.mcap", "--outputs", "sigma"), "an MCAP file holds all topics"),
        ("run", ("-o", "x.mcap", "--voxel-m", "0.1"), "an MCAP file holds all topics"),
    ],
)
def test_mistakes_are_named(
    cli: Cli, tmp_path: Path, command: str, options: tuple[Any, ...], said: str
) -> None:
    view = ("--view", "none") if command == "live" else ()
    options = tuple(tmp_path / o if str(o) == "x.mcap" else o for o in options)
    done = cli(command, *SOURCE, *NARROW, *view, *options)
    assert done.code == 2
    assert said in done.err
    assert not list(tmp_path.iterdir())
