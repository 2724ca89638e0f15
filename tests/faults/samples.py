"""Small sound files of every kind that something here reads, most by our own writers."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import calibration_samples
import cv2
import numpy as np
import streams

import calib
from calib.camera import CalibratedCamera
from calib.placed import PlacedCamera
from stereo.cloud import PointCloud
from stereo.files import outputs
from stereo.frame import StereoFrame
from stereo.run.ledger import NAME, Entry, open_ledger
from stereo.sources.record import Recorder

Files = dict[str, bytes]
"""Names below one folder, and what the files hold."""
REPO = Path(__file__).resolve().parents[2]
REAL = REPO.parent / "shared" / "data"
SIZE = (48, 64)


def files_in(folder: Path) -> Files:
    """Everything below a folder."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def _made(make: Callable[[Path], object]) -> Files:
    with TemporaryDirectory() as name:
        make(Path(name))
        return files_in(Path(name))


def _scene(channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    rng = np.random.default_rng(channels)
    shape = SIZE if channels == 1 else (*SIZE, channels)
    noise = cv2.resize(rng.integers(0, 255, (6, 8, *shape[2:])).astype(np.uint8), SIZE[::-1])
    return noise.astype(dtype) * (257 if dtype is np.uint16 else 1)


def _encoded(ending: str, image: np.ndarray) -> bytes:
    done, data = cv2.imencode(ending, image)
    assert done
    return data.tobytes()


@cache
def calibrations() -> list[Files]:
    """One of every format, and real ones where they are there."""
    own = [dict(files) for files in calibration_samples.samples().values()]
    real = sorted((REAL / "calibration_files").rglob("*")) if REAL.is_dir() else []
    return own + [{path.name: path.read_bytes()} for path in real if path.is_file()]


@cache
def cameras() -> list[Files]:
    """Of one camera, and of one beside a rig."""
    known = CalibratedCamera(calibration_samples.RIG.left)
    placed = PlacedCamera.right_of(calibration_samples.RIG)
    return [
        _made(lambda folder: calib.save_camera(known, folder / "camera.yaml")),
        _made(lambda folder: calib.save_placed_camera(placed, folder / "camera.yaml")),
    ]


@cache
def images() -> list[Files]:
    """Of every ending, gray and in colour, 8 and 16 bit."""
    found = []
    for ending in (".png", ".jpg", ".bmp", ".tiff", ".ppm", ".webp"):
        found.append({f"left{ending}": _encoded(ending, _scene(3))})
    for ending in (".png", ".tiff", ".pgm"):
        found.append({f"left{ending}": _encoded(ending, _scene(1, np.uint16))})
    for ending in (".png", ".jpg", ".pgm", ".bmp"):
        found.append({f"left{ending}": _encoded(ending, _scene(1))})
    for path in sorted((REAL / "calibration" / "opencv_samples").glob("*.jpg"))[:2]:
        found.append({"left.jpg": path.read_bytes()})
    for path in sorted((REAL / "pairs" / "tsukuba").glob("*.p[np][gm]"))[:2]:
        found.append({path.name: path.read_bytes()})
    return found


@cache
def maps() -> list[Files]:
    """Disparity and depth in every way in which they are kept."""
    px = np.linspace(1, 40, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
    px[:5] = np.nan

    def write(folder: Path) -> None:
        outputs.write_disparity_pfm(folder / "disparity.pfm", px)
        outputs.write_disparity_png16(folder / "disparity.png", px)
        outputs.write_tiff(folder / "depth_m.tiff", px)
        outputs.write_npy(folder / "depth_m.npy", px)
        outputs.write_depth_png_mm(folder / "depth_mm.png", px)
        outputs.write_confidence_png(folder / "confidence.png", px / 40)

    return [{name: raw} for name, raw in _made(write).items()]


@cache
def clouds() -> list[Files]:
    """PLY and PCD."""
    rng = np.random.default_rng(0)
    points = rng.normal(0, 1, (200, 3)).astype(np.float32) + np.float32([0, 0, 4])
    cloud = PointCloud(points, rng.integers(0, 255, (200, 3), dtype=np.uint8))
    with_normals = PointCloud(cloud.points, cloud.colors, normals=np.ones_like(points))
    found = []
    for each in (cloud, with_normals):
        for name in ("cloud.ply", "cloud.pcd"):
            found.append(_made(lambda folder, each=each, name=name: each.save(folder / name)))
    return found


@cache
def manifests() -> list[Files]:
    """A list of pairs with truth, and what it names."""
    image = _encoded(".png", _scene(3))
    name, raw = next((n, r) for files in maps() for n, r in files.items() if n.endswith(".pfm"))
    pair = {
        "name": "room",
        "left": "left.png",
        "right": "right.png",
        "ground_truth": name,
        "ground_truth_divisor": 1,
        "num_disparities": 48,
        "mask": "mask.png",
        "mask_visible_value": 255,
    }
    entries = [pair, {**pair, "name": "again", "right_ground_truth": name, "calibration": None}]
    mask = _encoded(".png", np.full(SIZE, 255, np.uint8))
    text = json.dumps({"pairs": entries}, indent=1).encode()
    return [
        {"pairs.json": text, "left.png": image, "right.png": image, name: raw, "mask.png": mask}
    ]


CONFIG = b"""\
# settings
matcher = "sgm"
preset = "dense"
num_disparities = 64
outputs = ["depth", "cloud"]
max_depth_m = 12.5
fill = true

[matcher_params]
uniqueness_percent = 5
"""


def configs() -> list[Files]:
    """Settings of ``stereo run``."""
    return [{"settings.toml": CONFIG}, {"settings.toml": CONFIG.replace(b'preset = "dense"', b"")}]


@cache
def recordings() -> list[Files]:
    """Three pairs, with a rig."""

    def write(folder: Path) -> None:
        image = _scene(3)
        with Recorder(folder / "r", calibration=calibration_samples.RIG, min_free_bytes=0) as to:
            for k in range(3):
                to.write(StereoFrame(np.roll(image, k, 1), np.roll(image, k + 2, 1), k / 10, 0.0))

    return [{name.removeprefix("r/"): raw for name, raw in _made(write).items()}]


@cache
def bags() -> list[Files]:
    """ROS 1, ROS 2 and MCAP; none without rosbags."""
    try:
        from bags import KINDS, Bag
    except ImportError:
        return []
    found = []
    for kind in KINDS:

        def write(folder: Path, kind: str = kind) -> None:
            with Bag(folder, kind) as bag:
                for side in ("left", "right"):
                    bag.info(f"/stereo/{side}/camera_info", side)
                for k in range(3):
                    for side in ("left", "right"):
                        bag.image(f"/stereo/{side}/image_raw", 100 + k / 20, _scene(1), "mono8")

        found.append(_made(write))
    return found


@cache
def videos() -> list[Files]:
    """Side by side, in two containers."""

    def write(folder: Path) -> None:
        for name, code in (("clip.avi", "MJPG"), ("clip.mp4", "mp4v")):
            size = (4 * SIZE[1], 2 * SIZE[0])
            fourcc = cv2.VideoWriter.fourcc(*code)
            to = cv2.VideoWriter(str(folder / name), cv2.CAP_FFMPEG, fourcc, 10, size)
            for k in range(5):
                to.write(np.roll(cv2.resize(_scene(3), size), 3 * k, 1))
            to.release()

    return [{name: raw} for name, raw in _made(write).items()]


@cache
def ledgers() -> list[Files]:
    """What ``stereo run`` leaves in a result folder."""
    facts = {
        "name": "room",
        "fingerprint": "0123456789abcdef",
        "files": {"disparity": "disparity.pfm", "depth-png": "depth_mm.png"},
        "trusted": True,
        "focal_px": 300.0,
        "baseline_m": 0.1,
        "cx_px": 31.5,
        "cy_px": 23.5,
        "doffs_px": 0.0,
    }
    names = {name: raw for files in maps() for name, raw in files.items()}
    kept = {name: names[name] for name in ("disparity.pfm", "depth_mm.png")}
    image = _encoded(".png", _scene(3))
    return [{"summary.json": json.dumps(facts).encode(), **kept, "left.png": image}]


@cache
def batches() -> list[Files]:
    """What ``stereo batch`` leaves in a result folder."""
    facts = json.loads(ledgers()[0]["summary.json"])
    facts |= {"bytes": {"depth-png": 9}, "summary_bytes": 9}

    def write(folder: Path) -> None:
        with open_ledger(folder) as ledger:
            for k in range(5):
                name = f"pair{k}"
                ledger.put(Entry(name, name, "done", facts["fingerprint"], 1.5, facts, b"jpeg"))

    return [{NAME: _made(write)[NAME]}]


@cache
def caches() -> list[Files]:
    """What is remembered of a board found in an image."""
    points = np.random.default_rng(0).uniform(0, 64, (54, 2))
    facts = np.array([64.0, 48.0, 0.5])
    return [{"entry.npz": npz(points=points, ids=np.arange(54), facts=facts)}]


@cache
def mjpeg() -> list[Files]:
    """The body of a stream, with stamps and lengths and without."""
    frames = streams.numbered(4, (256, 192))
    head = b"Content-Type: image/jpeg\r\n"
    with_length = [
        b"--frame\r\n%sContent-Length: %d\r\nX-Timestamp: %.3f\r\n\r\n%s\r\n"
        % (head, len(jpeg), 1e9 + k / 20, jpeg)
        for k, jpeg in enumerate(frames)
    ]
    without = [b"--frame\r\n%s\r\n%s\r\n" % (head, jpeg) for jpeg in frames]
    return [{"body": b"".join(parts)} for parts in (with_length, without)]


def boards() -> list[Files]:
    """How a board is described."""
    specs = (
        "chessboard:9x6:25mm", "charuco:11x8:30mm:22mm:DICT_5X5_50:legacy", "aprilgrid:6x6:88mm",
        "circles:4x11:20mm", "asymmetric:4x11:20mm",
    )  # fmt: skip
    return [{"board": spec.encode()} for spec in specs]


def npz(**arrays: np.ndarray) -> bytes:
    """An archive of arrays."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def put(files: Files, folder: Path) -> Path:
    """Write the files into a folder; returns the first."""
    return calibration_samples.put(files, folder)


def any_of(samples: list[Files], rng: random.Random) -> Files:
    """One of them."""
    return dict(rng.choice(samples))
