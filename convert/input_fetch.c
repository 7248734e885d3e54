/*
 * Readers for the writer's threads.
 */
#include "input_fetch.h"

#include "checked.h"
#include "error.h"

#include <stdlib.h>
#include <sys/resource.h>

#define STEP_BYTES       (UINT64_C(4) << 20)
#define STEPS_AHEAD      4u /* announced beyond what is read */
#define FIRST_STEPS      8u /* announced at once: codecs are tried before the next one is wanted */
#define DESCRIPTORS_PART 4

bool hr__input_fetch_fits(const struct hr__inputs *in, uint32_t num_threads) {
    struct rlimit limit;
    const uint64_t descriptors = (uint64_t)num_threads * in->num_fields;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || descriptors > limit.rlim_cur / DESCRIPTORS_PART)
        return false;
    for (uint32_t i = 0; i < in->num_fields; i++)
        if (!in->fields[i].source->info.any_pieces)
            return false;
    return true;
}

static struct hr__source_reader **readers_of(const struct hr__input_fetch *f, uint32_t thread) {
    return f->readers + (size_t)thread * f->in->num_fields;
}

/* One step more, where samples are wanted that are less than some steps behind what is announced;
 * at first several. */
static void announce(struct hr__input_fetch *f, struct hr__source_reader **readers,
                     uint64_t sample) {
    uint64_t from = atomic_load(&f->announced);
    if (from >= f->num_samples || (from > sample && from - sample > f->step_samples * STEPS_AHEAD))
        return;
    const uint64_t step = f->step_samples * (from == f->first_sample ? FIRST_STEPS : 1);
    const uint64_t n = hr__min_u64(step, f->num_samples - from);
    if (!atomic_compare_exchange_strong(&f->announced, &from, from + n))
        return;
    for (uint32_t i = 0; i < f->in->num_fields; i++)
        f->in->fields[i].source->ops->announce(readers[i], from, n);
}

static hr_status fetch(void *user, uint32_t thread, uint64_t first, uint32_t n,
                       void *const *columns, hr_error *err) {
    struct hr__input_fetch *f = user;
    struct hr__source_reader **readers = readers_of(f, thread);
    hr_status st = HR_OK;
    announce(f, readers, first + n);
    for (uint32_t i = 0; i < f->in->num_fields && st == HR_OK; i++)
        st = f->in->fields[i].source->ops->read(readers[i], first, n, columns[i], err);
    return st;
}

static uint64_t step_of(const struct hr__inputs *in) {
    uint64_t sample_bytes = 0;
    for (uint32_t i = 0; i < in->num_fields; i++)
        sample_bytes += in->fields[i].source->info.sample_bytes;
    return hr__max_u64(STEP_BYTES / hr__max_u64(sample_bytes, 1), 1);
}

hr_status hr__input_fetch_open(struct hr__input_fetch *f, const struct hr__inputs *in,
                               uint32_t num_threads, uint64_t first_sample,
                               struct hr__budget *budget, hr_error *err) {
    *f = (struct hr__input_fetch){.rows = {.user = f, .fetch = fetch},
                                  .in = in,
                                  .num_samples = in->fields[0].source->info.num_samples,
                                  .first_sample = first_sample,
                                  .step_samples = step_of(in),
                                  .announced = first_sample,
                                  .num_threads = num_threads};
    const size_t n = (size_t)num_threads * in->num_fields;
    f->readers = calloc(n, sizeof(*f->readers));
    if (f->readers == NULL)
        return hr__error_no_memory(err, n * sizeof(*f->readers), "readers of the inputs");
    hr_status st = HR_OK;
    for (size_t i = 0; i < n && st == HR_OK; i++) {
        struct hr__source *src = in->fields[i % in->num_fields].source;
        st = src->ops->open_reader(src, budget, NULL, &f->readers[i], err);
    }
    return st;
}

void hr__input_fetch_close(struct hr__input_fetch *f) {
    const size_t n = f->in != NULL ? (size_t)f->num_threads * f->in->num_fields : 0;
    for (size_t i = 0; f->readers != NULL && i < n; i++)
        if (f->readers[i] != NULL)
            f->in->fields[i % f->in->num_fields].source->ops->close_reader(f->readers[i]);
    free(f->readers);
    *f = (struct hr__input_fetch){0};
}
