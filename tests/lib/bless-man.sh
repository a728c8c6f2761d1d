#!/bin/sh
# bless-man.sh OUT - puts what the program knows of itself into the manual pages: the explorer's keys
# into dtrak.1, the config fields of a model into dtrak-model.5.
set -eu
cd "$(dirname "$0")/../.."

fill() {   # PAGE MARK FILE: the lines between .\" MARK and .\" end of MARK become the file's
    awk -v rows="$3" -v mark="$2" '
        $0 == ".\\\" end of " mark { within = 0 }
        !within
        index($0, ".\\\" " mark) == 1 { while ((getline line < rows) > 0) print line; within = 1 }' "man/$1" > "$3.page"
    cp "$3.page" "man/$1"
}
"$1/cli/keys" > "$1/keys.roff" && fill dtrak.1 keys "$1/keys.roff"
for table in network scheduler; do
    "$1/cli/fields" $table > "$1/$table.roff" && fill dtrak-model.5 "$table fields" "$1/$table.roff"
done
