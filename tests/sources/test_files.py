"""Folders, globs and videos: what belongs together, when it was taken, and what is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stereo.errors import ImageError, InputError, SourceError
from stereo.frame import StereoFrame
from stereo.sources import Event, SourceOptions, open_source
from stereo.synthetic import burn_frame_number, read_frame_number

EUROC = 1403715273262142976


def picture(number: int, *, size: tuple[int, int] = (320, 96), left: bool = True) -> NDArray:
    """Gray, numbered; the right one is darker."""
    width, height = size
    plain = np.full((height, width), 120 if left else 60, np.uint8)
    return burn_frame_number(plain, number)


def save(path: Path, image: NDArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def write_video(
    path: Path, numbers: range, *, sides: str = "left", fps: float = 20, codec: str = "mp4v"
) -> Path:
    images = {"left": [True], "right": [False], "both": [True, False]}[sides]
    size = (320 * len(images), 96)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size)
    assert writer.isOpened()
    for number in numbers:
        views = np.hstack([picture(number, left=left) for left in images])
        writer.write(cv2.cvtColor(views, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def play(
    spec: object, options: SourceOptions | None = None
) -> tuple[list[StereoFrame], list[Event]]:
    events: list[Event] = []
    with open_source(str(spec), options, on_event=events.append) as source:
        assert not source.live
        return list(source), events


def numbers(frames: list[StereoFrame]) -> list[int | None]:
    left = [read_frame_number(frame.left) for frame in frames]
    assert left == [read_frame_number(frame.right) for frame in frames]
    for frame in frames:
        assert frame.left[20:].mean() > frame.right[20:].mean()
    return left


# --- folders --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"),
    [("left", "right"), ("cam0", "cam1"), ("cam0/data", "cam1/data"), ("image_0", "image_1")],
)
def test_a_folder_with_a_folder_for_each_side(tmp_path: Path, left: str, right: str) -> None:
    for k in range(12):
        save(tmp_path / left / f"{k}.png", picture(k))
        save(tmp_path / right / f"{k}.png", picture(k, left=False))
    frames, events = play(tmp_path)
    assert numbers(frames) == list(range(12))  # 2 before 10
    assert [frame.time_s for frame in frames] == pytest.approx([k / 10 for k in range(12)])
    assert [event.kind for event in events] == ["ended"]


def test_two_folders_or_globs_with_a_comma(tmp_path: Path) -> None:
    for k in range(3):
        save(tmp_path / f"left_{k}.png", picture(k))
        save(tmp_path / f"right_{k}.png", picture(k, left=False))
    frames, _ = play(f"{tmp_path}/left_*.png,{tmp_path}/right_*.png", SourceOptions(fps=4))
    assert numbers(frames) == [0, 1, 2]
    assert [frame.time_s for frame in frames] == [0, 0.25, 0.5]


def test_side_by_side_images_and_swap(tmp_path: Path) -> None:
    for k in range(3):
        save(tmp_path / f"{k}.png", np.hstack([picture(k), picture(k, left=False)]))
    frames, _ = play(tmp_path)
    assert numbers(frames) == [0, 1, 2]
    swapped, _ = play(f"{tmp_path}/*.png", SourceOptions(swap=True))
    assert np.array_equal(swapped[0].left, frames[0].right)


def test_names_with_times_pair_by_time_and_orphans_are_told(tmp_path: Path) -> None:
    for k in range(6):
        stamp = EUROC + 50_000_000 * k
        if k != 2:
            save(tmp_path / "cam0" / f"{stamp}.png", picture(k))
        if k != 4:
            save(tmp_path / "cam1" / f"{stamp + 3_000_000}.png", picture(k, left=False))
    frames, events = play(tmp_path)
    assert numbers(frames) == [0, 1, 3, 5]
    assert frames[1].time_s == (EUROC + 50_000_000) / 10**9
    assert [frame.skew_s for frame in frames] == pytest.approx([0.003] * 4, abs=1e-6)
    alone = [event.message for event in events if event.kind == "unpaired"]
    assert len(alone) == 2
    assert f"{EUROC + 50_000_000 * 4}.png has no right image" in alone[1]


def test_two_recordings_of_different_days_do_not_pair(tmp_path: Path) -> None:
    for k in range(3):
        save(tmp_path / "left" / f"{EUROC + 50_000_000 * k}.png", picture(k))
        save(tmp_path / "right" / f"{EUROC + 10**14 + 50_000_000 * k}.png", picture(k))
    with pytest.raises(ImageError, match="are both of one recording"):
        open_source(str(tmp_path))


def test_a_change_of_size_is_named(tmp_path: Path) -> None:
    for k, size in enumerate([(320, 96), (320, 96), (320, 90)]):
        save(tmp_path / "left" / f"{k}.png", picture(k, size=size))
        save(tmp_path / "right" / f"{k}.png", picture(k, size=size))
    frames, events = play(tmp_path)
    assert [frame.name for frame in frames] == ["0", "1"]
    (lost,) = (event.message for event in events if event.kind == "dropped")
    assert "2.png: is 320x90 but the images before it are 320x96" in lost


def test_a_damaged_image_is_left_out_and_named(tmp_path: Path) -> None:
    for k in range(3):
        save(tmp_path / f"{k}.png", np.hstack([picture(k)] * 2))
    cut = (tmp_path / "1.png").read_bytes()[:200]
    (tmp_path / "1.png").write_bytes(cut)
    frames, events = play(tmp_path)
    assert [frame.name for frame in frames] == ["0", "2"]
    told = [event.message for event in events]
    assert "1.png: the file ends too early" in told[0]
    assert told[1:] == ["1 of 3 pairs are lost", "2 pairs"]
    for k in (0, 2):
        (tmp_path / f"{k}.png").write_bytes(cut)
    with pytest.raises(ImageError, match=r"0\.png: the file ends too early"):
        play(tmp_path)


def test_names_that_hold_a_time_are_kept_with_all_digits(tmp_path: Path) -> None:
    stamps = [EUROC + 50_000_000 * k + k for k in range(3)]
    for stamp in stamps:
        save(tmp_path / "cam0" / f"{stamp}.png", picture(0))
        save(tmp_path / "cam1" / f"{stamp + 7}.png", picture(0, left=False))
    frames, _ = play(tmp_path)
    assert [frame.name for frame in frames] == [str(stamp) for stamp in stamps]


def test_what_nobody_can_use_is_told_a_few_times_only(tmp_path: Path) -> None:
    for k in range(30):
        (tmp_path / f"{k:02}.png").write_text("no image")
    events: list[Event] = []
    with open_source(str(tmp_path), on_event=events.append) as source, pytest.raises(ImageError):
        list(source)
    assert len(events) < 20


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("nowhere", ImageError, "no such file or folder"),
        ("nowhere.mp4", ImageError, "no such video file"),
        ("a,b,c", InputError, "one name, or two"),
        ("a,a", InputError, "same name twice"),
        ("a.mp4,b", InputError, "two of one kind"),
    ],
)
def test_what_is_not_there_is_said(spec: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        open_source(spec)


def test_a_layout_that_does_not_fit(tmp_path: Path) -> None:
    save(tmp_path / "0.png", picture(0))
    with pytest.raises(InputError, match="layout two does not fit 1"):
        open_source(str(tmp_path), SourceOptions(layout="two"))


def test_pace_plays_at_true_speed_and_close_ends_it(tmp_path: Path) -> None:
    for k in range(4):
        save(tmp_path / f"{k}.png", np.hstack([picture(k)] * 2))
    start = time.monotonic()
    play(tmp_path, SourceOptions(pace=True, fps=20))
    assert time.monotonic() - start >= 0.15
    with open_source(str(tmp_path), SourceOptions(pace=True, fps=0.001)) as source:
        frames = iter(source)
        next(frames)
        source.close()
        assert list(frames) == []


# --- videos ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "mp4v"), (".avi", "MJPG"), (".mkv", "FFV1")]
)
def test_a_side_by_side_video_gives_every_frame(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write_video(tmp_path / f"clip{suffix}", range(30), sides="both", codec=codec)
    frames, _ = play(path)
    assert numbers(frames) == list(range(30))
    assert [f.time_s for f in frames] == pytest.approx([k / 20 for k in range(30)], abs=2e-3)


def test_two_videos_and_iterating_again(tmp_path: Path) -> None:
    left = write_video(tmp_path / "left.mp4", range(20))
    right = write_video(tmp_path / "right.mp4", range(17), sides="right")
    events: list[Event] = []
    with open_source(f"{left},{right}", on_event=events.append) as source:
        assert numbers(list(source)) == list(range(17))
        assert numbers(list(source)) == list(range(17))
    assert sum("frame 18 of" in event.message for event in events) == 2


def test_a_cut_video_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mkv", range(60), sides="both", codec="MJPG")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames: list[StereoFrame] = []

    def collect() -> None:
        with open_source(str(path)) as source:
            for frame in source:
                frames.append(frame)

    with pytest.raises(SourceError, match=r"of \d+ frames"):
        collect()
    assert numbers(frames) == list(range(len(frames)))
    assert 20 < len(frames) < 40


def test_an_mp4_without_its_index_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", range(60), sides="both")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SourceError, match=r"clip\.mp4: cannot be read as a video"):
        open_source(str(path))


def test_the_sample_clip(sample_data: Path) -> None:
    frames, _ = play(sample_data / "clip" / "room.mp4")
    assert numbers_of(frames) == list(range(60))


def numbers_of(frames: list[StereoFrame]) -> list[int | None]:
    return [read_frame_number(frame.left) for frame in frames]


def test_real_euroc_folder(shared_data: Path) -> None:
    frames, _ = play(shared_data / "sequences" / "euroc")
    assert len(frames) == 13
    assert np.diff([frame.time_s for frame in frames]) == pytest.approx([0.05] * 12, abs=1e-3)


def test_real_pair_of_videos(shared_data: Path) -> None:
    folder = shared_data / "sequences" / "oak_video"
    with open_source(f"{folder}/left.mp4,{folder}/right.mp4") as source:
        frames = [frame for frame, _ in zip(source, range(10), strict=False)]
    assert frames[0].left.shape == (800, 1280, 3)
    assert frames[9].time_s == pytest.approx(9 / 30, abs=0.02)
