#!/bin/sh
# layers.sh - who may include whom (and who may touch which foreign header).
#
#   tests/layers.sh [ROOT]        checks ROOT/src and ROOT/include; exit 1 and a line per breach
#   tests/layers.sh --self-test   proves on small made-up trees that each rule can fail
#
# A module is a directory of src/.  A header of include/dtrak belongs to the
# one module that has a .c file of its name, else to the one named below.
# Headers beside the .c files are private to their directory.
set -eu

check() {
    root=$1
    ( cd "$root" && find src include -name '*.[ch]' -o -path 'src/*' -name '*.inc' | LC_ALL=C sort |
      xargs awk '
        BEGIN {
            # What each module may use; everything may use itself.
            split("base|kernels:base|linalg:kernels base|formats:base|store:base|term:formats base|" \
                  "model:kernels base|attribution:model linalg kernels base|" \
                  "evaluation:attribution model linalg kernels base|" \
                  "pipeline:store evaluation formats attribution model linalg kernels base|" \
                  "report:pipeline store evaluation formats attribution model linalg kernels base|" \
                  "jobs:pipeline store evaluation formats attribution model linalg kernels base|" \
                  "tui:jobs report term pipeline store evaluation formats attribution model linalg kernels base|" \
                  "cli:tui jobs report term pipeline store evaluation formats attribution model linalg kernels base",
                  rule, "|")
            for (i in rule) {
                n = split(rule[i], side, ":"); module[side[1]] = 1; may[side[1], side[1]] = 1
                if (n > 1) { split(side[2], word, " "); for (j in word) may[side[1], word[j]] = 1; delete word }
            }
            # Headers without a .c file of their name, or with several.
            split("cli:cli report:report pipeline:pipeline mem:base store_basis:store store_check:store store_checkpoint:store " \
                  "store_feature:store store_feature_file:store store_item:store store_job:store store_score:store store_subset:store store_counterfactual:store store_embedding:store store_drop:store store_error:store store_until:store kernels:kernels " \
                  "lds:evaluation subset:evaluation lds_verb:pipeline counterfactual:pipeline " \
                  "interchange:pipeline unet:model model:model train:model sample:model schedule:model image:formats dataset:formats " \
                  "ranking:attribution rows:attribution stats:evaluation painter:term term:term tui:tui jobs:jobs",
                  o, " ")
            for (i in o) { split(o[i], side, ":"); owner[side[1]] = side[2] }
            split("cblas.h:kernels cblas.h:linalg lapacke.h:linalg sqlite3.h:store curses.h:term ncurses.h:term " \
                  "term.h:term sixel.h:term sixel/sixel.h:term stb_image.h:formats stb_image_write.h:formats " \
                  "stb_image_resize.h:formats stb/stb_image.h:formats stb/stb_image_write.h:formats " \
                  "stb/stb_image_resize.h:formats zlib.h:formats zlib.h:store xxhash.h:base", o, " ")
            for (i in o) { split(o[i], side, ":"); foreign[side[1]] = 1; owns[side[2], side[1]] = 1 }
            # Pass 1: which module defines x.c?
            for (i = 1; i < ARGC; i++) {
                n = split(ARGV[i], p, "/")
                if (p[1] == "src" && p[n] ~ /\.c$/) { name = p[n]; sub(/\.c$/, "", name); made[name] = made[name] " " p[2] }
            }
        }
        function header_owner(name,  w) {
            split(made[name], w, " ")
            if (w[1] != "" && w[2] == "") return w[1]
            return owner[name]
        }
        function breach(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; bad = 1 }
        FNR == 1 {
            n = split(FILENAME, p, "/")
            if (p[1] == "src") here = p[2]
            else { name = p[n]; sub(/\.h$/, "", name); here = ""; here = header_owner(name) }
            if (here == "") breach("no module owns this header: name it in tests/layers.sh or add a .c file of its name")
            else if (!(here in module)) breach("module " here " is not one of design")
            comment = 0
        }
        /^[ \t]*#[ \t]*include[ \t]*"/ {
            name = $0; sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
            if (name ~ /^dtrak\//) {
                sub(/^dtrak\//, "", name); sub(/\.h$/, "", name)
                to = header_owner(name)
                if (to == "") breach("dtrak/" name ".h has no owner")
                else if (here != "" && !((here, to) in may)) breach(here " may not use " to " (dtrak/" name ".h)")
            } else if (name ~ /\//) breach("a private header of another directory: " name)
        }
        /^[ \t]*#[ \t]*include[ \t]*</ {
            name = $0; sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
            if (name in foreign && !((here, name) in owns)) breach("<" name "> is not for " here)
        }
        {
            # Calls, with comments and strings taken out.
            line = $0
            gsub(/"([^"\\]|\\.)*"/, "", line)
            if (comment) { if (!sub(/^.*\*\//, "", line)) line = ""; else comment = 0 }
            gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
            if (sub(/\/\*.*$/, "", line)) comment = 1
            sub(/\/\/.*$/, "", line)
            # Its own heap calls; libraries free what they made through names of their own.
            if (here != "base" && line ~ /(^|[^A-Za-z0-9_.>])(malloc|calloc|realloc|free|strdup|strndup|aligned_alloc)[ \t]*\(/)
                breach("memory comes from mem.h: " $0)
            if (here != "cli" && here != "tui" && here != "term" && line ~ /(^|[^A-Za-z0-9_])(exit|_exit|abort|printf|puts|putchar)[ \t]*\(/)
                breach("library code does not print or exit: " $0)
        }
        END { exit bad }' )
}

# --- the self-test: each tree has one breach, which must be named ---

tree=
make_tree() {
    rm -rf "$tree"
    mkdir -p "$tree/src/base" "$tree/src/store" "$tree/src/formats" "$tree/src/tui" "$tree/include/dtrak"
    echo 'int base_x;' > "$tree/src/base/err.c"
    echo '#include <zlib.h>' > "$tree/src/store/store.c"
    echo '#include "dtrak/store.h"' > "$tree/src/tui/app.c"
    printf '#include "dtrak/err.h"\n' > "$tree/include/dtrak/store.h"
    echo '/* free( in a comment is fine */ int err_x;' > "$tree/include/dtrak/err.h"
}
expect() {   # NAME TEXT FILE LINE: with that line in the file, TEXT is said
    make_tree
    echo "$4" >> "$tree/$3"
    if out=$(check "$tree"); then echo "not ok $1: passed"; failed=1; return; fi
    case $out in
    *"$2"*) echo "ok $1" ;;
    *) echo "not ok $1: said '$out'"; failed=1 ;;
    esac
}
self_test() {
    tree=$(mktemp -d)/t
    failed=0
    make_tree
    if out=$(check "$tree"); then echo "ok a_clean_tree_passes"; else echo "not ok a_clean_tree_passes: $out"; failed=1; fi
    expect an_arrow_upwards_is_found "store may not use tui" src/store/store.c '#include "dtrak/tui.h"'
    expect an_arrow_sideways_is_found "store may not use formats" src/store/store.c '#include "dtrak/image.h"'
    expect an_arrow_in_a_header_is_found "base may not use store" include/dtrak/err.h '#include "dtrak/store.h"'
    expect a_foreign_header_is_found "<sqlite3.h> is not for tui" src/tui/app.c '#include <sqlite3.h>'
    expect zlib_elsewhere_is_found "<zlib.h> is not for tui" src/tui/app.c '#  include <zlib.h>'
    expect malloc_elsewhere_is_found "memory comes from mem.h" src/store/store.c 'void *p = malloc(3);'
    expect a_private_header_of_others_is_found "private header" src/tui/app.c '#include "../store/db.h"'
    expect exit_in_a_library_is_found "does not print or exit" src/store/store.c 'void f(void) { exit(1); }'
    expect a_header_without_an_owner_is_found "no module owns" include/dtrak/orphan.h 'int x;'
    rm -rf "${tree%/t}"
    return $failed
}

case ${1:-} in
--self-test) self_test ;;
*) check "${1:-$(dirname "$0")/..}" && echo "layers: the arrows run downwards" ;;
esac
