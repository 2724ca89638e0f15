"""The wall's figures, live."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chromium import open_page
from evaluation.painted_walls import GEOMETRY, SIZE, painted_wall

from calib import RectifiedRig
from stereo.errors import QualityError
from stereo.frame import StereoFrame
from stereo.live.depth import LiveFrame
from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.rectify import Rectification
from stereo.viewers.wall_panel import WallGauge, wall_lines

WALL_M = 1.2


def frames(distance_m: float, count: int) -> list[LiveFrame]:
    g = GEOMETRY
    rig = RectifiedRig(SIZE, g.focal_px, g.baseline_m, g.cx_px, g.cx_px, g.cy_px)
    pipeline = LivePipeline(Rectification.from_calibration(rig), LiveSettings())
    found = []
    for number in range(count):
        pair, _ = painted_wall(distance_m, noise=2, seed=number)
        frame = StereoFrame(pair.left, pair.right)
        result, took = pipeline.process(frame)
        found.append(LiveFrame(number, frame, result, took))
    return found


def test_gauge_gathers_while_still_and_begins_anew_when_moved() -> None:
    gauge = WallGauge()
    for frame in frames(WALL_M, 6):
        stand = gauge.add(frame, WALL_M)
    assert stand.frames == 6
    assert stand.distance_m == pytest.approx(WALL_M, rel=0.005)
    assert stand.temporal is not None
    assert stand.accuracy is not None
    assert "Z error" in wall_lines(stand)
    moved = gauge.add(frames(2.0, 1)[0])
    assert (moved.frames, moved.temporal) == (1, None)
    assert moved.distance_m == pytest.approx(2.0, rel=0.01)


def test_gauge_holds_few_frames() -> None:
    gauge, one = WallGauge(), frames(WALL_M, 1)[0]
    assert max(gauge.add(replace(one, number=n)).frames for n in range(12)) == 10


def test_no_wall_is_said() -> None:
    one = frames(WALL_M, 1)[0]
    depth = one.result.depth
    assert depth is not None
    nothing = replace(depth, depth_m=np.full_like(depth.depth_m, np.nan))
    with pytest.raises(QualityError, match="no wall"):
        WallGauge().add(replace(one, result=replace(one.result, depth=nothing)))


def test_in_a_real_browser(tmp_path: Path) -> None:
    pytest.importorskip("viser", reason="needs the extra web (viser)")
    from stereo.viewers.web import WebViewer

    shown = frames(WALL_M, 6)
    with WebViewer(port=0) as viewer:
        viewer.show(shown[0])
        with open_page(viewer.url) as page:
            page.wait_for_text("Measure the wall")
            page.tick("Measure")
            page.wait_for_text("looking for the wall")
            for frame in shown[1:]:
                viewer.show(frame)
                time.sleep(0.1)
            page.wait_for_text("plane-fit RMS")
            page.screenshot(tmp_path / "wall.png")
