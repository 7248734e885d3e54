/*
 * wide_index FILE.hrd CHUNKS makes a data set of so many chunks of which there is no byte but the
 * index: a sparse file that can be opened, and not read. wide_index FILE.hrd opens it, and prints
 * how long that took, and the memory of the process, as JSON.
 */
#include "bytes.h"
#include "checked.h"
#include "clock.h"
#include "dataset.h"
#include "error.h"
#include "hash.h"
#include "headrace/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SAMPLES_PER_CHUNK 128u
#define CHUNK_PAGES       32u

/* The pages of the index behind the last chunk; *end_off: where they end. */
static hr_status index_write(const struct hr__file *file, uint64_t num_chunks,
                             struct hr__index_page_ref *refs, uint64_t *end_off, hr_error *err) {
    static uint8_t page[HR__INDEX_PAGE_BYTES];
    uint64_t off = HR__DATA_OFF + num_chunks * CHUNK_PAGES * HR__PAGE_BYTES;
    hr_status st = HR_OK;
    for (uint64_t p = 0; p * HR__INDEX_PAGE_ENTRIES < num_chunks && st == HR_OK; p++) {
        size_t n_bytes = hr__index_page_bytes(num_chunks, p);
        for (uint64_t i = 0; i < n_bytes / 8; i++) {
            uint64_t chunk = p * HR__INDEX_PAGE_ENTRIES + i;
            struct hr__index_entry e = {HR__DATA_OFF / HR__PAGE_BYTES + chunk * CHUNK_PAGES,
                                        CHUNK_PAGES};
            hr__put_u64(page + i * 8, chunk < num_chunks ? hr__index_entry_encode(e) : 0);
        }
        refs[p] = (struct hr__index_page_ref){off, hr__hash(page, n_bytes)};
        st = hr__file_write_all(file, page, n_bytes, off, err);
        off += n_bytes;
    }
    *end_off = off;
    return st;
}

static hr_status footer_write(const struct hr__file *file, struct hr__footer *f, uint64_t off,
                              struct hr__superblock *sb, hr_error *err) {
    const uint64_t shape = 512;
    const hr_field field = {.name = "x", .dtype = HR_FLOAT32, .rank = 1, .shape = &shape};
    uint8_t *bytes = NULL, page[HR__PAGE_BYTES] = {0};
    size_t n_bytes = 0;
    hr_status st;
    HR_TRY(hr__schema_make(&field, 1, SAMPLES_PER_CHUNK, &f->schema, err));
    f->schema.fields[0].statistics = hr__statistics_new(HR_FLOAT32, false);
    HR_TRY(hr__footer_encode(f, &bytes, &n_bytes, err));
    HR_TRY(hr__file_write_all(file, bytes, n_bytes, off, err));
    sb->footer_off = off;
    sb->footer_bytes = n_bytes;
    sb->footer_hash = hr__hash(bytes, n_bytes);
    sb->file_bytes = hr__round_up(off + n_bytes, HR__PAGE_BYTES);
    HR_TRY(hr__file_write_all(file, page, 1, sb->file_bytes - 1, err));
    hr__superblock_encode(sb, page);
    HR_TRY(hr__file_write_all(file, page, sizeof(page), 0, err));
    HR_TRY(hr__file_write_all(file, page, sizeof(page), HR__SLOT1_OFF, err));
    HR_TRY(hr__file_sync(file, err));
done:
    free(bytes);
    hr__schema_free(&f->schema);
    return st;
}

static hr_status make(const char *path, uint64_t num_chunks, hr_error *err) {
    struct hr__file file = {0};
    const uint64_t num_pages = hr__ceil_div(num_chunks, HR__INDEX_PAGE_ENTRIES);
    struct hr__segment all = {0, num_chunks, 0, num_chunks * SAMPLES_PER_CHUNK};
    struct hr__index_page_ref *refs = calloc(num_pages, sizeof(*refs));
    struct hr__superblock sb = {.uuid = {1}, .commit_seq = 1, .required = HR__FEATURE_ZSTD};
    struct hr__footer footer = {.uuid = {1},
                                .commit_seq = 1,
                                .num_chunks = num_chunks,
                                .num_samples = all.num_samples,
                                .max_chunk_pages = CHUNK_PAGES,
                                .num_segments = 1,
                                .segments = &all,
                                .num_index_pages = num_pages,
                                .index_pages = refs};
    uint64_t off = 0;
    hr_status st;
    int rc = hr__posix_folder.open(NULL, path, O_RDWR | O_CREAT | O_TRUNC, &file);
    if (rc < 0 || refs == NULL) {
        st = hr__error_os(err, rc < 0 ? -rc : ENOMEM, "%s cannot be made", path);
        goto done;
    }
    HR_TRY(index_write(&file, num_chunks, refs, &off, err));
    HR_TRY(footer_write(&file, &footer, off, &sb, err));
done:
    hr__file_close(&file);
    free(refs);
    return st;
}

/* A figure of this process in /proc/self/status, in bytes; 0: unknown. */
static uint64_t memory_of(const char *name) {
    char line[128], format[32];
    uint64_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    snprintf(format, sizeof(format), "%s: %%" SCNu64, name);
    while (f != NULL && fgets(line, sizeof(line), f) != NULL && sscanf(line, format, &kib) != 1)
        ;
    if (f != NULL)
        fclose(f);
    return kib * 1024;
}

static hr_status open_timed(const char *path, hr_error *err) {
    hr_dataset *ds = NULL;
    hr_dataset_info info = {.struct_bytes = sizeof(info)};
    const uint64_t before = memory_of("VmRSS");
    const int64_t start_ns = hr__now_ns();
    hr_status st = hr_dataset_open(path, NULL, &ds, err);
    const int64_t took_ns = hr__now_ns() - start_ns;
    if (st == HR_OK)
        st = hr_dataset_describe(ds, &info, err);
    if (st == HR_OK)
        printf("{\"chunks\": %" PRIu64 ", \"open_s\": %.6f, \"rss_before_bytes\": %" PRIu64
               ", \"rss_bytes\": %" PRIu64 ", \"peak_rss_bytes\": %" PRIu64
               ", \"index_bytes\": %" PRIu64 ", \"index_loaded_bytes\": %" PRIu64
               ", \"budget_bytes\": %" PRIu64 "}\n",
               info.num_chunks, (double)took_ns / 1e9, before, memory_of("VmRSS"),
               memory_of("VmHWM"), info.index_bytes, info.index_loaded_bytes, hr_default_budget());
    hr_dataset_close(ds);
    return st;
}

int main(int argc, char **argv) {
    hr_error err = {.message = ""};
    char *end = NULL;
    const uint64_t num_chunks = argc == 3 ? strtoull(argv[2], &end, 10) : 0;
    if (argc < 2 || argc > 3 || (argc == 3 && (*end != '\0' || num_chunks == 0))) {
        fprintf(stderr, "usage: %s FILE.hrd [CHUNKS]\n", argv[0]);
        return 2;
    }
    hr_status st = argc == 3 ? make(argv[1], num_chunks, &err) : open_timed(argv[1], &err);
    if (st != HR_OK)
        fprintf(stderr, "%s\n", err.message);
    return st == HR_OK ? 0 : 1;
}
