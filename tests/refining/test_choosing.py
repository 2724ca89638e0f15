"""Which surface a pixel beside an edge belongs to: by the images of both cameras."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support import levels

from stereo.errors import MatcherError
from stereo.frame import DisparityMap, RectifiedPair
from stereo.gray import gray_pair
from stereo.matching import sgm
from stereo.native import find_native
from stereo.refining.choosing import (
    CHOSEN_CONFIDENCE,
    KEEP,
    WEIGHTS,
    choose_surfaces,
    chooser,
    evidence,
)

pytestmark = pytest.mark.skipif(not sgm.is_available(), reason="native matcher not built")

ROOT = Path(__file__).parents[2]
NEAR, FAR = np.float32(14), np.float32(5)


def disk_pair(dtype: type = np.uint8) -> tuple[NDArray[np.bool_], RectifiedPair]:
    """A textured disk before a textured wall of nearly its colour, and where the disk is."""
    rng = np.random.default_rng(3)
    wall, front = (
        cv2.GaussianBlur(rng.normal(0, 60, (120, 220, 3)), (0, 0), 1.2) + colour
        for colour in ([120, 110, 100], [130, 115, 95])
    )
    y, x = np.mgrid[:120, :180]
    disk = np.hypot(x - 90, y - 60) < 35
    shown = []
    for seen_from in (0, 1):  # both slide to the left in the right image, the nearer one farther
        moved = np.hypot(x + seen_from * NEAR - 90, y - 60) < 35
        image = wall[:, seen_from * int(FAR) :][:, :180].copy()
        image[moved] = front[:, seen_from * int(NEAR) :][:, :180][moved]
        noisy = levels(image + rng.normal(0, 1, image.shape))
        shown.append(noisy.astype(dtype) * dtype(1 if dtype == np.uint8 else 257))
    return disk, RectifiedPair(*shown)


def fattened(disk: NDArray[np.bool_]) -> DisparityMap:
    fat = cv2.dilate(disk.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    px = np.where(fat, NEAR, FAR)
    return DisparityMap(px, np.full(px.shape, 0.8, np.float32))


@pytest.mark.parametrize("kind", ["colour", "gray", "one gray", "16 bit", "darker"])
def test_a_fattened_object_shrinks_to_its_outline(kind: str) -> None:
    disk, pair = disk_pair(np.uint16 if kind == "16 bit" else np.uint8)
    if kind == "gray":
        pair = RectifiedPair(*gray_pair(pair.left, pair.right))
    if kind == "one gray":
        pair = replace(pair, right=gray_pair(pair.left, pair.right)[1])
    if kind == "darker":
        pair = replace(pair, right=pair.right - np.minimum(pair.right, 5))
    given = fattened(disk)
    truth = np.where(disk, NEAR, FAR)
    visible = np.ones(disk.shape, bool)
    visible[:, :60] = False  # left of the disk is what only the left camera sees
    found = choose_surfaces(given, pair)
    wrong = [(np.abs(px - truth) > 1)[visible].sum() for px in (given.px, found.px)]
    assert wrong[1] < 0.6 * wrong[0]
    moved = found.px != given.px
    assert (found.confidence[moved] <= np.float32(CHOSEN_CONFIDENCE)).all()
    np.testing.assert_array_equal(found.confidence[~moved], given.confidence[~moved])


def test_holes_stay_and_surfaces_without_edges_are_left_alone() -> None:
    disk, pair = disk_pair()
    slope = np.tile(np.linspace(4, 14, 180, dtype=np.float32), (120, 1))
    slope[30:40, 50:90] = np.nan
    given = DisparityMap(slope, np.where(np.isnan(slope), 0, 0.9).astype(np.float32))
    np.testing.assert_array_equal(choose_surfaces(given, pair).px, slope)
    holey = fattened(disk)
    hole = np.zeros(disk.shape, bool)
    hole[::7, ::5] = True
    nothing = np.where(hole, np.float32(0), holey.confidence)
    holey = replace(holey, px=np.where(hole, np.float32(np.nan), holey.px), confidence=nothing)
    np.testing.assert_array_equal(np.isnan(choose_surfaces(holey, pair).px), np.isnan(holey.px))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_best_scored_candidate_wins_for_any_thread_count(threads: int) -> None:
    disk, pair = disk_pair()
    given = fattened(disk)
    native = find_native()
    assert native is not None
    shown = evidence(given, pair)
    wanted = shown[-1] > 0
    candidates, kinds, units = native.CHOOSER_SIZES
    disparity, clues = (np.asarray(part) for part in native.surface_candidates(*shown))
    first, second, last = np.split(chooser(), np.cumsum([(kinds + 1) * units, (units + 1) * units]))
    hidden = clues.reshape(-1, candidates, kinds)
    for layer in (first.reshape(-1, units), second.reshape(-1, units)):
        hidden = np.maximum(hidden @ layer[:-1] + layer[-1], 0)
    scores = np.where(np.isnan(disparity), -np.inf, hidden @ last)
    scores[:, 0] += KEEP
    sure = np.diff(np.sort(scores, axis=1)[:, -2:]).ravel() > 1e-3  # beyond rounding
    best = disparity[np.arange(len(scores)), scores.argmax(axis=1)]
    found = choose_surfaces(given, pair, threads=threads).px
    np.testing.assert_array_equal(found[wanted][sure], best[sure])
    np.testing.assert_array_equal(found[~wanted], given.px[~wanted])
    np.testing.assert_array_equal(disparity[:, 0], given.px[wanted])
    assert (found != given.px).any()


def test_the_weights_are_those_that_the_docs_name() -> None:
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    assert digest in (ROOT / "docs" / "learned-cost.md").read_text()


@pytest.mark.parametrize("text", ["{}", '{"layers": [[[1, 2]]]}', "not json"])
def test_wrong_weights_are_refused(text: str, tmp_path, monkeypatch) -> None:
    other = tmp_path / "other.json"
    other.write_text(text)
    monkeypatch.setenv("STEREO_CHOOSER", str(other))
    with pytest.raises(MatcherError, match=r"other\.json: expected"):
        chooser()
    right = json.loads(WEIGHTS.read_text())
    other = tmp_path / "right.json"
    other.write_text(json.dumps(right))
    monkeypatch.setenv("STEREO_CHOOSER", str(other))
    assert chooser().dtype == np.float32
