#!/bin/sh
# env.sh - the Python environment of requirements.txt, from PyPI.
#
#   tests/reference/env.sh DIR      makes DIR (about 1 GB) unless it stands; prints its interpreter
#
# torch 1.12.1 needs Python 3.10: python3.10 on the PATH, or PYTHON=/path/to/it.  Debian 12 has
# 3.11 and torch 1.13.1 instead (apt install python3-torch python3-venv), which serves as well.
set -eu
dir=${1:?usage: env.sh DIR}
wanted=$(dirname "$0")/requirements.txt
if [ -f "$dir/made" ] && cmp -s "$wanted" "$dir/made"; then
    echo "$dir/bin/python"
    exit 0
fi
rm -rf "$dir"
for python in ${PYTHON:-} python3.10 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10.*/bin/python; do
    if "$python" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 10))' 2> /dev/null; then
        "$python" -m venv "$dir"
        "$dir/bin/pip" install --quiet --no-deps -r "$wanted" 1>&2
        break
    fi
done
if ! [ -d "$dir" ] && /usr/bin/python3 -c 'import torch, venv' 2> /dev/null; then
    /usr/bin/python3 -m venv --system-site-packages "$dir"
    grep -v '^torch==' "$wanted" | "$dir/bin/pip" install --quiet --no-deps -r /dev/stdin 1>&2
fi
if ! "$dir/bin/python" -c 'import diffusers, torch, safetensors' 2> /dev/null; then
    echo "env.sh: neither Python 3.10 (PYTHON=...) nor Debian's python3-torch with python3-venv is here" >&2
    rm -rf "$dir"
    exit 1
fi
cp "$wanted" "$dir/made"
echo "$dir/bin/python"
