"""Cameras and their calibration; knows nothing of stereo matching.

``load_rig(path)`` reads a calibration file into a ``StereoRig`` (or a ``RectifiedRig`` when the
file holds rectified geometry only), ``save_rig(rig, path)`` writes our own file.
"""

from calib.camera import Camera, RectifiedRig, StereoRig
from calib.errors import CalibrationError, CameraError, RigFileError

__all__ = [
    "CalibrationError",
    "Camera",
    "CameraError",
    "RectifiedRig",
    "RigFileError",
    "StereoRig",
]
