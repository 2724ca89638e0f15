"""What the learned cost trains on, and which scenes belong together: a family is never split.

A fold leaves whole families out, so that its weights can be judged on scenes they never saw.
"""

from __future__ import annotations

FAMILIES: dict[str, tuple[str, ...]] = {
    "motorcycle": ("motorcycle_q",),
    "middlebury_2003": (
        "cones",
        "teddy",
        "venus",
        "tsukuba",
        "barn1",
        "barn2",
        "bull",
        "poster",
        "sawtooth",
    ),
    "middlebury_2005": ("art", "books", "dolls", "laundry", "reindeer"),
    "cloth": ("cloth1", "cloth2", "cloth3", "cloth4"),
    "baby": ("baby1", "baby2", "baby3"),
    "rocks": ("rocks1", "rocks2", "aloe"),
    "smooth": ("flowerpots", "midd1", "midd2", "wood1", "wood2"),
    "kitti": ("kitti_000046",),
    "flyingthings": ("flyingthings_a",),
    # no truth: what our own --quality is sure of and both views agree on
    "karlsruhe": tuple(f"karlsruhe_{k:02}" for k in range(12)),
    "foundationstereo": ("foundationstereo",),
    "playtable": ("playtable_h",),
}

FOLDS: tuple[tuple[str, ...], ...] = (
    ("motorcycle", "middlebury_2005", "cloth"),
    ("middlebury_2003", "rocks", "flyingthings"),
    # Karlsruhe is where KITTI was taken, too: they go together
    ("baby", "smooth", "kitti", "karlsruhe"),
)
"""Families that each fold leaves out."""


def left_out(fold: int | None) -> frozenset[str]:
    """Names of the pairs that a fold may not see; None: the final training, which sees all."""
    families = () if fold is None else FOLDS[fold]
    return frozenset(name for family in families for name in FAMILIES[family])


def family_of(name: str) -> str:
    """Which family a pair belongs to."""
    return next(family for family, names in FAMILIES.items() if name in names)
