"""A sample of `make faults`, and what it found: each was wrong once."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from faults import bombs, disks
from faults.asking import Row, Worker
from faults.fuzzing import fuzz
from faults.kills import KINDS, killed
from faults.mutating import mutated
from pngs import bomb

from calib import imagebytes
from calib.board import BoardError, parse_board
from calib.detection.files import detect_files, read_gray
from calib.formats.camera import holds_camera
from stereo.cloud import PointCloud
from stereo.errors import ImageError, InputError, OutputError
from stereo.files.images import read_image
from stereo.files.outputs import read_map
from stereo.preview import depth_preview, disparity_preview
from stereo.render import render_cloud
from stereo.run.ledger import NAME, Entry, open_ledger
from stereo.sources import open_source


def fine(rows: list[Row], at_least: int) -> None:
    assert not [case for row in rows for case in row.failed]
    assert sum(row.tried for row in rows) >= at_least


def test_a_sample_of_spoilt_files() -> None:
    fine(fuzz(most=200, seconds=60, seed=7, workers=1, keep=None), 1)


def test_a_sample_of_bombs(tmp_path: Path) -> None:
    fine(bombs.bombs(tmp_path, workers=1, every=30), 15)


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    fine(disks.disks(tmp_path, full=False), 2)


def test_a_rig_file_is_whole_or_not_there_after_kill_9(tmp_path: Path) -> None:
    kind = next(kind for kind in KINDS if kind.name == "rig files")
    rng = random.Random(1)
    assert killed(kind, tmp_path, rng)[1] == ""


# --- the tools


def test_a_worker_that_hangs_or_crashes_is_noticed_and_replaced(tmp_path: Path) -> None:
    worker = Worker(tmp_path, hangs_s=20)
    try:
        missing = worker.ask({"do": "read", "reader": "nobody", "path": "x"})  # ends the process
        assert "ended with" in missing["wrong"]
        assert worker.ask({"do": "nothing"}) == {"wrong": ""}
    finally:
        worker.close()


def test_spoiling_is_repeatable_and_does_something() -> None:
    raw = bytes(range(256)) * 4
    assert mutated(raw, random.Random(3)) == mutated(raw, random.Random(3))
    assert sum(mutated(raw, random.Random(k)) != raw for k in range(100)) > 90


# --- what was found


@pytest.mark.parametrize("read", [read_gray, read_image])
def test_images_that_mean_harm_are_not_decoded(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    pipe, header, hole = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"
    os.mkfifo(pipe)
    bomb(header)
    with hole.open("wb") as file:
        file.truncate(10**9)
    for path in (pipe, header, hole, Path("/dev/zero"), tmp_path):
        if read is read_gray:
            assert read(path) is None
        else:
            with pytest.raises(ImageError, match=path.name):
                read(path)


def test_a_large_image_of_nothing_is_refused_and_a_small_one_read(tmp_path: Path) -> None:
    for side, refused in ((1000, False), (7000, True)):
        path = tmp_path / f"{side}.png"
        assert cv2.imwrite(str(path), np.zeros((side, side, 3), np.uint8))
        if refused:
            with pytest.raises(ImageError, match="an image of nothing"):
                read_image(path)
        else:
            assert read_image(path).shape == (side, side, 3)
    assert imagebytes.checked_size((tmp_path / "1000.png").read_bytes()) == (1000, 1000)


def test_a_damaged_memory_of_a_board_is_made_anew(tmp_path: Path) -> None:
    image, cache = tmp_path / "left.png", tmp_path / "cache"
    cv2.imwrite(str(image), np.random.default_rng(0).integers(0, 255, (48, 64), dtype=np.uint8))
    board = parse_board("chessboard:9x6:25mm")
    for _ in range(2):
        assert detect_files([image] * 3, board, cache=cache) == [None] * 3
        for entry in cache.glob("*.npz"):
            entry.write_bytes(b"PK\x03\x04 no archive")


def test_a_bag_that_is_none_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("no bag")
    for path in (tmp_path / "pipe", tmp_path / "text", Path("/dev/zero")):
        with pytest.raises(InputError, match="is no bag"):
            open_source(f"bag:{path}")


def test_a_pipe_is_no_camera_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not holds_camera(tmp_path / "pipe")


@pytest.mark.parametrize("facts", [b'{"a": 1,', b"\xdd\xff", b"[" * 100_000])
def test_a_spoilt_ledger_of_a_batch_is_said(tmp_path: Path, facts: bytes) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.put(Entry("a", "a", "done", "0", 1.0, {}))
    with sqlite3.connect(tmp_path / NAME) as spoilt:
        spoilt.execute("UPDATE pairs SET facts = CAST(? AS TEXT)", (facts,))
    spoilt.close()
    said = pytest.raises(OutputError, match=r"batch\.sqlite: the ledger cannot be used")
    with open_ledger(tmp_path) as ledger, said:
        list(ledger.entries("done"))


def test_maps_and_clouds_of_strange_numbers_are_drawn(tmp_path: Path) -> None:
    strange = np.array([0, -1, 1e-45, 1e-38, 3e38, np.inf, -np.inf, np.nan, 1e-9, 2] * 40)
    values = strange.astype(np.float32).reshape(20, 20)
    assert depth_preview(values).dtype == np.uint8
    assert disparity_preview(np.where(np.isfinite(values), values, np.nan)).dtype == np.uint8
    points = np.resize(values, (60, 3)).astype(np.float32)
    with pytest.raises(InputError, match="no points"):
        render_cloud(PointCloud(np.full_like(points, np.nan), np.zeros(points.shape, np.uint8)))
    assert render_cloud(PointCloud(points, np.zeros(points.shape, np.uint8))).any()
    np.save(tmp_path / "depth_m.npy", np.where(strange == 2, 1e300, strange).reshape(20, 20))
    assert not np.isinf(read_map(tmp_path / "depth_m.npy")).any()


def test_messages_stay_short() -> None:
    with pytest.raises(BoardError) as told:
        parse_board("x" * 100_000)
    assert len(str(told.value)) < 1000
