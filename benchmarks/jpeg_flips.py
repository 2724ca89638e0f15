"""How many spoilt bits in JPEGs are found, and what those do that are not.

    python benchmarks/jpeg_flips.py [--flips 400]

Every encoder that is here (OpenCV's and Pillow's libjpeg, ffmpeg's, GStreamer's) at several
qualities, with and without restart markers and code tables; one to eight bits anywhere in the
coded data are spoilt. What is not found is decoded: the share of pixels that differ by more than
8 levels. Good images must all pass, those of ../shared/data too, without their end and padded.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from common import ROOM, SHARED, table_head, table_row
from numpy.typing import NDArray
from PIL import Image

from stereo.sources.jpeg import Coded, Decoder, RejectedImage, coded, fault

SIZE = 1280, 720
VISIBLE = 8  # levels


def encoders(image: NDArray[np.uint8]) -> Iterator[tuple[str, bytes]]:
    """Name, JPEG."""
    for quality in (50, 75, 90, 97):
        yield f"OpenCV {quality}", opencv(image, quality)
    yield "OpenCV 85, gray", opencv(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)), 85)
    restarts = [cv2.IMWRITE_JPEG_RST_INTERVAL, 80]
    yield "OpenCV 85, restarts", opencv(image, 85, *restarts)
    yield "OpenCV 85, own codes", opencv(image, 85, cv2.IMWRITE_JPEG_OPTIMIZE, 1)
    yield "OpenCV 85, no tables (UVC)", without_tables(opencv(image, 85))
    for name, sampling in (("4:4:4", 0), ("4:2:2", 1)):
        data = io.BytesIO()
        Image.fromarray(image[..., ::-1]).save(data, "JPEG", quality=85, subsampling=sampling)
        yield f"Pillow 85, {name}", data.getvalue()
    height, width = image.shape[:2]
    raw = f"-f rawvideo -pix_fmt bgr24 -s {width}x{height} -i -"
    for scale in (2, 8):
        rest = f"-frames 1 -pix_fmt yuvj420p -q:v {scale} -f mjpeg -"
        yield from made(f"ffmpeg -q {scale}", f"ffmpeg -v error {raw} {rest}", image)
    caps = f"video/x-raw,format=BGR,width={width},height={height},framerate=1/1"
    parse = f"fdsrc blocksize={image.nbytes} ! {caps} ! videoconvert ! jpegenc ! fdsink"
    yield from made("GStreamer 85", f"gst-launch-1.0 -q {parse}", image)


def is_whole(jpeg: bytes) -> bool:
    """As in a stream whose other images are whole."""
    if fault(jpeg) is not None or coded(jpeg) not in (Coded.WHOLE, Coded.UNREAD):
        return False
    try:
        Decoder().decode(jpeg)
    except RejectedImage:
        return False
    return True


def opencv(image: NDArray[np.uint8], quality: int, *more: int) -> bytes:
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality, *more])
    assert done
    return data.tobytes()


def without_tables(jpeg: bytes) -> bytes:
    """As UVC cameras send it."""
    while (at := jpeg.find(b"\xff\xc4")) >= 0:
        jpeg = jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") :]
    return jpeg


def made(name: str, command: str, image: NDArray[np.uint8]) -> Iterator[tuple[str, bytes]]:
    call = command.split()
    if shutil.which(call[0]) is None:
        return
    done = subprocess.run(call, input=image.tobytes(), capture_output=True, timeout=60)
    if done.stdout.startswith(b"\xff\xd8"):
        yield name, done.stdout


def spoilt(jpeg: bytes, rng: np.random.Generator) -> bytes:
    """With one to eight bits of the coded data turned over."""
    start = jpeg.rindex(b"\xff\xda") + 14
    data = bytearray(jpeg)
    for bit in rng.integers(8 * start, 8 * (len(jpeg) - 2), 2 ** int(rng.integers(4))):
        data[bit >> 3] ^= 1 << (bit & 7)
    return bytes(data)


def harm(good: NDArray[np.uint8], jpeg: bytes) -> float:
    """Share of pixels that differ visibly."""
    bad = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
    if bad is None or bad.shape != good.shape:
        return 1.0
    apart = cv2.absdiff(bad, good)
    return float((apart.reshape(*apart.shape[:2], -1).max(axis=2) > VISIBLE).mean())


def row(name: str, jpeg: bytes, flips: int, rng: np.random.Generator) -> list[float]:
    """Print one encoder's figures; the harm of each that is not found."""
    good = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED))
    started = time.perf_counter()
    alarms = sum(not is_whole(jpeg) for _ in range(20))
    took_ms = 1000 * (time.perf_counter() - started) / 20
    harms = [harm(good, bad) for _ in range(flips) if is_whole(bad := spoilt(jpeg, rng))]
    seen = [h for h in harms if h > 0.01]
    print(
        table_row(
            name,
            f"{len(jpeg) / 1000:.0f}",
            alarms,
            f"{took_ms:.2f}",
            f"{100 * (1 - len(harms) / flips):.1f}",
            f"{100 * len(seen) / flips:.1f}",
            f"{100 * float(np.median(harms or [0.0])):.2f}",
        ),
        flush=True,
    )
    return harms


def false_alarms() -> tuple[int, int]:
    """Of real JPEGs, whole, without their end, padded: how many are called damaged, and of all."""
    files = sorted(path for path in SHARED.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    alarms = 0
    for path in files:
        jpeg = path.read_bytes()
        forms = (jpeg, jpeg[: jpeg.rindex(b"\xff\xd9")], jpeg + bytes(100), jpeg + jpeg[:5000])
        alarms += sum(not is_whole(form) for form in forms)
    return alarms, 4 * len(files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=400)
    parser.add_argument("--image", type=Path, default=ROOM / "left.png")
    arguments = parser.parse_args()
    image = np.asarray(cv2.resize(cv2.imread(str(arguments.image)), SIZE), np.uint8)
    rng = np.random.default_rng(0)
    print(
        table_head(
            *("encoder", "kB", "false alarms of 20", "ms, decoded", "found, %"),
            *("not found and > 1 % of pixels changed, %", "pixels changed where not found, %"),
        )
    )
    for name, jpeg in encoders(image):
        row(name, jpeg, arguments.flips, rng)
    alarms, count = false_alarms()
    print(f"\nreal JPEGs called damaged: {alarms} of {count}")


if __name__ == "__main__":
    main()
