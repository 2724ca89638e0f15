"""Which image files belong together."""

from __future__ import annotations

from pathlib import Path

import pytest

from stereo.errors import ImageError
from stereo.files.pairing import find_images, find_named_images, find_pairs, find_sides


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (["a1.png", "a10.png", "a2.png"], ["a1.png", "a10.png", "a2.png"]),
        (["left_1.png", "left_2.png"], ["right_1.png", "right_2.png"]),
        (["left01.jpg", "left02.jpg"], ["right01.jpg", "right02.jpg"]),
        (["roomL.png", "hallL.png"], ["roomR.png", "hallR.png"]),
        (["x_im0.png", "y_im0.png"], ["x_im1.png", "y_im1.png"]),
        (["Cal0_003.png", "Cal0_004.png"], ["Cal1_003.png", "Cal1_004.png"]),
        (["left_image_3.png", "left_image_4.png"], ["right_image_3.png", "right_image_4.png"]),
        (["room_0.png", "hall_0.png"], ["room_1.png", "hall_1.png"]),
        (["view1.png"], ["view5.png"]),
        (["frame0001.png", "frame0002.png"], ["shot_1.png", "shot_2.png"]),
    ],
)
def test_pairs_are_matched_by_name(tmp_path: Path, left: list[str], right: list[str]) -> None:
    listing = find_pairs(touch(tmp_path / "l", *left), touch(tmp_path / "r", *right))
    found = {(a.name, b.name) for _, a, b in listing.pairs}
    assert found == set(zip(left, right, strict=True))
    assert not listing.unmatched_left + listing.unmatched_right


def test_pairs_come_in_natural_order(tmp_path: Path) -> None:
    names = ["a1.png", "a10.png", "a2.png"]
    listing = find_pairs(touch(tmp_path / "l", *names), touch(tmp_path / "r", *names))
    assert [name for name, _, _ in listing.pairs] == ["a1", "a2", "a10"]


def test_orphans_are_reported_by_name(tmp_path: Path) -> None:
    left = touch(tmp_path / "l", "1.png", "2.png", "3.png")
    listing = find_pairs(left, touch(tmp_path / "r", "2.png", "3.png", "4.png"))
    assert [p.name for p in listing.unmatched_left] == ["1.png"]
    assert [p.name for p in listing.unmatched_right] == ["4.png"]


def test_globs_work_and_both_sides_may_share_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "left1.png", "left2.png", "right1.png", "right2.png", "notes.txt")
    listing = find_pairs(tmp_path / "left*.png", tmp_path / "right*.png")
    assert [(a.name, b.name) for _, a, b in listing.pairs] == [
        ("left1.png", "right1.png"),
        ("left2.png", "right2.png"),
    ]


def test_a_common_name_does_not_hide_better_pairs(tmp_path: Path) -> None:
    left = touch(tmp_path / "l", "board.png", "left1.png", "left2.png")
    right = touch(tmp_path / "r", "board.png", "right1.png", "right2.png")
    assert len(find_pairs(left, right).pairs) == 3


def test_orphans_of_equal_number_are_not_forced_together(tmp_path: Path) -> None:
    left = touch(tmp_path / "l", "a_1.png", "b_3.png")
    listing = find_pairs(left, touch(tmp_path / "r", "a_1.png", "c_3.png"))
    assert [name for name, _, _ in listing.pairs] == ["a_1"]
    assert [p.name for p in listing.unmatched_left + listing.unmatched_right] == [
        "b_3.png",
        "c_3.png",
    ]


def test_a_glob_across_folders_names_pairs_by_folder(tmp_path: Path) -> None:
    for scene in ("hall", "room"):
        touch(tmp_path / scene, "im0.png", "im1.png")
    listing = find_pairs(tmp_path / "*" / "im0.png", tmp_path / "*" / "im1.png")
    assert [(name, a.parent.name, b.parent.name) for name, a, b in listing.pairs] == [
        ("hall_im0", "hall", "hall"),
        ("room_im0", "room", "room"),
    ]
    named = find_named_images(tmp_path / "*" / "im0.png")
    assert [name for name, _ in named] == ["hall_im0", "room_im0"]


def test_two_claims_on_one_partner_are_named(tmp_path: Path) -> None:
    left = touch(tmp_path / "l", "a.png", "a.jpg", "b.png")
    with pytest.raises(ImageError, match=r"a\.jpg and .*a\.png both claim"):
        find_pairs(left, touch(tmp_path / "r", "a.png", "b.png"))
    with pytest.raises(ImageError, match="have the same name"):
        find_named_images(left)


def test_the_same_file_on_both_sides_is_refused(tmp_path: Path) -> None:
    folder = touch(tmp_path, "left1.png", "right1.png")
    with pytest.raises(ImageError, match=r"left1\.png is given as left and as right.*glob"):
        find_pairs(folder, folder)
    with pytest.raises(ImageError, match="as left and as right"):
        find_pairs(folder / "left1.png", folder / "left1.png")


def test_folders_give_images_only(tmp_path: Path) -> None:
    touch(tmp_path, "a.PNG", "²³.png", "._a.png", "calib.txt", ".DS_Store")
    assert [p.name for p in find_images(tmp_path)] == ["a.PNG", "²³.png"]
    assert find_images(tmp_path / "*") == find_images(tmp_path)


def test_nothing_found_is_said(tmp_path: Path) -> None:
    touch(tmp_path / "l", "cat.png", "cow.png")
    touch(tmp_path / "r", "dog.png", "hen.png")
    with pytest.raises(ImageError, match=r"cat\.png.*dog\.png"):
        find_pairs(tmp_path / "l", tmp_path / "r")
    with pytest.raises(ImageError, match="no images found"):
        find_images(tmp_path / "*.jpg")
    with pytest.raises(ImageError, match="no such file"):
        find_images(tmp_path / "nowhere")


def test_a_missing_image_does_not_shift_what_follows(tmp_path: Path) -> None:
    left = touch(tmp_path / "l", "a.png", "b.png", "c.png")
    listing = find_pairs(left, touch(tmp_path / "r", "a.png", "c.png"))
    assert [(a.stem, b.stem) for _, a, b in listing.pairs] == [("a", "a"), ("c", "c")]
    assert [path.name for path in listing.unmatched_left] == ["b.png"]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("v{}_cam0.png", "v{}_cam1.png"),  # the last number is the camera's
        ("v{}-c0.png", "v{}-c1.png"),
        ("west_{}.png", "east_{}.png"),
        ("west{}_v2.png", "east{}_v2.png"),
        ("left_{}_exp10.png", "right_{}_exp12.png"),
    ],
)
def test_the_common_part_of_the_names_makes_pairs(tmp_path: Path, left: str, right: str) -> None:
    numbers = ["03", "04", "05", "10"]
    lefts = touch(tmp_path / "l", *(left.format(number) for number in numbers))
    rights = touch(tmp_path / "r", *(right.format(n) for n in numbers if n != "04"))
    touch(tmp_path / "l", "._" + left.format("03"))
    listing = find_pairs(lefts, rights)
    assert [(a.name, b.name) for _, a, b in listing.pairs] == [
        (left.format(n), right.format(n)) for n in numbers if n != "04"
    ]
    assert [path.name for path in listing.unmatched_left] == [left.format("04")]


@pytest.mark.parametrize(
    ("left", "right"), [("left{}.png", "right{}.png"), ("{}_L.jpg", "{}_R.jpg")]
)
def test_one_folder_may_hold_both_sides(tmp_path: Path, left: str, right: str) -> None:
    touch(tmp_path, *(name.format(n) for n in (1, 2, 10) for name in (left, right)), "rig.jpg")
    found = find_sides(tmp_path)
    assert found is not None
    assert [path.name for path in found[0]] == [left.format(n) for n in (1, 2, 10)]
    assert [path.name for path in found[1]] == [right.format(n) for n in (1, 2, 10)]


def test_two_folders_in_one_are_its_sides(tmp_path: Path) -> None:
    touch(tmp_path / "cam0" / "data", "1.png")
    touch(tmp_path / "cam1" / "data", "1.png")
    found = find_sides(tmp_path)
    assert found is not None
    assert [side[0].parent.parent.name for side in found] == ["cam0", "cam1"]
    assert find_sides(touch(tmp_path / "both", "1.png", "2.png", "3.png")) is None
