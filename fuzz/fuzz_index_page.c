/*
 * Index entries, and samples looked up among segments. Input: pages of the file (6 bytes), most
 * pages of a chunk (3), samples per chunk less 1 (2), number of segments (1), for each segment its
 * chunks less 1 (2) and the samples of its last chunk less 1 (2); the rest are index entries.
 */
#include "bytes.h"
#include "chunk_index.h"
#include "superblock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD_BYTES    12u
#define SEGMENT_BYTES 4u

static void check_entry(uint64_t bits, uint64_t file_bytes, uint32_t max_pages) {
    struct hr__index_entry e;
    hr_error err = {.status = HR_OK};
    hr_status st = hr__index_entry_decode(bits, file_bytes, max_pages, &e, &err);
    if (st != HR_OK) {
        if (err.status != st || err.message[0] == '\0')
            abort();
        return;
    }
    if (e.pages == 0 || e.pages > max_pages || e.page < HR__DATA_OFF / HR__PAGE_BYTES ||
        (e.page + e.pages) * HR__PAGE_BYTES > file_bytes || hr__index_entry_encode(e) != bits)
        abort();
}

static uint64_t segments_make(const uint8_t *p, uint32_t n, uint32_t per_chunk,
                              struct hr__segment *out) {
    uint64_t chunk = 0, sample = 0;
    for (uint32_t i = 0; i < n; i++, p += SEGMENT_BYTES) {
        uint64_t chunks = (uint64_t)hr__get_u16(p) + 1;
        uint64_t last = (uint64_t)hr__get_u16(p + 2) % per_chunk + 1;
        out[i] = (struct hr__segment){.first_chunk = chunk,
                                      .num_chunks = chunks,
                                      .first_sample = sample,
                                      .num_samples = (chunks - 1) * per_chunk + last};
        chunk += chunks;
        sample += out[i].num_samples;
    }
    return sample;
}

static void check_sample(const struct hr__segment *segments, uint32_t n, uint32_t per_chunk,
                         uint64_t sample) {
    uint64_t chunk, first;
    uint32_t place, samples;
    hr__segment_locate(segments, n, per_chunk, sample, &chunk, &place);
    hr__segment_chunk(segments, n, per_chunk, chunk, &first, &samples);
    if (samples == 0 || samples > per_chunk || place >= samples || first + place != sample)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct hr__segment segments[256];
    if (size < HEAD_BYTES)
        return 0;
    uint64_t file_bytes = (hr__get_u64(data) & ((UINT64_C(1) << 48) - 1)) * HR__PAGE_BYTES;
    uint32_t max_pages = hr__get_u32(data + 6) & 0xffffffu;
    uint32_t per_chunk = hr__get_u16(data + 9) + 1u, n = data[11];
    const uint8_t *p = data + HEAD_BYTES, *end = data + size;
    if ((size_t)(end - p) < n * SEGMENT_BYTES)
        return 0;
    uint64_t samples = segments_make(p, n, per_chunk, segments);
    for (p += n * SEGMENT_BYTES; end - p >= 8; p += 8) {
        check_entry(hr__get_u64(p), file_bytes, max_pages);
        if (samples > 0)
            check_sample(segments, n, per_chunk, hr__get_u64(p) % samples);
    }
    for (uint32_t i = 0; i < n; i++) {
        check_sample(segments, n, per_chunk, segments[i].first_sample);
        check_sample(segments, n, per_chunk,
                     segments[i].first_sample + segments[i].num_samples - 1);
    }
    return 0;
}
