#!/bin/sh
# fuzz.sh BUILD SECONDS JOBS: builds and runs every fuzz target for that long. New
# inputs are kept in BUILD/found; a crash is named and makes it fail.
set -u
build=$1 seconds=$2 jobs=$3
failed=0 passed=0

targets=$(ninja -C "$build" -t targets all | sed -n 's|^\(tests/fuzz/fuzz_[a-z0-9_]*\):.*|\1|p' | sort -u)
# shellcheck disable=SC2086
ninja -C "$build" -j "$jobs" $targets || exit 1
for target in $targets; do
	name=${target##*/fuzz_}
	found=$build/found/$name
	mkdir -p "$found"
	echo "fuzz $name: $seconds s"
	if "$build/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
		-artifact_prefix="$found.crash-" "$found" "tests/fuzz/corpus/$name" >"$found.log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		tail -n 30 "$found.log"
		echo "fuzz $name: FAILED; the input is $found.crash-*"
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
