#!/bin/sh
# What the explorer sets going, on a database with a real (tiny) network: + makes an image,
# attributes it and shows it; a marked set is taken away and the query made again.
. "$(dirname "$0")/../lib/tap.inc"

look() { "$DTRAK" view a.db --graphics none --size "${2:-120x36}" --keys "$1" --dump - < /dev/null; }
shows() { look "$2" > screen.txt 2> err.txt; grep -qF -- "$3" screen.txt; says "$1" $? "$(cat screen.txt err.txt)"; }

"$data" idx d 60
"$DTRAK" new a.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 12 --held-out 2 --patch 2 2> /dev/null &&
    "$DTRAK" train a.db --width 8,16 --steps 60 --batch 8 --seed 3 --threads 1 2> /dev/null &&
    "$DTRAK" sample a.db --count 3 --steps 10 --seed 7 --threads 1 2> /dev/null
says a_small_database_is_made $?

shows a_new_image_without_features_is_not_attributed "2 + @idle" "not computed"
grep -q "gen:3/4" screen.txt
says but_it_is_shown $? "$(head -n 1 screen.txt)"
"$DTRAK" features a.db --loss square --timesteps 10 --dims 64 --threads 1 2> /dev/null &&
    "$DTRAK" score a.db --method dtrak --threads 1 2> /dev/null
says features_and_scores_are_made $?
shows leverages_are_offered_where_there_are_none "7 @idle" "no self-influence: 4 and r"
shows and_show_when_they_came "7 @idle 4 r @idle 7 @idle" "self-influence 0."
shows plus_makes_an_image_and_its_scores "2 + @idle" "proponents 1-"
grep -q "gen:4/5" screen.txt
says and_shows_it $? "$(head -n 1 screen.txt)"
equal one_item_came "$(value a.db splits.gen)" 5
"$DTRAK" rank a.db --query gen:4 --method dtrak > rank.txt 2> err.txt
says its_ranking_is_stored $? "$(cat err.txt)"
first=$(sed -n 's/.*\(train:[0-9]*\).*/\1/p' rank.txt | head -n 1)
equal the_screen_shows_the_same_first "$(sed -n 's/.*1 \(train:[0-9]*\) .*/\1/p' screen.txt | head -n 1)" "$first"

shows near_ones_are_looked_up "2 enter @idle" "nearest by features"
grep -q "looking at every" screen.txt
says and_found $((1 - $?)) "$(cat screen.txt)"
look "2 space l space 8 r @type:pair enter @idle" > screen.txt 2> err.txt
"$DTRAK" counterfactual a.db --report > report.txt 2> err.txt
grep -q "list:pair" report.txt
says a_marked_pair_is_taken_away_by_a_job $? "$(cat report.txt err.txt screen.txt)"

# A running job is not left without being asked.  A new image takes as many steps as the one
# shown: a thousand of a larger network are not made in a moment, however slowly the keys come.
mkdir slow && cd slow || exit 1
"$OUT/screens/world" b.db &&
    "$DTRAK" new a.db --idx ../d/images.idx ../d/labels.idx --classes 0,1 --per-class 12 --held-out 2 2> /dev/null &&
    "$DTRAK" train a.db --width 32,64 --steps 5 --batch 4 --seed 3 --threads 1 2> /dev/null &&
    "$DTRAK" sample a.db --count 1 --steps 1000 --seed 99 --threads 1 2> /dev/null
says an_image_of_many_steps_is_made $?
last=$(($(value a.db splits.gen) - 1))
look ": @type:gen:$last enter 2 + o j enter" > screen.txt 2> err.txt
tail -n 1 screen.txt | grep -q "open another database"
says going_over_asks_while_a_job_runs $? "$(cat screen.txt err.txt)"
look ": @type:gen:$last enter 2 + o j enter n" > screen.txt 2> err.txt
head -n 1 screen.txt | grep -q "a.db"
says no_stays_here $? "$(cat screen.txt err.txt)"
look ": @type:gen:$last enter 2 + o j enter y" > screen.txt 2> err.txt
head -n 1 screen.txt | grep -q "b.db"
says yes_goes_over $? "$(cat screen.txt err.txt)"
look ": @type:gen:$last enter 2 + q q" > screen.txt 2> err.txt
tail -n 1 screen.txt | grep -q "leave"
says leaving_asks_too $? "$(cat screen.txt err.txt)"
look ": @type:gen:$last enter 2 + Q" 40x12 > screen.txt 2> err.txt
tail -n 1 screen.txt | grep -q "leave?  y yes  n no"
says a_narrow_screen_has_the_question_with_its_answers $? "$(cat screen.txt err.txt)"
look ": @type:gen:$last enter 2 + o j enter" 80x24 > screen.txt 2> err.txt
tail -n 1 screen.txt | grep -Eq "(open another database\?|They stay in the queue\.)  y yes  n no"   # the latter where it has not begun
says and_what_does_not_fit_is_no_answer $? "$(cat screen.txt err.txt)"
finish
