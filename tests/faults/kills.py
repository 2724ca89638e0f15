"""kill -9 in the middle of writing: nothing half is seen afterwards, and a rerun recovers.

A file is written as ``.NAME.part`` first, so a process is stopped once such a file is there, or at
a random moment; what is seen then decides whether that was in mid-write. Then it is killed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import calibration_samples
import cv2
import numpy as np

import calib
from faults.asking import TESTS, Row
from faults.samples import REPO
from stereo.cloud import PointCloud
from stereo.files.images import read_image
from stereo.files.outputs import read_map
from stereo.sources import open_source

STEREO = [sys.executable, "-m", "stereo.cli.main"]
MOST_S = 60.0
_LOOP = """
import sys, itertools, numpy as np
from pathlib import Path
sys.path.insert(0, {tests!r})
import calibration_samples as samples, calib
from dataclasses import replace
from stereo.cloud import PointCloud
out = Path({out!r})
rng = np.random.default_rng(0)
cloud = PointCloud(rng.normal(0, 1, (400_000, 3)).astype(np.float32),
                   rng.integers(0, 255, (400_000, 3), dtype=np.uint8))
for k in itertools.count():
    rig = replace(samples.RIG, t_right_left=samples.RIG.t_right_left * (1 + k % 7))
    {body}
"""


@dataclass(frozen=True)
class Kind:
    """What is killed."""

    name: str
    start: Callable[[Path], list[str]]
    """Takes the folder to write to; returns the call."""
    writing: Callable[[Path], bool]
    """Whether something is half written there."""
    half: Callable[[Path], str]
    """What is seen there and is not whole; "" for nothing."""
    again: Callable[[Path], str]
    """Do it again where it was killed; what went wrong."""


# --- stereo run ---------------------------------------------------------------------------------


def images_beside(folder: Path) -> Path:
    """Five pairs beside the output."""
    source = folder.parent / "images"
    if not source.exists():
        for side in ("left", "right"):
            (source / side).mkdir(parents=True)
            image = cv2.imread(str(REPO / "sample_data/room" / f"{side}.png"))
            for k in range(5):
                small = cv2.resize(np.roll(image, k, axis=0), (480, 360))
                cv2.imwrite(str(source / side / f"{k}.png"), small)
    return source


def run_call(out: Path) -> list[str]:
    source = images_beside(out)
    call = [*STEREO, "run", str(source / "left"), str(source / "right"), "--rectified"]
    call += ["--focal-px", "300", "--baseline-m", "0.1", "--num-disparities", "32", "--quiet"]
    return [*call, "--outputs", "disparity,disparity-png,depth-tiff,cloud,preview", "-o", str(out)]


def _parts(out: Path) -> bool:
    return any(out.rglob(".*.part")) if out.is_dir() else False


def _run_half(out: Path) -> str:
    readers: dict[str, Callable[[Path], object]] = {
        ".pfm": read_map, ".tiff": read_map, ".npy": read_map, ".png": read_image,
        ".ply": PointCloud.load, ".json": lambda path: json.loads(path.read_text()),
    }  # fmt: skip
    for path in out.rglob("[!.]*"):
        if path.is_file():
            try:
                readers.get(path.suffix, Path.read_bytes)(path)
            except Exception as error:
                return f"{path}: {error}"
    for ledger in out.rglob("summary.json"):
        files = json.loads(ledger.read_text())["files"].values()
        missing = [name for name in files if not (ledger.parent / name).is_file()]
        if missing:
            return f"{ledger} names {missing[0]}, which is not there"
    return ""


def _run_again(out: Path) -> str:
    done = subprocess.run(run_call(out), capture_output=True, text=True, check=False)
    ledgers = list(out.rglob("summary.json"))
    if done.returncode not in (0, 3) or len(ledgers) != 5:
        return f"rerun: exit code {done.returncode}, {len(ledgers)} of 5 pairs: {done.stderr:.200}"
    return _run_half(out)


# --- recordings ---------------------------------------------------------------------------------


def _record_call(out: Path) -> list[str]:
    clip = out.parent / "clip.avi"
    if not clip.exists():  # noise: the PNGs are large
        rng = np.random.default_rng(0)
        to = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 30, (1280, 480))
        for _ in range(80):
            to.write(rng.integers(0, 255, (480, 1280, 3), dtype=np.uint8))
        to.release()
    return [*STEREO, "record", str(clip), "-o", str(out), "--min-free-mb", "0"]


def _lines(out: Path) -> int:
    index = out / "index.jsonl"
    return index.read_bytes().count(b"\n") if index.exists() else 0


def _recording(out: Path) -> bool:
    """Whether there are images that no line names yet, or half a line."""
    if not (out / "frames").is_dir():
        return False
    index = out / "index.jsonl"
    cut = index.exists() and not index.read_bytes().endswith(b"\n") and index.stat().st_size > 0
    return cut or len(list((out / "frames").iterdir())) > 2 * _lines(out)


def _record_half(out: Path) -> str:
    lines = _lines(out)
    if lines == 0:
        return ""
    with open_source(f"recording:{out}") as source:
        played = sum(1 for _ in source)
    return "" if played == lines else f"{lines} lines, {played} pairs can be read"


def _record_again(out: Path) -> str:
    """What was recorded can be worked on; a new recording takes a new folder."""
    if not (out / "recording.json").exists():
        return ""
    done = subprocess.run(_record_call(out), capture_output=True, text=True, check=False)
    return "" if done.returncode == 2 else f"recorded into it again: {done.returncode}"


# --- files written again and again --------------------------------------------------------------


def _loop(body: str) -> Callable[[Path], list[str]]:
    def call(out: Path) -> list[str]:
        out.mkdir(exist_ok=True)
        code = _LOOP.format(tests=str(TESTS), out=str(out), body=body)
        return [sys.executable, "-c", code]

    return call


def _rigs_half(out: Path) -> str:
    """Every file that is seen can be read and is one of those that were written."""
    lengths = {round(0.12 * (1 + k), 4) for k in range(7)}
    for path in (p for p in out.iterdir() if p.name[0] != "."):
        names = ",".join(str(out / name) for name in ("left.yaml", "right.yaml"))
        both = all((out / name).exists() for name in ("left.yaml", "right.yaml"))
        if path.name in ("left.yaml", "right.yaml") and not both:
            continue  # the other file was not reached
        try:
            rig = calib.load_rig(names if path.name in ("left.yaml", "right.yaml") else path)
        except Exception as error:
            return f"{path}: {error}"
        if round(rig.baseline_m, 4) not in lengths:
            return f"{path}: a baseline of {rig.baseline_m} m that nobody wrote"
    return ""


def _rigs_again(out: Path) -> str:
    calib.save_rig(calibration_samples.RIG, out / "rig.yaml")
    return _rigs_half(out)


def _cloud_half(out: Path) -> str:
    for path in (p for p in out.iterdir() if p.name[0] != "."):
        try:
            PointCloud.load(path)
        except Exception as error:
            return f"{path}: {error}"
    return ""


KINDS = (
    Kind("stereo run", run_call, _parts, _run_half, _run_again),
    Kind("stereo record", _record_call, _recording, _record_half, _record_again),
    Kind(
        "rig files", _loop('calib.save_rig(rig, out / "rig.yaml")'), _parts, _rigs_half, _rigs_again
    ),
    Kind(
        "converted calibrations",
        _loop('calib.save_rig(rig, out, format="ros"); '
              'calib.save_rig(rig, out / "chain.yaml", format="kalibr")'),
        _parts, _rigs_half, _rigs_again,
    ),
    Kind(
        "clouds",
        _loop('cloud.save(out / "cloud.ply"); cloud.save(out / "cloud.pcd")'),
        _parts, _cloud_half, _cloud_half,
    ),
)  # fmt: skip


def killed(kind: Kind, folder: Path, rng: random.Random) -> tuple[bool, str]:
    """Kill one; returns whether that was in mid-write, and what went wrong."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    process = subprocess.Popen(
        kind.start(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    try:
        writing = _stop_in_writing(kind, process, out, rng)
    finally:
        process.kill()
        process.wait()
    wrong = kind.half(out) if out.exists() else ""
    return writing, wrong or (kind.again(out) if out.exists() else "")


def _stop_in_writing(
    kind: Kind, process: subprocess.Popen[bytes], out: Path, rng: random.Random
) -> bool:
    """Wait for some files to be written and stop while another is; whether it is."""
    deadline_s, skip = time.monotonic() + MOST_S, rng.randint(0, 12)
    before = False
    while time.monotonic() < deadline_s and process.poll() is None:
        now = kind.writing(out)
        skip -= before and not now
        before = now
        time.sleep(0.0002)
        if now and skip <= 0:
            os.kill(process.pid, signal.SIGSTOP)
            return kind.writing(out)
    return False


def kills(scratch: Path, *, times: int, seed: int = 1) -> list[Row]:
    """Kill so many of every kind."""
    rows, rng = [], random.Random(seed)
    for kind in KINDS:
        row, halfway = Row(f"kill -9: {kind.name}"), 0
        folder = scratch / kind.name.replace(" ", "_")
        folder.mkdir(parents=True)
        for k in range(times):
            writing, wrong = killed(kind, folder, rng)
            halfway += writing
            row.count(f"kill {k + 1} of {kind.name}", wrong)
        row.note = f"{halfway} in mid-write"
        if 2 * halfway < times:
            row.failed.append(f"{kind.name}: only {row.note}")
        rows.append(row)
    return rows
