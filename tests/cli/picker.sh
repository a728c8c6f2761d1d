#!/bin/sh
# Several databases or a folder on the command line: a list to pick from, with what each holds
# or why it cannot be shown; o goes over to another.
. "$(dirname "$0")/../lib/tap.inc"

look() { "$DTRAK" "$@" --graphics none --dump - < /dev/null > screen.txt 2> err.txt; }

mkdir dir none && "$OUT/screens/world" dir/world.db && cp dir/world.db dir/no-ending && "$OUT/cli/data" idx d 20 &&
    "$DTRAK" new dir/small.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 4 --held-out 2 2> /dev/null
says databases_are_made $?
echo junk > dir/broken.db
echo text > dir/notes.txt
head -c 100000 dir/world.db > dir/cut.db
: > dir/empty.db

look dir --size 120x24
has a_folder_lists_its_databases "databases in dir: 6"
has with_what_each_holds "world.db       120     40     12     4"
has and_what_has_scores "D-TRAK, TRAK"
has one_without_the_ending_too "no-ending"
lacks but_nothing_else "notes.txt"
has a_file_that_is_none_says_so "broken.db  not a database"
has a_cut_one_too "cut.db     truncated: 100000 bytes"
has and_an_empty_one "empty.db   not a database"
look dir --size 40x12
has on_a_small_screen_too "world.db"
look dir --size 20x5
has on_a_tiny_one_too "broke…"
look dir --size 1x1
says and_on_none $? "$(cat err.txt)"

look dir --size 120x24 --keys "enter"
has a_broken_one_is_refused_in_the_line_below "not a database"
has and_the_list_stays "databases in dir"
look dir --size 120x24 --keys "G enter"
has enter_opens_one "generated: 40"
look dir --size 120x24 --keys "G @double:5,7"
has a_double_click_too "small.db"
has with_its_own_first_screen "held out: 2"
look dir/small.db dir/world.db --size 120x24 --keys "j enter 2 . o k enter"
has o_goes_over_to_another "small.db"
look dir/world.db --size 120x24 --keys "2 j o"
has o_lists_the_folder_of_one "databases in dir: 6"
has with_itself_selected ">world.db"
look dir/world.db --size 120x24 --keys "2 o q"
has and_q_goes_back "proponents 1-"
look dir/world.db --size 120x24 --keys "o o @type:dir/small.db enter"
has a_path_can_be_typed "small.db  val:0/2"
look dir/world.db --size 120x24 --keys "2 o o @type:dir/nothing.db enter"
has and_one_that_is_not_there_is_refused "dir/nothing.db: "
has with_the_ranking_still_there "proponents 1-"
look dir/small.db --size 120x24 --keys "o o @type:dir enter"
has a_folder_can_be_typed "databases in dir: 6"

look none
grep -q "none: no database in this folder" err.txt
says an_empty_folder_is_refused $? "$(cat err.txt)"
look dir/world.db dir/broken.db --query gen:7 --keys "enter"
has the_query_of_the_command_line_goes_to_the_first "gen:7/40"
finish
