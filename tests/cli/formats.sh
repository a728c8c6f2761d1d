#!/bin/sh
# The example of dtrak-formats(5): its dtrak commands, word for word, on arrays written here.
. "$(dirname "$0")/../lib/tap.inc"
page=$root/man/dtrak-formats.5

# 12 pictures in two folders as the example writes them, three more as generated ones.
"$data" folder drawn 18 && mkdir -p train/000 train/001 gen
n=0
for i in 0 2 4 6 8 10; do cp drawn/ring/$i.png train/000/"$(printf %06d $n).png" && n=$((n + 1)); done
for i in 1 3 5 7 9 11; do cp drawn/bar/$i.png train/001/"$(printf %06d $n).png" && n=$((n + 1)); done
cp drawn/ring/12.png gen/0.png && cp drawn/bar/13.png gen/1.png && cp drawn/ring/12.png gen/2.png
"$arrays" npy scores.npy 3 12 1 && "$arrays" npy phi.npy 12 8 2 && "$arrays" npy psi.npy 3 8 3
says arrays_and_pictures_are_there $?
sed -n '/^\.EX/,/^\.EE/s/^dtrak(\(.*\))$/\1/p' "$page" | sed 's/", "/ /g; s/"//g; s/\\-/-/g' > commands.txt
[ "$(wc -l < commands.txt)" = 6 ] && grep -q '^new my.db' commands.txt
says the_example_has_its_commands $? "$(cat commands.txt)"
while read -r words; do
    # The pictures are 40x36 here; the example's are square.
    case $words in new*) words="$words --size 32" ;; esac
    "$DTRAK" $words > out.txt 2> err.txt
    says "dtrak_$(echo "$words" | cut -d' ' -f1,3 | tr -c 'a-z0-9\n' _)_works" $? "$words: $(cat err.txt)"
done < commands.txt
best=$("$arrays" best 3 12 1 2 1 | cut -d' ' -f1)
[ "$("$DTRAK" rank my.db --query gen:2 --method dtrak --json | "$json" proponents.0.item)" = "$best" ]
says the_ranking_is_that_of_the_scores $? "$("$DTRAK" rank my.db --query gen:2 --method dtrak)"
holds the_features_were_scored "$DTRAK" rank my.db --query gen:0 --method trak
[ "$("$DTRAK" info my.db --json | "$json" splits.gen)" = 3 ]
says every_generated_picture_is_an_item $?
holds the_database_is_whole "$DTRAK" check my.db
# What the page says of dtrak.json is what is there.
"$DTRAK" export my.db --npy arrays > out.txt 2> err.txt
missing=
for field in $(tr ',{[' '\n\n\n' < arrays/dtrak.json | sed -n 's/^ *"\([a-z_0-9]*\)":.*/\1/p' | sort -u); do
    grep -qw -e "$(echo "$field" | sed 's/-/\\\\-/g')" "$page" || missing="$missing $field"
done
says the_page_names_every_field "$([ -z "$missing" ] && echo 0 || echo 1)" "missing:$missing"
finish
