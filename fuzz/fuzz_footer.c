/*
 * Footers from any bytes, their hash and layout hash made right, with the JSON text of the schema.
 * What is accepted can be written, and what is written is read as it was.
 */
#include "bytes.h"
#include "footer.h"
#include "hash.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_BYTES (UINT64_C(1) << 40)

static struct hr__superblock superblock_of(const uint8_t *bytes, size_t n_bytes) {
    struct hr__superblock sb = {.commit_seq = hr__get_u64(bytes + 32),
                                .footer_off = HR__DATA_OFF,
                                .footer_bytes = n_bytes,
                                .footer_hash = hr__hash(bytes, n_bytes),
                                .file_bytes = FILE_BYTES};
    memcpy(sb.uuid, bytes + 16, sizeof(sb.uuid));
    return sb;
}

/* The layout hash of the schema in the footer, where it has one. */
static void fix_layout(uint8_t *bytes, size_t n_bytes) {
    struct hr__schema s;
    uint64_t json_bytes = hr__get_u64(bytes + 72);
    if (json_bytes > n_bytes - HR__FOOTER_HEADER_BYTES)
        return;
    if (hr__schema_parse((const char *)bytes + HR__FOOTER_HEADER_BYTES, (size_t)json_bytes,
                         hr__get_u32(bytes + 12), &s, NULL) == HR_OK)
        hr__put_u64(bytes + 56, s.layout_hash);
    hr__schema_free(&s);
}

static void use(const struct hr__footer *f) {
    for (uint32_t i = 0; i < f->schema.num_fields; i++) {
        hr_statistics s = {.struct_bytes = sizeof(s)};
        if (f->schema.fields[i].statistics != NULL)
            hr__statistics_get(f->schema.fields[i].statistics, &s);
    }
    if (f->num_samples > 0) {
        uint64_t chunk, first;
        uint32_t place, n, per_chunk = f->schema.samples_per_chunk;
        hr__segment_locate(f->segments, f->num_segments, per_chunk, f->num_samples - 1, &chunk,
                           &place);
        hr__segment_chunk(f->segments, f->num_segments, per_chunk, chunk, &first, &n);
        if (chunk != f->num_chunks - 1 || first + place != f->num_samples - 1 || place + 1 != n)
            abort();
    }
}

/* Written once it may look other than what was read; written twice it may not. */
static void write_again(const struct hr__footer *f) {
    uint8_t *once = NULL, *twice = NULL;
    size_t once_bytes = 0, twice_bytes = 0;
    struct hr__footer again;
    hr_error err = {.status = HR_OK};
    hr_status st = hr__footer_encode(f, &once, &once_bytes, &err);
    if (st != HR_OK && err.status == st && err.message[0] != '\0')
        return; /* larger, or nested deeper, than a footer may be */
    struct hr__superblock sb = superblock_of(once, once_bytes);
    if (hr__footer_decode(once, once_bytes, &sb, &again, NULL) != HR_OK ||
        again.schema.layout_hash != f->schema.layout_hash ||
        hr__footer_encode(&again, &twice, &twice_bytes, NULL) != HR_OK ||
        once_bytes != twice_bytes || memcmp(once, twice, once_bytes) != 0)
        abort();
    hr__footer_free(&again);
    free(once);
    free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr__footer f;
    hr_error err = {.status = HR_OK};
    uint8_t *bytes = size >= HR__FOOTER_HEADER_BYTES ? malloc(size) : NULL;
    if (bytes == NULL)
        return 0;
    memcpy(bytes, data, size);
    fix_layout(bytes, size);
    struct hr__superblock sb = superblock_of(bytes, size);
    hr_status st = hr__footer_decode(bytes, size, &sb, &f, &err);
    if (st == HR_OK) {
        use(&f);
        write_again(&f);
    } else if (err.status != st || err.message[0] == '\0') {
        abort();
    }
    hr__footer_free(&f);
    free(bytes);
    return 0;
}
