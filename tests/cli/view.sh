#!/bin/sh
# Keys of the explorer where a filter, a small screen or an empty database leave them little to act on.
. "$(dirname "$0")/../lib/tap.inc"

# look KEYS [SIZE [OPTION...]]: the last screen; marks stay in memory, so that no look changes the next
look() {
    keys=$1 size=${2:-80x24}
    shift "$(($# < 2 ? $# : 2))"
    "$DTRAK" view "${db:-world.db}" --fresh "${@:---read-only}" --graphics none --size "$size" --keys "$keys" --dump screen.txt < /dev/null 2> err.txt
}
says_below() { tail -n 1 screen.txt | grep -qF -- "$2"; says "$1" $? "$(tail -n 1 screen.txt)"; }
says_above() { head -n 1 screen.txt | grep -qF -- "$2"; says "$1" $? "$(head -n 1 screen.txt)"; }

"$OUT/screens/world" world.db
says a_database_is_made $?

# --- the gallery: what is highlighted is what Enter ranks ---
look "tab & @type:boot enter tab tab enter"
says_above the_other_split_begins_with_what_passes_the_filter "val:1/12"
look "l space & @type:marked enter : @type:gen:5 enter enter"
says_above enter_ranks_the_highlighted_item_not_a_hidden_one "gen:1/40"
look "space l space l space & @type:marked enter g l space"
has an_item_that_is_not_marked_any_more_leaves_the_marked_ones "generated: 2 of 40 with 'marked'"
has and_the_next_moves_up_to_the_cursor ">gen:2*"
says_above and_is_what_the_title_says "gen:2/40"
finish
