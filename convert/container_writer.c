/*
 * The library's side of writing a file through a helper.
 */
#include "container_writer.h"

#include "checked.h"
#include "error.h"
#include "hdf5_chunks.h"
#include "helper_process.h"
#include "partial_file.h"
#include "shared_memory.h"
#include "value_slot.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOT_BYTES       (UINT64_C(4) << 20)
#define PAGE_BYTES       4096u
#define THREAD_BYTES     (UINT64_C(512) << 10) /* of a helper's thread: stack, deflate's tables */
#define VALUES_BYTES     (HR__HELPER_HEAP_BYTES + (UINT64_C(3) << 20)) /* beside: lists, conversion */
#define DEFAULT_AS_BYTES (UINT64_C(512) << 20)

struct hr__container {
    struct hr__container_options opts;
    struct hr__budget *budget;
    struct hr__partial_file partial;
    struct hr__helper *helper;
    uint64_t charged_bytes;
    uint8_t *shared;
    uint64_t slot_bytes;
    struct hr__chunks chunks; /* of the array at hand */
    uint64_t count, next;     /* its chunks, or values; the first that was not sent */
    bool variable;            /* it has values of variable length */
    uint32_t slot;            /* that is filled now: */
    uint64_t fill_bytes, fill_count;
    uint64_t run_left; /* bytes that are missing of the chunk at its end */
    struct {
        bool asked;
        uint64_t first, n;
    } slots[HR__HELPER_NUM_SLOTS];
};

/* --- opening -------------------------------------------------------------------------------- */

/* Slots, and in the helper: chunks compressed, and a chunk plain and shuffled in each thread; or
 * texts copied, a value converted, in its heap, on its way to the file and in the heap before, and
 * what HDF5 keeps beside. */
static uint64_t needed_bytes(const struct hr__container_options *o, uint64_t slot_bytes) {
    const uint64_t packing = slot_bytes + slot_bytes / 256 +
                             o->num_threads * (2 * o->largest_chunk_bytes + THREAD_BYTES);
    const uint64_t values = slot_bytes + 4 * o->largest_value_bytes + VALUES_BYTES;
    return HR__HELPER_NUM_SLOTS * slot_bytes +
           hr__max_u64(o->level > 0 ? packing : 0, o->variable ? values : 0);
}

/* The smallest slot that takes everything to come. */
static uint64_t least_slot_bytes(const struct hr__container_options *o) {
    const uint64_t value =
        o->variable ? hr__value_slot_bytes(1, o->largest_value_bytes) : UINT64_C(0);
    const uint64_t least =
        hr__max_u64(o->largest_chunk_bytes, hr__max_u64(value, HR__MAX_ATTRIBUTE_BYTES + 1));
    return hr__round_up(least, PAGE_BYTES);
}

/* Halves the slots until half of the budget takes them. */
static hr_status choose_slots(struct hr__container *c, hr_error *err) {
    uint64_t least = least_slot_bytes(&c->opts);
    uint64_t slot = hr__max_u64(SLOT_BYTES, least);
    while (slot / 2 >= least && needed_bytes(&c->opts, slot) > c->budget->limit_bytes / 2)
        slot = hr__round_up(slot / 2, PAGE_BYTES);
    while (c->opts.num_threads > 1 && needed_bytes(&c->opts, slot) > c->budget->limit_bytes / 2)
        c->opts.num_threads--;
    hr_status st = hr__budget_reserve(c->budget, needed_bytes(&c->opts, slot),
                                      "writing through a helper", err);
    if (st != HR_OK)
        return st;
    c->slot_bytes = slot;
    c->charged_bytes = needed_bytes(&c->opts, slot);
    return HR_OK;
}

/* Sends and waits for the answer; nothing else is on its way. */
static hr_status ask(struct hr__container *c, struct hr__helper_message *m, int fd, hr_error *err) {
    struct hr__helper_message answer;
    hr_status st = hr__helper_send(c->helper, m, fd, err);
    return st == HR_OK ? hr__helper_answer(c->helper, HR__HELPER_DONE, &answer, err) : st;
}

static hr_status start(struct hr__container *c, hr_error *err) {
    struct hr__helper_limits limits = {
        .timeout_ns = c->opts.timeout_ns, .memory_bytes = c->opts.memory_bytes, .writes = true};
    struct hr__helper_message m = {.type = HR__HELPER_CREATE,
                                   .flags = c->opts.zip ? HR__HELPER_ZIP : 0,
                                   .level = c->opts.level,
                                   .count = c->opts.num_threads,
                                   .slot_bytes = c->slot_bytes,
                                   .path = c->partial.path};
    hr_status st;
    int fd = -1;
    if (limits.memory_bytes == 0)
        limits.memory_bytes = DEFAULT_AS_BYTES + c->charged_bytes;
    st = hr__shared_memory_make(HR__HELPER_NUM_SLOTS * c->slot_bytes, true, &c->shared, &fd, err);
    if (st != HR_OK) {
        hr__error_prefix(err, "%s", c->opts.target);
        goto done;
    }
    HR_TRY(hr__helper_start(c->opts.program, c->opts.target, &limits, &c->helper, err));
    st = ask(c, &m, fd, err);
done:
    if (fd >= 0)
        (void)close(fd);
    return st;
}

hr_status hr__container_open(const struct hr__container_options *o, struct hr__budget *budget,
                             struct hr__container **out, hr_error *err) {
    hr_status st;
    *out = NULL;
    struct hr__container *c = calloc(1, sizeof *c);
    if (c == NULL)
        return hr__error_no_memory(err, sizeof *c, "an export");
    c->opts = *o;
    c->opts.num_threads = (uint32_t)hr__min_u64(o->num_threads, HR__HELPER_MAX_THREADS);
    c->budget = budget;
    HR_TRY(hr__partial_file_open(&hr__posix_folder, o->target, o->replace, &c->partial, err));
    HR_TRY(hr__partial_file_empty(&c->partial, err));
    HR_TRY(choose_slots(c, err));
    HR_TRY(start(c, err));
    *out = c;
    c = NULL;
done:
    hr__container_close(c);
    return st;
}

/* --- an array ------------------------------------------------------------------------------- */

/* Answers come in the order of asking, and slots are used in turn. */
static hr_status take_answer(struct hr__container *c, hr_error *err) {
    uint32_t slot = c->slots[c->slot].asked ? c->slot : 1 - c->slot;
    struct hr__helper_message m;
    hr_status st = hr__helper_answer(c->helper, HR__HELPER_DONE, &m, err);
    if (st != HR_OK)
        return st;
    if (m.slot != slot || m.first != c->slots[slot].first || m.n != c->slots[slot].n)
        return hr__helper_lied(c->helper, "an unasked answer", err);
    c->slots[slot].asked = false;
    return HR_OK;
}

/* Sends the slot that is filled, and waits until the other one is free. */
static hr_status send_slot(struct hr__container *c, hr_error *err) {
    struct hr__helper_message m = {.type = c->variable ? HR__HELPER_VALUES : HR__HELPER_WRITE,
                                   .slot = c->slot,
                                   .first = c->next,
                                   .n = c->fill_count};
    hr_status st = hr__helper_send(c->helper, &m, -1, err);
    if (st != HR_OK)
        return st;
    c->slots[c->slot].asked = true;
    c->slots[c->slot].first = m.first;
    c->slots[c->slot].n = m.n;
    c->next += m.n;
    c->slot = 1 - c->slot;
    c->fill_bytes = c->fill_count = 0;
    return c->slots[c->slot].asked ? take_answer(c, err) : HR_OK;
}

hr_status hr__container_declare(struct hr__container *c, const struct hr__helper_field *field,
                                hr_error *err) {
    struct hr__helper_message m = {.type = HR__HELPER_ARRAY, .field = *field};
    return ask(c, &m, -1, err);
}

static void begin_array(struct hr__container *c, uint64_t count, bool variable) {
    c->count = count;
    c->variable = variable;
    c->next = c->fill_bytes = c->fill_count = c->run_left = 0;
}

hr_status hr__container_begin(struct hr__container *c, const struct hr__helper_field *field,
                              hr_error *err) {
    hr__chunks_make(field, &c->chunks);
    begin_array(c, c->chunks.count, false);
    if (c->chunks.chunk_bytes > c->slot_bytes)
        return hr__error_set(err, HR_ERR_INVALID, "a chunk is larger than was said");
    return c->opts.zip ? HR_OK : hr__container_declare(c, field, err);
}

/* The next chunk begins: in this slot if all of it fits, else in the other one. */
static hr_status begin_run(struct hr__container *c, hr_error *err) {
    struct hr__chunk_run run;
    if (c->next + c->fill_count >= c->count)
        return hr__error_set(err, HR_ERR_INVALID, "more bytes than the array has");
    hr__chunks_run(&c->chunks, c->next + c->fill_count, &run);
    c->run_left = run.n_bytes;
    return run.n_bytes > c->slot_bytes - c->fill_bytes ? send_slot(c, err) : HR_OK;
}

hr_status hr__container_write(struct hr__container *c, const uint8_t *bytes, uint64_t n_bytes,
                              hr_error *err) {
    while (n_bytes > 0) {
        hr_status st = c->run_left == 0 ? begin_run(c, err) : HR_OK;
        if (st != HR_OK)
            return st;
        uint64_t take = hr__min_u64(n_bytes, c->run_left);
        memcpy(c->shared + c->slot * c->slot_bytes + c->fill_bytes, bytes, (size_t)take);
        c->fill_bytes += take;
        c->run_left -= take;
        c->fill_count += c->run_left == 0;
        bytes += take;
        n_bytes -= take;
    }
    return HR_OK;
}

hr_status hr__container_begin_values(struct hr__container *c, const struct hr__helper_field *field,
                                     bool text, hr_error *err) {
    struct hr__helper_message m = {
        .type = HR__HELPER_BEGIN_VALUES, .flags = text ? HR__HELPER_TEXT : 0, .field = *field};
    begin_array(c, field->num_samples, true);
    return ask(c, &m, -1, err);
}

hr_status hr__container_write_values(struct hr__container *c, const int64_t *offsets, uint64_t n,
                                     const uint8_t *bytes, hr_error *err) {
    hr_status st = HR_OK;
    if (n > c->count - c->next)
        return hr__error_set(err, HR_ERR_INVALID, "more values than the array has");
    for (uint64_t done = 0, some; st == HR_OK && done < n; done += some) {
        const int64_t *from = offsets + done;
        some = hr__value_slot_fits(from, n - done, c->slot_bytes);
        c->fill_bytes = hr__value_slot_bytes(some, (uint64_t)(from[some] - from[0]));
        if (c->fill_bytes > c->slot_bytes)
            return hr__error_set(err, HR_ERR_INVALID, "a value is larger than was said");
        hr__value_slot_put(from, some, bytes + (from[0] - offsets[0]),
                           c->shared + c->slot * c->slot_bytes);
        c->fill_count = some;
        st = send_slot(c, err);
    }
    return st;
}

hr_status hr__container_end(struct hr__container *c, hr_error *err) {
    hr_status st = c->fill_count > 0 ? send_slot(c, err) : HR_OK;
    while (st == HR_OK && (c->slots[0].asked || c->slots[1].asked))
        st = take_answer(c, err);
    if (st == HR_OK && (c->next != c->count || c->run_left != 0))
        st = hr__error_set(err, HR_ERR_INVALID, "fewer bytes than the array has");
    return st;
}

hr_status hr__container_attribute(struct hr__container *c, const struct hr__attribute *a,
                                  hr_error *err) {
    uint64_t width = a->dtype == HR_FIXED_UTF8 ? 1 : hr_dtype_bytes(a->dtype);
    uint64_t n_bytes = a->count * width;
    struct hr__helper_message m = {.type = HR__HELPER_ATTRIBUTE,
                                   .flags = a->scalar ? HR__HELPER_SCALAR : 0,
                                   .dtype = a->dtype,
                                   .count = a->count,
                                   .member = a->member,
                                   .text = a->name};
    if (n_bytes > HR__MAX_ATTRIBUTE_BYTES)
        return hr__error_set(err, HR_ERR_INVALID, "the attribute %s is too large", a->name);
    memcpy(c->shared, a->values, (size_t)n_bytes);
    return ask(c, &m, -1, err);
}

/* --- the end -------------------------------------------------------------------------------- */

hr_status hr__container_finish(struct hr__container *c, hr_error *err) {
    struct hr__helper_message m = {.type = HR__HELPER_FINISH};
    hr_status st = ask(c, &m, -1, err);
    return st == HR_OK ? hr__partial_file_complete(&c->partial, c->opts.replace, err) : st;
}

void hr__container_close(struct hr__container *c) {
    if (c == NULL)
        return;
    hr__helper_close(c->helper); /* before its file goes */
    hr__partial_file_close(&c->partial);
    if (c->shared != NULL)
        (void)munmap(c->shared, (size_t)(HR__HELPER_NUM_SLOTS * c->slot_bytes));
    hr__budget_release(c->budget, c->charged_bytes);
    free(c);
}
