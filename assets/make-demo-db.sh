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

# TRAK and D-TRAK at the end of training with the kernels that stand in for their features: every
# lambda follows from those.  Self-influence at the end for every loss, and who lies next to whom.
"$dtrak" score "$db" --method trak --loss simple,square --timesteps 100 --dims 4096 --self
"$dtrak" score "$db" --method trak --loss all --timesteps 100 --dims 4096 --self --no-kernel
"$dtrak" self "$db" > /dev/null
"$dtrak" lds "$db" --report > /dev/null

# 48 + 96 of the queries.  Of the sweeps over lambda and dimensions what was measured: their scores
# follow from the kernels, or are as good as those that stay.  At most 30 MB.
rm -f "$small"
"$dtrak" slim "$db" "$small" --bits 10
"$dtrak" drop "$small" --query val:48-255,gen:96-255 --yes > /dev/null
for loss in elbo avg l1 l2 linf; do
    "$dtrak" drop "$small" --scores --method trak --loss $loss --lambda grid --yes > /dev/null
done
"$dtrak" drop "$small" --rows --method trak --lambda grid --yes > /dev/null
for k in 256 512 1024 2048 8192 16384; do
    "$dtrak" drop "$small" --rows --method trak --dims $k --yes > /dev/null
done
"$dtrak" drop "$small" --rows --method trak --loss linf --timesteps 10 --yes > /dev/null
"$dtrak" check "$small"
mv "$small" assets/demo.db
"$dtrak" info assets/demo.db
