"""Tiny data sets, laid out as their owners publish them: one scene, 4 px everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from support import textured_pair

from stereo.files import outputs

SHIFT = 4.0
PAIR = textured_pair(SHIFT, size=(96, 64), color=True)
SHAPE = PAIR.left.shape[:2]
CALIB = """cam0=[100 0 48; 0 100 32; 0 0 1]
cam1=[100 0 50; 0 100 32; 0 0 1]
doffs=2
baseline=120
width=96
height=64
ndisp=16
"""


def images(left: Path, right: Path) -> None:
    for path, view in ((left, PAIR.left), (right, PAIR.right)):
        path.parent.mkdir(parents=True, exist_ok=True)
        shown = view[..., 0] if path.suffix == ".pgm" else view[..., ::-1]
        assert cv2.imwrite(str(path), np.ascontiguousarray(shown))


def levels(path: Path, value: float, dtype: type = np.uint8) -> None:
    """A truth that is the same everywhere but for five unknown rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plane = np.full(SHAPE, value, dtype)
    plane[:5] = 0
    cv2.imwrite(str(path), plane)


def pfm(path: Path, value: float = SHIFT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    plane = np.full(SHAPE, value, np.float32)
    plane[:5] = np.nan
    outputs.write_disparity_pfm(path, plane)


def middlebury_2001(root: Path, scene: str = "venus", divisor: int = 8) -> None:
    images(root / scene / "im2.ppm", root / scene / "im6.ppm")
    for name in ("disp2.pgm", "disp6.pgm"):
        levels(root / scene / name, SHIFT * divisor)


def middlebury_2003(root: Path) -> None:
    middlebury_2001(root, "cones", 4)


def map_2001(root: Path) -> None:
    images(root / "map" / "im0.pgm", root / "map" / "im1.pgm")
    levels(root / "map" / "disp0.pgm", SHIFT * 8)


def tsukuba(root: Path) -> None:
    scene = root / "tsukuba"
    images(scene / "scene1.row3.col3.ppm", scene / "scene1.row3.col4.ppm")
    levels(scene / "truedisp.row3.col3.pgm", SHIFT * 16)


def middlebury_2006(root: Path) -> None:
    scene = root / "HalfSize" / "Aloe"
    images(scene / "view1.png", scene / "view5.png")
    for name in ("disp1.png", "disp5.png"):
        levels(scene / name, SHIFT * 2)
    (scene / "dmin.txt").write_text("270\n")


def middlebury_2006_all_views(root: Path) -> None:
    scene = root / "ThirdSize" / "Art"
    images(scene / "Illum2" / "Exp1" / "view1.png", scene / "Illum2" / "Exp1" / "view5.png")
    levels(scene / "disp1.png", SHIFT * 3)


def middlebury_2014(root: Path) -> None:
    scene = root / "Adirondack-perfect"
    images(scene / "im0.png", scene / "im1.png")
    for name in ("disp0.pfm", "disp1.pfm"):
        pfm(scene / name)
    (scene / "calib.txt").write_text(CALIB)


def eth3d(root: Path) -> None:
    scene = root / "two_view_training" / "delivery_area_1l"
    images(scene / "im0.png", scene / "im1.png")
    (scene / "calib.txt").write_text(CALIB)
    beside = root / "two_view_training_gt" / "delivery_area_1l"
    pfm(beside / "disp0GT.pfm")
    levels(beside / "mask0nocc.png", 255)


def kitti_2012(root: Path) -> None:
    for camera in ("image", "colored"):
        images(*(root / "training" / f"{camera}_{i}" / "000007_10.png" for i in (0, 1)))
    for kind in ("occ", "noc"):
        levels(root / "training" / f"disp_{kind}" / "000007_10.png", SHIFT * 256, np.uint16)
    lines = (f"P{i}: 100 0 48 {-54.0 * (i % 2)} 0 100 32 0 0 0 1 0\n" for i in range(4))
    (root / "training" / "calib").mkdir()
    (root / "training" / "calib" / "000007.txt").write_text("".join(lines))


def kitti_2015(root: Path) -> None:
    training = root / "training"
    images(*(training / f"image_{i}" / "000007_10.png" for i in (2, 3)))
    for kind in ("occ", "noc"):
        levels(training / f"disp_{kind}_0" / "000007_10.png", SHIFT * 256, np.uint16)
    levels(training / "obj_map" / "000007_10.png", 3)


def flyingthings(root: Path) -> None:
    frame = "TRAIN/A/0000"
    for kind in ("frames_cleanpass", "frames_finalpass"):
        images(root / kind / frame / "left/0006.png", root / kind / frame / "right/0006.png")
    for side in ("left", "right"):
        pfm(root / "disparity" / frame / side / "0006.pfm")


def flyingthings_subset(root: Path) -> None:
    train = root / "FlyingThings3D_subset" / "train"
    images(*(train / "image_clean" / side / "0000000.png" for side in ("left", "right")))
    pfm(train / "disparity" / "left" / "0000000.pfm", -SHIFT)


def booster(root: Path) -> None:
    scene = root / "train" / "balanced" / "Bathroom"
    for i in range(2):
        images(scene / "camera_00" / f"im{i}.png", scene / "camera_02" / f"im{i}.png")
    np.save(scene / "disp_00.npy", np.full(SHAPE, SHIFT, np.float32))


def tartanair(root: Path) -> None:
    scene = root / "office" / "Easy" / "P000"
    images(scene / "image_left/000000_left.png", scene / "image_right/000000_right.png")
    (scene / "depth_left").mkdir()
    np.save(scene / "depth_left/000000_left_depth.npy", np.full(SHAPE, 80 / SHIFT, np.float32))


MAKERS: dict[str, Callable[[Path], None]] = {
    maker.__name__: maker
    for maker in (
        *(middlebury_2001, map_2001, tsukuba, middlebury_2003, middlebury_2006),
        *(middlebury_2006_all_views, middlebury_2014, eth3d, kitti_2012, kitti_2015),
        *(flyingthings, flyingthings_subset, booster, tartanair),
    )
}
