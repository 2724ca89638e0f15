"""Writing and reading results: lossless where promised, whole or not at all, clear when not."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stereo.cloud import PointCloud
from stereo.errors import ImageError, InputError, OutputError
from stereo.files import clouds, outputs
from stereo.frame import StereoGeometry

maps = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    elements=st.floats(0.0625, 200, width=32) | st.just(np.nan),
)


MAP_WRITERS = {
    ".pfm": outputs.write_disparity_pfm,
    ".tiff": outputs.write_tiff,
    ".npy": outputs.write_npy,
    ".png": outputs.write_disparity_png16,
}


def cloud(n: int = 5, normals: bool = False) -> PointCloud:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(n, 3)).astype(np.float32)
    colors = rng.integers(0, 255, (n, 3)).astype(np.uint8)
    return PointCloud(points, colors, points.copy() if normals else None)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (outputs.write_disparity_pfm, "a.pfm"),
        (outputs.write_tiff, "a.tiff"),
        (outputs.write_npy, "a.npy"),
    ],
)
@given(values=maps)
def test_float_maps_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, write: object, name: str, values: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("maps") / name
    write(path, values)  # type: ignore[operator]
    np.testing.assert_array_equal(outputs.read_map(path), values)


@given(values=maps)
def test_kitti_png_is_exact_to_half_a_step(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray
) -> None:
    path = tmp_path_factory.mktemp("maps") / "a.png"
    outputs.write_disparity_png16(path, values)
    back = outputs.read_map(path)
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    np.testing.assert_allclose(back, values, atol=0.5 / 256 + 1e-6)


def test_what_16_bit_cannot_hold_becomes_unknown_never_wraps(tmp_path: Path) -> None:
    depth = np.array([[1.0, 65.535, 65.6, 100.0, np.nan, 1e-5]], np.float32)
    outputs.write_depth_png_mm(tmp_path / "d.png", depth)
    raw = cv2.imread(str(tmp_path / "d.png"), cv2.IMREAD_UNCHANGED)
    assert raw.tolist() == [[1000, 65535, 0, 0, 0, 1]]
    outputs.write_disparity_png16(tmp_path / "p.png", np.array([[-3.0, 300.0, 0.0]], np.float32))
    raw = cv2.imread(str(tmp_path / "p.png"), cv2.IMREAD_UNCHANGED)
    assert raw.tolist() == [[0, 0, 1]]


def test_pfm_is_what_others_read(tmp_path: Path) -> None:
    values = np.array([[1, 2, 3], [4, np.nan, 6]], np.float32)
    outputs.write_disparity_pfm(tmp_path / "a.pfm", values)
    theirs = cv2.imread(str(tmp_path / "a.pfm"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(theirs, [[1, 2, 3], [4, np.inf, 6]])


def test_pfm_headers_of_others_are_read(tmp_path: Path) -> None:
    """SceneFlow has spaces before line breaks; big-endian and colour files exist."""
    plane = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = tmp_path / "a.pfm"
    path.write_bytes(b"Pf \n3 2 \n-1.0\n" + plane[::-1].astype("<f4").tobytes())
    np.testing.assert_array_equal(outputs.read_pfm(path), plane)
    path.write_bytes(b"Pf\r\n3 2\r\n-1.0\r\n" + plane[::-1].astype("<f4").tobytes())
    np.testing.assert_array_equal(outputs.read_pfm(path), plane)
    path.write_bytes(
        b"PF\n3 2\n1.0\n" + np.repeat(plane[::-1, :, None], 3, 2).astype(">f4").tobytes()
    )
    np.testing.assert_array_equal(outputs.read_pfm(path), plane)


@pytest.mark.parametrize("normals", [False, True])
@pytest.mark.parametrize("n", [0, 1, 50])
def test_clouds_come_back_bit_for_bit(tmp_path: Path, n: int, normals: bool) -> None:
    original = cloud(n, normals)
    for path, write, read in (
        (tmp_path / "a.ply", clouds.write, clouds.read),
        (tmp_path / "a.pcd", clouds.write, clouds.read),
    ):
        write(path, original)
        back = read(path)
        np.testing.assert_array_equal(back.points, original.points)
        np.testing.assert_array_equal(back.colors, original.colors)
        assert (back.normals is None) is not normals
        assert b"unit: metre" in path.read_bytes()[:400]


@pytest.mark.usefixtures("open3d")
def test_open3d_reads_our_clouds(tmp_path: Path) -> None:
    import open3d as o3d

    original = cloud(40, normals=True)
    clouds.write(tmp_path / "a.ply", original)
    clouds.write(tmp_path / "a.pcd", original)
    for name in ("a.ply", "a.pcd"):
        theirs = o3d.io.read_point_cloud(str(tmp_path / name))
        np.testing.assert_allclose(np.asarray(theirs.points), original.points, atol=1e-6)
        np.testing.assert_allclose(np.asarray(theirs.colors) * 255, original.colors, atol=0.6)
        np.testing.assert_allclose(np.asarray(theirs.normals), original.normals, atol=1e-5)


@pytest.mark.parametrize("name", ["a.pfm", "a.tiff", "a.npy", "a.png"])
def test_truncated_maps_are_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    MAP_WRITERS[path.suffix](
        path, np.random.default_rng(0).uniform(1, 90, (40, 50)).astype(np.float32)
    )
    whole = path.read_bytes()
    # the last bytes of a TIFF only say that no page follows
    for keep in (0, 3, 20, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:keep])
        with pytest.raises(ImageError, match=name.replace(".", r"\.")):
            outputs.read_map(path)


@pytest.mark.parametrize(
    "header",
    [b"Pf\n3 2\n1.0.0\n", b"Pf\n3 2\n1e\n", b"Pf\n3 2\n0\n", b"Pf\n3 -2\n-1\n", b"P5\n3 2\n255\n"],
)
def test_bad_pfm_headers_are_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.pfm"
    path.write_bytes(header + bytes(24))
    with pytest.raises(ImageError, match=r"a\.pfm: is no PFM"):
        outputs.read_pfm(path)


def test_npy_that_asks_for_more_than_there_is_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (10**7, 10**7)}
        )
    with pytest.raises(ImageError, match=r"a\.npy"):
        outputs.read_map(path)


def test_a_map_that_asks_for_gigabytes_is_refused_from_its_header(tmp_path: Path) -> None:
    whole = bytearray(cv2.imencode(".png", np.zeros((4, 4), np.uint16))[1].tobytes())
    whole[16:24] = (30000).to_bytes(4, "big") * 2
    (tmp_path / "a.png").write_bytes(whole)
    with pytest.raises(ImageError, match="30000x30000 pixels are more"):
        outputs.read_map(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.pfm", "a.tiff", "a.npy", "a.png", "a.ply", "a.pcd"])
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_one_wrong_byte_never_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, at: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / name
    writers = {".ply": clouds.write, ".pcd": clouds.write, **MAP_WRITERS}
    is_map = path.suffix in MAP_WRITERS
    writers[path.suffix](path, np.ones((3, 4), np.float32) if is_map else cloud(2))
    data = bytearray(path.read_bytes())
    data[at % min(len(data), 300)] = byte
    path.write_bytes(data)
    read = {".ply": clouds.read, ".pcd": clouds.read}.get(path.suffix, outputs.read_map)
    with contextlib.suppress(ImageError):
        read(path)  # a wrong pixel is read; a wrong header is an ImageError


@pytest.mark.parametrize("name", ["a.ply", "a.pcd"])
def test_truncated_clouds_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    clouds.write(path, cloud(50))
    read = clouds.read
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    with pytest.raises(ImageError, match="50 points need"):
        read(path)
    path.write_bytes(whole[:40])
    with pytest.raises(ImageError, match="no P"):
        read(path)


def test_unknown_endings_and_pickles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"\.pfm, \.png, \.npy or \.tiff"):
        outputs.read_map(tmp_path / "a.exr")
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(ImageError, match=r"evil\.npy"):
        outputs.read_map(tmp_path / "evil.npy")


def test_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    outputs.write_json(path, {"old": True})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        OutputError, match=r"a\.json: cannot be written: No space left.*free some space"
    ):
        outputs.write_json(path, {"new": True})
    assert json.loads(path.read_text()) == {"old": True}
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True
        ).returncode
    ):
        pytest.skip("mounting a small disk needs root")
    try:
        with pytest.raises(OutputError, match=r"a\.npy: .*No space left on device; free some"):
            outputs.write_npy(disk / "a.npy", np.ones((300, 300), np.float32))
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)


def test_ctrl_c_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a.json").write_text("old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        outputs.write_json(tmp_path / "a.json", {})
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_files_get_the_permissions_the_user_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        outputs.write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o640


def test_read_only_output_is_named(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(OutputError, match="file is in the way"):
        outputs.make_folder(in_the_way / "sub")
    with pytest.raises(OutputError, match="folder is in the way"):
        outputs.write_json(tmp_path, {})
    with pytest.raises(OutputError, match=r"/proc/nothing\.json: cannot be written"):
        outputs.write_json(Path("/proc/nothing.json"), {})
    with pytest.raises(OutputError, match="create the folder first"):
        outputs.write_json(tmp_path / "nowhere" / "a.json", {})


def test_float_image_is_never_cut_to_8_bit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="uint8 or uint16, got float32"):
        outputs.write_image_png(tmp_path / "a.png", np.zeros((3, 3), np.float32))  # type: ignore[arg-type]


def test_confidence_is_one_byte_and_unknown_is_zero(tmp_path: Path) -> None:
    confidence = np.array([[0, 0.5, 1, np.nan]], np.float32)
    outputs.write_confidence_png(tmp_path / "c.png", confidence)
    raw = cv2.imread(str(tmp_path / "c.png"), cv2.IMREAD_UNCHANGED)
    assert raw.tolist() == [[0, 128, 255, 0]]


def test_pcl_of_any_age_finds_the_colour(tmp_path: Path) -> None:
    """PCL before 1.12 or so takes rgb only as a packed float (TYPE F)."""
    clouds.write(tmp_path / "a.pcd", cloud(3))
    data = (tmp_path / "a.pcd").read_bytes()
    assert b"\nTYPE F F F F\n" in data
    packed = np.frombuffer(data[-16:], "<u4")[-1]
    assert [packed >> 16 & 255, packed >> 8 & 255, packed & 255] == cloud(3).colors[-1].tolist()


def test_json_has_no_nan() -> None:
    facts = {"a": np.float32("nan"), "b": (np.int64(3), [np.inf]), "c": np.arange(2)}
    assert json.loads(json.dumps(outputs.jsonable(facts), allow_nan=False)) == {
        "a": None,
        "b": [3, [None]],
        "c": [0, 1],
    }


def test_middlebury_calib_comes_back(tmp_path: Path) -> None:
    from calib import RectifiedRig, load_rig

    geometry = StereoGeometry(712.25, 0.1203, 320.5, 241.75, 3.5)
    outputs.write_middlebury_calib(tmp_path / "calib.txt", geometry, (640, 480))
    back = load_rig(tmp_path / "calib.txt")
    assert isinstance(back, RectifiedRig)
    assert back.size == (640, 480)
    np.testing.assert_allclose(
        [back.focal_px, back.baseline_m, back.cx_left_px, back.cy_px, back.cx_right_px],
        [712.25, 0.1203, 320.5, 241.75, 324.0],
    )
