/* session_test.c - the explorer beside other programs and over several databases: what they
 * write shows without a key, and going over to another database shows that one's pictures. */
#include "../lib/explore.h"
#include "../lib/store_rig.h"
#include "dtrak/buf.h"
#include "dtrak/image.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* A database of the screen tests of its own. */
static const char *world(const char *name) {
    const char *path = rig_path(name);
    EXPLORE_RUN("'%s/screens/world' '%s' 2>&1", explore_environment("OUT"), path);
    return path;
}

/* --- another program writes --- */

static struct store *open_beside(const char *db) {
    struct store *s;
    assert_int_equal(store_open(&s, db, STORE_WRITE), OK);
    return s;
}

static void add_generated(const char *db) {
    struct store *s = open_beside(db);
    struct buf png = BUF_INIT;
    struct image im;
    struct item it;
    assert_int_equal(image_new(&im, EXPLORE_SIDE, EXPLORE_SIDE, 1), OK);
    assert_int_equal(image_encode_png(&png, &im), OK);
    memset(&it, 0, sizeof it);
    it.label = -1;
    it.seed = 4711;
    it.sampler = "ddim";
    it.steps = 20;
    it.width_px = it.height_px = EXPLORE_SIDE;
    it.image_bytes = png.len;
    const void *bytes = png.data;
    assert_int_equal(store_items_add(s, SPLIT_GEN, &it, &bytes, 1, NULL), OK);
    buf_free(&png);
    image_free(&im);
    store_close(s);
}

/* How well the newest score set predicts retraining. */
static void add_measurement(const char *db, double value) {
    struct store *s = open_beside(db);
    double per_query[40] = { 0 };
    struct lds_row r = { .score_set = rig_number(db, "SELECT max(id) FROM score_set"), .subsets = 32, .queries = 40,
                         .q_eff = 12, .value = value, .se = .021, .low = value - .04, .high = value + .04, .ceiling = .5,
                         .per_query = per_query };
    assert_int_equal(store_protocol_ensure(s, PROTOCOL_TRAIN, "{\"subsets\":64}", &r.train_protocol), OK);
    assert_int_equal(store_protocol_ensure(s, PROTOCOL_EVAL, "{\"timesteps\":100}", &r.eval_protocol), OK);
    for (r.centred = 0; r.centred < 2; r.centred++) assert_int_equal(store_lds_put(s, &r), OK);
    store_close(s);
}

/* A job that somebody else runs: claimed as it is queued. */
static void add_foreign_job(const char *db) {
    struct store *s = open_beside(db);
    struct job j;
    int64_t id;
    assert_int_equal(store_begin(s), OK);
    assert_int_equal(store_job_enqueue(s, "train", "{}", &id), OK);
    assert_int_equal(store_job_claim(s, id, "elsewhere:1:1", &j), OK);
    assert_int_equal(store_commit(s), OK);
    assert_int_equal(store_job_heartbeat(s, id, "elsewhere:1:1", 25, 100, "training", "epoch 3", NULL), OK);
    store_close(s);
}

static void what_another_process_writes_shows_without_a_key(void **state) {
    (void)state;
    const char *db = world("followed.db");
    struct pty *p = explore_start(db, PTY_PLAIN);
    explore_see(p, "generated: 40");
    pty_keys(p, "2ff");                 /* features of l1 are there, scores are not */
    explore_see(p, "loss l1");
    explore_see(p, "not computed");
    EXPLORE_RUN("'%s' score '%s' --method trak --loss l1 --split gen --threads 1 2>&1", explore_environment("DTRAK"), db);
    explore_see(p, "proponents 1-");
    pty_keys(p, "l");
    explore_see(p, ">2 train:");
    add_measurement(db, .417);
    explore_see(p, "LDS 41.7");
    explore_see(p, ">2 train:");        /* where one is stays */

    pty_keys(p, "6");
    explore_see(p, "jobs: 3");
    add_foreign_job(db);
    explore_see(p, "jobs: 4");
    explore_see(p, "25%");

    pty_keys(p, "1ll");
    explore_see(p, ">gen:2 ");
    add_generated(db);
    explore_see(p, "generated: 41");
    explore_see(p, ">gen:2 ");
    explore_quit(p);
    assert_int_equal(rig_number(db, "SELECT count(*) FROM item WHERE split = 'gen'"), 41);
}

static void another_file_in_its_place_is_said(void **state) {
    (void)state;
    const char *db = world("replaced.db"), *other = world("other.db");
    add_generated(other);
    struct pty *p = explore_start(db, PTY_PLAIN);
    explore_see(p, "generated: 40");
    EXPLORE_RUN("mv '%s' '%s'", other, db);
    explore_see(p, "another file has taken this database's place");
    explore_quit(p);
    p = explore_start(db, PTY_PLAIN);
    explore_see(p, "generated: 41");
    explore_quit(p);
    EXPLORE_RUN("'%s' check '%s' 2>&1", explore_environment("DTRAK"), db);
}

static void a_browsing_one_follows_too(void **state) {
    (void)state;
    const char *db = world("browsed.db");
    struct pty *p = explore_start_with(db, PTY_PLAIN, "--read-only");
    explore_see(p, "generated: 40");
    add_generated(db);
    explore_see(p, "generated: 41");
    explore_quit(p);
}

/* --- several databases --- */

/* The first picture of the gallery, below its heading. */
static const struct vt_picture *first_picture(const struct pty *p) {
    size_t row, col;
    return vt_find(pty_screen(p), ">gen:0", &row, &col) ? explore_picture_in(p, row + 1, col, 2, 8) : NULL;
}

static int shows_gen_0_of(struct pty *p, const void *db) {
    unsigned char pixels[EXPLORE_PIXELS];
    const struct vt_picture *painted = first_picture(p);
    if (!painted) return 0;
    explore_pixels(db, SPLIT_GEN, 0, pixels);
    return explore_psnr(&painted->image, pixels) > 35;
}

static void going_over_shows_the_pictures_of_the_other(void **state) {
    (void)state;
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", rig_path("several"));
    EXPLORE_RUN("mkdir '%s'", folder);
    char one[4200], two[4200];
    snprintf(one, sizeof one, "%s/one.db", folder);
    snprintf(two, sizeof two, "%s/two.db", folder);
    EXPLORE_RUN("'%s/screens/world' '%s' 2>&1 && cp '%s' '%s'", explore_environment("OUT"), one, one, two);
    rig_sql(two, "UPDATE item SET image = (SELECT image FROM item WHERE split = 'gen' AND idx = 1)"
                 " WHERE split = 'gen' AND idx = 0");
    struct pty *p = explore_start(folder, PTY_SIXEL);
    explore_see(p, "databases in");
    explore_see(p, "two.db");
    pty_keys(p, "\r");
    explore_see(p, "generated: 40");
    explore_until(p, shows_gen_0_of, one, "the first picture is not that of one.db");
    pty_keys(p, "o");
    explore_see(p, ">one.db");
    pty_keys(p, "j\r");
    explore_see(p, "two.db  gen:0");
    explore_until(p, shows_gen_0_of, two, "the first picture is not that of two.db");
    assert_false(shows_gen_0_of(p, one));
    explore_quit(p);
    EXPLORE_RUN("'%s' check '%s' 2>&1", explore_environment("DTRAK"), one);
    EXPLORE_RUN("rm -r '%s'", folder);
}

/* --- the next start --- */

static void the_next_start_shows_what_was_shown_last(void **state) {
    (void)state;
    const char *db = world("again.db"), *file = rig_path("again/dtrak/explorer.json");
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", rig_path("again"));
    setenv("XDG_STATE_HOME", folder, 1);
    struct pty *p = explore_start_with(db, PTY_PLAIN, NULL);
    explore_see(p, "generated: 40");
    pty_keys(p, "ll2cl");
    explore_see(p, "ckpt 1/4");
    explore_see(p, ">2 train:");
    explore_quit(p);
    assert_true(rig_exists(file));

    p = explore_start_with(db, PTY_PLAIN, NULL);
    explore_see(p, "gen:2/40");
    explore_see(p, "ckpt 1/4");
    explore_see(p, "proponents 1-");
    explore_see(p, ">2 train:");
    explore_quit(p);
    EXPLORE_RUN("cp '%s' '%s.kept'", file, file);
    EXPLORE_RUN("'%s' '%s' --keys '6' --dump '%s'", explore_environment("DTRAK"), db, rig_path("dump"));
    EXPLORE_RUN("grep -q 'gen:0/40' '%s'", rig_path("dump"));        /* a script begins anew */
    EXPLORE_RUN("cmp '%s' '%s.kept'", file, file);                   /* and leaves no trace */

    EXPLORE_RUN("! setsid '%s' '%s' < /dev/null > '%s' 2>&1", explore_environment("DTRAK"), db, rig_path("out"));
    EXPLORE_RUN("cmp '%s' '%s.kept'", file, file);                   /* nor does a start that fails */

    p = explore_start_with(db, PTY_PLAIN, "--query=gen:7");
    explore_see(p, "gen:7/40");
    explore_see(p, "ckpt 1/4");                                      /* the setting stays */
    pty_keys(p, "7");
    explore_see(p, "over all queries");
    pty_signal(p, 1);                                                /* the line drops */
    explore_free_after(p, pty_wait_end(p));
    p = explore_start_with(db, PTY_PLAIN, NULL);
    explore_see(p, "over all queries");
    explore_see(p, "gen:7/40");
    explore_quit(p);
    p = explore_start(db, PTY_PLAIN);                                /* --fresh */
    explore_see(p, "generated: 40");
    explore_see(p, ">gen:0 ");
    explore_quit(p);

    EXPLORE_RUN("echo '{\"databases\":[{\"path\":\"%s\",\"screen\":\"no\",\"query\":\"gen:4000\",\"method\":\"x\","
                "\"loss\":7,\"step\":-3,\"cursor\":[9999999,1]}]}' > '%s'", db, file);
    p = explore_start_with(db, PTY_PLAIN, NULL);                     /* what makes no sense is left out */
    explore_see(p, "generated: 40");
    explore_quit(p);
    EXPLORE_RUN("echo rubbish > '%s'", file);
    p = explore_start_with(db, PTY_PLAIN, NULL);
    explore_see(p, "generated: 40");
    explore_quit(p);
    EXPLORE_RUN("rm -r '%s' && touch '%s'", folder, folder);         /* no place to remember: no reason to fail */
    p = explore_start_with(db, PTY_PLAIN, NULL);
    explore_see(p, "generated: 40");
    explore_quit(p);
}

static void the_config_file_of_the_user_is_read(void **state) {
    (void)state;
    const char *db = world("configured.db");
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", rig_path("settings"));
    setenv("XDG_CONFIG_HOME", folder, 1);
    EXPLORE_RUN("mkdir -p '%s/dtrak' && printf 'screen ranking\nbind w mark # Space\nbind z reverse\n' > '%s/dtrak/config'", folder, folder);
    struct pty *p = explore_start(db, PTY_PLAIN);
    explore_see(p, "proponents 1-");
    pty_keys(p, "g");
    explore_see(p, "w mark");
    pty_keys(p, "w");
    explore_see(p, "train:21 marked");
    pty_keys(p, " ");
    explore_see(p, "space does nothing on this screen");
    pty_keys(p, "z");
    explore_see(p, "generated items that train:21 supports");
    explore_quit(p);
    EXPLORE_RUN("echo 'bind q quit' >> '%s/dtrak/config'", folder);
    char *text = explore_shell("'%s' '%s' < /dev/null 2>&1 && echo went on; true", explore_environment("DTRAK"), db);
    assert_non_null(strstr(text, "settings/dtrak/config:4: the key q would mean both 'quit' and 'back'"));
    free(text);
    text = explore_shell("'%s' '%s' --keys '' --dump - 2>&1", explore_environment("DTRAK"), db);   /* a script reads none */
    assert_non_null(strstr(text, "generated: 40"));
    free(text);
}

/* As SQLite locks a file for itself alone: no one else can read it. */
static void lock_all(int fd, short type) {
    struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = 0x40000000, .l_len = 512 };
    assert_int_equal(fcntl(fd, F_SETLK, &l), 0);
}

static int is_all_read(struct pty *p, const void *ctx) {
    (void)ctx;
    return !vt_find(pty_screen(p), "reading", NULL, NULL);
}

static void a_locked_database_in_the_list_holds_up_no_key(void **state) {
    (void)state;
    char folder[4096], db[4200];
    snprintf(folder, sizeof folder, "%s", rig_path("listed"));
    EXPLORE_RUN("mkdir '%s' && cp '%s' '%s/a.db' && cp '%s/a.db' '%s/b.db'", folder, world("one.db"), folder, folder, folder);
    snprintf(db, sizeof db, "%s/a.db", folder);
    int fd = open(db, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    lock_all(fd, F_WRLCK);
    struct pty *p = explore_start(folder, PTY_PLAIN);
    explore_see(p, "reading");
    pty_keys(p, "j");
    explore_see(p, ">b.db");
    assert_true(vt_find(pty_screen(p), "reading", NULL, NULL));   /* the key did not wait for that */
    lock_all(fd, F_UNLCK);
    explore_until(p, is_all_read, NULL, "both are read");
    pty_keys(p, "k");
    explore_see(p, ">a.db");
    explore_see(p, "score sets");
    close(fd);
    explore_quit(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_another_process_writes_shows_without_a_key),
        cmocka_unit_test(a_browsing_one_follows_too),
        cmocka_unit_test(another_file_in_its_place_is_said),
        cmocka_unit_test(going_over_shows_the_pictures_of_the_other),
        cmocka_unit_test(the_next_start_shows_what_was_shown_last),
        cmocka_unit_test(a_locked_database_in_the_list_holds_up_no_key),
        cmocka_unit_test(the_config_file_of_the_user_is_read),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, rig_end);
}
