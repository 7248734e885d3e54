/*
 * Checking every byte of a file (docs/format.md): superblocks, job record, paddings, footer, index,
 * and every frame of every chunk. Goes on after damage, so that all of it is named. The file is
 * untrusted.
 *
 * Threads share one cursor over the chunks; reports and progress go through one lock.
 */
#include "verify.h"
#include "verify_run.h"

#include "bytes.h"
#include "checked.h"
#include "cpu.h"
#include "dataset_access.h"
#include "default_budget.h"
#include "error.h"
#include "hash.h"
#include "job_record.h"
#include "options.h"
#include "size_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 256u

void hr__verify_report(struct hr__verify_run *v, const char *what, const hr_error *err,
                       uint64_t off, uint64_t chunk, uint32_t field, uint64_t first_sample,
                       uint64_t num_samples) {
    hr_damage d = {what, err->message, off, chunk, field, first_sample, num_samples};
    pthread_mutex_lock(&v->lock);
    if (v->num_damaged++ == 0)
        v->first = *err;
    if (v->opts->on_damage != NULL)
        v->opts->on_damage(v->opts->user, &d);
    pthread_mutex_unlock(&v->lock);
}

static void report_place(struct hr__verify_run *v, const char *what, const hr_error *err,
                         uint64_t off) {
    hr__verify_report(v, what, err, off, UINT64_MAX, UINT32_MAX, 0, 0);
}

bool hr__verify_is_damage(hr_status st) {
    return st == HR_ERR_CORRUPT || st == HR_ERR_IO;
}

void hr__verify_fail(struct hr__verify_run *v, hr_status st, const hr_error *err) {
    pthread_mutex_lock(&v->lock);
    if (v->failure == HR_OK) {
        v->failure = st;
        v->failure_error = *err;
    }
    pthread_mutex_unlock(&v->lock);
}

bool hr__verify_advance(struct hr__verify_run *v, uint64_t n_bytes) {
    pthread_mutex_lock(&v->lock);
    v->done_bytes += n_bytes;
    if (v->failure == HR_OK && v->opts->on_progress != NULL &&
        v->opts->on_progress(v->opts->user, v->done_bytes, v->ds->parts[0].superblock.file_bytes) !=
            0)
        v->failure = hr__error_set(&v->failure_error, HR_ERR_CANCELLED, "stopped as asked");
    bool go_on = v->failure == HR_OK;
    pthread_mutex_unlock(&v->lock);
    return go_on;
}

/* ---- places outside the chunks ---- */

static void check_zero(struct hr__verify_run *v, const struct hr__file *f, const char *what,
                       uint64_t begin, uint64_t end) {
    uint8_t piece[4096];
    for (uint64_t at = begin; at < end;) {
        hr_error err = {0};
        size_t n = (size_t)hr__min_u64(sizeof(piece), end - at);
        hr_status st = hr__file_read_exact(f, piece, n, at, &err);
        if (st == HR_OK && !hr__is_zero(piece, n))
            st = hr__error_at(&err, HR_ERR_CORRUPT, at,
                              "bytes that must be zero are not, from offset %llu on",
                              (unsigned long long)at);
        if (st != HR_OK) {
            report_place(v, what, &err, at);
            return;
        }
        at += n;
    }
}

/* A valid slot of an older commit is what an append leaves that was cut short: no damage. */
static void check_slots(struct hr__verify_run *v, const struct hr__file *f) {
    for (int slot = 0; slot < 2; slot++) {
        uint8_t page[HR__PAGE_BYTES];
        struct hr__superblock sb;
        hr_error err = {0};
        uint64_t off = slot == 0 ? 0 : HR__SLOT1_OFF;
        hr_status st = hr__file_read_exact(f, page, sizeof(page), off, &err);
        if (st == HR_OK && !hr__superblock_slot_valid(page))
            st = hr__error_at(&err, HR_ERR_CORRUPT, off,
                              "damaged (its hash is wrong); the other one is used");
        if (st == HR_OK)
            st = hr__superblock_decode(page, &sb, &err);
        if (st != HR_OK)
            report_place(v, slot == 0 ? "superblock slot 0" : "superblock slot 1", &err, off);
    }
}

void hr__verify_pages_mark(struct hr__verify_run *v, uint64_t off, uint64_t n_bytes,
                           const char *what) {
    uint64_t first = off / HR__PAGE_BYTES, count = hr__ceil_div(n_bytes, HR__PAGE_BYTES);
    bool twice = false;
    for (uint64_t p = first; p < first + count; p++) {
        uint64_t bit = UINT64_C(1) << p % 64;
        twice |= (atomic_fetch_or(&v->pages[p / 64], bit) & bit) != 0;
    }
    if (!twice)
        return;
    hr_error err = {0};
    (void)hr__error_at(&err, HR_ERR_CORRUPT, off,
                       "it shares pages with something else (offset %llu, %llu bytes)",
                       (unsigned long long)off, (unsigned long long)n_bytes);
    report_place(v, what, &err, off);
}

static hr_status job_json_check(struct hr__verify_run *v, const struct hr__file *f,
                                const struct hr__job_record *job, hr_error *err) {
    hr_status st;
    struct hr__schema schema = {0};
    size_t n_bytes = (size_t)job->json_bytes;
    uint8_t *text = hr__budget_take(&v->budget, n_bytes, "the job record", &st, err);
    if (text == NULL)
        return st;
    HR_TRY(hr__file_read_exact(f, text, n_bytes, job->json_off, err));
    if (hr__hash(text, n_bytes) != job->json_hash)
        HR_TRY(hr__error_at(err, HR_ERR_CORRUPT, job->json_off, "the hash of its JSON is wrong"));
    HR_TRY(hr__schema_parse((const char *)text, n_bytes, job->samples_per_chunk, &schema, err));
    if (schema.layout_hash != job->layout_hash)
        st = hr__error_at(err, HR_ERR_CORRUPT, job->json_off,
                          "the layout hash of its fields is %016llx, expected %016llx",
                          (unsigned long long)schema.layout_hash,
                          (unsigned long long)job->layout_hash);
done:
    hr__schema_free(&schema);
    hr__budget_free(&v->budget, text, n_bytes);
    return st;
}

static hr_status job_belongs(const struct hr__verify_run *v, const struct hr__job_record *job,
                             hr_error *err) {
    const struct hr__footer *f = &v->ds->footer;
    if (memcmp(job->uuid, f->uuid, sizeof(job->uuid)) != 0 ||
        job->layout_hash != f->schema.layout_hash ||
        job->samples_per_chunk != f->schema.samples_per_chunk || job->commit_seq != 1)
        return hr__error_at(err, HR_ERR_CORRUPT, HR__JOB_OFF,
                            "it is not the record of this data set's first commit (its UUID, "
                            "layout, samples per chunk or commit number differ)");
    return HR_OK;
}

/* The record of the job that made the file, and the zeros around it. */
static void check_job(struct hr__verify_run *v, const struct hr__file *f) {
    uint8_t bytes[HR__JOB_HEADER_BYTES];
    struct hr__job_record job;
    uint64_t committed = v->ds->parts[0].superblock.file_bytes;
    hr_error err = {0};
    hr_status st = hr__file_read_exact(f, bytes, sizeof(bytes), HR__JOB_OFF, &err);
    if (st == HR_OK)
        st = hr__job_record_decode(bytes, HR__JOB_OFF, &job, &err);
    if (st == HR_OK)
        st = job_belongs(v, &job, &err);
    if (st == HR_OK && !hr__range_within(job.json_off, job.json_bytes, committed))
        st = hr__error_at(&err, HR_ERR_CORRUPT, HR__JOB_OFF,
                          "its JSON (%llu bytes at %llu) ends beyond what was committed (%llu)",
                          (unsigned long long)job.json_bytes, (unsigned long long)job.json_off,
                          (unsigned long long)committed);
    if (st == HR_OK)
        st = job_json_check(v, f, &job, &err);
    if (st != HR_OK && !hr__verify_is_damage(st)) {
        hr__verify_fail(v, st, &err);
        return;
    }
    if (st != HR_OK) {
        report_place(v, "job record", &err, HR__JOB_OFF);
        return;
    }
    uint64_t end = job.json_off + job.json_bytes;
    bool inside = job.json_off < HR__SLOT1_OFF;
    check_zero(v, f, "padding of the job record", inside ? end : HR__JOB_OFF + HR__JOB_HEADER_BYTES,
               HR__SLOT1_OFF);
    if (!inside) {
        check_zero(v, f, "padding of the job record", end, hr__round_up(end, HR__PAGE_BYTES));
        hr__verify_pages_mark(v, job.json_off, job.json_bytes, "job record");
    }
}

static void check_footer(struct hr__verify_run *v, const struct hr__file *f) {
    const struct hr__superblock *sb = &v->ds->parts[0].superblock;
    uint64_t end = sb->footer_off + sb->footer_bytes;
    check_zero(v, f, "padding of the footer", end, hr__round_up(end, HR__PAGE_BYTES));
    hr__verify_pages_mark(v, sb->footer_off, sb->footer_bytes, "footer");
}

static void check_index_page(struct hr__verify_run *v, const struct hr__file *f, uint64_t p,
                             uint8_t *page) {
    const struct hr__index_page_ref *ref = &v->ds->parts[0].index_pages[p];
    size_t n = hr__index_page_bytes(v->ds->footer.num_chunks, p);
    uint64_t entries =
        hr__min_u64(v->ds->footer.num_chunks - p * HR__INDEX_PAGE_ENTRIES, HR__INDEX_PAGE_ENTRIES);
    hr_error err = {0};
    hr_status st = hr__file_read_exact(f, page, n, ref->off, &err);
    if (st == HR_OK && hr__hash(page, n) != ref->hash)
        st = hr__error_at(&err, HR_ERR_CORRUPT, ref->off, "its hash is wrong");
    if (st == HR_OK && !hr__is_zero(page + entries * 8, n - (size_t)entries * 8))
        st = hr__error_at(&err, HR_ERR_CORRUPT, ref->off, "its padding is not zero");
    hr__verify_pages_mark(v, ref->off, n, "index page");
    if (st == HR_OK)
        return;
    char what[40];
    snprintf(what, sizeof(what), "index page %llu", (unsigned long long)p);
    report_place(v, what, &err, ref->off);
}

static void check_index(struct hr__verify_run *v, const struct hr__file *f) {
    hr_error err = {0};
    hr_status st;
    uint8_t *page = hr__budget_take(&v->budget, HR__INDEX_PAGE_BYTES, "an index page", &st, &err);
    if (page == NULL) {
        hr__verify_fail(v, st, &err);
        return;
    }
    for (uint64_t p = 0; p < v->ds->footer.num_index_pages; p++) {
        check_index_page(v, f, p, page);
        if (!hr__verify_advance(v, hr__index_page_bytes(v->ds->footer.num_chunks, p)))
            break;
    }
    hr__budget_free(&v->budget, page, HR__INDEX_PAGE_BYTES);
}

/* As many threads as asked for and as the budget has room for. */
static hr_status run_threads(struct hr__verify_run *v, hr_error *err) {
    uint64_t each = (uint64_t)4 * HR__MAX_FRAME_BYTES + ((uint64_t)1 << 18);
    if (v->ds->footer.schema.num_variable > 0)
        each += v->ds->footer.schema.samples_per_chunk * sizeof(uint64_t);
    uint64_t left = hr__budget_left(&v->budget);
    uint64_t wanted = v->opts->num_threads != 0 ? v->opts->num_threads : hr__cpu_count();
    uint32_t n =
        (uint32_t)hr__max_u64(1, hr__min_u64(hr__min_u64(wanted, left / each), MAX_THREADS));
    struct hr__thread *threads = calloc(n, sizeof(*threads));
    if (threads == NULL)
        return hr__error_no_memory(err, n * sizeof(*threads), "threads");
    hr_status st = HR_OK;
    for (uint32_t i = 1; i < n && st == HR_OK; i++)
        st = hr__thread_start(&threads[i], "hr-verify", hr__verify_chunks, v, NULL);
    hr__verify_chunks(v); /* threads that the system refused are done without */
    for (uint32_t i = 1; i < n; i++)
        hr__thread_join(&threads[i]);
    free(threads);
    return HR_OK;
}

/* What no footer refers to any more must be as many bytes as the footer says. Pages marked twice or
 * chunks that could not be read were reported already, and would only be counted wrongly. */
static void check_dead_bytes(struct hr__verify_run *v, size_t map_bytes) {
    const struct hr__superblock *sb = &v->ds->parts[0].superblock;
    uint64_t live_pages = 0;
    if (v->num_damaged > 0 || v->failure != HR_OK)
        return;
    for (size_t i = 0; i < map_bytes / 8; i++)
        live_pages += (uint64_t)__builtin_popcountll(atomic_load(&v->pages[i]));
    uint64_t dead = sb->file_bytes - HR__DATA_OFF - live_pages * HR__PAGE_BYTES;
    if (dead == v->ds->footer.dead_bytes)
        return;
    hr_error err = {0};
    (void)hr__error_at(&err, HR_ERR_CORRUPT, sb->footer_off,
                       "it says %llu dead bytes, there are %llu",
                       (unsigned long long)v->ds->footer.dead_bytes, (unsigned long long)dead);
    report_place(v, "footer", &err, sb->footer_off);
}

static hr_status summary(const struct hr__verify_run *v, const char *path, hr_error *err) {
    if (v->failure != HR_OK) {
        if (err != NULL)
            *err = v->failure_error;
        return v->failure;
    }
    if (v->num_damaged == 0)
        return HR_OK;
    return hr__error_set(err, HR_ERR_CORRUPT,
                         "%s: %llu damaged place%s (the first: %.200s); copy the file again, "
                         "convert anew, or save what is whole (headrace verify --salvage)",
                         path, (unsigned long long)v->num_damaged, v->num_damaged == 1 ? "" : "s",
                         v->first.message);
}

/* Nothing can be looked at where what leads to it is damaged: one damage, and all is lost. Here a
 * file without signatures is damaged: it was said to be a data set. */
static hr_status report_unopened(const char *path, const hr_verify_options *opts, hr_status st,
                                 hr_error *err) {
    const size_t n = strlen(path);
    const bool named =
        strncmp(err->message, path, n) == 0 && strncmp(err->message + n, ": ", 2) == 0;
    if (st == HR_ERR_NOT_DATASET)
        st = err->status = HR_ERR_CORRUPT;
    const hr_damage d = {"superblock or footer",
                         err->message + (named ? n + 2 : 0),
                         err->file_off,
                         UINT64_MAX,
                         UINT32_MAX,
                         0,
                         0};
    if (st == HR_ERR_CORRUPT && opts->on_damage != NULL)
        opts->on_damage(opts->user, &d);
    return st;
}

/* With one thread; index pages and the job record are gone before it begins. */
static hr_status check_budget(const hr_dataset *ds, size_t map_bytes, uint64_t budget,
                              hr_error *err) {
    const struct hr__schema *s = &ds->footer.schema;
    const uint64_t ends = s->num_variable > 0 ? hr__access_ends_bytes(ds) : 0;
    const uint64_t needed =
        atomic_load(&ds->budget.reserved_bytes) + map_bytes + HR__ACCESS_BYTES + ends;
    if (needed <= budget)
        return HR_OK;
    return hr__error_set(err, HR_ERR_BUDGET,
                         "%s: the budget of %s is too small: checking it needs %.1f MiB; give that "
                         "much",
                         hr__dataset_name(ds), hr__size_text(budget).text,
                         (double)needed / 1048576.0 + 0.05);
}

hr_status hr__verify_in(const struct hr__folder_ops *folder, const char *path,
                        const hr_verify_options *opts, hr_error *err) {
    hr_status st;
    hr_verify_options o = HR_VERIFY_OPTIONS_INIT;
    struct hr__verify_run v = {.opts = &o};
    hr_open_options open_options = HR_OPEN_OPTIONS_INIT;
    size_t map_bytes = 0;
    bool locked = false;
    hr_error local = {0};
    hr_error *e = err != NULL ? err : &local;
    if (path == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "hr_dataset_verify: path must not be NULL");
    if (opts != NULL)
        HR_TRY(hr__options_copy(opts, offsetof(hr_verify_options, budget_bytes), &o, sizeof(o),
                                "hr_verify_options", e));
    if (o.flags != 0 || o.reserved != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "hr_verify_options has unknown flags %#x or a reserved value",
                             o.flags);
    uint64_t budget = v.opts->budget_bytes != 0 ? v.opts->budget_bytes : hr_default_budget();
    open_options.budget_bytes = budget;
    st = hr__dataset_open_bare(folder, path, &open_options, &v.ds, e);
    if (st != HR_OK) {
        st = report_unopened(path, v.opts, st, e);
        goto done;
    }
    hr__budget_init(&v.budget, budget - atomic_load(&v.ds->budget.reserved_bytes));
    HR_TRY(hr__mutex_init(&v.lock, e));
    locked = true;
    map_bytes = (size_t)(v.ds->parts[0].superblock.file_bytes / HR__PAGE_BYTES / 64 + 1) * 8;
    HR_TRY(check_budget(v.ds, map_bytes, budget, e));
    v.pages = hr__budget_take(&v.budget, map_bytes, "a map of the file's pages", &st, e);
    if (v.pages == NULL)
        goto done;
    check_slots(&v, &v.ds->files[0]);
    check_job(&v, &v.ds->files[0]);
    check_zero(&v, &v.ds->files[0], "the room before the first chunk",
               HR__SLOT1_OFF + HR__PAGE_BYTES, HR__DATA_OFF);
    check_footer(&v, &v.ds->files[0]);
    check_index(&v, &v.ds->files[0]);
    if (hr__verify_advance(&v, HR__DATA_OFF + hr__round_up(v.ds->parts[0].superblock.footer_bytes,
                                                           HR__PAGE_BYTES)))
        HR_TRY(run_threads(&v, e));
    check_dead_bytes(&v, map_bytes);
    st = summary(&v, path, e);
done:
    if (v.ds != NULL)
        hr__budget_free(&v.budget, (void *)v.pages, map_bytes);
    if (locked)
        pthread_mutex_destroy(&v.lock);
    hr__budget_close(&v.budget);
    hr_dataset_close(v.ds);
    return st;
}

hr_status hr_dataset_verify(const char *path, const hr_verify_options *opts, hr_error *err) {
    return hr__verify_in(&hr__posix_folder, path, opts, err);
}
