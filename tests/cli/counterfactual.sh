#!/bin/sh
# dtrak counterfactual on a tiny project: by scores and by a list, killed and continued,
# listed, drawn and reported.
. "$(dirname "$0")/../lib/tap.inc"

"$data" idx d 60
{ "$DTRAK" new a.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 15 --held-out 4 --size 8 --patch 2 &&
    "$DTRAK" train a.db --width 8,16 --steps 20 --batch 8 --lr 2e-3 --seed 3 &&
    "$DTRAK" sample a.db --count 3 --steps 10 &&
    "$DTRAK" features a.db --loss square --timesteps 10 --dims 64; } > out.txt 2> err.txt
says the_project_is_made $? "$(tail -n 3 err.txt)"
exits missing_scores_name_the_command 1 "dtrak score a.db --method trak --loss square" counterfactual a.db --methods dtrak --remove 5
"$DTRAK" score a.db --method trak,pixel-cos,random --loss square > out.txt 2> err.txt
says scores_are_made $? "$(tail -n 3 err.txt)"
cp a.db b.db

run() { db=$1; shift; "$DTRAK" counterfactual "$db" --methods dtrak,pixel-cos,random --remove 5 --queries 2 --steps 100 "$@"; }
run a.db --dry-run > out.txt 2> err.txt
says a_dry_run_works $? "$(cat err.txt)"
grep -q '6 pictures: 0 done' out.txt && grep -q 'FLOP, about' out.txt
says it_says_what_it_will_cost $? "$(cat out.txt)"
exits nothing_to_report_is_said 1 "dtrak counterfactual DB --methods" counterfactual a.db --report
run a.db > out.txt 2> err.txt
says it_works $? "$(tail -n 3 err.txt)"
grep -q '^6 pictures: 6 done' out.txt
says every_picture_is_made $? "$(cat out.txt)"
"$DTRAK" counterfactual a.db --report --csv > a.csv 2> err.txt
[ "$(wc -l < a.csv)" = 7 ] && [ "$(awk -F, 'NR > 1 && $4 > 0 && $5 < 1 && $3 == 5' a.csv | wc -l)" = 6 ]
says six_pictures_have_moved $? "$(cat a.csv err.txt)"
"$DTRAK" counterfactual a.db --report --json > a.json 2> err.txt
says json_has_three_methods "$([ "$("$json" methods.# < a.json)" = 3 ] && [ "$("$json" pictures.# < a.json)" = 6 ] && echo 0 || echo 1)" "$(cat a.json)"
"$DTRAK" counterfactual a.db --report > a.txt 2> err.txt
grep -q '^Random  *5  *2 ' a.txt && ! grep -q nan a.txt
says the_table_has_a_line_for_random $? "$(cat a.txt)"
holds pairs_are_drawn "$DTRAK" counterfactual a.db --sheet pairs.png
exits pairs_that_are_there_stay 1 "exists already" counterfactual a.db --sheet pairs.png
holds unless_forced "$DTRAK" counterfactual a.db --sheet pairs.png --force
exits there_is_nothing_else_to_force 2 "--force belongs to --sheet" counterfactual a.db --report --force
[ "$(head -c 4 pairs.png | tail -c 3)" = PNG ]
says as_a_png $?
holds the_database_is_clean "$DTRAK" check a.db

# --- trained otherwise: beside the others, not among them ---
cp a.db two.db
"$DTRAK" counterfactual two.db --methods dtrak,random --remove 5 --queries 2 --steps 40 > out.txt 2> err.txt && "$DTRAK" counterfactual two.db --report > two.txt
says other_training_is_another_line "$([ "$(grep -c '^Random, 40 steps  *5  *2 ' two.txt)" = 1 ] && [ "$(grep -c '^Random, 100 steps  *5  *2 ' two.txt)" = 1 ] && echo 0 || echo 1)" "$(cat two.txt out.txt err.txt)"
# Pixels across, from the head of a PNG: a margin of 16 at both sides, 140 for the pictures themselves and for each column.
across() { od -An -tu1 -j16 -N4 "$1" | awk '{ print ((256 * $1 + $2) * 256 + $3) * 256 + $4 }'; }
"$DTRAK" counterfactual two.db --sheet two.png 2> err.txt
equal and_another_column_of_the_sheet "$(across pairs.png) $(across two.png)" "592 872"
equal and_what_was_there_stays_as_it_was "$(sed -n 's/^D-TRAK, 100 steps *//p' two.txt | head -n 1)" "$(sed -n 's/^D-TRAK *//p' a.txt | head -n 1)"

# --- killed in the middle ---
run_exec() { exec "$DTRAK" counterfactual b.db --methods dtrak,pixel-cos,random --remove 5 --queries 2 --steps 100 --save-every 0.05 --threads 1; }
is_begun() { "$DTRAK" counterfactual b.db --report --csv > part.csv 2> /dev/null && [ "$(wc -l < part.csv)" -lt 7 ]; }
ends_early KILL b.db is_begun run_exec
says it_is_killed_after_the_first_picture $? "status $status: $(tail -n 2 err.txt)"
holds after_the_kill_the_database_is_clean "$DTRAK" check b.db
holds it_goes_on_after_a_kill run b.db
"$DTRAK" counterfactual b.db --report --csv > b.csv
same_file with_the_same_pictures b.csv a.csv

# --- scores that were rounded since: an order that is ties now is still the order by which items went ---
near=$(awk 'BEGIN { print "query,item,score"; for (q = 0; q < 2; q++) for (i = 0; i < 30; i++) printf "gen:%d,%d,%.9f\n", q, i, 1 + i * 1e-4 }')
cp b.db exact.db
printf '%s\n' "$near" > near.csv
"$DTRAK" import exact.db near.csv --from csv --method pixel-dot > out.txt 2> err.txt &&
    "$DTRAK" counterfactual exact.db --methods pixel-dot --remove 5 --queries 2 --steps 20 > out.txt 2>> err.txt &&
    "$DTRAK" slim exact.db coarse.db --bits 9 > out.txt 2>> err.txt
says pictures_by_scores_that_are_rounded_then $? "$(cat err.txt)"
"$DTRAK" rank coarse.db --query gen:0 --method pixel-dot --top 2 --csv > rank.csv 2> err.txt
grep -q 'train:0,' rank.csv
says the_order_is_lost_indeed $? "$(cat rank.csv err.txt)"
"$DTRAK" counterfactual coarse.db --methods pixel-dot --remove 5 --queries 2 --steps 20 --dry-run > out.txt 2> err.txt
grep -q '2 pictures: 2 done' out.txt
says what_was_taken_away_is_known_again $? "$(cat out.txt err.txt)"
"$DTRAK" counterfactual coarse.db --methods pixel-dot --remove 5 --queries 2 --steps 21 --dry-run > out.txt 2> err.txt
grep -q '2 pictures: 0 done' out.txt && grep -q ' pictures are here of networks that were trained with other options: train.' out.txt
says other_options_are_said $? "$(cat out.txt err.txt)"

# --- a list ---
"$DTRAK" counterfactual a.db --list mine --take train:0,train:7,train:29 --items gen:2 --steps 20 > out.txt 2> err.txt
says a_list_is_taken_away $? "$(cat err.txt)"
"$DTRAK" counterfactual a.db --report --csv | grep -q '^gen:2,list:mine,3,'
says and_reported $?
# A list that has changed: the picture without what it has now counts.
cp a.db again.db
"$DTRAK" counterfactual again.db --list mine --take train:1,train:2,train:3 --items gen:2 --steps 20 > out.txt 2> err.txt
says a_list_of_others_is_taken_away $? "$(cat err.txt)"
"$DTRAK" counterfactual again.db --report > again.txt 2> err.txt
grep -q '^list:mine  *3  *1 ' again.txt && [ "$(grep -c '^gen:2  *list:mine' again.txt)" = 1 ] && grep -q '^1 earlier picture' err.txt
says the_latest_picture_of_a_query_counts $? "$(cat again.txt err.txt)"
"$DTRAK" counterfactual again.db --report --csv 2> err.txt | sed -n '/list:mine/p' > now.csv
"$DTRAK" counterfactual a.db --report --csv | sed -n '/list:mine/p' > then.csv
says and_it_is_the_later_one "$(! cmp -s now.csv then.csv && [ "$(wc -l < now.csv)" = 1 ] && echo 0 || echo 1)" "$(cat now.csv then.csv)"
"$DTRAK" counterfactual a.db --list tried --take train:1 --items gen:2 --steps 20 --dry-run > out.txt 2> err.txt
exits a_dry_run_makes_no_list 1 'no list "tried"' counterfactual a.db --list tried
exits a_refused_call_replaces_no_list 2 "gen:9" counterfactual a.db --list mine --take train:1 --items gen:9
"$DTRAK" counterfactual a.db --list mine --items gen:2 --steps 20 > out.txt 2> err.txt
says the_list_is_what_it_was $? "$(cat err.txt)"
equal and_no_other_network_came "$("$DTRAK" counterfactual a.db --report --csv | grep -c list:mine)" 1
exits a_length_is_given_once 2 "take one of them" counterfactual a.db --methods random --remove 3 --steps 9 --same steps
exits a_report_shows_everything 2 "show everything" counterfactual a.db --report --methods random
exits a_list_that_is_not_there_is_named 1 'no list "yours"' counterfactual a.db --list yours
exits only_training_items_are_taken 2 "train:3" counterfactual a.db --list mine --take gen:1
exits an_item_beyond_the_end_is_refused 2 "train:30" counterfactual a.db --list mine --take train:30
exits everything_cannot_be_taken 1 "some must go and some stay" counterfactual a.db --methods random --remove 30
exits a_query_must_be_generated 2 "val:1" counterfactual a.db --methods random --remove 3 --items val:1
exits a_query_beyond_the_end_is_refused 2 "gen:9" counterfactual a.db --methods random --remove 3 --items gen:9
exits an_unknown_method_is_refused 2 "magic" counterfactual a.db --methods magic --remove 3
exits something_must_be_taken 2 "--methods or --list" counterfactual a.db
"$DTRAK" counterfactual a.db --report --csv > a.csv 2> err.txt
holds a_slim_copy_is_made "$DTRAK" slim a.db slim.db
holds it_is_clean "$DTRAK" check slim.db
"$DTRAK" counterfactual slim.db --report --csv > slim.csv 2> err.txt
same_file with_the_pictures slim.csv a.csv
"$DTRAK" counterfactual slim.db --list mine --items gen:1 --steps 20 > out.txt 2> err.txt && grep -q '1 trained' out.txt &&
    "$DTRAK" counterfactual slim.db --report --csv | grep -q '^gen:1,list:mine,3,'
says a_network_whose_weights_were_not_kept_is_trained_again $? "$(cat out.txt err.txt)"
holds and_the_copy_is_still_clean "$DTRAK" check slim.db
# LDS and counterfactuals live side by side.
holds lds_works_beside_it "$DTRAK" lds a.db --subsets 3 --timesteps 10 --steps 10
holds and_reports "$DTRAK" lds a.db --report
holds the_database_is_clean_at_the_end "$DTRAK" check a.db
finish
