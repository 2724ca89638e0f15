#!/bin/sh
# Address and undefined-behaviour sanitizers over odd sizes; prints nothing but a count when clean.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../build/sanitize}
cmake -S "$here" -B "$build" -DSTEREO_SANITIZE=ON >/dev/null
cmake --build "$build" --parallel 2 >/dev/null
"$build/stress"
