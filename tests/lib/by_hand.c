/* by_hand.c - a stored network, one image and one timestep at a time.  See by_hand.h. */
#include "by_hand.h"

#include "dtrak/mem.h"
#include "dtrak/projection.h"
#include "dtrak/rng.h"
#include "dtrak/schedule.h"
#include "status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void by_hand_open(struct by_hand *h, struct store *s, const char *checkpoint) {
    struct checkpoint_list l;
    ok(store_checkpoints_resolve(s, checkpoint, &l));
    assert_int_equal(l.count, 1);
    h->s = s;
    ok(store_project_get(s, &h->project));
    ok(stored_network_open(&h->net, s, &l.checkpoint[0], 1));
    ok(unet_work_new(&h->work, h->net.u, 1, 1, NULL));
    h->d = items_floats(&h->project);
    h->p = unet_size(h->net.u);
    h->gradient = mem_array(h->p, sizeof *h->gradient);
    assert_non_null(h->gradient);
    checkpoint_list_free(&l);
}

void by_hand_close(struct by_hand *h) {
    mem_free(h->gradient);
    unet_work_free(h->work);
    stored_network_close(&h->net);
}

void by_hand_predict(struct by_hand *h, float *eps, const float *x_t, size_t t) {
    float time = (float)t;
    unet_forward(h->work, h->net.weights, eps, x_t, &time, 1);
}

void by_hand_item(struct by_hand *h, float *eps, float *noise, struct item_ref item, size_t t, size_t draw, uint64_t seed) {
    float *x = mem_array(2 * h->d, sizeof *x), *x_t = x + h->d;
    assert_non_null(x);
    ok(items_load(h->s, &h->project, item.split, item.index, 1, x));
    rng_normal(noise, h->d, seed, RNG_NOISE, (uint32_t)item.split << 29 | (uint32_t)item.index, (uint32_t)(draw << 17 | t));
    schedule_noised(h->net.schedule, x_t, x, noise, h->d, t);
    by_hand_predict(h, eps, x_t, t);
    mem_free(x);
}

static void add(void *ctx, size_t param, const float *gradient) {
    struct by_hand *h = ctx;
    size_t n_params;
    const struct unet_param *q = unet_params(h->net.u, &n_params) + param;
    for (size_t i = 0; i < q->count; i++) h->gradient[q->offset + i] += (double)gradient[i];
}

void by_hand_add(struct by_hand *h, const float *d_eps) {
    struct unet_sink sink = { add, h };
    unet_backward(h->work, h->net.weights, d_eps, &sink);
}

void by_hand_project(struct by_hand *h, double *out, size_t k, uint64_t seed) {
    struct projection sjlt = { PROJECTION_SJLT, seed, h->p, (uint32_t)k, 1, PROJECTION_VERSION };
    uint32_t *coordinate = mem_array(h->p, sizeof *coordinate), *table = mem_array(h->p, sizeof *table);
    assert_true(coordinate && table);
    unet_coordinates(h->net.u, coordinate);
    projection_table(&sjlt, NULL, h->p, table);
    memset(out, 0, k * sizeof *out);
    for (size_t i = 0; i < h->p; i++) {
        uint32_t entry = table[coordinate[i]];   /* where it goes, and its sign below */
        out[entry >> 1] += entry & 1 ? -h->gradient[i] : h->gradient[i];
    }
    memset(h->gradient, 0, h->p * sizeof *h->gradient);
    mem_free(coordinate);
    mem_free(table);
}

void expect_row(const float *row, const double *want, size_t k, double tolerance, const char *what) {
    double size = 0, error = 0;
    for (size_t j = 0; j < k; j++) {
        size += want[j] * want[j];
        error += pow(want[j] - (double)row[j], 2);
    }
    if (!(sqrt(error) <= tolerance * sqrt(size))) die("%s: off by %g of %g", what, sqrt(error), sqrt(size));
}
