"""Which scenes belong together, and what is fitted without them.

Pictures of one family show the same things, by the same cameras, under the same light: what was
fitted to one of them has seen the others. So a family is left out whole or not at all. The list is
that of ../shared/reference/unseen-pairs.md, and stands in training/families.py.

What a script fits to pairs with truth it fits once to all, for use, and once without each family,
for measuring: the latter lies in ``benchmarks/folds/FAMILY.json``,

    {"matcher": {parameters of make_matcher}, "doubt": {points of stereo.refining.doubt},
     "sigma": [coefficients of stereo.depth.disparity_sigma]}

each may be missing. The learned code of the matching cost and the chooser of surfaces were trained
without a third of the families at a time; those weights are in ``training/folds/``. What people
chose by looking at pairs.json cannot be refitted; for that, pairs_more.json is what was left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from runpy import run_path
from typing import Any

FOLDS = Path(__file__).parent / "folds"
TRAINED = Path(__file__).parent.parent / "training" / "folds"
_TRAINING = run_path(str(TRAINED.parent / "families.py"))
FAMILIES: dict[str, tuple[str, ...]] = _TRAINING["FAMILIES"]
_FOLDS: tuple[tuple[str, ...], ...] = _TRAINING["FOLDS"]
"""Families that each training of the learned code, and of the chooser, left out."""


def family_of(name: str) -> str:
    """The family of a pair; one that is not in the list is a family of its own."""
    return next((family for family, names in FAMILIES.items() if name in names), name)


def families_of(names: Iterable[str]) -> list[str]:
    """The families that occur, in order of appearance."""
    return list(dict.fromkeys(family_of(name) for name in names))


def use_code_without(family: str | None) -> None:
    """Let matchers made from now on use the learned code that has not seen a family, and such a
    chooser choose surfaces from now on.
    """
    for variable, name in (("STEREO_LEARNED_CODE", "{}"), ("STEREO_CHOOSER", "chooser_{}")):
        os.environ.pop(variable, None)
        for fold, families in enumerate(_FOLDS):
            if family in families:
                os.environ[variable] = str(TRAINED / f"{name.format(fold)}.json")


def fitted_without(family: str) -> dict[str, Any]:
    """What scripts fitted without that family. One that no fit has seen needs nothing."""
    path = FOLDS / f"{family}.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}
