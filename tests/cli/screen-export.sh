#!/bin/sh
# The e key: what a screen lists, as files; the same bytes as the commands write.
. "$(dirname "$0")/../lib/tap.inc"

look() { "$DTRAK" view world.db --graphics none --size 120x30 --keys "$1" --dump screen.txt --force < /dev/null 2> err.txt; }
writes() { look "$2"; [ -s "$3" ]; says "$1" $? "$(tail -n 1 screen.txt; cat err.txt)"; }
says_below() { tail -n 1 screen.txt | grep -qF -- "$2"; says "$1" $? "$(tail -n 1 screen.txt)"; }

"$OUT/screens/world" world.db
says a_database_is_made $?

look "2 e"
says_below a_name_is_suggested "write to: world-gen0-d-trak.csv"
says_below with_the_other_forms "Tab .csv .json .npy .png .html"
look "2 e tab tab tab tab tab"
says_below tab_goes_through_them "world-gen0-d-trak.csv"

writes the_ranking_as_csv "2 e enter" world-gen0-d-trak.csv
"$DTRAK" rank world.db --query gen:0 --method dtrak --top 120 --bottom 0 --csv > want.csv
same_file is_that_of_rank world-gen0-d-trak.csv want.csv
cp world-gen0-d-trak.csv kept.csv
look "2 . , e @type:world-gen0-d-trak.csv enter"
says_below a_file_that_is_there_is_not_replaced "is there already"
same_file and_stays world-gen0-d-trak.csv kept.csv
look "2 e"
says_below the_next_name_suggested_is_free "world-gen0-d-trak-2.csv"

writes as_json "2 e @type:r.json enter" r.json
"$DTRAK" rank world.db --query gen:0 --method dtrak --top 120 --bottom 0 --json > want.json
same_file is_that_of_rank_too r.json want.json
for form in csv json; do
    writes "error_bars_as_$form" "2 F F e @type:bars.$form enter" "bars.$form"
    "$DTRAK" rank world.db --query gen:0 --method trak --top 120 --bottom 0 --$form > want.$form
    grep -q 'rank_high' want.$form
    says "rank_has_error_bars_in_$form" $? "$(head -c 300 want.$form)"
    same_file "and_the_file_has_them_in_$form" bars.$form want.$form
done
writes as_a_picture "2 e @type:r.png enter" r.png
"$DTRAK" rank world.db --query gen:0 --method dtrak --sheet want.png > /dev/null
same_file is_the_sheet_of_rank r.png want.png
writes as_a_page "2 e @type:r.html enter" r.html
"$DTRAK" page world.db --query gen:0 --method dtrak --out want.html > /dev/null
# but for the second in which it was made
for page in want r; do sed 's/20[0-9-]*T[0-9:]*Z/then/' $page.html > $page.timeless; done
same_file is_that_of_page r.timeless want.timeless
writes as_an_array "2 e @type:r.npy enter" r.npy
says of_a_float_per_training_item "$([ "$(wc -c < r.npy)" = $((128 + 480)) ] && echo 0 || echo 1)" "$(wc -c < r.npy)"
writes what_the_filter_lets_through "2 & @type:label:boot enter e @type:boots.csv enter" boots.csv
says and_nothing_else "$(tail -n +2 boots.csv | grep -cv 'ankle boot')" "$(cat boots.csv)"
writes a_lambda_that_is_not_stored "2 ] @idle e @type:live.json enter" live.json
says with_its_own_value "$([ "$("$json" lambda < live.json)" = 0.1 ] && echo 0 || echo 1)" "$(head -c 200 live.json)"

"$DTRAK" view world.db --graphics none --size 160x50 --keys 2 --dump screen.txt --force < /dev/null
"$DTRAK" rank world.db --query gen:0 --method dtrak > want.txt
shares() { grep -o '[a-z ]*[0-9]*% ([0-9]*%)' "$1" | sed 's/^ *//' | head -n 2 | tr '\n' ';'; }
says the_shares_of_labels_are_those_of_rank "$([ -n "$(shares want.txt)" ] && [ "$(shares screen.txt)" = "$(shares want.txt)" ] && echo 0 || echo 1)" \
    "$(shares screen.txt) $(shares want.txt)"
share=$("$json" labels.first.0.share < want.json)
says in_json_too "$(awk -v s="$share" 'BEGIN { printf "%.0f%% (", 100 * s }' | grep -qF -f - want.txt && echo 0 || echo 1)" "$share $(cat want.txt)"

writes both_sides "3 e @type:c.csv enter" c.csv
"$DTRAK" compare world.db --query gen:0 --a trak --b dtrak --top 120 --csv > want.csv 2> err.txt
same_file as_compare_prints_them c.csv want.csv
"$DTRAK" compare world.db --query gen:0 --a trak --b dtrak --top 120 --json > want.json 2> err.txt
for side in "" tab; do   # whichever side has the keys
    writes "both_with_a_filter_on_the_ranking${side:+_and_$side}" "2 & @type:label:boot enter 3 $side e @type:f$side.csv enter" "f$side.csv"
    same_file "all_items_as_before${side:+_and_$side}" "f$side.csv" want.csv
    writes "as_json_too${side:+_and_$side}" "2 & @type:label:boot enter 3 $side e @type:f$side.json enter" "f$side.json"
    same_file "the_same_places${side:+_and_$side}" "f$side.json" want.json
done
writes both_as_a_picture "3 e @type:c.png enter" c.png
"$DTRAK" self world.db --csv --top 120 > want.csv 2> err.txt    # makes the neighbours, too
writes self_influence "4 e @type:s.csv enter" s.csv
same_file as_self_prints_it s.csv want.csv
"$DTRAK" self world.db --csv --sort label --top 120 > want.csv
says labels_in_order "$(tail -n +2 want.csv | cut -d, -f3 | sort -u | wc -l | grep -q 2 && tail -n +2 want.csv | cut -d, -f3 | uniq | wc -l | grep -q '^2$' && echo 0 || echo 1)" "$(head -n 3 want.csv)"
writes self_influence_by_label "4 s s s e @type:l.csv enter" l.csv
same_file in_the_order_of_the_command l.csv want.csv
look "2 ] ] 7 @idle e"
says_below a_lambda_is_in_the_name "write to: world-overall-d-trak-lambda-0.2.csv"
writes overall "7 @idle e @type:o.json enter" o.json
says with_three_numbers_each "$("$json" items.0.mean_absolute_score < o.json | grep -q . && echo 0 || echo 1)" "$(head -c 300 o.json)"
writes the_queries_of_a_training_item "2 R @idle e @type:q.csv enter" q.csv
says all_forty "$([ "$(wc -l < q.csv)" = 41 ] && echo 0 || echo 1)" "$(head -n 3 q.csv)"
writes the_gallery "e @type:g.png enter" g.png
writes the_gallery_as_a_page "e @type:g.html enter" g.html
says of_every_item "$([ "$(grep -o 'id="gen-[0-9]*"\|>gen:[0-9]*<' g.html | sort -u | wc -l)" -ge 40 ] && echo 0 || echo 1)" "$(head -c 300 g.html)"
writes the_marked_ones "2 space l space 8 e @type:m.json enter" m.json
says two_of_them "$("$json" items.1.item < m.json | grep -q train && echo 0 || echo 1)" "$(cat m.json)"

look "3 e @type:x.npy enter"
says_below a_form_that_a_screen_lacks_is_refused "one of .csv .json .png"
look "2 e @type:x enter"
says_below an_ending_is_needed "the ending says what is written"
look "2 e @type:nowhere/x.csv enter"
says_below a_folder_that_is_not_there_is_said "nowhere/x.csv"
look "2 f e"
says_below without_scores_there_is_nothing "nothing here to write"
says and_nothing_half_written "$(ls x* nowhere* 2> /dev/null | wc -l)"
finish
