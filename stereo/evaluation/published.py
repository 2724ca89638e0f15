"""How data sets lie on disk when their owners publish them.

A layout looks at one folder (``Place``) and yields manifest entries of the pairs that lie there.
What it knows beyond file names stands beside it, with where it was published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from stereo.errors import InputError
from stereo.evaluation.places import Place, below, image, look, names
from stereo.files.images import SUFFIXES, image_size

Entry = dict[str, Any]
Layout = Callable[[Place, bool], Iterator[Entry]]
"""Entries of the pairs of a place, their names short; the flag: the layout was named by the user.
Nothing for a place that is none of it."""


_FROM_8_BIT = 256
"""Values of a byte: disparities beyond 256 / divisor no such file can hold."""

# -- Middlebury, https://vision.middlebury.edu/stereo/data/ ---------------------------------------

_YEAR_2001 = ("barn1", "barn2", "bull", "map", "poster", "sawtooth", "tsukuba", "venus")
_YEAR_2003 = ("cones", "teddy")  # with H and F for half and full size
_SIZES_2003 = {(450, 375): 4, (900, 750): 2, (1800, 1500): 1}
_FOCAL_2005_PX, _BASELINE_2005_M, _HEIGHT_2005 = 3740.0, 0.160, 1110
"""Of the full size of 2005 and 2006, between view1 and view5."""
_SIZES_2005 = {"full": 1, "half": 2, "third": 3}


def _middlebury_2001(place: Place, told: bool) -> Iterator[Entry]:
    tsukuba = "scene1.row3.col3", "scene1.row3.col4"
    if place.has(*tsukuba, "truedisp.row3.col3"):
        truth = place.file("truedisp.row3.col3")
        yield _bytes(place, *tsukuba, 16) | {"ground_truth": truth}
    elif place.has("im0", "im1", "disp0") and "disp0.pgm" in place.files:  # "map"
        yield _bytes(place, "im0", "im1", 8) | _truths(place, "disp0", "disp1")
    elif place.has("im2", "im6", "disp2") and (told or _year(place) == 2001):
        yield _bytes(place, "im2", "im6", 8) | _truths(place, "disp2", "disp6")


def _middlebury_2003(place: Place, told: bool) -> Iterator[Entry]:
    if place.has("im2", "im6", "disp2") and (told or _year(place) == 2003):
        width, _ = image_size(str(place.file("im2")))
        divisor = 4 if width < 700 else 2 if width < 1400 else 1
        yield _bytes(place, "im2", "im6", divisor) | _truths(place, "disp2", "disp6")


def _year(place: Place) -> int:
    """Both years have the same files; the scenes are known, and so are the sizes of 2003."""
    name = place.folder.resolve().name.lower()
    if name.startswith(_YEAR_2003) or image_size(str(place.file("im2"))) in _SIZES_2003:
        return 2003
    if name in _YEAR_2001:
        return 2001
    raise InputError(
        f"{place.folder}: im2, im6 and disp2 may be of Middlebury 2001 (disparity x 8) or 2003 "
        "(x 4): say --dataset middlebury-2001 or middlebury-2003"
    )


def _middlebury_2005(size: str, place: Place, told: bool) -> Iterator[Entry]:
    where = place
    if not place.has("view1") and "Illum2" in place.folders:  # all seven views under all lights
        where = look(place.folder / "Illum2" / "Exp1")
    if not (where.has("view1", "view5") and place.has("disp1")):
        return
    if not told and _size_2005(where) != size:
        return
    divisor = _SIZES_2005[size]
    entry = _bytes(where, "view1", "view5", divisor) | _truths(place, "disp1", "disp5")
    if "dmin.txt" in place.files:  # the views were cut: the true disparity is that much larger
        entry |= {
            "focal_px": _FOCAL_2005_PX / divisor,
            "baseline_m": _BASELINE_2005_M,
            "doffs_px": _number(place.folder / "dmin.txt") / divisor,
        }
    yield entry | {"name": place.folder.resolve().name}


def _size_2005(place: Place) -> str:
    """Full views are 1110 px high, all others that divided; else the folder's name says it."""
    _, height = image_size(str(place.file("view1")))
    for size, divisor in _SIZES_2005.items():
        named = any(size + "size" in part.lower() for part in place.folder.resolve().parts)
        if named or abs(height * divisor - _HEIGHT_2005) <= divisor:
            return size
    raise InputError(
        f"{place.folder}: view1 is {height} px high, those of Middlebury 2005 and 2006 are 1110, "
        "555 or 370: say --dataset middlebury-2006-full, -half or -third"
    )


def _middlebury_2014(place: Place, _told: bool) -> Iterator[Entry]:
    """2014 and 2021: PFM truth of both views, calib.txt with ndisp."""
    if place.has("im0", "im1") and "disp0.pfm" in place.files:
        yield _pair(place, "im0", "im1", 1) | _truths(place, "disp0", "disp1", (".pfm",))


def _eth3d(place: Place, _told: bool) -> Iterator[Entry]:
    """ETH3D two-view (https://www.eth3d.net/documentation), and MiddEval3, which it follows.

    The truth may lie in a folder beside, as its archive has it: two_view_training_gt.
    """
    if not place.has("im0", "im1"):
        return
    scene = place.folder.resolve()
    beside = scene.parents[1] / f"{scene.parent.name}_gt" / scene.name
    for folder in (place.folder, beside):
        if (folder / "disp0GT.pfm").is_file():
            entry = _pair(place, "im0", "im1", 1) | {"ground_truth": str(folder / "disp0GT.pfm")}
            if (folder / "mask0nocc.png").is_file():
                entry |= {"mask": str(folder / "mask0nocc.png"), "mask_visible_value": 255}
            yield entry
            return


def _pair(place: Place, left: str, right: str, divisor: int) -> Entry:
    entry = {
        "name": place.folder.resolve().name,
        "left": place.file(left),
        "right": place.file(right),
        "ground_truth_divisor": divisor,
    }
    if "calib.txt" in place.files:
        entry["calibration"] = str(place.folder / "calib.txt")
    return entry


def _bytes(place: Place, left: str, right: str, divisor: int) -> Entry:
    """A pair whose truth has 8 bits, so that nobody can ask for more disparities than fit."""
    return _pair(place, left, right, divisor) | {"num_disparities": _FROM_8_BIT // divisor}


def _truths(place: Place, left: str, right: str, suffixes: tuple[str, ...] = SUFFIXES) -> Entry:
    truths = {"ground_truth": place.file(left, suffixes)}
    other = place.file(right, suffixes)
    return truths | ({} if other is None else {"right_ground_truth": other})


def _number(path: Path) -> float:
    try:
        return float(path.read_text(encoding="ascii")[:40])
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected one number: {error}") from error


# -- KITTI, https://www.cvlibs.net/datasets/kitti/eval_stereo.php ----------------------------------


def _kitti_2012(place: Place, _told: bool) -> Iterator[Entry]:
    if "disp_occ" in place.folders:
        kind = "colored" if "colored_0" in place.folders else "image"
        yield from _kitti(place, f"{kind}_0", f"{kind}_1", "disp_occ", "disp_noc", "calib")


def _kitti_2015(place: Place, _told: bool) -> Iterator[Entry]:
    if "disp_occ_0" in place.folders:
        folders = "image_2", "image_3", "disp_occ_0", "disp_noc_0", "calib_cam_to_cam"
        yield from _kitti(place, *folders)


def _kitti(
    place: Place, left: str, right: str, truth: str, visible: str, calib: str
) -> Iterator[Entry]:
    for name in names(place.folder / truth, (".png",)):
        entry = {
            "name": Path(name).stem,
            "left": str(place.folder / left / name),
            "right": str(place.folder / right / name),
            "ground_truth": str(place.folder / truth / name),
            "ground_truth_divisor": 256,
        }
        more = {
            "visible_ground_truth": place.folder / visible / name,
            "objects": place.folder / "obj_map" / name,
            "calibration": place.folder / calib / f"{Path(name).stem.partition('_')[0]}.txt",
        }
        yield entry | {key: str(path) for key, path in more.items() if path.is_file()}


# -- rendered, and high resolution -----------------------------------------------------------------


def _sceneflow(kind: str, place: Place, told: bool) -> Iterator[Entry]:
    """SceneFlow (FlyingThings3D, Driving, Monkaa) and its subset of 2019.

    https://lmb.informatik.uni-freiburg.de/resources/datasets/SceneFlowDatasets.en.html
    """
    if "disparity" not in place.folders or (
        kind == "final" and not told and _frames("clean") & place.folders
    ):
        return
    frames = _frames(kind) & place.folders
    for truth in below(place.folder / "disparity", ".pfm") if frames else ():
        parts = truth.parts
        if "left" not in parts:
            continue
        images = place.folder / next(iter(frames))
        right = Path(*("right" if part == "left" else part for part in parts))
        entry = {
            "name": "_".join(part for part in truth.with_suffix("").parts if part != "left"),
            "path": truth.with_suffix("").as_posix(),
            "left": image(images / truth),
            "right": image(images / right),
            "ground_truth": str(place.folder / "disparity" / truth),
            "ground_truth_divisor": 1,
        }
        other = place.folder / "disparity" / right
        yield entry | ({"right_ground_truth": str(other)} if other.is_file() else {})


def _frames(kind: str) -> set[str]:
    return {f"frames_{kind}pass", f"frames_{kind}pass_webp", f"image_{kind}"}


def _booster(place: Place, _told: bool) -> Iterator[Entry]:
    """Booster (https://cvlab-unibo.github.io/booster-web): each illumination is a pair."""
    kinds = (".npy", ".pfm", ".tiff")
    truth, other = place.file("disp_00", kinds), place.file("disp_02", kinds)
    if truth is None or not {"camera_00", "camera_02"} <= place.folders:
        return
    images = names(place.folder / "camera_00", SUFFIXES)
    for name in images:
        scene = place.folder.resolve().name
        entry = {
            "name": scene if len(images) == 1 else f"{scene}_{Path(name).stem}",
            "left": str(place.folder / "camera_00" / name),
            "right": str(place.folder / "camera_02" / name),
            "ground_truth": truth,
            "ground_truth_divisor": 1,
        }
        yield entry | ({} if other is None else {"right_ground_truth": other})


def _tartanair(place: Place, _told: bool) -> Iterator[Entry]:
    """TartanAir (https://theairlab.org/tartanair-dataset): depth, of one camera everywhere."""
    if not {"image_left", "image_right", "depth_left"} <= place.folders:
        return
    for name in names(place.folder / "depth_left", (".npy",)):
        frame = name.removesuffix("_left_depth.npy")
        yield {
            "name": frame,
            "left": image(place.folder / "image_left" / f"{frame}_left.png"),
            "right": image(place.folder / "image_right" / f"{frame}_right.png"),
            "ground_truth": str(place.folder / "depth_left" / name),
            "ground_truth_divisor": 1,
            "ground_truth_is": "depth",
            "focal_px": 320.0,
            "baseline_m": 0.25,
        }


LAYOUTS: dict[str, Layout] = {
    "middlebury-2014": _middlebury_2014,
    "eth3d": _eth3d,
    "middlebury-2001": _middlebury_2001,
    "middlebury-2003": _middlebury_2003,
    **{f"middlebury-2006-{size}": partial(_middlebury_2005, size) for size in _SIZES_2005},
    "kitti-2015": _kitti_2015,
    "kitti-2012": _kitti_2012,
    "sceneflow": partial(_sceneflow, "clean"),
    "sceneflow-final": partial(_sceneflow, "final"),
    "booster": _booster,
    "tartanair": _tartanair,
}
"""Name -> layout; 2006 is 2005 too, and 2014 is 2021."""
