"""The libraries that the system lacks, told by the linker, and the packages that bring them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stereo import doctor, system

LDD = """\tlinux-vdso.so.1 (0x00007ffd5a5f2000)
\tlibGL.so.1 => not found
\tlibxcb.so.1 => not found
\tlibtorch.so => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1c5a000000)
"""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without graphics libraries, whose apt knows Debian 13's names."""
    known = "Package: libglib2.0-0t64\nVersion: 2.84\n"
    monkeypatch.setattr(system, "_shared_objects", lambda module: [Path("cv2.abi3.so")])
    monkeypatch.setattr(system, "_linked", lambda file: LDD)
    monkeypatch.setattr(system, "_output", lambda command: known if "t64" in command[-1] else "")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("bare")
def test_what_is_missing_is_told_and_what_no_package_brings_is_passed_over() -> None:
    assert system.missing_libraries("cv2") == ["libGL.so.1", "libxcb.so.1"]


@pytest.mark.usefixtures("bare")
def test_packages_go_by_the_names_that_apt_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    glib = ["libglib-2.0.so.0", "libgthread-2.0.so.0", "libGL.so.1"]
    assert system.packages(glib) == ["libgl1", "libglib2.0-0t64"]
    monkeypatch.setattr(system, "_output", lambda command: "")  # Debian 12, or lists never fetched
    assert system.packages(glib) == ["libgl1", "libglib2.0-0"]


def test_the_line_to_type_fits_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert system.install_line(["libgl1", "g++"]) == "sudo apt-get install libgl1 g++"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "package manager" in system.install_line(["libgl1"])


@pytest.mark.usefixtures("bare")
def test_nothing_is_missing_where_the_linker_finds_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_linked", lambda file: LDD.splitlines()[-1])
    assert system.missing_libraries("cv2") == []


def test_nothing_is_missing_of_what_is_not_installed() -> None:
    assert system.missing_libraries("no_such_module") == []


@pytest.mark.usefixtures("bare")
def test_an_optional_library_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    def broken(code: str) -> subprocess.CompletedProcess[str]:
        failed = "open3d" in code
        return subprocess.CompletedProcess(code, failed, "", "libX11.so.6: absent" * failed)

    monkeypatch.setattr(doctor, "_try", broken)
    findings = doctor.examine()
    open3d = next(finding for finding in findings if finding.name == "open3d")
    assert not open3d.ok
    assert "3-D window" in open3d.detail
    assert open3d.mend == "sudo apt-get install libgl1 libxcb1"
    assert doctor.is_well(findings)
