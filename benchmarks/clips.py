"""The rendered sequences of benchmarks/sequences.py: scenes, ways, things that move, what happens.

Two scenes: the sample room, and a hall of a few boxes, balls and poles that is quick to look at.
Lengths are in metres, moments in frames. See ``stereo.synthetic.sequence``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from stereo.synthetic import (
    ROOM_POSE,
    Box,
    Cylinder,
    Ellipsoid,
    Lamp,
    Lighting,
    Mover,
    PinholeRig,
    Pose,
    Quad,
    Quality,
    Scene,
    Sensor,
    Solid,
    Take,
    room_scene,
    rotation,
)
from stereo.synthetic.noise import pick
from stereo.synthetic.textures import Bricks, Cloudy, Fabric, Plain, Poster, Stripes, Texture, Wood

FRAMES = 32
QUALITY = Quality(texel_m=0.005, light_m=0.12, light_points=4, lamp_points=2, sky_rays=12)
VGA = PinholeRig((640, 480), 520.0, 0.12)
HD = PinholeRig((1280, 720), 1040.0, 0.12)
NOISY = Sensor(1.25, full_well=5000.0), Sensor(1.15, full_well=5000.0)
"""1.8 gray levels of noise; elsewhere it is 1.0."""

Where = Callable[[int], Sequence[float] | None]


@dataclass(frozen=True, eq=False)
class Clip:
    """A sequence and when it begins anew."""

    take: Take
    what: str
    kept_aside: bool = False
    """Not for choosing anything by."""
    moments: Sequence[int] = range(FRAMES)
    """When its frames are taken; a gap is a dropped second."""
    anew: tuple[int, ...] = ()
    """Frames that are nothing like the one before: after a cut, a cover, a gap, a jump of light."""
    num_disparities: int = 64


@lru_cache(maxsize=4)
def room(seed: int = 0) -> Scene:
    return room_scene(seed, quality=QUALITY)


@lru_cache(maxsize=4)
def hall(seed: int = 0) -> Scene:
    """Floor, bricks, two blank walls, and sixteen things that stand about."""
    floor, ceiling, side, back = 1.2, -1.5, 2.4, 6.5
    quarter, half = math.pi / 2, 4.0
    solids: list[Solid] = [
        Quad(
            (0, floor, half - 1),
            (side, half, 1),
            Wood(plank_m=(0.9, 0.12), seed=seed),
            rotation(pitch=-quarter),
        ),
        Quad(
            (0, ceiling, half - 1),
            (side, half, 1),
            Plain("#efeee8", 0.004, seed=seed),
            rotation(pitch=quarter),
        ),
        Quad((0, -0.15, back), (side, 1.35, 1), Bricks(seed=seed + 1)),
        Quad(
            (-side, -0.15, half - 1),
            (half, 1.35, 1),
            Plain("#c9cdbf", 0.004, seed=seed),
            rotation(-quarter),
        ),
        Quad(
            (side, -0.15, half - 1),
            (half, 1.35, 1),
            Fabric(thread_m=0.03, seed=seed + 2),
            rotation(quarter),
        ),
    ]
    kinds = (Box, Cylinder, Ellipsoid, Box)
    for k in range(16):
        r = pick(7, 100 * seed + k)
        wide, tall = 0.08 + 0.2 * r[0], 0.15 + 0.6 * r[1]
        if k % 5 == 4:  # a pole
            wide, tall = 0.02, 1.3
        at = (-1.9 + 3.8 * r[2], floor - tall, 2.3 + 3.8 * r[3])
        solids.append(kinds[k % 4](at, (wide, tall, wide), texture_of(k, seed), rotation(3 * r[4])))
    lamps = (
        Lamp((2.3, -0.5, 1.5), (0, 0, 0.6), (0, 0.5, 0), (7.0, 7.2, 7.5)),
        Lamp((0, -1.48, 3.0), (0.5, 0, 0), (0, 0, 0.5), (2.5, 2.3, 2.0)),
    )
    light = Lighting(lamps=lamps, sky=(0.36, 0.36, 0.38), ground=(0.27, 0.23, 0.2))
    return Scene.build(solids, light, quality=QUALITY)


def texture_of(k: int, seed: int) -> Texture:
    """One of what things are made of."""
    made: tuple[Texture, ...] = (
        Cloudy("#2f6f9b", "#d8c38d", 0.05, 3.0, seed + k),
        Fabric("#3f5f63", "#7f9c9a", seed=seed + k),
        Stripes(("#c8452f", "#efe9dc", "#2f5f8a"), 0.05, seed + k),
        Plain("#b58d5e", 0.02, seed=seed + k),
        Poster(k % 3, seed + k),
        Wood(seed=seed + k),
    )
    return made[k % len(made)]


# -- ways of the camera --------------------------------------------------------------------------


def still(pose: Pose) -> Callable[[int], Pose]:
    return lambda _moment: pose


def dolly(k: int) -> Pose:
    """Forward at half a metre a second."""
    return dolly_at(0.016 * k)


def dolly_at(z: float) -> Pose:
    return Pose(rotation(pitch=-0.05), np.array([0.0, -0.1, z]))


def creep(k: int) -> Pose:
    """Forward at a tenth of that: what is blank or far hardly changes from frame to frame."""
    return dolly_at(0.0016 * k)


def jitter(k: int) -> Pose:
    """Held by hand: 5 mm and half a degree to each side, up to three times a second."""
    sway = [math.sin(0.31 * k + 2 * j) + 0.5 * math.sin(0.63 * k + j) for j in range(6)]
    at = 0.004 * np.array(sway[:3]) + np.array([0.1, -0.1, 0.2])
    return Pose(rotation(*(0.006 * s for s in sway[3:])), at)


def sideways(k: int) -> Pose:
    """To the right at 0.6 m/s, looking left a little more all the time."""
    return Pose(rotation(yaw=-0.003 * k), np.array([-0.4 + 0.02 * k, -0.1, 0.0]))


def fast(k: int) -> Pose:
    """Turned there and back, up to 45 degrees a second, while it walks."""
    return Pose(rotation(yaw=0.18 * math.sin(0.14 * k)), np.array([0.0, -0.1, 0.03 * k]))


def walk(k: int) -> Pose:
    """Into the room at a metre a second, held by hand."""
    swayed = jitter(k)
    at = swayed.position_m + np.array([-0.3 + 0.012 * k, 0.0, -0.6 + 0.03 * k])
    return Pose(swayed.R_world_camera, at)


# -- things that move ----------------------------------------------------------------------------


def line(start: Sequence[float], step: Sequence[float], first: int = 0, last: int = 999) -> Where:
    """Straight on, there from ``first`` to ``last`` only."""

    def where(k: int) -> Sequence[float] | None:
        return [a + k * b for a, b in zip(start, step, strict=True)] if first <= k <= last else None

    return where


def mover(scene: Scene, solid: Solid, where: Where) -> Mover:
    return Mover(scene.with_solids((solid,)).things[-1], where)


def box(half: Sequence[float], k: int) -> Box:
    return Box((0.0, 0.0, 1.8), half, texture_of(k, 40 + k), rotation(0.5))


def ball(radius: float, k: int) -> Ellipsoid:
    return Ellipsoid((0.0, 0.0, 1.8), (radius,) * 3, texture_of(k, 60 + k))


def pole(k: int) -> Cylinder:
    return Cylinder((0.0, 0.0, 1.8), (0.015, 0.9, 0.015), texture_of(k, 80 + k))


def passing(scene: Scene, farther: float = 0.0) -> tuple[Mover, ...]:
    """A near box at 0.9 m/s, a thin pole, a ball that comes nearer."""
    z = 1.35 + farther
    return (
        mover(scene, box((0.16, 0.2, 0.1), 0), line((-1.1, 0.1, z), (0.03, 0.0, 0.0))),
        mover(scene, pole(2), line((0.9, 0.1, z + 0.45), (-0.018, 0.0, 0.0))),
        mover(scene, ball(0.12, 5), line((0.1, -0.55, z + 1.55), (0.004, 0.002, -0.03))),
    )


def crowd(scene: Scene, farther: float) -> tuple[Mover, ...]:
    """Near and fast, thin and faster, away, and down."""
    z = 1.3 + farther
    return (
        mover(scene, box((0.12, 0.3, 0.12), 4), line((1.2, 0.2, z), (-0.05, 0.0, 0.0))),
        mover(scene, pole(5), line((-1.0, 0.0, z + 0.2), (0.06, 0.0, 0.0))),
        mover(scene, box((0.2, 0.14, 0.2), 1), line((-0.35, 0.4, z + 0.1), (0.0, -0.006, 0.045))),
        mover(scene, ball(0.1, 3), line((0.45, -1.0, z + 0.6), (0.0, 0.05, 0.0))),
    )


def slow(scene: Scene) -> tuple[Mover, ...]:
    """Two small ones of nearly one gray with the wall behind them, 0.1 to 0.4 m/s."""
    pale = [Cloudy("#b9bdaf", "#cdd1c3", 0.04, 2.0, seed) for seed in (5, 6)]
    ball_, box_ = (
        replace(ball(0.09, 0), texture=pale[0]),
        replace(box((0.1,) * 3, 1), texture=pale[1]),
    )
    return (
        mover(scene, ball_, line((0.45, -0.2, 2.0), (0.0, 0.0, -0.012))),
        mover(scene, box_, line((0.6, 0.0, 1.8), (0.004, 0.0, 0.0))),
    )


def sudden(scene: Scene) -> tuple[Mover, ...]:
    """Three that are not there, then there, then not."""
    return (
        mover(scene, box((0.2, 0.25, 0.1), 1), line((-0.3, 0.1, 1.5), (0, 0, 0), 6, 15)),
        mover(scene, ball(0.15, 0), line((0.45, -0.3, 1.9), (0, 0, 0), 0, 11)),
        mover(scene, box((0.03, 0.5, 0.03), 2), line((0.1, 0.0, 1.4), (0, 0, 0), 18, 24)),
    )


# -- light and lens ------------------------------------------------------------------------------


def steps(k: int) -> float:
    """Half the light from frame 8, ramped up from 16 to 24, to one and a half."""
    return 1.0 if k < 8 else 0.5 if k < 16 else min(0.5 + (k - 16) / 8, 1.5)


def lamps(k: int) -> float:
    """A lamp that flickers by a quarter against the camera's own rate."""
    return 1.0 + 0.25 * math.sin(2.4 * k)


def dark(k: int) -> float:
    """Both lenses covered from frame 8 to 13."""
    return 0.0 if 8 <= k < 14 else 1.0


def finger(k: int) -> float | np.ndarray:
    """Over more than half of the left lens from frame 20 to 25, blurred."""
    if not 20 <= k < 26:
        return 0.0
    width, height = VGA.size
    x, y = np.arange(width)[None, :] / width, np.arange(height)[:, None] / height
    return np.clip(3.0 * (0.75 - np.hypot(x, y - 0.4)), 0.0, 1.0)


ASIDE = Pose(rotation(yaw=0.35, pitch=-0.1), np.array([-0.3, -0.1, 0.2]))
"""Another place in the room."""


def clips() -> dict[str, Clip]:
    """All by name, those that constants may be chosen on first."""
    room_stands, hall_stands = still(ROOM_POSE), still(dolly(0))
    other = still(ASIDE)

    def cut_scene(k: int) -> Scene:
        return hall(0) if 10 <= k < 20 else room(0)

    def cut_path(k: int) -> Pose:
        return (hall_stands if 10 <= k < 20 else room_stands)(k)

    def in_room(_: int) -> Scene:
        return room(0)

    def in_hall(_: int) -> Scene:
        return hall(0)

    def in_other_room(_: int) -> Scene:
        return room(3)

    def in_other_hall(_: int) -> Scene:
        return hall(7)

    gap = [*range(FRAMES // 2), *range(FRAMES // 2 + 30, FRAMES + 30)]
    passing_by, things = Take(VGA, in_room, room_stands, passing(room(0))), sudden(room(0))
    crossing = Take(VGA, in_other_room, other, crowd(room(3), 0.3))
    flickering = Take(VGA, in_other_room, other, brightness=lamps, sensors=NOISY)
    hidden = Take(VGA, in_other_room, other, passing(room(3), 0.2), dark, finger)
    walking = Take(VGA, in_other_room, walk, crowd(room(3), 0.5))
    large = Take(HD, in_other_hall, walk, passing(hall(7), 0.5))
    there = Take(VGA, in_other_hall, sideways)
    return {
        "standing": Clip(Take(VGA, in_room, room_stands), "nothing moves, sensor noise"),
        "dolly": Clip(Take(VGA, in_hall, dolly), "forward, 0.5 m/s"),
        "creep": Clip(Take(VGA, in_hall, creep), "forward, 0.05 m/s"),
        "jitter": Clip(Take(VGA, in_hall, jitter), "held by hand"),
        "passing": Clip(passing_by, "a near box, a pole and a ball pass"),
        "sudden": Clip(Take(VGA, in_room, room_stands, things), "things come and leave at once"),
        "cut": Clip(Take(VGA, cut_scene, cut_path), "another scene and back", anew=(10, 20)),
        "exposure": Clip(
            Take(VGA, in_room, room_stands, brightness=steps), "half the light, a ramp", anew=(8,)
        ),
        "passing, 720p": Clip(
            Take(HD, in_room, room_stands, passing(room(0))[:1]), "a near box", num_disparities=128
        ),
        "sideways": Clip(there, "0.6 m/s and a turn", True),
        "fast": Clip(Take(VGA, in_other_hall, fast), "turns of 45 degrees a second", True),
        "crowd": Clip(crossing, "four things cross, one thin and fast", True),
        "slow": Clip(
            Take(VGA, in_other_room, other, slow(room(3))), "two pale things, 0.1 to 0.4 m/s", True
        ),
        "lamps": Clip(flickering, "light flickers by a quarter, noisy", True),
        "covered": Clip(hidden, "black, then a finger", True, anew=(14, 26)),
        "dropped": Clip(there, "a second is missing", True, gap, anew=(FRAMES // 2,)),
        "walk": Clip(walking, "into the room while things cross", True),
        "walk, 720p": Clip(large, "through the hall while things pass", True, num_disparities=128),
    }
