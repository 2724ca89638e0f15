"""``python -m stereo.synthetic FOLDER [--check]``: render or prove the sample data."""

from __future__ import annotations

import argparse
import filecmp
import sys
import tempfile
from pathlib import Path

from stereo.synthetic.sample_data import make_sample_data


def main() -> int:
    """Exit code 0: written, or identical; 1: ``--check`` found a difference."""
    parser = argparse.ArgumentParser(prog="python -m stereo.synthetic", description=__doc__)
    parser.add_argument("folder", type=Path, help="where sample_data is, or shall be")
    parser.add_argument(
        "--check", action="store_true", help="render elsewhere and compare byte by byte"
    )
    options = parser.parse_args()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    if not options.check:
        make_sample_data(options.folder, say=say)
        return 0
    with tempfile.TemporaryDirectory() as fresh:
        make_sample_data(Path(fresh), say=say)
        names = sorted(p.relative_to(fresh) for p in Path(fresh).rglob("*") if p.is_file())
        _, differ, absent = filecmp.cmpfiles(
            fresh, options.folder, [str(n) for n in names], shallow=False
        )
    for name in (*differ, *absent):
        print(f"differs: {name}" if name in differ else f"missing: {name}")
    print(f"{len(names) - len(differ) - len(absent)} of {len(names)} files are identical")
    return 1 if differ or absent else 0


if __name__ == "__main__":
    sys.exit(main())
