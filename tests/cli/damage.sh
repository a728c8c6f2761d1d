#!/bin/sh
# Files that are no database, or one that was damaged: said in words, never a crash.
. "$(dirname "$0")/../lib/tap.inc"

"$data" cifar c 40
"$DTRAK" new good.db --cifar c --held-out 2 2> err.txt
says a_database_is_made $? "$(cat err.txt)"

put() { printf "$2" | dd of="$1" bs=1 seek="$3" conv=notrunc 2> /dev/null; }   # FILE BYTES OFFSET
each_command() {   # CLAIM FILE TEXT: every command that opens the file says TEXT
    claim=$1 file=$2
    for c in info rank sheet train sample features score work view; do
        case $c in
        rank) exits "${claim}_in_$c" 1 "$3" $c "$file" --query gen:0 ;;
        sheet) exits "${claim}_in_$c" 1 "$3" $c "$file" --out x.png ;;
        view) exits "${claim}_in_$c" 1 "$3" $c "$file" --size 80x24 --graphics none --keys q ;;
        *) exits "${claim}_in_$c" 1 "$3" $c "$file" ;;
        esac
    done
}
each_command a_file_that_is_not_there gone.db "gone.db"
echo "This is a letter, not a database. It goes on and on, to be longer than a header of one hundred bytes is." > letter.db
each_command a_text_file letter.db "letter.db"
cksum letter.db > before
exits a_text_file_in_check 1 "letter.db" check letter.db
cksum letter.db | cmp -s - before
says a_text_file_is_left_as_it_is $?
: > empty.db
each_command an_empty_file empty.db "empty.db"
mkdir folder.db
each_command a_directory folder.db "folder.db"
cp good.db foreign.db && put foreign.db '\1\2\3\4' 68
each_command a_database_of_another_program foreign.db "foreign.db"
cp good.db newer.db && put newer.db '\0\0\3\347' 60
each_command a_newer_schema newer.db "999"

head -c 20000 good.db > cut.db
exits a_cut_file_is_found 1 "cut.db" check cut.db
at=$(LC_ALL=C grep -obUa 'IDAT' good.db | sed -n 5p | cut -d: -f1)
cp good.db flipped.db && put flipped.db '\125\252\125\252' $((at + 40))
"$DTRAK" check flipped.db > out.txt 2> err.txt
[ $? = 1 ] && grep -Eq 'train:[0-9]+|val:[0-9]+' out.txt err.txt
says a_flipped_byte_is_found_and_its_row_named $? "$(cat out.txt err.txt)"
holds the_good_one_is_clean "$DTRAK" check good.db
crashed=
for n in 1 2 3 4 5 6 7 8; do   # noise in the structure: an error or nothing, never a crash
    cp good.db noise.db && put noise.db '\377\0\377\17\360' $((n * 3001 + 100))
    for c in info check; do
        "$DTRAK" $c noise.db > out.txt 2> err.txt
        status=$?
        [ $status -le 1 ] || crashed="$crashed noise $n in $c: exit status $status: $(cat err.txt)"
    done
done
says noise_never_crashes "$([ -z "$crashed" ] && echo 0 || echo 1)" "$crashed"

# Another writer holds the file.
exits a_backup_of_nothing 1 "gone.db" backup gone.db out.db
nothing_left out.db a_failed_backup_leaves_nothing
(ulimit -f 20; "$DTRAK" backup good.db out.db) > out.txt 2> err.txt
says a_file_that_may_not_grow_is_said "$([ $? = 1 ] && grep -q 'out.db: SQLite: disk I/O error' err.txt && echo 0 || echo 1)" "$(cat err.txt)"
nothing_left out.db and_leaves_nothing
if [ "$(id -u)" != 0 ]; then
    cp good.db ro.db && chmod 444 ro.db
    exits a_file_that_cannot_be_written_is_said 1 "ro.db" train ro.db --steps 1
    holds but_it_can_be_read "$DTRAK" info ro.db
else
    skip a_file_that_cannot_be_written_is_said "root may write everything"
fi
finish
