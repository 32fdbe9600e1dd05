#!/bin/bash
# The built program on real sockets, with the official clients.
#
#   run.sh [pytest options]
#
# BACKSTAY  the program (default: build/src/daemon/backstay)
# E2E_HOME  where the clients are installed and kept (default: build/e2e)
#
# Where a package registry cannot be reached, the tests that need an official
# client are skipped by name and the others run. The last line counts:
# N passed, N failed, N skipped.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
BACKSTAY=$(realpath -m "${BACKSTAY:-$root/build/src/daemon/backstay}")
home=$(realpath -m "${E2E_HOME:-$root/build/e2e}")
INSTALL_SECONDS=480
TEST_SECONDS=1800
mkdir -p "$home"

fail_all() {
	echo "FAIL e2e: $*"
	echo
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}

# install MARK WANTED COMMAND...: once; again when what is wanted has changed.
# What cannot be installed is told, and its tests skip themselves.
install() {
	local mark=$home/$1 wanted=$2
	shift 2
	[ "$(cat "$mark" 2>/dev/null)" = "$wanted" ] && return
	rm -f "$mark"
	if "$@" >"$home/install.log" 2>&1; then
		printf '%s\n' "$wanted" >"$mark"
	else
		echo "not installed: $(tail -n 1 "$home/install.log")"
	fi
}

make_venv() {
	rm -rf "$home/venv"
	# Debian's pytest is seen inside, so that it needs no registry.
	/usr/bin/python3 -m venv --system-site-packages "$home/venv"
}

install_python() {
	make_venv && timeout "$INSTALL_SECONDS" "$home/venv/bin/pip" --disable-pip-version-check --no-input install --retries 2 \
		-r "$here/requirements.txt"
}

install_node() {
	rm -rf "$home/node" && mkdir -p "$home/node" && cp "$here/node/package.json" "$home/node/" &&
		timeout "$INSTALL_SECONDS" npm install --prefix "$home/node" --no-package-lock --ignore-scripts --no-audit \
			--no-fund --no-update-notifier --fetch-retries=2
}

# Chromium is Debian's; playwright-core brings none.
install_browser() {
	rm -rf "$home/browser" && mkdir -p "$home/browser" && cp "$here/browser/package.json" "$home/browser/" &&
		timeout "$INSTALL_SECONDS" npm install --prefix "$home/browser" --no-package-lock --ignore-scripts \
			--no-audit --no-fund --no-update-notifier --fetch-retries=2
}

[ -x "$BACKSTAY" ] || fail_all "$BACKSTAY is not built"
install python.installed "$(cat "$here/requirements.txt"; /usr/bin/python3 --version)" install_python
command -v npm >/dev/null 2>&1 &&
	install node.installed "$(cat "$here/node/package.json")" install_node
command -v npm >/dev/null 2>&1 && command -v chromium >/dev/null 2>&1 &&
	install browser.installed "$(cat "$here/browser/package.json")" install_browser
python=$home/venv/bin/python
[ -x "$python" ] || python=/usr/bin/python3
"$python" -c 'import pytest' 2>/dev/null || fail_all "python3-pytest is not installed"

rm -f "$home/counts"
BACKSTAY=$BACKSTAY E2E_HOME=$home E2E_COUNTS=$home/counts PYTHONDONTWRITEBYTECODE=1 \
	timeout -k 10 "$TEST_SECONDS" "$python" -m pytest -q -p no:cacheprovider --tb=short \
	--rootdir "$here" -c "$here/pytest.ini" "$@" "$here"
code=$?
[ -f "$home/counts" ] || fail_all "the tests did not end by themselves (exit code $code)"
echo
cat "$home/counts"
exit $code
