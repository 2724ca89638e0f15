"""Laws of cameras and rigs: OpenCV's numbers forwards, an exact inverse backwards, no wrong ray."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calib import Camera, CameraError, Notes, RectifiedRig, StereoRig

SIZE = (640, 480)
K = np.array([[500.0, 0, 322], [0, 510, 238], [0, 0, 1]])
K_WIDE = np.array([[200.0, 0, 322], [0, 203, 238], [0, 0, 1]])
LENSES = {
    "none": [],
    "mild4": [-0.1, 0.02, 0.001, -0.002],
    "barrel5": [-0.4, 0.15, 0.001, -0.002, -0.01],
    "barrel_folding": [-0.4, 0, 0.002, -0.001, 0],
    "pincushion5": [0.4, 0.2, -0.003, 0.002, 0.1],
    "rational8": [0.3, -0.2, 0.001, -0.001, 0.02, 0.7, -0.1, 0.03],
    "prism12": [-0.3, 0.1, 0.001, -0.002, 0, 0.1, 0, 0, 0.01, -0.002, 0.02, 0.003],
    "tilted14": [-0.3, 0.1, 0.001, -0.002, 0, 0.1, 0, 0, 0.01, -0.002, 0.02, 0.003, 0.1, -0.05],
}
FISHEYES = {
    "equidistant": [],
    "usual": [-0.05, 0.01, -0.003, 0.0004],
    "folding": [0.1, -0.08, 0.0, 0.0],
}
ALL = [Camera("pinhole", SIZE, K, d) for d in LENSES.values()]
ALL += [Camera("fisheye", SIZE, K_WIDE, d) for d in FISHEYES.values()]
IDS = [*LENSES, *(f"fisheye_{name}" for name in FISHEYES)]
each_camera = pytest.mark.parametrize("camera", ALL, ids=IDS)


def grid(step: float = 4.0) -> np.ndarray:
    """Pixel positions from edge to edge of the image."""
    x, y = np.meshgrid(np.arange(-0.5, SIZE[0], step), np.arange(-0.5, SIZE[1], step))
    return np.column_stack([x.ravel(), y.ravel()])


# -- against OpenCV --------------------------------------------------------------------------


@pytest.mark.parametrize("name", LENSES)
def test_pinhole_projects_as_opencv(name: str) -> None:
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.uniform(-0.6, 0.6, (500, 2)), np.ones(500)])
    points *= rng.uniform(0.2, 9, (500, 1))
    coefficients = np.array(LENSES[name]) if LENSES[name] else None
    expected = cv2.projectPoints(points, np.zeros(3), np.zeros(3), K, coefficients)[0][:, 0]
    pixels = Camera("pinhole", SIZE, K, LENSES[name]).project(points)
    assert np.isfinite(pixels).all()
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", FISHEYES)
def test_fisheye_projects_as_opencv(name: str) -> None:
    camera = Camera("fisheye", SIZE, K_WIDE, FISHEYES[name])
    rng = np.random.default_rng(2)
    points = np.column_stack([rng.uniform(-3, 3, (500, 2)), np.ones(500)])
    coefficients = np.array(FISHEYES[name] or [0.0] * 4)
    expected = cv2.fisheye.projectPoints(
        points[:, None], np.zeros(3), np.zeros(3), K_WIDE, coefficients
    )[0][:, 0]
    pixels = camera.project(points)
    seen = np.arctan(np.hypot(points[:, 0], points[:, 1])) < camera.max_angle_rad
    assert seen.sum() > 100
    np.testing.assert_allclose(pixels[seen], expected[seen], rtol=0, atol=1e-9)
    assert np.isnan(pixels[~seen]).all()


# -- the inverse -----------------------------------------------------------------------------


@each_camera
def test_project_undoes_unproject(camera: Camera) -> None:
    pixels = grid()
    rays = camera.unproject(pixels)
    found = np.isfinite(rays[:, 0])
    assert found.mean() > 0.6  # the folding lenses cannot reach the corners
    np.testing.assert_allclose(np.linalg.norm(rays[found], axis=1), 1, atol=1e-14)
    assert np.abs(camera.project(rays[found]) - pixels[found]).max() < 1e-6


@each_camera
def test_unproject_undoes_project_up_to_the_fold(camera: Camera) -> None:
    limit = min(camera.max_angle_rad, np.deg2rad(85))
    angle, turn = np.meshgrid(np.linspace(0, 0.98 * limit, 60), np.linspace(0, 6.2, 30))
    rays = np.stack(
        [np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)], axis=-1
    ).reshape(-1, 3)
    pixels = camera.project(7.5 * rays)
    back = camera.unproject(pixels)
    known = np.isfinite(back[:, 0])
    np.testing.assert_array_equal(known, np.isfinite(pixels[:, 0]))
    assert known.mean() > 0.9  # a tilted sensor looks past some of the rays at 75 degrees
    np.testing.assert_allclose(back[known], rays[known], rtol=0, atol=1e-8)


@each_camera
def test_no_pixel_gets_a_ray_beyond_the_fold(camera: Camera) -> None:
    pixels = np.random.default_rng(3).uniform(-3000, 3000, (2000, 2))
    rays = camera.unproject(pixels)
    found = np.isfinite(rays[:, 0])
    assert np.abs(camera.project(rays[found]) - pixels[found]).max() < 1e-6
    angle = np.arccos(np.clip(rays[found, 2], -1, 1))
    assert (angle <= camera.max_angle_rad + 1e-12).all()


def test_folding_lens_says_nan_where_opencv_answers_wrongly() -> None:
    camera = Camera("pinhole", SIZE, K, [-0.4, 0, 0, 0, 0])
    # r (1 - 0.4 r^2) turns at r = sqrt(1 / 1.2), where it reaches 0.6086
    assert camera.max_angle_rad == pytest.approx(np.arctan(np.sqrt(1 / 1.2)), abs=1e-12)
    highest = np.sqrt(1 / 1.2) * (1 - 0.4 / 1.2)
    cx, cy = K[:2, 2]
    reached, beyond = [cx + 500 * (highest - 1e-6), cy], [cx + 500 * (highest + 1e-6), cy]
    rays = camera.unproject([reached, beyond])
    assert np.isfinite(rays[0]).all()
    assert np.isnan(rays[1]).all()
    assert np.isnan(camera.project([[1.0, 0, 1]])).all()  # OpenCV folds it back into the image


coefficient = st.floats(-0.5, 0.5)
small = st.floats(-0.01, 0.01)


@given(
    radial=st.tuples(coefficient, coefficient, coefficient, coefficient, coefficient, coefficient),
    tangential=st.tuples(small, small),
    prism=st.tuples(small, small, small, small),
    tilt=st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2)),
)
@example(  # the domain ends exactly on a pole of the rational model
    radial=(0, 0, 0, 0.0254, -0.28013973355365857, 0.04981345687539285),
    tangential=(0, 0),
    prism=(0, 0, 0, 0),
    tilt=(0, 0),
)
def test_any_lens_is_inverted_or_silent(
    radial: tuple[float, ...],
    tangential: tuple[float, ...],
    prism: tuple[float, ...],
    tilt: tuple[float, ...],
) -> None:
    camera = Camera("pinhole", SIZE, K, [*radial[:2], *tangential, *radial[2:], *prism, *tilt])
    pixels = grid(40)
    rays = camera.unproject(pixels)
    found = np.isfinite(rays[:, 0])
    assert np.abs(camera.project(rays[found]) - pixels[found]).max(initial=0) < 1e-6
    near = np.hypot(*(pixels - K[:2, 2]).T) < 50
    assert found[near].all()


@given(st.lists(st.floats(-0.3, 0.3), min_size=4, max_size=4))
@example([0.0, 0.0, 0.0, 5e-324])
def test_any_fisheye_is_inverted_or_silent(coefficients: list[float]) -> None:
    camera = Camera("fisheye", SIZE, K_WIDE, coefficients)
    pixels = grid(40)
    rays = camera.unproject(pixels)
    found = np.isfinite(rays[:, 0])
    assert np.abs(camera.project(rays[found]) - pixels[found]).max(initial=0) < 1e-6
    assert found[np.hypot(*(pixels - K_WIDE[:2, 2]).T) < 50].all()


# -- what is not seen ------------------------------------------------------------------------


def test_points_behind_a_pinhole_camera_are_not_seen() -> None:
    camera = Camera("pinhole", SIZE, K)
    points = [[0, 0, 1.0], [0, 0, 0], [0, 0, -1], [0.1, 0, -1], [np.nan, 0, 1], [np.inf, 0, 1]]
    pixels = camera.project(points)
    np.testing.assert_array_equal(np.isnan(pixels).all(axis=1), [False] + [True] * 5)
    assert np.isfinite(pixels[0]).all()


def test_fisheye_sees_sideways_and_backwards_but_not_straight_behind() -> None:
    camera = Camera("fisheye", SIZE, K_WIDE)
    pixels = camera.project([[1, 0, 0.0], [0, 1, -1], [0, 0, -1], [0, 0, 0]])
    np.testing.assert_allclose(pixels[0], [322 + 200 * np.pi / 2, 238])
    np.testing.assert_allclose(pixels[1], [322, 238 + 203 * 3 * np.pi / 4])
    assert np.isnan(pixels[2:]).all()
    np.testing.assert_allclose(camera.unproject(pixels[1:2]), [[0, 0.5**0.5, -(0.5**0.5)]])


@each_camera
def test_unknown_and_absurd_pixels_give_nan_and_no_points_give_none(camera: Camera) -> None:
    rays = camera.unproject([[np.nan, 3], [4, np.inf], [1e300, 1e300]])
    assert np.isnan(rays[:2]).all()
    assert np.isnan(rays[2]).all() or np.isfinite(rays[2]).all()
    assert camera.unproject(np.zeros((0, 2))).shape == (0, 3)
    assert camera.project(np.zeros((0, 3))).shape == (0, 2)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((3, 2)), np.zeros((2, 2, 3))])
def test_points_of_wrong_shape_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(CameraError, match=r"expected shape \(N, 3\), got"):
        ALL[0].project(wrong)


# -- derived ---------------------------------------------------------------------------------


def test_field_of_view_of_a_plain_camera() -> None:
    camera = Camera("pinhole", (640, 480), [[320, 0, 319.5], [0, 320, 239.5], [0, 0, 1]])
    horizontal, vertical = camera.field_of_view_rad
    assert horizontal == pytest.approx(np.pi / 2)
    assert vertical == pytest.approx(2 * np.arctan(0.75))


def test_field_of_view_of_a_fisheye_passes_180_degrees_and_ends_at_the_circle() -> None:
    camera = Camera("fisheye", (640, 480), [[160, 0, 319.5], [0, 50, 239.5], [0, 0, 1]])
    horizontal, vertical = camera.field_of_view_rad
    assert horizontal == pytest.approx(4.0)  # 640 px / 160 px per radian
    assert vertical == pytest.approx(2 * np.pi)  # 4.8 rad each side: ends straight behind


@each_camera
@pytest.mark.parametrize("size", [(320, 240), (1280, 960), (800, 300)])
def test_scaled_camera_sees_the_same_ray_in_the_resized_image(
    camera: Camera, size: tuple[int, int]
) -> None:
    pixels = grid(80)
    scale = np.array(size) / SIZE
    resized = camera.scaled(size)
    np.testing.assert_allclose(
        resized.unproject((pixels + 0.5) * scale - 0.5), camera.unproject(pixels), atol=1e-9
    )
    assert resized.size == size
    np.testing.assert_allclose(resized.scaled(SIZE).K, camera.K, rtol=1e-15, atol=1e-12)


# -- what cannot be a camera -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("model", "omni", 'expected "pinhole" or "fisheye", got \'omni\''),
        ("size", (640,), "whole pixels > 0, got"),
        ("size", (640.5, 480), "whole pixels > 0, got"),
        ("size", (0, 480), "whole pixels > 0, got"),
        ("size", None, "whole pixels > 0, got None"),
        ("size", (np.inf, 480), "whole pixels > 0, got"),
        ("size", "ab", "whole pixels > 0, got 'ab'"),
        ("K", np.eye(2), r"K: expected shape \(3, 3\), got \(2, 2\)"),
        ("K", "text", "K: expected numbers, got 'text'"),
        ("K", np.full((3, 3), np.nan), "K: expected finite numbers"),
        ("K", np.diag([-500.0, 500, 1]), "at least 1, got fx -500"),
        ("K", np.diag([0.004, 0.004, 1]), "in pixels and at least 1, got fx 0.004"),
        ("K", np.diag([500.0, 500, 2]), r"K: expected \[\[fx, skew, cx\]"),
        (
            "K",
            np.array([[500, 60, 320], [0, 500, 240], [0, 0, 1]]),
            "skew 60.0 is more than a tenth",
        ),
        ("K", np.array([[2e6, 0, 320], [0, 500, 240], [0, 0, 1]]), "at most 1e\\+06, got fx 2"),
        ("size", (40_000, 480), "40000x480 is more than 32767 pixels"),
        ("K", np.array([[500, 0, 5000], [0, 500, 240], [0, 0, 1]]), "cx = 5000 is far outside"),
        ("distortion", np.zeros(3), "0, 4, 5, 8, 12, 14 coefficients, got 3"),
        ("distortion", np.zeros((1, 5)), r"expected shape \(n,\), got \(1, 5\)"),
        ("distortion", [np.inf, 0, 0, 0], "distortion: expected finite"),
    ],
)
def test_impossible_cameras_are_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        replace(ALL[0], **{field: value})


def test_a_fisheye_takes_no_pinhole_coefficients() -> None:
    with pytest.raises(CameraError, match="a fisheye camera takes 0, 4 coefficients, got 5"):
        Camera("fisheye", SIZE, K, np.zeros(5))


def test_cameras_cannot_be_changed_and_do_not_share_the_callers_array() -> None:
    mine = K.copy()
    camera = Camera("pinhole", SIZE, mine)
    mine[0, 0] = 1
    assert camera.K[0, 0] == 500
    assert not camera.K.flags.writeable
    with pytest.raises(FrozenInstanceError):
        camera.model = "fisheye"  # type: ignore[misc]


# -- rigs ------------------------------------------------------------------------------------


def a_rig(**changes: object) -> StereoRig:
    camera = Camera("pinhole", SIZE, K, LENSES["barrel5"])
    R = cv2.Rodrigues(np.array([0.01, -0.02, 0.003]))[0]
    fields = {"left": camera, "right": camera, "R_right_left": R, "t_right_left": [-0.1, 0.001, 0]}
    return StereoRig(**fields | changes)  # type: ignore[arg-type]


def test_rig_knows_its_baseline_and_where_the_right_camera_stands() -> None:
    rig = a_rig()
    assert rig.baseline_m == pytest.approx(np.hypot(0.1, 0.001))
    at_right = rig.R_right_left @ rig.right_center_m + rig.t_right_left
    np.testing.assert_allclose(at_right, 0, atol=1e-16)
    assert rig.right_center_m[0] > 0
    assert rig.scaled((320, 240)).right.size == (320, 240)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"R_right_left": 1.001 * np.eye(3)}, "within 1e-6, but R R.T is off .* by up to 0.002"),
        ({"R_right_left": np.diag([1.0, 1, -1])}, "but it mirrors"),
        ({"R_right_left": np.full((3, 3), 1e200)}, "off the identity by up to inf"),
        ({"R_right_left": np.eye(4)}, r"expected shape \(3, 3\)"),
        ({"t_right_left": [-120.0, 0, 0]}, "baseline is 120 m; .* were millimetres"),
        ({"t_right_left": [-0.0001, 0, 0]}, "baseline is 0.0001 m"),
        ({"t_right_left": [0, 0, 0]}, "baseline is 0 m"),
        ({"t_right_left": [np.nan, 0, 0]}, "t_right_left: expected finite"),
        ({"t_right_left": [[-0.1], [0], [0]]}, r"expected shape \(3,\), got \(3, 1\)"),
        ({"row_error_px": -1.0}, "row_error_px: expected pixels >= 0"),
        ({"reprojection_rms_px": float("nan")}, "reprojection_rms_px: expected pixels >= 0"),
        ({"name": 3}, "name: expected text, got 3"),
        ({"notes": {"at": {"when": object()}}}, "notes.at.when: expected plain data, got object"),
        ({"notes": {3: 4}}, "notes: expected text, got 3"),
        ({"notes": {"n": 2**70}}, "notes.n: expected a number that fits 64 bits"),
        ({"notes": {"s": "\ud800"}}, "notes.s: expected text"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_impossible_rigs_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(CameraError, match=message):
        a_rig(**changes)


def test_notes_are_plain_and_cannot_be_changed() -> None:
    given_notes = {"views": [1, [2.5, None]], "corners": np.arange(4.0).reshape(2, 2)}
    rig = a_rig(notes=given_notes)
    given_notes["views"] = []
    assert rig.notes == {"views": (1, (2.5, None)), "corners": ((0.0, 1.0), (2.0, 3.0))}
    with pytest.raises(TypeError):
        rig.notes["views"] = 3  # type: ignore[index]
    assert "views" in repr(Notes({"views": 1}))


def test_rigs_travel_between_processes() -> None:
    rig = pickle.loads(pickle.dumps(a_rig(notes={"a": {"b": [1]}})))
    assert rig.notes == {"a": {"b": (1,)}}
    np.testing.assert_array_equal(rig.left.K, K)


def test_rectified_rig_scales_by_the_half_pixel_rule() -> None:
    rig = RectifiedRig((640, 480), 500.0, 0.1, 319.5, 331.5, 239.5, 65)
    half = rig.scaled((320, 240))
    assert (half.focal_px, half.cx_left_px, half.cy_px) == (250, 159.5, 119.5)
    assert half.doffs_px == rig.doffs_px / 2
    assert half.num_disparities == 33
    with pytest.raises(CameraError, match="another aspect ratio"):
        rig.scaled((320, 480))
    with pytest.raises(CameraError, match="image size is unknown"):
        replace(rig, size=None).scaled((320, 240))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("focal_px", 0.5, "focal_px"),
        ("focal_px", float("nan"), "focal_px"),
        ("baseline_m", 193.0, "millimetres"),
        ("baseline_m", -0.1, "baseline"),
        ("cy_px", float("inf"), "cy_px"),
        ("size", (0, 1), "size"),
        ("num_disparities", 0, "num_disparities"),
    ],
)
def test_impossible_rectified_rigs_are_refused(field: str, value: object, message: str) -> None:
    rig = RectifiedRig((640, 480), 500.0, 0.1, 319.5, 331.5, 239.5)
    with pytest.raises(CameraError, match=message):
        replace(rig, **{field: value})
