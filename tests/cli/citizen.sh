#!/bin/sh
# What dtrak imports is like what it makes: every verb and the explorer take it, and what is
# exported of it is what came in.
. "$(dirname "$0")/../lib/tap.inc"

"$data" idx d 60
"$DTRAK" new a.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 15 --held-out 6 --size 8 2> err.txt
says the_project_is_made $? "$(cat err.txt)"
"$arrays" raw train.raw 30 16 11 && "$arrays" raw val.raw 6 16 12 && "$arrays" npy s.npy 6 30 1
for split in train val; do "$DTRAK" import a.db $split.raw --from raw --dims 16 --features --split $split --loss square --checkpoint 900 --timesteps 100 > out.txt 2> err.txt; done
"$DTRAK" import a.db s.npy --from npy --axes query,train --split val --loss simple --checkpoint 900 > out.txt 2> err.txt
says features_and_scores_are_imported $? "$(cat err.txt)"

# --- the verbs ---
holds features_are_scored "$DTRAK" score a.db --method dtrak,grad-cos,renorm-if --loss square --lambda 0.05 --split val --self
holds compared "$DTRAK" compare a.db --query val:1 --a dtrak --b trak,loss=simple
holds studied_for_self_influence "$DTRAK" self a.db --loss square
holds shown_on_a_page "$DTRAK" page a.db --query all --method dtrak --out page.html
holds drawn_on_a_sheet "$DTRAK" rank a.db --query val:0 --method trak --loss simple --sheet sheet.png
cp a.db b.db
holds kept_as_a_basis "$DTRAK" basis b.db --loss square

# --- the explorer ---
screen() { "$DTRAK" view "$1" --query val:2 --screen ranking --size 120x36 --graphics none --keys "$2" --dump - 2> err.txt; }
screen a.db '@idle' > start.txt
grep -q 'val:2' start.txt
says the_explorer_shows_an_imported_ranking $? "$(head -n 4 start.txt; cat err.txt)"
screen a.db '] ] @idle' > step.txt
says lambda_steps_on_imported_features "$(grep -q 'λ 0.2' step.txt && ! grep -q 'λ 0.2' start.txt && echo 0 || echo 1)" "$(head -n 3 start.txt step.txt)"
screen a.db '3 @idle' > compare.txt
says they_stand_side_by_side "$(grep -qi 'overlap' compare.txt && echo 0 || echo 1)" "$(head -n 6 compare.txt)"
screen a.db '4 @idle' > self.txt
says self_influence_has_a_screen "$(grep -q 'train:' self.txt && echo 0 || echo 1)" "$(head -n 6 self.txt)"

# --- out again ---
"$DTRAK" export a.db --npy out > out.txt 2> err.txt
says it_is_exported $? "$(cat err.txt)"
find out -type f | sort > files.txt
says scores_and_features_are_there "$([ "$(grep -c npy files.txt)" -ge 3 ] && echo 0 || echo 1)" "$(cat files.txt)"
holds the_database_is_whole "$DTRAK" check a.db

# --- other numbers in the place of dropped ones ---
of() { "$DTRAK" import r.db "$1" --from raw --dims 16 --features --split "$2" --loss square --checkpoint 900 --timesteps 100 > out.txt 2> err.txt; }
rank() { "$DTRAK" rank r.db --query val:1 --method dtrak --csv 2> err.txt; }
cp a.db r.db && rank > was.csv && "$arrays" raw other.raw 6 16 13
holds features_go_and_scores_stay "$DTRAK" drop r.db --features --yes
exits other_features_do_not_pass_for_those_of_the_scores 1 'scores made of other val features of loss square like these are here; drop them first' \
    import r.db other.raw --from raw --dims 16 --features --split val --loss square --checkpoint 900 --timesteps 100
of val.raw val && of train.raw train
says the_same_come_back $? "$(cat err.txt)"
"$DTRAK" score r.db --method dtrak --loss square --lambda 0.05 --split val --dry-run > out.txt 2>&1 && grep -q 'nothing to do' out.txt
says and_nothing_is_computed_again $? "$(cat out.txt)"
"$DTRAK" self r.db --loss square --csv 2> err.txt | cut -d, -f2,4 > was.txt
holds scores_go_too "$DTRAK" drop r.db --features --scores --loss square --yes
"$arrays" raw others.raw 30 16 14 && of other.raw val && of others.raw train && "$DTRAK" score r.db --method dtrak --loss square --lambda 0.05 --split val --self > out.txt 2> err.txt
says then_others_take_their_place $? "$(cat err.txt)"
"$DTRAK" self r.db --loss square --csv 2> err.txt | cut -d, -f2,4 > is.txt
[ -s is.txt ] && ! cmp -s was.txt is.txt
says with_self_influence_of_their_own $? "$(head -n 3 is.txt err.txt)"
rank > is.csv && ! cmp -s was.csv is.csv
says with_scores_of_their_own $? "$(cat err.txt)"
holds the_database_of_both_is_whole "$DTRAK" check r.db

# --- features of two projections ---
cp a.db p.db
"$DTRAK" import p.db train.raw --from raw --dims 16 --features --split train --loss avg --checkpoint 900 --projection one > out.txt 2> err.txt &&
    "$DTRAK" import p.db val.raw --from raw --dims 16 --features --split val --loss avg --checkpoint 900 --projection two --projection-seed 3 > out.txt 2> err.txt
says features_of_two_projections_are_taken $? "$(cat err.txt)"
exits but_not_mixed 1 'those of train and val differ: projection one seed 0 / two seed 3' score p.db --method trak --loss avg --split val

# --- a save_dir whose scores are elsewhere ---
mkdir -p tk/0
echo '{"JL dimension": 16, "JL matrix type": "rademacher", "train set size": 30}' > tk/metadata.json
echo '{"0": {"is_featurized": 1, "is_finalized": 1}}' > tk/id_0.json
echo '{"val": {"num_targets": 6, "scores_path": "/elsewhere/scores/val.mmap", "scores_finalized": 1}}' > tk/experiments.json
"$arrays" npy16 tk/0/grads.mmap 30 16 21 && "$arrays" npy16 tk/0/val_grads.mmap 6 16 22
cp a.db k.db && "$DTRAK" info k.db --json > before.json
exits scores_at_a_path_of_another_machine_are_said 1 'whatever path of another machine experiments.json has' import k.db tk --from traker --split val --loss elbo
"$DTRAK" info k.db --json > after.json
cmp -s before.json after.json
says and_nothing_of_it_is_taken $?
mkdir tk/scores && "$arrays" npy tk/scores/val.mmap 6 30 23
exits scores_with_the_query_first_are_said 1 'items; traker writes train,query' import k.db tk --from traker --split val --loss elbo
sed 's/: 6/: 7/' tk/experiments.json > tk/e && mv tk/e tk/experiments.json
exits an_experiment_of_other_targets_is_said 1 'has 6 targets, as many as there are val items here; there are: val of 7' import k.db tk --from traker --split val --loss elbo
finish
