#!/bin/sh
# make-cifar2-db.sh - remakes assets/cifar2.db: the study of CIFAR-2, small enough to ship, and beside
# the network that was retrained a larger one, whose pictures are cars and horses.
#
#   assets/make-cifar2-db.sh OUT      OUT is the build directory; works in OUT/study-cifar2.db (or DB)
#                                     and OUT/large-cifar2.db (or LARGE)
#
# The losses of retrained networks are taken from assets/study, the rest is computed.  Stopped
# and started again, it goes on where it was: every command does only what is missing.
set -eu
cd "$(dirname "$0")/.."
out=$1
dtrak=$out/dtrak
db=${DB:-$out/study-cifar2.db}
large=${LARGE:-$out/large-cifar2.db}
small=$out/cifar2-new.db
. assets/cifar2.inc

# The larger network learns on its own: 4 times the work a step, 2 times the steps, twice the images in each.
[ -f "$large" ] || new_cifar2 "$dtrak" "$large" "$out"
"$dtrak" train "$large" --width 64,96,128 --layers 1 --attention middle --steps 20000 --batch 32 --lr 1e-3 --ema \
    --checkpoints 100 --seed 0

DB=$db assets/make-study-cifar2.sh "$out" base subsets features scores removals

. assets/ship.inc
complete_study "$dtrak" "$db"
shrink_study "$dtrak" "$db" "$small" 9

# The larger network, 32 pictures of it, and what TRAK and D-TRAK say of those.
rm -rf "$out/large-cifar2"
"$dtrak" export-model "$large" "$out/large-cifar2"
"$dtrak" import-model "$small" "$out/large-cifar2" --name large
"$dtrak" sample "$small" --checkpoint large --count 32 --seed 0
"$dtrak" features "$small" --checkpoint large --loss simple,square --timesteps 100 --dims 4096
"$dtrak" score "$small" --checkpoint large --method trak --loss simple,square --self --bits 9
"$dtrak" drop "$small" --features --checkpoint large --yes > /dev/null
"$dtrak" check "$small"
mv "$small" assets/cifar2.db
"$dtrak" info assets/cifar2.db
