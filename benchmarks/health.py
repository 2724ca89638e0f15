"""Figures of ``stereo check``: real rigs, rigs turned by known angles, and what row errors cost.

``python benchmarks/health.py`` prints real rigs and both perturbed ones; ``--matching`` what row
errors do to matching (the table in ``calib/health/effect.py``); ``--live`` what watching costs;
``--draws N --seed S`` choose the draws, ``--scene K`` another walk through the rendered room.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import yaml
from common import PAIRS, SEQUENCES, SHARED, pairs_of, pipeline, table_head, table_row
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calib import Camera, StereoRig
from calib.health.check import check_matches, check_rig
from calib.health.features import Gray, Matches, match_features
from calib.health.motion import Side, moved
from calib.health.repair import mended, nothing_to_mend, why_not_mended
from calib.health.row_errors import rows_of_rectified, rows_of_rig
from stereo.frame import RectifiedPair, StereoFrame
from stereo.live.watch import SHARE, row_error_px
from stereo.synthetic import (
    FAST,
    ROOM_POSE,
    Pose,
    make_sample_rig,
    render_pair,
    room_scene,
    rotation,
)

Float = NDArray[np.float64]
GrayPairs = list[tuple[Gray, Gray]]
ROWS_PX = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scene", type=int, default=0)
    parser.add_argument("--matching", action="store_true")
    parser.add_argument("--live", action="store_true")
    args = parser.parse_args()
    if args.matching:
        matching()
        return
    if args.live:
        live()
        return
    if SEQUENCES.is_dir():
        real()
        rig, pairs = euroc()
        perturbed("EuRoC", rig, pairs, args.draws, args.seed)
    perturbed("rendered", *rendered(args.scene), args.draws, args.seed)


# -- real rigs -----------------------------------------------------------------------------------


def real() -> None:
    """Rows of real raw pairs: as they are, with their own calibration, and after a repair."""
    print(
        table_head("rig", "pairs", "rows raw", "median", "95 %", "systematic", "grade", "repaired")
    )
    for name, (rig, pairs) in {"euroc": euroc(), "mynteye": mynteye(), "oak": oak()}.items():
        began = time.perf_counter()
        health = check_rig(rig, pairs)
        took = time.perf_counter() - began
        raw = rows_of_rectified(None, health.matches, rig.left.size)
        after = "" if health.explanation is None else f"{health.explanation.held_out_after_px:.2f}"
        r = health.rows
        print(
            table_row(
                name, len(pairs), f"{raw.median_px:.2f}", f"{r.median_px:.2f}", f"{r.p95_px:.2f}",
                f"{r.systematic_px:.2f}", f"{health.grade} ({took:.1f} s)",
                f"{after} held out" if why_not_mended(health) is None else why_not_mended(health),
            )
        )  # fmt: skip


def euroc() -> tuple[StereoRig, GrayPairs]:
    folder = SEQUENCES / "euroc"
    rig = _of_sensors(folder / "cam0/sensor.yaml", folder / "cam1/sensor.yaml", "pinhole")
    names = sorted(path.name for path in (folder / "cam0").glob("*.png"))[:10]
    return rig, [(_gray(folder / "cam0" / name), _gray(folder / "cam1" / name)) for name in names]


def mynteye() -> tuple[StereoRig, GrayPairs]:
    folder = SEQUENCES / "mynteye_fisheye"
    files = [folder / f"{side}_sensor_fisheye.yaml" for side in ("left", "right")]
    images = [_gray(folder / f"{side}_fisheye_img_0.png") for side in ("left", "right")]
    return _of_sensors(*files, "fisheye"), [(images[0], images[1])]


def oak() -> tuple[StereoRig, GrayPairs]:
    """Sockets 1 and 2 are left and right, centimetres; ten frames spread over the video."""
    folder = SEQUENCES / "oak_video"
    kept = dict(json.loads((folder / "calib.json").read_text())["cameraData"])
    cameras = [
        Camera("pinhole", (k["width"], k["height"]), np.array(k["intrinsicMatrix"]),
               np.array(k["distortionCoeff"]))
        for k in (kept[1], kept[2])
    ]  # fmt: skip
    motion = kept[1]["extrinsics"]
    t = np.array([motion["translation"][axis] for axis in "xyz"]) / 100
    rig = StereoRig(cameras[0], cameras[1], _rounded(np.array(motion["rotationMatrix"])), t)
    videos = [cv2.VideoCapture(str(folder / f"{side}.mp4")) for side in ("left", "right")]
    pairs = []
    for number in range(600):
        frames = [video.read()[1] for video in videos]
        if number % 60 == 0:
            left, right = (cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames)
            pairs.append((np.asarray(left, np.uint8), np.asarray(right, np.uint8)))
    return rig, pairs


def _of_sensors(left: Path, right: Path, model: str) -> StereoRig:
    kept = [yaml.safe_load(p.read_text().partition("\n")[2]) for p in (left, right)]
    poses = [np.array(k["T_BS"]["data"]).reshape(4, 4) for k in kept]
    cameras = [
        Camera(model, tuple(k["resolution"]),  # type: ignore[arg-type]
               np.array([[fu, 0, cu], [0, fv, cv], [0, 0, 1]]),
               np.array(k["distortion_coefficients"]))
        for k in kept for fu, fv, cu, cv in [k["intrinsics"]]
    ]  # fmt: skip
    T = np.linalg.inv(poses[1]) @ poses[0]
    return StereoRig(cameras[0], cameras[1], _rounded(T[:3, :3]), T[:3, 3])


def _rounded(R: Float) -> Float:
    U, _, Vt = np.linalg.svd(R)
    return np.asarray(U @ Vt)


def _gray(path: Path) -> Gray:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)


# -- rigs turned by known angles -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draw:
    """One turn, what was said of it, and what the repair made of it."""

    axis: str
    degrees: float
    true_px: float
    flagged: bool
    systematic_px: float
    mended_px: float
    off_deg: tuple[float, float, float]
    refused: str | None


def perturbed(name: str, rig: StereoRig, pairs: GrayPairs, draws: int, seed: int) -> list[Draw]:
    """Turn the rig in its file by 0.05 to 1 degree about each axis; check, mend, compare."""
    began = time.perf_counter()
    matches = [match_features(*pair) for pair in pairs]
    base = rows_of_rig(rig, matches).median_px
    check_matches(rig, matches)
    took = time.perf_counter() - began
    random = np.random.default_rng(seed)
    found = [_draw(rig, matches, "xyz"[k % 3], random) for k in range(draws)]
    above = [d for d in found if d.true_px > 0.5]
    below = [d for d in found if d.true_px < 0.15]
    repairs = [d for d in found if d.refused is None]
    print(f"\n{name}: {len(pairs)} pairs {pairs[0][0].shape[::-1]}, {took:.1f} s a check, "
          f"median row error unperturbed {base:.3f} px, {draws} draws, seed {seed}")  # fmt: skip
    print(f"  true row error > 0.5 px: {sum(d.flagged for d in above)} of {len(above)} flagged; "
          f"< 0.15 px: {sum(d.flagged for d in below)} of {len(below)} flagged")  # fmt: skip
    worst = max((d.mended_px / base for d in repairs), default=float("nan"))
    turns = np.abs([d.off_deg for d in repairs]).reshape(-1, 3)
    print(f"  mended {len(repairs)}: median row error at most {worst:.2f} x unperturbed; pitch off "
          f"by {turns[:, 0].max():.4f} degrees at most, yaw {turns[:, 1].max():.4f}, "
          f"roll {turns[:, 2].max():.4f}")  # fmt: skip
    for d in found:
        if d.refused is not None:
            print(f"  {d.axis} {d.degrees:+.3f} degrees, true {d.true_px:.2f} px: {d.refused}")
    return found


def _draw(
    rig: StereoRig, matches: Sequence[Matches], axis: str, random: np.random.Generator
) -> Draw:
    degrees = float(random.uniform(0.05, 1) * random.choice([-1, 1]))
    side: Side = "left" if random.random() < 0.5 else "right"
    change = np.zeros(6)
    change["xyz".index(axis)] = np.radians(degrees)
    turned = moved(rig, change, side)
    health = check_matches(turned, matches)
    refused = None if nothing_to_mend(health) else why_not_mended(health)
    new = turned
    if not nothing_to_mend(health) and refused is None:
        new = mended(health)
    off = Rotation.from_matrix(new.R_right_left @ rig.R_right_left.T).as_rotvec(degrees=True)
    return Draw(
        axis, degrees, _true_rows(rig, turned), not health.trusted, health.rows.systematic_px,
        rows_of_rig(new, matches).median_px, (off[0], off[1], off[2]), refused,
    )  # fmt: skip


def _true_rows(truth: StereoRig, rig: StereoRig) -> float:
    """Median row error that ``rig`` gives to exact points seen by ``truth``."""
    random = np.random.default_rng(1)
    width, height = truth.left.size
    pixels = random.uniform(0, [width - 1, height - 1], (4000, 2))
    points = truth.left.unproject(pixels) * random.uniform(10, 60, (4000, 1)) * truth.baseline_m
    right = truth.right.project(points @ truth.R_right_left.T + truth.t_right_left)
    seen = (np.abs(right - np.array(truth.right.size) / 2) < np.array(truth.right.size) / 2).all(1)
    exact = Matches(pixels[seen], right[seen], len(pixels))
    return rows_of_rig(rig, [exact]).median_px


def rendered(scene: int, count: int = 10) -> tuple[StereoRig, GrayPairs]:
    """A walk through the sample room with the sample rig at 640x480."""
    room, rig = room_scene(quality=replace(FAST, texel_m=0.004)), make_sample_rig((640, 480))
    random = np.random.default_rng(scene)
    pairs = []
    for number in range(count):
        yaw, pitch = random.uniform(-0.35, 0.35), random.uniform(-0.25, 0.1)
        place = ROOM_POSE.position_m + random.uniform([-0.5, -0.3, -0.4], [0.5, 0.3, 0.6])
        shot = render_pair(
            room,
            rig,
            Pose(rotation(yaw=yaw, pitch=pitch), place),
            samples=2,
            seed=100 * scene + number,
        )
        left, right = (cv2.cvtColor(i, cv2.COLOR_RGB2GRAY) for i in (shot.left, shot.right))
        pairs.append((np.asarray(left, np.uint8), np.asarray(right, np.uint8)))
    return rig, pairs


# -- what row errors cost ------------------------------------------------------------------------


def matching() -> None:
    """Move right images by known rows and match: the default matcher, planes on."""
    for manifest in (PAIRS, SHARED / "pairs_more.json"):
        print(f"\n{manifest.name}")
        print(table_head("rows px", "matched", "right to 1 px", "noise added px"))
        counts = np.array([_by_rows(pair) for pair in pairs_of(manifest)])
        share = (counts / counts[:, :1]).mean(axis=0)
        added = np.sqrt(np.maximum(counts[..., 2] ** 2 - counts[:, :1, 2] ** 2, 0)).mean(axis=0)
        for rows, (matched, right, _), noise in zip(ROWS_PX, share, added, strict=True):
            print(table_row(rows, f"{matched:.3f}", f"{right:.3f}", f"{noise:.2f}"))


def _by_rows(pair: object) -> list[tuple[float, float, float]]:
    views, truth = pair.pair(), pair.truth()  # type: ignore[attr-defined]
    visible = pair.visible(truth)  # type: ignore[attr-defined]
    run = pipeline("sgm", pair.num_disparities)  # type: ignore[attr-defined]
    height, width = views.right.shape[:2]
    found = []
    for rows in ROWS_PX:
        right = cv2.warpAffine(
            views.right, np.array([[1.0, 0, 0], [0, 1, rows]]), (width, height),
            flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        px = run.process(StereoFrame(views.left, right)).disparity.px
        known = visible & np.isfinite(px)
        error = (px - truth)[known]
        spread = 1.4826 * float(np.median(np.abs(error - np.median(error))))
        right_share = np.count_nonzero(np.abs(error) <= 1) / visible.sum()
        found.append((known.sum() / visible.sum(), right_share, spread))
    return found


def live() -> None:
    """CPU time of one look of ``stereo live``, all cores together, and how often it may look."""
    _, pairs = rendered(0, 3)
    for width in (640, 1280):
        size = (width, width * 3 // 4)
        scaled = [
            RectifiedPair(*(np.asarray(cv2.resize(i, size), np.uint8) for i in pair))
            for pair in pairs
        ]
        row_error_px(scaled[0])
        began = time.process_time()
        for pair in scaled * 3:
            row_error_px(pair)
        took = (time.process_time() - began) / (3 * len(scaled))
        print(f"{size[0]}x{size[1]}: {1e3 * took:.0f} ms of CPU a look, "
              f"{100 * took / max(5.0, took / SHARE):.2f} % of one core")  # fmt: skip


if __name__ == "__main__":
    main()
