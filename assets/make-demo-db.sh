#!/bin/sh
# make-demo-db.sh - remakes assets/demo.db: the study of Fashion-MNIST-2, small enough to ship.
#
#   assets/make-demo-db.sh OUT      OUT is the build directory; works in OUT/study-fashion.db
#
# The losses of retrained networks are taken from assets/study, the rest is computed.  Stopped
# and started again, it goes on where it was: every command does only what is missing.
set -eu
cd "$(dirname "$0")/.."
out=$1
dtrak=$out/dtrak
db=${DB:-$out/study-fashion.db}
small=$out/demo-new.db
DB=$db assets/make-study-fashion.sh "$out" base subsets features scores removals

. assets/ship.inc
complete_study "$dtrak" "$db"
shrink_study "$dtrak" "$db" "$small" 10
"$dtrak" check "$small"
mv "$small" assets/demo.db
"$dtrak" info assets/demo.db
