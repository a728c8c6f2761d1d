#!/bin/sh
# make-study-fashion.sh - how well every method predicts retraining, on Fashion-MNIST-2.
#
#   assets/make-study-fashion.sh OUT [STAGE...]
#
# OUT is the build directory, DB the database (OUT/study-fashion.db).  The stages are in
# study.inc.  Stopped and started again, every stage goes on where it was.
#
# Sandals and ankle boots, 250 of each.  Batches of 16: for the same number of images shown,
# a network of this size ends at a training loss of .038 with them, .042 with 32 and .047
# with 64, and only the first draws shoes that differ from each other.
set -eu
cd "$(dirname "$0")/.."
out=$1
shift
db=${DB:-$out/study-fashion.db}
data=/usr/share/datasets/fashion-mnist    # Debian's dataset-fashion-mnist
network="--width 32,48,64 --layers 1 --attention none --steps 4800 --batch 16 --lr 1.5e-3 --seed 0"
second_seeds=8 removed=100 removal_dims=16384

dataset() {
    "$dtrak" new "$db" --name "Fashion-MNIST sandals and boots, 500" \
        --idx "$data/train-images-idx3-ubyte.gz" "$data/train-labels-idx1-ubyte.gz" \
        --test-idx "$data/t10k-images-idx3-ubyte.gz" "$data/t10k-labels-idx1-ubyte.gz" \
        --classes 5,9 --per-class 250 --held-out 256 --patch 2 --seed 0
}
. assets/study.inc
