"""Calibration files as they are met: other spellings, units, orders, missing and extra keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from calibration_samples import D1, D2, K1, K2, RIG, put, samples

from calib import RectifiedRig, RigFileError, StereoRig, load_rig, save_rig
from calib.formats import find_rig, zed
from calib.formats.reading import Stated

SAMPLES = samples()


def changed(name: str, folder: Path, *changes: tuple[str, str], count: int = 1) -> Path:
    """The sample of a format with text exchanged in all its files; returns the first file."""
    files = {}
    for file, raw in SAMPLES[name].items():
        text = raw.decode()
        for pattern, new in changes:
            text = re.sub(pattern, new, text, flags=re.MULTILINE)
        files[file] = text.encode()
    assert files != SAMPLES[name]
    return put(files, folder)


def assert_rig(rig: StereoRig | RectifiedRig, *, atol: float = 1e-9) -> StereoRig:
    assert isinstance(rig, StereoRig)
    np.testing.assert_allclose(rig.left.K, K1, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(rig.right.K, K2, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(rig.R_right_left, RIG.R_right_left, rtol=0, atol=atol)
    np.testing.assert_allclose(rig.t_right_left, RIG.t_right_left, rtol=0, atol=atol)
    for camera, D in ((rig.left, D1), (rig.right, D2)):
        np.testing.assert_allclose(camera.distortion[:4], D, atol=1e-12)
    return rig


# -- ROS -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("stereo_left.yaml", "stereo_right.yaml"),
        ("left/camera_info.yaml", "right/camera_info.yaml"),
        ("my_cam_l.yaml", "my_cam_r.yaml"),
        ("camera0.yaml", "camera1.yaml"),
        ("cam_1_info.yaml", "cam_2_info.yaml"),
        ("left/left.yaml", "right/right.yaml"),
    ],
)
def test_ros_partners_by_many_names(tmp_path: Path, left: str, right: str) -> None:
    files = SAMPLES["ros"]
    put({left: files["left.yaml"], right: files["right.yaml"]}, tmp_path)
    for given in (left, right):
        assert_rig(load_rig(tmp_path / given))
    assert_rig(load_rig(f"{tmp_path / left},{tmp_path / right}"))


def test_ros_sides_come_from_the_projection_not_from_the_order(tmp_path: Path) -> None:
    put(SAMPLES["ros"], tmp_path)
    rig = assert_rig(load_rig(f"{tmp_path / 'right.yaml'},{tmp_path / 'left.yaml'}"))
    assert "left.yaml is the left camera" in rig.notes["sides_assumed"]


def test_ros_messages_of_a_running_camera(tmp_path: Path) -> None:
    """``ros2 topic echo --once /left/camera_info``: short keys, plain lists, two documents."""
    files = {}
    for file, raw in SAMPLES["ros"].items():
        text = re.sub(r"(\w+):\n  rows: \d+\n  cols: \d+\n  data: ", r"\1: ", raw.decode())
        for long, short in (
            ("camera_matrix", "k"), ("distortion_coefficients", "d"), ("image_width", "width"),
            ("rectification_matrix", "r"), ("projection_matrix", "p"), ("image_height", "height"),
        ):  # fmt: skip
            text = text.replace(long, short)
        files[file] = f"header:\n  frame_id: x\n{text}binning_x: 0\nroi:\n  x_offset: 0\n".encode()
    assert_rig(load_rig(put(files, tmp_path)))
    assert_rig(load_rig(put({file: raw + b"---\n" for file, raw in files.items()}, tmp_path)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((r"plumb_bob", "fov"), "distortion_model: 'fov' is not supported; expected plumb_bob"),
        ((r"^image_width.*\n", ""), "image_width is missing"),
        ((r"(projection_matrix(.*\n){3}  data: ).*", r"\1[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]"),
         "calibrated one by one, not as a stereo pair"),
        ((r"(projection_matrix(.*\n){3}  data: ).*", r"\1[" + "0, " * 11 + "0]"),
         "projection_matrix has no focal length: the camera is not calibrated"),
        ((r"(projection_matrix(.*\n){3}  data: ).*", r"\1[9, 1, 5, 8, 0, 9, 4, 0, 0, 0, 1, 0]"),
         "projection_matrix: expected f 0 cx Tx"),
        ((r"(rectification_matrix(.*\n){3}  data: ).*", r"\1[1, 2, 3, 4, 5, 6, 7, 8, 9]"),
         "rectification_matrix: expected a rotation matrix, got"),
        ((r"(camera_matrix(.*\n){3}  data: ).*", r"\1[700, 0, oops]"), "camera_matrix: expected 9"),
    ],
)  # fmt: skip
def test_ros_faults(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(RigFileError, match=message):
        load_rig(changed("ros", tmp_path, change))


def test_ros_eight_coefficients_and_rounded_rotations(tmp_path: Path) -> None:
    """Files hold eight digits; what is rounded off is no reason to refuse."""

    def rounded(match: re.Match[str]) -> str:
        return f"{float(match[0]):.8f}"

    files = {
        file: re.sub(r"-?\d+\.\d+(e-?\d+)?", rounded, raw.decode()).encode()
        for file, raw in SAMPLES["ros"].items()
    }
    rig = load_rig(put(files, tmp_path))
    assert isinstance(rig, StereoRig)
    np.testing.assert_allclose(rig.R_right_left, RIG.R_right_left, atol=3e-8)
    assert np.abs(rig.R_right_left @ rig.R_right_left.T - np.eye(3)).max() < 1e-12


# -- Kalibr ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["omni", "ds", "eucm"])
def test_kalibr_other_lenses_are_refused_by_name(tmp_path: Path, model: str) -> None:
    path = changed("kalibr", tmp_path, ("camera_model: pinhole", f"camera_model: {model}"))
    with pytest.raises(RigFileError, match=rf"Kalibr's {model} is .*calibrate again with --models"):
        load_rig(path)


def test_kalibr_fov_distortion_is_refused_by_name(tmp_path: Path) -> None:
    path = changed("kalibr", tmp_path, ("distortion_model: radtan", "distortion_model: fov"))
    with pytest.raises(RigFileError, match="Kalibr's 'fov' is not supported"):
        load_rig(path)


def motion(R: np.ndarray, t: np.ndarray) -> str:
    T = np.block([[R, np.reshape(t, (3, 1))], [np.array([[0, 0, 0, 1.0]])]])
    return json.dumps(T.tolist())


def test_kalibr_by_the_imu_as_openvins_writes_it_too(tmp_path: Path) -> None:
    turn = cv2.Rodrigues(np.array([0.1, -0.3, 1.2]))[0]
    left = turn, np.array([0.1, 0.2, 0.3])
    right = RIG.R_right_left @ turn, RIG.R_right_left @ left[1] + RIG.t_right_left
    text = SAMPLES["kalibr"]["calib.yaml"].decode().split("  T_cn_cnm1")[0]
    for key, poses in (
        ("T_cam_imu", (left, right)),
        ("T_imu_cam", [(R.T, -R.T @ t) for R, t in (left, right)]),
    ):
        body = text.replace("cam1:\n", f"  {key}: {motion(*poses[0])}\ncam1:\n")
        path = tmp_path / "chain.yaml"
        path.write_text(f"%YAML:1.0\n---\n{body}  {key}: {motion(*poses[1])}\n")
        assert_rig(load_rig(path))


def test_kalibr_with_more_cameras(tmp_path: Path) -> None:
    text = SAMPLES["kalibr"]["calib.yaml"].decode()
    third = "cam2:" + text.split("cam1:")[1]
    path = tmp_path / "chain.yaml"
    path.write_text(text + third)
    rig = assert_rig(load_rig(path))
    assert rig.notes["cameras_assumed"].startswith("cam0 and cam1 of cam0, cam1, cam2")
    assert load_rig(path, cameras=("cam0", "cam2")).baseline_m == pytest.approx(0.24, rel=1e-3)
    assert load_rig(path, cameras=("cam1", "cam2")).baseline_m == pytest.approx(RIG.baseline_m)
    # the other way round the chain is gone back, and the left one put first
    back = load_rig(path, cameras=("cam1", "cam0"))
    assert_rig(back)
    assert "cam0 is the left camera" in back.notes["sides_assumed"]
    with pytest.raises(RigFileError, match="has no camera 'cam9'; it has cam0, cam1, cam2"):
        load_rig(path, cameras=("cam0", "cam9"))


# -- EuRoC -----------------------------------------------------------------------------------


def test_euroc_in_any_body_frame_and_order(tmp_path: Path) -> None:
    turn, place = cv2.Rodrigues(np.array([1.0, -2.0, 0.5]))[0], np.array([1.0, 2, 3])
    files = {}
    for file, raw in SAMPLES["euroc"].items():
        T = np.array(json.loads(re.search(r"data: (\[.*\])", raw.decode())[1])).reshape(4, 4)  # type: ignore[index]
        moved = np.block([[turn @ T[:3, :3], (turn @ T[:3, 3] + place)[:, None]], [T[3:]]])
        text = re.sub(r"data: \[.*\]", f"data: {moved.ravel().tolist()}", raw.decode())
        files[file] = ("%YAML:1.0\n" + text).encode()
    put(files, tmp_path)
    assert_rig(load_rig(tmp_path), atol=1e-12)
    put({f"mav0/{file}": raw for file, raw in files.items()}, tmp_path / "data")
    assert_rig(load_rig(tmp_path / "data"))
    swapped = load_rig(f"{tmp_path / 'cam1/sensor.yaml'},{tmp_path / 'cam0/sensor.yaml'}")
    assert_rig(swapped)
    assert "cam0/sensor.yaml is the left camera" in swapped.notes["sides_assumed"]


def test_euroc_faults(tmp_path: Path) -> None:
    for change, message in (
        ((r"(  data: \[).*", r"\g<1>1, 2]"), "T_BS: expected 16 finite numbers"),
        (("radial-tangential", "fisheye62"), "the lens model pinhole with fisheye62 is not sup"),
        (("camera_model: pinhole", "camera_model: omni"), "the lens model omni"),
        ((r"^resolution.*\n", ""), "resolution is missing"),
    ):
        with pytest.raises(RigFileError, match=message):
            load_rig(changed("euroc", tmp_path, change))


# -- ZED -------------------------------------------------------------------------------------


def conf(*, new: bool, case: str = "") -> str:
    sections = []
    for name, scale in (("2K", 1.0), ("FHD", 1.0), ("HD", 0.5), ("VGA", 0.25)):
        for side in ("LEFT", "RIGHT"):
            lens = "" if new else "k1=-0.05\nk2=0.03\np1=0.0001\np2=-0.0002\nk3=-0.01\n"
            f, c = 1060 * scale, zed.RESOLUTIONS[name]
            sections.append(
                f"[{side}_CAM_{name}]\nfx={f}\nfy={f + 1}\ncx={c[0] / 2}\ncy={c[1] / 2}\n{lens}"
            )
    if new:
        keys = [*(f"k{i}" for i in range(1, 7)), "p1", "p2"]
        lens = "\n".join(f"{key}=0.0{i}" for i, key in enumerate(keys, 1))
        sections += [f"[{side}_DISTO]\n{lens}\n" for side in ("LEFT", "RIGHT")]
    stereo = "[STEREO]\nBaseline=119.9\nTY=0.05\nTZ=-0.2 ; mm\n" + "".join(
        f"RX_{n}=0.003\nCV_{n}=-0.004\nRZ_{n}=0.001\n" for n in ("2K", "FHD", "HD", "VGA")
    )
    text = "# SN1234\n\n" + "\n".join([*sections, stereo, "[MISC]\nSensor_ID=1\n"])
    return text.lower() if case == "lower" else text


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("case", ["", "lower"])
def test_zed_layouts_resolutions_and_case(tmp_path: Path, new: bool, case: str) -> None:
    path = tmp_path / "SN1234.conf"
    path.write_text(conf(new=new, case=case))
    for name, size in list(zed.RESOLUTIONS.items())[:4]:
        rig = load_rig(path, size=size)
        assert isinstance(rig, StereoRig)
        assert (rig.left.size, rig.left.distortion.size) == (size, 8 if new else 5)
        assert repr(load_rig(path, resolution=name.lower())) == repr(rig)
        both = load_rig(path, size=(2 * size[0], size[1]))  # a side-by-side frame's
        assert repr(both) == repr(rig)
        np.testing.assert_allclose(rig.t_right_left, [-0.1199, 5e-5, -2e-4], atol=1e-12)
    if new:  # k1 k2 p1 p2 k3 k4 k5 k6
        np.testing.assert_allclose(
            rig.left.distortion, [0.01, 0.02, 0.07, 0.08, 0.03, 0.04, 0.05, 0.06]
        )
    assert load_rig(path).notes["resolution_assumed"].startswith("2K of 2K (2208x1242), FHD")
    with pytest.raises(RigFileError, match=r"no calibration for images of 640x480; it has 2K \("):
        load_rig(path, size=(640, 480))
    with pytest.raises(RigFileError, match="has no resolution SVGA; it has 2K"):
        load_rig(path, resolution="SVGA")


def test_zed_readings_of_the_signs(tmp_path: Path) -> None:
    path = tmp_path / "SN1234.conf"
    path.write_text(conf(new=False))
    rigs = zed.readings(path, Stated(resolution="HD"))
    assert len({repr(rig.right_center_m) for rig in rigs.values()}) == 3
    for meaning, rig in rigs.items():
        assert rig.right_center_m[0] > 0.11
        assert rig.notes["signs_assumed"].startswith(meaning)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("k3=-0.01\n", "", r"left_cam_2k.k3 is missing"),
        ("RX_2K=0.003\n", "", r"stereo.rx_2k is missing|stereo.rx is missing"),
        ("Baseline=119.9\n", "", r"stereo.baseline is missing"),
        ("[STEREO]", "[OTHER]", r"section \[STEREO\] is missing"),
        ("Baseline=119.9", "Baseline=abc", r"stereo.baseline: expected a finite number, got 'abc'"),
        ("TY=0.05", "TY=0.05\nTY=1", "TY is given twice"),
        ("TY=0.05\n", "", r"stereo.ty is missing; confs of the first cameras have none"),
        ("[STEREO]", "[STEREO", r"line \d+: expected \[section\] or key=value"),
        ("RX_2K=0.003", "RX_2K=3", "expected a small rotation vector"),
    ],
)
def test_zed_missing_keys_are_errors_not_zeros(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "SN1234.conf"
    path.write_text(conf(new=False).replace(old, new))
    with pytest.raises(RigFileError, match=message):
        load_rig(path)


# -- KITTI, mrcal, numbers -------------------------------------------------------------------

KITTI = """P0: 718.856 0 607.1928 0 0 718.856 185.2157 0 0 0 1 0
P1: 718.856 0 607.1928 -386.1448 0 718.856 185.2157 0 0 0 1 0
P2: 718.856 0 607.1928 45.38225 0 718.856 185.2157 -0.1130887 0 0 1 0.003779761
P3: 718.856 0 607.1928 -337.2877 0 718.856 185.2157 2.369057 0 0 1 0.004915215
Tr: 4.276802385584e-04 -9.999672484946e-01 -8.084491683471e-03 -1.198459927713e-02 -7.2 0 0 0 0 0 0 0
"""  # noqa: E501


def test_kitti_odometry(tmp_path: Path) -> None:
    path = tmp_path / "calib.txt"
    path.write_text(KITTI)
    rig = load_rig(path, size=(1241, 376))
    assert isinstance(rig, RectifiedRig)
    assert rig.size == (1241, 376)
    assert rig.baseline_m == pytest.approx((45.38225 + 337.2877) / 718.856)
    assert "--camera-pair 00,01 (537.2 mm)" in rig.notes["cameras_assumed"]
    assert load_rig(path, cameras=("0", "1")).baseline_m == pytest.approx(386.1448 / 718.856)
    with pytest.raises(RigFileError, match=r"P0 stands 537 mm to the left of P1; give the two"):
        load_rig(path, cameras=("1", "0"))
    path.write_text(KITTI.replace("718.856 0 607.1928 -337", "700.0 0 607.1928 -337"))
    with pytest.raises(RigFileError, match="P2 and P3: expected one focal length"):
        load_rig(path)


@pytest.mark.parametrize(
    "model",
    ["LENSMODEL_SPLINED_STEREOGRAPHIC_order=3_Nx=30", "LENSMODEL_CAHVOR", "LENSMODEL_LONLAT"],
)
def test_mrcal_other_lenses_are_refused_by_name(tmp_path: Path, model: str) -> None:
    path = changed("mrcal", tmp_path, ("LENSMODEL_OPENCV4", model))
    with pytest.raises(RigFileError, match=rf"{model} has no exact .* mrcal-convert-lensmodel"):
        load_rig(path)


def test_mrcal_as_its_calibrator_writes_it(tmp_path: Path) -> None:
    """With comments, megabytes of optimisation inputs and keys that we do not know."""
    inputs = "    'icam_intrinsics': 0,\n    'optimization_inputs': b'" + "x&;ab" * 200_000 + "',\n"
    path = changed(
        "mrcal", tmp_path, (r"^\{\n", "# generated\n{\n"), (r"\n\}\n", ",\n" + inputs + "}")
    )
    assert_rig(load_rig(path))


@pytest.mark.parametrize(
    ("text", "baseline_m"),
    [
        ("754.66 0.0 489.37 0.0 754.66 265.16 0.0 0.0 1.0 \n0.063", 0.063),
        ("754.66 0 489.37\n0 754.66 265.16\n0 0 1\n0.063\n", 0.063),
        ("754.66, 0, 489.37, 0, 754.66, 265.16, 0, 0, 1\n6.3e-2\n", 0.063),
    ],
)
def test_foundationstereo(tmp_path: Path, text: str, baseline_m: float) -> None:
    path = tmp_path / "K.txt"
    path.write_text(text)
    rig = load_rig(path)
    assert isinstance(rig, RectifiedRig)
    assert (rig.focal_px, rig.baseline_m, rig.size) == (754.66, pytest.approx(baseline_m), None)
    path.write_text(text.replace("0.063", "").replace("6.3e-2", ""))
    with pytest.raises(RigFileError, match=r"without a baseline \(focal length 754.66 px\)"):
        load_rig(path)


def test_q_matrices(tmp_path: Path) -> None:
    Q = np.array([[1, 0, 0, -320.5], [0, 1, 0, -240.5], [0, 0, 0, 500.0], [0, 0, 1 / 60, 2 / 60]])
    np.savetxt(tmp_path / "Q.txt", Q)
    np.savetxt(tmp_path / "Q.csv", Q, delimiter=",")
    (tmp_path / "Q2.txt").write_text(str(Q.tolist()))
    np.save(tmp_path / "Q.npy", Q)
    storage = cv2.FileStorage(str(tmp_path / "Q.yml"), cv2.FILE_STORAGE_WRITE)
    storage.write("Q", Q)
    storage.release()
    for name in ("Q.txt", "Q.csv", "Q2.txt", "Q.npy", "Q.yml"):
        rig = load_rig(tmp_path / name, size=(640, 480))
        assert isinstance(rig, RectifiedRig)
        assert rig.baseline_m == pytest.approx(0.06)
        assert (rig.focal_px, rig.doffs_px) == (500, pytest.approx(2))
        assert rig.notes["unit_assumed"].startswith("mm")
    for change, message in (
        ((3, 2, -1 / 60), "1/B is negative"),
        ((1, 1, -1), "the guess of OpenCV's sample"),
        ((3, 2, 0), "Q: expected 1 0 0 -cx"),
        ((3, 2, 1 / 12.5), r"1 / Q\[3\]\[2\] = 12.5 could be metres"),
    ):
        broken = Q.copy()
        broken[change[:2]] = change[2]
        np.savetxt(tmp_path / "Q.txt", broken)
        with pytest.raises(RigFileError, match=message):
            load_rig(tmp_path / "Q.txt")


# -- OpenCV in several files, and matrices of others -------------------------------------------


def storage_file(path: Path, values: dict[str, Any]) -> None:
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for key, value in values.items():
        storage.write(key, value)
    storage.release()


@pytest.mark.parametrize("given", ["left", "right", "stereo", "folder", "commas"])
@pytest.mark.parametrize("form", ["{}_calibration.xml", "calib_{}.yml", "{}.json"])
def test_three_files_by_sides(tmp_path: Path, given: str, form: str) -> None:
    paths = {role: tmp_path / form.format(role) for role in ("left", "right", "stereo")}
    for role, K, D in (("left", K1, D1), ("right", K2, D2)):
        values = {"camera_matrix": K, "distortion_coefficients": np.append(D, 0.0)}
        storage_file(paths[role], {"image_width": 1280, "image_height": 720, **values})
    T = 1000 * RIG.t_right_left[:, None]
    storage_file(paths["stereo"], {"R": RIG.R_right_left, "T": T, "Q": np.eye(4)})
    place: Path | str = tmp_path if given == "folder" else paths.get(given, tmp_path)
    if given == "commas":
        place = ",".join(map(str, paths.values()))
    assert_rig(load_rig(place), atol=1e-12)


def test_one_camera_alone_says_so(tmp_path: Path) -> None:
    storage_file(tmp_path / "cam.yml", {"camera_matrix": K1, "distortion_coefficients": D1})
    with pytest.raises(RigFileError, match=r"calibration of one camera \(focal length 700.5 px\)"):
        load_rig(tmp_path / "cam.yml")


def test_python_tutorials_npz_json_and_plain_yaml(tmp_path: Path) -> None:
    D = [np.append(each, 0.0) for each in (D1, D2)]
    T = 1000 * RIG.t_right_left[:, None]
    values: dict[str, Any] = {"mtxL": K1, "mtxR": K2, "distL": D[0], "distR": D[1]}
    values |= {"R": RIG.R_right_left, "T": T, "image_size": np.array([1280, 720])}
    np.savez(tmp_path / "a.npz", **values)
    np.savez_compressed(tmp_path / "b.npz", **values)
    plain = {key: value.tolist() for key, value in values.items()}
    (tmp_path / "c.json").write_text(json.dumps(plain))
    (tmp_path / "d.yaml").write_text("\n".join(f"{key}: {value}" for key, value in plain.items()))
    (tmp_path / "e.json").write_text(json.dumps(plain | {"T": [str(x) for x in T.ravel()]}))
    for name in ("a.npz", "b.npz", "c.json", "d.yaml", "e.json"):
        assert find_rig(tmp_path / name).name == "opencv"
        assert_rig(load_rig(tmp_path / name), atol=1e-12)


def test_zed_opencv_yml_with_a_rotation_vector_and_fisheye_names(tmp_path: Path) -> None:
    turn = cv2.Rodrigues(RIG.R_right_left)[0]
    values = {"Size": np.array([[1280, 720]]), "K_LEFT": K1, "K_RIGHT": K2}
    values |= {"R": turn, "T": 1000 * RIG.t_right_left[:, None]}
    storage_file(
        tmp_path / "z.yml", values | {"D_LEFT": np.append(D1, 0), "D_RIGHT": np.append(D2, 0)}
    )
    assert_rig(load_rig(tmp_path / "z.yml"))
    storage_file(tmp_path / "z.yml", values | {"D_LEFT_FE": D1, "D_RIGHT_FE": D2})
    assert assert_rig(load_rig(tmp_path / "z.yml")).left.model == "fisheye"


@pytest.mark.parametrize("ending", ["yml", "xml", "json"])
def test_base64_as_opencv_writes_it(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"s.{ending}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE_BASE64)
    values = {"M1": K1, "D1": np.append(D1, 0), "M2": K2, "D2": np.append(D2, 0)}
    for key, value in {**values, "R": RIG.R_right_left, "T": RIG.t_right_left[:, None]}.items():
        storage.write(key, value)
    storage.release()
    assert_rig(load_rig(path, size=(1280, 720)))
    text = path.read_text()
    at = text.index("MWQg") + 60
    path.write_text(text[:at] + text[at + 4 :])
    with pytest.raises(RigFileError, match=r"M1: (base64 data of a kind|not valid base64)"):
        load_rig(path, size=(1280, 720))


def test_swapped_opencv_cameras_are_exchanged_when_said(tmp_path: Path) -> None:
    values = {"M1": K2, "D1": np.append(D2, 0), "M2": K1, "D2": np.append(D1, 0)}
    t = -RIG.R_right_left.T @ RIG.t_right_left
    storage_file(tmp_path / "s.yml", values | {"R": RIG.R_right_left.T.copy(), "T": t})
    rig = load_rig(tmp_path / "s.yml", size=(1280, 720))
    assert isinstance(rig, StereoRig)
    assert rig.right_center_m[0] < 0  # as written
    assert_rig(load_rig(tmp_path / "s.yml", size=(1280, 720), cameras=("2", "1")))
    with pytest.raises(RigFileError, match="its camera matrices are m1 and m2: give left,right"):
        load_rig(tmp_path / "s.yml", size=(1280, 720), cameras=("cam0", "cam1"))


def test_what_a_caller_states_in_vain_is_said(tmp_path: Path) -> None:
    put(SAMPLES["euroc"], tmp_path)
    for settings, message in (
        ({"resolution": "HD"}, "only a ZED conf has several resolutions, not euroc"),
        ({"cameras": ("1", "0")}, "euroc holds one pair of cameras"),
        ({"model": "fisheye"}, "the lens model is pinhole, not fisheye"),
        ({"unit": "ells"}, "unknown length unit 'ells'"),
    ):
        with pytest.raises(RigFileError, match=message):
            load_rig(tmp_path / "cam0/sensor.yaml", **settings)  # type: ignore[arg-type]


def test_rectifying_rotations_and_projections_instead_of_r_and_t(tmp_path: Path) -> None:
    """ORB-SLAM's EuRoC.yaml: LEFT.K, LEFT.D, LEFT.R, LEFT.P and the same of RIGHT."""
    put(SAMPLES["opencv"], tmp_path)
    storage = cv2.FileStorage(str(tmp_path / "calib.yaml"), cv2.FILE_STORAGE_READ)
    lines = ["%YAML:1.0", "Camera.fx: 435.2", "LEFT.width: 1280", "LEFT.height: 720"]
    lines += ["RIGHT.width: 1280", "RIGHT.height: 720", "model: pinhole", "unit: m"]
    for side, i in (("LEFT", 1), ("RIGHT", 2)):
        for name, key in (("K", "M"), ("D", "D"), ("R", "R"), ("P", "P")):
            value = storage.getNode(f"{key}{i}").mat()
            data = ", ".join(map(repr, value.ravel().tolist()))
            rows, cols = value.shape
            lines.append(
                f"{side}.{name}: !!opencv-matrix\n  rows: {rows}\n  cols: {cols}\n  dt: d\n"
                f"  data: [{data}]"
            )
    (tmp_path / "calib.yaml").write_text("\n".join(lines) + "\n")
    assert_rig(load_rig(tmp_path / "calib.yaml"))


def test_board_squares_as_the_unit(tmp_path: Path) -> None:
    T = np.array([[-4.8], [0.02], [-0.04]])
    storage_file(
        tmp_path / "s.yml",
        {"M1": K1, "D1": np.append(D1, 0), "M2": K2, "D2": np.append(D2, 0),
         "R": RIG.R_right_left, "T": T, "image_width": 1280, "image_height": 720},
    )  # fmt: skip
    with pytest.raises(RigFileError, match=r"\|T\| = 4.8\d+ could be .* board squares; .*25mm"):
        load_rig(tmp_path / "s.yml")
    assert load_rig(tmp_path / "s.yml", unit="25mm").baseline_m == pytest.approx(0.12, rel=1e-4)
    assert load_rig(tmp_path / "s.yml", unit=0.025).baseline_m == pytest.approx(0.12, rel=1e-4)


def test_an_absurd_size_is_refused_before_anything_is_made_of_it(tmp_path: Path) -> None:
    save_rig(RIG, tmp_path / "a.yml", format="opencv")
    text = (tmp_path / "a.yml").read_text().replace("image_width: 1280", "image_width: 100000")
    (tmp_path / "a.yml").write_text(text)
    with pytest.raises(RigFileError, match=r"a.yml: size: 100000x720 is more than 32767 pixels"):
        load_rig(tmp_path / "a.yml")


# -- folders and lists of files ----------------------------------------------------------------


def test_a_folder_with_several_calibrations_asks(tmp_path: Path) -> None:
    put(SAMPLES["kalibr"], tmp_path)
    save_rig(RIG, tmp_path / "other.yml", format="opencv")
    with pytest.raises(RigFileError, match=r"holds 2 calibrations, .*: calib.yaml, other"):
        load_rig(tmp_path)
    assert find_rig(tmp_path, format="kalibr").files == (tmp_path / "calib.yaml",)
    save_rig(RIG, tmp_path / "rig.yaml")  # ours wins: stereo calibrate wrote it here
    assert find_rig(tmp_path).name == "rig"


def test_files_of_different_formats_are_not_mixed(tmp_path: Path) -> None:
    put(SAMPLES["ros"], tmp_path)
    put(SAMPLES["mrcal"], tmp_path)
    with pytest.raises(RigFileError, match=r"different formats: left.yaml \(ros\), cam0"):
        load_rig(f"{tmp_path / 'left.yaml'},cam0.cameramodel")
    with pytest.raises(RigFileError, match="one file holds both cameras here, got"):
        load_rig(f"{tmp_path / 'left.yaml'},right.yaml", format="zed")
    with pytest.raises(RigFileError, match="no such file"):
        load_rig(f"{tmp_path / 'left.yaml'},nothing.yaml")
