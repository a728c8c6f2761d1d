#!/bin/sh
# make install and uninstall in a directory of their own; the layers; the manual page.
. "$(dirname "$0")/../lib/tap.inc"

in_root() { make -s -C "$root" OUT="$OUT" PREFIX=/opt/x DESTDIR="$WORK/dest" "$@" > make.txt 2>&1 < /dev/null; }
# Only what is there already is installed: nothing is compiled by a test.
in_root install -o "$OUT/dtrak"
says install_works $? "$(cat make.txt)"
[ -x dest/opt/x/bin/dtrak ] && [ -s dest/opt/x/share/man/man1/dtrak.1 ]
says program_and_manual_are_installed $? "$(find dest)"
[ -s dest/opt/x/share/man/man5/dtrak-formats.5 ] && [ -s dest/opt/x/share/bash-completion/completions/dtrak ] &&
    [ -s dest/opt/x/share/zsh/site-functions/_dtrak ]
says formats_and_completions_are_too $? "$(find dest)"
dest/opt/x/bin/dtrak --version > out.txt 2>&1
says the_installed_program_runs $? "$(cat out.txt)"
in_root uninstall
says uninstall_works $? "$(cat make.txt)"
left=$(find dest -type f -o -type l)
says uninstall_leaves_nothing "$([ -z "$left" ] && echo 0 || echo 1)" "$left"

"$root/tests/layers.sh" --self-test
failures=$((failures + $?))
"$root/tests/layers.sh" > out.txt 2>&1
says the_arrows_run_downwards $? "$(cat out.txt)"

for page in "$root"/man/*.[15]; do
    name=$(basename "$page" | tr . _ | tr - _)
    if command -v man > /dev/null 2>&1 && man --version > /dev/null 2>&1 && command -v groff > /dev/null 2>&1; then
        said=$(MANROFFSEQ='' MANWIDTH=90 LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l "$page" 2>&1 > /dev/null)
        says "no_warnings_in_${name}" "$([ -z "$said" ] && echo 0 || echo 1)" "$said"
    elif command -v mandoc > /dev/null 2>&1; then
        said=$(mandoc -T lint -W warning "$page" 2>&1)
        says "no_warnings_in_${name}" "$([ -z "$said" ] && echo 0 || echo 1)" "$said"
    else
        skip "no_warnings_in_${name}" "neither man nor mandoc is here"
    fi
done
# Its keys are the program's.
sed -n '/^\.\\" keys/,/^\.\\" end of keys/p' "$root/man/dtrak.1" | sed '1d;$d' > manual.txt
"$OUT/cli/keys" > keys.txt && [ -s keys.txt ] && cmp -s keys.txt manual.txt
says the_manual_has_the_keys_of_the_program $? "make bless writes them: $(diff manual.txt keys.txt)"

# The tables of config fields are the program's.
for table in network scheduler; do
    sed -n "/^\.\\\\\" $table fields/,/^\.\\\\\" end of $table fields/p" "$root/man/dtrak-model.5" | sed '1d;$d' > manual.txt
    "$OUT/cli/fields" $table > fields.txt && [ -s fields.txt ] && cmp -s fields.txt manual.txt
    says "the_manual_has_the_${table}_fields_of_the_program" $? "make bless writes them: $(diff manual.txt fields.txt)"
done

# The manual page names every command and every option that there is.
commands > commands.txt
sed 's/\\-/-/g' "$root/man/dtrak.1" > page.txt
missing=
while read -r c; do
    grep -q "^\.SS $c\\b\|^\.B dtrak $c\\b" page.txt || missing="$missing $c"
    for option in $("$DTRAK" "$c" --help | sed -n 's/^  --\([a-z0-9-]*\).*/\1/p'); do
        sed -n "/^\.SS $c\\b/,/^\.S[SH] /p" page.txt | grep -q -e "--$option\\b" || missing="$missing $c:--$option"
    done
done < commands.txt
says the_manual_names_every_command_and_option "$([ -z "$missing" ] && echo 0 || echo 1)" "missing:$missing"
finish
