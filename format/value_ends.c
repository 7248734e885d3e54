/*
 * Ends of values and frames of values (docs/format.md, 6.4).
 */
#include "value_ends.h"

#include "checked.h"
#include "error.h"

static hr_status check_order(const uint64_t *ends, uint32_t n, uint32_t unit_bytes, hr_error *err) {
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t start = hr__value_start(ends, i);
        if (ends[i] < start)
            return hr__error_set(err, HR_ERR_CORRUPT,
                                 "value %u of the chunk ends at %llu, before it begins (%llu); run "
                                 "headrace verify, and convert anew",
                                 i, (unsigned long long)ends[i], (unsigned long long)start);
        if ((ends[i] - start) % unit_bytes != 0)
            return hr__error_set(err, HR_ERR_CORRUPT,
                                 "value %u of the chunk has %llu bytes, expected a multiple of %u; "
                                 "convert anew",
                                 i, (unsigned long long)(ends[i] - start), unit_bytes);
    }
    return HR_OK;
}

/* The end of the frame that begins at `at` and has n_bytes is right. *i: the first value that ends
 * behind `at`; moved on to the same for the end of the frame. */
static bool cut_is_right(const uint64_t *ends, uint32_t num_values, uint64_t at, uint64_t n_bytes,
                         uint32_t *i) {
    if (*i == num_values)
        return false;
    const uint64_t end = at + n_bytes;
    if (ends[*i] - hr__value_start(ends, *i) > HR__MAX_FRAME_BYTES &&
        n_bytes != hr__min_u64(ends[*i] - at, HR__MAX_FRAME_BYTES))
        return false;
    const bool piece = end < ends[*i];
    while (*i < num_values && ends[*i] <= end)
        (*i)++;
    return piece ? ends[*i] - hr__value_start(ends, *i) > HR__MAX_FRAME_BYTES : ends[*i - 1] == end;
}

static hr_status check_frames(const struct hr__chunk_view *v, uint32_t field, const uint64_t *ends,
                              hr_error *err) {
    const uint32_t num_values = v->header.num_samples;
    uint32_t first_frame, num_frames, i = 0;
    uint64_t off, at = 0;
    hr__chunk_view_part(v, field, HR__PART_VALUES, &first_frame, &num_frames, &off);
    while (i < num_values && ends[i] == 0)
        i++;
    for (uint32_t k = 0; k < num_frames; k++) {
        struct hr__frame frame;
        hr__chunk_view_frame(v, first_frame + k, off, &frame);
        if (!cut_is_right(ends, num_values, at, frame.decoded_bytes, &i))
            return hr__error_set(err, HR_ERR_CORRUPT,
                                 "frame %u of its values (%u bytes at %llu) does not end where a "
                                 "value does; run headrace verify, and convert anew",
                                 k, frame.decoded_bytes, (unsigned long long)at);
        at += frame.decoded_bytes;
    }
    if (at == ends[num_values - 1])
        return HR_OK;
    return hr__error_set(err, HR_ERR_CORRUPT,
                         "its values have %llu bytes in the chunk, and the last ends at %llu; run "
                         "headrace verify, and convert anew",
                         (unsigned long long)at, (unsigned long long)ends[num_values - 1]);
}

hr_status hr__value_ends_check(const struct hr__chunk_view *v, uint32_t field, const uint64_t *ends,
                               uint32_t unit_bytes, hr_error *err) {
    const hr_status st = check_order(ends, v->header.num_samples, unit_bytes, err);
    return st == HR_OK ? check_frames(v, field, ends, err) : st;
}

uint32_t hr__value_cut_next(struct hr__value_cut *cut, const uint64_t *ends, uint32_t num_values) {
    const uint64_t at = cut->done_bytes;
    uint64_t end;
    while (cut->next < num_values && ends[cut->next] == at)
        cut->next++;
    if (cut->next == num_values)
        return 0;
    if (ends[cut->next] - hr__value_start(ends, cut->next) > HR__MAX_FRAME_BYTES) {
        end = hr__min_u64(ends[cut->next], at + HR__MAX_FRAME_BYTES);
    } else {
        end = ends[cut->next++];
        while (cut->next < num_values && ends[cut->next] - at <= HR__FRAME_TARGET_BYTES)
            end = ends[cut->next++];
    }
    cut->done_bytes = end;
    return (uint32_t)(end - at);
}

uint64_t hr__value_frames(const uint64_t *ends, uint32_t num_values) {
    struct hr__value_cut cut = {0};
    uint64_t n = 0;
    while (hr__value_cut_next(&cut, ends, num_values) > 0)
        n++;
    return n;
}

/* Of three frames in a row, two hold more than the target between them: one ends because the next
 * value did not fit it, or is a piece of a large value. */
uint64_t hr__value_frames_bound(uint64_t n_bytes) {
    return 3 + 3 * (n_bytes / HR__FRAME_TARGET_BYTES);
}
