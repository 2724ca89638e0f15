"""Points of both images, to hundredths of a pixel, and rows that match without a rig file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support import textured_pair

from calib import CameraError, load_rig
from calib.health.check import check_rig
from calib.health.features import Gray, match_features
from calib.health.picture import picture
from calib.health.uncalibrated import self_rectified
from stereo.files.images import read_image
from stereo.frame import RectifiedPair
from stereo.gray import gray8_pair
from stereo.live.watch import RigState, RigWatch
from stereo.run.check import check_rows


@pytest.fixture(scope="module")
def room() -> tuple[Gray, Gray]:
    folder = Path(__file__).resolve().parents[3] / "sample_data" / "room"
    left, right = gray8_pair(*(read_image(folder / f"{s}.png") for s in ("left", "right")))
    return left, right


def lowered(image: Gray, rows: float) -> Gray:
    """The image whose content lies ``rows`` lower, exactly: by its Fourier transform."""
    spectrum = np.fft.fft2(image.astype(float))
    shift = np.exp(-2j * np.pi * np.fft.fftfreq(image.shape[0])[:, None] * rows)
    return np.clip(np.rint(np.fft.ifft2(spectrum * shift).real), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("rows", [0.0, 0.1, -0.1, 0.3, 0.8])
def test_a_tenth_of_a_row_shows(rows: float) -> None:
    pair = textured_pair(8.0, size=(400, 300))
    found = check_rows(RectifiedPair(pair.left, lowered(np.asarray(pair.right, np.uint8), rows)))
    assert found.offset_px == pytest.approx(-rows, abs=0.03)
    assert found.aligned
    if rows != 0.3:  # the limit itself
        assert found.drifted == (rows > 0.3)


def test_matches_lie_everywhere_and_are_nearly_all_right(room: tuple[Gray, Gray]) -> None:
    matches = match_features(*room)
    cells = np.unique(np.floor(matches.left / [240, 240]).astype(int), axis=0)
    assert len(cells) == 12
    assert len(matches) > 300


def test_exposure_does_not_matter(room: tuple[Gray, Gray]) -> None:
    left, right = room
    dark = (right // 3).astype(np.uint8)
    assert len(match_features(left, dark)) > 0.5 * len(match_features(left, right))


@pytest.mark.parametrize("size", [(10, 10), (100, 100)])
def test_nothing_to_see_gives_nothing(size: tuple[int, int]) -> None:
    blank = np.full(size, 100, np.uint8)
    assert len(match_features(blank, blank)) == 0
    assert len(match_features(blank, blank, any_pose=True)) == 0


def test_the_room_fits_its_rig(room: tuple[Gray, Gray], sample_data: Path) -> None:
    health = check_rig(load_rig(sample_data / "room" / "rig.yaml"), [room])
    assert health.grade == "good"
    assert health.rows.median_px < 0.2
    drawn = picture(health, room[0])
    assert drawn.dtype == np.uint8
    assert drawn.shape[1:] == (960, 3)
    assert drawn.shape[0] > 2 * 720


def test_rows_of_the_raw_room_match_without_its_rig(room: tuple[Gray, Gray]) -> None:
    found = self_rectified([room])
    assert found.rows.median_px < 0.5
    assert found.rows.systematic_px < 0.3
    left, right = (
        cv2.remap(image, np.nan_to_num(found.sources(side), nan=-1e4), None, cv2.INTER_LINEAR)
        for side, image in enumerate(room)
    )
    rows = check_rows(RectifiedPair(np.asarray(left, np.uint8), np.asarray(right, np.uint8)))
    assert rows.aligned
    assert rows.typical_px < 0.6
    assert np.percentile(found.rows.disparity - found.doffs_px, 2) > 0


def test_cameras_turned_and_scaled_towards_each_other(room: tuple[Gray, Gray]) -> None:
    left, right = room
    turn = cv2.getRotationMatrix2D((480, 360), 8, 0.8)
    found = self_rectified([(left, np.asarray(cv2.warpAffine(right, turn, (960, 720)), np.uint8))])
    assert found.rows.median_px < 0.6


def test_what_is_no_pair_is_refused(room: tuple[Gray, Gray]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300), dtype=np.uint8)
    with pytest.raises(CameraError, match="same scene"):
        self_rectified([(noise, noise[::-1].copy())])


def test_the_watch_speaks_after_looks_that_agree_and_once() -> None:
    said: list[RigState] = []
    good = textured_pair(8.0, size=(320, 240))
    bad = RectifiedPair(good.left, lowered(np.asarray(good.right, np.uint8), 0.8))
    blank = np.full((240, 320), 90, np.uint8)
    with RigWatch(said.append, every_s=100) as watch:
        for pair in (good, bad, bad, RectifiedPair(blank, blank)):
            watch.look(pair)
        assert said[-1:] == [] or said[-1].moved
        for _ in range(4):
            watch.look(bad)
        assert [state.moved for state in said] == [True]
        assert "stereo check" in said[0].line()
        for _ in range(6):
            watch.look(good)
        assert [state.moved for state in said] == [True, False]


def test_real_rigs_fit_their_own_files(shared_data: Path) -> None:
    """EuRoC's raw rows lie 13 px apart; one fisheye pair's 9 px."""
    sequences = shared_data / "sequences"
    names = sorted(path.name for path in (sequences / "euroc/cam0").glob("*.png"))[:9:4]
    pairs = [
        (np.asarray(cv2.imread(str(sequences / "euroc/cam0" / n), 0), np.uint8),
         np.asarray(cv2.imread(str(sequences / "euroc/cam1" / n), 0), np.uint8))
        for n in names
    ]  # fmt: skip
    health = check_rig(load_rig(sequences / "euroc"), pairs)
    assert health.grade == "good"
    assert health.rows.median_px < 0.15
    folder = sequences / "mynteye_fisheye"
    fisheye = [
        np.asarray(cv2.imread(str(folder / f"{side}_fisheye_img_0.png"), 0), np.uint8)
        for side in ("left", "right")
    ]
    health = check_rig(load_rig(folder), [(fisheye[0], fisheye[1])])
    assert health.trusted
    assert health.rows.median_px < 0.4
