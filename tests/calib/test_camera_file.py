"""Files of one camera: what is written is read again, and nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib import (
    CalibratedCamera,
    Camera,
    CameraError,
    RigFileError,
    RigWriteError,
    load_camera,
    load_rig,
    save_camera,
)


def a_camera(fisheye: bool = False, focal: float = 500.25) -> CalibratedCamera:
    lens = Camera(
        "fisheye" if fisheye else "pinhole",
        (640, 480),
        np.array([[focal, 0, 320.1], [0, focal + 0.3, 239.7], [0, 0, 1]]),
        np.array([-0.1, 0.01, 1e-5, 0.1 + 0.2]),
    )
    notes = {"calibration": {"views": [1, 2]}}
    return CalibratedCamera(lens, name="left", reprojection_rms_px=0.12, notes=notes)


@given(st.booleans(), st.floats(10, 5000))
def test_what_is_written_is_read_again_to_the_last_bit(fisheye: bool, focal: float) -> None:
    import tempfile

    known = a_camera(fisheye, focal)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "left.yaml"
        save_camera(known, path)
        read = load_camera(path)
    assert (read.camera.model, read.camera.size) == (known.camera.model, known.camera.size)
    np.testing.assert_array_equal(read.camera.K, known.camera.K)
    np.testing.assert_array_equal(read.camera.distortion, known.camera.distortion)
    assert (read.name, read.reprojection_rms_px) == ("left", 0.12)
    assert dict(read.notes) == dict(known.notes)


def test_a_camera_is_no_rig_and_a_rig_no_camera(tmp_path: Path, sample_data: Path) -> None:
    path = tmp_path / "left.yaml"
    save_camera(a_camera(), path)
    with pytest.raises(RigFileError, match=r"holds one camera, and a rig has two"):
        load_rig(path)
    with pytest.raises(RigFileError, match=r"rig.yaml: not a camera file of stereo-depth"):
        load_camera(sample_data / "room" / "rig.yaml")


def test_wrong_keys_are_named(tmp_path: Path) -> None:
    path = tmp_path / "left.yaml"
    save_camera(a_camera(), path)
    text = path.read_text()
    for old, new, says in (
        ("version: 1", "version: 2", "version: expected 1; a newer version"),
        ("fx: 500.25", "fx: wide", "camera.K.fx: expected a finite number"),
        ("quality:", "qualities:", "unknown key qualities"),
        ("name: left", "name: left\nlens: good", "unknown key lens"),
        ("{reprojection_rms_px: 0.12}", "{reprojection_rms_px: -1}", "expected pixels >= 0"),
    ):
        path.write_text(text.replace(old, new))
        with pytest.raises(RigFileError, match=says):
            load_camera(path)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="reprojection_rms_px: expected pixels"):
        CalibratedCamera(a_camera().camera, reprojection_rms_px=-1.0)
    with pytest.raises(RigWriteError, match="cannot be written"):
        save_camera(a_camera(), tmp_path / "missing" / "left.yaml")
    assert repr(a_camera()).startswith("CalibratedCamera('left', Camera(pinhole4, 640x480")
