/* export_model.c - the verb `export-model`: a checkpoint as a diffusers folder.
 *
 * The folder is made beside its place and renamed at the end, so that DIR is
 * either whole or not there.  With force a folder is replaced that holds an
 * earlier export, as its dtrak.json says, and nothing else. */
#include "dtrak/pipeline.h"

#include "dtrak/file.h"
#include "dtrak/json.h"
#include "dtrak/mem.h"
#include "dtrak/network.h"
#include "dtrak/scheduler.h"
#include "dtrak/store.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 4096 };

/* Everything an export may consist of, folders after what is in them. */
static const char *const FILES[] = {
    "config.json", "diffusion_pytorch_model.safetensors", "scheduler_config.json", "dtrak.json", "model_index.json",
    "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "scheduler/scheduler_config.json", "unet", "scheduler",
};
enum { N_FILES = sizeof FILES / sizeof *FILES };

struct exporter {
    const struct export_model_options *o;
    struct project project;
    const struct checkpoint *c;
    struct unet_config config;
    struct schedule *schedule;
    void *weights;
    size_t weights_len;
    char temp[PATH], aside[PATH];
};

static enum status errno_of(const char *path) { return fail(ERR_IO, "%s: %s", path, strerror(errno)); }

static enum status join(char out[PATH], const char *dir, const char *file) {
    int n = snprintf(out, PATH, "%s/%s", dir, file);
    return n > 0 && n < PATH ? OK : fail(ERR_RANGE, "%.80s...: the path is too long", dir);
}

/* --- what is written --- */

static enum status put(const struct exporter *x, const char *file, const void *bytes, size_t len) {
    char path[PATH];
    TRY(join(path, x->temp, file));
    return file_write(path, bytes, len);
}

static enum status put_text(const struct exporter *x, const char *file, struct buf *text) {
    enum status st = buf_status(text);
    if (st == OK) st = put(x, file, text->data, text->len);
    buf_free(text);
    return st;
}

/* The stored config's name for people, where it has one. */
static void write_name(struct buf *b, const struct checkpoint *c) {
    struct json_doc *doc;
    if (json_parse(&doc, c->config, strlen(c->config), "config") != OK) return;
    const char *name = json_string(json_get(json_get(json_root(doc), "_dtrak"), "name"), NULL);
    if (name) {
        buf_text(b, "  \"name\": ");
        json_add_string(b, name);
        buf_text(b, ",\n");
    }
    json_free(doc);
}

static void write_sidecar(struct buf *b, const struct exporter *x) {
    buf_printf(b, "{\n  \"program\": \"dtrak %s\",\n  \"project\": ", DTRAK_VERSION);
    json_add_string(b, x->project.name);
    buf_printf(b, ",\n  \"patch\": %zu,\n  \"value_range\": [", x->project.patch);
    json_add_double(b, x->project.value_low);
    buf_text(b, ", ");
    json_add_double(b, x->project.value_high);
    buf_printf(b, "],\n  \"step\": %zu,\n  \"percent\": ", x->c->step);
    json_add_double(b, x->c->percent);
    buf_text(b, ",\n  \"epoch\": ");
    json_add_double(b, x->c->epoch);
    if (isfinite(x->c->train_loss)) buf_text(b, ",\n  \"train_loss\": ");
    if (isfinite(x->c->train_loss)) json_add_double(b, x->c->train_loss);
    buf_printf(b, ",\n  \"ema\": %s,\n", x->c->ema ? "true" : "false");
    write_name(b, x->c);
    buf_printf(b, "  \"sha256\": \"%s\"\n}\n", x->c->sha256);
}

static enum status write_folder(const struct exporter *x) {
    struct buf config = BUF_INIT, scheduler = BUF_INIT, sidecar = BUF_INIT, index = BUF_INIT;
    int whole = x->o->pipeline;
    char unet[PATH], sched[PATH];
    TRY(join(unet, x->temp, "unet"));
    TRY(join(sched, x->temp, "scheduler"));
    if (mkdir(x->temp, 0777))
        return errno == ENOENT ? fail(ERR_MISSING, "%s: its folder is not there; make it first, or choose another", x->o->dir) : errno_of(x->temp);
    if (whole && (mkdir(unet, 0777) || mkdir(sched, 0777))) return errno_of(unet);
    network_config_write(&config, &x->config);
    TRY(put_text(x, whole ? "unet/config.json" : "config.json", &config));
    scheduler_write(&scheduler, x->schedule);
    TRY(put_text(x, whole ? "scheduler/scheduler_config.json" : "scheduler_config.json", &scheduler));
    write_sidecar(&sidecar, x);
    TRY(put_text(x, "dtrak.json", &sidecar));
    if (whole) {
        const char *kind = schedule_get_config(x->schedule)->final_first ? "DDIM" : "DDPM";
        buf_printf(&index, "{\n  \"_class_name\": \"%sPipeline\",\n  \"_diffusers_version\": \"0.16.1\",\n"
                   "  \"scheduler\": [\"diffusers\", \"%sScheduler\"],\n  \"unet\": [\"diffusers\", \"UNet2DModel\"]\n}\n",
                   kind, kind);
        TRY(put_text(x, "model_index.json", &index));
    }
    return put(x, whole ? "unet/diffusion_pytorch_model.safetensors" : "diffusion_pytorch_model.safetensors", x->weights,
               x->weights_len);
}

/* --- where --- */

/* Removes an export; what else there is makes rmdir fail and stays. */
static void remove_export(const char *dir) {
    char path[PATH];
    for (size_t i = 0; i < N_FILES; i++) {
        if (join(path, dir, FILES[i]) != OK) return;
        if (unlink(path) && errno != ENOENT) (void)rmdir(path);
    }
    (void)rmdir(dir);
}

static int is_of_an_export(const char *sub, const char *name) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s%s", sub, *sub ? "/" : "", name);
    for (size_t i = 0; i < N_FILES; i++)
        if (!strcmp(FILES[i], whole)) return 1;
    return 0;
}

/* Others' models have files of the same names. */
static enum status check_writer(const char *dir) {
    char path[PATH];
    struct json_doc *doc;
    TRY(join(path, dir, "dtrak.json"));
    int is_ours = 0;
    if (json_read(&doc, path) == OK) {
        is_ours = !strncmp(json_string(json_get(json_root(doc), "program"), ""), "dtrak ", 6);
        json_free(doc);
    }
    return is_ours ? OK : fail(ERR_IO, "%s: no dtrak.json in it says that dtrak wrote it; it is not replaced: move it away, or choose another folder", dir);
}

/* Only an earlier export is replaced: a folder with its files and no others.  *found: files. */
static enum status check_names(const char *dir, const char *sub, int *found) {
    char path[PATH];
    TRY(join(path, dir, sub));
    DIR *d = opendir(*sub ? path : dir);
    if (!d) return errno == ENOENT ? OK : errno_of(dir);
    enum status st = OK;
    for (struct dirent *e; st == OK && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        ++*found;
        if (!is_of_an_export(sub, e->d_name))
            st = fail(ERR_IO, "%s: holds %s%s%.80s, which is of no export; it is not replaced", dir, sub, *sub ? "/" : "", e->d_name);
    }
    closedir(d);
    return st;
}

static enum status check_replaceable(const char *dir) {
    int found = 0;
    TRY(check_names(dir, "", &found));
    TRY(check_names(dir, "unet", &found));
    TRY(check_names(dir, "scheduler", &found));
    return found ? check_writer(dir) : OK;
}

static enum status choose_place(struct exporter *x) {
    const char *dir = x->o->dir;
    struct stat sb;
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/') len--;
    int n = snprintf(x->temp, PATH, "%.*s.part-%ld", (int)len, dir, (long)getpid());
    int m = snprintf(x->aside, PATH, "%.*s.old-%ld", (int)len, dir, (long)getpid());
    if (!len || n >= PATH || m >= PATH) return fail(ERR_RANGE, "'%.80s' is no name for a folder", dir);
    if (lstat(dir, &sb)) return errno == ENOENT ? OK : errno_of(dir);
    if (!x->o->force) return fail(ERR_IO, "%s is there already; --force replaces an earlier export", dir);
    if (!S_ISDIR(sb.st_mode)) return fail(ERR_IO, "%s: is no folder; it is not replaced", dir);
    return check_replaceable(dir);
}

static enum status move_into_place(const struct exporter *x) {
    const char *dir = x->o->dir;
    if (rename(dir, x->aside)) {
        if (errno != ENOENT) return errno_of(dir);
        return rename(x->temp, dir) ? errno_of(dir) : OK;
    }
    if (rename(x->temp, dir)) {
        enum status st = errno_of(dir);
        (void)rename(x->aside, dir);
        return st;
    }
    remove_export(x->aside);
    return OK;
}

static enum status run(struct exporter *x, struct store *s, struct checkpoint_list *l) {
    TRY(choose_place(x));
    TRY(store_project_get(s, &x->project));
    TRY(store_checkpoints_resolve(s, x->o->checkpoint, l));
    if (l->count != 1)
        return fail(ERR_RANGE, "export-model: '%s' names %zu checkpoints, expected one",
                    x->o->checkpoint ? x->o->checkpoint : "last", l->count);
    x->c = &l->checkpoint[0];
    TRY(checkpoint_config_read(&x->config, &x->schedule, x->c->config, "stored checkpoint"));
    TRY(store_checkpoint_weights(s, x->c->id, &x->weights, &x->weights_len));
    enum status st = write_folder(x);
    if (st == OK) st = move_into_place(x);
    if (st != OK) remove_export(x->temp);
    return st;
}

enum status pipeline_export_model(struct store *s, const struct export_model_options *o) {
    struct exporter x = { .o = o };
    struct checkpoint_list l = { 0 };
    enum status st = run(&x, s, &l);
    schedule_free(x.schedule);
    mem_free(x.weights);
    checkpoint_list_free(&l);
    return st;
}
