"""Reading images: what a user may hand us, and what we say to the rest."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pngs import bomb, write_png

from stereo.errors import ImageError
from stereo.files.images import (
    image_size,
    read_image,
)

RGB = np.random.default_rng(0).integers(0, 255, (12, 20, 3)).astype(np.uint8)


def write(path: Path, image: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm"])
def test_color_comes_back_as_rgb(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", RGB[..., ::-1])
    np.testing.assert_array_equal(read_image(path), RGB)
    assert image_size(path) == (20, 12)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_16_bit_gray_is_kept(tmp_path: Path, suffix: str) -> None:
    deep = RGB[..., 0].astype(np.uint16) * 257
    np.testing.assert_array_equal(read_image(write(tmp_path / f"a{suffix}", deep)), deep)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_images_have_the_size_their_header_states(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", RGB)
    assert read_image(path).shape == RGB.shape
    assert image_size(path) == (20, 12)


def test_alpha_is_dropped(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 9, np.uint8)])
    path = write(tmp_path / "a.png", cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))
    np.testing.assert_array_equal(read_image(path), RGB)


def test_one_bit_palette_and_gray_with_alpha_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert read_image(write_png(path, (8, 1), 1, 0, b"\0\xa0")).tolist() == [
        [255, 0, 255, 0, 0, 0, 0, 0]
    ]
    palette = bytes([1, 2, 3, 10, 20, 30])
    assert read_image(write_png(path, (2, 1), 8, 3, b"\0\1\0", palette)).tolist() == [
        [[10, 20, 30], [1, 2, 3]]
    ]
    read = read_image(write_png(path, (2, 1), 8, 4, b"\0\x10\xff\x20\x00"))
    assert read.reshape(2, -1)[:, 0].tolist() == [16, 32]


def test_an_orientation_tag_does_not_turn_the_image(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", RGB)
    tiff = b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHIHHI", 0x112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0" + tiff
    whole = path.read_bytes()
    path.write_bytes(whole[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + whole[2:])
    assert cv2.imread(str(path)).shape == (20, 12, 3)  # the tag is there: cv2 obeys it
    assert read_image(path).shape == (12, 20, 3)


def test_missing_empty_text_and_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("hello")
    for name, says in (
        ("none.png", "no such file"),
        ("empty.png", "empty"),
        ("text.png", "not an image"),
        (".", "folder"),
        ("zero\0byte.png", "zero byte|null"),
        ("/dev/zero", "device"),
    ):
        with pytest.raises(ImageError, match=says):
            read_image(tmp_path / name)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_truncated_image_is_refused(tmp_path: Path, suffix: str) -> None:
    big = np.random.default_rng(0).integers(0, 255, (200, 300, 3)).astype(np.uint8)
    path = write(tmp_path / f"a{suffix}", big)
    path.write_bytes(path.read_bytes()[:-30000])
    with pytest.raises(ImageError, match="ends too early"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tiff", ".webp", ".ppm"])
@given(share=st.floats(0, 0.999))
def test_a_file_cut_anywhere_is_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, share: float
) -> None:
    whole = cv2.imencode(suffix, np.random.default_rng(0).integers(0, 255, (40, 50, 3)))[1]
    path = tmp_path_factory.mktemp("cut") / f"a{suffix}"
    path.write_bytes(whole.tobytes()[: int(len(whole) * share)])
    with pytest.raises(ImageError, match=rf"a\{suffix}: .*(again|known kind)"):
        read_image(path)


def test_a_cut_jpeg_is_not_saved_by_the_end_of_its_thumbnail(tmp_path: Path) -> None:
    image = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (90, 90, 3)))[1]
    thumbnail = cv2.imencode(".jpg", RGB)[1].tobytes()
    header = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    path = tmp_path / "a.jpg"
    path.write_bytes(header + image.tobytes()[2:])
    assert read_image(path).shape == (90, 90, 3)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(ImageError, match="ends too early"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tiff", ".webp", ".ppm"])
def test_bytes_behind_the_end_do_no_harm(tmp_path: Path, suffix: str) -> None:
    """Stereo cameras append the second view (MPO), phones a clip."""
    path = write(tmp_path / f"a{suffix}", RGB)
    alone = read_image(path)
    path.write_bytes(path.read_bytes() + bytes(range(256)) * 40)
    np.testing.assert_array_equal(read_image(path), alone)


@given(
    st.binary(max_size=60), st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"BM", b"II*\0"])
)
def test_garbage_after_a_magic_number_is_an_image_error(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, magic: bytes
) -> None:
    path = tmp_path_factory.mktemp("garbage") / "a.png"
    path.write_bytes(magic + tail)
    with pytest.raises(ImageError, match=r"a\.png"):
        read_image(path)


def test_decompression_bomb_is_refused_from_its_header(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="30000x30000 pixels are more than the 200 million"):
        read_image(bomb(tmp_path / "bomb.png"))
    with pytest.raises(ImageError, match=r"more than the 0\.0001 million"):
        read_image(write(tmp_path / "a.png", RGB), max_pixels=100)


def test_a_file_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(3 * 10**9)  # sparse: takes no room
    with pytest.raises(ImageError, match=r"huge\.png: 3\.0 GB are more"):
        read_image(path)


def test_float_image_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tiff", np.zeros((4, 4), np.float32))
    with pytest.raises(ImageError, match="float32 image"):
        read_image(path)


def test_every_real_image_reads_as_its_header_says(shared_data: Path) -> None:
    for name in (
        "pairs/motorcycle_q/im0.png",
        "pairs/aloe/aloeL.jpg",
        "pairs/kitti_000046/left.png",
    ):
        image = read_image(shared_data / name)
        assert image.shape[1::-1] == image_size(shared_data / name)
