#!/bin/sh
# release.sh BUILD JOBS: the program as it is installed, BUILD/release/backstay. It is
# built twice: once to count, under the loads of train() below, which ways through the
# code are gone most, and once with these next to each other, the whole linked as one.
# That takes a quarter off the CPU time that a request spends in the program
# (docs/performance.md). BUILD must have bench-load and bench-backend.
set -eu
build=$1 jobs=$2
release=$build/release
work=$release/training

configure() {
	meson setup "$release" -Dtests=false -Db_lto=true -Dlock_checks=false "$@" >"$build/release.log" 2>&1 ||
		{ cat "$build/release.log"; exit 1; }
}

compile() {
	ninja -C "$release" -j "$jobs" src/daemon/backstay >"$build/release.log" 2>&1 ||
		{ tail -n 40 "$build/release.log"; exit 1; }
}

load() {
	"$build/bench/bench-load" closed "$port" connections=16 "$@" >>"$work/load.log" 2>&1 || {
		cat "$work/load.log" "$work/backstay.log"
		echo "release: the training load '$*' has failed"
		exit 1
	}
}

# What applications do most: whole answers, streams event by event and in bursts, long
# conversations, both interfaces on either side; and, since that is when it matters,
# backends that fail, throttle and break off.
train() {
	load seconds=1.5
	load seconds=1 stream=1 events=50 interval_us=2000
	load seconds=0.5 stream=1 events=200 interval_us=0
	load seconds=0.5 body=102400
	load seconds=0.5 body=1048576
	load seconds=0.3 model=claude
	load seconds=0.3 dialect=anthropic
	load seconds=0.5 model=claude stream=1 events=50 interval_us=2000
	load seconds=0.5 dialect=anthropic stream=1 events=50 interval_us=2000
	load seconds=0.3 dialect=anthropic model=claude stream=1 events=50 interval_us=2000
	load seconds=0.3 model=kept
	load seconds=0.5 model=weak
}

proxy='' backend=''

stop() {
	for pid in $proxy $backend; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" || true
	done
	proxy='' backend=''
}

# Five ports that are free; below those that the kernel gives to clients.
start() {
	for i in 0 1 2 3 4; do
		port=$((10000 + ($$ + 1000 * i) % 20000))
		sed -e "s|@PORT@|$port|g; s|@BACKEND@|$((port + 1))|g; s|@ADMIN@|$((port + 2))|g" \
			-e "s|@GOOD@|$((port + 3))|g; s|@BAD@|$((port + 4))|g" \
			scripts/training.yaml.in >"$work/training.yaml"
		"$build/bench/bench-backend" $((port + 1)) >>"$work/load.log" 2>&1 &
		backend=$!
		"$release/src/daemon/backstay" run -c "$work/training.yaml" >"$work/backstay.log" 2>&1 &
		proxy=$!
		while kill -0 $proxy 2>/dev/null && kill -0 $backend 2>/dev/null; do
			"$build/bench/bench-load" closed "$port" connections=1 seconds=0.01 \
				>/dev/null 2>&1 && return
			sleep 0.1
		done
		stop
	done
	cat "$work/load.log" "$work/backstay.log"
	exit 1
}

mkdir -p "$build"
rm -rf "$release"
if ${CC:-cc} --version | grep -qi clang; then
	configure
	compile
else
	configure -Db_pgo=generate
	compile
	mkdir "$work"
	trap 'stop' EXIT
	start
	train
	stop
	trap - EXIT
	meson configure "$release" -Db_pgo=use
	compile
fi
cp "$release/src/daemon/backstay" "$release/backstay"
echo "built $release/backstay"
