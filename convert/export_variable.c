/*
 * Pieces of a field of variable length. How long values are is untrusted.
 */
#include "export_variable.h"

#include "checked.h"
#include "error.h"

#define MOST_SAMPLES UINT64_C(65536)     /* of a piece */
#define PIECE_BYTES  (UINT64_C(4) << 20) /* of its values, but for one that is longer */
#define OFFSETS_PART 8u                  /* of what is left of the budget */

struct pieces {
    struct hr__export_job *job;
    const struct hr__export_item *item;
    uint64_t most_samples, usual_bytes;
    int64_t *offsets; /* most_samples + 1 */
    uint8_t *bytes;
    uint64_t room_bytes;
    hr__values_take take;
    void *arg;
};

static size_t offsets_bytes(const struct pieces *p) {
    return (size_t)(p->most_samples + 1) * sizeof *p->offsets;
}

static hr_status open_pieces(struct pieces *p, hr_error *err) {
    hr_status st = HR_OK;
    const uint64_t fit = hr__budget_left(&p->job->budget) / OFFSETS_PART / sizeof *p->offsets;
    p->most_samples = hr__max_u64(hr__min_u64(fit, MOST_SAMPLES), 1);
    p->offsets =
        hr__budget_take_raw(&p->job->budget, offsets_bytes(p), "the lengths of values", &st, err);
    p->usual_bytes = hr__min_u64(PIECE_BYTES, hr__budget_left(&p->job->budget) / 2);
    return st;
}

static void close_pieces(struct pieces *p) {
    hr__budget_free(&p->job->budget, p->bytes, (size_t)p->room_bytes);
    hr__budget_free(&p->job->budget, p->offsets, offsets_bytes(p));
}

static hr_status make_room(struct pieces *p, uint64_t first, hr_error *err) {
    const uint64_t needed = hr__max_u64((uint64_t)p->offsets[1], p->usual_bytes);
    hr_status st = HR_OK;
    if (p->bytes != NULL && needed <= p->room_bytes)
        return HR_OK;
    hr__budget_free(&p->job->budget, p->bytes, (size_t)p->room_bytes);
    p->bytes = hr__budget_take_raw(&p->job->budget, (size_t)needed, "values to export", &st, err);
    p->room_bytes = p->bytes != NULL ? needed : 0;
    if (st != HR_OK)
        hr__error_prefix(err, "sample %llu", (unsigned long long)first);
    return st;
}

/* Of n samples as many as are usual at once, at least one. */
static uint64_t fitting_samples(const struct pieces *p, uint64_t n) {
    uint64_t low = 1, high = n;
    while (low < high) {
        const uint64_t middle = low + (high - low + 1) / 2;
        if ((uint64_t)p->offsets[middle] <= p->usual_bytes)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Of *n samples from `first` on as many as fit. */
static hr_status read_piece(struct pieces *p, uint64_t first, uint64_t *n, hr_error *err) {
    const uint32_t field = p->item->field;
    uint64_t n_bytes;
    hr_status st;
    HR_TRY(
        hr_dataset_read_values(p->job->ds, field, first, *n, p->offsets, NULL, 0, &n_bytes, err));
    *n = fitting_samples(p, *n);
    HR_TRY(make_room(p, first, err));
    st = hr_dataset_read_values(p->job->ds, field, first, *n, p->offsets, p->bytes, p->room_bytes,
                                &n_bytes, err);
done:
    return st;
}

static hr_status take_piece(struct pieces *p, uint64_t first, uint64_t n, hr_error *err) {
    const struct hr__values_piece piece = {
        .first = first, .n = n, .offsets = p->offsets, .bytes = p->bytes};
    hr_status st = p->take(p->arg, &piece, err);
    if (p->bytes != NULL)
        p->job->progress.done_bytes += (uint64_t)p->offsets[n];
    return st == HR_OK ? hr__export_tell(p->job, false, err) : st;
}

/* A piece is looked for among twice as many samples as the last one had. */
static hr_status each_piece(struct pieces *p, bool with_values, hr_error *err) {
    const struct hr__export_job *job = p->job;
    uint64_t n_bytes, n, likely = p->most_samples;
    hr_status st = HR_OK;
    for (uint64_t done = 0; done < job->num_samples; done += n) {
        const uint64_t first = job->first + done;
        n = hr__min_u64(hr__min_u64(likely, p->most_samples), job->num_samples - done);
        if (with_values)
            HR_TRY(read_piece(p, first, &n, err));
        else
            HR_TRY(hr_dataset_read_values(job->ds, p->item->field, first, n, p->offsets, NULL, 0,
                                          &n_bytes, err));
        HR_TRY(take_piece(p, first, n, err));
        likely = 2 * n;
    }
done:
    return st;
}

static hr_status run(struct hr__export_job *job, const struct hr__export_item *item,
                     bool with_values, hr__values_take take, void *arg, hr_error *err) {
    struct pieces p = {.job = job, .item = item, .take = take, .arg = arg};
    hr_status st = open_pieces(&p, err);
    if (st == HR_OK)
        st = each_piece(&p, with_values, err);
    close_pieces(&p);
    return st;
}

hr_status hr__export_lengths(struct hr__export_job *job, const struct hr__export_item *item,
                             hr__values_take take, void *arg, hr_error *err) {
    return run(job, item, false, take, arg, err);
}

hr_status hr__export_values(struct hr__export_job *job, const struct hr__export_item *item,
                            hr__values_take take, void *arg, hr_error *err) {
    return run(job, item, true, take, arg, err);
}

static hr_status add_lengths(void *arg, const struct hr__values_piece *piece, hr_error *err) {
    struct hr__export_item *item = arg;
    if (!hr__add_u64(item->total_bytes, (uint64_t)piece->offsets[piece->n], &item->total_bytes) ||
        item->total_bytes > INT64_MAX)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "its values have 2^63 bytes or more");
    for (uint64_t i = 0; i < piece->n; i++)
        item->longest_bytes =
            hr__max_u64(item->longest_bytes, (uint64_t)(piece->offsets[i + 1] - piece->offsets[i]));
    return HR_OK;
}

hr_status hr__export_measure(struct hr__export_job *job, struct hr__export_item *item,
                             hr_error *err) {
    hr_status st = hr__export_lengths(job, item, add_lengths, item, err);
    if (st != HR_OK)
        hr__error_prefix(err, "exporting the field %s", item->info.name);
    return st;
}
