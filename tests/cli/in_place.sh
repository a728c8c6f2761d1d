#!/bin/sh
# dtrak import --in-place: features that stay in the files of another program give the scores that
# copied ones give; files that moved, changed or lie elsewhere are said on one line.
. "$(dirname "$0")/../lib/tap.inc"

"$data" idx d 60
"$DTRAK" new base.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 15 --held-out 6 --size 8 2> err.txt
says the_project_is_made $? "$(cat err.txt)"
scores() { "$DTRAK" rank "$@" --top 30 --csv 2> err.txt | sed 1d; }

# import DB SPLIT FILE ARGUMENT...
import() {
    to=$1 split=$2 file=$3
    shift 3
    "$DTRAK" import "$to" "$file" --features --split "$split" --loss square --checkpoint 900 --timesteps 100 "$@" > out.txt 2> err.txt
}

# --- the same scores as copied ones ---
mkdir f
both() {   # NAME KIND EXTENSION ARGUMENT...: the features of both splits, copied and in place
    name=$1 kind=$2 ext=$3
    shift 3
    "$arrays" "$kind" f/train.$ext 30 16 11 && "$arrays" "$kind" f/val.$ext 6 16 12
    cp base.db copy.db && cp base.db place.db
    from=${ext%16}
    import copy.db train f/train.$ext --from $from "$@" && import copy.db val f/val.$ext --from $from "$@" &&
        import place.db train f/train.$ext --from $from --in-place "$@" && import place.db val f/val.$ext --from $from --in-place "$@"
    says "${name}_stay_in_place" $? "$(cat err.txt)"
    for db in copy place; do "$DTRAK" score $db.db --method dtrak,grad-cos --loss square --lambda 0.1 --split val 2> err.txt; done
    equal "${name}_give_the_scores_of_copied_ones" "$(scores place.db --query val:3 --method dtrak)" "$(scores copy.db --query val:3 --method dtrak)"
    holds "${name}_are_checked" "$DTRAK" check place.db
    holds "${name}_are_checked_again" "$DTRAK" check place.db
}
both raw_floats raw raw --dims 16
grep -q 'staying in place' out.txt
says it_says_that_they_stay $? "$(cat out.txt)"
[ "$("$DTRAK" info place.db --all | grep -c 'in 1 file')" = 2 ]
says info_says_that_they_are_in_a_file $?
both numpy_halfs npy16 npy
both safetensors safetensors safetensors --tensor scores
both some_columns raw raw --dims 16 --used 9
"$arrays" indices train.npy 30 1 7
"$arrays" raw f/train.raw 30 16 11 && "$arrays" raw f/val.raw 6 16 12
cp base.db copy.db && cp base.db place.db
import copy.db train f/train.raw --from raw --dims 16 --query-index train.npy && import place.db train f/train.raw --from raw --dims 16 --query-index train.npy --in-place
says rows_in_another_order_stay_in_place $? "$(cat err.txt)"
for db in copy place; do import $db.db val f/val.raw --from raw --dims 16; "$DTRAK" score $db.db --method dtrak --lambda 0.1 --split val 2> err.txt; done
equal and_give_the_scores_of_copied_ones "$(scores place.db --query val:5 --method dtrak)" "$(scores copy.db --query val:5 --method dtrak)"

# --- D-TRAK's shards ---
t=tree/saved/5-0.5/ddpm/checkpoint-900/features-0
mkdir -p $t
"$arrays" raw $t/ddpm-train-keys-0-100-16-mean-squared-l2-norm-uniform.npy 20 16 31
"$arrays" raw $t/ddpm-train-keys-1-100-16-mean-squared-l2-norm-uniform.npy 10 16 32
"$arrays" raw $t/ddpm-val-keys-0-100-16-mean-squared-l2-norm-uniform.npy 6 16 33
cp base.db copy.db && cp base.db place.db
"$DTRAK" import copy.db tree --from d-trak > out.txt 2> err.txt && "$DTRAK" import place.db tree --from d-trak --in-place > out.txt 2> err.txt
says shards_stay_in_place $? "$(cat err.txt)"
for db in copy place; do "$DTRAK" score $db.db --method dtrak --lambda 0.1 --split val 2> err.txt; done
equal shards_give_the_scores_of_copied_ones "$(scores place.db --query val:0 --method dtrak)" "$(scores copy.db --query val:0 --method dtrak)"
holds shards_are_checked "$DTRAK" check place.db

# --- scored without a decomposition ---
cp copy.db krylov.db && "$DTRAK" import krylov.db f/train.raw --from raw --dims 16 --features --split train --loss avg --checkpoint 900 --in-place > out.txt &&
    "$DTRAK" import krylov.db f/val.raw --from raw --dims 16 --features --split val --loss avg --checkpoint 900 --in-place > out.txt
cp krylov.db direct.db
holds one_query_is_scored_by_readings "$DTRAK" score krylov.db --method trak --loss avg --lambda 0.02 --query val:4 --solver krylov
holds and_directly "$DTRAK" score direct.db --method trak --loss avg --lambda 0.02 --split val --solver direct
items() { "$DTRAK" rank "$1" --query val:4 --method trak --loss avg --top 30 --csv 2> err.txt | grep -o 'train:[0-9]*' | tr '\n' ' '; }
equal both_rank_alike "$(items krylov.db)" "$(items direct.db)"
exits another_query_was_not_asked_for 1 'no scores' rank krylov.db --query val:3 --method trak --loss avg
exits a_query_that_is_not_there_is_said 2 'there is no val:6: the last one is val:5' score krylov.db --method trak --loss avg --query val:6
exits a_solver_that_is_none_is_said 2 "'gauss' is none of" score krylov.db --solver gauss
exits self_influence_wants_a_decomposition 1 'comes from a decomposition' score krylov.db --method trak --loss avg --solver krylov --self

# --- what is wrong with a file at import ---
wrong() {   # NAME TEXT FILE ARGUMENT...
    name=$1 text=$2 file=$3
    shift 3
    cp base.db a.db
    exits "$name" 1 "$text" import a.db "$file" --from raw --dims 16 --features --split train --loss square --checkpoint 900 --in-place "$@"
    "$DTRAK" info a.db --json > after.json
    cmp -s before.json after.json || says "${name}_and_the_database_is_as_it_was" 1
}
cp base.db a.db && "$DTRAK" info a.db --json > before.json
"$arrays" raw f/nan.raw 30 16 1 nan && "$arrays" raw f/zero.raw 30 16 1 zero && "$arrays" raw f/short.raw 30 16 1 short
wrong nan_is_refused 'row 3 is not finite' f/nan.raw
wrong a_row_of_zeros_is_refused 'row 3 is all zero' f/zero.raw
wrong a_cut_file_is_refused 'not a whole number of rows' f/short.raw
mkdir elsewhere inside && cp base.db inside/a.db
"$arrays" raw elsewhere/train.raw 30 16 11
exits a_file_elsewhere_is_refused 1 "not below the database's folder" import inside/a.db elsewhere/train.raw --from raw --dims 16 --features \
    --split train --loss square --checkpoint 900 --in-place
"$arrays" fortran f/turned.npy 30 16 11
exits an_array_in_fortran_order_is_copied_only 2 'leave out --in-place' import a.db f/turned.npy --from npy --features --split train --loss square \
    --checkpoint 900 --in-place
exits scores_are_not_in_place 2 '--in-place does nothing for scores from npy: it is for features' import a.db s.npy --from npy --axes query,train --loss square --in-place
# 30 rows of 32 KiB of which the last ten were never written
"$arrays" raw f/sparse.raw 20 8192 3 && truncate -s $((30 * 32768)) f/sparse.raw
sparse() { "$DTRAK" import a.db f/sparse.raw --from raw --dims 8192 --features --split train --loss square --checkpoint 900 --in-place "$@" > out.txt 2> err.txt; }
if [ "$(stat -c %b f/sparse.raw)" -lt 1900 ]; then
    sparse
    [ $? = 1 ] && grep -q 'row 20 was never written' err.txt
    says rows_that_were_never_written_are_found $? "$(cat err.txt)"
else skip rows_that_were_never_written_are_found 'this file system has no holes'
fi
sparse --allow-zero
says rows_of_zeros_may_be_meant $? "$(cat err.txt)"
holds and_are_checked_as_such "$DTRAK" check a.db

# --- what became of a file later ---
"$arrays" raw f/train.raw 30 16 11 && "$arrays" raw f/val.raw 6 16 12
cp base.db p.db
import p.db train f/train.raw --from raw --dims 16 --in-place && import p.db val f/val.raw --from raw --dims 16 --in-place
says files_are_in_place $? "$(cat err.txt)"
holds the_whole_is_noted "$DTRAK" check p.db
later() { exits "$1" 1 "$2" score p.db --method grad-dot --loss square --split val; }
mv f/train.raw elsewhere/t.raw
later a_missing_file_is_named "'f/train.raw', which is not there"
problem() {   # NAME TEXT DB ARGUMENT...: check finds that and nothing else
    name=$1 text=$2
    shift 2
    "$DTRAK" check "$@" > out.txt 2> err.txt
    [ $? = 1 ] && grep -qF "$text" out.txt && [ "$(wc -l < out.txt)" = 1 ] && grep -q '1 problem' err.txt
    says "$name" $? "$(cat out.txt err.txt)"
}
problem check_names_a_missing_file "'f/train.raw', which is not there" p.db
holds info_does_without "$DTRAK" info p.db
ln -s ../elsewhere/t.raw f/train.raw
holds a_link_below_the_folder_is_followed "$DTRAK" score p.db --method grad-dot --loss square --split val
rm f/train.raw && ln -s /etc/passwd f/train.raw
later a_link_that_leads_outside_is_not_followed "outside the database's folder"
rm f/train.raw && mkfifo f/train.raw
cp p.db q.db && exits a_pipe_is_not_read 1 'not a regular file' score p.db --method grad-cos --loss square --split val
rm f/train.raw
"$arrays" raw f/train.raw 30 16 99
exits another_file_of_the_same_size_is_noticed 1 'other contents' score p.db --method grad-cos --loss square --split val
"$arrays" raw f/train.raw 31 16 11
exits a_file_that_grew_is_noticed 1 'changed since its features were imported: 1984 bytes, it had 1920' score p.db --method grad-cos --loss square --split val
mv elsewhere/t.raw f/train.raw
touch f/train.raw
holds the_same_file_with_another_date_is_fine "$DTRAK" score p.db --method grad-cos --loss square --split val
mkdir moved && mv f moved/f
exits files_that_moved_are_named 1 'which is not there' score p.db --method relative-if --loss square --split val
holds and_are_found_below_a_root_that_is_given "$DTRAK" score p.db --method relative-if --loss square --split val --feature-root moved
holds check_takes_the_root_too "$DTRAK" check p.db --feature-root moved
exits a_root_that_is_not_there_is_said 1 'nowhere' check p.db --feature-root nowhere
cp base.db inside/b.db
"$DTRAK" import inside/b.db elsewhere/train.raw --from raw --dims 16 --features --split train --loss square --checkpoint 900 --in-place --feature-root . \
    > out.txt 2> err.txt
says a_file_elsewhere_may_stay_below_a_root $? "$(cat err.txt)"
problem and_is_not_read_without_it 'which is not there' inside/b.db
holds but_with_it "$DTRAK" check inside/b.db --feature-root .

# --- what a database may say of itself ---
if command -v sqlite3 > /dev/null; then
    for path in /etc/passwd ../../../../etc/passwd; do
        cp p.db evil.db && sqlite3 evil.db "UPDATE feature_file SET path = '$path' WHERE id = 1"
        problem "a_database_that_says_$(echo $path | tr -c 'a-z\n' _)_is_not_believed" "that is outside the database's folder and --feature-root" evil.db --feature-root moved
    done
else skip a_database_that_says_a_path_outside_is_not_believed 'no sqlite3 here'
fi
"$DTRAK" slim p.db thin.db > out.txt 2> err.txt
[ $? = 0 ] && [ "$("$DTRAK" info thin.db --all | grep -c 'in 1 file')" = 0 ]
says a_slim_copy_speaks_of_no_files $? "$(cat err.txt)"
finish
