/*
 * The guard's thread: it glances at the one figure that changes, looks at all of them when that
 * says so, or a second has passed, calls, and has the record written.
 */
#define _GNU_SOURCE
#include "guard.h"

#include "clock.h"

#include <string.h>
#include <unistd.h>

#define FASTEST_BYTES_S 8589934592.0 /* that memory is taken to grow by */
#define NOTABLE_PART    128u         /* of the limit: such a change above the level is looked at */

/* What is compared with the level, and the level. False: there is no limit. */
static bool level_find(const struct hr_guard *g, const struct hr__limit_use **limit,
                       uint64_t *level_bytes) {
    const bool is_given = g->options.limit_bytes != 0;
    *limit = is_given ? &g->now.ending : hr__least_headroom(&g->now, !g->hard.set);
    if ((*limit)->kind == HR_MEMORY_LIMIT_NONE)
        return false;
    *level_bytes =
        is_given ? g->options.limit_bytes : (*limit)->limit_bytes - (*limit)->limit_bytes / 10;
    return true;
}

/* The limit that glances are at from now on. */
static void limit_keep(struct hr_guard *g, const struct hr__limit_use *limit) {
    if (g->seen_fd >= 0 && strcmp(limit->name, g->seen.name) != 0) {
        close(g->seen_fd);
        g->seen_fd = -1;
    }
    g->seen = *limit;
    if (g->seen_fd < 0)
        g->seen_fd = hr__limit_used_open(g->root, limit);
}

/* Use has crossed the level, in either direction, or not. Returns what is left below the level. */
static uint64_t cross(struct hr_guard *g, int64_t now_ns) {
    const struct hr__limit_use *limit;
    uint64_t level;
    const bool is_limited = level_find(g, &limit, &level);
    limit_keep(g, limit);
    g->level_bytes = is_limited ? level : UINT64_MAX;
    if (!is_limited) {
        g->is_low = g->call_due = false;
        return UINT64_MAX;
    }
    const uint64_t needed = hr__limit_needed(limit);
    if (needed >= level && !g->is_low) {
        g->is_low = true;
        g->call_due = g->options.on_low != NULL;
        g->num_low++;
        g->low = (struct hr__low){.at_ns = now_ns,
                                  .resident_bytes = g->now.resident_bytes,
                                  .needed_bytes = needed,
                                  .limit_bytes = limit->limit_bytes,
                                  .headrace_bytes = hr_memory_in_use()};
    } else if (needed < level - level / 20) {
        g->is_low = g->call_due = false;
    }
    return needed < level ? level - needed : 0;
}

/* So long that memory which grows by 8 GiB a second, or twice as fast as it was seen to, does not
 * reach the level meanwhile; between the shortest time and a second. */
static int64_t next_look_ns(const struct hr_guard *g, uint64_t left_bytes, uint64_t left_before,
                            int64_t since_ns) {
    const int64_t longest =
        g->options.interval_ns > g->longest_ns ? g->options.interval_ns : g->longest_ns;
    double fastest = FASTEST_BYTES_S;
    if (left_bytes < left_before && left_before != UINT64_MAX && since_ns > 0) {
        const double seen = 2e9 * (double)(left_before - left_bytes) / (double)since_ns;
        fastest = seen > fastest ? seen : fastest;
    }
    const double wait = 1e9 * (double)left_bytes / fastest;
    if (wait >= (double)longest)
        return longest;
    return wait > (double)g->options.interval_ns ? (int64_t)wait : g->options.interval_ns;
}

/* On this thread, or by whoever posts: then it is asked again until it has taken the call. */
static void call_out(struct hr_guard *g) {
    const hr_guard_options *o = &g->options;
    bool taken = true;
    if (o->post == NULL)
        (void)o->on_low(o->user);
    else
        taken = o->post(o->on_low, o->user) == 0;
    pthread_mutex_lock(&g->lock);
    g->call_due = g->call_due && !taken;
    pthread_mutex_unlock(&g->lock);
}

/* Reads what is used of the limit that was closest, and nothing else. False: all has to be looked
 * at. *left: below the level, if what can be reclaimed is as it was. */
static bool glance(const struct hr_guard *g, int64_t now_ns, uint64_t *left) {
    const struct hr__limit_use *seen = &g->seen;
    *left = UINT64_MAX;
    if (g->num_looks == 0 || now_ns - g->looked_ns >= g->longest_ns || g->call_due)
        return false;
    if (g->level_bytes == UINT64_MAX)
        return true;
    const uint64_t used = hr__limit_used_now(g->root, seen, g->seen_fd);
    if (used == UINT64_MAX)
        return false;
    const uint64_t grown = used > seen->used_bytes ? used - seen->used_bytes : 0;
    const uint64_t shrunk = seen->used_bytes > used ? seen->used_bytes - used : 0;
    if (g->is_low) {
        *left = 0;
        return grown + shrunk < seen->limit_bytes / NOTABLE_PART;
    }
    const uint64_t needed = hr__limit_needed(seen);
    if (needed >= g->level_bytes || grown >= g->level_bytes - needed)
        return false;
    *left = g->level_bytes - needed - grown;
    return true;
}

/* Returns what is left below the level. */
static uint64_t look(struct hr_guard *g, int64_t now_ns) {
    struct hr__memory_use use;
    hr__memory_use_read(g->root, &use);
    pthread_mutex_lock(&g->lock);
    g->now = use;
    g->num_looks++;
    g->looked_ns = now_ns;
    const uint64_t left = cross(g, now_ns);
    hr__guard_note_progress(g);
    const bool call = g->call_due && !g->stopping;
    pthread_mutex_unlock(&g->lock);
    if (g->record_fd >= 0)
        hr__guard_write_record(g);
    if (call)
        call_out(g);
    return left;
}

void *hr__guard_run(void *guard) {
    struct hr_guard *g = guard;
    uint64_t left_before = UINT64_MAX;
    int64_t looked_ns = hr__now_ns();
    bool stopping = false;
    while (!stopping) {
        const int64_t now_ns = hr__now_ns();
        uint64_t left;
        if (!glance(g, now_ns, &left))
            left = look(g, now_ns);
        const int64_t wait_ns = next_look_ns(g, left, left_before, now_ns - looked_ns);
        const int64_t deadline_ns = wait_ns < INT64_MAX - now_ns ? now_ns + wait_ns : INT64_MAX;
        left_before = left;
        looked_ns = now_ns;
        pthread_mutex_lock(&g->lock);
        while (!g->stopping && hr__cond_wait_until(&g->stop, &g->lock, deadline_ns))
            ;
        stopping = g->stopping;
        pthread_mutex_unlock(&g->lock);
    }
    if (g->seen_fd >= 0)
        close(g->seen_fd);
    return NULL;
}
