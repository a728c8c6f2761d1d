/* owner.c - who trains a network: leases of processes that are gone are ended at once. */
#include "lds_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* When the process started, in the system's ticks, so that a number used again is another process; "" when it is gone. */
static void process_start(char out[32], long pid) {
    char path[64], line[1024] = "";
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "r");
    out[0] = 0;
    if (!f) return;
    size_t got = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[got] = 0;
    char *at = strrchr(line, ')');   /* the name may hold anything */
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    if (at) snprintf(out, 32, "%.*s", (int)strcspn(at + 1, " "), at + 1);
}

/* Process ids mean something within one namespace: two containers may share a host's name. */
static void process_namespace(char out[24]) {
    char link[64] = "";
    ssize_t got = readlink("/proc/self/ns/pid", link, sizeof link - 1);
    const char *digits = got > 0 ? strpbrk(link, "0123456789") : NULL;
    snprintf(out, 24, "%.*s", digits ? (int)strspn(digits, "0123456789") : 0, digits ? digits : "");
}

void owner_make(struct owner *me) {
    char start[32], space[24];
    *me = (struct owner){ .host = "" };
    gethostname(me->host, sizeof me->host - 1);
    process_start(start, (long)getpid());
    process_namespace(space);
    snprintf(me->name, sizeof me->name, "%.50s:%d:%.14s:%.12s", me->host, (int)getpid(), start, space);
}

/* "host:pid:start:namespace" of this host and namespace, and no such process any more. */
static int is_dead(const struct owner *me, const char *owner) {
    size_t host = strlen(me->host);
    if (strncmp(owner, me->host, host) != 0 || owner[host] != ':') return 0;
    char *rest, start[32], space[24];
    long pid = strtol(owner + host + 1, &rest, 10);
    const char *theirs = strrchr(rest, ':');
    if (pid <= 0 || *rest != ':' || theirs == rest) return 0;
    process_namespace(space);
    if (strcmp(theirs + 1, space) != 0) return 0;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) return 1;   /* EPERM: it lives, as somebody else's */
    process_start(start, pid);
    size_t length = (size_t)(theirs - rest - 1);
    return start[0] && (strlen(start) != length || strncmp(start, rest + 1, length) != 0);
}

enum status owner_forget_the_dead(struct store *s, int64_t protocol, const struct owner *me) {
    struct subset_model_list l;
    enum status st = OK;
    TRY(store_subsets_list(s, protocol, &l));
    for (size_t i = 0; i < l.count && st == OK; i++)
        if (l.model[i].state == SUBSET_OPEN && l.model[i].owner[0] && is_dead(me, l.model[i].owner))
            st = store_subset_forget_owner(s, l.model[i].owner);
    subset_model_list_free(&l);
    return st;
}
