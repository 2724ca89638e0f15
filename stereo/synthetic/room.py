"""A living room: everything a stereo matcher likes, and most of what it does not.

World axes are those of the camera that stands at the origin: x right, y down, z forward.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from stereo.synthetic.light import Lamp, Lighting, Quality
from stereo.synthetic.noise import pick
from stereo.synthetic.scene import Scene
from stereo.synthetic.shapes import Array, Box, Cylinder, Ellipsoid, Quad, Solid, matmul3, rotation
from stereo.synthetic.textures import (
    Book,
    Bricks,
    Carpet,
    Cloudy,
    Fabric,
    Plain,
    Poster,
    Stripes,
    Wood,
)

FLOOR_Y, CEILING_Y = 1.2, -1.35
LEFT_X, RIGHT_X, BACK_Z, FRONT_Z = -1.95, 1.95, 4.2, -1.3

_LIGHTING = Lighting(
    lamps=(
        Lamp((1.93, -0.5, 1.5), (0, 0, 0.5), (0, 0.45, 0), (7.2, 7.3, 7.5)),  # the window
        Lamp((-0.2, -1.33, 2.0), (0.35, 0, 0), (0, 0, 0.35), (1.7, 1.5, 1.25)),
    ),
    sky=(0.36, 0.36, 0.38),
    ground=(0.27, 0.23, 0.2),
)


@lru_cache(maxsize=4)
def room_scene(seed: int = 0, *, quality: Quality | None = None) -> Scene:
    """The room; ``seed`` changes every texture and the books, not the furniture.

    Cached. A solid is baked when first seen: ten seconds for all at the default quality, two at
    ``FAST``, none for depth alone.
    """
    return Scene.build(room_solids(seed), _LIGHTING, quality=quality)


def room_solids(seed: int = 0) -> list[Solid]:
    """Walls, furniture and small things of the room, unlit."""
    seed *= 1000
    return [
        *_walls(seed),
        *_pictures(seed),
        *_at(_bookshelf(seed), (1.18, FLOOR_Y, BACK_Z - 0.17)),
        *_at(_armchair(seed), (-1.1, FLOOR_Y, 3.2), yaw=-0.45),
        *_at(_coffee_table(seed), (0.2, FLOOR_Y, 2.15), yaw=0.12),
        *_at(_chair(seed), (1.0, FLOOR_Y, 1.95), yaw=-0.75),
        *_at(_lamp(seed), (0.36, FLOOR_Y, 3.75)),
        *_at(_plant(seed), (-0.86, FLOOR_Y, 1.75)),
        *_at(_carton(seed), (-0.02, FLOOR_Y, 1.62), yaw=0.5),
    ]


def _at(solids: Iterable[Solid], at: tuple[float, float, float], yaw: float = 0.0) -> list[Solid]:
    """Solids built around their own origin on the floor, set down in the room."""
    turn = rotation(yaw)
    return [
        replace(
            s,
            centre_m=tuple(matmul3(turn, np.array(s.centre_m)) + np.array(at)),
            R_world_local=matmul3(turn, s.R_world_local),
        )
        for s in solids
    ]


def _walls(seed: int) -> list[Solid]:
    mid_x, mid_z = (LEFT_X + RIGHT_X) / 2, (BACK_Z + FRONT_Z) / 2
    mid_y = (FLOOR_Y + CEILING_Y) / 2
    hx, hy, hz = (RIGHT_X - LEFT_X) / 2, (FLOOR_Y - CEILING_Y) / 2, (BACK_Z - FRONT_Z) / 2
    paint = Plain("#c9cdbf", mottle=0.004, scale_m=0.6, seed=seed)
    right_paint = Plain("#d8cdb8", mottle=0.004, scale_m=0.6, seed=seed + 1)
    planks = Wood("#c0905c", "#835632", plank_m=(0.9, 0.11), seed=seed + 2)
    quarter = math.pi / 2
    skirting = Plain("#ece8de", mottle=0.02, seed=seed + 3)
    return [
        Quad((mid_x, mid_y, BACK_Z), (hx, hy, 1), paint),
        Quad(
            (mid_x, mid_y, FRONT_Z),
            (hx, hy, 1),
            Plain("#d0c8ba"),
            rotation(yaw=math.pi),
            texel_m=0.02,
        ),
        Quad((LEFT_X, mid_y, mid_z), (hz, hy, 1), Bricks(seed=seed + 4), rotation(-quarter)),
        Quad((RIGHT_X, mid_y, mid_z), (hz, hy, 1), right_paint, rotation(quarter)),
        Quad((mid_x, FLOOR_Y, mid_z), (hx, hz, 1), planks, rotation(pitch=-quarter)),
        Quad(
            (mid_x, CEILING_Y, mid_z),
            (hx, hz, 1),
            Plain("#efeee8", 0.004),
            rotation(pitch=quarter),
            texel_m=0.01,
        ),
        Box((mid_x, FLOOR_Y - 0.05, BACK_Z - 0.009), (hx, 0.05, 0.009), skirting),
        Box((RIGHT_X - 0.009, FLOOR_Y - 0.05, mid_z), (0.009, 0.05, hz), skirting),
        Box((0.1, FLOOR_Y - 0.006, 2.3), (1.05, 0.006, 0.8), Carpet(seed=seed + 5), rotation(0.06)),
    ]


def _pictures(seed: int) -> list[Solid]:
    lean = rotation(pitch=-0.3, roll=0.04)
    return [
        Box((-1.0, -0.42, BACK_Z - 0.012), (0.42, 0.3, 0.012), Poster(0, seed + 3, "#2b2622")),
        Box((-0.3, -0.5, BACK_Z - 0.012), (0.17, 0.22, 0.012), Poster(2, seed + 2, "#8a6a44")),
        Box((-0.28, 0.74, BACK_Z - 0.2), (0.3, 0.45, 0.012), Poster(1, seed + 7, "#d9cba8"), lean),
    ]


def _bookshelf(seed: int) -> list[Solid]:
    wood = Wood("#8f6440", "#5a3a22", seed=seed + 31)
    half, height, deep = 0.62, 1.95, 0.15
    parts: list[Solid] = [
        Box((x, -height / 2, 0), (0.012, height / 2, deep), wood) for x in (-half, half)
    ]
    parts.append(Box((0, -height / 2, deep - 0.004), (half, height / 2, 0.004), wood))
    shelves = [0.06, 0.44, 0.82, 1.2, 1.58, height]
    parts += [Box((0, -y, 0), (half, 0.011, deep), wood) for y in shelves]
    for k, y in enumerate(shelves[:-1]):
        parts += _row_of_books(seed + 97 * k + 400, -y - 0.011, half - 0.02, leave=0.3 * (k % 2))
    parts += [
        Ellipsoid(
            (0.45, -0.44 - 0.011 - 0.09, -0.02),
            (0.09, 0.09, 0.09),
            Cloudy("#d8d2c4", "#7d8fa0", seed=seed),
        ),
        Cylinder(
            (0.46, -1.2 - 0.011 - 0.11, 0.0),
            (0.055, 0.11, 0.055),
            Stripes(("#b5533c", "#e4d3b0", "#35545a"), 0.028),
        ),
    ]
    return parts


_CLOTHS = ("#6f2f2a", "#33485a", "#a88c50", "#47594a", "#a9a294", "#4a3f52", "#8a5138", "#2a2b2e")
_INKS = ("#cfc096", "#d6d0c2", "#3a2a20", "#b8975a")


def _row_of_books(seed: int, bottom: float, half: float, leave: float) -> list[Solid]:
    books: list[Solid] = []
    x, k = -half, 0
    while True:
        r = pick(8, seed + 13 * k)
        thick, tall, deep = 0.018 + 0.035 * r[0], 0.2 + 0.1 * r[1], 0.16 + 0.06 * r[2]
        if x + thick > half - leave:
            return books
        cloth = _CLOTHS[int(r[3] * len(_CLOTHS))]
        ink = _INKS[2 if cloth in ("#a88c50", "#a9a294") else (0, 1, 3)[int(r[4] * 3)]]
        gone = r[5] > 0.93  # somebody is reading it
        if not gone:
            centre = (x + thick / 2, bottom - tall / 2, -0.13 + deep / 2 + 0.02 * r[6])
            size = (thick / 2 - 0.0006, tall / 2, deep / 2)
            books.append(Box(centre, size, Book(cloth, ink, seed + k), casts_shadow=False))
        x += thick
        k += 1


def _armchair(seed: int) -> list[Solid]:
    cloth = Fabric("#3f5f63", "#7f9c9a", seed=seed + 61)
    legs = Wood("#6b4630", "#3f2818", seed=seed + 62)
    parts: list[Solid] = [
        Box((0, -0.27, 0), (0.36, 0.1, 0.36), cloth),
        Box((0, -0.56, 0.33), (0.36, 0.28, 0.07), cloth, rotation(pitch=-0.16)),
        Box((-0.4, -0.36, 0), (0.06, 0.2, 0.38), cloth),
        Box((0.4, -0.36, 0), (0.06, 0.2, 0.38), cloth),
        Ellipsoid((0, -0.38, -0.02), (0.34, 0.06, 0.33), cloth),
        Ellipsoid(
            (0.08, -0.55, 0.16),
            (0.2, 0.19, 0.07),
            Stripes(("#d9a441", "#efe3c8", "#b4552f", "#efe3c8"), 0.035),
            rotation(pitch=-0.3, roll=0.3),
        ),
    ]
    parts += [
        Cylinder((x, -0.085, z), (0.02, 0.085, 0.02), legs)
        for x in (-0.36, 0.36)
        for z in (-0.3, 0.3)
    ]
    return parts


def _coffee_table(seed: int) -> list[Solid]:
    wood = Wood("#c99b66", "#8e5f38", seed=seed + 41)
    top = 0.46
    parts: list[Solid] = [Box((0, 0.015 - top, 0), (0.48, 0.015, 0.29), wood)]
    parts += [
        Box((x, (0.03 - top) / 2, z), (0.018, (top - 0.03) / 2, 0.018), wood)
        for x in (-0.44, 0.44)
        for z in (-0.25, 0.25)
    ]
    parts += [
        Cylinder(
            (-0.25, -top - 0.045, -0.1),
            (0.038, 0.045, 0.038),
            Stripes(("#e9e4d6", "#37617a"), 0.022, seed),
            rotation(2.0),
        ),
        Ellipsoid(
            (0.3, -top - 0.075, 0.06),
            (0.075, 0.075, 0.075),
            Cloudy("#2f6f9b", "#d8c38d", 0.05, 4.0, seed + 42),
            rotation(0.6),
        ),
        Box(
            (0.02, -top - 0.018, 0.03),
            (0.11, 0.018, 0.15),
            Book("#7c2f2a", "#e5d6a8", seed + 43),
            rotation(0.5),
        ),
        Box(
            (0.03, -top - 0.036 - 0.013, 0.03),
            (0.095, 0.013, 0.13),
            Poster(1, seed + 44, "#c9b48a", 0.002),
            rotation(0.2),
        ),
        Box(
            (-0.2, -top - 0.002, 0.16),
            (0.15, 0.002, 0.1),
            Poster(2, seed + 45, "#efe7d2", 0.002),
            rotation(-0.3),
        ),
        Ellipsoid(
            (0.12, -top - 0.035, -0.2),
            (0.036, 0.034, 0.036),
            Cloudy("#d9782d", "#e8a13c", 0.02, seed=seed + 46),
        ),
        Ellipsoid(
            (0.19, -top - 0.035, -0.17),
            (0.037, 0.035, 0.037),
            Cloudy("#9fae3a", "#c94f34", 0.04, 3.0, seed=seed + 47),
        ),
    ]
    return parts


def _chair(seed: int) -> list[Solid]:
    wood = Wood("#d2a873", "#a07443", seed=seed + 51)
    parts: list[Solid] = [Box((0, -0.45, 0), (0.2, 0.015, 0.2), wood)]
    parts += [Cylinder((x, -0.22, -0.17), (0.015, 0.22, 0.015), wood) for x in (-0.17, 0.17)]
    parts += [Cylinder((x, -0.45, 0.18), (0.016, 0.45, 0.016), wood) for x in (-0.18, 0.18)]
    parts += [
        Cylinder((x, -0.66, 0.18), (0.007, 0.21, 0.007), wood)
        for x in (-0.12, -0.06, 0, 0.06, 0.12)
    ]
    parts += [
        Box((0, -0.86, 0.18), (0.2, 0.03, 0.012), wood),
        Box((0, -0.2, -0.17), (0.17, 0.01, 0.008), wood),
    ]
    return parts


def _lamp(seed: int) -> list[Solid]:
    metal = Plain("#3b3a38", mottle=0.1, scale_m=0.02, seed=seed)
    shade = Fabric("#cdb78e", "#e6d6b4", thread_m=0.008, seed=seed + 71)
    return [
        Cylinder((0, -0.012, 0), (0.14, 0.012, 0.14), metal),
        Cylinder((0, -0.75, 0), (0.011, 0.74, 0.011), metal),
        Cylinder((0, -1.58, 0), (0.17, 0.13, 0.17), shade, glow=0.55),
    ]


def _plant(seed: int) -> list[Solid]:
    clay = Cloudy("#a85f3f", "#c98a63", 0.05, 2.0, seed + 81)
    parts: list[Solid] = [
        Cylinder((0, -0.11, 0), (0.11, 0.11, 0.11), clay),
        Cylinder((0, -0.215, 0), (0.122, 0.018, 0.122), clay),
        Cylinder((0, -0.226, 0), (0.1, 0.012, 0.1), Cloudy("#2b1f17", "#4a382a", 0.01, seed=seed)),
    ]
    for k in range(9):
        r = pick(6, seed + 500 + k)
        yaw, tilt, tall = 2 * math.pi * (k + 0.6 * r[0]) / 9, 0.15 + 0.4 * r[1], 0.38 + 0.3 * r[2]
        turn = rotation(yaw, tilt)
        tip = matmul3(turn, np.array([0.0, -tall, 0.0]))
        mid = tuple(tip / 2 + np.array([0, -0.22, 0]))
        parts.append(Cylinder(mid, (0.004, tall / 2, 0.004), Plain("#5f7a3c"), turn))
        parts.append(
            _leaf(
                tip + np.array([0, -0.22, 0]),
                yaw,
                tilt + 0.5 + 0.5 * r[3],
                0.1 + 0.05 * r[4],
                seed + 600 + k,
            )
        )
    return parts


def _leaf(stem: Array, yaw: float, tilt: float, half: float, seed: int) -> Solid:
    turn = rotation(yaw, tilt)
    centre = stem + matmul3(turn, np.array([0, -0.85 * half, 0]))
    green = Cloudy("#3f6b35", "#7fa653", 0.035, 2.2, seed)
    return Ellipsoid(tuple(centre), (0.48 * half, half, 0.006), green, turn)


def _carton(seed: int) -> list[Solid]:
    card = Cloudy("#b58d5e", "#c7a172", 0.12, 1.6, seed + 91)
    parcel = Poster(2, seed + 92, "#efe7d2", 0.002)
    return [
        Box((0, -0.1, 0), (0.15, 0.1, 0.11), card),
        Box((0.0, -0.2008, -0.01), (0.025, 0.001, 0.111), Plain("#cdb98f", 0.05)),
        Box((0.07, -0.11, -0.1108), (0.05, 0.035, 0.001), parcel),
        Ellipsoid(
            (-0.35, -0.085, -0.05),
            (0.085, 0.085, 0.085),
            Stripes(("#c8452f", "#efe9dc", "#2f5f8a", "#efe9dc"), 0.04, seed),
            rotation(0.4, 0.5, 0.4),
        ),
    ]
