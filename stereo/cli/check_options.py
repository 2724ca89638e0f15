"""Options of ``stereo check``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click

from stereo.cli.groups import option
from stereo.cli.values import Metres


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairOptions:
    """Mending the rig."""

    heading: ClassVar[str] = "Repair"
    repair: bool = option(is_flag=True, help="Mend the rig from the images, if that is better.")
    out: Path | None = option(
        "-o", "--out", type=click.Path(path_type=Path), help="File for the mended rig."
    )
    known_distance_m: float | None = option(
        type=Metres(most=1000),
        help="How far away the middle of the first left image is, metres: shows a yaw.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UncalibratedOptions:
    """Two cameras that nothing is known of."""

    heading: ClassVar[str] = "Without a rig file"
    uncalibrated: bool = option(
        is_flag=True, help="No RIG: find homographies that make rows match; -o FOLDER."
    )
    hfov_deg: float | None = option(
        type=click.FloatRange(5, 170),
        help="Horizontal field of view of the left camera, for a rough guess of metres.",
    )
    baseline_m: float | None = option(
        type=Metres(most=5), help="Distance between the cameras, metres."
    )
