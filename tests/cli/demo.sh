#!/bin/sh
# What `make demo` does without a terminal, on the demo database that is shipped.
. "$(dirname "$0")/../lib/tap.inc"

mkdir tree && cp -r "$root/assets" tree/ && rm -f tree/assets/demo.db && mkdir tree/build && ln -s "$DTRAK" tree/build/dtrak
(cd tree && assets/demo.sh build) > out.txt 2> err.txt < /dev/null
[ $? = 1 ] && [ "$(wc -l < err.txt)" = 1 ] && grep -q 'make demo-db' err.txt
says without_a_database_it_names_make_demo_db $? "$(cat out.txt err.txt)"
if [ ! -f "$root/assets/demo.db" ]; then
    skip the_demo_prints_a_ranking "assets/demo.db is not there"
    finish
fi
cp "$root/assets/demo.db" tree/assets/
(cd tree && assets/demo.sh build) > out.txt 2> err.txt < /dev/null
says the_demo_works $? "$(cat err.txt)"
grep -q '  TRAK' out.txt && grep -q '  D-TRAK' out.txt && [ "$(grep -c ' train:' out.txt)" = 10 ]
says the_demo_prints_two_rankings $? "$(cat out.txt)"
grep -q 'build/demo.png' out.txt && [ "$(head -c 4 tree/build/demo.png | tail -c 3)" = PNG ]
says and_names_the_picture_it_wrote $? "$(cat out.txt)"
cmp -s tree/assets/demo.db "$root/assets/demo.db"
says the_original_is_untouched $?
[ "$(wc -c < "$root/assets/demo.db")" -le 30000000 ]
says it_is_at_most_30_mb $?

# Looking at it, on every screen and by every verb that only reads, leaves each byte as it was,
# though it may be of an older schema and could be written.
cp "$root/assets/demo.db" looked.db
for look in "view looked.db --graphics none --size 100x30 --keys @idle --dump /dev/null" \
            "view looked.db --graphics none --size 100x30 --dump /dev/null --keys" \
            "info looked.db" "rank looked.db --query gen:0" "check looked.db" "compare looked.db --query gen:0 --a trak --b dtrak" \
            "neighbours looked.db --item train:5 --by pixels" "page looked.db --query gen:0 --out page.html"; do
    set -- "$DTRAK" $look
    case $look in *--keys) set -- "$@" "3 @idle 4 5 p 6 7 @idle 8 2 enter @idle v @idle q R @idle ? q 1 j" ;; esac
    "$@" > out.txt 2> err.txt < /dev/null
    status=$?
    cmp looked.db "$root/assets/demo.db" >> err.txt 2>&1 && [ $status = 0 ] && [ ! -e looked.db-wal ]
    says "untouched_by_${look%% *}" $? "$(cat err.txt)"
done

# Of lambda's grid the demo has what was measured, not the scores: they follow from the kernels.
for method in trak dtrak; do
    [ $method = trak ] && keys="2 F F ] @idle" || keys="2 ] @idle"
    "$DTRAK" view looked.db --read-only --graphics none --size 140x30 --keys "$keys" --dump screen.txt --force 2> err.txt < /dev/null
    head -n 1 screen.txt | grep -q ' live (=' && grep -q 'proponents 1-' screen.txt && ! grep -q 'LDS' screen.txt
    says "the_ranking_follows_lambda_for_$method" $? "$(cat screen.txt err.txt)"
done
# A method that is made of one loss brings it along, and the next one has the other back.
"$DTRAK" view looked.db --read-only --graphics none --size 120x36 --keys "2 M M M M M M M M f" --dump screen.txt --force 2> err.txt < /dev/null
head -n 1 screen.txt | grep -q ' DAS  loss avg .* LDS ' && tail -n 1 screen.txt | grep -q 'made of loss avg'
says das_has_its_own_loss $? "$(cat screen.txt err.txt)"
"$DTRAK" rank looked.db --query gen:3 --method das > das.txt 2> err.txt && grep -q '^lowest scores (none is negative: no opponents)$' das.txt
says a_score_that_is_never_negative_names_no_opponents $? "$(cat das.txt err.txt)"
"$DTRAK" view looked.db --read-only --graphics none --size 120x36 --keys "2 M M M M M M M M m m m m m m m m" --dump screen.txt --force 2> err.txt < /dev/null
head -n 1 screen.txt | grep -q ' D-TRAK  loss square '
says and_gives_back_the_one_before $? "$(cat screen.txt err.txt)"
# Scores of some 1e-4 are written with their power wherever no title of the list says it.
"$DTRAK" view looked.db --read-only --graphics none --size 120x36 --keys "2 M M M M M M M M" --dump screen.txt --force 2> err.txt < /dev/null
grep -q 'proponents 1-12 of 500  score x 1e-4' screen.txt && grep -q 'proponent 1/500 +[0-9.]*e-4' screen.txt
says a_selected_score_has_its_power $? "$(cat screen.txt err.txt)"
"$DTRAK" view looked.db --read-only --graphics none --size 80x24 --keys 2 --dump screen.txt --force 2> err.txt < /dev/null
grep -q '│top 10: signs sure *│' screen.txt
says what_is_said_of_error_bars_fits_80_columns $? "$(cat screen.txt err.txt)"
"$DTRAK" rank looked.db --query gen:4 --lambda 0.3 > out.txt 2> err.txt
[ $? = 1 ] && grep -q 'make them with: dtrak score looked.db --method trak' err.txt
says the_kernels_need_no_features_for_another_lambda $? "$(cat err.txt)"
"$DTRAK" view looked.db --graphics none --size 100x30 --keys "2 space" --dump /dev/null 2> err.txt < /dev/null
says a_mark_is_written_to_it "$(cmp -s looked.db "$root/assets/demo.db" && echo 1 || echo 0)" "$(cat err.txt)"
holds and_it_is_as_clean_then "$DTRAK" check looked.db

# Its scores are rounded.  They are the scores, unless more bits are asked for.
cp "$root/assets/demo.db" more.db
"$DTRAK" score more.db --method trak,dtrak > out.txt 2> err.txt && grep -q 'nothing to do' err.txt
says its_scores_need_not_be_made_again $? "$(cat out.txt err.txt)"
"$DTRAK" score more.db --method dtrak --query gen:0 --bits 24 > out.txt 2> err.txt && "$DTRAK" rank more.db --query gen:2 --method dtrak --csv > more.csv 2>> err.txt &&
    "$DTRAK" rank "$root/assets/demo.db" --query gen:2 --method dtrak --csv > shipped.csv 2>> err.txt
says more_bits_of_one_image_can_be_had $? "$(cat err.txt)"
same_file and_the_others_are_as_they_were more.csv shipped.csv
# Of some of its images: a ranking is of the set that has it, not of one with larger k whose rows went.
"$DTRAK" slim "$root/assets/demo.db" few.db --query gen:0-3 > out.txt 2> err.txt && "$DTRAK" rank few.db --query gen:2 --method dtrak --csv > few.csv 2>> err.txt
says a_copy_with_some_images_has_their_rankings $? "$(cat err.txt)"
same_file as_they_were few.csv shipped.csv
"$DTRAK" counterfactual "$root/assets/demo.db" --methods random,pixel-cos --same steps --dry-run > out.txt 2> err.txt
grep -q '^16 pictures: 16 done' out.txt
says its_counterfactuals_are_known_as_done $? "$(cat out.txt err.txt)"

# An item that is not there is wrong usage wherever one is asked for, in the same words.
while read -r words; do
    case $words in *train:500*) last=train:499 ;; *) last=gen:95 ;; esac
    # shellcheck disable=SC2086
    exits "${words%% *}_refuses_$(echo "$words" | sed 's/.*\(gen\|train\):[0-9,a-z:-]*500.*/\1/')_items_that_are_not_there" 2 ": the last one is $last" $words
done << 'END'
rank looked.db --query gen:500
compare looked.db --query gen:500
page looked.db --query gen:500 --out not.html
export looked.db --csv not.csv --query gen:0,gen:500
neighbours looked.db --item train:500
neighbours looked.db --item gen:500 --by features
nda-map looked.db --query gen:500 --item train:0 --json
nda-map looked.db --query gen:0 --item train:500 --json
score looked.db --method pixel-cos --query gen:500
counterfactual looked.db --methods dtrak --items gen:0,gen:500 --dry-run
counterfactual looked.db --list some --take train:3,train:500 --items gen:0 --dry-run
slim looked.db not.db --query gen:0-500
gradient looked.db --item train:500 --timesteps 5 --out not.st
lds looked.db --queries val:0-3,gen:0-500 --dry-run
drop looked.db --query gen:500
view looked.db --query gen:500 --keys q --dump /dev/null
END
nothing_left not. and_nothing_is_written

# It keeps losses of queries that were dropped from it, as its copies do.
cp "$root/assets/demo.db" copy.db
holds a_copy_of_it_is_merged "$DTRAK" merge looked.db copy.db
holds it_is_clean "$DTRAK" check tree/build/demo.db
# --- the colour database: what was measured is of its first network, the other is for looking at ---
if [ -f "$root/assets/cifar2.db" ]; then
    cp "$root/assets/cifar2.db" colour.db
    [ "$(wc -c < colour.db)" -le 30000000 ]
    says the_colour_database_is_at_most_30_mb $? "$(wc -c < colour.db)"
    holds it_is_whole "$DTRAK" check colour.db
    "$DTRAK" rank colour.db --query gen:109 --json > out.txt 2> err.txt && "$DTRAK" rank colour.db --query gen:3 --json > first.txt 2>> err.txt
    equal an_image_is_ranked_by_the_network_that_drew_it "$("$json" network < out.txt) $("$json" checkpoint < first.txt)" "large 9600"
    "$DTRAK" rank colour.db --query gen:3 --checkpoint all --json > all.json 2> err.txt && [ "$("$json" checkpoint < all.json) $("$json" checkpoints.# < all.json)" = "null 4" ]
    says all_is_the_ensemble_over_its_checkpoints $? "$(cat err.txt)"
    exits of_other_checkpoints_there_is_none 2 "names 2, and there is no ensemble" rank colour.db --query gen:3 --checkpoint 960,9600
    exits a_mean_over_several_is_not_of_one 2 "several checkpoints" rank colour.db --query gen:3 --method tracin --loss square --checkpoint 9600
    "$DTRAK" lds colour.db --report > out.txt 2> err.txt && grep -q '^val: 256 queries, 64 subsets' out.txt && grep -q '^  D-TRAK  ' out.txt && ! grep -q ' of large' out.txt
    says what_was_measured_is_of_the_first $? "$(head -n 20 out.txt; cat err.txt)"
    "$DTRAK" view colour.db --read-only --fresh --graphics none --size 140x30 --query gen:109 --screen ranking --keys "] @idle" --dump screen.txt --force 2> err.txt < /dev/null
    head -n 1 screen.txt | grep -q 'large 28000.* live (=' && grep -q 'proponents 1-' screen.txt
    says the_other_follows_lambda $? "$(cat screen.txt err.txt)"
    "$DTRAK" self colour.db --checkpoint large --top 3 > out.txt 2> err.txt && grep -q ' of large at step 28000, 1000 training items' out.txt
    says and_has_self_influence $? "$(cat out.txt err.txt)"
else
    skip the_colour_database "assets/cifar2.db is not there"
fi
finish
