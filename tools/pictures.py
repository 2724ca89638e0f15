"""The pictures of README and documentation, made from ``sample_data/``: ``make pictures``.

Pages are shot in Debian's Chromium, without a screen.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

REPO = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPO), str(REPO / "tests")]

from chromium import Page, open_page  # noqa: E402

from calib import load_rig, parse_board  # noqa: E402
from stereo import (  # noqa: E402
    Rectification,
    RectifiedPair,
    RefineParams,
    StereoFrame,
    StereoPipeline,
    StereoResult,
    make_matcher,
    read_image,
)
from stereo.live.calibration import LiveCalibration, Target  # noqa: E402
from stereo.live.depth import LiveFrame  # noqa: E402
from stereo.live.pipeline import LiveSettings  # noqa: E402
from stereo.preview import (  # noqa: E402
    confidence_preview,
    depth_preview,
    disparity_preview,
    lines_preview,
)
from stereo.render import render_cloud  # noqa: E402
from stereo.viewers.calibration import calibration_picture  # noqa: E402
from stereo.viewers.controls import Controls  # noqa: E402
from stereo.viewers.web import WebViewer  # noqa: E402

SAMPLES = REPO / "sample_data"
ROOM = SAMPLES / "room"
VIEWS = SAMPLES / "calibration" / "charuco"
BOARD = "charuco:11x8:30mm:22mm:DICT_5X5_100"
OUT = REPO / "docs" / "pictures"
MOST_BYTES = 1_500_000

RGB = NDArray[Any]

_GAP = 8


def main() -> None:
    """Make all pictures anew."""
    OUT.mkdir(parents=True, exist_ok=True)
    frame = StereoFrame(read_image(ROOM / "left.png"), read_image(ROOM / "right.png"))
    rectification = Rectification.from_rig(load_rig(ROOM / "rig.yaml"))
    matcher = make_matcher("sgm-quality", num_disparities="auto")
    result = StereoPipeline(rectification, matcher, quality=True).process(frame)
    write("result.jpg", result_picture(result))
    write("inside.jpg", inside_picture(rectification, result.pair))
    write("rows.jpg", rows_picture(result.pair))
    write("views.jpg", views_picture())
    write("calibrate_live.jpg", calibration_step_picture())
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        write("board.png", board_picture(Path(folder)))
        write("report.png", report_picture(Path(folder)))
        write("live.jpg", live_picture(frame, rectification))

    total = sum(path.stat().st_size for path in OUT.iterdir())
    print(f"{total / 1e6:.2f} MB together")
    if total > MOST_BYTES:
        raise SystemExit(f"more than {MOST_BYTES / 1e6} MB: make them smaller")


# -- from arrays -----------------------------------------------------------------------------


def result_picture(result: StereoResult) -> RGB:
    """Left image above depth, and the cloud beside them."""
    assert result.depth is not None
    left = shrunk(result.pair.left, 420)
    depth = shrunk(depth_preview(result.depth.depth_m), 420)
    column = above(left, depth)
    cloud = result.cloud(max_relative_sigma=0.25)
    size = (round(1.45 * len(column)), len(column))
    return beside(column, render_cloud(cloud, size=size, yaw_deg=14, pitch_deg=7))


def inside_picture(rectification: Rectification, pair: RectifiedPair) -> RGB:
    """Disparity as matched, with planes, and its confidence."""
    matcher = make_matcher("sgm", num_disparities="auto")
    matched, planes = (
        StereoPipeline(rectification, matcher, refine=RefineParams(surfaces=on)).disparity(pair)
        for on in (False, True)
    )
    confidence = np.where(np.isnan(planes.px), np.float32(np.nan), planes.confidence)
    pictures = (
        disparity_preview(matched.px),
        disparity_preview(planes.px),
        confidence_preview(confidence),
    )
    return beside(*(shrunk(picture, 520) for picture in pictures))


def rows_picture(pair: RectifiedPair) -> RGB:
    """The picture of ``stereo rectify``: rows run through both images."""
    return shrunk(lines_preview(pair.left, pair.right, lines=14), 1400)


def views_picture() -> RGB:
    """Some views of the sample calibration: left images above right ones."""
    rows = [
        beside(*(shrunk(read_image(VIEWS / f"{side}_{n:02}.jpg"), 300) for n in (0, 3, 5, 8)))
        for side in ("left", "right")
    ]
    return above(*rows)


def calibration_step_picture() -> RGB:
    """What window and page show while a view is taken from a running camera."""
    session = LiveCalibration(parse_board(BOARD), [Target(2.0, 0.4)], start=lambda work: work())
    for number in range(14):
        left, right = (read_image(VIEWS / f"{side}_{number:02}.jpg") for side in ("left", "right"))
        for _ in range(session.stillness.frames):
            step = session.feed(left, right)
        if step.doing == "taken" and len(step.views) >= 8:
            break
    return calibration_picture(left, right, step, width=1200)


# -- from pages ------------------------------------------------------------------------------


def board_picture(folder: Path) -> RGB:
    """The board as it is printed."""
    path = folder / "board.png"
    stereo("board", "--board", BOARD, "--paper", "A3", "-o", str(path))
    page = read_image(path)
    return shrunk(page, 900 if page.shape[1] > page.shape[0] else 600)


def report_picture(folder: Path) -> RGB:
    """The upper part of the calibration report."""
    report = folder / "report.html"
    arguments = ["--board", BOARD, "-o", str(folder / "rig.yaml"), "--report", str(report)]
    stereo("calibrate", str(VIEWS), *arguments)
    with open_page(report.as_uri()) as page:
        bottom = 'document.querySelectorAll("h2")[1].getBoundingClientRect().top'
        page.wait(lambda: page.run('document.querySelectorAll("h2").length > 1'), "the report")
        resize(page, (1080, 1000))
        resize(page, (1080, round(page.run(bottom)) - 4))
        return shot(page)


def live_picture(frame: StereoFrame, rectification: Rectification) -> RGB:
    """The page of ``stereo live --view web`` with one frame, in which a length is measured.

    The command would also say how many frames come a second: not while a browser without a
    graphics card runs beside it, so the status line is written here.
    """
    result = StereoPipeline(rectification).process(frame)
    assert result.depth is not None
    controls = Controls(
        LiveSettings(),
        on_change=lambda **_: None,
        on_record=lambda _: "recording",
        on_save=lambda _: "live_output",
    )
    known = np.isfinite(result.disparity.px).mean()
    with WebViewer(controls, port=0) as viewer:
        viewer.show(LiveFrame(0, frame, result))
        viewer.status(f"{known:.0%} matched, median {np.nanmedian(result.depth.depth_m):.2f} m")
        with open_page(viewer.url, size=(1500, 900)) as page:
            wait_for_picture(page, "matched", (1500, 800))
            for x, y in ((848, 300), (988, 300)):  # the sides of the bookcase
                page.click(x, y)
                time.sleep(2)
            page.wait_for_text("length:")
            time.sleep(2)
            return shot(page)


def wait_for_picture(page: Page, text: str, size: tuple[int, int]) -> None:
    """Until the page shows what it is for, without the browser's remark on its own speed."""
    resize(page, size)
    page.wait_for_text(text)
    time.sleep(8)
    page.run("document.querySelectorAll('.mantine-Notification-root').forEach(n => n.remove())")


def stereo(*arguments: str) -> None:
    """Run the command line to its end."""
    subprocess.run([sys.executable, "-m", "stereo.cli.main", *arguments], check=True)


def resize(page: Page, size: tuple[int, int]) -> None:
    """Make the page exactly so large."""
    width, height = size
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=False,
    )


def shot(page: Page) -> RGB:
    """What the page shows."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        page.screenshot(Path(file.name))
        return read_image(file.name)


# -- pictures --------------------------------------------------------------------------------


def shrunk(picture: RGB, width: int) -> RGB:
    """So wide, in colour."""
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))


def beside(*pictures: RGB) -> RGB:
    """In a row, with white between."""
    gap = np.full((pictures[0].shape[0], _GAP, 3), 255, np.uint8)
    return np.hstack([part for picture in pictures for part in (gap, picture)][1:])


def above(*pictures: RGB) -> RGB:
    """In a column, with white between."""
    return np.swapaxes(beside(*(np.swapaxes(picture, 0, 1) for picture in pictures)), 0, 1)


def write(name: str, picture: RGB) -> None:
    """Write a picture, photographs as JPEG."""
    jpeg = [cv2.IMWRITE_JPEG_QUALITY, 84, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    options = jpeg if name.endswith(".jpg") else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    if not cv2.imwrite(str(OUT / name), bgr, options):
        raise SystemExit(f"{OUT / name} cannot be written")
    print(f"{name:20}{picture.shape[1]:5}x{picture.shape[0]:<5}", end="")
    print(f"{(OUT / name).stat().st_size / 1000:6.0f} kB")


if __name__ == "__main__":
    main()
