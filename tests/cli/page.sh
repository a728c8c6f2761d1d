#!/bin/sh
# dtrak page: the page says what dtrak rank says, needs nothing else, and hurts no file.
. "$(dirname "$0")/../lib/tap.inc"
db=$root/assets/demo.db

"$DTRAK" page "$db" --query gen:0,gen:3-4,gen:3,val:1 --method dtrak --top 3 --bottom 2 --out four.html > out.txt 2> err.txt
[ $? = 0 ] && grep -q '^4 queries in [0-9]* kB: four.html$' out.txt
says a_page_is_written $? "$(cat out.txt err.txt)"
grep -o '<h2>[a-z]*:[0-9]*' four.html | cut -c5- | tr '\n' ' ' > got
[ "$(cat got)" = "gen:0 gen:3 gen:4 val:1 " ]
says each_query_is_there_once_in_order $? "$(cat got)"
# A picture per query twice (index and section) and per place once.
[ "$(grep -o '<img ' four.html | wc -l)" = $((4 * (2 + 5))) ]
says every_picture_is_there $?
"$DTRAK" rank "$db" --query gen:3 --method dtrak --top 3 --bottom 2 --csv | sed 1d | awk -F, '{ printf "%d %+.4g %s %s\n", $2, $5, $3, $4 }' > want
sed -n '/<section id="gen-3"/,/<\/section>/p' four.html | sed -n 's/.*<\/div>\([0-9]*\) <b class="[a-z]*">\([^<]*\)<\/b><br>\(train:[0-9]*\)<br><small>\(.*\)<\/small>.*/\1 \2 \3 \4/p' > got
cmp -s want got && [ "$(wc -l < got)" = 5 ]
says its_places_are_those_of_rank $? "$(diff want got)"
# The picture of the first place is the training item's.
sed -n '/<section id="gen-3"/,/<\/section>/p' four.html | grep '^<li>' | sed -n '1s/.*base64,\([^"]*\)".*/\1/p' | base64 -d > place.png 2> err.txt
[ "$(head -c 4 place.png | tail -c 3)" = PNG ] && [ "$(tail -c 8 place.png | head -c 4)" = IEND ]
says a_place_is_a_whole_png $? "$(cat err.txt)"
widest=$(grep -o 'width:[0-9.]*%"' four.html | sort -u | sed 's/width:\(.*\)%"/\1/' | sort -n | tail -n 1)
[ "$widest" = 50.0 ]
says the_largest_bar_is_half_of_its_box $? "$widest"
! grep -qi '<script\|<link\|<iframe\|https\?:\|url(\|@import\| on[a-z]*=' four.html &&
    [ "$(grep -o ' src="[^"]\{15\}' four.html | sort -u)" = ' src="data:image/png;' ]
says it_needs_no_network_and_no_script $? "$(grep -o ' src="[^"]\{15\}' four.html | sort -u)"
grep -q 'viewport' four.html && grep -q '<dd>D-TRAK (method trak, loss square)</dd>' four.html && grep -q 'From demo.db (' four.html &&
    grep -q '<dd>3 generated images</dd>' four.html && grep -q '<dd>1 held-out image</dd>' four.html &&
    grep -q '<dt>lambda</dt>' four.html && grep -q '<dd>k 4096, [0-9]* timesteps</dd>' four.html && grep -q '<dt>LDS</dt>' four.html &&
    grep -q 'step 4800 (100% of the training)' four.html && ! grep -qF "$root" four.html
says it_says_where_it_comes_from_without_our_folders $?

cp four.html before
exits a_file_that_exists_stays 1 "exists already" page "$db" --query gen:1 --out four.html
cmp -s four.html before
says and_is_untouched $?
ln -s nowhere dangling
exits so_does_a_link_to_nothing 1 "exists already" page "$db" --query gen:1 --out dangling
"$DTRAK" page "$db" --query gen:1 --out four.html --force > out.txt 2> err.txt && ! cmp -s four.html before
says force_replaces_it $? "$(cat err.txt)"
mkdir folder
exits a_folder_is_refused 1 "folder" page "$db" --query gen:1 --out folder --force
exits a_query_is_needed 2 "--query" page "$db" --out x.html
exits a_file_is_needed 2 "--out" page "$db" --query gen:1
exits a_query_that_is_none_is_named 2 "'gen:x'" page "$db" --query gen:0,gen:x --out x.html
exits a_span_that_falls_is_named 2 "'gen:4-2'" page "$db" --query gen:4-2 --out x.html
exits a_training_item_is_no_query 2 "train:3" page "$db" --query train:3 --out x.html
exits an_item_that_is_not_there_is_named 2 "gen:999" page "$db" --query gen:999 --out x.html
exits what_is_not_computed_is_said 1 "make them with" page "$db" --query all --method grad-dot --lambda 0.3 --loss l1 --checkpoint 480 --timesteps 20 --out x.html
exits a_folder_that_is_not_there_is_said 1 "nothing/x.html" page "$db" --query gen:1 --out nothing/x.html
nothing_left x.html nothing_is_left_of_a_page_that_failed
nothing_left four.html. no_temporary_file_is_left
"$DTRAK" page "$db" --query all --method dtrak --top 1 --out all.html > out.txt 2> err.txt
[ $? = 0 ] && [ "$(grep -c '<section' all.html)" = 144 ] && grep -q '^144 queries' out.txt
says all_means_every_query_of_both_splits $? "$(cat out.txt err.txt)"

# Labels from a stranger.
mkdir -p "pictures/a<b>&\"c'" && "$OUT/cli/data" folder drawn 12 && cp drawn/ring/*.png "pictures/a<b>&\"c'/" &&
    "$DTRAK" new "wild<i>.db" --images pictures --held-out 2 --size 16 --name '<script>alert(1)</script>' > out.txt 2>&1 &&
    "$DTRAK" score "wild<i>.db" --method pixel-cos > out.txt 2>&1 &&
    "$DTRAK" page "wild<i>.db" --query all --method pixel-cos --out wild.html > out.txt 2>&1
says a_page_of_wild_labels_is_written $? "$(cat out.txt)"
! grep -q "<script\|a<b\|c'\|\"c\|<i>[.]" wild.html && grep -qF '&#60;script&#62;alert(1)&#60;/script&#62;' wild.html &&
    grep -qF 'a&#60;b&#62;&#38;&#34;c&#39;' wild.html
says text_of_the_database_is_escaped $? "$(grep -n 'script\|c&' wild.html | cut -c1-200)"
finish
