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
new=$out/cifar2-new.db
. assets/cifar2.inc

# The larger network learns on its own: three times the work an image, twice the images in a step, three times the steps.
[ -f "$large" ] || new_cifar2 "$dtrak" "$large" "$out"
"$dtrak" train "$large" --width 48,80,112 --layers 1 --attention middle --steps 28000 --batch 32 --lr 1e-3 --ema \
    --checkpoints 100 --seed 0

DB=$db assets/make-study-cifar2.sh "$out" base subsets features scores removals

. assets/ship.inc
# Of what was made at 10 timesteps TRAK and D-TRAK stay, of the networks on the way what was made with them; of the rest what
# is hardly another ranking, or none, has its LDS alone, and error bars go: twice the training images would not fit otherwise.
lighten() {
    "$dtrak" drop "$1" --weights --checkpoint 10%,25%,50% --yes > /dev/null
    for loss in elbo avg l1 l2; do "$dtrak" drop "$1" --rows --method trak --loss $loss --timesteps 10 --yes > /dev/null; done
    for method in grad-dot grad-cos; do "$dtrak" drop "$1" --rows --method $method --timesteps 10 --yes > /dev/null; done
    for method in relative-if renorm-if; do "$dtrak" drop "$1" --rows --method $method --loss simple --yes > /dev/null; done
    for method in grad-dot grad-cos; do "$dtrak" drop "$1" --rows --method $method --loss square --yes > /dev/null; done
    for method in das-signed random; do "$dtrak" drop "$1" --rows --method $method --yes > /dev/null; done
    "$dtrak" drop "$1" --rows --method trak --loss linf --yes > /dev/null
    "$dtrak" drop "$1" --errors --yes > /dev/null
}
if [ ! -f "$new" ]; then
    complete_study "$dtrak" "$db"
    shrink_study "$dtrak" "$db" "$new.part" 9
    lighten "$new.part"
    mv "$new.part" "$new"
fi

# The larger network, 32 pictures of it, and what TRAK and D-TRAK say of those, D-TRAK at every lambda.
if ! "$dtrak" info "$new" --json | grep -q '"name":"large"'; then
    rm -rf "$out/large-cifar2"
    "$dtrak" export-model "$large" "$out/large-cifar2"
    "$dtrak" import-model "$new" "$out/large-cifar2" --name large
fi
"$dtrak" sample "$new" --checkpoint large --count 32 --seed 0
"$dtrak" features "$new" --checkpoint large --split train,gen --loss simple,square --timesteps 100 --dims 4096
"$dtrak" score "$new" --checkpoint large --method trak --loss simple --query gen:96-127 --bits 9 --self --no-kernel
"$dtrak" score "$new" --checkpoint large --method trak --loss square --split gen --query gen:96-127 --bits 9 --self
cp "$new" "$new.part"
"$dtrak" drop "$new.part" --features --checkpoint large --yes > /dev/null
"$dtrak" check "$new.part"
bytes=$(wc -c < "$new.part")
if [ "$bytes" -gt 30000000 ]; then
    echo "make-cifar2-db: $new.part has $bytes bytes, at most 30000000 are expected; lighten() takes more away" >&2
    exit 1
fi
mv "$new.part" assets/cifar2.db
rm -f "$new"
"$dtrak" info assets/cifar2.db
