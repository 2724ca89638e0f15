"""The page: whole and without network, units everywhere, pictures also for a refused session."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from boards import BOARD, random_poses, random_rig, rendered, synthetic_views
from chromium import open_page

from calib.board import parse_board
from calib.calibrate import ImagePair, calibrate_files, calibrate_views
from calib.judging.finding import Finding
from calib.outcome import Outcome
from calib.report.cameras import seen_by
from calib.report.coverage import corner_counts
from calib.report.page import render_report, write_report
from calib.solving.calibration import Rejected

UNITS = ("px", "mm", "m", "%", "degrees", "units", "unit")
WITHOUT = {"view", "name", "what", "images", "camera", "boards found", "lens", "model"}
"""Columns of words and of counts."""


class Checker(HTMLParser):
    """Every tag closed in order, and nothing fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        for name, value in attrs:
            if name in ("src", "href"):
                assert (value or "").startswith("data:"), f"{tag} fetches {value}"
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(outcome: Outcome) -> str:
    """The page, after what holds for every page."""
    page = render_report(outcome)
    checker = Checker()
    checker.feed(page)
    assert not checker.open
    assert page.index(outcome.grade) < page.index("<section>")
    words = re.sub(r'src="data:[^"]*"', "", page)
    assert "url(" not in words
    assert not re.search(r"\b(NaN|nan|inf)\b", words)
    return page


def headings(page: str) -> list[str]:
    return [unescape(name) for name in re.findall(r"<th>([^<]*)</th>", page)]


def captions(page: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<figcaption>([^<]*)</figcaption>", page)]


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    rng = np.random.default_rng(21)
    return calibrate_views(synthetic_views(rng, random_rig(rng), 8), BOARD, model="pinhole5")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> list[ImagePair]:
    """Seven rendered pairs."""
    folder, rng = tmp_path_factory.mktemp("session"), np.random.default_rng(22)
    rig, pairs = random_rig(rng), []
    for i, (R, t) in enumerate(random_poses(rng, rig, 7)):
        paths = [folder / f"{side}{i}.png" for side in ("left", "right")]
        for path, image in zip(paths, rendered(rig, R, t), strict=True):
            cv2.imwrite(str(path), image)
        pairs.append(ImagePair(str(i), paths[0], paths[1]))
    return pairs


def test_page_is_whole_and_says_the_verdict_first(outcome: Outcome) -> None:
    page = checked(outcome)
    assert page.index(outcome.verdict) < page.index("Expected depth error")
    sections = re.findall(r"<h2>([^<]*)</h2>", page)
    assert sections == [
        "Expected depth error",
        "What this page cannot see",
        "Lenses",
        "Coverage",
        "Where the boards were",
        "Residuals",
        "Views",
        "Pictures",
        "Board",
        "Models that were tried",
        "Parameters",
    ]


def test_every_column_has_its_unit_and_no_number_an_exponent(outcome: Outcome) -> None:
    page = checked(outcome)
    for name in headings(page):
        assert name in WITHOUT or re.split(r"[ ,]+", name)[-1] in UNITS, name
    words = re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert not re.search(r"\d[eE][-+]\d|(?<![\d.])-0(\.0*)?(?![\d.])", words)
    assert "rad<" not in page  # angles are in degrees


def test_every_figure_says_its_unit_and_every_map_has_a_scale(outcome: Outcome) -> None:
    page = checked(outcome)
    for figure in re.findall(r"<figure>(<svg.*?)</figure>", page):
        caption = captions(f"<figure>{figure}</figure>")[0]
        assert re.search(r"\b(px|mm|m|units|corners)\b|%", caption), caption
        if "sigma, px" in caption or "% of distance" in caption or "difference" in caption:
            assert figure.count("<rect") == 9, caption  # the classes of its scale
    assert sum("at infinity" in text for text in captions(page)) == 4


def test_sums_agree(outcome: Outcome) -> None:
    c = outcome.calibration
    assert c is not None
    page = checked(outcome)
    used = len(c.seen.view)
    counted = [int(n) for n in re.findall(r"(?:left|right): (\d+) corners", unescape(page))]
    assert sum(counted[-2:]) == used
    assert sum(corner_counts(seen).sum() for seen in seen_by(outcome)) == used
    coordinates = [int(n) for n in re.findall(r"<figcaption>\w+: (\d+) coordinates", page)]
    assert sum(coordinates) == 2 * used
    assert page.count('class="board"') == 2 * len(c.views)
    assert f"{len(c.views)} of {outcome.offered}" in page


def test_lengths_of_an_unknown_board_are_not_called_metres() -> None:
    rng = np.random.default_rng(23)
    board = parse_board("chessboard:9x6:1u")
    views = synthetic_views(rng, random_rig(rng), 6)
    page = checked(calibrate_views(views, board, model="pinhole5", deformation="flat"))
    assert not re.search(r"\bmm\b", re.sub(r"--baseline-mm", "", page))
    assert not [name for name in headings(page) if name.endswith(", m")]
    assert "units of the board" in page


def test_what_cannot_be_seen_is_said(outcome: Outcome) -> None:
    for known in (None, 0.1):
        page = unescape(checked(replace(outcome, known_baseline_m=known)))
        said = page[page.index("What this page cannot see") :].partition("</section>")[0]
        assert ("whether the squares of" in said.lower()) == (known is None)
        assert "at which no board was" in said


def test_halves_that_contradict_the_error_bars_are_commented(outcome: Outcome) -> None:
    q = outcome.quality
    assert q is not None
    agreeing = tuple(d._replace(halves_m=d.calibration_m) for d in q.depth_error)
    page = checked(replace(outcome, quality=replace(q, depth_error=agreeing)))
    assert "differ no more than the error bars allow" in page
    apart = tuple(d._replace(halves_m=10 * d.calibration_m) for d in q.depth_error)
    page = checked(
        replace(outcome, quality=replace(q, depth_error=apart, covariance=0 * q.covariance))
    )
    assert "by more than the error bars allow at 0.5, 1" in page
    assert "trust the difference, not the bars" in page


def test_a_refusal_without_anything_has_a_page_too() -> None:
    page = checked(calibrate_views([], BOARD))
    assert "No calibration" in page


def test_a_refused_session_shows_its_pictures(session: list[ImagePair]) -> None:
    """Partners at random: no rig, but every image with its corners, and each camera alone."""
    order = [3, 5, 6, 0, 2, 1, 4]
    wrong = [
        ImagePair(pair.name, pair.left, session[i].right)
        for pair, i in zip(session, order, strict=True)
    ]
    refused = calibrate_files(wrong, BOARD, model="pinhole5", deformation="flat")
    assert refused.calibration is None
    page = checked(refused)
    assert page.count("data:image/jpeg") == len(session)
    assert "Each camera alone explains its own corners" in page
    assert page.count("mean residual of each cell") == 4  # caption and label of both
    assert f"left: {7 * 54} corners" in page
    for name in headings(page):
        assert name in WITHOUT or name.endswith("px"), name


def test_a_board_nobody_found_is_shown_as_the_images_are(session: list[ImagePair]) -> None:
    files = {pair.name: (str(pair.left), str(pair.right)) for pair in session[:3]}
    finding = Finding("not_found", "no board was found in the images", stops=True)
    out = [Rejected(name, "not_found", "no whole board in either") for name in files]
    refused = Outcome.refused(BOARD, [finding], out, files, 3)
    page = checked(refused)
    assert page.count("data:image/jpeg") == 3
    assert page.count("no whole board in either") == 3 * 3  # table, caption, description


def test_rejected_views_come_first_with_their_cause(session: list[ImagePair]) -> None:
    wrong = [
        pair._replace(right=session[6].right) if i == 2 else pair for i, pair in enumerate(session)
    ]
    found = calibrate_files(wrong[:6], BOARD, model="pinhole5", deformation="flat")
    assert [r.name for r in found.rejected] == ["2"]
    page = checked(found)
    assert page.count("data:image/jpeg") == 6 + 3  # all, the worst view and a rectified pair
    sheet = captions(page[page.index("<h2>Pictures") :])
    assert sheet[0].startswith(f"2: {found.rejected[0].cause}: ")


def test_sixty_views_stay_small_and_quick(session: list[ImagePair]) -> None:
    rng = np.random.default_rng(24)
    found = calibrate_views(
        synthetic_views(rng, random_rig(rng), 16), BOARD, model="pinhole5", deformation="flat"
    )
    images = [(str(pair.left), str(pair.right)) for pair in session]
    seen = {f"{n}{i}": both for i in range(5) for n, both in found.seen.items()}
    many = replace(found, seen=seen, files={name: images[i % 7] for i, name in enumerate(seen)})
    started = time.process_time()
    page = checked(many)
    assert len(page) < 3e6
    assert "20 more are not shown" in page
    assert time.process_time() - started < 60  # hung, not slow


def test_a_phone_needs_no_sideways_scrolling(outcome: Outcome, tmp_path: Path) -> None:
    write_report(outcome, tmp_path / "report.html")
    with open_page(f"file://{tmp_path / 'report.html'}") as page:
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=390,
            height=844,
            deviceScaleFactor=1,
            mobile=True,
        )
        page.wait(lambda: page.run("document.readyState") == "complete", "the page")
        assert page.run("document.documentElement.scrollWidth") <= 390
        parts = "[...document.querySelectorAll('td,svg,img,figure')]"
        assert max(page.run(f"{parts}.map(e => e.getBoundingClientRect().right)")) <= 390
        assert page.run("getComputedStyle(document.querySelector('.wide thead')).display") == "none"
        page.screenshot(tmp_path / "light.png")
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        page.call("Emulation.setEmulatedMedia", features=dark)
        page.screenshot(tmp_path / "dark.png")
        assert [r for r in page.requests if not r.startswith(("file:", "data:"))] == []
    shots = [cv2.imread(str(tmp_path / f"{name}.png")) for name in ("light", "dark")]
    light, night = (shot.mean() for shot in shots if shot is not None)
    assert light > 200
    assert night < 80
