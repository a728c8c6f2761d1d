/* network.c - what the engine makes of a diffusers folder, for comparison from outside.
 *
 *   network DIR INPUT OUTPUT LOSS...
 *
 * DIR holds config.json and diffusion_pytorch_model.safetensors.  INPUT (safetensors) has x and
 * noise [B][C][H][W] and t [B].  OUTPUT gets eps, and for each LOSS its values loss.LOSS [B] and the
 * gradient g.LOSS.NAME of their mean for every parameter.  Prints the number of parameters, the
 * seconds of the forward and of the last backward pass, and the most memory held, in MiB. */
#include "dtrak/file.h"
#include "dtrak/loss.h"
#include "dtrak/mem.h"
#include "dtrak/network.h"
#include "dtrak/safetensors.h"
#include "dtrak/schedule.h"
#include "dtrak/unet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MOST ((size_t)1 << 31)

static void check(enum status st) {
    if (st == OK) return;
    fprintf(stderr, "network: %s\n", fail_reason());
    exit(1);
}
static void *floats(size_t n) {
    void *p = mem_array(n ? n : 1, sizeof(float));
    if (!p) check(fail(ERR_NOMEM, "out of memory"));
    return p;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct engine { struct unet *u; struct unet_weights *weights; struct unet_work *work; };

static void engine_open(struct engine *e, const char *dir, size_t B) {
    struct unet_config c;
    char path[512];
    unsigned char *bytes;
    size_t len;
    snprintf(path, sizeof path, "%s/config.json", dir);
    check(file_read(&bytes, &len, path, MOST));
    check(network_config_read(&c, (const char *)bytes, len, path));
    mem_free(bytes);
    check(unet_new(&e->u, &c));
    snprintf(path, sizeof path, "%s/diffusion_pytorch_model.safetensors", dir);
    check(file_read(&bytes, &len, path, MOST));
    float *theta = floats(unet_size(e->u));
    check(network_weights_read(theta, e->u, bytes, len, path));
    mem_free(bytes);
    check(unet_weights_new(&e->weights, e->u, 1));
    unet_weights_pack(e->weights, theta);
    mem_free(theta);
    check(unet_work_new(&e->work, e->u, B, 1, NULL));
}

static void engine_close(struct engine *e) {
    unet_work_free(e->work);
    unet_weights_free(e->weights);
    unet_free(e->u);
}

struct collect { const struct unet_param *params; float *grad; };
static void take(void *ctx, size_t param, const float *grad) {
    struct collect *c = ctx;
    memcpy(c->grad + c->params[param].offset, grad, c->params[param].count * sizeof *grad);
}

/* Tensors of the output; what they point to lives until the end. */
struct output { struct safetensors_tensor *t; size_t n; };

static void add(struct output *o, const char *name, const float *values, size_t rank, const size_t *shape) {
    size_t len = strlen(name) + 1;
    char *copy = mem_array(len, 1);
    struct safetensors_tensor *t = &o->t[o->n++];
    if (!copy) check(fail(ERR_NOMEM, "out of memory"));
    *t = (struct safetensors_tensor){ .name = memcpy(copy, name, len), .values = values, .rank = rank, .type = TENSOR_F32 };
    memcpy(t->shape, shape, rank * sizeof *shape);
}

struct batch { size_t B, D; float *x, *t, *noise, *eps, *d_eps; };

/* Backward of one loss, all of whose results are added to the output. */
static double one_loss(struct output *o, const struct engine *e, const struct batch *b, enum loss l) {
    char name[160];
    size_t n_params;
    const struct unet_param *params = unet_params(e->u, &n_params);
    float *values = floats(b->B), *native = floats(unet_size(e->u)), *grad = floats(unet_size(e->u));
    for (size_t i = 0; i < b->B; i++)
        values[i] = (float)loss_gradient(l, b->d_eps + i * b->D, b->eps + i * b->D, b->noise + i * b->D, b->D,
                                         schedule_elbo_weight(schedule_default(), (size_t)b->t[i]), 1.0 / (double)b->B);
    snprintf(name, sizeof name, "loss.%s", loss_name(l));
    add(o, name, values, 1, &b->B);
    struct collect c = { params, native };
    struct unet_sink sink = { take, &c };
    double from = seconds();
    if (!unet_backward(e->work, e->weights, b->d_eps, &sink)) exit(1);
    double took = seconds() - from;
    unet_to_canonical(e->u, grad, native);
    mem_free(native);
    for (size_t i = 0; i < n_params; i++) {
        snprintf(name, sizeof name, "g.%s.%s", loss_name(l), params[i].name);
        add(o, name, grad + params[i].offset, params[i].n_dims, params[i].dims);
    }
    return took;
}

static float *input(const struct safetensors *s, const char *name, size_t count) {
    float *out = floats(count);
    check(safetensors_read(out, count, s, name));
    return out;
}

int main(int argc, char **argv) {
    unsigned char *bytes;
    size_t len, n_params;
    struct safetensors *in;
    struct engine e;
    struct buf file = BUF_INIT;
    if (argc < 4) return fputs("usage: network DIR INPUT OUTPUT LOSS...\n", stderr), 2;
    check(file_read(&bytes, &len, argv[2], MOST));
    check(safetensors_open(&in, bytes, len, argv[2]));
    const struct safetensors_entry *x = safetensors_find(in, "x");
    if (!x || x->rank != 4) check(fail(ERR_FORMAT, "%s: no x of four dimensions", argv[2]));
    engine_open(&e, argv[1], x->shape[0]);
    const struct unet_config *c = unet_get_config(e.u);
    size_t B = x->shape[0], S = c->sample_height * c->sample_width;
    struct batch b = { .B = B, .D = c->out_channels * S };
    b.x = input(in, "x", B * c->in_channels * S);
    b.t = input(in, "t", B);
    b.noise = input(in, "noise", B * b.D);
    b.eps = floats(B * b.D);
    b.d_eps = floats(B * b.D);
    unet_params(e.u, &n_params);
    struct output o = { mem_array((size_t)argc * (n_params + 1), sizeof *o.t), 0 };
    if (!o.t) check(fail(ERR_NOMEM, "out of memory"));
    double from = seconds(), forward, backward = 0;
    if (!unet_forward(e.work, e.weights, b.eps, b.x, b.t, B)) return 1;
    forward = seconds() - from;
    size_t shape[4] = { B, c->out_channels, c->sample_height, c->sample_width };
    add(&o, "eps", b.eps, 4, shape);
    for (int i = 4; i < argc; i++) {
        if (loss_parse(argv[i]) == LOSS_COUNT) check(fail(ERR_RANGE, "no loss %s", argv[i]));
        backward = one_loss(&o, &e, &b, loss_parse(argv[i]));
    }
    size_t p = unet_size(e.u);
    engine_close(&e);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("%zu %.4f %.4f %.0f\n", p, forward, backward, (double)use.ru_maxrss / 1024);
    check(safetensors_write(&file, o.t, o.n, NULL, 0));
    check(file_write(argv[3], file.data, file.len));
    return 0;
}
