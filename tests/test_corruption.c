/*
 * Damaged data sets: flipped bits anywhere and every truncation give an error or the right data,
 * and verify sees every one. Files that lie with right hashes are refused. Every single bit of what
 * matters is flipped in test_flipped_bits.c.
 */
#include "bytes.h"
#include "dataset.h"
#include "frame_codec.h"
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

#define BUDGET ((uint64_t)64 << 20)

/* Four chunks, the last short. */
static const struct made shuffled = {50, 16, 24, 10, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};
static const struct made plain = {50, 16, 24, 10, HR_CODEC_RAW, HR_FILTER_NONE};

struct layout { /* what is where in an undamaged file */
    struct hr__superblock superblock;
    struct hr__index_entry chunks[4];
    uint64_t index_off;
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

/* Each way to read, on its own data set. HR_OK: all three gave the right data. */
static hr_status read_all(struct memory_file *f, const struct made *m) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    hr_status st = open_memory(f, &ds, &err);
    if (st == HR_OK) {
        hr_status range = pass_read(ds, m, &err),
                  loader = pass_loader(ds, m, HR_IO_CACHED, 1, 1, &err);
        st = range != HR_OK ? range : loader;
    }
    hr_dataset_close(ds);
    return st;
}

static struct layout layout_of(struct memory_file *f) {
    struct layout at;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_ok(open_memory(f, &ds, &err), &err);
    at.superblock = ds->parts[0].superblock;
    at.index_off = ds->parts[0].index_pages[0].off;
    assert_int_equal(ds->footer.num_chunks, 4);
    for (uint64_t c = 0; c < 4; c++) {
        struct hr__index_cache none = {0};
        struct hr__chunk_at found;
        made_ok(hr__dataset_locate(ds, c, &none, &found, &err), &err);
        at.chunks[c] = found.entry;
    }
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

static void check_seen(struct memory_file *f, uint64_t bit) {
    hr_error err = {0};
    hr_status st = verify_memory(f, &err);
    if (st != HR_ERR_CORRUPT && st != HR_ERR_UNSUPPORTED)
        fail_msg("bit %llu of byte %llu: verify says %s", (unsigned long long)(bit % 8),
                 (unsigned long long)(bit / 8), hr_status_name(st));
    assert_non_null(strstr(err.message, "damaged.hrd"));
}

/* One flipped bit: error or right data; verify sees it. */
static hr_status one_bit(struct memory_file *f, const struct made *m, uint64_t bit) {
    flip(f, bit);
    hr_status st = read_all(f, m);
    if (st != HR_OK && st != HR_ERR_CORRUPT && st != HR_ERR_UNSUPPORTED)
        fail_msg("bit %llu of byte %llu: %s", (unsigned long long)(bit % 8),
                 (unsigned long long)(bit / 8), hr_status_name(st));
    check_seen(f, bit);
    flip(f, bit);
    return st;
}

static void whole__undamaged__reads_and_verifies(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct made *m = i == 0 ? &shuffled : &plain;
        struct memory_file f;
        hr_error err = {0};
        (void)make(&f, m);
        made_ok(read_all(&f, m), &err);
        made_ok(verify_memory(&f, &err), &err);
        memory_file_free(&f);
    }
}

/* Anywhere: frames, paddings, the room between the parts. No byte of the file is dead, so verify
 * sees every one. */
static void flip__bits_anywhere__error_or_right_data(void **state) {
    (void)state;
    uint64_t random = 20240229;
    for (int i = 0; i < 2; i++) {
        const struct made *m = i == 0 ? &shuffled : &plain;
        struct memory_file f;
        struct layout at = make(&f, m);
        assert_int_equal(f.n_bytes, at.superblock.file_bytes);
        for (int k = 0; k < 500; k++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            (void)one_bit(&f, m, (random >> 20) % (f.n_bytes * 8));
        }
        for (int k = 0; k < 1000; k++) { /* in the pages of the chunks */
            const struct hr__index_entry *e = &at.chunks[k % 4];
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            uint64_t in_frames = k % 3 == 0 ? e->pages * HR__PAGE_BYTES : 900;
            (void)one_bit(&f, m, e->page * HR__PAGE_BYTES * 8 + (random >> 20) % (in_frames * 8));
        }
        memory_file_free(&f);
    }
}

static void truncate__anywhere__is_an_error(void **state) {
    (void)state;
    struct memory_file f;
    (void)make(&f, &shuffled);
    uint64_t whole = f.n_bytes;
    for (uint64_t n = 0; n < whole; n++) {
        hr_error err = {0};
        hr_dataset *ds = NULL;
        f.n_bytes = n;
        assert_int_equal(open_memory(&f, &ds, &err), HR_ERR_CORRUPT);
        assert_null(ds);
        assert_non_null(strstr(err.message, "damaged.hrd"));
        assert_int_not_equal(verify_memory(&f, &err), HR_OK);
    }
    f.n_bytes = whole;
    memory_file_free(&f);
}

/* A data set that shrinks while it is open: what is gone is an error. */
static void truncate__while_open__error_or_right_data(void **state) {
    (void)state;
    struct memory_file f;
    (void)make(&f, &shuffled);
    uint64_t whole = f.n_bytes;
    for (uint64_t n = 0; n < whole; n += 509) {
        hr_error err = {0};
        hr_dataset *ds = NULL;
        f.n_bytes = whole;
        made_ok(open_memory(&f, &ds, &err), &err);
        f.n_bytes = n;
        hr_status range = pass_read(ds, &shuffled, &err);
        hr_status loader = pass_loader(ds, &shuffled, HR_IO_CACHED, 1, 1, &err);
        assert_true(range == HR_OK || range == HR_ERR_CORRUPT);
        assert_true(loader == HR_OK || loader == HR_ERR_CORRUPT);
        if (n < HR__DATA_OFF)
            assert_int_equal(loader, HR_ERR_CORRUPT);
        hr_dataset_close(ds);
    }
    f.n_bytes = whole;
    memory_file_free(&f);
}

/* ---- files that lie with right hashes ---- */

static void sign_slots(struct memory_file *f, const struct hr__superblock *sb, int which) {
    if (which != 1)
        hr__superblock_encode(sb, f->bytes);
    if (which != 0)
        hr__superblock_encode(sb, f->bytes + HR__SLOT1_OFF);
}

/* Hashes of index page, footer and superblocks put right after a change. */
static void sign(struct memory_file *f, const struct layout *at) {
    struct hr__superblock sb = at->superblock;
    uint8_t *footer = f->bytes + sb.footer_off;
    uint8_t *refs = footer + sb.footer_bytes - 16;
    assert_int_equal(hr__get_u64(refs), at->index_off);
    hr__put_u64(refs + 8, hr__hash(f->bytes + at->index_off, HR__PAGE_BYTES));
    sb.footer_hash = hr__hash(footer, (size_t)sb.footer_bytes);
    sign_slots(f, &sb, 2);
}

static void sign_chunk(uint8_t *chunk) {
    uint32_t n = hr__get_u32(chunk + 8);
    hr__put_u64(chunk + n - 8, hr__hash(chunk, n - 8));
}

static void assert_refused(struct memory_file *f, const struct made *m, const char *word) {
    hr_error err = {0}, second = {0};
    hr_dataset *ds = NULL;
    made_ok(open_memory(f, &ds, &err), &err);
    assert_int_equal(pass_read(ds, m, &err), HR_ERR_CORRUPT);
    assert_int_equal(pass_loader(ds, m, HR_IO_CACHED, 1, 1, &second), HR_ERR_CORRUPT);
    if (strstr(err.message, word) == NULL || strstr(second.message, word) == NULL)
        fail_msg("\"%s\" is neither in \"%s\" nor \"%s\"", word, err.message, second.message);
    assert_non_null(strstr(second.message, "damaged.hrd"));
    hr_dataset_close(ds);
    assert_int_equal(verify_memory(f, &err), HR_ERR_CORRUPT);
}

/* A second commit behind the first: the same chunks but for the last one. */
static struct hr__superblock add_commit(struct memory_file *f, const struct layout *at) {
    struct hr__superblock sb = at->superblock;
    uint8_t *footer = f->bytes + f->n_bytes, *index = footer + 65536;
    memcpy(footer, f->bytes + sb.footer_off, (size_t)sb.footer_bytes);
    memcpy(index, f->bytes + at->index_off, 3 * sizeof(uint64_t));
    hr__put_u64(footer + 32, 2);
    hr__put_u64(footer + 40, 48);
    hr__put_u64(footer + 48, 3);
    uint8_t *segment = footer + sb.footer_bytes - 16 - 24, *ref = segment + 24;
    hr__put_u64(segment + 8, 3);
    hr__put_u64(segment + 16, 48);
    hr__put_u64(ref, f->n_bytes + 65536);
    hr__put_u64(ref + 8, hr__hash(index, HR__PAGE_BYTES));
    sb.footer_off = f->n_bytes;
    sb.footer_hash = hr__hash(footer, (size_t)sb.footer_bytes);
    sb.commit_seq = 2;
    f->n_bytes += 2 * 65536;
    sb.file_bytes = f->n_bytes;
    return sb;
}

static uint64_t samples_seen(struct memory_file *f) {
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_ok(open_memory(f, &ds, &err), &err);
    uint64_t n = hr_dataset_num_samples(ds);
    struct made m = shuffled;
    m.num_samples = n;
    made_ok(pass_read(ds, &m, &err), &err);
    hr_dataset_close(ds);
    return n;
}

static void slots__of_two_commits__the_newer_one_decides(void **state) {
    (void)state;
    struct memory_file f;
    struct layout at = make(&f, &shuffled);
    struct hr__superblock newer = add_commit(&f, &at);
    hr_error err = {0};
    for (int slot = 0; slot < 2; slot++) {
        sign_slots(&f, &at.superblock, 2);
        assert_int_equal(samples_seen(&f), 50);
        sign_slots(&f, &newer, slot);
        assert_int_equal(samples_seen(&f), 48);
        assert_int_equal(verify_memory(&f, &err), HR_ERR_CORRUPT); /* the slots differ */
    }
    sign_slots(&f, &newer, 2);
    assert_int_equal(samples_seen(&f), 48);
    for (int slot = 0; slot < 2; slot++) { /* at rest both are equal */
        uint8_t *page = f.bytes + (slot == 0 ? 0 : HR__SLOT1_OFF);
        memset(page, 0x5a, HR__PAGE_BYTES);
        assert_int_equal(samples_seen(&f), 48);
        sign_slots(&f, &newer, 2);
    }
    memory_file_free(&f);
}

/* A violated range in the slot that decides is no reason to take the older commit. */
static void slots__newer_one_lies__the_older_is_not_taken_for_it(void **state) {
    (void)state;
    struct memory_file f;
    struct layout at = make(&f, &shuffled);
    struct hr__superblock newer = add_commit(&f, &at);
    for (int lie = 0; lie < 6; lie++) {
        struct hr__superblock sb = newer;
        hr_error err = {0};
        hr_dataset *ds = NULL;
        if (lie == 0)
            sb.file_bytes += HR__PAGE_BYTES;
        else if (lie == 1)
            sb.footer_off = sb.file_bytes;
        else if (lie == 2)
            sb.footer_bytes = 100;
        else if (lie == 3)
            sb.footer_hash ^= 1;
        else if (lie == 4)
            sb.uuid[3] ^= 1;
        else
            sb.footer_off = 4096;
        sign_slots(&f, &at.superblock, 2);
        sign_slots(&f, &sb, 1);
        assert_int_equal(open_memory(&f, &ds, &err), HR_ERR_CORRUPT);
        assert_null(ds);
    }
    memory_file_free(&f);
}

static void chunks__swapped_in_the_index__are_refused(void **state) {
    (void)state;
    struct memory_file f;
    struct layout at = make(&f, &shuffled);
    uint8_t *index = f.bytes + at.index_off, entry[8];
    memcpy(entry, index, 8);
    memmove(index, index + 8, 8);
    memcpy(index + 8, entry, 8);
    sign(&f, &at);
    assert_refused(&f, &shuffled, "chunk number");
    memory_file_free(&f);
}

static void chunks__same_one_twice_in_the_index__is_refused(void **state) {
    (void)state;
    struct memory_file f;
    struct layout at = make(&f, &shuffled);
    memcpy(f.bytes + at.index_off + 8, f.bytes + at.index_off, 8);
    sign(&f, &at);
    assert_refused(&f, &shuffled, "chunk number");
    memory_file_free(&f);
}

static void chunks__of_another_file__are_refused(void **state) {
    (void)state;
    struct memory_file f, other;
    struct layout at = make(&f, &shuffled);
    made_write(made_path("other.hrd"), &shuffled);
    memory_file_load(&other, made_path("other.hrd"), 0);
    struct layout from = layout_of(&other);
    assert_int_equal(from.chunks[1].pages, at.chunks[1].pages);
    memcpy(f.bytes + at.chunks[1].page * HR__PAGE_BYTES,
           other.bytes + from.chunks[1].page * HR__PAGE_BYTES, at.chunks[1].pages * HR__PAGE_BYTES);
    assert_refused(&f, &shuffled, "UUID");
    memory_file_free(&other);
    memory_file_free(&f);
}

/* The last frame of a chunk, which can grow into the padding. */
static uint8_t *last_frame(struct memory_file *f, const struct layout *at, int c) {
    uint8_t *chunk = f->bytes + at->chunks[c].page * HR__PAGE_BYTES;
    uint32_t blocks = hr__get_u32(chunk + 80), frames = hr__get_u32(chunk + 84);
    return chunk + 96 + 24 * (size_t)blocks + 24 * (size_t)(frames - 1);
}

static void frame__with_a_skippable_one_behind__is_refused(void **state) {
    (void)state;
    static const uint8_t skippable[16] = {0x50, 0x2a, 0x4d, 0x18, 8, 0, 0, 0};
    struct memory_file f;
    struct layout at = make(&f, &shuffled);
    uint8_t *chunk = f.bytes + at.chunks[2].page * HR__PAGE_BYTES;
    uint8_t *frame = last_frame(&f, &at, 2);
    uint64_t end = hr__get_u64(chunk + 72);
    uint32_t stored = hr__get_u32(frame);
    assert_int_equal(frame[16], HR__CODEC_ZSTD);
    assert_true(end % HR__PAGE_BYTES + 16 < HR__PAGE_BYTES);
    memcpy(chunk + end, skippable, 16);
    hr__put_u32(frame, stored + 16);
    hr__put_u64(frame + 8, hr__hash(chunk + end - stored, stored + 16));
    hr__put_u64(chunk + 72, end + 16);
    sign_chunk(chunk);
    assert_refused(&f, &shuffled, "zstd frame");
    memory_file_free(&f);
}

static void frame__of_a_feature_not_listed__is_refused(void **state) {
    (void)state;
    struct memory_file f;
    struct layout at = make(&f, &shuffled);
    struct hr__superblock sb = at.superblock;
    sb.required &= ~HR__FEATURE_BYTE_SHUFFLE;
    sign_slots(&f, &sb, 2);
    assert_refused(&f, &shuffled, "byte-shuffle");
    memory_file_free(&f);
}

/* A shuffle over elements that end across rows is allowed: 16 rows of 10 words of 4 bytes are also
 * 40 elements of 16 bytes. */
static void frame__shuffled_across_rows__is_right(void **state) {
    (void)state;
    struct memory_file f;
    struct layout at = make(&f, &shuffled);
    struct hr__frame_encoder encoder;
    struct hr__frame made;
    struct hr__storage storage = {0};
    hr_error err = {0};
    made_ok(hr__frame_encoder_init(&encoder, &err), &err);
    storage.codec = HR__CODEC_ZSTD;
    storage.level = 1;
    storage.filter = HR__FILTER_BYTE_SHUFFLE;
    storage.element_bytes = 16;
    float rows[16 * 10];
    uint8_t stored[4096];
    for (int c = 0; c < 3; c++) {
        uint8_t *chunk = f.bytes + at.chunks[c].page * HR__PAGE_BYTES;
        uint8_t *frame = last_frame(&f, &at, c);
        uint64_t begin = hr__get_u64(chunk + 72) - hr__get_u32(frame);
        assert_int_equal(hr__get_u32(frame + 4), sizeof(rows));
        for (uint32_t i = 0; i < 160; i++)
            rows[i] = made_word((uint64_t)c * 16 + i / 10, i % 10);
        made_ok(hr__frame_encode(&encoder, &storage, (uint8_t *)rows, sizeof(rows), stored,
                                 sizeof(stored), &made, &err),
                &err);
        assert_int_equal(made.element_bytes, 16);
        memset(chunk + begin, 0, hr__get_u32(frame));
        memcpy(chunk + begin, stored, made.stored_bytes);
        hr__put_u32(frame, made.stored_bytes);
        hr__put_u64(frame + 8, made.hash);
        frame[18] = 16;
        hr__put_u64(chunk + 72, begin + made.stored_bytes);
        sign_chunk(chunk);
    }
    made_ok(verify_memory(&f, &err), &err);
    assert_int_equal(read_all(&f, &shuffled), HR_OK);
    hr__frame_encoder_free(&encoder);
    memory_file_free(&f);
}

/* A job record whose text lies beyond what was committed, in a file with something behind it. */
static void job__text_beyond_the_commit__is_reported(void **state) {
    (void)state;
    struct memory_file f;
    struct layout at = make(&f, &shuffled);
    struct hr__job_record job;
    hr_error err = {0};
    uint64_t n = 900000;
    made_ok(hr__job_record_decode(f.bytes + HR__JOB_OFF, HR__JOB_OFF, &job, &err), &err);
    memset(f.bytes + f.n_bytes, ' ', f.room_bytes - f.n_bytes);
    f.n_bytes = f.room_bytes;
    assert_true(HR__DATA_OFF + n < f.n_bytes && HR__DATA_OFF + n > at.superblock.file_bytes);
    job.json_off = HR__DATA_OFF;
    job.json_bytes = n;
    job.json_hash = hr__hash(f.bytes + job.json_off, (size_t)n);
    hr__job_record_encode(&job, f.bytes + HR__JOB_OFF);
    assert_int_equal(verify_memory(&f, &err), HR_ERR_CORRUPT);
    memory_file_free(&f);
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole__undamaged__reads_and_verifies),
        cmocka_unit_test(flip__bits_anywhere__error_or_right_data),
        cmocka_unit_test(truncate__anywhere__is_an_error),
        cmocka_unit_test(truncate__while_open__error_or_right_data),
        cmocka_unit_test(slots__of_two_commits__the_newer_one_decides),
        cmocka_unit_test(slots__newer_one_lies__the_older_is_not_taken_for_it),
        cmocka_unit_test(chunks__swapped_in_the_index__are_refused),
        cmocka_unit_test(chunks__same_one_twice_in_the_index__is_refused),
        cmocka_unit_test(chunks__of_another_file__are_refused),
        cmocka_unit_test(frame__with_a_skippable_one_behind__is_refused),
        cmocka_unit_test(frame__of_a_feature_not_listed__is_refused),
        cmocka_unit_test(frame__shuffled_across_rows__is_right),
        cmocka_unit_test(job__text_beyond_the_commit__is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
