"""Cameras and their calibration; knows nothing of stereo matching.

``load_rig(path)`` reads a calibration file into a ``StereoRig`` (or a ``RectifiedRig`` when the
file holds rectified geometry only), ``save_rig(rig, path)`` writes our own file.
"""

from calib.camera import Camera, Notes, RectifiedRig, StereoRig
from calib.errors import CalibrationError, CameraError, RigFileError, RigWriteError
from calib.formats import FORMATS, Format, load_rig, save_rig

__all__ = [
    "FORMATS",
    "CalibrationError",
    "Camera",
    "CameraError",
    "Format",
    "Notes",
    "RectifiedRig",
    "RigFileError",
    "RigWriteError",
    "StereoRig",
    "load_rig",
    "save_rig",
]
