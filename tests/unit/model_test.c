/* Model folders as diffusers and torch wrote them (tests/models), and ones that are wrong in one way. */
#include "dtrak/file.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/model_fields.h"
#include "dtrak/model_folder.h"
#include "dtrak/network.h"
#include "dtrak/scheduler.h"
#include "../lib/store_rig.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MODELS "tests/models/"

static void must(enum status st) {
    if (st != OK) fail_msg("%s", fail_reason());
}

/* --- the forms in which one network stands there --- */

static void expected_output(float eps[64]) {
    struct json_doc *d;
    must(json_read(&d, MODELS "output.json"));
    for (size_t i = 0; i < 64; i++) eps[i] = (float)json_number(json_at(json_get(json_root(d), "eps"), i), NAN);
    json_free(d);
}

/* The network's output at t = 250 on 64 values from -1 to 1. */
static void run_network(const struct model_folder *m, float eps[64]) {
    float x[64], t = 250, *theta = mem_array(unet_size(m->u), sizeof *theta);
    struct unet_weights *w;
    struct unet_work *work;
    for (int i = 0; i < 64; i++) x[i] = -1 + 2 * (float)i / 63;
    assert_non_null(theta);
    must(network_weights_read(theta, m->u, m->weights.data, m->weights.len, "stored"));
    must(unet_weights_new(&w, m->u, 0));
    unet_weights_pack(w, theta);
    must(unet_work_new(&work, m->u, 1, 0, NULL));
    assert_true(unet_forward(work, w, eps, x, &t, 1));
    unet_work_free(work);
    unet_weights_free(w);
    mem_free(theta);
}

static void every_form_of_a_model_gives_diffusers_output(void **state) {
    (void)state;
    static const struct { const char *dir, *type; double tolerance; } forms[] = {
        { "plain", "F32", 4e-6 }, { "zip", "F32", 4e-6 }, { "zip-old-names", "F32", 4e-6 }, { "legacy", "F32", 4e-6 },
        { "sharded", "F32", 4e-6 }, { "pipeline", "F32", 4e-6 }, { "ddim", "F32", 4e-6 }, { "f16", "F16", 2e-2 },
        { "bf16", "BF16", 2e-1 }, { "mixed", "mixed", 2e-2 },
    };
    float want[64], got[64];
    char sha256[65] = "";
    expected_output(want);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char dir[80];
        struct model_folder m;
        snprintf(dir, sizeof dir, MODELS "%s", forms[i].dir);
        must(model_folder_read(&m, dir, NULL, NULL));
        assert_string_equal(m.weights_type, forms[i].type);
        run_network(&m, got);
        double most = 0;
        for (int k = 0; k < 64; k++) most = fmax(most, fabs((double)got[k] - (double)want[k]));
        if (!(most <= forms[i].tolerance)) fail_msg("%s: off by %g", dir, most);
        if (strcmp(forms[i].type, "F32")) assert_true(most > 0);
        else {   /* the same bytes are stored, wherever they come from */
            if (!*sha256) memcpy(sha256, m.sha256, sizeof sha256);
            assert_string_equal(m.sha256, sha256);
        }
        model_folder_free(&m);
        assert_int_equal(mem_live(), 0);
    }
}

static void the_scheduler_of_a_folder_is_its_own(void **state) {
    (void)state;
    struct model_folder m;
    must(model_folder_read(&m, MODELS "plain", NULL, NULL));
    assert_false(m.has_schedule);
    assert_true(schedule_equal(m.schedule, schedule_default()));
    model_folder_free(&m);
    must(model_folder_read(&m, MODELS "pipeline", NULL, NULL));
    assert_true(m.has_schedule);
    const struct schedule_config *c = schedule_get_config(m.schedule);
    assert_true(c->T == 500 && c->kind == SCHEDULE_SCALED_LINEAR && c->beta_end == .04 && !c->clip);
    model_folder_free(&m);
    must(model_folder_read(&m, MODELS "pipeline/unet", NULL, NULL));   /* beside the network's folder */
    assert_int_equal(schedule_steps(m.schedule), 500);
    model_folder_free(&m);
    must(model_folder_read(&m, MODELS "ddim", NULL, NULL));
    c = schedule_get_config(m.schedule);
    assert_true(c->T == 20 && c->kind == SCHEDULE_TRAINED && c->final_first);
    assert_true(fabs(schedule_beta(m.schedule, 19) - .2) < 1e-12);
    model_folder_free(&m);
}

static void what_is_given_takes_the_place_of_that_field_only(void **state) {
    (void)state;
    struct model_folder m;
    struct schedule_change none = SCHEDULE_UNCHANGED, given = SCHEDULE_UNCHANGED;
    must(model_folder_read(&m, MODELS "ddim", NULL, &none));
    assert_true(schedule_get_config(m.schedule)->kind == SCHEDULE_TRAINED && schedule_steps(m.schedule) == 20);
    model_folder_free(&m);
    given.T = 400;
    must(model_folder_read(&m, MODELS "pipeline", NULL, &given));
    const struct schedule_config *c = schedule_get_config(m.schedule);
    assert_true(c->T == 400 && c->kind == SCHEDULE_SCALED_LINEAR && c->beta_start == 1e-4 && c->beta_end == .04 && !c->clip);
    model_folder_free(&m);
    given = (struct schedule_change){ SCHEDULE_LINEAR, 0, .001, 0 };
    must(model_folder_read(&m, MODELS "pipeline", NULL, &given));
    c = schedule_get_config(m.schedule);
    assert_true(c->T == 500 && c->kind == SCHEDULE_LINEAR && c->beta_start == .001 && c->beta_end == .04 && !c->clip);
    model_folder_free(&m);
    must(model_folder_read(&m, MODELS "plain", NULL, &given));
    c = schedule_get_config(m.schedule);
    assert_true(m.has_schedule == 0 && c->T == 1000 && c->beta_start == .001 && c->beta_end == .02 && c->clip);
    model_folder_free(&m);
    /* Betas one by one have neither ends nor another number; another kind takes the place of them all. */
    given = (struct schedule_change){ SCHEDULE_KINDS, 10, 0, 0 };
    assert_int_equal(model_folder_read(&m, MODELS "ddim", NULL, &given), ERR_USAGE);
    given.kind = SCHEDULE_LINEAR;
    must(model_folder_read(&m, MODELS "ddim", NULL, &given));
    c = schedule_get_config(m.schedule);
    assert_true(c->T == 10 && c->kind == SCHEDULE_LINEAR && c->final_first);
    model_folder_free(&m);
    given = (struct schedule_change){ SCHEDULE_SQUAREDCOS, 0, 0, .01 };
    assert_int_equal(model_folder_read(&m, MODELS "pipeline", NULL, &given), ERR_USAGE);
}

/* Before diffusers 0.17 the mid block's attention had its norm also with scale_shift; only the weights say so. */
static void the_norm_of_an_older_mid_block_is_found_in_the_weights(void **state) {
    (void)state;
    struct model_folder m;
    must(model_folder_read(&m, MODELS "scaleshift-old", NULL, NULL));
    assert_true(m.config.scale_shift);
    assert_int_equal(m.config.mid_groups, 2);
    struct buf b = BUF_INIT;
    struct unet_config back;
    network_config_write(&b, &m.config);
    must(network_config_read(&back, b.data, b.len, "config.json"));
    assert_int_equal(back.mid_groups, 2);
    buf_free(&b);
    model_folder_free(&m);
}

/* --- fields --- */

#define NET(more) "{\"block_out_channels\": [4], \"down_block_types\": [\"DownBlock2D\"], \"up_block_types\": " \
    "[\"UpBlock2D\"], \"norm_num_groups\": 2, \"attention_head_dim\": 4, \"sample_size\": 8" more "}"

static void fields_of_a_network_are_honoured_or_refused(void **state) {
    (void)state;
    static const struct { const char *json, *reason; } cases[] = {
        { NET(""), NULL }, { NET(", \"act_fn\": \"swish\", \"dropout\": 0.1, \"_name_or_path\": null"), NULL },
        { NET(", \"mid_block_type\": \"UNetMidBlock2D\", \"time_embedding_dim\": null"), NULL },
        { NET(", \"surprise\": 1"), "unknown field \"surprise\"" },
        { NET(", \"_class_name\": \"UNet2DConditionModel\", \"cross_attention_dim\": 768"), "\"UNet2DConditionModel\", expected \"UNet2DModel\"" },
        { NET(", \"in_channels\": \"3\""), "field \"in_channels\" is \"3\", expected a whole number" },
        { NET(", \"in_channels\": 2.5"), "field \"in_channels\" is 2.5, expected a whole number" },
        { NET(", \"in_channels\": -1"), "from 0 to 1048576" },
        { NET(", \"norm_eps\": true"), "field \"norm_eps\" is true, expected a number" },
        { NET(", \"add_attention\": 1"), "field \"add_attention\" is 1, expected true or false" },
        { NET(", \"attention_head_dim2\": 1"), "attention_head_dim2" },
        { NET(", \"act_fn\": \"gelu\""), "field \"act_fn\" is \"gelu\", expected \"silu\" or \"swish\"" },
        { NET(", \"class_embed_type\": \"timestep\""), "field \"class_embed_type\" is \"timestep\", expected null" },
        { NET(", \"num_class_embeds\": 10"), "field \"num_class_embeds\" is 10, expected null" },
        { NET(", \"time_embedding_type\": \"fourier\""), "expected \"positional\"" },
        { NET(", \"downsample_type\": \"stride\""), "\"stride\", expected \"conv\" or \"resnet\"" },
        { NET(", \"resnet_time_scale_shift\": \"ada_group\""), "ada_group" },
        { "{\"block_out_channels\": [4], \"down_block_types\": [\"SkipDownBlock2D\"]}", "SkipDownBlock2D" },
        { "{\"block_out_channels\": [4, 4], \"down_block_types\": [\"DownBlock2D\"]}", "has 1 blocks, expected 2" },
        { "{\"block_out_channels\": {}}", "is an object, expected a list" },
        { "{\"block_out_channels\": []}", "has 0 levels" },
        { "{\"block_out_channels\": [4, null], \"down_block_types\": []}", "something else than whole numbers" },
        { "[1]", "expected a JSON object" }, { "{\"a\": [[[", "JSON" },
        { "{\"sample_size\": [8, 8, 8], \"block_out_channels\": [4], \"down_block_types\": [\"DownBlock2D\"], \"up_block_types\": [\"UpBlock2D\"]}", "[height, width]" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct unet_config c;
        enum status st = network_config_read(&c, cases[i].json, strlen(cases[i].json), "config.json");
        if (!cases[i].reason) { must(st); continue; }
        if (st != ERR_FORMAT || !strstr(fail_reason(), cases[i].reason) || !strstr(fail_reason(), "config.json"))
            fail_msg("%s: got '%s'", cases[i].json, fail_reason());
    }
    struct unet_config c;
    const char *old = "{\"block_out_channels\": [4, 4], \"down_block_types\": [\"UNetResDownBlock2D\", \"UNetResAttnDownBlock2D\"], "
                      "\"up_block_types\": [\"UNetResAttnUpBlock2D\", \"UNetResUpBlock2D\"], \"norm_num_groups\": 2, "
                      "\"attention_head_dim\": null, \"sample_size\": [8, 16]}";
    must(network_config_read(&c, old, strlen(old), "config.json"));
    assert_true(c.down_attention == 2 && c.up_attention == 1 && c.head_dim == 0 && c.sample_height == 8 && c.sample_width == 16);
    assert_int_equal(mem_live(), 0);
}

static void fields_of_a_scheduler_are_honoured_or_refused(void **state) {
    (void)state;
    static const struct { const char *json, *reason; } cases[] = {
        { "{}", NULL }, { "{\"_class_name\": \"DDIMScheduler\", \"steps_offset\": 1, \"timestep_spacing\": \"leading\"}", NULL },
        { "{\"rescale_betas_zero_snr\": 0, \"thresholding\": false, \"variance_type\": \"fixed_large\"}", NULL },
        { "{\"prediction_type\": \"v_prediction\"}", "field \"prediction_type\" is \"v_prediction\", expected \"epsilon\"" },
        { "{\"predict_epsilon\": false}", "predict_epsilon" },
        { "{\"_class_name\": \"EulerDiscreteScheduler\"}", "EulerDiscreteScheduler" },
        { "{\"thresholding\": true}", "field \"thresholding\" is true, expected false" },
        { "{\"rescale_betas_zero_snr\": true}", "rescale_betas_zero_snr" },
        { "{\"beta_schedule\": \"laplace\"}", "laplace" }, { "{\"beta_start\": 0}", "beta_start" },
        { "{\"beta_end\": \"x\"}", "field \"beta_end\" is \"x\", expected a number" },
        { "{\"num_train_timesteps\": 0}", "num_train_timesteps" }, { "{\"num_train_timesteps\": 1000000}", "1000000" },
        { "{\"trained_betas\": [0.1, 0.2], \"num_train_timesteps\": 3}", "trained_betas" },
        { "{\"trained_betas\": [0.1, \"x\"]}", "element 1 of \"trained_betas\"" },
        { "{\"trained_betas\": [0.1, 1.5]}", "beta 1 is 1.5" }, { "{\"snr_shift_scale\": 3}", "snr_shift_scale" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schedule *s;
        enum status st = scheduler_read(&s, cases[i].json, strlen(cases[i].json), "scheduler_config.json");
        schedule_free(s);
        if (!cases[i].reason) { must(st); continue; }
        if (st == OK || !strstr(fail_reason(), cases[i].reason)) fail_msg("%s: got '%s'", cases[i].json, fail_reason());
    }
    assert_int_equal(mem_live(), 0);
}

static void a_stored_config_survives_with_its_schedule(void **state) {
    (void)state;
    static const char *const dirs[] = { "plain", "pipeline", "ddim", "scaleshift-old" };
    for (size_t i = 0; i < 4; i++) {
        char dir[80];
        struct model_folder m;
        struct buf b = BUF_INIT, again = BUF_INIT;
        struct unet_config c;
        struct schedule *s, *t;
        struct checkpoint_origin o = { "F32", "a \"name\"", NULL };
        snprintf(dir, sizeof dir, MODELS "%s", dirs[i]);
        must(model_folder_read(&m, dir, NULL, NULL));
        checkpoint_config_write(&b, &m.config, m.schedule, &o);
        must(buf_status(&b));
        must(checkpoint_config_read(&c, &s, b.data, "stored"));
        assert_memory_equal(&c, &m.config, sizeof c);
        assert_true(schedule_equal(s, m.schedule));
        scheduler_write(&again, s);
        must(scheduler_read(&t, again.data, again.len, "scheduler_config.json"));
        assert_true(schedule_equal(t, s));
        schedule_free(s);
        schedule_free(t);
        buf_free(&b);
        buf_free(&again);
        model_folder_free(&m);
    }
    assert_int_equal(mem_live(), 0);
}

/* --- weights that are wrong in one way --- */

static const char *new_folder(void) {
    const char *dir = rig_path("model");
    assert_int_equal(mkdir(dir, 0700), 0);
    return dir;
}

static void put(const char *dir, const char *name, const void *bytes, size_t len) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    must(file_write(path, bytes, len));
}

static void put_text(const char *dir, const char *name, const char *text) { put(dir, name, text, strlen(text)); }

static void refused(const char *dir, const char *reason) {
    struct model_folder m;
    long before = mem_live();
    enum status st = model_folder_read(&m, dir, NULL, NULL);
    if (st == OK || !strstr(fail_reason(), reason)) fail_msg("expected '%s', got %d '%s'", reason, (int)st, fail_reason());
    assert_int_equal(mem_live(), before);
}

struct all { struct safetensors_tensor *t; size_t n; };

static struct safetensors_tensor *named(const struct all *a, const char *name) {
    for (size_t i = 0; i < a->n; i++)
        if (!strcmp(a->t[i].name, name)) return &a->t[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

/* Each spoils one thing of the tensors and says what must be said. */
static float spoilt[2048];
static const char *spoil(struct all *a, int how) {
    struct safetensors_tensor *t = named(a, "mid_block.attentions.0.to_q.weight");
    switch (how) {
    case 0: t->name = "mid_block.attentions.0.to_x.weight"; return "tensor \"mid_block.attentions.0.to_q.weight\" is missing";
    case 1: a->t[a->n++] = (struct safetensors_tensor){ "extra", spoilt, 1, { 1 }, TENSOR_F32 }; return "tensor \"extra\" is one too many";
    case 2: a->t[a->n++] = (struct safetensors_tensor){ "mid_block.attentions.0.query.weight", spoilt, 2, { 8, 8 }, TENSOR_F32 };
            return "tensor \"mid_block.attentions.0.query.weight\" is one too many";
    case 3: t->shape[0] = 4; return "has shape [4, 8], expected [8, 8]";
    case 4: t->rank = 3, t->shape[0] = 2, t->shape[1] = 4; t->shape[2] = 8; return "has shape [2, 4, 8], expected [8, 8]";
    case 5: t = named(a, "conv_in.bias"); t->rank = 2, t->shape[1] = 1; return "tensor \"conv_in.bias\" has shape [4, 1], expected [4]";
    case 6: memcpy(spoilt, t->values, 64 * sizeof *spoilt); spoilt[9] = NAN; t->values = spoilt;
            return "tensor \"mid_block.attentions.0.to_q.weight\" holds nan at element 9";
    case 7: memcpy(spoilt, t->values, 64 * sizeof *spoilt); spoilt[63] = -INFINITY; t->values = spoilt;
            return "holds -inf at element 63";
    default: return NULL;
    }
}

static void a_tensor_that_is_wrong_is_named(void **state) {
    (void)state;
    unsigned char *bytes, *config;
    size_t len, config_len;
    must(file_read(&bytes, &len, MODELS "plain/diffusion_pytorch_model.safetensors", 1 << 20));
    must(file_read(&config, &config_len, MODELS "plain/config.json", 1 << 20));
    struct safetensors *s;
    must(safetensors_open(&s, bytes, len, "plain"));
    size_t n = safetensors_count(s);
    const char *reason = "";
    for (int how = 0; reason; how++) {
        struct all a = { mem_array(n + 1, sizeof(struct safetensors_tensor)), n };
        float *values = mem_array(len / 4, sizeof *values), *at = values;
        assert_true(a.t && values);
        for (size_t i = 0; i < n; i++) {
            const struct safetensors_entry *e = safetensors_at(s, i);
            a.t[i] = (struct safetensors_tensor){ .name = e->name, .values = at, .rank = e->rank, .type = TENSOR_F32 };
            memcpy(a.t[i].shape, e->shape, sizeof e->shape);
            must(safetensors_floats(at, e));
            at += e->count;
        }
        reason = spoil(&a, how);
        struct buf b = BUF_INIT;
        must(safetensors_write(&b, a.t, a.n, NULL, 0));
        mem_free(a.t);
        mem_free(values);
        const char *dir = new_folder();
        put(dir, "config.json", config, config_len);
        put(dir, "diffusion_pytorch_model.safetensors", b.data, b.len);
        buf_free(&b);
        struct model_folder m;
        enum status st = model_folder_read(&m, dir, NULL, NULL);
        if (!reason) must(st);
        else if (st == OK || !strstr(fail_reason(), reason)) fail_msg("expected '%s', got %d '%s'", reason, (int)st, fail_reason());
        model_folder_free(&m);
        rig_clear();
    }
    safetensors_free(s);
    mem_free(bytes);
    mem_free(config);
    assert_int_equal(mem_live(), 0);
}

static void what_is_no_model_folder_is_said(void **state) {
    (void)state;
    unsigned char *bytes, *config;
    size_t len, config_len;
    must(file_read(&bytes, &len, MODELS "plain/diffusion_pytorch_model.safetensors", 1 << 20));
    must(file_read(&config, &config_len, MODELS "plain/config.json", 1 << 20));
    const char *dir = new_folder();
    char no_dir[80];
    snprintf(no_dir, sizeof no_dir, "%s/none", dir);
    struct model_folder m;
    assert_int_equal(model_folder_read(&m, no_dir, NULL, NULL), ERR_MISSING);
    assert_int_equal(model_folder_read(&m, dir, NULL, NULL), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "config.json"));
    put(dir, "config.json", config, config_len);
    assert_int_equal(model_folder_read(&m, dir, NULL, NULL), ERR_MISSING);
    assert_non_null(strstr(fail_reason(), "diffusion_pytorch_model.safetensors"));
    put_text(dir, "diffusion_pytorch_model.safetensors.index.json", "{\"weight_map\": {\"conv_in.bias\": \"../x\"}}");
    refused(dir, "\"conv_in.bias\" is in \"../x\"");
    put_text(dir, "diffusion_pytorch_model.safetensors.index.json", "{}");
    refused(dir, "weight_map");
    put_text(dir, "diffusion_pytorch_model.safetensors.index.json", "{\"weight_map\": {\"conv_in.bias\": \"a\", \"b\": \"a\"}}");
    put(dir, "a", bytes, len);
    refused(dir, "tensor \"b\" is not in the files");
    put_text(dir, "diffusion_pytorch_model.safetensors.index.json", "{\"weight_map\": {\"conv_in.bias\": \"a\", \"conv_in.weight\": \"c\"}}");
    put(dir, "c", bytes, len);
    refused(dir, "stands in another file of the model too");
    put(dir, "diffusion_pytorch_model.safetensors", bytes, len);
    must(model_folder_read(&m, dir, NULL, NULL));
    model_folder_free(&m);
    put_text(dir, "dtrak.json", "{\"patch\": 3}");
    refused(dir, "\"patch\" is neither 1 nor 2");
    put_text(dir, "dtrak.json", "{\"sha256\": \"abc\"}");
    refused(dir, "dtrak.json is of other weights");
    put_text(dir, "dtrak.json", "{\"step\": -1}");
    refused(dir, "\"step\"");
    put_text(dir, "dtrak.json", "{\"step\": 12, \"patch\": 1, \"name\": \"x\", \"more\": 1}");
    must(model_folder_read(&m, dir, NULL, NULL));
    assert_true(m.has_step && m.step == 12 && m.patch == 1 && !strcmp(m.name, "x"));
    model_folder_free(&m);
    put_text(dir, "scheduler_config.json", "{\"prediction_type\": \"sample\"}");
    refused(dir, "prediction_type");
    rig_clear();
    mem_free(bytes);
    mem_free(config);
    assert_int_equal(mem_live(), 0);
}

static void any_failed_allocation_leaves_nothing(void **state) {
    (void)state;
    static const char *const dirs[] = { MODELS "zip", MODELS "sharded", MODELS "ddim" };
    for (size_t i = 0; i < 3; i++)
        for (long n = 0;; n++) {
            struct model_folder m;
            mem_fail_after(n);
            enum status st = model_folder_read(&m, dirs[i], NULL, NULL);
            mem_fail_after(-1);
            if (st == OK) model_folder_free(&m);
            assert_int_equal(mem_live(), 0);
            if (st == OK) break;
            assert_int_equal(st, ERR_NOMEM);
            assert_true(n < 10000);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_model_gives_diffusers_output),
        cmocka_unit_test(the_scheduler_of_a_folder_is_its_own),
        cmocka_unit_test(what_is_given_takes_the_place_of_that_field_only),
        cmocka_unit_test(the_norm_of_an_older_mid_block_is_found_in_the_weights),
        cmocka_unit_test(fields_of_a_network_are_honoured_or_refused),
        cmocka_unit_test(fields_of_a_scheduler_are_honoured_or_refused),
        cmocka_unit_test(a_stored_config_survives_with_its_schedule),
        cmocka_unit_test(a_tensor_that_is_wrong_is_named),
        cmocka_unit_test(what_is_no_model_folder_is_said),
        cmocka_unit_test(any_failed_allocation_leaves_nothing),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
