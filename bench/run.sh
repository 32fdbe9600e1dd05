#!/bin/sh
# Builds what `make bench` measures with, and measures what `make release` has built.
# BUILD: the build folder.
# `run.sh cache` measures kept answers beside nginx's and Varnish's.
set -e
cd "$(dirname "$0")/.."
build=${BUILD:-build}
ninja -C "$build" bench/bench-load bench/bench-backend bench/bench-relay \
	bench/bench-engine bench/bench_locks.so >/dev/null
what=bench
if [ "$1" = cache ]; then
	what=cache
	shift
fi
exec python3 -B "bench/$what.py" --build "$build" "$@"
