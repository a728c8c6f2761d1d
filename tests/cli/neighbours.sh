#!/bin/sh
# dtrak neighbours: by pixels, features and an embedding, the same that the numbers say.
. "$(dirname "$0")/../lib/tap.inc"
demo=$root/assets/demo.db

"$data" idx d 60
"$DTRAK" new a.db --idx d/images.idx d/labels.idx --classes 0,1 --per-class 15 --held-out 6 --size 8 2> err.txt
"$arrays" npy train.npy 30 16 11 && "$arrays" npy val.npy 6 16 12
for split in train val; do
    "$DTRAK" import a.db $split.npy --from npy --features --split $split --loss l2 --checkpoint 900 --timesteps 100 > out.txt 2> err.txt &&
        "$DTRAK" add a.db --embedding $split.npy --split $split > out.txt 2> err.txt
    says "features_and_an_embedding_of_${split}_are_there" $? "$(cat err.txt)"
done
# Rows of 16 float32 after a head of 128 bytes; cosines with row ROW of FILE, best first.
rows() { tail -c +129 "$1" | od -An -v -tf4 -w64; }
cosines() {   # FILE ROW SKIP
    { rows "$1" | sed -n "$(($2 + 1))p"; rows train.npy; } | awk -v skip="$3" '
        NR == 1 { for (i = 1; i <= 16; i++) { q[i] = $i; a += $i * $i } next }
        NR - 2 != skip { d = 0; b = 0; for (i = 1; i <= 16; i++) { d += q[i] * $i; b += $i * $i }
                         printf "train:%d %.4f\n", NR - 2, d / sqrt(a * b) }' | sort -k2,2 -g -r | head -n 5
}
got() { "$DTRAK" neighbours a.db "$@" --top 5 --csv 2> err.txt | sed 1d | awk -F, '{ printf "%s %.4f\n", $2, $4 }'; }
equal features_of_a_held_out_item "$(got --item val:2 --by features)" "$(cosines val.npy 2 -1)"
equal features_of_a_training_item_without_itself "$(got --item train:7 --by features --loss l2)" "$(cosines train.npy 7 7)"
equal an_embedding "$(got --item val:5 --by embedding)" "$(cosines val.npy 5 -1)"
equal json_says_the_same "$("$DTRAK" neighbours a.db --item val:2 --by features --json | "$json" neighbours.0.item)" "$(cosines val.npy 2 -1 | head -n 1 | cut -d' ' -f1)"
"$DTRAK" neighbours a.db --item val:2 --by features > out.txt 2> err.txt
grep -q '^by  *features, cosine: features of train, loss l2, checkpoint 900, k 16, 100 timesteps' out.txt && [ "$(grep -c '^ .*train:' out.txt)" = 10 ]
says text_says_which_features $? "$(cat out.txt err.txt)"
"$DTRAK" neighbours "$demo" --item gen:3 --top 3 --csv | sed 1d > pixels.csv
[ "$(wc -l < pixels.csv)" = 3 ] && [ "$(cut -d, -f4 pixels.csv | sort -c -g && echo sorted)" = sorted ]
says pixels_are_ordered_by_distance $? "$(cat pixels.csv)"
"$DTRAK" neighbours "$demo" --item train:300 --by features --loss square --top 3 > out.txt 2> err.txt
[ $? = 0 ] && [ "$(grep -c '^ .*train:' out.txt)" = 3 ]
says a_kernel_stands_for_dropped_features $? "$(cat out.txt err.txt)"
"$data" idx e 12
"$DTRAK" new copies.db --idx e/images.idx e/labels.idx --per-class 2 --held-out 2 --size 8 2> err.txt
odd=$(printf 'r\033[31md')
mkdir -p "odd/$odd" odd/plain && "$DTRAK" sheet a.db --split val --count 1 --out "odd/$odd/0.png" > out.txt 2> err.txt && cp "odd/$odd/0.png" odd/plain/1.png &&
    "$DTRAK" new odd.db --images odd --size 8 > out.txt 2> err.txt
for item in 0 1; do "$DTRAK" neighbours odd.db --item train:$item --csv; done > odd.csv 2>> err.txt
grep -Fq 'r\x1b[31md' odd.csv && ! grep -q "$(printf '\033')" odd.csv
says a_label_sends_nothing_to_a_terminal $? "$(cat odd.csv err.txt)"
exits an_item_that_is_not_there_is_said 2 "there is no train:99" neighbours a.db --item train:99
exits an_embedding_is_of_embeddings 2 "--by embedding" neighbours a.db --item train:1 --embedding clip
exits a_loss_is_of_features 2 "--by features" neighbours a.db --item train:1 --loss l1
exits an_item_is_needed 2 "--item" neighbours a.db
exits a_measure_that_is_none_is_named 2 "--by 'taste'" neighbours a.db --item train:1 --by taste
exits features_that_are_not_there_are_said 1 "make them with: dtrak features a.db --loss avg" neighbours a.db --item train:1 --by features --loss avg
exits an_embedding_that_is_not_there_is_said 1 "dtrak add copies.db --embedding FILE.npy --split train" neighbours copies.db --item train:1 --by embedding
exits json_and_csv_exclude_each_other 2 "not both" neighbours a.db --item train:1 --json --csv
finish
