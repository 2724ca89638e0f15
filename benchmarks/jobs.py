"""Does it pay to work on several pairs at a time? `stereo run --jobs N` over copies of one pair.

Whole commands, interleaved: reading, matching, checking and writing, with the default outputs.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
from common import ROOM, medians_ms, table_head, table_row


def copies(folder: Path, count: int, size: tuple[int, int]) -> None:
    """The rectified sample room, ``count`` times, at (width, height)."""
    raw = [str(ROOM / f"{side}.png") for side in ("left", "right")]
    call = [sys.executable, "-m", "stereo.cli.main", "rectify", *raw]
    call += ["--calib", str(ROOM / "rig.yaml"), "-o", str(folder / "rectified")]
    subprocess.run(call, check=True, capture_output=True)
    for side in ("left", "right"):
        (folder / side).mkdir()
        image = cv2.imread(str(folder / "rectified" / f"{side}.png"))
        resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        for number in range(count):
            cv2.imwrite(str(folder / side / f"{number:03d}.png"), resized)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--sizes", nargs="+", default=["640x480", "1280x720"])
    parser.add_argument("--jobs", nargs="+", default=["1", "2", "3"])
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    print(table_head("size", *(f"{jobs} jobs, s" for jobs in arguments.jobs)))
    for text in arguments.sizes:
        width, height = (int(side) for side in text.split("x"))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            copies(folder, arguments.pairs, (width, height))
            times = medians_ms({j: ran(folder, j) for j in arguments.jobs}, arguments.repeats)
        print(table_row(text, *(f"{times[jobs] / 1000:.2f}" for jobs in arguments.jobs)))


def ran(folder: Path, jobs: str):
    """The whole command, from scratch each time."""
    out = folder / "out"
    call = [sys.executable, "-m", "stereo.cli.main", "run", str(folder / "left")]
    call += [str(folder / "right"), "--rectified", "--focal-px", "600", "--baseline-m", "0.16"]
    call += ["--jobs", jobs, "--quiet", "-o", str(out)]

    def run() -> None:
        shutil.rmtree(out, ignore_errors=True)
        subprocess.run(call, check=True, capture_output=True)

    return run


if __name__ == "__main__":
    main()
