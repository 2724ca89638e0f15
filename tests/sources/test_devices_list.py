"""Listing cameras: a fake kernel answers the questions, structure by structure."""

from __future__ import annotations

import errno
import json
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import Cli

from stereo.sources import devices
from stereo.sources.devices import Device, Ioctl, Mode, list_devices, users

MJPG, YUYV = (int.from_bytes(code, "little") for code in (b"MJPG", b"YUYV"))
ZED = {
    MJPG: {(2560, 720): ((1, 60), (1, 30)), (1344, 376): ((1, 100),)},
    YUYV: {(2560, 720): ((2, 15),)},
}
Formats = dict[int, dict[tuple[int, int], tuple[tuple[int, int], ...]]]


class Kernel:
    """Answers as uvcvideo does."""

    def __init__(self, formats: Formats, *, able: int = 0x84A00001, node: int = 0x04200001):
        self.formats, self.able, self.node = formats, able, node

    def __call__(self, _handle: int, request: int, asked: bytearray) -> None:
        try:
            self._answer(request, asked)
        except LookupError:
            raise OSError(errno.EINVAL, "Invalid argument") from None

    def _answer(self, request: int, asked: bytearray) -> None:
        if request == devices.QUERYCAP:
            card = (
                b"uvcvideo",
                b"ZED 2: caf\xc3\xa9",
                b"usb-0000:00:14.0-2",
                6,
                self.able,
                self.node,
            )
            struct.pack_into("16s32s32s3I", asked, 0, *card)
        elif request == devices.ENUM_FMT:
            index, _kind = struct.unpack_from("2I", asked)
            struct.pack_into("I", asked, 44, list(self.formats)[index])
        elif request == devices.ENUM_FRAMESIZES:
            index, code = struct.unpack_from("2I", asked)
            struct.pack_into("3I", asked, 8, 1, *list(self.formats[code])[index])
        elif request == devices.ENUM_FRAMEINTERVALS:
            index, code, width, height = struct.unpack_from("4I", asked)
            struct.pack_into("3I", asked, 16, 1, *self.formats[code][width, height][index])


class Planes(Kernel):
    """A camera that gives its planes apart, as phones' and vivid's do."""

    def _answer(self, request: int, asked: bytearray) -> None:
        if request == devices.ENUM_FMT and struct.unpack_from("2I", asked)[1] != 9:
            raise OSError(errno.EINVAL, "Invalid argument")
        super()._answer(request, asked)


def failing(number: int) -> Ioctl:
    def ioctl(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return ioctl


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    for name in ("video10", "video2", "videoX", "null"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_camera_that_gives_its_planes_apart(dev: Path) -> None:
    found = list_devices(dev, ioctl=Planes(ZED, able=0x84A01000, node=0x04201000))
    assert found[0].modes == list_devices(dev, ioctl=Kernel(ZED))[0].modes


def test_a_format_that_four_letters_cannot_ask_for_is_left_out(dev: Path) -> None:
    big_endian = {code | 1 << 31: sizes for code, sizes in ZED.items()}
    (device, _) = list_devices(dev, ioctl=Kernel(ZED | big_endian))
    assert [mode.pixel_format for mode in device.modes] == ["MJPG", "MJPG", "YUYV"]


def test_cameras_and_their_modes(dev: Path) -> None:
    found = list_devices(dev, ioctl=Kernel(ZED))
    assert [Path(device.path).name for device in found] == ["video2", "video10"]
    assert (found[0].name, found[0].bus) == ("ZED 2: café", "usb-0000:00:14.0-2")
    assert found[0].modes == (
        Mode("MJPG", (2560, 720), (60.0, 30.0)),
        Mode("MJPG", (1344, 376), (100.0,)),
        Mode("YUYV", (2560, 720), (7.5,)),
    )


def test_metadata_nodes_are_no_cameras(dev: Path) -> None:
    assert list_devices(dev, ioctl=Kernel(ZED, node=0x04A00000)) == []


def test_old_drivers_speak_for_the_whole_device(dev: Path) -> None:
    assert len(list_devices(dev, ioctl=Kernel(ZED, able=0x04000001, node=0))) == 2


def test_sizes_in_steps_give_the_largest(dev: Path) -> None:
    class Steps(Kernel):
        def _answer(self, request: int, asked: bytearray) -> None:
            if request == devices.ENUM_FRAMESIZES:
                struct.pack_into("7I", asked, 8, 3, 16, 4096, 8, 16, 2160, 8)
            elif request == devices.ENUM_FRAMEINTERVALS:
                struct.pack_into("7I", asked, 16, 3, 1, 60, 1, 1, 0, 0)
            else:
                super()._answer(request, asked)

    (device, _) = list_devices(dev, ioctl=Steps({MJPG: {}}))
    assert device.modes == (Mode("MJPG", (4096, 2160), (60.0,)),)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "usermod -aG video"),
        (errno.EBUSY, "busy"),
        (errno.ENODEV, "plug it in anew"),
        (errno.ENOTTY, "not a camera"),
    ],
)
def test_a_device_that_cannot_be_asked_says_why(dev: Path, number: int, words: str) -> None:
    for device in list_devices(dev, ioctl=failing(number)):
        assert device.problem is not None
        assert words in device.problem


def test_a_driver_that_never_ends_its_lists_is_stopped(dev: Path) -> None:
    def endless(_handle: int, request: int, asked: bytearray) -> None:
        if request == devices.QUERYCAP:
            Kernel(ZED)(0, request, asked)

    found = list_devices(dev, ioctl=endless)
    assert all(len(device.modes) <= 64**2 for device in found)


@given(answer=st.binary(min_size=104, max_size=104))
def test_nonsense_from_a_driver_is_no_crash(
    answer: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def nonsense(_handle: int, request: int, asked: bytearray) -> None:
        if request != devices.QUERYCAP and struct.unpack_from("I", asked)[0] > 2:
            raise OSError(errno.EINVAL, "Invalid argument")
        asked[:] = answer[: len(asked)]

    folder = tmp_path_factory.mktemp("dev")
    (folder / "video0").touch()
    for device in list_devices(folder, ioctl=nonsense):
        json.dumps(device.as_json())


def test_no_cameras_at_all(tmp_path: Path) -> None:
    assert list_devices(tmp_path) == []


def test_a_file_that_is_no_camera(dev: Path) -> None:
    assert "not a camera" in str(list_devices(dev)[0].problem)


def test_who_uses_a_camera(tmp_path: Path) -> None:
    for pid, target in (
        ("12", "/dev/video0"),
        ("13", "/dev/null"),
        (str(os.getpid()), "/dev/video0"),
    ):
        (tmp_path / pid / "fd").mkdir(parents=True)
        (tmp_path / pid / "comm").write_text("cheese\n")
        (tmp_path / pid / "fd" / "3").symlink_to(target)
    (tmp_path / "14").mkdir()  # a process that has just ended
    assert users("/dev/video0", tmp_path) == ["cheese (pid 12)"]


def test_doctor_lists_them(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Device("/dev/video0", "ZED 2", "usb-1", (Mode("MJPG", (2560, 720), (60.0, 30.0)),))
    broken = Device("/dev/video1", "", "", (), "no permission")
    monkeypatch.setattr(devices, "list_devices", lambda: [shown, broken])
    ended = cli("doctor", "--cameras")
    assert ended.code == 0
    assert "/dev/video0  ZED 2  usb-1" in ended.out
    assert "--pixel-format MJPG: 2560x720 @60/30" in ended.out
    assert "no permission" in ended.out
    listed = json.loads(cli("doctor", "--cameras", "--json").out)["cameras"]
    assert listed[0]["modes"] == [
        {"pixel_format": "MJPG", "size": [2560, 720], "fps": [60.0, 30.0]}
    ]


def test_doctor_without_cameras_says_what_to_do(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "list_devices", list)
    ended = cli("doctor", "--cameras")
    assert ended.code == 0
    assert "lsusb" in ended.out
    assert json.loads(cli("doctor", "--cameras", "--json").out) == {"cameras": []}
