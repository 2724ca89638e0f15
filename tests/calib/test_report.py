from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from boards import BOARD, random_poses, random_rig, rendered, synthetic_views

from calib.calibrate import ImagePair, calibrate_files, calibrate_views
from calib.outcome import Outcome
from calib.report import render_report, write_report


class Checker(HTMLParser):
    """Every tag closed in order, and nothing fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href"):
                assert (value or "").startswith("data:"), f"{tag} fetches {value}"
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    rng = np.random.default_rng(21)
    return calibrate_views(synthetic_views(rng, random_rig(rng), 8), BOARD, model="pinhole5")


def test_page_is_whole_and_says_the_verdict_first(outcome: Outcome) -> None:
    page = render_report(outcome)
    checker = Checker()
    checker.feed(page)
    assert not checker.open
    assert page.index(outcome.verdict) < page.index("Expected depth error")
    for part in ("Coverage", "Residuals", "Views", "Board", "Parameters", "left.fx"):
        assert part in page


def test_numbers_have_units_and_no_exponents(outcome: Outcome) -> None:
    page = re.sub(r"<style.*?</style>|data:[^\"]*", "", render_report(outcome), flags=re.DOTALL)
    words = re.sub(r"<[^>]+>", " ", page)
    assert not re.search(r"\d[eE][-+]\d|(?<![\d.])-0(\.0*)?(?![\d.])", words)
    headings = re.findall(r"<th>([^<]*)</th>", page[page.index("Expected depth error") :])
    assert [h for h in headings[1:7] if h.split(", ")[-1] not in ("mm", "%")] == []


def test_a_refusal_has_a_page_too() -> None:
    page = render_report(calibrate_views([], BOARD))
    Checker().feed(page)
    assert "No calibration" in page


def test_pictures_are_shown_where_files_are_known(tmp_path: Path) -> None:
    rng = np.random.default_rng(22)
    rig = random_rig(rng)
    for i, (R, t) in enumerate(random_poses(rng, rig, 5)):
        for side, image in zip(("left", "right"), rendered(rig, R, t), strict=True):
            cv2.imwrite(str(tmp_path / f"{side}{i}.png"), image)
    pairs = [
        ImagePair(str(i), tmp_path / f"left{i}.png", tmp_path / f"right{i}.png") for i in range(5)
    ]
    found = calibrate_files(
        pairs,
        BOARD,
        model="pinhole5",
        deformation="flat",
    )
    assert found.calibration is not None
    assert found.calibration.rms_px() < 0.15
    assert found.calibration.rig.baseline_m == pytest.approx(rig.baseline_m, rel=0.02)
    page = render_report(found)
    assert page.count("data:image/jpeg") == 5


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_draws_the_page(outcome: Outcome, tmp_path: Path) -> None:
    write_report(outcome, tmp_path / "report.html")
    shot = tmp_path / "shot.png"
    subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=390,1600",
            f"--screenshot={shot}",
            f"file://{tmp_path / 'report.html'}",
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    image = cv2.imread(str(shot))
    assert image is not None
    assert image.std() > 10  # something is drawn
    assert (image[:, -1] > 200).all()  # and nothing runs off a phone's right edge
