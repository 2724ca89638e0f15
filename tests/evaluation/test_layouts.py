"""Data sets are recognised by how they lie on disk, and read with the right scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluation import datasets

from stereo.errors import InputError
from stereo.evaluation.layouts import load_pairs

NAMES = {
    "middlebury_2001": ["venus"],
    "map_2001": ["map"],
    "tsukuba": ["tsukuba"],
    "middlebury_2003": ["cones"],
    "middlebury_2006": ["Aloe"],
    "middlebury_2006_all_views": ["Art"],
    "middlebury_2014": ["Adirondack-perfect"],
    "eth3d": ["delivery_area_1l"],
    "kitti_2012": ["000007_10"],
    "kitti_2015": ["000007_10"],
    "flyingthings": ["TRAIN_A_0000_0006"],
    "flyingthings_subset": ["0000000"],
    "booster": ["Bathroom_im0", "Bathroom_im1"],
    "tartanair": ["000000"],
}


@pytest.mark.parametrize("name", list(datasets.MAKERS))
def test_each_layout_is_recognised_and_read_in_px(tmp_path: Path, name: str) -> None:
    datasets.MAKERS[name](tmp_path)
    pairs = load_pairs(tmp_path)
    assert [item.name for item in pairs] == NAMES[name]
    for item in pairs:
        assert item.pair().left.shape[:2] == datasets.SHAPE
        truth = item.truth()
        np.testing.assert_allclose(truth[5:], datasets.SHIFT, atol=1e-5)
        seen = item.visible(truth) & np.isfinite(truth)
        assert seen[10:, 10:].all()
        assert item.geometry() is None or item.geometry().focal_px > 0  # type: ignore[union-attr]


def test_what_layouts_know_beside_the_truth(tmp_path: Path) -> None:
    for name, maker in datasets.MAKERS.items():
        maker(tmp_path / name)
    found = {name: load_pairs(tmp_path / name)[0] for name in datasets.MAKERS}
    ranges = {name: item.num_disparities for name, item in found.items()}
    assert (ranges["middlebury_2001"], ranges["tsukuba"], ranges["middlebury_2003"]) == (32, 16, 64)
    assert (ranges["middlebury_2006"], ranges["middlebury_2014"]) == (128, 16)
    assert ranges["kitti_2015"] == ranges["booster"] == "auto"
    meters = {name: item.geometry() for name, item in found.items()}
    half = meters["middlebury_2006"]
    assert half is not None
    assert (half.focal_px, half.baseline_m, half.doffs_px) == (1870, 0.160, 135)
    kitti, tartan, year_2014 = (
        meters[name] for name in ("kitti_2012", "tartanair", "middlebury_2014")
    )
    assert kitti is not None
    assert tartan is not None
    assert year_2014 is not None
    assert kitti.baseline_m == pytest.approx(0.54)
    assert (tartan.focal_px, tartan.baseline_m) == (320, 0.25)
    assert (year_2014.baseline_m, year_2014.doffs_px) == (0.12, 2)
    truth = found["kitti_2015"].truth()
    objects = found["kitti_2015"].foreground(truth)
    assert objects is not None
    assert objects[5:].all()
    assert not objects[:5].any()


def test_the_other_pass_of_sceneflow_is_named(tmp_path: Path) -> None:
    datasets.flyingthings(tmp_path)
    (clean,), (final,) = load_pairs(tmp_path), load_pairs(tmp_path, "sceneflow-final")
    assert "frames_cleanpass" in clean.entry["left"]
    assert "frames_finalpass" in final.entry["left"]


def test_two_years_that_look_alike_are_told_apart_or_asked_for(tmp_path: Path) -> None:
    datasets.middlebury_2001(tmp_path, "somewhere", divisor=4)
    with pytest.raises(InputError, match="--dataset middlebury-2001 or middlebury-2003"):
        load_pairs(tmp_path)
    (item,) = load_pairs(tmp_path, "middlebury-2003")
    np.testing.assert_array_equal(item.truth()[5:], datasets.SHIFT)


def test_a_size_that_nobody_published_is_asked_for(tmp_path: Path) -> None:
    datasets.middlebury_2006(tmp_path)
    (tmp_path / "HalfSize").rename(tmp_path / "mine")
    with pytest.raises(InputError, match=r"64 px high.*--dataset middlebury-2006-full"):
        load_pairs(tmp_path)
    assert load_pairs(tmp_path, "middlebury-2006-half")[0].num_disparities == 128


def test_pairs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for size in ("trainingQ", "trainingH"):
        datasets.middlebury_2014(tmp_path / size)
    names = [item.name for item in load_pairs(tmp_path)]
    assert names == ["trainingH_Adirondack-perfect", "trainingQ_Adirondack-perfect"]


def test_an_empty_folder_and_a_missing_image_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pairs with ground truth of any layout; known"):
        load_pairs(tmp_path)
    with pytest.raises(InputError, match="no layout is called 'kity'"):
        load_pairs(tmp_path, "kity")
    datasets.kitti_2015(tmp_path)
    (tmp_path / "training/image_3/000007_10.png").unlink()
    with pytest.raises(InputError, match=r"pair '000007_10' names 'right': .*which is not there"):
        load_pairs(tmp_path)
