"""Writing and reading results: lossless where promised, whole or not at all, clear when not."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stereo import outputs
from stereo.errors import ImageError, OutputError
from stereo.frame import PointCloud, StereoGeometry

maps = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    elements=st.floats(0.0625, 200, width=32) | st.just(np.nan),
)


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
    path.write_bytes(
        b"PF\n3 2\n1.0\n" + np.repeat(plane[::-1, :, None], 3, 2).astype(">f4").tobytes()
    )
    np.testing.assert_array_equal(outputs.read_pfm(path), plane)


@pytest.mark.parametrize("normals", [False, True])
@pytest.mark.parametrize("n", [0, 1, 50])
def test_clouds_come_back_bit_for_bit(tmp_path: Path, n: int, normals: bool) -> None:
    original = cloud(n, normals)
    for path, write, read in (
        (tmp_path / "a.ply", outputs.write_ply, outputs.read_ply),
        (tmp_path / "a.pcd", outputs.write_pcd, outputs.read_pcd),
    ):
        write(path, original)
        back = read(path)
        np.testing.assert_array_equal(back.points, original.points)
        np.testing.assert_array_equal(back.colors, original.colors)
        assert (back.normals is None) is not normals
        assert b"unit: metre" in path.read_bytes()[:400]


def test_open3d_reads_our_clouds(tmp_path: Path) -> None:
    import open3d as o3d

    original = cloud(40, normals=True)
    outputs.write_ply(tmp_path / "a.ply", original)
    outputs.write_pcd(tmp_path / "a.pcd", original)
    for name in ("a.ply", "a.pcd"):
        theirs = o3d.io.read_point_cloud(str(tmp_path / name))
        np.testing.assert_allclose(np.asarray(theirs.points), original.points, atol=1e-6)
        np.testing.assert_allclose(np.asarray(theirs.colors) * 255, original.colors, atol=0.6)
        np.testing.assert_allclose(np.asarray(theirs.normals), original.normals, atol=1e-5)


@pytest.mark.parametrize("name", ["a.pfm", "a.tiff", "a.npy", "a.png"])
def test_truncated_maps_are_refused_by_name(tmp_path: Path, name: str) -> None:
    write = {
        ".pfm": outputs.write_disparity_pfm,
        ".tiff": outputs.write_tiff,
        ".npy": outputs.write_npy,
        ".png": outputs.write_disparity_png16,
    }[Path(name).suffix]
    path = tmp_path / name
    write(path, np.random.default_rng(0).uniform(1, 90, (40, 50)).astype(np.float32))
    whole = path.read_bytes()
    for keep in (0, 3, 20):
        path.write_bytes(whole[:keep])
        with pytest.raises(ImageError, match=name.replace(".", r"\.")):
            outputs.read_map(path)


@pytest.mark.parametrize("name", ["a.ply", "a.pcd"])
def test_truncated_clouds_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    (outputs.write_ply if name == "a.ply" else outputs.write_pcd)(path, cloud(50))
    read = outputs.read_ply if name == "a.ply" else outputs.read_pcd
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
    with pytest.raises(OutputError, match=r"a\.json: cannot be written: No space left.*free space"):
        outputs.write_json(path, {"new": True})
    assert json.loads(path.read_text()) == {"old": True}
    assert list(tmp_path.iterdir()) == [path]


def test_read_only_output_is_named(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    with pytest.raises(OutputError, match="cannot be written"):
        outputs.make_folder(in_the_way / "sub")
    with pytest.raises(OutputError, match="cannot be written"):
        outputs.write_json(Path("/proc/nothing.json"), {})


def test_float_image_is_never_cut_to_8_bit(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="8 or 16 bit"):
        outputs.write_image_png(tmp_path / "a.png", np.zeros((3, 3), np.float32))  # type: ignore[arg-type]


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
