"""Sequences with truth: a rectified rig that moves, things that move, light that changes.

What stands is looked at once for each place of the rig (``Take.standing``); things that move are
put in front of it (``Take.shot``), so that a camera that stands costs next to nothing. They cast no
shadow and keep the light of the place where they were made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stereo.synthetic.pair import LEFT_SENSOR, RIGHT_SENSOR
from stereo.synthetic.raycast import Pose, Rendered, look, pinhole_rays
from stereo.synthetic.scene import LitSolid, Scene
from stereo.synthetic.sensor import Sensor
from stereo.synthetic.shapes import Array

Views = tuple[Rendered, Rendered]
_GRAY = np.array([0.3, 0.59, 0.11], np.float32)
_SEEN_PX = 1.0  # the two views' truths differ by no more where both see one surface
_CLEAR = 0.98  # share of the light from which on a lens counts as open
_DARK = 0.02  # brightness that shows nothing


@dataclass(frozen=True, eq=False, slots=True)
class PinholeRig:
    """Two equal cameras without distortion, side by side."""

    size: tuple[int, int]
    """(width, height)."""
    focal_px: float
    baseline_m: float

    @property
    def K(self) -> Array:  # noqa: N802
        """(3, 3) intrinsics of both; they look from the middle of the image."""
        width, height = self.size
        f = self.focal_px
        return np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1]])

    def disparity_px(self, depth_m: Array) -> Array:
        """(H, W) px, of either view."""
        return self.focal_px * self.baseline_m / depth_m

    def window(self, pose: Pose, centre_m: Array, radius_m: float) -> tuple[slice, slice]:
        """Rows and columns in which a camera at ``pose`` may see something of a ball."""
        x, y, z = pose.R_world_camera.T @ (centre_m - pose.position_m)
        if z <= 1.1 * radius_m:
            return slice(None), slice(None)
        at = np.array(
            [
                [c + side * radius_m, z + back * radius_m]
                for c in (y, x)
                for side in (-1, 1)
                for back in (-1, 1)
            ]
        )
        px = (self.focal_px * at[:, 0] / at[:, 1]).reshape(2, 4)
        middle, sides = self.K[1::-1, 2], self.size[::-1]
        low = np.clip(np.floor(px.min(axis=1) + middle), 0, sides).astype(int)
        high = np.clip(np.ceil(px.max(axis=1) + middle) + 1, 0, sides).astype(int)
        return slice(low[0], high[0]), slice(low[1], high[1])

    def right_of(self, left: Pose) -> Pose:
        """Where the right camera stands."""
        return replace(
            left, position_m=left.position_m + self.baseline_m * left.R_world_camera[:, 0]
        )


@dataclass(frozen=True, eq=False, slots=True)
class Mover:
    """A thing that moves without turning."""

    thing: LitSolid
    where: Callable[[int], Sequence[float] | None]
    """(3,) where its centre is at a moment, metres; None: it is not there."""


@dataclass(frozen=True, eq=False, slots=True)
class Shot:
    """A rectified pair and the truth about its left view."""

    left: NDArray[np.uint8]
    """(H, W) gray."""
    right: NDArray[np.uint8]
    """(H, W) gray."""
    truth_px: NDArray[np.float32]
    """(H, W) disparity, NaN where the lens is covered or nothing is."""
    visible: NDArray[np.bool_]
    """(H, W) True where the right camera sees the same point."""
    mover: NDArray[np.int16]
    """(H, W) which thing that moves is seen, counted from 0; -1: none."""


def _same(_moment: int) -> float:
    return 1.0


def _open(_moment: int) -> float:
    return 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Take:
    """What is filmed. A moment is a time, counted in frames."""

    rig: PinholeRig
    scene: Callable[[int], Scene]
    """What stands at a moment: another scene after a cut."""
    path: Callable[[int], Pose]
    """Where the left camera is."""
    movers: tuple[Mover, ...] = ()
    brightness: Callable[[int], float] = _same
    """What the light is multiplied by."""
    covered: Callable[[int], float | Array] = _open
    """Share of the left lens's light that something holds back, 0 to 1, or (H, W) of them."""
    sensors: tuple[Sensor, Sensor] = (LEFT_SENSOR, RIGHT_SENSOR)
    """(left, right)."""
    seed: int = 0
    """Of the noise."""

    def standing(self, moment: int) -> Views:
        """What the left and the right camera see of what stands."""
        return stereo_look(self.scene(moment), self.rig, self.path(moment))

    def shot(self, moment: int, standing: Views) -> Shot:
        """The pair of a moment, the things that move before what stands."""
        views, movers = zip(
            *(
                self._with_movers(moment, *one)
                for one in zip(standing, self._poses(moment), strict=True)
            ),
            strict=True,
        )
        light = self.brightness(moment)
        open_ = 1.0 - np.broadcast_to(np.asarray(self.covered(moment)), movers[0].shape)
        left, right = (
            replace(sensor, gain=sensor.gain * light).expose(radiance, seed=seed)[..., 0]
            for sensor, radiance, seed in (
                (self.sensors[0], views[0].radiance * open_[..., None], self._seed(moment)),
                (self.sensors[1], views[1].radiance, self._seed(moment) + 1),
            )
        )
        known = [self.rig.disparity_px(view.depth_m) for view in views]
        shown = (open_ >= _CLEAR) & (light >= _DARK)
        truth = np.where(shown, known[0], np.nan).astype(np.float32)
        return Shot(left, right, truth, _seen_by_right(*known), movers[0])

    def _poses(self, moment: int) -> tuple[Pose, Pose]:
        left = self.path(moment)
        return left, self.rig.right_of(left)

    def _seed(self, moment: int) -> int:
        return 2 * (1000 * self.seed + moment)

    def _with_movers(
        self, moment: int, view: Rendered, pose: Pose
    ) -> tuple[Rendered, NDArray[np.int16]]:
        """A view with the things that move, and which of them each pixel shows."""
        radiance, depth = view.radiance.copy(), view.depth_m.copy()
        mover = np.full(depth.shape, -1, np.int16)
        rays = _rays(self.rig.size, self.rig.focal_px)
        for number, one in enumerate(self.movers):
            centre = one.where(moment)
            if centre is None:
                continue
            alone = replace(self.scene(moment), things=(one.thing.moved(centre),))
            window = self.rig.window(pose, alone.centres_m[0], alone.radii_m[0])
            seen = _gray_look(alone, rays[window], pose, self.rig)
            nearer = np.fmin(seen.depth_m, depth[window]) != depth[window]
            radiance[window][nearer] = seen.radiance[nearer]
            depth[window][nearer] = seen.depth_m[nearer]
            mover[window][nearer] = number
        return Rendered(radiance, depth), mover


def stereo_look(scene: Scene, rig: PinholeRig, left: Pose) -> Views:
    """What both cameras see, gray, without noise."""
    rays = _rays(rig.size, rig.focal_px)
    return _gray_look(scene, rays, left, rig), _gray_look(scene, rays, rig.right_of(left), rig)


def _gray_look(scene: Scene, rays: Array, pose: Pose, rig: PinholeRig) -> Rendered:
    seen = look(scene, rays, pose, focal_px=rig.focal_px)
    return replace(seen, radiance=(seen.radiance @ _GRAY)[..., None])


@lru_cache(maxsize=2)
def _rays(size: tuple[int, int], focal_px: float) -> Array:
    return pinhole_rays(PinholeRig(size, focal_px, 1.0).K, size)


def _seen_by_right(left_px: Array, right_px: Array) -> NDArray[np.bool_]:
    """Where the right view's own truth is the same at the pixel that the left one's points to."""
    height, width = left_px.shape
    at = np.arange(width) - np.rint(np.nan_to_num(left_px, nan=2.0 * width)).astype(np.int64)
    there = right_px[np.arange(height)[:, None], np.clip(at, 0, width - 1)]
    with np.errstate(invalid="ignore"):
        return np.asarray((at >= 0) & (np.abs(there - left_px) <= _SEEN_PX))
