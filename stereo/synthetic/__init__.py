"""Synthetic stereo: scenes built from primitives, cast ray by ray, with exact depth.

Lambertian surfaces under fixed lamps, so that both cameras see the same light leave a point.
Deterministic: hash noise instead of random generators, no BLAS and no libm on arrays.

    scene = room_scene(quality=FAST)
    pair = render_pair(scene, make_sample_rig((320, 240)), ROOM_POSE, samples=1)
    truth = truth_depth(scene, K, size, ROOM_POSE, R_rect=R_rect_left)
"""

from stereo.synthetic.boards import CHARUCO, CHESSBOARD, PrintedBoard, board_poses
from stereo.synthetic.frame_code import burn_frame_number, read_frame_number
from stereo.synthetic.light import FAST, Lamp, Lighting, Quality
from stereo.synthetic.pair import RenderedPair, render_pair, textured
from stereo.synthetic.raycast import (
    Pose,
    Rendered,
    camera_rays,
    depth_along_axis,
    look,
    pinhole_rays,
    render,
    seen_by_both,
    truth_depth,
    visible_from,
)
from stereo.synthetic.room import room_scene, room_solids
from stereo.synthetic.sample_data import (
    ROOM_POSE,
    make_sample_data,
    make_sample_rig,
    sample_pair,
)
from stereo.synthetic.scene import Scene
from stereo.synthetic.sensor import Sensor
from stereo.synthetic.sequence import Mover, PinholeRig, Shot, Take
from stereo.synthetic.shapes import Box, Cylinder, Ellipsoid, Quad, Solid, rotation

__all__ = [
    "CHARUCO",
    "CHESSBOARD",
    "FAST",
    "ROOM_POSE",
    "Box",
    "Cylinder",
    "Ellipsoid",
    "Lamp",
    "Lighting",
    "Mover",
    "PinholeRig",
    "Pose",
    "PrintedBoard",
    "Quad",
    "Quality",
    "Rendered",
    "RenderedPair",
    "Scene",
    "Sensor",
    "Shot",
    "Solid",
    "Take",
    "board_poses",
    "burn_frame_number",
    "camera_rays",
    "depth_along_axis",
    "look",
    "make_sample_data",
    "make_sample_rig",
    "pinhole_rays",
    "read_frame_number",
    "render",
    "render_pair",
    "room_scene",
    "room_solids",
    "rotation",
    "sample_pair",
    "seen_by_both",
    "textured",
    "truth_depth",
    "visible_from",
]
