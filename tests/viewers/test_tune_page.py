"""The sliders of ``stereo tune --view web``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chromium import open_page
from evaluation.painted_walls import painted_wall

from stereo.errors import OutputError
from stereo.tuning.cases import case_of
from stereo.tuning.knobs import Values, defaults_of, knobs_of

pytest.importorskip("viser", reason="needs the extra web (viser)")


def test_sliders_match_anew_and_are_written(tmp_path: Path) -> None:
    from stereo.viewers.tune_page import TunePage

    pair, _ = painted_wall(1.2, noise=2)
    written: list[Values] = []

    def write(values: Values) -> str:
        if written:
            raise OutputError("the disk is full")
        written.append(values)
        return "tuned.toml"

    start = defaults_of("sgbm")
    case = case_of("wall", pair, width=320)
    with (
        TunePage("sgbm", [case], start, write, host="127.0.0.1", port=0) as page,
        open_page(page.url) as browser,
    ):
        browser.wait_for_text("of the pixels have a disparity")
        browser.wait_for_text(knobs_of("sgbm")[0].effect)
        page._sliders["block_size"].value = 9
        browser.press("Write TOML")
        browser.wait_for_text("written: tuned.toml")
        browser.press("Write TOML")
        browser.wait_for_text("the disk is full")
        browser.screenshot(tmp_path / "tune.png")
        browser.press("Done")
        browser.wait(lambda: page.closed, "the end")
    assert written == [{**start, "block_size": 9}]
    assert np.ptp(page._disparity.image) > 0
