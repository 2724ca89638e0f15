"""tools/setup.py: what it installs, and what it does where it may not."""

from __future__ import annotations

import importlib.util
import re
import shutil
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module; nothing of it runs pip or apt-get."""
    spec = importlib.util.spec_from_file_location("setup_script", REPO / "tools" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    monkeypatch.syspath_prepend(str(REPO))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "pip", lambda *arguments: pytest.fail(f"pip {arguments}"))
    monkeypatch.setattr(module, "apt_install", lambda *arguments: pytest.fail("apt-get"))
    return module


def lacks(monkeypatch: pytest.MonkeyPatch, *libraries: str) -> None:
    monkeypatch.setattr("stereo.system.missing_libraries", lambda module: list(libraries))


def test_without_the_right_it_names_one_line_and_goes_on(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacks(monkeypatch, "libGL.so.1")
    monkeypatch.setattr(setup, "apt_get", list)
    monkeypatch.setattr(setup, "compiling_packages", lambda: ["g++"])
    setup.mend_system("cv2", "(images and windows)", compiler=True)
    told = capsys.readouterr().out
    assert "cv2 (images and windows)" in told
    assert "sudo apt-get install libgl1 g++ && make clean" in told


def test_with_the_right_it_installs_and_says_so(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacks(monkeypatch, "libusb-1.0.so.0")
    monkeypatch.setattr(setup, "apt_get", lambda: ["true"])
    installed: list[str] = []
    monkeypatch.setattr(setup, "apt_install", lambda apt, names: installed.extend(names) or True)
    setup.mend_system("open3d", "(cloud filters)")
    assert installed == ["libusb-1.0-0"]
    assert "to have them" not in capsys.readouterr().out


def test_a_system_that_has_all_is_left_alone(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacks(monkeypatch)
    setup.mend_system("cv2", "(images and windows)")
    assert capsys.readouterr().out == ""


def test_sudo_that_asks_for_a_password_is_no_right(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")

    def sudo(code: int) -> None:
        ended = setup.subprocess.CompletedProcess([], code)
        monkeypatch.setattr(setup.subprocess, "run", lambda *_, **__: ended)

    sudo(1)
    assert setup.apt_get() == []
    sudo(0)
    assert setup.apt_get() == ["sudo", "-n", "apt-get"]
    monkeypatch.setattr(setup.os, "geteuid", lambda: 0)
    assert setup.apt_get() == ["apt-get"]


def test_the_known_good_set_pins_every_dependency() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["web"],
        *project["project"]["optional-dependencies"]["bags"],
        *project["project"]["optional-dependencies"]["dev"],
        *project["dependency-groups"]["build"],
        *project["build-system"]["requires"],
    ]
    names = {re.split(r"[>=\[;]", want)[0].lower().replace("_", "-") for want in wanted}
    pinned = re.findall(r"^([a-z0-9-]+)==", (REPO / "constraints.txt").read_text(), re.MULTILINE)
    assert names - set(pinned) == {"stereo-depth"}


def test_every_later_python_is_welcome() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"
    assert 'open3d>=0.20; python_version < "3.15"' in project["dependencies"]


def test_the_pair_in_the_package_is_the_sample_room(sample_data: Path) -> None:
    import cv2
    import numpy as np

    from stereo.cli.demo import ROOM

    for side in ("left", "right"):
        packed = cv2.imread(str(ROOM / f"{side}.jpg")).astype(int)
        whole = cv2.imread(str(sample_data / "room" / f"{side}.png")).astype(int)
        assert np.abs(packed - whole).mean() < 3, "say make sample-data"
    assert (ROOM / "rig.yaml").read_text() == (sample_data / "room" / "rig.yaml").read_text()
    assert sum(file.stat().st_size for file in ROOM.iterdir()) < 500_000
