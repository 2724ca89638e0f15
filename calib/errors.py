"""What can go wrong with cameras and their files.

CalibrationError
├── CameraError     a camera or rig that cannot exist (zero focal length, wrong shapes) ValueError
├── RigFileError    a calibration file that is missing, broken, or of an unknown kind   ValueError
└── RigWriteError   a rig file that could not be written whole

Children that are a caller's mistake are also ``ValueError``: the command line exits with 2 for
them and with 1 for the rest.
"""


class CalibrationError(Exception):
    """Root of everything ``calib`` raises on purpose."""


class CameraError(CalibrationError, ValueError):
    """A camera or a rig whose numbers cannot describe real hardware."""


class RigFileError(CalibrationError, ValueError):
    """A calibration file that cannot be read; the message names the file and the key."""


class RigWriteError(CalibrationError):
    """A rig file that could not be written whole; nothing half-written is left behind."""
