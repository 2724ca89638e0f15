"""What a format leaves out of a rig that it can hold: to be said, never dropped in silence."""

from __future__ import annotations

from calib.errors import CameraError
from calib.formats.sides import as_rectified
from calib.rig import RectifiedRig, StereoRig
from calib.words import fixed


def left_out(rig: StereoRig | RectifiedRig, format: str) -> list[str]:
    """Return a sentence for each thing of ``rig`` that a file of ``format`` does not hold."""
    if format == "rig":
        return []
    if isinstance(rig, RectifiedRig):
        keeps = rig.num_disparities is None or format == "middlebury"
        return [] if keeps else [f"the number of disparities ({rig.num_disparities}) is left out"]
    said = []
    if format == "middlebury" and not _is_rectified(rig):
        said.append(
            "Middlebury holds rectified geometry only: the file is for the images that "
            "`stereo rectify` makes, not for the raw ones; lenses, R and t are left out"
        )
    if "calibration" in rig.notes:
        said.append(
            "the calibration's evidence (covariance, corners) is left out: depth from this file "
            "has no error bar of the calibration"
        )
    if rig.row_error_px is not None:
        said.append(f"the row error of {fixed(rig.row_error_px, 3)} px is left out")
    if rig.reprojection_rms_px is not None and format != "opencv":
        said.append(f"the reprojection rms of {fixed(rig.reprojection_rms_px, 3)} px is left out")
    return said


def _is_rectified(rig: StereoRig) -> bool:
    try:
        as_rectified(rig)
    except CameraError:
        return False
    return True
