"""Foreign calibration files: read as written; what they do not say is never guessed silently."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calib import FORMATS, RectifiedRig, RigFileError, StereoRig, load_rig
from calib.formats import middlebury

K1 = np.array([[500.5, 0, 322], [0, 501, 238], [0, 0, 1]])
K2 = np.array([[502.5, 0, 312], [0, 503, 241], [0, 0, 1]])
D1 = np.array([-0.4, 0.15, 1e-5, -0.002, 0.1])
D2 = np.array([-0.3, 0.1, 0.001, 0.002, 0.0])
R = cv2.Rodrigues(np.array([0.01, -0.02, 0.003]))[0]
T = np.array([-94.0, 0.5, 0.25])
USUAL = {"M1": K1, "D1": D1, "M2": K2, "D2": D2, "R": R, "T": T, "image_size": [640, 480]}


def matrix(value: Any, dt: str = "d") -> str:
    """A matrix in FileStorage YAML."""
    value = np.atleast_2d(np.asarray(value, float))
    rows, cols = value.shape
    data = ", ".join(map(repr, value.ravel().tolist()))
    return f"!!opencv-matrix\n   rows: {rows}\n   cols: {cols}\n   dt: {dt}\n   data: [ {data} ]"


def yaml_text(values: dict[str, Any], header: str = "%YAML:1.0\n---\n") -> str:
    lines = [
        f"{key}: {matrix(value) if isinstance(value, np.ndarray) else value}"
        for key, value in values.items()
    ]
    return header + "\n".join(lines) + "\n"


def opencv_file(folder: Path, name: str = "stereo.yml", **changes: Any) -> Path:
    """The usual file with some values changed; None takes one out."""
    path = folder / name
    values = {k: v for k, v in (USUAL | changes).items() if v is not None}
    path.write_text(yaml_text(values))
    return path


def assert_usual(rig: StereoRig | RectifiedRig) -> None:
    assert isinstance(rig, StereoRig)
    np.testing.assert_array_equal(rig.left.K, K1)
    np.testing.assert_array_equal(rig.right.K, K2)
    np.testing.assert_array_equal(rig.left.distortion, D1)
    np.testing.assert_array_equal(rig.right.distortion, D2)
    np.testing.assert_allclose(rig.R_right_left, R, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(rig.t_right_left, T * 1e-3)
    assert rig.left.size == rig.right.size == (640, 480)


# -- OpenCV: spellings -----------------------------------------------------------------------

SPELLINGS = [
    ("M1", "M2", "D1", "D2"),
    ("K1", "K2", "D1", "D2"),
    ("K_l", "K_r", "D_l", "D_r"),
    ("K_LEFT", "K_RIGHT", "D_LEFT", "D_RIGHT"),
    ("cameraMatrix1", "cameraMatrix2", "distCoeffs1", "distCoeffs2"),
    ("camera_matrix_left", "camera_matrix_right", "dist_coeffs_left", "dist_coeffs_right"),
    ("leftCameraMatrix", "rightCameraMatrix", "leftDistCoeffs", "rightDistCoeffs"),
    ("left_camera_matrix", "right_camera_matrix", "left_distortion", "right_distortion"),
    ("mtxL", "mtxR", "distL", "distR"),
    (
        "Camera_Matrix_0",
        "Camera_Matrix_1",
        "Distortion_Coefficients_0",
        "Distortion_Coefficients_1",
    ),
    ("LEFT.INTRINSICS", "RIGHT.INTRINSICS", "LEFT.DIST", "RIGHT.DIST"),
]


@pytest.mark.parametrize("names", SPELLINGS, ids=lambda names: names[0])
def test_key_names_of_many_programs(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = tmp_path / "any.yaml"
    cameras = dict(zip(names, (K1, K2, D1, D2), strict=True))
    path.write_text(yaml_text(cameras | {"R": R, "T": T, "image_size": [640, 480]}))
    assert_usual(load_rig(path))


def nested_text() -> str:
    def side(K: np.ndarray, D: np.ndarray) -> str:
        text = yaml_text({"K": K, "D": D, "size": [640, 480], "rms": 0.3}, header="")
        return "".join(f"   {line}\n" for line in text.splitlines())

    return f"%YAML:1.0\n---\nleft:\n{side(K1, D1)}right:\n{side(K2, D2)}" + yaml_text(
        {"R": R, "T": T}, header=""
    )


def test_sections_per_camera(tmp_path: Path) -> None:
    (tmp_path / "stereo.yml").write_text(nested_text())
    assert_usual(load_rig(tmp_path / "stereo.yml"))


@pytest.mark.parametrize("header", ["%YAML:1.0\n", "%YAML:1.0\r\n---\r\n", "%YAML 1.2\n---\n", ""])
def test_headers_of_all_opencv_versions(tmp_path: Path, header: str) -> None:
    path = tmp_path / "stereo.yml"
    path.write_text(yaml_text(USUAL, header=header))
    assert_usual(load_rig(path))
    path.write_text("\ufeff" + yaml_text(USUAL, header=header))
    assert_usual(load_rig(path))


@pytest.mark.parametrize("extension", ["yml", "xml", "json"])
@pytest.mark.parametrize("t_shape", [(3,), (3, 1), (1, 3)])
def test_what_this_opencv_writes_is_read(
    tmp_path: Path, extension: str, t_shape: tuple[int, ...]
) -> None:
    path = tmp_path / f"stereo.{extension}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name, value in USUAL.items():
        if isinstance(value, np.ndarray):
            storage.write(name, value.reshape(t_shape) if name == "T" else value)
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write("comment", "made by: a test")
    storage.release()
    assert_usual(load_rig(path))


def test_rotation_vector_is_turned_into_a_matrix(tmp_path: Path) -> None:
    assert_usual(load_rig(opencv_file(tmp_path, R=cv2.Rodrigues(R)[0])))


# -- OpenCV: the pair of files ---------------------------------------------------------------


@pytest.mark.parametrize("given_name", ["intrinsics.yml", "extrinsics.yml", "."])
def test_intrinsics_and_extrinsics_by_either_or_their_folder(
    tmp_path: Path, given_name: str
) -> None:
    cameras = {name: USUAL[name] for name in ("M1", "D1", "M2", "D2")}
    rest = {"R": R, "T": T, "R1": np.eye(3), "Q": np.eye(4), "image_size": [640, 480]}
    (tmp_path / "intrinsics.yml").write_text(yaml_text(cameras))
    (tmp_path / "extrinsics.yml").write_text(yaml_text(rest))
    rig = load_rig(tmp_path / given_name)
    assert_usual(rig)
    assert set(rig.notes["read_from"]) == {"intrinsics.yml", "extrinsics.yml"}  # type: ignore[union-attr]


def test_the_other_file_of_the_pair_is_asked_for(tmp_path: Path) -> None:
    path = opencv_file(tmp_path, "left_intrinsics.yml", R=None, T=None)
    with pytest.raises(RigFileError, match=r"left_extrinsics.yml with R and T must lie beside it"):
        load_rig(path)
    path.rename(tmp_path / "x.yml")
    path = opencv_file(tmp_path, "extrinsics.yml", M1=None, M2=None)
    with pytest.raises(RigFileError, match=r"intrinsics.yml with the camera matrices must lie"):
        load_rig(path)


def test_two_pairs_in_a_folder_are_not_chosen_between(tmp_path: Path) -> None:
    for name in ("a_intrinsics.yml", "a_extrinsics.yml", "b_intrinsics.yml", "b_extrinsics.yml"):
        opencv_file(tmp_path, name)
    with pytest.raises(RigFileError, match=r"holds 4 calibrations, give one: a_extrinsics.yml"):
        load_rig(tmp_path)


# -- OpenCV: what the file does not say ------------------------------------------------------


def test_a_missing_size_is_asked_for_and_a_written_one_holds(tmp_path: Path) -> None:
    path = opencv_file(tmp_path, image_size=None)
    with pytest.raises(RigFileError, match="does not say the image size; state it"):
        load_rig(path)
    assert_usual(load_rig(path, size=(640, 480)))
    assert_usual(load_rig(opencv_file(tmp_path), size=(320, 240)))


@pytest.mark.parametrize(
    ("length", "metres", "assumed"),
    [(0.005, 0.005, "m"), (0.12, 0.12, "m"), (2, 2, "m"), (30, 0.03, "mm"), (537, 0.537, "mm")],
)
def test_clear_units_are_taken_and_noted(
    tmp_path: Path, length: float, metres: float, assumed: str
) -> None:
    rig = load_rig(opencv_file(tmp_path, T=np.array([-length, 0, 0])))
    assert isinstance(rig, StereoRig)
    assert rig.baseline_m == pytest.approx(metres, rel=1e-12)
    assert rig.notes["unit_assumed"].startswith(f"{assumed}: the file states none, and |T| = ")


@pytest.mark.parametrize("length", [0.004, 2.01, 3.33, 12.0, 29.9])
def test_unclear_units_are_asked_for(tmp_path: Path, length: float) -> None:
    path = opencv_file(tmp_path, T=np.array([-length, 0, 0]))
    with pytest.raises(RigFileError, match="does not say its length unit"):
        load_rig(path)
    for unit, metres in (("cm", 0.01), ("MM", 0.001), ("in", 0.0254), (0.024, 0.024)):
        if length * metres < 1e-3:
            continue
        rig = load_rig(path, unit=unit)  # type: ignore[arg-type]
        assert isinstance(rig, StereoRig)
        assert rig.baseline_m == pytest.approx(length * metres)
        assert "unit_assumed" not in rig.notes


def test_a_unit_in_the_file_holds_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    rig = load_rig(opencv_file(tmp_path, T=np.array([-12.0, 0, 0]), unit="cm"))
    assert rig.baseline_m == pytest.approx(0.12)
    for unit in ("furlong", -1.0, float("nan"), 0):
        with pytest.raises(RigFileError, match="unknown length unit"):
            load_rig(opencv_file(tmp_path), unit=unit)
    with pytest.raises(RigFileError, match=r"baseline is 0.000094\d* m; .* were millimetres"):
        load_rig(opencv_file(tmp_path, T=T * 1e-3), unit="mm")


def test_four_coefficients_may_be_two_models(tmp_path: Path) -> None:
    four = np.array([0.1, -0.02, 0.001, 0.002])
    path = opencv_file(tmp_path, D1=four, D2=four)
    with pytest.raises(RigFileError, match=r"may be pinhole .* or fisheye .*; add a line model"):
        load_rig(path)
    assert load_rig(path, model="fisheye").left.model == "fisheye"  # type: ignore[union-attr]
    path = opencv_file(tmp_path, D1=four, D2=four, model="fisheye")
    assert load_rig(path).left.model == "fisheye"  # type: ignore[union-attr]
    with pytest.raises(RigFileError, match="the lens model is fisheye, not pinhole"):
        load_rig(path, model="pinhole")
    with pytest.raises(RigFileError, match="lens model: expected pinhole or fisheye, got 'omni'"):
        load_rig(opencv_file(tmp_path, model="omni"))
    with pytest.raises(RigFileError, match="a fisheye camera takes 0, 4 coefficients, got 5"):
        load_rig(opencv_file(tmp_path), model="fisheye")
    assert load_rig(opencv_file(tmp_path)).notes["model_assumed"].startswith("pinhole: 5")  # type: ignore[union-attr]


# -- OpenCV: faults --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"R": None}, "R of x_right = R x_left \\+ T is missing .*found d1, d2, imagesize"),
        ({"T": None}, "T of x_right = R x_left \\+ T is missing"),
        ({"M2": None}, "expected the camera matrices of both cameras under names such as M1"),
        ({"D1": None}, "expected the distortion of both cameras under names such as D1"),
        ({"M1": np.eye(2)}, r"camera matrices must be 3 x 3, got \(2, 2\)"),
        ({"M1": "none"}, "m1: expected a matrix of numbers, got 'none'"),
        ({"R": np.eye(4)}, r"R: expected 3 x 3 or 3 numbers, got shape \(4, 4\)"),
        ({"R": 2 * np.eye(3)}, "R: expected a rotation matrix, got"),
        ({"T": np.zeros(2)}, "T: expected 3 numbers, got 2"),
        ({"T": np.array([np.nan, 0, 0])}, "T: expected finite numbers, got 'nan'"),
        ({"D1": np.zeros(3)}, "coefficients, got 3"),
        ({"image_size": [640]}, r"image size: expected \[width, height\]"),
        ({"image_size": [640, -480]}, r"image size: expected \[width, height\]"),
        ({"image_size": "big"}, "image size: expected a matrix of numbers, got 'big'"),
        ({"image_size": [64, 48]}, "K: cx = 322 is far outside an image of 64x48"),
        ({"calibration": "\n   R: [1, 0, 0]"}, "R is given twice with different values"),
        ({"T": "!!opencv-matrix\n   rows: 3\n   cols: 2\n   dt: d\n   data: [1, 2]"}, "3 x 2 num"),
        ({"T": "!!opencv-matrix\n   rows: 3\n   cols: 1\n   data: [1, 2, 3]"}, "T: a matrix needs"),
        ({"T": "!!opencv-matrix\n   rows: -3\n   cols: -1\n   dt: d\n   data: [1, 2, 3]"}, "-3 x"),
        ({"T": "!!opencv-matrix [1, 2]"}, "not valid YAML: line"),
        ({"T": "!!opencv-matrix text"}, "not valid YAML: line"),
        ({"T": "!!opencv-sparse-matrix\n   sizes: [3]\n   data: [1]"}, "T of x_right"),
        ({"rms": -1}, "reprojection_rms_px: expected pixels >= 0"),
    ],
)
def test_every_opencv_fault_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = opencv_file(tmp_path, **changes)
    with pytest.raises(RigFileError, match=message) as caught:
        load_rig(path)
    assert str(path) in str(caught.value)


def test_huge_stated_matrix_costs_nothing(tmp_path: Path) -> None:
    # cv2.FileStorage allocates what the header claims
    huge = "!!opencv-matrix\n   rows: 99999\n   cols: 99999\n   dt: d\n   data: [ 1. ]"
    with pytest.raises(RigFileError, match="expected 99999 x 99999 numbers, got 1"):
        load_rig(opencv_file(tmp_path, T=huge))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><opencv_storage/>',
            "a DOCTYPE or ent",
        ),
        ("<opencv_storage><M1>", "not valid XML"),
        (
            "<opencv_storage>" + "<a>" * 50 + "</a>" * 50 + "</opencv_storage>",
            "nested more than 32",
        ),
        ("<opencv_storage><a>1</a><a>2</a></opencv_storage>", "key 'a' is given twice"),
        ("<opencv_storage/>", "expected keys with values"),
        ("<other>opencv-matrix</other>", "expected <opencv_storage>, got <other>"),
        ("%YAML:1.0\n- 1\n", "expected keys with values"),
        ("%YAML:1.0\n---\n" + "a: {" * 2_000_000, "larger than 4 MB"),
        ("%YAML:1.0\n---\na: " + "{a: " * 500_000, "nested more than 32"),
        ("%YAML:1.0\n---\nM1: &a [1]\nM2: *a\n", "aliases"),
        ("%YAML:1.0\n---\n\tM1: 3\n", "not valid YAML"),
    ],
)
def test_hostile_files_are_refused_at_once(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "stereo.yml"
    path.write_text(content)
    start = time.perf_counter()
    with pytest.raises(RigFileError, match=message):
        load_rig(path)
    assert time.perf_counter() - start < 2


# -- Middlebury ------------------------------------------------------------------------------

CALIB = """\
cam0=[999.421 0 294.182; 0 999.421 252.932; 0 0 1]
cam1=[999.421 0 326.96; 0 999.421 252.932; 0 0 1]
doffs=32.778
baseline=193.001
width=741
height=497
ndisp=70
isint=0
"""


def calib_txt(folder: Path, old: str = "", new: str = "") -> Path:
    path = folder / "calib.txt"
    path.write_text(CALIB.replace(old, new) if old else CALIB)
    return path


def test_middlebury_is_read(tmp_path: Path) -> None:
    rig = load_rig(calib_txt(tmp_path))
    assert isinstance(rig, RectifiedRig)
    assert rig.baseline_m == pytest.approx(0.193001)
    assert rig.doffs_px == pytest.approx(32.778)
    expected = RectifiedRig((741, 497), 999.421, rig.baseline_m, 294.182, 326.96, 252.932, 70)
    assert rig == expected


@pytest.mark.parametrize("size", [(741, 497), None])
@pytest.mark.parametrize("ndisp", [70, None])
def test_middlebury_read_undoes_write(
    tmp_path: Path, size: tuple[int, int] | None, ndisp: int | None
) -> None:
    rig = RectifiedRig(size, 1000 / 3, 0.1 / 3, 320 / 7, 400 / 7, 240 / 7, ndisp)
    (tmp_path / "calib.txt").write_text(middlebury.write(rig))
    back = load_rig(tmp_path / "calib.txt")
    assert isinstance(back, RectifiedRig)
    assert back.baseline_m == pytest.approx(rig.baseline_m, rel=1e-15)
    assert replace(back, baseline_m=rig.baseline_m) == rig


def test_middlebury_without_a_size_takes_the_stated_one(tmp_path: Path) -> None:
    path = calib_txt(tmp_path, "width=741\nheight=497\n", "\n")
    assert load_rig(path).size is None  # type: ignore[union-attr]
    assert load_rig(path, size=(741, 497)).size == (741, 497)  # type: ignore[union-attr]
    assert load_rig(path, unit="cm").baseline_m == pytest.approx(1.93001)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("doffs=32.778", "doffs=0", "doffs: expected cx of cam1 - cx of cam0 = 32.778, got 0"),
        ("doffs=32.778\n", "", "doffs is missing"),
        ("doffs=32.778", "doffs=nan", "doffs: expected a finite number, got 'nan'"),
        ("baseline=193.001\n", "", "baseline is missing"),
        ("baseline=193.001", "baseline=0.193", "baseline is 0.000193 m"),
        (
            "cam1=[999.421 0 326.96; 0 999.421",
            "cam1=[990 0 326.96; 0 990",
            "must share focal length",
        ),
        ("cam1=[999.421 0 326.96; 0 999.421 252.932; 0 0 1]\n", "", "cam1 is missing"),
        ("cam1=[999.421 0", "cam1=[999.421 2", r"cam1: expected \[f 0 cx; 0 f cy; 0 0 1\], got"),
        ("0 0 1]\ncam1", "0 0 1\ncam1", r"cam0: expected \[f 0 cx"),
        ("width=741", "width=741.5", "width: expected a whole number > 0, got 741.5"),
        ("ndisp=70", "ndisp=0", "ndisp: expected a whole number > 0, got 0"),
        ("ndisp=70", "width=70", "line 7: width is given twice"),
        ("isint=0", "isint", "line 8: expected key=value, got 'isint'"),
    ],
)
def test_every_middlebury_fault_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(RigFileError, match=message) as caught:
        load_rig(calib_txt(tmp_path, old, new))
    assert "calib.txt" in str(caught.value)


# -- recognising -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"hello\n", "no calibration format I know; known formats: rig .*; middlebury .*; opencv"),
        (b"\x89PNG\r\n\0\0", "a binary file, no calibration"),
        (b"%YAML:1.0\nM1: \xff\xfe\n", "not text"),
        (b"schema: stereo-depth-rig\n\xff", "not text"),
    ],
)
def test_strange_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(RigFileError, match=message) as caught:
        load_rig(path)
    assert str(path) in str(caught.value)


def test_strange_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(RigFileError, match="no such file"):
        load_rig(tmp_path / "absent.yaml")
    with pytest.raises(RigFileError, match="a folder without a calibration I know; give the file"):
        load_rig(tmp_path)
    for name in ("rig", "middlebury", "opencv", "ros"):
        with pytest.raises(RigFileError, match="a folder without a calibration I know"):
            load_rig(tmp_path, format=name)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RigFileError, match="not a regular file"):
        load_rig(tmp_path / "pipe")
    with pytest.raises(RigFileError, match="unknown calibration format 'odt'; known: rig, "):
        load_rig(tmp_path, format="odt")
    with pytest.raises(RigFileError, match="cannot be read: File name too long"):
        load_rig(tmp_path / ("x" * 300))
    with pytest.raises(RigFileError, match=r"cannot be read: .*null"):
        load_rig(tmp_path / "a\0b")


def test_forced_format_reads_a_file_it_would_not_recognise(tmp_path: Path) -> None:
    assert_usual(load_rig(opencv_file(tmp_path), format="opencv"))
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\n")
    with pytest.raises(RigFileError, match="schema is missing"):
        load_rig(path, format="rig")


def test_every_format_is_described() -> None:
    assert next(iter(FORMATS)) == "rig"
    assert all(each.description for each in FORMATS.values())


# -- real files ------------------------------------------------------------------------------


def test_real_opencv_file(shared_data: Path) -> None:
    path = shared_data / "calibration_files/opencv/fhgr_stereo.yml"
    rig = load_rig(path)
    assert isinstance(rig, StereoRig)
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)  # must outlive its nodes
    truth = storage.getNode("calibration")
    for camera, side in ((rig.left, "left"), (rig.right, "right")):
        assert camera.size == (640, 480)
        np.testing.assert_array_equal(camera.K, truth.getNode(f"camera_matrix_{side}").mat())
        np.testing.assert_array_equal(
            camera.distortion, truth.getNode(f"dist_coeffs_{side}").mat().ravel()
        )
    np.testing.assert_array_equal(rig.R_right_left, truth.getNode("R").mat())
    np.testing.assert_array_equal(rig.t_right_left, truth.getNode("T").mat().ravel() * 1e-3)
    assert rig.reprojection_rms_px == truth.getNode("reprojection_error").real()
    assert rig.notes["unit_assumed"].startswith("mm")


def test_real_files_with_one_half_missing(shared_data: Path) -> None:
    folder = shared_data / "calibration_files/opencv"
    with pytest.raises(
        RigFileError, match=r"samples_extrinsics.yml with R and T must lie beside it"
    ):
        load_rig(folder / "samples_intrinsics.yml")
    with pytest.raises(RigFileError, match=r"samples_left_extrinsics.yml with R and T must lie"):
        load_rig(folder / "samples_left_intrinsics.yml")
    with pytest.raises(RigFileError, match=r"R of .* is missing; found imagelist"):
        load_rig(shared_data / "calibration/opencv_samples/stereo_calib.xml")


def test_real_middlebury_and_eth3d(shared_data: Path) -> None:
    rig = load_rig(shared_data / "pairs/motorcycle_q/calib.txt")
    assert isinstance(rig, RectifiedRig)
    assert (rig.size, rig.focal_px, rig.num_disparities) == ((741, 497), 999.421, 70)
    eth3d = load_rig(shared_data / "calibration_files/eth3d/calib.txt")
    assert isinstance(eth3d, RectifiedRig)
    assert (eth3d.baseline_m, eth3d.num_disparities) == (pytest.approx(0.0599101), None)


def test_two_lens_models_in_one_opencv_file(tmp_path: Path) -> None:
    """A pinhole beside a fisheye, each section with its own model and size."""
    path = tmp_path / "mixed.yml"
    K = "!!opencv-matrix\n      rows: 3\n      cols: 3\n      dt: d\n      data: [{}]"
    sections = "".join(
        f"{side}:\n   model: {model}\n   image_size: [{w}, {h}]\n"
        f"   K: {K.format(f'{f}, 0, {w / 2}, 0, {f}, {h / 2}, 0, 0, 1')}\n   D: [0.01, 0, 0, 0]\n"
        for side, model, w, h, f in (
            ("left", "pinhole", 640, 480, 500.0),
            ("right", "fisheye", 512, 512, 210.0),
        )
    )
    path.write_text(f"%YAML:1.0\n---\n{sections}R: [0, 0, 0]\nT: [-0.1, 0, 0]\nunit: m\n")
    rig = load_rig(path)
    assert isinstance(rig, StereoRig)
    assert [(c.model, c.size) for c in (rig.left, rig.right)] == [
        ("pinhole", (640, 480)),
        ("fisheye", (512, 512)),
    ]
