#!/bin/sh
# dtrak lds on a tiny project: killed with -9 in the middle, stopped by SIGTERM, done by two
# processes at once, and put together from two copies: always the same bytes as at one go.
. "$(dirname "$0")/../lib/tap.inc"
data=$OUT/cli/data

"$data" idx d 60
"$DTRAK" new base.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 15 --held-out 4 --size 8 --patch 2 2> err.txt &&
    "$DTRAK" train base.db --width 8,16 --steps 20 --batch 8 --lr 2e-3 --seed 3 2>> err.txt &&
    "$DTRAK" sample base.db --count 4 --steps 10 2>> err.txt
says the_project_is_made $? "$(cat err.txt)"

lds() { db=$1; shift; "$DTRAK" lds "$db" --subsets 6 --second-seed 2 --timesteps 10 --steps 120 "$@"; }
same_as_a() {   # NAME DB
    "$DTRAK" lds "$2" --export got.tsv > out.txt 2> err.txt
    cmp -s got.tsv a.tsv
    says "$1" $? "$(cat err.txt; cmp got.tsv a.tsv 2>&1)"
}

cp base.db a.db
lds a.db --dry-run > out.txt 2> err.txt
says a_dry_run_works $? "$(cat err.txt)"
grep -q '8 missing' out.txt && grep -q 'FLOP, about' out.txt
says it_says_what_is_missing_and_what_it_costs $? "$(cat out.txt err.txt)"
lds a.db > out.txt 2> err.txt
says lds_works $? "$(tail -n 3 err.txt)"
grep -q '^8 retrainings: 8 done$' out.txt
says all_are_done $? "$(cat out.txt)"
grep -q '^lds 100%' err.txt
says progress_is_shown $? "$(cat err.txt)"
holds outputs_are_exported "$DTRAK" lds a.db --export a.tsv
[ "$(grep -c '^model' a.tsv)" = 8 ] && [ "$(grep -c '^out' a.tsv)" = 16 ]
says every_model_and_split_is_there $? "$(cut -c1-60 a.tsv)"
holds the_database_is_clean "$DTRAK" check a.db

# --- killed in the middle, and again ---
cp base.db b.db
killed=0
for round in 1 2; do
    # exec: the signal must reach dtrak itself
    (exec "$DTRAK" lds b.db --subsets 6 --second-seed 2 --timesteps 10 --steps 120 --save-every 0.05 --threads 1) > out.txt 2> err.txt & pid=$!
    left=600
    while [ $left -gt 0 ] && kill -0 $pid 2> /dev/null; do
        have=$("$DTRAK" lds b.db --export part.tsv 2> /dev/null | sed 's/.*: \([0-9]*\) .*/\1/')
        if [ "${have:-0}" -ge "$round" ]; then kill -9 $pid && killed=$((killed + 1)); break; fi
        sleep 0.02
        left=$((left - 1))
    done
    wait $pid 2> /dev/null
done
says it_is_killed_twice "$([ $killed = 2 ] && echo 0 || echo 1)" "killed $killed times"
holds after_the_kills_the_database_is_clean "$DTRAK" check b.db
lds b.db > out.txt 2> err.txt
says it_goes_on_at_once_after_a_kill $? "$(tail -n 3 err.txt)"
grep -q '8 done$' out.txt
says nothing_is_left_to_the_process_that_died $? "$(cat out.txt)"
same_as_a with_the_same_bytes_as_without_kills b.db

# --- SIGTERM ---
cp base.db c.db
(exec "$DTRAK" lds c.db --subsets 6 --second-seed 2 --timesteps 10 --steps 120) > out.txt 2> err.txt & pid=$!
sleep 0.3
kill -TERM $pid 2> /dev/null
before=$(date +%s)
wait $pid
status=$?
[ $(($(date +%s) - before)) -le 2 ]
says it_stops_within_a_second_or_two $?
[ $status = 1 ] && grep -q '^dtrak: stopped' err.txt
says it_ends_with_one_line_of_reason $? "status $status: $(tail -n 2 err.txt)"
holds it_goes_on lds c.db
same_as_a with_the_same_bytes_as_without_a_stop c.db

# --- two processes on one database ---
cp base.db e.db
lds e.db --threads 1 > out1.txt 2> err1.txt & pid=$!
lds e.db --threads 1 > out2.txt 2> err2.txt
status=$?
wait $pid
[ $? = 0 ] && [ $status = 0 ]
says two_processes_work_on_one_database $? "$(tail -n 2 err1.txt err2.txt)"
same_as_a and_give_the_same_bytes e.db
[ "$(ls -d e.db*)" = e.db ]
says and_leave_one_file $? "$(ls -d e.db*)"

# --- two copies, put together ---
cp base.db f.db
cp base.db g.db
cp base.db h.db
holds one_copy_does_its_part lds f.db --only 0-2
holds the_other_copy_does_the_rest lds g.db --only 3-5
"$DTRAK" lds g.db --export g.tsv > /dev/null
holds one_is_merged "$DTRAK" merge h.db f.db
holds the_other_is_imported_as_text "$DTRAK" lds h.db --import-outputs g.tsv
same_as_a together_they_are_the_same_bytes h.db
holds the_merged_database_is_clean "$DTRAK" check h.db

# --- refusals ---
exits other_steps_are_another_protocol 1 "another train protocol: train.steps 120/30" lds a.db --import-outputs "$(sed 's/"steps":120/"steps":30/' a.tsv > bad.tsv; echo bad.tsv)"
exits other_timesteps_are_another_protocol 1 "another eval protocol: timesteps 10/20" lds a.db --import-outputs "$(sed 's/"timesteps":10/"timesteps":20/' a.tsv > bad.tsv; echo bad.tsv)"
exits another_project_is_refused 1 "training items" lds a.db --import-outputs "$(sed 's/"items":"[0-9a-f]*","n"/"items":"00","n"/' a.tsv > bad.tsv; echo bad.tsv)"
exits a_file_that_is_something_else_is_refused 1 "not text" lds a.db --import-outputs d/labels.idx
exits another_text_is_refused 1 "line 1: not a file of dtrak lds --export" lds a.db --import-outputs out.txt
exits nothing_to_export_is_said 1 "dtrak lds does that" lds base.db --export none.tsv
[ ! -e none.tsv ]
says and_leaves_no_file $?
exits a_subset_beyond_the_last_is_refused 1 "subset 7" lds a.db --subsets 6 --only 7
exits ranges_are_read 2 "--only" lds a.db --only 3-1
exits queries_are_read 2 "neither val nor gen" lds a.db --queries train:0-3
exits queries_beyond_the_end_are_refused 1 "val:0-9" lds a.db --queries val:0-9
exits same_takes_two_words 2 "neither epochs nor steps" lds a.db --same years
exits merging_what_is_not_there_is_refused 1 "no such file" merge a.db not-there.db
"$DTRAK" merge a.db e.db > out.txt 2> err.txt
grep -q 'of 0 retrainings added' out.txt && grep -q '8 were here' out.txt
says merging_what_is_here_adds_nothing $? "$(cat out.txt err.txt)"
finish
