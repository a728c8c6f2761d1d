#!/bin/sh
# demo.sh - the explorer on a copy of the demo database.
#
#   assets/demo.sh OUT      OUT is the build directory
#
# Without a terminal on the standard output: a ranking as text, and a picture.
set -eu
cd "$(dirname "$0")/.."
out=$1
source=assets/demo.db
if [ ! -f "$source" ]; then
    echo "$source is not there: 'make demo-db' makes it (about two hours on two cores)" >&2
    exit 1
fi
# A copy, so that what is tried out does not change the original; an edited copy is kept.
if [ ! -f "$out/demo.db" ] || [ "$source" -nt "$out/demo.db" ]; then
    rm -f "$out/demo.db" "$out/demo.db-wal" "$out/demo.db-shm"
    cp "$source" "$out/demo.db.part" && mv "$out/demo.db.part" "$out/demo.db"
fi
if [ -t 1 ] && [ -t 0 ]; then
    exec "$out/dtrak" "$out/demo.db"
fi
for method in trak dtrak; do
    "$out/dtrak" rank "$out/demo.db" --query gen:0 --method $method --top 5 --bottom 0
    echo
done
"$out/dtrak" rank "$out/demo.db" --query gen:0 --method dtrak --top 10 --bottom 10 --sheet "$out/demo.png" --force > /dev/null
echo "wrote $out/demo.png: gen:0 with its proponents and opponents"
