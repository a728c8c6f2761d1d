/* explorer.c - how long the explorer takes to show what, measured from the other side of a
 * pseudo-terminal: `make bench`.
 *
 *   explorer            every figure, on a database of 50,000 training images
 *   explorer make DIR   makes that database there and says where (DIR/large-...db)
 *
 * Times are from the key's last byte to the last byte of what it changed (text: to the end
 * of the text), medians.  Beside them stands the processor time of the interface's thread,
 * which does not depend on what else the machine does.  The terminal has cells of 10 x 20
 * pixels, sixels, synchronised updates, and takes everything at once. */
#define _GNU_SOURCE   /* memmem() */
#include "../lib/large_db.h"
#include "../lib/sixel_decode.h"
#include "dtrak/image.h"
#include "dtrak/mem.h"
#include "dtrak/painter.h"
#include "dtrak/progress.h"
#include "dtrak/store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

enum { ROUNDS = 15, ROWS = 42, COLS = 132, QUIET_MS = 80, WAIT_MS = 60000 };

static char program[4096], folder[4096];

static void need(int ok) {
    if (ok) return;
    fprintf(stderr, "explorer: %s\n", fail_reason());
    exit(1);
}

/* --- a terminal that keeps the time --- */

struct session {
    int fd;
    pid_t pid;
    char *out;                   /* everything since the start */
    size_t len, cap, answered;
    double last;                 /* when the last byte came */
    double text;                 /* when the text of the frame that is coming was complete; 0: not yet */
    size_t mark;                 /* where what belongs to the last key begins */
    int is_sixel;
};

static void say(struct session *s, const char *bytes) {
    for (size_t left = strlen(bytes); left;) {
        ssize_t n = write(s->fd, bytes, left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        bytes += n;
        left -= (size_t)n;
    }
}

static const char *find(const struct session *s, size_t from, const char *text) {
    return from < s->len ? memmem(s->out + from, s->len - from, text, strlen(text)) : NULL;
}

/* Each question once, in the order in which they came. */
static void answer(struct session *s) {
    static const char *const question[] = { "\033[c", "\033[16t", "\033[?2026$p", "\033[5n" };
    for (;;) {
        const char *first = NULL;
        size_t which = 0;
        for (size_t i = 0; i < 4; i++) {
            const char *at = find(s, s->answered, question[i]);
            if (at && (!first || at < first)) { first = at; which = i; }
        }
        if (!first) return;
        s->answered = (size_t)(first - s->out) + strlen(question[which]);
        const char *const reply[] = { s->is_sixel ? "\033[?62;4;22c" : "\033[?62;22c", "\033[6;20;10t", "\033[?2026;2$y", "\033[0n" };
        say(s, reply[which]);
    }
}

/* 1: bytes came, 0: none within the time, -1: the program has ended. */
static int pump(struct session *s, int timeout_ms) {
    struct pollfd p = { s->fd, POLLIN, 0 };
    if (poll(&p, 1, timeout_ms) <= 0) return 0;
    if (s->len + 65536 > s->cap) {
        s->cap = 2 * s->cap + ((size_t)1 << 20);
        s->out = realloc(s->out, s->cap);
        if (!s->out) abort();
    }
    ssize_t n = read(s->fd, s->out + s->len, 65536);
    if (n <= 0) return -1;
    s->last = clock_s();
    s->len += (size_t)n;
    /* Pictures begin with saving the cursor; a frame without any ends its update. */
    if (s->text == 0 && (find(s, s->mark, "\0337") || find(s, s->mark, "\033[?2026l"))) s->text = s->last;
    answer(s);
    return 1;
}

static void settle(struct session *s) {
    while (pump(s, QUIET_MS) > 0) { }
}

static void wait_for(struct session *s, const char *text) {
    double end = clock_s() + WAIT_MS / 1e3;
    while (!find(s, s->mark, text)) {
        if (clock_s() < end && pump(s, 100) >= 0) continue;
        fprintf(stderr, "explorer: '%s' did not come\n", text);
        exit(1);
    }
}

static struct session start(const char *db, int is_sixel, char *const more[]) {
    struct session s = { .is_sixel = is_sixel };
    struct winsize w = { ROWS, COLS, COLS * 10, ROWS * 20 };
    char *argv[16] = { program, (char[]){ "view" }, strdup(db), (char[]){ "--read-only" }, (char[]){ "--fresh" } };
    for (size_t i = 0; more && more[i] && i < 10; i++) argv[5 + i] = more[i];
    s.pid = forkpty(&s.fd, NULL, NULL, &w);
    if (s.pid == 0) {
        setenv("TERM", "xterm-256color", 1);
        setenv("COLORTERM", "truecolor", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        unsetenv("TMUX");
        execv(program, argv);
        _exit(127);
    }
    free(argv[2]);
    need(s.pid > 0);
    return s;
}

static void end(struct session *s) {
    say(s, "Q");
    while (pump(s, 2000) > 0) { }
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    close(s->fd);
    free(s->out);
}

/* Milliseconds of processor time of the interface's thread so far. */
static double cpu_ms(pid_t pid) {
    char path[64];
    double ns = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pid, (int)pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%lf", &ns) != 1) ns = 0;
    if (f) fclose(f);
    return ns * 1e-6;
}

static double resident_mb(pid_t pid, const char *what) {
    char path[64], line[256];
    double kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, what, strlen(what)) == 0) kb = strtod(line + strlen(what) + 1, NULL);
    if (f) fclose(f);
    return kb / 1e3;
}

/* --- figures --- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n) {
    qsort(v, n, sizeof *v, by_value);
    return n ? v[n / 2] : NAN;
}

struct timing { double text[ROUNDS], all[ROUNDS], cpu[ROUNDS], bytes[ROUNDS]; size_t n; };

/* Presses a key and waits until nothing comes any more. */
static void press(struct session *s, const char *key, struct timing *t) {
    settle(s);
    double cpu = cpu_ms(s->pid), began = clock_s();
    s->mark = s->len;
    s->text = 0;
    say(s, key);
    pump(s, 2000);
    settle(s);
    if (!t || t->n == ROUNDS) return;
    t->text[t->n] = 1e3 * ((s->text > 0 ? s->text : s->last) - began);
    t->all[t->n] = 1e3 * (s->last - began);
    t->cpu[t->n] = cpu_ms(s->pid) - cpu;
    t->bytes[t->n++] = (double)(s->len - s->mark);
}

static void report(const char *what, double wanted, double ms, double cpu) {
    printf("%-62s %7.1f ms (wanted %3.0f)  processor %6.1f ms\n", what, ms, wanted, cpu);
    fflush(stdout);
}

/* --- the first frame --- */

static pid_t spin(void) {
    pid_t pid = fork();
    if (pid == 0) {
        volatile double x = 1;
        for (;;) x = x * 1.0000001 + 1e-9;
    }
    return pid;
}

static void first_frame(const char *db, int busy) {
    double ms[ROUNDS], cpu[ROUNDS];
    pid_t load[2] = { 0, 0 };
    for (int i = 0; i < 2 && busy; i++) load[i] = spin();
    for (size_t i = 0; i < ROUNDS; i++) {
        double began = clock_s();
        struct session s = start(db, 1, NULL);
        wait_for(&s, "generated: 1000");
        ms[i] = 1e3 * (s.last - began);
        cpu[i] = cpu_ms(s.pid);
        settle(&s);
        end(&s);
    }
    for (int i = 0; i < 2 && busy; i++) {
        kill(load[i], SIGKILL);
        waitpid(load[i], NULL, 0);
    }
    report(busy ? "first text frame, two other threads busy" : "first text frame", 100, median(ms, ROUNDS), median(cpu, ROUNDS));
}

/* --- keys --- */

static void keys_in_blocks(const char *db) {
    static const struct { const char *name, *key; } step[] = {
        { "next query", "." }, { "another checkpoint", "c" }, { "a page on", "\033[6~" }, { "cursor", "l" },
        { "gallery", "1" }, { "and the ranking again", "2" }, { "compare", "3" }, { "next query there", "." }, { "self-influence", "4" }, { "evaluation", "5" },
        { "jobs", "6" }, { "marked", "8" },
    };
    struct session s = start(db, 0, NULL);
    wait_for(&s, "generated: 1000");
    press(&s, "2", NULL);
    for (size_t k = 0; k < sizeof step / sizeof step[0]; k++) {
        struct timing t = { .n = 0 };
        char what[80];
        press(&s, step[k].key, &t);
        double first = t.all[0];
        for (size_t i = 1; i < ROUNDS; i++) {
            if (k >= 4 && k != 7) { press(&s, k == 5 ? "1" : "2", NULL); if (k == 4) press(&s, "2", NULL); }
            press(&s, step[k].key, &t);
        }
        snprintf(what, sizeof what, "text and blocks: %s (first time %.1f)", step[k].name, first);
        report(what, 16, median(t.all, t.n), median(t.cpu, t.n));
    }
    end(&s);
}

/* --- sixels --- */

/* Of the pictures since the key: how many, their bytes, their side.  How near they come to their
 * images is what the program `pictures` measures. */
struct drawn { size_t count, bytes, side; };

static struct drawn pictures_since(const struct session *s) {
    struct drawn d = { 0, 0, 0 };
    for (const char *at = s->out + s->mark; (at = find(s, (size_t)(at - s->out), "\033P")) != NULL;) {
        struct sixel_image im;
        size_t used = sixel_decode(&im, at, s->len - (size_t)(at - s->out));
        if (!used) break;
        d.count++;
        d.bytes += used;
        d.side = im.width;
        free(im.rgba);
        at += used;
    }
    return d;
}

static void sixel_page(const char *db) {
    struct timing cold = { .n = 0 }, warm = { .n = 0 };
    char *more[] = { (char[]){ "--screen" }, (char[]){ "ranking" }, NULL };
    struct session s = start(db, 1, more);
    wait_for(&s, "proponents");
    settle(&s);
    for (size_t i = 0; i < ROUNDS; i++) press(&s, "\033[6~", &cold);
    struct drawn d = pictures_since(&s);
    printf("the page: %zu pictures, %zu px\n", d.count, d.side);
    for (size_t i = 0; i < ROUNDS; i++) press(&s, i % 2 ? "\033[6~" : "\033[5~", &warm);
    report("sixel: a page never seen before", 50, median(cold.all, cold.n), median(cold.cpu, cold.n));
    report("sixel: a page seen before", 5, median(warm.all, warm.n), median(warm.cpu, warm.n));
    end(&s);
}

static void changed_setting(const char *db) {
    struct timing t = { .n = 0 };
    char *more[] = { (char[]){ "--screen" }, (char[]){ "ranking" }, NULL };
    struct session s = start(db, 1, more);
    wait_for(&s, "proponents");
    settle(&s);
    press(&s, "C", &t);
    struct drawn d = pictures_since(&s);
    printf("one changed setting: %zu pictures of %zu px in %zu KB, with text %.0f KB (wanted 120 of 96 px)\n", d.count, d.side,
           d.bytes / 1000, t.bytes[0] / 1e3);
    press(&s, "\014", NULL);
    press(&s, "l", &t);
    d = pictures_since(&s);
    printf("the cursor one on: %zu pictures, %.1f KB (unchanged boxes send nothing)\n", d.count, t.bytes[1] / 1e3);
    end(&s);
}

/* --- lambda --- */

static void lambda_step(void) {
    struct large_db want = { .train = 5000, .gen = 4, .whole = 1, .k = 4096 };
    struct timing t = { .n = 0 };
    char db[512], *more[] = { (char[]){ "--screen" }, (char[]){ "ranking" }, NULL };
    need(large_db_ensure(db, folder, &want) == OK);
    struct session s = start(db, 0, more);
    wait_for(&s, "proponents");
    settle(&s);
    double began = clock_s();
    s.mark = s.len;
    say(&s, "[");
    wait_for(&s, "live");
    wait_for(&s, "proponents");
    printf("%-62s %7.2f s  (wanted 3)\n", "lambda: the first step, 5,000 x 4,096", s.last - began);
    settle(&s);
    for (int i = 0; i < 3; i++) press(&s, "[", NULL);
    for (size_t i = 0; i < ROUNDS; i++) press(&s, i % 4 < 2 ? "]" : "[", &t);
    report("lambda: a step from then on", 50, median(t.all, t.n), median(t.cpu, t.n));
    end(&s);
}

/* --- memory --- */

static void memory(const char *db) {
    static const char *const walk[] = { "2", ".", ".", "m", "m", "f", "c", "3", "4", "5", "6", "7", "8", "1", "G", "2", "\033[6~", "\033[6~", "G", "&boat\r", "&\r", "/cat\r" };
    struct session s = start(db, 1, NULL);
    wait_for(&s, "generated: 1000");
    settle(&s);
    printf("memory: %.0f MB after the first frame", resident_mb(s.pid, "VmRSS:"));
    for (size_t i = 0; i < sizeof walk / sizeof walk[0]; i++) press(&s, walk[i], NULL);
    for (size_t i = 0; i < 200; i++) press(&s, ".", NULL);
    printf(", %.0f MB at most through every screen and 200 queries (wanted 150)\n", resident_mb(s.pid, "VmHWM:"));
    end(&s);
}

int main(int argc, char **argv) {
    struct large_db want = LARGE_DB_FULL;
    char db[512], self[4096];
    snprintf(self, sizeof self, "%s", argv[0]);
    snprintf(folder, sizeof folder, "%s", argc > 2 && !strcmp(argv[1], "make") ? argv[2] : dirname(self));
    snprintf(program, sizeof program, "%.4000s/../dtrak", folder);
    if (large_db_ensure(db, folder, &want) != OK) need(0);
    if (argc > 1 && !strcmp(argv[1], "make")) {
        puts(db);
        return 0;
    }
    const char *only = argc > 1 ? argv[1] : "";
    int all = !*only;
    if (all || !strcmp(only, "first")) { first_frame(db, 0); first_frame(db, 1); }
    if (all || !strcmp(only, "keys")) keys_in_blocks(db);
    if (all || !strcmp(only, "sixel")) { sixel_page(db); changed_setting(db); }
    if (all || !strcmp(only, "lambda")) lambda_step();
    if (all || !strcmp(only, "memory")) memory(db);
    return 0;
}
