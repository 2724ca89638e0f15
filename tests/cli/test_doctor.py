"""``stereo doctor`` as a user runs it."""

from __future__ import annotations

import json
import re
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
    found = {finding["name"]: finding for finding in report["findings"]}
    backends = found["video back-ends"]["detail"].split(", ")
    assert len(backends) == len(set(backends))
    from stereo import doctor

    def broken(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(code, 1, "", "ImportError: libGL.so.1: cannot open")

    monkeypatch.setattr(doctor, "_try", broken)
    monkeypatch.setattr(doctor, "missing_libraries", lambda module: ["libGL.so.1"])
    ended = cli("doctor")
    assert ended.code == 1
    assert "libGL.so.1" in ended.out
    assert "sudo apt-get install libgl1" in ended.out


def test_extras_have_a_version_or_the_line_that_brings_them(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stereo import doctor

    assert set(doctor.EXTRAS) == {"web", "cluster", "bags", "onnx", "realsense", "oak"}
    monkeypatch.setattr(doctor, "EXTRAS", {"web": "click", "oak": "no-such-library"})
    said = cli("doctor")
    assert said.code == 0
    assert re.search(r"ok  extra web +click \d", said.out)
    assert re.search(r"ok  extra oak +no-such-library is not installed", said.out)
    assert "for more: pip install 'stereo-depth[oak]'" in said.out
