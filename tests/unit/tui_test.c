/* The explorer without a terminal: what scripts do, what it refuses, and that
 * no key on any size of screen brings it down. */
#include "../lib/store_rig.h"
#include "dtrak/jobs.h"
#include "dtrak/mem.h"
#include "dtrak/rng.h"
#include "dtrak/tui.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* Scores of square at the last checkpoint for the gen items, pixel-cos beside them. */
static void add_scores(struct store *s, const char *method, const char *loss, int64_t checkpoint) {
    struct score_set want = { .split = SPLIT_GEN, .mantissa_bits = 24, .n = RIG_TRAIN, .rows = RIG_GEN,
                              .lambda_rel = NAN, .lambda_abs = NAN, .d_eff = NAN, .version = 1 };
    float row[RIG_TRAIN];
    snprintf(want.method, sizeof want.method, "%s", method);
    snprintf(want.loss, sizeof want.loss, "%s", loss);
    if (checkpoint) { want.checkpoint[0] = checkpoint; want.checkpoints = 1; want.timesteps = 10; want.k = 6; }
    if (strcmp(method, "trak") == 0) snprintf(want.lambda_spec, sizeof want.lambda_spec, "auto");
    assert_int_equal(store_score_set_ensure(s, &want, NULL, &want), OK);
    assert_int_equal(store_score_set_ridge(s, want.id, &(struct score_ridge){ .05, 1.25, 3, NAN, 0 }), OK);
    for (size_t q = 0; q < RIG_GEN; q++) {
        for (size_t i = 0; i < RIG_TRAIN; i++) row[i] = rig_value(q * 1000 + i, strlen(method));
        assert_int_equal(store_score_put(s, &want, q, row), OK);
    }
}

static const char *world(void) {
    const char *path = rig_path("world.db");
    struct checkpoint_list l;
    if (rig_exists(path)) return path;
    struct store *s = rig_project(path);
    assert_int_equal(store_checkpoints_resolve(s, "last", &l), OK);
    add_scores(s, "trak", "square", l.checkpoint[0].id);
    add_scores(s, "pixel-cos", "", 0);
    checkpoint_list_free(&l);
    store_close(s);
    return path;
}

/* Runs a script on a database and returns the last screen, the caller's to free(). */
static char *screen_of(const char *db, const char *keys, size_t cols, size_t rows, const char *query) {
    struct tui_options o = TUI_DEFAULTS;
    const char *out = rig_path("screen.txt");
    o.db = db;
    o.keys = keys;
    o.dump = out;
    o.cols = cols;
    o.rows = rows;
    o.query = query;
    if (tui_run(&o) != OK) fail_msg("%s", fail_reason());
    FILE *f = fopen(out, "r");
    assert_non_null(f);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

static char *screen(const char *keys, size_t cols, size_t rows, const char *query) { return screen_of(world(), keys, cols, rows, query); }

static void shows(const char *keys, const char *query, const char *part) {
    char *text = screen(keys, 120, 36, query);
    if (!strstr(text, part)) fail_msg("'%s' does not show '%s':\n%s", keys, part, text);
    free(text);
}

/* Two ways to the same place show the same. */
static void shows_the_same(const char *keys, const char *as, const char *query) {
    char *text = screen(keys, 120, 36, query), *other = screen(as, 120, 36, query);
    if (strcmp(text, other)) fail_msg("'%s' and '%s' differ:\n%s\n%s", keys, as, text, other);
    free(text);
    free(other);
}

static void the_ranking_is_that_of_the_stored_row(void **state) {
    (void)state;
    size_t best = 0, worst = 0;
    char part[64];
    for (size_t i = 0; i < RIG_TRAIN; i++) {
        if (rig_value(3000 + i, 4) > rig_value(3000 + best, 4)) best = i;
        if (rig_value(3000 + i, 4) < rig_value(3000 + worst, 4)) worst = i;
    }
    snprintf(part, sizeof part, ">1 train:%zu ", best);
    shows("", "gen:3", part);
    snprintf(part, sizeof part, ">1 train:%zu ", worst);
    shows("tab", "gen:3", part);
    shows("", "gen:3", "D-TRAK");
}

static void a_setting_that_is_not_computed_is_never_filled_in(void **state) {
    (void)state;
    static const char *const keys[] = { "f", "c", "F", "C", "2 f f", "c f" };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char *text = screen(keys[i], 120, 36, "gen:0");
        assert_non_null(strstr(text, "not computed for gen items: press r"));
        assert_null(strstr(text, "proponents"));
        free(text);
    }
    shows("f F", "gen:0", "proponents");
    shows("", "val:0", "not computed for val items");
}

/* A project with features of square at the last checkpoint, and their scores at lambda auto. */
static struct store *study(const char *path) {
    static float phi[RIG_TRAIN * 6];
    struct checkpoint_list l;
    struct store *s = rig_project(path);
    struct feature_identity train = rig_identity(s, SPLIT_TRAIN), gen = rig_identity(s, SPLIT_GEN);
    for (size_t i = 0; i < RIG_TRAIN * 6; i++) phi[i] = rig_value(i, 1);
    rig_features(s, &train, RIG_TRAIN, phi);
    rig_features(s, &gen, RIG_GEN, phi);
    assert_int_equal(store_checkpoints_resolve(s, "last", &l), OK);
    add_scores(s, "trak", "square", l.checkpoint[0].id);
    checkpoint_list_free(&l);
    return s;
}

/* Sets that were measured may stay without their rows. */
static void a_lambda_whose_scores_were_dropped_is_computed_live(void **state) {
    (void)state;
    const char *path = rig_path("dropped.db");
    struct checkpoint_list l;
    struct score_set set = { .method = "trak", .loss = "square", .lambda_spec = "0.1", .split = SPLIT_GEN, .mantissa_bits = 24, .n = RIG_TRAIN,
                             .rows = RIG_GEN, .timesteps = 10, .k = 6, .checkpoints = 1, .version = 1 };
    struct store *s = study(path);
    assert_int_equal(store_checkpoints_resolve(s, "last", &l), OK);
    set.checkpoint[0] = l.checkpoint[0].id;
    assert_int_equal(store_score_set_ensure(s, &set, NULL, &set), OK);
    checkpoint_list_free(&l);
    store_close(s);
    char *text = screen_of(path, "2 ] @idle", 120, 36, "gen:0");
    if (!strstr(text, "λ 0.1 live") || !strstr(text, "proponents")) fail_msg("not computed live:\n%s", text);
    free(text);
    /* Over all queries there is what is stored, which is said. */
    text = screen_of(path, "2 ] @idle 7 @idle", 120, 36, "gen:0");
    if (!strstr(text, "of λ auto 0.05: 0.1 is not") || !strstr(text, "train:")) fail_msg("%s", text);
    free(text);
    text = screen_of(path, "2 ] @idle R @idle", 120, 36, "gen:0");
    if (!strstr(text, "of λ auto 0.05: 0.1 is not") || !strstr(text, "#")) fail_msg("%s", text);
    free(text);
}

/* An axis is a sum of steps, which misses zero by little: that is no "-0". */
static void the_screen_of_measurements_has_a_plain_zero_and_says_when_it_has_nothing(void **state) {
    (void)state;
    const char *path = rig_path("measured.db");
    struct score_set_list l;
    double per_query[RIG_GEN] = { 0 };
    struct lds_row r = { .value = .1, .low = -.65, .high = .65, .se = .3, .ceiling = NAN, .q_eff = NAN, .subsets = 6, .queries = RIG_GEN, .per_query = per_query };
    shows("5 enter", "gen:0", "nothing is measured here yet");
    shows("5 s", "gen:0", "nothing is measured here yet");
    struct store *s = rig_project(path);
    add_scores(s, "pixel-cos", "", 0);
    assert_int_equal(store_protocol_ensure(s, PROTOCOL_TRAIN, "{}", &r.train_protocol), OK);
    assert_int_equal(store_protocol_ensure(s, PROTOCOL_EVAL, "{}", &r.eval_protocol), OK);
    assert_int_equal(store_score_sets_list(s, &l), OK);
    r.score_set = l.set[0].id;
    score_set_list_free(&l);
    for (r.centred = 0; r.centred < 2; r.centred++) assert_int_equal(store_lds_put(s, &r), OK);
    store_close(s);
    for (int i = 0; i < 2; i++) {      /* intervals from elsewhere, of any size */
        rig_sql(path, i ? "UPDATE lds SET low = -1e18, high = 1e300" : "UPDATE lds SET low = 1e18, high = 1e300");
        char *wide = screen_of(path, "5", 120, 36, "gen:0");
        if (!strstr(wide, i ? " -50 " : " 40 ")) fail_msg("%s", wide);
        free(wide);
    }
    rig_sql(path, "UPDATE lds SET low = -.65, high = .65");
    char *text = screen_of(path, "5", 120, 36, "gen:0");
    if (!strstr(text, " -20 ") || !strstr(text, " 0 ") || strstr(text, "-0 ")) fail_msg("no plain zero:\n%s", text);
    free(text);
}

static void a_job_started_by_a_key_is_awaited_and_its_end_is_told(void **state) {
    (void)state;
    /* The rig's checkpoints are no networks, so the work fails, in words. */
    shows("f r @idle", "gen:0", "job 1 score: ");
    shows("6", "gen:0", "failed");
}

static void wrong_options_are_usage_errors(void **state) {
    (void)state;
    static const struct { const char *query, *screen, *graphics, *keys; } bad[] = {
        { "gen:7", NULL, NULL, "" }, { "gen:x", NULL, NULL, "" }, { "train:1", NULL, NULL, "" },
        { NULL, "attic", NULL, "" }, { NULL, NULL, "oil", "" }, { NULL, NULL, NULL, "nokey" },
        { NULL, NULL, NULL, "@size:ax9" }, { NULL, NULL, NULL, "@click:1" }, { NULL, NULL, NULL, "@what" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tui_options o = TUI_DEFAULTS;
        o.db = world();
        o.query = bad[i].query;
        o.screen = bad[i].screen;
        o.graphics = bad[i].graphics;
        o.keys = bad[i].keys;
        assert_int_equal(tui_run(&o), ERR_USAGE);
    }
}

static void a_file_that_is_no_database_is_refused(void **state) {
    (void)state;
    struct tui_options o = TUI_DEFAULTS;
    o.db = rig_path("absent.db");
    o.keys = "";
    assert_int_not_equal(tui_run(&o), OK);
    assert_non_null(strstr(fail_reason(), "absent.db"));
}

static void an_empty_database_says_what_to_do(void **state) {
    (void)state;
    struct tui_options o = TUI_DEFAULTS;
    struct project p = { "none", 32, 32, 1, 1, -1, 1, "", "", "", "" };
    struct store *s;
    o.db = rig_path("empty.db");
    assert_int_equal(store_create(&s, o.db), OK);
    assert_int_equal(store_project_set(s, &p), OK);
    assert_int_equal(store_publish(s), OK);
    store_close(s);
    static const char *const keys[] = { "1", "2 r f m c ] enter / n tab & . ,", "3 d D tab r f m c ] enter / n . ,", "4 s f c o r enter / n", "5 j tab v r enter", "6 r x enter", "?" };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        o.keys = keys[i];
        o.dump = rig_path("empty.txt");
        if (tui_run(&o) != OK) fail_msg("%s: %s", keys[i], fail_reason());
    }
}

static void every_key_is_listed_once_with_its_help(void **state) {
    (void)state;
    char line[512];
    size_t lines = 0;
    FILE *f = tmpfile();
    tui_print_keys(f);
    rewind(f);
    while (fgets(line, sizeof line, f)) {
        char *tab = strchr(line, '\t');
        assert_non_null(tab);
        assert_non_null(strchr(tab + 1, '\t'));
        lines++;
    }
    fclose(f);
    assert_true(lines > 35);
}

/* Marks outlive the program, a saved list is one that the command line knows, and the sum
 * on the screen is that of the row. */
static void marks_and_lists_are_kept_and_add_up(void **state) {
    (void)state;
    char part[80];
    const char *csv = rig_path("set.csv");
    char keys[600];
    free(screen("2 space l space", 120, 36, "gen:3"));
    shows("8", "gen:3", "marked: 2");
    double sum = 0;
    size_t first = 0, second = 0;
    for (size_t i = 0; i < RIG_TRAIN; i++)
        if (rig_value(3000 + i, 4) > rig_value(3000 + first, 4)) first = i;
    second = first == 0;
    for (size_t i = 0; i < RIG_TRAIN; i++)
        if (i != first && rig_value(3000 + i, 4) > rig_value(3000 + second, 4)) second = i;
    sum = (double)rig_value(3000 + first, 4) + (double)rig_value(3000 + second, 4);
    snprintf(part, sizeof part, "sum of scores %+.2f", sum);
    shows("8", "gen:3", part);
    shows("8 s @type:two enter tab", "gen:3", "list 'two': 2");
    shows("8 s @type:two enter", "gen:3", "there is a list 'two' already");
    assert_int_equal(rig_number(world(), "SELECT count(*) FROM removal_list WHERE name = 'two'"), 2);
    snprintf(keys, sizeof keys, "8 e @type:%s enter", csv);
    shows(keys, "gen:3", "written: ");
    assert_true(rig_exists(csv));
    shows("8 X 8", "gen:3", "Nothing is marked");
    shows("8 tab u tab", "gen:3", "marked: 2");
    shows("8 tab X", "gen:3", "the list 'two' is deleted");
    assert_int_equal(rig_number(world(), "SELECT count(*) FROM removal_list"), 0);
    shows("8 r @type:boots enter @idle", "gen:3", "counterfactual: ");
    shows("6", "gen:3", "gen:3 without boots");
    shows("8 X tab X", "gen:3", "deleted");
    assert_int_equal(rig_number(world(), "SELECT count(*) FROM mark"), 0);
}

static void from_a_training_item_to_the_queries_and_back(void **state) {
    (void)state;
    char part[80];
    size_t best = 0;
    for (size_t i = 0; i < RIG_TRAIN; i++)
        if (rig_value(3000 + i, 4) > rig_value(3000 + best, 4)) best = i;
    snprintf(part, sizeof part, "generated items that train:%zu supports", best);
    shows("2 R @idle", "gen:3", part);
    snprintf(part, sizeof part, "generated items that train:%zu opposes", best);
    shows("2 R @idle tab", "gen:3", part);
    snprintf(part, sizeof part, " train:%zu ", best);
    shows("2 R @idle G enter", "gen:3", part);
    shows("2 R v @idle", "gen:3", "is not computed for val items");
    shows_the_same("2 R @idle tab q R @idle", "2 R @idle", "gen:3");
    shows_the_same("2 R @idle tab enter <", "2 R @idle", "gen:3");
    shows("7 @idle s", "gen:3", "training items by mean absolute score");
    char *text = screen("7 @idle s", 120, 36, "gen:3");
    assert_null(strstr(text, "λ auto 0.05:"));
    free(text);
}

/* A key that was pressed too early is not told that there is nothing. */
static void while_scores_are_read_nobody_is_told_that_there_are_none(void **state) {
    (void)state;
    static const char *const keys[] = { "2 R tab @idle", "2 R enter @idle", "7 enter @idle", "7 s @idle", "2 ] tab @idle" };
    const char *path = rig_path("early.db");     /* with features: a lambda is stepped */
    store_close(study(path));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char *text = screen_of(path, keys[i], 120, 36, "gen:3");
        if (strstr(text, "there are no scores") || strstr(text, "still being")) fail_msg("%s:\n%s", keys[i], text);
        free(text);
    }
    shows_the_same("2 R tab @idle", "2 R @idle tab", "gen:3");
    shows("2 R v @idle tab", "gen:3", "there are no scores of it");
}

/* Scores above zero oppose nothing, however low they stand in a list. */
static void what_has_no_score_below_zero_is_called_lowest(void **state) {
    (void)state;
    static const size_t negative[] = { 0, 2, RIG_GEN };
    static const char *const title[] = { "generated items with the lowest scores of train:0", "generated items that train:0 opposes, then the lowest",
                                         "generated items that train:0 opposes " };
    static const char *const narrow[] = { " train:0 lowest", " train:0 opposes, lowest", " train:0 opposes " };
    for (size_t w = 0; w < 3; w++) {
        char name[32];
        snprintf(name, sizeof name, "lowest-%zu.db", w);
        const char *path = rig_path(name);
        struct store *s = rig_project(path);
        struct score_set set = { .method = "pixel-dot", .split = SPLIT_GEN, .mantissa_bits = 24, .n = RIG_TRAIN, .rows = RIG_GEN,
                                 .lambda_rel = NAN, .lambda_abs = NAN, .d_eff = NAN, .version = 1 };
        assert_int_equal(store_score_set_ensure(s, &set, NULL, &set), OK);
        for (size_t q = 0; q < RIG_GEN; q++) {
            float row[RIG_TRAIN];
            for (size_t i = 0; i < RIG_TRAIN; i++) row[i] = 2 + rig_value(q * 1000 + i, 3);
            row[0] = q < negative[w] ? -1.0f : 1.0f;
            assert_int_equal(store_score_put(s, &set, q, row), OK);
        }
        store_close(s);
        char *text = screen_of(path, "2 G R @idle tab", 120, 36, "gen:3"), *small = screen_of(path, "2 G R @idle tab", 40, 12, "gen:3");
        if (!strstr(text, title[w])) fail_msg("%s", text);
        if (!strstr(small, narrow[w])) fail_msg("%s", small);
        free(text);
        free(small);
    }
}

/* A screen that was left and is gone back to follows the setting too. */
static void numbers_over_all_queries_are_of_the_setting_in_the_title(void **state) {
    (void)state;
    shows("7 @idle 2 M q", NULL, "Pixel cos");
    shows_the_same("7 @idle 2 M q @idle", "2 M 7 @idle", NULL);
    shows_the_same("7 @idle 2 f q @idle", "2 f 7 @idle", NULL);
    shows_the_same("7 @idle R @idle enter M q @idle", "7 @idle R @idle enter M q v @idle v @idle", NULL);
}

/* Leverages are of one lambda, and of the features that their key names. */
static void self_influence_is_shown_beside_its_own_scores_only(void **state) {
    (void)state;
    static const char *const key[] = { "square t100 k6 lambda auto", "square t10 k64 lambda auto", "square t10 k6 lambda 0.05", "square" };
    const char *path = rig_path("leverage.db");
    double value[RIG_TRAIN];
    struct store *s = study(path);
    struct checkpoint_list l;
    assert_int_equal(store_checkpoints_resolve(s, "last", &l), OK);
    struct stat_key k = { "self_influence", NULL, l.checkpoint[0].id, SPLIT_TRAIN };
    checkpoint_list_free(&l);
    for (size_t i = 0; i < RIG_TRAIN; i++) value[i] = .125;
    for (size_t i = 0; i < sizeof key / sizeof key[0]; i++) {
        k.key = key[i];
        assert_int_equal(store_stat_put(s, &k, 0, RIG_TRAIN, value), OK);
    }
    store_close(s);
    char *text = screen_of(path, "2", 120, 44, "gen:0");
    assert_null(strstr(text, "self-influence"));
    free(text);
    assert_int_equal(store_open(&s, path, STORE_WRITE), OK);
    k.key = "square t10 k6 lambda auto";
    for (size_t i = 0; i < RIG_TRAIN; i++) value[i] = .25;
    assert_int_equal(store_stat_put(s, &k, 0, RIG_TRAIN, value), OK);
    store_close(s);
    text = screen_of(path, "2", 120, 44, "gen:0");
    if (!strstr(text, "self-influence 0.250")) fail_msg("%s", text);
    free(text);
    text = screen_of(path, "2 ] @idle", 120, 44, "gen:0");
    if (!strstr(text, "λ 0.1 live") || strstr(text, "self-influence")) fail_msg("%s", text);
    free(text);
}

static void leverages_are_offered_for_the_scores_that_have_them(void **state) {
    (void)state;
    shows("7 @idle", "gen:3", "no self-influence: 4 and r");
    char *text = screen("2 M 7 @idle", 120, 36, "gen:3");
    if (!strstr(text, "Pixel cos") || !strstr(text, "mean score   ") || strstr(text, "no self-influence")) fail_msg("%s", text);
    free(text);
}

static void the_ends_of_an_imported_ranking_are_listed(void **state) {
    (void)state;
    const struct ranked top[] = { { 1, 7, .9f }, { 2, 5, .5f } }, bottom[] = { { 1, 11, -.8f } };
    const char *path = rig_path("ends.db");
    struct store *s = rig_project(path);
    struct checkpoint_list l;
    struct score_set set = { .method = "trak", .loss = "square", .lambda_spec = "auto", .split = SPLIT_GEN, .mantissa_bits = 24, .n = RIG_TRAIN,
                             .rows = RIG_GEN, .checkpoints = 1, .version = 1 };
    assert_int_equal(store_checkpoints_resolve(s, "last", &l), OK);
    set.checkpoint[0] = l.checkpoint[0].id;
    checkpoint_list_free(&l);
    assert_int_equal(store_score_set_ensure(s, &set, NULL, &set), OK);
    assert_int_equal(store_score_list_put(s, &set, 0, top, 2, bottom, 1), OK);
    store_close(s);
    static const char *const keys[] = { "2", "3", "3 tab" };   /* its own screen, the side with the keys, the other side */
    for (size_t i = 0; i < 3; i++) {
        char *text = screen_of(path, keys[i], 120, 36, "gen:0");
        if (!strstr(text, "Only the ends") || !strstr(text, "  1   +0.900 train:7 ") || !strstr(text, "  2   +0.500 train:5 ") ||
            !strstr(text, "  1   -0.800 train:11 ") || (i < 2 && strstr(text, "not computed for gen items"))) fail_msg("%s: %s", keys[i], text);
        free(text);
    }
    /* Where a side is narrow the opponents stand below the proponents, with whole numbers. */
    char *text = screen_of(path, "3", 80, 24, "gen:0");
    const char *first = strstr(text, " train:7 "), *last = strstr(text, "-0.800 train:11 ");
    const char *line = first ? strchr(first, '\n') : NULL;
    if (!line || !last || last < line) fail_msg("%s", text);
    free(text);
    text = screen_of(path, "2", 120, 36, "gen:1");
    if (!strstr(text, "not computed for gen items: press r")) fail_msg("%s", text);
    free(text);
    text = screen_of(path, "2 @double:4,4 @idle", 120, 44, "gen:0");
    if (!strstr(text, "not known: they were") || strstr(text, "has no features")) fail_msg("%s", text);
    free(text);
    text = screen_of(path, "2 enter", 120, 36, "gen:0");
    if (!strstr(text, "no more than these places is known; r computes")) fail_msg("%s", text);
    free(text);
    free(screen_of(path, "2 j G enter q & @type:score>1 enter / @type:1 enter n space R 3 d 7 8 @size:20x5 2 @size:1x1 2 @size:40x12 2", 120, 36, "gen:0"));
}

/* A filtered ranking keeps the ranks of the whole, and holds exactly what passes. */
static void a_filter_lets_through_what_it_says(void **state) {
    (void)state;
    char part[80];
    size_t passing = 0, best = RIG_TRAIN, above = 0;
    for (size_t i = 0; i < RIG_TRAIN; i++) passing += rig_value(3000 + i, 4) < -.5f;
    snprintf(part, sizeof part, "of %zu with 'score<-0.5'", passing);
    shows("2 & @type:score<-0.5 enter", "gen:3", part);
    for (size_t i = 0; i < RIG_TRAIN; i++)
        if (rig_value(3000 + i, 4) < -.5f && (best == RIG_TRAIN || rig_value(3000 + i, 4) > rig_value(3000 + best, 4))) best = i;
    for (size_t i = 0; i < RIG_TRAIN; i++) above += rig_value(3000 + i, 4) > rig_value(3000 + best, 4);
    snprintf(part, sizeof part, ">%zu train:%zu ", above + 1, best);
    shows("2 & @type:score<-0.5 enter", "gen:3", part);
    snprintf(part, sizeof part, "of %d with '!marked'", RIG_TRAIN);
    shows("2 & @type:!marked enter", "gen:3", part);
    shows("2 & @type:score<x enter", "gen:3", "a number is expected");
    shows("1 & @type:score<1 enter", "gen:3", "only training items have scores");
    shows("2 & @type:no-such-label enter", "gen:3", "& with nothing shows all");
}

static void back_and_forward_go_where_one_has_been(void **state) {
    (void)state;
    shows("2 . 4 <", "gen:3", " gen:4/");
    shows("2 . 4 < <", "gen:3", " gen:3/");
    shows("2 . 4 < < >", "gen:3", " gen:4/");
    shows("2 . 4 < < > >", "gen:3", "training items by self-influence");
    shows("2 <", "gen:3", "this is where it began");
    shows("2 >", "gen:3", "this is the latest place");
}

/* Keys that mean something, and some that do not.  Going back comes after going
 * to another screen, so that no run ends early.  r is left out: it would queue
 * thousands of failing jobs; jobs have a test of their own. */
static void append_random_key(char *script, size_t size, struct rng *r) {
    static const char *const key[] = {
        "1", "2", "3", "4", "7", "R", "u", "X", "<", ">", "s", "o", "5", "v", "6", "?", "2 6 q", "2 esc", "d", "D", ":", ": enter", ": down enter", "enter", "tab", "backtab", "j", "k", "h", "l", "up", "down", "left",
        "right", "pgup", "pgdn", "g", "G", "home", "end", "m", "M", "f", "F", "c", "C", "[", "]", ",", ".", "/",
        "&", "n", "N", "x", "y", "a", "8", "_", "backspace", "space", "ctrl-l", "delete", "z", "é", "@click:9,5",
        "@click:70,20", "@double:40,9", "@wheel:up", "@wheel:down", "@size:80x24", "@size:1x1", "@size:40x12",
        "@size:20x5", "@size:200x60", "@size:3x40", "@size:300x2",
    };
    size_t n = sizeof key / sizeof key[0], len = strlen(script);
    snprintf(script + len, size - len, "%s ", key[rng_below(r, (uint32_t)n)]);
}

static void five_thousand_random_keys_on_each_size_do_no_harm(void **state) {
    (void)state;
    static const size_t sizes[][2] = { { 80, 24 }, { 120, 36 }, { 40, 12 }, { 20, 5 }, { 1, 1 }, { 200, 60 } };
    static char script[2000];
    long live = mem_live();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct rng r = rng_at(i, RNG_TEST, 7, 0);
        for (size_t k = 0; k < 50; k++) {
            struct tui_options o = TUI_DEFAULTS;
            char end[48];
            script[0] = 0;
            for (size_t n = 0; n < 100; n++) append_random_key(script, sizeof script, &r);
            o.db = world();
            o.read_only = k % 2 == 0;
            o.cols = sizes[i][0];
            o.rows = sizes[i][1];
            snprintf(end, sizeof end, "storm-%zu.txt", i);
            o.dump = rig_path(end);
            o.keys = script;
            if (tui_run(&o) != OK) fail_msg("%s\n%s", fail_reason(), script);
        }
    }
    assert_int_equal(mem_live(), live);
}

static void running_out_of_memory_while_opening_is_an_error_and_leaks_nothing(void **state) {
    (void)state;
    struct tui_options o = TUI_DEFAULTS;
    o.db = world();
    o.read_only = 1;      /* threads allocate too, so that the count would be anyone's */
    o.keys = "";
    long live = mem_live(), n = 0;
    for (; n < 400; n++) {
        mem_fail_after(n);
        enum status st = tui_run(&o);
        mem_fail_after(-1);
        assert_int_equal(mem_live(), live);
        if (st == OK) break;
    }
    assert_true(n > 5);
    assert_true(n < 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ranking_is_that_of_the_stored_row),
        cmocka_unit_test(a_setting_that_is_not_computed_is_never_filled_in),
        cmocka_unit_test(a_lambda_whose_scores_were_dropped_is_computed_live),
        cmocka_unit_test(the_screen_of_measurements_has_a_plain_zero_and_says_when_it_has_nothing),
        cmocka_unit_test(a_job_started_by_a_key_is_awaited_and_its_end_is_told),
        cmocka_unit_test(wrong_options_are_usage_errors),
        cmocka_unit_test(a_file_that_is_no_database_is_refused),
        cmocka_unit_test(an_empty_database_says_what_to_do),
        cmocka_unit_test(every_key_is_listed_once_with_its_help),
        cmocka_unit_test(marks_and_lists_are_kept_and_add_up),
        cmocka_unit_test(from_a_training_item_to_the_queries_and_back),
        cmocka_unit_test(what_has_no_score_below_zero_is_called_lowest),
        cmocka_unit_test(while_scores_are_read_nobody_is_told_that_there_are_none),
        cmocka_unit_test(numbers_over_all_queries_are_of_the_setting_in_the_title),
        cmocka_unit_test(self_influence_is_shown_beside_its_own_scores_only),
        cmocka_unit_test(leverages_are_offered_for_the_scores_that_have_them),
        cmocka_unit_test(the_ends_of_an_imported_ranking_are_listed),
        cmocka_unit_test(a_filter_lets_through_what_it_says),
        cmocka_unit_test(back_and_forward_go_where_one_has_been),
        cmocka_unit_test(five_thousand_random_keys_on_each_size_do_no_harm),
        cmocka_unit_test(running_out_of_memory_while_opening_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
