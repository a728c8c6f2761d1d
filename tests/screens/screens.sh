#!/bin/sh
# screens.sh - every case of tests/screens/cases drawn without a terminal and compared with its
# file.  BLESS=1 writes the files instead: look at the difference before committing it.
. "$(dirname "$0")/../lib/tap.inc"

# What changes from run to run: the time of day, and how many bytes a PNG has with this zlib.
steady() { sed -E -e 's/20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z/0000-00-00T00:00:00Z/g' \
                     -e 's/px, [0-9]+ bytes/px, N bytes/' -e 's/[0-9a-f]{16}…/0123456789abcdef…/'; }

"$OUT/screens/world" world.db || { says "the database is made" 1; finish; }
: > used
grep -v '^#' "$here/cases" > list
while read -r name size keys; do
    [ -n "$name" ] || continue
    echo "$name.txt" >> used
    case $name in *read-only*) mode=--read-only ;; *) mode= ;; esac
    # shellcheck disable=SC2086
    if ! "$DTRAK" view world.db $mode --graphics none --size "$size" --keys "$keys" --dump got.raw --force < /dev/null 2> err; then
        says "$name" 1 "$(cat err)"
        continue
    fi
    steady < got.raw > got
    if [ -n "${BLESS:-}" ]; then cp got "$here/$name.txt"; fi
    if cmp -s got "$here/$name.txt"; then says "$name" 0
    else says "$name" 1 "$(diff -u "$here/$name.txt" got)"; fi
done < list
(cd "$here" && ls ./*.txt) | sed 's,^\./,,' | sort > there
sort used > wanted
says "every file belongs to a case" "$(cmp -s there wanted && echo 0 || echo 1)" "$(diff there wanted)"
finish
