"""A result folder as one picture, and the distance under the mouse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stereo.cloud import PointCloud
from stereo.files import outputs
from stereo.viewers.folder import ResultFolder, panels
from stereo.viewers.show import fitting_size

SHAPE = (48, 64)
GEOMETRY = {"focal_px": 100, "baseline_m": 0.1, "cx_px": 31.5, "cy_px": 23.5, "doffs_px": 0}


def written(folder: Path, *, sigma: bool, summary: bool, image: bool = True) -> ResultFolder:
    depth = np.tile(np.linspace(2, 3, SHAPE[1], dtype=np.float32), (SHAPE[0], 1))
    depth[:20, :20] = np.nan
    outputs.write_depth_png_mm(folder / "depth_mm.png", depth)
    if image:
        outputs.write_image_png(folder / "left.png", np.full(SHAPE, 90, np.uint8))
    if sigma:
        outputs.write_tiff(folder / "sigma_m.tiff", np.full(SHAPE, 0.012, np.float32))
    if summary:
        outputs.write_json(folder / "summary.json", GEOMETRY)
    return ResultFolder.load(folder)


def test_distance_with_its_error_bar(tmp_path: Path) -> None:
    result = written(tmp_path, sigma=True, summary=True)
    assert result.words_at(0, 47).startswith("column 0, row 47: distance 2.149 ± 0.013 m")
    assert "unknown" in result.words_at(5, 5)
    assert result.words_at(5, 48) == ""


def test_without_sigma_the_distance_alone(tmp_path: Path) -> None:
    said = written(tmp_path, sigma=False, summary=True).words_at(0, 47)
    assert said == "column 0, row 47: distance 2.149 m (no error bar: no sigma_m.tiff)"


def test_without_the_geometry_the_depth(tmp_path: Path) -> None:
    said = written(tmp_path, sigma=True, summary=False).words_at(0, 47)
    assert said == "column 0, row 47: depth 2.000 ± 0.012 m"


@pytest.mark.parametrize("image", [True, False])
def test_the_mouse_finds_its_pixel_in_either_panel(tmp_path: Path, image: bool) -> None:
    drawn = panels(written(tmp_path, sigma=False, summary=False, image=image))
    assert len(drawn.starts) == 1 + image
    for left, top in drawn.starts:
        x, y = left + 10.5 * drawn.scale, top + 20.5 * drawn.scale
        assert drawn.place(x, y) == (10, 20)
    assert drawn.place(drawn.picture.shape[1] + 1, 50) is None
    assert not np.array_equal(drawn.saying("2.1 m"), drawn.picture)


def test_wide_images_lie_below_each_other(tmp_path: Path) -> None:
    outputs.write_image_png(tmp_path / "left.png", np.full((30, 100), 90, np.uint8))
    outputs.write_depth_png_mm(tmp_path / "depth_mm.png", np.full((30, 100), 2, np.float32))
    drawn = panels(ResultFolder.load(tmp_path))
    assert [left for left, _ in drawn.starts] == [0, 0]
    for left, top in drawn.starts:
        assert drawn.place(left + 10.5 * drawn.scale, top + 20.5 * drawn.scale) == (10, 20)
        assert drawn.place(left + 5, top + 301) is None  # the scale below


def test_a_cloud_alone_is_shown(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(1, 2, (500, 3)).astype(np.float32)
    PointCloud(points, np.full(points.shape, 200, np.uint8)).save(tmp_path / "cloud.ply")
    drawn = panels(ResultFolder.load(tmp_path))
    assert drawn.starts == ()
    assert drawn.picture.shape == (34 + 465, 620, 3)


def test_maps_of_two_results_are_refused(tmp_path: Path) -> None:
    written(tmp_path, sigma=False, summary=False)
    outputs.write_image_png(tmp_path / "left.png", np.zeros((10, 12), np.uint8))
    with pytest.raises(ValueError, match=r"left\.png has 12x10 pixels, the depth 64x48"):
        ResultFolder.load(tmp_path)


def test_windows_fit_the_screen_and_keep_their_shape() -> None:
    assert fitting_size((640, 480), (1920, 1080)) == (640, 480)
    width, height = fitting_size((4000, 2000), (1366, 768))
    assert (width, height) == (1229, 615)
