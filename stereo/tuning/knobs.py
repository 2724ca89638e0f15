"""Which parameters of a matcher can be tuned, how far, and what each one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stereo.errors import InputError
from stereo.matching import MATCHERS, SgbmParams

Values = Mapping[str, int | bool]
"""name -> value of some parameters of one matcher."""


@dataclass(frozen=True, slots=True)
class Knob:
    """One parameter, and the values worth trying; the matcher itself refuses what it cannot run."""

    name: str
    """As the matcher's parameters call it."""
    low: int
    """Smallest value worth trying."""
    high: int
    """Largest."""
    effect: str
    """What more of it does, in one sentence."""
    step: int = 1
    """From one value to the next."""
    log: bool = False
    """Whether its ratio counts and not its difference."""

    @property
    def switch(self) -> bool:
        """Whether it is on or off."""
        return (self.low, self.high) == (0, 1)


_COMMON = (
    Knob(
        "uniqueness_percent",
        0,
        40,
        "Higher drops matches whose best rival is nearly as good: fewer wrong pixels, more holes.",
    ),
    Knob(
        "left_right_max_px",
        -1,
        4,
        "How far the right view may disagree: lower drops more of what one camera does not see, "
        "-1 keeps all.",
    ),
    Knob(
        "speckle_size_px",
        0,
        400,
        "Islands up to this size are removed: higher takes away noise, and small things with it.",
        step=10,
    ),
    Knob(
        "speckle_range_px",
        1,
        6,
        "The step of disparity that parts an island from what is around it: lower cuts more off.",
    ),
)

_SGM = (
    Knob(
        "p1",
        1,
        60,
        "Cost of a step of one pixel: higher flattens slanted and curved surfaces, lower lets "
        "noise in.",
    ),
    Knob(
        "p2",
        10,
        110,
        "Cost of a jump: higher carries surfaces over faint texture and blurs thin things, lower "
        "frays walls.",
    ),
    Knob(
        "p2_width",
        0,
        64,
        "How steep the image must be for a jump to cost half: lower trusts faint edges, 0 none.",
        step=2,
    ),
    Knob(
        "gradient_cap",
        2,
        40,
        "How much a difference of brightness slope may count: higher follows strong edges, lower "
        "forgives reflections.",
    ),
    Knob("median", 0, 1, "A median of 3x3 on the result: on smooths single wrong pixels away."),
    *_COMMON,
)

_SGBM = (
    Knob(
        "block_size",
        1,
        11,
        "Side of the matched block: larger is steadier on faint texture and fattens edges.",
        step=2,
    ),
    Knob(
        "p1",
        4,
        4000,
        "Cost of a step of one pixel: higher flattens slanted and curved surfaces, lower lets "
        "noise in.",
        log=True,
    ),
    Knob(
        "p2",
        16,
        16000,
        "Cost of a jump: higher carries surfaces over faint texture and blurs thin things, lower "
        "frays walls.",
        log=True,
    ),
    Knob(
        "pre_filter_cap",
        1,
        63,
        "Where slopes of brightness are cut: higher follows strong edges, lower forgives a "
        "difference between the cameras.",
    ),
    *_COMMON,
)


def defaults_of(matcher: str) -> dict[str, int | bool]:
    """Return the defaults of what can be tuned of the matcher called so."""
    params = _params(matcher)
    values = {knob.name: getattr(params, knob.name) for knob in _known(matcher)}
    if isinstance(params, SgbmParams):  # its None means a value that depends on the block
        values["p1"], values["p2"] = params.penalties
    return values


def knobs_of(matcher: str) -> tuple[Knob, ...]:
    """Return what can be tuned; each reaches to the default. Raises InputError for a stranger."""
    defaults = defaults_of(matcher)
    return tuple(
        replace(
            knob,
            low=min(knob.low, int(defaults[knob.name])),
            high=max(knob.high, int(defaults[knob.name])),
        )
        for knob in _known(matcher)
    )


def typed(matcher: str, values: Mapping[str, Any]) -> dict[str, int | bool]:
    """Return ``values`` as the matcher takes them: switches as bool, all else as int."""
    switches = {knob.name for knob in _known(matcher) if knob.switch}
    return {name: bool(value) if name in switches else int(value) for name, value in values.items()}


def _known(matcher: str) -> list[Knob]:
    """Those that this matcher, as it is now, has."""
    family = _SGBM if isinstance(_params(matcher), SgbmParams) else _SGM
    return [knob for knob in family if knob.name in MATCHERS[matcher].names]


def _params(matcher: str) -> Any:
    if matcher not in MATCHERS:
        raise InputError(f"unknown matcher {matcher!r}; choose one of {', '.join(MATCHERS)}")
    return MATCHERS[matcher].params()
