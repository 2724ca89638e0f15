"""The length unit of files that state none: taken only where no sensible reading differs."""

from __future__ import annotations

from calib.errors import RigFileError
from calib.formats.reading import Stated, metres_per_unit
from calib.units import METRES_PER
from calib.words import plain


def metres_of(
    length: float, name: str, stated: Stated, source: str, *, written: str | float | None = None
) -> tuple[float, dict[str, str]]:
    """Return metres per unit of a baseline ``length`` called ``name``, and a note when assumed.

    ``written`` is the unit in the file. From 0.005 to 2 is metres and from 30 on millimetres;
    between them lie centimetres and board squares. Raises RigFileError there.
    """
    unit = stated.unit if stated.unit is not None else written
    if unit is not None:
        return metres_per_unit(unit, source), {}
    assumed = "m" if 0.005 <= length <= 2 else "mm" if length >= 30 else None
    if assumed is None:
        raise RigFileError(
            f"{source}: the file does not say its length unit, and {name} = {plain(length)} could "
            "be metres, centimetres, millimetres or board squares; state it (unit=, --unit mm) "
            "or add a line unit: mm (for squares: the side of one, --unit 25mm)"
        )
    return METRES_PER[assumed], {
        "unit_assumed": f"{assumed}: the file states none, and {name} = {plain(length)}"
    }
