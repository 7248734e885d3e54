/*
 * The reader of hrd_reader_util.h (docs/format.md, 8).
 */
#include "hrd_reader_util.h"

#include "bytes.h"
#include "chunk_header.h"
#include "error.h"
#include "frame_codec.h"
#include "frame_filter.h"
#include "hash.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static hr_status load_superblock(const struct hr__file *f, struct hrd_image *im, hr_error *err) {
    uint8_t slots[2][HR__PAGE_BYTES];
    int slot = 0;
    hr_status st;
    HR_TRY(hr__file_read_exact(f, slots[0], HR__PAGE_BYTES, 0, err));
    HR_TRY(hr__file_read_exact(f, slots[1], HR__PAGE_BYTES, HR__SLOT1_OFF, err));
    HR_TRY(hr__superblock_choose(slots[0], slots[1], &slot, err));
    HR_TRY(hr__superblock_decode(slots[slot], &im->superblock, err));
    if (f->ops->size(f->ctx) < (int64_t)im->superblock.file_bytes)
        st = hr__error_set(err, HR_ERR_CORRUPT, "the file is shorter than its superblock says");
done:
    return st;
}

static hr_status load_footer(const struct hr__file *f, struct hrd_image *im, hr_error *err) {
    const struct hr__superblock *sb = &im->superblock;
    uint8_t *bytes = malloc(sb->footer_bytes);
    hr_status st = hr__file_read_exact(f, bytes, sb->footer_bytes, sb->footer_off, err);
    if (st == HR_OK)
        st = hr__footer_decode(bytes, sb->footer_bytes, sb, &im->footer, err);
    free(bytes);
    return st;
}

static hr_status decode_frame(struct hr__frame_decoder *d, struct hrd_image *im,
                              const struct hr__frame *frame, const uint8_t *stored, uint8_t *dst,
                              hr_error *err) {
    uint8_t *plain = malloc(frame->decoded_bytes);
    hr_status st = hr__frame_decode(d, frame, stored, im->superblock.required, plain, err);
    if (st == HR_OK && hr__filter_is_in_place(frame->filter)) {
        memcpy(dst, plain, frame->decoded_bytes);
        hr__filter_undo(frame, dst, dst);
    } else if (st == HR_OK) {
        hr__filter_undo(frame, plain, dst);
    }
    free(plain);
    im->num_raw_frames += frame->codec == 0;
    im->num_zstd_frames += frame->codec == 1;
    im->num_shuffled_frames += frame->filter == 1;
    im->payload_hash = im->payload_hash * 31 + hr__hash(stored, frame->stored_bytes);
    return st;
}

static hr_status decode_chunk(struct hr__frame_decoder *d, struct hrd_image *im,
                              const uint8_t *bytes, uint64_t n_bytes, uint64_t chunk,
                              hr_error *err) {
    const struct hr__schema *s = &im->footer.schema;
    uint64_t first_sample = 0;
    uint32_t num_samples = 0;
    hr__segment_chunk(im->footer.segments, im->footer.num_segments, s->samples_per_chunk, chunk,
                      &first_sample, &num_samples);
    const struct hr__chunk_expected expected = {.schema = s,
                                                .uuid = im->superblock.uuid,
                                                .max_commit_seq = im->superblock.commit_seq,
                                                .chunk_number = chunk,
                                                .chunk_pages = (uint32_t)(n_bytes / HR__PAGE_BYTES),
                                                .num_samples = num_samples};
    struct hr__chunk_view view;
    hr_status st = hr__chunk_header_decode(bytes, (size_t)n_bytes, &expected, &view, err);
    for (uint32_t b = 0; b < s->num_fields && st == HR_OK; b++) {
        const uint32_t field = s->block_order[b];
        uint8_t *dst = im->columns[field] + first_sample * s->fields[field].sample_bytes;
        uint32_t first = 0, n = 0;
        uint64_t off = 0;
        hr__chunk_view_block(&view, field, &first, &n, &off);
        for (uint32_t f = first; f < first + n && st == HR_OK; f++) {
            struct hr__frame frame;
            hr__chunk_view_frame(&view, f, off, &frame);
            st = decode_frame(d, im, &frame, bytes + off, dst, err);
            dst += frame.decoded_bytes;
            off += frame.stored_bytes;
        }
    }
    if (st == HR_OK &&
        !hr__is_zero(bytes + view.header.chunk_bytes, (size_t)(n_bytes - view.header.chunk_bytes)))
        st = hr__error_set(err, HR_ERR_CORRUPT, "padding is not zero");
    return st;
}

static hr_status load_chunk(const struct hr__file *f, struct hr__frame_decoder *d,
                            struct hrd_image *im, uint64_t bits, uint64_t chunk, hr_error *err) {
    struct hr__index_entry entry;
    hr_status st = hr__index_entry_decode(bits, im->superblock.file_bytes,
                                          im->footer.max_chunk_pages, &entry, err);
    if (st != HR_OK)
        return st;
    const size_t n_bytes = (size_t)entry.pages * HR__PAGE_BYTES;
    uint8_t *bytes = malloc(n_bytes);
    st = hr__file_read_exact(f, bytes, n_bytes, entry.page * HR__PAGE_BYTES, err);
    if (st == HR_OK)
        st = decode_chunk(d, im, bytes, n_bytes, chunk, err);
    free(bytes);
    return st;
}

static hr_status load_chunks(const struct hr__file *f, struct hr__frame_decoder *d,
                             struct hrd_image *im, hr_error *err) {
    hr_status st = HR_OK;
    uint8_t *page = malloc(HR__INDEX_PAGE_BYTES);
    for (uint64_t c = 0; c < im->footer.num_chunks && st == HR_OK; c++) {
        const uint64_t p = c / HR__INDEX_PAGE_ENTRIES;
        if (c % HR__INDEX_PAGE_ENTRIES == 0) {
            const size_t n = hr__index_page_bytes(im->footer.num_chunks, p);
            HR_TRY(hr__file_read_exact(f, page, n, im->footer.index_pages[p].off, err));
            if (hr__hash(page, n) != im->footer.index_pages[p].hash)
                st = hr__error_set(err, HR_ERR_CORRUPT, "index page %d", (int)p);
        }
        if (st == HR_OK)
            st = load_chunk(f, d, im, hr__get_u64(page + 8 * (c % HR__INDEX_PAGE_ENTRIES)), c, err);
    }
done:
    free(page);
    return st;
}

static hr_status load_image(const struct hr__file *file, struct hrd_image *out, hr_error *err) {
    struct hr__frame_decoder decoder = {0};
    hr_status st;
    *out = (struct hrd_image){0};
    HR_TRY(load_superblock(file, out, err));
    HR_TRY(load_footer(file, out, err));
    const struct hr__schema *s = &out->footer.schema;
    out->columns = calloc(s->num_fields, sizeof *out->columns);
    for (uint32_t f = 0; f < s->num_fields; f++)
        out->columns[f] = calloc(1, out->footer.num_samples * s->fields[f].sample_bytes + 1);
    HR_TRY(hr__frame_decoder_init(&decoder, err));
    HR_TRY(load_chunks(file, &decoder, out, err));
done:
    hr__frame_decoder_free(&decoder);
    if (st != HR_OK)
        hrd_image_free(out);
    return st;
}

hr_status hrd_image_load_path(const struct hr__folder_ops *folder, const char *path,
                              struct hrd_image *out, hr_error *err) {
    struct hr__file file = {0};
    *out = (struct hrd_image){0};
    const int rc = folder->open(folder->ctx, path, O_RDONLY, &file);
    if (rc != 0)
        return hr__error_os(err, -rc, "cannot open %s", path);
    const hr_status st = load_image(&file, out, err);
    hr__file_close(&file);
    return st;
}

void hrd_image_free(struct hrd_image *image) {
    for (uint32_t f = 0; image->columns != NULL && f < image->footer.schema.num_fields; f++)
        free(image->columns[f]);
    free(image->columns);
    hr__footer_free(&image->footer);
    *image = (struct hrd_image){0};
}
