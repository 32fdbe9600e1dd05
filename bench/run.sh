#!/bin/sh
# Builds what `make bench` measures with, and measures. BUILD: the build folder.
# `run.sh cache` measures kept answers beside nginx's and Varnish's.
set -e
cd "$(dirname "$0")/.."
build=${BUILD:-build}
ninja -C "$build" src/daemon/backstay bench/bench-load bench/bench-backend bench/bench-relay \
	bench/bench-engine bench/bench_locks.so >/dev/null
what=bench
if [ "$1" = cache ]; then
	what=cache
	shift
fi
exec python3 -B "bench/$what.py" --build "$build" "$@"
