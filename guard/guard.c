/*
 * A guard from open to close, and what its owner asks of it.
 */
#define _GNU_SOURCE
#include "guard.h"

#include "clock.h"
#include "error.h"
#include "options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_INTERVAL_NS (INT64_C(100) * 1000000)
#define LONGEST_NS          INT64_C(1000000000)

static hr_status options_resolve(const hr_guard_options *opts, hr_guard_options *out,
                                 hr_error *err) {
    hr_guard_options defaults = HR_GUARD_OPTIONS_INIT;
    *out = defaults;
    hr_status st = opts == NULL ? HR_OK
                                : hr__options_copy(opts, offsetof(hr_guard_options, limit_bytes),
                                                   out, sizeof(*out), "hr_guard_options", err);
    if (st != HR_OK)
        return st;
    if ((out->flags & ~HR_GUARD_HARD) != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_guard_options.flags is 0x%x, known is 0x%x; leave the others zero",
                             out->flags, HR_GUARD_HARD);
    if (out->interval_ns < 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_guard_options.interval_ns is %lld, expected 0 or more; 0 is the "
                             "default of 100 ms",
                             (long long)out->interval_ns);
    if (out->hard_bytes != 0 && (out->flags & HR_GUARD_HARD) == 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_guard_options.hard_bytes is given without HR_GUARD_HARD; set that "
                             "flag, or leave it 0");
    if (out->interval_ns == 0)
        out->interval_ns = DEFAULT_INTERVAL_NS;
    return HR_OK;
}

static hr_status folder_take(struct hr_guard *g, hr_error *err) {
    const char *folder = g->options.record_folder;
    g->options.record_folder = NULL; /* the caller's */
    if (folder == NULL)
        return HR_OK;
    if (folder[0] == 0 || strlen(folder) >= sizeof(g->folder))
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_guard_options.record_folder has %zu bytes, expected 1 to %zu; "
                             "NULL keeps no record",
                             strlen(folder), sizeof(g->folder) - 1);
    strcpy(g->folder, folder);
    return HR_OK;
}

/* When the thread runs: its stack is memory that the limit counts. */
static hr_status hard_begin(struct hr_guard *g, hr_error *err) {
    struct hr__memory_use use;
    if ((g->options.flags & HR_GUARD_HARD) == 0)
        return HR_OK;
    pthread_mutex_lock(&g->lock);
    hr__memory_use_read(g->root, &use);
    hr_status st = hr__hard_limit_set(&use, g->options.hard_bytes, &g->hard, g->hard_note,
                                      sizeof(g->hard_note), err);
    pthread_mutex_unlock(&g->lock);
    return st;
}

hr_status hr__guard_open(const hr_guard_options *opts, const struct hr__guard_setup *setup,
                         hr_guard **out, hr_error *err) {
    hr_guard_options options;
    *out = NULL;
    hr_status st = options_resolve(opts, &options, err);
    if (st != HR_OK)
        return st;
    struct hr_guard *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return hr__error_no_memory(err, sizeof(*g), "a guard");
    g->options = options;
    g->pid = getpid();
    g->record_fd = g->seen_fd = -1;
    g->epoch = g->step = UINT64_MAX;
    snprintf(g->root, sizeof(g->root), "%s", setup->root != NULL ? setup->root : "");
    g->longest_ns = setup->longest_ns != 0 ? setup->longest_ns : LONGEST_NS;
    HR_TRY(folder_take(g, err));
    HR_TRY(hr__mutex_init(&g->lock, err));
    g->lock_made = true;
    HR_TRY(hr__cond_init(&g->stop, err));
    g->stop_made = true;
    hr__memory_use_read(g->root, &g->opened);
    g->now = g->opened;
    hr__guard_begin_record(g);
    HR_TRY(hr__thread_start(&g->thread, "hr-guard", hr__guard_run, g, err));
    HR_TRY(hard_begin(g, err));
    *out = g;
    g = NULL; /* the caller's */
done:
    hr_guard_close(g);
    return st;
}

hr_status hr_guard_open(const hr_guard_options *opts, hr_guard **out, hr_error *err) {
    const struct hr__guard_setup setup = {.root = NULL};
    return hr__guard_open(opts, &setup, out, err);
}

void hr_guard_close(hr_guard *g) {
    if (g == NULL || g->pid != getpid())
        return;
    if (g->thread.started) {
        pthread_mutex_lock(&g->lock);
        g->stopping = true;
        pthread_cond_signal(&g->stop);
        pthread_mutex_unlock(&g->lock);
        hr__thread_join(&g->thread);
    }
    hr__hard_limit_put_back(&g->hard);
    hr__guard_end_record(g);
    if (g->stop_made)
        pthread_cond_destroy(&g->stop);
    if (g->lock_made)
        pthread_mutex_destroy(&g->lock);
    free(g);
}

static hr_status check_fork(const struct hr_guard *g, hr_error *err) {
    if (g->pid == getpid())
        return HR_OK;
    return hr__error_set(err, HR_ERR_FORKED,
                         "the guard was opened before fork(); open one in the child");
}

static int64_t growth(uint64_t now, uint64_t before) {
    return now == UINT64_MAX || before == UINT64_MAX ? 0 : (int64_t)(now - before);
}

static void fill_limit(const struct hr_guard *g, hr_guard_info *out) {
    const struct hr__limit_use *limit = hr__least_headroom(&g->now, !g->hard.set);
    const struct hr__limit_use *before = hr__least_headroom(&g->opened, !g->hard.set);
    out->limit_kind = limit->kind;
    out->limit_bytes = limit->limit_bytes;
    out->used_bytes = limit->used_bytes;
    out->reclaimable_bytes = limit->reclaimable_bytes;
    out->headroom_bytes = limit->headroom_bytes;
    memcpy(out->limit_name, limit->name, sizeof(out->limit_name));
    if (limit->kind != HR_MEMORY_LIMIT_NONE && before->kind == limit->kind &&
        strcmp(before->name, limit->name) == 0)
        out->used_growth_bytes = growth(hr__limit_needed(limit), hr__limit_needed(before));
}

static void fill_low(const struct hr_guard *g, int64_t now_ns, hr_guard_info *out) {
    out->level_bytes = g->level_bytes;
    out->num_low = g->num_low;
    out->low_now = g->is_low;
    if (g->num_low == 0)
        return;
    out->low_resident_bytes = g->low.resident_bytes;
    out->low_used_bytes = g->low.needed_bytes;
    out->low_limit_bytes = g->low.limit_bytes;
    out->low_headrace_bytes = g->low.headrace_bytes;
    out->low_ns = now_ns - g->low.at_ns;
}

hr_status hr_guard_state(hr_guard *g, hr_guard_info *out, hr_error *err) {
    hr_guard_info info = {.struct_bytes = sizeof(info)};
    hr_status st = hr__result_check(out, offsetof(hr_guard_info, num_looks), sizeof(*out),
                                    "hr_guard_info", err);
    if (st == HR_OK)
        st = check_fork(g, err);
    if (st != HR_OK)
        return st;
    pthread_mutex_lock(&g->lock);
    const int64_t now_ns = hr__now_ns();
    info.num_looks = g->num_looks;
    info.last_look_ns = g->num_looks > 0 ? now_ns - g->looked_ns : 0;
    info.resident_bytes = g->now.resident_bytes;
    info.anonymous_bytes = g->now.anonymous_bytes;
    info.headrace_bytes = hr_memory_in_use();
    info.oom_kills = g->now.oom_kills;
    info.resident_growth_bytes = growth(g->now.resident_bytes, g->opened.resident_bytes);
    info.hard_rlimit_bytes = g->hard.set ? g->hard.now_bytes : 0;
    info.record_kept = g->writing;
    info.num_records_written = g->num_written;
    fill_limit(g, &info);
    fill_low(g, now_ns, &info);
    snprintf(info.note, sizeof(info.note), "%s%s%s", g->hard_note,
             g->hard_note[0] != 0 && g->record_note[0] != 0 ? "; " : "", g->record_note);
    if (g->record_path[0] != 0)
        hr__copy_end(info.record_path, sizeof(info.record_path), g->record_path);
    pthread_mutex_unlock(&g->lock);
    hr__result_copy(out, &info, sizeof(info));
    return HR_OK;
}

static struct hr__watched *watched_find(struct hr_guard *g, const hr_loader *loader) {
    for (size_t i = 0; i < HR_GUARD_MAX_LOADERS; i++)
        if (g->watched[i].loader == loader)
            return &g->watched[i];
    return NULL;
}

hr_status hr_guard_watch(hr_guard *g, hr_loader *loader, hr_error *err) {
    hr_status st = check_fork(g, err);
    if (st != HR_OK)
        return st;
    if (loader == NULL)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_guard_watch: the loader is NULL; give one that is open");
    pthread_mutex_lock(&g->lock);
    struct hr__watched *place = watched_find(g, loader);
    if (place == NULL && (place = watched_find(g, NULL)) != NULL)
        *place = (struct hr__watched){.loader = loader};
    pthread_mutex_unlock(&g->lock);
    if (place != NULL)
        return HR_OK;
    return hr__error_set(err, HR_ERR_INVALID,
                         "the guard watches %d loaders already, as many as it can; unwatch one",
                         HR_GUARD_MAX_LOADERS);
}

void hr_guard_unwatch(hr_guard *g, hr_loader *loader) {
    if (g == NULL || loader == NULL || g->pid != getpid())
        return;
    pthread_mutex_lock(&g->lock);
    struct hr__watched *place = watched_find(g, loader);
    if (place != NULL) {
        hr__guard_note_progress(g);
        g->delivered_before += place->batches_delivered;
        *place = (struct hr__watched){.loader = NULL};
    }
    pthread_mutex_unlock(&g->lock);
}

void hr_guard_step(hr_guard *g, uint64_t epoch, uint64_t step) {
    if (g == NULL)
        return;
    atomic_store_explicit(&g->step, step, memory_order_relaxed);
    atomic_store_explicit(&g->epoch, epoch, memory_order_relaxed);
}
