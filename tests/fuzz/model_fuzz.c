/* Bytes as a network's config and its weights: four bytes of the config's length, the config (with a
 * scheduler inside, as a database keeps it), the weights in any format.  What is read is written and
 * read again.  Run by libFuzzer or, over saved files, by replay.c. */
#include "dtrak/mem.h"
#include "dtrak/network.h"
#include "dtrak/scheduler.h"
#include "dtrak/tensors.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMETERS_MAX = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const struct unet *u, const float *theta, const enum tensor_type *types) {
    struct buf b = BUF_INIT;
    float *back = mem_array(unet_size(u), sizeof *back);
    if (back && network_weights_write_as(&b, u, theta, types) == OK && buf_status(&b) == OK) {
        if (network_weights_read(back, u, b.data, b.len, "fuzz") != OK) abort();
        if (memcmp(back, theta, unet_size(u) * sizeof *back)) abort();
    }
    mem_free(back);
    buf_free(&b);
}

static void read_weights(const struct unet_config *given, const uint8_t *data, size_t size) {
    struct unet_config c = *given;
    struct tensors *t = NULL;
    struct unet *u = NULL;
    size_t n;
    if (tensors_new(&t) != OK) return;
    if (tensors_add(t, data, size, "fuzz") == OK) {
        network_config_settle(&c, t);
        if (unet_new(&u, &c) == OK && unet_size(u) <= PARAMETERS_MAX) {
            unet_params(u, &n);
            float *theta = mem_array(unet_size(u), sizeof *theta);
            enum tensor_type *types = mem_array(n, sizeof *types);
            if (theta && types && network_weights_from(theta, types, u, t, "fuzz") == OK) write_and_read(u, theta, types);
            mem_free(theta);
            mem_free(types);
        }
    }
    unet_free(u);
    tensors_free(t);
}

static void write_and_read_config(const struct unet_config *c, const struct schedule *s) {
    struct buf b = BUF_INIT;
    struct unet_config back;
    struct schedule *again = NULL;
    struct checkpoint_origin o = { "F32", "name", NULL };
    checkpoint_config_write(&b, c, s, &o);
    if (buf_status(&b) == OK) {
        if (checkpoint_config_read(&back, &again, b.data, "fuzz") != OK || memcmp(&back, c, sizeof back)) abort();
        if (!schedule_equal(again, s)) abort();
    }
    schedule_free(again);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct unet_config c;
    struct schedule *s = NULL;
    if (size < 4) return 0;
    size_t len = (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
    if (len > size - 4) len = size - 4;
    char *config = mem_copy_bytes(data + 4, len);
    if (config && checkpoint_config_read(&c, &s, config, "fuzz") == OK) {
        write_and_read_config(&c, s);
        read_weights(&c, data + 4 + len, size - 4 - len);
    }
    schedule_free(s);
    mem_free(config);
    return 0;
}
