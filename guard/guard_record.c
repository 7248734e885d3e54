/*
 * The guard's record: what goes into it, and when it is begun and ended.
 */
#define _GNU_SOURCE
#include "guard.h"

#include "loader.h"
#include "proc_file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

/* Keeps whether the record is written, and if not, why. */
static void writing_keep(struct hr_guard *g, bool written, const hr_error *why) {
    g->writing = written;
    g->num_written += written;
    g->record_note[0] = 0;
    if (!written)
        snprintf(g->record_note, sizeof(g->record_note), "no record is kept: %.200s", why->message);
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
    const bool written =
        hr__record_create(g->folder, &r->id, g->page, &g->record_fd, g->record_path, &why) == HR_OK;
    writing_keep(g, written, &why);
    if (!written)
        g->record_path[0] = 0;
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

void hr__guard_write_record(struct hr_guard *g) {
    pthread_mutex_lock(&g->lock);
    page_make(g);
    pthread_mutex_unlock(&g->lock);
    hr_error why;
    const bool written = hr__record_write(g->record_fd, g->page, g->record_path, &why) == HR_OK;
    pthread_mutex_lock(&g->lock);
    writing_keep(g, written, &why);
    pthread_mutex_unlock(&g->lock);
}
