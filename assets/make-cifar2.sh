#!/bin/sh
# make-cifar2.sh - CIFAR-2 (automobile and horse), from CIFAR-10 as PNG strips.
#
#   assets/make-cifar2.sh OUT      OUT is the build directory; makes OUT/cifar2.db
set -eu
cd "$(dirname "$0")/.."
out=$(cd "$1" && pwd)

[ -f "$out/cifar2.db" ] && { echo "$out/cifar2.db is there already"; exit 0; }
strips=$(assets/fetch-cifar10.sh "$out")
# Labels 1 and 7; as in the paper 2,500 of each to train on.
"$out/dtrak" new "$out/cifar2.db" --strips "$strips" --classes 1,7 --per-class 2500 --held-out 1000 \
    --patch 2 --name CIFAR-2
"$out/dtrak" info "$out/cifar2.db"
