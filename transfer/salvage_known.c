/*
 * What is known of a damaged file: by its footer, else by its job record, else by a footer that no
 * superblock leads to (docs/format.md, 3, 5, 7).
 * Every byte is untrusted.
 */
#include "checked.h"
#include "error.h"
#include "footer.h"
#include "hash.h"
#include "job_record.h"
#include "json_text.h"
#include "salvage_internal.h"
#include "superblock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRETCH_BYTES (UINT32_C(1) << 20)

static void keep_why(struct hr__salvage_known *k, const hr_error *why) {
    (void)snprintf(k->why_not, sizeof k->why_not, "%.255s", why->message);
}

static hr_status file_pages_end(const struct hr__file *f, uint64_t *out, hr_error *err) {
    const int64_t size = f->ops->size(f->ctx);
    if (size < 0)
        return hr__error_os(err, (int)-size, "%s: cannot tell its size", f->path);
    *out = (uint64_t)size / HR__PAGE_BYTES * HR__PAGE_BYTES;
    return HR_OK;
}

/* A schema's text, whose tree is there while it is parsed. */
static hr_status parse_schema(struct hr__salvage *s, const char *text, size_t n_bytes,
                              uint32_t samples_per_chunk, hr_error *err) {
    const uint64_t parse_bytes = hr__json_parse_bytes(text, n_bytes);
    hr_status st = hr__budget_reserve(&s->budget, parse_bytes, "the schema", err);
    if (st != HR_OK)
        return st;
    st = hr__schema_parse(text, n_bytes, samples_per_chunk, &s->known.schema, err);
    hr__budget_release(&s->budget, parse_bytes);
    return st;
}

/* ---- by the footer ---- */

static hr_status check_index(struct hr__salvage *s, hr_error *err) {
    struct hr__salvage_known *k = &s->known;
    hr_error why = {.status = HR_OK};
    hr_status st = HR_OK;
    uint8_t *page = hr__budget_take(&s->budget, HR__INDEX_PAGE_BYTES, "an index page", &st, err);
    if (page == NULL)
        return st;
    k->index_whole = true;
    for (uint64_t p = 0; p < k->ds->footer.num_index_pages && k->index_whole; p++) {
        st = hr__part_index_page_read(k->ds, 0, p, page, &why);
        k->index_whole = st == HR_OK;
    }
    hr__budget_free(&s->budget, page, HR__INDEX_PAGE_BYTES);
    if (st == HR_OK)
        return HR_OK;
    if (hr__salvage_is_damage(st)) {
        keep_why(k, &why);
        return HR_OK;
    }
    if (err != NULL)
        *err = why;
    return st;
}

static hr_status take_footer(struct hr__salvage *s, hr_error *err) {
    struct hr__salvage_known *k = &s->known;
    const struct hr__footer *f = &k->ds->footer;
    const struct hr__superblock *sb = &k->ds->parts[0].superblock;
    memcpy(k->uuid, f->uuid, sizeof k->uuid);
    k->max_commit_seq = f->commit_seq;
    k->features = sb->required;
    k->end_off = sb->file_bytes;
    const hr_status st =
        parse_schema(s, f->json, strlen(f->json), f->schema.samples_per_chunk, err);
    return st == HR_OK ? check_index(s, err) : st;
}

/* ---- by the job record ---- */

/* Of a file whose superblock is whole, chunks of its commits and within its end count; of one that
 * was never committed, or has lost both, all that are there. */
static hr_status take_superblock(struct hr__salvage_known *k, hr_error *err) {
    uint8_t slots[2][HR__PAGE_BYTES] = {{0}};
    struct hr__superblock sb;
    hr_error damage;
    int chosen = 0;
    hr_status st;
    k->max_commit_seq = UINT64_MAX;
    k->features = HR__FEATURE_ZSTD | HR__FEATURES_FILTERS | HR__FEATURE_VARLEN;
    HR_TRY(file_pages_end(&k->file, &k->end_off, err));
    (void)hr__file_read_exact(&k->file, slots[0], HR__PAGE_BYTES, 0, NULL);
    (void)hr__file_read_exact(&k->file, slots[1], HR__PAGE_BYTES, HR__SLOT1_OFF, NULL);
    st = hr__superblock_choose((const uint8_t *)slots[0], (const uint8_t *)slots[1], &chosen,
                               &damage);
    if (st == HR_OK)
        st = hr__superblock_decode(slots[chosen], &sb, &damage);
    if (st != HR_OK)
        return HR_OK;
    k->max_commit_seq = sb.commit_seq;
    k->features = sb.required;
    k->end_off = hr__min_u64(k->end_off, sb.file_bytes);
done:
    return st;
}

/* Where a schema's text lies, and what it must be. */
struct text_at {
    uint64_t off, n_bytes, layout_hash;
    uint32_t samples_per_chunk;
    const uint64_t *hash; /* NULL: not known */
};

static hr_status take_json(struct hr__salvage *s, const struct text_at *at, hr_error *err) {
    struct hr__salvage_known *k = &s->known;
    const size_t n_bytes = (size_t)at->n_bytes;
    hr_status st = HR_OK;
    char *text = hr__budget_take(&s->budget, n_bytes, "the schema", &st, err);
    if (text == NULL)
        return st;
    HR_TRY(hr__file_read_exact(&k->file, text, n_bytes, at->off, err));
    if (at->hash != NULL && hr__hash(text, n_bytes) != *at->hash)
        HR_TRY(hr__error_set(err, HR_ERR_CORRUPT, "the hash of its JSON is wrong"));
    HR_TRY(parse_schema(s, text, n_bytes, at->samples_per_chunk, err));
    if (k->schema.layout_hash != at->layout_hash) {
        hr__schema_free(&k->schema);
        st = hr__error_set(err, HR_ERR_CORRUPT, "its fields are not those of its layout hash");
    }
done:
    hr__budget_free(&s->budget, text, n_bytes);
    return st;
}

static hr_status take_job_record(struct hr__salvage *s, hr_error *err) {
    struct hr__salvage_known *k = &s->known;
    uint8_t header[HR__JOB_HEADER_BYTES];
    struct hr__job_record job;
    hr_status st;
    HR_TRY(hr__file_read_exact(&k->file, header, sizeof header, HR__JOB_OFF, err));
    HR_TRY(hr__job_record_decode(header, HR__JOB_OFF, &job, err));
    HR_TRY(take_json(s,
                     &(struct text_at){job.json_off, job.json_bytes, job.layout_hash,
                                       job.samples_per_chunk, &job.json_hash},
                     err));
    memcpy(k->uuid, job.uuid, sizeof k->uuid);
done:
    return st;
}

/* ---- by a footer that nothing leads to ---- */

/* Nothing says its hash: that the fields give the layout hash tells that it is whole. */
static hr_status take_lost_footer(struct hr__salvage *s, uint64_t off, const uint8_t *page,
                                  bool *taken, hr_error *err) {
    struct hr__salvage_known *k = &s->known;
    struct hr__footer_head head;
    hr_error why = {.status = HR_OK};
    *taken = false;
    if (!hr__footer_head_decode(page, &head))
        return HR_OK;
    const hr_status st =
        take_json(s,
                  &(struct text_at){off + HR__FOOTER_HEADER_BYTES, head.json_bytes,
                                    head.layout_hash, head.samples_per_chunk, NULL},
                  &why);
    if (st == HR_OK) {
        memcpy(k->uuid, head.uuid, sizeof k->uuid);
        k->max_commit_seq = head.commit_seq;
        *taken = true;
    }
    if (st == HR_ERR_NO_MEMORY || st == HR_ERR_BUDGET) {
        if (err != NULL)
            *err = why;
        return st;
    }
    return HR_OK;
}

/* The last one in the file is that of the last commit. */
static hr_status find_lost_footer(struct hr__salvage *s, bool *found, hr_error *err) {
    struct hr__salvage_known *k = &s->known;
    hr_status st = HR_OK;
    *found = false;
    uint8_t *bytes = hr__budget_take(&s->budget, STRETCH_BYTES, "looking for a footer", &st, err);
    if (bytes == NULL)
        return st;
    for (uint64_t end = k->end_off; end > HR__DATA_OFF && !*found && st == HR_OK;) {
        const uint64_t n = hr__min_u64(STRETCH_BYTES, end - HR__DATA_OFF);
        end -= n;
        st = hr__salvage_tell(s, 0, false, err);
        if (st != HR_OK)
            break;
        if (hr__file_read_exact(&k->file, bytes, (size_t)n, end, NULL) != HR_OK)
            continue;
        for (uint64_t at = n; at > 0 && !*found && st == HR_OK; at -= HR__PAGE_BYTES)
            st = take_lost_footer(s, end + at - HR__PAGE_BYTES, bytes + at - HR__PAGE_BYTES, found,
                                  err);
    }
    hr__budget_free(&s->budget, bytes, STRETCH_BYTES);
    return st;
}

static hr_status without_footer(struct hr__salvage *s, hr_error *err) {
    struct hr__salvage_known *k = &s->known;
    hr_error why = {.status = HR_OK, .message = ""};
    hr_status st = take_superblock(k, err);
    if (st != HR_OK)
        return st;
    st = take_job_record(s, &why);
    if (st == HR_OK || !hr__salvage_is_damage(st)) {
        if (st != HR_OK && err != NULL)
            *err = why;
        return st;
    }
    bool found = false;
    st = find_lost_footer(s, &found, err);
    if (st != HR_OK || found)
        return st;
    /* Without what they advise. */
    const int why_not = (int)strcspn(k->why_not, ";"), why_neither = (int)strcspn(why.message, ";");
    return hr__error_set(err, HR_ERR_CORRUPT,
                         "%s cannot be salvaged: what its fields are stands in the footer and in "
                         "the job record, and neither is whole (%.*s; %.*s)",
                         k->file.path, why_not, k->why_not, why_neither, why.message);
}

hr_status hr__salvage_known_find(struct hr__salvage *s, hr_error *err) {
    struct hr__salvage_known *k = &s->known;
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    hr_error why = {.status = HR_OK};
    o.budget_bytes = s->budget.limit_bytes / 2;
    const int rc = s->folder->open(s->folder->ctx, s->opts.path, O_RDONLY, &k->file);
    if (rc < 0)
        return hr__error_os(err, -rc, "cannot open %s", s->opts.path);
    hr_status st = hr__dataset_open_bare(s->folder, s->opts.path, &o, &k->ds, &why);
    if (st == HR_OK)
        return take_footer(s, err);
    keep_why(k, &why);
    if (hr__salvage_is_damage(st) || st == HR_ERR_NOT_DATASET)
        return without_footer(s, err);
    if (err != NULL)
        *err = why;
    return st;
}

void hr__salvage_known_free(struct hr__salvage_known *k) {
    hr__schema_free(&k->schema);
    hr_dataset_close(k->ds);
    hr__file_close(&k->file);
}
