"""``stereo doctor`` as a user runs it."""

from __future__ import annotations

import json
import subprocess

import pytest
from support import Cli


def test_doctor_names_versions_and_what_is_missing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = json.loads(cli("doctor", "--json").out)
    names = {finding["name"] for finding in report["findings"]}
    assert {"python", "cv2", "open3d", "display", "video back-ends", "processor"} <= names
    assert report["ok"]
    from stereo import doctor

    def broken(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(code, 1, "", "ImportError: libGL.so.1: cannot open")

    monkeypatch.setattr(doctor, "_try", broken)
    monkeypatch.setattr(doctor, "missing_libraries", lambda module: ["libGL.so.1"])
    ended = cli("doctor")
    assert ended.code == 1
    assert "libGL.so.1" in ended.out
    assert "sudo apt-get install libgl1" in ended.out
