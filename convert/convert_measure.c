/*
 * How much a conversion has to do, and whether that can be done.
 */
#include "convert_job.h"

#include "checked.h"
#include "error.h"

#define MAX_EMPTY_SAMPLES    (UINT64_C(1) << 32) /* whose samples have no bytes: 256 MiB of chunks */
#define MAX_SHUFFLED_SAMPLES (UINT64_C(1) << 62)

uint64_t hr__convert_bytes_of(const struct hr__convert_job *job, uint64_t samples) {
    if (!job->has_values)
        return samples * job->layout.sample_bytes;
    if (samples == job->num_samples)
        return job->total_bytes;
    return (uint64_t)((double)job->total_bytes * (double)samples / (double)job->num_samples);
}

static hr_status add_values(struct hr__convert_job *job, hr_error *err) {
    job->has_values = hr__inputs_have_values(&job->inputs);
    if (job->has_values && (job->opts.flags & HR_CONVERT_SHUFFLE) != 0)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "values of variable length are not shuffled when they are converted; "
                             "convert them in their order, and shuffle as they are read, or "
                             "choose the fields without them (--fields)");
    for (uint32_t i = 0; i < job->inputs.num_fields; i++)
        if (!hr__add_u64(job->total_bytes, job->inputs.fields[i].source->info.value_bytes,
                         &job->total_bytes))
            return hr__error_set(err, HR_ERR_UNSUPPORTED, "the inputs have more than 2^64 bytes");
    return HR_OK;
}

hr_status hr__convert_measure(struct hr__convert_job *job, hr_error *err) {
    job->num_samples = job->inputs.fields[0].source->info.num_samples;
    hr_status st =
        hr__shuffle_layout_make(&job->inputs, job->opts.index_field != NULL, &job->layout, err);
    if (st != HR_OK)
        return st;
    const uint64_t sample_bytes = job->layout.sample_bytes;
    job->shuffled =
        (job->opts.flags & HR_CONVERT_SHUFFLE) != 0 && sample_bytes > 0 && job->num_samples > 0;
    if (!hr__mul_u64(sample_bytes, job->num_samples, &job->total_bytes))
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "the inputs have more than 2^64 bytes");
    st = add_values(job, err);
    if (st != HR_OK)
        return st;
    const bool empty =
        !job->has_values && sample_bytes == (job->layout.has_index ? HR__INDEX_BYTES : 0);
    if (empty && job->num_samples > MAX_EMPTY_SAMPLES)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "%llu samples of no bytes at all are more than the %llu that are "
                             "converted",
                             (unsigned long long)job->num_samples,
                             (unsigned long long)MAX_EMPTY_SAMPLES);
    if (job->shuffled && job->num_samples > MAX_SHUFFLED_SAMPLES)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "more than 2^62 samples cannot be shuffled; convert them without");
    return HR_OK;
}
