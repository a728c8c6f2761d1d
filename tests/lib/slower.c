/* slower.c - how long the machine kept a process from running.  See slower.h. */
#include "slower.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

/* The second number of schedstat: nanoseconds spent waiting for a processor. */
static double waited_s(const char *path) {
    unsigned long long ran, waited = 0;
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    if (fscanf(f, "%llu %llu", &ran, &waited) != 2) waited = 0;
    fclose(f);
    return (double)waited * 1e-9;
}

double held_up_s(pid_t pid, int main_only) {
    char path[512];
    double sum = 0;
    if (main_only) {
        snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
        return waited_s(path);
    }
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", (int)pid, e->d_name);
        sum += waited_s(path);
    }
    if (d) closedir(d);
    return sum;
}

struct limit limit_begin(void) { return (struct limit){ clock_s(), held_up_s(getpid(), 0) }; }

double limit_took(struct limit start) {
    double held = held_up_s(getpid(), 0) - start.held;
    return clock_s() - start.at - (held > 0 ? held : 0);   /* a thread that ended takes its share along */
}
