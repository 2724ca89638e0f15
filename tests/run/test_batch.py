"""Many pairs: one bad pair costs only itself, and what comes out does not depend on the jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from support import textured_pair

from stereo.errors import ImageError, OutputError, SourceError, SwappedPairError
from stereo.files import outputs
from stereo.frame import StereoFrame
from stereo.matching import make_matcher
from stereo.pipeline import StereoPipeline
from stereo.rectify import Rectification
from stereo.run.batch import run_batch
from stereo.run.pairs import Pair, PairFiles, SourcePair
from stereo.run.processing import BatchSettings, PairReport, SetAside

WRITTEN = ("disparity", "confidence")


@pytest.fixture
def pipeline() -> StereoPipeline:
    matcher = make_matcher("sgbm", num_disparities="auto")
    return StereoPipeline(Rectification.already_rectified(), matcher)


def frame(number: int, *, name: str = "") -> StereoFrame:
    pair = textured_pair(4.0 + 2 * number, seed=number)
    return StereoFrame(pair.left, pair.right, number / 10, name=name)


def files(folder: Path, count: int = 4) -> list[PairFiles]:
    """Pairs "0", "1", ... of files."""
    pairs = []
    for number in range(count):
        made = frame(number)
        paths = folder / f"{number}_l.png", folder / f"{number}_r.png"
        folder.mkdir(exist_ok=True)
        for path, image in zip(paths, (made.left, made.right), strict=True):
            outputs.write_image_png(path, image)
        pairs.append(PairFiles(str(number), *paths))
    return pairs


def run(
    pairs: object, pipeline: StereoPipeline, out: Path, *, jobs: int = 1, swap: bool = False
) -> list[PairReport | SetAside]:
    settings = BatchSettings(out, WRITTEN, swap=swap)
    return list(run_batch(pairs, pipeline, settings, jobs=jobs))  # type: ignore[arg-type]


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_bad_pairs_are_set_aside_in_their_place(
    pipeline: StereoPipeline, tmp_path: Path, jobs: int
) -> None:
    pairs = files(tmp_path / "in", 6)
    pairs[1].left.write_bytes(pairs[1].left.read_bytes()[:500])
    outputs.write_image_png(pairs[2].left, textured_pair(4.0, size=(200, 120)).left)
    pairs[4] = PairFiles("4", pairs[4].right, pairs[4].left)  # type: ignore[arg-type]
    found = run(pairs, pipeline, tmp_path / "out", jobs=jobs)
    assert [one.name for one in found] == list("012345")
    aside = {one.name: one.error for one in found if isinstance(one, SetAside)}
    assert {name: type(error) for name, error in aside.items()} == {
        "1": ImageError,
        "2": ImageError,
        "4": SwappedPairError,
    }
    done = sorted(path.parent.name for path in (tmp_path / "out").rglob("summary.json"))
    assert done == ["0", "3", "5"]


def test_results_do_not_depend_on_the_number_of_jobs(
    pipeline: StereoPipeline, tmp_path: Path
) -> None:
    """The ranges differ from pair to pair, so that a matcher shared by two threads would show."""
    pairs = files(tmp_path / "in", 8)
    bytes_of = {}
    for jobs in (1, 2, 5):
        out = tmp_path / str(jobs)
        run(pairs, pipeline, out, jobs=jobs)
        written = [path for path in sorted(out.rglob("*")) if path.suffix in (".pfm", ".png")]
        bytes_of[jobs] = [(path.relative_to(out), path.read_bytes()) for path in written]
    assert len(bytes_of[1]) == 16
    assert bytes_of[1] == bytes_of[2] == bytes_of[5]


def test_the_words_of_opencv_come_back_after_damaged_images_in_two_threads(
    pipeline: StereoPipeline, tmp_path: Path
) -> None:
    """Its level is one for the process: two threads must not leave it down."""
    before = cv2.utils.logging.getLogLevel()
    pairs = files(tmp_path / "in", 12)
    for pair in pairs[::2]:
        damaged = bytearray(pair.left.read_bytes())
        damaged[60:90] = bytes(30)
        pair.left.write_bytes(damaged)
    found = run(pairs, pipeline, tmp_path / "out", jobs=4)
    assert sum(isinstance(one, SetAside) for one in found) == 6
    assert cv2.utils.logging.getLogLevel() == before


def test_a_source_that_fails_on_the_way_keeps_what_came_before(
    pipeline: StereoPipeline, tmp_path: Path
) -> None:
    def cut(after: int) -> Iterator[Pair]:
        for number in range(after):
            yield SourcePair("video", number, frame(number))
        raise SourceError("ends too early")

    found = run(cut(2), pipeline, tmp_path, jobs=2)
    assert [type(one) for one in found] == [PairReport, PairReport, SetAside]
    assert str(found[2].error) == "ends too early"  # type: ignore[union-attr]
    with pytest.raises(SourceError, match="ends too early"):
        run(cut(0), pipeline, tmp_path)


def test_one_pair_alone_raises(pipeline: StereoPipeline, tmp_path: Path) -> None:
    (pair,) = files(tmp_path / "in", 1)
    pair.left.write_text("no image")
    with pytest.raises(ImageError, match="not an image"):
        run([pair], pipeline, tmp_path / "out")


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_would_end_every_pair_ends_the_run(
    pipeline: StereoPipeline, tmp_path: Path, jobs: int
) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="in the way"):
        run(files(tmp_path / "in"), pipeline, tmp_path / "out", jobs=jobs)


def test_a_result_of_other_settings_does_not_outlive_a_pair_set_aside(
    pipeline: StereoPipeline, tmp_path: Path
) -> None:
    pairs = files(tmp_path / "in", 2)
    run(pairs, pipeline, tmp_path / "out")
    pairs[1].left.write_text("no image")
    run(pairs, pipeline, tmp_path / "out")
    assert not (tmp_path / "out" / "1" / "summary.json").exists()
    assert (tmp_path / "out" / "0" / "summary.json").exists()


def test_folders_have_the_frames_own_names_and_stay_within_out(
    pipeline: StereoPipeline, tmp_path: Path
) -> None:
    names = ["1403636579763555584", "", "../../evil", "same", "same"]
    pairs = (SourcePair("s", n, frame(n, name=name)) for n, name in enumerate(names))
    found = run(pairs, pipeline, tmp_path / "a" / "b")
    folders = [one.folder for one in found if isinstance(one, PairReport)]
    assert [folder.name for folder in folders] == [
        "1403636579763555584",
        "000001_0.100s",
        "_.._evil",
        "same",
        "same_2",
    ]
    assert {folder.parent for folder in folders} == {tmp_path / "a" / "b"}
    again = (SourcePair("s", n, frame(n, name=name)) for n, name in enumerate(names))
    assert all(one.skipped for one in run(again, pipeline, tmp_path / "a" / "b"))  # type: ignore[union-attr]


def test_swap_on_a_correct_pair_says_so(pipeline: StereoPipeline, tmp_path: Path) -> None:
    with pytest.raises(SwappedPairError, match="drop --swap"):
        run(files(tmp_path / "in", 1), pipeline, tmp_path / "out", swap=True)


def test_a_row_error_is_no_swap(pipeline: StereoPipeline, tmp_path: Path) -> None:
    """Rows that correspond in neither order: not rectified, whatever the matches look like."""
    made = textured_pair(20.0, size=(480, 200))
    pair = SourcePair("raw", 11, StereoFrame(made.right[8:], made.left[:-8]))
    (found,) = run((p for p in [pair]), pipeline, tmp_path)
    assert isinstance(found, PairReport)
    assert not found.trusted
    said = json.loads((found.folder / "summary.json").read_text())["warnings"][0]
    assert "not a rectified pair" in said
    assert "swap" not in said


def test_reports_come_in_the_order_of_the_pairs(pipeline: StereoPipeline, tmp_path: Path) -> None:
    """Also when a large pair is still worked on while small ones after it have ended."""
    sizes = [(640, 400), (128, 80), (128, 80), (128, 80)]
    frames = [textured_pair(6.0, size=size, seed=k) for k, size in enumerate(sizes)]
    pairs = (SourcePair("s", n, StereoFrame(f.left, f.right)) for n, f in enumerate(frames))
    found = run(pairs, pipeline, tmp_path, jobs=3)
    assert [one.name[:6] for one in found] == [f"{n:06d}" for n in range(4)]
    assert all(isinstance(one, PairReport) for one in found)
