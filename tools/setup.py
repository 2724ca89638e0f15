"""Fill the virtual environment whose Python runs this; `make` calls it.

``run`` brings what `stereo demo` needs and compiles the native matcher; ``dev`` adds the other
dependencies and the development tools. System packages that are missing are installed where that
asks for no password, and named where it does. Standard library only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
from importlib import metadata
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO))

LATER = "open3d"
"""400 MB that only cloud filters and the 3-D window use: ``dev`` brings it."""


def main() -> None:
    """Do one stage and say how long it took."""
    parser = argparse.ArgumentParser(description="Fill this virtual environment.")
    parser.add_argument("stage", choices=("run", "dev"))
    parser.add_argument("-c", "--constraints", required=True, help="file of known-good versions")
    options = parser.parse_args()
    start = time.monotonic()
    (run if options.stage == "run" else dev)(options.constraints)
    say(f"done in {time.monotonic() - start:.0f} s")


def run(constraints: str) -> None:
    """Install what the main job needs, then our own package, compiled."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    wanted = [name for name in project["project"]["dependencies"] if not name.startswith(LATER)]
    say("installing numpy, opencv-python and what else the main job needs (200 MB to download)")
    pip("-c", constraints, *wanted, *project["dependency-groups"]["build"])
    mend_system("cv2", "(images and windows)", compiler=True)
    if not loads("cv2"):
        use_headless_opencv()
    can_compile = not compiling_packages()
    if can_compile:
        say("compiling the native matcher (half a minute)")
    pip("--no-deps", "--no-build-isolation", "-e", str(REPO))
    if not loads("stereo._native"):
        why = "it did not compile" if can_compile else "nothing to compile with"
        say(f"{why}: OpenCV's matcher is used, which is slower and less accurate")


def dev(constraints: str) -> None:
    """Install everything else."""
    say(f"installing {LATER} and the development tools (500 MB to download)")
    pip("-c", constraints, "stereo-depth[dev]")
    mend_system(LATER, "(cloud filters, the 3-D window)")


def mend_system(module: str, use: str, *, compiler: bool = False) -> None:
    """Install the system packages that a module, or the compiling of ours, lacks; or name them."""
    from stereo import system  # only now: it needs lazy_loader

    libraries = system.missing_libraries(module)
    tools = compiling_packages() if compiler else []
    if not libraries and not tools:
        return
    apt = apt_get()
    if apt:
        subprocess.run([*apt, "update", "-qq"], check=False)
    names = system.packages(libraries) + tools
    why = [f"{module} {use}"] * bool(libraries) + ["our native matcher (to be compiled)"] * bool(
        tools
    )
    say(f"this system lacks what {' and '.join(why)} needs: {' '.join(names)}")
    if apt:
        say("installing them with apt-get")
    if not apt or not apt_install(apt, names):
        say(
            f"going on without; to have them, type:\n    {system.install_line(names)} && make clean"
        )


def compiling_packages() -> list[str]:
    """The packages that compiling our module lacks: a C++ compiler, the headers of this Python."""
    has_compiler = any(map(shutil.which, ("c++", "g++", "clang++")))
    has_headers = Path(sysconfig.get_path("include"), "Python.h").is_file()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return ["g++"] * (not has_compiler) + [f"libpython{version}-dev"] * (not has_headers)


def apt_get() -> list[str]:
    """The apt-get that asks nothing, as root or by sudo without a password; empty without."""
    if not shutil.which("apt-get"):
        return []
    if os.geteuid() == 0:
        return ["apt-get"]
    asked = ["sudo", "-n", "true"]
    if (
        shutil.which("sudo")
        and subprocess.run(asked, capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n", "apt-get"]
    return []


def apt_install(apt: list[str], names: list[str]) -> bool:
    """Whether apt-get installed packages; it waits for another apt-get that is at work."""
    quiet = ["-qq", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        [*apt, "install", *quiet, *names], stdout=subprocess.DEVNULL, env=environment, check=False
    )
    return done.returncode == 0


def use_headless_opencv() -> None:
    """Lay the OpenCV that needs no system library over the one that does not load."""
    version = metadata.version("opencv-python")
    say("opencv-python-headless takes cv2's place: it needs none of them, and opens no windows")
    pip("--no-deps", f"opencv-python-headless=={version}")


def loads(module: str) -> bool:
    """Whether a module can be imported, tried in a process of its own: it could abort this one."""
    asked = [sys.executable, "-c", f"import {module}"]
    return subprocess.run(asked, capture_output=True, check=False, cwd=REPO).returncode == 0


def pip(*arguments: str) -> None:
    """Install quietly; bytecode is left to the first import, since most modules see none."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run([*command, "--no-compile", *arguments], check=False)
    if done.returncode != 0:
        sys.exit("setup: pip could not install that; its message is above")


def say(text: str) -> None:
    """Tell who waits."""
    print(f"setup: {text}", flush=True)


if __name__ == "__main__":
    main()
