/* pty.c - a scripted terminal around a child process. */
#include "pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

struct pty {
    int fd, slave, is_over;
    int master;               /* fd, or behind the slow line */
    struct slow_line *line;
    pid_t pid;
    size_t registers, cell_w, cell_h, largest;
    enum pty_kind kind;
    size_t rows, cols;
    struct termios before;
    struct vt *vt;
    char *out;
    size_t len, cap;
};

static long now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void pty_keys(struct pty *p, const char *bytes) {
    size_t left = strlen(bytes);
    while (left) {
        ssize_t n = write(p->fd, bytes, left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        bytes += n;
        left -= (size_t)n;
    }
}

static void answer(void *ctx, const char *q) {
    struct pty *p = ctx;
    char text[64];
    int plain = p->kind == PTY_PLAIN || p->kind == PTY_DIRECT || p->kind == PTY_LIGHT;
    int poor = p->kind == PTY_SIXEL_16, full = p->kind == PTY_SIXEL || poor, kitty = p->kind == PTY_KITTY, iterm2 = p->kind == PTY_ITERM2;
    if (p->kind == PTY_SILENT) return;
    if (strcmp(q, "c") == 0) {
        pty_keys(p, full || p->kind == PTY_SIXEL_BARE ? "\033[?62;4;22c"
                    : p->kind == PTY_TMUX_SIXEL       ? "\033[?1;2;4c"
                    : p->kind == PTY_TMUX             ? "\033[?1;2c" : "\033[?62;22c");
    } else if (strcmp(q, "16t") == 0 && (full || kitty || iterm2 || plain)) {
        snprintf(text, sizeof text, "\033[6;%zu;%zut", p->cell_h, p->cell_w);
        pty_keys(p, text);
    } else if (strcmp(q, "14t") == 0 && full) {
        snprintf(text, sizeof text, "\033[4;%zu;%zut", p->rows * p->cell_h, p->cols * p->cell_w);
        pty_keys(p, text);
    } else if (strcmp(q, "?1;1;0S") == 0 && full) {
        snprintf(text, sizeof text, "\033[?1;0;%zuS", p->registers);
        pty_keys(p, text);
    } else if (strncmp(q, "?1;3;", 5) == 0 && full) {
        p->registers = strtoul(q + 5, NULL, 10);
        snprintf(text, sizeof text, "\033[?1;0;%zuS", p->registers);
        pty_keys(p, text);
    } else if (strcmp(q, "?1070$p") == 0 && full) {
        pty_keys(p, poor ? "\033[?1070;2$y" : "\033[?1070;1$y");
    } else if (strcmp(q, ">0q") == 0 && p->kind == PTY_TMUX_SIXEL) {
        pty_keys(p, "\033P>|tmux 3.4\033\\");
    } else if (strcmp(q, "?2;1;0S") == 0 && full) {
        snprintf(text, sizeof text, "\033[?2;0;%zu;%zuS", p->largest, p->largest);
        pty_keys(p, text);
    } else if (strcmp(q, "?2026$p") == 0 && (full || kitty)) {
        pty_keys(p, "\033[?2026;2$y");
    } else if (strcmp(q, "]11;?") == 0 && (full || p->kind == PTY_LIGHT)) {
        pty_keys(p, full ? "\033]11;rgb:0000/0000/0000\033\\" : "\033]11;rgb:ffff/ffff/ffff\033\\");
    } else if (strcmp(q, "5n") == 0 && (full || kitty || iterm2)) {
        pty_keys(p, "\033[0n");
    } else if (strcmp(q, ">0q") == 0 && full) {
        pty_keys(p, "\033P>|scripted(1)\033\\");
    } else if (strcmp(q, ">0q") == 0 && iterm2) {
        pty_keys(p, "\033P>|iTerm2 3.2.9\033\\");
    } else if (q[0] == 'G' && kitty) {
        pty_keys(p, "\033_Gi=31;OK\033\\");
    }
}

static struct winsize window(size_t rows, size_t cols, size_t cell_w, size_t cell_h) {
    struct winsize w;
    memset(&w, 0, sizeof w);
    w.ws_row = (unsigned short)rows;
    w.ws_col = (unsigned short)cols;
    w.ws_xpixel = (unsigned short)(cols * cell_w);
    w.ws_ypixel = (unsigned short)(rows * cell_h);
    return w;
}

static struct pty *start(char *const argv[], int (*fn)(void *), void *ctx, size_t rows, size_t cols,
                         enum pty_kind kind) {
    struct pty *p = calloc(1, sizeof *p);
    struct winsize w = window(rows, cols, PTY_CELL_W, PTY_CELL_H);
    if (!p) return NULL;
    p->kind = kind;
    p->cell_w = PTY_CELL_W;
    p->cell_h = PTY_CELL_H;
    p->largest = 4000;
    p->registers = kind == PTY_SIXEL_16 ? 16 : 256;
    p->rows = rows;
    p->cols = cols;
    /* The slave stays open here, so that its modes can be read after the child. */
    if (openpty(&p->fd, &p->slave, NULL, NULL, &w) != 0) { free(p); return NULL; }
    fcntl(p->fd, F_SETFD, FD_CLOEXEC);
    p->master = p->fd;
    tcgetattr(p->slave, &p->before);
    fflush(NULL);
    p->pid = fork();
    if (p->pid == 0) {
        setenv("TERM", "xterm-256color", 1);
        unsetenv("TMUX");
        unsetenv("COLORTERM");
        if (kind == PTY_DIRECT) setenv("COLORTERM", "truecolor", 1);
        unsetenv("TERM_PROGRAM");
        unsetenv("LC_TERMINAL");
        unsetenv("COLORFGBG");
        if (kind == PTY_TMUX || kind == PTY_TMUX_SIXEL) setenv("TMUX", "scripted", 1);
        close(p->fd);   /* or the terminal could not go away */
        login_tty(p->slave);
        if (argv) {
            execvp(argv[0], argv);
            _exit(127);
        }
        exit(fn(ctx));
    }
    if (p->pid < 0) { close(p->fd); close(p->slave); free(p); return NULL; }
    fcntl(p->slave, F_SETFD, FD_CLOEXEC);
    p->vt = vt_new(rows, cols, PTY_CELL_W, PTY_CELL_H);
    vt_on_question(p->vt, answer, p);
    if (kind == PTY_TMUX_SIXEL) vt_keep(p->vt, 10);
    return p;
}

static double next_rate;
static int next_delay;

void pty_next_is_slow(double bytes_per_s, int one_way_ms) {
    next_rate = bytes_per_s;
    next_delay = one_way_ms;
}

static struct pty *over_line(struct pty *p) {
    if (p && next_rate > 0) p->line = slow_line_new(p->master, next_rate, next_delay, &p->fd);
    next_rate = 0;
    return p;
}

struct pty *pty_run(char *const argv[], size_t rows, size_t cols, enum pty_kind kind) {
    return over_line(start(argv, NULL, NULL, rows, cols, kind));
}

struct pty *pty_call(int (*fn)(void *), void *ctx, size_t rows, size_t cols, enum pty_kind kind) {
    return over_line(start(NULL, fn, ctx, rows, cols, kind));
}

void pty_resize(struct pty *p, size_t rows, size_t cols) {
    struct winsize w = window(rows, cols, p->cell_w, p->cell_h);
    p->rows = rows;
    p->cols = cols;
    vt_resize(p->vt, rows, cols);
    ioctl(p->master, TIOCSWINSZ, &w);   /* the kernel sends SIGWINCH */
}

struct slow_line *pty_line(struct pty *p) { return p->line; }
void pty_become(struct pty *p, enum pty_kind kind) { p->kind = kind; }
void pty_wall(struct pty *p, const char *text) { vt_feed(p->vt, text, strlen(text)); }

void pty_hold(struct pty *p) { tcflow(p->slave, TCOOFF); }

void pty_hang_up(struct pty *p) {
    p->is_over = 1;
    close(p->master);
    close(p->slave);
    p->fd = p->master = p->slave = -1;
}

void pty_font(struct pty *p, size_t cell_w, size_t cell_h) {
    struct winsize w = window(p->rows, p->cols, cell_w, cell_h);
    p->cell_w = cell_w;
    p->cell_h = cell_h;
    vt_font(p->vt, cell_w, cell_h);
    ioctl(p->master, TIOCSWINSZ, &w);
}

void pty_largest(struct pty *p, size_t side) { p->largest = side; }

size_t pty_registers(const struct pty *p) { return p->registers; }

void pty_signal(struct pty *p, int sig) { kill(p->pid, sig); }

int pty_pump(struct pty *p, int timeout_ms) {
    struct pollfd q = { p->fd, POLLIN, 0 };
    if (p->is_over) return -1;
    int n = poll(&q, 1, timeout_ms);
    if (n <= 0) return 0;
    if (p->len + 65536 + 1 > p->cap) {
        p->cap = p->cap * 2 + 131072;
        p->out = realloc(p->out, p->cap);
        if (!p->out) abort();
    }
    ssize_t got = read(p->fd, p->out + p->len, 65536);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
    if (got <= 0) { p->is_over = 1; return -1; }
    p->len += (size_t)got;
    p->out[p->len] = 0;
    vt_feed(p->vt, p->out + p->len - (size_t)got, (size_t)got);
    return 1;
}

/* Its main thread would run if the machine let it: then quiet says nothing. */
static int is_kept_waiting(const struct pty *p) {
    char path[64], line[512];
    int waits = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)p->pid);
    FILE *f = p->pid > 0 ? fopen(path, "r") : NULL;
    const char *state = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;   /* "123 (name) R ..." */
    if (state && state[1] == ' ') waits = state[2] == 'R' || state[2] == 'D';
    if (f) fclose(f);
    return waits;
}

int pty_settle(struct pty *p, int quiet_ms) {
    long end = now_ms() + 20000;
    int got;
    while (((got = pty_pump(p, quiet_ms)) > 0 || (got == 0 && is_kept_waiting(p))) && now_ms() < end) { }
    return got == 0;
}

int pty_wait_for(struct pty *p, const char *text) {
    long end = now_ms() + PTY_WAIT_MS;
    while (!vt_find(p->vt, text, NULL, NULL)) {
        if (now_ms() >= end || pty_pump(p, 50) < 0) return vt_find(p->vt, text, NULL, NULL);
    }
    return 1;
}

const struct vt *pty_screen(const struct pty *p) { return p->vt; }
size_t pty_bytes(const struct pty *p) { return p->len; }
const char *pty_output(const struct pty *p) { return p->out ? p->out : ""; }
size_t pty_unread(struct pty *p, int ms) {
    int n = 0;
    long end = now_ms() + ms;
    while (now_ms() < end) pty_pump(p, 20);
    struct termios raw = p->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);   /* so that a line need not be whole to count */
    tcsetattr(p->slave, TCSANOW, &raw);
    ioctl(p->slave, FIONREAD, &n);
    tcsetattr(p->slave, TCSANOW, &p->before);
    return (size_t)n;
}

pid_t pty_pid(const struct pty *p) { return p->pid; }

int pty_is_restored(const struct pty *p) {
    struct termios now;
    if (tcgetattr(p->slave, &now) != 0) return 0;
    return now.c_iflag == p->before.c_iflag && now.c_oflag == p->before.c_oflag
        && now.c_cflag == p->before.c_cflag && now.c_lflag == p->before.c_lflag
        && memcmp(now.c_cc, p->before.c_cc, sizeof now.c_cc) == 0;
}

int pty_has_ended(struct pty *p) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    return p->pid <= 0 || (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == p->pid);
}

int pty_wait_end(struct pty *p) {
    long end = now_ms() + PTY_WAIT_MS;
    int status = -1;
    while (p->pid > 0) {
        pty_pump(p, 20);
        if (waitpid(p->pid, &status, WNOHANG) == p->pid) { p->pid = 0; break; }
        if (now_ms() >= end) {
            kill(p->pid, SIGKILL);
            waitpid(p->pid, NULL, 0);
            p->pid = 0;
            return -1;
        }
    }
    while (pty_pump(p, p->line ? 300 : 20) > 0) { }
    return status;
}

void pty_free(struct pty *p) {
    if (!p) return;
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
    }
    vt_free(p->vt);
    slow_line_free(p->line);
    if (p->master >= 0) close(p->master);
    if (p->slave >= 0) close(p->slave);
    free(p->out);
    free(p);
}
