# The public names, each with its home: written here and nowhere else. __init__.py loads them from
# this list when they are first used; type checkers read it as it stands.

from .board import parse_board as parse_board
from .calibrate import ImagePair as ImagePair
from .calibrate import calibrate_files as calibrate_files
from .camera import CalibratedCamera as CalibratedCamera
from .camera import Camera as Camera
from .collect import CalibrationSession as CalibrationSession
from .errors import CalibrationError as CalibrationError
from .errors import CameraError as CameraError
from .errors import RigFileError as RigFileError
from .errors import RigWriteError as RigWriteError
from .formats import FORMATS as FORMATS
from .formats import Format as Format
from .formats import load_camera as load_camera
from .formats import load_placed_camera as load_placed_camera
from .formats import load_rig as load_rig
from .formats import save_camera as save_camera
from .formats import save_placed_camera as save_placed_camera
from .formats import save_rig as save_rig
from .health.check import Health as Health
from .health.check import check_rig as check_rig
from .health.repair import mended as mended
from .health.repair import why_not_mended as why_not_mended
from .health.uncalibrated import SelfRectification as SelfRectification
from .health.uncalibrated import self_rectified as self_rectified
from .notes import Notes as Notes
from .outcome import Outcome as Outcome
from .placed import PlacedCamera as PlacedCamera
from .report.page import write_report as write_report
from .rig import RectifiedRig as RectifiedRig
from .rig import StereoRig as StereoRig
from .solving.calibration import Calibration as Calibration
from .solving.solve import calibrate_stereo as calibrate_stereo
