"""A ZED, a Bumblebee and a rig with a colour camera beside it, from their files to true depth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from streams import MjpegCamera, encode
from support import Cli

from calib import Camera, PlacedCamera, StereoRig, save_placed_camera, save_rig
from calib.formats import zed
from calib.formats.reading import Stated
from stereo.cloud import PointCloud
from stereo.files.images import read_image
from stereo.files.outputs import write_image_png
from stereo.gray import gray8_pair
from stereo.rectify import Rectification
from stereo.synthetic import (
    FAST,
    ROOM_POSE,
    Pose,
    RenderedPair,
    camera_rays,
    depth_along_axis,
    make_sample_rig,
    render,
    render_pair,
    room_scene,
    truth_depth,
)
from stereo.synthetic.pair import LEFT_SENSOR

QUICK = ("--num-disparities", "64", "--no-surfaces")
CONF = """\
[LEFT_CAM_VGA]
fx=267.0
fy=267.1
cx=336.2
cy=190.4
k1=-0.0592
k2=0.0358
p1=-0.0003
p2=-0.0001
k3=-0.0144
[RIGHT_CAM_VGA]
fx=266.8
fy=266.7
cx=331.9
cy=192.3
k1=-0.0642
k2=0.0436
p1=-0.0004
p2=-0.0006
k3=-0.0181
[STEREO]
Baseline=120.14
TY=1.2
TZ=-1.1
CV_VGA=-0.0031
RX_VGA=0.0036
RZ_VGA=-0.0010
"""
"""A ZED's smallest resolution, its cameras mounted a little worse than real ones."""
BESIDE = PlacedCamera(
    Camera("pinhole", (360, 270), np.array([[230.0, 0, 181], [0, 231, 133], [0, 0, 1]])),
    Rotation.from_rotvec([0.01, 0.02, -0.02]).as_matrix(),
    np.array([-0.03, 0.004, 0.002]),
    "colour",
)


@dataclass(frozen=True)
class Taken:
    """A rendered pair, its rig, and what the rectified left camera should measure."""

    rig: StereoRig
    pair: RenderedPair

    def error(self, depth: NDArray[np.float32]) -> float:
        """Median relative error of a depth map; where half of it is not known, that is one."""
        rect = Rectification.from_rig(self.rig)
        assert rect.geometry is not None
        height, width = depth.shape
        truth = truth_depth(
            room_scene(quality=FAST),
            rect.geometry.K,
            (width, height),
            ROOM_POSE,
            R_rect=rect.R_rect_left,
        )
        assert np.isfinite(depth).mean() > 0.5
        return float(np.nanmedian(np.abs(depth - truth) / truth))


TURNED = CONF.replace("TY=1.2", "TY=-1.2").replace("TZ=-1.1", "TZ=1.1")
"""The same rig, by the other of the two ways in which Stereolabs' own samples read a conf."""


@pytest.fixture(scope="module")
def zed_frame(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """A frame of the rig that ``TURNED`` means as it is usually read, and ``CONF`` otherwise."""
    path = tmp_path_factory.mktemp("zed") / "SN1.conf"
    path.write_text(TURNED)
    rig = next(iter(zed.readings(path, Stated(size=(672, 376))).values()))
    return Taken(rig, render_pair(room_scene(quality=FAST), rig, ROOM_POSE, samples=1))


@pytest.fixture(scope="module")
def small() -> Taken:
    rig = make_sample_rig((320, 240))
    return Taken(rig, render_pair(room_scene(quality=FAST), rig, ROOM_POSE, samples=1))


@pytest.mark.parametrize(("conf", "said"), [(TURNED, "taken as usual"), (CONF, "seen from")])
def test_a_zed_frame_with_its_conf_gives_true_depth(
    cli: Cli, tmp_path: Path, zed_frame: Taken, conf: str, said: str
) -> None:
    """Nothing is said but the files: the resolution by the frame, the signs by its rows."""
    both = np.hstack([zed_frame.pair.left, zed_frame.pair.right])
    write_image_png(tmp_path / "frame.png", both)
    (tmp_path / "SN1.conf").write_text(conf)
    done = cli(
        *("run", tmp_path / "frame.png", "--side-by-side", "--calib", tmp_path / "SN1.conf"),
        *("-o", tmp_path / "out", "--outputs", "depth-npy,cloud", *QUICK),
    )
    assert done.code == 0, done.err
    assert said in done.err
    assert zed_frame.error(np.load(tmp_path / "out" / "depth_m.npy")) < 0.02
    assert len(PointCloud.load(tmp_path / "out" / "cloud.ply")) > 50_000


def test_a_zed_streams_live_with_its_conf(cli: Cli, tmp_path: Path, zed_frame: Taken) -> None:
    (tmp_path / "SN1.conf").write_text(CONF)
    wide = np.hstack([zed_frame.pair.left, zed_frame.pair.right])
    moving = [np.roll(wide, k, axis=0) for k in (0, 0, 1)]  # else it counts as frozen
    with MjpegCamera([encode(image) for image in moving]) as camera:
        done = cli(
            *("live", camera.url, "--calib", tmp_path / "SN1.conf", "--view", "none", *QUICK),
            *("--max-frames", 1, "-o", tmp_path, "--save-every", 1, "--outputs", "depth-npy"),
        )
    assert done.code == 0, done.err
    assert "seen from the images" in done.err
    (saved,) = tmp_path.glob("frame_*/depth_m.npy")
    assert zed_frame.error(np.load(saved)) < 0.03


@pytest.mark.parametrize("order", ["left-right", "right-left"])
@pytest.mark.parametrize("command", ["run", "live"])
def test_bumblebee_frames_give_true_depth(
    cli: Cli, tmp_path: Path, small: Taken, order: str, command: str
) -> None:
    """16 bit a pixel, a byte of each camera."""
    left, right = (view.astype(np.uint16) for view in gray8_pair(small.pair.left, small.pair.right))
    first, second = (left, right) if order == "left-right" else (right, left)
    frames, out = tmp_path / "frames", tmp_path / "out"
    frames.mkdir()
    assert cv2.imwrite(str(frames / "bb2.pgm"), first << 8 | second)
    save_rig(small.rig, tmp_path / "rig.yaml")
    told = ("--layout", "bumblebee", "--order", order, "--calib", tmp_path / "rig.yaml", *QUICK)
    wanted = ("-o", out, "--outputs", "depth-npy")
    if command == "live":
        wanted = (*wanted, "--save-every", 1, "--view", "none", "--fast")  # type: ignore[assignment]
    done = cli(command, frames, *told, *wanted)
    assert done.code == 0, done.err
    (found,) = out.glob("**/depth_m.npy")
    assert small.error(np.load(found)) < 0.02


def test_a_wrong_order_and_three_cameras_are_told(cli: Cli, tmp_path: Path, small: Taken) -> None:
    left, right = (view.astype(np.uint16) for view in gray8_pair(small.pair.left, small.pair.right))
    assert cv2.imwrite(str(tmp_path / "bb2.png"), left << 8 | right)
    write_image_png(tmp_path / "xb3.png", small.pair.left)
    save_rig(small.rig, tmp_path / "rig.yaml")
    told = ("--layout", "bumblebee", "--calib", tmp_path / "rig.yaml", "-o", tmp_path / "out")
    wrong = cli("run", tmp_path / "bb2.png", *told, "--order", "right-left", *QUICK)
    assert wrong.code == 2, wrong.err
    three = cli("run", tmp_path / "xb3.png", *told, *QUICK)
    assert three.code == 2
    assert "XB3" in three.err


def third_view(placed: PlacedCamera) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """What a camera beside the rig photographs, and the depth it would measure."""
    scene = room_scene(quality=FAST)
    R = ROOM_POSE.R_world_camera @ placed.R_camera_left.T
    pose = Pose(R, ROOM_POSE.position_m - R @ placed.t_camera_left)
    seen = render(scene, placed.camera, pose, samples=1)
    truth = depth_along_axis(scene, camera_rays(placed.camera), pose)
    return LEFT_SENSOR.expose(seen.radiance, seed=9), truth


def test_run_registers_depth_to_a_third_camera(cli: Cli, tmp_path: Path, small: Taken) -> None:
    image, truth = third_view(BESIDE)
    for name, picture in (("left", small.pair.left), ("right", small.pair.right), ("rgb", image)):
        (tmp_path / name).mkdir()
        write_image_png(tmp_path / name / "7.png", picture)
    save_rig(small.rig, tmp_path / "rig.yaml")
    save_placed_camera(BESIDE, tmp_path / "colour.yaml")
    done = cli(
        *("run", tmp_path / "left", tmp_path / "right", "--calib", tmp_path / "rig.yaml", *QUICK),
        *("--register", tmp_path / "colour.yaml", "--third", tmp_path / "rgb"),
        *("-o", tmp_path / "out", "--outputs", "depth-npy,cloud", "--json"),
    )
    assert done.code == 0, done.err
    files = json.loads(done.out)["files"]
    registered = np.load(tmp_path / "out" / files["registered-depth-npy"])
    off = np.abs(registered - truth) / truth
    before = small.error(np.load(tmp_path / "out" / "depth_m.npy"))
    assert float(np.nanmedian(off)) <= 1.1 * before
    np.testing.assert_array_equal(read_image(tmp_path / "out" / files["registered-color"]), image)
    cloud = PointCloud.load(tmp_path / "out" / files["registered-cloud"])
    x, y = np.rint(BESIDE.camera.project(cloud.points.astype(float))).astype(int).T
    np.testing.assert_array_equal(cloud.colors, image[y, x])


def test_live_registers_to_a_third_camera_that_runs(cli: Cli, tmp_path: Path, small: Taken) -> None:
    image, truth = third_view(BESIDE)
    save_rig(small.rig, tmp_path / "rig.yaml")
    save_placed_camera(BESIDE, tmp_path / "colour.yaml")
    wide = np.hstack([small.pair.left, small.pair.right])
    with MjpegCamera([encode(wide)] * 2) as pair, MjpegCamera([encode(image)] * 2) as third:
        done = cli(
            *("live", pair.url, "--calib", tmp_path / "rig.yaml", "--view", "none", *QUICK),
            *("--register", tmp_path / "colour.yaml", "--third", third.url, "--max-frames", 1),
            *("-o", tmp_path, "--save-every", 1, "--outputs", "depth-npy"),
        )
    assert done.code == 0, done.err
    (saved,) = tmp_path.glob("frame_*/registered")
    off = np.abs(np.load(saved / "depth_m.npy") - truth) / truth
    assert float(np.nanmedian(off)) < 0.03
    assert np.abs(read_image(saved / "color.png").astype(int) - image).mean() < 6  # it is a JPEG


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--third", "rgb.png"), "--register CAMERA"),
        (("--register", "nothing.yaml"), "no such file"),
        (("--register", "colour.yaml"), "needs metric depth"),
    ],
)
def test_what_cannot_be_registered_is_told(
    cli: Cli, tmp_path: Path, small: Taken, given: tuple[str, ...], words: str
) -> None:
    save_placed_camera(BESIDE, tmp_path / "colour.yaml")
    for name, picture in (("left.png", small.pair.left), ("right.png", small.pair.right)):
        write_image_png(tmp_path / name, picture)
    paths = [str(tmp_path / text) if "." in text else text for text in given]
    both = (tmp_path / "left.png", tmp_path / "right.png")
    done = cli("run", *both, *paths, "-o", tmp_path / "out", *QUICK)
    assert done.code == 2
    assert words in done.err
