"""Mistakes that new users make: each ends with its exit code and says what to type next."""

from __future__ import annotations

import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
from support import Cli, textured_pair

from stereo.files import outputs

METRIC = "--rectified --focal-px 300 --baseline-m 0.1"

MISTAKES = [
    # the command itself
    ("rum L/0.png R/0.png", 2, "there is no command 'rum'; did you mean run?"),
    ("depth L/0.png R/0.png", 2, "stereo --help lists them all"),
    ("run L/0.png R/0.png -o o --calibration rig.yaml", 2, "Did you mean '--calib'?"),
    ("run L/0.png R/0.png -o o --matcher sgmm", 2, "Did you mean sgm?"),
    ("run L/0.png R/0.png -o o --matcher-param unique_percent=5", 2, "mean uniqueness_percent?"),
    ("run L/0.png R/0.png -o o --preset fst", 2, "Did you mean fast?"),
    ("run L/0.png R/0.png -o o --outputs clod", 2, "did you mean cloud?"),
    ("run L/0.png R/0.png -o o --config told.toml", 2, "did you mean num_disparities?"),
    ("run L/0.png R/0.png", 2, "such as -o results"),
    ("run L/0.png L/1.png R/0.png R/1.png -o o", 2, "put it in quotes: 'left/*.png'"),
    # which images
    ("run", 2, "such as stereo run left.png right.png -o results"),
    ("run L/0.png -o o", 2, "RIGHT is missing: give the right image too"),
    ("run L -o o", 2, "give the folder of the right images too"),
    ("run both.png -o o", 2, "or --side-by-side if each image of both.png holds both views"),
    ("run L R -o o --side-by-side", 2, "RIGHT is too much"),
    ("run odd.png -o o --side-by-side", 2, "give left and right as two images, or crop it"),
    ("run L/0.pgn R/0.png -o o", 2, "did you mean L/0.png?"),
    ("run lefts R -o o", 2, "lefts: no such file or folder; looked in "),
    ("run L/0.png gone/0.png -o o", 2, "there is no folder gone either"),
    ("run empty R -o o", 2, "empty: no images found (.png,"),
    ("run text.png R/0.png -o o", 2, "text.png: not an image of a known kind (png,"),
    ("run float.tiff R/0.png -o o", 2, "is it a map? (stereo view float.tiff)"),
    ("run L/0.png small.png -o o", 2, "give two images of one setting"),
    ("run L/0.png L/0.png -o o", 2, "is given as left and as right image"),
    ("run R/0.png L/0.png -o o", 2, "or use --swap"),
    ("run L/0.png R/0.png -o o --swap", 2, "drop --swap"),
    ("run L/0.png R/0.png -o text.png", 1, "choose another output folder"),
    # units and numbers
    ("run L/0.png R/0.png -o o --focal-px 300 --baseline-m 60", 2, "meant, --baseline-m 0.06;"),
    ("run L/0.png R/0.png -o o --focal-px 300 --baseline-m 60", 2, "is that far, --baseline-m 60m"),
    ("run L/0.png R/0.png -o o --focal-px 300 --baseline-m six", 2, "such as 0.06 (or 60mm)"),
    ("run L/0.png R/0.png -o o --focal-px 300", 2, "--baseline-m is missing"),
    ("run L/0.png R/0.png -o o --num-disparities -16", 2, "from 1 on, or auto, got -16"),
    ("run L/0.png R/0.png -o o --min-disparity 3", 2, "--min-disparity needs --num-disparities"),
    (f"run L/0.png R/0.png -o o {METRIC} --min-depth-m 5 --max-depth-m 2", 2, "exchanged?"),
    ("run L/0.png R/0.png -o o --jobs 0", 2, "1<=x<=64"),
    # calibration
    ("run L/0.png R/0.png -o o --calib rg.yaml", 2, "did you mean rig.yaml?"),
    ("run L/0.png R/0.png -o o --calib rig.yaml", 2, "or rescale the calibration (--rescale)"),
    ("run L/0.png R/0.png -o o --calib L/0.png", 2, "a binary file, no calibration"),
    ("inspect rigg.yaml", 2, "did you mean rig.yaml?"),
    ("rectify L/0.png R/0.png -o o", 2, "such as --calib rig.yaml (stereo calibrate makes one)"),
    ("calibrate L R -o r.yaml", 2, "give --board, such as chessboard:9x6:25mm"),
    ("calibrate L R -o r.yaml --board 9x6", 2, "such as chessboard:9x6:25mm"),
    ("calibrate L R -o r.yaml --board chessboard:9x6:25", 2, "write 25mm"),
    # cameras
    ("live 0", 2, "did you mean sbs:0 (one camera"),
    ("live 0", 2, "or pair:0,2 (two cameras)?"),
    ("live /dev/video77", 2, "did you mean sbs:/dev/video77"),
    ("live 0,2", 2, "did you mean pair:0,2"),
    ("live sbs", 2, "did you mean sbs:0?"),
    ("live rstp://camera/stream", 2, "did you mean rtsp?"),
    ("live sbs:77", 1, "/dev/video77: no such camera; there are: "),
    ("live film.mp4", 2, "did you mean file.mp4?"),
    ("live recording:rek", 2, "did you mean rec?"),
    ("record 0 -o rec", 2, "did you mean sbs:0"),
    ("run 0 -o o", 2, "use stereo live or stereo record"),
    ("run sbs:0 -o o", 2, "stereo record sbs:0 -o DIR"),
    # looking
    ("view cluod.ply", 2, "did you mean cloud.ply?"),
    ("doctor --camera", 2, "Did you mean '--cameras'?"),
]
"""What is typed, how it ends, and what the message says of the next step."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sample_data: Path) -> Path:
    root = tmp_path_factory.mktemp("mistakes")
    for name in ("L", "R", "empty", "rec"):
        (root / name).mkdir()
    for k in range(2):
        pair = textured_pair(6.0 + k, seed=k)
        outputs.write_image_png(root / "L" / f"{k}.png", pair.left)
        outputs.write_image_png(root / "R" / f"{k}.png", pair.right)
    both = np.hstack([pair.left, pair.right])
    outputs.write_image_png(root / "both.png", both)
    outputs.write_image_png(root / "odd.png", both[:, :-1])
    outputs.write_image_png(root / "small.png", pair.right[:, :200])
    cv2.imwrite(str(root / "float.tiff"), np.ones((120, 320), np.float32))
    for name in ("text.png", "cloud.ply", "file.mp4"):
        (root / name).write_text("hello")
    (root / "told.toml").write_text("num-disparitys = 3\n")
    (root / "rig.yaml").write_bytes((sample_data / "room" / "rig.yaml").read_bytes())
    return root


@pytest.mark.parametrize(("typed", "code", "says"), MISTAKES)
def test_a_mistake_is_told_what_to_type_next(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, says: str
) -> None:
    monkeypatch.chdir(folder)
    ended = cli(*shlex.split(typed))
    assert ended.code == code, ended.err
    assert says in ended.err
    assert "Traceback" not in ended.err
    assert "unexpected" not in ended.err.replace("unexpected extra argument", "")
    assert ended.out == ""
    assert not list(folder.glob("o/**/summary.json"))


@pytest.mark.parametrize("baseline", ["60m", "6000cm", "60000mm"])
def test_a_wide_rig_is_believed_when_its_unit_is_said(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, baseline: str
) -> None:
    monkeypatch.chdir(folder)
    ended = cli(
        *("run", "L/0.png", "R/0.png", "-o", tmp_path, "--outputs", "left"),
        *("--focal-px", 300, "--baseline-m", baseline),
    )
    assert ended.code == 0, ended.err
    assert '"baseline_m": 60.0' in (tmp_path / "summary.json").read_text()
