#!/bin/sh
# make-study-fashion.sh - how well every method predicts retraining, on Fashion-MNIST-2.
#
#   assets/make-study-fashion.sh OUT [STAGE...]
#
# OUT is the build directory.  Stages: base (data set, network, samples), subsets (64 half
# subsets retrained, 16 of them twice), features, scores, removals (counterfactuals), report;
# all of them when none is named.  DB says where the database is (OUT/study-fashion.db).  Stopped and started again,
# every stage goes on where it was.
#
# Sandals and ankle boots, 250 of each; the network is small enough to be trained 80 times
# and trained long enough (150 passes, twice as many on a half) to remember its images: with
# less of that nothing can be attributed, see the prototypes' figures in assets/study/.
set -eu
cd "$(dirname "$0")/.."
out=$1
shift
dtrak=$out/dtrak
db=${DB:-$out/study-fashion.db}
data=/usr/share/datasets/fashion-mnist    # Debian's dataset-fashion-mnist
queries=val:0-255,gen:0-255
lds="--subsets 64 --second-seed 16 --same steps --timesteps 100 --queries $queries --keep-weights"
[ $# -gt 0 ] || set -- base subsets features scores removals report

base() {
    [ -f "$db" ] || "$dtrak" new "$db" --name "Fashion-MNIST sandals and boots, 500" \
        --idx "$data/train-images-idx3-ubyte.gz" "$data/train-labels-idx1-ubyte.gz" \
        --test-idx "$data/t10k-images-idx3-ubyte.gz" "$data/t10k-labels-idx1-ubyte.gz" \
        --classes 5,9 --per-class 250 --held-out 256 --patch 2 --seed 0
    "$dtrak" train "$db" --width 24,24,48 --layers 1 --attention none --steps 1200 --batch 64 --lr 2e-3 --seed 0
    "$dtrak" sample "$db" --count 256 --seed 0
}
subsets() { "$dtrak" lds "$db" $lds; }
features() {
    "$dtrak" features "$db" --loss all --checkpoint all --timesteps 10 --dims 4096
    "$dtrak" features "$db" --loss all --checkpoint last --timesteps 100 --dims 4096
    # How many dimensions are enough?
    for k in 256 512 1024 2048 8192 16384; do
        "$dtrak" features "$db" --loss simple,square --checkpoint last --timesteps 100 --dims "$k"
    done
}
scores() {
    "$dtrak" score "$db" --method trak --loss all --checkpoint all --timesteps 10 --no-kernel
    "$dtrak" score "$db" --method tracin,gas --loss simple --checkpoint all --timesteps 10 --no-kernel
    "$dtrak" score "$db" --method trak --loss all --checkpoint last --timesteps 100 --no-kernel
    "$dtrak" score "$db" --method trak --loss all --checkpoint last --timesteps 100 --lambda grid --bits 12 --no-kernel
    "$dtrak" score "$db" --method grad-dot,grad-cos,relative-if,renorm-if --loss simple,square --checkpoint last --timesteps 100 --no-kernel
    "$dtrak" score "$db" --method pixel-dot,pixel-cos,random
}
removals() { "$dtrak" counterfactual "$db" --methods dtrak,trak,pixel-cos,random --remove 100 --queries 8 --same steps; }
report() { "$dtrak" lds "$db" --report; }

for stage in "$@"; do
    case $stage in
    base | subsets | features | scores | removals | report) "$stage" ;;
    *) echo "make-study-fashion.sh: no stage '$stage'; base subsets features scores removals report" >&2; exit 2 ;;
    esac
done
