"""The K, D, R, T that an OpenCV user has in hand, and back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from calib import CameraError, StereoRig

SIZE = (640, 480)
K1 = np.array([[500.0, 0, 320], [0, 502, 240], [0, 0, 1]])
K2 = np.array([[505.0, 0, 318], [0, 503, 238], [0, 0, 1]])
D = np.array([[-0.1, 0.02, 0.001, -0.002, 0.003]])
TURN = np.array([0.01, -0.02, 0.005])
R = cv2.Rodrigues(TURN)[0]
T_MM = np.array([[-60.0], [0.5], [1.0]])


def test_what_stereo_calibrate_gives_is_taken_as_it_comes() -> None:
    rig = StereoRig.from_opencv(K1, D, K2, D.T, R, T_MM, SIZE, unit="mm")
    np.testing.assert_allclose(rig.t_right_left, T_MM.ravel() / 1000)
    assert rig.baseline_m == pytest.approx(0.060, abs=1e-4)
    K1_, D1, _, _, R_, T, size = rig.to_opencv()
    np.testing.assert_array_equal(K1_, K1)
    np.testing.assert_array_equal(D1, D.ravel())
    np.testing.assert_allclose(R_, R, atol=1e-12)
    assert T.shape == (3, 1)
    assert size == SIZE
    assert cv2.stereoRectify(K1_, D1, K2, D1, size, R_, T)[0].shape == (3, 3)  # it takes them


def test_a_rotation_vector_and_few_digits_are_a_rotation() -> None:
    by_vector = StereoRig.from_opencv(K1, None, K2, None, TURN[:, None], T_MM, SIZE, unit="mm")
    np.testing.assert_allclose(by_vector.R_right_left, R, atol=1e-12)
    typed = StereoRig.from_opencv(K1, None, K2, None, R.round(4), T_MM, SIZE, unit="mm")
    np.testing.assert_allclose(typed.R_right_left, R, atol=2e-4)
    assert len(typed.left.distortion) == 0


def test_fisheye_lenses_and_board_units() -> None:
    rig = StereoRig.from_opencv(
        K1, D[0, :4], K2, D[0, :4], R, [-2.4, 0, 0], SIZE, unit=0.025, model="fisheye"
    )
    assert rig.left.model == "fisheye"
    assert rig.baseline_m == pytest.approx(0.06)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"T": T_MM}, r"T: 60\.\d+ m between the cameras\? .* say unit='mm'"),
        ({"T": T_MM / 1000, "unit": "mm"}, r"baseline is 0\.00006.* Lengths here are metres"),
        ({"unit": "furlong"}, "unit: expected one of m, .* got 'furlong'"),
        ({"T": [1, 2]}, r"T: expected shape \(3,\)"),
        ({"R": np.eye(3) * 2}, "R_right_left: expected a rotation"),
        ({"R": np.eye(2)}, r"R_right_left: expected shape \(3, 3\)"),
        ({"K1": np.eye(2)}, r"K: expected shape \(3, 3\)"),
        ({"D1": [1, 2, 3]}, "distortion"),
    ],
)
def test_what_is_no_rig_is_named(changes: dict[str, object], message: str) -> None:
    given = {"K1": K1, "D1": D, "K2": K2, "D2": D, "R": R, "T": T_MM / 1000, "size": SIZE}
    with pytest.raises(CameraError, match=message):
        StereoRig.from_opencv(**{**given, **changes})  # type: ignore[arg-type]


def test_a_long_baseline_can_be_meant() -> None:
    given = (K1, D, K2, D, R, [-12.0, 0, 0], SIZE)
    assert StereoRig.from_opencv(*given, unit=1.0).baseline_m == 12


def test_cameras_and_rigs_are_printed_in_one_line() -> None:
    rig = StereoRig.from_opencv(K1, D, K2, D, R, T_MM, SIZE, unit="mm")
    assert repr(rig.left) == "Camera(pinhole5, 640x480, focal 500.0 px, field of view 67x52 deg)"
    assert repr(rig).endswith("baseline 0.0600 m)")
    assert "\n" not in repr(rig)
