#!/bin/sh
# dtrak import --from bergson: an index of gradients and a file of score records, as that package writes them.
. "$(dirname "$0")/../lib/tap.inc"

"$data" idx d 60
"$DTRAK" new base.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 15 --held-out 6 --size 8 2> err.txt
says the_project_is_made $? "$(cat err.txt)"
items() { "$DTRAK" rank "$@" --json 2> err.txt | tr ',{' '\n\n' | sed -n 's/.*"item": *"\(train:[0-9]*\)".*/\1/p' | head -n 5 | tr '\n' ' '; }
best() { "$arrays" best 6 30 "$1" "$2" 5 | cut -d' ' -f1 | tr '\n' ' '; }

# --- an index: two modules, 10 and 6 numbers ---
index() {   # DIR KIND ROWS SEED BASE_DTYPE
    mkdir -p "$1" && "$arrays" "$2" "$1/gradients.bin" "$3" 16 "$4" &&
        echo "{\"attribute_tokens\": false, \"num_items\": $3, \"num_grads\": $3, \"grad_sizes\": {\"down.0\": 10, \"up.0\": 6}, \"base_dtype\": \"$5\"}" > "$1/info.json"
}
for kind in raw:float32 bf16:bfloat16; do
    IFS=: read -r how type <<EOF2
$kind
EOF2
    index train $how 30 11 $type && index val $how 6 12 $type
    cp base.db a.db && cp base.db p.db && cp base.db plain.db
    for split in train val; do
        "$DTRAK" import a.db $split --from bergson --split $split --loss simple --checkpoint 700 > out.txt 2> err.txt &&
            "$DTRAK" import p.db $split --from bergson --split $split --loss simple --checkpoint 700 --in-place > out.txt 2> err.txt
        says "an_index_of_${type}_works_for_$split" $? "$(cat err.txt)"
        "$DTRAK" import plain.db $split/gradients.bin --from raw --type $type --dims 16 --features --split $split --loss simple --checkpoint 700 > out2.txt
    done
    for db in a p plain; do "$DTRAK" score $db.db --method trak --loss simple --lambda 0.1 --split val 2> err.txt; done
    equal "its_features_of_${type}_are_those_of_the_file" "$(items a.db --query val:2 --method trak)" "$(items plain.db --query val:2 --method trak)"
    equal "also_where_they_stay_of_${type}" "$(items p.db --query val:2 --method trak)" "$(items plain.db --query val:2 --method trak)"
    holds "the_database_of_${type}_is_whole" "$DTRAK" check p.db
done
grep -q '2 modules' out.txt
says it_says_that_there_are_two_modules $? "$(cat out.txt)"
index train raw 30 11 '<f4' && index val raw 6 12 torch.float32
cp base.db m.db && cp base.db q.db
for split in train val; do
    "$DTRAK" import m.db $split --from bergson --split $split --loss simple --tensor up.0 > out.txt 2> err.txt &&
        "$DTRAK" import q.db $split --from bergson --split $split --loss simple --tensor up.0 --in-place > out.txt 2> err.txt
    says "one_module_works_for_$split" $? "$(cat err.txt)"
done
grep -q 'rows of 6 ' out.txt
says it_has_the_modules_width $? "$(cat out.txt)"
for db in m q; do "$DTRAK" score $db.db --method trak --loss simple --lambda 0.1 --split val 2> err.txt; done
equal it_is_the_same_where_it_stays "$(items q.db --query val:1 --method trak)" "$(items m.db --query val:1 --method trak)"

# --- scores ---
mkdir scores && "$arrays" records scores/scores.bin 6 30 21
fields() { sed 's/ *$//' <<EOF3
{"num_items": 30, "num_scores": 6, "dtype": {"names": ["score_0", "written_0", "score_1", "written_1", "score_2", "written_2", "score_3",
"written_3", "score_4", "written_4", "score_5", "written_5"], "formats": ["float32", "bool", "float32", "bool", "float32", "bool", "float32",
"bool", "float32", "bool", "float32", "bool"], "offsets": [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44], "itemsize": 48}}
EOF3
}
fields > scores/info.json
cp base.db s.db
"$DTRAK" import s.db scores --from bergson --split val --method trak --loss square --checkpoint 700 > out.txt 2> err.txt
says scores_work $? "$(cat err.txt)"
for q in 0 5; do equal "the_ranking_of_query_${q}_is_that_of_the_records" "$(items s.db --query val:$q --method dtrak)" "$(best 21 $q)"; done
holds the_database_is_whole_with_scores "$DTRAK" check s.db

# --- what is wrong ---
wrong() {   # NAME TEXT DIR SPLIT [ARGUMENT...]
    name=$1 text=$2 dir=$3 split=$4
    shift 4
    cp base.db a.db
    exits "$name" 1 "$text" import a.db "$dir" --from bergson --loss simple --split "$split" "$@"
    "$DTRAK" info a.db --json > after.json
    cmp -s before.json after.json || says "${name}_and_the_database_is_as_it_was" 1
}
cp base.db a.db && "$DTRAK" info a.db --json > before.json
mkdir empty
wrong an_empty_folder_is_said 'neither gradients.bin nor scores.bin' empty train
index short raw 29 11 float32 && sed -i 's/: 29/: 30/g' short/info.json
wrong a_cut_file_is_said '29 rows of 16 numbers, and info.json says 30' short train
index other raw 29 11 float32
wrong another_number_of_items_is_said '29 rows, and here are 30 train items' other train
index wide raw 30 11 float16
wrong another_type_is_said '60 rows of 16 numbers, and info.json says 30' wide train
index odd raw 30 11 int8
wrong a_type_that_is_none_is_said "'base_dtype' is 'int8'" odd train
index tokens raw 30 11 float32 && sed -i 's/false/true/' tokens/info.json
wrong a_row_per_token_is_refused 'a row for each token' tokens train
index bare raw 30 11 float32 && echo '{"num_grads": 30, "base_dtype": "float32"}' > bare/info.json
wrong missing_sizes_are_said "'grad_sizes' is expected" bare train
index nan raw 30 11 float32 && "$arrays" raw nan/gradients.bin 30 16 11 nan
wrong nan_is_refused 'row 3 is not finite' nan train
index zero raw 30 11 float32 && "$arrays" raw zero/gradients.bin 30 16 11 zero
wrong a_row_of_zeros_is_refused 'row 3 is all zero' zero train
wrong a_module_that_is_not_there_is_said "no module 'middle' among 2" train train --tensor middle
mkdir part && "$arrays" records part/scores.bin 6 30 21 unwritten && cp scores/info.json part
wrong a_score_that_was_never_written_is_refused 'training item 7 for query 2 was never written' part val
mkdir turned && "$arrays" records turned/scores.bin 30 6 21 && echo '{"dtype": {"names": ["score_0"], "formats": ["<f4"], "offsets": [0], "itemsize": 240}}' > turned/info.json
wrong other_extents_are_said 'as train,query that is' turned val
mkdir twice && cp scores/scores.bin twice && sed 's/score_1"/score_0"/' scores/info.json > twice/info.json
wrong a_field_that_is_there_twice_is_said 'score_0 is there twice' twice val
mkdir far && cp scores/scores.bin far && sed 's/44\]/47]/' scores/info.json > far/info.json && sed -i 's/40, 47/46, 44/' far/info.json
wrong a_field_outside_its_record_is_said 'score_5 stands at byte 46 of a record of 48' far val
cp base.db a.db
exits a_list_of_training_items_does_nothing_for_an_index 2 '--train-index does nothing for features from bergson' import a.db train --from bergson --loss simple \
    --split train --train-index list.txt
exits a_module_does_nothing_for_scores 2 '--tensor does nothing for scores from bergson' import a.db scores --from bergson --loss simple --split val --tensor up.0
finish
