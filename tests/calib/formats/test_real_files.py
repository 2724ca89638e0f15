"""Every real file gives the baseline and the focal length that its source states."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest

from calib import RectifiedRig, RigFileError, StereoRig, load_rig
from calib.formats import find_rig


class Stated(NamedTuple):
    """What a file itself, or whoever published it, states."""

    place: str
    format: str
    baseline_m: float
    focals_px: tuple[float, ...]
    """fx of left and right, or of both rectified cameras."""
    size: tuple[int, int] | None
    source: str
    settings: Mapping[str, Any] = MappingProxyType({})


def _long(*metres: float) -> float:
    return float(np.linalg.norm(metres))


FILES = "calibration_files"
REAL = [
    Stated(f"{FILES}/opencv/fhgr_stereo.yml", "opencv", 0.0753492, (833.772, 896.027), (640, 480),
           "T and camera_matrix_left/right in the file; published baseline 75.336 mm is |T_x|"),
    Stated(f"{FILES}/kalibr/camchain_radtan.yaml", "kalibr",
           _long(0.05908089, 0.00038464, 0.00245532),
           (835.102, 833.663),
           (1280, 960), "T_cn_cnm1 and intrinsics in the file"),
    Stated(f"{FILES}/kalibr/camchain_equidistant.yaml", "kalibr",
           _long(0.10817339, 0.00051284, 0.00069196),
           (352.649, 351.314),
           (720, 540), "T_cn_cnm1: cam0 stands on the right, so cam1 is the left camera"),
    Stated(f"{FILES}/ros", "ros", 39.90555 / 727.05587, (836.434, 833.625), (1280, 960),
           "-P[0][3] / P[0][0] of right.yaml"),
    Stated(f"{FILES}/middlebury/motorcycle_q_calib.txt", "middlebury", 0.193001, (999.421,),
           (741, 497), "baseline= in millimetres and cam0="),
    Stated(f"{FILES}/eth3d", "middlebury", 0.0599101, (541.764,), (942, 489), "its calib.txt"),
    Stated(f"{FILES}/eth3d/cameras.txt", "eth3d", 2.74638 - 2.68647, (541.764,), (942, 489),
           "TX of the two images"),
    Stated(f"{FILES}/depthai/oak_d_calib.json", "depthai",
           _long(7.37712336, 0.23111635, 0.02729603) / 100,
           (808.271, 810.875),
           (1280, 800), "translation of socket 1 in cm; specified 7.5 cm"),
    Stated(f"{FILES}/mrcal", "mrcal", 2.3086996, (1761.0, 1761.181), (4000, 2200),
           "the two extrinsics; cam0 stands on the right"),
    Stated(f"{FILES}/zed/SN_sample.conf", "zed", 0.1201403, (1068.5, 1067.04), (2208, 1242),
           "Baseline=120.14 and [LEFT_CAM_2K]"),
    Stated(f"{FILES}/zed/SN_sample.conf", "zed", 0.1201403, (534.25, 533.52), (1280, 720),
           "the same, [LEFT_CAM_HD]", {"size": (1280, 720)}),
    Stated(f"{FILES}/kitti/calib_cam_to_cam.txt", "kitti", (44.85728 + 339.5242) / 721.5377,
           (721.5377,), (1242, 375), "P_rect_02 and P_rect_03"),
    Stated(f"{FILES}/kitti/calib_cam_to_cam.txt", "kitti", 387.5744 / 721.5377, (721.5377,),
           (1242, 375), "P_rect_01", {"cameras": ("00", "01")}),
    Stated(f"{FILES}/kitti/calib_cam_to_cam.txt", "kitti", 0.5371657, (984.2439, 989.5267),
           (1392, 512), "T_01, K_00 and K_01 of the raw cameras",
           {"cameras": ("00", "01"), "size": (1392, 512)}),
    Stated(f"{FILES}/kitti/karlsruhe_calib.txt", "karlsruhe", 0.5707382, (645.2401,), (1344, 372),
           "P2_roi; 0.571 m in the data's README"),
    Stated(f"{FILES}/matlab/stereo_params_plain_arrays.mat", "matlab", 0.1241133,
           (862.128, 901.732), (640, 480), "T in mm: camera 1 stands on the right",
           {"size": (640, 480)}),
    Stated("unlabelled/foundationstereo/K.txt", "foundationstereo", 0.063, (754.668,), None,
           "K.txt"),
    Stated("sequences/euroc", "euroc",
           _long(0.00179659, 0.11004593, 0.00194861),
           (458.654, 457.587), (752, 480),
           "T_BS of both sensors; EuRoC's paper says 11 cm"),
    Stated("sequences/mynteye_fisheye", "euroc",
           _long(0.00133127, 0.1203119, 0.00012214),
           (366.163, 367.032), (752, 480),
           "T_BS of both sensors; the maker says 120 mm"),
    Stated("sequences/oak_video/calib.json", "depthai",
           _long(7.37712336, 0.23111635, 0.02729603) / 100,
           (808.271, 810.875), (1280, 800),
           "as oak_d_calib.json"),
    Stated("sequences/karlsruhe", "karlsruhe", 0.5707382, (645.2401,), (1344, 372), "its README"),
    Stated("pairs/motorcycle_q/calib.txt", "middlebury", 0.193001, (999.421,), (741, 497), "file"),
]  # fmt: skip


@pytest.mark.parametrize("stated", REAL, ids=lambda s: s.place.split("/", 1)[-1])
def test_the_stated_baseline_and_focal_length(shared_data: Path, stated: Stated) -> None:
    path = shared_data / stated.place
    rig = load_rig(path, **stated.settings)
    assert find_rig(path).name == stated.format == rig.notes["format"]
    assert rig.baseline_m == pytest.approx(stated.baseline_m, rel=1e-5)
    if isinstance(rig, RectifiedRig):
        assert (rig.focal_px, rig.size) == (pytest.approx(stated.focals_px[0]), stated.size)
    else:
        focals = rig.left.K[0, 0], rig.right.K[0, 0]
        assert focals == pytest.approx(stated.focals_px, rel=1e-6)
        assert rig.left.size == rig.right.size == stated.size
        assert rig.right_center_m[0] > 0.6 * rig.baseline_m  # right is on the right


def test_either_file_of_a_pair_finds_the_other(shared_data: Path) -> None:
    for one, other in (
        ("calibration_files/ros/left.yaml", "calibration_files/ros/right.yaml"),
        ("sequences/euroc/cam0/sensor.yaml", "sequences/euroc/cam1/sensor.yaml"),
        (
            "calibration_files/mrcal/cam0.opencv8.cameramodel",
            "calibration_files/mrcal/cam1.opencv8.cameramodel",
        ),
        ("calibration_files/eth3d/cameras.txt", "calibration_files/eth3d/images.txt"),
    ):
        rigs = [load_rig(shared_data / place) for place in (one, other, f"{one},{other}")[:2]]
        rigs.append(load_rig(f"{shared_data / one},{shared_data / other}"))
        assert len({repr(rig) for rig in rigs}) == 1


def test_matlab_is_transposed_and_counts_from_one(shared_data: Path) -> None:
    path = shared_data / "calibration_files/matlab/stereo_params_plain_arrays.mat"
    rig = load_rig(path, size=(640, 480))
    assert isinstance(rig, StereoRig)
    K1 = rig.right.K  # camera 1 of the file stands on the right
    np.testing.assert_allclose(K1[0], [901.73194218, 3.80591149, 284.42800398], rtol=1e-9)
    # R of the file is for row vectors: R^T maps camera 1 to 2, ours maps 2 to 1
    np.testing.assert_allclose(rig.R_right_left[0], [0.99830777, -0.00817578, -0.05757394], 1e-6)
    assert "camera 2 is the left camera" in rig.notes["sides_assumed"]


def test_rectified_kitti_is_told_from_raw_by_the_size(shared_data: Path) -> None:
    path = shared_data / "calibration_files/kitti/calib_cam_to_cam.txt"
    assert isinstance(load_rig(path, size=(1242, 375)), RectifiedRig)
    raw = load_rig(path, size=(1392, 512))
    assert isinstance(raw, StereoRig)
    assert raw.baseline_m == pytest.approx(0.5327, abs=5e-5)
    with pytest.raises(RigFileError, match="1242x375 and 1392x512, not of 640x480"):
        load_rig(path, size=(640, 480))


def test_half_a_calibration_says_what_it_is_and_what_is_missing(shared_data: Path) -> None:
    for name, message in (
        ("samples_intrinsics.yml", r"samples_extrinsics.yml with R and T .*534.8 and 534.8 px"),
        ("samples_left_intrinsics.yml", r"samples_left_extrinsics.yml .*length 535.9 px"),
    ):
        with pytest.raises(RigFileError, match=message):
            load_rig(shared_data / "calibration_files/opencv" / name)


def test_rows_of_a_real_rig_agree_with_its_import(shared_data: Path) -> None:
    """ROS: rectifying with the imported R, t gives back the file's own R1."""
    from calib.solving.epipolar import rectifying_rotations

    rig = load_rig(shared_data / "calibration_files/ros")
    assert isinstance(rig, StereoRig)
    R1, _ = rectifying_rotations(rig.R_right_left, rig.t_right_left)
    stated = [0.99998404, -0.00543839, 0.00152885]
    np.testing.assert_allclose(R1[0], stated, atol=2e-3)  # another turn about the baseline
