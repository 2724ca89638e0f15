"""What matching may take on an ARM64 computer, estimated from instructions counted under emulation.

    python benchmarks/arm64.py [--sizes 640x480x64 ...]

Needs what `make arm64` needs (g++-aarch64-linux-gnu, qemu-user) and gcc. The native matcher is
cross-compiled and matches a rendered texture once and twice under qemu: the difference is what one
match executes, vector instructions, loads and stores, and others apart. Nothing is timed there. The
same sources with 16-byte vectors are counted and timed on this processor: so many instructions a
cycle it does of them.

The estimate for a Cortex-A76 (Raspberry Pi 5, 2.4 GHz; a Jetson Orin's A78AE is its successor):
between ``LEAST`` and ``MOST`` instructions a cycle, of at most four, and four cores that do three
times what one does. Memory is not counted: ``sgm`` keeps a byte for each pixel and disparity.
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

from common import ROOT, table_head, table_row

SIZES = ["640x480x64", "1280x720x128"]
PATHS = {"sgm": 4, "sgm-fast": 3}
LEAST, MOST = 1.5, 2.5
"""Instructions a cycle."""
GHZ, CORES_GAIN = 2.4, 3.0
BUILD = ROOT / "build"
PLUGIN = BUILD / "libinstructions.so"


def build() -> None:
    """The driver for both processors, and the plugin that counts."""
    native = ROOT / "native"
    cross = [
        *("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"),
        *("-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++", "-DCMAKE_EXE_LINKER_FLAGS=-static"),
    ]
    for folder, options in {"drivers": [], "arm64": cross}.items():
        _run("cmake", "-S", native, "-B", BUILD / folder, "-DSTEREO_DRIVERS=ON", *options)
        _run("cmake", "--build", BUILD / folder, "--parallel", "2", "--target", "once")
    _run("gcc", "-O2", "-shared", "-fPIC", "-o", PLUGIN, native / "tests" / "instructions.c")


def _run(*command: str | Path, simd: str = "baseline") -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "STEREO_SIMD": simd},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout + done.stderr


def instructions(emulator: str, program: Path, *match: object) -> list[int]:
    """What one match executes: vector instructions, loads and stores, others."""
    once, twice = (
        [int(part) for part in _run(
            emulator, "-plugin", PLUGIN, "-d", "plugin", program, *map(str, match), str(times)
        ).split("\n")[-2].split()]
        for times in (1, 2)
    )  # fmt: skip
    return [b - a for a, b in zip(once, twice, strict=True)]


def row(size: str, name: str) -> str:
    width, height, disparities = (int(part) for part in size.split("x"))
    match = (width, height, disparities, PATHS[name])
    kinds = instructions("qemu-aarch64", BUILD / "arm64" / "once", *match)
    total = sum(kinds)
    here = sum(instructions("qemu-x86_64", BUILD / "drivers" / "once", *match))
    cycles = float(_run(BUILD / "drivers" / "once", *map(str, match), "15"))
    best, worst = (1e-6 * total / (rate * GHZ) for rate in (MOST, LEAST))
    return table_row(
        f"{name} {size}",
        f"{1e-6 * total:.0f}",
        f"{total / (width * height * disparities):.1f}",
        " + ".join(f"{100 * kind / total:.0f}" for kind in kinds),
        f"{1e-6 * here:.0f}",
        f"{1e-6 * here / cycles:.1f}",
        f"{best:.0f} to {worst:.0f}",
        f"{best / CORES_GAIN:.0f} to {worst / CORES_GAIN:.0f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="WIDTHxHEIGHTxDISPARITIES")
    arguments = parser.parse_args()
    build()
    print(
        table_head(
            *("one match", "ARM64, million", "a pixel and disparity", "vector + memory + other, %"),
            *("x86-64, 16-byte vectors, million", "a cycle here"),
            *("A76 estimate, one core, ms", "four cores, ms"),
        )
    )
    for size in arguments.sizes:
        for name in PATHS:
            print(row(size, name), flush=True)


if __name__ == "__main__":
    main()
