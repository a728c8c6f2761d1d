#!/bin/sh
# Help, version, and what a wrong command line gets.
. "$(dirname "$0")/../lib/tap.inc"

"$DTRAK" --help > help.txt 2> err.txt
says help_is_printed_on_stdout "$?" "$(cat err.txt)"
[ "$(commands | wc -l)" -ge 30 ]
says help_names_the_commands $? "$(cat help.txt)"
for c in $(commands); do
    db=DB
    [ "$c" != probe ] || db=
    "$DTRAK" "$c" --help > one.txt 2> err.txt
    status=$?
    [ $status = 0 ] && [ ! -s err.txt ] && grep -q "^usage: dtrak $c $db" one.txt && grep -q '^example' one.txt &&
        grep -q "^  dtrak .*" one.txt && ! grep -q '.\{111,\}' one.txt
    says "help_of_${c}_has_usage_and_an_example" $? "$(cat one.txt err.txt)"
    # Every option in an example exists.
    bad=
    for option in $(sed -n '/^example/,$p' one.txt | grep "dtrak $c " | grep -o -e '--[a-z0-9-]*'); do
        grep -q "^  $option\\b" one.txt || bad="$bad $option"
    done
    says "examples_of_${c}_use_its_options" "$([ -z "$bad" ] && echo 0 || echo 1)" "unknown:$bad"
    # shellcheck disable=SC2086
    exits "${c}_refuses_an_unknown_option" 2 "unknown option --frobnicate" "$c" ${db:+some.db} --frobnicate
    [ "$c" = probe ] || exits "${c}_needs_a_database" 2 "needs DB" "$c"
done
"$DTRAK" --version | grep -Eq '^dtrak [0-9]+\.[0-9]+\.[0-9]+$'
says version_is_printed $?

exits nothing_given_is_wrong_usage 2 "no database and no command"
exits a_word_that_is_nothing_is_wrong_usage 2 "neither a command nor a file" frobnicate
exits a_command_mistyped_is_guessed 2 "'scroe' is neither a command nor a file; did you mean score?" scroe x.db
exits an_option_mistyped_is_guessed 2 "unknown option --timestep for 'dtrak features'; did you mean --timesteps?" features x.db --timestep 5
exits a_method_mistyped_is_guessed 2 "; did you mean dtrak?" score x.db --method dtrk
exits an_option_alone_is_wrong_usage 2 "unknown option --frobnicate" --frobnicate
exits a_short_option_is_wrong_usage 2 "unknown option -x" info some.db -x
exits an_option_without_its_value_is_named 2 "--loss needs a value" features some.db --loss
exits an_option_given_twice_is_named 2 "--seed is given twice" train some.db --seed 1 --seed=2
exits a_flag_with_a_value_is_named 2 "--json takes no value" info some.db --json=yes
exits a_number_that_is_none_is_named 2 "--steps 'many' is not a whole number" train some.db --steps many
exits a_negative_number_is_named 2 "--steps '-3' is not a whole number" train some.db --steps -3
exits a_number_too_large_is_named 2 "--steps '99999999999999999999' is not" train some.db --steps 99999999999999999999
exits a_rate_that_is_nan_is_named 2 "--lr 'nan' is not a number" train some.db --lr nan
exits steps_and_epochs_exclude_each_other 2 "twice" train some.db --steps 3 --epochs 3
exits a_width_of_zero_is_named 2 "--width '0'" train some.db --width 32,0
exits attention_beyond_the_levels_is_named 2 "--attention '3'" train some.db --width 8,8 --attention 3
exits checkpoints_must_rise 2 "--checkpoints '20'" train some.db --checkpoints 50,20,100
exits checkpoints_must_end_at_100 2 "end with 100" train some.db --checkpoints 50
exits an_option_that_no_method_reads_is_named 2 "--patch is for nda; --method trak,pixel-cos does not read it" score some.db --method trak,pixel-cos --patch 3
exits several_checkpoints_are_read 1 "no such file" score none.db --method tracin,gas --loss simple --checkpoint all --timesteps 10 --dims 64
exits a_loss_without_gradients_too 2 "--loss is for methods of gradients; --method nda does not" score some.db --method nda --loss simple
exits an_unknown_loss_is_named 2 "--loss 'huber'" features some.db --loss simple,huber
exits gradient_needs_an_item 2 "--item" gradient some.db --timesteps 5 --out g.st
exits gradient_needs_timesteps 2 "--timesteps" gradient some.db --item train:5 --out g.st
exits gradient_needs_a_file 2 "--out" gradient some.db --item train:5 --timesteps 5
exits a_timestep_is_a_number 2 "half" gradient some.db --item train:5 --timesteps 5,half --out g.st
exits blocks_must_divide_the_pairs 2 "20 pairs" features some.db --timesteps 10 --draws 2 --blocks 3
exits a_timestep_rule_that_is_none_is_named 2 "middle" features some.db --rule middle
exits a_projection_that_is_none_is_named 2 "fourier" features some.db --projection fourier
exits blocks_and_per_timestep_exclude_each_other 2 "blocks 10" features some.db --blocks 2 --per-timestep
exits a_memory_that_is_no_size_is_named 2 "12X" features some.db --memory 12X
exits an_unknown_method_is_named 2 "--method 'magic'" score some.db --method trak,magic
exits a_negative_lambda_is_wrong_usage 2 "lambda" score some.db --lambda -1
exits an_unknown_split_is_named 2 "--split 'test'" features some.db --split test
exits rank_needs_a_query 2 "--query" rank some.db
exits a_query_that_is_no_item_is_named 2 "gen17" rank some.db --query gen17
exits json_and_csv_exclude_each_other 2 "not both" rank some.db --query gen:1 --json --csv
exits a_sheet_needs_a_file 2 "--out" sheet some.db
exits a_size_that_is_none_is_named 2 "--size '120'" view some.db --size 120 --keys q
exits a_third_file_is_too_many 2 "one word too many" backup a.db b.db c.db
exits a_value_that_may_be_left_out_is_written_with_an_equals_sign 2 "--ema is written --ema=0.9" train a.db --ema 0.9
exits a_backup_needs_two_files 2 "needs DB OUT" backup a.db
esc=$(printf '\033')
exits control_bytes_are_escaped 2 'neither a command' "x${esc}[31m"
exits control_bytes_in_a_path_are_escaped 1 '\x1B[31m' info "./x${esc}[31m.db"

"$DTRAK" info --json -- --json > out.txt 2> err.txt
[ $? = 1 ] && grep -q -e '--json' err.txt
says two_dashes_end_the_options $? "$(cat err.txt)"
if [ -e /dev/full ]; then
    "$DTRAK" --help > /dev/full 2> err.txt
    [ $? = 1 ] && grep -q 'standard output' err.txt
    says a_full_disk_is_an_error $? "$(cat err.txt)"
fi
finish
