"""Makes ``sample_data/``: a room, a calibration session of the same rig, and a clip.

``python -m stereo.synthetic sample_data/`` writes it, ``--check`` renders it again and compares.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calib import save_rig
from calib.camera import Camera
from calib.rig import StereoRig
from stereo.synthetic.boards import CHARUCO, CHESSBOARD, PrintedBoard, board_poses
from stereo.synthetic.frame_code import burn_frame_number
from stereo.synthetic.light import Lamp
from stereo.synthetic.pair import LEFT_SENSOR, RIGHT_SENSOR, RenderedPair, render_pair
from stereo.synthetic.raycast import Pose, camera_rays, see
from stereo.synthetic.room import room_scene
from stereo.synthetic.scene import Scene
from stereo.synthetic.sensor import Sensor
from stereo.synthetic.shapes import Array, matmul3, rotate, rotation

SIZE = (960, 720)
CLIP_FRAMES, CLIP_FPS = 60, 15
ROOM_POSE = Pose(rotation(pitch=-0.13), np.array([0.0, -0.1, 0.0]))
"""Where the rig's left camera stands for the room and for the calibration session."""

Say = Callable[[str], None]


def make_sample_rig(size: tuple[int, int] = SIZE) -> StereoRig:
    """The rig of the sample data, at any size of the same 4:3 shape.

    Two unlike cameras with strong barrel distortion, 0.16 m apart, the right one turned by one to
    two degrees about each axis and set a little low and back: rows are far from aligned.
    """

    def camera(f: tuple[float, float], c: tuple[float, float], distortion: list[float]) -> Camera:
        K = np.array([[f[0], 0, c[0]], [0, f[1], c[1]], [0, 0, 1]])
        return Camera(model="pinhole", size=SIZE, K=K, distortion=np.array(distortion))

    left = camera((718.4, 717.9), (484.6, 352.9), [-0.284, 0.093, 0.0006, -0.0004, -0.0125])
    right = camera((723.1, 722.4), (471.8, 366.2), [-0.291, 0.099, -0.0003, 0.0005, -0.0141])
    R = rotation(yaw=math.radians(-1.7), pitch=math.radians(1.3), roll=math.radians(0.9))
    centre = np.array([0.1596, 0.0031, -0.0042])  # of the right camera, in the left one's frame
    rig = StereoRig(left=left, right=right, R_right_left=R, t_right_left=-matmul3(R, centre))
    return rig if size == SIZE else rig.scaled(size)


def make_sample_data(folder: Path, *, say: Say = print) -> None:
    """Write the whole of ``sample_data`` into ``folder``; two to three minutes on two cores."""
    say("baking the room")
    scene, rig = room_scene(), make_sample_rig()
    write_room(folder / "room", scene, rig, say=say)
    for board in (CHARUCO, CHESSBOARD):
        write_session(folder / "calibration", scene, rig, board, say=say)
    write_clip(folder / "clip", scene, say=say)


def sample_pair() -> RenderedPair:
    """The raw pair of ``sample_data/room`` and its truth, rendered anew."""
    return render_pair(room_scene(), make_sample_rig(), ROOM_POSE, samples=3)


def write_room(folder: Path, scene: Scene, rig: StereoRig, *, say: Say) -> None:
    """The raw pair, the rig, true depth and masks."""
    say("rendering room/")
    folder.mkdir(parents=True, exist_ok=True)
    pair = render_pair(scene, rig, ROOM_POSE, samples=3)
    _write_image(folder / "left.png", pair.left)
    _write_image(folder / "right.png", pair.right)
    _write_image(folder / "visible_left.png", pair.visible.astype(np.uint8) * 255)
    _write_image(folder / "textured_left.png", pair.textured.astype(np.uint8) * 255)
    tenths_mm = np.rint(np.nan_to_num(pair.depth_left_m.astype(np.float64)) * 1e4)
    _write_image(folder / "depth_left_0.1mm.png", tenths_mm.astype(np.uint16))
    save_rig(rig, folder / "rig.yaml")


def write_session(
    folder: Path, scene: Scene, rig: StereoRig, board: PrintedBoard, *, say: Say
) -> None:
    """Fourteen pairs of one board, gray JPEG, and what the board is."""
    kind = board.spec.split(":")[0]
    out = folder / kind
    out.mkdir(parents=True, exist_ok=True)
    # Somebody switched on the light behind the camera: the window alone leaves boards dim.
    extra = Lamp((0.2, -1.0, -0.9), (0.4, 0, 0), (0, 0.4, 0), (2.2, 2.1, 2.0))
    bright = replace(scene.lighting, lamps=(*scene.lighting.lamps, extra))
    places = (ROOM_POSE, ROOM_POSE.right_of(rig))
    views = [_Backdrop(scene, c, p) for c, p in zip((rig.left, rig.right), places, strict=True)]
    for k, local in enumerate(board_poses(board, rig, seed=len(kind))):
        say(f"rendering calibration/{kind} {k + 1:2d}")
        pose = _in_world(local, ROOM_POSE)
        held = scene.with_solids(board.solids(pose), lighting=bright)
        for side, view, sensor in zip(
            ("left", "right"), views, (LEFT_SENSOR, RIGHT_SENSOR), strict=True
        ):
            light = view.with_board(held, board, pose)
            gray = (0.3 * light[..., 0] + 0.59 * light[..., 1] + 0.11 * light[..., 2])[..., None]
            picture = sensor.expose(gray, seed=1000 + 2 * k + (side == "right"))
            _write_image(out / f"{side}_{k:02d}.jpg", picture[..., 0], quality=88)
    _write_json(
        out / "session.json",
        {"board": board.spec, "left": "left_*.jpg", "right": "right_*.jpg", "size": list(SIZE)},
    )


class _Backdrop:
    """One standing camera's view of the room, redrawn only where a board is held into it."""

    def __init__(self, scene: Scene, camera: Camera, pose: Pose) -> None:
        self.camera, self.pose = camera, pose
        self.rays = camera_rays(camera, samples=2)
        self.light = self._see(scene, self.rays)

    def _see(self, scene: Scene, rays: Array) -> NDArray[np.float32]:
        return see(scene, rays, self.pose, samples=2, focal_px=float(self.camera.K[0, 0]))

    def with_board(self, scene: Scene, board: PrintedBoard, pose: Pose) -> NDArray[np.float32]:
        rim = board.outline(pose, scale=1.1) - self.pose.position_m
        x, y, z = rotate(self.pose.R_world_camera.T, (rim[:, 0], rim[:, 1], rim[:, 2]))
        pixels = self.camera.project(np.stack([x, y, z], axis=-1))
        width = self.camera.size[0]
        x0, x1 = max(0, int(pixels[:, 0].min()) - 60), min(width, int(pixels[:, 0].max()) + 60)
        y0 = max(0, int(pixels[:, 1].min()) - 4)  # downwards to the rim: there is the stick
        light = self.light.copy()
        light[y0:, x0:x1] = self._see(scene, self.rays[2 * y0 :, 2 * x0 : 2 * x1])
        return light


def _in_world(local: Pose, camera: Pose) -> Pose:
    R = camera.R_world_camera
    return Pose(matmul3(R, local.R_world_camera), matmul3(R, local.position_m) + camera.position_m)


def clip_pose(k: int) -> Pose:
    """Where the left camera is at frame ``k``: a walk into the room, hand held."""
    s = k / (CLIP_FRAMES - 1)
    s = s * s * (3 - 2 * s)
    sway = [0.006 * math.sin(0.31 * k + 2 * j) + 0.003 * math.sin(0.83 * k + j) for j in range(4)]
    at = np.array([-0.4 + 0.75 * s + sway[0], -0.05 - 0.15 * s + sway[1], -0.35 + 0.75 * s])
    return Pose(rotation(0.16 - 0.3 * s + sway[2], -0.1 - 0.06 * s + sway[3], sway[1]), at)


def clip_frame(
    scene: Scene, rig: StereoRig, rays: tuple[Array, Array], k: int
) -> NDArray[np.uint8]:
    """(H, 2 W, 3) RGB: left and right of frame ``k`` side by side, number in both corners."""
    halves = []
    sensors: tuple[Sensor, Sensor] = (LEFT_SENSOR, RIGHT_SENSOR)
    pose = clip_pose(k)
    for side, (camera, place) in enumerate(((rig.left, pose), (rig.right, pose.right_of(rig)))):
        light = see(scene, rays[side], place, samples=2, focal_px=float(camera.K[0, 0]))
        picture = sensors[side].expose(light, seed=5000 + 2 * k + side)
        halves.append(burn_frame_number(picture, k))
    return np.concatenate(halves, axis=1)


def write_clip(folder: Path, scene: Scene, *, say: Say) -> None:
    """Sixty frames side by side as MPEG-4, the rig at that size, and what the file is."""
    folder.mkdir(parents=True, exist_ok=True)
    size = (SIZE[0] // 2, SIZE[1] // 2)
    rig = make_sample_rig(size)
    rays = camera_rays(rig.left, samples=2), camera_rays(rig.right, samples=2)
    writer = cv2.VideoWriter(
        str(folder / "room.mp4"),
        cv2.CAP_FFMPEG,
        cv2.VideoWriter.fourcc(*"mp4v"),
        CLIP_FPS,
        (2 * size[0], size[1]),
    )
    if not writer.isOpened():
        raise OSError(f"{folder / 'room.mp4'}: OpenCV could not open the file for writing")
    for k in range(CLIP_FRAMES):
        if k % 10 == 0:
            say(f"rendering clip/ frame {k}")
        writer.write(np.ascontiguousarray(clip_frame(scene, rig, rays, k)[..., ::-1]))
    writer.release()
    save_rig(rig, folder / "rig.yaml")
    about = {
        "file": "room.mp4",
        "layout": "side-by-side",
        "frames": CLIP_FRAMES,
        "fps": CLIP_FPS,
        "size_per_side": list(size),
        "frame_code": "stereo.synthetic.read_frame_number",
    }
    _write_json(folder / "clip.json", about)


def _write_image(
    path: Path, image: NDArray[np.uint8] | NDArray[np.uint16], quality: int = 88
) -> None:
    options = (
        [cv2.IMWRITE_JPEG_QUALITY, quality]
        if path.suffix == ".jpg"
        else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    )
    bgr = image[..., ::-1] if image.ndim == 3 else image
    done, data = cv2.imencode(path.suffix, np.ascontiguousarray(bgr), options)
    if not done:
        raise OSError(f"{path}: OpenCV could not encode the image")
    path.write_bytes(data.tobytes())


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
