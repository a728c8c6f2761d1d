#!/bin/sh
# deps.sh - are the Debian packages there?  If not, installs them or says how.
#
#   tests/deps.sh PACKAGE...
#
# Root installs with apt-get; another user through sudo when that asks no
# question or a terminal can answer it; else the one line to run is printed.
set -eu

missing=
if command -v dpkg-query > /dev/null 2>&1; then
    for package in "$@"; do
        state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null || true)
        [ "$state" = installed ] || missing="$missing $package"
    done
else
    # Not Debian: what counts is what the compiler will find.
    for module in ncursesw libsixel openblas lapacke sqlite3 zlib libxxhash cmocka; do
        pkg-config --exists "$module" 2> /dev/null || missing="$missing $module"
    done
    [ -z "$missing" ] && exit 0
    echo "missing (names of pkg-config):$missing; on Debian the packages are: $*" >&2
    exit 1
fi
[ -z "$missing" ] && exit 0

echo "installing:$missing"
install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo > /dev/null 2>&1 && { sudo -n true 2> /dev/null || [ -t 0 ]; }; then
    as_root=sudo
else
    echo "packages are missing; run this, then make again:" >&2
    echo "    sudo sh -c 'apt-get update && $install'" >&2
    exit 1
fi
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive $install
