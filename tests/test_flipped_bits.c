/*
 * A file with one flipped bit: every bit of superblocks, job record, chunk headers, footer and
 * index, one after the other, and a sample of frames and paddings. Reading gives an error or the
 * right data; verify sees every bit, those that reading does not need too; and no flip makes an
 * older commit that of the data set.
 *
 * Under a sanitizer every 61st bit is flipped instead of every one, which still reaches all eight
 * bits of a byte, and the samples are thinner.
 */
#include "bytes.h"
#include "dataset.h"
#include "hash.h"
#include "job_record.h"
#include "memory_file.h"
#include "reader_pass.h"
#include "verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BUDGET           ((uint64_t)64 << 20)
#define NUM_CHUNKS       3
#define PADDING_STRIDE   251 /* bits */
#define FRAMES_STRIDE    3
#define COMMITS_STRIDE   3
#define LOADER_STRIDE    1021
#define SANITIZED_STRIDE 61

/* Three chunks of one page each, the last short. */
static const struct made shuffled = {40, 16, 12, 0, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
static const struct made plain = {40, 16, 12, 0, HR_CODEC_RAW, HR_FILTER_NONE};

enum harm {
    UNREAD, /* reading does without: it gives the right data */
    EITHER,
    FATAL /* an error */
};

struct span {
    uint64_t begin, end; /* bytes */
};

struct layout { /* what is where in an undamaged file */
    struct hr__superblock superblock;
    struct span slots[2], job, headers[NUM_CHUNKS], frames[NUM_CHUNKS], footer, index;
};

static hr_status open_memory(struct memory_file *f, hr_dataset **ds, hr_error *err) {
    hr_open_options o = HR_OPEN_OPTIONS_INIT;
    o.budget_bytes = BUDGET;
    return hr__dataset_open_in(&f->folder, "damaged.hrd", &o, ds, err);
}

static hr_status verify_memory(struct memory_file *f, hr_error *err) {
    hr_verify_options o = HR_VERIFY_OPTIONS_INIT;
    o.budget_bytes = BUDGET;
    o.num_threads = 1;
    return hr__verify_in(&f->folder, "damaged.hrd", &o, err);
}

/* Opens and reads every field whole; data that are not right end the test. */
static hr_status read_whole(struct memory_file *f, const struct made *m, hr_error *err) {
    hr_dataset *ds = NULL;
    hr_status st = open_memory(f, &ds, err);
    if (st == HR_OK)
        st = pass_read(ds, m, err);
    hr_dataset_close(ds);
    return st;
}

static hr_status read_by_loader(struct memory_file *f, const struct made *m, hr_error *err) {
    hr_dataset *ds = NULL;
    hr_status st = open_memory(f, &ds, err);
    if (st == HR_OK)
        st = pass_loader(ds, m, HR_IO_CACHED, 1, 1, err);
    hr_dataset_close(ds);
    return st;
}

static struct layout layout_of(struct memory_file *f) {
    struct layout at = {
        .slots = {{0, HR__PAGE_BYTES}, {HR__SLOT1_OFF, HR__SLOT1_OFF + HR__PAGE_BYTES}}};
    struct hr__job_record job;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_ok(open_memory(f, &ds, &err), &err);
    at.superblock = ds->parts[0].superblock;
    const uint64_t index_off = ds->parts[0].index_pages[0].off;
    at.index = (struct span){index_off, index_off + HR__PAGE_BYTES};
    at.footer = (struct span){at.superblock.footer_off,
                              at.superblock.footer_off + at.superblock.footer_bytes};
    assert_int_equal(ds->footer.num_chunks, NUM_CHUNKS);
    for (uint64_t c = 0; c < NUM_CHUNKS; c++) {
        struct hr__index_cache none = {0};
        struct hr__chunk_at found;
        made_ok(hr__dataset_locate(ds, c, &none, &found, &err), &err);
        const uint64_t off = found.entry.page * HR__PAGE_BYTES;
        const uint64_t frames_off = off + hr__get_u32(f->bytes + off + 8);
        at.headers[c] = (struct span){off, frames_off};
        at.frames[c] = (struct span){frames_off, off + hr__get_u64(f->bytes + off + 72)};
    }
    made_ok(hr__job_record_decode(f->bytes + HR__JOB_OFF, HR__JOB_OFF, &job, &err), &err);
    assert_true(job.json_off < HR__SLOT1_OFF);
    at.job = (struct span){HR__JOB_OFF, job.json_off + job.json_bytes};
    hr_dataset_close(ds);
    return at;
}

static struct layout make(struct memory_file *f, const struct made *m) {
    made_write(made_path("whole.hrd"), m);
    memory_file_load(f, made_path("whole.hrd"), 1 << 20);
    return layout_of(f);
}

static void flip(struct memory_file *f, uint64_t bit) {
    f->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static uint64_t at_least_stride(uint64_t stride) {
    const char *sanitizers = getenv("HEADRACE_SANITIZE");
    const bool slow = sanitizers != NULL && sanitizers[0] != 0;
    return stride == 1 && slow ? SANITIZED_STRIDE : slow ? stride * 8 + 1 : stride;
}

static void check_status(uint64_t bit, const char *who, hr_status st, bool right, bool error,
                         const hr_error *err) {
    const bool damaged = st == HR_ERR_CORRUPT || st == HR_ERR_UNSUPPORTED;
    if (!(right && st == HR_OK) && !(error && damaged))
        fail_msg("bit %llu of byte %llu: %s says %s", (unsigned long long)(bit % 8),
                 (unsigned long long)(bit / 8), who, hr_status_name(st));
    if (damaged && strstr(err->message, "damaged.hrd") == NULL)
        fail_msg("bit %llu of byte %llu: %s does not name the file: %s",
                 (unsigned long long)(bit % 8), (unsigned long long)(bit / 8), who, err->message);
}

static void one_bit(struct memory_file *f, const struct made *m, uint64_t bit, bool right,
                    bool error) {
    hr_error err = {0};
    flip(f, bit);
    check_status(bit, "reading", read_whole(f, m, &err), right, error, &err);
    check_status(bit, "verify", verify_memory(f, &err), false, true, &err);
    if (bit % LOADER_STRIDE == 0)
        check_status(bit, "a loader", read_by_loader(f, m, &err), right, error, &err);
    flip(f, bit);
}

static void every_bit(struct memory_file *f, const struct made *m, struct span s, uint64_t stride,
                      enum harm harm) {
    assert_true(s.begin <= s.end && s.end <= f->n_bytes);
    const uint64_t step = at_least_stride(stride);
    for (uint64_t bit = s.begin * 8; bit < s.end * 8; bit += step)
        one_bit(f, m, bit, harm != FATAL, harm != UNREAD);
}

/* From the end of a part to that of its page. */
static struct span padding_behind(struct span s) {
    return (struct span){s.end, (s.end + HR__PAGE_BYTES - 1) / HR__PAGE_BYTES * HR__PAGE_BYTES};
}

static void flip__superblock__the_other_slot_is_used(void **state) {
    (void)state;
    struct memory_file f;
    const struct layout at = make(&f, &shuffled);
    for (int slot = 0; slot < 2; slot++)
        every_bit(&f, &shuffled, at.slots[slot], 1, UNREAD);
    memory_file_free(&f);
}

static void flip__job_record__is_not_needed_and_seen(void **state) {
    (void)state;
    struct memory_file f;
    const struct layout at = make(&f, &shuffled);
    every_bit(&f, &shuffled, at.job, 1, UNREAD);
    memory_file_free(&f);
}

static void flip__footer_and_index__are_refused(void **state) {
    (void)state;
    struct memory_file f;
    const struct layout at = make(&f, &shuffled);
    every_bit(&f, &shuffled, at.footer, 1, FATAL);
    every_bit(&f, &shuffled, at.index, 1, FATAL); /* the zeros behind the entries too */
    memory_file_free(&f);
}

static void flip__chunk_headers_and_frames__are_errors(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct made *m = i == 0 ? &shuffled : &plain;
        struct memory_file f;
        const struct layout at = make(&f, m);
        for (int c = 0; c < NUM_CHUNKS; c++) {
            every_bit(&f, m, at.headers[c], i == 0 ? 1 : FRAMES_STRIDE, FATAL);
            every_bit(&f, m, at.frames[c], FRAMES_STRIDE, FATAL);
        }
        memory_file_free(&f);
    }
}

/* A reader may look at paddings or not; verify does. */
static void flip__paddings__are_seen(void **state) {
    (void)state;
    struct memory_file f;
    const struct layout at = make(&f, &shuffled);
    const struct span paddings[] = {
        {at.job.end, HR__SLOT1_OFF},  {at.slots[1].end, HR__DATA_OFF},
        padding_behind(at.frames[0]), padding_behind(at.frames[NUM_CHUNKS - 1]),
        padding_behind(at.footer),
    };
    for (size_t i = 0; i < sizeof(paddings) / sizeof(paddings[0]); i++)
        every_bit(&f, &shuffled, paddings[i], PADDING_STRIDE, EITHER);
    memory_file_free(&f);
}

/* No part of the file is left out above, so a flip anywhere is one of those. */
static void parts__together__are_the_file(void **state) {
    (void)state;
    struct memory_file f;
    const struct layout at = make(&f, &shuffled);
    assert_int_equal(f.n_bytes, at.superblock.file_bytes);
    uint64_t n_bytes = HR__DATA_OFF + (at.index.end - at.index.begin);
    n_bytes += padding_behind(at.footer).end - at.footer.begin;
    for (int c = 0; c < NUM_CHUNKS; c++) {
        assert_int_equal(at.headers[c].end, at.frames[c].begin);
        n_bytes += padding_behind(at.frames[c]).end - at.headers[c].begin;
    }
    assert_int_equal(n_bytes, f.n_bytes);
    assert_true(at.superblock.required & HR__FEATURE_ZSTD);
    assert_true(at.superblock.required & HR__FEATURE_BYTE_SHUFFLE);
    memory_file_free(&f);
}

/* ---- two commits in one file ---- */

static void write_slot(struct memory_file *f, int slot, const struct hr__superblock *sb) {
    hr__superblock_encode(sb, f->bytes + (slot == 0 ? 0 : HR__SLOT1_OFF));
}

/* A second commit behind the first, of all chunks but the last. */
static struct hr__superblock add_commit(struct memory_file *f, const struct layout *at) {
    struct hr__superblock sb = at->superblock;
    const uint64_t num_chunks = NUM_CHUNKS - 1, num_samples = num_chunks * 16;
    uint8_t *footer = f->bytes + f->n_bytes, *index = footer + 65536;
    memcpy(footer, f->bytes + at->footer.begin, (size_t)sb.footer_bytes);
    memcpy(index, f->bytes + at->index.begin, (size_t)num_chunks * 8);
    hr__put_u64(footer + 32, 2);
    hr__put_u64(footer + 40, num_samples);
    hr__put_u64(footer + 48, num_chunks);
    uint8_t *segment = footer + sb.footer_bytes - 16 - 24, *ref = segment + 24;
    hr__put_u64(segment + 8, num_chunks);
    hr__put_u64(segment + 16, num_samples);
    hr__put_u64(ref, f->n_bytes + 65536);
    hr__put_u64(ref + 8, hr__hash(index, HR__PAGE_BYTES));
    sb.footer_off = f->n_bytes;
    sb.footer_hash = hr__hash(footer, (size_t)sb.footer_bytes);
    sb.commit_seq = 2;
    f->n_bytes += (uint64_t)2 * 65536;
    sb.file_bytes = f->n_bytes;
    return sb;
}

/* The number of samples is that of the newer commit, which pass_read() checks with all of them. */
static void reads_as(struct memory_file *f, const struct made *newer, struct span s) {
    const uint64_t step = at_least_stride(COMMITS_STRIDE);
    for (uint64_t bit = s.begin * 8; bit < s.end * 8; bit += step) {
        hr_error err = {0};
        flip(f, bit);
        check_status(bit, "reading", read_whole(f, newer, &err), true, false, &err);
        flip(f, bit);
    }
}

static void flip__superblock_of_the_second_commit__the_first_is_not_taken(void **state) {
    (void)state;
    struct memory_file f;
    const struct layout at = make(&f, &shuffled);
    const struct hr__superblock second = add_commit(&f, &at);
    struct made newer = shuffled;
    newer.num_samples = (NUM_CHUNKS - 1) * (uint64_t)newer.samples_per_chunk;
    write_slot(&f, 0, &second);
    write_slot(&f, 1, &second);
    for (int slot = 0; slot < 2; slot++)
        reads_as(&f, &newer, at.slots[slot]);
    memory_file_free(&f);
}

/* An append that was cut short between its slots: nothing makes the older one win. */
static void flip__superblock_of_the_first_commit__does_not_become_newer(void **state) {
    (void)state;
    struct memory_file f;
    const struct layout at = make(&f, &shuffled);
    const struct hr__superblock second = add_commit(&f, &at);
    struct made newer = shuffled;
    newer.num_samples = (NUM_CHUNKS - 1) * (uint64_t)newer.samples_per_chunk;
    write_slot(&f, 0, &second);
    reads_as(&f, &newer, at.slots[1]);
    memory_file_free(&f);
}

/* Where footer or index of the newest commit are damaged, the older one is no way out. */
static void flip__footer_of_the_second_commit__is_refused(void **state) {
    (void)state;
    struct memory_file f;
    const struct layout at = make(&f, &shuffled);
    const struct hr__superblock second = add_commit(&f, &at);
    const uint64_t footer_end = second.footer_off + second.footer_bytes;
    const uint64_t index_off = second.footer_off + 65536;
    write_slot(&f, 0, &second);
    every_bit(&f, &shuffled, (struct span){second.footer_off, footer_end}, 1, FATAL);
    every_bit(&f, &shuffled, (struct span){index_off, index_off + 64}, 1, FATAL);
    memory_file_free(&f);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts__together__are_the_file),
        cmocka_unit_test(flip__superblock__the_other_slot_is_used),
        cmocka_unit_test(flip__job_record__is_not_needed_and_seen),
        cmocka_unit_test(flip__footer_and_index__are_refused),
        cmocka_unit_test(flip__chunk_headers_and_frames__are_errors),
        cmocka_unit_test(flip__paddings__are_seen),
        cmocka_unit_test(flip__superblock_of_the_second_commit__the_first_is_not_taken),
        cmocka_unit_test(flip__superblock_of_the_first_commit__does_not_become_newer),
        cmocka_unit_test(flip__footer_of_the_second_commit__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
