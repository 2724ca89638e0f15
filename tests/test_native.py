"""The compiled module as a whole: errors in threads, memory, parameters, symbols."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sgm_reference import random_pair

from stereo.errors import MatcherError, MissingLibraryError
from stereo.frame import RectifiedPair
from stereo.matching import sgm
from stereo.matching.sgm import SgmMatcher, SgmParams
from stereo.native import find_native

ROOT = Path(__file__).parents[1]
needs_native = pytest.mark.skipif(find_native() is None, reason="native module not built")


@pytest.fixture
def native() -> ModuleType:
    found = find_native()
    if found is None:
        pytest.skip("native module not built")
    return found


def in_a_process_of_its_own(script: str) -> str:
    """What it prints; that it ends well is part of the test."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_native
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(
    ("no_memory", "expected"),
    [(False, "RuntimeError: thrown in a worker"), (True, "MemoryError: std::bad_alloc")],
)
def test_what_a_worker_throws_reaches_the_caller(
    threads: int, no_memory: bool, expected: str
) -> None:
    said = in_a_process_of_its_own(f"""
from stereo.native import require_native
for _ in range(20):
    try:
        require_native("", instead="")._throw_in_worker({threads}, {no_memory})
        said = None
    except Exception as error:
        said = error
print(f"{{type(said).__name__}}: {{said}}")
""")
    assert said == expected


LIMITED = """
import os, resource
import numpy as np
from stereo.frame import RectifiedPair
from stereo.matching.sgm import SgmMatcher, SgmParams
left = np.random.default_rng(0).integers(0, 255, ({height}, {width}), np.uint8)
pair = RectifiedPair(left, left)
matcher = SgmMatcher(SgmParams(num_disparities=64, threads={threads}))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {left_mb} * 10**6, resource.RLIM_INFINITY))
try:
    matcher.match(pair)
    said = None
except Exception as error:
    said = error
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
matcher.match(pair)  # it still works
print(f"{{type(said).__name__}}: {{said}}")
"""


@needs_native
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_thread_that_cannot_start_is_an_error_and_not_the_end() -> None:
    # 200 threads, each with a stack of megabytes, in 60 MB
    script = LIMITED.format(height=3300, width=8, threads=200, left_mb=60)
    assert in_a_process_of_its_own(script).startswith("RuntimeError: Resource temporarily")


@needs_native
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_memory_that_is_not_there_is_an_error_and_not_the_end() -> None:
    script = LIMITED.format(height=800, width=1600, threads=1, left_mb=30)
    assert in_a_process_of_its_own(script).startswith("MemoryError")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("width", "height", "params"),
    [
        (120, 60, SgmParams(0, 32, threads=1)),
        (121, 67, SgmParams(-9, 100, threads=3)),
        (200, 9, SgmParams(0, 300, 3, threads=2)),
        (1, 1, SgmParams(0, 1, threads=1)),
        (300, 100, SgmParams(0, 64, 3, median=False, speckle_size_px=0, threads=1)),
    ],
)
def test_the_memory_told_is_the_memory_taken(
    native: ModuleType, dtype: Any, width: int, height: int, params: SgmParams
) -> None:
    pair = RectifiedPair(*random_pair(3, height, width, 0, dtype))
    before = native._bytes_in_buffers()
    matcher = SgmMatcher(params)
    matcher.match(pair)
    told = sgm.memory_bytes(width, height, params, bytes_per_pixel=np.dtype(dtype).itemsize)
    assert native._bytes_in_buffers() - before == told
    matcher.match(pair)
    assert native._bytes_in_buffers() - before == told
    del matcher
    assert native._bytes_in_buffers() == before


OUTSIDE = {
    "min_disparity": (-65537, 65537),
    "num_disparities": (0, 4081),
    "paths": (2, 5),
    "p1": (-1, 85),
    "p2": (-1, 256),
    "p2_width": (-1, 4097),
    "gradient_cap": (-1, 232),
    "faint_levels": (-2, 256),
    "uniqueness_percent": (-1, 100),
    "left_right_max_px": (-2, 4081),
    "speckle_size_px": (-1, 2**30 + 1),
    "speckle_range_px": (-1, 4081),
    "threads": (0, 257),
}


def options_of(native: ModuleType) -> set[str]:
    return {name for name in vars(native.Options) if not name.startswith("_")}


def test_the_parameters_have_the_same_names_and_defaults_on_both_sides(native: ModuleType) -> None:
    options, params = native.Options(), SgmParams(threads=1)
    python_only = {"max_memory_mb", "coarse_to_fine", "features", "guide"}
    assert options_of(native) == {field.name for field in fields(SgmParams)} - python_only
    for name in options_of(native):
        assert getattr(options, name) == getattr(params, name)


def test_each_parameter_is_checked_on_both_sides(native: ModuleType) -> None:
    assert OUTSIDE.keys() == options_of(native) - {"median"}  # which is true or false
    for name, values in OUTSIDE.items():
        for value in values:
            options = native.Options()
            setattr(options, name, value)
            with pytest.raises(ValueError, match=f"^{name} must be"):
                native.Matcher(options)
            with pytest.raises(MatcherError, match=f"^{name} must be"):
                SgmParams(**{name: value})


@pytest.mark.parametrize(("gradient_cap", "p2", "p1"), [(10, 218, 20), (0, 223, 0), (30, 201, 20)])
def test_costs_fit_in_bytes_up_to_the_same_sum_on_both_sides(
    native: ModuleType, gradient_cap: int, p2: int, p1: int
) -> None:
    options = native.Options()
    options.gradient_cap, options.p2, options.p1 = gradient_cap, p2, p1
    SgmParams(gradient_cap=gradient_cap, p2=p2, p1=p1)
    native.Matcher(options)
    options.p2 = p2 + 1
    with pytest.raises(MatcherError, match=f"p2 must be at most {p2}"):
        SgmParams(gradient_cap=gradient_cap, p2=p2 + 1, p1=p1)
    with pytest.raises(ValueError, match="must not exceed 255"):
        native.Matcher(options)


def test_what_needs_the_native_module_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stereo.native._native", None)
    with pytest.raises(MissingLibraryError, match=r"^the matcher sgm needs the native module"):
        SgmMatcher()


KERNELS = sorted((ROOT / "build").glob("cp*/CMakeFiles/kernel_*.dir/src/kernel.cpp.o"))


def symbols_given(object_file: Path) -> list[str]:
    """What other units can see of it. A weak one may replace, or be replaced by, another unit's."""
    told = subprocess.run(
        ["nm", "--demangle", "--defined-only", "--extern-only", str(object_file)],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.split(maxsplit=2)[2] for line in told.stdout.splitlines()]


@pytest.mark.skipif(not (KERNELS and shutil.which("nm")), reason="not built here, or no nm")
@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.parts[-3])
def test_only_the_table_leaves_the_unit_of_an_instruction_set(path: Path) -> None:
    isa = path.parts[-3].removeprefix("kernel_").removesuffix(".dir")
    assert symbols_given(path) == [f"stereo::kKernel{isa.capitalize()}"]


def test_a_function_that_leaves_the_unit_would_be_seen(tmp_path: Path) -> None:
    compiler = shutil.which((sysconfig.get_config_var("CXX") or "g++").split()[0])
    if not compiler or not shutil.which("nm"):
        pytest.skip("no compiler, or no nm")
    source, built = tmp_path / "planted.cpp", tmp_path / "planted.o"
    source.write_text("inline int planted(int x) { return x; } int (*table)(int) = planted;\n")
    subprocess.run([compiler, "-O3", "-fPIC", "-c", source, "-o", built], check=True)
    assert symbols_given(built) == ["planted(int)", "table"]
