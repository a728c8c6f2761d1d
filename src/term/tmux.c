/* tmux.c - asking tmux, and bytes past it. */
#include "tmux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FORMAT "#{pane_left} #{pane_top} #{status} #{status-position} #{version} #{allow-passthrough}"
#define ANSWER_S 1.0
#define FIRST_ANSWER_S 5.0       /* while the place is not known at all */

extern char **environ;

void tmux_pane_parse(struct tmux_pane *p, const char *line) {
    char status[16] = "", position[16] = "", allow[16] = "";
    unsigned left = 0, top = 0;
    memset(p, 0, sizeof *p);
    int n = sscanf(line, "%u %u %15s %15s %23s %15s", &left, &top, status, position, p->version, allow);
    if (n < 5) return;
    p->is_known = 1;
    p->row = top;
    p->col = left;
    /* Lines of status: "on" is one, else their number. */
    if (strcmp(position, "top") == 0 && strcmp(status, "off") != 0)
        p->row += strcmp(status, "on") == 0 ? 1 : (size_t)strtoul(status, NULL, 10);
    /* The option came with 3.3; before that everything passed. */
    p->allows = n < 6 ? strtod(p->version, NULL) < 3.3 : strcmp(allow, "off") != 0 && strcmp(allow, "0") != 0;
}

/* --- asking --- */

void tmux_question_init(struct tmux_question *q) {
    memset(q, 0, sizeof *q);
    q->fd = -1;
}

/* Its output goes to fd, and it has nothing to do with the terminal. */
static int run_tmux(pid_t *pid, int fd) {
    const char *pane = getenv("TMUX_PANE");
    char tmux[] = "tmux", verb[] = "display-message", print[] = "-p", target[] = "-t", format[] = FORMAT, name[64];
    char *words[] = { tmux, verb, print, target, name, format, NULL };
    posix_spawn_file_actions_t files;
    snprintf(name, sizeof name, "%s", pane ? pane : "");
    if (posix_spawn_file_actions_init(&files) != 0) return 0;
    int bad = posix_spawn_file_actions_adddup2(&files, fd, 1) || posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
           || posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0) || posix_spawnp(pid, tmux, &files, NULL, words, environ);
    posix_spawn_file_actions_destroy(&files);
    return !bad;
}

void tmux_ask(struct tmux_question *q, const struct tmux_pane *p, double now) {
    int way[2];
    if (q->fd >= 0) {
        q->is_again = 1;
        return;
    }
    tmux_question_init(q);
    if (!getenv("TMUX") || pipe(way) != 0) return;
    for (int i = 0; i < 2; i++) fcntl(way[i], F_SETFD, FD_CLOEXEC);
    fcntl(way[0], F_SETFL, O_NONBLOCK);
    if (run_tmux(&q->pid, way[1])) {
        q->fd = way[0];
        q->end = now + (p->is_known ? ANSWER_S : FIRST_ANSWER_S);
    } else {
        close(way[0]);
    }
    close(way[1]);
}

void tmux_question_end(struct tmux_question *q) {
    if (q->fd < 0) return;
    close(q->fd);
    q->fd = -1;
    kill(q->pid, SIGKILL);   /* it has ended, or hangs */
    while (waitpid(q->pid, NULL, 0) < 0 && errno == EINTR) { }
}

/* Whether the line is whole, or as whole as it will be. */
static int has_line(struct tmux_question *q) {
    for (;;) {
        size_t room = sizeof q->line - 1 - q->len;
        ssize_t n = room ? read(q->fd, q->line + q->len, room) : 0;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return 0;
        if (n <= 0) return 1;
        q->len += (size_t)n;
        if (memchr(q->line, '\n', q->len)) return 1;
    }
}

int tmux_answered(struct tmux_question *q, struct tmux_pane *p, double now) {
    struct tmux_pane there;
    if (q->fd < 0 || (!has_line(q) && now < q->end)) return 0;
    tmux_question_end(q);
    tmux_pane_parse(&there, q->line);
    if (there.is_known) *p = there;
    if (q->is_again) tmux_ask(q, p, now);
    return q->fd < 0;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void tmux_wait(struct tmux_question *q, struct tmux_pane *p, double now) {
    double start = seconds(), took = 0;
    while (q->fd >= 0 && took < ANSWER_S) {
        struct pollfd way = { q->fd, POLLIN, 0 };
        poll(&way, 1, (int)((ANSWER_S - took) * 1e3) + 1);
        took = seconds() - start;
        tmux_answered(q, p, now + took);
    }
}

void tmux_pane_find(struct tmux_pane *p) {
    struct tmux_question q;
    double now = seconds();
    memset(p, 0, sizeof *p);
    tmux_question_init(&q);
    tmux_ask(&q, p, now);
    tmux_wait(&q, p, now);
    tmux_question_end(&q);
}

/* --- past it --- */

void tmux_wrap(struct buf *out, size_t from) {
    struct buf inner = BUF_INIT;
    if (out->failed || out->len == from) return;
    buf_add(&inner, out->data + from, out->len - from);
    if (inner.failed) { out->failed = 1; return; }
    out->len = from;
    buf_text(out, "\033Ptmux;");
    for (size_t i = 0; i < inner.len; i++) {
        if (inner.data[i] == '\033') buf_text(out, "\033");
        buf_add(out, inner.data + i, 1);
    }
    buf_text(out, "\033\\");
    buf_free(&inner);
}

void tmux_wrap_chunks(struct buf *out, size_t from, size_t most) {
    struct buf whole = BUF_INIT;
    const char *first = out->failed || out->len - from <= most ? NULL : strstr(out->data + from, "\033_G");
    if (!first) {
        tmux_wrap(out, from);
        return;
    }
    size_t head = (size_t)(first - out->data) - from;
    buf_add(&whole, out->data + from, out->len - from);
    if (whole.failed) { out->failed = 1; return; }
    out->len = from;
    for (const char *at = whole.data + head, *end; strncmp(at, "\033_G", 3) == 0; at = end) {
        const char *next;
        for (end = at; strncmp(end, "\033_G", 3) == 0 && (next = strstr(end, "\033\\")) != NULL; end = next + 2)
            if (end > at && (size_t)(next + 2 - at) > most) break;
        if (end == at) break;
        size_t start = out->len;
        buf_add(out, whole.data, head);
        buf_add(out, at, (size_t)(end - at));
        buf_text(out, "\0338");
        tmux_wrap(out, start);
    }
    buf_free(&whole);
}
