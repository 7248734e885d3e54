/*
 * Lowering RLIMIT_DATA and putting it back.
 */
#include "hard_limit.h"

#include "error.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

static double mib(uint64_t n_bytes) {
    return (double)n_bytes / 1048576.0;
}

static uint64_t of_rlim(rlim_t r) {
    return r == RLIM_INFINITY ? UINT64_MAX : (uint64_t)r;
}

/* What may still be mapped. */
static hr_status room_find(const struct hr__limit_use *limit, uint64_t level_bytes, uint64_t *room,
                           hr_error *err) {
    const uint64_t needed = hr__limit_needed(limit);
    if (limit->kind == HR_MEMORY_LIMIT_NONE)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "no limit of memory can be read here (/sys/fs/cgroup, /proc/meminfo), "
                             "so none can be set below it; open the guard without HR_GUARD_HARD");
    if (level_bytes == 0)
        level_bytes = limit->limit_bytes - limit->limit_bytes / 50;
    if (level_bytes <= needed)
        return hr__error_set(err, HR_ERR_INVALID,
                             "allocations are to fail above %.1f MiB, and %.1f MiB of the %.1f MiB "
                             "of %s are in use already; give more, or free some first",
                             mib(level_bytes), mib(needed), mib(limit->limit_bytes), limit->name);
    *room = level_bytes - needed;
    return HR_OK;
}

static void describe(const struct hr__hard_limit *hard, uint64_t room, char *note, size_t n_bytes) {
    char before[40] = "unlimited";
    if (hard->before_bytes != UINT64_MAX)
        snprintf(before, sizeof(before), "%.1f MiB", mib(hard->before_bytes));
    if (hard->set)
        snprintf(note, n_bytes,
                 "RLIMIT_DATA was %s and is %.1f MiB until close: %.1f MiB more than is mapped now",
                 before, mib(hard->now_bytes), mib(room));
    else
        snprintf(note, n_bytes, "RLIMIT_DATA is %s, which is less than would be set, and stays",
                 before);
}

hr_status hr__hard_limit_set(const struct hr__memory_use *use, uint64_t level_bytes,
                             struct hr__hard_limit *out, char *note, size_t n_bytes,
                             hr_error *err) {
    struct rlimit r;
    uint64_t room = 0;
    *out = (struct hr__hard_limit){.set = false};
    hr_status st = room_find(&use->ending, level_bytes, &room, err);
    if (st != HR_OK)
        return st;
    if (use->data_bytes == UINT64_MAX || room > INT64_MAX - use->data_bytes ||
        getrlimit(RLIMIT_DATA, &r) != 0)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "what is mapped cannot be read (VmData in /proc/self/status), so "
                             "RLIMIT_DATA cannot be set; open the guard without HR_GUARD_HARD");
    out->before_bytes = of_rlim(r.rlim_cur);
    out->now_bytes = use->data_bytes + room;
    if (out->now_bytes < out->before_bytes) {
        r.rlim_cur = (rlim_t)out->now_bytes;
        if (setrlimit(RLIMIT_DATA, &r) != 0)
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "the system refuses to set RLIMIT_DATA to %.1f MiB (errno %d); "
                                 "open the guard without HR_GUARD_HARD",
                                 mib(out->now_bytes), errno);
        out->set = true;
    }
    describe(out, room, note, n_bytes);
    return HR_OK;
}

void hr__hard_limit_put_back(struct hr__hard_limit *hard) {
    struct rlimit r;
    if (hard->set && getrlimit(RLIMIT_DATA, &r) == 0 && of_rlim(r.rlim_cur) == hard->now_bytes) {
        r.rlim_cur = hard->before_bytes == UINT64_MAX ? RLIM_INFINITY : (rlim_t)hard->before_bytes;
        (void)setrlimit(RLIMIT_DATA, &r);
    }
    hard->set = false;
}
