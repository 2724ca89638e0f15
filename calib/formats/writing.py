"""What every writer of a foreign format needs: exact numbers, whole files, refusals by name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from calib.atomic import replace_whole
from calib.camera import Camera, Model
from calib.checks import Float
from calib.errors import RigWriteError
from calib.words import plain


def numbers(values: Iterable[float] | Float) -> str:
    """Return ``[a, b]`` in Python's shortest exact text: reading gives the same bits."""
    return "[" + ", ".join(exact(value) for value in values) + "]"


def exact(value: float) -> str:
    """Return a float's shortest exact text, with a point: YAML 1.1 takes 1e-05 for a word."""
    text = repr(float(value))
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else text


def coefficients(
    camera: Camera,
    most: int,
    holder: str,
    *,
    other: str,
    models: tuple[Model, ...] = ("pinhole", "fisheye"),
) -> Float:
    """Return the distortion padded to what a format holds; RigWriteError when it cannot.

    ``most`` is how many of a pinhole's coefficients; a fisheye always has four. ``holder`` and
    ``other`` are for people: what cannot hold them, and which formats can.
    """
    if camera.model not in models:
        raise RigWriteError(f"{holder} cannot hold a {camera.model} lens; {other} can")
    if camera.K[0, 1]:
        raise RigWriteError(
            f"{holder} cannot hold the skew of {plain(camera.K[0, 1])} px; only rig can"
        )
    count = 4 if camera.model == "fisheye" else most
    D = np.pad(camera.distortion, (0, 14))
    if np.any(D[count:]):
        used = int(np.flatnonzero(D)[-1]) + 1
        raise RigWriteError(f"{holder} cannot hold {used} distortion coefficients; {other} can")
    return D[:count]


def write_text(path: Path, text: str) -> None:
    """Write a file in one step, with its folder; RigWriteError when that is not possible."""
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(target, text.encode())
    except OSError as error:
        raise RigWriteError(f"{target}: cannot be written: {error.strerror or error}") from error
