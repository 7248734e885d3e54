/*
 * Why a process died: its record against what the kernel has counted since. Only a count that went
 * up is proof, and only where use was at the limit: other processes of the group can be ended, too.
 */
#define _GNU_SOURCE
#include "death.h"

#include "cgroup.h"
#include "checked.h"
#include "error.h"
#include "guard.h"
#include "options.h"
#include "proc_file.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NEAR_SHARE   0.8  /* of the limit, in use at the last look: with a count that went up */
#define LIKELY_SHARE 0.9  /* where there is no count */
#define PEAK_SHARE   0.99 /* of the limit, once used: it was reached */

/* A folder below /sys/fs/cgroup: records are not trusted. */
static bool is_group_folder(const char *folder) {
    static const char below[] = "/sys/fs/cgroup";
    return strncmp(folder, below, sizeof(below) - 1) == 0 && strstr(folder, "..") == NULL;
}

/* Of the same group, if it is still there. */
static uint64_t oom_kills_now(const char *root, const struct hr__record *r) {
    char path[PATH_MAX], text[HR__PROC_TEXT_BYTES];
    struct stat st;
    if (!is_group_folder(r->group_folder) ||
        snprintf(path, sizeof(path), "%s%s", root, r->group_folder) >= (int)sizeof(path) ||
        stat(path, &st) != 0 || st.st_ino != r->group_inode)
        return UINT64_MAX;
    hr__proc_text(root, r->group_folder, hr__cgroup_events_name(r->group_v1 != 0), text);
    return hr__text_value(text, "oom_kill");
}

/* The limit was reached after the last look, and never before. */
static bool has_peaked(const char *root, const struct hr__record *r) {
    const bool v1 = r->limit_kind == HR_MEMORY_LIMIT_CGROUP_V1;
    const double limit = PEAK_SHARE * (double)r->limit_bytes;
    if ((!v1 && r->limit_kind != HR_MEMORY_LIMIT_CGROUP_V2) || !is_group_folder(r->limit_name) ||
        r->limit_peak_bytes == UINT64_MAX || (double)r->limit_peak_bytes >= limit)
        return false;
    const uint64_t peak = hr__proc_number(root, r->limit_name, hr__cgroup_peak_name(v1));
    return peak != UINT64_MAX && (double)peak >= limit;
}

static double used_share(const struct hr__record *r) {
    if (r->limit_kind == HR_MEMORY_LIMIT_NONE || r->limit_bytes == 0 ||
        r->used_bytes == UINT64_MAX || r->used_bytes < r->reclaimable_bytes)
        return 0;
    return (double)(r->used_bytes - r->reclaimable_bytes) / (double)r->limit_bytes;
}

static hr_death verdict_of(const char *root, const struct hr__record *r,
                           const struct hr__process_id *self, uint64_t kills_now) {
    if (strcmp(r->id.boot_id, self->boot_id) != 0)
        return HR_DEATH_RESTARTED;
    const bool is_known = kills_now != UINT64_MAX && r->oom_kills != UINT64_MAX;
    if (is_known && kills_now > r->oom_kills)
        return used_share(r) >= NEAR_SHARE || has_peaked(root, r) ? HR_DEATH_KILLED
                                                                  : HR_DEATH_LIKELY;
    return !is_known && used_share(r) >= LIKELY_SHARE ? HR_DEATH_LIKELY : HR_DEATH_NO_SIGN;
}

static int64_t time_of(uint64_t ns) {
    return ns <= INT64_MAX ? (int64_t)ns : INT64_MAX;
}

static void fill_growth(const struct hr__record *r, hr_death_report *out) {
    struct hr__growth growth;
    out->growth_since_epoch = UINT64_MAX;
    if (!hr__epochs_growth(&r->epochs, &growth))
        return;
    out->growth_since_epoch = growth.first_epoch;
    out->growth_bytes_per_epoch =
        growth.bytes_per_epoch < 9e18 ? (int64_t)growth.bytes_per_epoch : INT64_MAX;
}

void hr__death_fill(const struct hr__record *r, hr_death_report *out) {
    fill_growth(r, out);
    out->limit_kind = r->limit_kind <= HR_MEMORY_LIMIT_MACHINE ? (hr_memory_limit_kind)r->limit_kind
                                                               : HR_MEMORY_LIMIT_NONE;
    out->pid = time_of(r->id.pid);
    out->opened_unix_ns = time_of(r->opened_unix_ns);
    out->last_seen_unix_ns = time_of(r->written_unix_ns);
    out->limit_bytes = r->limit_bytes;
    out->used_bytes = r->used_bytes;
    out->reclaimable_bytes = r->reclaimable_bytes;
    out->headroom_bytes = r->headroom_bytes;
    out->resident_bytes = r->resident_bytes;
    out->opened_resident_bytes = r->opened_resident_bytes;
    out->peak_resident_bytes = r->peak_resident_bytes;
    out->headrace_bytes = r->headrace_bytes;
    out->oom_kills_opened = r->oom_kills_opened;
    out->oom_kills_last = r->oom_kills;
    out->epoch = r->epoch;
    out->step = r->step;
    out->batches_delivered = r->batches_delivered;
    out->nan_epoch = r->nan_epoch;
    out->nan_batch = r->nan_batch;
    out->rank = (uint32_t)hr__min_u64(r->rank, UINT32_MAX);
    out->world_size = (uint32_t)hr__min_u64(r->world_size, UINT32_MAX);
    memcpy(out->host, r->host, sizeof(out->host));
    memcpy(out->command, r->command, sizeof(out->command));
    memcpy(out->limit_name, r->limit_name, sizeof(out->limit_name));
}

static void fill_path(const char *folder, const char *name, hr_death_report *out) {
    char path[PATH_MAX + HR__RECORD_NAME_BYTES];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    hr__copy_end(out->record_path, sizeof(out->record_path), path);
}

static hr_status folder_find(const char *asked, char folder[PATH_MAX], hr_error *err) {
    const size_t n = asked != NULL ? strlen(asked) : hr_default_record_folder(folder, PATH_MAX);
    if (n == 0 || n >= PATH_MAX)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the folder of records has a name of %zu bytes, expected 1 to %d", n,
                             PATH_MAX - 1);
    if (asked != NULL)
        memcpy(folder, asked, n + 1);
    return HR_OK;
}

static hr_status check(uint32_t flags, const hr_death_report *out, hr_error *err) {
    if ((flags & ~HR_WHY_MARK_TOLD) != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_why_died: flags is 0x%x, known is 0x%x; leave the others zero",
                             flags, HR_WHY_MARK_TOLD);
    return hr__result_check(out, offsetof(hr_death_report, pid), sizeof(*out), "hr_death_report",
                            err);
}

hr_status hr__why_died(const char *root, const char *folder, uint32_t flags, hr_death_report *out,
                       hr_error *err) {
    char path[PATH_MAX];
    struct hr__found_record found;
    struct hr__process_id self;
    hr_death_report report = {.struct_bytes = sizeof(report)};
    hr_status st = check(flags, out, err);
    if (st == HR_OK)
        st = folder_find(folder, path, err);
    if (st != HR_OK)
        return st;
    hr__process_id_own(&self);
    st = hr__record_newest(path, &self, &found, err);
    if (st != HR_OK)
        return st;
    hr__death_fill(&found.record, &report);
    report.told = found.told;
    report.oom_kills_now = oom_kills_now(root, &found.record);
    report.verdict = verdict_of(root, &found.record, &self, report.oom_kills_now);
    hr__death_sentence(&found.record, &report);
    if ((flags & HR_WHY_MARK_TOLD) != 0 && !found.told)
        (void)hr__record_mark_told(path, found.name);
    fill_path(path, found.name, &report);
    hr__result_copy(out, &report, sizeof(report));
    return HR_OK;
}

hr_status hr_why_died(const char *folder, uint32_t flags, hr_death_report *out, hr_error *err) {
    return hr__why_died("", folder, flags, out, err);
}

const char *hr_death_name(hr_death verdict) {
    static const char *const names[] = {"no sign", "likely", "killed", "restarted"};
    const size_t i = (size_t)verdict;
    return names[i < sizeof(names) / sizeof(names[0]) ? i : 0];
}

size_t hr_default_record_folder(char *out, size_t capacity_bytes) {
    const char *folder = secure_getenv("HEADRACE_STATE_DIR");
    if (folder == NULL || folder[0] == 0)
        folder = "./.headrace";
    if (capacity_bytes > 0)
        snprintf(out, capacity_bytes, "%s", folder);
    return strlen(folder);
}
