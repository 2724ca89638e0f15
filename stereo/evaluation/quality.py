"""Depth quality of a rig in the field: views of walls in, figures against distance out.

Views are gathered into stands: runs of frames that show one wall from one place. Each stand gives
fill rate, plane-fit RMS and, with several frames, the temporal noise of a pixel; with the true
distance also Z accuracy. Beside each stands what the error bars promised.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.plain import jsonable

_KEPT = 1.3
"""Error bars hold while no more than this times what they promise is measured."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A frame that shows no wall."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Temporal:
    """How much a pixel's depth changes while nothing moves: the median over the wall."""

    frames: int
    """How many frames it is from."""
    px: float
    """Standard deviation of disparity, px."""
    m: float
    """Standard deviation of depth, metres."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Z accuracy: the measured distance to the wall against the true one."""

    true_m: float
    """True straight distance from the left camera's centre to the wall, metres."""
    error_m: float
    """Measured minus true, metres."""
    promised_m: float
    """One standard deviation that the calibration's own covariance promises; 0: it has none."""

    @property
    def percent(self) -> float:
        """The error in percent of the true distance."""
        return 100 * self.error_m / self.true_m

    @property
    def promised_percent(self) -> float:
        """The promise in percent of the true distance."""
        return 100 * self.promised_m / self.true_m


@dataclass(frozen=True, slots=True)
class Stand:
    """What all frames of one wall from one place say; means over the frames."""

    first: str
    """Name of the first frame."""
    frames: int
    """How many."""
    distance_m: float
    """Straight distance to the wall, metres, as measured."""
    tilt_deg: float
    """Between the wall's normal and the optical axis."""
    share: float
    """Of the image that the wall covers."""
    fill: float
    """Share of the wall's pixels that have a depth."""
    gross: float
    """Share of those that are wrong by more than GROSS_PX."""
    promised_gross: float
    """That share if errors were as large as their error bars say."""
    rms_px: float
    """Plane-fit RMS of disparity, px: the sub-pixel RMS."""
    rms_m: float
    """Plane-fit RMS of depth, metres."""
    rms_percent: float
    """The same in percent of depth."""
    promised_px: float
    """What ``rms_px`` would be if errors were as large as their error bars say, px."""
    promised_m: float
    """The same in metres."""
    within: tuple[float, float, float]
    """Share of the pixels within one, two and three error bars of the plane."""
    temporal: Temporal | None
    """None: too few frames."""
    accuracy: Accuracy | None
    """None: nobody said how far the wall is."""

    @property
    def times(self) -> float:
        """Measured plane-fit RMS over promised: 1 is an honest error bar, above 1 too short."""
        return self.rms_px / self.promised_px


@dataclass(frozen=True, eq=False, slots=True)
class Quality:
    """The depth quality of a session."""

    stands: tuple[Stand, ...]
    """In the order of the frames."""
    set_aside: tuple[SetAside, ...]
    """Frames without a wall."""
    size: tuple[int, int]
    """(width, height) of the depth images."""
    bias_px: NDArray[np.float64]
    """(6, 8) mean residual in each part of the image, px; NaN where no wall was seen. Beyond noise
    it is no matching error but a lens, or a wall that is not flat."""
    noise_px: NDArray[np.float64]
    """(6, 8) root mean square of the residuals in each part of the image, px."""

    @property
    def times(self) -> float:
        """Measured plane-fit RMS over promised, geometric mean over the stands."""
        return float(np.exp(np.mean([np.log(stand.times) for stand in self.stands])))

    @property
    def kept(self) -> bool:
        """Whether the error bars hold: no more measured than a third above what was promised."""
        return self.times <= _KEPT


def quality_facts(quality: Quality) -> dict[str, Any]:
    """Return everything as plain data for JSON; what could not be measured is None."""
    facts = {
        "schema": "stereo-depth-quality/1",
        "size": list(quality.size),
        "stands": [_stand_facts(stand) for stand in quality.stands],
        "measured_over_promised": quality.times,
        "error_bars_hold": quality.kept,
        "bias_px": quality.bias_px,
        "noise_px": quality.noise_px,
        "set_aside": [asdict(one) for one in quality.set_aside],
    }
    return dict(jsonable(facts))


def _stand_facts(stand: Stand) -> dict[str, Any]:
    facts = asdict(stand) | {"measured_over_promised": stand.times}
    if stand.accuracy is not None:
        facts["accuracy"] |= {"percent": stand.accuracy.percent}
    return facts
