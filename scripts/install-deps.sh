#!/bin/sh
# Installs the Debian packages that something needs, and nothing else. Does and
# asks nothing when all are there.
#   install-deps.sh [--optional] GROUP...     run, test, sdk, bench, fuzz
# --optional: what cannot be installed is named, but is no failure.
set -u

optional=
if [ "${1:-}" = --optional ]; then
	optional=yes
	shift
fi

# A package, or package:program where the program may also come from elsewhere.
packages_of() {
	case $1 in
	run)   echo "gcc:cc libc6-dev make:make meson:meson ninja-build:ninja pkg-config:pkg-config" \
	            "python3:python3 ca-certificates libev-dev libssl-dev libc-ares-dev" \
	            "libyaml-dev zlib1g-dev libsqlite3-dev libzstd-dev" ;;
	test)  echo "valgrind:valgrind libcmocka-dev python3-venv python3-pytest curl:curl openssl:openssl procps:ps prometheus:promtool" \
	            "redis-server:redis-server" ;;
	sdk)   echo "nodejs:node npm:npm chromium:chromium" ;;
	bench) echo "nginx-light:nginx haproxy:haproxy varnish:varnishd" ;;
	fuzz)  echo "clang:clang libclang-rt-14-dev" ;;
	*)     echo "install-deps.sh: no group is called '$1' (run, test, sdk, bench, fuzz)" >&2
	       exit 2 ;;
	esac
}

is_there() {
	package=${1%%:*}
	case $1 in
	*:*)
		program=${1#*:}
		command -v "$program" >/dev/null 2>&1 && return 0
		# sbin is in nobody's PATH but root's.
		[ -x "/usr/sbin/$program" ] && return 0
		;;
	esac
	dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed
}

fail() {
	echo "$*" >&2
	[ -n "$optional" ] && exit 0
	exit 1
}

missing=
for group in "$@"; do
	wanted=$(packages_of "$group") || exit 2
	for one in $wanted; do
		is_there "$one" || missing="$missing ${one%%:*}"
	done
done
[ -z "$missing" ] && exit 0

command -v apt-get >/dev/null 2>&1 || fail "Needed, and not found on this machine:$missing
These are Debian's names; this machine has no apt-get, so install what your system
calls them and try again."

as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 || fail "Needed:$missing
Become root (or install sudo) and try again, or: apt-get install$missing"
	as_root=sudo
fi

echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
install() {
	# shellcheck disable=SC2086
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends $missing >"$log" 2>&1
}
log=$(mktemp)
# The package lists may be old or absent: then they are fetched, once.
install || { $as_root apt-get update -q >"$log" 2>&1; install; } || {
	tail -n 5 "$log" >&2
	rm -f "$log"
	fail "Could not install:$missing"
}
rm -f "$log"
# Wanted for its tools: as a service it would take the port of Backstay's admin page.
case $missing in
*prometheus*)
	[ -d /run/systemd/system ] && $as_root systemctl disable --now prometheus >/dev/null 2>&1
	;;
esac
exit 0
