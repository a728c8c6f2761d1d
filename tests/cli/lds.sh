#!/bin/sh
# dtrak lds on a tiny project: killed with -9 in the middle, stopped by SIGTERM, done by two
# processes at once, and put together from two copies: always the same bytes as at one go.
. "$(dirname "$0")/../lib/tap.inc"

"$data" idx d 60
"$DTRAK" new base.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 15 --held-out 4 --size 8 --patch 2 2> err.txt &&
    "$DTRAK" train base.db --width 8,16 --steps 20 --batch 8 --lr 2e-3 --seed 3 2>> err.txt &&
    "$DTRAK" sample base.db --count 4 --steps 10 2>> err.txt
says the_project_is_made $? "$(cat err.txt)"

lds() { db=$1; shift; "$DTRAK" lds "$db" --subsets 6 --second-seed 2 --timesteps 10 --steps 120 "$@"; }
same_as_a() {   # NAME DB
    "$DTRAK" lds "$2" --export got.tsv --force > out.txt 2> err.txt
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
"$DTRAK" lds a.db --report 2> err.txt | grep -q 'ceiling unknown: 2 subsets have a second seed, and 3 are needed'
says too_few_second_seeds_are_said $? "$("$DTRAK" lds a.db --report 2>&1 | grep ceiling)"
exits losses_do_not_take_a_databases_place 1 "is a database" lds a.db --export a.db --force
holds outputs_are_exported "$DTRAK" lds a.db --export a.tsv
exits outputs_that_are_there_stay 1 "exists already" lds a.db --export a.tsv
exits a_table_is_not_called_a_picture 2 "a table as text is written, and the name says .png" lds a.db --export a.png
[ "$(grep -c '^model' a.tsv)" = 8 ] && [ "$(grep -c '^out' a.tsv)" = 16 ]
says every_model_and_split_is_there $? "$(cut -c1-60 a.tsv)"
holds the_database_is_clean "$DTRAK" check a.db

# --- killed in the middle, and again ---
cp base.db b.db
lds_exec() { db=$1; shift; exec "$DTRAK" lds "$db" --subsets 6 --second-seed 2 --timesteps 10 --threads 1 "$@"; }
killed=0
for round in 1 2; do
    has_some() {   # as many as the round, and not all
        have=$("$DTRAK" lds b.db --export part.tsv --force 2> /dev/null | sed 's/.*: \([0-9]*\) .*/\1/')
        [ "${have:-0}" -ge "$round" ] && [ "$have" -lt 8 ]
    }
    ends_early KILL b.db has_some lds_exec b.db --steps 120 --save-every 0.05 && killed=$((killed + 1))
done
says it_is_killed_twice "$([ $killed = 2 ] && echo 0 || echo 1)" "killed $killed times; then status $status: $(tail -n 2 err.txt)"
holds after_the_kills_the_database_is_clean "$DTRAK" check b.db
lds b.db > out.txt 2> err.txt
says it_goes_on_at_once_after_a_kill $? "$(tail -n 3 err.txt)"
grep -q '8 done$' out.txt
says nothing_is_left_to_the_process_that_died $? "$(cat out.txt)"
same_as_a with_the_same_bytes_as_without_kills b.db

# --- SIGTERM ---
# As soon as it has said what it will cost.
cp base.db c.db
ends_early TERM c.db true lds_exec c.db --steps 120
[ $status = 1 ] && grep -q '^dtrak: stopped' err.txt
says it_ends_with_one_line_of_reason $? "status $status: $(tail -n 2 err.txt)"
# In the middle of a training, of work for a minute or more: most of the time is the disk's.
cp base.db d.db
: > err.txt
(lds_exec d.db --steps 20000) > out.txt 2> err.txt & pid=$!
while ! grep -q '^lds ' err.txt && kill -0 $pid 2> /dev/null; do sleep 0.05; done
before=$(date +%s)
kill -TERM $pid
wait $pid
status=$?
took=$(($(date +%s) - before))
[ $status = 1 ] && [ $took -le 10 ]
says it_stops_soon $? "status $status after $took s: $(tail -n 2 err.txt)"
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

# --- the report ---
exits a_report_of_nothing_says_what_makes_it 1 "dtrak lds does that" lds base.db --report
cp base.db few.db
"$DTRAK" lds few.db --subsets 2 --timesteps 10 --steps 5 2> err.txt > out.txt
exits two_subsets_are_too_few 1 "2 subsets are done, expected at least 3" lds few.db --report
cp a.db plain.db
"$DTRAK" lds a.db --report > r.txt 2> err.txt
says a_report_without_scores_works $? "$(cat err.txt)"
grep -q 'no scores of val items; dtrak score makes them' r.txt && grep -q 'from 2 subsets\|ceiling unknown' r.txt
says it_says_that_there_are_none $? "$(cat r.txt)"
{ "$DTRAK" features a.db --loss simple,square --timesteps 10 --dims 128 &&
    "$DTRAK" score a.db --method trak,pixel-cos,random --loss simple,square &&
    for l in 0.1 10; do "$DTRAK" score a.db --method trak --loss simple,square --lambda $l || exit 1; done; } > out.txt 2>&1
says scores_are_made $? "$(tail -n 3 out.txt)"
"$DTRAK" lds a.db --report > r.txt 2> err.txt
says a_report_works $? "$(cat err.txt)"
[ "$(grep -c '^  D-TRAK ' r.txt)" = 4 ] && [ "$(grep -c '^  Random ' r.txt)" = 2 ] && grep -q '2 lambdas, chosen' r.txt
says it_has_a_line_for_each_method_and_sweep $? "$(cat r.txt)"
grep -q '^8 networks; training loss' r.txt && grep -q 'gen: 4 queries, 6 subsets' r.txt
says it_says_what_it_stands_on $? "$(cat r.txt)"
! grep -q 'nan' r.txt
says it_prints_no_nan $? "$(grep nan r.txt)"
! grep -q ' $' r.txt
says no_line_ends_in_a_blank $? "$(grep ' $' r.txt | cat -A)"
"$DTRAK" lds a.db --report --json > r.json 2> err.txt
says json_works $? "$(cat err.txt)"
says json_names_the_subsets "$([ "$("$json" subsets < r.json)" = 6 ] && echo 0 || echo 1)"
says json_has_the_rows "$([ "$("$json" splits.1.rows.# < r.json)" = 8 ] && echo 0 || echo 1)" "$("$json" splits.1.rows.# < r.json)"
says json_has_the_sweeps "$([ "$("$json" splits.0.sweeps.# < r.json)" = 2 ] && echo 0 || echo 1)"
"$DTRAK" lds a.db --report --csv > r.csv 2> err.txt
[ "$(wc -l < r.csv)" = 17 ] && awk -F, '{ if (!n) n = NF; if (NF != n) exit 1 }' r.csv
says csv_has_a_row_for_each $? "$(cat r.csv)"
cp r.txt before.txt
"$DTRAK" page a.db --query all --method pixel-cos --out page.html > out.txt 2> err.txt
grep -q '<dt>LDS</dt><dd>-\{0,1\}[0-9.]*.*over 6 retrained networks' page.html && grep -q '<dt>LDS of this query</dt><dd>-\{0,1\}[0-9.]*</dd>' page.html
says a_page_says_what_was_measured $? "$(cat err.txt; grep LDS page.html | cut -c1-200)"
cp a.db kept.db && "$DTRAK" lds kept.db --report > r.txt 2> err.txt && "$DTRAK" slim kept.db slim.db --query val:0-1,gen:all > out.txt 2>> err.txt
says a_copy_with_fewer_queries_is_made $? "$(cat err.txt)"
"$DTRAK" lds slim.db --report > s.txt 2> err.txt
says its_report_works $? "$(cat err.txt)"
line() { sed -n "/^$2:/,/^gen:/s/^  $3  *\([-0-9.]*\).* 100%  t 10  k 128  lambda auto.*/\1/p" "$1" | head -n 1; }
equal what_was_measured_of_all_queries_stays "$(line s.txt val D-TRAK)" "$(line r.txt val D-TRAK)"
sed -n '/^val:/,/^gen:/p' s.txt | grep -q 'as measured when the scores of all 4 queries were here:'
says and_it_says_so $? "$(cat s.txt)"
sed -n '/^gen:/,$p' r.txt > r-gen.txt && sed -n '/^gen:/,$p' s.txt > s-gen.txt
same_file the_split_that_stays_whole_is_judged_as_before s-gen.txt r-gen.txt
"$DTRAK" lds slim.db --report --json > s.json 2> err.txt
equal json_has_what_was_measured_before "$("$json" splits.0.measured_before.# < s.json) $("$json" splits.0.rows.# < s.json)" "8 0"
exits a_query_that_was_measured_stays 1 "gen:1 stays: retrained networks were measured on gen:0-3" drop kept.db --query gen:1-2 --yes
cp kept.db first.db
holds the_last_ones_can_go "$DTRAK" drop first.db --query gen:2-3 --yes
"$DTRAK" lds first.db --report > f.txt 2> err.txt
says the_report_of_the_first_ones_works $? "$(cat err.txt)"
sed -n '/^gen:/,$p' f.txt > f-gen.txt
[ "$(grep -c '^  D-TRAK ' f-gen.txt)" = 1 ] && grep -q 'as measured when the scores of all 4 queries were here:' f-gen.txt
says it_has_what_was_measured_of_all $? "$(cat f-gen.txt)"
equal with_the_same_numbers "$(line f-gen.txt gen D-TRAK)" "$(line r-gen.txt gen D-TRAK)"
equal rankings_of_those_that_stay_are_the_same "$("$DTRAK" rank first.db --query gen:1 --method dtrak --csv | cksum)" "$("$DTRAK" rank kept.db --query gen:1 --method dtrak --csv | cksum)"
holds the_database_of_the_first_ones_is_clean "$DTRAK" check first.db
"$DTRAK" drop slim.db --rows --method trak --yes > out.txt 2> err.txt
says scores_can_go_without_their_lds $? "$(cat err.txt)"
equal it_says_which "$(sed -n '$s/ score sets.*//p' out.txt)" 12
"$DTRAK" lds slim.db --report > t.txt 2> err.txt
says the_report_still_works $? "$(cat err.txt)"
equal and_has_what_was_measured "$(line t.txt val D-TRAK)" "$(line r.txt val D-TRAK)"
exits a_ranking_is_not_there_any_more 1 "no scores of D-TRAK" rank slim.db --query gen:0 --method dtrak --lambda 10
grep -q '; differences are paired$' r.txt && grep -q ' - reference ' r.txt && ! grep -q 'paired\|- reference' t.txt
says differences_are_promised_where_there_are_any $? "$(cat t.txt)"
"$DTRAK" lds slim.db --report --reference dtrak > t.txt 2> err.txt
grep -q '^  no differences from D-TRAK of val items: they take scores of all 4, which nothing has here$' t.txt &&
    grep -q '^  no differences from D-TRAK of gen items: it has no scores of all 4 any more; these have: \(Pixel cos, Random\|Random, Pixel cos\)$' t.txt
says why_there_are_none_is_said $? "$(cat t.txt err.txt)"
"$DTRAK" lds slim.db --report --reference dtrak --json > s.json 2> err.txt
equal programs_are_told_too "$("$json" compared_with < s.json) $("$json" splits.1.differences < s.json) $(grep -c '^dtrak: no differences from D-TRAK of ' err.txt)" "trak:square 0 2"
"$DTRAK" lds slim.db --report --reference pixel-cos > t.txt 2> err.txt
grep -q '; differences are paired$' t.txt && grep -q 'no differences from Pixel cos of val' t.txt && ! grep -q 'no differences .* of gen' t.txt && grep -q '^  Random .*[0-9] *[-+][0-9.]* ' t.txt
says each_split_for_itself $? "$(cat t.txt err.txt)"
exits a_reference_that_is_not_measured_is_wrong_usage 2 "no measured scores of das:avg to compare with; there are those of: " lds slim.db --report --reference das
grep -q ' trak:simple' err.txt && grep -q ' trak:square' err.txt && grep -q ' pixel-cos' err.txt && [ "$(grep -o trak:simple err.txt | wc -l)" = 1 ]
says it_names_those_that_are_once $? "$(cat err.txt)"
holds a_database_of_measurements_is_clean "$DTRAK" check slim.db
"$DTRAK" lds slim.db --report --json > s.json 2> err.txt
equal csv_too "$("$DTRAK" lds slim.db --report --csv 2> err.txt | grep -c '^val,')" 8
"$DTRAK" score a.db --method emp-influence,datamodel > out.txt 2> err.txt
says scores_are_made_of_the_retrained_networks $? "$(cat err.txt)"
"$DTRAK" info a.db > info.txt
"$DTRAK" score a.db --method emp-influence,datamodel > out.txt 2> err.txt && "$DTRAK" info a.db | cmp -s - info.txt
says once_is_enough $? "$(cat err.txt)"
grep -q 'score: nothing to do' err.txt
says and_costs_nothing $? "$(cat err.txt)"
"$DTRAK" lds a.db --report > r.txt 2> err.txt
[ "$(grep -c '^  Datamodel .*made of one half of the subsets, judged on the other' r.txt)" = 2 ] &&
    [ "$(grep -c '^  Empirical influence .*made of one half' r.txt)" = 2 ]
says they_are_judged_on_subsets_they_are_not_made_of $? "$(cat r.txt err.txt)"
[ "$("$DTRAK" lds a.db --report --json | grep -o '"halves": true' | wc -l)" = 4 ]
says json_says_so_too $?
"$DTRAK" rank a.db --query gen:1 --method datamodel > out.txt 2> err.txt && grep -q 'Datamodel' out.txt
says they_rank $? "$(cat out.txt err.txt)"
cp base.db five.db
"$DTRAK" lds five.db --subsets 5 --timesteps 10 --steps 5 > out.txt 2>&1
"$DTRAK" score five.db --method emp-influence > out.txt 2> err.txt
"$DTRAK" lds five.db --report > r5.txt 2> err.txt; grep -q 'left out: score set .* takes 6 of them' r5.txt
says five_subsets_are_too_few_to_judge_them $? "$(cat r5.txt err.txt)"
"$DTRAK" lds a.db --report > before.txt 2> err.txt
cp a.db two.db
"$DTRAK" lds two.db --subsets 6 --only 0 --timesteps 10 --steps 5 > out.txt 2> err.txt && "$DTRAK" lds two.db --report > two.txt 2>> err.txt &&
    grep -v 'of other protocols' two.txt | cmp -s - before.txt && grep -q '^1 network of other protocols' two.txt
says one_network_of_another_protocol_hides_no_study $? "$(diff before.txt two.txt; cat err.txt)"
cp a.db other.db
"$DTRAK" drop other.db --query gen:2-3 --yes > out.txt 2> err.txt && "$DTRAK" sample other.db --count 4 --steps 10 --seed 50 >> out.txt 2>> err.txt
"$DTRAK" lds other.db --report > other.txt 2>> err.txt && grep -q 'the losses are of other gen items' other.txt && [ "$(line other.txt val D-TRAK)" = "$(line before.txt val D-TRAK)" ]
says losses_are_not_taken_for_those_of_other_items $? "$(cat other.txt err.txt)"
"$DTRAK" lds other.db --report --json > other.json && "$DTRAK" lds other.db --report --csv > other.csv 2>> err.txt
splits=$(for i in $(seq 0 $(($("$json" splits.# < other.json) - 1))); do
    echo "$("$json" splits.$i.split < other.json) $("$json" splits.$i.of_other_items < other.json)"; done | sort | tr '\n' ' ')
equal json_says_it_too "$splits" "gen true val false "
equal so_does_csv "$(awk -F, 'NR > 1 { print $1, $NF }' other.csv | sort -u | tr '\n' ' ')" "gen 1 val 0 "
exits nor_are_scores_made_of_them 1 "losses are of other gen items" score other.db --method emp-influence --split gen
exits nothing_retrained_is_no_ground_for_scores 1 "dtrak lds does that" score base.db --method emp-influence
exits two_subsets_make_no_datamodel 1 "2 subsets are done, expected at least 3" score few.db --method datamodel
"$DTRAK" lds a.db --report > before.txt 2> err.txt
chmod a-w a.db && "$DTRAK" lds a.db --report 2> err.txt | cmp -s - before.txt
says a_database_that_cannot_be_written_gives_the_same $? "$(cat err.txt)"
chmod u+w a.db
says info_counts_what_was_retrained "$([ "$("$DTRAK" info a.db --json | "$json" retrained.done)" = 8 ] && "$DTRAK" info a.db | grep -q '8 networks; LDS of 20 score sets' && echo 0 || echo 1)" "$("$DTRAK" info a.db | grep retrained)"
holds the_measured_database_is_clean "$DTRAK" check a.db
"$DTRAK" lds a.db --report --reference pixel-cos --json > other.json 2> err.txt
says another_reference_can_be_named $? "$(cat err.txt)"
pixel=$(sed -n 's/.*"score_set": \([0-9]*\), "name": "Pixel cos".*/\1/p' other.json | head -n 1)
[ -n "$pixel" ] && [ "$(grep -c "\"reference\": $pixel," other.json)" = 9 ]
says every_other_row_is_compared_with_it $? "$(grep -c "\"reference\": $pixel," other.json)"
exits a_reference_must_be_a_method 2 "no method" lds a.db --report --reference magic
exits json_belongs_to_the_report 2 "--report" lds a.db --json
cp base.db nan.db
"$DTRAK" lds nan.db --subsets 4 --timesteps 10 --steps 5 --lr 10 --batch 4 > out.txt 2> err.txt
says an_absurd_learning_rate_ends_well $? "$(cat err.txt)"
mv plain.db a.db

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
exits queries_beyond_the_end_are_refused 2 "there is no val:9: " lds a.db --queries val:0-9
exits same_takes_two_words 2 "neither epochs nor steps" lds a.db --same years
exits merging_what_is_not_there_is_refused 1 "no such file" merge a.db not-there.db
"$DTRAK" merge a.db e.db > out.txt 2> err.txt
grep -q 'of 0 retrainings added' out.txt && grep -q '8 were here' out.txt
says merging_what_is_here_adds_nothing $? "$(cat out.txt err.txt)"
# --- other options begin anew, and that is said ---
"$DTRAK" lds a.db --subsets 6 --timesteps 10 --steps 121 --dry-run > out.txt 2> err.txt
says what_other_options_made_is_said "$(grep -q '^8 networks are here that were retrained with other options: .* 121/120 (now/then)$' out.txt && echo 0 || echo 1)" "$(cat out.txt err.txt)"
lds a.db --dry-run > out.txt 2> err.txt
says but_not_where_they_are_used "$(grep -q 'other options' out.txt && echo 1 || echo 0)" "$(cat out.txt)"

# --- one query at one timestep: what cannot be said is not said ---
cp base.db lone.db
"$DTRAK" score lone.db --method pixel-cos --split gen 2> err.txt && "$DTRAK" drop lone.db --query gen:1-3 --yes > out.txt 2> err.txt &&
    "$DTRAK" lds lone.db --subsets 5 --second-seed 5 --timesteps 1 --steps 20 --queries gen:0 > out.txt 2> err.txt &&
    "$DTRAK" lds lone.db --report > out.txt 2> err.txt
says one_query_is_measured $? "$(cat out.txt err.txt)"
says centred_is_not "$(grep -q 'Pixel cos .* -$' out.txt && ! grep -q 'centred 0.00' out.txt && echo 0 || echo 1)" "$(cat out.txt)"
says nor_how_well_one_timestep_stands_for_others "$(grep -q 'losses at these timesteps' out.txt && echo 1 || echo 0)" "$(cat out.txt)"
finish
