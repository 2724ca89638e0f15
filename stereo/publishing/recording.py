"""``stereo record -o FILE.mcap``: the raw pairs of a source in one MCAP file, as ROS has them.

camera_info has no room for all that a rig is (its covariance, for one), so the rig file itself is
attached: ``bag:`` gives back the same rig, to the last bit, and any other reader the usual topics.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from calib import RectifiedRig, StereoRig, save_rig
from stereo.errors import OutputError
from stereo.frame import StereoFrame
from stereo.publishing import cdr
from stereo.publishing.mcap import McapFile
from stereo.publishing.messages import STATIC, Stamps
from stereo.publishing.parts import (
    IMAGE,
    INFO,
    LEFT,
    RIGHT,
    TF,
    Optics,
    Pose,
    frames_message,
    image_message,
    info_message,
)
from stereo.rectify import Rectification
from stereo.sources.mcap import RIG_ATTACHMENT
from stereo.sources.record import Recorder
from stereo.sources.source import SourceOptions, StereoSource

Calibration = StereoRig | RectifiedRig | None


class McapRecorder(Recorder):
    """A ``Recorder`` whose ``folder`` is one file."""

    def _begin(
        self,
        source: StereoSource | None,
        options: SourceOptions | None,
        calibration: Calibration,
    ) -> None:
        attached = {}
        if isinstance(calibration, StereoRig):
            attached[RIG_ATTACHMENT] = _rig_file(calibration)
        self._file = McapFile(self.folder, attached=attached, min_free_bytes=self._min_free_bytes)
        self._lenses = None if calibration is None else _lenses(calibration)
        self._right = _right_camera(calibration)
        self._image = "image_rect" if isinstance(calibration, RectifiedRig) else "image_raw"
        self._stamps = Stamps()

    def _write_all(self) -> None:
        with self._file as file:
            while (frame := self._next()) is not None:
                self._write_messages(file, frame)
                self._wrote(frame, frame.left.nbytes + frame.right.nbytes)

    def _write_messages(self, file: McapFile, frame: StereoFrame) -> None:
        left_ns = self._stamps.of(frame)
        right_ns = max(0, left_ns + round(frame.skew_s * 1e9))
        if self._right is not None:
            data = cdr.encoded(frames_message({RIGHT: self._right}))
            file.write_once(STATIC, TF, left_ns, data)
        sides = (("left", frame.left, left_ns, LEFT), ("right", frame.right, right_ns, RIGHT))
        for number, (side, image, stamp_ns, frame_id) in enumerate(sides):
            if self._lenses is not None:
                size = image.shape[1], image.shape[0]
                info = info_message(self._lenses[number], size, stamp_ns, frame_id)
                file.write(f"{side}/camera_info", INFO, stamp_ns, cdr.encoded(info))
            found = image_message(image, stamp_ns, frame_id)
            file.write(f"{side}/{self._image}", IMAGE, stamp_ns, cdr.encoded(found))
        try:
            file.flush()
        except OutputError as error:
            raise self._full(error) from error


def _lenses(calibration: StereoRig | RectifiedRig) -> tuple[Optics, Optics]:
    """Both cameras as camera_info says them."""
    rect = Rectification.from_calibration(calibration)
    P1, P2 = rect.P1, rect.P2
    if isinstance(calibration, StereoRig):
        R1, R2 = rect.R_rect_left, rect.R_rect_right
        assert R1 is not None
        assert R2 is not None
        return Optics.raw(calibration.left, R1, P1), Optics.raw(calibration.right, R2, P2)
    return Optics.rectified(P1), Optics.rectified(P2)


def _rig_file(rig: StereoRig) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (path,) = save_rig(rig, Path(folder) / RIG_ATTACHMENT)
        return path.read_bytes()


def _right_camera(calibration: Calibration) -> Pose | None:
    """The right camera, seen from the left one."""
    if calibration is None:
        return None
    if isinstance(calibration, RectifiedRig):
        return np.eye(3), np.array([calibration.baseline_m, 0.0, 0.0])
    R = calibration.R_right_left
    return R.T, -R.T @ calibration.t_right_left
