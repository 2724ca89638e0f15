"""The library as people write it: one call, and what comes out can be asked and saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import textured_pair

import stereo
from calib import load_rig
from stereo import StereoGeometry, compute_depth, make_matcher
from stereo.cloud import PointCloud
from stereo.errors import InputError
from stereo.files.images import read_image
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification

GEOMETRY = StereoGeometry(500.0, 0.1, 159.5, 59.5)


def test_files_and_arrays_give_the_same(sample_data: Path) -> None:
    room = sample_data / "room"
    from_files = compute_depth(room / "left.png", str(room / "right.png"), room / "rig.yaml")
    images = [read_image(room / f"{side}.png") for side in ("left", "right")]
    from_arrays = compute_depth(*images, load_rig(room / "rig.yaml"))
    assert from_files.depth is not None
    assert from_arrays.depth is not None
    np.testing.assert_array_equal(from_files.depth.depth_m, from_arrays.depth.depth_m)
    assert np.isfinite(from_files.depth.depth_m).mean() > 0.8


def test_rectified_images_need_only_their_geometry() -> None:
    pair = textured_pair(10.0)
    result = compute_depth(pair.left, pair.right, GEOMETRY)
    assert result.depth is not None
    depth_m, sigma_m = result.depth.at(160, 60)
    assert depth_m == pytest.approx(5, rel=0.02)
    assert 0 < sigma_m < 0.5
    with pytest.raises(InputError, match=r"pixel \(320, 0\) lies outside of the image of 320x120"):
        result.depth.at(320, 0)
    assert compute_depth(pair.left, pair.right).depth is None


def test_a_matcher_may_be_named_or_given() -> None:
    pair = textured_pair(10.0)
    named = compute_depth(pair.left, pair.right, matcher="sgbm", num_disparities=32)
    own = compute_depth(pair.left, pair.right, matcher=make_matcher("sgbm", num_disparities=32))
    np.testing.assert_array_equal(named.disparity.px, own.disparity.px)


def test_a_pipeline_needs_no_more_than_a_rectification() -> None:
    pair = textured_pair(10.0)
    pipeline = StereoPipeline(Rectification.already_rectified(GEOMETRY))
    result = pipeline.process(pair.left, pair.right)
    assert np.nanmedian(result.disparity.px) == pytest.approx(10, abs=0.1)
    with pytest.raises(InputError, match="a left and a right image"):
        pipeline.process(pair.left)


def test_results_and_clouds_are_saved_and_come_back(tmp_path: Path) -> None:
    pair = textured_pair(10.0)
    result = compute_depth(pair.left, pair.right, GEOMETRY)
    files = result.save(tmp_path / "out", outputs=["depth", "cloud"])
    assert {path.name for path in files.values()} == {"depth_mm.png", "cloud.ply"}
    assert all(path.is_file() for path in files.values())
    cloud = result.cloud()
    cloud.save(tmp_path / "a.pcd")
    np.testing.assert_array_equal(PointCloud.load(tmp_path / "a.pcd").points, cloud.points)
    with pytest.raises(InputError, match=r"a\.xyz: a cloud ends in \.ply or \.pcd"):
        cloud.save(tmp_path / "a.xyz")
    with pytest.raises(InputError, match="unknown output 'depht'"):
        result.save(tmp_path / "out", outputs=["depht"])


@pytest.mark.usefixtures("open3d")
def test_a_cloud_becomes_open3ds() -> None:
    pair = textured_pair(10.0)
    cloud = compute_depth(pair.left, pair.right, GEOMETRY).cloud()
    theirs = cloud.to_open3d()
    np.testing.assert_allclose(np.asarray(theirs.points), cloud.points)
    np.testing.assert_allclose(np.asarray(theirs.colors) * 255, cloud.colors, atol=1e-9)


def test_what_is_printed_is_one_line() -> None:
    pair = textured_pair(10.0)
    frame = stereo.StereoFrame(pair.left, pair.right)
    pipeline = StereoPipeline(Rectification.already_rectified(GEOMETRY))
    result = pipeline.process(frame)
    for item in (
        *(frame, pair, pipeline, result, result.disparity, result.depth, result.cloud()),
        *(pipeline.rectification, pipeline.matcher, make_matcher("sgbm")),
    ):
        text = repr(item)
        assert "\n" not in text
        assert "array" not in text
        assert len(text) < 600
    assert repr(result.depth).startswith("DepthFrame(320x120, 9")
    assert "median 5.0" in repr(result)
