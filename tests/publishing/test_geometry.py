"""What the topics say about space fits together: pixels, cameras, clouds, disparity, frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from topics import NS, result

from calib import Camera, PlacedCamera
from stereo.frame import SearchRange, StereoGeometry
from stereo.publishing.messages import TOPICS, FrameMessages, MessageOptions
from stereo.rectify import Rectification
from stereo.register import Registration
from stereo.result import StereoResult
from stereo.turning import turned_depth

typesys = pytest.importorskip("rosbags.typesys", reason="extra `bags` is not installed")
STORE = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)
SHIFTED = StereoGeometry(50.0, 0.1, 15.5, 11.5, doffs_px=2.0)
"""The right camera's principal point lies 2 px further to the right, as in Middlebury's pairs."""


def said(made: StereoResult, **named: Any) -> dict[str, Any]:
    messages = FrameMessages(made, NS, **named)
    raw = {topic: bytes(messages.encoded(topic)) for topic in messages.topics}
    return {topic: STORE.deserialize_cdr(raw[topic], TOPICS[topic]) for topic in raw}


def floats(message: Any) -> np.ndarray:
    values = message.data.view("f4")
    return values.reshape(message.height, message.width, -1).squeeze()


@pytest.mark.parametrize("doffs_px", [0.0, 2.0, -3.5])
def test_a_point_of_the_cloud_lies_where_both_cameras_see_it(doffs_px: float) -> None:
    made = result(geometry=replace(SHIFTED, doffs_px=doffs_px), size=(24, 32))
    assert made.depth is not None
    px = made.disparity.px
    depth_m = (50.0 * 0.1 / (px + doffs_px)).astype(np.float32)
    depth_m[px + doffs_px <= 0.5] = np.nan
    made = replace(made, depth=replace(made.depth, depth_m=depth_m, sigma_m=0.01 * depth_m))
    found = said(made)
    points = floats(found["points"])
    known = np.isfinite(points[..., 2])
    rows, columns = np.nonzero(known)
    space = np.c_[points[known][:, :3], np.ones(len(rows))]
    for side, shift in (("left/", 0), ("right/", px[known]), ("", 0)):
        info = found[f"{side}camera_info"]
        P = info.p.reshape(3, 4)
        seen = space @ P.T
        seen = seen[:, :2] / seen[:, 2:]
        np.testing.assert_allclose(seen[:, 0], columns - shift, atol=1e-3)
        np.testing.assert_allclose(seen[:, 1], rows, atol=1e-3)
        # of rectified images: nothing is left to undo
        np.testing.assert_array_equal(info.k.reshape(3, 3), P[:, :3])
        np.testing.assert_array_equal(info.r.reshape(3, 3), np.eye(3))
        assert not info.d.any()
        assert (info.width, info.height) == (32, 24)
    left, right = found["tf_static"].transforms
    P = found["right/camera_info"].p.reshape(3, 4)
    assert right.transform.translation.x == pytest.approx(-P[0, 3] / P[0, 0])
    assert (left.header.frame_id, left.child_frame_id) == ("stereo_link", "left_optical")
    assert (right.header.frame_id, right.child_frame_id) == ("left_optical", "right_optical")


def test_depth_is_what_disparity_says() -> None:
    made = result(geometry=SHIFTED)
    assert made.depth is not None
    depth_m = (5.0 / (made.disparity.px + 2)).astype(np.float32)
    searched = SearchRange(-16, 64)
    made = replace(
        made,
        depth=replace(made.depth, depth_m=depth_m),
        disparity=replace(made.disparity, searched=searched),
    )
    found = said(made)
    disparity, depth = found["disparity"], floats(found["depth"])
    np.testing.assert_allclose(disparity.f * disparity.t / floats(disparity.image), depth, 1e-6)
    assert (disparity.min_disparity, disparity.max_disparity) == (-14, 49)
    window = disparity.valid_window
    assert (window.x_offset, window.y_offset, window.width, window.height) == (0, 0, 32, 24)
    assert disparity.image.encoding == found["depth"].encoding == "32FC1"
    assert disparity.header == disparity.image.header


@pytest.mark.parametrize("turns", [1, -1])
def test_cameras_above_each_other(turns: int) -> None:
    """Matched as turned images; published as the left camera stands."""
    made = result()
    assert made.depth is not None
    depth = turned_depth(made.depth, -turns)
    rect = replace(Rectification(None, None), turns=turns)
    found = said(replace(made, depth=depth), rect=rect)
    points, px = floats(found["points"]), np.rot90(made.disparity.px, -turns)
    known = np.isfinite(points[..., 2])
    rows, columns = np.nonzero(known)
    P = found["right/camera_info"].p.reshape(3, 4)
    seen = np.c_[points[known][:, :3], np.ones(len(rows))] @ P.T
    seen = seen[:, :2] / seen[:, 2:]
    np.testing.assert_allclose(seen[:, 0], columns, atol=1e-3)
    np.testing.assert_allclose(seen[:, 1], rows - turns * px[known], atol=1e-3)
    right = found["tf_static"].transforms[1].transform.translation
    assert (right.x, right.y, right.z) == (0, pytest.approx(turns * 0.1), 0)


def test_depth_of_a_third_camera_lies_where_its_frame_says() -> None:
    """A wall 2 m before the left camera, seen by one beside it that looks elsewhere."""
    made = result(size=(60, 80), geometry=StereoGeometry(50.0, 0.1, 39.5, 29.5))
    assert made.depth is not None
    wall = np.full((60, 80), 2, np.float32)
    depth = replace(made.depth, depth_m=wall, sigma_m=0.01 * wall)
    turn = cv2.Rodrigues(np.array([0.05, -0.1, 0.2]))[0]  # of the left camera, by rectifying
    R, t = cv2.Rodrigues(np.array([0.1, 0.15, -0.3]))[0], np.array([-0.2, 0.05, 0.1])
    lens = Camera("pinhole", (64, 48), np.array([[40.0, 0, 31], [0, 42, 22], [0, 0, 1]]))
    placed = PlacedCamera(lens, R, t)
    registered = Registration(placed, turn).apply(depth)
    rect = replace(Rectification(None, None), R_rect_left=turn)
    found = said(replace(made, depth=depth, registered=registered), rect=rect)
    info = found["registered/camera_info"]
    z = floats(found["registered/depth"])
    rows, columns = np.nonzero(np.isfinite(z))
    assert len(rows) > 500
    rays = np.linalg.inv(info.k.reshape(3, 3)) @ np.c_[columns, rows, np.ones(len(rows))].T
    _, _, there = found["tf_static"].transforms
    assert (there.header.frame_id, there.child_frame_id) == ("left_optical", "registered_optical")
    q, o = there.transform.rotation, there.transform.translation
    half_angle = np.arccos(q.w)
    axis = np.array([q.x, q.y, q.z]) / np.sin(half_angle)
    space = cv2.Rodrigues(2 * half_angle * axis)[0] @ (rays * z[rows, columns])
    space += np.array([[o.x], [o.y], [o.z]])
    np.testing.assert_allclose(space[2], 2, atol=0.01)
    for topic in ("image_raw", "depth", "sigma"):
        message = found[f"registered/{topic}"]
        assert (message.width, message.height) == (64, 48)
        assert message.header.frame_id == info.header.frame_id == "registered_optical"
    assert floats(found["registered/sigma"]).shape == (48, 64)


def test_every_stamp_is_that_of_exposure_and_every_frame_is_in_the_tree() -> None:
    found = said(result())
    children = {one.child_frame_id for one in found["tf_static"].transforms}
    for topic, message in found.items():
        if topic == "tf_static":
            continue
        stamp = message.header.stamp
        assert 10**9 * stamp.sec + stamp.nanosec == NS, topic
        assert message.header.frame_id in children, topic


def test_stereo_link_looks_along_x() -> None:
    """REP 103: of a body x is forward, y left, z up; of an image x right, y down, z forward."""
    q = said(result())["tf_static"].transforms[0].transform.rotation
    x, y, z, w = q.x, q.y, q.z, q.w
    optical_in_link = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    np.testing.assert_allclose(optical_in_link, [[0, 0, 1], [-1, 0, 0], [0, -1, 0]], atol=1e-12)


@pytest.mark.parametrize("organised", [True, False])
@pytest.mark.parametrize("size", [(24, 32), (1, 1), (7, 3)])
def test_the_cloud_is_laid_out_as_it_says(organised: bool, size: tuple[int, int]) -> None:
    made = result(size=size)
    cloud = said(made, options=MessageOptions(organised=organised))["points"]
    assert [(f.name, f.offset, f.datatype, f.count) for f in cloud.fields] == [
        *(("x", 0, 7, 1), ("y", 4, 7, 1), ("z", 8, 7, 1), ("rgb", 12, 7, 1))  # 7: float32
    ]
    assert cloud.point_step == 16
    assert cloud.row_step == 16 * cloud.width
    assert len(cloud.data) == cloud.height * cloud.row_step
    assert cloud.is_dense != organised
    values = cloud.data.view("f4").reshape(-1, 4)
    if organised:
        assert (cloud.height, cloud.width) == size
    else:  # without a point, too: the first three rows are unknown
        assert cloud.height == 1
        assert np.isfinite(values[:, :3]).all()
    assert not cloud.is_bigendian


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("deep", [(), (3,)])
def test_images_of_every_kind(bits: int, deep: tuple[int, ...]) -> None:
    made = result()
    rng, kind = np.random.default_rng(1), np.dtype(f"u{bits // 8}")
    image = rng.integers(0, 2**bits, (24, 32, *deep), kind.type)
    made = replace(made, pair=replace(made.pair, right=image, left=image))
    message = said(made)["right/image_rect"]
    names = {(8, 0): "mono8", (8, 1): "rgb8", (16, 0): "mono16", (16, 1): "rgb16"}
    assert message.encoding == names[bits, len(deep)]
    assert message.step == image.strides[0]
    np.testing.assert_array_equal(message.data.view(kind).reshape(image.shape), image)


def test_nothing_known_is_nothing_said() -> None:
    made = result()
    assert made.depth is not None
    none = np.full((24, 32), np.nan, np.float32)
    made = replace(
        made,
        disparity=replace(made.disparity, px=none, confidence=np.zeros_like(none)),
        depth=replace(made.depth, depth_m=none, sigma_m=none),
    )
    found = said(made)
    assert np.isnan(floats(found["depth"])).all()
    assert (found["disparity"].min_disparity, found["disparity"].max_disparity) == (0, 0)
    dense = said(made, options=MessageOptions(organised=False))["points"]
    assert (dense.height, dense.width, len(dense.data)) == (1, 0, 0)
