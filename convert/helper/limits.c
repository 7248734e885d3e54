/*
 * What a helper may use, and for how long it lives.
 */
#define _GNU_SOURCE
#include "helper.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define WATCH_MS 1000

static void limit(int what, uint64_t value) {
    struct rlimit lim;
    if (getrlimit((__rlimit_resource_t)what, &lim) != 0)
        return;
    if (lim.rlim_max == RLIM_INFINITY || lim.rlim_max > value)
        lim.rlim_max = value;
    lim.rlim_cur = lim.rlim_max;
    (void)setrlimit((__rlimit_resource_t)what, &lim);
}

/* The hard limit stays as it is: what is allowed grows with the arrays that are open. */
void limits_set_memory(uint64_t memory_bytes) {
    static uint64_t most;
    struct rlimit lim;
    if (memory_bytes <= most || HEADRACE_SANITIZED || getrlimit(RLIMIT_AS, &lim) != 0)
        return;
    most = memory_bytes;
    lim.rlim_cur = lim.rlim_max == RLIM_INFINITY || lim.rlim_max > most ? most : lim.rlim_max;
    (void)setrlimit(RLIMIT_AS, &lim);
}

void limits_set(uint64_t memory_bytes) {
    /* Descriptors that the program did not mark for closing are none of ours. */
    (void)syscall(SYS_close_range, 4u, UINT_MAX, 0u);
    limit(RLIMIT_CORE, 0);
    limits_set_memory(memory_bytes);
}

void limits_forbid_writing(void) {
    limit(RLIMIT_FSIZE, 0);
}

struct watch {
    int socket, parent;
};

/* PR_SET_PDEATHSIG would not do: it fires when the thread that started us ends, which may be long
 * before its process does. The parent's number is looked at too, since a child that the parent
 * forked may keep the other end of the socket open. */
static void *watch(void *arg) {
    struct watch w = *(struct watch *)arg;
    for (;;) {
        struct pollfd p = {.fd = w.socket, .events = POLLRDHUP};
        (void)poll(&p, 1, WATCH_MS);
        if ((p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0 ||
            (int)getppid() != w.parent)
            _exit(0);
    }
    return NULL;
}

bool limits_watch_parent(int socket, int parent) {
    static struct watch w;
    w.socket = socket;
    w.parent = parent;
    pthread_attr_t attr;
    pthread_t thread;
    if (pthread_attr_init(&attr) != 0)
        return false;
    bool ok = pthread_attr_setstacksize(&attr, 256 << 10) == 0 &&
              pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
              pthread_create(&thread, &attr, watch, &w) == 0;
    (void)pthread_attr_destroy(&attr);
    return ok;
}
