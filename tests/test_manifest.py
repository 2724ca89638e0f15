"""Manifests of pairs with ground truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support import textured_pair

from stereo import outputs
from stereo.errors import InputError
from stereo.manifest import load_manifest


def make(folder: Path, **more: object) -> Path:
    pair = textured_pair(4.0)
    outputs.write_image_png(folder / "l.png", pair.left)
    outputs.write_image_png(folder / "r.png", pair.right)
    truth = np.full(pair.left.shape, 32, np.uint8)
    truth[:5] = 0
    outputs.write_image_png(folder / "t.png", truth)
    mask = np.full(pair.left.shape, 255, np.uint8)
    mask[:, :10] = 128
    outputs.write_image_png(folder / "m.png", mask)
    entry = {
        "name": "a", "left": "l.png", "right": "r.png", "ground_truth": "t.png",
        "ground_truth_divisor": 8, "num_disparities": 16, **more,
    }  # fmt: skip
    path = folder / "pairs.json"
    path.write_text(json.dumps({"pairs": [entry]}))
    return path


def test_truth_and_masks_are_read_as_described(tmp_path: Path) -> None:
    (item,) = load_manifest(make(tmp_path, mask="m.png", mask_visible_value=255))
    truth = item.truth()
    assert np.isnan(truth[:5]).all()
    assert np.all(truth[5:] == 4)
    visible = item.visible(truth)
    assert not visible[:, :10].any()
    assert visible[:, 10:].all()


def test_right_truth_decides_visibility(tmp_path: Path) -> None:
    (item,) = load_manifest(make(tmp_path, right_ground_truth="t.png"))
    visible = item.visible(item.truth())
    assert not visible[:, :4].any()  # their match would lie left of the right image
    assert visible[5:, 4:].all()


def test_without_masks_all_known_pixels_count(tmp_path: Path) -> None:
    (item,) = load_manifest(make(tmp_path))
    np.testing.assert_array_equal(item.visible(item.truth()), np.isfinite(item.truth()))


@pytest.mark.parametrize("text", ["", "{}", '{"pairs": []}', '{"pairs": [{}]}', "[1]"])
def test_broken_manifests_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(InputError, match=r"p\.json"):
        load_manifest(tmp_path / "p.json")
    with pytest.raises(InputError, match="cannot be read"):
        load_manifest(tmp_path / "none.json")


def test_missing_keys_are_named(tmp_path: Path) -> None:
    path = make(tmp_path)
    entry = json.loads(path.read_text())["pairs"][0]
    del entry["ground_truth"]
    path.write_text(json.dumps({"pairs": [entry]}))
    with pytest.raises(InputError, match="pair 'a' in the manifest has no 'ground_truth'"):
        load_manifest(path)[0].truth()
