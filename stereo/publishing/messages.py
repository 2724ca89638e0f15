"""What one frame becomes as topics: named, stamped, and encoded once however many publish it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from calib import PlacedCamera
from stereo.cloud import MAX_RELATIVE_SIGMA
from stereo.frame import DepthFrame, StereoFrame
from stereo.publishing import cdr
from stereo.publishing.parts import (
    CLOUD,
    DISPARITY,
    IMAGE,
    INFO,
    LEFT,
    REGISTERED,
    RIGHT,
    TF,
    Matrix,
    Optics,
    Pose,
    cloud_message,
    disparity_message,
    frames_message,
    image_message,
    info_message,
)
from stereo.rectify import Rectification
from stereo.register import RegisteredDepth
from stereo.result import StereoResult
from stereo.turning import turned

TOPICS: dict[str, str] = {
    "tf_static": TF,
    "left/camera_info": INFO,
    "right/camera_info": INFO,
    "camera_info": INFO,
    "left/image_rect": IMAGE,
    "right/image_rect": IMAGE,
    "depth": IMAGE,
    "sigma": IMAGE,
    "confidence": IMAGE,
    "disparity": DISPARITY,
    "points": CLOUD,
    "registered/camera_info": INFO,
    "registered/image_raw": IMAGE,
    "registered/depth": IMAGE,
    "registered/sigma": IMAGE,
}
"""topic -> kind of message; what all of it means is in docs/robots.md. Beside each image there is a
camera_info, as ROS looks for it; that of depth, sigma and confidence is the left camera's."""
STATIC = "tf_static"
"""The topic that is said once, to whoever comes later too."""


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """How results become messages."""

    organised: bool = True
    """The cloud has a point for each pixel, NaN where unknown; else only known ones."""
    max_relative_sigma: float = MAX_RELATIVE_SIGMA
    """Points whose error bar exceeds this share of their depth are left out; inf: none."""


class FrameMessages:
    """The messages of one result, each made when first asked for; from any thread."""

    def __init__(
        self,
        result: StereoResult,
        stamp_ns: int,
        *,
        rect: Rectification | None = None,
        options: MessageOptions | None = None,
    ) -> None:
        """``rect`` was applied; None: the images came rectified, of cameras side by side."""
        self.stamp_ns = stamp_ns
        self._made: dict[str, cdr.Encoded] = {}
        self._lock = threading.Lock()
        self._makers = _makers(result, stamp_ns, rect, options or MessageOptions())

    @property
    def topics(self) -> dict[str, str]:
        """Those that this result has, and their kinds: uncalibrated neither depth nor cameras."""
        return {topic: TOPICS[topic] for topic in self._makers}

    def encoded(self, topic: str) -> cdr.Encoded:
        """Return the message of a topic, as CDR."""
        with self._lock:
            if topic not in self._made:
                self._made[topic] = cdr.encoded(self._makers[topic]())
            return self._made[topic]


def _makers(
    result: StereoResult, stamp_ns: int, rect: Rectification | None, options: MessageOptions
) -> dict[str, Callable[[], Any]]:
    disparity, depth, registered = result.disparity, result.depth, result.registered
    turns = 0 if rect is None else rect.turns
    makers: dict[str, Callable[[], Any]] = {}
    if depth is not None:
        size = depth.depth_m.shape[1], depth.depth_m.shape[0]
        P_left, P_right = projections(depth, turns)
        places = (("left/", P_left, LEFT), ("right/", P_right, RIGHT), ("", P_left, LEFT))
        cameras = {RIGHT: (np.eye(3), _right_origin(depth, turns))}
        if registered is not None:
            cameras[REGISTERED] = _pose(registered.camera, rect)
        makers["tf_static"] = partial(frames_message, cameras)
        for place, P, frame_id in places:
            makers[f"{place}camera_info"] = partial(
                info_message, Optics.rectified(P), size, stamp_ns, frame_id
            )
    makers["left/image_rect"] = partial(image_message, result.left, stamp_ns, LEFT)
    makers["right/image_rect"] = lambda: image_message(
        turned(result.pair.right, -turns), stamp_ns, RIGHT
    )
    if depth is not None:
        makers["depth"] = partial(image_message, depth.depth_m, stamp_ns, LEFT)
        makers["sigma"] = partial(image_message, depth.sigma_m, stamp_ns, LEFT)
    makers["confidence"] = partial(image_message, disparity.confidence, stamp_ns, LEFT)
    makers["disparity"] = partial(_disparity, result, stamp_ns)
    if depth is not None:
        makers["points"] = partial(
            cloud_message,
            depth,
            stamp_ns,
            organised=options.organised,
            max_relative_sigma=options.max_relative_sigma,
        )
    return makers if registered is None else makers | _registered_makers(registered, stamp_ns)


def _registered_makers(registered: RegisteredDepth, stamp_ns: int) -> dict[str, Callable[[], Any]]:
    """Depth of a third camera's pixels, lens and all: its image is not rectified."""
    camera = registered.camera.camera
    optics = Optics.raw(camera, np.eye(3), np.column_stack([camera.K, np.zeros(3)]))
    makers: dict[str, Callable[[], Any]] = {
        "registered/camera_info": partial(info_message, optics, camera.size, stamp_ns, REGISTERED)
    }
    for name, image in (
        ("image_raw", registered.color),
        ("depth", registered.depth_m),
        ("sigma", registered.sigma_m),
    ):
        makers[f"registered/{name}"] = partial(image_message, image, stamp_ns, REGISTERED)
    return makers


def _pose(camera: PlacedCamera, rect: Rectification | None) -> Pose:
    """A camera beside the rig, seen from the left camera's depth."""
    turn = None if rect is None else rect.R_depth_left
    R = camera.R_camera_left if turn is None else camera.R_camera_left @ turn.T
    return R.T, -R.T @ camera.t_camera_left


def projections(depth: DepthFrame, turns: int) -> tuple[Matrix, Matrix]:
    """Return both cameras' (3, 4) projections as ROS has them: the right one knows the baseline.

    Of cameras above each other (``turns``) it stands in the second row.
    """
    g = depth.geometry
    left = np.column_stack([g.K, np.zeros(3)])
    right = left.copy()
    right[0, 2] += g.doffs_px
    right[:2, 3] = -g.focal_px * _right_origin(depth, turns)[:2]
    return left, right


def _right_origin(depth: DepthFrame, turns: int) -> Matrix:
    """(3,) where the right camera stands, metres, seen from the left one."""
    baseline = depth.geometry.baseline_m
    return np.array([0.0, turns * baseline, 0.0] if turns else [baseline, 0.0, 0.0])


def _disparity(result: StereoResult, stamp_ns: int) -> Any:
    """ROS counts disparity from infinity: 0 px there, wherever the principal points lie."""
    px, searched, depth = result.disparity.px, result.disparity.searched, result.depth
    geometry = None if depth is None else depth.geometry
    doffs = 0.0 if geometry is None else geometry.doffs_px
    if searched is not None:
        found = (float(searched.min_disparity), float(searched.max_disparity))
    else:
        known = px[np.isfinite(px)]
        found = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    return disparity_message(
        px + np.float32(doffs) if doffs else px,
        (found[0] + doffs, found[1] + doffs),
        0.0 if geometry is None else geometry.focal_px,
        0.0 if geometry is None else geometry.baseline_m,
        stamp_ns,
    )


class Stamps:
    """When frames were exposed, as ROS counts: nanoseconds, of a running camera since 1970.

    A running camera's clock has a zero of its own, which is found from when this computer says the
    first frame was taken; then only the camera's clock counts, which has no jitter, until the two
    differ by more than 50 ms. What comes from files keeps the time it has.
    """

    _DRIFT_NS = 50_000_000
    _SAME_CLOCK_NS = 1_000_000_000
    """A camera whose clock is so near to this computer's counts since 1970 itself."""

    def __init__(self) -> None:
        self._offset_ns: int | None = None

    def of(self, frame: StereoFrame) -> int:
        """Return when the left image of a frame was exposed."""
        if len(frame.name) == 19 and frame.name.isdecimal():
            return int(frame.name)  # all digits, which seconds in a float have not
        own_ns = round(frame.time_s * 1e9)
        if math.isnan(frame.host_s):
            return max(0, own_ns)
        taken_ns = time.time_ns() - round((time.monotonic() - frame.host_s) * 1e9)
        offset_ns = self._offset_ns
        if offset_ns is None or abs(own_ns + offset_ns - taken_ns) > self._DRIFT_NS:
            same = abs(own_ns - taken_ns) < self._SAME_CLOCK_NS
            self._offset_ns = offset_ns = 0 if same else taken_ns - own_ns
        return max(0, own_ns + offset_ns)
