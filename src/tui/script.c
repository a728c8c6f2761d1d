/* script.c - keys from a text instead of a keyboard.  See tui.h. */
#include "app.h"

#include "dtrak/live.h"
#include "dtrak/progress.h"
#include "dtrak/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Two numbers with a separator, and nothing after them. */
static int pair(const char *s, char between, size_t *x, size_t *y) {
    char *end;
    errno = 0;
    unsigned long a = strtoul(s, &end, 10);
    if (end == s || *end != between || errno) return 0;
    s = end + 1;
    unsigned long b = strtoul(s, &end, 10);
    if (end == s || *end || errno) return 0;
    *x = a;
    *y = b;
    return 1;
}

static void wait_idle(struct app *a) {
    struct timespec nap = { 0, 5000000 };
    while (picker_poll(a)) {}
    while (a->store) {
        jobs_wait(a->jobs, 3600);
        a->looked = 0;
        app_poll(a);
        app_draw(a);       /* some work is asked for by what shows its result */
        if (live_busy(a->live) || survey_busy(a->survey) || survey_busy(a->mapper) || (a->pictures && pictures_busy(a->pictures))) nanosleep(&nap, NULL);
        else if (a->row.state != ROW_WAITING && !jobs_busy(a->jobs)) return;
    }
}

static void press(struct app *a, size_t col, size_t row, enum input_button button) {
    struct input_event m;
    memset(&m, 0, sizeof m);
    m.kind = INPUT_MOUSE;
    m.button = button;
    m.press = 1;
    m.row = row;
    m.col = col;
    app_mouse(a, &m);
}

static void click(struct app *a, size_t col, size_t row, enum input_button button) {
    app_draw(a);       /* what can be clicked is what was drawn */
    press(a, col, row, button);
}

/* However long the first click's work takes, and the drawing. */
static void double_click(struct app *a, size_t col, size_t row) {
    click(a, col, row, INPUT_BUTTON_LEFT);
    app_draw(a);
    if (a->clicked > 0) a->clicked = clock_s();
    press(a, col, row, INPUT_BUTTON_LEFT);
}

static void type(struct app *a, const char *text) {
    struct input_event key;
    memset(&key, 0, sizeof key);
    key.kind = INPUT_KEY;
    for (size_t n; (n = text_decode(text, &key.code)) != 0; text += n) {
        if (key.code == '_') key.code = ' ';
        app_key(a, &key);
    }
}

static enum status special(struct app *a, const char *word) {
    size_t x, y;
    if (strcmp(word, "@idle") == 0) {
        wait_idle(a);
    } else if (strncmp(word, "@size:", 6) == 0 && pair(word + 6, 'x', &x, &y)) {
        return app_resize(a, y, x);
    } else if (strncmp(word, "@click:", 7) == 0 && pair(word + 7, ',', &x, &y)) {
        click(a, x, y, INPUT_BUTTON_LEFT);
    } else if (strncmp(word, "@double:", 8) == 0 && pair(word + 8, ',', &x, &y)) {
        double_click(a, x, y);
    } else if (strcmp(word, "@wheel:up") == 0 || strcmp(word, "@wheel:down") == 0) {
        click(a, frame_cols(a->frame) / 2, frame_rows(a->frame) / 2,
              word[7] == 'u' ? INPUT_WHEEL_UP : INPUT_WHEEL_DOWN);
    } else if (strncmp(word, "@type:", 6) == 0) {
        type(a, word + 6);
    } else {
        return fail(ERR_USAGE, "key script: '%s' is not @idle, @size:WxH, @click:X,Y, @double:X,Y, "
                    "@wheel:up, @wheel:down or @type:TEXT", word);
    }
    return OK;
}

enum status script_run(struct app *a, const char *keys) {
    char word[1024];
    while (picker_poll(a)) {}
    while (!a->done && input_script_next(&keys, word, sizeof word)) {
        struct input_event key;
        memset(&key, 0, sizeof key);
        if (word[0] == '@' && word[1]) {
            TRY(special(a, word));
        } else {
            TRY(input_key_parse(&key, word));
            app_draw(a);           /* a key acts on what is seen: pages and columns are those of the last draw */
            app_key(a, &key);
        }
        while (picker_poll(a)) {}
        export_finish(a);
        app_poll(a);
    }
    return OK;
}
