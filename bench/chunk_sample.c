/*
 * Loading a sample of chunks (docs/format.md, 6). The file is untrusted: headers are checked here,
 * frames by whoever decodes them.
 */
#include "chunk_sample.h"

#include "error.h"

#include <stdlib.h>

/* Every stride-th chunk, so that the sample holds about max_bytes. */
static uint64_t stride_for(const hr_dataset *ds, uint64_t max_bytes) {
    uint64_t num_chunks = ds->footer.num_chunks;
    uint64_t mean_bytes = num_chunks > 0 ? ds->superblock.file_bytes / num_chunks + 1 : 1;
    uint64_t wanted = max_bytes / mean_bytes;
    if (wanted == 0)
        wanted = 1;
    return num_chunks > wanted ? (num_chunks + wanted - 1) / wanted : 1;
}

static hr_status frame_add(struct chunk_sample *s, const struct sample_frame *frame,
                           hr_error *err) {
    if (s->num_frames == s->frame_room) {
        size_t room = s->frame_room > 0 ? s->frame_room * 2 : 4096;
        struct sample_frame *more = realloc(s->frames, room * sizeof(*more));
        if (more == NULL)
            return hr__error_no_memory(err, room * sizeof(*more), "the table of frames");
        s->frames = more;
        s->frame_room = room;
    }
    s->frames[s->num_frames++] = *frame;
    s->stored_bytes += frame->frame.stored_bytes;
    s->decoded_bytes += frame->frame.decoded_bytes;
    return HR_OK;
}

static hr_status frames_add(struct chunk_sample *s, const struct hr__chunk_view *view,
                            uint32_t field, hr_error *err) {
    hr_status st = HR_OK;
    uint32_t first, count;
    uint64_t off;
    hr__chunk_view_block(view, &s->ds->footer.schema, field, &first, &count, &off);
    for (uint32_t i = 0; i < count && st == HR_OK; i++) {
        struct sample_frame f = {.field = field};
        hr__chunk_view_frame(view, first + i, off, &f.frame);
        f.stored = view->bytes + off;
        off += f.frame.stored_bytes;
        st = frame_add(s, &f, err);
    }
    return st;
}

static hr_status chunk_add(struct chunk_sample *s, uint64_t chunk, struct hr__index_entry entry,
                           uint32_t only, uint8_t *at, hr_error *err) {
    hr_status st;
    struct hr__chunk_view view;
    size_t n_bytes = (size_t)entry.pages * HR__PAGE_BYTES;
    HR_TRY(hr__file_read_exact(&s->ds->file, at, n_bytes, entry.page * HR__PAGE_BYTES, err));
    struct hr__chunk_expected expected = hr__dataset_expect(s->ds, chunk, entry);
    HR_TRY(hr__chunk_header_decode(at, n_bytes, &expected, &view, err));
    for (uint32_t i = 0; i < s->ds->footer.schema.num_fields; i++)
        if (only == UINT32_MAX || only == i)
            HR_TRY(frames_add(s, &view, i, err));
    s->first_frame[++s->num_chunks] = s->num_frames;
done:
    return st;
}

static hr_status chunks_add(struct chunk_sample *s, uint32_t only, uint64_t max_bytes,
                            hr_error *err) {
    hr_status st = HR_OK;
    struct hr__index_cache cache = {0};
    uint64_t num_chunks = s->ds->footer.num_chunks, stride = stride_for(s->ds, max_bytes);
    uint64_t room = 0, used = 0;
    for (uint64_t c = 0; c < num_chunks; c += stride) {
        struct hr__index_entry entry;
        HR_TRY(hr__dataset_locate(s->ds, c, &cache, &entry, err));
        room += (uint64_t)entry.pages * HR__PAGE_BYTES;
    }
    s->bytes = malloc((size_t)room);
    s->first_frame = calloc((size_t)(num_chunks / stride) + 2, sizeof(*s->first_frame));
    if (s->bytes == NULL || s->first_frame == NULL) {
        st = hr__error_no_memory(err, (size_t)room, "a sample of chunks");
        goto done;
    }
    for (uint64_t c = 0; c < num_chunks; c += stride) {
        struct hr__index_entry entry;
        HR_TRY(hr__dataset_locate(s->ds, c, &cache, &entry, err));
        HR_TRY(chunk_add(s, c, entry, only, s->bytes + used, err));
        used += (uint64_t)entry.pages * HR__PAGE_BYTES;
    }
done:
    hr__index_cache_free(&cache);
    return st;
}

hr_status chunk_sample_load(const char *path, const char *only, uint64_t max_bytes,
                            struct chunk_sample *out, hr_error *err) {
    hr_status st;
    uint32_t field = UINT32_MAX;
    *out = (struct chunk_sample){0};
    HR_TRY(hr_dataset_open(path, NULL, &out->ds, err));
    if (only != NULL)
        HR_TRY(hr_dataset_find_field(out->ds, only, &field, err));
    HR_TRY(chunks_add(out, field, max_bytes, err));
    if (out->num_frames == 0)
        st = hr__error_set(err, HR_ERR_INVALID, "%s holds no bytes to decode", path);
done:
    if (st != HR_OK)
        chunk_sample_free(out);
    return st;
}

void chunk_sample_free(struct chunk_sample *s) {
    hr_dataset_close(s->ds);
    free(s->bytes);
    free(s->frames);
    free(s->first_frame);
    *s = (struct chunk_sample){0};
}
