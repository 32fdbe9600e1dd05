#!/bin/sh
# Builds what `make bench` measures with, and measures. BUILD: the build folder.
set -e
cd "$(dirname "$0")/.."
build=${BUILD:-build}
ninja -C "$build" src/daemon/backstay bench/bench-load bench/bench-backend bench/bench-relay \
	bench/bench-engine >/dev/null
exec python3 -B bench/bench.py --build "$build" "$@"
