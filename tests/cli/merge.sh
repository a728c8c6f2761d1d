#!/bin/sh
# dtrak merge, drop and slim: two copies put together are what one would have been, a query that goes
# takes what is its own and nothing else, and a slim copy holds what was asked for.
. "$(dirname "$0")/../lib/tap.inc"
same_rank() {   # NAME DB QUERY DB QUERY WORD...
    name=$1 a=$2 p=$3 b=$4 q=$5
    shift 5
    "$DTRAK" rank "$a" --query "$p" "$@" --csv > x.csv 2> err.txt && "$DTRAK" rank "$b" --query "$q" "$@" --csv > y.csv 2> err.txt && cmp -s x.csv y.csv
    says "$name" $? "$(cat err.txt; diff x.csv y.csv)"
}
# The arrays of a database under names that do not depend on its numbers.
arrays() { rm -rf "$2" && "$DTRAK" export "$1" --npy "$2" --what features,scores > out.txt 2> err.txt; }
array() { ls "$1"/$2 2> /dev/null | head -n 1; }

"$data" idx d 90
new() { "$DTRAK" new "$1" --idx d/images.idx d/labels.idx --classes 0,1 --per-class 20 --held-out 4 --patch 2 2> err.txt; }
train() { "$DTRAK" train "$1" --width 8,16 --steps 40 --batch 8 --seed "$2" --threads 1 2> err.txt; }
new base.db && train base.db 3
says the_project_is_made $? "$(cat err.txt)"
sample() { "$DTRAK" sample "$1" --count "$2" --seed "$3" --steps 10 --threads 1 2> err.txt; }
compute() { "$DTRAK" features "$1" --loss "$2" --timesteps 10 --dims 64 --threads 1 2> err.txt && "$DTRAK" score "$1" --method trak --loss "$2" --lambda 0.1 2> err.txt; }

# --- two copies ---
cp base.db a.db && sample a.db 2 0 && compute a.db square && "$DTRAK" score a.db --method pixel-cos 2> err.txt
says one_copy_has_two_queries $? "$(cat err.txt)"
cp base.db b.db && sample b.db 3 1 && compute b.db square && compute b.db elbo
says the_other_has_three_and_another_loss $? "$(cat err.txt)"
cp base.db c.db && sample c.db 4 0 && compute c.db square && arrays c.db c
says the_whole_is_there_to_compare $? "$(cat err.txt)"
# The other copy went on from the same two queries.
cp a.db w.db && cp a.db v.db && sample v.db 4 0 && compute v.db square && "$DTRAK" merge w.db v.db > out.txt 2> err.txt && arrays w.db w
says copies_with_the_same_numbers_are_merged $? "$(cat err.txt)"
same_file features_of_the_queries_are_those_of_one_whole "$(array w 'features/*-gen-square-*.npy')" "$(array c 'features/*-gen-square-*.npy')"
same_file scores_too "$(array w 'scores/*-trak-square-gen.npy')" "$(array c 'scores/*-trak-square-gen.npy')"
cp a.db m.db
"$DTRAK" merge m.db b.db > out.txt 2> err.txt
says they_are_merged $? "$(cat err.txt)"
cp err.txt merged.txt
grep -q '^2 queries, .* rows of scores (2 new sets), .* rows of features (2 new sets)' out.txt
says it_says_what_came $? "$(cat out.txt)"
equal the_query_of_both_is_there_once "$(value m.db splits.gen)" 4

same_rank a_new_query_has_the_scores_of_the_other_copy m.db gen:3 b.db gen:2 --method dtrak
same_rank the_query_of_both_keeps_its_own m.db gen:1 a.db gen:1 --method dtrak
grep -q 'gen queries with other numbers there: 3, as gen:0 for gen:1 here' merged.txt
says other_numbers_are_said $? "$(cat merged.txt)"
same_rank and_one_of_a_loss_that_is_new m.db val:2 b.db val:2 --method trak --loss elbo
holds the_merged_database_is_clean "$DTRAK" check m.db
cp m.db n.db
"$DTRAK" merge m.db b.db > out.txt 2> err.txt
equal the_second_time_nothing_comes "$(head -n 1 out.txt)" "outputs of 0 retrainings added"
grep -q '^rows of scores that were here: [1-9]' out.txt
says and_what_is_here_is_counted $? "$(cat out.txt)"
compute m.db elbo && same_rank what_no_copy_had_is_computed_then m.db gen:3 b.db gen:2 --method trak --loss elbo
cp a.db q.db
"$DTRAK" merge q.db b.db --what queries > out.txt 2> err.txt
equal parts_can_be_chosen "$(cat out.txt)" "2 queries, added"
"$DTRAK" merge q.db b.db --what scores > out.txt 2> err.txt
grep -q '^[0-9]* rows of scores (2 new sets), .*added$' out.txt
says and_the_rest_later $? "$(cat out.txt err.txt)"

# --- killed ---
cp a.db k.db
for t in 0.02 0.05 0.1 0.2; do timeout -s KILL $t "$DTRAK" merge k.db b.db > out.txt 2> err.txt; done
"$DTRAK" merge k.db b.db > out.txt 2> err.txt
says merging_goes_on_after_kills $? "$(cat err.txt)"
holds the_database_is_clean_then "$DTRAK" check k.db
arrays n.db n && arrays k.db k
(cd n && cksum */*.npy | sort) > x.txt && (cd k && cksum */*.npy | sort) > y.txt
same_file with_the_same_arrays_as_without y.txt x.txt

# --- what does not belong together ---
new other.db && train other.db 4 && sample other.db 1 0 && compute other.db square
cp a.db x.db
"$DTRAK" merge x.db other.db > out.txt 2> err.txt
says other_weights_do_not_stop_it $? "$(cat err.txt)"
grep -q 'checkpoint 40: other weights there' err.txt && grep -q 'their checkpoint is not here' err.txt
says but_are_said $? "$(cat err.txt)"
equal and_stay_out "$(value x.db checkpoints.#) $(value x.db score_sets)" "$(value a.db checkpoints.#) $(value a.db score_sets)"
same_rank what_was_here_is_as_it_was x.db gen:0 a.db gen:0 --method dtrak
"$DTRAK" new small.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 20 --held-out 4 --size 8 2> err.txt
exits another_size_is_refused_by_its_field 1 "another project: width 32 here, 8 there" merge a.db small.db
"$DTRAK" new few.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 10 --held-out 4 --patch 2 2> err.txt
exits fewer_training_items_too 1 "training items 40 here, 20 there" merge a.db few.db
"$DTRAK" new others.db --idx d/images.idx d/labels.idx --classes 0,2 --per-class 20 --held-out 4 --patch 2 2> err.txt
exits other_training_items_too 1 "its training items are not those" merge a.db others.db
# The same pictures under other names.
"$data" folder drawn 12 && mkdir mine theirs && cp -r drawn/ring mine/cat && cp -r drawn/bar mine/dog && cp -r drawn/ring theirs/dog &&
    cp -r drawn/bar theirs/zebra
for side in mine theirs; do
    "$DTRAK" new $side.db --images $side --size 8 2> err.txt && echo dog > dog.txt &&
        "$DTRAK" add $side.db --split gen drawn/ring/0.png --doubles --labels dog.txt > out.txt 2> err.txt
    says "${side}_is_made" $? "$(cat err.txt)"
done
cp mine.db before.db
exits labels_of_other_names_are_refused 1 "another project: label 0 is cat here, dog there" merge mine.db theirs.db
cmp -s mine.db before.db
says and_the_database_is_as_it_was $?
exits what_is_no_part_is_named 2 "--what 'notes'" merge a.db b.db --what notes
exits no_networks_are_said_when_asked_for 1 "no network has been retrained there" merge a.db b.db --what subsets

# --- drop ---
cp n.db d.db
"$DTRAK" drop d.db --query gen:1,gen:1 > out.txt 2> err.txt
says without_yes_it_says_what_would_go $? "$(cat err.txt)"
equal and_nothing_goes "$(value d.db splits.gen) $(tail -n 1 out.txt)" "4 1 query would go; --yes drops them"
cmp -s d.db n.db
says not_a_byte_changes $?
"$DTRAK" drop d.db --query gen:1 --yes > out.txt 2> err.txt
says a_query_is_dropped $? "$(cat err.txt)"
equal the_later_ones_move_up "$(value d.db splits.gen)" 3
same_rank with_their_scores d.db gen:1 n.db gen:2 --method dtrak
same_rank the_earlier_ones_stay d.db gen:0 n.db gen:0 --method dtrak
same_rank the_last_is_there d.db gen:2 n.db gen:3 --method dtrak
same_rank held_out_ones_are_as_they_were d.db val:3 n.db val:3 --method dtrak
holds the_database_is_clean_after_it "$DTRAK" check d.db
arrays n.db n && arrays d.db e
# 64 numbers of 4 bytes a row after a head of 128.
rows() { tail -c +129 "$1" | od -An -v -tx4 -w256 | sed -n "$2"; }
equal features_move_with_them "$(rows "$(array e 'features/*-gen-square-*.npy')" '2,3p' | cksum)" "$(rows "$(array n 'features/*-gen-square-*.npy')" '3,4p' | cksum)"
compute d.db square
"$DTRAK" features d.db --loss square --timesteps 10 --dims 64 --dry-run > out.txt 2>&1 && grep -q 'nothing to do' out.txt
says nothing_is_to_be_computed_again $? "$(cat out.txt)"
equal scores_that_remain_are_the_same "$("$DTRAK" rank d.db --query gen:1 --method dtrak --csv | cksum)" "$("$DTRAK" rank n.db --query gen:2 --method dtrak --csv | cksum)"
sets=$(value d.db score_sets)
"$DTRAK" drop d.db --scores --method trak --loss elbo --yes > out.txt 2> err.txt
equal score_sets_of_a_setting_go "$(value d.db score_sets) $(tail -n 1 out.txt | cut -d' ' -f1-4)" "$((sets - 2)) 2 score sets dropped;"
"$DTRAK" drop d.db --features --loss square --yes > out.txt 2> err.txt
says features_go $? "$(cat err.txt)"
grep -q 'features of train, loss square, .*: the rows; what was made of them stays' out.txt
says and_a_kernel_that_stays_is_said $? "$(cat out.txt)"
cp d.db gram.db
holds which_makes_scores_at_other_lambdas "$DTRAK" score gram.db --method trak --loss square --lambda 0.3 --split gen
cp gram.db more.db
"$DTRAK" sample more.db --count 4 --steps 10 --seed 70 > out.txt 2> err.txt && "$DTRAK" score more.db --method trak --loss square --lambda 0.7 --query gen:0,gen:2 > out.txt 2>> err.txt
says of_what_it_has_also_beside_younger_items $? "$(cat err.txt)"
"$DTRAK" score gram.db --method trak --loss square --lambda 0.7 --split gen > out.txt 2> err.txt
same_rank the_same_ones more.db gen:2 gram.db gen:2 --method dtrak --lambda 0.7
exits not_of_a_younger_one 1 "no complete features of loss square" score more.db --method trak --loss square --lambda 0.7 --query gen:4
holds the_database_is_clean_after_that "$DTRAK" check d.db
same_rank scores_stay_without_features d.db gen:1 n.db gen:2 --method dtrak
"$DTRAK" drop d.db --kernels --yes > out.txt 2> err.txt && "$DTRAK" drop d.db --features --yes > out.txt 2> err.txt
equal nothing_of_them_is_left "$(value d.db feature_sets)" 0
holds the_database_is_clean_at_the_end "$DTRAK" check d.db
[ "$(wc -c < d.db)" -lt "$(wc -c < n.db)" ]
says and_the_file_is_smaller $? "$(ls -l d.db n.db)"
cp a.db e.db
"$DTRAK" drop e.db --weights --checkpoint last --yes > out.txt 2> err.txt && "$DTRAK" info e.db | grep -q '100% .*  dropped  '
says weights_go $? "$(cat out.txt err.txt; "$DTRAK" info e.db)"
holds the_rest_is_clean "$DTRAK" check e.db
exits what_needs_them_says_how_to_get_them 1 "dtrak merge brings them" features e.db --loss linf
holds merge_brings_them_back "$DTRAK" merge e.db a.db
equal and_nothing_else_is_new "$(value e.db checkpoints.#)" "$(value a.db checkpoints.#)"
exits a_database_is_not_merged_with_itself 2 "is the database itself" merge e.db e.db
exits what_is_not_there_is_said 1 "nothing of that kind" drop d.db --features --yes
exits a_method_is_of_scores_only 2 "--method chooses among scores" drop d.db --features --method trak
exits a_kernel_has_no_lambda 2 "--lambda chooses among scores" drop d.db --scores --kernels --lambda auto
exits weights_have_a_checkpoint_only 2 "--loss chooses among scores" drop d.db --weights --loss square
exits a_query_goes_with_all_of_theirs 2 "--checkpoint chooses among scores" drop d.db --query gen:0 --checkpoint last
exits a_query_that_is_not_there_is_named 2 "there is no gen:9" drop d.db --query gen:9
exits a_training_item_stays 2 "was trained on it" drop d.db --query train:3
exits something_must_be_named 2 "what is to go" drop d.db
exits a_span_that_falls_is_named 2 "'gen:2-1'" drop d.db --query gen:2-1
exits an_embedding_that_is_not_there_is_named 2 "no embedding 'clip'" drop d.db --embedding clip

# --- slim ---
"$DTRAK" slim n.db s.db --method dtrak --split gen --no-kernel --bits 12 > out.txt 2> err.txt
says a_slim_copy_is_made $? "$(cat err.txt)"
equal with_the_chosen_scores_only "$(value s.db score_sets) $(value s.db sizes.kernels) $(value s.db sizes.features)" "1 0 0"
"$DTRAK" rank s.db --query gen:2 --method dtrak --top 40 --bottom 0 --csv | cut -d, -f3,5 > x.csv && "$DTRAK" rank n.db --query gen:2 --method dtrak --top 40 --bottom 0 --csv | cut -d, -f3,5 > y.csv
sort x.csv > xs.csv && sort y.csv > ys.csv
join -t, xs.csv ys.csv | awk -F, 'NR > 1 { d = $2 - $3; m = $3 < 0 ? -$3 : $3; if (d < 0) d = -d; if (d > m / 4096) bad++; if (d > 0) moved++; n++ } END { print (n == 40 && !bad && moved) ? "rounded" : n " " bad " " moved }' > how.txt
equal rounded_to_twelve_bits "$(cat how.txt)" rounded
holds the_slim_copy_is_clean "$DTRAK" check s.db
cp n.db t.db && "$DTRAK" score t.db --method trak --loss square --lambda 0.1 --bits 12 2> err.txt
"$DTRAK" slim t.db t12.db --bits 12 > out.txt 2> err.txt
says scores_that_are_there_rounded_already_are_in_nobodys_way $? "$(cat err.txt)"
equal one_set_of_them_stays "$(value t12.db score_sets)" "$(value n.db score_sets)"
"$DTRAK" score t.db --method trak --loss square --lambda 0.2,0.5,abs:30 2> err.txt
was=$(value t.db score_sets)
"$DTRAK" drop t.db --scores --lambda grid --yes > out.txt 2> err.txt
says scores_on_the_grid_can_go $? "$(cat err.txt)"
equal they_are_named "$(grep -c 'lambda 0\.[125]$' out.txt)" "$((was - $(value t.db score_sets)))"
holds another_lambda_stays "$DTRAK" rank t.db --query gen:1 --method dtrak --lambda abs:30
exits one_of_the_grid_is_gone 1 "no scores of D-TRAK" rank t.db --query gen:1 --method dtrak --lambda 0.2
"$DTRAK" slim n.db k.db --keep-features > out.txt 2> err.txt
equal features_can_stay "$(value k.db sizes.features)" "$(value n.db sizes.features)"
"$DTRAK" slim n.db some.db --query gen:1-2 > out.txt 2> err.txt
says a_copy_with_the_scores_of_some_queries $? "$(cat err.txt)"
same_rank their_rankings_stay n.db gen:2 some.db gen:2 --method dtrak
exits those_of_others_are_gone 1 "no scores of D-TRAK" rank some.db --query gen:0 --method dtrak
holds the_copy_of_some_queries_is_clean "$DTRAK" check some.db
exits a_query_that_is_not_there_is_refused 2 "there is no gen:9" slim n.db none.db --query gen:9
exits a_copy_without_any_scores_is_refused 1 "none would be left" slim n.db none.db --method nda
nothing_left none nothing_is_left_of_it
finish
