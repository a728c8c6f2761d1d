/* gradient.c - the verb `gradient`: one item's gradients, whole, for others to check.
 *
 * The same network, noise and losses as in features, but with the timesteps
 * spelled out and the mean over them kept in double until it is written: what
 * stands in the file is what a projection would have been given. */
#include "dtrak/pipeline.h"

#include "dtrak/buf.h"
#include "dtrak/file.h"
#include "dtrak/items.h"
#include "dtrak/linalg.h"
#include "dtrak/mem.h"
#include "dtrak/npy.h"
#include "dtrak/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 8, EXTRA = 5 };

struct maker {
    struct store *s;
    const struct gradient_options *o;
    const struct progress *progress;
    struct project project;
    struct checkpoint_list checkpoint;
    struct item_ref item;
    struct stored_network net;
    struct unet_work *work;
    size_t D, p, n;               /* floats of an image, of all parameters; timesteps */
    float *image, *noise, *input, *output, *d_output, *time;   /* [n][D], [n] */
    double *sum;                  /* [p] native layout */
    double value[LOSS_COUNT];
    float *native;                /* [p] */
    float *gradient[LOSS_COUNT];  /* [p] canonical layout */
};

/* --- what goes in --- */

static void shape_words(char out[96], const size_t *shape, size_t rank) {
    out[0] = 0;
    for (size_t i = 0; i < rank; i++) {
        size_t at = strlen(out);
        snprintf(out + at, 96 - at, "%s%zu", i ? " x " : "", shape[i]);
    }
    if (!rank) snprintf(out, 96, "a single number");
}

/* [timesteps][C][H][W] in the network's layout; written to shape[4]. */
static void input_shape(const struct maker *m, size_t shape[4]) {
    const struct unet_config *c = unet_get_config(m->net.u);
    shape[0] = m->n;
    shape[1] = c->in_channels;
    shape[2] = c->sample_height;
    shape[3] = c->sample_width;
}

static enum status read_noise(struct maker *m) {
    const char *path = m->o->noise_path;
    unsigned char *bytes = NULL;
    struct npy a;
    size_t len, shape[4], most = 4096 + m->n * m->D * 8;
    char found[96], expected[96];
    input_shape(m, shape);
    shape_words(expected, shape, 4);
    enum status st = file_read(&bytes, &len, path, most > (size_t)1 << 20 ? most : (size_t)1 << 20);
    if (st == OK) st = npy_parse(&a, bytes, len, path);
    if (st == OK && (a.rank != 4 || memcmp(a.shape, shape, sizeof shape))) {
        shape_words(found, a.shape, a.rank);
        st = fail(ERR_FORMAT, "%s: noise of %s, expected %s (timesteps x channels x height x width as the network "
                  "sees them)", path, found, expected);
    }
    if (st == OK) {
        npy_floats(m->noise, &a);
        for (size_t i = 0; i < m->n * m->D && st == OK; i++)
            if (!isfinite(m->noise[i])) st = fail(ERR_NUMERIC, "%s: element %zu of the noise is not finite", path, i);
    }
    mem_free(bytes);
    return st;
}

static enum status prepare_inputs(struct maker *m) {
    const struct gradient_options *o = m->o;
    size_t T = schedule_steps(m->net.schedule);
    for (size_t i = 0; i < m->n; i++)
        if (o->timesteps[i] >= T)
            return fail(ERR_RANGE, "gradient: timestep %zu, those of checkpoint %zu are 0 to %zu", o->timesteps[i],
                        m->checkpoint.checkpoint[0].step, T - 1);
    TRY(items_load(m->s, &m->project, m->item.split, m->item.index, 1, m->image));
    if (o->noise_path) TRY(read_noise(m));
    for (size_t i = 0; i < m->n; i++) {
        size_t t = o->timesteps[i];
        m->time[i] = (float)t;
        if (!o->noise_path)
            items_noise(m->noise + i * m->D, m->D, o->noise_seed, m->item.split, m->item.index, t, o->draw);
        schedule_noised(m->net.schedule, m->input + i * m->D, m->image, m->noise + i * m->D, m->D, t);
    }
    return OK;
}

/* --- one loss --- */

static void add_parameter(void *ctx, size_t param, const float *grad) {
    struct maker *m = ctx;
    size_t n;
    const struct unet_param *p = unet_params(m->net.u, &n) + param;
    for (size_t i = 0; i < p->count; i++) m->sum[p->offset + i] += (double)grad[i];
}

static enum status one_loss(struct maker *m, enum loss l) {
    struct unet_sink sink = { add_parameter, m };
    size_t D = m->D;
    memset(m->sum, 0, m->p * sizeof *m->sum);
    for (size_t i = 0; i < m->n; i += BATCH) {
        size_t B = m->n - i < BATCH ? m->n - i : BATCH;
        TRY(progress_check(m->progress));
        if (!unet_forward(m->work, m->net.weights, m->output + i * D, m->input + i * D, m->time + i, B))
            return progress_check(m->progress);
        for (size_t b = i; b < i + B; b++)
            m->value[l] += loss_gradient(l, m->d_output + (b - i) * D, m->output + b * D, m->noise + b * D, D,
                                         schedule_elbo_weight(m->net.schedule, m->o->timesteps[b]),
                                         1.0 / (double)m->n) / (double)m->n;
        if (!unet_backward(m->work, m->net.weights, m->d_output, &sink)) return progress_check(m->progress);
    }
    for (size_t i = 0; i < m->p; i++) {
        if (!isfinite(m->sum[i]))
            return fail(ERR_NUMERIC, "gradient: that of %s:%zu is not finite (loss %s, checkpoint %zu)",
                        split_name(m->item.split), m->item.index, loss_name(l), m->checkpoint.checkpoint[0].step);
        m->native[i] = (float)m->sum[i];
    }
    unet_to_canonical(m->net.u, m->gradient[l], m->native);
    return OK;
}

/* --- what comes out --- */

static struct safetensors_tensor tensor(const char *name, const float *values, const size_t *shape, size_t rank) {
    struct safetensors_tensor t = { .name = name, .values = values, .rank = rank, .type = TENSOR_F32 };
    memcpy(t.shape, shape, rank * sizeof *shape);
    return t;
}

/* Several losses: each one's names begin with it. */
static enum status write_file(struct maker *m, const char *path) {
    const struct checkpoint *c = &m->checkpoint.checkpoint[0];
    size_t n_params, losses = 0, count = 0, shape[4];
    const struct unet_param *params = unet_params(m->net.u, &n_params);
    struct safetensors_pair meta[8 + LOSS_COUNT];
    char (*name)[128] = NULL, step[32], item[40], draw[96], value[LOSS_COUNT][2][32];
    struct buf out = BUF_INIT, list = BUF_INIT, times = BUF_INIT;
    enum status st = OK;
    for (int l = 0; l < LOSS_COUNT; l++) losses += m->o->losses >> l & 1;
    struct safetensors_tensor *t = mem_array(losses * n_params + EXTRA, sizeof *t);
    name = mem_array(losses * n_params, sizeof *name);
    if (!t || !name) { st = fail(ERR_NOMEM, "gradient: out of memory"); goto done; }
    input_shape(m, shape);
    t[count++] = tensor("output", m->output, shape, 4);
    t[count++] = tensor("input", m->input, shape, 4);
    t[count++] = tensor("noise", m->noise, shape, 4);
    t[count++] = tensor("image", m->image, shape + 1, 3);
    t[count++] = tensor("timesteps", m->time, &m->n, 1);
    size_t n_meta = 0, at = 0;
    for (int l = 0; l < LOSS_COUNT; l++) {
        if (!(m->o->losses >> l & 1)) continue;
        buf_printf(&list, "%s%s", list.len ? "," : "", loss_name((enum loss)l));
        for (size_t i = 0; i < n_params; i++, at++) {
            snprintf(name[at], sizeof *name, "%s%s%s", losses > 1 ? loss_name((enum loss)l) : "", losses > 1 ? "/" : "",
                     params[i].name);
            t[count++] = tensor(name[at], m->gradient[l] + params[i].offset, params[i].dims, params[i].n_dims);
        }
        snprintf(value[l][0], sizeof value[l][0], "value.%s", loss_name((enum loss)l));
        snprintf(value[l][1], sizeof value[l][1], "%.9g", m->value[l]);
        meta[n_meta++] = (struct safetensors_pair){ value[l][0], value[l][1] };
    }
    for (size_t i = 0; i < m->n; i++) buf_printf(&times, "%s%zu", i ? "," : "", m->o->timesteps[i]);
    TRY_TO(buf_status(&list));
    TRY_TO(buf_status(&times));
    snprintf(step, sizeof step, "%zu", c->step);
    snprintf(item, sizeof item, "%s:%zu", split_name(m->item.split), m->item.index);
    if (m->o->noise_path) snprintf(draw, sizeof draw, "from a file");
    else snprintf(draw, sizeof draw, "seed %llu, draw %zu", (unsigned long long)m->o->noise_seed, m->o->draw);
    meta[n_meta++] = (struct safetensors_pair){ "format", "pt" };
    meta[n_meta++] = (struct safetensors_pair){ "checkpoint", c->sha256 };
    meta[n_meta++] = (struct safetensors_pair){ "step", step };
    meta[n_meta++] = (struct safetensors_pair){ "item", item };
    meta[n_meta++] = (struct safetensors_pair){ "loss", list.data };
    meta[n_meta++] = (struct safetensors_pair){ "timesteps", times.data };
    meta[n_meta++] = (struct safetensors_pair){ "noise", draw };
    meta[n_meta++] = (struct safetensors_pair){ "program", "dtrak " DTRAK_VERSION };
    TRY_TO(safetensors_write(&out, t, count, meta, n_meta));
    st = (m->o->replace ? file_write : file_write_new)(path, out.data, out.len);
done:
    buf_free(&out);
    buf_free(&list);
    buf_free(&times);
    mem_free(t);
    mem_free(name);
    return st;
}

/* --- the verb --- */

static enum status open_all(struct maker *m) {
    const struct gradient_options *o = m->o;
    size_t items;
    if (!o->losses || !o->n_timesteps) return fail(ERR_RANGE, "gradient: no %s is given", o->losses ? "timestep" : "loss");
    if (o->draw >= ITEMS_MAX_DRAWS) return fail(ERR_RANGE, "gradient: draw %zu, expected 0 to %d", o->draw, ITEMS_MAX_DRAWS - 1);
    TRY(item_ref_parse(&m->item, o->item));
    TRY(store_project_get(m->s, &m->project));
    TRY(store_items_count(m->s, m->item.split, &items));
    TRY(item_ref_check(m->item, items));
    TRY(store_checkpoints_resolve(m->s, o->checkpoint, &m->checkpoint));
    if (m->checkpoint.count != 1)
        return fail(ERR_RANGE, "gradient: '%s' names %zu checkpoints, expected one", o->checkpoint ? o->checkpoint : "last",
                    m->checkpoint.count);
    TRY(stored_network_open(&m->net, m->s, &m->checkpoint.checkpoint[0], 1));
    TRY(stored_network_fits(&m->net, &m->project));
    linalg_set_threads(1);
    m->n = o->n_timesteps;
    m->D = items_floats(&m->project);
    m->p = unet_size(m->net.u);
    m->image = mem_array(m->D, sizeof *m->image);
    m->noise = mem_array(m->n * m->D, sizeof *m->noise);
    m->input = mem_array(m->n * m->D, sizeof *m->input);
    m->output = mem_array(m->n * m->D, sizeof *m->output);
    m->d_output = mem_array(BATCH * m->D, sizeof *m->d_output);
    m->time = mem_array(m->n, sizeof *m->time);
    m->sum = mem_array(m->p, sizeof *m->sum);
    m->native = mem_array(m->p, sizeof *m->native);
    int short_of_memory = !m->image || !m->noise || !m->input || !m->output || !m->d_output || !m->time || !m->sum || !m->native;
    for (int l = 0; l < LOSS_COUNT; l++)
        if (o->losses >> l & 1) short_of_memory |= !(m->gradient[l] = mem_array(m->p, sizeof(float)));
    if (short_of_memory) return fail(ERR_NOMEM, "gradient: out of memory for %zu parameters", m->p);
    return unet_work_new(&m->work, m->net.u, BATCH, 1, m->progress ? m->progress->cancel : NULL);
}

static enum status run(struct maker *m, const char *path) {
    double done = 0, all = 0;
    for (int l = 0; l < LOSS_COUNT; l++) all += m->o->losses >> l & 1;
    TRY(open_all(m));
    TRY(prepare_inputs(m));
    for (int l = 0; l < LOSS_COUNT; l++)
        if (m->o->losses >> l & 1) {
            TRY(one_loss(m, (enum loss)l));
            progress_report(m->progress, ++done, all, "gradient", loss_name((enum loss)l));
        }
    return write_file(m, path);
}

enum status pipeline_gradient(struct store *s, const struct gradient_options *o, const char *path, const struct progress *p) {
    struct maker m = { .s = s, .o = o, .progress = p };
    enum status st = run(&m, path);
    unet_work_free(m.work);
    stored_network_close(&m.net);
    checkpoint_list_free(&m.checkpoint);
    mem_free(m.image);
    mem_free(m.noise);
    mem_free(m.input);
    mem_free(m.output);
    mem_free(m.d_output);
    mem_free(m.time);
    mem_free(m.sum);
    mem_free(m.native);
    for (int l = 0; l < LOSS_COUNT; l++) mem_free(m.gradient[l]);
    return st;
}
