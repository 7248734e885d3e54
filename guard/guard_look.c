/*
 * The guard's thread: looks, calls, and writes the record.
 */
#define _GNU_SOURCE
#include "guard.h"

#include "checked.h"
#include "clock.h"
#include "error.h"
#include "loader.h"
#include "memory_cap.h"
#include "proc_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WRITE_NS        INT64_C(1000000000) /* between two writes, and looks, at most */
#define FASTEST_BYTES_S 8589934592.0        /* that memory is taken to grow by */

/* ---- the record ---- */

static uint64_t unix_now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The group that counts processes ended for want of memory. */
static void note_group(const char *root, struct hr__record *r) {
    struct hr__cgroup group;
    char folder[HR__CGROUP_FOLDER_BYTES], path[HR__CGROUP_FOLDER_BYTES + 128];
    struct stat st;
    if (!hr__own_cgroup(root, &group))
        return;
    hr__cgroup_folder(&group, folder);
    snprintf(path, sizeof(path), "%s%s", root, folder);
    if (strlen(folder) >= sizeof(r->group_folder) || stat(path, &st) != 0)
        return;
    strcpy(r->group_folder, folder);
    r->group_v1 = group.v1;
    r->group_inode = st.st_ino;
}

static void note_memory(const struct hr__memory_use *use, struct hr__record *r) {
    const struct hr__limit_use *limit = &use->ending;
    r->resident_bytes = use->resident_bytes;
    r->peak_resident_bytes = use->peak_resident_bytes;
    r->headrace_bytes = hr_memory_in_use();
    r->oom_kills = use->oom_kills;
    r->limit_kind = limit->kind;
    r->limit_bytes = limit->limit_bytes;
    r->used_bytes = limit->used_bytes;
    r->reclaimable_bytes = limit->reclaimable_bytes;
    r->headroom_bytes = limit->headroom_bytes;
    memcpy(r->limit_name, limit->name, sizeof(r->limit_name));
}

/* Of the limit, if it is a group's. */
static uint64_t peak_of(const char *root, const struct hr__limit_use *limit) {
    if (limit->kind != HR_MEMORY_LIMIT_CGROUP_V1 && limit->kind != HR_MEMORY_LIMIT_CGROUP_V2)
        return UINT64_MAX;
    return hr__proc_number(root, limit->name,
                           hr__cgroup_peak_name(limit->kind == HR_MEMORY_LIMIT_CGROUP_V1));
}

void hr__guard_note_progress(struct hr_guard *g) {
    struct hr__record *r = &g->record;
    struct hr__loader_progress p;
    uint64_t delivered = g->delivered_before;
    for (size_t i = 0; i < HR_GUARD_MAX_LOADERS; i++) {
        struct hr__watched *w = &g->watched[i];
        if (w->loader == NULL)
            continue;
        hr__loader_progress(w->loader, &p);
        delivered += p.batches_delivered;
        if (p.batches_delivered == w->batches_delivered)
            continue; /* another one is at work */
        w->batches_delivered = p.batches_delivered;
        r->epoch = p.epoch;
        r->step = p.batch;
        r->rank = p.rank;
        r->world_size = p.world_size;
        if (p.bad_epoch != UINT64_MAX) {
            r->nan_epoch = p.bad_epoch;
            r->nan_batch = p.bad_batch;
        }
    }
    r->batches_delivered = delivered;
    const uint64_t epoch = atomic_load_explicit(&g->epoch, memory_order_relaxed);
    if (epoch != UINT64_MAX) {
        r->epoch = epoch;
        r->step = atomic_load_explicit(&g->step, memory_order_relaxed);
    }
    if (r->epoch != UINT64_MAX) {
        const struct hr__epoch_memory m = {r->epoch, g->now.resident_bytes, hr_memory_in_use()};
        hr__epochs_note(&r->epochs, &m);
    }
}

/* Of the last look. */
static void page_make(struct hr_guard *g) {
    struct hr__record *r = &g->record;
    r->written_unix_ns = unix_now_ns();
    note_memory(&g->now, r);
    r->limit_peak_bytes = peak_of(g->root, &g->now.ending);
    hr__record_encode(r, g->page);
}

void hr__guard_begin_record(struct hr_guard *g) {
    struct hr__record *r = &g->record;
    hr_error why;
    if (g->folder[0] == 0)
        return;
    hr__process_id_own(&r->id);
    hr__process_command(r->command, 201);
    if (gethostname(r->host, sizeof(r->host) - 1) != 0)
        r->host[0] = 0;
    note_group(g->root, r);
    r->opened_unix_ns = unix_now_ns();
    r->opened_resident_bytes = g->opened.resident_bytes;
    r->oom_kills_opened = g->opened.oom_kills;
    r->epoch = r->step = r->nan_epoch = r->nan_batch = UINT64_MAX;
    page_make(g);
    hr__records_clean(g->folder, &r->id);
    g->writing =
        hr__record_create(g->folder, &r->id, g->page, &g->record_fd, g->record_path, &why) == HR_OK;
    g->num_written = g->writing;
    if (!g->writing) {
        g->record_path[0] = 0;
        snprintf(g->note, sizeof(g->note), "no record is kept: %.200s", why.message);
    }
}

void hr__guard_end_record(struct hr_guard *g) {
    if (g->record_fd < 0)
        return;
    g->record.ended = 1;
    page_make(g);
    (void)hr__record_write(g->record_fd, g->page, g->record_path, NULL);
    unlink(g->record_path);
    close(g->record_fd);
    g->record_fd = -1;
}

static void record_update(struct hr_guard *g) {
    pthread_mutex_lock(&g->lock);
    page_make(g);
    pthread_mutex_unlock(&g->lock);
    const bool written = hr__record_write(g->record_fd, g->page, g->record_path, NULL) == HR_OK;
    g->written_ns = hr__now_ns();
    pthread_mutex_lock(&g->lock);
    g->writing = written;
    g->num_written += written;
    pthread_mutex_unlock(&g->lock);
}

/* ---- a look ---- */

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

/* Use has crossed the level, in either direction, or not. Returns what is left below the level. */
static uint64_t cross(struct hr_guard *g, int64_t now_ns) {
    const struct hr__limit_use *limit;
    uint64_t level;
    if (!level_find(g, &limit, &level)) {
        g->level_bytes = UINT64_MAX;
        g->is_low = g->call_due = false;
        return UINT64_MAX;
    }
    const uint64_t needed = hr__limit_needed(limit);
    g->level_bytes = level;
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
    const int64_t longest = g->options.interval_ns > WRITE_NS ? g->options.interval_ns : WRITE_NS;
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
    const bool is_low = g->is_low, call = g->call_due && !g->stopping;
    pthread_mutex_unlock(&g->lock);
    /* What the process is about to do may be its last. */
    if (g->record_fd >= 0 && (is_low || now_ns - g->written_ns >= WRITE_NS))
        record_update(g);
    if (call)
        call_out(g);
    return left;
}

void *hr__guard_run(void *guard) {
    struct hr_guard *g = guard;
    uint64_t left_before = UINT64_MAX;
    int64_t looked_ns = hr__now_ns();
    bool stopping = false;
    g->written_ns = looked_ns;
    while (!stopping) {
        const int64_t now_ns = hr__now_ns();
        const uint64_t left = look(g, now_ns);
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
    return NULL;
}
