#!/bin/sh
# make-demo-db.sh - remakes assets/demo.db with the program's own commands.
#
#   assets/make-demo-db.sh OUT      OUT is the build directory; works in OUT/make-demo.db
#
# Real Fashion-MNIST, sandals and ankle boots.  Stopped and started again, it goes on
# where it was: every command does only what is missing.
set -eu
cd "$(dirname "$0")/.."
out=$1
dtrak=$out/dtrak
db=$out/make-demo.db
data=/usr/share/datasets/fashion-mnist    # Debian's dataset-fashion-mnist

[ -f "$db" ] || "$dtrak" new "$db" --name "Fashion-MNIST sandals and boots" \
    --idx "$data/train-images-idx3-ubyte.gz" "$data/train-labels-idx1-ubyte.gz" \
    --test-idx "$data/t10k-images-idx3-ubyte.gz" "$data/t10k-labels-idx1-ubyte.gz" \
    --classes 5,9 --per-class 500 --held-out 48 --patch 2 --seed 0
"$dtrak" train "$db" --width 32,64,64 --layers 1 --attention 1,2 --steps 10000 --batch 64 --lr 2e-3 --ema --seed 0
"$dtrak" sample "$db" --count 96 --seed 0

# Every loss at every checkpoint, and the last one with more timesteps, where it matters.
"$dtrak" features "$db" --loss all --checkpoint all --timesteps 10 --dims 2048
"$dtrak" features "$db" --loss all --checkpoint last --timesteps 50 --dims 2048

# TRAK and D-TRAK at the end of training, kept to 16 bits, with the kernels that stand in for
# their features: every lambda follows from those.  The other scores are kept to 11 bits.
"$dtrak" score "$db" --method trak --loss simple,square --checkpoint last --timesteps 50 --self --bits 16
"$dtrak" score "$db" --method trak --loss elbo,avg,l1,l2,linf --checkpoint last --timesteps 50 --self --bits 11 --no-kernel
"$dtrak" score "$db" --method trak --loss all --checkpoint all --timesteps 10 --self --bits 11 --no-kernel
"$dtrak" score "$db" --method grad-dot,grad-cos --loss simple --checkpoint last --timesteps 50 --bits 11 --no-kernel
"$dtrak" score "$db" --method pixel-cos --bits 11

rm -f "$out/demo-new.db"
"$dtrak" slim "$db" "$out/demo-new.db"
"$dtrak" check "$out/demo-new.db"
mv "$out/demo-new.db" assets/demo.db
"$dtrak" info assets/demo.db
