"""Laws of the ray caster on scenes with known answers, then of the sample data it made."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calib import StereoRig, load_rig
from calib.camera import Camera
from stereo.synthetic import (
    CHARUCO,
    CHESSBOARD,
    FAST,
    ROOM_POSE,
    Box,
    Cylinder,
    Ellipsoid,
    Lighting,
    Pose,
    PrintedBoard,
    Quad,
    Quality,
    Scene,
    Sensor,
    board_poses,
    burn_frame_number,
    camera_rays,
    depth_along_axis,
    make_sample_rig,
    read_frame_number,
    render,
    render_pair,
    room_scene,
    rotation,
    truth_depth,
)
from stereo.synthetic.noise import fbm, normal, value_noise
from stereo.synthetic.pair import LEFT_SENSOR, world_points
from stereo.synthetic.raycast import see
from stereo.synthetic.textures import Bricks, Cloudy, Plain, Wood

SAMPLE = Path(__file__).parent.parent / "sample_data"
HERE = Pose(np.eye(3), np.zeros(3))
WHITE = Plain("#ffffff", mottle=0.0)
COARSE = Quality(texel_m=0.02, light_m=0.2, light_points=4, lamp_points=2, sky_rays=4)
angles = st.floats(-3.0, 3.0)
unit = st.floats(-0.95, 0.95)


def scene_of(*solids: Box | Quad | Ellipsoid | Cylinder) -> Scene:
    return Scene.build(solids, Lighting(), quality=COARSE)


def pinhole(size: tuple[int, int] = (64, 48), focal_px: float = 50.0) -> Camera:
    K = np.array([[focal_px, 0, size[0] / 2 - 0.5], [0, focal_px, size[1] / 2 - 0.5], [0, 0, 1]])
    return Camera(model="pinhole", size=size, K=K, distortion=np.zeros(5))


# --- geometry ----------------------------------------------------------------------------------


def test_a_plane_facing_the_camera_has_one_depth() -> None:
    depth = render(scene_of(Quad((0, 0, 2.5), (9, 9, 1), WHITE)), pinhole(), HERE).depth_m
    assert np.abs(depth - 2.5).max() < 1e-12


@given(yaw=st.floats(-1.0, 1.0), pitch=st.floats(-1.0, 1.0))
@settings(max_examples=20, deadline=None)
def test_a_slanted_plane_has_depth_linear_in_inverse(yaw: float, pitch: float) -> None:
    camera = pinhole()
    R = rotation(yaw, pitch)
    depth = truth_depth(
        scene_of(Quad((0, 0, 3), (50, 50, 1), WHITE, R)), camera.K, camera.size, HERE
    )
    n = R[:, 2]
    rays = camera_rays(camera)
    expected = n[2] * 3 / (rays / rays[..., 2:] @ n)
    near = (expected > 0) & (expected < 20)
    assert np.abs(depth - expected)[near].max() < 1e-9


@given(angles, angles, angles, unit, unit, unit)
@settings(max_examples=40, deadline=None)
def test_hits_lie_on_the_surface(
    yaw: float, pitch: float, roll: float, x: float, y: float, z: float
) -> None:
    """Aimed at a point inside each solid, a ray meets its unit surface, in front of the point."""
    half, centre = np.array([0.3, 0.5, 0.2]), np.array([0.4, -0.2, 3.0])
    R = rotation(yaw, pitch, roll)
    target = centre + R @ (half * np.array([x, y, z]) * 0.5)
    length = np.linalg.norm(target)
    direction = tuple(np.array([c]) for c in target / length)
    origin = tuple(np.zeros(1) for _ in range(3))
    for kind in (Box, Ellipsoid, Cylinder):
        t = kind(tuple(centre), tuple(half), WHITE, R).intersect(origin, direction)
        p = R.T @ (target / length * t - centre) / half
        distance = {
            Box: np.abs(p).max(),
            Ellipsoid: np.linalg.norm(p),
            Cylinder: max(abs(p[1]), float(np.hypot(p[0], p[2]))),
        }[kind]
        assert t[0] <= length
        assert distance == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("kind", [Quad, Box, Ellipsoid, Cylinder])
def test_charts_and_points_are_inverse(kind: type[Box]) -> None:
    solid = kind((0, 0, 3), (0.3, 0.5, 0.2), WHITE)
    a, b = np.meshgrid(np.linspace(0.03, 0.97, 9), np.linspace(0.04, 0.96, 7))
    for chart in range(len(solid.charts_m())):
        point, _ = solid.chart_points(chart, a.ravel(), b.ravel())
        inside = np.ones(a.size, bool)
        if kind is Cylinder and chart > 0:  # a cap is a disc in its square
            inside = point[0] ** 2 + point[2] ** 2 < 0.99
        found, a2, b2, _ = solid.locate(point)
        assert (found == chart)[inside].all()
        assert np.abs(a2 - a.ravel())[inside].max() < 1e-12
        assert np.abs(b2 - b.ravel())[inside].max() < 1e-12


def test_rays_through_an_undistorting_camera_see_the_same_depth() -> None:
    """Raw depth of a distorted camera agrees with the world the ideal camera sees."""
    rig, scene = make_sample_rig((160, 120)), room_scene(quality=FAST)
    rays = camera_rays(rig.left)
    depth = depth_along_axis(scene, rays, ROOM_POSE)
    points = world_points(depth, rays, ROOM_POSE).reshape(-1, 3)
    ideal = Camera(model="pinhole", size=rig.left.size, K=rig.left.K, distortion=np.zeros(5))
    local = (points - ROOM_POSE.position_m) @ ROOM_POSE.R_world_camera
    assert np.abs(local[:, 2] - depth.ravel()).max() < 1e-9
    truth = truth_depth(scene, ideal.K, ideal.size, ROOM_POSE)
    column, row = np.rint(ideal.project(local)).astype(int).T
    inside = (column >= 0) & (column < 160) & (row >= 0) & (row < 120)
    error = np.abs(truth[row[inside], column[inside]] - local[inside, 2])
    assert np.median(error) < 0.01  # half a pixel of a slanted floor, no more


def test_what_hides_behind_a_post_is_seen_by_one_camera_only() -> None:
    scene = scene_of(Quad((0, 0, 4), (9, 9, 1), WHITE), Box((0, 0, 2), (0.1, 9, 0.1), WHITE))
    camera = pinhole((120, 40), 100.0)
    rig = StereoRig(camera, camera, np.eye(3), np.array([-0.2, 0, 0]))
    pair = render_pair(scene, rig, HERE, samples=1)
    row = pair.visible[20]
    post = pair.depth_left_m[20] < 3
    assert row[post].mean() > 0.8
    # Disparities are 100*0.2/1.9 and 100*0.2/4 px: the shadow is their difference, 5.5 px wide,
    # left of the post; the five columns at the left rim fall outside the right image.
    first = int(np.flatnonzero(post)[0])
    assert 4 <= np.count_nonzero(~row[10:first]) <= 7
    assert not row[:5].any()
    assert row[first + 20 :].all()


def test_a_pixel_without_a_ray_or_a_surface_has_no_depth() -> None:
    rays = camera_rays(pinhole()).copy()
    rays[:, :10] = np.nan
    depth = depth_along_axis(scene_of(Ellipsoid((0, 0, 3), (0.5, 0.5, 0.5), WHITE)), rays, HERE)
    assert np.isnan(depth[:, :10]).all()
    assert np.isnan(depth[0, -1])
    assert depth[24, 32] == pytest.approx(2.5, abs=2e-3)


# --- light -------------------------------------------------------------------------------------


def test_both_cameras_see_the_same_light_leave_a_point() -> None:
    """Photo-consistency: warping the noise-free right image by true depth gives the left one."""
    rig, scene = make_sample_rig((320, 240)), room_scene(quality=FAST)
    clean = Sensor(full_well=np.inf, vignetting=0.0)
    pair = render_pair(scene, rig, ROOM_POSE, samples=2, sensors=(clean, clean))
    rays = camera_rays(rig.left)
    points = rays * (pair.depth_left_m / rays[..., 2])[..., None]
    seen = rig.right.project(points.reshape(-1, 3) @ rig.R_right_left.T + rig.t_right_left)
    seen = seen.reshape(240, 320, 2).astype(np.float32)
    warped = cv2.remap(pair.right, seen[..., 0], seen[..., 1], cv2.INTER_LINEAR)
    difference = np.abs(warped.astype(float) - pair.left).mean(axis=2)[pair.visible]
    assert np.median(difference) < 1.0
    assert np.percentile(difference, 90) < 8.0  # resampled texture and edges
    shifted = np.abs(np.roll(warped, 3, axis=1).astype(float) - pair.left).mean(axis=2)
    assert shifted[pair.visible].mean() > 2 * difference.mean()


def test_textured_marks_prints_and_not_walls() -> None:
    pair = render_pair(room_scene(quality=FAST), make_sample_rig((320, 240)), ROOM_POSE, samples=2)
    assert not pair.textured[30:45, 130:160].any()  # the painted wall
    assert pair.textured[100:160, 5:40].mean() > 0.9  # bricks
    assert 0.3 < pair.textured.mean() < 0.9


def test_noise_is_shot_and_read_noise() -> None:
    sensor = Sensor(vignetting=0.0, softness=0.0)
    flat = np.full((200, 200, 1), 0.25)
    picture = sensor.expose(flat, seed=1)
    assert (sensor.expose(flat, seed=1) == picture).all()
    assert (sensor.expose(flat, seed=2) != picture).mean() > 0.3
    assert 0.5 < picture.std() < 2.0
    assert sensor.expose(flat * 0.1, seed=1).std() > picture.std()  # relative noise, gamma


def test_noise_has_unit_variance_and_no_drift() -> None:
    sample = normal((300, 300), seed=4)
    assert abs(sample.mean()) < 0.02
    assert sample.std() == pytest.approx(1.0, abs=0.02)
    neighbours = np.corrcoef(sample[:, 1:].ravel(), sample[:, :-1].ravel())[0, 1]
    assert abs(neighbours) < 0.02


@given(st.integers(0, 1000), st.floats(-50, 50), st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_grids_and_points_give_the_same_noise(seed: int, x: float, y: float) -> None:
    u, v = x + np.linspace(0, 3, 7)[None, :], y + np.linspace(0, 2, 5)[:, None]
    grid = value_noise(u, v, seed)
    points = value_noise(*(c.copy() for c in np.broadcast_arrays(u, v)), seed)
    assert np.abs(grid - points).max() < 1e-12
    assert grid.min() >= 0
    assert grid.max() <= 1
    assert fbm(u, v, seed).max() <= 1


@pytest.mark.parametrize(
    "texture", [WHITE, Wood(), Wood(plank_m=(0.8, 0.1)), Bricks(), Cloudy("#112233", "#ffeedd")]
)
def test_textures_reflect_no_more_than_they_get(texture: Plain | Wood | Bricks | Cloudy) -> None:
    u, v = np.linspace(-0.5, 0.5, 80)[None, :], np.linspace(-0.3, 0.3, 50)[:, None]
    albedo = texture(u, v, 0)
    assert albedo.shape == (50, 80, 3)
    assert albedo.min() >= 0
    assert albedo.max() <= 1.3


# --- frame numbers -----------------------------------------------------------------------------


@given(st.integers(0, 1023), st.booleans())
@settings(max_examples=40, deadline=None)
def test_frame_number_survives_compression(number: int, colour: bool) -> None:
    image = np.full((60, 300, 3) if colour else (60, 300), 140, np.uint8)
    burned = burn_frame_number(image, number)
    packed = cv2.imencode(".jpg", burned, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    assert read_frame_number(cv2.imdecode(packed, cv2.IMREAD_UNCHANGED)) == number
    assert read_frame_number(image) is None
    assert read_frame_number(image[:5]) is None


def test_frame_number_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 1023, got 1024"):
        burn_frame_number(np.zeros((60, 300), np.uint8), 1024)


# --- the sample data ---------------------------------------------------------------------------


def test_sample_rigs_are_the_rig_that_rendered() -> None:
    for path, size in (("room/rig.yaml", (960, 720)), ("clip/rig.yaml", (480, 360))):
        stored, rig = load_rig(SAMPLE / path), make_sample_rig(size)
        assert isinstance(stored, StereoRig)
        for a, b in ((stored.left, rig.left), (stored.right, rig.right)):
            assert a.size == b.size == size
            np.testing.assert_allclose(a.K, b.K, rtol=1e-12)
            np.testing.assert_allclose(a.distortion, b.distortion, rtol=1e-12)
        np.testing.assert_allclose(stored.R_right_left, rig.R_right_left, atol=1e-12)
        np.testing.assert_allclose(stored.t_right_left, rig.t_right_left, atol=1e-12)


def test_stored_depth_is_what_the_caster_says() -> None:
    """Geometry needs no baking: every tenth pixel of the stored truth, to its 0.05 mm rounding."""
    stored = cv2.imread(str(SAMPLE / "room/depth_left_0.1mm.png"), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    rays = camera_rays(make_sample_rig().left)[::10, ::10]
    depth = depth_along_axis(room_scene(quality=FAST), rays, ROOM_POSE)
    assert np.abs(stored[::10, ::10] / 1e4 - depth).max() < 0.0501e-3


def test_a_stored_image_is_reproduced_bit_for_bit() -> None:
    """A window of the raw left image: fruit and the globe on the table."""
    stored = cv2.imread(str(SAMPLE / "room/left.png"))[..., ::-1]
    window = (slice(512, 550), slice(570, 660))
    camera = make_sample_rig().left
    wider = (slice(511, 551), slice(569, 661))  # by the pixel that the lens spills
    rays = camera_rays(camera, samples=3, window=wider)
    light = np.zeros((*stored.shape[:2], 3), np.float32)
    light[wider] = see(room_scene(), rays, ROOM_POSE, samples=3, focal_px=float(camera.K[0, 0]))
    picture = LEFT_SENSOR.expose(light, seed=1)
    np.testing.assert_array_equal(picture[window], stored[window])


def test_sample_masks_cover_what_they_should() -> None:
    images = [cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in sorted(SAMPLE.glob("room/*.png"))]
    assert all(image.shape[:2] == (720, 960) for image in images)
    visible, textured = (
        cv2.imread(str(SAMPLE / f"room/{name}_left.png"), cv2.IMREAD_UNCHANGED) > 0
        for name in ("visible", "textured")
    )
    assert 0.8 < visible.mean() < 0.97
    assert 0.4 < textured.mean() < 0.8


@pytest.mark.parametrize("board", [CHARUCO, CHESSBOARD])
def test_board_poses_put_the_board_where_the_session_shows_it(board: PrintedBoard) -> None:
    """Corners projected with the true rig and pose are where OpenCV finds them in the JPEG."""
    kind = board.spec.split(":")[0]
    folder = SAMPLE / "calibration" / kind
    assert json.loads((folder / "session.json").read_text())["board"] == board.spec
    assert len(list(folder.glob("left_*.jpg"))) == len(list(folder.glob("right_*.jpg"))) == 14
    rig = make_sample_rig()
    columns, rows = (n - 1 for n in board.squares)
    grid = np.mgrid[:columns, :rows].T.reshape(-1, 2) - [(columns - 1) / 2, (rows - 1) / 2]
    corners = np.column_stack([grid * board.square_m, np.full(len(grid), -0.003)])  # the front
    for k, pose in enumerate(board_poses(board, rig, seed=len(kind))):
        if k % 5:
            continue
        expected = rig.left.project(corners @ pose.R_world_camera.T + pose.position_m)
        gray = cv2.imread(str(folder / f"left_{k:02d}.jpg"), cv2.IMREAD_UNCHANGED)
        inside = ((expected > 12) & (expected < [947, 707])).all(axis=1)
        start = expected[inside].astype(np.float32).reshape(-1, 1, 2)
        found = cv2.cornerSubPix(gray, start.copy(), (4, 4), (-1, -1), (3, 30, 1e-3))
        off = np.linalg.norm((found - start).reshape(-1, 2), axis=1)
        assert np.median(off) < 0.15
        assert gray.ndim == 2


def test_clip_plays_and_both_halves_carry_the_frame_number() -> None:
    about = json.loads((SAMPLE / "clip/clip.json").read_text())
    film = cv2.VideoCapture(str(SAMPLE / "clip" / about["file"]))
    width = about["size_per_side"][0]
    for k in range(about["frames"]):
        played, frame = film.read()
        assert played
        assert frame.shape == (360, 960, 3)
        assert read_frame_number(frame[:, :width]) == k
        assert read_frame_number(frame[:, width:]) == k
    assert not film.read()[0]
    film.release()


def test_sample_data_is_under_15_mb() -> None:
    assert sum(p.stat().st_size for p in SAMPLE.rglob("*") if p.is_file()) < 15e6
