"""A real result to show."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calib import load_rig
from stereo.frame import StereoFrame
from stereo.live.depth import LiveFrame
from stereo.live.pipeline import LivePipeline, LiveSettings
from stereo.rectify import Rectification


@pytest.fixture(scope="session")
def found(sample_data: Path) -> LiveFrame:
    """The sample room, matched."""
    room = sample_data / "room"
    images = [
        np.asarray(cv2.cvtColor(cv2.imread(str(room / name)), cv2.COLOR_BGR2RGB), np.uint8)
        for name in ("left.png", "right.png")
    ]
    frame = StereoFrame(images[0], images[1])
    rectification = Rectification.from_calibration(load_rig(room / "rig.yaml"))
    result, took = LivePipeline(rectification, LiveSettings()).process(frame)
    return LiveFrame(0, frame, result, took)
