"""Rigs that are not two like cameras side by side, and rigs that were knocked.

``python benchmarks/unusual_rigs.py`` renders the room with the sample rig at several angles (0:
side by side, 90: the right camera below the left one) and with a fisheye of 512x512 as its right
camera, and prints the median depth error against the exact truth of the camera that depth is seen
from. Then, for each real calibration set: the lenses of one half of its views are kept for the
other half, as they are and with the right images enlarged by 1 and 3 %, and it prints which
sessions are said to have been refocused (``stereo calibrate --from``).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from common import CALIBRATION, CALIBRATION_SETS, calibration_pairs

from calib import Camera
from calib.board import parse_board
from calib.calibrate import calibrate_views
from calib.detection.detection import match_order
from calib.detection.files import default_cache, detect_files
from calib.judging.known_lenses import lenses_of_rig
from calib.solving.calibration import View
from stereo.frame import StereoFrame
from stereo.matching import make_matcher
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.synthetic import ROOM_POSE, make_sample_rig, render_pair, room_scene, truth_depth

SIZE = (480, 360)
FISHEYE = Camera(
    "fisheye",
    (512, 512),
    np.array([[210.0, 0, 258], [0, 210.5, 251], [0, 0, 1]]),
    np.array([-0.02, 0.01, -0.003, 0.0005]),
)


def main() -> None:
    rendered()
    kept_lenses()


def rendered() -> None:
    base, scene = make_sample_rig(SIZE), room_scene()
    rigs = {"fisheye": replace(base, right=FISHEYE)}
    for degrees in (0, 30, 45, 60, 90, -90):
        angle = math.radians(degrees)
        centre = 0.16 * np.array([math.cos(angle), math.sin(angle), 0])
        rigs[f"{degrees:+d} deg"] = replace(base, t_right_left=-base.R_right_left @ centre)
    print("rig        focal px  known %  median error %")
    for name, rig in rigs.items():
        pair = render_pair(scene, rig, ROOM_POSE)
        rect = Rectification.from_rig(rig)
        pipeline = StereoPipeline(rect, make_matcher("sgm", num_disparities="auto"))
        depth = pipeline.process(StereoFrame(pair.left, pair.right)).depth
        assert depth is not None
        truth = truth_depth(scene, depth.K, SIZE, ROOM_POSE, R_rect=rect.R_depth_left)
        error = 100 * np.nanmedian(np.abs(depth.depth_m / truth - 1))
        known = 100 * np.isfinite(depth.depth_m).mean()
        print(f"{name:10} {depth.geometry.focal_px:8.0f} {known:8.1f} {error:15.2f}", flush=True)


def kept_lenses() -> None:
    print("\nset                     half  said of right images enlarged by 0, 1, 3 %")
    for name in CALIBRATION_SETS:
        views = real_views(name)
        board = parse_board(CALIBRATION_SETS[name][2])
        for half in (0, 1) if len(views) >= 10 else ():
            before = calibrate_views(views[half::2], board)
            if not before.trusted or before.rig is None:
                continue
            lenses, said = lenses_of_rig(before.rig), []
            for zoom in (1.0, 1.01, 1.03):
                now = [enlarged(view, zoom) for view in views[1 - half :: 2]]
                outcome = calibrate_views(now, board, intrinsics=lenses)
                named = [f.message for f in outcome.findings if f.cause == "refocused"]
                said.append("refocused" if named else outcome.grade)
            print(f"{name:24}{half:4}  {', '.join(said)}", flush=True)


def real_views(name: str) -> list[View]:
    pairs, _, spec = calibration_pairs(CALIBRATION / name)
    board = parse_board(spec)
    paths = [p.left for p in pairs] + [p.right for p in pairs]
    found = detect_files(paths, board, cache=default_cache())
    sides = zip(pairs, found[: len(pairs)], found[len(pairs) :], strict=True)
    return [
        View(pair.name, one, match_order(one, two, board))
        for pair, one, two in sides
        if one is not None and two is not None
    ]


def enlarged(view: View, share: float) -> View:
    middle = (np.array(view.right.size) - 1) / 2
    return replace(
        view, right=replace(view.right, points=middle + (view.right.points - middle) * share)
    )


if __name__ == "__main__":
    main()
