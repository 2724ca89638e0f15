"""Cameras and their calibration; knows nothing of stereo matching.

``load_rig(path)`` reads a calibration file into a ``StereoRig`` (or a ``RectifiedRig`` when the
file holds rectified geometry only), ``save_rig(rig, path)`` writes our own file.

    pairs = [ImagePair("01", Path("left01.png"), Path("right01.png")), ...]
    outcome = calibrate_files(pairs, parse_board("chessboard:9x6:25mm"))
    outcome.grade, outcome.rig, outcome.summary()

What calibrates is loaded when first used: who only reads a rig file does not wait for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from calib.camera import Camera, RectifiedRig, StereoRig
from calib.errors import CalibrationError, CameraError, RigFileError, RigWriteError
from calib.formats import FORMATS, Format, load_rig, save_rig
from calib.notes import Notes

if TYPE_CHECKING:
    from calib.board import parse_board
    from calib.calibrate import calibrate_files
    from calib.collect import CalibrationSession
    from calib.outcome import Outcome
    from calib.report import write_report
    from calib.solving.calibration import Calibration
    from calib.solving.solve import calibrate_stereo

_HOME = {
    "parse_board": "board",
    "write_report": "report",
    "CalibrationSession": "collect",
    "Outcome": "outcome",
    "calibrate_files": "calibrate",
    "Calibration": "solving.calibration",
    "calibrate_stereo": "solving.solve",
}

__all__ = [
    "FORMATS",
    "Calibration",
    "CalibrationError",
    "CalibrationSession",
    "Camera",
    "CameraError",
    "Format",
    "Notes",
    "Outcome",
    "RectifiedRig",
    "RigFileError",
    "RigWriteError",
    "StereoRig",
    "calibrate_files",
    "calibrate_stereo",
    "load_rig",
    "parse_board",
    "save_rig",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'calib' has no attribute {name!r}")
    return getattr(import_module(f"calib.{_HOME[name]}"), name)
