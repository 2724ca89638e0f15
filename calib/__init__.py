"""Cameras and their calibration; knows nothing of stereo matching.

``load_rig(path)`` reads a calibration file into a ``StereoRig`` (or a ``RectifiedRig`` when the
file holds rectified geometry only), ``save_rig(rig, path)`` writes our own file.

    pairs = [ImagePair("01", Path("left01.png"), Path("right01.png")), ...]
    outcome = calibrate_files(pairs, parse_board("chessboard:9x6:25mm"))
    outcome.grade, outcome.rig, outcome.summary()

The public names stand in ``__init__.pyi``. They are loaded when first used: who only reads a rig
file does not wait for what calibrates.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
