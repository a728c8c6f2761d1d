#!/bin/sh
# make-study-cifar2.sh - how well every method predicts retraining, on CIFAR-2.
#
#   assets/make-study-cifar2.sh OUT [STAGE...]
#
# OUT is the build directory, DB the database (OUT/study-cifar2.db).  The stages are in
# study.inc.  Stopped and started again, every stage goes on where it was.
#
# 9,600 steps of 16 end at a training loss of .044 with 32/48/64 channels and of .041 with 48/64/96, for
# twice the time: 72 retrainings take about four hours of two cores with the first.
set -eu
cd "$(dirname "$0")/.."
out=$1
shift
db=${DB:-$out/study-cifar2.db}
network="--width 32,48,64 --layers 1 --attention none --steps 9600 --batch 16 --lr 1.5e-3 --seed 0"
second_seeds=8 removed=200 removal_dims=4096

. assets/cifar2.inc
dataset() { new_cifar2 "$dtrak" "$db" "$out"; }
. assets/study.inc
