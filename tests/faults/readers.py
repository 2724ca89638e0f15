"""Every reader: what it reads, and how it is asked. A fuzzer spoils one file of a sample."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2

import calib
from calib.board import parse_board
from calib.detection import files
from calib.detection.files import read_gray
from faults import samples
from faults.samples import Files
from stereo.cloud import PointCloud
from stereo.evaluation.manifest import load_manifest
from stereo.files.images import read_image
from stereo.files.outputs import read_map
from stereo.run.processing import finished
from stereo.sources import SourceOptions, open_source
from stereo.sources.jpeg import RejectedImage
from stereo.sources.mjpeg import MjpegParts
from stereo.viewers.files import picture_of
from stereo.viewers.folder import ResultFolder, panels

MOST_PAIRS = 6
_NO_BOARD = parse_board("chessboard:9x6:25mm")


@dataclass(frozen=True)
class Reader:
    """What reads a kind of file."""

    kind: str
    """The row of the table."""
    samples: Callable[[], list[Files]]
    """Sound files; the first of each is what is read."""
    read: Callable[[Path], object]
    """Reads it; raises errors of ours only."""
    weight: int = 1
    """How often it is chosen beside others."""
    folder: bool = False
    """Whether the folder is read, and not its first file."""


def _settings(path: Path) -> None:
    from stereo.cli.run import run_command

    run_command.make_context("run", ["l.png", "r.png", "-o", "o", "--config", str(path)])


def _manifest(path: Path) -> None:
    for each in load_manifest(path):
        each.pair()
        each.visible(each.truth())


def _play(spec: str) -> None:
    with open_source(spec, SourceOptions(), on_event=lambda _: None) as source:
        for _ in islice(source, MOST_PAIRS):
            pass


def _calibration(path: Path) -> None:
    calib.load_rig(path)


def _forced(path: Path) -> None:
    """As each format in turn, chosen by what the file is, so that it is repeatable."""
    names = list(calib.FORMATS)
    size = path.stat().st_size if path.is_file() else 0
    calib.load_rig(path, format=names[size % len(names)])


def _camera(path: Path) -> None:
    try:
        calib.load_camera(path)
    finally:
        calib.load_placed_camera(path)


def _ledger(folder: Path) -> None:
    finished(folder, "0123456789abcdef")
    panels(ResultFolder.load(folder))


class _Response(io.BytesIO):
    """As much of an HTTP answer as is read."""


def _stream(path: Path) -> None:
    parts = MjpegParts(5.0, _Response(path.read_bytes()))  # type: ignore[arg-type]
    for _ in range(50):
        try:
            if parts.read() is None:
                return
        except RejectedImage:
            continue


def _remembered(path: Path) -> None:
    """A detection whose entry in the cache is spoilt; the image shows no board."""
    image, cache = path.with_name("left.png"), path.with_name("cache")
    cache.mkdir()
    image.write_bytes(samples.images()[0]["left.png"])
    key = f"{_NO_BOARD.spec}|{cv2.__version__}|{files._CACHE_VERSION}".encode() + image.read_bytes()
    path.rename(cache / f"{hashlib.sha256(key).hexdigest()[:32]}.npz")
    files._detect_file(image, _NO_BOARD, cache, True)


def _board(path: Path) -> None:
    parse_board(path.read_bytes().decode("utf-8", "replace")).artwork()


READERS: dict[str, Reader] = {
    "calibration": Reader("calibration files", samples.calibrations, _calibration, 8),
    "calibration, format forced": Reader("calibration files", samples.calibrations, _forced, 3),
    "camera": Reader("calibration files", samples.cameras, _camera, 2),
    "image": Reader("images", samples.images, read_image, 5),
    "image of a board": Reader("images", samples.images, read_gray, 2),
    "map": Reader("maps", samples.maps, read_map, 5),
    "picture": Reader("maps", samples.maps, picture_of, 1),
    "cloud": Reader("clouds", samples.clouds, PointCloud.load, 3),
    "picture of a cloud": Reader("clouds", samples.clouds, picture_of, 1),
    "manifest": Reader("manifests", samples.manifests, _manifest, 4),
    "settings": Reader("settings", samples.configs, _settings, 4),
    "recording": Reader(
        "recordings", samples.recordings, lambda p: _play(f"recording:{p}"), 3, folder=True
    ),
    "bag": Reader("bags", samples.bags, lambda p: _play(f"bag:{p}"), 2),
    "video": Reader("videos", samples.videos, lambda p: _play(str(p)), 2),
    "ledger": Reader("ledgers", samples.ledgers, _ledger, 1, folder=True),
    "cache": Reader("ledgers", samples.caches, _remembered, 1),
    "stream": Reader("streams", samples.mjpeg, _stream, 2),
    "board": Reader("boards", samples.boards, _board, 2),
}
"""name -> reader."""


def command(arguments: list[str]) -> None:
    """Run ``stereo`` here. Raises AssertionError for what no command may end with."""
    import contextlib
    import sys

    from stereo.cli.main import _run

    said = io.StringIO()
    before, sys.argv = sys.argv, ["stereo", *arguments]
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = _run()
    finally:
        sys.argv = before
    assert code in (1, 2), f"exit code {code}: {said.getvalue():.200}"
    assert "unexpected" not in said.getvalue(), said.getvalue()[:300]
    assert len(said.getvalue()) < 3000, f"{len(said.getvalue())} letters"
