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
"$arrays" npy train.npy 30 5 1 && "$arrays" npy gen.npy 3 5 2

# mends NAME OFFER COMMAND...: it fails, names commands that begin so, and works when they have run.
mends() {
    name=$1 offer=$2
    shift 2
    dtrak "$@" > out.txt 2> err.txt
    status=$?
    sed -n 's/.*make them with: //p' err.txt > offered.sh
    [ $status = 1 ] && grep -q "^$offer" offered.sh && sh offered.sh > made.txt 2> made.err && dtrak "$@" > out.txt 2>> made.err
    says "$name" $? "$(cat err.txt; tail -n 3 made.err)"
}
mends features_and_scores_are_made "dtrak features .* && dtrak score" rank "$db" --query gen:0 --method trak --loss avg
mends features_for_scores_are_made "dtrak features" score "$db" --method trak --loss elbo
mends scores_alone_where_there_are_features "dtrak score" rank "$db" --query gen:0 --method grad-dot --loss avg
mends both_embeddings_are_added "dtrak add .*train.npy .* && dtrak add .*gen.npy .* && dtrak score" rank "$db" --query gen:0 --method embed-cos
mends none_where_they_are_there "dtrak score" rank "$db" --query gen:0 --method embed-dot
mends features_along_the_path_are_made "dtrak features .* --journey .* && dtrak score" rank "$db" --query gen:0 --method journey --loss avg
dtrak features "$db" --loss simple --dims 64 > out.txt 2> err.txt
mends with_the_size_of_the_others "dtrak features .* --journey .* --dims 64 && dtrak score" rank "$db" --query gen:0 --method journey --loss simple
mends and_those_of_the_training_items "dtrak features .* && dtrak features .* --journey .* && dtrak score" rank "$db" --query gen:0 --method journey --loss l2
mends neighbours_by_a_loss_get_its_features "dtrak features .* --loss l1 --dims 32" neighbours "$db" --item train:0 --by features --loss l1 --dims 32
exits held_out_items_have_no_path 1 "of generated items" rank "$db" --query val:0 --method journey --loss avg
dtrak score "$db" --method trak --loss l1 --query gen:1 > out.txt 2> err.txt
mends no_places_are_places_too "dtrak score" rank "$db" --query gen:0 --method trak --loss l1 --top 0 --bottom 0
dtrak score "$db" --method trak --loss l2 --query gen:1 > out.txt 2> err.txt
mends in_a_comparison_as_well "dtrak score" compare "$db" --query gen:0 --a trak,loss=l1 --b trak,loss=l2 --top 0
finish
