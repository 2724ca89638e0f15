"""One calibration of every format, made from one rig: what tests change and fuzzers break."""

from __future__ import annotations

import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import scipy.io
from scipy.spatial.transform import Rotation

from calib import FORMATS, Camera, StereoRig, save_rig

K1 = np.array([[700.5, 0, 650.25], [0, 701.5, 350.75], [0, 0, 1]])
K2 = np.array([[702.5, 0, 640.5], [0, 703.25, 365.5], [0, 0, 1]])
D1, D2 = np.array([-0.05, 0.03, 3e-4, -1e-4]), np.array([-0.06, 0.04, -2e-4, 5e-4])
SIZE = (1280, 720)
RIG = StereoRig(
    Camera("pinhole", SIZE, K1, D1),
    Camera("pinhole", SIZE, K2, D2),
    Rotation.from_rotvec([0.003, -0.004, 0.001]).as_matrix(),
    np.array([-0.12, 0.0005, -0.001]),
)

Files = dict[str, bytes]


def samples() -> dict[str, Files]:
    """Format -> the files of a calibration, names and bytes."""
    return {
        **{name: _written(name) for name, each in FORMATS.items() if each.write},
        "karlsruhe": {"calib.txt": KARLSRUHE},
        "eth3d": {"cameras.txt": CAMERAS, "images.txt": IMAGES},
        "depthai": {"calib.json": json.dumps(depthai()).encode()},
        "simplestereo": {"rig.json": json.dumps(simplestereo()).encode()},
        "matlab": {"stereo.mat": mat(matlab())},
        "foundationstereo": {"K.txt": b"700.5 0 650.25 0 700.5 350.75 0 0 1\n0.12\n"},
        "q-matrix": {
            "Q.txt": b"1 0 0 -650.25\n0 1 0 -350.75\n0 0 0 700.5\n0 0 8.333333333333334 0\n"
        },
    }


def _written(name: str) -> Files:
    with TemporaryDirectory() as folder:
        place = Path(folder) if FORMATS[name].names else Path(folder, "calib.yaml")
        paths = save_rig(RIG, place, format=name)
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def put(files: Files, folder: Path) -> Path:
    """Write the files into a folder; returns the first."""
    for name, raw in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
    return folder / next(iter(files))


def _numbers(value: object) -> str:
    return " ".join(f"{v:.9e}" for v in np.ravel(np.asarray(value, float)))


P1, P2 = np.hstack([K1, np.zeros((3, 1))]), np.hstack([K1, [[-700.5 * 0.12], [0], [0]]])
P1[1, 1] = P2[1, 1] = 700.5
KARLSRUHE = (
    f"calib_time: 09-Mar-2010 16:52:08\ncorner_dist: 1.0e-01\nroi: 26 1369 70 441\n"
    f"K1: {_numbers(K1)}\nP1_roi: {_numbers(P1)}\nP2_roi: {_numbers(P2)}\n"
).encode()
CAMERAS = (
    b"# Camera list with one line of data per camera:\n"
    b"0 PINHOLE 1280 720 700.5 701.5 650.25 350.75\n"
    b"1 OPENCV 1280 720 702.5 703.25 640.5 365.5 -0.06 0.04 -0.0002 0.0005\n"
)
IMAGES = (
    b"# Image list with two lines of data per image:\n"
    b"0 1 0 0 0 0 0 0 0 im0.png\n\n1 0.999 0.001 -0.002 0.0005 -0.12 0.0005 -0.001 1 im1.png\n"
    b"1.5 2.5 -1 3.5 4.5 -1\n"
)


def depthai() -> dict[str, object]:
    def camera(K: np.ndarray, D: np.ndarray, R: np.ndarray, t: np.ndarray, to: int) -> object:
        return {
            "cameraType": 0,
            "width": 1280,
            "height": 720,
            "intrinsicMatrix": K.tolist(),
            "distortionCoeff": np.pad(D, (0, 14 - D.size)).tolist(),
            "extrinsics": {
                "rotationMatrix": R.tolist(),
                "translation": dict(zip("xyz", (100 * t).tolist(), strict=True)),
                "specTranslation": {"x": -7.5, "y": 0.0, "z": 0.0},
                "toCameraSocket": to,
            },
        }

    left = camera(K1, D1, RIG.R_right_left, RIG.t_right_left, 2)
    right = camera(K2, D2, np.zeros((3, 3)), np.zeros(3), -1)
    return {"boardName": "OAK-D", "cameraData": [[1, left], [2, right]], "version": 7}


def simplestereo() -> dict[str, object]:
    return {
        "res1": SIZE,
        "res2": SIZE,
        "intrinsic1": K1.tolist(),
        "intrinsic2": K2.tolist(),
        "distCoeffs1": D1.tolist(),
        "distCoeffs2": D2.tolist(),
        "R": RIG.R_right_left.tolist(),
        "T": (1000 * RIG.t_right_left[:, None]).tolist(),
        "reprojectionError": 0.2,
    }


def matlab() -> dict[str, object]:
    """stereoParameters as plain arrays: row vectors, pixels from 1, millimetres."""
    one = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]])
    return {
        "cameraMatrix1": (K1 + one).T,
        "cameraMatrix2": (K2 + one).T,
        "RadialDistortion1": D1[None, :2],
        "RadialDistortion2": D2[None, :2],
        "TangentialDistortion1": D1[None, 2:],
        "TangentialDistortion2": D2[None, 2:],
        "R": RIG.R_right_left.T,
        "T": 1000 * RIG.t_right_left[None],
        "ImageSize": np.array([[720.0, 1280.0]]),
    }


def mat(values: dict[str, object], *, compressed: bool = True) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, values, do_compression=compressed)
    return file.getvalue()
