#!/bin/sh
# Keys of the explorer where a filter, a small screen or an empty database leave them little to act on.
. "$(dirname "$0")/../lib/tap.inc"

# look KEYS [SIZE [DB]]: the last screen of a database that is only read, so that no look changes the next; of DB, work is done
look() {
    "$DTRAK" view "${3:-world.db}" --fresh $([ -n "${3:-}" ] || echo --read-only) --graphics none --size "${2:-80x24}" --keys "$1" --dump screen.txt --force < /dev/null 2> err.txt
}
says_below() { tail -n 1 screen.txt | grep -qF -- "$2"; says "$1" $? "$(tail -n 1 screen.txt)"; }
says_above() { head -n 1 screen.txt | grep -qF -- "$2"; says "$1" $? "$(head -n 1 screen.txt)"; }

"$OUT/screens/world" world.db
says a_database_is_made $?

# --- the last screen as text ---
look "6"
cp screen.txt kept.txt && cp world.db kept.db
exits a_dump_replaces_no_file 1 "exists already" view world.db --read-only --graphics none --keys 2 --dump screen.txt
same_file it_is_as_it_was screen.txt kept.txt
exits and_no_database_ever 1 "is a database" view world.db --read-only --graphics none --keys 2 --dump world.db --force
same_file which_is_whole world.db kept.db
exits it_is_text 2 "text is written, and the name says .png" view world.db --read-only --keys 2 --dump screen.png
exits force_needs_a_dump 2 "--force belongs to --dump" view world.db --read-only --keys 2 --force

# --- the gallery: what is highlighted is what Enter ranks ---
look "tab & @type:boot enter tab tab enter"
says_above the_other_split_begins_with_what_passes_the_filter "val:1/12"
look "l space & @type:marked enter : @type:gen:5 enter enter"
says_above enter_ranks_the_highlighted_item_not_a_hidden_one "gen:1/40"
look "space l space l space & @type:marked enter g l space"
has an_item_that_is_not_marked_any_more_leaves_the_marked_ones "generated: 2 of 40 with 'marked'"
has and_the_next_moves_up_to_the_cursor ">gen:2*"
says_above and_is_what_the_title_says "gen:2/40"

# --- the ranking ---
cp world.db own.db
look "2 ] @idle & @type:zzzz enter enter @idle" 80x24 own.db
says_below enter_computes_nothing_where_a_filter_hides_all "no training item passes 'zzzz'; & with nothing shows all"
look "2 j j j" 40x13
has down_reaches_the_last_line_of_the_upper_pane ">4 "
look "2 j j j j" 40x13
has and_then_the_lower_pane ">1 "
look "2 j j j j k" 40x13
has up_comes_back_to_it ">4 "
look "2 pgdn" 40x13
has a_page_on_is_the_next_page "proponents 5-8 of 120"
has whose_first_is_selected ">5 "
# --- self-influence ---
look "4 f space" 60x20
has without_a_box_beside_it_the_title_says_what_the_values_are_of "loss avg, step 8000, by self-influence"
cp "$root/assets/demo.db" demo.db
look "4 j space" 40x12 demo.db
has a_marked_item_has_a_star_in_the_list_too "train:402*"
has and_an_outlier_its_own_sign "0.409 !"
lacks so_that_no_other_has_a_star " * "
look "3 j space" 40x12
has the_comparison_marks_in_lists_as_well "train:109*"

# --- evaluation ---
look "2 5 j" 120x36
has the_setting_that_the_ranking_shows_is_marked "•D-TRAK 100% T 10 k 8"
look "2 ] @idle 5 j" 120x36
says_above at_a_lambda_that_is_computed_live "0.1 live"
lacks none_is "•"

# --- databases without networks, or without anything to rank for ---
"$data" idx d 60 && "$DTRAK" new items.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 4 2> err.txt &&
    "$DTRAK" new held.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 4 --held-out 1 2> err.txt
says databases_without_a_network_are_made $? "$(cat err.txt)"
look 4 80x24 items.db
has no_checkpoint_is_said "there is no checkpoint yet: dtrak train makes"
lacks and_no_key_that_makes_one "does that here"
look 3 80x24 held.db
lacks a_side_counts_no_checkpoints_where_there_are_none "ckpt"
look ": @type:train:3 enter space q : @type:train:5 enter space q 8 / @type:5 enter" 80x24 items.db
has an_item_is_found_among_the_marked ">2 train:5*"
says_below a_search_that_finds_does_not_say_that_there_is_nothing "/ search"
! tail -n 1 screen.txt | grep -q ", . query"
says and_no_key_goes_to_other_queries_where_there_are_none $? "$(tail -n 1 screen.txt)"
look "1 ." 80x24 items.db
says_below or_says_why "there are no generated or held-out items"

# --- the list of keys has those of every screen ---
look "?" 100x200
for key in "unmark all; a saved list: delete it" "retrain without the items" "mark exactly the items of this list" "the ranking of that query, at this item" "by mean score, mean absolute"; do
    has "the_list_of_keys_has: $key" "$key"
done
finish
