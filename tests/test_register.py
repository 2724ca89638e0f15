"""Depth for a third camera, against what that camera would see of a rendered room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calib import (
    Camera,
    CameraError,
    PlacedCamera,
    RigFileError,
    load_placed_camera,
    save_placed_camera,
)
from calib.formats import save_rig
from stereo import register
from stereo.errors import ImageError
from stereo.frame import DepthFrame, StereoGeometry
from stereo.native import find_native
from stereo.register import RegisteredDepth, Registration
from stereo.synthetic import (
    FAST,
    ROOM_POSE,
    Pose,
    camera_rays,
    depth_along_axis,
    make_sample_rig,
    room_scene,
    truth_depth,
)

SIZE = (320, 240)
GEOMETRY = StereoGeometry(180.0, 0.12, 159.5, 119.5)
TURN = Rotation.from_rotvec([0.02, 0.03, -0.05]).as_matrix()

PINHOLE = Camera(
    "pinhole",
    (400, 300),
    np.array([[240.0, 0, 203], [0, 242, 148], [0, 0, 1]]),
    np.array([0.1, -0.2, 0.001, 0.0005, 0.05]),
)
FISHEYE = Camera(
    "fisheye",
    (260, 240),
    np.array([[110.0, 0, 131], [0, 110, 118], [0, 0, 1]]),
    np.array([0.02, -0.01, 0.003, 0.0]),
)
LARGE = Camera("pinhole", (960, 720), np.array([[600.0, 0, 480], [0, 600, 360], [0, 0, 1]]))
BESIDE = np.array([-0.06, 0.002, 0.003])


@pytest.fixture(scope="module")
def room() -> tuple[DepthFrame, NDArray[np.float32]]:
    """Measured depth, with the noise of a fifth of a pixel, and the truth."""
    truth = truth_depth(room_scene(quality=FAST), GEOMETRY.K, SIZE, ROOM_POSE).astype(np.float32)
    scale = np.float32(GEOMETRY.focal_px * GEOMETRY.baseline_m)
    noise = np.random.default_rng(0).normal(0, 0.2, truth.shape).astype(np.float32)
    depth = scale / (scale / truth + noise)
    shades = np.broadcast_to(np.arange(SIZE[0], dtype=np.uint8)[None, :, None] // 2, (240, 320, 3))
    return DepthFrame(depth, depth * depth / scale * 0.2, shades.copy(), GEOMETRY), truth


def seen_truth(placed: PlacedCamera) -> NDArray[np.float64]:
    R = ROOM_POSE.R_world_camera @ placed.R_camera_left.T
    pose = Pose(R, ROOM_POSE.position_m - R @ placed.t_camera_left)
    return depth_along_axis(room_scene(quality=FAST), camera_rays(placed.camera), pose)


@pytest.mark.parametrize("camera", [PINHOLE, FISHEYE, LARGE], ids=["pinhole", "fisheye", "large"])
def test_registered_depth_is_as_good_as_the_map_it_comes_from(
    room: tuple[DepthFrame, NDArray[np.float32]], camera: Camera
) -> None:
    measured, truth = room
    placed = PlacedCamera(camera, TURN, BESIDE)
    found = Registration(placed).apply(measured)
    there = seen_truth(placed)
    off = np.abs(found.depth_m - there) / there
    known = np.isfinite(off)
    before = float(np.nanmedian(np.abs(measured.depth_m - truth) / truth))
    assert float(np.median(off[known])) <= 1.1 * before
    assert np.mean(off[known] > 0.1) < 0.02  # hidden things do not shine through
    within = np.abs(found.depth_m - there)[known] <= 2 * found.sigma_m[known]
    assert within.mean() > 0.9


def test_surfaces_have_no_cracks_and_hidden_ones_stay_unknown() -> None:
    """A near square before a wall, seen four times larger and from the side."""
    depth = np.full((240, 320), 3.0, np.float32)
    depth[80:160, 120:200] = 1.0
    frame = DepthFrame(depth, depth * 0.01, np.zeros((240, 320), np.uint8), GEOMETRY)
    large = Camera("pinhole", (640, 480), np.array([[720.0, 0, 319.5], [0, 720, 239.5], [0, 0, 1]]))
    found = Registration(PlacedCamera(large, np.eye(3), np.array([-0.1, 0, 0]))).apply(frame)
    near, far = np.isclose(found.depth_m, 1.0), np.isclose(found.depth_m, 3.0)
    assert (near | far | np.isnan(found.depth_m)).all()
    # the square spans 320 px and lies 72 px further left than straight ahead, the wall 24 px
    square = near[240]
    assert square.sum() == pytest.approx(320, abs=3)
    assert np.ptp(np.flatnonzero(square)) < 323
    assert not far[240, :404].any() or far[240, : np.flatnonzero(square)[0]].all()
    hidden = np.isnan(found.depth_m[240])
    assert hidden.sum() == pytest.approx(48, abs=4)  # a strip to the right of the square only
    assert np.flatnonzero(hidden)[0] > np.flatnonzero(square)[-1]


def test_native_and_numpy_give_the_same_bits(
    room: tuple[DepthFrame, NDArray[np.float32]], monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_native() is None:
        pytest.skip("the native module is not built")
    depth = room[0].depth_m.copy()
    depth[np.random.default_rng(1).random(depth.shape) < 0.1] = np.nan
    frame = DepthFrame(depth, room[0].sigma_m, room[0].color, GEOMETRY)
    for camera in (PINHOLE, FISHEYE, LARGE):
        turn = Rotation.from_rotvec([0.1, -0.2, 1.0]).as_matrix()
        moving = Registration(PlacedCamera(camera, turn, np.array([0.1, 0.05, -0.2])))
        found = [moving.apply(frame, threads=threads) for threads in (1, 3)]
        with monkeypatch.context() as without:
            without.setattr(register, "find_native", lambda: None)
            found.append(moving.apply(frame))
        for name in ("depth_m", "sigma_m", "color"):
            first, *others = (getattr(each, name) for each in found)
            assert np.isfinite(first).any()
            for other in others:
                np.testing.assert_array_equal(first, other)


def test_colours_come_from_the_image_or_from_the_left_view(
    room: tuple[DepthFrame, NDArray[np.float32]],
) -> None:
    same = Camera("pinhole", SIZE, GEOMETRY.K)
    moving = Registration(PlacedCamera(same, np.eye(3), np.zeros(3)))
    carried = moving.apply(room[0])
    step = np.abs(carried.color.astype(int) - room[0].color)
    assert np.median(step) == 0
    assert (carried.color[np.isnan(carried.depth_m)] == 0).all()
    image = np.full((240, 320, 3), 7, np.uint8)
    cloud = moving.apply(room[0], image).cloud()
    assert (cloud.colors == 7).all()
    assert len(cloud) > 70_000
    with pytest.raises(ImageError, match="320x240"):
        moving.apply(room[0], image[:100])


def test_the_cloud_lies_where_the_camera_sees_it(
    room: tuple[DepthFrame, NDArray[np.float32]],
) -> None:
    placed = PlacedCamera(FISHEYE, TURN, BESIDE)
    found: RegisteredDepth = Registration(placed).apply(room[0])
    cloud = found.cloud(max_relative_sigma=0.25)
    pixels = FISHEYE.project(cloud.points.astype(float))
    assert np.abs(pixels - np.rint(pixels)).max() < 1e-3


def test_a_rotated_left_image_is_turned_back(
    room: tuple[DepthFrame, NDArray[np.float32]],
) -> None:
    """A camera in the place of the left one sees what the rectified left one sees, turned."""
    placed = PlacedCamera(Camera("pinhole", SIZE, GEOMETRY.K), np.eye(3), np.zeros(3))
    turned = PlacedCamera(placed.camera, TURN, np.zeros(3))
    one = Registration(turned).apply(room[0])
    two = Registration(placed, R_depth_left=TURN.T).apply(room[0])
    np.testing.assert_array_equal(one.depth_m, two.depth_m)


# --- the camera file ------------------------------------------------------------------------------


def test_a_camera_file_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "colour.yaml"
    save_placed_camera(PlacedCamera(FISHEYE, TURN, BESIDE, "colour"), path)
    found = load_placed_camera(path)
    assert found.name == "colour"
    assert found.camera.model == "fisheye"
    for name in ("K", "distortion"):
        np.testing.assert_array_equal(getattr(found.camera, name), getattr(FISHEYE, name))
    np.testing.assert_array_equal(found.R_camera_left, TURN)
    np.testing.assert_array_equal(found.t_camera_left, BESIDE)


def test_a_rig_names_its_right_camera(tmp_path: Path) -> None:
    rig = make_sample_rig(SIZE)
    save_rig(rig, tmp_path / "pair.yaml")
    found = load_placed_camera(tmp_path / "pair.yaml")
    np.testing.assert_array_equal(found.camera.K, rig.right.K)
    np.testing.assert_allclose(found.center_m, rig.right_center_m)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("t: [-0.06,", "t: [-600.0,", "millimetres"),
        ("x_camera = R x_left + t", "x_left = R x_camera + t", "camera_from_left.meaning"),
        ("length_unit: m", "length_unit: mm", "length_unit"),
        ("version: 1", "version: 2", "newer"),
        ("name: colour", "nmae: colour", "name is missing"),
        ("model: fisheye", "model: spherical", "fisheye"),
    ],
)
def test_a_wrong_camera_file_is_told_by_its_key(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    path = tmp_path / "colour.yaml"
    save_placed_camera(PlacedCamera(FISHEYE, TURN, BESIDE, "colour"), path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(RigFileError, match=words):
        load_placed_camera(path)


def test_a_camera_that_is_none_is_refused() -> None:
    with pytest.raises(CameraError, match="mirrors"):
        PlacedCamera(PINHOLE, np.diag([1.0, 1, -1]), BESIDE)


def test_an_oak_names_its_colour_camera(shared_data: Path) -> None:
    """An OAK-D's stands in the middle of its 75 mm baseline, by its maker's drawing."""
    found = load_placed_camera(shared_data / "calibration_files" / "depthai" / "oak_d_calib.json")
    assert found.camera.size == (1920, 1080)
    np.testing.assert_allclose(found.center_m, [0.0375, 0, 0], atol=2e-3)
