#!/bin/sh
# bless-keys.sh OUT - puts the explorer's keys, as the program has them, into man/dtrak.1.
set -eu
cd "$(dirname "$0")/../.."
"$1/cli/keys" > "$1/keys.roff"
awk -v rows="$1/keys.roff" '
    /^\.\\" keys/ { print; while ((getline line < rows) > 0) print line; within = 1; next }
    /^\.\\" end of keys/ { within = 0 }
    !within' man/dtrak.1 > "$1/dtrak.1"
cp "$1/dtrak.1" man/dtrak.1
