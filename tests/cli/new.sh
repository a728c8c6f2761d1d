#!/bin/sh
# dtrak new: every source, the choice of items, and files that are not what they claim.
. "$(dirname "$0")/../lib/tap.inc"


"$data" idx idx 60 && "$data" cifar cifar 100 && "$data" strips strips 100 && "$data" folder folder 12
says the_data_sets_are_drawn $?
gzip -k idx/images.idx idx/labels.idx

# --- IDX ---
holds new_from_idx "$DTRAK" new idx.db --idx idx/images.idx idx/labels.idx --classes 0,1 --per-class 12 --held-out 5 --patch 2
equal train_items_are_counted "$(value idx.db splits.train)" 24
equal held_out_items_are_counted "$(value idx.db splits.val)" 5
equal nothing_is_generated_yet "$(value idx.db splits.gen)" 0
equal the_two_classes_are_kept "$(value idx.db labels.#)" 2
equal each_class_has_its_share "$(value idx.db labels.1.train)" 12
equal held_out_is_shared_out "$(value idx.db labels.0.val)" 3
equal small_grey_images_are_padded "$(value idx.db project.width)" 32
equal grey_stays_one_channel "$(value idx.db project.channels)" 1
equal the_patch_is_kept "$(value idx.db project.patch)" 2
"$DTRAK" check idx.db > out.txt 2>&1
says the_new_database_is_clean $? "$(cat out.txt)"
equal one_file_is_left "$(ls -d idx.db* | wc -l | tr -d ' ')" 1

holds new_from_gzip "$DTRAK" new gz.db --idx idx/images.idx.gz idx/labels.idx.gz --classes 0,1 --per-class 12 --held-out 5 --patch 2
pictures() { "$DTRAK" sheet "$1" --split train --out "$1.png" --force && cksum < "$1.png"; }
equal gzip_gives_the_same_items "$(pictures gz.db)" "$(pictures idx.db)"
"$DTRAK" new seed.db --idx idx/images.idx idx/labels.idx --classes 0,1 --per-class 12 --held-out 5 --patch 2 --seed 1 2> err.txt
[ "$(pictures seed.db)" != "$(pictures idx.db)" ]
says another_seed_gives_other_items $?
holds held_out_from_a_test_pair "$DTRAK" new pair.db --idx idx/images.idx idx/labels.idx \
    --test-idx idx/images.idx idx/labels.idx --held-out 9
equal all_training_items_are_kept_then "$(value pair.db splits.train)" 60

# --- colour ---
holds new_from_cifar "$DTRAK" new cifar.db --cifar cifar --classes 1,7 --held-out 4
holds new_from_strips "$DTRAK" new strips.db --strips strips --classes 1,7 --held-out 4
equal cifar_is_colour "$(value cifar.db project.channels)" 3
equal cifar_items_are_counted "$(value cifar.db splits.train)" 20
equal held_out_comes_from_the_test_batch "$(value cifar.db splits.val)" 4
equal strips_and_cifar_hold_the_same_pictures "$(pictures strips.db)" "$(pictures cifar.db)"
"$DTRAK" view strips.db --size 80x24 --graphics none --dump shown.txt 2> err.txt && grep -q '\[val:0 ' shown.txt && grep -q '\[val:3 ' shown.txt
says they_reach_the_screen $? "$(cat err.txt shown.txt)"

# --- a folder ---
"$DTRAK" new folder.db --images folder --size 16 --classes ring 2> err.txt
says new_from_a_folder $? "$(cat err.txt)"
equal the_class_is_a_sub_folder "$(value folder.db labels.0.name)" ring
equal its_images_are_counted "$(value folder.db splits.train)" 6
equal its_images_are_resized "$(value folder.db project.width)" 16
"$DTRAK" info folder.db | grep -q catmull-rom
says the_filter_is_stated $?

grep -q 'left out' err.txt
says nothing_is_left_out_then "$([ $? = 1 ] && echo 0 || echo 1)" "$(cat err.txt)"
cp -r folder linked && mv linked/bar elsewhere && ln -s ../elsewhere linked/bar && cp linked/ring/0.png linked/ring/x.bmp && : > linked/.hidden
"$DTRAK" new linked.db --images linked --size 16 > out.txt 2> err.txt
says a_folder_with_other_things_works $? "$(cat err.txt)"
grep -q '^dtrak: linked: 2 entries are left out, the first bar: PNG and JPEG files are taken, and links to folders are not followed$' err.txt
says what_is_left_out_is_said $? "$(cat err.txt)"

# --- what it refuses; each leaves nothing ---
refuses() {
    name=$1 status=$2 text=$3
    shift 3
    exits "$name" "$status" "$text" new bad.db "$@"
    nothing_left bad.db "${name}_and_leaves_nothing"
}
refuses a_file_that_is_not_there 1 "idx/nothing" --idx idx/nothing idx/labels.idx
refuses images_that_are_labels 1 "idx/labels.idx" --idx idx/labels.idx idx/labels.idx
refuses labels_that_are_images 1 "idx/images.idx" --idx idx/images.idx idx/images.idx
head -c 2000 idx/images.idx > short.idx
refuses a_short_file 1 "short.idx" --idx short.idx idx/labels.idx
head -c 500 idx/images.idx.gz > short.gz
refuses a_short_gzip_file 1 "short.gz" --idx short.gz idx/labels.idx
(cat idx/images.idx; echo more) > long.idx
refuses a_file_with_bytes_to_spare 1 "long.idx" --idx long.idx idx/labels.idx
printf '\0\0\10\3\377\377\377\377\377\377\377\377\377\377\377\377' > huge.idx
refuses a_header_that_promises_too_much 1 "huge.idx" --idx huge.idx idx/labels.idx
: > empty.idx
refuses an_empty_file 1 "empty.idx" --idx empty.idx idx/labels.idx
refuses a_directory_as_a_file 1 "idx" --idx idx idx/labels.idx
"$data" idx other 30
refuses labels_of_another_set 1 "30" --idx idx/images.idx other/labels.idx
refuses a_class_that_is_not_there 2 "'77'" --idx idx/images.idx idx/labels.idx --classes 77
refuses an_empty_list_of_classes 2 "class" --idx idx/images.idx idx/labels.idx --classes ,
refuses more_items_than_there_are 1 "20 training images, 21" --idx idx/images.idx idx/labels.idx --per-class 21
refuses more_held_out_than_there_are 1 "to hold out" --idx idx/images.idx idx/labels.idx --per-class 20 --held-out 3
refuses two_sources 2 "only one" --idx idx/images.idx idx/labels.idx --cifar cifar
refuses no_source 2 "where do the images come from"
refuses a_directory_without_batches 1 "data_batch_1.bin" --cifar idx
mkdir cut && head -c 5000 cifar/data_batch_1.bin > cut/data_batch_1.bin
refuses a_cut_batch 1 "cut/data_batch_1.bin" --cifar cut
mkdir torn && cp strips/* torn/ && head -c 3000 strips/data_batch_1.png > torn/data_batch_1.png
refuses a_torn_strip 1 "torn/data_batch_1.png" --strips torn
mkdir fewer && cp strips/* fewer/ && echo '[1,2,3]' > fewer/train_lables.json
refuses fewer_labels_than_pictures 1 "fewer/" --strips fewer
mkdir lie && cp strips/* lie/ && echo '{"a":' > lie/train_lables.json
refuses labels_that_are_no_json 1 "lie/train_lables.json" --strips lie
refuses a_folder_without_pictures 1 "idx" --images idx
mkdir -p broken/x && head -c 100 folder/ring/0.png > broken/x/0.png
refuses a_broken_picture 1 "0.png" --images broken
refuses a_name_that_is_too_short_a_size 2 "--size" --images folder --size 2
exits a_place_that_is_not_there 1 "nowhere" new nowhere/x.db --cifar cifar

cksum idx.db > before
exits an_existing_file_is_refused 1 "idx.db" new idx.db --cifar cifar
cksum idx.db | cmp -s - before
says an_existing_file_is_left_as_it_was $?

# Killed in the middle: no database under its name.
"$DTRAK" new killed.db --cifar cifar & pid=$!
kill -9 $pid 2> /dev/null
wait $pid 2> /dev/null
[ ! -e killed.db ] || "$DTRAK" check killed.db > /dev/null
says a_killed_new_leaves_a_whole_file_or_none $?
finish
