#!/bin/sh
# report.sh - what came out of a study, as files to keep.
#
#   assets/study/report.sh DTRAK DB NAME DIR
#
# Writes DIR/NAME.txt (LDS of everything), NAME.csv (the same for programs), NAME-outputs-*.tsv
# (the losses of the retrained networks: `dtrak lds DB --import-outputs` takes them back),
# NAME-removals.txt and .png where there are counterfactuals, NAME-self.txt, and plots
# NAME-*.png where PLOT_PYTHON is a Python with matplotlib (requirements.txt).  The table in
# DIR/README.md, where there is one (table.py).
set -eu
dtrak=$1 db=$2 name=$3 dir=$4
mkdir -p "$dir"
"$dtrak" lds "$db" --report > "$dir/$name.txt"
"$dtrak" lds "$db" --report --csv > "$dir/$name.csv"
for part in 0-15 16-31 32-47 48-63; do
    "$dtrak" lds "$db" --only $part --export "$dir/$name-outputs-$part.tsv" --force || rm -f "$dir/$name-outputs-$part.tsv"
done
if "$dtrak" counterfactual "$db" --report > "$dir/$name-removals.txt" 2> /dev/null; then
    "$dtrak" counterfactual "$db" --report --sheet "$dir/$name-removals.png" --force > /dev/null
else
    rm -f "$dir/$name-removals.txt"
fi
"$dtrak" self "$db" --top 20 > "$dir/$name-self.txt" 2> /dev/null || rm -f "$dir/$name-self.txt"
[ -z "${PLOT_PYTHON:-}" ] || "$PLOT_PYTHON" "$(dirname "$0")/plots.py" "$dir/$name.csv" "$dir/$name"
[ ! -f "$dir/README.md" ] || ! grep -q "<!-- $name: table -->" "$dir/README.md" || ! command -v python3 > /dev/null ||
    python3 "$(dirname "$0")/table.py" "$dir/$name.csv" "$dir/README.md" "$name"
