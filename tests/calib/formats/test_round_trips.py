"""Every pair of formats: a random rig goes A -> rig -> B -> rig and comes back the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from calib import FORMATS, Camera, RectifiedRig, RigWriteError, StereoRig, load_rig, save_rig

WRITTEN = [name for name, each in FORMATS.items() if each.write]
COEFFICIENTS = {
    "rig": 14, "opencv": 14, "ros": 8, "kalibr": 4, "euroc": 4, "mrcal": 12, "zed": 8, "kitti": 5,
}  # fmt: skip
"""How many pinhole coefficients a format of two cameras holds."""
FISHEYE = {"rig", "opencv", "ros", "kalibr", "euroc"}
ENDINGS = {"middlebury": "calib.txt", "zed": "SN1.conf", "kitti": "calib_cam_to_cam.txt"}
SIZES = [(2208, 1242), (1920, 1080), (1280, 720), (672, 376)]  # a ZED conf has no other


@st.composite
def rigs(draw: st.DrawFn, coefficients: int, *, fisheye: bool, rotation: bool = True) -> StereoRig:
    """A rig side by side, its numbers all over what real ones have."""
    of = st.floats(-1, 1)
    size = draw(st.sampled_from(SIZES))
    model = "fisheye" if fisheye and draw(st.booleans()) else "pinhole"
    # small in proportion to what each does at the corner of the image
    scales = np.array([0.2, 0.05, 2e-3, 2e-3, 0.01, 0.1, 0.02, 5e-3, *[1e-3] * 4, 0.01, 0.01])
    count = 4 if model == "fisheye" else coefficients
    cameras = []
    for _ in range(2):
        f = size[0] * (0.8 + 0.3 * draw(of))
        K = np.array(
            [[f, 0, size[0] / 2 + 30 * draw(of)], [0, f * (1 + 0.01 * draw(of)), 0], [0, 0, 1]]
        )
        K[1, 2] = size[1] / 2 + 30 * draw(of)
        D = scales[:count] * [draw(of) for _ in range(count)]
        cameras.append(Camera(model, size, K, D / 4 if model == "fisheye" else D))  # type: ignore[arg-type]
    turn = [0.05 * draw(of) for _ in range(3)] if rotation else [0, 0, 0]
    baseline = draw(st.floats(0.01, 0.6))
    t = baseline * np.array([-1, 0.1 * draw(of), 0.1 * draw(of)])
    return StereoRig(cameras[0], cameras[1], Rotation.from_rotvec(turn).as_matrix(), t)


@st.composite
def rectified_rigs(draw: st.DrawFn) -> RectifiedRig:
    of = st.floats(-1, 1)
    size = draw(st.sampled_from(SIZES))
    cx = size[0] / 2 + 40 * draw(of)
    return RectifiedRig(
        size, size[0] * (1 + 0.4 * draw(of)), draw(st.floats(0.01, 0.6)), cx, cx + 9 * draw(of),
        size[1] / 2 + 40 * draw(of),
    )  # fmt: skip


def there_and_back(
    rig: StereoRig | RectifiedRig, name: str, folder: Path
) -> StereoRig | RectifiedRig:
    place = folder / name
    place.mkdir(exist_ok=True)
    target = place if FORMATS[name].names else place / ENDINGS.get(name, "rig.yaml")
    save_rig(rig, target, format=name)
    return load_rig(place)


def assert_same(back: StereoRig | RectifiedRig, rig: StereoRig) -> None:
    assert isinstance(back, StereoRig)
    for side in ("left", "right"):
        ours, theirs = getattr(rig, side), getattr(back, side)
        assert (theirs.model, theirs.size) == (ours.model, ours.size)
        np.testing.assert_allclose(theirs.K, ours.K, rtol=1e-12, atol=1e-9)
        padded = [np.pad(D, (0, 14 - D.size)) for D in (theirs.distortion, ours.distortion)]
        np.testing.assert_allclose(*padded, rtol=0, atol=1e-12)
    np.testing.assert_allclose(back.R_right_left, rig.R_right_left, rtol=0, atol=1e-9)
    np.testing.assert_allclose(back.t_right_left, rig.t_right_left, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("one", "other"), list(product(COEFFICIENTS, COEFFICIENTS)))
def test_two_cameras_survive_every_pair_of_formats(one: str, other: str) -> None:
    @settings(max_examples=3, deadline=None)
    @given(
        rigs(
            min(COEFFICIENTS[one], COEFFICIENTS[other]),
            fisheye=one in FISHEYE and other in FISHEYE,
        )
    )
    def check(rig: StereoRig) -> None:
        with TemporaryDirectory() as folder:
            first = there_and_back(rig, one, Path(folder))
            assert_same(first, rig)
            second = there_and_back(first, other, Path(folder))
            assert_same(second, rig)

    check()


RECTIFIED = ["rig", "middlebury", "opencv", "kitti"]
"""These give a rectified rig back; the others give two ideal cameras."""


@pytest.mark.parametrize(("one", "other"), list(product(RECTIFIED, WRITTEN)))
def test_a_rectified_pair_survives_every_pair_of_formats(one: str, other: str) -> None:
    @settings(max_examples=3, deadline=None)
    @given(rectified_rigs())
    def check(rig: RectifiedRig) -> None:
        with TemporaryDirectory() as folder:
            first = there_and_back(rig, one, Path(folder))
            back = there_and_back(first, other, Path(folder))
        if isinstance(back, StereoRig):
            from calib.formats.sides import as_rectified

            back = as_rectified(back)
        for field in ("focal_px", "baseline_m", "cx_left_px", "cx_right_px", "cy_px"):
            assert getattr(back, field) == pytest.approx(getattr(rig, field), rel=1e-12, abs=1e-9)
        assert back.size == rig.size

    check()


@settings(max_examples=8, deadline=None)
@given(rigs(5, fisheye=True))
def test_what_holds_only_rectified_geometry_gets_that_of_our_rectification(rig: StereoRig) -> None:
    from stereo.rectify import Rectification

    rig = rig.scaled((320, 180))
    ours = Rectification.from_rig(rig).geometry
    assert ours is not None
    with TemporaryDirectory() as folder:
        back = there_and_back(rig, "middlebury", Path(folder))
    assert isinstance(back, RectifiedRig)
    assert (back.focal_px, back.cx_left_px, back.cy_px, back.baseline_m) == pytest.approx(
        (ours.focal_px, ours.cx_px, ours.cy_px, ours.baseline_m), rel=1e-12
    )


@settings(max_examples=10, deadline=None)
@given(rigs(8, fisheye=False))
def test_opencv_in_two_files_and_in_its_other_syntaxes(rig: StereoRig) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        save_rig(rig, folder / "intrinsics.yml", folder / "extrinsics.yml", format="opencv")
        assert_same(load_rig(folder), rig)
        for ending in ("xml", "json"):
            save_rig(rig, folder / f"one.{ending}", format="opencv")
            assert_same(load_rig(folder / f"one.{ending}"), rig)


# -- refused, never dropped ------------------------------------------------------------------

K = np.array([[700.0, 0, 640], [0, 700, 360], [0, 0, 1]])


def a_rig(D: list[float], *, model: str = "pinhole", skew: float = 0.0) -> StereoRig:
    matrix = K + np.array([[0, skew, 0], [0, 0, 0], [0, 0, 0]])
    camera = Camera(model, (1280, 720), matrix, np.array(D))  # type: ignore[arg-type]
    return StereoRig(camera, camera, np.eye(3), np.array([-0.1, 0, 0.001]))


@pytest.mark.parametrize(
    ("rig", "format", "message"),
    [
        (a_rig([0.1, 0, 0, 0, 0.01]), "kalibr", "cannot hold 5 distortion coefficients; .*ros can"),
        (a_rig([0.1, 0, 0, 0, 0.01]), "euroc", "cannot hold 5 distortion coefficients"),
        (a_rig([0.1] + [0] * 4 + [0.1, 0, 0]), "kitti", "cannot hold 6 distortion"),
        (a_rig([0.1] + [0] * 9 + [1e-3, 0]), "ros", "cannot hold 11 distortion"),
        (a_rig([0.1] + [0] * 11 + [0.01, 0]), "mrcal", "cannot hold 13 distortion"),
        (a_rig([0.1, 0, 0, 0], model="fisheye"), "mrcal", "cannot hold a fisheye lens"),
        (a_rig([0.1, 0, 0, 0], model="fisheye"), "zed", "cannot hold a fisheye lens"),
        (a_rig([0.1, 0, 0, 0], model="fisheye"), "kitti", "cannot hold a fisheye lens"),
        *(
            (a_rig([0.1, 0, 0, 0], skew=2.0), name, "cannot hold the skew of 2 px; only rig can")
            for name in COEFFICIENTS
            if name != "rig"
        ),
        (
            replace(a_rig([]), t_right_left=np.array([0, -0.1, 0])),
            "middlebury",
            "the cameras are not side by side",
        ),
        (replace(a_rig([]), t_right_left=np.array([0.1, 0, 0])), "ros", "the cameras are swapped"),
        (replace(a_rig([]), t_right_left=np.array([0.1, 0, 0])), "zed", "only cameras side by sid"),
        (
            RectifiedRig(None, 700.0, 0.1, 640.0, 640.0, 360.0),
            "kalibr",
            "Kalibr needs the image size, which is unknown",
        ),
    ],
)
def test_what_a_format_cannot_hold_is_refused_and_nothing_is_written(
    tmp_path: Path, rig: StereoRig | RectifiedRig, format: str, message: str
) -> None:
    with pytest.raises(RigWriteError, match=message):
        save_rig(rig, tmp_path / "out", format=format)
    assert not list(tmp_path.rglob("*"))


def test_a_zed_conf_refuses_other_sizes(tmp_path: Path) -> None:
    with pytest.raises(RigWriteError, match=r"only images of 2208x1242, .* not of 640x480"):
        save_rig(a_rig([]).scaled((640, 480)), tmp_path / "SN.conf", format="zed")


def test_skew_survives_in_our_file(tmp_path: Path) -> None:
    rig = a_rig([0.1, 0, 0, 0], skew=2.0)
    save_rig(rig, tmp_path / "rig.yaml")
    assert_same(load_rig(tmp_path / "rig.yaml"), rig)
    points = np.array([[0.1, 0.2, 1], [-0.3, 0.1, 2]])
    pixels = rig.left.project(points)
    straight = a_rig([0.1, 0, 0, 0]).left.project(points)
    np.testing.assert_allclose(pixels - straight, [[2 * 0.2 * 1.005, 0], [2 * 0.05 * 1.0025, 0]])
    rays = rig.left.unproject(pixels)
    np.testing.assert_allclose(rays / rays[:, 2:], points / points[:, 2:], atol=1e-9)


def test_two_lens_models_survive_where_each_camera_has_its_own(tmp_path: Path) -> None:
    rig = a_rig([0.1, 0.01, 1e-3, 1e-3])
    rig = replace(rig, right=replace(rig.right, model="fisheye"))
    for name in ("rig", "opencv", "ros", "kalibr", "euroc"):
        assert_same(there_and_back(rig, name, tmp_path), rig)
