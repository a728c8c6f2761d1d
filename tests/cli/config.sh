#!/bin/sh
# The config file: what it sets, and what it says of a line that makes no sense.  And keys: those
# that work stand in the footer, the others say why they do not.
. "$(dirname "$0")/../lib/tap.inc"

look() { "$DTRAK" view world.db --config conf --graphics none --size 140x30 --keys "$1" --dump screen.txt --force < /dev/null 2> err.txt; }
refuses() {   # NAME TEXT LINE...
    name=$1 text=$2
    shift 2
    printf '%s\n' "$@" > conf
    exits "$name" 2 "conf:$text" view world.db --config conf --dump -
}
footer() { tail -n 1 screen.txt | grep -qF -- "$2"; says "$1" $? "$(tail -n 1 screen.txt; cat err.txt)"; }
no_footer() { ! tail -n 1 screen.txt | grep -qF -- "$2"; says "$1" $? "$(tail -n 1 screen.txt)"; }

"$OUT/screens/world" world.db
says a_database_is_made $?

refuses an_unknown_setting "3: 'colour' is not a setting: graphics, colors, cell" "# mine" "" "colour 3"
refuses a_wrong_value "1: graphics 'foo': auto, sixel" "graphics foo"
refuses a_number_out_of_range "1: colors '1': a whole number from 2 to 256" "colors 1"
refuses not_on_or_off "2: mouse 'maybe': on or off" "read-only off" "mouse maybe"
refuses an_unknown_screen "1: screen 'zoom': gallery, ranking" "screen zoom"
refuses an_unknown_background "1: background 'grey': auto, dark or light" "background grey"
refuses a_cell_without_height "1: cell '10': WIDTHxHEIGHT" "cell 10"
refuses too_many_words "1: top with 2 values" "top 10 20"
refuses a_bind_without_action "1: bind with 1 words" "bind w"
refuses an_unknown_action "1: 'marks' is not an action" "bind w marks"
refuses an_unknown_key "1: key 'F99'" "bind F99 mark"
refuses a_key_with_alt "1: 'alt-x'" "bind alt-x mark"
refuses a_third_key "3: 'mark' has two keys already" "bind f3 mark" "bind f4 mark" "bind f5 mark"
refuses a_key_used_twice "2: the key w would mean both 'reverse' and 'mark' (ranking)" "bind w mark" "bind w reverse"
refuses a_key_that_is_used_already "1: the key f would mean both 'mark' and 'loss-next'" "bind f mark"
printf 'bind' > conf
exits a_bind_at_the_very_end 2 "conf:1: bind with 0 words" view world.db --config conf --dump -
printf 'top 3\0\n' > conf
exits a_binary_file 2 "conf: a byte 0" view world.db --config conf --dump -
exits a_file_that_is_not_there 1 "nowhere: No such file" view world.db --config nowhere --dump -

printf 'screen ranking   # to begin with\ntop 3\n' > conf
look ""
has it_begins_with_that_screen "proponents 1-"
look "e @type:three.csv enter"
"$DTRAK" view world.db --config conf --screen gallery --dump screen.txt --force
has an_option_goes_first "generated: 40"
look "e @type:three.png enter"
"$DTRAK" rank world.db --query gen:0 --method dtrak --top 3 --bottom 3 --sheet want.png > /dev/null
same_file a_picture_has_that_many three.png want.png
echo "read-only on" > conf
look "2 f f r"
footer read_only_is_said "nothing is computed"

printf 'bind w mark\nbind ctrl-t query-back\nbind f8 gallery\nbind # reverse\n' > conf
look "2"
footer the_footer_shows_the_keys_as_bound "w mark"
footer also_two_of_them "Ctrl-T . query"
footer and_a_sign "# reverse"
look "2 w"
footer the_key_works "train:21 marked"
look "esc esc j"
has escape_does_not_leave "generated: 40"
look "esc"
footer and_says_what_does "this is the first screen; Q leaves"
look "2 space"
footer the_old_one_does_not "space does nothing on this screen; ? lists the keys"
look "2 . . ctrl-t"
has ctrl_too "gen:1/40"
look "2 f8"
has a_function_key_too "generated: 40"
look "2 ?"
has the_help_shows_them "Ctrl-T"
look ": @type:mark_item"
has the_palette_too " w         mark the item"

printf 'bind f5 recompute\nbind w mark\nbind f7 search\nbind f9 eval-pairs\nbind f10 set\n' > conf
look "2 f f"
has texts_name_the_key_as_bound "press F5"
look "2 n"
footer so_do_messages "nothing to search for: F7 takes a text"
look "5 b"
footer so_do_reasons "F9 shows those"
look "2 w"
footer a_screen_s_key_too "0 train marked: F10 shows them"
look "f10"
has so_do_empty_lists "Nothing is marked: w marks"
look "2 w"

: > conf
look "2 M M"
no_footer a_key_that_does_nothing_is_not_in_the_footer "loss"
look "2 M M f"
footer and_says_why "does not depend on a loss function"
look "7 enter"
# They may have come before the last screen was drawn: then it is not said any more.
tail -n 1 screen.txt | grep -q 'the scores are still being read' || { grep -q 'training items by mean score  1-' screen.txt && ! tail -n 1 screen.txt | grep -q scores; }
says where_they_are_being_read $? "$(tail -n 1 screen.txt)"
look "2 f 7 @idle enter"
footer where_there_is_nothing "there are no scores of this setting"
look "5 tab tab p v"
footer on_each_screen "p goes back to the LDS"
look "x"
footer without_a_job "no job is running"

col=$(look "2"; tail -n 1 screen.txt | awk '{ print index($0, "Enter zoom") }')
look "2 @click:$((col + 1)),29"
has a_click_on_the_footer_is_the_key "supports"
look "2 enter @wheel:down"
has the_wheel_steps_in_the_zoom "┌ train:109 "
look "2 : @type:marked_items @double:20,27"
has a_double_click_takes_a_line_of_the_palette "marked: 1"
finish
