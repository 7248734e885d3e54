/*
 * The loader's state: where it is, and all that its order depends on (docs/order.md, "State"). A
 * state that was read back is untrusted.
 */
#include "bytes.h"
#include "error.h"
#include "hash.h"
#include "loader.h"

#include <string.h>

#define STATE_BYTES  120u
#define SUBSET_BYTES 144u /* with a subset */
#define NAME_BYTES   24u
#define LAST_PADDED  2u /* 0: kept, 1: dropped */

static const char magic[8] = {'H', 'R', 'D', 'S', 'T', 'A', 'T', '1'};

static const char *order_name(enum hr__order_kind kind, bool subset) {
    if (kind == HR__ORDER_INTERLEAVED)
        return subset ? "interleaved/1 subset/1" : "interleaved/1";
    return subset ? "sequential/1 subset/1" : "sequential/1";
}

void hr__state_encode(const struct hr_loader *l, uint64_t epoch, uint64_t batch,
                      uint8_t out[HR_LOADER_STATE_BYTES]) {
    const struct hr__order_params *p = &l->config.order_params;
    const struct hr__footer *f = &l->ds->footer;
    memset(out, 0, HR_LOADER_STATE_BYTES);
    memcpy(out, magic, sizeof(magic));
    const hr_subset *subset = l->config.subset;
    const char *name = order_name(p->kind, subset != NULL);
    memcpy(out + 8, name, strlen(name));
    memcpy(out + 32, f->uuid, sizeof(f->uuid));
    hr__put_u64(out + 48, f->commit_seq);
    hr__put_u32(out + 56, p->samples_per_chunk);
    hr__put_u32(out + 60, p->window_visits);
    hr__put_u32(out + 64, p->batch_samples);
    hr__put_u32(out + 68, p->num_streams);
    hr__put_u64(out + 72, p->seed);
    hr__put_u64(out + 80, epoch);
    hr__put_u64(out + 88, batch);
    hr__put_u64(out + 96, f->num_samples);
    hr__put_u32(out + 104, p->pad_last ? LAST_PADDED : p->drop_last);
    hr__put_u64(out + 112, hr__hash(out, 112));
    if (subset == NULL)
        return;
    hr__put_u64(out + 120, subset->num_samples);
    hr__put_u64(out + 128, subset->hash);
    hr__put_u64(out + 136, hr__hash(out, 136));
}

struct figure {
    const char *name;
    uint32_t off;
    uint32_t n_bytes;
};

static const struct figure figures[] = {
    {"commit", 48, 8},
    {"samples per chunk", 56, 4},
    {"window", 60, 4},
    {"batch size", 64, 4},
    {"number of streams", 68, 4},
    {"seed", 72, 8},
    {"number of samples", 96, 8},
};

/* A sequential order does not depend on the seed. */
static bool figure_counts(const struct figure *f, const uint8_t *state) {
    static const char sequential[] = "sequential/";
    return strcmp(f->name, "seed") != 0 ||
           strncmp((const char *)state + 8, sequential, sizeof(sequential) - 1) != 0;
}

static uint64_t figure_get(const uint8_t *state, const struct figure *f) {
    return f->n_bytes == 8 ? hr__get_u64(state + f->off) : hr__get_u32(state + f->off);
}

static const char *last_batch(const uint8_t *state) {
    static const char *const words[] = {"kept", "dropped", "padded"};
    uint32_t how = hr__get_u32(state + 104);
    return how <= LAST_PADDED ? words[how] : "in an unknown way";
}

/* Several files have the commit number 0 (docs/order.md, 8). */
static hr_status other_data(const uint8_t *theirs, const uint8_t *ours, hr_error *err) {
    bool were_many = hr__get_u64(theirs + 48) == 0, are_many = hr__get_u64(ours + 48) == 0;
    if (were_many && are_many)
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "the state was saved with other files, with these in another order, "
                             "or before one of them was appended to; give the same files in the "
                             "same order, or begin anew without a state");
    if (were_many != are_many)
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "the state was saved with a data set of %s, this one is %s; resume "
                             "with that one, or begin anew without a state",
                             were_many ? "several files" : "one file",
                             are_many ? "several files" : "one file");
    return hr__error_set(err, HR_ERR_MISMATCH,
                         "the state was saved with another data set (another UUID); resume "
                         "with that one, or begin anew without a state");
}

static hr_status compare_data(const uint8_t *theirs, const uint8_t *ours, hr_error *err) {
    if (memcmp(theirs + 32, ours + 32, 16) != 0)
        return other_data(theirs, ours, err);
    if (memcmp(theirs + 8, ours + 8, NAME_BYTES) != 0)
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "the state was saved in the order %.24s, this loader's is %.24s; "
                             "shuffle and choose the samples as before, or begin anew without a "
                             "state",
                             (const char *)theirs + 8, (const char *)ours + 8);
    return HR_OK;
}

static hr_status compare_figures(const uint8_t *theirs, const uint8_t *ours, hr_error *err) {
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        uint64_t was = figure_get(theirs, &figures[i]), is = figure_get(ours, &figures[i]);
        if (was != is && figure_counts(&figures[i], ours))
            return hr__error_set(err, HR_ERR_MISMATCH,
                                 "the state was saved with %s %llu, this loader has %llu; use the "
                                 "same, or begin anew without a state",
                                 figures[i].name, (unsigned long long)was, (unsigned long long)is);
    }
    if (hr__get_u32(theirs + 104) != hr__get_u32(ours + 104))
        return hr__error_set(err, HR_ERR_MISMATCH,
                             "the state was saved with short last batches %s, this loader has them "
                             "%s; use the same, or begin anew without a state",
                             last_batch(theirs), last_batch(ours));
    return HR_OK;
}

/* Both are of subsets, or neither. */
static hr_status compare_subsets(const uint8_t *theirs, const uint8_t *ours, hr_error *err) {
    if (memcmp(theirs + 120, ours + 120, 16) == 0)
        return HR_OK;
    return hr__error_set(err, HR_ERR_MISMATCH,
                         "the state was saved with a subset of %llu samples, this loader's has "
                         "%llu, and they are not the same; give that subset, or begin anew without "
                         "a state",
                         (unsigned long long)hr__get_u64(theirs + 120),
                         (unsigned long long)hr__get_u64(ours + 120));
}

/* Long enough, and as it was written. */
static bool is_whole(const uint8_t *state, size_t n_bytes) {
    if (n_bytes < STATE_BYTES || memcmp(state, magic, sizeof(magic)) != 0 ||
        hr__get_u64(state + 112) != hr__hash(state, 112) || state[8 + NAME_BYTES - 1] != 0)
        return false;
    const bool subset = strstr((const char *)state + 8, " subset/1") != NULL;
    return !subset || (n_bytes >= SUBSET_BYTES && hr__get_u64(state + 136) == hr__hash(state, 136));
}

hr_status hr__state_decode(const struct hr_loader *l, const void *state, size_t n_bytes,
                           uint64_t *epoch, uint64_t *batch, hr_error *err) {
    const uint8_t *theirs = state;
    uint8_t ours[HR_LOADER_STATE_BYTES];
    if (!is_whole(theirs, n_bytes))
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "the state (%zu bytes) is none that a loader saved, or is damaged; "
                             "give one that was saved, or begin anew without a state",
                             n_bytes);
    hr__state_encode(l, 0, 0, ours);
    hr_status st = compare_data(theirs, ours, err);
    if (st == HR_OK && l->config.subset != NULL)
        st = compare_subsets(theirs, ours, err);
    if (st == HR_OK)
        st = compare_figures(theirs, ours, err);
    if (st != HR_OK)
        return st;
    *epoch = hr__get_u64(theirs + 80);
    *batch = hr__get_u64(theirs + 88);
    if (*batch > hr__order_num_batches(l->order))
        return hr__error_set(err, HR_ERR_CORRUPT,
                             "the state is at batch %llu, the epoch has %llu; begin anew without "
                             "a state",
                             (unsigned long long)*batch,
                             (unsigned long long)hr__order_num_batches(l->order));
    return HR_OK;
}
