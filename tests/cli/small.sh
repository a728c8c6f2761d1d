#!/bin/sh
# The whole way, small: new, train, sample, features, score, rank, on pictures drawn here with a
# tiny network.  The same again with kill -9 and SIGTERM in between must give the same bytes, and
# the ranking must be what tests/cli/features.c gets from the stored features by elimination.
. "$(dirname "$0")/../lib/tap.inc"
features=$OUT/cli/features

make_db() { "$DTRAK" new "$1" --idx d/images.idx d/labels.idx --classes 0,1 --per-class 24 --held-out 4 --patch 2 2> /dev/null; }
train() { "$DTRAK" train "$1" --width 8,16 --steps 300 --batch 8 --seed 3 --save-every 0.1 --threads 1; }
compute() { "$DTRAK" features "$1" --loss simple,square --timesteps 10 --dims 256 --threads 1; }
weights() { for i in 0 1 2 3; do value "$1" checkpoints.$i.sha256; done; }

"$data" idx d 90
says the_pictures_are_drawn $?

# --- without a kill ---
make_db a.db && train a.db > out.txt 2> err.txt
says train_works $? "$(tail -n 3 err.txt)"
[ ! -s out.txt ] && grep -q '^train 100%' err.txt && ! grep -q "$(printf '\r')" err.txt
says progress_is_plain_lines_without_a_terminal $? "$(cat err.txt)"
equal four_checkpoints_are_kept "$(value a.db checkpoints.#)" 4
equal they_stand_at_the_stated_steps "$(for i in 0 1 2 3; do value a.db checkpoints.$i.step; done | tr '\n' ' ')" "30 75 150 300 "
train a.db > out.txt 2> err.txt
says a_finished_training_is_finished $? "$(tail -n 3 err.txt)"
equal and_adds_no_checkpoint "$(value a.db checkpoints.#)" 4
holds sample_works "$DTRAK" sample a.db --count 6 --steps 10 --threads 1
equal six_are_generated "$(value a.db splits.gen)" 6
holds features_work compute a.db
holds scores_work "$DTRAK" score a.db --method trak,grad-dot,grad-cos,pixel-cos --loss simple,square --self
holds the_database_is_clean "$DTRAK" check a.db
equal one_file_is_left "$(ls -d a.db* | tr '\n' ' ')" "a.db "

# --- killed ---
# Kills the command with the signal as soon as the database holds bytes of that kind.
kill_when() {   # SIGNAL DB KIND COMMAND...
    by=$1 of=$2 kind=$3 killed=yes
    shift 3
    ends_early "$by" "$of" has_bytes "$@" || killed=no
}
has_bytes() { size=$(value "$of" "sizes.$kind" 2> /dev/null) && [ "${size:-0}" -gt 0 ]; }
train_exec() { exec "$DTRAK" train "$1" --width 8,16 --steps 300 --batch 8 --seed 3 --save-every 0.1 --threads 1; }
compute_exec() { exec "$DTRAK" features "$1" --loss simple,square --timesteps 10 --dims 256 --threads 1; }

make_db b.db
kill_when KILL b.db train_state train_exec b.db
equal training_is_killed_in_the_middle "$killed" yes
holds after_the_kill_the_database_is_clean "$DTRAK" check b.db
train b.db > out.txt 2> err.txt
says training_goes_on_after_a_kill $? "$(tail -n 3 err.txt)"
equal with_the_same_weights_as_without "$(weights b.db)" "$(weights a.db)"
"$DTRAK" sample b.db --count 6 --steps 10 --threads 1 2> err.txt
kill_when KILL b.db features compute_exec b.db
equal features_are_killed_in_the_middle "$killed" yes
holds after_that_kill_too_the_database_is_clean "$DTRAK" check b.db
holds features_go_on_after_a_kill compute b.db
equal with_the_same_features_as_without "$("$features" hash b.db | sort)" "$("$features" hash a.db | sort)"
holds and_the_database_is_clean "$DTRAK" check b.db

make_db c.db
kill_when TERM c.db train_state train_exec c.db
equal training_is_stopped_by_sigterm "$killed" yes
equal it_ends_with_status_1 "$status" 1
equal with_one_line_of_reason "$(grep -c '^dtrak: stopped' err.txt)" 1
equal one_file_is_left_after_sigterm "$(ls -d c.db* | tr '\n' ' ')" "c.db "
holds training_goes_on_after_sigterm train c.db
equal with_the_same_weights_again "$(weights c.db)" "$(weights a.db)"
"$DTRAK" sample c.db --count 3 --seed 1 --steps 10 --threads 2 2> err.txt
"$DTRAK" sheet a.db --first 1 --count 3 --out a3.png && "$DTRAK" sheet c.db --count 3 --out c3.png
# The captions differ (gen:1 and gen:0); the pictures do not: ranking by pixels sees them alike.
"$DTRAK" score c.db --method pixel-cos 2> err.txt
"$DTRAK" rank c.db --query gen:0 --method pixel-cos --csv > one.txt && "$DTRAK" rank a.db --query gen:1 --method pixel-cos --csv > two.txt
same_file an_item_is_the_same_generated_alone one.txt two.txt

# --- rank ---
same_ranking() {   # NAME QUERY LOSS: dtrak rank against elimination
    "$DTRAK" rank a.db --query "$2" --method trak --loss "$3" --top 10 --bottom 10 --csv > mine.csv 2> err.txt &&
        "$features" rank a.db "$2" "$3" > other.csv 2>> err.txt &&
        paste -d, mine.csv other.csv | awk -F, '
            NR == 1 { next }
            NR == 2 { size = $5 < 0 ? -$5 : $5 }
            { d = $5 - $10; if (d < 0) d = -d
              if ($1 != $6 || $2 != $7 || $3 != $8 || d > 1e-4 * size) { print "rank says " $0; bad = 1 } }
            END { if (NR != 21) { print NR " lines"; bad = 1 } exit bad }' >> err.txt
    says "$1" $? "$(cat err.txt)"
}
same_ranking trak_of_gen_0_is_what_elimination_gives gen:0 simple
same_ranking d_trak_of_gen_0_is_what_elimination_gives gen:0 square
same_ranking trak_of_gen_5_is_what_elimination_gives gen:5 simple
same_ranking d_trak_of_val_3_is_what_elimination_gives val:3 square

"$DTRAK" rank a.db --query gen:2 --method dtrak --top 4 --bottom 2 --json > r.json 2> err.txt
says rank_prints_json $? "$(cat err.txt)"
equal json_names_the_query "$("$json" query < r.json)" gen:2
equal the_alias_is_printed_as_the_method "$("$json" method < r.json)" trak
equal and_as_the_loss "$("$json" loss < r.json)" square
equal json_names_the_step "$("$json" checkpoint < r.json)" 300
equal json_has_the_proponents "$("$json" proponents.# < r.json)" 4
equal json_has_the_opponents "$("$json" opponents.# < r.json)" 2
equal ranks_start_at_one "$("$json" proponents.0.rank < r.json)" 1
"$DTRAK" rank a.db --query gen:2 --method dtrak --checkpoint 100% --lambda auto --top 4 --bottom 2 --csv > r.csv
equal csv_and_json_agree "$("$json" proponents.3.item < r.json),$("$json" opponents.1.item < r.json)" \
    "$(awk -F, 'NR == 5 { a = $3 } NR == 7 { print a "," $3 }' r.csv)"
"$DTRAK" rank a.db --query gen:2 --method dtrak --top 4 --bottom 2 > r.txt
grep -q 'D-TRAK' r.txt && grep -q "$("$json" proponents.3.item < r.json)" r.txt && [ "$(grep -c ' train:' r.txt)" = 6 ]
says the_text_names_them_too $? "$(cat r.txt)"
"$DTRAK" rank a.db --query gen:2 --method pixel-cos --top 1000 --bottom 0 --csv > all.csv
equal a_top_beyond_the_end_is_everything "$(awk -F, 'NR > 1 { print $3 }' all.csv | sort -u | wc -l | tr -d ' ')" 48
awk -F, 'NR > 2 && $5 > last { exit 1 } { last = $5 }' all.csv
says scores_descend $?
"$DTRAK" rank a.db --query gen:2 --method dtrak --sheet r.png > /dev/null && [ "$(head -c 4 r.png | tail -c 3)" = PNG ]
says a_ranking_is_drawn $?
# What is drawn replaces nothing by itself, and is not called what it is not.
cp r.png kept.png
exits a_sheet_that_is_there_stays 1 "exists already" rank a.db --query gen:3 --method dtrak --sheet r.png
[ ! -s out.txt ]
says and_it_is_said_before_the_ranking $?
exits a_split_replaces_no_picture 1 "exists already" sheet a.db --out r.png
same_file it_is_as_it_was r.png kept.png
holds force_draws_over_it "$DTRAK" rank a.db --query gen:3 --method dtrak --sheet r.png --force
! cmp -s r.png kept.png
says which_is_another_picture_then $?
holds force_draws_a_split_over_it "$DTRAK" sheet a.db --out r.png --force
exits force_needs_a_sheet 2 "--force belongs to --sheet" rank a.db --query gen:3 --force
exits a_picture_is_not_called_a_text 2 "README.txt: a PNG picture is written, and the name says .txt; let it end with .png" rank a.db --query gen:3 --sheet README.txt
exits nor_another_kind_of_picture 2 "the name says .JPG" sheet a.db --out x.JPG
exits nor_a_page 2 "an HTML page is written" page a.db --query gen:3 --method dtrak --out x.png
exits nor_a_table 2 "CSV is written" export a.db --csv x.json --query gen:3 --method dtrak
"$DTRAK" sheet a.db --out /dev/stdout > stdout.png 2> err.txt && head -c 4 stdout.png | grep -q PNG
says the_shells_own_file_is_written_to $? "$(cat err.txt)"
exits what_belongs_to_a_database_is_not_replaced 1 "a part of the database" sheet a.db --out a.db-wal --force
mkdir there && exits a_folder_is_no_picture 1 "is a directory" sheet a.db --out there --force
"$DTRAK" sheet a.db --out /dev/stdout 2> err.txt | head -c 4 | grep -q PNG
says a_pipe_is_written_to $? "$(cat err.txt)"
holds what_has_no_ending_is_the_users_own "$DTRAK" sheet a.db --out plain.sheet

exits an_item_beyond_the_end_is_wrong_usage 2 "the last one is gen:5" rank a.db --query gen:6 --method dtrak
exits a_training_item_is_no_query 2 "train:0" rank a.db --query train:0 --method dtrak
exits an_alias_with_another_loss_is_wrong_usage 2 "square" rank a.db --query gen:0 --method dtrak --loss avg
exits an_unknown_method_in_rank_is_wrong_usage 2 "magic" rank a.db --query gen:0 --method magic
exits a_checkpoint_that_is_not_there_is_named 1 "77" rank a.db --query gen:0 --checkpoint 77
exits a_ranking_is_of_one_checkpoint 2 "one checkpoint" rank a.db --query gen:0 --checkpoint all

# A setting that is not computed names the commands that compute it, and they do.
exits what_is_not_computed_is_said 1 "make them with: dtrak features a.db" rank a.db --query gen:0 --method trak --loss avg --checkpoint 25%
sed -n 's/.*make them with: //p' err.txt | sed "s#dtrak \\(features\\|score\\)#\"\$DTRAK\" \\1#g" > named.sh
DTRAK=$DTRAK sh -e named.sh > out.txt 2>&1
says the_commands_that_are_named_run $? "$(cat named.sh out.txt)"
holds and_make_what_was_asked_for "$DTRAK" rank a.db --query gen:0 --method trak --loss avg --checkpoint 25%
exits so_it_does_of_other_dimensions 1 "--dims 96 && dtrak score a.db --method trak" rank a.db --query gen:0 --dims 96
exits another_lambda_is_not_substituted 1 "--lambda 0.2" rank a.db --query gen:0 --method trak --lambda 0.2
cp a.db bars.db
"$DTRAK" info bars.db --json > info.json
exits error_bars_need_blocks 1 "in blocks; make them with: dtrak features bars.db --loss square" score bars.db --method dtrak --errors
exits error_bars_are_of_trak 2 "--errors is for trak" score bars.db --method grad-cos --errors
make=$("$DTRAK" score bars.db --method dtrak --errors 2>&1 | sed -n 's/.*make them with: dtrak //p')
"$DTRAK" $make > out.txt 2> err.txt && "$DTRAK" score bars.db --method dtrak --errors > out.txt 2> err.txt
says the_advised_command_makes_them_possible $? "$make: $(cat err.txt)"
"$DTRAK" rank bars.db --query gen:1 --method dtrak > r.txt 2> err.txt && grep -q '^error bars  [0-9]* blocks of features' r.txt && grep -q 'P(top 10)  rank 5-95%' r.txt
says a_ranking_shows_them $? "$(cat r.txt err.txt)"
"$DTRAK" rank bars.db --query gen:1 --method dtrak --json > r.json 2> err.txt
se=$("$json" proponents.0.se < r.json); low=$("$json" proponents.0.rank_low < r.json); high=$("$json" proponents.0.rank_high < r.json)
awk -v se="$se" -v low="$low" -v high="$high" 'BEGIN { exit !(se > 0 && low >= 1 && high >= low && high <= 48) }'
says json_has_them $? "$se $low $high"
"$DTRAK" rank bars.db --query gen:1 --method dtrak --csv | awk -F, 'NR == 1 { n = NF } NF != n { bad = 1 } END { exit bad || n != 10 }'
says csv_has_them $?
"$DTRAK" slim bars.db bars-slim.db 2> err.txt && "$DTRAK" rank bars-slim.db --query gen:1 --method dtrak --json 2>> err.txt | cmp -s - r.json
says a_slim_copy_shows_the_same $? "$(cat err.txt)"
[ "$("$DTRAK" info bars.db --json | "$json" error_bars)" = 2 ] && "$DTRAK" info bars.db | grep -q '^error bars  of 2 score sets$'
says info_counts_them $? "$("$DTRAK" info bars.db)"
cp a.db seeds.db
for seed in 1 2 3 4 5 6 7 8 9; do "$DTRAK" features seeds.db --loss square --timesteps 10 --dims 256 --projection-seed $seed || echo "seed $seed"; done > out.txt 2> err.txt
"$DTRAK" score seeds.db --method dtrak --errors > out.txt 2>> err.txt && "$DTRAK" rank seeds.db --query gen:1 --method dtrak > r.txt 2>> err.txt && grep -q '^error bars  [0-9]* projections' r.txt
says error_bars_of_many_projections $? "$(tail -n 3 r.txt err.txt)"
cp bars.db dropped.db
"$DTRAK" drop dropped.db --errors --split gen --yes > out.txt 2> err.txt && equal error_bars_can_go "$("$DTRAK" info dropped.db --json | "$json" error_bars)" 1
"$DTRAK" rank dropped.db --query gen:1 --method dtrak > r.txt 2>> err.txt && ! grep -q '^error bars' r.txt
says and_the_scores_stay $? "$(cat out.txt r.txt err.txt)"
holds a_database_with_error_bars_is_clean "$DTRAK" check bars.db
"$DTRAK" score bars.db --method dtrak --errors --dry-run > out.txt 2> err.txt && grep -q 'nothing to do' out.txt
says once_is_enough_for_error_bars $? "$(cat out.txt err.txt)"
"$DTRAK" nda-map a.db --query gen:1 --item train:2 --at 100,500 --out map.png --json > map.json 2> err.txt
says heat_maps_are_made $? "$(cat err.txt)"
exits maps_that_are_there_stay 1 "exists already" nda-map a.db --query gen:1 --item train:2 --at 100 --out map.png
[ "$(head -c 4 map.png | tail -c 3)" = PNG ] && [ "$("$json" query_map.31.# < map.json)" = 32 ] && [ "$("$json" item_map.# < map.json)" = 32 ]
says as_a_picture_and_as_numbers $? "$(head -c 300 map.json)"
exits a_query_of_heat_maps_is_no_training_item 2 "gen or val" nda-map a.db --query train:1 --item train:2 --json
exits heat_maps_need_a_place 2 "add --out" nda-map a.db --query gen:1 --item train:2
exits heat_maps_are_of_a_training_item 2 "not a training item" nda-map a.db --query gen:1 --item gen:2 --json
exits heat_maps_need_a_training_item_that_is_there 2 "the last one is train:" nda-map a.db --query gen:1 --item train:999 --json
exits journey_needs_features_along_the_path 1 "dtrak features a.db --journey --loss simple" score a.db --method journey
exits a_path_has_its_own_timesteps 2 "at the steps they were sampled in" features a.db --journey --timesteps 5
cp a.db path.db
"$DTRAK" features path.db --journey --dims 256 --dry-run > out.txt 2> err.txt && grep -q 'FLOP, about' out.txt
says features_along_the_path_say_what_they_cost $? "$(cat out.txt err.txt)"
"$DTRAK" features path.db --journey --dims 256 > out.txt 2> err.txt &&
    "$DTRAK" score path.db --method journey > out.txt 2> err.txt &&
    "$DTRAK" rank path.db --query gen:1 --method journey > r.txt 2> err.txt && grep -q 'Journey TRAK' r.txt
says journey_ranks $? "$(cat out.txt err.txt r.txt)"
holds the_database_with_paths_is_clean "$DTRAK" check path.db
holds a_stated_lambda_is_scored "$DTRAK" score a.db --method trak --lambda 0.2
"$DTRAK" rank a.db --query gen:0 --method trak --lambda 0.2 --json > r.json 2> err.txt
equal and_ranked "$("$json" lambda < r.json)" 0.2

# --- gradient ---
npy() {   # FILE SHAPE BYTES: an array of zeros
    { printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': ($2), }"; head -c "$3" /dev/zero; } > "$1"
}
holds gradient_works "$DTRAK" gradient a.db --item train:5 --loss square,simple --timesteps 100,500 --out g.safetensors
tr -d '\000' < g.safetensors | head -c 20000 | grep -q '"simple/conv_in.weight"' && grep -q '"checkpoint":"'"$(value a.db checkpoints.3.sha256)" g.safetensors
says the_file_names_parameters_and_checkpoint $?
exits a_gradient_that_is_there_stays 1 "exists already" gradient a.db --item train:5 --timesteps 100 --out g.safetensors
npy zeros.npy "2, 4, 16, 16" 8192
holds gradient_takes_noise "$DTRAK" gradient a.db --item train:5 --timesteps 100,500 --noise zeros.npy --out z.safetensors
npy other.npy "1, 4, 16, 16" 4096
exits noise_of_another_shape_says_found_and_expected 1 "noise of 1 x 4 x 16 x 16, expected 2 x 4 x 16 x 16" gradient a.db --item train:5 --timesteps 100,500 --noise other.npy --out bad.safetensors
exits a_timestep_beyond_the_last_is_named 1 "timestep 1000" gradient a.db --item train:5 --timesteps 1000 --out bad.safetensors
exits an_item_beyond_the_last_is_named 2 "train:48" gradient a.db --item train:48 --timesteps 1 --out bad.safetensors
exits a_gradient_is_of_one_checkpoint 1 "expected one" gradient a.db --item train:5 --timesteps 1 --checkpoint all --out bad.safetensors
holds a_gradient_that_fails_leaves_no_file test ! -e bad.safetensors

# --- cost ---
"$DTRAK" features a.db --loss simple,avg --timesteps 20 --dims 64 --dry-run > cost.txt 2> err.txt
grep -q '^features: .*FLOP, about .* s, .* on disk, .* of memory$' cost.txt && [ ! -s err.txt ]
says a_dry_run_says_the_cost $? "$(cat cost.txt err.txt)"
"$DTRAK" features a.db --loss simple --timesteps 10 --dims 256 --dry-run > cost.txt 2> err.txt
equal what_is_there_costs_nothing "$(cat cost.txt)" "features: nothing to do"

# Said and taken agree within a factor of three, in one of three tries: other work may disturb either.
seconds() { date +%s.%N; }
near=no said=
for try in 1 2 3; do
    work="--split train --timesteps 100 --dims 64 --threads 1 --noise-seed 10$try"
    estimate=$("$DTRAK" features a.db $work --dry-run 2> err.txt | sed -n 's/.*about \([0-9.]*\) s,.*/\1/p')
    before=$(seconds)
    "$DTRAK" features a.db $work 2> err.txt || break
    after=$(seconds)
    said="$said $estimate:$(echo "$after $before" | awk '{ print $1 - $2 }')"
    echo "$estimate $after $before" | awk '{ took = $2 - $3; exit !($1 > 0 && $1 < 3 * took && took < 3 * $1) }' && near=yes && break
done
equal a_cost_is_what_it_then_takes "$near" yes
[ $near = yes ] || echo "# said:took$said"

# A sweep is a score set per lambda; what it will cost is said, and --dry-run stops there.
before=$(value a.db scores.#)
"$DTRAK" score a.db --method trak --lambda grid --dry-run > out.txt 2> err.txt
says what_a_sweep_costs_is_said $? "$(cat err.txt)"
grep -q '^score: .*about .* on disk' out.txt && [ "$(value a.db scores.#)" = "$before" ]
says and_a_dry_run_makes_nothing $? "$(cat out.txt)"
"$DTRAK" score a.db --method trak --lambda grid,auto > out.txt 2> err.txt
says a_sweep_is_scored $? "$(cat err.txt)"
grep -q 'warning: loss simple: at .* of 28 lambdas k 256 is less than 10 times the effective dimension' err.txt
says a_narrow_projection_is_warned_of $? "$(cat err.txt)"
"$DTRAK" score a.db --method trak --lambda grid,auto --dry-run > out.txt 2> err.txt
equal a_sweep_that_is_done_costs_nothing "$(cat out.txt)" "score: nothing to do"
equal every_lambda_has_a_set_for_each_split "$(($(value a.db scores.#) - before))" 52   # 0.2 and auto were there
holds a_basis_is_kept "$DTRAK" basis a.db --loss square
holds and_the_database_with_it_is_clean "$DTRAK" check a.db
"$DTRAK" rank a.db --query gen:0 --lambda 1e-6 --json > r.json 2> err.txt
equal the_warning_is_in_the_json "$("$json" warning < r.json)" "k is less than 10 times the effective dimension"
exits a_lambda_list_with_nonsense_is_wrong_usage 2 "lambda '-1'" score a.db --method trak --lambda grid,-1

# --- info, backup ---
"$DTRAK" info a.db > info.txt 2> err.txt
says info_is_text_too $? "$(cat err.txt)"
"$DTRAK" info a.db --all > all.txt 2> err.txt && [ "$(grep -c '/[0-9]* *simple$' all.txt)" -ge 4 ] && [ "$(wc -l < info.txt)" -lt "$(wc -l < all.txt)" ]
says info_lists_each_set_with_all $? "$(cat all.txt err.txt)"
grep -q 'train 48, .*simple.* square' info.txt
says and_else_those_of_several_losses_together $? "$(cat info.txt)"
equal info_lists_the_losses "$(value a.db losses.#)" 3
equal info_lists_the_methods "$(value a.db methods.#)" 4
holds backup_works "$DTRAK" backup a.db copy.db
holds the_copy_is_clean "$DTRAK" check copy.db
equal the_copy_has_the_features "$("$features" hash copy.db)" "$("$features" hash a.db)"
exits a_backup_does_not_overwrite 1 "copy.db" backup a.db copy.db
holds slim_works "$DTRAK" slim a.db slim.db
holds the_slim_copy_is_clean "$DTRAK" check slim.db
"$DTRAK" rank a.db --query gen:0 --method trak --lambda 0.2 --json > r.json 2> err.txt
"$DTRAK" rank slim.db --query gen:0 --method trak --lambda 0.2 --json > slim.json 2> err.txt
same_file the_slim_copy_has_the_scores slim.json r.json
holds the_slim_copy_is_smaller test "$(wc -c < slim.db)" -lt "$(wc -c < copy.db)"
exits slim_does_not_overwrite 1 "slim.db" slim a.db slim.db
exits a_sheet_of_nothing_is_refused 1 "no gen items" sheet "$(make_db e.db; echo e.db)" --out e.png
exits timesteps_must_divide_the_checkpoints 1 "divisor of the 1000" features a.db --timesteps 7
exits memory_for_no_thread_is_said_with_what_would_do 1 "MB of memory" features a.db --noise-seed 9 --memory 1M
exits features_without_a_checkpoint_name_train 1 "dtrak train" features e.db
exits scores_without_features_name_the_command 1 "dtrak features" score c.db --method dtrak
finish
