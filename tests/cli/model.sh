#!/bin/sh
# import-model and export-model: diffusers' folders in and out, and what is refused leaves the database as it was.
. "$(dirname "$0")/../lib/tap.inc"
models=$root/tests/models

make_db() { "$DTRAK" new "$1" --idx d/images.idx d/labels.idx --classes 0,1 --per-class 4 --held-out 2 --size "${2:-8}" 2> /dev/null; }
import() { "$DTRAK" import-model "$@" > out.txt 2> err.txt; }

"$data" idx d 20
make_db a.db

# --- in ---
import a.db "$models/pipeline" --step 8000 --name "from a \"pipeline\""
says a_pipeline_is_imported $? "$(cat err.txt)"
grep -q 'checkpoint 8000, 11621 parameters as F32, 500 timesteps' out.txt
says what_was_imported_is_said $? "$(cat out.txt)"
sum=$(value a.db checkpoints.0.sha256)
import a.db "$models/pipeline" --step 8000 && grep -q 'here already, as checkpoint 8000' out.txt
says a_second_import_says_so $? "$(cat out.txt err.txt)"
equal and_adds_nothing "$(value a.db checkpoints.#)" 1
holds samples_come_of_it "$DTRAK" sample a.db --count 2 --steps 10
holds features_come_of_it "$DTRAK" features a.db --dims 64 --timesteps 10
exits timesteps_divide_the_checkpoints_own 1 "500" features a.db --dims 64 --timesteps 8 --loss square
holds the_database_is_clean "$DTRAK" check a.db
for form in f16 bf16 mixed; do
    mkdir -p "runs/checkpoint-$form" && cp "$models/$form"/* "runs/checkpoint-$form"
done
mkdir runs/checkpoint-250 && cp "$models"/f16/* runs/checkpoint-250
import a.db runs/checkpoint-250 && grep -q 'checkpoint 250,.* as F16' out.txt
says the_step_is_in_the_path $? "$(cat out.txt err.txt)"
import a.db "$models/bf16" --step 251 --beta-schedule squaredcos_cap_v2 --train-timesteps 100 && grep -q 'BF16, 100 timesteps' out.txt
says a_schedule_may_be_given $? "$(cat out.txt err.txt)"
"$DTRAK" info a.db > out.txt && grep -q 'step 251 .*bfloat16' out.txt && grep -q 'step 8000 .*from a "pipeline"' out.txt
says info_knows_precision_and_name $? "$(cat out.txt)"
equal so_does_its_json "$(value a.db checkpoints.2.weights) $(value a.db checkpoints.0.name)" 'bfloat16 from a "pipeline"'
make_db s.db && import s.db "$models/pipeline" --step 1 --train-timesteps 400 && "$DTRAK" export-model s.db s-out 2> err.txt
says one_field_of_a_schedule_may_be_given $? "$(cat out.txt err.txt)"
field() { "$json" "$1" < s-out/scheduler_config.json; }
equal and_the_others_are_the_models "$(field num_train_timesteps) $(field beta_schedule) $(field beta_end) $(field clip_sample)" "400 scaled_linear 0.04 false"
exits betas_one_by_one_are_not_cut 2 "one by one" import-model s.db "$models/ddim" --step 2 --train-timesteps 10
for form in plain zip zip-old-names legacy sharded; do
    make_db b.db && import b.db "$models/$form" && [ "$(value b.db checkpoints.0.sha256)" = "$sum" ]
    says "${form}_gives_the_same_weights" $? "$(cat err.txt)"
    rm -f b.db
done

# --- the step of a folder that does not say one is 0, and is a checkpoint like any other ---
make_db z.db && import z.db "$models/plain" && { "$DTRAK" features z.db --dims 64 --timesteps 10 && "$DTRAK" score z.db --split val; } > out.txt 2> err.txt
says a_network_of_step_0_is_scored $? "$(cat err.txt)"
of_zero="z.db --query val:0 --method trak"
equal its_ranking_says_so "$("$DTRAK" rank $of_zero | grep '^checkpoint')" "checkpoint  0  (100%)"
equal in_json_too "$("$DTRAK" rank $of_zero --json | "$json" checkpoint)" 0
"$DTRAK" compare z.db --query val:0 --a trak --b trak > out.txt && [ "$(grep -c '^[ab] .*  checkpoint 0  ' out.txt)" = 2 ]
says so_does_a_comparison $? "$(cat out.txt)"
equal and_its_json "$("$DTRAK" compare z.db --query val:0 --a trak --b trak --json | "$json" a.checkpoint)" 0
equal a_loss_that_nobody_stated_is_none "$("$DTRAK" info z.db --json | "$json" checkpoints.0.train_loss)" null
"$DTRAK" page $of_zero --out z.html 2> err.txt && grep -q '<dt>checkpoint</dt><dd>step 0 ' z.html
says a_page_has_it $? "$(cat err.txt)"
"$DTRAK" export z.db --json z.json --rows --query val:0 > out.txt 2> err.txt
equal exported_rows_have_it "$("$json" sets.0.checkpoint < z.json)" 0

# --- out, and in again ---
holds a_checkpoint_is_exported "$DTRAK" export-model a.db out --checkpoint 8000
equal as_four_files "$(ls out | tr '\n' ' ')" "config.json diffusion_pytorch_model.safetensors dtrak.json scheduler_config.json "
equal the_sidecar_has_the_step "$("$json" step < out/dtrak.json)" 8000
equal and_the_name "$("$json" name < out/dtrak.json)" 'from a "pipeline"'
equal and_the_sum "$("$json" sha256 < out/dtrak.json)" "$(sha256sum < out/diffusion_pytorch_model.safetensors | cut -d' ' -f1)"
equal the_schedule_goes_out "$("$json" num_train_timesteps < out/scheduler_config.json)" 500
make_db c.db && import c.db out
says an_export_is_imported $? "$(cat err.txt)"
equal with_its_weights_and_step "$(value c.db checkpoints.0.sha256) $(value c.db checkpoints.0.step)" "$sum 8000"
"$DTRAK" sample c.db --count 2 --steps 10 2> err.txt
"$DTRAK" sheet a.db --count 2 --out a.png && "$DTRAK" sheet c.db --count 2 --out c.png && cmp -s a.png c.png
says and_generates_the_same_images $?
"$DTRAK" export-model a.db pipe --checkpoint 8000 --pipeline && [ -s pipe/unet/config.json ] && [ -s pipe/scheduler/scheduler_config.json ] &&
    [ "$("$json" _class_name < pipe/model_index.json)" = DDPMPipeline ]
says a_pipeline_is_written $? "$(ls -R pipe)"
exits an_export_is_not_overwritten 1 "out is there already" export-model a.db out
holds with_force_it_is "$DTRAK" export-model a.db out --force --checkpoint 250
equal with_force_it_is_the_other_one "$("$json" step < out/dtrak.json)" 250
touch out/mine
exits a_folder_with_other_files_is_kept 1 "holds mine" export-model a.db out --force
[ -e out/mine ] && [ "$("$json" step < out/dtrak.json)" = 250 ]
says all_of_it $?
for form in plain pipeline; do
    rm -rf theirs && cp -r "$models/$form" theirs && rm -f theirs/dtrak.json && cp -r theirs before
    exits "a_model_of_others_is_not_replaced_$form" 1 "no dtrak.json in it says that dtrak wrote it" export-model a.db theirs --force --checkpoint 250
    diff -r theirs before > diff.txt 2>&1
    says "it_is_as_it_was_$form" $? "$(cat diff.txt)"
    rm -r before
done
echo '{"program": "another"}' > theirs/dtrak.json
exits a_sidecar_of_another_program_is_none 1 "no dtrak.json in it says that dtrak wrote it" export-model a.db theirs --force --checkpoint 250
mkdir void
holds an_empty_folder_is_taken_with_force "$DTRAK" export-model a.db void --force --checkpoint 250
exits an_export_of_no_checkpoint_names_them 1 "8000" export-model a.db other --checkpoint 9
exits a_place_that_is_not_there_is_said 1 "nowhere" export-model a.db nowhere/model
equal nothing_half_written_stays "$(ls -d other* nowhere* ./*.part-* ./*.old-* 2> /dev/null; echo none)" none

# --- refused: one line, and the database as it was ---
make_db e.db && cp e.db before.db
refuses() {   # NAME TEXT DIR [OPTIONS]
    name=$1 text=$2
    shift 2
    import e.db "$@"
    status=$?
    [ $status = 1 ] && [ "$(wc -l < err.txt)" = 1 ] && grep -qF -e "$text" err.txt && cmp -s e.db before.db
    says "$name" $? "status $status: $(cat err.txt)"
}
model() {   # DIR: a copy of the plain model, to spoil
    rm -rf "$1" && cp -r "$models/plain" "$1"
}
model m && sed -i 's/"norm_eps"/"norm_epsilon"/' m/config.json
refuses an_unknown_field_is_named 'unknown field "norm_epsilon"' m
model m && sed -i 's/UNet2DModel/UNet2DConditionModel/' m/config.json
refuses another_kind_of_network_is_named '"UNet2DConditionModel", expected "UNet2DModel"' m
model m && sed -i 's/"sample_size": 8/"sample_size": "8"/' m/config.json
refuses a_wrong_type_is_named 'field "sample_size" is "8", expected' m
model m && echo '{"prediction_type": "v_prediction"}' > m/scheduler_config.json
refuses another_prediction_is_refused '"prediction_type" is "v_prediction", expected "epsilon"' m
model m && sed -i 's/conv_in\.bias/conv_in.bios/' m/diffusion_pytorch_model.safetensors
refuses a_missing_tensor_is_named 'tensor "conv_in.bias" is missing' m
model m && sed -i 's/"dtype":"F32","shape":\[4\],"data_offsets":\[0,16\]/"dtype":"F32","shape":[4],"data_offsets":[0,99]/' m/diffusion_pytorch_model.safetensors
refuses lengths_that_lie_are_named 'conv_in.bias has 99 bytes of data; its shape needs 16' m
model m && head -c 5000 "$models/plain/diffusion_pytorch_model.safetensors" > m/diffusion_pytorch_model.safetensors
refuses half_a_file_is_refused 'a header of' m
model m && rm m/diffusion_pytorch_model.safetensors && head -c 60000 "$models/zip/diffusion_pytorch_model.bin" > m/diffusion_pytorch_model.bin
refuses half_an_archive_is_refused 'cut off or damaged' m
model m && rm m/diffusion_pytorch_model.safetensors && cp "$root/tests/fuzz/corpus-pickle/torch-scripts" m/diffusion_pytorch_model.bin
refuses a_class_in_a_pickle_is_never_called 'asks for torch.nn.modules.linear.Linear, which is never called' m
model m && awk 'BEGIN { for (i = 0; i < 9999; i++) printf "[" }' > m/config.json
refuses deep_json_is_refused 'm/config.json' m
refuses no_folder_is_said 'no such folder' nothing
refuses a_patch_must_fit 'project'\''s images are 4x4 with 4 (patch 2)' "$models/plain" --patch 2
make_db big.db 16 && import big.db "$models/plain"
[ $? = 1 ] && grep -q "the network takes 8x8.*the project's images are 16x16" err.txt
says other_images_are_refused $? "$(cat err.txt)"
exits a_schedule_of_no_kind_is_wrong_usage 2 "quadratic" import-model e.db "$models/plain" --beta-schedule quadratic
import a.db "$models/plain" --step 5
[ $? = 1 ] && grep -q 'here as checkpoint 8000, with another noise schedule' err.txt
says one_set_of_weights_has_one_schedule $? "$(cat err.txt)"
import a.db "$models/scaleshift-old" --step 250
[ $? = 1 ] && grep -q 'another checkpoint of step 250 already' err.txt
says a_step_is_taken_once $? "$(cat err.txt)"
finish
