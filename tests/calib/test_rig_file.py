"""Our own rig file: nothing lost, nothing accepted that is not right, never half a file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from calib import Camera, RigFileError, RigWriteError, StereoRig, load_rig, save_rig
from calib.formats import rig as rig_format
from calib.formats.reading import MAX_BYTES

K = np.array([[500.1, 0, 322.3], [0, 510.7, 238.9], [0, 0, 1]])


def a_rig(**changes: Any) -> StereoRig:
    fields: dict[str, Any] = {
        "left": Camera("pinhole", (640, 480), K, [-0.4, 0.15, 1e-5, -0.002, 0.1]),
        "right": Camera("pinhole", (1280, 960), 2 * K - np.diag([0, 0, 1.0]), []),
        "R_right_left": cv2.Rodrigues(np.array([0.01, -0.02, 0.003]))[0],
        "t_right_left": [-0.1, 0.001, 1e-7],
        "name": "bench 7",
        "reprojection_rms_px": 0.195,
        "row_error_px": None,
        "notes": {"board": {"square_m": 0.025}, "views": ["a.png", "b.png"]},
    }
    return StereoRig(**fields | changes)


def bits(rig: StereoRig) -> dict[str, Any]:
    """Everything in a rig, floats by their bits."""
    cameras = [
        (c.model, c.size, c.K.tobytes(), c.distortion.tobytes()) for c in (rig.left, rig.right)
    ]
    return {
        "cameras": cameras,
        "motion": (rig.R_right_left.tobytes(), rig.t_right_left.tobytes()),
        "rest": repr((rig.name, rig.reprojection_rms_px, rig.row_error_px, rig.notes)),
    }


# -- lossless --------------------------------------------------------------------------------


def test_read_undoes_write(tmp_path: Path) -> None:
    rig = a_rig()
    save_rig(rig, tmp_path / "rig.yaml")
    loaded = load_rig(tmp_path / "rig.yaml")
    assert isinstance(loaded, StereoRig)
    assert bits(loaded) == bits(rig)
    assert list(tmp_path.iterdir()) == [tmp_path / "rig.yaml"]


focal = st.floats(1, 1e5)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
finite = st.floats(-1e3, 1e3)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=8,
)


@given(
    f=st.tuples(focal, focal, focal, focal),
    c=st.tuples(st.floats(-640, 1280), st.floats(-480, 960)),
    pinhole=st.sampled_from([0, 4, 5, 8, 12, 14]).flatmap(
        lambda n: st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=n, max_size=n)
    ),
    turn=st.tuples(finite, finite, finite),
    t=st.tuples(st.floats(0.01, 50), finite.map(lambda v: v / 50), finite.map(lambda v: v / 50)),
    name=st.none() | text,
    error=st.none() | st.floats(0, 1e3),
    notes=st.dictionaries(text, plain, max_size=4),
)
def test_any_rig_survives_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory,
    f: tuple[float, ...],
    c: tuple[float, float],
    pinhole: list[float],
    turn: tuple[float, ...],
    t: tuple[float, ...],
    name: str | None,
    error: float | None,
    notes: dict[str, Any],
) -> None:
    rig = StereoRig(
        Camera("pinhole", (640, 480), [[f[0], 0, c[0]], [0, f[1], c[1]], [0, 0, 1]], pinhole),
        Camera("pinhole", (640, 480), [[f[2], 0, c[0]], [0, f[3], c[1]], [0, 0, 1]], []),
        cv2.Rodrigues(np.array(turn))[0],
        np.array(t),
        name=name,
        reprojection_rms_px=error,
        row_error_px=error,
        notes=notes,
    )
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    save_rig(rig, path)
    loaded = load_rig(path)
    assert isinstance(loaded, StereoRig)
    assert bits(loaded) == bits(rig)


def test_fisheye_rig_survives(tmp_path: Path) -> None:
    camera = Camera("fisheye", (640, 480), K, [0.1, -0.02, 0.003, -0.0004])
    save_rig(a_rig(left=camera, right=camera), tmp_path / "rig.yaml")
    assert load_rig(tmp_path / "rig.yaml", model="fisheye", unit="m").left.model == "fisheye"  # type: ignore[union-attr]


# -- the strict reader -----------------------------------------------------------------------

Change = Callable[[dict[str, Any]], object]


def written(tmp_path: Path, change: Change) -> Path:
    path = tmp_path / "rig.yaml"
    save_rig(a_rig(), path)
    data = yaml.safe_load(path.read_text())
    change(data)
    path.write_text(yaml.safe_dump(data))
    return path


FAULTS: list[tuple[Change, str]] = [
    (lambda d: d["left"]["K"].pop("fx"), "left.K.fx is missing"),
    (lambda d: d["left"]["K"].update(fx="wide"), "left.K.fx: expected a finite number, got 'wide'"),
    (lambda d: d["left"]["K"].update(fx=True), "left.K.fx: expected a finite number, got True"),
    (lambda d: d["left"]["K"].update(fx=float("nan")), "left.K.fx: expected a finite number"),
    (lambda d: d["left"]["K"].update(fx=-3.0), "left.K: focal lengths must be in pixels"),
    (lambda d: d["left"]["K"].update(tilt=0.0), "unknown key left.K.tilt"),
    (lambda d: d["left"].update(K=[1, 2]), "left.K: expected keys with values"),
    (lambda d: d["left"].update(model="omni"), "left.model: expected"),
    (lambda d: d["left"].update(size=[640]), "left.size: expected"),
    (lambda d: d["left"].update(size="640x480"), "left.size: expected"),
    (lambda d: d["right"].update(distortion=[0.1, None]), r"right.distortion\[1\]: expected a fin"),
    (lambda d: d["right"].update(distortion=0.1), "right.distortion: expected a list of numbers"),
    (lambda d: d["right"].update(distortion=[0.1]), "right.distortion: a pinhole camera takes"),
    (lambda d: d["right"].update(lens="wide"), "unknown key right.lens"),
    (lambda d: d.pop("right"), "right is missing"),
    (lambda d: d["right_from_left"].update(meaning="x_left = R x_right + t"), "meaning: expected"),
    (lambda d: d["right_from_left"]["R"].pop(), "right_from_left.R: expected 3 rows"),
    (lambda d: d["right_from_left"]["R"][1].pop(), r"right_from_left.R\[1\]: expected 3 finite"),
    (lambda d: d["right_from_left"].update(R=[[1, 0, 0], [0, 1, 0], [0, 0.1, 1]]), "rotation"),
    (lambda d: d["right_from_left"].update(t=[-100.5, 0, 0]), "baseline is 100.5 m"),
    (lambda d: d["right_from_left"].update(t=[-0.1, 0]), "right_from_left.t: expected 3 finite"),
    (lambda d: d["quality"].update(row_error_px=-1), "row_error_px: expected pixels >= 0"),
    (lambda d: d["quality"].pop("row_error_px"), "quality.row_error_px is missing"),
    (lambda d: d.update(length_unit="mm"), "length_unit: expected 'm', got 'mm'"),
    (lambda d: d.update(version=2), "version: expected 1; a newer version needs a newer"),
    (lambda d: d.update(version=True), "version: expected 1"),
    (lambda d: d.update(name=7), "name: expected text"),
    (lambda d: d.update(notes=[1]), "notes: expected keys with values"),
    (lambda d: d["notes"].update({3: 4}), "notes: expected text, got 3"),
    (lambda d: d.update(colour="red"), "unknown key colour"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[m for _, m in FAULTS])
def test_every_fault_is_named_by_file_and_key(tmp_path: Path, change: Change, message: str) -> None:
    path = written(tmp_path, change)
    with pytest.raises(RigFileError, match=message) as caught:
        load_rig(path)
    assert str(path) in str(caught.value)


def test_a_hand_written_exponent_is_a_number(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    save_rig(a_rig(), path)
    by_hand = re.sub(r"fx: [0-9.]+", "fx: 5e2", path.read_text(), count=1)  # text for YAML 1.1
    path.write_text(by_hand)
    assert load_rig(path).left.K[0, 0] == 500  # type: ignore[union-attr]


def test_what_the_file_states_is_not_overruled(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    save_rig(a_rig(), path)
    with pytest.raises(RigFileError, match="lengths are metres, not 'mm'; omit the unit"):
        load_rig(path, unit="mm")
    with pytest.raises(RigFileError, match="the left camera is pinhole, not 'fisheye'"):
        load_rig(path, model="fisheye")
    assert load_rig(path, size=(320, 240)).left.size == (640, 480)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("appended", "message"),
    [
        ("version: 1\n", "line .*: key 'version' is given twice"),
        ("a: &x [1]\nb: *x\n", "line .*: YAML aliases"),
        ("a: !!python/object/apply:os.system [ls]\n", "not valid YAML: line"),
        ("a: [1, 2\n", "not valid YAML: line"),
        ("a: 2024-99-99\n", "not valid YAML"),
        ("a: {[1]: 2}\n", "not valid YAML"),
        ("a: !!map [1]\n", "not valid YAML"),
        ("a: \x07\n", "not valid YAML"),
        ("a: " + "[" * 200 + "]" * 200 + "\n", "nested more than 32 levels"),
        # PyYAML's scanner looks ahead and may refuse it, in its own words, before we count
        ("a: " + "[" * 100_000 + "\n", "nested more than 32 levels|not valid YAML: line"),
        ("a: [" + "1," * 600_000 + "1]\n", "more than 500000 values"),
        ("#" * MAX_BYTES + "\n", "larger than 4 MB"),
    ],
)
def test_hostile_yaml_is_refused(tmp_path: Path, appended: str, message: str) -> None:
    path = tmp_path / "rig.yaml"
    save_rig(a_rig(), path)
    path.write_text(path.read_text() + appended)
    with pytest.raises(RigFileError, match=message):
        load_rig(path)


def test_a_cut_file_is_never_read_as_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    save_rig(a_rig(), path)
    raw = path.read_bytes()
    end = raw.index(b"notes:")  # the notes are free: what is cut there cannot be missed
    for length in range(0, end, 7):
        path.write_bytes(raw[:length])
        with pytest.raises(RigFileError):
            load_rig(path)


# -- writing in one step ---------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rig.yaml"
    save_rig(a_rig(name="old"), path)

    def disk_full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(RigWriteError, match="cannot be written: No space left on device"):
        save_rig(a_rig(name="new"), path)
    assert load_rig(path).name == "old"  # type: ignore[union-attr]
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_rig(a_rig(), tmp_path / "rig.yaml")
    assert list(tmp_path.iterdir()) == []


def test_places_that_take_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(RigWriteError, match="cannot be written: Is a directory"):
        save_rig(a_rig(), tmp_path / "folder")
    with pytest.raises(RigWriteError, match="cannot be written: No such file or directory"):
        save_rig(a_rig(), tmp_path / "absent" / "rig.yaml")
    (tmp_path / "file").write_text("x")
    with pytest.raises(RigWriteError, match="cannot be written: Not a directory"):
        save_rig(a_rig(), tmp_path / "file" / "rig.yaml")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.yaml").symlink_to(tmp_path / "rig.yaml")
    save_rig(a_rig(), tmp_path / "link.yaml")
    assert (tmp_path / "link.yaml").is_symlink()
    assert load_rig(tmp_path / "rig.yaml").name == "bench 7"  # type: ignore[union-attr]


def test_what_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(RigWriteError, match=r"would not read back: .*nested more than"):
        save_rig(a_rig(notes={"deep": deep}), tmp_path / "rig.yaml")
    with pytest.raises(RigWriteError, match=r"takes 5.0 MB, .*shorten its notes"):
        save_rig(a_rig(notes={"long": "x" * 5_000_000}), tmp_path / "rig.yaml")
    with pytest.raises(RigWriteError, match="only a rig can be written, got str"):
        save_rig("rig", tmp_path / "rig.yaml")  # type: ignore[arg-type]
    with pytest.raises(RigFileError, match="cannot write calibration format 'matlab'; known: rig"):
        save_rig(a_rig(), tmp_path / "rig.yaml", format="matlab")
    assert list(tmp_path.iterdir()) == []


def test_the_file_says_what_its_numbers_mean(tmp_path: Path) -> None:
    save_rig(a_rig(), tmp_path / "rig.yaml")
    content = (tmp_path / "rig.yaml").read_text()
    for words in ("length_unit: m", rig_format.DIRECTION, "schema: stereo-depth-rig", "version: 1"):
        assert words in content
