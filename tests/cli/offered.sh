#!/bin/sh
# What an error offers to be typed does it, as it stands: also in a folder whose name is long and has blanks in it.
. "$(dirname "$0")/../lib/tap.inc"
mkdir bin && ln -s "$DTRAK" bin/dtrak
PATH=$PWD/bin:$PATH

folder="a folder's name of more than eighty letters, with what a shell takes apart; and \$more of it"
db=$folder/a.db
mkdir "$folder" && "$data" idx d 60
{ dtrak new "$db" --idx d/images.idx d/labels.idx --classes 0,1 --per-class 15 --held-out 4 --size 8 --patch 2 &&
    dtrak train "$db" --width 8,16 --steps 20 --batch 8 --seed 3 && dtrak sample "$db" --count 3 --steps 10; } > out.txt 2> err.txt
says a_project_is_made $? "$(tail -n 3 err.txt)"
cp "$db" plain.db
"$arrays" npy train.npy 30 5 1 && "$arrays" npy gen.npy 3 5 2

# mends NAME OFFER COMMAND...: it fails, names commands that begin so, and works when they have run.
mends() {
    name=$1 offer=$2
    shift 2
    dtrak "$@" > out.txt 2> err.txt
    status=$?
    sed -nE 's/.*make (them|one|them alike|features again) with: //p' err.txt > offered.sh
    [ $status != 0 ] && grep -q "^$offer" offered.sh && sh offered.sh > made.txt 2> made.err && dtrak "$@" > out.txt 2>> made.err
    says "$name" $? "$(cat err.txt; tail -n 3 made.err)"
}
look() { dtrak view "$1" --graphics none --size 120x30 --keys "$2" --dump - > screen.txt 2> err.txt; }

mends features_and_scores_are_made "dtrak features .* && dtrak score" rank "$db" --query gen:0 --method trak --loss avg
mends features_for_scores_are_made "dtrak features" score "$db" --method trak --loss elbo
mends scores_alone_where_there_are_features "dtrak score" rank "$db" --query gen:0 --method grad-dot --loss avg
mends both_embeddings_are_added "dtrak add .*train.npy .* && dtrak add .*gen.npy .* && dtrak score" rank "$db" --query gen:0 --method embed-cos
mends none_where_they_are_there "dtrak score" rank "$db" --query gen:0 --method embed-dot
mends features_along_the_path_are_made "dtrak features .* --journey .* && dtrak score" rank "$db" --query gen:0 --method journey --loss avg
dtrak features "$db" --loss simple --dims 64 > out.txt 2> err.txt
mends with_the_size_of_the_others "dtrak features .* --journey .* --dims 64 && dtrak score" rank "$db" --query gen:0 --method journey --loss simple
mends and_those_of_the_training_items "dtrak features .* && dtrak features .* --journey .* && dtrak score" rank "$db" --query gen:0 --method journey --loss l2
mends neighbours_by_a_loss_get_its_features "dtrak features .* --loss l1 .*--dims 32" neighbours "$db" --item train:0 --by features --loss l1 --dims 32
exits held_out_items_have_no_path 1 "of generated items" rank "$db" --query val:0 --method journey --loss avg
dtrak score "$db" --method trak --loss l1 --query gen:1 > out.txt 2> err.txt
exits one_item_alone_is_named 1 "no scores of D-TRAK(l1) at step 20 for gen:2; make them with" rank "$db" --query gen:2 --method trak --loss l1
exits and_on_a_page 1 "no scores of D-TRAK(l1) at step 20 for gen:2; make them with" page "$db" --query gen:1,gen:2 --method trak --loss l1 --out a.html
deep=$folder/$folder/$folder/$folder
mkdir -p "$deep" && cp plain.db "$deep/a.db"
mends a_page_of_all_offers_it_whole "dtrak features .* && dtrak score" page "$deep/a.db" --query gen:all --loss elbo --out a.html
{ dtrak lds "$deep/a.db" --subsets 3 --steps 12 --timesteps 10 --batch 4 && dtrak lds "$deep/a.db" --report && dtrak drop "$deep/a.db" --rows --yes; } > out.txt 2> err.txt
says scores_are_measured_and_go $? "$(cat err.txt)"
mends and_where_rows_were_dropped "dtrak score" page "$deep/a.db" --query gen:all --loss elbo --out b.html
mends no_places_are_places_too "dtrak score" rank "$db" --query gen:0 --method trak --loss l1 --top 0 --bottom 0
dtrak score "$db" --method trak --loss l2 --query gen:1 > out.txt 2> err.txt
mends in_a_comparison_as_well "dtrak score" compare "$db" --query gen:0 --a trak,loss=l1 --b trak,loss=l2 --top 0

# What is offered is made like what is there: an own picture has features as the others have them.
own=own.db
cp plain.db $own
dtrak features $own --loss elbo --timesteps 5 --dims 96 --blocks 5 > out.txt 2> err.txt
dtrak score $own --method trak --loss elbo > out.txt 2>> err.txt
dtrak sample $own --count 1 --steps 10 --seed 9 >> out.txt 2>> err.txt
says a_picture_is_added $? "$(cat err.txt)"
dtrak score $own --method trak --loss elbo 2>&1 | sed -n 's/.*make them with: //p' > by_score.txt
dtrak rank $own --query gen:3 --method trak --loss elbo 2>&1 | sed -n 's/.*make them with: \(.*\) && .*/\1/p' > by_rank.txt
same_file rank_and_score_offer_the_same by_rank.txt by_score.txt
mends the_features_of_one_more "dtrak features $own --loss elbo .*--timesteps 5 --dims 96 --blocks 5 && dtrak score" rank $own --query gen:3 --method trak --loss elbo
equal and_no_other_sets_are_made "$(value $own feature_sets)" 3

# Of several checkpoints together, like those of the last one, and all at once.
several=several.db
cp plain.db $several
dtrak features $several --loss elbo --timesteps 5 --dims 96 > out.txt 2> err.txt
mends means_get_features_alike "dtrak features $several --loss elbo --checkpoint all --timesteps 5 --dims 96" score $several --method tracin --loss elbo --checkpoint all
mends means_are_offered_with_loss_and_checkpoints "dtrak features .* --loss avg --checkpoint all .* && dtrak score .* --loss avg --checkpoint all" \
    rank $several --query gen:0 --method tracin --loss avg
mends and_without_features_where_those_are_there "dtrak score $several --method gas --loss avg --checkpoint all" rank $several --query gen:0 --method gas --loss avg
cp $several "$db"
look "$db" "2 m m m r @idle"
has r_does_not_do_it_all "is made on the command line: the ranking's screen says how"
sed -n 's/^│[^│]*││ \(.*[^ ]\) *│$/\1/p' screen.txt | tr '\n' ' ' | sed -n 's/.*make them with: //p' > offered.sh
grep -q '^dtrak score .* --method gas --loss elbo --checkpoint all' offered.sh && sh offered.sh > out.txt 2> err.txt
says the_explorer_offers_what_works $? "$(cat offered.sh err.txt)"
look "$db" "2 m m m @idle"
lacks and_there_it_is "no scores"
dtrak features $several --loss elbo --timesteps 10 --dims 96 > out.txt 2> err.txt
exits those_that_are_alike_are_named 1 "those of --timesteps 5 --dims 96 are alike" score $several --method gas --loss elbo --checkpoint all
holds and_they_do "$DTRAK" score $several --method gas --loss elbo --checkpoint all --timesteps 5 --dims 96
dtrak features $several --loss l1 --timesteps 5 --dims 96 --checkpoint all > out.txt 2> err.txt
dtrak features $several --loss linf --timesteps 5 --dims 96 --checkpoint 2,5 > out.txt 2> err.txt
dtrak features $several --loss linf --timesteps 10 --dims 96 --checkpoint 10,last > out.txt 2> err.txt
mends they_are_made_alike "dtrak features $several --loss linf --checkpoint all" score $several --method gas --loss linf --checkpoint all
# A mean does not see blocks.  What is there goes before what was there.
cp plain.db $several
{ dtrak features $several --loss elbo --timesteps 5 --dims 96 --checkpoint 10 && dtrak features $several --loss elbo --timesteps 5 --dims 96 --blocks 5 &&
    dtrak features $several --loss elbo --timesteps 5 --dims 128; } > out.txt 2> err.txt
says some_have_blocks $? "$(cat err.txt)"
mends blocks_have_a_mean_with_others "dtrak score $several .* --dims 96" rank $several --query gen:0 --method trak --loss elbo --checkpoint 10,20
{ dtrak drop $several --features --yes && dtrak sample $several --count 1 --steps 10 --seed 9; } > out.txt 2> err.txt
mends a_kernel_of_one_is_no_way_for_several "dtrak features $several --loss elbo --checkpoint 10,20 --timesteps 5 --dims 96" \
    score $several --method grad-dot --loss elbo --checkpoint 10,20
! grep -q 'stored kernel' err.txt
says and_it_is_not_named $? "$(cat err.txt)"
{ dtrak features $several --loss avg --timesteps 10 --dims 96 --checkpoint 10,20 && dtrak score $several --method grad-dot --loss avg --checkpoint 10,20 &&
    dtrak drop $several --features --loss avg --yes && dtrak drop $several --kernels --loss avg --yes &&
    dtrak features $several --loss avg --timesteps 4 --dims 96 --checkpoint 10,20 && dtrak features $several --loss avg --timesteps 5 --dims 96; } > out.txt 2> err.txt
says some_were_dropped $? "$(cat err.txt)"
exits those_that_were_dropped_are_not_named 1 "those of --timesteps 4 --dims 96 are alike" score $several --method trak --loss avg --checkpoint 10,20 --ensemble
holds and_those_that_are_named_do "$DTRAK" score $several --method trak --loss avg --checkpoint 10,20 --ensemble --timesteps 4 --dims 96

# A mean of journeys needs the paths at each of them.
cp plain.db $several
mends journeys_of_several_get_all_they_need "dtrak features .* --checkpoint 10,20 && dtrak features .* --journey .* --checkpoint 10,20 && dtrak score" \
    rank $several --query gen:0 --method journey --loss simple --checkpoint 10,20
dtrak features $several --loss elbo --timesteps 5 --dims 96 --checkpoint 10,20 > out.txt 2> err.txt
dtrak features $several --loss elbo --timesteps 5 --dims 96 --journey > out.txt 2>> err.txt
mends and_no_more "dtrak features $several --journey --loss elbo --checkpoint 10,20 --dims 96 && dtrak score" \
    rank $several --query gen:0 --method journey --loss elbo --checkpoint 10,20
mends nor_paths_where_those_are "dtrak score $several --method journey" rank $several --query gen:0 --method journey --loss elbo --checkpoint 10,20 --lambda 0.5
exits held_out_items_have_none_of_several_either 1 "of generated items" rank $several --query val:0 --method journey --loss elbo --checkpoint 10,20

# A kernel serves those that it is of, whatever was added since; without weights nothing is offered that needs them.
kernel=kernel.db
cp plain.db $kernel
dtrak features $kernel --loss elbo --dims 96 > out.txt 2> err.txt && dtrak score $kernel --method trak --loss elbo > out.txt 2>> err.txt &&
    dtrak drop $kernel --features --yes > out.txt 2>> err.txt && dtrak sample $kernel --count 1 --steps 10 --seed 9 > out.txt 2>> err.txt
says a_kernel_is_left $? "$(cat err.txt)"
mends the_kernel_has_every_lambda "dtrak score $kernel --method trak --loss elbo --checkpoint 20 --lambda 0.5 --query gen:0-2" \
    rank $kernel --query gen:0 --method trak --loss elbo --lambda 0.5
exits which_queries_it_has_is_said 1 "; the stored kernel has only val:0-3,gen:0-2, and --query val:0-3,gen:0-2 works; for the others make them with: dtrak features" \
    score $kernel --method grad-cos --loss elbo
holds and_those_do "$DTRAK" score $kernel --method grad-cos --loss elbo --query val:0-3,gen:0-2
mends an_item_that_the_kernel_lacks_gets_features "dtrak features $kernel --loss elbo --checkpoint 20 --timesteps 10 --dims 96" \
    neighbours $kernel --item gen:3 --by features --loss elbo
dtrak drop $kernel --features --yes > out.txt
dtrak sample $kernel --count 1 --steps 10 --seed 11 > out.txt 2> err.txt
exits and_one_that_came_later 1 "their kernel does not have gen:4; make them with: dtrak features" neighbours $kernel --item gen:4 --by features --loss elbo
# Just as the set that lacks it was made, whatever is more usual.
cp plain.db seeds.db
{ dtrak features seeds.db --loss elbo,avg --timesteps 5 --dims 96 && dtrak features seeds.db --loss elbo --timesteps 5 --dims 96 --projection-seed 7 --split train; } > out.txt 2> err.txt
says features_of_two_seeds $? "$(cat err.txt)"
mends an_item_gets_those_of_its_set "dtrak features .* --projection-seed 7" neighbours seeds.db --item gen:0 --by features --loss elbo
{ dtrak score seeds.db --method grad-dot --loss elbo && dtrak score seeds.db --method grad-dot --loss avg && dtrak sample seeds.db --count 1 --steps 10 --seed 9 &&
    dtrak features seeds.db --loss elbo --timesteps 5 --dims 96 --projection-seed 7 && dtrak drop seeds.db --features --yes; } > out.txt 2> err.txt
says their_kernel_is_left $? "$(cat err.txt)"
mends a_kernel_of_fewer_items_too "dtrak features .* --projection-seed 7" score seeds.db --method grad-cos --loss elbo
dtrak drop $kernel --weights --yes > out.txt
dropped="the weights of step 20 were dropped; dtrak merge brings them from a copy that has them"
exits without_weights_no_score_is_offered 1 "for gen:3, and $dropped" rank $kernel --query gen:3 --method trak --loss elbo
exits nor_by_score 1 "$dropped" score $kernel --method trak --loss avg
exits nor_self_influence 1 "of loss avg at step 20, and $dropped" self $kernel --loss avg --no-neighbours
exits nor_neighbours 1 "and $dropped" neighbours $kernel --item train:0 --by features --loss l1
exits nor_means 1 "and the weights of step 2 were dropped" rank $kernel --query gen:0 --method tracin --loss elbo
mends the_kernel_needs_none "dtrak score $kernel --method relative-if --loss elbo --checkpoint 20 --query gen:0-2" rank $kernel --query gen:0 --method relative-if --loss elbo
# The explorer says the same in place of what r would do, and r does not queue what must fail.
look $kernel "2 F F m @idle"
has the_explorer_says_it_instead "were dropped; dtrak merge brings them from a copy that has them"
look $kernel "2 F F m r @idle"
has and_r_as_well " $dropped"
look $kernel "4 f r @idle"
has self_influence_too " $dropped"
look $kernel "2 + @idle"
has no_picture_is_made " $dropped"
equal nothing_is_queued "$(value $kernel jobs.queued) $(value $kernel jobs.failed)" "0 0"
cp plain.db copy.db
dtrak merge $kernel copy.db > out.txt 2> err.txt
mends and_merge_brings_them "dtrak features .* && dtrak score" rank $kernel --query gen:3 --method trak --loss elbo

# Counterfactuals need scores.
take() { name=$1; shift; mends "$name" "$@" --remove 3 --queries 2 --steps 4 --dry-run; }
cp plain.db "$db"
take scores_to_take_by "dtrak score .* --method random" counterfactual "$db" --methods random
dtrak drop "$db" --scores --method random --yes > out.txt 2> err.txt
dtrak score "$db" --method random --query gen:1 > out.txt 2> err.txt
take of_one_query "dtrak score .* --method random" counterfactual "$db" --methods random
take with_features "dtrak features .* && dtrak score .* --loss square" counterfactual "$db" --methods dtrak
dtrak features "$db" --loss l2 --checkpoint all > out.txt 2> err.txt
take over_all_checkpoints "dtrak score .* --method tracin --loss l2 --checkpoint all" counterfactual "$db" --methods tracin:l2
take over_all_checkpoints_with_features "dtrak features .* --checkpoint all .* && dtrak score .* --checkpoint all" counterfactual "$db" --methods gas:l1
take along_the_path "dtrak features .* && dtrak features .* --journey .* && dtrak score" counterfactual "$db" --methods journey:avg
take by_an_embedding "dtrak add .* && dtrak add .*gen.npy .* && dtrak score" counterfactual "$db" --methods embed-cos
dtrak drop "$db" --weights --checkpoint 2 --yes > out.txt 2> err.txt
exits or_by_what_cannot_be_made 1 "no tracin elbo scores of generated items, and the weights of step 2 were dropped" \
    counterfactual "$db" --methods tracin:elbo --remove 3 --queries 2 --steps 4 --dry-run

# Retraining goes on as it was begun, also when pictures came since.
lds() { dtrak lds "$db" --steps 12 --timesteps 10 --batch 4 "$@" > out.txt 2> err.txt; }
cp plain.db "$db"
exits nothing_was_retrained 1 "of Empirical influence for gen items, and no network has been retrained here yet" rank "$db" --query gen:0 --method emp-influence
lds --subsets 2
says networks_are_retrained $? "$(cat err.txt)"
cp "$db" few.db
dtrak lds "$db" --report > out.txt 2> err.txt
sed -n 's/.*; more with: //p' err.txt > offered.sh
echo "$(cat offered.sh) --dry-run" > dry.sh
[ -s offered.sh ] && sh dry.sh > out.txt 2>> err.txt && grep -q '^64 retrainings: 2 done' out.txt
says more_of_them_with_the_same_options $? "$(cat err.txt out.txt)"
dtrak lds "$db" --subsets 4 --dry-run > out.txt 2> err.txt
sed -n 's/^those go on with: //p' out.txt > offered.sh
[ -s offered.sh ] && sh offered.sh > out.txt 2>> err.txt && grep -q '^4 retrainings: 4 done' out.txt
says other_options_say_which_go_on $? "$(cat err.txt out.txt)"
exits two_make_no_datamodel 1 "for gen items, and 2 subsets are done, expected at least 3" rank few.db --query gen:0 --method datamodel
dtrak sample "$db" --count 1 --steps 10 --seed 9 > out.txt 2> err.txt && ! lds --subsets 5 && sed -n 's/.*; as it was evaluated: //p' err.txt > offered.sh &&
    grep -q -- '--queries val:0-3,gen:0-2' offered.sh && sh offered.sh > out.txt 2>> err.txt && grep -q '^5 retrainings: 5 done' out.txt
says pictures_that_came_since_are_left_out $? "$(cat err.txt out.txt)"
cp "$db" fewer.db
dtrak drop fewer.db --query val:3 --yes > out.txt 2> err.txt
mends scores_of_the_split_that_can_be_had "dtrak score .* --split gen" rank fewer.db --query gen:0 --method emp-influence
exits not_of_one_that_came_later 1 "and the retrained networks were not evaluated at gen:3, but at val:0-3,gen:0-2" \
    rank "$db" --query gen:3 --method emp-influence
dtrak drop "$db" --query gen:2-3 --yes > out.txt 2> err.txt
says a_picture_goes $? "$(cat err.txt)"
exits nor_where_items_went 1 "and the retrained networks were measured on gen items 0 to 2, and only 2 are here" rank "$db" --query gen:0 --method emp-influence
exits none_is_offered_where_items_went 1 "no option brings it back: gen.count 2/3" lds "$db" --subsets 6 --steps 12 --timesteps 10 --batch 4

# What cannot be is not offered.
exits training_items_are_no_queries 2 "queries are of --split gen or val" score "$db" --split train
cp plain.db "$db"
dtrak drop "$db" --query gen:0-2,val:0-3 --yes > out.txt 2> err.txt
says pictures_go $? "$(cat err.txt)"
mends_queries() {
    "$DTRAK" "$@" > out.txt 2> err.txt
    sed -n 's/.*make some with: //p' err.txt > offered.sh
    [ -s offered.sh ] && sh offered.sh > made.txt 2>&1 && dtrak info "$db" | grep -q 'gen 16'
}
mends_queries features "$db" --journey
says pictures_are_made $? "$(cat err.txt made.txt)"
dtrak drop "$db" --query gen:0-15 --yes > out.txt 2> err.txt
mends_queries score "$db" --method pixel-cos
says and_queries $? "$(cat err.txt made.txt)"
exits of_held_out_ones_their_own 1 "dtrak add '" score "$db" --method pixel-cos --split val
finish
