#!/bin/sh
# dtrak import: arrays that this script writes become scores and features like any others; what is
# wrong with a file is said on one line and leaves the database as it was.
. "$(dirname "$0")/../lib/tap.inc"

"$data" idx d 60
"$DTRAK" new base.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 15 --held-out 6 --size 8 2> err.txt
says the_project_is_made $? "$(cat err.txt)"
items() { "$DTRAK" rank "$@" --json | tr ',{' '\n\n' | sed -n 's/.*"item": *"\(train:[0-9]*\)".*/\1/p' | head -n 5 | tr '\n' ' '; }
best() { "$arrays" best 6 30 "$1" "$2" 5 | cut -d' ' -f1 | tr '\n' ' '; }
import() { "$DTRAK" import a.db "$@" --split val > out.txt 2> err.txt; }

# --- scores, by every way ---
cp base.db a.db
"$arrays" npy s.npy 6 30 1 && "$arrays" npy t.npy 6 30 2 transposed && "$arrays" raw s.raw 6 30 3 &&
    "$arrays" safetensors s.safetensors 6 30 4 && "$arrays" npy16 h.npy 6 30 5
says arrays_are_written $?
import s.npy --from npy --axes query,train --loss square --checkpoint 800 --lambda 0.05
says query_first_works $? "$(cat err.txt)"
grep -q 'checkpoint 800 (new, without weights)' out.txt
says it_says_that_a_checkpoint_was_made $? "$(cat out.txt)"
equal its_ranking_is_that_of_the_array "$(items a.db --query val:2 --method dtrak)" "$(best 1 2)"
import t.npy --from npy --axes train,query --loss simple --checkpoint 800
says train_first_works $? "$(cat err.txt)"
equal and_gives_the_same_ranking_as_the_other_way_round "$(items a.db --query val:5 --method trak --loss simple)" "$(best 2 5)"
import s.raw --from raw --axes query,train --method grad-dot --loss l1
says raw_works $? "$(cat err.txt)"
equal with_the_ranking_of_the_file "$(items a.db --query val:0 --method grad-dot --loss l1)" "$(best 3 0)"
import s.safetensors --from safetensors --tensor scores --axes query,train --method grad-cos --loss l1
says safetensors_work $? "$(cat err.txt)"
equal with_the_ranking_of_the_tensor "$(items a.db --query val:0 --method grad-cos --loss l1)" "$(best 4 0)"
import h.npy --from npy --axes query,train --method journey --loss l2
says float16_works $? "$(cat err.txt)"
"$arrays" fortran f.npy 6 30 8
import f.npy --from npy --axes query,train --method grad-dot --loss elbo
says fortran_order_works $? "$(cat err.txt)"
equal and_is_read_as_it_is_meant "$(items a.db --query val:4 --method grad-dot --loss elbo)" "$(best 8 4)"
"$arrays" indices order.npy 30 1 7
import s.npy --from npy --axes query,train --method random --train-index order.npy
says columns_in_another_order_work $? "$(cat err.txt)"
holds the_database_is_whole "$DTRAK" check a.db

# --- pickles ---
"$arrays" pickle p.pkl 6 30 6 && "$arrays" nested n.pkl 6 30 7
import p.pkl --from pickle --axes query,train --method grad-dot --loss l2
says a_pickled_array_works $? "$(cat err.txt)"
equal with_the_ranking_of_the_array "$(items a.db --query val:1 --method grad-dot --loss l2)" "$(best 6 1)"
import n.pkl --from pickle --tensor 1.0 --axes query,train --method grad-cos --loss l2
says an_array_in_lists_works $? "$(cat err.txt)"
equal with_the_ranking_of_that_array "$(items a.db --query val:1 --method grad-cos --loss l2)" "$(best 7 1)"

# --- rankings as text ---
{ echo 'query,item,score'; for q in 0 1 2 3 4 5; do "$arrays" best 6 30 1 $q 8 | sed "s/^/val:$q,/;s/ /,/"; done; } > top.csv
import top.csv --from csv --method pixel-cos
says a_top_list_works $? "$(cat err.txt)"
equal it_ranks_as_it_stands "$(items a.db --query val:4 --method pixel-cos)" "$(best 1 4)"
"$DTRAK" rank a.db --query val:4 --method dtrak --csv > ranked.csv 2> err.txt
sed '1s/^/query,/;2,$s/^/val:4,/' ranked.csv > again.csv
import again.csv --from csv --method pixel-dot
says what_rank_writes_is_read $? "$(cat err.txt)"
equal it_is_the_same_ranking "$(items a.db --query val:4 --method pixel-dot)" "$(items a.db --query val:4 --method dtrak)"
# The two ends of a ranking may be all of it; of an odd number of items one is on both.
for ends in 15:15 16:16; do
    rm -f two.csv && "$DTRAK" export a.db --csv two.csv --query val:0-5 --method dtrak --top ${ends%:*} --bottom ${ends#*:} > out.txt 2> err.txt
    import two.csv --from csv --method grad-dot --loss simple --name "$ends" && ! grep -q 'only the ends' out.txt
    says "two_sides_with_all_items_are_a_whole_row_$ends" $? "$(cat out.txt err.txt)"
done
for set in dtrak 'grad-dot --loss simple'; do
    rm -f row.csv && "$DTRAK" export a.db --csv row.csv --rows --query val:0-5 --method $set > out.txt 2> err.txt
    cut -d, -f1-3 row.csv > "row-${set%% *}.csv"
done
same_file with_the_scores_that_it_came_from row-grad-dot.csv row-dtrak.csv
sed '/train:7,/d' two.csv > less.csv
import less.csv --from csv --method grad-dot --loss simple && grep -q 'of 6 queries only the ends' out.txt
says without_one_item_they_are_ends $? "$(cat out.txt err.txt)"
holds the_database_is_whole_with_lists "$DTRAK" check a.db

# --- features ---
for split in train:30:11 val:6:12; do
    IFS=: read -r name rows seed <<EOF
$split
EOF
    "$arrays" raw $name.raw "$rows" 16 "$seed"
    "$DTRAK" import a.db $name.raw --from raw --dims 16 --features --split $name --loss linf --checkpoint 900 --timesteps 100 > out.txt 2> err.txt
    says "features_of_${name}_work" $? "$(cat err.txt)"
done
holds they_are_scored_at_every_lambda "$DTRAK" score a.db --method trak,grad-cos,relative-if --loss linf --checkpoint 900 --lambda grid --split val --self
"$DTRAK" compare a.db --query val:1 --a trak,loss=linf,checkpoint=900,lambda=0.05 --b dtrak,checkpoint=800 > out.txt 2> err.txt
says they_compare_with_imported_scores $? "$(cat err.txt)"
holds self_influence_works "$DTRAK" self a.db --loss linf --checkpoint 900
holds the_database_is_whole_with_features "$DTRAK" check a.db

# --- a save_dir of traker ---
mkdir -p tk/0 tk/4 tk/scores
echo '{"JL dimension": 16, "JL matrix type": "rademacher", "train set size": 30}' > tk/metadata.json
echo '{"0": {"is_featurized": 1, "is_finalized": 1}}' > tk/id_0.json
echo '{"4": {"is_featurized": 0, "is_finalized": 0}}' > tk/id_4.json
echo '{"val": {"num_targets": 6, "scores_path": "/elsewhere/scores/val.mmap", "scores_finalized": 1}, "gen": {"num_targets": 9}}' > tk/experiments.json
"$arrays" npy16 tk/0/grads.mmap 30 16 21 && "$arrays" npy16 tk/0/val_grads.mmap 6 16 22 && "$arrays" npy tk/scores/val.mmap 6 30 23 transposed
cp base.db k.db
"$DTRAK" import k.db tk --from traker --split val --loss square --checkpoint 50 > out.txt 2> err.txt
says traker_works $? "$(cat err.txt)"
grep -q '2 feature sets, .*1 score set, 6 queries .*experiment val, unfinished models were passed over' out.txt
says it_says_what_it_took $? "$(cat out.txt)"
equal its_ranking_is_that_of_the_scores "$(items k.db --query val:3 --method dtrak)" "$(best 23 3)"
holds its_gradients_are_scored "$DTRAK" score k.db --method grad-cos --loss square --split val
holds the_database_is_whole_with_traker "$DTRAK" check k.db
exits traker_twice_is_said 1 'here already' import k.db tk --from traker --split val --loss square --checkpoint 50
sed 's/: 30/: 31/' tk/metadata.json > tk/m && mv tk/m tk/metadata.json
exits another_train_set_is_refused 1 'a train set of 31, and here are 30' import k.db tk --from traker --split val --loss square --checkpoint 50

# --- a tree of D-TRAK ---
f=tree/saved/30-0.5/ddpm/checkpoint-8000/features-0 v=tree/saved/30-0.5/lds-val i=tree/data/indices/30-0.5/lds-val
mkdir -p $f $i tree/methods
"$arrays" raw $f/ddpm-train-keys-0-10-16-mean-squared-l2-norm-uniform.npy 20 16 31
"$arrays" raw $f/ddpm-train-keys-1-10-16-mean-squared-l2-norm-uniform.npy 10 16 32
"$arrays" raw $f/ddpm-val-keys-0-mean-squared-l2-norm-10-16-uniform.npy 6 16 33
"$arrays" pickle tree/methods/val_5000_0.5_mean-squared-l2-norm_10_5000000.0_9.1.pkl 6 30 34
for m in 0 1 2 3 4 5; do
    mkdir -p $v/ddpm-sub-$m-0
    "$arrays" pickle $v/ddpm-sub-$m-0/e-0-val.pkl 8 6 4$m
    { printf '(l'; for x in 0 1 2 3 4 5 6 7 8 9; do echo "I$(((x * 7 + m * 4) % 30))"; printf a; done; printf .; } > $i/sub-idx-$m.pkl
done
cp base.db t.db
"$DTRAK" import t.db tree --from d-trak --setting 30-0.5 > out.txt 2> err.txt
equal a_setting_leaves_out_what_is_not_below_it "$(cat out.txt err.txt | grep -c 'score set')" 0
cp base.db t.db
"$arrays" raw $f/ddpm-gen-sampling-troj-keys-0-50-16-loss-uniform.npy 4 16 36
"$DTRAK" import t.db tree --from d-trak > out.txt 2> err.txt
says a_tree_of_d_trak_works $? "$(cat err.txt)"
grep -q '2 feature sets.*1 score set, 6 queries by 30.*6 subsets with 6 outputs' out.txt
says it_says_what_is_in_the_tree $? "$(cat out.txt)"
grep -q '1 file of features passed over, ddpm-gen-sampling-troj-keys-0-50-16-loss-uniform.npy:' out.txt
says and_what_it_passed_over $? "$(cat out.txt)"
equal the_ranking_is_that_of_the_pickle "$(items t.db --query val:3 --method dtrak)" "$(best 34 3)"
holds the_features_of_the_tree_are_scored "$DTRAK" score t.db --method dtrak --split val --lambda 0.1
"$DTRAK" lds t.db --report > out.txt 2> err.txt && grep -q 'subsets of 10 of 30 items, retrained by d-trak' out.txt
says lds_works_on_the_subsets $? "$(cat out.txt err.txt)"
holds the_database_is_whole_with_the_tree "$DTRAK" check t.db
exits the_tree_twice_is_said 1 'here already' import t.db tree --from d-trak
# Folders above it have names of their own.
above=checkpoint-77/features-9/30-0.5/lds-val
mkdir -p $above && cp -r tree $above && cp base.db u.db
"$DTRAK" import u.db "$above/tree" --from d-trak > out.txt 2> err.txt
says a_tree_below_folders_of_such_names_works $? "$(cat err.txt)"
"$DTRAK" export u.db --npy u --what features > out.txt 2> err.txt
equal its_checkpoint_and_seed_are_its_own "$("$json" arrays.0.checkpoint < u/dtrak.json) $("$json" arrays.0.noise_seed < u/dtrak.json)" "8000 0"
cp base.db u.db
"$DTRAK" import u.db "$above/tree" --from d-trak --setting 30-0.5 > out.txt 2> err.txt
equal its_setting_too "$(cat out.txt err.txt | grep -c 'score set')" 0
cp base.db u.db
"$DTRAK" import u.db $f/.. --from d-trak > out.txt 2> err.txt
equal what_has_no_checkpoint_takes_none "$(grep -c 'nothing in them that is not here already; 4 files of features passed over' err.txt)" 1
"$DTRAK" import u.db tree/saved/30-0.5/ddpm/checkpoint-8000/ --from d-trak > out.txt 2> err.txt
grep -q '2 feature sets.*checkpoint 8000' out.txt
says a_checkpoint_alone_has_its_name $? "$(cat out.txt err.txt)"
rm $f/ddpm-train-keys-0-10-16-mean-squared-l2-norm-uniform.npy
cp base.db t.db
exits a_missing_shard_is_said 1 'the one before it is not' import t.db tree --from d-trak
printf 'cos\nsystem\n(S"true"\ntR.' > $i/sub-idx-3.pkl
rm -r $f tree/methods
exits a_pickle_that_asks_for_more_is_refused 1 'system' import t.db tree --from d-trak

# --- what is wrong ---
"$DTRAK" info a.db --json > before.json
wrong() {   # NAME TEXT ARGUMENT...
    name=$1 text=$2
    shift 2
    exits "$name" 1 "$text" import a.db "$@"
    "$DTRAK" info a.db --json > after.json
    cmp -s before.json after.json || says "${name}_and_the_database_is_as_it_was" 1
}
wrong an_array_in_lists_must_be_said 'this is: a list of 2, a list of 0; say which' n.pkl --from pickle --axes query,train --loss avg --split val
wrong a_place_that_is_not_there_is_said 'nothing at the place 1.4; the file holds: a list of 2, a list of 0' n.pkl --from pickle --tensor 1.4 --axes query,train --loss avg --split val
exits a_place_that_is_none_is_said 2 "the place 'x'" import a.db n.pkl --from pickle --tensor x --axes query,train --loss avg --split val
printf 'cposix\nsystem\n(S"touch hacked"\ntR.' > evil.pkl
wrong a_pickle_that_calls_is_refused 'posix.system' evil.pkl --from pickle --axes query,train --loss avg --split val
says and_calls_nothing "$([ -e hacked ] && echo 1 || echo 0)"
wrong a_wrong_axis_order_is_said_with_both_readings 'as query,train that is 30 queries by 6 training items, as train,query 6 queries by 30' \
    t.npy --from npy --axes query,train --loss avg --split val
"$arrays" npy turned.npy 16 30 1
wrong features_the_other_way_round_are_said 'the array the other way round' turned.npy --from npy --features --split train --loss avg --checkpoint 5
"$arrays" npy odd.npy 6 29 1
wrong other_extents_are_refused '6 x 29 scores' odd.npy --from npy --axes query,train --loss avg --split val
"$arrays" npy nan.npy 6 30 1 nan
wrong nan_is_refused 'not finite' nan.npy --from npy --axes query,train --loss avg --split val
"$arrays" npy zero.npy 6 30 1 zero
wrong a_row_of_zeros_is_refused 'every score of query 3 is 0' zero.npy --from npy --axes query,train --loss avg --split val
"$arrays" raw zero.raw 30 16 1 zero
wrong a_feature_row_of_zeros_is_refused 'row 3 is all zero' zero.raw --from raw --dims 16 --features --split train --loss avg --checkpoint 5
"$arrays" raw short.raw 30 16 1 short
wrong a_cut_file_is_refused 'not a whole number of rows' short.raw --from raw --dims 16 --features --split train --loss avg --checkpoint 5
wrong another_width_is_refused 'one row for each is expected' train.raw --from raw --dims 8 --features --split train --loss avg --checkpoint 5
wrong the_same_file_twice_is_said 'here already' s.npy --from npy --axes query,train --loss square --checkpoint 800 --lambda 0.05 --split val
"$arrays" indices twice.npy 30 1 7 doubled
wrong a_doubled_index_is_refused 'is there twice' s.npy --from npy --axes query,train --loss avg --train-index twice.npy --split val
"$arrays" indices beyond.npy 30 1 7 beyond
wrong an_index_out_of_range_is_refused 'of 30 that are here' s.npy --from npy --axes query,train --loss avg --train-index beyond.npy --split val
printf 'query,item,score\nval:1,train:30,1\n' > far.csv
wrong an_item_out_of_range_is_refused 'line 2: train:30, of 30' far.csv --from csv --method pixel-cos --split val
printf 'query,item,score\nval:1,train:3,1\nval:1,train:3,2\n' > twice.csv
wrong an_item_twice_is_refused 'is there for val:1 already' twice.csv --from csv --method pixel-cos --split val
for projection in 'sixteen-letters-' 'a"b' ''; do
    exits "a_projection_called_'$projection'_is_refused" 2 'cannot name a projection: expected 1 to 15 letters' \
        import a.db train.raw --from raw --dims 16 --features --split train --loss avg --checkpoint 900 --projection "$projection"
done
exits a_rule_that_is_none_is_named 2 "--rule 'middle' is neither" import a.db train.raw --from raw --dims 16 --features --split train --loss avg --rule middle
exits axes_must_be_said 2 'tools disagree' import a.db s.npy --from npy --loss avg --split val
exits a_network_that_is_not_here_is_said 1 'has no weights here' features a.db --checkpoint 900
# An option that would be ignored may have been meant to say which row is which item.
ignored() {   # OPTION KIND ARGUMENT...
    option=$1 from=$2
    shift 2
    name=$(echo "$option is not ignored for $from $*" | tr ' ' _)
    exits "$name" 2 "$option does nothing for" import a.db "$file" --from "$from" "$@"
    "$DTRAK" info a.db --json > after.json
    cmp -s before.json after.json || says "${name}_and_the_database_is_as_it_was" 1
}
file=train.npy && "$arrays" npy train.npy 30 16 11
ignored --train-index npy --features --split train --train-index order.npy
ignored --method npy --features --split train --method grad-dot
ignored --dims npy --features --split train --dims 16
ignored --noise-seed npy --axes query,train --split val --noise-seed 3
ignored --used npy --axes query,train --split val --used 8
ignored --experiment npy --axes query,train --split val --experiment val
exits the_message_names_the_list_of_rows 2 '--query-index is for the rows of features' import a.db train.npy --from npy --features --split train --loss avg --train-index order.npy
file=top.csv
ignored --query-index csv --split val --query-index order.npy
ignored --tensor csv --split val --tensor scores
ignored --type csv --split val --type float16
ignored --features csv --split val --features
ignored --allow-zero csv --split val --allow-zero
file=tk
for option in '--train-index order.npy' '--used 8' '--dims 3' '--setting 30-0.5'; do ignored ${option% *} traker --split val $option; done
file=tree
for option in '--loss avg' '--timesteps 3' '--noise-seed 5' '--method random' '--query-index order.npy' '--split val'; do ignored ${option% *} d-trak $option; done
wrong features_need_a_loss_that_exists 'here are 6 val items' train.raw --from raw --dims 16 --features --split val --loss avg --checkpoint 5
finish
