#!/bin/sh
# dtrak completion: bash and zsh learn every command and option that --help has.
. "$(dirname "$0")/../lib/tap.inc"

"$DTRAK" completion bash > dtrak.bash 2> err.txt && "$DTRAK" completion zsh > _dtrak 2> err.txt
says both_are_written $? "$(cat err.txt)"
commands > commands.txt
if command -v bash > /dev/null 2>&1; then
    # What is offered for "dtrak WORD...", a word a line.
    offered() { bash -c '. ./dtrak.bash; COMP_WORDS=(dtrak "$@"); COMP_CWORD=$#; _dtrak; printf "%s\n" "${COMPREPLY[@]}"' bash "$@" 2>> err.txt; }
    : > err.txt
    missing=
    offered "" > got.txt
    while read -r c; do
        grep -qx -e "$c" got.txt || missing="$missing $c"
        offered "$c" x.db -- > opts.txt
        for option in $("$DTRAK" "$c" --help | sed -n 's/^  --\([a-z0-9-]*\).*/\1/p'); do
            grep -qx -e "--$option" opts.txt || missing="$missing $c:--$option"
        done
    done < commands.txt
    says bash_knows_every_command_and_option "$([ -z "$missing" ] && echo 0 || echo 1)" "missing:$missing"
    [ "$(offered ra)" = rank ] && [ "$(offered rank x.db --met)" = --method ]
    says the_beginning_of_a_word_is_enough $?
    [ "$(offered score x.db --loss sq)" = square ] && [ "$(offered score x.db --loss simple,sq)" = simple,square ]
    says values_are_offered_in_lists_too $? "$(offered score x.db --loss simple,sq)"
    [ "$(offered score x.db --lambda g)" = grid ] && [ -z "$(offered rank x.db --lambda g)" ] &&
        [ "$(offered rank x.db --checkpoint a)" = all ] && [ -z "$(offered sample x.db --checkpoint a)" ]
    says a_sweep_and_an_ensemble_are_offered_where_they_are_taken $?
    touch one.db two.txt
    [ "$(offered o)" = one.db ] && [ "$(offered rank on)" = one.db ] && [ "$(offered page one.db --out tw)" = two.txt ]
    says files_are_offered_where_files_go $? "$(offered o; offered page one.db --out tw)"
    [ -z "$(offered rank x.db --top 1)" ]
    says nothing_is_offered_for_a_number $?
    [ ! -s err.txt ]
    says bash_does_not_complain $? "$(cat err.txt)"
else
    skip bash_knows_every_command_and_option "bash is not here"
fi
if command -v zsh > /dev/null 2>&1; then
    zsh -n _dtrak > err.txt 2>&1
    says zsh_reads_its_file $? "$(cat err.txt)"
else
    skip zsh_reads_its_file "zsh is not here"
fi
missing=
while read -r c; do
    grep -q "^        '$c:" _dtrak || missing="$missing $c"
    sed -n "/^    $c)\$/,/;;\$/p" _dtrak > one.txt
    for option in $("$DTRAK" "$c" --help | sed -n 's/^  --\([a-z0-9-]*\).*/\1/p'); do
        grep -q "^            '--$option\\[" one.txt || missing="$missing $c:--$option"
    done
done < commands.txt
says zsh_is_told_every_command_and_option "$([ -z "$missing" ] && echo 0 || echo 1)" "missing:$missing"
"$DTRAK" --help | grep -q completion
says it_is_not_among_the_commands $((1 - $?))
exits another_shell_is_refused 2 "neither bash nor zsh" completion fish
exits a_shell_must_be_named 2 "needs bash|zsh" completion
finish
