"""Manifests of pairs with ground truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from manifests import make_manifest

from stereo.errors import ImageError, InputError
from stereo.evaluation.manifest import load_manifest
from stereo.files import outputs


def test_truth_and_masks_are_read_as_described(tmp_path: Path) -> None:
    (item,) = load_manifest(make_manifest(tmp_path, mask="m.png", mask_visible_value=255))
    truth = item.truth()
    assert np.isnan(truth[:5]).all()
    assert np.all(truth[5:] == 4)
    visible = item.visible(truth)
    assert not visible[:, :10].any()
    assert visible[:, 10:].all()


def test_right_truth_decides_visibility(tmp_path: Path) -> None:
    (item,) = load_manifest(make_manifest(tmp_path, right_ground_truth="t.png"))
    visible = item.visible(item.truth())
    assert not visible[:, :4].any()  # their match would lie left of the right image
    assert visible[5:, 4:].all()


def test_without_masks_all_known_pixels_count(tmp_path: Path) -> None:
    (item,) = load_manifest(make_manifest(tmp_path))
    np.testing.assert_array_equal(item.visible(item.truth()), np.isfinite(item.truth()))


def test_views_of_two_sizes_are_named_with_their_pair(tmp_path: Path) -> None:
    (item,) = load_manifest(make_manifest(tmp_path))
    outputs.write_image_png(tmp_path / "r.png", np.zeros((10, 20), np.uint8))
    with pytest.raises(ImageError, match=r"pair 'a': .*320x120.*20x10"):
        item.pair()


@pytest.mark.parametrize("text", ["", "{}", '{"pairs": []}', '{"pairs": [{}]}', "[1]"])
def test_broken_manifests_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(InputError, match=r"p\.json"):
        load_manifest(tmp_path / "p.json")
    with pytest.raises(InputError, match="cannot be read"):
        load_manifest(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ground_truth": None}, "has no 'ground_truth'"),
        ({"left": 5}, "has 'left': 5; a path was expected"),
        ({"right": "gone.png"}, r"names 'right': .*gone\.png, which is not there"),
        ({"mask": "gone.png", "mask_visible_value": 255}, "names 'mask'"),
        ({"mask": "m.png"}, "has no 'mask_visible_value'"),
        ({"ground_truth_divisor": 0}, "'ground_truth_divisor': 0; a number above 0"),
        ({"ground_truth_divisor": "8"}, "'ground_truth_divisor': '8'; a number above 0"),
        ({"num_disparities": "many"}, "'num_disparities': 'many'; a whole number"),
        ({"num_disparities": True}, "'num_disparities': True; a whole number"),
        ({"num_disparities": 10**300}, "'num_disparities': 10*; a whole number"),
        ({"ground_truth_divisor": 10**300}, "'ground_truth_divisor': 10*; a number above 0"),
        ({"left": "x" * 5000}, "which is not there"),
        ({"num_disparities": -3}, "'num_disparities': -3; a whole number of at least 1"),
        ({"name": "../a"}, "needs a name that can be a file's"),
    ],
)
def test_a_mistake_in_any_entry_is_named_before_work_begins(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = make_manifest(tmp_path)
    good = json.loads(path.read_text())["pairs"][0]
    bad = {k: v for k, v in {**good, "name": "b", **change}.items() if v is not None}
    path.write_text(json.dumps({"pairs": [good, bad]}))
    with pytest.raises(InputError, match=rf"pairs\.json: pair '.*' .*{message}") as raised:
        load_manifest(path)
    assert repr(bad["name"]) in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": "small.png", "mask_visible_value": 255}, "mask is 20x10, ground_truth is"),
        ({"right_ground_truth": "small.png"}, "right_ground_truth is 20x10, ground_truth is"),
        ({"mask": "m.png", "mask_visible_value": 7}, "no pixel is both visible and known"),
    ],
)
def test_masks_that_do_not_fit_are_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    outputs.write_image_png(tmp_path / "small.png", np.full((10, 20), 255, np.uint8))
    (item,) = load_manifest(make_manifest(tmp_path, **change))
    with pytest.raises(InputError, match=f"pair 'a': {message}"):
        item.visible(item.truth())
