#!/bin/sh
# dtrak add: outside pictures become queries, features and scores that are there already go on for
# them, and what was scored before stays as it was; copies are said.
. "$(dirname "$0")/../lib/tap.inc"

"$data" idx d 90 && "$data" folder drawn 12
"$DTRAK" new base.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 24 --held-out 4 --patch 2 2> err.txt &&
    "$DTRAK" train base.db --width 8,16 --steps 40 --batch 8 --seed 3 --threads 1 2> err.txt &&
    "$DTRAK" sample base.db --count 3 --steps 10 --threads 1 2> err.txt
says the_project_is_made $? "$(cat err.txt)"
compute() { "$DTRAK" features "$1" --loss square --timesteps 10 --dims 64 --threads 1 2> err.txt && "$DTRAK" score "$1" --method dtrak,pixel-cos --lambda 0.1 2> err.txt; }
cp base.db a.db && compute a.db
says features_and_scores_are_there $? "$(cat err.txt)"
"$DTRAK" rank a.db --query gen:0 --method dtrak --csv > before.csv

# --- pictures ---
printf '0\n\n1\n' > labels.txt
printf 'a ring\na bar, lying\nanother ring\n' > captions.txt
exits seeds_end_at_the_largest 2 "pass the largest one" add a.db --split gen drawn/ring/0.png drawn/bar/1.png --seed 9223372036854775807
"$DTRAK" add a.db --split gen drawn/ring/0.png drawn/bar/1.png drawn/ring/2.png --labels labels.txt --captions captions.txt --seed 100 > out.txt 2> err.txt
says pictures_are_added $? "$(cat err.txt)"
equal it_says_what_was_done "$(cat out.txt)" "3 pictures added, gen:3 to gen:5; 3 resized by catmull-rom, centre crop; 3 changed between colour and grey"
equal they_are_items "$(value a.db splits.gen)" 6
holds the_database_is_whole "$DTRAK" check a.db
exits what_is_not_computed_names_both_commands 1 "dtrak features a.db --loss square --checkpoint 40 --timesteps 10 --dims 64 && dtrak score" rank a.db --query gen:4 --method dtrak
"$DTRAK" view a.db --size 100x24 --graphics none --query gen:4 --screen ranking --keys '' --dump - > screen.txt 2> err.txt
grep -q 'not computed for gen items: press r' screen.txt && grep -q 'seed 101' screen.txt && grep -q 'a bar, lying' screen.txt &&
    grep -q 'Features of 0 training and 3 gen images' screen.txt
says the_explorer_says_so $? "$(cat screen.txt err.txt)"
"$DTRAK" score a.db --method pixel-cos --dry-run > out.txt 2> err.txt && ! grep -q 'nothing to do' out.txt
says the_cost_counts_the_new_ones $? "$(cat out.txt err.txt)"
holds features_and_scores_go_on compute a.db
"$DTRAK" rank a.db --query gen:0 --method dtrak --csv > after.csv
same_file what_was_scored_stays after.csv before.csv
# As if the pictures had been there from the start.
cp base.db b.db && "$DTRAK" add b.db --split gen drawn/ring/0.png drawn/bar/1.png drawn/ring/2.png > out.txt 2>&1 && compute b.db
says another_way_round $? "$(cat out.txt err.txt)"
for q in 3 5; do
    "$DTRAK" rank a.db --query gen:$q --method dtrak --csv > x.csv && "$DTRAK" rank b.db --query gen:$q --method dtrak --csv > y.csv && cmp -s x.csv y.csv
    says "gen_${q}_is_ranked_the_same" $? "$(diff x.csv y.csv)"
done
"$DTRAK" rank a.db --query gen:3 --method dtrak > x.txt && grep -q '^query  *gen:3  0  seed 100' x.txt && "$DTRAK" rank b.db --query gen:3 --method dtrak > y.txt && grep -q '^query  *gen:3$' y.txt
says a_seed_is_shown_where_it_is_known $? "$(head -n 1 x.txt y.txt)"
holds the_database_is_whole_afterwards "$DTRAK" check a.db

# --- the same again ---
"$DTRAK" add a.db --split gen drawn/bar drawn/ring/0.png > out.txt 2> err.txt
says a_folder_is_added $? "$(cat err.txt)"
equal without_what_is_there "$(cut -d';' -f1 out.txt)" "5 pictures added, gen:6 to gen:10"
grep -q '^dtrak: drawn/bar/1.png is the picture of gen:4; it is left out$' err.txt && grep -q 'drawn/ring/0.png is the picture of gen:3' err.txt && grep -q '; 2 left out' out.txt
says copies_are_said $? "$(cat err.txt out.txt)"
"$DTRAK" add a.db --split gen drawn/bar/11.png > out.txt 2> err.txt
equal its_pictures_are_in_the_order_of_their_numbers "$(grep 11.png.is err.txt)" "dtrak: drawn/bar/11.png is the picture of gen:10; it is left out"
equal nothing_is_added_then "$(cat out.txt)" "nothing added; 1 left out, which is here already"
cp drawn/ring/4.png same.png
"$DTRAK" add a.db --split gen drawn/ring/4.png same.png drawn/ring/0.png --doubles > out.txt 2> err.txt
equal doubles_are_added_when_asked "$(cut -d';' -f1 out.txt)" "3 pictures added, gen:11 to gen:13"
grep -q '^dtrak: same.png is the same picture as drawn/ring/4.png$' err.txt
says and_said $? "$(cat err.txt)"
"$DTRAK" add a.db --split val drawn/ring/0.png > out.txt 2> err.txt
grep -q 'drawn/ring/0.png is the picture of gen:3$' err.txt && grep -q '^val:4 added' out.txt
says a_picture_of_another_split_is_said_and_added $? "$(cat out.txt err.txt)"

# --- classes whose names are numbers ---
mkdir -p numbers/001 numbers/003 numbers/1
for i in 0 2 4; do cp drawn/ring/$i.png numbers/001; cp drawn/ring/$((i + 6)).png numbers/003; cp drawn/bar/$((i + 1)).png numbers/1; done
"$DTRAK" new numbers.db --images numbers --size 8 2> err.txt
printf '001\n003\n1\n0\n' > names.txt
"$DTRAK" add numbers.db --split gen drawn/bar/7.png drawn/bar/9.png drawn/bar/11.png drawn/ring/10.png --doubles --labels names.txt > out.txt 2> err.txt
says names_that_are_numbers_are_taken $? "$(cat err.txt)"
"$DTRAK" export numbers.db --npy labels --what labels > out.txt 2> err.txt
says their_labels_are_there $? "$(cat err.txt)"
equal names_go_before_numbers "$(tail -c 16 labels/labels/gen.npy | od -An -v -td4 | xargs)" "0 1 2 0"

# --- sizes and colours ---
"$DTRAK" new colour.db --images drawn --held-out 2 --size 24 2> err.txt
"$DTRAK" add colour.db --split gen drawn/bar/3.png > out.txt 2> err.txt
equal a_training_picture_is_prepared_as_it_was "$(grep -c 'is the picture of \(train\|val\):[0-9]*$' err.txt)" 1
"$DTRAK" add colour.db --split gen drawn/bar/3.png --fit pad --filter box > out.txt 2> err.txt
equal padding_is_another_picture "$(cat out.txt)" "gen:1 added; 1 resized by box, padded with black"
"$DTRAK" sheet colour.db --split gen --out sheet.png
says they_can_be_looked_at $?
"$DTRAK" add base.db --split gen "$root/tests/fuzz/corpus-image/rgba.png" "$root/tests/fuzz/corpus-image/baseline.jpg" "$root/tests/fuzz/corpus-image/palette.png" > out.txt 2> err.txt
says alpha_jpeg_and_palettes_work $? "$(cat err.txt)"

# --- what is wrong ---
"$DTRAK" info a.db --json > before.json
wrong() {   # NAME STATUS TEXT ARGUMENT...
    exits "$@"
    "$DTRAK" info a.db --json > after.json
    cmp -s before.json after.json || says "${1}_and_the_database_is_as_it_was" 1
}
head -c 100 drawn/ring/6.png > cut.png
wrong a_cut_picture_is_refused 1 "cut.png" add a.db --split gen cut.png
wrong text_is_no_picture 1 "labels.txt" add a.db --split gen labels.txt drawn/ring/8.png
wrong a_file_that_is_not_there_is_said 1 "nothing.png" add a.db --split gen nothing.png
mkdir empty
wrong an_empty_folder_is_said 1 "no .png, .jpg or .jpeg" add a.db --split gen empty
wrong fewer_labels_are_refused 1 "3 lines, and there are 1 pictures" add a.db --split gen drawn/ring/8.png --labels labels.txt
echo boot > boot.txt
wrong a_label_of_no_class_is_named 1 "label 'boot' is not one of the project: 0 0, 1 1" add a.db --split gen drawn/ring/8.png --labels boot.txt
wrong training_items_are_not_added 2 "the network was trained on" add a.db --split train drawn/ring/8.png
wrong a_split_is_needed 2 "--split" add a.db drawn/ring/8.png
wrong pictures_are_needed 2 "what is to be added" add a.db --split gen
wrong a_fit_that_is_none_is_named 2 "--fit 'squeeze'" add a.db --split gen drawn/ring/8.png --fit squeeze
wrong a_filter_that_is_none_is_named 2 "--filter 'lanczos'" add a.db --split gen drawn/ring/8.png --filter lanczos
wrong labels_are_of_pictures 2 "--labels is for pictures" add a.db --split gen --embedding x.npy --labels labels.txt
wrong one_kind_at_a_time 2 "one at a time" add a.db --split gen --embedding x.npy drawn/ring/8.png
finish
