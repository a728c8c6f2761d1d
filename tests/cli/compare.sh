#!/bin/sh
# dtrak compare on the demo database: the three forms agree with each other and with dtrak rank.
. "$(dirname "$0")/../lib/tap.inc"
db=$root/assets/demo.db
"$DTRAK" compare "$db" --query gen:3 --top 5 > text 2> err
says compare_prints_two_rankings $? "$(cat err)"
"$DTRAK" rank "$db" --query gen:3 --method dtrak --top 5 --bottom 0 --csv > rank.csv
"$DTRAK" rank "$db" --query gen:3 --method trak --top 5 --bottom 0 --csv > rank-a.csv
"$DTRAK" compare "$db" --query gen:3 --top 5 --csv > compare.csv
sed -n 's/^proponent,\([0-9]*\),\(train:[0-9]*\),.*/\2,\1/p' rank.csv | sort > want
awk -F, 'NR > 1 && $5 <= 5 { print $1 "," $5 }' compare.csv | sort > got
same_file its_right_side_is_the_ranking_of_b got want
sed -n 's/^proponent,\([0-9]*\),\(train:[0-9]*\),.*/\2,\1/p' rank-a.csv | sort > want
awk -F, 'NR > 1 && $3 <= 5 { print $1 "," $3 }' compare.csv | sort > got
same_file its_left_side_is_the_ranking_of_a got want
twice=$(awk -F, 'NR > 1 { print $1 }' compare.csv | sort | uniq -d)
says no_item_has_two_lines "$([ -z "$twice" ] && echo 0 || echo 1)" "$twice"
"$DTRAK" compare "$db" --query gen:3 --a dtrak --b dtrak --top 2 > same
grep -q '@10 1.00  @50 1.00  @100 1.00' same && grep -q 'Spearman +1.000  Kendall +1.000  rank-biased overlap 1.000' same
says a_setting_agrees_with_itself $? "$(cat same)"
"$DTRAK" compare "$db" --query gen:3 --top 5 --json > json && got=$("$OUT/cli/json" a.places.0.item < json)
[ "$got" = "$(sed -n 2p rank-a.csv | cut -d, -f3)" ]
says json_names_the_same_first_item $? "$(cat json)"
equal json_has_each_sides_setting "$(for key in k timesteps lambda_spec; do "$json" a.$key < json; done | tr '\n' ' ')" \
    "$(for key in k timesteps lambda_spec; do "$DTRAK" rank "$db" --query gen:3 --method trak --json | "$json" $key; done | tr '\n' ' ')"
for bad in '--query gen:3 --a nothing' '--query gen:3 --b dtrak,what=1' '--query gen:999' '--a trak' '--query gen:3 --json --csv'; do
    # shellcheck disable=SC2086
    "$DTRAK" compare "$db" $bad > out 2> err
    says "exit_status_2_for_$(echo "$bad" | tr -c 'a-z0-9\n' _)" "$([ $? = 2 ] && echo 0 || echo 1)" "$(cat err)"
done
"$DTRAK" compare "$db" --query gen:3 --a grad-dot,loss=elbo > out 2> err
[ $? = 1 ] && grep -q 'make them with' err
says what_is_not_computed_is_said $? "$(cat err)"
# --- one training item: nothing to correlate, nothing next to it ---
"$data" idx d 20
{ "$DTRAK" new one.db --idx d/images.idx d/labels.idx --classes 0 --per-class 1 --held-out 1 --size 8 &&
    "$DTRAK" import-model one.db "$root/tests/models/plain" && "$DTRAK" features one.db --loss simple,square --dims 64 --timesteps 10 &&
    "$DTRAK" score one.db --method trak,grad-dot --loss simple,square --split val --self; } > out 2> err
says one_training_item_is_scored $? "$(tail -n 3 err)"
"$DTRAK" compare one.db --query val:0 --a trak --b grad-dot > text && grep -q '^agree     Spearman -  Kendall -  rank-biased overlap 1.000' text
says a_single_item_has_no_correlation $? "$(cat text)"
"$DTRAK" compare one.db --query val:0 --a trak --b grad-dot --json > json
equal nor_in_json "$("$OUT/cli/json" spearman < json) $("$OUT/cli/json" kendall < json) $("$OUT/cli/json" rbo < json)" "null null 1"
"$DTRAK" view one.db --read-only --fresh --size 100x30 --graphics none --query val:0 --keys 3 --dump - > screen.txt 2> err
grep -qF 'Spearman -  Kendall -' screen.txt
says nor_on_the_screen $? "$(cat screen.txt err)"
"$DTRAK" self one.db > text 2> err && grep -q '^ .*  1  train:0 ' text && ! grep -q Spearman text
says its_self_influence_is_listed $? "$(cat text err)"
finish
