/* Reading a diffusers model folder; see model_folder.h. */
#include "dtrak/model_folder.h"

#include "dtrak/file.h"
#include "dtrak/hash.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/network.h"
#include "dtrak/scheduler.h"
#include "dtrak/tensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 4096, CONFIG_MAX = 4 << 20, SHARDS_MAX = 64 };
#define WEIGHTS "diffusion_pytorch_model"

static enum status join(char out[PATH], const char *dir, const char *file) {
    int n = snprintf(out, PATH, "%s/%s", dir, file);
    return n > 0 && n < PATH ? OK : fail(ERR_RANGE, "%.80s...: the path is too long", dir);
}

static int is_there(const char *dir, const char *file) {
    char path[PATH];
    int n = snprintf(path, sizeof path, "%s/%s", dir, file);
    return n > 0 && n < PATH && access(path, F_OK) == 0;
}

static enum status read_json(struct json_doc **out, const char *path) {
    unsigned char *bytes;
    size_t len;
    *out = NULL;
    TRY(file_read(&bytes, &len, path, CONFIG_MAX));
    enum status st = json_parse(out, bytes, len, path);
    mem_free(bytes);
    return st;
}

/* --- the parts --- */

/* DIR itself, or the unet/ of a pipeline. */
static enum status find_network(char out[PATH], const char *dir) {
    if (is_there(dir, "config.json")) {
        int n = snprintf(out, PATH, "%s", dir);
        return n < PATH ? OK : fail(ERR_RANGE, "%.80s...: the path is too long", dir);
    }
    if (is_there(dir, "unet/config.json")) return join(out, dir, "unet");
    if (access(dir, F_OK)) return fail(ERR_MISSING, "%s: there is no such folder", dir);
    return fail(ERR_MISSING, "%s: holds neither config.json nor unet/config.json, as a diffusers model does", dir);
}

/* The path of the schedule, or "" where there is none. */
static enum status find_scheduler(char path[PATH], const char *dir, const char *network) {
    static const char *const inside[] = { "scheduler_config.json", "scheduler/scheduler_config.json" };
    *path = 0;
    for (size_t i = 0; i < 2 && !*path; i++)
        if (is_there(dir, inside[i])) TRY(join(path, dir, inside[i]));
    if (!*path && is_there(network, "../scheduler/scheduler_config.json"))
        TRY(join(path, network, "../scheduler/scheduler_config.json"));
    return OK;
}

static enum status read_scheduler(struct model_folder *m, const char *dir, const char *network,
                                  const struct schedule_change *change) {
    char path[PATH];
    struct json_doc *doc;
    TRY(find_scheduler(path, dir, network));
    if (*path) {
        TRY(read_json(&doc, path));
        m->has_schedule = 1;
        enum status st = scheduler_from(&m->schedule, json_root(doc), path);
        json_free(doc);
        TRY(st);
        if (!change) return OK;
    }
    struct schedule *own = m->schedule;
    struct schedule_config c = own ? *schedule_get_config(own) : schedule_config_default();
    m->schedule = NULL;
    enum status st = change ? schedule_config_change(&c, change) : OK;
    if (st == OK) st = schedule_new(&m->schedule, &c);
    schedule_free(own);
    return st;
}

/* "runs/checkpoint-8000/unet" is of step 8000. */
static void step_of_path(struct model_folder *m, const char *dir) {
    static const char word[] = "checkpoint-";
    for (const char *s = dir; (s = strstr(s, word)); s++) {
        const char *digits = s + sizeof word - 1;
        size_t n = strspn(digits, "0123456789");
        if ((s != dir && s[-1] != '/') || n < 1 || n > 12 || (digits[n] && digits[n] != '/')) continue;
        m->step = (size_t)strtoull(digits, NULL, 10);
        m->has_step = 1;
    }
}

static enum status read_sidecar(struct model_folder *m, const char *dir, const char *network, char sha256[65]) {
    char path[PATH];
    struct json_doc *doc;
    *sha256 = 0;
    m->train_loss = NAN;
    if (!is_there(dir, "dtrak.json") && !is_there(network, "dtrak.json")) return OK;
    TRY(join(path, is_there(dir, "dtrak.json") ? dir : network, "dtrak.json"));
    TRY(read_json(&doc, path));
    const struct json *root = json_root(doc), *step = json_get(root, "step");
    enum status st = OK;
    int64_t patch = json_int(json_get(root, "patch"), json_get(root, "patch") ? -1 : 0);
    double percent = json_number(json_get(root, "percent"), 100), epoch = json_number(json_get(root, "epoch"), 0);
    if (json_type(root) != JSON_OBJECT) st = fail(ERR_FORMAT, "%s: expected a JSON object", path);
    else if (patch < 0 || patch > 2) st = fail(ERR_FORMAT, "%s: field \"patch\" is neither 1 nor 2", path);
    else if (step && (json_int(step, -1) < 0 || json_int(step, -1) > INT64_C(1000000000000)))
        st = fail(ERR_FORMAT, "%s: field \"step\" is no number of training steps", path);
    else if (!(percent >= 0 && percent <= 100) || !(epoch >= 0))
        st = fail(ERR_FORMAT, "%s: field \"percent\" is %g and \"epoch\" %g, expected 0 to 100 and at least 0", path, percent, epoch);
    else {
        m->patch = (size_t)patch;
        m->percent = percent;
        m->epoch = epoch;
        m->train_loss = json_number(json_get(root, "train_loss"), (double)NAN);
        if (step) {
            m->step = (size_t)json_int(step, 0);
            m->has_step = 1;
        }
        snprintf(m->name, sizeof m->name, "%s", json_string(json_get(root, "name"), ""));
        snprintf(sha256, 65, "%s", json_string(json_get(root, "sha256"), ""));
    }
    json_free(doc);
    return st;
}

/* --- weights --- */

/* The files that an index names, each once, in the order of their first tensor. */
static enum status add_shards(struct tensors *t, const char *network, const char *index, size_t max) {
    char path[PATH];
    const char *files[SHARDS_MAX];
    size_t n = 0;
    struct json_doc *doc;
    enum status st = OK;
    TRY(join(path, network, index));
    TRY(read_json(&doc, path));
    const struct json *map = json_get(json_root(doc), "weight_map");
    if (json_type(map) != JSON_OBJECT || !json_len(map)) st = fail(ERR_FORMAT, "%s: has no \"weight_map\" of tensors to files", path);
    for (size_t i = 0; st == OK && i < json_len(map); i++) {
        const char *file = json_string(json_at(map, i), "");
        size_t k = 0;
        while (k < n && strcmp(files[k], file)) k++;
        if (k < n) continue;
        if (!*file || strchr(file, '/') || n == SHARDS_MAX)
            st = fail(ERR_FORMAT, "%s: tensor \"%.80s\" is in \"%.80s\", expected one of at most %d files beside it", path,
                      json_key(map, i), file, SHARDS_MAX);
        else files[n++] = file;
    }
    for (size_t i = 0; st == OK && i < n; i++) {
        char shard[PATH];
        st = join(shard, network, files[i]);
        if (st == OK) st = tensors_add_file(t, shard, max);
    }
    for (size_t i = 0; st == OK && i < json_len(map); i++)
        if (!tensors_find(t, json_key(map, i)))
            st = fail(ERR_MISSING, "%s: tensor \"%.80s\" is not in the files it names", path, json_key(map, i));
    json_free(doc);
    return st;
}

static enum status add_weights(struct tensors *t, const char *network, size_t max, char name[PATH]) {
    static const char *const files[] = { WEIGHTS ".safetensors", WEIGHTS ".safetensors.index.json", WEIGHTS ".bin",
                                         WEIGHTS ".bin.index.json" };
    for (size_t i = 0; i < 4; i++) {
        if (!is_there(network, files[i])) continue;
        TRY(join(name, network, files[i]));
        return i % 2 ? add_shards(t, network, files[i], max) : tensors_add_file(t, name, max);
    }
    return fail(ERR_MISSING, "%s: has no %s, nor the .bin of older models", network, files[0]);
}

static enum status keep_weights(struct model_folder *m, const struct tensors *t, const char *name) {
    static const char *const type_names[] = { "F32", "F16", "BF16" };
    enum status st = OK;
    size_t n;
    unet_params(m->u, &n);
    float *theta = mem_array(unet_size(m->u), sizeof *theta);
    enum tensor_type *types = mem_array(n, sizeof *types);
    if (!theta || !types) {
        st = fail(ERR_NOMEM, "%s: out of memory", name);
        goto done;
    }
    TRY_TO(network_weights_from(theta, types, m->u, t, name));
    TRY_TO(network_weights_write_as(&m->weights, m->u, theta, types));
    TRY_TO(buf_status(&m->weights));
    snprintf(m->weights_type, sizeof m->weights_type, "%s", type_names[types[0]]);
    for (size_t i = 1; i < n; i++)
        if (types[i] != types[0]) snprintf(m->weights_type, sizeof m->weights_type, "mixed");
    sha256_hex(m->sha256, m->weights.data, m->weights.len);
done:
    mem_free(theta);
    mem_free(types);
    return st;
}

/* The network is built twice: its size bounds the file, and the file says
 * whether the mid block's attention has a norm. */
static enum status read_weights(struct model_folder *m, const char *network) {
    struct tensors *t = NULL;
    char name[PATH];
    enum status st;
    TRY(unet_new(&m->u, &m->config));
    TRY_TO(tensors_new(&t));
    TRY_TO(add_weights(t, network, 8 * unet_size(m->u) + ((size_t)16 << 20), name));
    struct unet_config settled = m->config;
    network_config_settle(&settled, t);
    if (settled.mid_groups != m->config.mid_groups) {
        m->config = settled;
        unet_free(m->u);
        m->u = NULL;
        TRY_TO(unet_new(&m->u, &m->config));
    }
    TRY_TO(keep_weights(m, t, name));
done:
    tensors_free(t);
    return st;
}

static enum status read_config(struct model_folder *m, const char *network, const size_t sample_size[2]) {
    char path[PATH];
    struct json_doc *doc;
    TRY(join(path, network, "config.json"));
    TRY(read_json(&doc, path));
    enum status st = network_config_from(&m->config, json_root(doc), sample_size, path);
    json_free(doc);
    return st;
}

static enum status read_all(struct model_folder *m, const char *dir, const size_t sample_size[2],
                            const struct schedule_change *change) {
    char network[PATH], sha256[65];
    m->percent = 100;
    TRY(find_network(network, dir));
    TRY(read_config(m, network, sample_size));
    TRY(read_scheduler(m, dir, network, change));
    step_of_path(m, dir);
    TRY(read_sidecar(m, dir, network, sha256));
    TRY(read_weights(m, network));
    if (*sha256 && strcmp(sha256, m->sha256))
        return fail(ERR_FORMAT, "%s: dtrak.json is of other weights (SHA-256 %.12s, these have %.12s); remove it, and give "
                    "--patch and --step", dir, sha256, m->sha256);
    return OK;
}

enum status model_folder_read(struct model_folder *out, const char *dir, const size_t sample_size[2],
                              const struct schedule_change *change) {
    memset(out, 0, sizeof *out);
    enum status st = read_all(out, dir, sample_size, change);
    if (st != OK) model_folder_free(out);
    return st;
}

void model_folder_free(struct model_folder *m) {
    unet_free(m->u);
    schedule_free(m->schedule);
    buf_free(&m->weights);
    memset(m, 0, sizeof *m);
}
