/*
 * Where a member lies in the records of its data set. Figures are untrusted.
 */
#include "helper_protocol.h"

#include "checked.h"
#include "dtype.h"

#include <string.h>

static uint64_t value_bytes(const struct hr__helper_field *f) {
    return hr__dtype_is_fixed_width(f->dtype) ? f->width_bytes : hr_dtype_bytes(f->dtype);
}

/* From the first value of the member to behind the last one; no two of them overlap. */
static bool find_extent(const struct hr__helper_field *f, uint64_t *out) {
    const struct hr__helper_record *r = &f->record;
    uint64_t extent = value_bytes(f), more;
    if (extent == 0)
        return false;
    for (uint32_t i = f->rank; i-- > r->rank;) {
        if (f->shape[i] == 0 || r->steps[i] < extent ||
            !hr__mul_u64(r->steps[i], f->shape[i] - 1, &more) ||
            !hr__add_u64(extent, more, &extent))
            return false;
    }
    *out = extent;
    return true;
}

struct hr__helper_field hr__helper_field_of_records(const struct hr__helper_field *f) {
    struct hr__helper_field records = *f;
    records.dtype = HR_FIXED_BYTES;
    records.width_bytes = (uint32_t)f->record.bytes;
    records.rank = f->record.rank;
    memset(records.shape, 0, sizeof records.shape);
    records.sample_bytes = f->record.bytes;
    for (uint32_t i = 0; i < records.rank; i++) {
        records.shape[i] = f->shape[i];
        records.sample_bytes *= f->shape[i];
    }
    records.member = f->record.path;
    records.name = "";
    memset(&records.record, 0, sizeof records.record);
    return records;
}

bool hr__helper_record_valid(const struct hr__helper_field *f) {
    const struct hr__helper_record *r = &f->record;
    uint64_t extent;
    if (r->rank > f->rank || r->bytes == 0 || r->bytes > INT32_MAX || f->sample_bytes == 0)
        return false;
    if (!find_extent(f, &extent) || !hr__range_within(r->at, extent, r->bytes))
        return false;
    const struct hr__helper_field records = hr__helper_field_of_records(f);
    return hr__helper_field_valid(&records);
}

uint64_t hr__helper_record_member_bytes(const struct hr__helper_field *f) {
    uint64_t bytes = value_bytes(f);
    for (uint32_t i = f->record.rank; i < f->rank; i++)
        bytes *= f->shape[i];
    return bytes;
}
