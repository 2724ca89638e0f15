"""What holds for every format: recognised by content, read alike, strict, and never executed."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibration_samples import D1, D2, K1, RIG, depthai, mat, matlab, put, samples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calib import FORMATS, RectifiedRig, RigFileError, StereoRig, load_rig
from calib.formats import find_rig
from calib.formats.matfile import parse as parse_mat

SAMPLES = samples()
RECTIFIED = {"middlebury", "karlsruhe", "foundationstereo", "q-matrix"}
each_format = pytest.mark.parametrize("name", list(FORMATS))


def assert_named(path: Path, folder: Path, format: str | None = None) -> None:
    """It is a rig, or an error that names a file of the folder."""
    said = ""
    try:
        rig = load_rig(path, format=format)
    except RigFileError as error:
        said = str(error)
    assert str(folder) in said if said else rig.baseline_m > 0


def test_there_is_a_sample_of_every_format() -> None:
    assert set(SAMPLES) == set(FORMATS)


@each_format
def test_it_is_recognised_by_its_content_whatever_its_name(tmp_path: Path, name: str) -> None:
    files = SAMPLES[name]
    first = put(files, tmp_path)
    for given_path in (first, tmp_path, ",".join(str(tmp_path / file) for file in files)):
        found = find_rig(given_path)
        assert (found.name, len(found.files)) == (name, len(files))
    if len(files) == 1:
        first.rename(tmp_path / "renamed")
        assert find_rig(tmp_path / "renamed").name == name
        assert load_rig(tmp_path / "renamed", format=name)


@each_format
def test_it_gives_the_rig_it_was_made_of(tmp_path: Path, name: str) -> None:
    rig = load_rig(put(SAMPLES[name], tmp_path))
    assert rig.baseline_m == pytest.approx(RIG.baseline_m, rel=2e-3)
    if name in RECTIFIED:
        assert isinstance(rig, RectifiedRig)
        return
    assert isinstance(rig, StereoRig)
    np.testing.assert_allclose(rig.left.K, K1, rtol=1e-9, atol=1e-9)
    assert rig.left.size == (1280, 720)
    if name != "eth3d":
        np.testing.assert_allclose(rig.R_right_left, RIG.R_right_left, atol=1e-9)
        np.testing.assert_allclose(rig.t_right_left, RIG.t_right_left, atol=1e-9)
        for camera, D in ((rig.left, D1), (rig.right, D2)):
            np.testing.assert_allclose(camera.distortion[:4], D, atol=1e-12)


@each_format
def test_windows_line_ends_and_byte_order_marks_do_not_matter(tmp_path: Path, name: str) -> None:
    files = SAMPLES[name]
    if name == "matlab":
        return
    truth = load_rig(put(files, tmp_path))
    for change in (lambda raw: raw.replace(b"\n", b"\r\n"), lambda raw: b"\xef\xbb\xbf" + raw):
        put({file: change(raw) for file, raw in files.items()}, tmp_path)
        assert repr(load_rig(tmp_path)) == repr(truth)


@each_format
def test_one_file_of_two_asks_for_the_other(tmp_path: Path, name: str) -> None:
    files = SAMPLES[name]
    if len(files) == 2:
        first = put(dict(list(files.items())[:1]), tmp_path)
        with pytest.raises(RigFileError, match=r"LEFT,RIGHT|must lie beside it"):
            load_rig(first)


@each_format
def test_cut_off_anywhere_it_is_refused_or_says_less(tmp_path: Path, name: str) -> None:
    """Half a file is an error that names it, never a crash."""
    files = SAMPLES[name]
    file, raw = list(files.items())[-1]
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        path = put({**files, file: raw[: int(share * len(raw))]}, tmp_path)
        assert_named(path, tmp_path)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_broken_bytes_give_a_rig_or_an_error_that_names_the_file(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    files = dict(SAMPLES[name])
    file = data.draw(st.sampled_from(sorted(files)))
    raw = bytearray(files[file])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        what = data.draw(
            st.sampled_from(
                [b"", b"\0", b"-", b"nan", b"1e999", b"[", b"]", b"{", b":", b"\n", b"9"]
            )
        )
        raw[at : at + data.draw(st.integers(0, 12))] = what
    folder = tmp_path_factory.mktemp("broken")
    path = put({**files, file: bytes(raw)}, folder)
    for format in (None, name):
        assert_named(path, folder, format)


# -- floods, bombs and code ------------------------------------------------------------------

FLOODS = {
    "values.yml": b"%YAML:1.0\n---\nopencv-matrix: 1\na: [" + b"1," * 1_900_000 + b"1]\n",
    "elements.xml": b"<opencv_storage>" + b"<_>1</_>" * 490_000 + b"</opencv_storage>",
    "objects.json": b'{"cameraData": [' + b"{}," * 1_300_000 + b"{}]}",
    "deep.json": b'{"cameraData": ' + b"[" * 1_900_000,
    "digits.yml": b"%YAML:1.0\n---\nM1: !!opencv-matrix\n  rows: 1\n  cols: 1\n  dt: d\n  data: ["
    + b"1" * 3_900_000
    + b"x]\n",
    "lines.txt": b"P0: 1\nP1: 1\n" + b"\n" * 3_900_000,
    "blanks.conf": b"[LEFT_CAM_HD]\na=" + b" " * 3_900_000 + b"x\n",
    "numbers.txt": b"cam0=[" + b"1 " * 1_900_000,
    "minus.cameramodel": b"{'lensmodel': 'LENSMODEL_OPENCV8', 'intrinsics': "
    + b"-" * 90_000
    + b"1}",
    "sum.cameramodel": b"{'lensmodel': 'LENSMODEL_OPENCV8', 'intrinsics': "
    + b"1+" * 49_000
    + b"1j}",
    "large.yml": b"%YAML:1.0\n---\na: 1\n" + b"#" * 5_000_000,
}


@pytest.mark.parametrize("name", list(FLOODS))
def test_floods_are_refused_at_once(tmp_path: Path, name: str) -> None:
    """CPU of a second at most, measured 0.01 to 0.5 s: benchmarks/fuzz_formats.py --floods."""
    path = tmp_path / name
    path.write_bytes(FLOODS[name])
    with pytest.raises(RigFileError, match=name):
        load_rig(f"{path},{path}" if name.endswith("cameramodel") else path)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch {owned}')",
        "{{'lensmodel': 'LENSMODEL_PINHOLE', 'intrinsics': [open('{owned}', 'w')]}}",
        "%YAML:1.0\n---\nM1: !!python/object/apply:os.system ['touch {owned}']\nopencv-matrix: 1\n",
        "schema: stereo-depth-rig\nx: !!python/object/new:os.system ['touch {owned}']\n",
        "<opencv_storage><!ENTITY x SYSTEM 'file:///etc/passwd'><M1>&x;</M1></opencv_storage>",
    ],
)
def test_nothing_is_executed_or_fetched(tmp_path: Path, text: str) -> None:
    path, owned = tmp_path / "file", tmp_path / "owned"
    path.write_text(text.format(owned=owned))
    for format in (None, *FORMATS):
        with pytest.raises(RigFileError):
            load_rig(path, format=format)
    assert not owned.exists()


def test_numpy_files_are_not_unpickled_and_take_no_more_than_they_hold(tmp_path: Path) -> None:
    header = b"{'descr': '%s', 'fortran_order': False, 'shape': %s}"
    for kind, shape, body, message in (
        (b"|O", b"(1,)", b"cos\nsystem\n.", "is missing|found"),
        (b"<f8", b"(100000, 100000)", b"\0" * 8, "a damaged numpy file"),
    ):
        text = (header % (kind, shape)).ljust(109) + b"\n"
        raw = b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text + body
        (tmp_path / "Q.npy").write_bytes(raw)
        with pytest.raises(RigFileError, match=message):
            load_rig(tmp_path / "Q.npy")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("M1.npy", b"\0" * 50_000_000)
    (tmp_path / "bomb.npz").write_bytes(file.getvalue())
    with pytest.raises(RigFileError, match="more arrays than a calibration has"):
        load_rig(tmp_path / "bomb.npz")


def test_a_deflated_mat_file_may_not_grow_without_bound(tmp_path: Path) -> None:
    bomb = zlib.compress(b"\0" * 50_000_000)
    head = mat({})[:128]
    raw = head + (15).to_bytes(4, "little") + len(bomb).to_bytes(4, "little") + bomb
    (tmp_path / "bomb.mat").write_bytes(raw)
    with pytest.raises(RigFileError, match="more than 4 MB when inflated"):
        load_rig(tmp_path / "bomb.mat")


# -- MATLAB ----------------------------------------------------------------------------------


@pytest.mark.parametrize("compressed", [True, False])
def test_our_mat_parser_reads_what_scipy_writes(tmp_path: Path, compressed: bool) -> None:
    values: dict[str, Any] = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.array([[1, 2], [3, 4]], np.uint8),
        "c": "millimeters",
        "s": {"x": np.eye(3, dtype=np.float32), "inner": {"y": 5}},
        "cell": np.array([1, "two"], object),
        "z": np.array([1 + 2j]),
    }
    (tmp_path / "a.mat").write_bytes(mat(values, compressed=compressed))
    found = parse_mat(tmp_path / "a.mat")
    np.testing.assert_array_equal(found["a"], values["a"])
    np.testing.assert_array_equal(found["b"], values["b"])
    np.testing.assert_array_equal(found["s"]["x"], np.eye(3))
    assert found["c"] == "millimeters"
    assert found["s"]["inner"]["y"] == 5
    assert found["cell"] is found["z"] is None


def test_matlab_as_a_struct_in_metres_and_as_column_vectors(tmp_path: Path) -> None:
    plain = matlab()
    struct: dict[str, Any] = {
        f"CameraParameters{i}": {
            "IntrinsicMatrix": plain[f"cameraMatrix{i}"],
            "RadialDistortion": plain[f"RadialDistortion{i}"],
            "TangentialDistortion": plain[f"TangentialDistortion{i}"],
            "ImageSize": plain["ImageSize"],
            "WorldUnits": "millimeters",
        }
        for i in (1, 2)
    }
    struct |= {"RotationOfCamera2": plain["R"], "TranslationOfCamera2": plain["T"]}
    pose = np.block([[RIG.R_right_left, 1000 * RIG.t_right_left[:, None]], [np.eye(4)[3:]]])
    newer = {**struct, "PoseCamera2": {"A": pose}}
    for each in (newer, newer["CameraParameters1"], newer["CameraParameters2"]):
        each.pop("RotationOfCamera2", None)
    newer["CameraParameters1"]["K"] = np.array(plain["cameraMatrix1"]).T
    for values in (struct, {"stereoParams": struct}, newer):
        (tmp_path / "s.mat").write_bytes(mat(values))
        rig = load_rig(tmp_path / "s.mat")
        assert isinstance(rig, StereoRig)
        np.testing.assert_allclose(rig.R_right_left, RIG.R_right_left, atol=1e-12)
        np.testing.assert_allclose(rig.left.K, K1, atol=1e-9)
        assert "unit_assumed" not in rig.notes


def test_bouguets_toolbox(tmp_path: Path) -> None:
    values: dict[str, Any] = {"nx": 1280, "ny": 720, "om": [0.003, -0.004, 0.001]}
    values["T"] = 1000 * RIG.t_right_left
    for side, K, D in (("left", K1, D1), ("right", RIG.right.K, D2)):
        values |= {
            f"fc_{side}": K[[0, 1], [0, 1]],
            f"cc_{side}": K[:2, 2],
            f"alpha_c_{side}": 0.0,
            f"kc_{side}": np.append(D, 0.0),
        }
    (tmp_path / "Calib_Results_stereo.mat").write_bytes(mat(values))
    rig = load_rig(tmp_path)
    assert isinstance(rig, StereoRig)
    np.testing.assert_allclose(rig.left.K, K1)
    np.testing.assert_allclose(rig.R_right_left, RIG.R_right_left, atol=1e-12)


def test_a_matlab_object_is_refused_with_the_line_that_exports_it(tmp_path: Path) -> None:
    def element(kind: int, data: bytes) -> bytes:
        size = kind.to_bytes(4, "little") + len(data).to_bytes(4, "little")
        return size + data + b"\0" * (-len(data) % 8)

    flags = element(6, (17).to_bytes(8, "little"))
    names = b"".join(element(1, name) for name in (b"stereoParams", b"MCOS", b"stereoParameters"))
    (tmp_path / "s.mat").write_bytes(mat({})[:128] + element(14, flags + names))
    with pytest.raises(RigFileError, match=r"stereoParams is a MATLAB object .*toStruct"):
        load_rig(tmp_path / "s.mat")
    (tmp_path / "s.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(600))
    with pytest.raises(RigFileError, match="save it with"):
        load_rig(tmp_path / "s.mat")


# -- DepthAI ---------------------------------------------------------------------------------


def test_depthai_follows_the_chain_and_names_sockets(tmp_path: Path) -> None:
    data: Any = depthai()
    middle = json.loads(json.dumps(data["cameraData"][1][1]))
    middle["extrinsics"] = json.loads(json.dumps(data["cameraData"][0][1]["extrinsics"]))
    data["cameraData"].append([0, middle])
    data["cameraData"][2][1]["extrinsics"]["toCameraSocket"] = 1
    path = tmp_path / "calib.json"
    path.write_text(json.dumps(data))
    assert load_rig(path).baseline_m == pytest.approx(RIG.baseline_m)
    assert load_rig(path, cameras=("CAM_A", "CAM_C")).baseline_m == pytest.approx(0.24, rel=1e-2)
    with pytest.raises(RigFileError, match="has no camera '7'; it has 1, 2, 0"):
        load_rig(path, cameras=("1", "7"))
    data["cameraData"][0][1]["extrinsics"]["toCameraSocket"] = -1
    path.write_text(json.dumps(data))
    with pytest.raises(RigFileError, match="no extrinsics lead from socket 1 to 2"):
        load_rig(path)
    data["cameraData"][0][1]["cameraType"] = 2
    data["cameraData"][0][1]["extrinsics"]["toCameraSocket"] = 2
    path.write_text(json.dumps(data))
    with pytest.raises(RigFileError, match=r"cameraData\[1\].cameraType: expected 0 .* got 2"):
        load_rig(path)
