#!/bin/sh
# Two networks in one database: `last` stays the first one's, the other goes by its name, and an
# image is explained by the network that drew it.
. "$(dirname "$0")/../lib/tap.inc"

make_db() { "$DTRAK" new "$1" --idx d/images.idx d/labels.idx --classes 0,1 --per-class 24 --held-out 4 --patch 2 2> /dev/null; }
quiet() { "$DTRAK" "$@" > out.txt 2> err.txt; }

"$data" idx d 90
make_db a.db && quiet train a.db --width 8,16 --steps 60 --batch 8
make_db b.db && quiet train b.db --width 16,24 --steps 80 --batch 8 && quiet export-model b.db other
says two_networks_are_trained $? "$(cat err.txt)"
equal the_export_has_the_loss "$("$json" train_loss < other/dtrak.json)" "$(value b.db checkpoints.3.train_loss)"
quiet import-model a.db other --name wide
says the_second_one_is_imported $? "$(cat err.txt)"
equal with_its_loss "$(value a.db checkpoints.4.train_loss)" "$(value b.db checkpoints.3.train_loss)"
quiet sample a.db --count 3 --steps 10 && quiet sample a.db --count 2 --steps 10 --checkpoint wide
says both_draw $? "$(cat err.txt)"
equal info_says_which_drew_what "$(value a.db checkpoints.3.drew) $(value a.db checkpoints.4.drew)" "3 2"
"$DTRAK" info a.db > out.txt && grep -q '^  step 80 .*  wide  drew 2$' out.txt
says and_in_words $? "$(cat out.txt)"
for which in last wide; do
    quiet features a.db --loss simple,square --timesteps 2 --dims 64 --checkpoint $which &&
        quiet score a.db --method trak --loss simple,square --checkpoint $which
    says "scores_of_$which" $? "$(cat err.txt)"
done
exits an_unknown_name_says_which_there_are 1 "there are 6 (10%), 15 (25%), 30 (50%), 60 (100%), wide:80 (100%)" score a.db --method trak --checkpoint wider

# --- rankings ---
# What of the ranking of QUERY [OPTIONS].
what() { key=$1; shift; "$DTRAK" rank a.db --query "$@" --json | "$json" "$key"; }
equal the_first_network_ranks_what_it_drew "$(what checkpoint gen:0)" 60
equal the_other_what_that_drew "$(what checkpoint gen:3) $(what network gen:3)" "80 wide"
equal unless_another_is_asked_for "$(what checkpoint gen:3 --checkpoint last) $(what checkpoint gen:0 --checkpoint wide)" "60 80"
equal held_out_images_go_to_the_first "$(what checkpoint val:0)" 60
"$DTRAK" rank a.db --query gen:3 > out.txt && grep -q '^checkpoint  80 of wide  (100%)$' out.txt
says the_text_names_the_network $? "$(cat out.txt)"
"$DTRAK" compare a.db --query gen:3 --a trak --b trak,checkpoint=last > out.txt && grep -q '^a .*checkpoint 80 of wide' out.txt && grep -q '^b .*checkpoint 60 ' out.txt
says two_networks_are_compared $? "$(cat out.txt)"
"$DTRAK" compare a.db --query gen:3 --a trak --b trak,checkpoint=last --json > out.txt
equal json_too "$("$json" a.network < out.txt) $("$json" a.checkpoint < out.txt) $("$json" b.checkpoint < out.txt)" "wide 80 60"
equal json_has_what_the_text_says "$(for key in items timesteps k lambda_spec seed; do what $key gen:3; done | tr '\n' ' ')" \
    "48 2 64 auto $("$DTRAK" rank a.db --query gen:3 | sed -n 's/.* seed //p') "
equal a_held_out_image_has_no_seed "$(what seed val:0)" null
sets=$(value a.db scores.#) of=
for i in $(seq 0 $((sets - 1))); do
    of="$of$(value a.db "scores.$i.checkpoint") $(value a.db "scores.$i.network" 2> /dev/null) "
done
equal info_says_whose_scores_there_are "$(echo "$of" | grep -o '80 wide' | wc -l) $(echo "$of" | grep -o '60  ' | wc -l) $sets" "4 4 8"
equal and_whose_features "$(value a.db features.#) $("$DTRAK" info a.db --json | grep -o '"checkpoint":80,"network":"wide","timesteps":2,"k":64,"rule":"uniform"' | wc -l)" "12 6"
quiet score a.db --method trak --loss square --checkpoint wide --self && "$DTRAK" self a.db --no-neighbours --checkpoint wide --json > out.txt 2> err.txt
equal self_names_the_network "$("$json" network < out.txt) $("$json" checkpoint < out.txt)" "wide 80"
"$DTRAK" export a.db --query gen:2-4 --json all.json 2> err.txt
says rankings_of_several_images_are_of_one_network $([ "$(grep -o '"checkpoint":60' all.json | wc -l)" = 3 ] && echo 0 || echo 1) "$(cat err.txt; head -c 300 all.json)"
"$DTRAK" neighbours a.db --item gen:3 --by features > out.txt 2> err.txt && grep -q 'checkpoint 80 of wide' out.txt
says neighbours_are_of_the_network_that_drew $? "$(cat out.txt err.txt)"
"$DTRAK" page a.db --query gen:2-4,val:0 --method trak --top 1 --out own.html > out.txt 2> err.txt
equal a_page_has_each_from_its_own "$(grep -o '<dt>of</dt><dd>[^<]*\|<dt>checkpoint</dt><dd>[^<]*' own.html | sed 's/.*<dd>//' | tr '\n' ';')" \
    "1 generated image;step 60 (100% of the training);2 generated images;wide at step 80 (100% of the training);1 held-out image;step 60 (100% of the training);"
"$DTRAK" drop a.db --scores --checkpoint wide > out.txt && [ "$(grep -c 'checkpoint 80 of wide' out.txt)" = 4 ]
says drop_takes_the_name $? "$(cat out.txt)"

# --- in the explorer ---
shows() { "$DTRAK" view a.db --fresh --read-only --size 120x36 --graphics none --query "$1" --keys "$2" --dump - > out.txt; }
shows gen:2 @idle && grep -q 'ckpt 4/5 (60)' out.txt && grep -q 'from step 60' out.txt
says the_explorer_begins_with_the_first $? "$(head -n 20 out.txt)"
shows gen:2 . && grep -q 'gen:3/5 .*ckpt 5/5 (wide 80)' out.txt && grep -q 'from wide at step 80' out.txt
says and_goes_over_with_the_image $? "$(head -n 20 out.txt)"
shows gen:2 '. ,' && grep -q 'gen:2/5 .*ckpt 4/5 (60)' out.txt
says and_back $? "$(head -n 20 out.txt)"
shows gen:4 c && grep -q 'gen:4/5 .*ckpt 1/5 (6)' out.txt
says a_key_still_chooses_any $? "$(head -n 3 out.txt)"
shows gen:3 3 && grep -q 'TRAK  wide ckpt 5/5' out.txt
says the_comparison_names_the_network $? "$(head -n 4 out.txt)"
# Scores of the other network's own images alone.
cp a.db own.db && quiet drop own.db --scores --checkpoint wide --yes && quiet score own.db --method trak --loss square --checkpoint wide --query gen:3-4
says its_own_images_are_scored $? "$(cat err.txt)"
own() { "$DTRAK" view own.db --fresh --read-only --size 120x36 --graphics none --query "$1" --screen ranking --keys "$2" --dump - > out.txt; }
own gen:3 @idle && grep -q 'gen:3/5 .*ckpt 5/5 (wide 80)' out.txt && grep -q 'proponents 1-' out.txt
says the_explorer_begins_with_them $? "$(head -n 20 out.txt)"
own gen:2 . && grep -q 'gen:3/5 .*ckpt 5/5 (wide 80)' out.txt
says and_goes_over_to_them $? "$(head -n 20 out.txt)"

# --- retraining is of the first one ---
quiet lds a.db --subsets 5 --queries val:0-3,gen:0-4 --timesteps 4
says retraining_goes_on $? "$(cat err.txt)"
"$DTRAK" lds a.db --report > out.txt 2> err.txt && grep -q 'D-TRAK of wide' out.txt && grep -q '^  D-TRAK  ' out.txt
says the_report_keeps_them_apart $? "$(cat out.txt err.txt)"
# gen:3 is of the second network; a setting of the first one is shown when that is what was selected.
shows gen:3 5 && at=$(grep -n '^│[ >•]D-TRAK 100%' out.txt | cut -d : -f 1) && [ -n "$at" ]
says the_screen_of_measurements_has_both $? "$(head -n 12 out.txt)"
shows gen:3 "5 $(yes j | head -n "$((at - 3))" | tr '\n' ' ') enter" && head -n 1 out.txt | grep -q 'gen:3/5 .*ckpt 4/5 (60)'
says enter_on_a_setting_ranks_under_that_one $? "$(head -n 3 out.txt)"
at=$(shows gen:3 5; grep -n '^│[ >•]D-TRAK wide 100%' out.txt | cut -d : -f 1)
shows gen:3 "5 $(yes j | head -n "$((at - 3))" | tr '\n' ' ')" && grep -q 'LDS by loss function: trak wide 100%' out.txt
says the_losses_are_said_to_be_of_that_network $? "$(cat out.txt)"
quiet train a.db --width 8,16 --steps 60 --batch 8
says training_stays_finished $? "$(cat err.txt)"
holds the_database_is_clean "$DTRAK" check a.db
finish
