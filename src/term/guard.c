/* guard.c - signal handlers of a terminal session. */
#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct guard_flags guard_flags;

/* Those of a mistake, and those that nobody here waits for but that end a process. */
static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGQUIT, SIGPIPE, SIGALRM, SIGXCPU, SIGUSR1, SIGUSR2 };
static const int ordinary[] = { SIGWINCH, SIGTSTP, SIGCONT, SIGTERM, SIGINT, SIGHUP };
#define FATALS (sizeof fatal / sizeof *fatal)
#define ORDINARY (sizeof ordinary / sizeof *ordinary)

static struct sigaction old_fatal[FATALS], old_ordinary[ORDINARY];
static struct termios modes;
static char text[1024];
static volatile sig_atomic_t text_len, tty_fd = -1, wake_fd = -1, is_armed;

/* When the process was asked to end, in seconds of the monotonic clock. */
static volatile sig_atomic_t asked_at;

/* A stack overflow needs another stack to say so on. */
static char other_stack[64 * 1024];

/* Safe in a handler: only write() and tcsetattr(). */
static void put_back(void) {
    if (!is_armed) return;
    is_armed = 0;
    for (size_t at = 0; at < (size_t)text_len;) {
        ssize_t n = write(tty_fd, text + at, (size_t)text_len - at);
        if (n <= 0) break;
        at += (size_t)n;
    }
    tcsetattr(tty_fd, TCSANOW, &modes);
}

static void on_fatal(int sig) {
    put_back();
    /* SA_RESETHAND made the action the default one: this ends the process as
     * the signal would have. */
    raise(sig);
}

static sig_atomic_t seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (sig_atomic_t)t.tv_sec;
}

/* Asked a second time, seconds after the first: the program hangs in a write to a terminal
 * that has stopped reading, and would never come to look. */
static void end_now(int sig) {
    int flags = fcntl(tty_fd, F_GETFL);
    if (flags >= 0) fcntl(tty_fd, F_SETFL, flags | O_NONBLOCK);
    put_back();
    if (flags >= 0) fcntl(tty_fd, F_SETFL, flags);
    sigset_t mine;
    sigemptyset(&mine);
    sigaddset(&mine, sig);
    sigprocmask(SIG_UNBLOCK, &mine, NULL);
    signal(sig, SIG_DFL);
    raise(sig);
}

static void on_ordinary(int sig) {
    int saved = errno;
    int ends = sig != SIGWINCH && sig != SIGTSTP && sig != SIGCONT;
    if (ends && guard_flags.quit && seconds() - asked_at >= 2) end_now(sig);
    if (ends && !guard_flags.quit) asked_at = seconds();
    if (sig == SIGWINCH) guard_flags.winch = 1;
    else if (sig == SIGTSTP) guard_flags.stop = 1;
    else if (sig == SIGCONT) guard_flags.cont = 1;
    else guard_flags.quit = sig;
    if (write(wake_fd, "s", 1) < 0) errno = 0;   /* full: it wakes anyway */
    errno = saved;
}

static void on_exit_restore(void) { put_back(); }

void guard_restore_text(const char *restore) {
    size_t len = strlen(restore);
    if (len > sizeof text) len = sizeof text;
    text_len = 0;
    memcpy(text, restore, len);
    text_len = (sig_atomic_t)len;
}

void guard_start(int fd, int wake, const struct termios *m, const char *restore) {
    static int registered;
    struct sigaction sa;
    tty_fd = fd;
    wake_fd = wake;
    modes = *m;
    guard_restore_text(restore);
    guard_flags.winch = guard_flags.stop = guard_flags.cont = guard_flags.quit = 0;
    if (!registered) registered = atexit(on_exit_restore) == 0;

    stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof other_stack };
    sigaltstack(&stack, NULL);
    memset(&sa, 0, sizeof sa);
    sigemptyset(&sa.sa_mask);
    sa.sa_handler = on_fatal;
    sa.sa_flags = (int)(SA_RESETHAND | SA_ONSTACK | SA_NODEFER);
    for (size_t i = 0; i < FATALS; i++) {
        sigaction(fatal[i], &sa, &old_fatal[i]);
        if (old_fatal[i].sa_handler == SIG_IGN) sigaction(fatal[i], &old_fatal[i], NULL);
    }
    sa.sa_handler = on_ordinary;
    sa.sa_flags = SA_RESTART;
    for (size_t i = 0; i < ORDINARY; i++) sigaction(ordinary[i], &sa, &old_ordinary[i]);
    is_armed = 1;
}

void guard_arm(int armed) { is_armed = armed; }

void guard_stop_group(void) {
    struct sigaction sa, ours;
    memset(&sa, 0, sizeof sa);
    sigemptyset(&sa.sa_mask);
    /* The others of the group first (a make or a pager that started us), then
     * this thread itself: raise() stops before it returns. */
    sa.sa_handler = SIG_IGN;
    sigaction(SIGTSTP, &sa, &ours);
    kill(0, SIGTSTP);
    sa.sa_handler = SIG_DFL;
    sigaction(SIGTSTP, &sa, NULL);
    raise(SIGTSTP);
    sigaction(SIGTSTP, &ours, NULL);
    guard_flags.stop = guard_flags.cont = 0;
}

void guard_end(void) {
    stack_t none = { .ss_flags = SS_DISABLE };
    is_armed = 0;
    for (size_t i = 0; i < FATALS; i++) sigaction(fatal[i], &old_fatal[i], NULL);
    for (size_t i = 0; i < ORDINARY; i++) sigaction(ordinary[i], &old_ordinary[i], NULL);
    sigaltstack(&none, NULL);
    tty_fd = wake_fd = -1;
}
