"""How good a set of parameters is on one pair: against truth, or without, by a stand-in.

The stand-in is a sum of three shares, each over the pixels that both cameras see, holes filled:

    pixels where the right view's own map disagrees          left-right consistency
  + pixels that disagree with the consensus of several       what other parameters say of it
  + 0.25 x mean difference of gray levels after warping, each capped at 10

Holes are filled before any is counted, so that answering less is no way out; a smooth map pays in
the third, a noisy one in the first two. What only one camera sees is left out, by the consensus and
not by the map that is judged. Chosen on pairs.json, measured on pairs_more.json: see
benchmarks/tune.py for how well it ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from stereo.frame import Float, Mask
from stereo.gray import gray8_pair
from stereo.refining.refine import left_right_check
from stereo.tuning.cases import Case
from stereo.tuning.knobs import Values

FLOOR_PERCENT = 0.5
"""Added to every score, so that the last pixels of a nearly perfect pair decide nothing."""
_AGREE_PX = 1.0
_PHOTO = 0.25
_MOST_LEVELS = 10.0


class Judge(Protocol):
    """Scores parameters on a case; lower is better."""

    unit: str
    """What the score is, for people."""

    def score(self, case: Case, matcher: str, values: Values) -> float:
        """Return the score, above 0. Raises MatcherError for values that cannot be run."""
        ...


class TruthJudge:
    """Share of the visible pixels that are wrong after filling, percent: dense-2."""

    unit = "wrong pixels (dense-2)"

    def score(self, case: Case, matcher: str, values: Values) -> float:
        """See ``Judge``."""
        truth = case.truth
        assert truth is not None
        px = case.match(matcher, values)[1].px
        wrong = np.abs(px - truth.px)[truth.visible] > truth.limit_px
        return 100 * float(np.mean(wrong)) + FLOOR_PERCENT


def ranks(matcher: str) -> bool:
    """Return whether the stand-in was measured to rank this matcher's parameters well enough.

    On pairs_more.json, which it was not chosen on, its order of 16 random parameter sets agrees
    with that of true errors by a rank correlation of 0.72 per pair for sgbm and 0.57 for sgm
    (benchmarks/tune.py rank). sgm's fell to 0.30 per pair, and to nothing for the means, where only
    sets that are nearly as good as the defaults were compared: a search would follow chance there.
    """
    return matcher.startswith("sgbm")


class StandInJudge:
    """The stand-in above, percent; keeps the consensus of each case."""

    unit = "stand-in (no truth)"

    def __init__(self, experts: Sequence[Values]) -> None:
        """``experts`` are the parameters whose maps are the consensus."""
        self._experts = experts
        self._known: dict[str, tuple[Float, Mask]] = {}

    def score(self, case: Case, matcher: str, values: Values) -> float:
        """See ``Judge``."""
        consensus, visible = self._consensus(case, matcher)
        if not visible.any():
            return 100.0
        px = case.match(matcher, values)[1].px
        right = case.match_right(matcher, values)
        lonely = ~left_right_check(px, right, max_difference_px=_AGREE_PX)
        apart = np.abs(px - consensus) > _AGREE_PX
        shares = np.mean(lonely[visible]) + np.mean(apart[visible])
        return 100 * float(shares + _PHOTO * np.mean(_difference(case, px)[visible])) + (
            FLOOR_PERCENT
        )

    def _consensus(self, case: Case, matcher: str) -> tuple[Float, Mask]:
        if case.name not in self._known:
            left = [case.match(matcher, values)[1].px for values in self._experts]
            right = [case.match_right(matcher, values) for values in self._experts]
            middle = np.median(left, axis=0).astype(np.float32)
            other = np.median(right, axis=0).astype(np.float32)
            seen = left_right_check(middle, other, max_difference_px=_AGREE_PX)
            self._known[case.name] = middle, seen
        return self._known[case.name]


def _difference(case: Case, px: Float) -> Float:
    """(H, W) gray levels between the left image and the right one moved onto it, capped."""
    left, right = (
        image.astype(np.float32) for image in gray8_pair(case.pair.left, case.pair.right)
    )
    height, width = px.shape
    columns = (np.arange(width, dtype=np.float32) - px).astype(np.float32)
    rows = np.repeat(np.arange(height, dtype=np.float32)[:, None], width, axis=1)
    moved = cv2.remap(right, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.minimum(np.abs(left - moved), _MOST_LEVELS), np.float32)
