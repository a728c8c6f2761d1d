#!/bin/sh
# dtrak export: what is written is what is stored, opens elsewhere, comes back by import as it was,
# and nothing is half written or overwritten unasked.
. "$(dirname "$0")/../lib/tap.inc"
demo=$root/assets/demo.db
of() { "$json" "$2" < "$1/dtrak.json"; }

"$data" idx d 60
"$DTRAK" new base.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 15 --held-out 6 --size 8 2> err.txt
says the_project_is_made $? "$(cat err.txt)"
"$arrays" npy train.npy 30 16 11 && "$arrays" npy val.npy 6 16 12 && "$arrays" npy s.npy 6 30 1 && "$arrays" npy e.npy 30 5 9
cp base.db a.db
for split in train val; do
    "$DTRAK" import a.db $split.npy --from npy --features --split $split --loss square --checkpoint 900 --timesteps 100 > out.txt 2> err.txt
    says "features_of_${split}_are_there" $? "$(cat err.txt)"
done
"$DTRAK" import a.db s.npy --from npy --axes query,train --method grad-dot --loss l1 --checkpoint 900 --split val > out.txt 2>&1 &&
    "$DTRAK" add a.db --embedding e.npy --split train > out.txt 2>&1 && "$DTRAK" score a.db --method dtrak --lambda 0.1 --split val > out.txt 2>&1
says scores_are_there $? "$(cat out.txt)"

# --- NumPy ---
"$DTRAK" export a.db --npy arrays > out.txt 2> err.txt
says arrays_are_written $? "$(cat err.txt)"
equal it_says_what_they_are "$(cat out.txt)" "2 feature sets, 2 score sets, 1 embedding, 2 arrays of labels, 36 items: arrays"
same_file features_are_the_ones_that_came arrays/features/1-train-square-900.npy train.npy
same_file those_of_queries_too arrays/features/2-val-square-900.npy val.npy
same_file scores_too arrays/scores/1-grad-dot-l1-val.npy s.npy
same_file embeddings_too arrays/embeddings/clip-train.npy e.npy
equal the_list_says_the_axes "$(of arrays arrays.2.axes.0) $(of arrays arrays.2.axes.1)" "query train"
equal and_the_shape "$(of arrays arrays.2.shape.0) $(of arrays arrays.2.shape.1)" "6 30"
equal and_the_identity "$(of arrays arrays.3.method) $(of arrays arrays.3.loss) $(of arrays arrays.3.lambda) $(of arrays arrays.3.checkpoints.0)" "trak square 0.1 900"
equal every_file_is_listed "$(of arrays files.#)" "$(find arrays -name '*.npy' -o -name '*.json' -path '*/*/*' | wc -l)"
"$json" 7.item < arrays/items/train.json > got && "$json" 7.label < arrays/items/train.json >> got && "$json" '#' < arrays/items/train.json >> got
equal items_say_which_row_is_which_picture "$(tr '\n' ' ' < got)" "train:7 $(tail -c +129 arrays/labels/train.npy | od -An -v -td4 -w4 | sed -n 8p | tr -d ' ') 30 "
# The arrays alone give the same scores again, to the last bit.
cp base.db b.db
for i in 0 1; do
    "$DTRAK" import b.db "arrays/$(of arrays arrays.$i.file)" --from npy --features --split "$(of arrays arrays.$i.split)" \
        --loss "$(of arrays arrays.$i.loss)" --checkpoint "$(of arrays arrays.$i.checkpoint)" --timesteps "$(of arrays arrays.$i.timesteps)" > out.txt 2>&1
done
"$DTRAK" score b.db --method dtrak --lambda 0.1 --split val > out.txt 2>&1 &&
    "$DTRAK" export b.db --npy again --what scores --method dtrak > out.txt 2>&1
says exported_features_are_scored_elsewhere $? "$(cat out.txt)"
same_file with_the_same_scores again/scores/1-trak-square-val.npy arrays/scores/2-trak-square-val.npy
"$DTRAK" export a.db --npy few --what scores,labels --method grad-dot --split val > out.txt 2> err.txt
equal settings_choose "$(cat out.txt)" "1 score set, 1 array of labels: few"

cp a.db two.db
for name in a.b a_b; do "$DTRAK" add two.db --embedding e.npy --split train --name $name > out.txt 2> err.txt; done
"$DTRAK" export two.db --npy two --what embeddings > out.txt 2> err.txt
says names_of_embeddings_stay_apart $? "$(cat err.txt)"
same_file by_their_points two/embeddings/a.b-train.npy two/embeddings/a_b-train.npy

# --- subsets ---
i=tree/data/indices/30-0.5/lds-val v=tree/saved/30-0.5/lds-val
mkdir -p $i
for m in 0 1 2; do
    mkdir -p $v/ddpm-sub-$m-0
    "$arrays" pickle $v/ddpm-sub-$m-0/e-0-val.pkl 8 6 4$m
    { printf '(l'; for x in 0 1 2 3 4 5 6 7 8 9; do echo "I$(((x * 7 + m * 4) % 30))"; printf a; done; printf .; } > $i/sub-idx-$m.pkl
done
cp base.db t.db
"$DTRAK" import t.db tree --from d-trak > out.txt 2> err.txt && "$DTRAK" export t.db --npy sub --what subsets > out.txt 2> err.txt
says subsets_are_written $? "$(cat err.txt)"
equal it_counts_them "$(cat out.txt)" "3 subsets, 1 array of outputs: sub"
equal a_row_of_members_for_each_model "$(of sub arrays.0.what) $(of sub arrays.0.shape.0) $(of sub arrays.0.shape.1) $(of sub arrays.0.dtype) $(of sub arrays.0.models.#)" \
    "subset members 3 30 uint8 3"
ones() { tail -c 90 "sub/$(of sub arrays.0.file)" | od -An -v -tu1 -w30 | sed -n "$1p" | tr -s ' ' '\n' | sed 1d | grep -n 1 | cut -d: -f1 | tr '\n' ' '; }
equal members_are_those_of_the_index_file "$(ones 2)" "$(for x in 0 1 2 3 4 5 6 7 8 9; do echo $(((x * 7 + 4) % 30 + 1)); done | sort -n | tr '\n' ' ')"
equal outputs_have_models_queries_and_halves "$(of sub arrays.1.axes.0) $(of sub arrays.1.shape.0) $(of sub arrays.1.shape.1) $(of sub arrays.1.shape.2)" "model 3 6 2"
# The mean of the first query's loss over the even timesteps.
even=$(tail -c $((3 * 6 * 2 * 4)) "sub/$(of sub arrays.1.file)" | od -An -v -tf4 -w8 | sed -n 7p | awk '{ print $1 }')
want=$(for t in 0 2 4 6; do "$arrays" best 8 6 41 $t 6 | sed -n 's/^train:0 //p'; done | awk '{ s += $1 } END { print s / 4 }')
equal outputs_are_the_losses "$(echo "$even $want" | awk '{ d = $1 - $2; print (d < 1e-5 && d > -1e-5) ? "same" : $0 }')" same

exits a_split_is_of_folders 2 "--query chooses" export a.db --csv s.csv --split val
exits float16_is_of_traker 2 "for --traker" export a.db --npy half --half
exits parts_are_of_npy 2 "--what is for --npy" export a.db --csv s.csv --what labels
exits a_picture_is_of_one_query_before_all_else 2 "--png is a picture of one query" export "$demo" --csv s.csv --png s.png --query gen:all --method dtrak
[ ! -e s.csv ] && [ ! -e half ]
says and_nothing_is_written_before $?
exits a_database_is_not_replaced 1 "is a database" export "$demo" --csv a.db --force --query gen:0 --method dtrak
exits a_folder_that_exists_stays 1 "exists already" export a.db --npy arrays
"$DTRAK" export a.db --npy arrays --what labels --force > out.txt 2> err.txt && [ ! -e arrays/scores ] && [ -s arrays/labels/train.npy ]
says force_replaces_an_earlier_export $? "$(cat err.txt; find arrays)"
echo mine > arrays/labels/notes.txt
exits but_not_one_that_holds_more 1 "labels/notes.txt, which is of no export" export a.db --npy arrays --force
[ -s arrays/labels/notes.txt ] && [ -s arrays/labels/train.npy ]
says which_is_as_it_was $?
mkdir other && echo 1 > other/file
exits nor_a_folder_of_something_else 1 "no earlier export" export a.db --npy other --force
exits nor_a_file 1 "is no folder" export a.db --npy s.npy --force
ln -s elsewhere dangling
exits nor_a_link 1 "exists already" export a.db --npy dangling
exits nothing_to_export_is_said 1 "nothing to export" export a.db --npy none --what scores --method pixel-cos
exits a_place_that_is_not_there_is_said 1 "nowhere" export a.db --npy nowhere/arrays
exits what_is_no_part_is_named 2 "--what 'models'" export a.db --npy none --what models
nothing_left none nothing_is_left_of_an_export_that_failed
nothing_left arrays. no_temporary_folder_is_left

# --- traker ---
"$DTRAK" export a.db --traker tk --loss square --lambda 0.1 > out.txt 2> err.txt
says a_save_dir_is_written $? "$(cat err.txt)"
equal it_says_so "$(cut -d';' -f1 out.txt)" "2 feature sets, 1 score set: tk"
equal its_metadata_are_trakers "$(cat tk/metadata.json)" '{"JL dimension": 16, "JL matrix type": "normal", "train set size": 30}'
equal its_model_is_the_step "$(cat tk/id_900.json)" '{"900": {"is_featurized": 1, "is_finalized": 0}}'
equal its_experiment_says_where_scores_are "$("$json" val.scores_path < tk/experiments.json)" "$(pwd -P)/tk/scores/val.mmap"
same_file its_gradients_are_the_features tk/900/grads.mmap train.npy
same_file those_of_the_targets_too tk/900/val_grads.mmap val.npy
for f in features out_to_loss _is_featurized; do [ -s tk/900/$f.mmap ] || says "${f}_is_there" 1; done
cp base.db c.db
"$DTRAK" import c.db tk --from traker --split val --loss square --timesteps 100 > out.txt 2> err.txt
says it_comes_back $? "$(cat err.txt)"
"$DTRAK" export c.db --npy back --what scores,features > out.txt 2>&1
same_file with_the_same_scores_the_training_items_on_the_other_axis back/scores/*-trak-square-val.npy again/scores/1-trak-square-val.npy
same_file and_the_same_features back/features/1-train-square-900.npy train.npy
"$DTRAK" export a.db --traker half --loss square --half --matrix rademacher > out.txt 2> err.txt && grep -q '"rademacher"' half/metadata.json &&
    [ "$(wc -c < half/900/grads.mmap)" = $((128 + 2 * 30 * 16)) ]
says half_precision_works $? "$(cat err.txt)"
cp base.db small.db && "$arrays" npy small.npy 30 16 11 small && "$DTRAK" import small.db small.npy --from npy --features --split train --loss square \
    --checkpoint 900 > out.txt 2> err.txt
says features_of_small_numbers_are_there $? "$(cat err.txt)"
exits features_below_float16_are_refused 1 "does not fit float16, which has few digits or none below 6.10352e-05; leave out --half" export small.db --traker tk3 --loss square --half
nothing_left tk3 and_nothing_is_left_of_them
holds in_float32_they_fit "$DTRAK" export small.db --traker tk3 --loss square
exits features_that_are_not_there_are_said 1 "no complete features of the training items of loss simple at checkpoint 900" export a.db --traker tk2
exits a_matrix_traker_does_not_know_is_named 2 "'sjlt'" export a.db --traker tk2 --loss square --matrix sjlt
nothing_left tk2 nothing_is_left_of_a_save_dir_that_failed

# --- rankings ---
"$DTRAK" export "$demo" --csv top.csv --json top.json --query gen:0-2 --method dtrak --top 3 --bottom 2 > out.txt 2> err.txt
says rankings_are_written $? "$(cat err.txt)"
"$DTRAK" rank "$demo" --query gen:1 --method dtrak --top 3 --bottom 2 --csv | sed '1d;s/^/gen:1,/' > want
grep '^gen:1,' top.csv > got
same_file csv_says_what_rank_says want got
equal a_line_for_each_place "$(wc -l < top.csv)" 16
equal json_too "$("$json" rankings.#  < top.json) $("$json" rankings.1.proponents.0.item < top.json)" "3 $(sed -n 1p want | cut -d, -f4)"
"$DTRAK" export a.db --csv all.csv --json all.json --rows --method dtrak > out.txt 2> err.txt
says whole_rows_are_written $? "$(cat err.txt)"
equal as_many_lines_as_scores "$(wc -l < all.csv)" $((1 + 6 * 30))
equal json_has_the_rows "$("$json" sets.0.queries.5 < all.json) $("$json" sets.0.scores.5.# < all.json) $("$json" sets.0.axes.0 < all.json)" "val:5 30 query"
equal with_the_same_numbers "$("$json" sets.0.scores.5.29 < all.json)" "$(tail -n 1 all.csv | cut -d, -f3)"
cp base.db e.db
"$DTRAK" import e.db all.csv --from csv --method trak --loss square --checkpoint 900 --lambda 0.1 --split val > out.txt 2>&1 &&
    "$DTRAK" export e.db --npy csv-back --what scores > out.txt 2>&1
same_file rows_come_back_as_they_were csv-back/scores/1-trak-square-val.npy again/scores/1-trak-square-val.npy
"$DTRAK" export "$demo" --png one.png --html one.html --query gen:1 --method dtrak --top 3 > out.txt 2> err.txt
says a_picture_and_a_page_are_written $? "$(cat err.txt)"
"$DTRAK" rank "$demo" --query gen:1 --method dtrak --top 3 --bottom 3 --sheet want.png > out.txt && "$DTRAK" page "$demo" --query gen:1 --method dtrak --top 3 --out want.html > out.txt
same_file the_picture_is_that_of_rank one.png want.png
# But for the minute in which it was made.
for f in one want; do sed 's/[0-9]\{4\}-[0-9][0-9]-[0-9][0-9]T[0-9:]*Z//g' $f.html > $f.text; done
same_file the_page_is_that_of_page one.text want.text
exits a_picture_is_of_one_query 2 "a picture of one query, and 96 are meant" export "$demo" --png two.png --query gen:all --method dtrak
for kind in csv json png html; do
    cp one.png there
    exits "a_${kind}_that_exists_stays" 1 "exists already" export "$demo" --$kind there --query gen:1
    cmp -s one.png there || says "${kind}_is_untouched" 1
    "$DTRAK" export "$demo" --$kind there --query gen:1 --force > out.txt 2> err.txt
    says "force_replaces_a_$kind" $? "$(cat err.txt)"
done
exits nothing_asked_is_wrong_usage 2 "what is to be written" export a.db
exits queries_are_for_rankings 2 "are for --csv" export a.db --npy x --query gen:0
exits rows_are_for_csv_and_json 2 "--rows is for" export a.db --png x.png --rows --query val:0
exits two_to_one_place_are_refused 2 "the same place" export a.db --csv x --json x
printf 'query,item,score\nval:0,train:3,2\nval:0,train:5,1\n' > ends.csv
cp base.db f.db && "$DTRAK" import f.db ends.csv --from csv --method pixel-cos --split val > out.txt 2>&1
exits ends_of_rankings_have_no_rows 1 "val:0: only the ends" export f.db --csv x.csv --rows --method pixel-cos --query val:0
exits and_no_array 1 "with only the ends of rankings" export f.db --npy x --what scores
holds but_they_are_exported_as_rankings "$DTRAK" export f.db --csv ends2.csv --method pixel-cos --query val:0
equal as_they_are "$(sed 1d ends2.csv | cut -d, -f1,4,6 | tr '\n' ' ')" "val:0,train:3,2 val:0,train:5,1 "
nothing_left x nothing_is_left_of_a_file_that_failed
finish
