"""Rendered sequences: truth follows whatever moves, and light and lens do what they are told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stereo.synthetic import (
    Box,
    Lighting,
    Mover,
    PinholeRig,
    Pose,
    Quad,
    Quality,
    Scene,
    Take,
    depth_along_axis,
    look,
    pinhole_rays,
    rotation,
)
from stereo.synthetic.raycast import see
from stereo.synthetic.textures import Cloudy

RIG = PinholeRig((96, 72), 80.0, 0.1)
COARSE = Quality(texel_m=0.02, light_m=0.2, light_points=4, lamp_points=2, sky_rays=4)
WALL = Quad((0, 0, 4), (6, 6, 1), Cloudy("#20304f", "#d0c0a0"))
SCENE = Scene.build([WALL], Lighting(), quality=COARSE)
THING = SCENE.with_solids([Box((0, 0, 2.1), (0.2, 0.3, 0.1), Cloudy("#803020", "#e0d0c0"))])


def stand(_moment: int) -> Pose:
    return Pose(np.eye(3), np.zeros(3))


def take(**changes: object) -> Take:
    mover = Mover(THING.things[-1], lambda k: (0.05 * k, 0.0, 2.1) if k < 5 else None)
    base = Take(RIG, lambda _: SCENE, stand, (mover,))
    return replace(base, **changes)  # type: ignore[arg-type]


def test_a_thing_is_where_it_went_and_gone_when_it_left() -> None:
    one = take()
    standing = one.standing(0)
    shots = [one.shot(k, standing) for k in (0, 4, 5)]
    seen = [shot.mover == 0 for shot in shots]
    columns = [np.flatnonzero(mask.any(axis=0)).mean() for mask in seen[:2]]
    assert columns[1] - columns[0] == pytest.approx(80 * 0.2 / 2, abs=1)
    for shot, mask in zip(shots[:2], seen[:2], strict=True):
        assert shot.truth_px[mask].max() == pytest.approx(80 * 0.1 / 2, abs=1e-4)  # its front
        np.testing.assert_allclose(shot.truth_px[~mask], 80 * 0.1 / 4, rtol=1e-6)
        behind = ~shot.visible & ~mask  # a strip on its left, and beyond the right view's rim
        assert behind[36, int(np.flatnonzero(mask[36])[0]) - 1]
        assert behind[:, :2].all()
        assert shot.visible[36, -1]
    assert not seen[2].any()
    assert shots[2].visible[:, 3:].all()


def test_a_pixel_of_the_left_view_is_seen_that_far_to_the_left_in_the_right_one() -> None:
    left, right = take(movers=()).standing(0)
    light = [view.radiance[..., 0] for view in (left, right)]
    np.testing.assert_allclose(light[0][:, 2:], light[1][:, :-2], atol=0.005)
    assert np.abs(light[0] - light[1]).max() > 0.05


def test_a_moving_rig_sees_the_truth_from_where_it_is() -> None:
    forward = take(path=lambda k: Pose(np.eye(3), np.array([0.0, 0.0, 0.5 * k])), movers=())
    found = [forward.shot(k, forward.standing(k)).truth_px[36, 48] for k in (0, 2)]
    np.testing.assert_allclose(found, [80 * 0.1 / 4, 80 * 0.1 / 3], rtol=1e-6)


@pytest.mark.parametrize("yaw", [0.0, 0.3])
def test_the_window_of_a_thing_holds_all_of_it(yaw: float) -> None:
    pose = Pose(rotation(yaw, 0.1), np.array([0.1, 0.0, 0.3]))
    for centre in ((0.0, 0.0, 2.1), (-0.9, 0.5, 1.4), (0.1, 0.0, 0.6), (0.0, 0.0, -1.0)):
        alone = replace(SCENE, things=(THING.things[-1].moved(centre),))
        window = RIG.window(pose, alone.centres_m[0], alone.radii_m[0])
        depth = depth_along_axis(alone, pinhole_rays(RIG.K, RIG.size), pose)
        depth[window] = np.nan
        assert np.isnan(depth).all()


def test_one_look_gives_the_light_and_the_depth_of_two() -> None:
    rays, pose = pinhole_rays(RIG.K, RIG.size), stand(0)
    seen = look(THING, rays, pose, focal_px=80.0)
    np.testing.assert_array_equal(seen.depth_m, depth_along_axis(THING, rays, pose))
    light = see(THING, rays, pose, samples=1, focal_px=80.0)
    np.testing.assert_array_equal(seen.radiance, light)


def test_a_moved_thing_keeps_its_light() -> None:
    home = THING.things[-1]
    away = home.moved((1.0, 0.0, 3.0))
    assert away.baked().texels is home.baked().texels
    assert away.baked().solid.centre_m == (1.0, 0.0, 3.0)


def test_light_and_covers_change_the_images_and_hide_the_truth() -> None:
    lit = take(movers=(), brightness=lambda k: (1.0, 0.5, 0.0)[k])
    standing = lit.standing(0)
    shots = [lit.shot(k, standing) for k in range(3)]
    means = [float(shot.left.mean()) for shot in shots]
    assert means[0] > 1.2 * means[1] > 10 * means[2]
    assert np.isfinite(shots[1].truth_px).all()
    assert np.isnan(shots[2].truth_px).all()
    finger = np.zeros((72, 96))
    finger[:, :40] = 1.0
    covered = replace(lit, covered=lambda _: finger).shot(0, standing)
    assert np.isnan(covered.truth_px[:, :40]).all()
    assert np.isfinite(covered.truth_px[:, 40:]).all()
    assert (
        covered.left[:, :38].max() < 20 < covered.right.min()
    )  # a lens spills into its neighbours


def test_noise_is_another_every_moment_and_the_same_again() -> None:
    one = take(movers=())
    standing = one.standing(0)
    first, again, later = (one.shot(k, standing).left for k in (0, 0, 1))
    assert np.array_equal(first, again)
    assert 0.2 < np.abs(first.astype(int) - later).mean() < 4
