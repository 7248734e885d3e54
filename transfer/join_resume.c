/*
 * Going on with an interrupted join (docs/format.md, 5): the chunks of this job that are whole are
 * kept, all from the first to the last before one that is not. The partial file is untrusted.
 */
#include "error.h"
#include "join_internal.h"
#include "resume.h"
#include "superblock.h"

#include <string.h>

/* Chunk number `chunk`, as it must lie at the end of what is kept. */
static struct hr__chunk_from kept_chunk(const struct hr__join *j, uint64_t chunk,
                                        const struct hr__chunk_at *at) {
    struct hr__chunk_from from = hr__chunk_from(j->from, chunk, at);
    from.file = &j->to.partial.file;
    from.off = j->to.sink.end_off;
    from.expected.uuid = j->to.job.identity.uuid;
    from.expected.max_commit_seq = j->to.job.identity.commit_seq;
    from.expected.chunk_number = chunk;
    return from;
}

/* *whole false: it is not there, torn, or of another job. */
static hr_status check_chunk(const struct hr__join *j, struct hr__chunk_stream *s,
                             const struct hr__chunk_from *from, bool *whole, hr_error *err) {
    const struct hr__chunk_identity *id = &j->to.job.identity;
    bool writing;
    const hr_status st = hr__chunk_stream_run(s, from, NULL, NULL, &writing, err);
    *whole = st == HR_OK && memcmp(s->view.header.job_id, id->job_id, sizeof id->job_id) == 0;
    return st == HR_ERR_CORRUPT || st == HR_ERR_UNSUPPORTED ? HR_OK : st;
}

static hr_status keep_chunks(struct hr__join *j, struct hr__chunk_stream *s,
                             struct hr__index_cache *index, hr_error *err) {
    const hr_dataset *ds = j->from;
    hr_status st = HR_OK;
    while (j->to.sink.num_chunks < ds->footer.num_chunks) {
        const uint64_t chunk = j->to.sink.num_chunks;
        struct hr__chunk_at at;
        bool whole;
        uint64_t off;
        HR_TRY(hr__dataset_locate(ds, chunk, index, &at, err));
        const struct hr__chunk_from from = kept_chunk(j, chunk, &at);
        HR_TRY(check_chunk(j, s, &from, &whole, err));
        if (!whole)
            break;
        HR_TRY(
            hr__new_file_add(&j->to, at.entry.pages, from.expected.num_samples, NULL, &off, err));
        HR_TRY(hr__join_tell(j, j->to.sink.end_off - j->to.job.first_chunk_off, false, err));
    }
done:
    return st;
}

hr_status hr__join_resume(struct hr__join *j, bool *resumed, hr_error *err) {
    struct hr__chunk_stream s = {0};
    struct hr__index_cache index = {0};
    enum hr__job_found found;
    hr_status st;
    *resumed = false;
    HR_TRY(hr__job_adopt(&j->to.job, j->to.schema, &j->to.partial.file, &found, err));
    if (found == HR__JOB_NONE)
        return HR_OK;
    j->to.sink.end_off = j->to.job.first_chunk_off;
    HR_TRY(hr__chunk_stream_init(&s, &j->budget, err));
    HR_TRY(hr__superblocks_clear(&j->to.partial.file, err));
    HR_TRY(keep_chunks(j, &s, &index, err));
    j->resumed_samples = j->to.sink.num_samples;
    *resumed = true;
done:
    hr__index_cache_free(&index);
    hr__chunk_stream_free(&s);
    return st;
}
