/* Exports from the explorer that take a while: the keys go on meanwhile, the file comes whole or
 * not at all, and leaving does not leave anything behind. */
#include "../lib/large_db.h"
#include "../lib/slower.h"
#include "../lib/store_rig.h"
#include "../../src/tui/app.h"

#include "dtrak/task.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <cmocka.h>

static const char *database(void) {
    static const struct large_db want = { .train = 200, .gen = 300, .whole = 3, .k = 4 };
    const char *path = rig_path("many.db");
    if (!rig_exists(path)) assert_int_equal(large_db_make(path, &want), OK);
    return path;
}

static struct app *explorer(void) {
    struct tui_options o = TUI_DEFAULTS;
    struct app *a;
    o.db = database();
    o.cols = 100;
    o.rows = 30;
    o.read_only = 1;
    if (app_open(&a, &o) != OK) fail_msg("%s", fail_reason());
    app_draw(a);
    return a;
}

static void press(struct app *a, const char *name) {
    struct input_event e;
    memset(&e, 0, sizeof e);
    assert_int_equal(input_key_parse(&e, name), OK);
    app_key(a, &e);
}

/* Asks for the file; how long the Enter took. */
static double ask_for(struct app *a, const char *path) {
    press(a, "e");
    assert_int_equal(a->prompt, PROMPT_EXPORT);
    snprintf(a->typed, sizeof a->typed, "%s", path);
    struct limit begun = limit_begin();
    press(a, "enter");
    return limit_took(begun);
}

static void wait_for_it(struct app *a) {
    UNTIL((app_poll(a), !a->exporting.task));
}

static int shows(const struct app *a, const char *text) {
    char *all = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&all, &len);
    assert_non_null(f);
    frame_dump(a->frame, f);
    fclose(f);
    int found = strstr(all, text) != NULL;
    free(all);
    return found;
}

/* Files of the folder whose names begin so. */
static size_t files(const char *prefix) {
    char folder[4096];
    size_t n = 0;
    snprintf(folder, sizeof folder, "%s", rig_path(""));
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) n += strstr(e->d_name, prefix) != NULL;
    closedir(d);
    return n;
}

static void a_page_of_many_queries_does_not_stop_the_keys(void **state) {
    struct app *a = explorer();
    struct stat sb;
    char path[4096], head[16] = "";
    double part;
    (void)state;
    snprintf(path, sizeof path, "%s", rig_path("whole.html"));
    assert_true(ask_for(a, path) < LIMIT_S(.5));          /* the page itself takes longer */
    assert_non_null(export_running(a, &part));
    assert_non_null(strstr(a->message, "x stops it"));
    size_t at = a->gallery.cursor;
    press(a, "l");
    assert_int_equal(a->gallery.cursor, at + 1);
    assert_null(key_why_not(a, ACT_cancel));
    press(a, "e");                               /* one at a time */
    assert_non_null(strstr(a->message, "still being written"));
    app_draw(a);
    assert_true(shows(a, "▶ whole.html"));                 /* how far it is */
    press(a, "Q");
    assert_false(a->done);                       /* asks */
    assert_non_null(strstr(a->question, "A file is being written"));
    press(a, "n");
    wait_for_it(a);
    assert_non_null(strstr(a->message, "written: "));
    assert_int_equal(stat(path, &sb), 0);
    assert_true(sb.st_size > 1000000);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fread(head, 1, 9, f), 9);
    fclose(f);
    assert_string_equal(head, "<!DOCTYPE");
    assert_true(a->gallery.count == 300);
    app_close(a);
}

static void a_stopped_one_leaves_nothing(void **state) {
    struct app *a = explorer();
    (void)state;
    ask_for(a, rig_path("stopped.html"));
    press(a, "x");
    assert_non_null(strstr(a->message, "stopping"));
    wait_for_it(a);
    assert_non_null(strstr(a->message, "stopped: "));
    assert_int_equal(files("stopped"), 0);
    ask_for(a, rig_path("left.html"));
    app_close(a);                                /* does not wait for the end of it */
    assert_int_equal(files("left"), 0);
}

/* On the screen of the jobs an export has a line above them, and x stops what is selected. */
static void the_jobs_screen_lists_it_and_stops_it(void **state) {
    struct store *s;
    int64_t id;
    char line[40];
    (void)state;
    struct app *a = explorer();
    ask_for(a, rig_path("alone.html"));
    press(a, "6");
    app_draw(a);
    assert_true(shows(a, "export alone.html"));
    press(a, "x");
    assert_non_null(strstr(a->message, "stopping the export"));
    wait_for_it(a);
    assert_int_equal(files("alone"), 0);
    app_draw(a);
    assert_false(shows(a, "export alone.html"));
    app_close(a);

    assert_int_equal(store_open(&s, database(), STORE_WRITE), OK);
    assert_int_equal(store_job_enqueue(s, "features", "{}", &id), OK);
    assert_int_equal(store_job_cancel(s, id), OK);
    store_close(s);
    snprintf(line, sizeof line, ">%4lld cancelled", (long long)id);
    a = explorer();
    ask_for(a, rig_path("among.html"));
    press(a, "6");
    press(a, "r");                               /* it is no job to be resumed */
    assert_non_null(strstr(a->message, "x stops that"));
    press(a, "j");
    app_draw(a);
    assert_true(shows(a, line));
    press(a, "k");
    app_draw(a);
    assert_true(shows(a, ">   - running"));
    press(a, "j");
    press(a, "x");                               /* the job is over, so this is about the export */
    assert_non_null(strstr(a->message, "stopping the export"));
    wait_for_it(a);
    assert_int_equal(files("among"), 0);
    app_draw(a);
    assert_true(shows(a, line));
    app_close(a);
}

/* The answer to what is being typed is not overwritten. */
static void it_says_so_when_the_line_is_free(void **state) {
    struct app *a = explorer();
    (void)state;
    ask_for(a, rig_path("list.csv"));
    while (a->exporting.task && !task_wait(a->exporting.task, 60)) {}
    wait_for_it(a);
    ask_for(a, rig_path("later.html"));
    press(a, "/");
    if (a->exporting.task) {
        while (!task_wait(a->exporting.task, 60)) {}
        app_poll(a);
        assert_non_null(a->exporting.task);
    }
    press(a, "esc");
    wait_for_it(a);
    assert_int_equal(files("later.html"), 1);
    app_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_of_many_queries_does_not_stop_the_keys),
        cmocka_unit_test(a_stopped_one_leaves_nothing),
        cmocka_unit_test(the_jobs_screen_lists_it_and_stops_it),
        cmocka_unit_test(it_says_so_when_the_line_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, rig_end);
}
