#!/bin/sh
# storm.sh BUILD EXCHANGES JOBS: so many simulated exchanges in storms, by as many
# processes as JOBS, each with seeds of its own; and what overload does.
set -u
build=$1 exchanges=$2 jobs=$3
failed=0 passed=0

ninja -C "$build" -j "$jobs" tests/scenario/storm tests/scenario/overload || exit 1
"$build/tests/scenario/overload" && passed=1 || failed=1
i=0 pids=
while [ "$i" -lt "$jobs" ]; do
	"$build/tests/scenario/storm" --exchanges $((exchanges / jobs)) --seed $((1 + i * 1000000)) &
	pids="$pids $!"
	i=$((i + 1))
done
for pid in $pids; do
	if wait "$pid"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
