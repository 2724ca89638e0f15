"""What a calibration is told of its cameras: lenses from files, a rig that was knocked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from calib.nearby import did_you_mean
from stereo.errors import InputError

if TYPE_CHECKING:
    from calib import StereoRig
    from calib.judging.known_lenses import KnownLenses

LENS_MODELS = ("auto", "pinhole5", "pinhole8", "pinhole12", "pinhole14", "fisheye")


class LensModels(click.ParamType["str | tuple[str, str]"]):
    """The name of a lens model, or two with a comma: left and right. Raises InputError."""

    name = "MODEL"

    def convert(self, value: Any, param: Any, ctx: Any) -> str | tuple[str, str]:
        """See ``click.ParamType``."""
        names = [part.strip() for part in str(value).split(",")]
        for name in names:
            if name not in LENS_MODELS:
                hint = did_you_mean(name, LENS_MODELS) or ";"
                known = ", ".join(LENS_MODELS)
                raise InputError(
                    f"--model: unknown lens model {name!r}{hint} choose from {known}, or name two "
                    "with a comma: left and right"
                )
        if len(names) > 2:
            raise InputError(f"--model wants one lens model or two, got {value}")
        return names[0] if len(names) == 1 else (names[0], names[1])


@dataclass(frozen=True, slots=True)
class Told:
    """What is known beforehand."""

    lenses: KnownLenses | None = None
    """Kept as they are."""
    board: str | None = None
    """Of the rig's own calibration."""
    before: StereoRig | None = None
    """The rig before it was knocked."""


def told(intrinsics: str | None, knocked: str | None) -> Told:
    """Read the files of ``--intrinsics`` or ``--from``.

    Raises InputError when both are given or a file is of another kind, RigFileError when one
    cannot be read.
    """
    from calib.judging.known_lenses import lenses_of_cameras, lenses_of_rig

    if intrinsics is not None and knocked is not None:
        raise InputError("give --from RIG or --intrinsics, not both: each keeps the lenses")
    if knocked is not None:
        rig = _lenses_in(knocked)
        board = rig.notes.get("calibration", {}).get("board")
        return Told(lenses_of_rig(rig), board if isinstance(board, str) else None, rig)
    if intrinsics is None:
        return Told()
    names = [part.strip() for part in intrinsics.split(",")]
    if len(names) == 1:
        return Told(lenses_of_rig(_lenses_in(names[0])))
    if len(names) > 2:
        raise InputError(f"--intrinsics wants LEFT,RIGHT or one rig file, got {len(names)} names")
    from calib import load_camera

    left, right = (load_camera(name) for name in names)
    for name, camera in zip(names, (left, right), strict=True):
        _warn_of(name, camera.usable)
    return Told(lenses_of_cameras(left, right))


def load_stereo_rig(path: str) -> StereoRig:
    """Read a rig file of two cameras. Raises InputError for rectified geometry, RigFileError."""
    from calib import StereoRig, load_rig

    rig = load_rig(path)
    if not isinstance(rig, StereoRig):
        raise InputError(f"{path}: holds only rectified geometry, not two cameras")
    return rig


def _lenses_in(path: str) -> StereoRig:
    from calib.formats.camera import holds_camera

    if holds_camera(path):
        raise InputError(
            f"{path}: holds one camera; give both with a comma: --intrinsics LEFT,RIGHT"
        )
    rig = load_stereo_rig(path)
    _warn_of(path, rig.usable)
    return rig


def _warn_of(path: str, usable: bool) -> None:
    if not usable:
        click.echo(f"warning: {path}: its calibration says not to use it", err=True)


def moved_in_words(before: StereoRig, now: StereoRig) -> tuple[dict[str, float], str]:
    """How the right camera stands to the left one, compared with before: as data, in words."""
    from calib.words import fixed, length

    moved = now.moved_since(before)
    facts = {"rotation_deg": moved.rotation_deg, "right_camera_mm": 1e3 * moved.distance_m}
    return facts, (
        f"the right camera is turned by {fixed(moved.rotation_deg, 3)} degrees and stands "
        f"{length(moved.distance_m)} from where it stood"
    )


def refuse(given: dict[str, object], because: str) -> None:
    """Raise InputError for the first option that is given although it makes no sense."""
    names: Sequence[str] = [name for name, value in given.items() if value]
    if names:
        raise InputError(f"--{names[0]} {because}")
